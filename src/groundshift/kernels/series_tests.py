"""Many series on the same dates at once: rate, acceleration, season, changes; errors may be correlated in time.

The model of a series is 1, t, cos 2πt, sin 2πt. A change is a step or a bend (a change of rate) at one of the dates.
Errors are Gaussian and of first order autoregressive: their correlation over Δ days is φ^(Δ/Δ₀), Δ₀ being the median
interval of the dates. The series and the model are whitened with φ, so that ordinary least squares holds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from groundshift.kernels.series_fields import YEAR, seasonal_design

_EDGE = 8  # dates at either end where no change is looked for
_CANDIDATES = 64  # dates, at most, where it is
_DRAWS = 20_000  # of noise, which the chance of a change is found from
_CHUNK = 4096  # series at once
_RARE = 0.01  # chance below which the distribution of the noise is extrapolated
_LEAST_SERIES = 30  # that say how large noise is
_TYPICAL = (0.5, 0.75)  # quantiles that are noise's
_COEFFICIENTS = 4  # of the model

BEND, STEP = 0, 1


class SeriesTests(NamedTuple):
    """What series hold, float64 (n,) unless said; time in years of 365 days."""

    rate: np.ndarray  # mm/yr
    rate_sigma: np.ndarray
    acceleration: np.ndarray  # mm/yr²
    acceleration_sigma: np.ndarray
    acceleration_chance: np.ndarray  # p-value, two-sided Student
    seasonality: np.ndarray  # mm, amplitude
    seasonality_sigma: np.ndarray  # of its two coefficients, mm
    season_peak: np.ndarray  # day of the year of the maximum, 0 to 365
    scatter: np.ndarray  # standard deviation of the residual, mm
    change_chance: np.ndarray  # p-value of the largest change over all dates and both kinds
    change_kind: np.ndarray  # int8: BEND or STEP
    change_date: np.ndarray  # int: index of the first date after a step, or of a bend
    change_size: np.ndarray  # mm of a step, mm/yr of a bend
    change_sigma: np.ndarray
    change_student: np.ndarray  # largest |t|, whose chance that is


def examine_series(
    series: np.ndarray, dates: np.ndarray, *, correlation: float = 0.0, empirical: bool = False
) -> SeriesTests:
    """Fit all series, and ask of each whether it accelerates and whether it changes.

    The chance of a change is the share of series of noise, on the same dates, whose largest change is as large for
    its error: from 20,000 simulated series down to 1 %, below in proportion to u · P(|Student| > u), the tail of
    the maximum of a smooth process (Davies 1987), and never above Bonferroni's bound.

    Parameters
    ----------
    series
        mm, float (n, time), without gaps.
    dates
        datetime64[D] (time,), increasing; 24 or more.
    correlation
        φ of the errors between dates of the median interval, 0 to below 1; see :func:`pooled_correlation`.
    empirical
        Whether what three of four series do is taken for noise: if the median or the third quartile of the |t| of
        their accelerations is larger than of noise, the sigmas of all accelerations grow by the ratio, and those of
        all changes likewise. Errors of
        real series are correlated over longer times than the model says. Needs 30 series; with fewer nothing grows.

    Returns
    -------
    :class:`SeriesTests`.

    Sources: EGMS algorithm theoretical basis document v4.0 (2025) for the models; Andrews (1993), doi:10.2307/2951764,
    for the largest of many tests; Davies (1987), doi:10.1093/biomet/74.1.33, for its tail; Efron (2004),
    doi:10.1198/016214504000000089, for what most series do.
    """
    years = _years(dates)
    whiten = _Whitening(years, correlation)
    design = seasonal_design(years)
    base = whiten(design[:, :4].T).T
    q, r = np.linalg.qr(base)
    inverse = np.linalg.inv(r)
    spread = np.sqrt((inverse**2).sum(axis=1))
    bent, bent_norm = _beside(whiten(design[:, 4:5].T), q)
    candidates, where, kind = _candidates(years)
    changed, changed_norm = _beside(whiten(candidates), q)
    free = len(years) - _COEFFICIENTS - 1
    noise = _NoiseMaximum(changed, q, free)
    parts = [
        _test(np.asarray(series[start : start + _CHUNK], np.float64), whiten, q, inverse, spread, bent, bent_norm,
              changed, changed_norm, where, kind, free, noise)
        for start in range(0, max(len(series), 1), _CHUNK)
    ]  # fmt: skip
    columns = [np.concatenate(each) for each in zip(*parts, strict=True)]
    found = SeriesTests(*columns)
    if empirical and len(series) >= _LEAST_SERIES:
        found = _inflated(found, free, noise)
    return found._replace(season_peak=(found.season_peak + _day_of_year(dates[0])) % YEAR)


def pooled_correlation(series: np.ndarray, dates: np.ndarray) -> float:
    """φ of the errors, the median over series of the correlation of neighbouring residuals.

    The model takes correlation away from residuals, also of white noise: what is found is held against what it leaves
    of errors of known φ. The result is 0 to 0.95.

    Parameters
    ----------
    series, dates
        As of :func:`examine_series`; series that change or bend raise their own φ, and are few for the median.
    """
    years = _years(dates)
    design = seasonal_design(years)  # with ½t² and t³, so that slow motion is not taken for errors
    q = np.linalg.qr(design)[0]
    series = np.asarray(series, np.float64)
    rest = series - (series @ q) @ q.T
    steps = np.diff(years)
    near = np.abs(steps - np.median(steps)) < 0.5 * np.median(steps)
    square = (rest**2).mean(axis=1)
    there = square > 0
    if not there.any():
        return 0.0
    found = (rest[:, :-1] * rest[:, 1:])[there][:, near].mean(axis=1) / square[there]
    project = np.eye(len(years)) - q @ q.T
    apart = np.abs(years[:, None] - years) / np.median(steps)
    known = np.linspace(0, 0.95, 39)
    expected = []
    for each in known:
        covariance = project @ each**apart @ project
        expected.append(covariance.diagonal(1)[near].mean() / covariance.diagonal().mean())
    return float(np.interp(np.median(found), np.maximum.accumulate(expected), known))


def _inflated(found: SeriesTests, free: int, noise: _NoiseMaximum) -> SeriesTests:
    """With the sigmas of accelerations and changes that make the quantiles of the series no larger than of noise."""
    student = np.abs(found.acceleration) / np.where(found.acceleration_sigma > 0, found.acceleration_sigma, np.inf)
    shares = np.array(_TYPICAL)
    curve = max(1.0, float((np.quantile(student, shares) / stats.t.ppf((1 + shares) / 2, free)).max()))
    change = max(1.0, float((np.quantile(found.change_student, shares) / np.quantile(noise.sorted, shares)).max()))
    return found._replace(
        acceleration_sigma=found.acceleration_sigma * curve,
        acceleration_chance=2 * stats.t.sf(student / curve, free),
        change_sigma=found.change_sigma * change,
        change_student=found.change_student / change,
        change_chance=noise.chance(found.change_student / change),
    )


def _years(dates: np.ndarray) -> np.ndarray:
    days = np.asarray(dates, "datetime64[D]")
    return (days - days[0]).astype(float) / YEAR


def _day_of_year(date: np.datetime64) -> float:
    return float((date - date.astype("datetime64[Y]").astype("datetime64[D]")) / np.timedelta64(1, "D"))


class _Whitening:
    """Turns errors of the model into independent ones of the same variance."""

    def __init__(self, years: np.ndarray, correlation: float) -> None:
        steps = np.diff(years)
        self.rho = correlation ** (steps / np.median(steps)) if correlation > 0 else np.zeros(len(steps))
        self.scale = 1 / np.sqrt(1 - self.rho**2)

    def __call__(self, series: np.ndarray) -> np.ndarray:
        out = series.copy()
        out[:, 1:] = (series[:, 1:] - self.rho * series[:, :-1]) * self.scale
        return out


def _candidates(years: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bends and steps, float (2 k, time); the index of their date, and their kind."""
    index = np.unique(np.linspace(_EDGE, len(years) - _EDGE, _CANDIDATES).astype(int))
    bends = np.maximum(years - years[index, None], 0)
    steps = (years >= years[index, None]).astype(float)
    return np.concatenate([bends, steps]), np.tile(index, 2), np.repeat(np.array([BEND, STEP], np.int8), len(index))


