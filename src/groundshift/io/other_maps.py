"""Maps that other programs made (COSI-Corr, autoRIFT and ITS_LIVE, MicMac), as displacement maps."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from groundshift import __version__
from groundshift.errors import InputError
from groundshift.grid.metric import in_metres
from groundshift.grid.tiles import Box
from groundshift.io.dates import date_in, given_dates
from groundshift.io.rasters import georeference, open_raster, parse_crs, read_window
from groundshift.kernels.robust import nmad
from groundshift.model.displacement import displacement_map
from groundshift.model.reason import Reason

PROGRAMS = ("cosi-corr", "autorift", "micmac")
"""Whose maps :func:`read_other_map` reads."""


class _Layers(NamedTuple):
    """What a file of another program holds, in the units of a displacement map."""

    east: np.ndarray  # m or m/yr; NaN where there is nothing
    north: np.ndarray
    quality: np.ndarray  # 0 to 1
    sigma: tuple[float, float] | None  # that the file says
    grid: GeoBox
    dates: tuple[str, str]
    quantity: str


def read_other_map(
    path: str | Path,
    program: str,
    *,
    crs: str | None = None,
    sigma: float | None = None,
    dates: str | None = None,
) -> xr.Dataset:
    """Read a map of another program as a displacement map.

    Parameters
    ----------
    path
        `cosi-corr`: a raster that GDAL opens (ENVI, GeoTIFF) whose bands are displacement to the east and to the north
        in metres, and maybe the quality of the match from 0 to 1 (its SNR). `autorift`: NetCDF of autoRIFT or
        ITS_LIVE, velocity along x and y in m/yr, with the error that it states. `micmac`: the raster named Px1…, in
        pixels to the right, with Px2…, in pixels down, beside it.
    program
        One of :data:`PROGRAMS`.
    crs
        Of a file that has none; it overrides the one in the file.
    sigma
        One standard deviation of each component, m (of a velocity m/yr), for the whole map. Needed where the file
        states none.
    dates
        `2019-07-04,2019-07-06`, of the two images, where the file does not say.

    Raises
    ------
    InputError
        If the file is not what such a program writes, or has no grid or no uncertainty.
    """
    path = Path(path)
    read = {"cosi-corr": _cosi_corr, "autorift": _autorift, "micmac": _micmac}.get(program)
    if read is None:
        raise InputError(f"{program!r} is no program whose maps are read; give one of {', '.join(PROGRAMS)}")
    layers = _north_up(read(path, crs), path)
    there = np.isfinite(layers.east) & np.isfinite(layers.north) & np.isfinite(layers.quality)
    if not there.any():
        raise InputError(f"{path} has no pixel with a value in both components; check the file")
    sigmas = (sigma, sigma) if sigma is not None else layers.sigma
    if sigmas is None or not all(np.isfinite(each) and each > 0 for each in sigmas):
        raise InputError(
            f"{path} states no standard deviation; give one with --sigma, in {_unit(layers.quantity)}: its spread on "
            f"ground that did not move, for example (neighbouring pixels differ by {_roughness(layers.east):.2g})"
        )
    planes = {"east": layers.east, "north": layers.north, "quality": np.clip(layers.quality, 0, 1)}
    planes |= {f"{name}_sigma": np.full(there.shape, each) for name, each in zip(planes, sigmas, strict=False)}
    planes = {name: np.where(there, plane, np.nan).astype(np.float32) for name, plane in planes.items()}
    first, second = given_dates(dates) if dates else layers.dates
    return displacement_map(
        {**planes, "reason": np.where(there, Reason.VALID, Reason.NO_MATCH).astype(np.uint8)},
        layers.grid,
        {
            "date_pre": first, "date_post": second, "method": program, "source_pre": path.name,
            "source_post": path.name, "software": f"{program}, read by groundshift {__version__}",
            "configuration_hash": "", "quantity": layers.quantity,
        },
    )  # fmt: skip


def _north_up(layers: _Layers, path: Path) -> _Layers:
    """The same with row 0 in the north and column 0 in the west; `InputError` if the grid is turned."""
    a, shape = layers.grid.affine, layers.grid.shape
    if abs(a.b) + abs(a.d) > 1e-9 * abs(a.a):
        raise InputError(f"{path} has a grid that is turned; expected rows from west to east: resample it (gdalwarp)")
    flip = tuple(slice(None, None, -1 if wrong else 1) for wrong in (a.e > 0, a.a < 0))
    left, top = a @ (shape.x if a.a < 0 else 0, shape.y if a.e > 0 else 0)
    grid = GeoBox(shape, Affine(abs(a.a), 0, left, 0, -abs(a.e), top), layers.grid.crs)
    return layers._replace(
        east=layers.east[flip], north=layers.north[flip], quality=layers.quality[flip],
        grid=layers.grid if a.a > 0 > a.e else grid,
    )  # fmt: skip


def _unit(quantity: str) -> str:
    return "m" if quantity == "displacement" else "m/yr"


def _roughness(values: np.ndarray) -> float:
    """Robust spread of what neighbours along a row differ by; 0 if there are none."""
    steps = np.diff(values, axis=1)
    steps = steps[np.isfinite(steps)]
    return nmad(steps) if steps.size else 0.0


def _cosi_corr(path: Path, crs: str | None) -> _Layers:
    with open_raster(str(path)) as dataset:
        grid, count, shape, nodata = georeference(dataset, crs=crs), dataset.count, dataset.shape, dataset.nodata
    if count < 2:
        raise InputError(f"{path} has one band; expected displacement to the east, to the north, and maybe the quality")
    bands = read_window(str(path), range(1, min(count, 3) + 1), Box(0, 0, *shape)).astype(float)
    if nodata is not None:
        bands[bands == nodata] = np.nan
    quality = bands[2] if count > 2 else np.ones(shape)
    return _Layers(bands[0], bands[1], quality, None, grid, ("", ""), "displacement")


def _micmac(path: Path, crs: str | None) -> _Layers:
    if not path.name.startswith("Px1"):
        raise InputError(f"{path} is not named Px1…; give the first of the two rasters of MicMac (Px1_Num6_….tif)")
    planes, grids = [], []
    for each in (path, path.with_name("Px2" + path.name[3:])):
        with open_raster(str(each)) as dataset:
            grids.append(georeference(dataset, crs=crs))
            shape, nodata = dataset.shape, dataset.nodata
        planes.append(read_window(str(each), (1,), Box(0, 0, *shape))[0].astype(float))
        if nodata is not None:
            planes[-1][planes[-1] == nodata] = np.nan
    if grids[0] != grids[1]:
        raise InputError(f"{path.name} and its Px2 have different grids; expected the two of one run")
    if not in_metres(grids[0].crs.proj):
        unit = grids[0].crs.proj.axis_info[0].unit_name
        raise InputError(
            f"{path} has pixels in units of {unit}; expected metres, in which pixels are told: --crs EPSG:…"
        )
    affine = grids[0].affine
    return _Layers(planes[0] * affine.a, planes[1] * affine.e, np.ones(shape), None, grids[0], ("", ""), "displacement")


def _autorift(path: Path, crs: str | None) -> _Layers:
    if not path.is_file():
        raise InputError(f"{path} is no file; expected NetCDF of autoRIFT: check the path")
    try:
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as dataset:
            dataset.load()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} cannot be read as NetCDF-4 ({error}): fetch it again") from error
    missing = {"vx", "vy", "x", "y"} - set(dataset.variables)
    if missing:
        raise InputError(f"{path} has no {', '.join(sorted(missing))}; expected vx and vy on x and y, as autoRIFT has")
    x, y = (dataset[name].values.astype(float) for name in ("x", "y"))
    if dataset["vx"].dims != ("y", "x") or min(x.size, y.size) < 2:
        raise InputError(f"{path} has vx on {dataset['vx'].dims}; expected (y, x): the map of one pair")
    mapping_name = dataset["vx"].attrs.get("grid_mapping", "mapping")
    mapping = dataset[mapping_name].attrs if mapping_name in dataset.variables else {}
    code = crs or mapping.get("spatial_ref") or mapping.get("crs_wkt")
    if code is None:
        raise InputError(f"{path} has no CRS; pass --crs EPSG:3413 (the code of the map)")
    right, down = (x[-1] - x[0]) / (x.size - 1), (y[-1] - y[0]) / (y.size - 1)
    affine = Affine(right, 0, x[0] - right / 2, 0, down, y[0] - down / 2)
    errors = tuple(
        float(np.ravel(dataset[name].attrs.get("error", dataset[name].attrs.get(f"{name}_error", np.nan)))[0])
        for name in ("vx", "vy")
    )
    pair = dataset["img_pair_info"].attrs if "img_pair_info" in dataset else {}
    days = [date_in(str(pair.get(f"acquisition_date_img{k}", ""))) for k in (1, 2)]
    first, second = ("" if np.isnat(day) else str(day) for day in days)
    return _Layers(
        dataset["vx"].values.astype(float), dataset["vy"].values.astype(float), np.ones((y.size, x.size)), errors,
        GeoBox((y.size, x.size), affine, parse_crs(str(code))), (first, second), "velocity",
    )  # fmt: skip
