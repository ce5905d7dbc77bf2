"""Writing stacks in other layouts, window by window."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from groundshift.grid.tiles import tile_plan
from groundshift.io.files import SteadyFile

SIDE = 256
"""Lines and pixels of a window: a chunk of our own Zarr."""

Sink = Callable[[slice, slice, np.ndarray], None]


def pour(stack: xr.Dataset, sinks: Sequence[Sink]) -> None:
    """Give the pixels of all dates to as many functions of rows, columns and values, window by window."""
    for tile in tile_plan((stack.sizes["y"], stack.sizes["x"]), SIDE):
        block = stack["slc"][:, *tile.box.slices].values
        for sink, values in zip(sinks, block, strict=True):
            sink(*tile.box.slices, values)


def new_hdf5(path: Path, ends: ExitStack) -> h5py.File:
    """A new HDF5 file, closed at the end of `ends`; OSError then, and no crash, if the disk did not take all of it."""
    return ends.enter_context(h5py.File(ends.enter_context(SteadyFile(path)), "w"))


def empty_binary(path: Path, shape: tuple[int, ...], dtype: str) -> np.memmap:
    """A flat binary file of zeros to write into; its folder is made. All of its space is taken now.

    Raises
    ------
    OSError
        If the disk has not so much: a hole that could not be filled later would end the process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if hasattr(os, "posix_fallocate"):
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, int(np.prod(shape)) * np.dtype(dtype).itemsize)
        return np.memmap(path, dtype, "r+", shape=shape)
    return np.memmap(path, dtype, "w+", shape=shape)
