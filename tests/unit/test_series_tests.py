"""Rates, accelerations and changes of series: right where the truth is known, alarms in noise as often as stated."""

import numpy as np
import pytest

from groundshift.kernels.series_tests import BEND, STEP, examine_series, pooled_correlation

DATES = np.delete(np.arange("2019-01-01", "2023-12-31", 12, "datetime64[D]"), [30, 31, 50])
YEARS = (DATES - DATES[0]).astype(float) / 365.0


def noise(count, correlation, seed):
    """Series of standard deviation 3 mm whose errors are correlated, with a season of 5 mm."""
    white = np.random.default_rng(seed).standard_normal((count, len(DATES)))
    steps = np.diff(YEARS)
    rho = correlation ** (steps / np.median(steps)) if correlation else np.zeros(len(steps))
    errors = white.copy()
    for k in range(1, len(DATES)):
        errors[:, k] = rho[k - 1] * errors[:, k - 1] + np.sqrt(1 - rho[k - 1] ** 2) * white[:, k]
    return 3 * errors + 5 * np.cos(2 * np.pi * (YEARS - 0.5))


@pytest.mark.parametrize("correlation", [0.0, 0.4])
def test_noise_raises_as_many_alarms_as_stated(correlation):
    series = noise(20_000, correlation, 1)
    found = pooled_correlation(series[:1000], DATES)
    assert found == pytest.approx(correlation, abs=0.02)
    tests = examine_series(series, DATES, correlation=found)
    for chance in (0.1, 0.01, 0.001):
        allowed = 3.5 * np.sqrt(chance / len(series)) + 0.1 * chance
        assert (tests.change_chance < chance).mean() == pytest.approx(chance, abs=allowed)
        assert (tests.acceleration_chance < chance).mean() == pytest.approx(chance, abs=allowed)
    assert np.mean((tests.rate / tests.rate_sigma) ** 2) == pytest.approx(1, abs=0.05)
    assert np.mean((tests.acceleration / tests.acceleration_sigma) ** 2) == pytest.approx(1, abs=0.05)


def test_a_bend_and_a_step_are_found_where_they_are():
    series = noise(400, 0.0, 2)
    series[:200] += -6 * np.maximum(YEARS - YEARS[80], 0)
    series[200:] += 8.0 * (YEARS[60] <= YEARS)
    tests = examine_series(series, DATES)
    assert (tests.change_chance < 1e-4).mean() > 0.99
    bends, steps = slice(0, 200), slice(200, 400)
    assert (tests.change_kind[bends] == BEND).mean() > 0.95
    assert (tests.change_kind[steps] == STEP).mean() > 0.95
    assert np.median(tests.change_size[bends]) == pytest.approx(-6, abs=0.4)
    assert np.median(tests.change_size[steps]) == pytest.approx(8, abs=0.4)
    assert abs(np.median(tests.change_date[bends]) - 80) <= 3
    assert (np.abs(tests.change_date[steps] - 60) <= 2).mean() > 0.8


def test_a_season_without_noise_has_its_amplitude_and_peak():
    season = 4 * np.cos(2 * np.pi * (YEARS - 0.25))[None] + 2 * YEARS
    tests = examine_series(season, DATES)
    assert tests.seasonality[0] == pytest.approx(4)
    assert tests.season_peak[0] == pytest.approx(0.25 * 365)  # the first date is 1 January
    assert tests.rate[0] == pytest.approx(2)


def test_no_series_give_no_results():
    tests = examine_series(np.empty((0, len(DATES))), DATES)
    assert all(len(each) == 0 for each in tests)
    assert pooled_correlation(np.zeros((3, len(DATES))), DATES) == 0


def test_what_most_series_do_is_noise():
    """Errors that are correlated over months: without the empirical null every fourth series seems to change."""
    random = np.random.default_rng(4)
    walk = np.cumsum(random.standard_normal((3000, len(DATES))), axis=1) * 0.5
    series = noise(3000, 0.0, 5) + walk
    naive = examine_series(series, DATES)
    found = examine_series(series, DATES, empirical=True)
    assert (naive.change_chance < 0.01).mean() > 0.2
    assert (found.change_chance < 0.01).mean() < 0.05
    assert (found.acceleration_chance < 0.01).mean() < 0.02
    np.testing.assert_array_equal(found.acceleration, naive.acceleration)
    few = examine_series(series[:20], DATES, empirical=True)
    np.testing.assert_allclose(few.change_chance, naive.change_chance[:20])
