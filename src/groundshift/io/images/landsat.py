"""Landsat Collection 2 products, as folder or .tar: the panchromatic band, or another that is asked for.

Layouts and bits: Landsat 8-9 and Landsat 7 Collection 2 Level 1 Data Format Control Books (LSDS-1822,
LSDS-1414).
"""

from __future__ import annotations

import logging
import re
from functools import partial

import numpy as np

from groundshift.errors import InputError
from groundshift.io.dates import NO_DATE, date_in
from groundshift.io.files import Archive
from groundshift.io.images.product import Product
from groundshift.io.images.quality import QualityLayer, RasterQuality
from groundshift.model.reason import Reason

log = logging.getLogger(__name__)

DEFAULT_BAND = "B8"

_BAND_FILE = re.compile(r"^(?:.*/)?(?P<product>L[COTEM]\d\d_[^/]*?)_(?:SR_|ST_)?(?P<band>B\d+)\.TIF$", re.IGNORECASE)
_DATE = re.compile(rb"DATE_ACQUIRED\W+(\d{4}-\d\d-\d\d)")
_LEVEL = re.compile(rb"PROCESSING_LEVEL\W+(L\d\w\w)")
_FILL = 0

_QA_FILL = 1 << 0
_QA_CLOUD = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4  # dilated cloud, cirrus, cloud, cloud shadow
_RADSAT_DROPPED = 1 << 9  # dropped pixel, Landsat 4-7


def find_landsat(archive: Archive, band: str | int | None) -> Product | None:
    """The band of the Landsat product in `archive`, B8 if none is asked for, or None if it holds no such product.

    Raises
    ------
    InputError
        If the band has no file, or if there are several products.
    """
    files = [
        (match["product"], match["band"].upper(), match[0]) for n in archive.names if (match := _BAND_FILE.match(n))
    ]
    if not files:
        return None
    products = sorted({product for product, _, _ in files})
    if len(products) > 1:
        raise InputError(
            f"{archive.title} holds {len(products)} Landsat products ({', '.join(products)}); "
            "expected one: put each in a folder of its own"
        )
    wanted = DEFAULT_BAND if band is None else f"B{str(band).upper().removeprefix('SR_').removeprefix('B')}"
    by_band = {each: name for _, each, name in files}
    if wanted not in by_band:
        raise InputError(f"{archive.title} has no band {wanted}; choose one with --band: {', '.join(sorted(by_band))}")
    folder = by_band[wanted].rpartition("/")[0]
    beside = {name.rpartition("/")[2]: name for name in archive.names if name.rpartition("/")[0] == folder}
    metadata = _metadata(archive, beside, products[0])
    if (level := _LEVEL.search(metadata)) and level[1] in (b"L1GT", b"L1GS"):
        log.warning("%s is %s, not terrain-corrected with control points (L1TP)", products[0], level[1].decode())
    layers, layer_files = _quality_layers(archive, beside, products[0], wanted)
    date = _DATE.search(metadata)
    maximum = re.search(rb"QUANTIZE_CAL_MAX_BAND_%s\W+(\d+)" % wanted[1:].encode(), metadata)
    return Product(
        name=products[0],
        path=archive.gdal(by_band[wanted]),
        date=np.datetime64(date[1].decode(), "D") if date else _name_date(products[0]),
        nodata=_FILL,
        saturated=float(maximum[1]) if maximum else None,
        quality=layers,
        inputs=tuple(dict.fromkeys(archive.disk(name) for name in (by_band[wanted], *layer_files))),
    )


def _metadata(archive: Archive, beside: dict[str, str], product: str) -> bytes:
    for suffix in ("txt", "json", "xml"):
        if name := beside.get(f"{product}_MTL.{suffix}"):
            return archive.read(name)
    return b""


def _name_date(product: str) -> np.datetime64:
    """From LC08_L1TP_063018_20160718_...: the first date."""
    fields = product.split("_")
    return date_in(fields[3]) if len(fields) > 3 else NO_DATE


def _quality_layers(
    archive: Archive, beside: dict[str, str], product: str, band: str
) -> tuple[tuple[QualityLayer, ...], list[str]]:
    layers, files = [], []
    for suffix, decode in (
        ("QA_PIXEL", decode_qa_pixel),
        ("QA_RADSAT", partial(decode_qa_radsat, band=int(band[1:]))),
    ):
        if name := beside.get(f"{product}_{suffix}.TIF"):
            layers.append(RasterQuality.open(archive.gdal(name), (1,), decode))
            files.append(name)
        else:
            log.info("%s: no %s file in the product", product, suffix)
    return tuple(layers), files


def decode_qa_pixel(values: np.ndarray) -> np.ndarray:
    """Reasons from QA_PIXEL, array (1, y, x): fill, then dilated cloud, cirrus, cloud or cloud shadow."""
    bits = values[0]
    reasons = np.where(bits & _QA_CLOUD, np.uint8(Reason.CLOUD), np.uint8(0))
    reasons[(bits & _QA_FILL) != 0] = Reason.NO_DATA
    return reasons


def decode_qa_radsat(values: np.ndarray, *, band: int) -> np.ndarray:
    """Reasons from QA_RADSAT, array (1, y, x): saturation of bands 1-7 and 9 (bit `band` - 1), dropped pixels.

    The panchromatic band 8 has no bit; its saturated pixels have the largest value of the calibration.
    """
    bits = values[0]
    saturated = 1 << (band - 1) if band in (1, 2, 3, 4, 5, 6, 7, 9) else 0
    reasons = np.where(bits & saturated, np.uint8(Reason.SATURATED), np.uint8(0))
    reasons[(bits & _RADSAT_DROPPED) != 0] = Reason.NO_DATA
    return reasons
