"""Counts and means of a layer of points in cells, for tiles of too many points to draw."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from groundshift.explore.mercator import morton
from groundshift.io.store.encode import AVERAGED, CELL_ZOOM


class Level(NamedTuple):
    """Cells of one zoom, in Morton order."""

    code: np.ndarray  # int64 (n,)
    x: np.ndarray  # int32 (n,)
    y: np.ndarray  # int32 (n,)
    count: np.ndarray  # int64 (n,)
    mean: dict[str, np.ndarray]  # float32 (n,) each


class Cells:
    """Cells of all parts of a layer, merged, from zoom 16 up."""

    def __init__(self, tables: Iterable[pa.Table]) -> None:
        finest = [table.filter(pa.compute.equal(table["zoom"], CELL_ZOOM)) for table in tables]
        table = pa.concat_tables(finest, promote_options="permissive")
        x, y, count = (table[name].to_numpy().astype(np.int64) for name in ("x", "y", "count"))
        sums, weights = {}, {}
        for name in AVERAGED:
            if name in table.column_names:
                values = table[name].to_numpy().astype(np.float64)
                weights[name] = np.where(np.isfinite(values), count, 0).astype(np.float64)
                sums[name] = np.nan_to_num(values) * weights[name]
        order = np.argsort(code := morton(x, y), kind="stable")
        code, x, y, count = code[order], x[order], y[order], count[order]
        sums, weights = ({n: v[order] for n, v in each.items()} for each in (sums, weights))
        self._levels: dict[int, Level] = {}
        for zoom in range(CELL_ZOOM, -1, -1):
            starts = np.flatnonzero(np.diff(code, prepend=-1))
            code, x, y = code[starts], x[starts], y[starts]
            count = np.add.reduceat(count, starts) if len(starts) else count
            sums, weights = (
                {n: np.add.reduceat(v, starts) if len(starts) else v for n, v in each.items()}
                for each in (sums, weights)
            )
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = {n: (sums[n] / weights[n]).astype(np.float32) for n in sums}
            self._levels[zoom] = Level(code, x.astype(np.int32), y.astype(np.int32), count, mean)
            code, x, y = code >> 2, x >> 1, y >> 1

    def level(self, zoom: int) -> Level:
        """All cells of a zoom; a tile of that zoom is a cell."""
        return self._levels[zoom]

    def tile(self, z: int, x: int, y: int, zoom: int) -> Level:
        """The cells of `zoom`, not above that of the tile, in a tile."""
        level = self._levels[zoom]
        first = int(morton(np.int64(x), np.int64(y)))
        shift = 2 * (zoom - z)
        start, stop = np.searchsorted(level.code, [first << shift, (first + 1) << shift])
        part = slice(int(start), int(stop))
        return Level(
            level.code[part],
            level.x[part],
            level.y[part],
            level.count[part],
            {n: v[part] for n, v in level.mean.items()},
        )

    def count(self, z: int, x: int, y: int) -> int:
        """How many points a tile has; at most, where it is smaller than a cell."""
        if z > CELL_ZOOM:
            z, x, y = CELL_ZOOM, x >> (z - CELL_ZOOM), y >> (z - CELL_ZOOM)
        return int(self.tile(z, x, y, z).count.sum())

    def count_in(self, bounds: tuple[float, float, float, float]) -> int:
        """Points in the cells that touch a box, west, south, east, north: parts of the world, from its north-west."""
        level = self._levels[CELL_ZOOM]
        size = 2**CELL_ZOOM
        west, north, east, south = (
            int(np.clip(v * size, 0, size - 1)) for v in (bounds[0], bounds[3], bounds[2], bounds[1])
        )
        touched = (level.x >= west) & (level.x <= east) & (level.y >= north) & (level.y <= south)
        return int(level.count[touched].sum())
