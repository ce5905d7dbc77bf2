"""Smooth height errors: how much of them is atmosphere, and how much a true error of the height model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist

from groundshift.insar.motion.ground_level import GroundLevels
from groundshift.insar.motion.kriging import NestedVariogram

_SOME = 400  # cells at most, that tell how height errors vary
_RANGES = np.array([100.0, 300, 900, 2700, 8100])  # m, of the parts of true height errors
_GROWTHS = -0.5, 0.0, 0.5  # variances of these parts go with their range to the power of one of them
_VARIANCES = np.geomspace(0.5, 64, 6)  # m², of all parts together
_USUAL = 3.0  # m: scale of the half-Cauchy prior of the standard deviation
_OWN = 0.0, 0.05, 0.2, 0.6, 2.0, 6.0  # m²: variances that a mean cell has for itself, beside those of levels
_ESTIMATED = 1.14
"""Mean square of errors of the split over what known covariances would leave, in 40 draws of air and of true errors."""
_WITHIN = 0.52  # of its side: mean distance of two places in a square
_FAINTEST = 1e-3  # of the weight of the likeliest model
_TINY = 1e-6


class HeightAir(NamedTuple):
    """What the atmosphere adds to the height errors of cells."""

    values: np.ndarray  # float64 (k,), m
    variances: np.ndarray  # float64 (k,), of their errors, less the mean of these, m²


def drift_columns(cells: np.ndarray, heights: np.ndarray, level_ground: float) -> np.ndarray:
    """Orthonormal columns of a plane and, where heights vary by more than `level_ground`, of them; (k, 3 or 4)."""
    columns = [np.ones(len(cells)), *(cells - cells.mean(axis=0)).T]
    if heights.std() > level_ground:
        columns.append(heights - heights.mean())
    return np.linalg.qr(np.stack(columns, axis=1))[0]


def atmosphere_in_heights(
    cells: np.ndarray,
    counts: np.ndarray,
    ground: GroundLevels,
    air: NestedVariogram,
    power: float,
    drift: np.ndarray,
    variances: np.ndarray,
    side: float,
) -> HeightAir:
    """Tell atmosphere from true height errors by how both vary in space.

    Dates of atmosphere, weighed as baselines are, look like a height error that is smooth in space. How smooth, and how
    large, is known from what the dates themselves show. How true errors of the height model vary is not: one scene has
    few long waves, in which a variogram of all errors less that of the atmosphere is mostly chance. So the covariance
    of true errors is the mean of many, weighed by their likelihood given the errors of all cells and by a prior. Each
    has parts of every range from a hundred metres to eight kilometres, whose variances go with a power of the range;
    power and variance differ. What is seen in short waves thus decides on long ones, unless these say otherwise. The
    best linear unbiased prediction then splits the errors. Planes, and what goes with height, are atmosphere as far as
    the dates have them.

    Parameters
    ----------
    cells
        Positions, m; float (k, 2).
    counts
        Points averaged in each, float (k,).
    ground
        Height errors of the ground in the cells.
    air
        Variogram of the atmosphere beside its drift.
    power
        What unit variance of the atmosphere is in the height errors, m².
    drift, variances
        :func:`drift_columns`, float (k, p), and the variances that they have in the height errors, m²; float (p,).
    side
        Of the squares that cells are means of, m.

    Notes
    -----
    Sources: Chilès & Delfiner (2012), Geostatistics, sections 3.4 and 3.5: universal kriging of one of several parts;
    Handcock & Stein (1993), doi:10.1080/00401706.1993.10485354, for covariances that are weighed by their likelihood;
    Gelman (2006), doi:10.1214/06-BA117A, for the prior.
    """
    distance = cdist(cells, cells)
    smooth = power * air.covariance(distance)
    more = np.maximum(variances - np.einsum("kp,kl,lp->p", drift, smooth, drift), 0)  # than the variogram has
    smooth += drift * more @ drift.T
    errors, noise = ground.level, ground.variance
    own = 1 / counts / np.mean(1 / counts)
    blurred = np.hypot(distance, _WITHIN * side)
    some = np.sort(np.random.default_rng(0).permutation(len(cells))[:_SOME])
    both = np.ix_(some, some)
    beside = smooth[both] + np.diag(noise[some] + _TINY)
    trends = np.ones((len(cells), 1))  # of true errors: any mean
    models = list(_true_errors())
    weights = np.empty(len(models))
    for number, (variance, parts, alone) in enumerate(models):
        total = beside + variance * _covariance(blurred[both], parts) + np.diag(alone * own[some])
        deviation = np.sqrt(variance)
        prior = deviation / (1 + (deviation / _USUAL) ** 2)
        weights[number] = np.log(prior) + _likelihood(total, trends[some], errors[some])
    weights = np.exp(weights - weights.max())
    weights[weights < _FAINTEST] = 0
    weights /= weights.sum()
    mean = np.sum(
        [weight * variance * parts for weight, (variance, parts, _) in zip(weights, models, strict=True)], axis=0
    )
    alone = float(weights @ [each for *_, each in models])
    total = smooth + _covariance(blurred, mean) + np.diag(noise + alone * own + _TINY)
    split = _split(total, smooth, trends, errors)
    return split._replace(variances=_ESTIMATED * split.variances)


def _true_errors() -> Iterator[tuple[float, np.ndarray, float]]:
    """Models of true errors: variance, shares of the parts, and the variance that a mean cell has for itself."""
    for growth in _GROWTHS:
        parts = _RANGES**growth / (_RANGES**growth).sum()
        for variance in _VARIANCES:
            for alone in _OWN:
                yield float(variance), parts, alone


def _covariance(distance: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Sum of exponential covariances."""
    parts = [variance * np.exp(-distance / each) for variance, each in zip(variances, _RANGES, strict=True)]
    return np.sum(parts, axis=0)


def _likelihood(covariance: np.ndarray, drift: np.ndarray, values: np.ndarray) -> float:
    """Logarithm of the likelihood of values, whatever their drift, but for a constant (restricted likelihood)."""
    factor = cho_factor(covariance, lower=True)
    solved = cho_solve(factor, np.column_stack([drift, values]))
    spread, known = drift.T @ solved[:, :-1], drift.T @ solved[:, -1]
    misfit = values @ solved[:, -1] - known @ np.linalg.pinv(spread) @ known
    return float(-np.log(np.diag(factor[0])).sum() - np.linalg.slogdet(spread)[1] / 2 - misfit / 2)


def _split(total: np.ndarray, smooth: np.ndarray, trends: np.ndarray, errors: np.ndarray) -> HeightAir:
    """Best linear unbiased prediction of the smooth part beside trends that have no part in it."""
    solved = cho_solve(cho_factor(total, lower=True), np.column_stack([trends, errors, smooth]))
    count = trends.shape[1]
    of_trends, of_errors, of_smooth = solved[:, :count], solved[:, count], solved[:, count + 1 :]
    spread = np.linalg.pinv(trends.T @ of_trends)
    values = smooth @ (of_errors - of_trends @ (spread @ (trends.T @ of_errors)))
    beside = smooth @ of_trends
    covariance = smooth - smooth @ of_smooth + beside @ spread @ beside.T
    variances = np.diag(covariance) - 2 * covariance.mean(axis=1) + covariance.mean()
    return HeightAir(values, np.maximum(variances, 0))
