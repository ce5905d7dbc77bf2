"""Height errors as a stack shows them: how much of their smooth part is atmosphere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls
from scipy.spatial.distance import cdist, pdist

from groundshift.insar.motion.kriging import Variogram

_BINS = 20
_RANGES = 40
_TINY = 1e-6


class HeightAir(NamedTuple):
    """What the atmosphere adds to the height errors of cells."""

    values: np.ndarray  # float64 (k,), m
    variance: float  # mean, m²


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
    total = smooth + rough.covariance(distance) + np.diag(noise + rough.nugget + _TINY)
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
    """Exponential variogram of what the known part leaves of a variogram; its nugget is not divided by counts."""
    weight = np.sqrt(pairs) / np.maximum(half, 1e-3 * half.max() + 1e-12)
    best, least = Variogram(0.0, 0.0, float(apart[-1])), np.inf
    for length in np.geomspace(apart[-1] / 60, apart[-1], _RANGES):
        design = np.column_stack([np.ones_like(apart), 1 - np.exp(-apart / length)])
        (nugget, sill), misfit = nnls(design * weight[:, None], (half - known) * weight)
        if misfit < least:
            best, least = Variogram(float(nugget), float(sill), float(length)), misfit
    return best
