"""Arrays in Zarr, read so that a chunk which does not unpack is named."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
import zarr

from groundshift.errors import GroundshiftError, InputError


@dataclass(frozen=True)
class _Reader:
    """A variable of a Zarr group that is read when it is indexed."""

    path: Path  # of its array
    variable: xr.Variable

    @property
    def shape(self) -> tuple[int, ...]:
        return self.variable.shape

    @property
    def dtype(self) -> np.dtype:
        return self.variable.dtype

    @property
    def ndim(self) -> int:
        return self.variable.ndim

    def __getitem__(self, key: Any) -> np.ndarray:
        with naming_chunk(self.path, key):
            return self.variable[key].values


def lazy_cube(path: str | Path, cube: xr.Dataset) -> xr.Dataset:
    """A data set that was opened from a Zarr group, in dask arrays of the chunks on the disk.

    Computing one raises InputError if a chunk cannot be unpacked.
    """
    names = [name for name in cube.variables if name not in cube.indexes and cube[name].ndim]
    return cube.assign({name: _lazy(Path(path) / str(name), cube[name].variable) for name in names})


def _lazy(path: Path, variable: xr.Variable) -> xr.Variable:
    array = da.from_array(
        _Reader(path, variable), chunks=variable.encoding["chunks"], name=False, asarray=False, fancy=False,
        meta=np.empty((0,) * variable.ndim, variable.dtype),
    )  # fmt: skip
    return xr.Variable(variable.dims, array, variable.attrs, variable.encoding)


@contextlib.contextmanager
def naming_chunk(path: Path, key: Any) -> Iterator[None]:
    """What goes wrong while part of the array at a path is unpacked, as InputError that names the chunk.

    Parameters
    ----------
    key
        The part: slices and numbers, an axis each.
    """
    try:
        yield
    except (GroundshiftError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the machine, and says which file
            raise
        raise InputError(
            f"{_broken(path, key)} cannot be unpacked ({type(error).__name__}: {error}); it is truncated or corrupt: "
            "write or fetch it again"
        ) from error


def _broken(path: Path, key: Any) -> Path:
    """The first chunk of a part of an array that cannot be read; the array, if all of them can now."""
    array = zarr.open_array(path, mode="r")
    spans = []
    for each, size, side in zip(key, array.shape, array.chunks, strict=True):
        numbers = range(*each.indices(size)) if isinstance(each, slice) else [int(each)]
        spans.append(range(min(numbers) // side, max(numbers) // side + 1))
    for place in itertools.product(*spans):
        try:
            array[tuple(slice(k * side, (k + 1) * side) for k, side in zip(place, array.chunks, strict=True))]
        except Exception:  # noqa: BLE001  (a codec can fail in any way)
            return path / array.metadata.encode_chunk_key(place)
    return path
