"""What of series is atmosphere, by how they go in time; calm dates tell more of the motion than stormy ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from groundshift.insar.motion.series import motion_projection
from groundshift.insar.stack.geometry import StackGeometry

_FAINTEST = 0.05  # of the median variance, that a date has at least
_FEWEST_DATES = 20  # with fewer, variances of single dates are not told from the motion, and all weigh alike
_TINY = 1e-12


class TimeFilter(NamedTuple):
    """A linear filter of series, and what it shows of atmosphere that is independent from date to date."""

    takes: np.ndarray  # float64 (time, time): what it takes from series for atmosphere
    shows: np.ndarray  # float64 (time, time): what the atmosphere becomes, with its part in heights if that is split

    def variances(self, fields: np.ndarray) -> np.ndarray:
        """Variances of the atmosphere on each date that would be seen in fields (time, k) as they are; (time,)."""
        return nnls(self.shows**2, (self.shows @ fields).var(axis=1))[0]

    def leaves(self, variances: np.ndarray) -> np.ndarray:
        """Covariance between dates of the atmosphere that is taken for motion, where it has these; (time, time)."""
        kept = np.eye(len(self.shows)) - self.shows
        return kept * variances @ kept.T


def time_filter(
    geometry: StackGeometry, weights: np.ndarray, height: np.ndarray, *, degree: int, seasonal: bool, window: float,
    split_heights: bool,
) -> TimeFilter:  # fmt: skip
    """The filter that leaves a polynomial, a season, and means in a window, as they are by weights of the dates.

    Parameters
    ----------
    geometry, degree, seasonal
        As of :func:`~groundshift.insar.motion.series.motion_design`.
    weights
        Of the dates, float (time,).
    height
        Row that makes the height error of a series, float (time,); it takes nothing off that.
    window
        Whole length of the triangular window, days; 0 is none.
    split_heights
        Whether what the atmosphere adds to the height error is told by other means.
    """
    rough = sudden(geometry, weights, degree=degree, seasonal=seasonal, window=window)
    per_metre = geometry.height_to_mm
    takes = rough - np.outer(per_metre, height @ rough)
    return TimeFilter(takes, takes + np.outer(per_metre, height) if split_heights else takes)


def sudden(geometry: StackGeometry, weights: np.ndarray, *, degree: int, seasonal: bool, window: float) -> np.ndarray:
    """Matrix of what changes from image to image beside motion and a height error, float64 (time, time)."""
    residual, _ = motion_projection(geometry, weights, degree=degree, seasonal=seasonal)
    return residual - _time_mean(geometry.days, window, weights) @ residual


def calm_dates(fields: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Weights of dates by how calm their atmosphere was, as far as that is more than chance.

    A field of few long waves has another variance on each date though all dates are alike; and weights that are due to
    such chance follow the very errors that they should lower. How much chance there is, the fields of different dates
    tell: the mean of their squared correlations is one over the number of independent values in each, N, and the
    logarithm of a variance scatters by √(2/N). What the logarithms scatter beyond that is the true difference of the
    dates, and they are drawn to their mean by its share.

    Parameters
    ----------
    fields
        Atmosphere as a filter shows it, of any unit; float (time, k).
    variances
        Of the atmosphere on each date, float (time,).

    Returns
    -------
    float64 (time,); their geometric mean is 1. Of fewer than twenty dates all are 1.

    Notes
    -----
    Source: Efron & Morris (1973), doi:10.1080/01621459.1973.10481350, for estimates that are drawn to their mean.
    """
    if len(variances) < _FEWEST_DATES:
        return np.ones(len(variances))
    unit = fields / np.maximum(np.linalg.norm(fields, axis=1, keepdims=True), _TINY)
    apart = ~np.eye(len(unit), dtype=bool)
    chance = 2 * np.mean((unit @ unit.T)[apart] ** 2)
    logarithm = np.log(np.maximum(variances, _FAINTEST * np.median(variances) + _TINY))
    logarithm -= logarithm.mean()
    spread = logarithm.var()
    return np.exp(-max(spread - chance, 0) / max(spread, _TINY) * logarithm)


def calm_dates_of_wide(shows: np.ndarray, wide: np.ndarray, calm: np.ndarray) -> np.ndarray:
    """Weights of dates in what is wide, such as planes: some of it goes with other atmosphere, some with nothing.

    Parameters
    ----------
    shows
        Of the filter under which all dates weighed alike.
    wide
        Float (time, k), mm.
    calm
        Weights of dates in the other atmosphere, float (time,).
    """
    size = 1 / calm
    design = np.column_stack([shows**2 @ size, (shows**2).sum(axis=1)])
    going_with, alike = nnls(design, (shows @ wide).var(axis=1))[0]
    if going_with + alike == 0:
        return np.ones(len(calm))
    return 1 / (going_with * size + alike)


def _time_mean(days: np.ndarray, window: float, weights: np.ndarray) -> np.ndarray:
    """Matrix of weighted means in a triangular window in time, (time, time); zero without a window."""
    if window <= 0:
        return np.zeros((len(days), len(days)))
    weight = np.maximum(1 - 2 * np.abs(days[:, None] - days) / window, 0) * weights
    return weight / weight.sum(axis=1, keepdims=True)
