"""A folder of unwrapped interferograms as LiCSAR writes it, and :mod:`groundshift.io.interferograms` reads it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox

from groundshift.io.files import atomic_folder
from groundshift.io.rasters import atomic_raster


class UnwrappedPair(NamedTuple):
    """An interferogram of two days, the earlier first."""

    days: tuple[np.datetime64, np.datetime64]
    phase: np.ndarray  # float32 (y, x), radians of the first × conj(the second); NaN is no data
    coherence: np.ndarray  # float32 (y, x), 0 to 1


def write_interferograms(
    path: str | Path, grid: GeoBox, pairs: Iterable[UnwrappedPair], *, frame: str, look: np.ndarray, height: np.ndarray
) -> None:
    """Write interferograms, each in a folder of its days, the look vectors and the heights: all of them or none.

    Parameters
    ----------
    path
        A new folder.
    grid
        Of all rasters.
    pairs
        Taken one after the other; a phase of 0 cannot be told from no data.
    frame
        In the names of looks and heights: track, direction, place and bursts, as `015A_00001_000001`.
    look
        Unit vectors from the ground to the satellite, east, north, up; float (3, y, x), NaN is no data.
    height
        m, float (y, x), NaN is no data.

    Raises
    ------
    InputError
        If `path` exists.
    """
    with atomic_folder(path) as folder:
        for name, values in zip(("E", "N", "U", "hgt"), (*look, height), strict=True):
            _write(folder / f"{frame}.geo.{name}.tif", np.asarray(values, np.float32), grid, np.nan)
        for days, phase, coherence in pairs:
            name = "_".join(str(day).replace("-", "") for day in days)
            _write(folder / name / f"{name}.geo.unw.tif", np.nan_to_num(phase).astype(np.float32), grid, 0)
            whole = np.rint(255 * np.nan_to_num(coherence)).astype(np.uint8)
            _write(folder / name / f"{name}.geo.cc.tif", whole, grid, None)


def _write(path: Path, values: np.ndarray, grid: GeoBox, nodata: float | None) -> None:
    profile = {"driver": "GTiff", "count": 1, "dtype": values.dtype, "height": values.shape[0],
               "width": values.shape[1], "crs": grid.crs.to_wkt(), "transform": rasterio.Affine(*grid.affine[:6]),
               "nodata": nodata, "compress": "deflate"}  # fmt: skip
    with atomic_raster(path) as temporary, rasterio.open(temporary, "w", **profile) as file:
        file.write(values, 1)
