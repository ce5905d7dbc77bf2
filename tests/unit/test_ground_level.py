"""The level of the ground in cells with roofs."""

import numpy as np
import pytest

from groundshift.insar.motion.ground_level import _MOST_POINTS, _thinned, ground_levels

TOWN, OPEN = 150, 150


@pytest.fixture(scope="module")
def scene():
    """Cells of a town, six in ten points on buildings, and of open ground, with 1 to 40 points each; their levels."""
    random = np.random.default_rng(7)
    truth = random.normal(0, 2, TOWN + OPEN)
    count = np.where(np.arange(TOWN + OPEN) < TOWN, 6, 1) + random.integers(0, 35, TOWN + OPEN)
    cell = np.repeat(np.arange(TOWN + OPEN), count)
    built = (cell < TOWN) & (random.uniform(size=cell.size) < 0.6)
    roof = np.where(built, 4 + random.exponential(8.0, cell.size), 0)
    heights = truth[cell] + roof + 0.7 * random.standard_t(4, cell.size)
    return truth, cell, heights, count, ground_levels(cell, heights)


def test_buildings_do_not_raise_the_ground(scene):
    truth, _, _, count, found = scene
    error = found.level - truth
    known = count > 9
    town, ground = (known & each for each in (np.arange(TOWN + OPEN) < TOWN, np.arange(TOWN + OPEN) >= TOWN))
    assert abs(np.mean(error[town]) - np.mean(error[ground])) < 0.2
    assert abs(np.mean(error[known])) < 0.2
    assert np.sqrt(np.mean(error[town] ** 2)) < 0.75
    assert np.sqrt(np.mean(error[ground] ** 2)) < 0.3


def test_the_level_is_as_uncertain_as_declared(scene):
    truth, _, _, count, found = scene
    squares = (found.level - truth) ** 2 / found.variance
    town = np.arange(TOWN + OPEN) < TOWN
    assert 0.7 < squares[town].mean() < 1.4
    assert 0.6 < squares[~town & (count > 3)].mean() < 1.4
    assert np.median(found.variance[count == count.min()]) > 5 * np.median(found.variance[count > 20])


def test_ground_without_any_building_keeps_its_mean():
    random = np.random.default_rng(1)
    cell = np.repeat(np.arange(100), 12)
    truth = random.normal(0, 3, 100)
    found = ground_levels(cell, truth[cell] + random.normal(0, 2, cell.size))
    assert abs(np.mean(found.level - truth)) < 0.15
    assert np.std(found.level - truth) < 1.2 * 2 / np.sqrt(12)


def test_no_more_points_of_a_cell_are_looked_at_than_are_worth_it():
    heights = np.random.default_rng(2).permutation(1000).astype(float)
    cell, kept = _thinned(np.repeat([0, 1], [997, 3]), heights)
    assert np.bincount(cell).tolist() == [_MOST_POINTS, 3]
    assert np.allclose(np.percentile(kept[cell == 0], [5, 50, 95]), np.percentile(heights[:997], [5, 50, 95]), atol=15)


def test_the_order_of_points_does_not_matter(scene):
    _, cell, heights, _, one = scene
    order = np.random.default_rng(3).permutation(cell.size)
    other = ground_levels(cell[order], heights[order])
    assert np.allclose(one.level, other.level, atol=1e-9)
    assert np.allclose(one.variance, other.variance, atol=1e-9)
