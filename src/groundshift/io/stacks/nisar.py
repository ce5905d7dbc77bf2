"""Geocoded single-look complex images of NISAR (GSLC), in HDF5: one file a date.

`NISAR_L2_PR_GSLC_004_076_A_022_…h5` has the image in `/science/LSAR/GSLC/grids/frequencyA/HH`, on a map that does not
change from pass to pass of a track and frame, state vectors in `metadata/orbit`, and the look vector from the ground to
the satellite in `metadata/radarGrid`, as cubes over height, northing and easting. Heights of the pixels are not in it:
they come from a height model, which may lie beside the files as `height.tif`. Baselines follow from the state vectors.

The phase of each image was freed of its own range to the height model, so what is left has the sign of the canonical
stack. NISAR has no swaths as Sentinel-1 has; `swath` of the stack is the one whose range is nearest, `burst` the frame.

Sources: NISAR L2 GSLC product specification (JPL D-102272) and the Alaska Satellite Facility on it.
"""

from __future__ import annotations

import logging
import re
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import dask.array as da
import h5py
import numpy as np
import rasterio
import xarray as xr
from pyproj import CRS, Transformer
from scipy import ndimage

from groundshift.errors import InputError
from groundshift.io.dates import date_in
from groundshift.io.files import atomic_folder
from groundshift.io.rasters import atomic_raster
from groundshift.io.stacks.lazy import hdf5, map_places, open_hdf5
from groundshift.io.stacks.mapped import check_alike, check_flattened, check_on_map, on_map, put, spacings
from groundshift.io.stacks.orbits import Orbit, earth_fixed, look_vectors
from groundshift.io.stacks.parts import Image, Parts, assemble
from groundshift.io.stacks.pour import new_hdf5, pour
from groundshift.io.stacks.simulated import simulated_orbits
from groundshift.io.stacks.supplement import Supplement, heights_at

log = logging.getLogger(__name__)

LAYOUT = "nisar"
_NAMED = 3  # files of those that are passed over
_LIGHT = 299_792_458.0  # m/s
_NAME = re.compile(r"NISAR_L2_\w{2}_GSLC_\d{3}_(\d{3})_([AD])_(\d{3})_", re.IGNORECASE)
_ROOT, _WHO = "science/LSAR/GSLC", "science/LSAR/identification"
_MADE = f"{_ROOT}/metadata/processingInformation/parameters"
_FLATTENED = "ellipsoidalFlatteningApplied", "topographicFlatteningApplied"
_FREQUENCIES = ("frequencyA", "frequencyB")
_POLARISATIONS = ("HH", "VV", "HV", "VH")
_CUBE = (5, 9, 9)  # heights, northings and eastings of the look vectors that are written
_MARGIN = 500.0  # m above and below the ground, and around the map, that they reach


class _Facts(NamedTuple):
    """What one file says of itself."""

    image: str  # path of the data set
    x: np.ndarray
    y: np.ndarray
    crs: str
    date: np.datetime64
    wavelength: float  # m
    track: int
    frame: int
    direction: str
    orbit: Orbit
    flattened: list[Any]  # what is said of it


def matches(path: Path) -> bool:
    """Whether there are such files at a path."""
    return bool(_files(path))


def open_nisar(path: str | Path, supplement: Supplement | None = None) -> xr.Dataset:
    """Open the dates of one track and frame, lazily; coordinates `easting` and `northing` and `crs` are added.

    Parameters
    ----------
    path
        Folder with the files, in it or below.
    supplement
        `height` gives the heights, if there is no `height.tif` in the folder; `polarisation` chooses among several.

    Raises
    ------
    InputError
        If files are of several tracks, frames or grids, or what is needed is missing.
    """
    path, supplement = Path(path), supplement or Supplement()
    files = _files(path)
    if others := [each.name for each in _candidates(path) if each not in files]:
        some = ", ".join(others[:_NAMED]) + ", …" * (len(others) > _NAMED)
        log.warning("%s: %d files are passed over, not named as GSLC of NISAR are: %s", path, len(others), some)
    facts = {each: _facts(each, supplement.polarisation) for each in files}
    first = facts[files[0]]
    for each, found in facts.items():
        if (found.track, found.frame) != (first.track, first.frame):
            raise InputError(
                f"{each} is of track {found.track}, frame {found.frame}, {files[0]} of {first.track}, {first.frame}; "
                "keep one track and frame in a folder"
            )
        if not all(np.array_equal(a, b) for a, b in ((found.x, first.x), (found.y, first.y))) or found.crs != first.crs:
            raise InputError(f"{each} is on another grid than {files[0]}; keep files of one mode and product version")
    check_alike({each: found.image.rsplit("/", 1)[-1] for each, found in facts.items()}, "polarisation")
    check_alike({each: found.wavelength for each, found in facts.items()}, "wavelength", " m")
    if supplement.flattened is None:
        for each, found in facts.items():
            check_flattened(each, found.flattened)
    layers = {name: each.lazy() for name, each in map_places(first.x, first.y, first.crs).items()}
    beside = (path if path.is_dir() else path.parent) / "height.tif"
    model = supplement.height or (beside if beside.is_file() else None)
    if model is not None:
        layers["height"] = heights_at(model, layers["latitude"], layers["longitude"])
        layers |= _looks(files[0], first, layers["height"])
    spacing = spacings(first.crs, first.x, first.y)
    parts = Parts(
        path=path,
        layout=LAYOUT,
        images=[Image(found.date, hdf5(each, found.image), each) for each, found in facts.items()],
        flattened=True,
        layers=layers,
        attributes={
            "wavelength": first.wavelength, "range_spacing": spacing[0], "azimuth_spacing": spacing[1],
            "track": first.track, "burst": first.frame, "polarisation": first.image.rsplit("/", 1)[-1],
            "orbit": first.direction, "source": f"NISAR GSLC, track {first.track}, frame {first.frame}",
        },
        orbits={found.date: found.orbit for found in facts.values()},
        mapped=True,
        remedy="put a height model into the folder as height.tif, or give",
    )  # fmt: skip
    stack = assemble(parts, supplement.model_copy(update={"height": None}))
    return on_map(stack, first.crs, first.x, first.y)


