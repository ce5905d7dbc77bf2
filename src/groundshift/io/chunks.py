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

_BLOSC_HEAD = 16  # bytes; the last four say how many the chunk has, with these


@dataclass(frozen=True)
class _Reader:
    """A variable of a Zarr group that is read when it is indexed."""

    path: Path  # of its array
    variable: xr.Variable
    unchecked: bool  # see `refuse_cut`

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
        if self.unchecked:
            refuse_cut(self.path, key)
        with naming_chunk(self.path, key):
            return self.variable[key].values


def lazy_cube(path: str | Path, cube: xr.Dataset) -> xr.Dataset:
    """A data set that was opened from a Zarr group, in dask arrays of the chunks on the disk.

    Computing one raises InputError if a chunk cannot be unpacked.
    """
    names = [name for name in cube.variables if name not in cube.indexes and cube[name].ndim]
    return cube.assign({name: _lazy(Path(path) / str(name), cube[name].variable) for name in names})


def _lazy(path: Path, variable: xr.Variable) -> xr.Variable:
    reader = _Reader(path, variable, _ends_in_blosc(variable.encoding.get("compressors")))
    array = da.from_array(
        reader, chunks=variable.encoding["chunks"], name=False, asarray=False, fancy=False,
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


def refuse_cut(path: Path, key: Any) -> None:
    """Raise InputError if a chunk of part of the array at a path is shorter than it says, as one that was cut is.

    Blosc reads on behind the end of such a chunk, and ends the process, where no checksum is looked at before.
    """
    array = zarr.open_array(path, mode="r")
    if not _ends_in_blosc(array.compressors) or array.shards is not None:
        return
    for place in _places(array, key):
        chunk = path / array.metadata.encode_chunk_key(place)
        if not chunk.is_file():  # all of it is the fill value
            continue
        with chunk.open("rb") as file:
            head = file.read(_BLOSC_HEAD)
        said = int.from_bytes(head[-4:], "little")
        if len(head) < _BLOSC_HEAD or chunk.stat().st_size < said:
            raise InputError(
                f"{chunk} cannot be unpacked: it has {chunk.stat().st_size} bytes and says {said}; it is truncated or "
                "corrupt: write or fetch it again"
            )


def _ends_in_blosc(compressors: Any) -> bool:
    """Whether chunks are what Blosc made of them, without a checksum."""
    return bool(compressors) and type(compressors[-1]).__name__ in ("Blosc", "BloscCodec")


def _broken(path: Path, key: Any) -> Path:
    """The first chunk of a part of an array that cannot be read; the array, if all of them can now."""
    array = zarr.open_array(path, mode="r")
    for place in _places(array, key):
        try:
            array[tuple(slice(k * side, (k + 1) * side) for k, side in zip(place, array.chunks, strict=True))]
        except Exception:  # noqa: BLE001  (a codec can fail in any way)
            return path / array.metadata.encode_chunk_key(place)
    return path


def _places(array: zarr.Array, key: Any) -> Iterator[tuple[int, ...]]:
    """Numbers of the chunks that part of an array lies in."""
    spans = []
    for each, size, side in zip(key, array.shape, array.chunks, strict=True):
        numbers = range(*each.indices(size)) if isinstance(each, slice) else [int(each)]
        spans.append(range(min(numbers, default=0) // side, max(numbers, default=-1) // side + 1))
    return itertools.product(*spans)
