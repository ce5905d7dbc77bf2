"""Interpolation of what is smooth in space: variogram, ordinary kriging without the nugget, inverse distances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist, pdist

_VARIOGRAM_POINTS = 600
_VARIOGRAM_BINS = 20
_RANGES = 40
_CHUNK = 4096
_NESTED_POINTS = 300
_NESTED_RANGES = 200.0 * 3.0 ** np.arange(6)  # m
_NESTED_ROUNDS = 60
_TINY = 1e-9


class Variogram(NamedTuple):
    """Exponential variogram γ(h) = nugget / points + sill (1 − exp(−h / range)), of unit variance over all dates."""

    nugget: float  # of one point
    sill: float
    range: float  # m

    def covariance(self, distance: np.ndarray) -> np.ndarray:
        """Covariance of the smooth part at distances in metres."""
        return self.sill * np.exp(-distance / self.range)


class NestedVariogram(NamedTuple):
    """Variogram of several smooth parts, γ(h) = Σ sill (1 − exp(−h / range))."""

    sills: np.ndarray  # float64 (parts,)
    ranges: np.ndarray  # float64 (parts,), m

    def covariance(self, distance: np.ndarray) -> np.ndarray:
        """Covariance of the smooth parts at distances in metres."""
        parts = [sill * np.exp(-distance / each) for sill, each in zip(self.sills, self.ranges, strict=True)]
        return np.sum(parts, axis=0)


class Interpolation(NamedTuple):
    """From cells to points: ordinary kriging of the part without nugget, or inverse distances."""

    cells: np.ndarray
    counts: np.ndarray
    variogram: Variogram
    neighbours: int = 24  # nearest cells that a point is interpolated from
    cell: float | None = None  # inverse distances are smoothed by this length, m; kriging if not given

    def apply(self, values: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Values (k, cells) at positions (m, 2), float64 (k, m)."""
        out = np.empty((len(values), len(positions)))
        columns = np.ascontiguousarray(values.T)
        for part, near, weights, _ in self._weights(positions):
            out[:, part] = np.einsum("mk,mkt->tm", weights, columns[near])
        return out

    def sigma(self, positions: np.ndarray) -> np.ndarray:
        """Standard deviation at positions (m, 2) in units of the variogram, float64 (m,)."""
        return np.concatenate([np.sqrt(variance) for *_, variance in self._weights(positions)])

    def _weights(self, positions: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
        tree = cKDTree(self.cells)
        count = min(self.neighbours, len(self.cells))
        for start in range(0, len(positions), _CHUNK):
            part = slice(start, start + _CHUNK)
            distance, near = tree.query(positions[part], [*range(1, count + 1)])
            if self.cell is None:
                weights, variance = self._kriging(distance, near)
            else:
                weights = self.counts[near] / (distance**2 + self.cell**2)
                weights /= weights.sum(axis=1, keepdims=True)
                variance = np.full(len(near), np.nan)
            yield part, near, weights, variance

    def _kriging(self, distance: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights and variance."""
        size = near.shape[1]
        apart = np.linalg.norm(self.cells[near][:, :, None] - self.cells[near][:, None], axis=-1)
        system = np.ones((len(near), size + 1, size + 1))
        system[:, :size, :size] = self.variogram.covariance(apart)
        system[:, np.arange(size), np.arange(size)] += self.variogram.nugget / self.counts[near] + 1e-9
        system[:, size, size] = 0
        right = np.ones((len(near), size + 1, 1))
        right[:, :size, 0] = self.variogram.covariance(distance)
        solution = np.linalg.solve(system, right)[..., 0]
        variance = self.variogram.sill - (solution * right[..., 0]).sum(axis=1)
        return solution[:, :size], np.maximum(variance, 0)


def estimate_variogram(cells: np.ndarray, counts: np.ndarray, values: np.ndarray) -> Variogram:
    """Exponential variogram with nugget, by non-negative least squares for each of a row of ranges.

    Parameters
    ----------
    cells
        Positions, m; float (k, 2).
    counts
        Points averaged in each, which divide its nugget; float (k,).
    values
        float (time, k), one realisation a date.
    """
    some = np.random.default_rng(0).permutation(len(cells))[:_VARIOGRAM_POINTS]
    distance = pdist(cells[some])
    half = pdist(values[:, some].T, "sqeuclidean") / (2 * len(values))
    i, j = np.triu_indices(len(some), 1)
    share = (1 / counts[some][i] + 1 / counts[some][j]) / 2
    reach = distance.max() / 2
    number = np.minimum((distance / reach * _VARIOGRAM_BINS).astype(int), _VARIOGRAM_BINS)
    pairs = np.bincount(number, minlength=_VARIOGRAM_BINS + 1)[:_VARIOGRAM_BINS]
    used = np.flatnonzero(pairs)
    means = [np.bincount(number, each, _VARIOGRAM_BINS + 1)[used] / pairs[used] for each in (half, share, distance)]
    weight = np.sqrt(pairs[used]) / np.maximum(means[0], 1e-3 * means[0].max() + 1e-12)
    best, least = Variogram(1.0, 1e-6, float(reach)), np.inf
    for length in np.geomspace(reach / 30, reach * 10, _RANGES):
        design = np.column_stack([means[1], 1 - np.exp(-means[2] / length)])
        (nugget, sill), misfit = nnls(design * weight[:, None], means[0] * weight)
        if misfit < least and sill > 0:
            best, least = Variogram(float(nugget), float(sill), float(length)), misfit
    return best


def estimate_nested(cells: np.ndarray, counts: np.ndarray, values: np.ndarray, drift: np.ndarray) -> NestedVariogram:
    """Variogram of several exponential parts beside a drift and noise of points, by restricted maximum likelihood.

    What a plane that is taken off takes of long waves is in the likelihood, but not in the half squared differences of
    what is left: these make fields seem to end at a few kilometres.

    Parameters
    ----------
    cells, counts, values
        As of :func:`estimate_variogram`.
    drift
        Columns that values may have any amount of, float (k, p).

    Notes
    -----
    Source: Zhou, Hu, Zhou & Lange (2019), doi:10.1080/10618600.2018.1529601: each round multiplies the variance of a
    part by a ratio, so that the likelihood never falls and no variance is negative.
    """
    some = np.random.default_rng(0).permutation(len(cells))[:_NESTED_POINTS]
    distance = cdist(cells[some], cells[some])
    free = np.linalg.svd(drift[some])[0][:, drift.shape[1] :]
    if not free.size:
        return NestedVariogram(np.zeros(len(_NESTED_RANGES)), _NESTED_RANGES)
    seen = free.T @ values[:, some].T
    seen = seen @ seen.T / len(values)
    parts = [
        free.T @ each @ free for each in (*(np.exp(-distance / r) for r in _NESTED_RANGES), np.diag(1 / counts[some]))
    ]
    variances = np.full(len(parts), np.trace(seen) / len(seen) / len(parts))
    for _ in range(_NESTED_ROUNDS):
        total = np.sum([variance * part for variance, part in zip(variances, parts, strict=True)], axis=0)
        inverse = np.linalg.inv(total + _TINY * np.eye(len(total)))
        weighted = inverse @ seen @ inverse
        ratios = [max(np.sum(weighted * part) / np.sum(inverse * part), 0.0) for part in parts]
        variances *= np.sqrt(ratios)
    return NestedVariogram(variances[:-1], _NESTED_RANGES)
