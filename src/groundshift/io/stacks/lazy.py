"""Images that are read window by window when they are used."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import h5py
import numpy as np
import zarr
from pyproj import Transformer
from scipy import ndimage

from groundshift.errors import GroundshiftError, InputError
from groundshift.grid.tiles import Box
from groundshift.io.chunks import naming_chunk, refuse_cut
from groundshift.io.rasters import open_raster, read_window
from groundshift.model.longitude import beside, within_180

CHUNK = 512
"""Lines and pixels that are read at once."""

_EXACT = 16  # pixels of a map from one exact place to the next

Read = Callable[[slice, slice], np.ndarray]


@dataclass(frozen=True)
class Windows:
    """An image, (y, x), as a function that reads a window of it, given slices with ends and positive steps."""

    read: Read
    shape: tuple[int, int]
    dtype: np.dtype
    ndim: int = 2

    def __getitem__(self, key: Any) -> np.ndarray:
        slices, rest = zip(*(_forward(each, size) for each, size in zip(key, self.shape, strict=True)), strict=True)
        if any(each.start == each.stop for each in slices):
            return np.empty([each.stop - each.start for each in slices], self.dtype)[rest]
        return np.asarray(self.read(*slices)[rest], self.dtype)

    def lazy(self, chunk: int = CHUNK) -> da.Array:
        """The same as dask array."""
        meta = np.empty((0, 0), self.dtype)
        return da.from_array(self, chunks=(chunk, chunk), name=False, asarray=False, fancy=False, meta=meta)


def raster(path: str | Path, *, band: int = 1, dtype: Any = None) -> Windows:
    """A band of a file that GDAL opens; real numbers that the file says are no data are NaN.

    Raises
    ------
    InputError
        If it cannot be opened, or is shorter than its header says.
    """
    with open_raster(str(path)) as dataset:
        if band > dataset.count:
            raise InputError(f"{path} has {dataset.count} bands; expected {band} or more")
        shape, kind, nodata = dataset.shape, np.dtype(dtype or dataset.dtypes[band - 1]), dataset.nodatavals[band - 1]
    if nodata is not None and kind.kind in "iu":
        kind = np.result_type(kind, np.float32)
    found = Windows(partial(_read_raster, str(path), band), shape, kind)
    return without(found, nodata) if kind.kind != "c" else found


def binary(path: str | Path, shape: tuple[int, int], dtype: Any, *, bands: int = 1, band: int = 1) -> Windows:
    """A band of a flat binary file whose bands are interleaved line by line.

    Raises
    ------
    InputError
        If the file is missing, or shorter than its header says.
    """
    path, dtype = Path(path), np.dtype(dtype)
    needed = shape[0] * bands * shape[1] * dtype.itemsize
    if not path.is_file():
        raise InputError(f"{path} does not exist; its header does: copy both")
    if path.stat().st_size < needed:
        raise InputError(
            f"{path} has {path.stat().st_size} bytes; its header speaks of {bands} x {shape[0]} x {shape[1]} {dtype}, "
            f"{needed} bytes: it is truncated, copy it again"
        )
    whole = shape[0], bands, shape[1]
    return Windows(partial(_read_binary, path, whole, dtype, band - 1), shape, dtype.newbyteorder("="))


def without(image: Windows, nodata: float | None) -> Windows:
    """An image of real numbers, NaN where it has one that is no data; the same image if that is None."""
    return image if nodata is None else Windows(partial(_read_known, image, nodata), image.shape, image.dtype)


@contextmanager
def open_hdf5(path: str | Path, where: str = "") -> Iterator[h5py.File]:
    """Open an HDF5 file to read from; what goes wrong until the block ends is an InputError that names the file."""
    try:
        with h5py.File(path) as file:
            yield file
    except GroundshiftError:
        raise
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} cannot be read as HDF5{where} ({error}); it is truncated or corrupt: fetch it again"
        ) from error


def hdf5(path: str | Path, name: str) -> Windows:
    """A data set (y, x) of an HDF5 file; pairs of real numbers, as images of half precision have, are complex."""
    with open_hdf5(path) as file:
        shape, dtype = file[name].shape, file[name].dtype
    if dtype.names == ("r", "i"):
        return Windows(partial(_read_pairs, str(path), name), shape, np.dtype(np.complex64))
    return Windows(partial(_read_hdf5, str(path), name), shape, dtype)


def zarr_array(path: str | Path) -> Windows:
    """An array (y, x) in a Zarr folder of version 2, of either byte order."""
    array = _zarr(str(path))
    return Windows(partial(_read_zarr, str(path)), array.shape, np.dtype(array.dtype).newbyteorder("="))


def complex_of(real: Windows, imaginary: Windows) -> Windows:
    """A complex image from its parts."""
    return Windows(partial(_read_complex, real, imaginary), real.shape, np.dtype(np.complex64))


def map_places(x: np.ndarray, y: np.ndarray, crs: Any) -> dict[str, Windows]:
    """Latitude and longitude of the pixels of a map, from the coordinates of columns and rows."""
    shape = len(y), len(x)
    return {
        name: Windows(partial(_read_place, x, y, str(crs), part), shape, np.dtype(np.float64))
        for part, name in enumerate(("longitude", "latitude"))
    }


def tie_points(
    grid: np.ndarray,
    *,
    offset: tuple[float, float],
    step: tuple[float, float],
    shape: tuple[int, int],
    longitude: bool = False,
) -> Windows:
    """A coarse grid interpolated linearly; its first node lies at `offset` (line, pixel), the next a `step` on.

    With `longitude` they are degrees east, which may pass 180.
    """
    nodes = np.asarray(grid, np.float64)
    read = partial(_read_nodes, nodes, offset, step)
    if longitude:
        read = partial(_read_longitudes, _continuous(nodes), offset, step)
    return Windows(read, shape, np.dtype(np.float64))


def _continuous(longitude: np.ndarray) -> np.ndarray:
    """Longitudes without the jump at 180 degrees; the same ones where there is none."""
    if np.ptp(longitude) <= 180:
        return longitude
    return beside(longitude, longitude.flat[0])


def _forward(key: Any, size: int) -> tuple[slice, Any]:
    """A slice with ends and a positive step, and the index that makes of it what was asked for."""
    if not isinstance(key, slice):
        number = operator.index(key)
        number += size if number < 0 else 0
        return slice(number, number + 1, 1), 0
    numbers = range(*key.indices(size))
    if not numbers:
        return slice(0, 0, 1), slice(None)
    low, high = min(numbers[0], numbers[-1]), max(numbers[0], numbers[-1])
    return slice(low, high + 1, abs(numbers.step)), slice(None, None, 1 if numbers.step > 0 else -1)


def _read_raster(path: str, band: int, rows: slice, columns: slice) -> np.ndarray:
    whole = read_window(path, (band,), Box(rows.start, columns.start, rows.stop, columns.stop))[0]
    return whole[:: rows.step, :: columns.step]


def _read_known(image: Windows, nodata: float, rows: slice, columns: slice) -> np.ndarray:
    values = image[rows, columns]
    return np.where(values == nodata, np.nan, values)


def _read_binary(
    path: Path, whole: tuple[int, int, int], dtype: np.dtype, band: int, rows: slice, columns: slice
) -> np.ndarray:
    return np.array(np.memmap(path, dtype, "r", shape=whole)[rows, band, columns])


def _read_hdf5(path: str, name: str, rows: slice, columns: slice) -> np.ndarray:
    with open_hdf5(path, f" in {name}") as file:
        return file[name][rows, columns]


def _read_pairs(path: str, name: str, rows: slice, columns: slice) -> np.ndarray:
    pairs = _read_hdf5(path, name, rows, columns)
    return (pairs["r"].astype(np.float32) + 1j * pairs["i"].astype(np.float32)).astype(np.complex64)


def _zarr(path: str) -> zarr.Array:
    return zarr.open_array(path, mode="r", zarr_format=2)


def _read_zarr(path: str, rows: slice, columns: slice) -> np.ndarray:
    refuse_cut(Path(path), (rows, columns))
    with naming_chunk(Path(path), (rows, columns)):
        return np.asarray(_zarr(path)[rows, columns])


def _read_complex(real: Windows, imaginary: Windows, rows: slice, columns: slice) -> np.ndarray:
    return (real[rows, columns] + 1j * imaginary[rows, columns]).astype(np.complex64)


def _read_place(x: np.ndarray, y: np.ndarray, crs: str, part: int, rows: slice, columns: slice) -> np.ndarray:
    """Exact at every sixteenth column and row, and linear between: to a tenth of a millimetre with pixels of 5 m."""
    (down, some_y), (across, some_x) = (_between(each) for each in (y[rows], x[columns]))
    nodes = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(*np.meshgrid(some_x, some_y))[part]
    return within_180(down @ _continuous(nodes) @ across.T) if part == 0 else down @ nodes @ across.T


def _between(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights that make evenly spaced values (n,) from some of them, (n, k), and those, (k,)."""
    at = np.unique(np.append(np.arange(0, len(values), _EXACT), len(values) - 1))
    weights = [np.interp(np.arange(len(values)), at, row) for row in np.eye(len(at))]
    return np.stack(weights, axis=1), values[at]


def _read_nodes(
    grid: np.ndarray, offset: tuple[float, float], step: tuple[float, float], rows: slice, columns: slice
) -> np.ndarray:
    at = [
        (np.arange(each.start, each.stop, each.step) - first) / by
        for each, first, by in zip((rows, columns), offset, step, strict=True)
    ]
    return ndimage.map_coordinates(grid, np.meshgrid(*at, indexing="ij"), order=1, mode="nearest")


def _read_longitudes(
    grid: np.ndarray, offset: tuple[float, float], step: tuple[float, float], rows: slice, columns: slice
) -> np.ndarray:
    return within_180(_read_nodes(grid, offset, step, rows, columns))
