"""Tiles of points: single points where they are few, cells where they are many."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from groundshift.explore.cells import Cells, Level
from groundshift.explore.colors import paint, png
from groundshift.explore.mercator import tile_bounds
from groundshift.io.store import PointStore
from groundshift.io.store.encode import CELL_ZOOM
from groundshift.io.store.read import MERCATOR

TILE_POINTS = 25_000  # drawn one by one in a tile; where there are more, cells are
PICTURE = 512  # pixels
_CELLS = 7  # a tile has 2**7 cells a side
_READ = 400_000  # points of a tile that are read to be put into cells


class Content(NamedTuple):
    """What a tile shows. `x` and `y` are places in it, 65,536 a side, from its north-west corner."""

    arrays: dict[str, np.ndarray]  # x, y, value; by if it is not the value; height if asked for; row, part or count
    parts: list[str]  # names of the parts that the points are of
    side: int  # cells along the tile; 0 if the arrays are of points


def tile_content(
    store: PointStore, sets: set[str], cells: Cells, at: tuple[int, int, int], field: str, by: str,
    *, heights: bool = False,
) -> Content:  # fmt: skip
    """The points of a tile, or cells where they are more than 25,000.

    Parameters
    ----------
    sets
        Of the store, that are shown.
    cells
        Of these sets.
    at
        Zoom, column and row of the tile.
    field
        The column that is the `value`.
    by
        The column that the page filters by.
    heights
        Whether the heights of the points, m, are there too.
    """
    z, x, y = at
    count = cells.count(z, x, y)
    if count == 0:
        return _nothing()
    zoom = min(z + _CELLS, CELL_ZOOM)
    named = {"value": field} | ({} if by == field else {"by": by}) | ({"height": "height"} if heights else {})
    if count > TILE_POINTS and z < CELL_ZOOM and (zoom == z + _CELLS or count > _READ):
        return _from_cells(cells.tile(z, x, y, zoom), named, zoom - z)
    west, south, east, north = tile_bounds(z, x, y)
    columns = tuple(dict.fromkeys((*named.values(), *MERCATOR)))
    table = store.window((west, south, east - 0.5, north - 0.5), sets=sets, by=MERCATOR, columns=columns)
    if not len(table):
        return _nothing()
    side = east - west
    arrays = {
        "x": (table["mercator_x"].to_numpy() - west) / side,
        "y": (north - table["mercator_y"].to_numpy()) / side,
        **{name: table[column].to_numpy().astype(np.float32) for name, column in named.items()},
    }
    if len(table) > TILE_POINTS:
        return _binned(arrays)
    names = table["part"].combine_chunks()
    arrays["x"], arrays["y"] = (np.clip(arrays[a] * 65536, 0, 65535).astype(np.uint16) for a in "xy")
    arrays["row"] = table["row"].to_numpy().astype(np.uint32)
    arrays["part"] = names.indices.to_numpy().astype(np.uint16)
    return Content(arrays, names.dictionary.to_pylist(), 0)


def pack(content: Content, months: Mapping[str, Any] | None = None) -> bytes:
    """A tile as the page reads it: the length of a JSON header (uint32, little-endian), the header, and arrays.

    The header has `kind` (points or cells), `count`, `parts`, `side`, and `arrays`: name and type of each, as they
    follow, little-endian, each from a multiple of 4 bytes. With the fields of a
    :class:`groundshift.explore.film.Film`, its `first` and `quantum` are there too, and `mean` and `count_of` follow,
    whose third word is the number of months.
    """
    blocks: dict[str, np.ndarray] = dict(content.arrays)
    about = {}
    if months is not None:
        blocks |= {"mean": months["mean"], "count_of": months["count"]}
        about = {name: months[name] for name in ("first", "quantum")}
    header = {
        "kind": "cells" if content.side else "points",
        "count": len(content.arrays["x"]),
        "parts": content.parts,
        "side": content.side,
        "arrays": [[name, values.dtype.name, *values.shape[:-1]] for name, values in blocks.items()],
        **about,
    }
    head = json.dumps(header, separators=(",", ":")).encode()
    said = [head, *(np.ascontiguousarray(values).tobytes() for values in blocks.values())]
    return struct.pack("<I", len(head)) + b"".join(block + b" " * (-len(block) % 4) for block in said)


def draw(content: Content, *, palette: str, limits: tuple[float, float], keep: tuple[float, float]) -> bytes:
    """A tile as a PNG of 512 pixels; what is filtered by lies in `keep`, or is left out."""
    pixels = np.zeros((PICTURE, PICTURE, 4), np.uint8)
    arrays = content.arrays
    by = arrays.get("by", arrays["value"])
    inside = np.isfinite(arrays["value"]) & ~((by < keep[0]) | (by > keep[1]))
    colours = paint(arrays["value"][inside], palette, *limits)
    column, row = (arrays[axis][inside].astype(int) * PICTURE // 65536 for axis in "xy")
    half = max(1, PICTURE // content.side // 2) if content.side else 2
    reach = range(-half, half if content.side else half + 1)
    for i in reach:
        for j in reach:
            r, c = row + i, column + j
            on = (r >= 0) & (r < PICTURE) & (c >= 0) & (c < PICTURE)
            pixels[r[on], c[on]] = colours[on]
    return png(pixels)


def _nothing() -> Content:
    types = {"x": np.uint16, "y": np.uint16, "value": np.float32, "row": np.uint32, "part": np.uint16}
    return Content({name: np.empty(0, kind) for name, kind in types.items()}, [], 0)


def _from_cells(level: Level, named: Mapping[str, str], depth: int) -> Content:
    step, mask = 65536 >> depth, (1 << depth) - 1
    arrays = {
        "x": ((level.x & mask) * step + step // 2).astype(np.uint16),
        "y": ((level.y & mask) * step + step // 2).astype(np.uint16),
        **{name: level.mean[column] for name, column in named.items()},
        "count": level.count.astype(np.uint32),
    }
    return Content(arrays, [], 1 << depth)


def _binned(arrays: dict[str, np.ndarray]) -> Content:
    """Points put into the cells of a tile."""
    side = 1 << _CELLS
    column, row = (np.clip(arrays[axis] * side, 0, side - 1).astype(int) for axis in "xy")
    cell = row * side + column
    count = np.bincount(cell, minlength=side * side)
    there = np.flatnonzero(count)
    step = 65536 // side
    made = {
        "x": (there % side * step + step // 2).astype(np.uint16),
        "y": (there // side * step + step // 2).astype(np.uint16),
    }
    for name in arrays.keys() - {"x", "y"}:
        finite = np.isfinite(arrays[name])
        total = np.bincount(cell[finite], arrays[name][finite], side * side)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total / np.bincount(cell[finite], minlength=side * side)
        made[name] = mean[there].astype(np.float32)
    made["count"] = count[there].astype(np.uint32)
    return Content(made, [], side)
