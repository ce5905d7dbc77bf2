"""The grid of a fusion, if none is given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import odc.geo.xr  # noqa: F401  (registers the .odc accessor)
from affine import Affine
from odc.geo.geobox import GeoBox

from groundshift.errors import InputError
from groundshift.grid.metric import in_metres
from groundshift.io.point_batches import known_bounds
from groundshift.products.fuse.channels import Fusible
from groundshift.products.fuse.sources import OpticalMap, RadarPoints

_CELL = 100.0


def fuse_grid(sources: Sequence[Fusible], *, cell: float | None = None) -> GeoBox:
    """The grid of the first optical map, or cells around the points of the first track.

    Parameters
    ----------
    cell
        Side of a cell, m; pixels of the map, or 100 m if not given.

    Raises
    ------
    InputError
        If there is neither map nor track.
    """
    for source in sources:
        if isinstance(source, OpticalMap):
            grid = source.dataset().odc.geobox
            if cell is None:
                return grid
            bounds = grid.boundingbox
            return _cells((bounds.left, bounds.bottom, bounds.right, bounds.top), cell, str(grid.crs))
    for source in sources:
        if isinstance(source, RadarPoints) and source.parts.count:
            bounds = known_bounds(source.parts)
            low, high = bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0)
            return _cells((*low, *high), cell or _CELL, source.parts.header.crs.to_string())
    raise InputError("no optical map and no radar points came; pass a grid")


def metric_grid(grid: GeoBox) -> GeoBox:
    """The same grid; InputError if its CRS is not in metres, as the lengths of errors and motion are."""
    if not in_metres(crs := grid.crs.proj):
        raise InputError(f"the grid of the fusion is in units of {crs.axis_info[0].unit_name}; pass one in metres")
    return grid


def _cells(bounds: tuple[float, ...], cell: float, crs: str) -> GeoBox:
    west, south = (np.floor(each / cell) for each in bounds[:2])
    east, north = (np.ceil(each / cell) for each in bounds[2:])
    shape = max(int(north - south), 1), max(int(east - west), 1)
    return GeoBox(shape, Affine(cell, 0, west * cell, 0, -cell, north * cell), crs)
