"""Gridded point sets (L3) as rasters: on their grid, and back."""

from __future__ import annotations

import json
from typing import Any

import dask
import dask.array as da
import numpy as np
import pyarrow as pa
import xarray as xr
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from groundshift.errors import InputError
from groundshift.io.convert.columns import description
from groundshift.model.points import header, point_set, series

CELL = 100.0  # metres
_STEP = 16  # dates that are put on the grid at once


def to_grid(table: pa.Table) -> xr.Dataset:
    """Put the cells of an L3 point set on their grid.

    Returns
    -------
    One layer (y, x) a column, and `displacement` (time, y, x) in mm, which is made when it is asked for, a few dates
    at a time; row 0 is north; NaN where there is no cell, and no `pid`. It spans the cells, not the tile.

    Raises
    ------
    InputError
        If the points are not of L3, or not the centres of cells of 100 m, one a cell.
    """
    record = header(table)
    if record.level != "L3" or not len(table):
        raise InputError(f"{len(table)} points of {record.level} make no raster; expected cells of L3 on a grid")
    east, north = table["easting"].to_numpy(), table["northing"].to_numpy()
    left, top = east.min() - CELL / 2, north.max() + CELL / 2
    places = np.stack([(top - north) / CELL - 0.5, (east - left) / CELL - 0.5])
    if np.abs(places - np.rint(places)).max() > 1e-6:
        raise InputError("the points do not lie at the centres of cells of 100 m; expected those of L3")
    rows, columns = np.rint(places).astype(np.int64)
    shape = (int(rows.max()) + 1, int(columns.max()) + 1)
    cells = rows * shape[1] + columns
    if len(np.unique(cells)) != len(cells):
        raise InputError("two points lie in one cell of 100 m; expected one a cell")
    coordinates = xr_coords(GeoBox(shape, Affine(CELL, 0, left, 0, -CELL, top), CRS(record.crs)))
    coordinates |= {"time": record.dates.astype("datetime64[ns]")}
    layers = {}
    for name in table.column_names:
        if name not in ("easting", "northing", "displacement", "geometry"):
            values = table[name].to_numpy()
            values = values.astype("S") if name == "pid" else values
            layers[name] = (("y", "x"), _placed(values[None], cells, shape)[0], _attributes(name))
    layers["displacement"] = (("time", "y", "x"), _lazy(series(table), cells, shape), _attributes("displacement"))
    return xr.Dataset(layers, coordinates, {"groundshift": description(table)})


def from_grid(dataset: xr.Dataset) -> pa.Table:
    """The point set that :func:`to_grid` put on a grid; cells from the south-west, row by row.

    Raises
    ------
    InputError
        If there is no description, or there are no series.
    """
    if not {"pid", "displacement"} <= set(dataset.data_vars):
        raise InputError(
            "the raster holds no series, so it makes no points; take the NetCDF or the table it was made of"
        )
    pid = dataset["pid"].values[::-1].astype("U")
    rows, columns = np.nonzero(pid != "")
    upward = dataset.isel(y=slice(None, None, -1))
    table: dict[str, Any] = {"pid": pid[rows, columns].tolist()}
    table["easting"], table["northing"] = upward["x"].values[columns], upward["y"].values[rows]
    for name in set(dataset.data_vars) - {"pid", "displacement"}:
        table[str(name)] = upward[name].values[rows, columns]
    moved = np.empty((len(rows), dataset.sizes["time"]), np.float32)
    for start in range(0, moved.shape[1], _STEP):
        moved[:, start : start + _STEP] = upward["displacement"][start : start + _STEP].values[:, rows, columns].T
    record = json.loads(dataset.attrs["groundshift"])
    known = {key: record["groundshift"][key] for key in ("level", "component", "frame", "provenance")}
    crs = json.dumps(record["geo"]["columns"]["geometry"]["crs"])
    dates = dataset["time"].values.astype("datetime64[D]")
    return point_set({**table, "displacement": moved}, dates=dates, crs=crs, **known)


def cell_grid(dataset: xr.Dataset) -> GeoBox:
    """Shape, affine and CRS of a grid of cells of 100 m.

    Raises
    ------
    InputError
        If it has other cells, or no CRS.
    """
    x, y = dataset["x"].values, dataset["y"].values
    steps = np.concatenate([np.diff(x) - CELL, np.diff(y) + CELL])
    if np.abs(steps).max(initial=0) > 1e-6 or "crs_wkt" not in dataset["spatial_ref"].attrs:
        raise InputError("the raster has no CRS or other cells than 100 m, north up; expected those of L3")
    affine = Affine(CELL, 0, x[0] - CELL / 2, 0, -CELL, y[0] + CELL / 2)
    return GeoBox((len(y), len(x)), affine, CRS(dataset["spatial_ref"].attrs["crs_wkt"]))


def _placed(values: np.ndarray, cells: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Values (layer, point) on the grid (layer, y, x)."""
    empty = b"" if values.dtype.kind == "S" else np.nan
    out = np.full((len(values), shape[0] * shape[1]), empty, values.dtype)
    out[:, cells] = values
    return out.reshape(-1, *shape)


def _lazy(values: np.ndarray, cells: np.ndarray, shape: tuple[int, int]) -> da.Array:
    place = dask.delayed(_placed, pure=True)
    starts = range(0, values.shape[1], _STEP)
    parts = [values[:, start : start + _STEP].T for start in starts]
    return da.concatenate(
        [da.from_delayed(place(part, cells, shape), (len(part), *shape), np.float32) for part in parts]
    )


def _attributes(name: str) -> dict[str, str]:
    if name == "pid":
        return {"long_name": "name of the cell"}
    base = name.removesuffix("_std")
    unit = {"height": "m", "acceleration": "mm/yr^2", "rmse": "mm", "seasonality": "mm", "displacement": "mm"}
    return {"units": unit.get(base, "mm/yr"), "grid_mapping": "spatial_ref"}
