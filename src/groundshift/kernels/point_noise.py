"""Noise of velocities in space: how unlike those of two points are, by their distance; a model of it; and samples."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls
from scipy.spatial import KDTree

from groundshift.kernels.robust import TO_SIGMA, nmad

_WAVES = 96  # of a random field
_NEAREST = 20_000  # points whose nearest neighbour is looked at
_PAIRS = 4000  # random pairs in a bin of distance
_RANGES = 30
_BINS = 14
_CHUNK = 100_000  # points at once


class PairSpread(NamedTuple):
    """How unlike the values of two points are, by distance; k bins."""

    distance: np.ndarray  # float64 (k,), m: mean of the pairs
    spread: np.ndarray  # float64 (k,): standard deviation of the difference, in the unit of the values
    low: np.ndarray  # float64 (k,): 95 % interval of it, by bootstrap
    high: np.ndarray
    pairs: np.ndarray  # int (k,)


class PointNoise(NamedTuple):
    """Independent and correlated noise of velocities, beyond their own sigmas."""

    scatter: float  # mm/yr: of each point by itself
    sill: float  # mm/yr: standard deviation of the correlated part
    range: float  # m: of its correlation exp(−distance / range)

    def sigma(self, sigma: np.ndarray) -> np.ndarray:
        """Standard deviation of a velocity, all parts together."""
        return np.sqrt(sigma**2 + self.scatter**2 + self.sill**2)


def pair_spread(
    positions: np.ndarray, values: np.ndarray, edges: np.ndarray, random: np.random.Generator, *,
    robust: bool = False, pairs: int = _PAIRS, replicates: int = 200,
) -> PairSpread:  # fmt: skip
    """Standard deviation of the difference of values between random pairs of points, by distance.

    Parameters
    ----------
    positions, values
        m, float (n, 2); float (n,).
    edges
        Of the bins of distance, m, rising, float (k + 1,).
    robust
        Whether the spread is 1.4826 times the median of the absolute difference, which minorities do not pull, instead
        of the root mean square.
    pairs
        In a bin, at most.
    replicates
        Of the bootstrap, which draws points and not pairs: a pair counts as often as both of its points were drawn.
    """
    first, second = _random_pairs(positions, edges, random, pairs)
    distance = np.linalg.norm(positions[first] - positions[second], axis=1)
    bins = np.searchsorted(edges, distance, side="right") - 1
    away = np.abs(values[first] - values[second])
    count = len(edges) - 1
    out = np.full((4, count), np.nan)
    used, point = np.unique(np.concatenate([first, second]), return_inverse=True)
    point = point.reshape(2, -1)
    drawn = random.poisson(1.0, (replicates, len(used)))
    for number in range(count):
        rows = np.flatnonzero(bins == number)
        if len(rows) < 10:
            continue
        out[0, number] = distance[rows].mean()
        out[1, number] = _spread(away[rows], np.ones(len(rows)), robust)
        weights = drawn[:, point[0, rows]] * drawn[:, point[1, rows]]
        again = [_spread(away[rows], each, robust) for each in weights if each.any()]
        out[2:, number] = np.percentile(again, [2.5, 97.5])
    number = np.bincount(bins[(bins >= 0) & (bins < count)], minlength=count)
    return PairSpread(out[0], out[1], out[2], out[3], number)


def estimate_noise(positions: np.ndarray, velocity: np.ndarray, sigma: np.ndarray) -> PointNoise:
    """Model of the noise of velocities, from robust spreads of pairs: what a minority of points does is not noise.

    Half the squared spread at distance h, less the mean variance of the velocities, is scatter² + sill² (1 −
    exp(−h / range)), by non-negative least squares for each of a row of ranges.

    Parameters
    ----------
    positions, velocity, sigma
        m, float (n, 2); mm/yr, float (n,); mm/yr, float (n,), from the residuals of the series.
    """
    random = np.random.default_rng(1)
    near = _median_spacing(positions, random)
    extent = float(np.linalg.norm(np.ptp(positions, axis=0)))
    edges = np.geomspace(max(near, 1e-3), max(extent / 2, 10 * near), _BINS + 1)
    found = pair_spread(positions, velocity, edges, random, robust=True, replicates=2)
    good = np.isfinite(found.spread) & (found.pairs >= 100)
    if not good.any():
        spread = nmad(velocity)
        return PointNoise(float(np.sqrt(max(spread**2 - np.median(sigma**2), 0))), 0.0, extent)
    half = found.spread[good] ** 2 / 2 - np.median(sigma**2)
    weight = np.sqrt(found.pairs[good]) / found.spread[good] ** 2
    best, least = PointNoise(0.0, 0.0, extent), np.inf
    for length in np.geomspace(3 * near, extent, _RANGES):
        design = np.column_stack([np.ones(good.sum()), 1 - np.exp(-found.distance[good] / length)])
        parts, misfit = nnls(design * weight[:, None], np.maximum(half, 0) * weight)
        if misfit < least:
            best, least = PointNoise(float(np.sqrt(parts[0])), float(np.sqrt(parts[1])), float(length)), misfit
    return best


def noise_field(positions: np.ndarray, sigma: np.ndarray, noise: PointNoise, random: np.random.Generator) -> np.ndarray:
    """One sample of Gaussian noise at points, mm/yr, float64 (n,).

    The correlated part is a sum of cosines whose wave vectors are drawn from the spectral density of exp(−h / range),
    a bivariate Cauchy distribution.
    """
    out = np.hypot(sigma, noise.scatter) * random.standard_normal(len(positions))
    if noise.sill == 0:
        return out
    waves = random.standard_normal((2, _WAVES)) / (noise.range * np.abs(random.standard_normal(_WAVES)))
    phase = random.uniform(0, 2 * np.pi, _WAVES)
    centre = positions.mean(axis=0)
    for start in range(0, len(positions), _CHUNK):
        part = slice(start, start + _CHUNK)
        angle = ((positions[part] - centre) @ waves + phase).astype(np.float32)
        out[part] += noise.sill * np.sqrt(2 / _WAVES) * np.cos(angle).sum(axis=1)
    return out


def _median_spacing(positions: np.ndarray, random: np.random.Generator) -> float:
    some = random.permutation(len(positions))[:_NEAREST]
    distance = KDTree(positions).query(positions[some], 2)[0][:, 1]
    return float(np.median(distance))


def _random_pairs(
    positions: np.ndarray, edges: np.ndarray, random: np.random.Generator, pairs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs in each bin: near a random point and a random place at a distance of the bin, the point nearest to it."""
    tree = KDTree(positions)
    firsts, seconds = [], []
    for low, high in itertools.pairwise(edges):
        first = random.integers(0, len(positions), 3 * pairs)
        radius = np.sqrt(random.uniform(low**2, high**2, len(first)))
        angle = random.uniform(0, 2 * np.pi, len(first))
        goal = positions[first] + radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
        second = np.asarray(tree.query(goal)[1])
        distance = np.linalg.norm(positions[first] - positions[second], axis=1)
        good = np.flatnonzero((distance >= low) & (distance < high) & (first != second))[:pairs]
        firsts.append(first[good])
        seconds.append(second[good])
    return np.concatenate(firsts), np.concatenate(seconds)


def _spread(away: np.ndarray, weights: np.ndarray, robust: bool) -> float:
    if not robust:
        return float(np.sqrt((weights * away**2).sum() / weights.sum()))
    order = np.argsort(away)
    total = np.cumsum(weights[order])
    return float(TO_SIGMA * away[order][np.searchsorted(total, total[-1] / 2)])
