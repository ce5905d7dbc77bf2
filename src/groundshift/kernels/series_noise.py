"""Errors of series in time: independent from date to date, plus a part that lasts over days to years, learnt from many.

The covariance of a model is (1 − share) I + share · exp(−|Δt| / days): independent errors and a first order
Gauss-Markov process. One that lasts for years is a random walk (errors of real series: Agnew 1992,
doi:10.1029/91GL02832).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import median_filter

from groundshift.kernels.robust import TO_SIGMA
from groundshift.kernels.series_fields import YEAR, seasonal_design

_INTERVALS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)  # that errors may last, in median intervals of the dates
_SHARES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)  # of the variance that lasts
_BASE = 4  # columns of the seasonal design: 1, t, cos, sin
_UPPER = 0.75  # share of series whose gain counts in full
_MOST = 2000  # series, at most, that the model is found from
_WINDOW = 7  # dates of a running median
_OUTLIER = 4.0  # sigmas away from it


class TimeNoise(NamedTuple):
    """A model of errors in time."""

    share: float  # of the variance that lasts
    days: float  # over which the correlation of the lasting part falls to 1/e

    def covariance(self, days: np.ndarray) -> np.ndarray:
        """Of errors of variance 1 on dates given in days, float64 (time, time)."""
        lasting = np.exp(-np.abs(days[:, None] - days) / self.days)
        return (1 - self.share) * np.eye(len(days)) + self.share * lasting


WHITE = TimeNoise(0.0, 1.0)


def learn_noise(series: np.ndarray, days: np.ndarray) -> TimeNoise:
    """The model under which most series are likeliest.

    Parameters
    ----------
    series
        mm, float (n, time), without gaps.
    days
        Of the dates, float (time,), increasing.

    Notes
    -----
    The restricted likelihood of each series beside rate and season is computed under each model of a grid, each series
    with a variance of its own. What a series gains by a model against independent errors counts up to the upper
    quartile of all series, so that a few that move do not decide; the model of the largest sum is taken.
    """
    some = limit_outliers(np.asarray(series[:: max(1, len(series) // _MOST)], np.float64))
    if not len(some):
        return WHITE
    interval = float(np.median(np.diff(days)))
    design = seasonal_design(days / YEAR)[:, :_BASE]
    models = [WHITE, *(TimeNoise(share, times * interval) for times in _INTERVALS for share in _SHARES)]
    gain = np.stack([_likelihood(some, design, days, model) for model in models], axis=1)
    gain -= gain[:, :1]
    limited = np.minimum(gain, np.quantile(gain, _UPPER, axis=0))
    return models[int(limited.sum(axis=0).argmax())]


def _likelihood(series: np.ndarray, design: np.ndarray, days: np.ndarray, model: TimeNoise) -> np.ndarray:
    """Logarithm of the restricted likelihood of each series, variance profiled out; without constants."""
    whiten = np.linalg.inv(np.linalg.cholesky(model.covariance(days)))
    q, r = np.linalg.qr(whiten @ design)
    white = series @ whiten.T
    square = ((white - (white @ q) @ q.T) ** 2).sum(axis=1)
    constant = np.log(whiten.diagonal()).sum() - np.log(np.abs(r.diagonal())).sum()
    return constant - (len(days) - len(r)) / 2 * np.log(np.where(square > 0, square, 1.0))


def limit_outliers(series: np.ndarray) -> np.ndarray:
    """Series whose single wild values are brought to 4 sigmas from a running median; steps stay as they are.

    Parameters
    ----------
    series
        float64 (n, time), without gaps.
    """
    if series.shape[1] < _WINDOW or not len(series):
        return series
    middle = median_filter(series, (1, _WINDOW), mode="reflect")
    rest = series - middle
    limit = _OUTLIER * TO_SIGMA * np.median(np.abs(rest), axis=1, keepdims=True)
    return np.where(limit > 0, middle + np.clip(rest, -limit, limit), series)