def write_nisar(path: str | Path, stack: xr.Dataset) -> None:
    """Write a stack on a map as NISAR's files are: a folder with a file a date, and the heights in `height.tif`.

    State vectors are those of round orbits that have the look and the baselines of the stack.

    Raises
    ------
    ConfigurationError
        If the stack is not on a map: it has no coordinates `easting` and `northing`.
    InputError
        If `path` exists.
    """
    check_on_map(stack, "NISAR's files")
    attributes = stack.attrs
    days = stack["time"].values.astype("datetime64[D]")
    frame = f"{attributes['track']:03d}_{attributes['orbit'][0].upper()}_{attributes['burst']:03d}"
    with atomic_folder(path) as folder, ExitStack() as ends:
        files = []
        for cycle, (day, orbit) in enumerate(zip(days, simulated_orbits(stack), strict=True), start=1):
            stamp = str(day).replace("-", "")
            name = f"NISAR_L2_PR_GSLC_{cycle:03d}_{frame}_2000_SHNA_A_{stamp}T050000_{stamp}T050030_X00000_N_F_J_001.h5"
            file = new_hdf5(folder / name, ends)
            file.create_dataset(
                f"{_ROOT}/grids/frequencyA/{attributes['polarisation']}",
                stack["slc"].shape[1:],
                np.complex64,
                chunks=True,
            )
            _write_facts(file, stack, day, orbit)
            files.append(file)
        images = [file[f"{_ROOT}/grids/frequencyA/{attributes['polarisation']}"] for file in files]
        pour(stack, [partial(put, each) for each in images])
        _write_heights(folder / "height.tif", stack)


