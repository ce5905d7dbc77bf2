"""What layouts of images on a map have in common: eastings and northings instead of range and azimuth."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import xarray as xr

from groundshift.errors import ConfigurationError


def on_map(stack: xr.Dataset, crs: str, x: np.ndarray, y: np.ndarray) -> xr.Dataset:
    """The stack with its coordinates `easting` and `northing`, m, its `crs`, and pixels across in slant range."""
    slant = np.sin(np.radians(np.nanmedian(stack["incidence"][:: max(1, stack.sizes["y"] // 9)].values)))
    stack.attrs |= {"crs": crs, "range_spacing": float(abs(x[1] - x[0]) * slant)}
    return stack.assign_coords(easting=("x", x), northing=("y", y))


def check_on_map(stack: xr.Dataset, files: str) -> None:
    """ConfigurationError, which names the `files` that were to be written, if a stack is not on a map."""
    if not {"easting", "northing"} <= set(stack.coords):
        raise ConfigurationError(f"{files} are on a map; make one of the stack first, with geocoded(stack)")


def put(data: h5py.Dataset, rows: slice, columns: slice, values: Any) -> None:
    """A sink of :func:`groundshift.io.stacks.pour.pour`."""
    data[rows, columns] = values
