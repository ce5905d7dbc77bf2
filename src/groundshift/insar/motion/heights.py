"""Height errors as a stack shows them: how much of their smooth part is atmosphere, and what roofs and ground share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist, pdist

from groundshift.insar.motion.kriging import Variogram

_BINS = 20
_RANGES = 40
_TINY = 1e-6
FARTHEST = 75.0
"""Metres, beyond which points do not share heights."""

_NEAR = 25.0  # m: points weigh by exp(−½ (distance / this)²), as those that a point may share its height with
_MOST = 48  # of them
_SAME = 0.3  # m: standard deviation of heights on the same roof
_ELSEWHERE = 1 / 60  # a metre: density of heights that no point around has, where one at no distance weighs 1


class HeightAir(NamedTuple):
    """What the atmosphere adds to the height errors of cells."""

    values: np.ndarray  # float64 (k,), m
    variance: float  # mean, m²


def shared_heights(positions: np.ndarray, heights: np.ndarray, variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Heights of points, given that roofs and ground are level: points around often have the same one.

    What is expected of a height, before it is measured, is a mixture: that of each point around, as well as that is
    known, the nearer the likelier; or any other. The mean under what it was measured to be moves a height toward those
    around that it agrees with, and leaves roofs and streets apart.

    Parameters
    ----------
    positions
        m, float (n, 2).
    heights, variances
        m and m², float (n,): variances of errors that points do not share.

    Returns
    -------
    Heights and variances, float64 (n,).

    Notes
    -----
    Source: Buades, Coll & Morel (2005), doi:10.1109/CVPR.2005.38, for means over what is alike; the mixture is a kernel
    estimate of the prior, as in empirical Bayes.
    """
    if len(heights) < 2:
        return heights, variances
    numbers = [*range(2, min(_MOST, len(heights) - 1) + 2)]  # the first is the point itself
    distance, near = cKDTree(positions).query(positions, numbers, distance_upper_bound=FARTHEST)
    there = np.isfinite(distance)
    near = np.where(there, near, 0)
    own, other = variances[:, None], variances[near] + _SAME**2
    total, apart = own + other, heights[:, None] - heights[near]
    weight = np.exp(-0.5 * (np.where(there, distance, 0) / _NEAR) ** 2 - 0.5 * apart**2 / total)
    weight = np.where(there, weight / np.sqrt(2 * np.pi * total), 0)
    share = weight / (weight.sum(axis=1, keepdims=True) + _ELSEWHERE)
    moved = -apart * own / total
    move = (share * moved).sum(axis=1)
    # a share of them stays where it is, with its own variance
    narrowed = own * other / total - own + moved**2
    return heights + move, variances + (share * narrowed).sum(axis=1) - move**2


def drift_columns(cells: np.ndarray, heights: np.ndarray, level_ground: float) -> np.ndarray:
    """Orthonormal columns of a plane and, where heights vary by more than `level_ground`, of them; (k, 3 or 4)."""
    columns = [np.ones(len(cells)), *(cells - cells.mean(axis=0)).T]
    if heights.std() > level_ground:
        columns.append(heights - heights.mean())
    return np.linalg.qr(np.stack(columns, axis=1))[0]


def atmosphere_in_heights(
    cells: np.ndarray, counts: np.ndarray, drift: np.ndarray, errors: np.ndarray, air: Variogram, power: float
) -> HeightAir:
    """Tell atmosphere from true height errors by how both vary in space.

    Dates of atmosphere, weighed as baselines are, look like a height error that is smooth in space. How smooth, and how
    large, is known from what the dates themselves show. What is rougher than that is a true error of the height model;
    its variogram is that of all errors less that of the atmosphere. The best linear unbiased prediction then splits
    them; a plane, and a part that goes with height, are atmosphere.

    Parameters
    ----------
    cells
        Positions, m; float (k, 2).
    counts
        Points averaged in each, float (k,).
    drift
        :func:`drift_columns`.
    errors
        Height errors of the cells, m; float (k,).
    air
        Variogram of the atmosphere less its drift, of unit variance.
    power
        What unit variance of the atmosphere is in the height errors, m².

    Notes
    -----
    Source: Chilès & Delfiner (2012), Geostatistics, sections 3.4 and 3.5: universal kriging of one of several parts.
    """
    distance = cdist(cells, cells)
    smooth = power * air.covariance(distance)
    noise = power * air.nugget / counts
    rest = errors - drift @ (drift.T @ errors)
    apart, half, pairs = _binned(cells, rest)
    known = power * (air.sill * (1 - np.exp(-apart / air.range)) + air.nugget * np.mean(1 / counts))
    rough = _rough_variogram(apart, half, pairs, known)
    own = rough.nugget / counts / np.mean(1 / counts)
    total = smooth + rough.covariance(distance) + np.diag(noise + own + _TINY)
    weighted = np.linalg.solve(total, np.column_stack([drift, errors, smooth]))
    of_drift, of_errors, of_smooth = (
        weighted[:, : drift.shape[1]],
        weighted[:, drift.shape[1]],
        weighted[:, -len(cells) :],
    )
    spread = np.linalg.inv(drift.T @ of_drift)
    factors = spread @ (drift.T @ of_errors)
    values = drift @ factors + smooth @ (of_errors - of_drift @ factors)
    beside = drift - smooth @ of_drift
    variance = np.diag(smooth) - (smooth * of_smooth).sum(axis=0) + ((beside @ spread) * beside).sum(axis=1)
    return HeightAir(values, float(np.mean(variance)))


def _binned(cells: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean distance, mean half squared difference, and number of pairs in bins of distance."""
    distance, half = pdist(cells), pdist(values[:, None], "sqeuclidean") / 2
    number = np.minimum((distance / (distance.max() / 2) * _BINS).astype(int), _BINS)
    pairs = np.bincount(number, minlength=_BINS + 1)[:_BINS]
    used = np.flatnonzero(pairs)
    sums = (np.bincount(number, each, _BINS + 1)[used] for each in (distance, half))
    apart, half = (each / pairs[used] for each in sums)
    return apart, half, pairs[used]


def _rough_variogram(apart: np.ndarray, half: np.ndarray, pairs: np.ndarray, known: np.ndarray) -> Variogram:
    """Exponential variogram of what the known part leaves of a variogram; its nugget is that of a mean cell."""
    weight = np.sqrt(pairs) / np.maximum(half, 1e-3 * half.max() + 1e-12)
    best, least = Variogram(0.0, 0.0, float(apart[-1])), np.inf
    for length in np.geomspace(apart[-1] / 60, apart[-1], _RANGES):
        design = np.column_stack([np.ones_like(apart), 1 - np.exp(-apart / length)])
        (nugget, sill), misfit = nnls(design * weight[:, None], (half - known) * weight)
        if misfit < least:
            best, least = Variogram(float(nugget), float(sill), float(length)), misfit
    return best
