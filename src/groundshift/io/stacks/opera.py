"""Coregistered single-look complex bursts on a map, in HDF5: OPERA CSLC-S1, and what COMPASS (ISCE3) writes.

One file a date, `OPERA_L2_CSLC-S1_T064-135518-IW1_20230101T…h5` or `t064_135518_iw1_20230101.h5`, with the image in
`/data/VV` (older COMPASS: `/science/SENTINEL1/CSLC/grids/VV`), and one file of static layers a burst with the look
vector from the ground to the satellite (`los_east`, `los_north`; older COMPASS: `incidence` and `heading`) and in some
versions the height `z`. Baselines and ranges follow from the state vectors in `/metadata/orbit`.

The files hold images from which exp(−4πi R/λ) of each date's own range R to the height model has been taken
("flattened"), so the phase that is left has the sign of the canonical stack, and is left as it is.

Sources: OPERA Level-2 CSLC-S1 product specification (JPL D-108278); COMPASS, `h5_helpers.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import h5py
import numpy as np
import xarray as xr
from pyproj import CRS

from groundshift.errors import InputError
from groundshift.io.dates import date_in
from groundshift.io.files import atomic_folder
from groundshift.io.stacks.lazy import hdf5, map_places, open_hdf5
from groundshift.io.stacks.mapped import check_alike, check_flattened, check_on_map, on_map, put, spacings
from groundshift.io.stacks.orbits import Orbit
from groundshift.io.stacks.parts import Image, Parts, assemble
from groundshift.io.stacks.pour import new_hdf5, pour
from groundshift.io.stacks.simulated import simulated_orbits
from groundshift.io.stacks.supplement import Supplement

LAYOUT = "opera"
_POLARISATIONS = ("VV", "HH", "VH", "HV")
_BURST_ID = re.compile(r"t?(\d{3})[-_](\d{6})[-_](iw[123])", re.IGNORECASE)
_BEAM, _ORBIT = 2.758273, 12 * 86_400 / 175  # s: bursts of a swath follow each other; an orbit
_FLATTENED = "ellipsoidal_flattening_applied", "topographic_flattening_applied"
_BURST = "metadata/processing_information/input_burst_metadata"


def matches(path: Path) -> bool:
    """Whether there are such files at a path."""
    return any(_kind(each) == "image" for each in _files(path)[:50])


def open_opera(path: str | Path, supplement: Supplement | None = None) -> xr.Dataset:
    """Open the dates of one burst, lazily; coordinates `easting` and `northing` and the attribute `crs` are added.

    Parameters
    ----------
    path
        Folder with the files of images and static layers, in it or below.
    supplement
        `burst` chooses among several, `height` gives the heights that the static layers of OPERA do not have.

    Raises
    ------
    InputError
        If there are several bursts and none was chosen, grids differ, or geometry is missing.
    """
    path, supplement = Path(path), supplement or Supplement()
    files = {kind: [each for each in _files(path) if _kind(each) == kind] for kind in ("image", "static")}
    bursts = sorted({_burst_of(each) for each in files["image"]})
    chosen = _normal(supplement.burst) if supplement.burst else bursts[0]
    if len(bursts) > 1 and not supplement.burst:
        raise InputError(
            f"{path} has {len(bursts)} bursts, {', '.join(bursts[:4])}; "
            f"choose one with groundshift stack --burst {bursts[0]}"
        )
    images = [each for each in files["image"] if _burst_of(each) == chosen]
    static = [each for each in files["static"] if _burst_of(each) == chosen]
    if not images:
        raise InputError(f"{path} has no image of burst {chosen}; it has {', '.join(bursts)}")
    facts = {each: _facts(each, supplement.polarisation) for each in images}
    first = facts[images[0]]
    for each in images[1:]:
        if not (_same(facts[each]["x"], first["x"]) and _same(facts[each]["y"], first["y"])):
            raise InputError(f"{each} is on another grid than {images[0]}; keep files of one product version")
    check_alike({each: found["crs"] for each, found in facts.items()}, "CRS")
    check_alike({each: found["name"].rsplit("/")[-1] for each, found in facts.items()}, "polarisation")
    check_alike({each: found["wavelength"] for each, found in facts.items()}, "wavelength", " m")
    if supplement.flattened is None:
        for each, found in facts.items():
            check_flattened(each, found["flattened"])
    layers = {name: each.lazy() for name, each in map_places(first["x"], first["y"], first["crs"]).items()}
    layers |= _static_layers(static[0], first) if static else {}
    track, number, swath = _BURST_ID.search(chosen).groups()
    spacing = spacings(first["crs"], first["x"], first["y"])
    parts = Parts(
        path=path,
        layout=LAYOUT,
        images=[Image(facts[each]["date"], hdf5(each, facts[each]["name"]), each) for each in images],
        flattened=True,
        layers=layers,
        attributes={
            "wavelength": first["wavelength"], "range_spacing": spacing[0],
            "azimuth_spacing": spacing[1], "track": int(track), "burst": burst_in_orbit(int(number), int(track)),
            "swath": swath.upper(), "polarisation": first["name"].rsplit("/")[-1], "orbit": first["direction"],
            "source": f"CSLC {chosen}",
        },
        orbits={facts[each]["date"]: facts[each]["orbit"] for each in images},
        mapped=True,
        remedy="put the file of static layers (CSLC-S1-STATIC) of the burst into the folder, or give",
    )  # fmt: skip
    stack = assemble(parts, supplement)
    return on_map(stack, first["crs"], first["x"], first["y"])


def burst_in_orbit(number: int, track: int) -> int:
    """Number of a burst in its track, from the number that counts through all tracks (ESA burst identifier)."""
    return number - int(np.floor((track - 1) * _ORBIT / _BEAM))


def write_opera(path: str | Path, stack: xr.Dataset) -> None:
    """Write a stack on a map as OPERA does: a folder with a file a date, and one of static layers (with heights).

    State vectors are those of round orbits that have the look and the baselines of the stack.

    Raises
    ------
    ConfigurationError
        If the stack is not on a map: it has no coordinates `easting` and `northing`.
    InputError
        If `path` exists.
    """
    check_on_map(stack, "OPERA files")
    attributes = stack.attrs
    first = int(np.floor((attributes["track"] - 1) * _ORBIT / _BEAM))
    burst = f"T{attributes['track']:03d}-{first + attributes['burst']:06d}-{attributes['swath']}"
    days = stack["time"].values.astype("datetime64[D]")
    with atomic_folder(path) as folder, ExitStack() as ends:
        files = []
        for day, orbit in zip(days, simulated_orbits(stack), strict=True):
            stamp = str(day).replace("-", "")
            name = f"OPERA_L2_CSLC-S1_{burst}_{stamp}T050000Z_{stamp}T120000Z_S1A_{attributes['polarisation']}_v1.0.h5"
            file = new_hdf5(folder / name, ends)
            _write_grid(file, stack)
            file.create_dataset(f"data/{attributes['polarisation']}", stack["slc"].shape[1:], np.complex64, chunks=True)
            _write_facts(file, stack, day, burst, orbit)
            files.append(file)
        pixels = [file[f"data/{attributes['polarisation']}"] for file in files]
        pour(stack, [partial(put, each) for each in pixels])
        file = new_hdf5(folder / f"OPERA_L2_CSLC-S1-STATIC_{burst}_20140403_S1A_v1.0.h5", ends)
        _write_grid(file, stack)
        for name, layer in (("los_east", "los_east"), ("los_north", "los_north"), ("z", "height")):
            file.create_dataset(f"data/{name}", data=stack[layer].values.astype(np.float32))
        file["identification/burst_id"] = _normal(burst)


def _files(path: Path) -> list[Path]:
    return [path] if path.suffix == ".h5" and path.is_file() else sorted(path.rglob("*.h5")) if path.is_dir() else []


def _kind(path: Path) -> str | None:
    if not _BURST_ID.search(path.name):
        return None
    return "static" if "static" in path.name.lower() else "image"


def _normal(burst: str) -> str:
    found = _BURST_ID.search(burst)
    if not found:
        raise InputError(f"{burst!r} is no burst; expected one such as T064-135518-IW1")
    return "t{}_{}_{}".format(*found.groups()).lower()


def _burst_of(path: Path) -> str:
    return _normal(path.name)


def _same(first: np.ndarray, second: np.ndarray) -> bool:
    return first.shape == second.shape and np.allclose(first, second, rtol=0, atol=1e-3)


def _facts(path: Path, polarisation: str | None) -> dict[str, Any]:
    """What one file says of itself; older and newer files have the same names in other groups."""
    with open_hdf5(path) as file:
        names = _names(file)
        found = [each for each in _POLARISATIONS if each in names and file[names[each]].dtype.kind == "c"]
        if not found or (polarisation and polarisation not in found):
            raise InputError(f"{path} has no image {polarisation or 'VV or HH'}; it has {found or sorted(names)[:9]}")
        name = names[polarisation or found[0]]
        return {
            "name": name,
            **_grid(file, name),
            "date": date_in(_text(file, names, "zero_doppler_start_time")[:10]),
            "wavelength": float(_value(file, names, "wavelength", path)),
            "direction": _text(file, names, "orbit_pass_direction").lower(),
            "flattened": [file[names[each]][()] for each in _FLATTENED if each in names],
            "orbit": _orbit(file, names, path),
        }


def _names(file: h5py.File) -> dict[str, str]:
    """Paths of data sets by their last part."""
    found: dict[str, str] = {}
    file.visititems(lambda path, item: found.setdefault(path.rsplit("/")[-1], path) and None
                    if isinstance(item, h5py.Dataset) else None)  # fmt: skip
    return found


def _value(file: h5py.File, names: Mapping[str, str], name: str, path: Path) -> Any:
    if name not in names:
        raise InputError(f"{path} has no {name!r}; expected a CSLC of OPERA or COMPASS with its metadata")
    return file[names[name]][()]


def _text(file: h5py.File, names: Mapping[str, str], name: str) -> str:
    value = _value(file, names, name, Path(file.filename))
    return value.decode() if isinstance(value, bytes) else str(value)


def _grid(file: h5py.File, image: str) -> dict[str, Any]:
    """Coordinates and CRS from the group of an image, or from the one above it."""
    group = image.rsplit("/", 1)[0]
    for place in (group, group.rsplit("/", 1)[0]):
        if all(f"{place}/{name}" in file for name in ("x_coordinates", "y_coordinates", "projection")):
            x, y = (file[f"{place}/{name}_coordinates"][()].astype(np.float64) for name in "xy")
            return {"x": x, "y": y, "crs": f"EPSG:{int(file[f'{place}/projection'][()])}"}
    raise InputError(f"{file.filename} has no x_coordinates, y_coordinates and projection beside {image}")


def _orbit(file: h5py.File, names: Mapping[str, str], path: Path) -> Orbit:
    if "position_x" not in names:
        raise InputError(f"{path} has no state vectors (metadata/orbit); expected a CSLC of OPERA or COMPASS")
    position, velocity = (
        np.stack([file[names[f"{kind}_{axis}"]][()] for axis in "xyz"], axis=1) for kind in ("position", "velocity")
    )
    return Orbit(file[names["position_x"].rsplit("/", 1)[0]]["time"][()], position, velocity)


def _static_layers(path: Path, first: Mapping[str, Any]) -> dict[str, da.Array]:
    with open_hdf5(path) as file:
        names = _names(file)
        kept = next((name for name in ("los_east", "incidence", "z") if name in names), None)
        if kept is None:
            raise InputError(
                f"{path} has none of los_east, incidence and z; expected static layers of OPERA or COMPASS"
            )
        grid = _grid(file, names[kept])
    if not (_same(grid["x"], first["x"]) and _same(grid["y"], first["y"])):
        raise InputError(f"{path} is on another grid than the images; take static layers of the same product version")
    found = {name: hdf5(path, names[name]).lazy() for name in ("los_east", "los_north") if name in names}
    if {"incidence", "heading"} <= set(names) and not found:
        incidence, heading = (da.radians(hdf5(path, names[name]).lazy()) for name in ("incidence", "heading"))
        # heading of the flight, to the left from east; the satellite is to the left of it as seen from the ground
        found = {"los_east": -da.sin(incidence) * da.sin(heading), "los_north": da.sin(incidence) * da.cos(heading)}
    if "z" in names:
        found["height"] = hdf5(path, names["z"]).lazy()
    return found


def _write_grid(file: h5py.File, stack: xr.Dataset) -> None:
    file["data/x_coordinates"] = stack["easting"].values
    file["data/y_coordinates"] = stack["northing"].values
    file["data/projection"] = np.int32(CRS.from_user_input(stack.attrs["crs"]).to_epsg())


def _write_facts(file: h5py.File, stack: xr.Dataset, day: np.datetime64, burst: str, orbit: Orbit) -> None:
    attributes = stack.attrs
    file["identification/burst_id"] = np.bytes_(_normal(burst))
    file["identification/track_number"] = attributes["track"]
    file["identification/orbit_pass_direction"] = np.bytes_(attributes["orbit"])
    file["identification/zero_doppler_start_time"] = np.bytes_(f"{day} 05:00:00.000000")
    file[f"{_BURST}/wavelength"] = attributes["wavelength"]
    file["metadata/orbit/time"] = orbit.seconds
    file["metadata/orbit/reference_epoch"] = np.bytes_(f"{day} 05:00:00.000000")
    for kind, values in (("position", orbit.position), ("velocity", orbit.velocity)):
        for axis, each in zip("xyz", values.T, strict=True):
            file[f"metadata/orbit/{kind}_{axis}"] = each
