"""EGMS fields of series against plain least squares."""

import numpy as np
import pytest

from groundshift.kernels.series_fields import YEAR, seasonal_design, series_fields

DAYS = np.arange(120) * 12.0


def plain(values, days, columns):
    """Coefficients, residual and unscaled variances of one least-squares fit."""
    design = seasonal_design((days - days[0]) / YEAR)[:, columns]
    coefficients, *_ = np.linalg.lstsq(design, values, rcond=None)
    return coefficients, values - design @ coefficients, np.linalg.inv(design.T @ design).diagonal()


@pytest.fixture(scope="module")
def series():
    random = np.random.default_rng(1)
    years = DAYS / YEAR
    rate, season = random.normal(0, 5, (50, 1)), random.normal(0, 2, (50, 1))
    return rate * years + season * np.cos(2 * np.pi * years - 1) + random.normal(0, 2, (50, len(DAYS))) + 300


def test_fields_are_those_of_three_separate_fits(series):
    fields = series_fields(series, DAYS)
    for i, values in enumerate(series):
        c, residual, spread = plain(values, DAYS, [0, 1, 2, 3])
        assert fields.mean_velocity[i] == pytest.approx(c[1], abs=1e-4)
        assert fields.mean_velocity_std[i] == pytest.approx(np.sqrt(spread[1]) * residual.std(), rel=1e-4)
        turned = np.exp(4j * np.pi / 55.465763 * (values - c[0] - c[1] * DAYS / YEAR))
        assert fields.temporal_coherence[i] == pytest.approx(np.abs(turned.mean()), abs=1e-4)
        c, residual, spread = plain(values, DAYS, [0, 1, 2, 3, 4])
        assert fields.acceleration[i] == pytest.approx(c[4], abs=1e-4)
        assert fields.acceleration_std[i] == pytest.approx(np.sqrt(spread[4]) * residual.std(), rel=1e-4)
        c, residual, spread = plain(values, DAYS, [0, 1, 2, 3, 4, 5])
        rmse = np.sqrt(np.mean(residual**2))
        assert fields.rmse[i] == pytest.approx(rmse, rel=1e-4)
        assert fields.seasonality[i] == pytest.approx(np.hypot(c[2], c[3]), abs=1e-4)
        rayleigh = np.sqrt((4 - np.pi) / 2 * (spread[2] + spread[3]) / 2) * rmse
        assert fields.seasonality_std[i] == pytest.approx(rayleigh, rel=1e-4)
        assert fields.first[i] == pytest.approx((seasonal_design(np.zeros(1)) @ c)[0], abs=1e-3)


def test_a_model_without_noise_is_found_exactly():
    years = DAYS / YEAR
    fields = series_fields((3 * years + 0.5 * 1.5 * years**2 + 4 * np.sin(2 * np.pi * years))[None], DAYS)
    assert fields.acceleration[0] == pytest.approx(1.5, abs=1e-4)
    assert fields.seasonality[0] == pytest.approx(4, abs=1e-4)
    assert fields.rmse[0] < 1e-3
    assert fields.first[0] == pytest.approx(0, abs=1e-3)


def test_dates_without_data_do_not_count(series):
    holes = series.copy()
    gone = np.random.default_rng(2).random(series.shape) < 0.2
    gone[:10] = False
    holes[gone] = np.nan
    fields = series_fields(holes, DAYS)
    assert np.array_equal(fields.rmse[:10], series_fields(series, DAYS).rmse[:10])
    years = DAYS / YEAR
    for i in range(10, 50):
        keep = ~gone[i]
        design = seasonal_design(years[keep])
        residual = holes[i, keep] - design @ np.linalg.lstsq(design, holes[i, keep], rcond=None)[0]
        assert fields.rmse[i] == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-4)


def test_too_few_dates_give_no_fields(series):
    holes = series[:2].copy()
    holes[0, 6:] = np.nan
    fields = series_fields(holes, DAYS)
    assert np.isnan([field[0] for field in fields]).all()
    assert np.isfinite([field[1] for field in fields]).all()


def test_declared_velocity_sigma_holds():
    random = np.random.default_rng(3)
    fields = series_fields(random.normal(0, 3, (4000, len(DAYS))), DAYS)
    assert 0.9 < np.var(fields.mean_velocity / fields.mean_velocity_std) < 1.15
    assert 0.9 < np.var(fields.acceleration / fields.acceleration_std) < 1.15
