"""Rasters as a web map wants them: tiles of EPSG:3857, and values at places in degrees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds

from groundshift.errors import InputError
from groundshift.io.rasters import GDAL_CACHE, georeference, open_raster, reading

_HALF_WORLD = 20037508.342789244  # m, half the side of the square world of EPSG:3857


@dataclass(frozen=True)
class WebRaster:
    """A georeferenced raster file. It is opened anew for each look, and may be used from several threads."""

    path: Path
    bands: tuple[str, ...]  # names, or their numbers from 1 where they have none
    units: tuple[str, ...]  # of the bands, "" where they have none
    bounds: tuple[float, float, float, float]  # west, south, east, north, degrees
    shape: tuple[int, int]  # rows and columns
    tags: dict[str, Any]

    @property
    def is_map(self) -> bool:
        """Whether it is a displacement map of ours."""
        return {"east", "north", "reason"} <= set(self.bands)

    @contextmanager
    def _open(self) -> Iterator[rasterio.DatasetReader]:
        with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE), reading(self.path), open_raster(str(self.path)) as dataset:
            if dataset.count != len(self.bands):
                raise InputError(
                    f"{self.path} was replaced by a raster with {dataset.count} bands; start again to see it"
                )
            yield dataset

    def tile(
        self, z: int, x: int, y: int, bands: tuple[str, ...], *, size: int = 256, margin: int = 0,
        resampling: str = "nearest",
    ) -> np.ndarray:  # fmt: skip
        """Bands in a web tile: float32 (band, size, size), NaN where there is no data.

        `margin` pixels more on each side are those of the neighbours; `resampling` is a name of GDAL's.
        """
        side = 2 * _HALF_WORLD / 2**z
        pixel, whole = side / size, size + 2 * margin
        west, north = x * side - _HALF_WORLD - margin * pixel, _HALF_WORLD - y * side + margin * pixel
        transform = rasterio.Affine(pixel, 0, west, 0, -pixel, north)
        with self._open() as dataset:
            options = {"crs": "EPSG:3857", "transform": transform, "width": whole, "height": whole}
            with WarpedVRT(
                dataset, resampling=Resampling[resampling], add_alpha=dataset.nodata is None, **options
            ) as warped:
                numbers = [self.bands.index(name) + 1 for name in bands]
                values = warped.read(numbers).astype(np.float32)
                values[warped.read_masks(numbers) == 0] = np.nan
                if dataset.nodata is None:  # alpha of floats is no mask to GDAL
                    values[:, warped.read(warped.count) == 0] = np.nan
        return values

    def sample(self, longitude: np.ndarray, latitude: np.ndarray, bands: tuple[str, ...]) -> np.ndarray:
        """Values of the pixels that places lie in: float32 (place, band), NaN outside and where there is no data."""
        with self._open() as dataset:
            to_map = pyproj.Transformer.from_crs(4326, dataset.crs.to_wkt(), always_xy=True)
            places = np.column_stack(to_map.transform(longitude, latitude))
            places[~np.isfinite(places).all(axis=1)] = dataset.transform @ (-1, -1)  # where the CRS has no places
            numbers = [self.bands.index(name) + 1 for name in bands]
            found = list(dataset.sample(places, indexes=numbers, masked=True))
        return np.ma.filled(np.ma.array(found, dtype=np.float32), np.nan).reshape(len(longitude), len(bands))

    def spread(self, band: str, percent: tuple[float, float] = (2, 98)) -> tuple[float, float]:
        """Percentiles of a band, of a small copy of it; 0 and 1 if there is no data."""
        with self._open() as dataset:
            shape = tuple(min(side, 512) for side in dataset.shape)
            values = dataset.read(self.bands.index(band) + 1, out_shape=shape, masked=True)
            values = np.ma.filled(values.astype(np.float32), np.nan)
        finite = values[np.isfinite(values)]
        return tuple(np.percentile(finite, percent).tolist()) if finite.size else (0.0, 1.0)


def open_web_raster(path: str | Path) -> WebRaster:
    """Look at a raster file.

    Raises
    ------
    InputError
        If it is no raster, or lies nowhere on the ground.
    """
    with open_raster(str(path)) as dataset:
        georeference(dataset)
        bounds = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
        names = tuple(text or str(number) for number, text in enumerate(dataset.descriptions, start=1))
        units = tuple("" if unit in (None, "1") else unit for unit in dataset.units)
        tags, shape = dict(dataset.tags()), tuple(dataset.shape)
    if not np.isfinite(bounds).all():
        raise InputError(f"{path} lies outside of what degrees can tell; check its CRS")
    return WebRaster(Path(path), names, units, tuple(map(float, bounds)), shape, tags)
