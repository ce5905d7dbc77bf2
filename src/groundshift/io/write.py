"""Writing plain images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox

from groundshift.io.rasters import atomic_raster


def write_image(
    path: str | Path, image: np.ndarray, grid: GeoBox, *, date: str | None = None, nodata: float | None = None
) -> None:
    """Write one band (y, x) as GeoTIFF, all of it or nothing.

    Parameters
    ----------
    date
        Day of the image, `YYYY-MM-DD`, kept in the tag that cameras use.
    nodata
        Value that says that there is no data.
    """
    profile = {
        "driver": "GTiff", "dtype": image.dtype, "count": 1, "height": grid.shape.y, "width": grid.shape.x,
        "crs": rasterio.crs.CRS.from_user_input(str(grid.crs)), "transform": grid.affine, "compress": "deflate",
        "predictor": 2 if image.dtype.kind in "iu" else 3, "tiled": True, "nodata": nodata,
    }  # fmt: skip
    with atomic_raster(path) as temporary, rasterio.open(temporary, "w", **profile) as dataset:
        dataset.write(image, 1)
        if date is not None:
            dataset.update_tags(TIFFTAG_DATETIME=f"{date.replace('-', ':')} 00:00:00")
