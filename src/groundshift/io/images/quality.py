"""Quality layers that come with a product: clouds, saturation and fill, on the grid of the image.

A layer has `read(grid) -> uint8 array of reasons`, 0 where it has no objection. A pixel of the image is marked
if any part of it lies under a marked pixel of a coarser layer (a 10 m pixel under a 20 m class, a 15 m
panchromatic pixel across the edge of two 30 m pixels).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import shapely
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize

from groundshift.errors import InputError
from groundshift.grid.tiles import Box
from groundshift.io.rasters import georeference, open_raster, read_window
from groundshift.model.reason import Reason

_EDGE = 1e-6  # pixels: how far an edge may be off by rounding


class QualityLayer(Protocol):
    """Anything that can say why pixels of a grid are not usable."""

    def read(self, grid: GeoBox) -> np.ndarray:
        """Reasons (uint8, 0 is usable) for every pixel of a part of the image's grid."""
        ...


@dataclass(frozen=True)
class RasterQuality:
    """A raster of classes or bits beside the image, in the same CRS."""

    path: str
    bands: tuple[int, ...]
    decode: Callable[[np.ndarray], np.ndarray]  # (band, y, x) -> reasons, uint8 (y, x)
    grid: GeoBox

    @classmethod
    def open(cls, path: str, bands: tuple[int, ...], decode: Callable[[np.ndarray], np.ndarray]) -> RasterQuality:
        """Look at the file once; it is read box by box."""
        with open_raster(path) as dataset:
            return cls(path, bands, decode, georeference(dataset))

    def read(self, grid: GeoBox) -> np.ndarray:
        """See :class:`QualityLayer`. Beyond the layer's edge its border pixels hold."""
        if grid.crs != self.grid.crs:
            raise InputError(f"{self.path} is in {self.grid.crs}, its image in {grid.crs}; pass cloud_mask=False")
        to_layer = ~self.grid.affine @ grid.affine
        rows = _overlapped(to_layer.e, to_layer.f, grid.shape.y, self.grid.shape.y)
        cols = _overlapped(to_layer.a, to_layer.c, grid.shape.x, self.grid.shape.x)
        box = Box(int(rows.min()), int(cols.min()), int(rows.max()) + 1, int(cols.max()) + 1)
        reasons = self.decode(read_window(self.path, self.bands, box))
        reasons = np.max([reasons[row - box.top] for row in rows], axis=0)
        return np.max([reasons[:, col - box.left] for col in cols], axis=0)


@dataclass(frozen=True)
class PolygonQuality:
    """Polygons in the image's CRS; every pixel that one touches has the reason `code`."""

    polygons: tuple[shapely.Geometry, ...]
    code: Reason

    def read(self, grid: GeoBox) -> np.ndarray:
        """See :class:`QualityLayer`."""
        extent = shapely.box(*grid.boundingbox.bbox)
        shapes = [polygon for polygon in self.polygons if polygon.intersects(extent)]
        if not shapes:
            return np.zeros(grid.shape, np.uint8)
        return rasterize(
            shapes, grid.shape, transform=grid.affine, all_touched=True, default_value=int(self.code), dtype=np.uint8
        )


def _overlapped(scale: float, origin: float, count: int, limit: int) -> np.ndarray:
    """Layer pixels under each image pixel along one axis: int array (as many as needed, count)."""
    low = origin + scale * np.arange(count)
    first = np.floor(low + _EDGE).astype(int)
    last = np.ceil(low + scale - _EDGE).astype(int) - 1
    return np.stack([np.minimum(first + k, last).clip(0, limit - 1) for k in range(int((last - first).max()) + 1)])
