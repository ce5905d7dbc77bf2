"""Opening images: files, satellite products, arrays."""

from __future__ import annotations

import logging
import re
from collections import Counter
from pathlib import Path

import numpy as np
import odc.geo.xr  # noqa: F401  (registers the .odc accessor)
import rasterio
import rioxarray  # noqa: F401  (registers the .rio accessor)
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio.enums import ColorInterp, MaskFlags

from groundshift.errors import InputError
from groundshift.grid.common import LOCAL_CRS, local_grid
from groundshift.grid.tiles import Box, tile_plan
from groundshift.io.dates import NO_DATE, image_date
from groundshift.io.files import Archive
from groundshift.io.images.landsat import find_landsat
from groundshift.io.images.pixels import ArrayImage, Image, RasterImage, files_of
from groundshift.io.images.product import Product
from groundshift.io.images.sentinel2 import find_sentinel2
from groundshift.io.rasters import georeference, is_gdal_name, open_raster, parse_crs
from groundshift.model.reason import Reason

log = logging.getLogger(__name__)

_PROBE = 256  # pixels: side of the windows in which an image is first looked at
_PROBES = 5  # of them along each axis
_BLOCK = 2048
_COLOURS = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
_PICTURE = (
    "; it also has no geotransform and no CRS: if it is a plain picture give `pair` the size of its pixels, "
    "--resolution in metres, else orthorectify it (gdalwarp)"
)


Source = str | Path | xr.DataArray | tuple[np.ndarray, GeoBox]


def open_image(
    source: Source,
    *,
    band: int | str | None = None,
    crs: str | None = None,
    nodata: float | None = None,
    cloud_mask: bool = True,
    resolution: float | None = None,
) -> Image:
    """Open one band of an image.

    Parameters
    ----------
    source
        A path: GeoTIFF, COG, JP2 or whatever GDAL opens, also URLs and /vsizip/ names; a Sentinel-2 .SAFE
        folder, granule folder or .zip; a Landsat Collection 2 folder or .tar. Or a DataArray (y, x) with a
        CRS, or an array (y, x) and its GeoBox. For an array without grid see :func:`open_array`.
    band
        Number from 1, or name. Sentinel-2: B04 if not given, or B02, B03, B08. Landsat: B8 if not given.
        Other files must have a single band if it is not given (alpha does not count). Of a DataArray with a third
        dimension, its label there.
    crs
        The CRS of an image that has none, as `EPSG:32611`; it overrides the one in the file.
    nodata
        The value of pixels without data; it overrides the one in the file.
    cloud_mask
        Whether clouds and their shadows in the product's own masks make pixels unusable.
    resolution
        Pixel size, metres, of a file that lies on no map grid (a photograph, a scan); of others it is in the file.

    Raises
    ------
    InputError
        If the source is missing, no image, truncated, without CRS or geotransform, complex, of several bands
        without a choice, constant, or without any usable pixel.
    """
    if band is not None and isinstance(source, tuple | np.ndarray):
        raise InputError(f"an array has no bands to choose from; got band {band!r}: leave it out, or give a DataArray")
    if isinstance(source, xr.DataArray):
        image = _from_dataarray(source, band, crs, nodata)
    elif isinstance(source, tuple):
        array, grid = source
        image = _from_array(array, grid, nodata)
    elif isinstance(source, np.ndarray):
        raise InputError("an array has no grid; give (array, GeoBox), or use open_array(array, resolution=...)")
    else:
        image = _from_path(str(source), band, crs, nodata, cloud_mask, resolution)
    _check_usable(image)
    return image


def open_array(
    array: np.ndarray, *, resolution: float = 1.0, nodata: float | None = None, name: str = "array"
) -> ArrayImage:
    """An image from an array (y, x) without place on Earth: square pixels of `resolution` metres, row 0 north.

    Raises
    ------
    InputError
        As :func:`open_image`.
    """
    if array.ndim != 2:
        raise InputError(f"{name} has shape {array.shape}; expected (y, x): choose one band")
    image = _from_array(array, local_grid(array.shape, resolution=resolution), nodata, name=name)
    _check_usable(image)
    return image


