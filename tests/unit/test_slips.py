"""Points that slipped by whole cycles are put right; what moved stays as it is."""

import numpy as np
import pytest

from groundshift.products.assets.slips import undo_slips

CYCLE = 27.73
DAYS = 152
ASSETS, POINTS = 200, 6  # and points of each


@pytest.fixture(scope="module")
def still():
    """Heavy tails, walks, and a season of each asset; mm."""
    random = np.random.default_rng(4)
    count = ASSETS * POINTS
    errors = 3 * random.standard_t(4, (count, DAYS)) / np.sqrt(2)
    walks = np.exp(np.log(2) * random.standard_normal((count, 1))) * np.sqrt(12 / 365)
    errors += walks * np.cumsum(random.standard_normal((count, DAYS)), axis=1)
    season = np.repeat(random.uniform(0, 5, ASSETS), POINTS)[:, None] * np.cos(np.arange(DAYS) * 2 * np.pi * 12 / 365)
    return (errors + season).astype(np.float32), np.repeat(np.arange(ASSETS), POINTS), np.full(count, CYCLE)


def test_nothing_is_taken_off_where_nothing_slipped(still):
    assert len(undo_slips(*still).rows) <= 0.001 * len(still[0])


@pytest.mark.parametrize("cycles", [-2, 1])
def test_slips_are_found_and_put_right(still, cycles):
    series, group, cycle = still
    slipped, dates = np.arange(0, len(series), 3 * POINTS), np.random.default_rng(5).integers(5, DAYS - 5, 1000)
    wrong = series.copy()
    for row, date in zip(slipped, dates, strict=False):
        wrong[row, date:] += cycles * CYCLE
    found = undo_slips(wrong, group, cycle)
    assert set(found.rows) <= set(slipped)
    assert len(found.rows) > 0.9 * len(slipped)
    away = np.abs(found.series - series[found.rows]) > 1e-3
    assert away.sum(axis=1).max() <= 3  # dates beside the slip
    assert away.sum() < 0.3 * len(away)


def test_two_slips_of_a_point_are_both_put_right(still):
    series, group, cycle = still
    wrong = series.copy()
    wrong[0, 50:] += CYCLE
    wrong[0, 100:] += CYCLE
    found = undo_slips(wrong, group, cycle)
    assert found.rows.tolist() == [0]
    np.testing.assert_allclose(found.series[0, [10, 75, 140]], series[0, [10, 75, 140]], atol=1e-3)


def test_what_moves_stays(still):
    """A whole asset that steps by a cycle; one point by what is no cycle; one of an asset of two points."""
    series, group, cycle = still
    moved = series.copy()
    moved[group == 3, 70:] += CYCLE
    moved[10 * POINTS, 70:] += CYCLE / 2
    lone = group.copy()
    lone[20 * POINTS + 2 : 21 * POINTS] = ASSETS
    moved[20 * POINTS, 70:] += CYCLE
    before = undo_slips(series, lone, cycle).rows
    assert set(undo_slips(moved, lone, cycle).rows) == set(before)


def test_without_a_cycle_or_dates_nothing_is_done(still):
    series, group, cycle = still
    wrong = series + CYCLE * (np.arange(DAYS) > 70) * (np.arange(len(series)) % POINTS == 0)[:, None]
    assert len(undo_slips(wrong, group, 0 * cycle).rows) == 0
    assert len(undo_slips(wrong[:, 68:74], group, cycle).rows) == 0
    assert len(undo_slips(wrong[:0], group[:0], cycle[:0]).rows) == 0
