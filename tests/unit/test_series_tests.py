"""Rates, accelerations and changes of series: right where the truth is known, alarms in noise as often as stated."""

import numpy as np
import pytest

from groundshift.kernels.empirical_null import NORMAL, empirical_null
from groundshift.kernels.series_noise import WHITE
from groundshift.kernels.series_tests import BEND, STEP, examine_series

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
    series = noise(10_000, correlation, 1)
    found = examine_series(series, DATES, correlated=True)
    assert (found.noise.share > 0.2) == (correlation > 0)
    tests = found.tests
    for chance in (0.1, 0.01, 0.001):
        allowed = 3.5 * np.sqrt(chance / len(series)) + 0.15 * chance
        assert (tests.acceleration_chance < chance).mean() == pytest.approx(chance, abs=allowed)
        assert (tests.change_chance < chance).mean() < 1.3 * chance + allowed
        assert (tests.change_chance < chance).mean() > 0.3 * chance - allowed
    assert np.mean((tests.rate / tests.rate_sigma) ** 2) == pytest.approx(1, abs=0.3)
    assert np.mean((tests.acceleration / tests.acceleration_sigma) ** 2) == pytest.approx(1, abs=0.1)


def test_a_bend_and_a_step_are_found_where_they_are():
    series = noise(400, 0.0, 2)
    series[:200] += -6 * np.maximum(YEARS - YEARS[80], 0)
    series[200:] += 8.0 * (YEARS[60] <= YEARS)
    tests = examine_series(series, DATES).tests
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
    tests = examine_series(season, DATES).tests
    assert tests.seasonality[0] == pytest.approx(4)
    assert tests.season_peak[0] == pytest.approx(0.25 * 365)  # the first date is 1 January
    assert tests.rate[0] == pytest.approx(2)


def test_no_series_give_no_results():
    found = examine_series(np.empty((0, len(DATES))), DATES, correlated=True)
    assert all(len(each) == 0 for each in found.tests)
    assert found.noise == WHITE


def test_what_most_series_do_is_noise():
    """Errors that last, more in some series than in others: if taken for independent, a fifth seems to change."""
    random = np.random.default_rng(4)
    size = 0.5 * np.exp(0.5 * random.standard_normal((3000, 1)))
    series = noise(3000, 0.0, 5) + size * np.cumsum(random.standard_normal((3000, len(DATES))), axis=1)
    naive, found = examine_series(series, DATES).tests, examine_series(series, DATES, correlated=True)
    assert (naive.change_chance < 0.01).mean() > 0.2
    assert found.noise.days > 90
    for chance in (0.01, 0.001):
        allowed = 1.5 * chance + 3 * np.sqrt(chance / 3000)
        assert (found.tests.change_chance < chance).mean() < allowed
        assert (found.tests.acceleration_chance < chance).mean() < allowed
    moved = series.copy()
    moved[:300] += 60.0 * (YEARS > 2.5)  # a tenth of all; fewer would be taken for the tail of such noise
    assert (examine_series(moved, DATES, correlated=True).tests.change_chance[:300] < 1e-3).mean() > 0.9
    few = examine_series(series[:20], DATES, correlated=True)
    assert few.change == NORMAL


def test_a_wild_date_is_no_step():
    series = noise(500, 0.0, 6)
    series[:, 70] += 60.0
    tests = examine_series(series, DATES, correlated=True).tests
    assert (tests.change_chance < 0.01).mean() < 0.03


@pytest.mark.parametrize(("freedom", "width"), [(1000.0, 1.0), (4.0, 1.7)])
def test_a_null_is_as_wide_and_as_heavy_as_the_noise(freedom, width):
    random = np.random.default_rng(7)
    z = width * random.standard_t(freedom, 5000)
    null = empirical_null(z)
    assert null.width == pytest.approx(width, rel=0.1)
    for chance in (0.1, 0.01, 0.001):
        assert (null.chance(z) < chance).mean() == pytest.approx(chance, rel=0.3, abs=1e-3)
    z[:750] = 15 + random.standard_normal(750)  # what moves does not widen it
    moved = empirical_null(z)
    assert moved.width == pytest.approx(width, rel=0.2)
    assert moved.share < 1
    assert empirical_null(z[:20]) == NORMAL
    np.testing.assert_allclose(2 * null.chance(np.array([null.score(0.004) * null.width])), 0.008, rtol=1e-6)
