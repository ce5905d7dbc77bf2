"""Robust statistics: spread, and least squares that outliers do not pull."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

TO_SIGMA = 1.4826
"""Standard deviations of Gaussian values in their median absolute deviation."""

_TUKEY = 4.685  # 95 % efficiency on Gaussian residuals
_ROUNDS = 20
_SUBSETS = 500
_JUDGES = 2000  # values that judge a subset


class LinearFit(NamedTuple):
    """Coefficients of a robust linear model."""

    coefficients: np.ndarray  # float64 (p,)
    covariance: np.ndarray  # float64 (p, p), for independent residuals
    scale: float  # robust standard deviation of the residuals
    weights: np.ndarray  # float64 (n,), 0 for outliers to 1


def nmad(values: np.ndarray) -> float:
    """Normalised median absolute deviation: the standard deviation of Gaussian values, whatever a few outliers do."""
    values = values[np.isfinite(values)]
    if values.size == 0:
        return np.nan
    return float(TO_SIGMA * np.median(np.abs(values - np.median(values))))


def robust_fit(design: np.ndarray, values: np.ndarray, weights: np.ndarray | None = None) -> LinearFit:
    """Linear model by iteratively reweighted least squares with Tukey's biweight.

    A single coefficient starts from least absolute deviations (the median, for a constant). More start from the
    random elemental subset with the least median residual, because outliers at one end of the data would tilt the
    former; up to half of the values may be outliers.

    Parameters
    ----------
    design
        Float (n, p), full rank.
    values
        Float (n,).
    weights
        Prior weights, 1 / variance up to a factor; float (n,).

    Returns
    -------
    Coefficients and their covariance, from the scatter of the values.

    Sources: Holland & Welsch (1977), doi:10.1080/03610927708827533; Rousseeuw (1984),
    doi:10.1080/01621459.1984.10477105.
    """
    prior = np.ones(len(values)) if weights is None else np.asarray(weights, float)
    root = np.sqrt(prior / prior.mean())
    robust = np.ones(len(values))
    # the finite-sample factor of Rousseeuw & Leroy (1987), p. 202
    to_sigma = TO_SIGMA * (1 + 5 / max(len(values) - design.shape[1], 1))
    scale, first_tukey = 0.0, _ROUNDS // 2
    if design.shape[1] > 1:
        residual = (values - design @ _least_median(design, values)) * root
        scale, first_tukey = to_sigma * np.median(np.abs(residual)), 0
        robust = _biweight(residual, scale)
    for iteration in range(_ROUNDS):
        w = prior * robust
        coefficients = np.linalg.lstsq(design * np.sqrt(w)[:, None], values * np.sqrt(w), rcond=None)[0]
        residual = (values - design @ coefficients) * root
        before, scale = scale, to_sigma * np.median(np.abs(residual))
        if scale <= 1e-12 * (1 + np.abs(values).max()):
            break
        if iteration < first_tukey:  # least absolute deviations: no outlier is lost, none has much pull
            robust = 1 / np.maximum(np.abs(residual), 0.1 * scale) * scale
        else:
            robust = _biweight(residual, scale)
            if abs(scale - before) < 1e-4 * scale:
                break
    normal = np.linalg.pinv(design.T @ (design * (prior / prior.mean() * np.minimum(robust, 1))[:, None]))
    return LinearFit(coefficients, normal * scale**2, float(scale), np.minimum(robust, 1))


def _biweight(residual: np.ndarray, scale: float) -> np.ndarray:
    inside = np.abs(residual) < _TUKEY * max(scale, 1e-300)
    return np.where(inside, (1 - (residual / (_TUKEY * max(scale, 1e-300))) ** 2) ** 2, 0.0)


def _least_median(design: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Of models through random subsets of as many values as coefficients, the one with the least median residual."""
    random = np.random.default_rng(0)
    some = random.permutation(len(values))[:_JUDGES]
    best, least = np.zeros(design.shape[1]), np.inf
    for _ in range(_SUBSETS):
        pick = random.choice(len(values), design.shape[1], replace=False)
        try:
            candidate = np.linalg.solve(design[pick], values[pick])
        except np.linalg.LinAlgError:
            continue
        median = np.median(np.abs(values[some] - design[some] @ candidate))
        if median < least:
            best, least = candidate, median
    return best
