"""Everything that touches files: images in, maps and records out. Foreign formats are translated here, once."""

from groundshift.io.files import write_json, write_text
from groundshift.io.images.aligned import AlignedImage
from groundshift.io.images.open import open_array, open_image
from groundshift.io.images.pixels import Image, Pixels
from groundshift.io.maps import read_map, write_dataset, write_map
from groundshift.io.vectors import Mask, read_area, read_line, read_mask, read_traces
from groundshift.io.write import write_image

__all__ = [
    "AlignedImage",
    "Image",
    "Mask",
    "Pixels",
    "open_array",
    "open_image",
    "read_area",
    "read_line",
    "read_map",
    "read_mask",
    "read_traces",
    "write_dataset",
    "write_image",
    "write_json",
    "write_map",
    "write_text",
]
