"""Errors that places have in common: of velocities on assets, and of dates in a fusion over time."""

import numpy as np
import pytest
from scipy import sparse

from groundshift.products.assets.alike import drawn, group_medians, mean_apart, rate_noise
from groundshift.products.fuse.series.common import _taken_up
from groundshift.synth.structures import random_field

SIGMA, SCATTER, SLOW, LENGTH = 0.2, 0.3, 0.5, 400.0


@pytest.fixture(scope="module")
def points():
    """Places over 3 km, and velocities in 40 draws: errors of points, and a field that is alike over 400 m."""
    random = np.random.default_rng(5)
    places = random.uniform(0, 3000, (4000, 2))
    field = SLOW * random_field(places, 40, LENGTH, random)
    return places, field, field + np.hypot(SIGMA, SCATTER) * random.standard_normal(field.shape)


def noise_of(places, velocity):
    sigma = np.full(len(places), SIGMA)
    return rate_noise(velocity, sigma, places, radius=5000.0, least_scatter=0.0)


def test_scatter_and_what_places_have_in_common_are_found(points):
    places, _, velocity = points
    found = [noise_of(places, each) for each in velocity[:8]]
    assert np.mean([each.scatter for each in found]) == pytest.approx(SCATTER, rel=0.15)
    for distance in (100.0, 300.0, 900.0):
        expected = 2 * SLOW**2 * -np.expm1(-distance / LENGTH)
        assert np.mean([each.apart(np.array(distance)) for each in found]) == pytest.approx(expected, rel=0.3)
    assert np.mean([each.tail for each in found]) == pytest.approx(1.1, abs=0.15)  # the field varies in a cell of 50 m
    wild = velocity[0] + 5.0 * (np.random.default_rng(1).random(len(places)) < 0.02)
    assert noise_of(places, wild).lone > 1.5  # of points that none checks, these are part
    assert noise_of(places, wild).tail < 1.4


def test_the_variance_of_a_difference_of_means_depends_on_where_the_points_are(points):
    places, field, velocity = points
    middle = np.linalg.norm(places - 1500, axis=1)
    groups = [middle < 100, middle < 1000, np.linalg.norm(places - (2900, 2900), axis=1) < 100]
    weights = sparse.csr_matrix(np.array(groups, float) / np.sum(groups, axis=1, keepdims=True))
    some = drawn(weights, places, np.random.default_rng(2))
    for row, group in enumerate(groups):
        assert {tuple(each) for each in some[row]} <= {tuple(each) for each in places[group]}
    noise = noise_of(places, velocity[0])._replace(lengths=(LENGTH,), sizes=(SLOW**2,))
    mean = (weights @ field.T).T
    variances = []
    for one, other in ((0, 1), (0, 2), (1, 2)):
        pair = some[[one]], some[[other]]
        expected = mean_apart(noise, *pair) - sum(mean_apart(noise, each, each) for each in pair) / 2
        assert np.mean((mean[:, one] - mean[:, other]) ** 2) == pytest.approx(expected[0], rel=0.6)
        variances.append(expected[0])
    assert variances[0] < 0.7 * variances[1]  # the middle is held against what is around it


def test_medians_of_groups():
    random = np.random.default_rng(3)
    group, values = random.integers(0, 20, 200), random.standard_normal(200)
    expected = [np.median(values[group == each]) for each in group]
    np.testing.assert_allclose(group_medians(values, group), expected)


@pytest.mark.parametrize("length", [2.0, 8.0])
def test_a_plane_through_a_part_of_the_cells_takes_up_what_the_field_says(length):
    """Fields without a plane over all cells, drawn; the cells around one place are missing."""
    y, x = (each.ravel() for each in np.mgrid[:12, :12] / 5.5 - 1)
    plane = np.stack([np.ones(144), x, y], axis=1)
    places = 5.5 * plane[:, 1:]
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    random = np.random.default_rng(4)
    fields = np.linalg.cholesky(np.exp(-apart / length)) @ random.standard_normal((144, 400))
    fields -= plane @ np.linalg.lstsq(plane, fields, rcond=None)[0]
    fields /= fields.std()
    ratios = []
    for middle in range(0, 144, 6):
        seen = np.argsort(apart[middle], kind="stable")[36:]
        part = np.linalg.qr(plane[seen])[0]
        ratios.append(((part.T @ fields[seen]) ** 2).mean())
    assert _taken_up(plane, apart, length, 0.25) == pytest.approx(np.mean(ratios), rel=0.2)
    assert _taken_up(plane, apart, length, 0.0) == 1.0
    assert _taken_up(plane, apart, length, 0.99) == 144.0  # no plane goes through so few