def _from_path(
    text: str, band: int | str | None, crs: str | None, nodata: float | None, cloud_mask: bool, resolution: float | None
) -> Image:
    if is_gdal_name(text):
        return _from_raster(text, band, crs, nodata, resolution=resolution)
    path = Path(text).expanduser()
    if re.fullmatch(r"MTD_MSIL\w+\.xml", path.name):
        path = path.parent
    archive = Archive.open(path)
    product = archive and (find_sentinel2(archive, band) or find_landsat(archive, band))
    if product:
        return _from_raster(product.path, 1, crs, nodata, product=product, cloud_mask=cloud_mask)
    if archive and not path.is_dir():
        raise InputError(
            f"{archive.title} holds no Sentinel-2 or Landsat product; name the image in it: {archive.gdal('IMAGE.tif')}"
        )
    return _from_raster(str(path), band, crs, nodata, resolution=resolution)


def _from_raster(
    path: str,
    band: int | str | None,
    crs: str | None,
    nodata: float | None,
    *,
    product: Product | None = None,
    cloud_mask: bool = True,
    resolution: float | None = None,
) -> RasterImage:
    with open_raster(path) as dataset:
        index = _choose_band(dataset, band, also=_PICTURE if resolution is None and _is_picture(dataset) else "")
        kind = dataset.dtypes[index - 1]
        if kind.startswith("complex"):
            raise InputError(f"{path} is complex ({kind}); expected real values: give an amplitude image")
        grid = _picture_grid(dataset, resolution) or georeference(dataset, crs=crs)
        flags = dataset.mask_flag_enums[index - 1]
        file_nodata = dataset.nodatavals[index - 1]
        tags = {**dataset.tags(ns="IMAGERY"), **dataset.tags()}
        files = files_of(path, dataset)
        if (
            crs is not None
            and dataset.crs is not None
            and grid.crs != LOCAL_CRS
            and parse_crs(dataset.crs.to_string()) != grid.crs
        ):
            log.warning("%s says its CRS is %s; %s is used, as asked", path, dataset.crs, crs)
    name = Path(path).name
    if nodata is None and product is not None:
        nodata = product.nodata
    elif nodata is None and file_nodata is not None and not np.isnan(file_nodata):
        nodata = file_nodata
    return RasterImage(
        name=product.name if product else name,
        path=path,
        band=index,
        grid=grid,
        inputs=product.inputs if product else files,
        date=product.date if product else image_date(name, tags),
        nodata=nodata,
        saturated=product.saturated if product else None,
        has_mask=MaskFlags.per_dataset in flags,
        quality=product.quality if product else (),
        cloud_mask=cloud_mask,
    )


def _picture_grid(dataset: rasterio.DatasetReader, resolution: float | None) -> GeoBox | None:
    """The grid of a file that lies on no map grid, if `resolution` says how large its pixels are."""
    if resolution is None or dataset.crs is not None or not dataset.transform.is_identity:
        return None
    return local_grid(dataset.shape, resolution=resolution)


def _is_picture(dataset: rasterio.DatasetReader) -> bool:
    """Whether a file lies on no map grid."""
    return dataset.crs is None and dataset.transform.is_identity and not (dataset.gcps[0] or dataset.rpcs)


def _choose_band(dataset: rasterio.DatasetReader, band: int | str | None, *, also: str) -> int:
    """Number of the band, from 1; `also` is what else a file of several bands wants."""
    path = dataset.name
    colours = (kind.name if kind in _COLOURS else None for kind in dataset.colorinterp)
    names = [name or colour for name, colour in zip(dataset.descriptions, colours, strict=True)]
    if dataset.count == 0:
        parts = ", ".join(dataset.subdatasets) or "none"
        raise InputError(f"{path} has no bands of its own; give one of the data sets in it: {parts}")
    values = [i for i, kind in zip(dataset.indexes, dataset.colorinterp, strict=True) if kind != ColorInterp.alpha]
    listed = ", ".join(f"{i} ({names[i - 1]})" if names[i - 1] else str(i) for i in values)
    if band is None:
        if len(values) == 1:
            return values[0]
        raise InputError(f"{path} has {len(values)} bands; expected one: choose with --band: {listed}{also}")
    text = str(band).strip().lower()
    for i in values:
        if text in (str(i), (names[i - 1] or "").lower()):
            return i
    raise InputError(f"{path} has no band {band!r}; choose one with --band: {listed}")


