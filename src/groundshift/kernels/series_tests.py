"""Many series on the same dates at once: rate, acceleration, season, changes; errors may be correlated in time.

The model of a series is 1, t, cos 2πt, sin 2πt. A change is a step or a bend (a change of rate) at one of the dates.
Errors are of a model of :mod:`groundshift.kernels.series_noise`; both are whitened with it, so that ordinary
least squares holds.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import stats

from groundshift.kernels.empirical_null import NORMAL, Null, empirical_null
from groundshift.kernels.series_fields import YEAR, seasonal_design
from groundshift.kernels.series_noise import WHITE, TimeNoise, learn_noise, limit_outliers

_EDGE = 8  # dates at either end where no change is looked for
_CANDIDATES = 64  # dates, at most, where it is
_DRAWS = 10_000  # of noise, which the chance of a change is found from
_CHUNK = 2048  # series at once
_RARE = 0.01  # chance below which the distribution of the noise is extrapolated
_COEFFICIENTS = 4  # of the model

BEND, STEP = 0, 1


class SeriesTests(NamedTuple):
    """What series hold, float64 (n,) unless said; time in years of 365 days."""

    rate: np.ndarray  # mm/yr
    rate_sigma: np.ndarray
    acceleration: np.ndarray  # mm/yr²
    acceleration_sigma: np.ndarray
    acceleration_chance: np.ndarray  # p-value, two-sided
    seasonality: np.ndarray  # mm, amplitude
    seasonality_sigma: np.ndarray  # of its two coefficients, mm
    season_peak: np.ndarray  # day of the year of the maximum, 0 to 365
    scatter: np.ndarray  # standard deviation of the errors, mm
    change_chance: np.ndarray  # p-value of the largest change over all dates and both kinds
    change_kind: np.ndarray  # int8: BEND or STEP
    change_date: np.ndarray  # int: index of the first date after a step, or of a bend
    change_size: np.ndarray  # mm of a step, mm/yr of a bend
    change_sigma: np.ndarray


class ExaminedSeries(NamedTuple):
    """The tests, and the errors they rest on."""

    tests: SeriesTests
    noise: TimeNoise
    curve: Null  # of the scores of accelerations
    change: Null  # of those of changes


def examine_series(series: np.ndarray, dates: np.ndarray, *, correlated: bool = False) -> ExaminedSeries:
    """Fit all series, and ask of each whether it accelerates and whether it changes.

    Parameters
    ----------
    series
        mm, float (n, time), without gaps. Single wild values are brought to 4 sigmas from a running median.
    dates
        datetime64[D] (time,), increasing; 24 or more.
    correlated
        Whether errors may be correlated in time, and most series are held for noise. Else errors are independent.

    Notes
    -----
    The chance of a change is the share of series of noise whose largest change is as large for its error: from 10,000
    simulated series down to 1 %, below in proportion to u · P(|Student| > u), the tail of the maximum of a smooth
    process (Davies 1987), and never above Bonferroni's bound.

    If errors may be correlated, one model of them is learnt from all series, and the chances of all accelerations, and
    of all changes, are those under the null distribution that the central part of them shows: errors of some series
    last more, or are larger at times, than those of others.

    Sources: EGMS algorithm theoretical basis document v4.0 (2025) for the models; Andrews (1993), doi:10.2307/2951764,
    for the largest of many tests; Davies (1987), doi:10.1093/biomet/74.1.33, for its tail; Efron (2004),
    doi:10.1198/016214504000000089, for what most series do.
    """
    days = (np.asarray(dates, "datetime64[D]") - dates[0]).astype(float)
    noise = learn_noise(series, days) if correlated else WHITE
    tester = _tester(days.tobytes(), noise)
    parts = [tester(limit_outliers(np.asarray(series[start : start + _CHUNK], np.float64)))
             for start in range(0, max(len(series), 1), _CHUNK)]  # fmt: skip
    tests = SeriesTests(*(np.concatenate(each) for each in zip(*parts, strict=True)))
    tests = tests._replace(season_peak=(tests.season_peak + _day_of_year(dates[0])) % YEAR)
    curve, change = _scores(tests.acceleration_chance), _scores(tests.change_chance)
    of_curve, of_change = (empirical_null(z) if correlated else NORMAL for z in (curve, change))
    if correlated:
        tests = tests._replace(
            acceleration_sigma=tests.acceleration_sigma * of_curve.width, acceleration_chance=of_curve.chance(curve),
            change_sigma=tests.change_sigma * of_change.width, change_chance=of_change.chance(change),
        )  # fmt: skip
    return ExaminedSeries(tests, noise, of_curve, of_change)


def _scores(chance: np.ndarray) -> np.ndarray:
    """|z| that a normal error exceeds with some chance."""
    return stats.norm.isf(np.clip(chance, 1e-300, 1) / 2)


class _Tester:
    """Tests of series whose errors have one model: both are whitened, so that ordinary least squares holds."""

    def __init__(self, days: np.ndarray, model: TimeNoise) -> None:
        years = days / YEAR
        self.whiten = np.linalg.inv(np.linalg.cholesky(model.covariance(days))) if model.share else None
        design = seasonal_design(years)
        self.q, r = np.linalg.qr(self._white(design[:, :_COEFFICIENTS].T).T)
        self.inverse = np.linalg.inv(r)
        self.spread = np.sqrt((self.inverse**2).sum(axis=1))
        self.bent, self.bent_norm = _beside(self._white(design[:, 4:5].T), self.q)
        candidates, self.where, self.kind = _candidates(years)
        self.changed, self.changed_norm = _beside(self._white(candidates), self.q)
        self.free = len(years) - _COEFFICIENTS - 1
        self.noise = _NoiseMaximum(self.changed, self.q, self.free)

    def _white(self, rows: np.ndarray) -> np.ndarray:
        return rows if self.whiten is None else rows @ self.whiten.T

    def __call__(self, series: np.ndarray) -> SeriesTests:
        white = self._white(series)
        part = white @ self.q
        rest = white - part @ self.q.T
        square = (rest**2).sum(axis=1)
        sigma = np.sqrt(square / (self.free + 1))
        _, rate, cosine, sine = (part @ self.inverse.T).T
        curve = rest @ self.bent[0]
        every = _student(rest, self.changed, self.free)
        best = every.argmax(axis=1) if len(series) else np.zeros(0, int)
        size = np.einsum("nt,nt->n", rest, self.changed[best])
        curve_left, left = (np.sqrt(np.maximum(square - part**2, 0) / self.free) for part in (curve, size))
        return SeriesTests(
            rate, self.spread[1] * sigma, curve / self.bent_norm[0], curve_left / self.bent_norm[0],
            2 * stats.t.sf(_student(rest, self.bent, self.free)[:, 0], self.free),
            np.hypot(cosine, sine), sigma * np.sqrt((self.spread[2] ** 2 + self.spread[3] ** 2) / 2),
            np.arctan2(sine, cosine) / (2 * np.pi) * YEAR, sigma,
            self.noise.chance(every[np.arange(len(series)), best]), self.kind[best], self.where[best],
            size / self.changed_norm[best], left / self.changed_norm[best],
        )  # fmt: skip


@lru_cache(maxsize=64)
def _tester(days: bytes, model: TimeNoise) -> _Tester:
    return _Tester(np.frombuffer(days), model)


def _day_of_year(date: np.datetime64) -> float:
    return float((date - date.astype("datetime64[Y]").astype("datetime64[D]")) / np.timedelta64(1, "D"))


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
        changed, q = changed.astype(np.float32), q.astype(np.float32)
        largest = []
        for start in range(0, _DRAWS, _CHUNK):
            draws = random.standard_normal((min(_CHUNK, _DRAWS - start), len(q)), np.float32)
            largest.append(_student(draws - (draws @ q) @ q.T, changed, free).max(axis=1))
        self.sorted = np.sort(np.concatenate(largest)).astype(float)
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
