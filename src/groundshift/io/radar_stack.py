"""Radar stacks on disk: Zarr of version 3, all dates of 256 x 256 pixels in a chunk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from groundshift.errors import InputError
from groundshift.io.chunks import lazy_cube
from groundshift.io.files import flush_folder, naming, temporary_folder
from groundshift.model.radar_stack import check_stack

CHUNK = 256
"""Lines and pixels of a chunk."""

_COMPRESSORS = BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle"), Crc32cCodec()
_MARKER = "zarr.json"  # what makes a folder a Zarr group
_COUNTED = "chunk_files"  # attribute of a group that is whole: files of chunks, by array


def write_stack(path: str | Path, stack: xr.Dataset) -> None:
    """Write a stack as Zarr: the whole folder or none. A Zarr folder that is there already is replaced.

    A lazy stack is computed a few chunks at a time; memory stays bounded if its own chunks are windows of the image
    too, and not whole images.

    Raises
    ------
    ContractError
        If it fails :func:`~groundshift.model.radar_stack.check_stack`.
    InputError
        If `path` holds something else than Zarr.
    """
    check_stack(stack)
    write_cube(path, stack)


def open_stack(path: str | Path) -> xr.Dataset:
    """Open a stack that :func:`write_stack` wrote, or anything like it; pixels are read when they are used (dask).

    Raises
    ------
    InputError
        If there is no Zarr group at `path`.
    ContractError
        If it is not a stack.
    """
    stack = open_cube(path)
    check_stack(stack)
    return stack


def write_cube(path: str | Path, cube: xr.Dataset) -> None:
    """Write any data set on (…, y, x) in chunks of 256 x 256 pixels; see :func:`write_stack`."""
    with _replacing(path) as temporary:
        cube = cube.chunk({name: CHUNK if name in ("y", "x") else -1 for name in cube.sizes})
        cube.drop_encoding().to_zarr(temporary, zarr_format=3, consolidated=False, encoding=_encoding(cube))


def open_cube(path: str | Path) -> xr.Dataset:
    """Open what :func:`write_cube` or :func:`cube_writer` wrote, as :func:`~groundshift.io.chunks.lazy_cube` does.

    Raises
    ------
    InputError
        If there is no Zarr group at `path`, or it lost chunks since it was written, which Zarr would take for empty.
    """
    if not (Path(path) / _MARKER).is_file():
        raise InputError(f"{path} is no Zarr folder of version 3; expected one with {_MARKER} in it: check the path")
    try:
        cube = xr.open_dataset(path, engine="zarr", cache=False, zarr_format=3, consolidated=False)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            f"{path} cannot be opened as Zarr ({type(error).__name__}: {error}); it is truncated or corrupt: write or "
            "fetch it again"
        ) from error
    _refuse_lost(Path(path), cube.attrs.pop(_COUNTED, {}))
    return lazy_cube(path, cube)


@contextmanager
def cube_writer(path: str | Path, template: xr.Dataset) -> Iterator[Callable[[dict[str, Any], slice, slice], None]]:
    """Write a data set window by window: for what does not fit into memory.

    Parameters
    ----------
    template
        Shape and type of all that is on (…, y, x), whose values are not looked at; all else is written as it is.

    Yields
    ------
    write
        `write(arrays, rows, columns)` writes arrays, by name, to a window. Windows whose sides are multiples of 256
        are quickest, and only such may be written at the same time. Windows never written are 0.
    """
    with _replacing(path) as temporary:
        lay_out_cube(temporary, template)
        yield partial(write_window, temporary)


def lay_out_cube(folder: Path, template: xr.Dataset) -> None:
    """Write a data set but for what is on (…, y, x), which is 0 until windows are written; see :func:`cube_writer`."""
    shapes = {name: xr.zeros_like(each.chunk(-1)) for name, each in template.items() if _is_image(each)}
    rest = template.drop_vars(shapes).compute()  # what is lazy is not written below
    with naming(folder):
        rest.assign(shapes).drop_encoding().to_zarr(
            folder, zarr_format=3, consolidated=False, encoding=_encoding(template), compute=False
        )


def write_window(folder: Path, arrays: Mapping[str, Any], rows: slice, columns: slice) -> None:
    """Write arrays, by name, to a window of what :func:`lay_out_cube` wrote."""
    group = zarr.open_group(folder, mode="r+", zarr_format=3)
    for name, values in arrays.items():
        with naming(folder / name):
            group[name][..., rows, columns] = values


def put_in_place(folder: Path, path: Path) -> None:
    """Give a Zarr folder that is whole its name, when all of it is on the disk; a Zarr folder that had the name is left
    beside, as `before`."""
    zarr.open_group(folder, mode="r+", zarr_format=3).attrs[_COUNTED] = _chunk_files(folder)
    flush_folder(folder)
    if path.exists():
        path.replace(folder.with_name("before"))
    folder.replace(path)


def _chunk_files(folder: Path) -> dict[str, int]:
    """How many files of chunks each array of a group has."""
    arrays = (each.parent for each in sorted(folder.glob(f"*/{_MARKER}")))
    return {each.name: sum(len(files) for _, _, files in os.walk(each / "c")) for each in arrays}


def _refuse_lost(path: Path, counted: Mapping[str, int]) -> None:
    """InputError if there are fewer files of chunks than were counted."""
    found = _chunk_files(path) if counted else {}
    for name, count in counted.items():
        if found.get(name, 0) < count:
            raise InputError(
                f"{path}/{name} has {found.get(name, 0)} files of chunks, {count} were written; a copy of it was "
                "interrupted, or some were deleted: write or fetch it again"
            )


def check_free(path: Path) -> None:
    """Raise InputError if there is something at `path` that is no Zarr folder."""
    if path.exists() and not (path / _MARKER).is_file():
        raise InputError(f"{path} is there and is no Zarr folder; choose another name, or remove it")


def _encoding(cube: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Chunks and compression of what is on (…, y, x)."""
    encoding = {}
    for name, each in cube.data_vars.items():
        if _is_image(each):
            chunks = tuple(min(CHUNK, size) if dim in ("y", "x") else size for dim, size in each.sizes.items())
            encoding[name] = {"chunks": chunks, "compressors": _COMPRESSORS}
    return encoding


def _is_image(array: xr.DataArray) -> bool:
    return array.dims[-2:] == ("y", "x")


@contextmanager
def _replacing(path: str | Path) -> Iterator[Path]:
    """Give a folder to write beside `path`; put it in its place when the block ends well, else leave nothing."""
    path = Path(path)
    check_free(path)
    with naming(path), temporary_folder(path) as folder:
        temporary = folder / path.name
        yield temporary
        put_in_place(temporary, path)
