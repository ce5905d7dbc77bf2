"""Heights of ground that windows share: how much it varies is estimated from the heights themselves, then kriged."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls
from scipy.spatial import cKDTree

FARTHEST_GROUND = 500.0
"""Metres, beyond which distributed scatterers do not share heights."""

_NEAREST = 24
_CHUNK = 2048
_EDGES = np.array([0.0, 70, 100, 140, 200, 280, 400, 550, 750, 1000, 1400])  # m, of bins of distance
_LEAST_PAIRS, _LEAST_BINS = 100, 5
_RANGES = np.geomspace(60, 3000, 40)  # m
_ROUGHEST = 0.3**2  # m²: heights are never shared as if they were nearer to each other than this
_ALIKE = 0.25  # of the variance by mixed heights: errors that all windows share, for roofs are brighter everywhere
_TINY = 1e-6


class WindowHeights(NamedTuple):
    """Mean height errors of windows, and how well each is known."""

    place: np.ndarray  # float64 (2, n), m
    height: np.ndarray  # float64 (n,), m
    noise: np.ndarray  # float64 (n,), m²: variance by noise of phases
    mixture: np.ndarray  # float64 (n,), m²: variance by heights that differ in the window
    rows: np.ndarray  # int (n,): of the middle pixel
    columns: np.ndarray


class GroundModel(NamedTuple):
    """How heights of windows vary in space: γ(h) = rough + sill (1 − exp(−h / range)), and more where windows mix."""

    rough: float  # m²: not shared by any two
    sill: float  # m²
    range: float  # m
    mixed: float  # times the variance by heights that differ in a window: shared as windows overlap


def ground_model(heights: WindowHeights, some: np.ndarray, window: tuple[int, int]) -> GroundModel | None:
    """Estimate how heights of windows vary in space, beyond what noise explains.

    Half squared differences of pairs are averaged in bins of distance. From these the noise of windows is taken off,
    of which two windows share as much as they overlap; a constant, an exponential variogram and a multiple of the
    variance that heights within windows make are fitted to the rest, none negative. Rough ground thus has a large
    constant or a short range, and shares little.

    Parameters
    ----------
    heights
        Of a cluster.
    some
        Numbers of the windows whose pairs with all others are looked at, int (k,).
    window
        Lines and pixels of a window.

    Returns
    -------
    None where there are too few pairs to tell.

    Source: Chilès & Delfiner (2012), Geostatistics, section 2.6, for variograms of what is measured with noise.
    """
    if not len(some):
        return None
    positions = heights.place.T
    pairs = cKDTree(positions[some]).sparse_distance_matrix(cKDTree(positions), _EDGES[-1], output_type="ndarray")
    i, j, apart = some[pairs["i"]], pairs["j"], pairs["v"]
    i, j, apart = (each[i != j] for each in (i, j, apart))
    number = np.digitize(apart, _EDGES[1:-1])
    count = np.bincount(number, minlength=len(_EDGES) - 1)
    used = np.flatnonzero(count >= _LEAST_PAIRS)
    if len(used) < _LEAST_BINS:
        return None
    overlap = _overlap(heights, i, j, window)
    mixture = heights.mixture
    mixture = (mixture + mixture[_near(positions)[0]].mean(axis=1)) / 2

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(number, values, len(count))[used] / count[used]

    def apart_by(variance: np.ndarray, shared: np.ndarray) -> np.ndarray:
        return mean((variance[i] + variance[j]) / 2 - np.sqrt(variance[i] * variance[j]) * shared)

    half = mean((heights.height[i] - heights.height[j]) ** 2 / 2)
    weight = np.sqrt(count[used]) / np.maximum(half, 1e-3)
    rest, distance = half - apart_by(heights.noise, overlap), mean(apart)
    mixing = apart_by(mixture, _ALIKE + (1 - _ALIKE) * overlap)
    best, least = GroundModel(0.0, 0.0, 1.0, 0.0), np.inf
    for length in _RANGES:
        design = np.column_stack([np.ones(len(used)), 1 - np.exp(-distance / length), mixing])
        (rough, sill, mixed), misfit = nnls(design * weight[:, None], rest * weight)
        if misfit < least:
            # what is within windows is part of each height's own error once
            best, least = GroundModel(float(rough), float(sill), float(length), float(max(mixed - 1, 0))), misfit
    return best._replace(rough=max(best.rough, _ROUGHEST))


def ground_heights(
    heights: WindowHeights, count: int, model: GroundModel, window: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Heights of the first `count` windows, given those around: ordinary kriging that leaves noise out.

    Noise of overlapping windows is correlated, and a part of the errors by mixed heights is the same in all. Each
    window's variance by mixed heights, itself a noisy number, is averaged with the mean of those around.

    Parameters
    ----------
    heights
        The windows, then all others within :data:`FARTHEST_GROUND` of them.
    model, window
        As of :func:`ground_model`.

    Returns
    -------
    Heights, m, and variances of their errors, m²; float64 (count,).

    Source: Chilès & Delfiner (2012), section 3.7.1: kriging with known variances of measurement errors.
    """
    positions = heights.place.T
    near, distance = _near(positions, count)
    usable = distance <= FARTHEST_GROUND
    out = np.empty((2, count))
    for start in range(0, count, _CHUNK):
        part = slice(start, start + _CHUNK)
        out[:, part] = _krige(heights, near[part], usable[part], model, window)
    return out[0], out[1]


