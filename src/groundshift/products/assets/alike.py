"""Errors of velocities: of each point by itself, and what those of two places have in common, by their distance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import nnls

from groundshift.kernels.point_noise import pair_spread
from groundshift.kernels.robust import nmad

HUBER = 2.0  # sigmas beyond which a point pulls no more
_WILD = 10.0  # sigmas at which a point counts that no other checks
_CELL = 50.0  # m: of cells whose points tell how heavy tails are
_LEAST_IN_CELL = 5  # points
_LEAST = 30  # points or pairs that say anything
_BINS = 14
_PAIRS = 8_000  # in a bin of distance
_NEAREST = 5.0  # m: of pairs
_LENGTHS = 50.0 * 2.0 ** np.arange(9)  # m
_FEW = 200.0  # m: length where too few points say it
_DRAWS, _TURNS = 64, 4  # points drawn from a group, and how often each is paired
_ROWS = 2048  # groups at once


class RateNoise(NamedTuple):
    """Errors of velocities. Those of two places h apart have the covariance Σ size · exp(−h / length)."""

    scatter: float  # mm/yr: of each point by itself, beyond the residuals of its series
    tail: float  # variance of a mean over that of Gaussian errors with the same core, if outliers pull less
    lone: float  # the same of one or two points, of which none is told to be an outlier
    lengths: tuple[float, ...]  # m
    sizes: tuple[float, ...]  # mm²/yr²
    around: float  # mm/yr: median of all velocities

    def apart(self, distance: np.ndarray) -> np.ndarray:
        """Variance of the difference of what errors of two places have in common, mm²/yr², by distance in m."""
        out = np.zeros(np.shape(distance))
        for length, size in zip(self.lengths, self.sizes, strict=True):
            out -= 2 * size * np.expm1(-distance / length)
        return out

    def points(self, sigma: np.ndarray) -> np.ndarray:
        """Variance of the errors that points with these sigmas have each for itself, mm²/yr²."""
        return sigma**2 + self.scatter**2


def rate_noise(
    velocity: np.ndarray, sigma: np.ndarray, places: np.ndarray, *, radius: float, least_scatter: float
) -> RateNoise:
    """Errors of velocities, from how unlike those of pairs of points are.

    The squared spread of pairs h apart, less twice the mean variance that residuals of the series give, is 2 scatter² +
    2 Σ size (1 − exp(−h / length)), by non-negative least squares; what the region really does is in it. Spreads are
    medians, which a minority that moves does not pull. How heavy the tails of points are is told by those of cells of
    50 m: the variance of Huber's mean is E[ψ²] / E[ψ']² (Huber 1964, doi:10.1214/aoms/1177703732).

    Parameters
    ----------
    velocity, sigma
        mm/yr, float (n,); sigmas are from the residuals of the series.
    places
        m, float (n, 2).
    radius
        m: of what a velocity is held against; pairs are up to twice as far apart, and up to half of the extent of all,
        since farther ones are the same few again; beyond, the covariance goes on as it was.
    least_scatter
        mm/yr.
    """
    around, white = float(np.median(velocity)), float(np.median(sigma**2))
    extent = float(np.linalg.norm(np.ptp(places, axis=0)))
    lengths, sizes, scatter = (_FEW,), None, least_scatter
    if len(velocity) >= _LEAST and extent > 4 * _NEAREST:
        edges = np.geomspace(_NEAREST, min(extent / 2, 2 * radius), _BINS + 1)
        random = np.random.default_rng(0)
        found = pair_spread(places, velocity, edges, random, robust=True, pairs=_PAIRS, replicates=1)
        good = np.isfinite(found.spread) & (found.pairs >= _LEAST) & (found.spread > 0)
        if good.any():
            square = found.spread[good] ** 2
            known = np.sqrt(np.minimum(found.pairs[good], len(velocity) / 2)) / square
            parts = -np.expm1(-found.distance[good][:, None] / _LENGTHS)
            design = 2 * np.column_stack([np.ones(len(parts)), parts])
            solved = nnls(design * known[:, None], (square - 2 * white) * known)[0]
            scatter, used = max(scatter, float(np.sqrt(solved[0]))), solved[1:] > 0
            lengths, sizes = tuple(_LENGTHS[used].tolist()), tuple(solved[1:][used].tolist())
    if sizes is None:
        sizes = (float(max(nmad(velocity) ** 2 - white - scatter**2, 0.0)),)
    return RateNoise(scatter, *_tails(velocity, sigma, places, scatter), lengths, sizes, around)


def _tails(velocity: np.ndarray, sigma: np.ndarray, places: np.ndarray, scatter: float) -> tuple[float, float]:
    """`tail` and `lone` of :class:`RateNoise`; 1 where cells have too few points."""
    _, cell, count = np.unique(np.floor(places / _CELL), axis=0, return_inverse=True, return_counts=True)
    cell = cell.ravel()
    inside = count[cell] >= _LEAST_IN_CELL
    if inside.sum() < _LEAST:
        return 1.0, 1.0
    size = count[cell][inside]
    away = (velocity - group_medians(velocity, cell))[inside] * np.sqrt(size / (size - 1))
    score = np.abs(away) / np.hypot(sigma[inside], scatter)
    huber = np.mean(np.minimum(score, HUBER) ** 2) / np.mean(score < HUBER) ** 2
    return max(float(huber), 1.0), max(float(np.mean(np.minimum(score, _WILD) ** 2)), 1.0)


def group_medians(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Of each value the median of its group, float (n,)."""
    order = np.lexsort((values, group))
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    counts = np.diff(np.append(starts, len(group)))
    middle = (values[order][starts + (counts - 1) // 2] + values[order][starts + counts // 2]) / 2
    out = np.empty(len(group))
    out[order] = np.repeat(middle, counts)
    return out


def drawn(weights: sparse.csr_matrix, positions: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Places of points of each row of `weights` (rows, points), drawn by weight with replacement: (rows, draws, 2)."""
    total = np.concatenate([[0.0], np.cumsum(weights.data)])
    first, last = weights.indptr[:-1, None], weights.indptr[1:, None]
    share = random.random((len(first), _DRAWS))
    entry = np.searchsorted(total, total[first] + share * (total[last] - total[first]), side="right") - 1
    return positions[weights.indices[np.clip(entry, first, last - 1)]]


def mean_apart(noise: RateNoise, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean of :meth:`RateNoise.apart` between points of two groups, row by row, mm²/yr², float64 (rows,).

    Of errors that places have in common, the difference of the means of groups a and b has the variance
    apart(a, b) − apart(a, a) / 2 − apart(b, b) / 2 (Journel & Huijbregts 1978, Mining Geostatistics, section II.C).

    Parameters
    ----------
    one, other
        Of :func:`drawn`; of the same group, the same.
    """
    out = np.empty(len(one))
    for start in range(0, len(one), _ROWS):
        rows = slice(start, start + _ROWS)
        turned = (np.roll(other[rows], turn, axis=1) for turn in range(1, _TURNS + 1))
        out[rows] = np.mean(
            [noise.apart(np.linalg.norm(one[rows] - each, axis=2)).mean(axis=1) for each in turned], axis=0
        )
    return out