def _from_dataarray(array: xr.DataArray, band: int | str | None, crs: str | None, nodata: float | None) -> ArrayImage:
    name = str(array.name or "DataArray")
    array = array.squeeze(drop=False) if band is None else _labelled(array, band, name)
    if array.ndim != 2:
        raise InputError(
            f"{name} has dimensions {dict(array.sizes)}; expected two, (y, x): choose one with .isel or .sel, or a band"
        )
    if crs is not None:
        array = array.rio.write_crs(str(parse_crs(crs)))
    if array.rio.crs is None:
        raise InputError(f"{name} has no CRS; pass crs='EPSG:32611' or write one with .rio.write_crs(...)")
    grid = array.odc.geobox
    if grid is None or tuple(array.dims) != tuple(array.odc.spatial_dims) or not _evenly_spaced(array):
        raise InputError(f"{name} has no regular coordinates on {tuple(array.dims)}; expected evenly spaced (y, x)")
    if nodata is None:
        nodata = array.rio.nodata
    date = array.coords.get("time")
    day = NO_DATE if date is None or not np.issubdtype(date.dtype, np.datetime64) else date.values.astype("M8[D]")
    return _from_array(array, grid, nodata, name=name, date=day)


def _labelled(array: xr.DataArray, band: int | str, name: str) -> xr.DataArray:
    """The band of that label, on the dimension beside y and x; numbers from 1 if the dimension has no labels."""
    if array.ndim != 3:
        raise InputError(f"{name} has dimensions {dict(array.sizes)}; expected (band, y, x), to choose band {band!r}")
    dim = next(iter(set(array.dims) - set(array.odc.spatial_dims or array.dims[1:])))
    labels = list(array[dim].values if dim in array.coords else range(1, array.sizes[dim] + 1))
    for i, label in enumerate(labels):
        if str(label).lower() == str(band).strip().lower():
            return array.isel({dim: i})
    raise InputError(f"{name} has no band {band!r} on {dim}; choose one of {', '.join(map(str, labels))}")


def _evenly_spaced(array: xr.DataArray) -> bool:
    steps = [np.diff(array[dim].values) for dim in array.dims if dim in array.coords]
    return all(np.ptp(step) <= 1e-3 * abs(step.mean()) for step in steps if step.size)


def _from_array(
    array: np.ndarray | xr.DataArray,
    grid: GeoBox,
    nodata: float | None,
    *,
    name: str = "array",
    date: np.datetime64 = NO_DATE,
) -> ArrayImage:
    if array.shape != tuple(grid.shape):
        raise InputError(f"{name} has shape {array.shape}, its grid {tuple(grid.shape)}; expected the same (y, x)")
    if np.issubdtype(array.dtype, np.complexfloating):
        raise InputError(f"{name} is complex ({array.dtype}); expected real values: take its absolute value")
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} has values of type {array.dtype}; expected numbers")
    if isinstance(array, np.ma.MaskedArray):
        array = array.astype(np.float32).filled(np.nan)
    return ArrayImage(name, grid, array, nodata, np.datetime64(date, "D"))


def _check_usable(image: Image) -> None:
    """Raise InputError if all usable pixels have one value, or if there are none.

    A few windows nearly always show two values; only an image in which they do not is read through.
    """
    rows, cols = image.grid.shape
    corners = [
        (int(top), int(left))
        for top in np.linspace(0, max(0, rows - _PROBE), _PROBES)
        for left in np.linspace(0, max(0, cols - _PROBE), _PROBES)
    ]
    middle_first = sorted(set(corners), key=lambda corner: abs(corner[0] - rows / 2) + abs(corner[1] - cols / 2))
    probes = [Box(top, left, top + _PROBE, left + _PROBE).clipped((rows, cols)) for top, left in middle_first]
    low, high = np.inf, -np.inf
    reasons: Counter[int] = Counter()
    for count, box in enumerate([*probes, *(tile.box for tile in tile_plan((rows, cols), _BLOCK))]):
        values, reason = image.read(box)
        usable = values[reason == Reason.VALID]
        if usable.size:
            low, high = min(low, usable.min()), max(high, usable.max())
            if low < high:
                return
        if count >= len(probes):
            reasons.update(dict(zip(*np.unique(reason, return_counts=True), strict=True)))
    if low == high:
        raise InputError(f"{image.name} is constant (all usable pixels are {low:g}); expected an image with texture")
    shares = ", ".join(f"{100 * n / (rows * cols):.0f} % {Reason(code).meaning}" for code, n in reasons.most_common())
    raise InputError(
        f"{image.name} has no usable pixel ({shares}); expected an image of the ground: choose another, "
        "or check nodata and the cloud mask"
    )
