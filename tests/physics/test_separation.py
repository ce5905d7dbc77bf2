"""Persistent scatterers apart from what else is in their pixels."""

import numpy as np
import pytest
from reference.radar_points import stack_geometry
from reference.scatterers import height_error, seen

from groundshift.insar.config import PointResponseConfig
from groundshift.insar.scatterers.separation import HALF, separated

GEOMETRY = stack_geometry(np.random.default_rng(0))
SENSOR = PointResponseConfig(resolution=(1 / 0.672, 1 / 0.878))
MIDDLE = np.array([12])


def images(scatterers, *, clutter, seed=0):
    """Images (time, y, x) of scatterers, and of clutter of this amplitude."""
    echoes = seen(scatterers, GEOMETRY, 25)
    noise = np.random.default_rng(seed).normal(size=(2, *echoes.shape))
    return (echoes + clutter / np.sqrt(2) * (noise[0] + 1j * noise[1])).astype(np.complex64)


def crowd(rng):
    """A scatterer at height 0 within a third of a pixel of the middle, and weaker ones around it that stand higher."""
    others = [
        (12 + way * np.cos(turn), 12 + way * np.sin(turn), *rng.uniform((0.3, 0, 10), (0.9, 6.3, 25)))
        for way, turn in zip(rng.uniform(1.0, 2.5, 3), rng.uniform(0, 6.3, 3), strict=True)
    ]
    return [(*(12 + rng.uniform(-0.3, 0.3, 2)), 1.0, rng.uniform(0, 6.3), 0.0), *others]


def test_heights_are_nearer_to_those_of_the_scatterers_that_rule():
    rng, pixels, alone = np.random.default_rng(1), [], []
    for k in range(120):
        slc = images(crowd(rng), clutter=0.1, seed=k)
        pixels.append(height_error(slc[:, 12, 12], 0, GEOMETRY))
        alone.append(height_error(separated(slc, MIDDLE, MIDDLE, SENSOR)[:, 0], 0, GEOMETRY))
    assert np.sqrt(np.mean(np.square(pixels))) > 1.5
    assert np.sqrt(np.mean(np.square(alone))) < 0.75 * np.sqrt(np.mean(np.square(pixels)))


def test_a_lone_scatterer_keeps_its_height_and_most_of_its_echo():
    for y, x in ((12, 12), (12.4, 11.7), (11.6, 12.2)):
        slc = images([(y, x, 1, 0.3, 20)], clutter=0.05)
        own = separated(slc, MIDDLE, MIDDLE, SENSOR)[:, 0]
        here = height_error(slc[:, 12, 12], 20, GEOMETRY)
        assert height_error(own, 20, GEOMETRY) == pytest.approx(here, abs=0.3)
        assert np.abs(own).mean() == pytest.approx(np.abs(slc[:, 12, 12]).mean(), rel=0.1)


def test_phases_of_dates_go_through_as_they_are():
    """So that noise, whose dates turn at will, stays noise, and the threshold of coherence holds."""
    rng = np.random.default_rng(2)
    slc = images([], clutter=1.0)
    turn = np.exp(1j * rng.uniform(0, 2 * np.pi, 60)).astype(np.complex64)
    rows, columns = (each.ravel() for each in np.mgrid[8:17:3, 8:17:3])
    one = separated(slc, rows, columns, SENSOR)
    two = separated(slc * turn[:, None, None], rows, columns, SENSOR)
    np.testing.assert_allclose(two, one * turn[:, None], atol=1e-4)


def test_a_spectrum_that_is_not_about_zero_does_not_matter():
    slc = images(crowd(np.random.default_rng(3)), clutter=0.05)
    y, x = np.mgrid[:25, :25]
    carrier = np.exp(1j * (2.1 * y - 0.7 * x)).astype(np.complex64)
    one = separated(slc, MIDDLE, MIDDLE, SENSOR)
    two = separated(slc * carrier, MIDDLE, MIDDLE, SENSOR)
    np.testing.assert_allclose(two, one * carrier[12, 12], atol=1e-3 * np.abs(one).max())


def test_pixels_whose_surroundings_are_not_all_seen_stay_as_they_are():
    slc = images(crowd(np.random.default_rng(4)), clutter=0.1)
    rows = np.array([HALF[0] - 1, 12, 12, 12])
    columns = np.array([12, HALF[1] - 1, 22, 12])
    slc[:, 12, 21] = np.nan
    found = separated(slc, rows, columns, SENSOR)
    np.testing.assert_array_equal(found[:, :3], slc[:, rows[:3], columns[:3]])
    assert not np.allclose(found[:, 3], slc[:, 12, 12])


def test_dates_without_data_stay_empty():
    slc = images(crowd(np.random.default_rng(5)), clutter=0.1)
    slc[7], slc[9] = 0, np.nan
    found = separated(slc, MIDDLE, MIDDLE, SENSOR)[:, 0]
    assert (found[[7, 9]] == 0).all()
    assert np.isfinite(found).all()
    assert np.count_nonzero(found) == 58
