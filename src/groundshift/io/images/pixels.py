"""Images: one band on its grid, read box by box, with the reason of every pixel that cannot be used."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import rasterio
import xarray as xr
from odc.geo.geobox import GeoBox

from groundshift.grid.tiles import Box, tile_plan
from groundshift.io.dates import NO_DATE
from groundshift.io.images.quality import QualityLayer
from groundshift.io.rasters import read_window
from groundshift.model.reason import Reason

_MOST = np.float32(1e30)  # no image has such values: they stand for no data (-3.4e38), though the file does not say so
_BLOCK = 2048  # pixels: side of the blocks in which an array is hashed


class Pixels(NamedTuple):
    """A block of an image; both arrays have shape (y, x)."""

    values: np.ndarray  # float32, NaN where not usable
    reason: np.ndarray  # uint8, groundshift.model.reason.Reason, 0 where usable


class Image(Protocol):
    """One band of one image on its grid, read box by box; picklable, and opened anew in each worker."""

    @property
    def name(self) -> str:
        """For logs and provenance."""
        ...

    @property
    def grid(self) -> GeoBox:
        """Shape, affine and CRS."""
        ...

    @property
    def date(self) -> np.datetime64:
        """Day the image was taken, `datetime64[D]`, NaT if not known."""
        ...

    @property
    def track_angle(self) -> float | None:
        """Direction of the satellite's ground track, degrees clockwise from grid north; None if not known."""
        ...

    @property
    def inputs(self) -> tuple[str, ...]:
        """Paths or URLs of the files that are read; empty for an array."""
        ...

    def read(self, box: Box) -> Pixels:
        """Pixels of a box, which may reach beyond the image (NaN and `Reason.OUTSIDE` there)."""
        ...

    def fingerprint(self) -> str:
        """A hash that changes when the pixels may have changed: size and time of files, content of arrays."""
        ...


@dataclass(frozen=True)
class RasterImage:
    """One band of a raster file. See :class:`Image`."""

    name: str
    path: str
    band: int
    grid: GeoBox
    inputs: tuple[str, ...]
    date: np.datetime64 = NO_DATE
    track_angle: float | None = None
    nodata: float | None = None
    saturated: float | None = None
    has_mask: bool = False  # an alpha band or a mask beside the values
    quality: tuple[QualityLayer, ...] = ()
    cloud_mask: bool = True

    def read(self, box: Box) -> Pixels:
        """See :class:`Image`."""
        return _read(box, self.grid, self._inside)

    def _inside(self, box: Box) -> Pixels:
        raw = read_window(self.path, (self.band,), box)[0]
        pixels = _checked(raw, self.nodata)
        reason = pixels.reason
        if self.has_mask:
            _mark(reason, read_window(self.path, (self.band,), box, mask=True)[0] == 0, Reason.NO_DATA)
        if self.saturated is not None:
            _mark(reason, raw == self.saturated, Reason.SATURATED)
        for layer in self.quality:
            found = layer.read(self.grid[box.slices])
            marked = found != Reason.VALID if self.cloud_mask else ~np.isin(found, (Reason.VALID, Reason.CLOUD))
            _mark(reason, marked, found)
        pixels.values[reason != Reason.VALID] = np.nan
        return pixels

    def fingerprint(self) -> str:
        """See :class:`Image`."""
        states = [(path, _file_state(path)) for path in self.inputs]
        choice = (self.path, self.band, self.nodata, self.cloud_mask)
        return _hash(repr((states, choice, _grid_text(self.grid))).encode())


@dataclass(frozen=True, eq=False)
class ArrayImage:
    """An array in memory, or a lazy DataArray. See :class:`Image`."""

    name: str
    grid: GeoBox
    array: np.ndarray | xr.DataArray = field(repr=False)
    nodata: float | None = None
    date: np.datetime64 = NO_DATE
    track_angle: float | None = None
    inputs: tuple[str, ...] = ()

    def read(self, box: Box) -> Pixels:
        """See :class:`Image`."""
        return _read(box, self.grid, lambda inside: _checked(np.asarray(self.array[inside.slices]), self.nodata))

    def fingerprint(self) -> str:
        """See :class:`Image`."""
        digest = hashlib.sha256(f"{self.array.dtype} {self.nodata} {_grid_text(self.grid)}".encode())
        for tile in tile_plan(self.grid.shape, _BLOCK):
            digest.update(np.ascontiguousarray(self.array[tile.box.slices]))
        return digest.hexdigest()


def _read(box: Box, grid: GeoBox, inside: Callable[[Box], Pixels]) -> Pixels:
    """Read the part of the box inside the image; the rest is outside."""
    values = np.full(box.shape, np.nan, np.float32)
    reason = np.full(box.shape, Reason.OUTSIDE, np.uint8)
    part = box.clipped(grid.shape)
    if min(part.shape) > 0:
        place = part.shifted(-box.top, -box.left).slices
        values[place], reason[place] = inside(part)
    return Pixels(values, reason)


def _checked(raw: np.ndarray, nodata: float | None) -> Pixels:
    """Float values, NaN where the value is no data, not finite, or no measurement that there could be."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = raw.astype(np.float32)
    reason = np.zeros(raw.shape, np.uint8)
    unusable = ~(np.abs(values) < _MOST)
    if nodata is not None:
        unusable |= raw == nodata
    reason[unusable] = Reason.NO_DATA
    values[unusable] = np.nan
    return Pixels(values, reason)


def _mark(reason: np.ndarray, where: np.ndarray, code: np.ndarray | Reason) -> None:
    """Set the reason of pixels that have none yet."""
    np.copyto(reason, np.asarray(code, np.uint8), where=where & (reason == Reason.VALID))


def files_of(path: str, dataset: rasterio.DatasetReader) -> tuple[str, ...]:
    """What an open raster is read from, its own name first: the sources of a virtual raster, the mask beside an image.

    Statistics and overviews, which change no pixel, are left out.
    """
    beside = (name for name in dataset.files if not name.endswith((".aux.xml", ".ovr")) and Path(name).is_file())
    return tuple(dict.fromkeys([path, *beside]))


def _file_state(text: str) -> tuple[int, int] | None:
    """Size and modification time of a file, or of the archive that holds it; None for a URL."""
    path = Path(re.sub(r"^(/vsi\w+/)+", "", text))
    for candidate in (path, *path.parents):
        if candidate.is_file():
            status = candidate.stat()
            return status.st_size, status.st_mtime_ns
    return None


def _grid_text(grid: GeoBox) -> str:
    return f"{tuple(grid.shape)} {tuple(grid.affine)} {grid.crs}"


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
