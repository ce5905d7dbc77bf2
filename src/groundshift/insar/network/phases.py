"""Series of many points, which lie in a store of finished tiles or blocks and are read where they are needed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from groundshift.engine import TileStore


class StoredSeries(NamedTuple):
    """Where the series of points are: a column of an array (time, ...) in one tile or block of a store for each."""

    store: TileStore
    name: str  # of the array
    dates: int
    tile: np.ndarray  # int32 (n,): index in the store
    column: np.ndarray  # int32 (n,)

    def at(self, points: np.ndarray) -> np.ndarray:
        """Series of some points, int (k,), in their order; (time, k). One tile or block is in memory at a time."""
        tile = self.tile[points]
        parts = [np.flatnonzero(tile == index) for index in np.unique(tile)]
        out = np.empty((self.dates, len(points)), np.float32)
        for here in parts:
            series = self.store.read(int(tile[here[0]]))[self.name]
            out = out.astype(series.dtype, copy=False)
            out[:, here] = series[:, self.column[points[here]]]
        return out


class TiedPhases(NamedTuple):
    """Unwrapped phases of the points of a network, in the blocks that they were solved in, and what ties those."""

    blocks: StoredSeries
    part: np.ndarray  # int32 (n,): row of `cycles`; -1 for points that were dropped
    cycles: np.ndarray  # int (parts, time): whole cycles that are added
    model: np.ndarray  # float64 (2, n): velocity, mm/yr, and height error, m
    rates: np.ndarray  # float64 (2, time): radians for each unit of them

    def phase(self, points: np.ndarray) -> np.ndarray:
        """Radians of reference × conj(secondary), float32 (time, k), of points int (k,); NaN for dropped ones."""
        part, out = self.part[points], self.blocks.at(points)
        for date, cycles in enumerate(self.cycles.T):
            out[date] = out[date] + 2 * np.pi * cycles[part]
        out[:, part < 0] = np.nan
        return out

    def residual(self, points: np.ndarray) -> np.ndarray:
        """The same less velocity and height error of the network."""
        out, model = self.phase(points), self.model[:, points]
        for date, rate in enumerate(self.rates.T):
            out[date] = out[date] - rate @ model
        return out