def _krige(
    heights: WindowHeights, near: np.ndarray, usable: np.ndarray, model: GroundModel, window: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Heights and variances of the first of each row of windows, (m,)."""
    a, b = near[:, :, None], near[:, None]
    both, same = usable[:, :, None] & usable[:, None], np.eye(near.shape[1], dtype=bool)
    apart = np.hypot(*(heights.place[:, a] - heights.place[:, b]))
    overlap = _overlap(heights, a, b, window)
    mixture = heights.mixture[near]
    mean = (mixture * usable).sum(axis=1, keepdims=True) / usable.sum(axis=1, keepdims=True)
    mixture = (mixture + mean) / 2
    mixing = np.sqrt(mixture[:, :, None] * mixture[:, None])
    noise = overlap * np.sqrt(heights.noise[a] * heights.noise[b]) + (_ALIKE + (1 - _ALIKE) * overlap) * mixing
    truth = model.sill * np.exp(-apart / model.range) + model.rough * same + model.mixed * overlap * mixing
    system = np.where(both, truth + noise, 0)
    system = system + same * np.where(usable, _TINY, 1.0)[:, None]
    own, known = np.where(usable, truth[:, 0], 0), np.where(usable, heights.height[near], 0)
    ones = usable.astype(np.float64)
    solved = np.linalg.solve(system, np.stack([ones, own, known], axis=-1))
    total = (ones * solved[..., 0]).sum(axis=1)
    level = (ones * solved[..., 2]).sum(axis=1) / total
    bias = 1 - (ones * solved[..., 1]).sum(axis=1)
    height = (own * solved[..., 2]).sum(axis=1) + bias * level
    variance = truth[:, 0, 0] - (own * solved[..., 1]).sum(axis=1) + bias**2 / total
    return height, np.maximum(variance, 0)


def _near(positions: np.ndarray, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and distances of the nearest windows of the first ones, themselves first, (count, k) each."""
    nearest = min(_NEAREST, len(positions))
    distance, near = cKDTree(positions).query(positions[:count], [*range(1, nearest + 1)])
    return near, distance


def _overlap(heights: WindowHeights, a: np.ndarray, b: np.ndarray, window: tuple[int, int]) -> np.ndarray:
    """Share of pixels that two windows have in common."""
    lines = 1 - np.abs(heights.rows[a] - heights.rows[b]) / window[0]
    pixels = 1 - np.abs(heights.columns[a] - heights.columns[b]) / window[1]
    return np.maximum(lines, 0) * np.maximum(pixels, 0)