def _beside(columns: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns (k, time) less what the base explains, of length 1; and their lengths before."""
    rest = columns - (columns @ q) @ q.T
    norm = np.linalg.norm(rest, axis=1)
    return rest / norm[:, None], norm


class _NoiseMaximum:
    """Distribution of the largest |t| over all candidates, for noise."""

    def __init__(self, changed: np.ndarray, q: np.ndarray, free: int) -> None:
        random = np.random.default_rng(20_230_701)
        largest = []
        for _ in range(0, _DRAWS, _CHUNK):
            draws = random.standard_normal((_CHUNK, len(q)))
            largest.append(_student(draws - (draws @ q) @ q.T, changed, free).max(axis=1))
        self.sorted = np.sort(np.concatenate(largest))
        self.free, self.tests = free, len(changed)
        self.edge = float(np.quantile(self.sorted, 1 - _RARE))
        self.factor = _RARE / (self.edge * 2 * stats.t.sf(self.edge, free))

    def chance(self, largest: np.ndarray) -> np.ndarray:
        above = len(self.sorted) - np.searchsorted(self.sorted, largest)
        simulated = (above + 1) / (len(self.sorted) + 1)
        single = 2 * stats.t.sf(largest, self.free)
        tail = np.minimum(self.factor * largest, self.tests) * single
        return np.where(largest > self.edge, np.minimum(tail, _RARE), simulated)


def _student(rest: np.ndarray, columns: np.ndarray, free: int) -> np.ndarray:
    """|t| of each column beside the base, float (n, k); 0 for a residual of nothing."""
    square = (rest**2).sum(axis=1, keepdims=True)
    product = rest @ columns.T
    left = np.maximum(square - product**2, 1e-12 * square) / free
    return np.abs(product) / np.sqrt(np.where(left > 0, left, 1.0))


def _test(series, whiten, q, inverse, spread, bent, bent_norm, changed, changed_norm, where, kind, free, noise):
    white = whiten(series)
    part = white @ q
    rest = white - part @ q.T
    square = (rest**2).sum(axis=1)
    sigma = np.sqrt(square / (free + 1))
    coefficients = part @ inverse.T
    curve = rest @ bent[0]
    curve_sigma = np.sqrt(np.maximum(square - curve**2, 0) / free)
    student = _student(rest, bent, free)[:, 0]
    every = _student(rest, changed, free)
    best = every.argmax(axis=1) if len(series) else np.zeros(0, int)
    rows = np.arange(len(series))
    size = np.einsum("nt,nt->n", rest, changed[best])
    left = np.sqrt(np.maximum(square - size**2, 0) / free)
    return (
        coefficients[:, 1], spread[1] * sigma, curve / bent_norm[0], curve_sigma / bent_norm[0],
        2 * stats.t.sf(student, free),
        np.hypot(coefficients[:, 2], coefficients[:, 3]), sigma * np.sqrt((spread[2] ** 2 + spread[3] ** 2) / 2),
        np.arctan2(coefficients[:, 3], coefficients[:, 2]) / (2 * np.pi) * YEAR, sigma,
        noise.chance(every[rows, best]), kind[best], where[best], size / changed_norm[best],
        left / changed_norm[best], every[rows, best],
    )  # fmt: skip
