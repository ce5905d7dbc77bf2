"""Heights that roofs and ground share, and series that are made with other heights."""

import numpy as np
import pytest
from reference.radar_points import stack_geometry

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
