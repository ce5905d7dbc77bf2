"""What a reader of satellite products finds in a folder or archive."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from groundshift.io.images.quality import QualityLayer


class Product(NamedTuple):
    """One band of a satellite product, and what its metadata says."""

    name: str  # the product's own name
    path: str  # GDAL path of the band
    date: np.datetime64  # day of the image
    nodata: float
    saturated: float | None  # value of a saturated pixel
    quality: tuple[QualityLayer, ...]
    inputs: tuple[str, ...]  # files on disk that are read
