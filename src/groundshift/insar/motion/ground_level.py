"""The level of the ground in cells whose points are on ground and roofs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

_MOST_POINTS = 64  # of a cell that are looked at, evenly taken from the lowest to the highest
_SOME_CELLS = 300  # that tell the parameters
_REACH, _STEP = 16.0, 0.4  # of the grid of levels around the lower quartile of a cell, in spreads on the ground
_LEAST_SPREAD, _MOST_SPREAD = 0.5, 10.0  # m, to begin with
_FIRST_ROOF = 8.0  # m
_LEAST_ROOF = 4.0  # spreads: the mean height of lower buildings is not told from errors
_SHARES = np.array([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])  # of a cell's points that may be on roofs
_PRIOR_CELLS = 0.5  # that each share is seen in before any is
_LOST, _ANYWHERE = 0.01, 1 / 100  # share of points whose height says nothing, and their density, a metre
_FREEDOM = 4.0  # degrees, of the errors of single points
_ROUNDS = 8
_TINY = 1e-12


class GroundLevels(NamedTuple):
    """Height errors of the ground of cells."""

    level: np.ndarray  # float64 (k,), m: without the buildings on it
    variance: np.ndarray  # float64 (k,), m²


class _Mixture(NamedTuple):
    """What heights above the ground are drawn from."""

    spread: float  # m: scale of Student's distribution of points on the ground
    roof: float  # m: mean height of those on buildings
    shares: np.ndarray  # float64 (q,): chance of each share of points on buildings


def ground_levels(cell: np.ndarray, heights: np.ndarray) -> GroundLevels:
    """Level of the ground in each cell, though some points are on roofs and walls, and nobody knows which.

    A height is that of the ground with a heavy-tailed error, or more by the height of a building: few are very low, few
    are tall (gamma distribution of shape 2). How large the errors and buildings are, and in how many cells which share
    of the points is on buildings, is estimated from all cells (expectation and maximisation); the level of a cell is
    its mean under all shares, for a level that could be any before.

    Parameters
    ----------
    cell
        Number of the cell that each point is in, int (n,), from 0 on without gaps.
    heights
        Height errors of the points: true less known height, m; float (n,).

    Notes
    -----
    Sources: Dempster, Laird & Rubin (1977), doi:10.1111/j.2517-6161.1977.tb01600.x, for the estimate; Kraus & Pfeifer
    (1998), doi:10.1016/S0924-2716(98)00009-4, for ground as what most of the lower points agree on.
    """
    cell, heights = _thinned(cell, heights)
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    low = np.array([np.percentile(each, 25) for each in np.split(heights, first[1:])])
    spread = _first_spread(heights, first)
    grid = spread * np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
    some = np.random.default_rng(0).permutation(len(low))[:_SOME_CELLS]
    chosen = np.isin(cell, some)
    mixture = _Mixture(spread, max(_FIRST_ROOF, _LEAST_ROOF * spread), np.full(_SHARES.size, 1 / _SHARES.size))
    renumbered = np.unique(cell[chosen], return_inverse=True)[1]
    above = (heights - low[cell])[chosen, None] - grid
    for _ in range(_ROUNDS):
        mixture = _improved(mixture, renumbered, above, grid[1] - grid[0])
    level, variance = np.empty((2, len(low)))
    for begin in range(0, len(low), _SOME_CELLS):
        here = (cell >= begin) & (cell < begin + _SOME_CELLS)
        densities = _densities(mixture, (heights - low[cell])[here, None] - grid)
        chance = _chances(densities, mixture.shares, cell[here]).sum(axis=2)
        mean = chance @ grid
        level[begin : begin + len(mean)] = low[begin : begin + len(mean)] + mean
        variance[begin : begin + len(mean)] = chance @ grid**2 - mean**2
    return GroundLevels(level, np.maximum(variance, 0) + (grid[1] - grid[0]) ** 2 / 12)


def _thinned(cell: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cells and heights of at most so many points of each cell, cell by cell from the lowest to the highest."""
    order = np.lexsort((heights, cell))
    cell, heights = cell[order], np.asarray(heights, np.float64)[order]
    count = np.bincount(cell)
    rank = np.arange(len(cell)) - np.repeat(np.cumsum(count) - count, count)
    kept = np.minimum(count, _MOST_POINTS)[cell]
    taken = (rank * kept) // count[cell] != ((rank - 1) * kept) // count[cell]
    return cell[taken], heights[taken]


def _first_spread(heights: np.ndarray, first: np.ndarray) -> float:
    """From the lower half of the cells' points: their median above the lowest quarter's, as a standard deviation."""
    lower = [np.diff(np.percentile(each, [5, 25]))[0] for each in np.split(heights, first[1:]) if len(each) > 3]
    return float(np.clip(np.median(lower) if lower else _LEAST_SPREAD, _LEAST_SPREAD, _MOST_SPREAD))


def _densities(mixture: _Mixture, above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of heights above a level, on the ground and on buildings, a metre."""
    constant = np.exp(gammaln((_FREEDOM + 1) / 2) - gammaln(_FREEDOM / 2)) / np.sqrt(_FREEDOM * np.pi)
    tail = (1 + (above / mixture.spread) ** 2 / _FREEDOM) ** (-(_FREEDOM + 1) / 2)
    rise, mode = np.maximum(above, 0), mixture.roof / 2
    on_roof = rise / mode**2 * np.exp(-rise / mode)  # Erlang's
    return (1 - _LOST) * constant / mixture.spread * tail, (1 - _LOST) * on_roof


def _chances(densities: tuple[np.ndarray, np.ndarray], shares: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Of each level and share, given the densities (n, levels) of the points of a cell; float64 (k, levels, shares)."""
    ground, roof = densities
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    chance = np.empty((len(first), ground.shape[1], _SHARES.size))
    for number, share in enumerate(_SHARES):
        density = np.log((1 - share) * ground + share * roof + _LOST * _ANYWHERE)
        chance[..., number] = np.add.reduceat(density, first, axis=0)
    chance += np.log(shares)
    chance = np.exp(chance - chance.max(axis=(1, 2), keepdims=True))
    return chance / chance.sum(axis=(1, 2), keepdims=True)


def _improved(mixture: _Mixture, cell: np.ndarray, above: np.ndarray, step: float) -> _Mixture:
    """A mixture under which heights above levels, (n, levels), are likelier; `step` is between levels, m."""
    ground, roof = densities = _densities(mixture, above)
    chance = _chances(densities, mixture.shares, cell)
    on_ground, on_roof = np.zeros((2, *above.shape))
    for number, share in enumerate(_SHARES):
        part = chance[cell, :, number] / ((1 - share) * ground + share * roof + _LOST * _ANYWHERE)
        on_ground += part * (1 - share) * ground
        on_roof += part * share * roof
    weight = on_ground * (_FREEDOM + 1) / (_FREEDOM + (above / mixture.spread) ** 2)
    spread = np.sqrt((weight * above**2).sum() / max(on_ground.sum(), _TINY))
    seen = chance.sum(axis=(0, 1)) + _PRIOR_CELLS
    # one more point on a building keeps the mean height of few from being chance
    height = ((on_roof * above).sum() + mixture.roof) / (on_roof.sum() + 1)
    spread = max(spread, step)
    return _Mixture(float(spread), float(max(height, _LEAST_ROOF * spread)), seen / seen.sum())
