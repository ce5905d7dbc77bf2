"""The dialect of a fusion: on each cell of a grid a value and its variance in metres, and the unit vector (east, north,
up) that says what of the motion it is."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from groundshift.grid.axes import Turn, axes_turn
from groundshift.grid.tiles import Box
from groundshift.products.fuse.config import Quantity, SourceErrors


class Interval(NamedTuple):
    """What is measured: displacement between two days, or velocity."""

    quantity: Quantity
    start: np.datetime64 | None = None
    end: np.datetime64 | None = None


class Reference(NamedTuple):
    """Standard deviations of the motion by which all tracks are wrong together, m/yr."""

    east: float
    up: float


class Channel(NamedTuple):
    """One number measured on cells (y, x); NaN where it is not."""

    value: np.ndarray  # m, or m/yr
    variance: np.ndarray
    look: np.ndarray  # (3, y, x): east and north of the grid, up
    group: str | None  # which errors it shares with others of its source; None for errors of its own
    spread: np.ndarray | float = 1.0  # (y, x): how far it averages over its cell, from 0, a place, to 1, all of it


class CellEpochs(NamedTuple):
    """What a track measured on cells at several dates; NaN where it did not."""

    value: np.ndarray  # (time, y, x), m
    variance: np.ndarray
    look: np.ndarray  # (3, y, x): east and north of the grid, up
    spread: np.ndarray | float = 1.0  # as of `Channel`


class Fusible(Protocol):
    """A source."""

    name: str
    errors: SourceErrors

    def groups(self) -> tuple[str, ...]:
        """Names of what has errors that are alike nearby."""
        ...

    def channels(self, grid: GeoBox, box: Box, interval: Interval) -> list[Channel]:
        """What it measured on the cells of a box of a grid."""
        ...


def true_turn(grid: GeoBox, box: Box) -> Turn:
    """How the cells of a box lie in east and north of the ellipsoid, in which stations, models and looks are given."""
    return axes_turn("EPSG:4326", grid, box)


def box_bounds(grid: GeoBox, box: Box) -> tuple[float, float, float, float]:
    """West, south, east, north of a box."""
    corners = [grid.affine @ corner for corner in ((box.left, box.top), (box.right, box.bottom))]
    (x0, y0), (x1, y1) = corners
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def bounds_in(grid: GeoBox, box: Box, crs: Any) -> tuple[float, float, float, float]:
    """The same in another CRS: of what holds the box."""
    bounds = box_bounds(grid, box)
    if str(crs) == str(grid.crs):
        return bounds
    return Transformer.from_crs(str(grid.crs), str(crs), always_xy=True).transform_bounds(*bounds)


def cell_numbers(grid: GeoBox, box: Box, crs: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Number of the cell of each place in a box, row by row; -1 outside."""
    return numbers_in(box, *grid_places(grid, crs, x, y))


def grid_places(grid: GeoBox, crs: Any, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Column and row of places; whole numbers are borders of cells."""
    x, y = Transformer.from_crs(crs, str(grid.crs), always_xy=True).transform(x, y)
    return ~grid.affine @ (np.asarray(x), np.asarray(y))


def numbers_in(box: Box, column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Number of the cell of each of :func:`grid_places` in a box, row by row; -1 outside."""
    with np.errstate(invalid="ignore"):
        column, row = (np.floor(each) for each in (column, row))
        inside = (column >= box.left) & (column < box.right) & (row >= box.top) & (row < box.bottom)
    width = box.right - box.left
    return np.where(inside, (row - box.top) * width + column - box.left, -1).astype(np.int64)
