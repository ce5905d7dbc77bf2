"""Complex GeoTIFFs, one a date, with the date in the name; geometry beside them.

    20200101.tif, slc_20200113_vv.tif …     complex
    latitude.tif, longitude.tif, height.tif, los_east.tif, los_north.tif … here or in geometry/
    baselines.csv                           a date and metres a line
    stack.json                              attributes of the stack by name

On a map (with a CRS) latitude and longitude follow from the grid. The phase must be that of a focused image,
exp(−4πi R/λ), from which the topographic and the flat-earth phase have been taken; images of the opposite sign are read
with `conjugate`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from groundshift.errors import InputError
from groundshift.io.dates import date_in
from groundshift.io.files import atomic_folder, write_json, write_text
from groundshift.io.rasters import atomic_raster, open_raster
from groundshift.io.stacks.lazy import map_places, raster
from groundshift.io.stacks.parts import Image, Parts, assemble
from groundshift.io.stacks.pour import pour
from groundshift.io.stacks.supplement import Supplement, geometry_rasters, read_attributes, read_baselines
from groundshift.model.radar_stack import LAYERS

LAYOUT = "geotiff"


def matches(path: Path) -> bool:
    """Whether it is a folder with complex GeoTIFFs in it."""
    return path.is_dir() and any(_complex(each) for each in _files(path)[:20])


def open_geotiff(path: str | Path, supplement: Supplement | None = None) -> xr.Dataset:
    """Open a folder of complex GeoTIFFs, lazily.

    Raises
    ------
    InputError
        If a date is missing or twice, sizes or grids differ, or geometry is missing.
    """
    path = Path(path)
    files = [each for each in _files(path) if _complex(each)]
    images = [Image(date_in(each.stem), raster(each, dtype=np.complex64), each) for each in files]
    layers, grid = {}, _grid(files)
    if grid is not None:
        x, y, crs = grid
        layers |= {name: each.lazy() for name, each in map_places(x, y, crs).items()}
    for folder in (path, path / "geometry"):
        if images and any((folder / f"{name}{end}").exists() for name in LAYERS for end in (".tif", ".tiff", ".vrt")):
            layers |= geometry_rasters(folder, images[0].pixels.shape)
    parts = Parts(
        path=path,
        layout=LAYOUT,
        images=images,
        flattened=True,
        layers=layers,
        attributes=_attributes(path / "stack.json"),
        baselines=read_baselines(path / "baselines.csv") if (path / "baselines.csv").exists() else {},
        reference=_reference(path / "stack.json"),
        mapped=grid is not None,
        remedy="put latitude.tif, los_east.tif and the others into its folder geometry, or give",
    )
    return assemble(parts, supplement)


def write_geotiff(path: str | Path, stack: xr.Dataset) -> None:
    """Write a stack as complex GeoTIFFs with geometry, baselines and attributes beside them.

    Raises
    ------
    InputError
        If `path` exists.
    """
    days = stack["time"].values.astype("datetime64[D]")
    with atomic_folder(path) as folder, ExitStack() as open_files, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        names = [folder / f"{str(day).replace('-', '')}.tif" for day in days]
        files = [open_files.enter_context(_new(each, stack, "complex64")) for each in names]
        pour(stack, [partial(_put, each) for each in files])
        open_files.close()  # which reads them once
        for name, (dtype, *_) in LAYERS.items():
            with _new(folder / "geometry" / f"{name}.tif", stack, dtype) as file:
                file.write(stack[name].values, 1)
        lines = [
            f"{day},{float(metres):.6g}"
            for day, metres in zip(days, stack["perpendicular_baseline"].values, strict=True)
        ]
        write_text(folder / "baselines.csv", "\n".join(["date,perpendicular_baseline", *lines, ""]))
        write_json(folder / "stack.json", stack.attrs)


def _files(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if each.suffix.lower() in (".tif", ".tiff")) if path.is_dir() else []


def _complex(path: Path) -> bool:
    with open_raster(str(path)) as dataset:
        return dataset.count == 1 and dataset.dtypes[0].startswith("complex")


def _grid(files: list[Path]) -> tuple[np.ndarray, np.ndarray, str] | None:
    """Coordinates of columns and rows, and the CRS, of images on a map."""
    grids = []
    for path in files:
        with open_raster(str(path)) as dataset:
            grids.append((dataset.crs, dataset.transform, dataset.shape))
        if grids[-1][:2] != grids[0][:2]:
            raise InputError(f"{path} is on another grid than {files[0]}; resample them to one")
    if not grids or grids[0][0] is None:
        return None
    crs, transform, (height, width) = grids[0]
    if transform.b or transform.d:
        raise InputError(f"{files[0]} is on a turned grid; expected rows to the south and columns to the east")
    return (
        transform.c + transform.a * (np.arange(width) + 0.5),
        transform.f + transform.e * (np.arange(height) + 0.5),
        crs.to_wkt(),
    )


def _record(path: Path) -> dict[str, Any]:
    return read_attributes(path if path.exists() else None)


def _attributes(path: Path) -> dict[str, Any]:
    return {name: value for name, value in _record(path).items() if name != "reference_date"}


def _reference(path: Path) -> np.datetime64 | None:
    day = _record(path).get("reference_date")
    return None if day is None else np.datetime64(day, "D")


@contextmanager
def _new(path: Path, stack: xr.Dataset, dtype: str) -> Iterator[Any]:
    profile = {"driver": "GTiff", "dtype": dtype, "count": 1, "height": stack.sizes["y"], "width": stack.sizes["x"],
               "tiled": True, "compress": "deflate", "BIGTIFF": "IF_SAFER"}  # fmt: skip
    if "easting" in stack.coords:
        x, y = stack["easting"].values, stack["northing"].values
        step = x[1] - x[0], y[1] - y[0]
        corner = x[0] - step[0] / 2, y[0] - step[1] / 2
        transform = rasterio.Affine(step[0], 0, corner[0], 0, step[1], corner[1])
        profile |= {"crs": stack.attrs["crs"], "transform": transform}
    with atomic_raster(path) as temporary, rasterio.open(temporary, "w", **profile) as file:
        yield file


def _put(file: Any, rows: slice, columns: slice, values: np.ndarray) -> None:
    window = Window(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
    file.write(values, 1, window=window)