def _candidates(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.h5")) if path.is_dir() else []


def _files(path: Path) -> list[Path]:
    return [each for each in _candidates(path) if _NAME.match(each.name)]


def _facts(path: Path, polarisation: str | None) -> _Facts:
    with open_hdf5(path) as file:
        images = [
            f"{_ROOT}/grids/{frequency}/{each}" for frequency in _FREQUENCIES for each in _POLARISATIONS
            if f"{_ROOT}/grids/{frequency}/{each}" in file
        ]  # fmt: skip
        wanted = [each for each in images if polarisation in (None, each.rsplit("/", 1)[-1])]
        if not wanted:
            has = ", ".join(each.split("grids/")[1] for each in images) or "none"
            raise InputError(f"{path} has no image {polarisation or 'in ' + _ROOT}; it has {has}")
        grid = wanted[0].rsplit("/", 1)[0]
        orbit = [_value(file, f"{_ROOT}/metadata/orbit/{name}") for name in ("time", "position", "velocity")]
        return _Facts(
            wanted[0],
            *(_value(file, f"{grid}/{axis}Coordinates").astype(np.float64) for axis in "xy"),
            f"EPSG:{int(_value(file, f'{grid}/projection'))}",
            date_in(_text(file, f"{_WHO}/zeroDopplerStartTime")[:10]),
            _LIGHT / float(_value(file, f"{grid}/centerFrequency")),
            int(_value(file, f"{_WHO}/trackNumber")),
            int(_value(file, f"{_WHO}/frameNumber")),
            _text(file, f"{_WHO}/orbitPassDirection").lower(),
            Orbit(*orbit),
            [file[f"{_MADE}/{each}"][()] for each in _FLATTENED if f"{_MADE}/{each}" in file],
        )


def _value(file: h5py.File, name: str) -> Any:
    if name not in file:
        raise InputError(f"{file.filename} has no {name}; expected a GSLC of NISAR with its metadata")
    return file[name][()]


def _text(file: h5py.File, name: str) -> str:
    value = _value(file, name)
    return value.decode() if isinstance(value, bytes) else str(value)


def _looks(path: Path, facts: _Facts, height: da.Array) -> dict[str, da.Array]:
    """Look vectors from the cubes of a file, linearly interpolated at the heights of the pixels, lazily."""
    grid = f"{_ROOT}/metadata/radarGrid"
    with open_hdf5(path) as file:
        axes = [_value(file, f"{grid}/{name}") for name in ("heightAboveEllipsoid", "yCoordinates", "xCoordinates")]
        if (code := f"EPSG:{int(_value(file, f'{grid}/projection'))}") != facts.crs:
            raise InputError(f"{path} has look vectors in {code} and images in {facts.crs}; expected one projection")
        cubes = [_value(file, f"{grid}/losUnitVector{axis}").astype(np.float32) for axis in "XY"]
    y, x = (
        da.from_array(each, chunks=size) for each, size in zip((facts.y, facts.x), height.chunks, strict=True)
    )  # fmt: skip
    return {
        name: da.map_blocks(_at_heights, height, y[:, None], x[None], cube=cube, axes=axes, dtype=np.float32,
                            meta=np.empty((0, 0), np.float32))
        for name, cube in zip(("los_east", "los_north"), cubes, strict=True)
    }  # fmt: skip


def _at_heights(
    height: np.ndarray, y: np.ndarray, x: np.ndarray, *, cube: np.ndarray, axes: list[np.ndarray]
) -> np.ndarray:
    places = np.broadcast_arrays(height, y, x)
    at = [(each - axis[0]) / (axis[1] - axis[0]) for each, axis in zip(places, axes, strict=True)]
    return ndimage.map_coordinates(cube, at, np.float32, order=1, mode="nearest")


def _write_facts(file: h5py.File, stack: xr.Dataset, day: np.datetime64, orbit: Orbit) -> None:
    attributes, grid = stack.attrs, f"{_ROOT}/grids/frequencyA"
    code = np.uint32(CRS.from_user_input(attributes["crs"]).to_epsg())
    file[f"{grid}/xCoordinates"], file[f"{grid}/yCoordinates"] = stack["easting"].values, stack["northing"].values
    file[f"{grid}/projection"] = code
    file[f"{grid}/centerFrequency"] = _LIGHT / attributes["wavelength"]
    file[f"{_WHO}/trackNumber"], file[f"{_WHO}/frameNumber"] = np.uint8(attributes["track"]), attributes["burst"]
    file[f"{_WHO}/orbitPassDirection"] = np.bytes_(attributes["orbit"].capitalize())
    file[f"{_WHO}/zeroDopplerStartTime"] = np.bytes_(f"{day}T05:00:00.000000000")
    for name, values in (("time", orbit.seconds), ("position", orbit.position), ("velocity", orbit.velocity)):
        file[f"{_ROOT}/metadata/orbit/{name}"] = values
    bounds = [
        (low - _MARGIN, high + _MARGIN)
        for low, high in (
            (float(stack[name].min()), float(stack[name].max())) for name in ("height", "northing", "easting")
        )
    ]
    height, y, x = (np.linspace(*each, count) for each, count in zip(bounds, _CUBE, strict=True))
    y = y[::-1]
    places = [each.ravel() for each in np.meshgrid(height, y, x, indexing="ij")]
    longitude, latitude = Transformer.from_crs(attributes["crs"], "EPSG:4326", always_xy=True).transform(*places[:0:-1])
    ground = earth_fixed(latitude, longitude, places[0])
    look = look_vectors(ground, orbit.sight(ground).position)
    cubes = f"{_ROOT}/metadata/radarGrid"
    for name, values in (("heightAboveEllipsoid", height), ("yCoordinates", y), ("xCoordinates", x)):
        file[f"{cubes}/{name}"] = values
    file[f"{cubes}/projection"] = code
    for name, values in zip(("losUnitVectorX", "losUnitVectorY"), look, strict=False):
        file[f"{cubes}/{name}"] = values.reshape(_CUBE).astype(np.float32)
    file[f"{cubes}/incidenceAngle"] = np.degrees(np.arccos(look[2])).reshape(_CUBE).astype(np.float32)


def _write_heights(path: Path, stack: xr.Dataset) -> None:
    x, y = stack["easting"].values, stack["northing"].values
    step = x[1] - x[0], y[1] - y[0]
    transform = rasterio.Affine(step[0], 0, x[0] - step[0] / 2, 0, step[1], y[0] - step[1] / 2)
    with atomic_raster(path) as temporary, rasterio.open(
        temporary, "w", driver="GTiff", dtype="float32", count=1, height=len(y), width=len(x),
        crs=stack.attrs["crs"], transform=transform,
    ) as file:  # fmt: skip
        file.write(stack["height"].values.astype(np.float32), 1)
