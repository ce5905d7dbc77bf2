"""What layouts of images on a map have in common: eastings and northings instead of range and azimuth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from pyproj import CRS, Geod

from groundshift.errors import ConfigurationError, InputError


def on_map(stack: xr.Dataset, crs: str, x: np.ndarray, y: np.ndarray) -> xr.Dataset:
    """The stack with its coordinates `easting` and `northing`, m, its `crs`, and pixels across in slant range."""
    slant = np.sin(np.radians(np.nanmedian(stack["incidence"][:: max(1, stack.sizes["y"] // 9)].values)))
    stack.attrs |= {"crs": crs, "range_spacing": spacings(crs, x, y)[0] * float(slant)}
    return stack.assign_coords(easting=("x", x), northing=("y", y))


def spacings(crs: str, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Metres from a column to the next, and from a row to the next; of degrees, in the middle."""
    across, down = float(abs(x[1] - x[0])), float(abs(y[1] - y[0]))
    if not CRS.from_user_input(crs).is_geographic:
        return across, down
    longitude, latitude = float(x[len(x) // 2]), float(y[len(y) // 2])
    ends = (longitude + across, latitude), (longitude, latitude - np.sign(latitude) * down)
    return tuple(float(Geod(ellps="WGS84").inv(longitude, latitude, *each)[2]) for each in ends)


def check_alike(said: Mapping[Path, Any], what: str, unit: str = "") -> None:
    """InputError, which names two files, if what they say differs."""
    first = next(iter(said))
    for path, value in said.items():
        if value != said[first]:
            raise InputError(
                f"{path} has the {what} {value}{unit}, {first} has {said[first]}{unit}; keep images that are alike"
            )


def check_flattened(path: Path, flags: Iterable[Any]) -> None:
    """InputError if a file says that the phase of its ranges was left in its image."""
    said = [each.decode() if isinstance(each, bytes) else str(each) for each in flags]
    if any(each.strip().lower() in ("false", "0") for each in said):
        raise InputError(
            f"{path} has the topographic phase in its image: it was made with flattening off; make it anew with it on, "
            "or say groundshift stack --flattened if the phase was taken out later"
        )


def check_on_map(stack: xr.Dataset, files: str) -> None:
    """ConfigurationError, which names the `files` that were to be written, if a stack is not on a map."""
    if not {"easting", "northing"} <= set(stack.coords):
        raise ConfigurationError(f"{files} are on a map; make one of the stack first, with geocoded(stack)")


def put(data: h5py.Dataset, rows: slice, columns: slice, values: Any) -> None:
    """A sink of :func:`groundshift.io.stacks.pour.pour`."""
    data[rows, columns] = values
