"""Sentinel-2 products: Level-1C and 2A, as .SAFE folder, one of its granules, or .zip.

Layouts: Sentinel-2 Products Specification Document (S2-PDGS-TAS-DI-PSD), the compact names since December
2016 and the long ones before. Digital numbers are used as they are: the offset of -1000 that came with
processing baseline 04.00 is the same for all pixels of an image and does not matter to matching.
"""

from __future__ import annotations

import logging
import re
from xml.etree import ElementTree

import numpy as np
import shapely

from groundshift.errors import InputError
from groundshift.io.dates import date_in
from groundshift.io.files import Archive
from groundshift.io.images.product import Product
from groundshift.io.images.quality import PolygonQuality, QualityLayer, RasterQuality
from groundshift.model.reason import Reason

log = logging.getLogger(__name__)

BANDS = ("B02", "B03", "B04", "B08")  # those of 10 m
DEFAULT_BAND = "B04"

_BAND_FILE = re.compile(r"^(?P<granule>.*?)(?:^|/)?IMG_DATA/(?:R10m/)?[^/]*_(?P<band>B\d[\dA])(?:_10m)?\.jp2$")
_SCENE_CLASSES = re.compile(r"IMG_DATA/(?:R20m/)?[^/]*_SCL_(?:[^/]*_)?20m\.jp2$")
_CLOUD_RASTER = re.compile(r"QI_DATA/[^/]*MSK_CLASSI_[^/]*B00[^/]*\.jp2$")
_CLOUD_POLYGONS = re.compile(r"QI_DATA/[^/]*MSK_CLOUDS_[^/]*B00[^/]*\.gml$")
_TILE_METADATA = re.compile(r"(?:MTD_TL|MTD_L[12]\w_TL_[^/]*)\.xml$")
_SENSING_TIME = re.compile(rb"<SENSING_TIME[^>]*>\s*(\d{4}-\d\d-\d\d)")
_GML = "{http://www.opengis.net/gml/3.2}"
_NO_DATA, _SATURATED = 0, 65535  # Special_Values of the product metadata

_SCENE_CLASS_REASONS = np.zeros(256, np.uint8)
_SCENE_CLASS_REASONS[0] = Reason.NO_DATA
_SCENE_CLASS_REASONS[1] = Reason.SATURATED  # saturated or defective
_SCENE_CLASS_REASONS[[3, 8, 9, 10]] = Reason.CLOUD  # shadow, medium and high probability, thin cirrus


def find_sentinel2(archive: Archive, band: str | int | None) -> Product | None:
    """The 10 m band of the Sentinel-2 product in `archive`, or None if it holds no such product.

    Raises
    ------
    InputError
        If the band is none of 10 m or its file is missing, or if there are several granules.
    """
    files = [(match["granule"], match["band"], match[0]) for name in archive.names if (match := _BAND_FILE.match(name))]
    if not files:
        return None
    granules = sorted({granule for granule, _, _ in files})
    if len(granules) > 1:
        listed = ", ".join(str(archive.path / granule) for granule in granules)
        raise InputError(f"{archive.title} holds {len(granules)} granules; expected one: give one of {listed}")
    wanted = _band_name(band)
    found = [name for _, each, name in files if each == wanted]
    if not found:
        have = ", ".join(sorted({each for _, each, _ in files}))
        raise InputError(f"{archive.title} holds no file of band {wanted}, only {have}; the product may be incomplete")
    granule = [name for name in archive.names if name.startswith(granules[0])]
    layer, mask_file = _cloud_layer(archive, granule)
    if layer is None:
        log.info("%s: no cloud mask in the product", archive.title)
    return Product(
        name=_product_name(archive, granules[0]),
        path=archive.gdal(found[0]),
        date=_date(archive, granule, found[0]),
        nodata=_NO_DATA,
        saturated=_SATURATED,
        quality=() if layer is None else (layer,),
        inputs=tuple(dict.fromkeys(archive.disk(name) for name in (found[0], mask_file) if name)),
    )


def _band_name(band: str | int | None) -> str:
    text = DEFAULT_BAND if band is None else str(band).upper().removeprefix("B")
    name = text if band is None else f"B{text:0>2}"
    if name not in BANDS:
        raise InputError(f"band {band!r} is not a 10 m band of Sentinel-2; choose one of {', '.join(BANDS)}")
    return name


def _product_name(archive: Archive, granule: str) -> str:
    folders = [*archive.path.absolute().parts, *granule.split("/")]
    safe = [folder for folder in folders if folder.upper().endswith(".SAFE")]
    return safe[-1][: -len(".SAFE")] if safe else [folder for folder in folders if folder][-1]


def _date(archive: Archive, granule: list[str], band_file: str) -> np.datetime64:
    for name in granule:
        if _TILE_METADATA.search(name) and (match := _SENSING_TIME.search(archive.read(name))):
            return np.datetime64(match[1].decode(), "D")
    return date_in(band_file.rsplit("/", 1)[-1])


def _cloud_layer(archive: Archive, granule: list[str]) -> tuple[QualityLayer | None, str]:
    """The best cloud mask of a granule, and the name of its file: scene classes, cloud raster, cloud polygons."""
    for pattern, bands, decode in (
        (_SCENE_CLASSES, (1,), decode_scene_classes),
        (_CLOUD_RASTER, (1, 2), decode_cloud_raster),
    ):
        for name in granule:
            if pattern.search(name):
                return RasterQuality.open(archive.gdal(name), bands, decode), name
    for name in granule:
        if _CLOUD_POLYGONS.search(name):
            return PolygonQuality(cloud_polygons(archive.read(name), archive.gdal(name)), Reason.CLOUD), name
    return None, ""


def decode_scene_classes(values: np.ndarray) -> np.ndarray:
    """Reasons from the scene classification of Level 2A (SCL), array (1, y, x)."""
    return _SCENE_CLASS_REASONS[values[0]]


def decode_cloud_raster(values: np.ndarray) -> np.ndarray:
    """Reasons from MSK_CLASSI, array (2, y, x): opaque clouds and cirrus (its third layer, snow, is no objection)."""
    return np.where((values != 0).any(axis=0), np.uint8(Reason.CLOUD), np.uint8(0))


def cloud_polygons(gml: bytes, name: str) -> tuple[shapely.Polygon, ...]:
    """Polygons of MSK_CLOUDS, in the CRS of the tile; an empty file has none."""
    try:
        root = ElementTree.fromstring(gml) if gml.strip() else ElementTree.Element("empty")
    except ElementTree.ParseError as error:
        raise InputError(
            f"{name} is not valid XML ({error}); fetch the product again or pass cloud_mask=False"
        ) from error
    return tuple(
        shapely.Polygon(_rings(polygon, "exterior")[0], _rings(polygon, "interior"))
        for polygon in root.iter(f"{_GML}Polygon")
    )


def _rings(polygon: ElementTree.Element, kind: str) -> list[np.ndarray]:
    found = []
    for positions in polygon.iterfind(f"{_GML}{kind}/{_GML}LinearRing/{_GML}posList"):
        dimension = int(positions.get("srsDimension", 2))
        found.append(np.array(positions.text.split(), float).reshape(-1, dimension)[:, :2])
    return found
