"""Rasters of gridded point sets and displacement maps: NetCDF, cloud-optimised GeoTIFF, the GeoTIFF of EGMS."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import h5netcdf
import numpy as np
import rasterio
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from groundshift.errors import ContractError, InputError
from groundshift.grid.tiles import Box
from groundshift.io.convert.grid import CELL, cell_grid
from groundshift.io.egms.names import parse_name
from groundshift.io.files import SteadyFile, atomic_path, jsonable
from groundshift.io.maps import read_map, write_dataset
from groundshift.io.rasters import atomic_raster, georeference, open_raster, read_window
from groundshift.io.write import write_image
from groundshift.model.displacement import check

_TILE = 1000  # cells: side of a tile of EGMS
_NODATA = -9999.0  # of the GeoTIFF of EGMS
_CHUNK = 256  # pixels: side of the parts of a NetCDF file
_JSON = "json:"


def read_raster(path: str | Path) -> xr.Dataset:
    """Read a displacement map, or a gridded point set, from NetCDF or GeoTIFF; large ones lazily.

    A GeoTIFF of EGMS holds one layer, `mean_velocity` in mm/yr.

    Raises
    ------
    InputError
        If the file is none of these.
    """
    path = Path(path)
    if path.suffix.lower() == ".nc":
        return _read_netcdf(path)
    with open_raster(str(path)) as dataset:
        names, tags, grid = dataset.descriptions, dataset.tags(), georeference(dataset)
        if "reason" in names:
            return read_map(path)
        name = parse_name(path.name)
        if "groundshift" not in tags and (name is None or name.level != "L3" or dataset.count != 1):
            raise InputError(
                f"{path} is neither a displacement map nor a raster of L3; expected one that groundshift writes, or "
                "EGMS_L3_E40N28_100km_U_2018_2022_1.tiff"
            )
        bands = read_window(str(path), dataset.indexes, Box(0, 0, *dataset.shape)).astype(np.float32)
        bands[bands == dataset.nodata] = np.nan
    layers = names if "groundshift" in tags else ("mean_velocity",)
    attributes = {"groundshift": tags["groundshift"]} if "groundshift" in tags else {"name": path.stem}
    variables = {each: (("y", "x"), band) for each, band in zip(layers, bands, strict=True)}
    return xr.Dataset(variables, xr_coords(grid), attributes)


def write_netcdf(path: str | Path, dataset: xr.Dataset) -> None:
    """Write a displacement map or a gridded point set as NetCDF-4 by the CF conventions: the whole file or none."""
    sides = {"y": _CHUNK, "x": _CHUNK, "time": 16}
    encoding = {}
    for name, layer in dataset.data_vars.items():
        encoding[name] = {"zlib": True, "complevel": 4}
        if layer.dtype.kind != "S":  # text gets a dimension more in the file
            chunks = (min(sides.get(str(dim), size), size) for dim, size in layer.sizes.items())
            encoding[name]["chunksizes"] = tuple(chunks)
    plain = dataset.copy()
    plain.attrs = {"Conventions": "CF-1.11"} | {key: _to_attribute(value) for key, value in dataset.attrs.items()}
    with atomic_path(path) as temporary, SteadyFile(temporary) as stream:
        plain.to_netcdf(stream, engine="h5netcdf", encoding=encoding)


def write_netcdf_blocks(
    path: str | Path, layers: xr.Dataset, blocks: Iterable[tuple[Box, Mapping[str, np.ndarray]]]
) -> None:
    """Write a large displacement map as NetCDF-4, block by block: the whole file or none, and the same bytes for the
    same blocks.

    Parameters
    ----------
    layers
        The map, of which only coordinates, attributes, dimensions and types are taken.
    blocks
        Boxes of its cells, each with all layers there, arrays (…, y, x).
    """
    head = xr.Dataset(coords=layers.coords, attrs=layers.attrs)
    head.attrs = {"Conventions": "CF-1.11"} | {key: _to_attribute(value) for key, value in layers.attrs.items()}
    sides = {"y": _CHUNK, "x": _CHUNK, "time": 16}
    with atomic_path(path) as temporary, SteadyFile(temporary) as stream:
        head.to_netcdf(stream, engine="h5netcdf")
        stream.check()
        with h5netcdf.File(stream, "r+") as file:
            for name, layer in layers.data_vars.items():
                kind, fill = ("i1", None) if layer.dtype == bool else (layer.dtype, np.nan)
                made = file.create_variable(
                    name, layer.dims, kind, fillvalue=fill if layer.dtype.kind == "f" else None, compression="gzip",
                    compression_opts=4, chunks=tuple(min(sides[dim], size) for dim, size in layer.sizes.items()),
                )  # fmt: skip
                made.attrs.update(layer.attrs | ({"dtype": "bool"} if layer.dtype == bool else {}))
            for box, block in blocks:
                for name, values in block.items():
                    file[name][(..., *box.slices)] = values
                    stream.check()


def write_cog(path: str | Path, dataset: xr.Dataset) -> None:
    """Write a displacement map, or the fields of a gridded point set without the series, as cloud-optimised GeoTIFF."""
    if "reason" in dataset:
        write_dataset(path, dataset)
        return
    names = [str(name) for name in dataset.data_vars if name not in ("pid", "displacement")]
    grid = cell_grid(dataset)
    profile = {
        "driver": "COG", "dtype": "float32", "count": len(names), "height": grid.shape.y, "width": grid.shape.x,
        "nodata": np.nan, "crs": str(grid.crs), "transform": grid.affine, "compress": "deflate", "predictor": "yes",
    }  # fmt: skip
    with atomic_raster(path) as temporary, rasterio.open(temporary, "w", **profile) as file:
        file.descriptions = names
        file.units = [dataset[name].attrs.get("units", "") for name in names]
        file.update_tags(**dataset.attrs)
        for band, name in enumerate(names, start=1):
            file.write(np.asarray(dataset[name].values, np.float32), band)


def write_egms_raster(path: str | Path, dataset: xr.Dataset) -> None:
    """Write the velocity of a gridded point set as EGMS delivers it; see :func:`write_egms_tile`.

    Raises
    ------
    InputError
        If there is no velocity, or the cells do not lie in one tile.
    """
    grid = cell_grid(dataset)
    if "mean_velocity" not in dataset:
        raise InputError("a GeoTIFF of EGMS holds velocities; this raster has none")
    velocity = dataset["mean_velocity"].values
    rows, columns = np.nonzero(_cells(dataset, velocity))
    x, y = dataset["x"].values[columns], dataset["y"].values[rows]
    write_egms_tile(path, x, y, velocity[rows, columns], crs=str(grid.crs))


def _cells(dataset: xr.Dataset, velocity: np.ndarray) -> np.ndarray:
    """Where there are cells, bool (y, x)."""
    return dataset["pid"].values != b"" if "pid" in dataset else np.isfinite(velocity)


def write_egms_tile(
    path: str | Path,
    east: np.ndarray,
    north: np.ndarray,
    velocity: np.ndarray,
    *,
    crs: str,
    cell: float = CELL,
    tile: float = _TILE * CELL,
) -> None:
    """Write velocities of cells as EGMS delivers them: one tile, of 1000 × 1000 cells of 100 m if not said otherwise;
    float32, north up, -9999 where there is none.

    Parameters
    ----------
    east, north
        Centres of the cells, m, float (n,).
    velocity
        mm/yr, float (n,).
    crs
        Of the cells: EPSG:3035 in files of the service.
    cell, tile
        Sides of a cell and of a tile, m; tiles are counted from the origin of the CRS.

    Raises
    ------
    InputError
        If the cells do not lie in one tile.
    """
    corners = [np.unique(np.floor(each / tile)) for each in (east, north)]
    if any(each.size > 1 for each in corners):
        raise InputError(
            f"cells between {east.min():.0f}, {north.min():.0f} and {east.max():.0f}, {north.max():.0f} m lie in "
            "several tiles; write each for itself"
        )
    side = round(tile / cell)
    west, south = (float(each[0] * tile) if each.size else 0.0 for each in corners)
    image = np.full((side, side), _NODATA, np.float32)
    row, column = (np.floor((south + tile - north) / cell), np.floor((east - west) / cell))
    image[row.astype(int), column.astype(int)] = np.nan_to_num(velocity, nan=_NODATA)
    grid = GeoBox((side, side), Affine(cell, 0, west, 0, -cell, south + tile), crs)
    write_image(path, image, grid, nodata=_NODATA)


def _read_netcdf(path: Path) -> xr.Dataset:
    if not path.is_file():
        raise InputError(f"{path} is no file; expected a NetCDF file: check the path")
    try:
        dataset = xr.open_dataset(path, engine="h5netcdf", decode_coords="all", chunks={})
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} cannot be read as NetCDF-4 ({error}): write it again") from error
    dataset.attrs = {key: _from_attribute(text) for key, text in dataset.attrs.items() if key != "Conventions"}
    if "reason" in dataset:
        try:
            check(dataset.isel(y=slice(1), x=slice(1)))
        except ContractError as error:
            raise InputError(f"{path} holds no displacement map: {error}") from error
    elif "groundshift" not in dataset.attrs:
        raise InputError(f"{path} holds neither a displacement map nor a gridded point set of groundshift")
    return dataset


def _to_attribute(value: object) -> object:
    return value if isinstance(value, str) and not value.startswith(_JSON) else _JSON + json.dumps(jsonable(value))


def _from_attribute(value: object) -> object:
    return json.loads(value.removeprefix(_JSON)) if isinstance(value, str) and value.startswith(_JSON) else value
