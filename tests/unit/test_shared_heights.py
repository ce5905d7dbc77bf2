"""Heights that roofs and ground share, those of windows, and series that are made with other heights."""

import numpy as np
import pytest
from reference.radar_points import stack_geometry

from groundshift.insar.motion.ground import GroundModel, WindowHeights, ground_heights, ground_model
from groundshift.insar.motion.heights import shared_heights
from groundshift.insar.motion.series import displacement_series, with_heights
from groundshift.kernels.series_fields import YEAR, seasonal_design


def test_roofs_and_streets_become_level_and_stay_apart():
    random = np.random.default_rng(5)
    positions = random.uniform(0, 600, (1500, 2))
    roof = (np.floor(positions / 40).sum(axis=1) % 2).astype(bool)
    truth = np.where(roof, 18.0, 0.0)
    sigma = random.uniform(0.5, 2.5, 1500)
    heights, variances = shared_heights(positions, truth + sigma * random.normal(size=1500), sigma**2)
    error = heights - truth
    assert np.sqrt(np.mean(error**2)) < 0.65 * np.sqrt(np.mean(sigma**2))
    assert 0.5 < np.mean(error**2 / variances) < 1.1  # declared by pairs of points, so somewhat too large
    assert abs(error[roof].mean()) < 0.1
    assert abs(error[~roof].mean()) < 0.1


def test_a_point_without_others_around_keeps_its_height():
    positions = np.array([[0.0, 0.0], [500.0, 0.0], [0.0, 90.0]])
    heights, variances = shared_heights(positions, np.array([1.0, 2.0, 30.0]), np.array([1.0, 4.0, 2.0]))
    assert heights.tolist() == [1.0, 2.0, 30.0]
    assert variances.tolist() == [1.0, 4.0, 2.0]
    assert shared_heights(positions[:1], np.array([1.0]), np.array([1.0]))[0].tolist() == [1.0]


WINDOW = (11, 23)


def windows(random, *, rough=0.0, length=300.0, sill=4.0, mixture=0.25):
    """Windows that overlap, on ground of a known covariance, with the truth."""
    rows, columns = (each.ravel() for each in np.meshgrid(np.arange(0, 120, 4), np.arange(0, 480, 16), indexing="ij"))
    place = np.stack([14.0 * rows, 4.0 * columns]) + random.uniform(-1, 1, (2, len(rows)))
    apart = np.hypot(*(place[:, :, None] - place[:, None]))
    truth = np.linalg.cholesky(sill * np.exp(-apart / length) + (rough + 1e-6) * np.eye(len(rows))) @ random.normal(
        size=len(rows)
    )
    noise, mixture = random.uniform(0.2, 4, len(rows)), np.full(len(rows), mixture)
    own = random.normal(size=(131, 503))
    box = np.array([own[i : i + 11, j : j + 23].sum() for i, j in zip(rows, columns, strict=True)]) / np.sqrt(253)
    return WindowHeights(place, truth + np.sqrt(noise + mixture) * box, noise, mixture, rows, columns), truth


def test_smooth_ground_is_shared_and_its_errors_are_told():
    heights, truth = windows(np.random.default_rng(8))
    model = ground_model(heights, np.arange(len(truth)), WINDOW)
    level, variance = ground_heights(heights, len(truth), model, WINDOW)
    before, after = (np.mean((each - truth) ** 2) for each in (heights.height, level))
    assert 1.5 < model.sill < 8
    assert after < 0.5 * before
    assert 0.7 < np.mean((level - truth) ** 2 / variance) < 1.3


def test_rough_ground_is_left_as_it_is():
    heights, truth = windows(np.random.default_rng(9), rough=9.0, sill=0.01)
    model = ground_model(heights, np.arange(len(truth)), WINDOW)
    assert 6 < model.rough + model.sill * (model.range < 100) < 12
    level, variance = ground_heights(heights, len(truth), model, WINDOW)
    assert np.mean((level - truth) ** 2) < np.mean((heights.height - truth) ** 2)
    assert np.std(level - heights.height) < 1.2
    assert 0.7 < np.mean((level - truth) ** 2 / variance) < 1.3


def test_windows_around_are_all_that_matters_and_few_say_nothing():
    heights, _ = windows(np.random.default_rng(10))
    model = GroundModel(0.1, 4.0, 300.0, 0.0)
    whole = ground_heights(heights, len(heights.height), model, WINDOW)
    order = np.r_[450:500, 0:450, 500:900]
    some = ground_heights(WindowHeights(*(each[..., order] for each in heights)), 50, model, WINDOW)
    for one, other in zip(some, whole, strict=True):
        np.testing.assert_allclose(one, other[450:500], rtol=1e-9)
    few = WindowHeights(*(each[..., ::100] for each in heights))
    assert ground_model(few, np.arange(9), WINDOW) is None
    assert ground_model(few, np.arange(0), WINDOW) is None
    far = few._replace(place=few.place * 1000)
    level, variance = ground_heights(far, 9, model, WINDOW)
    np.testing.assert_allclose(level, far.height, rtol=1e-5)
    np.testing.assert_allclose(variance, far.noise + far.mixture, rtol=1e-4)


def test_series_with_other_heights_are_what_these_leave():
    random = np.random.default_rng(6)
    g = stack_geometry(random)
    values = random.normal(0, 2, (len(g.days), 4))
    made = displacement_series(g.phase_per_mm * values, g, reference=np.zeros(len(g.days)))
    height = made.height + np.array([0.0, 3.0, -2.0, 8.0])
    moved = with_heights(made, g, height, np.full(4, 0.7))
    left = values - np.outer(g.height_to_mm, height)
    fields = seasonal_design((g.days - g.days[0]) / YEAR)
    model = fields @ np.linalg.lstsq(fields, left)[0]
    assert moved.displacement == pytest.approx(left - model[0], abs=1e-4)
    linear = np.column_stack([np.ones(len(fields)), g.years, fields[:, 2:4]])
    assert moved.velocity == pytest.approx(np.linalg.lstsq(linear, left)[0][1], abs=1e-9)
    assert moved.height.tolist() == height.tolist()
    assert moved.height_sigma.tolist() == [0.7] * 4
    assert np.array_equal(moved.displacement[:, 0], made.displacement[:, 0])
