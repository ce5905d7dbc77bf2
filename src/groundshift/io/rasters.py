"""Reading windows of raster files: open handles are kept a thread, and every failure is one clear error."""

from __future__ import annotations

import os
import re
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from pyproj.exceptions import CRSError
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.windows import Window

from groundshift.errors import InputError, RunError, one_line
from groundshift.grid.tiles import Box
from groundshift.io.files import atomic_path

_REMOTE = ("http://", "https://", "s3://", "gs://", "az://")
_GDAL_NAME = re.compile(r"/vsi\w+/|[A-Z][A-Z0-9_]+:")  # virtual file systems, `NETCDF:file.nc:band`
_MAX_HANDLES = 16
GDAL_CACHE = 2**28  # bytes of decoded blocks that GDAL keeps a process; its own default grows with the machine
_local = threading.local()
_opening = threading.Lock()  # filters of warnings are those of the process, not of the thread


def is_gdal_name(path: str) -> bool:
    """Whether this is a name that only GDAL understands (a URL, a virtual file system), not a path on disk."""
    return path.startswith(_REMOTE) or _GDAL_NAME.match(path) is not None


def open_raster(path: str) -> rasterio.DatasetReader:
    """Open a raster anew; InputError if there is none, or if it is no image."""
    if not is_gdal_name(path) and not Path(path).exists():
        raise InputError(f"{path} does not exist; expected an image file, check the path")
    options = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"} if path.startswith(_REMOTE) else {}
    try:
        with _opening, warnings.catch_warnings(), rasterio.Env(**options):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # georeference() says it with a remedy
            return rasterio.open(path)
    except RasterioIOError as error:
        raise InputError(
            f"{path} cannot be opened as an image ({_cause(error)}); expected GeoTIFF, JP2, a Sentinel-2 .SAFE or "
            "Landsat folder, or another format that GDAL reads (`rio info FILE`)"
        ) from error


def read_window(path: str, bands: Sequence[int], box: Box, *, mask: bool = False) -> np.ndarray:
    """Values of `box`, which must lie inside the raster: array (band, y, x) in the file's own type.

    With `mask`, the validity masks of the bands instead (uint8, 0 is not valid).

    Raises
    ------
    InputError
        If the file cannot be read there: it is truncated or corrupt.
    """
    dataset = _handle(path)
    window = Window(box.left, box.top, box.right - box.left, box.bottom - box.top)
    where = f" at rows {box.top}-{box.bottom}, columns {box.left}-{box.right}"
    with reading(path, where), rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE):
        return (dataset.read_masks if mask else dataset.read)(list(bands), window=window)


@contextmanager
def reading(path: str | Path, where: str = "") -> Iterator[None]:
    """What goes wrong while pixels are read, as InputError that names the file, and the place in it."""
    try:
        yield
    except RasterioIOError as error:
        raise InputError(
            f"{path} cannot be read{where} ({_cause(error)}); the file is truncated or corrupt: fetch it again"
        ) from error


def georeference(dataset: rasterio.DatasetReader, *, crs: str | None = None) -> GeoBox:
    """The grid of a raster; `crs` sets the CRS of a file that has none, or overrides it.

    Raises
    ------
    InputError
        If there is no CRS, none that places the image on the ground, or no geotransform.
    """
    path = dataset.name
    if dataset.crs is None and dataset.transform.is_identity and not (dataset.gcps[0] or dataset.rpcs):
        raise InputError(
            f"{path} has no geotransform{' and no CRS' * (crs is None)}; expected an image on a map grid: orthorectify "
            "it (gdalwarp), or if it is a plain picture give `pair` the size of its pixels, --resolution in metres"
        )
    if crs is None and dataset.crs is None:
        raise InputError(
            f"{path} has no CRS; pass --crs EPSG:32611 (the code of your zone) or write one with rio edit-info"
        )
    grid_crs = parse_crs(crs if crs is not None else dataset.crs.to_string())
    if not (grid_crs.projected or grid_crs.geographic):
        raise InputError(
            f"{path} has the CRS {grid_crs.proj.name!r}, which has no place on the ground; "
            "expected a projected CRS: pass --crs EPSG:32611 (the code of your zone)"
        )
    if dataset.transform.is_identity:
        has = "only ground control points or RPCs" if dataset.gcps[0] or dataset.rpcs else "no geotransform"
        raise InputError(f"{path} has {has}; expected an image on a map grid: orthorectify it (gdalwarp) first")
    return GeoBox(dataset.shape, dataset.transform, grid_crs)


def parse_crs(text: str) -> CRS:
    """A CRS from `EPSG:32611`, WKT or PROJ text; InputError if it is none."""
    try:
        return CRS(text)
    except (CRSError, ValueError) as error:
        raise InputError(f"{text!r} is not a CRS; expected a code such as EPSG:32611") from error


def _handle(path: str) -> rasterio.DatasetReader:
    """An open data set of this thread and process; opened again if the file has changed."""
    handles: OrderedDict = getattr(_local, "handles", None) or OrderedDict()
    _local.handles = handles
    status = None if is_gdal_name(path) else _status(path)
    key = (os.getpid(), path, status)  # a forked child must not share the parent's file position
    if key not in handles:
        handles[key] = open_raster(path)
        if len(handles) > _MAX_HANDLES:
            handles.popitem(last=False)[1].close()
    handles.move_to_end(key)
    return handles[key]


def _status(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None  # open_raster says so
    return status.st_size, status.st_mtime_ns


@contextmanager
def atomic_raster(path: str | Path) -> Iterator[Path]:
    """As :func:`groundshift.io.files.atomic_path`, for a raster that the block writes and closes.

    It is read once before it takes its place: GDAL says nothing when the last of a file cannot be written while it is
    closed, as on a full disk.

    Raises
    ------
    RunError
        If it is not whole.
    """
    with atomic_path(path) as temporary:
        try:
            yield temporary
            _read_all(temporary)
        except (RasterioIOError, CPLE_BaseError) as error:
            raise RunError(
                f"{path} cannot be written whole ({_cause(error)}); see that the disk is not full, then start the same "
                "command again"
            ) from error


def _read_all(path: Path) -> None:
    with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as dataset:
            levels = range(len(dataset.overviews(1)))
        for options in ({}, *({"overview_level": level} for level in levels)):
            with rasterio.open(path, **options) as dataset:
                for _, window in dataset.block_windows(1):
                    dataset.read(window=window)


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return one_line(error).rstrip(".")
