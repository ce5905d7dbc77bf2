"""Values of a raster at places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pyproj import Transformer
from scipy import ndimage

from groundshift.grid.tiles import Box
from groundshift.io.rasters import georeference, open_raster, read_window

_MARGIN = 1


def values_at(path: str | Path, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Values of the first band of a raster in any CRS at places in degrees, linearly interpolated.

    The window around all places is read: give places that are near each other. NaN beyond the raster and beside pixels
    without data.

    Raises
    ------
    InputError
        If there is no raster, or it has no place on the ground.
    """
    with open_raster(str(path)) as dataset:
        grid, nodata = georeference(dataset), dataset.nodata
    values = np.full(np.shape(latitude), np.nan)
    x, y = Transformer.from_crs("EPSG:4326", grid.crs.proj, always_xy=True).transform(longitude, latitude)
    back, x, y = ~grid.affine, np.asarray(x), np.asarray(y)
    columns, rows = back.a * x + back.b * y + back.c - 0.5, back.d * x + back.e * y + back.f - 0.5
    inside = np.isfinite(rows) & (rows >= -0.5) & (rows < grid.shape.y - 0.5)
    inside &= np.isfinite(columns) & (columns >= -0.5) & (columns < grid.shape.x - 0.5)
    if not inside.any():
        return values
    low = [int(np.floor(each[inside].min())) - _MARGIN for each in (rows, columns)]
    high = [int(np.ceil(each[inside].max())) + _MARGIN for each in (rows, columns)]
    box = Box(low[0], low[1], high[0], high[1]).clipped(tuple(grid.shape))
    window = read_window(str(path), (1,), box)[0].astype(np.float64)
    if nodata is not None:
        window[window == nodata] = np.nan
    at = rows[inside] - box.top, columns[inside] - box.left
    values[inside] = ndimage.map_coordinates(window, at, order=1, mode="nearest")
    return values
