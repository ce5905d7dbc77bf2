"""Kernels of the Ortho product."""

import numpy as np
import pytest

from groundshift.kernels.cell_series import add_series, bridged, combine_looks, level_series, solve_looks

LOOKS = np.array([[-0.62, 0.78], [0.59, 0.80], [-0.66, 0.74]])


def test_means_of_cells_leave_out_what_is_missing():
    series = np.array([[1, 2, np.nan], [3, 4, 5], [7, 7, 7], [9, 9, 9]], np.float32)
    sums, counts = np.zeros((2, 3), np.float32), np.zeros((2, 3), np.uint16)
    add_series(series, np.array([0, 0, -1, 1], np.int32), sums, counts)
    np.testing.assert_array_equal(sums, [[4, 6, 5], [9, 9, 9]])
    np.testing.assert_array_equal(counts, [[2, 2, 1], [1, 1, 1]])


def test_bridges_reach_as_far_as_they_may():
    days, wanted = np.array([0.0, 12, 24, 120, 126]), np.arange(-6.0, 139, 6)
    series = np.array([[0, 12, 24, 120, 126], [0, np.nan, 24, 120, np.nan]], np.float32)
    inside = (wanted >= 0) & (wanted <= 126)
    whole = bridged(series, days, wanted, 96.0)
    np.testing.assert_allclose(whole[0, inside], wanted[inside])
    assert np.isnan(whole[0, ~inside]).all()
    np.testing.assert_allclose(whole[1, wanted == 12], 12)
    assert np.isnan(whole[1, wanted > 120]).all()
    short = bridged(series, days, wanted, 95.0)
    gap = (wanted > 24) & (wanted < 120)
    assert np.isnan(short[:, gap]).all()
    np.testing.assert_array_equal(short[:, ~gap], whole[:, ~gap])


def test_gain_and_covariance_are_those_of_least_squares():
    variance = np.array([[1.0], [4.0], [2.0]])
    solution = solve_looks(LOOKS[:, :1], LOOKS[:, 1:], variance)
    inverse = np.linalg.inv(LOOKS.T @ (LOOKS / variance))
    np.testing.assert_allclose(solution.covariance[:, 0], [inverse[0, 0], inverse[1, 1], inverse[0, 1]])
    np.testing.assert_allclose(solution.gain[..., 0], inverse @ (LOOKS / variance).T)
    one = solve_looks(LOOKS[:, :1], LOOKS[:, 1:], np.array([[1.0], [np.nan], [np.inf]]))
    assert np.isnan(one.covariance).all()


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_dates_without_all_looks_are_solved_from_the_others(missing):
    truth = np.stack([np.linspace(0, 5, 8), np.linspace(3, -3, 8)])
    series = (LOOKS @ truth).astype(np.float32)[:, None]
    series[missing, 0, 3] = np.nan
    east, up, weight = LOOKS[:, :1], LOOKS[:, 1:], np.array([[1.0], [2.0], [3.0]])
    out = np.empty((2, 1, 8), np.float32)
    combine_looks(series, east, up, weight, solve_looks(east, up, 1 / weight).gain, 0.1, out)
    solved = np.ones(8, bool)
    solved[3] = missing != 1  # the other two look the same way
    np.testing.assert_allclose(out[:, 0, solved], truth[:, solved], atol=1e-5)
    assert np.isnan(out[:, 0, ~solved]).all()


def test_a_look_that_ends_early_does_not_bend_the_others():
    truth = np.stack([np.linspace(0, 5, 20), np.linspace(3, -3, 20)])
    series = (LOOKS @ truth + np.array([[7.0], [-4.0], [1.0]])).astype(np.float32)[:, None]
    series[2, 0, 12:] = np.nan
    used = np.ones((3, 1), bool)
    level_series(series, used)
    out = np.empty((2, 1, 20), np.float32)
    east, up, weight = LOOKS[:, :1], LOOKS[:, 1:], np.ones((3, 1))
    combine_looks(series, east, up, weight, solve_looks(east, up, 1 / weight).gain, 0.1, out)
    np.testing.assert_allclose(out[:, 0], truth - truth[:, :12].mean(axis=1, keepdims=True), atol=1e-5)
