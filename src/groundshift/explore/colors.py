"""Colour scales of the map, and pictures of arrays in them: the page and the server draw from the same tables."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from groundshift.figures.style import DIVERGING, SEQUENTIAL

STOPS = 32
_MAPS = {
    "motion": matplotlib.colormaps["RdYlBu"],
    "red-white-blue": DIVERGING,
    "cividis": matplotlib.colormaps[SEQUENTIAL],
    "viridis": matplotlib.colormaps["viridis"],
}
"""All are safe for red-green colour blindness; in the diverging ones red is away, down, west."""
_RED_YELLOW_BLUE = ("#ffb09c", "#f2806a", "#b96f56", "#77705c", "#647585", "#5c96cf", "#9ccaff")
_RED_GREY_BLUE = ("#ffb3b8", "#f0788a", "#b46a78", "#72727a", "#5f7a94", "#4f9bd6", "#8fd0ff")
_ON_DARK = {
    "motion": LinearSegmentedColormap.from_list("motion", _RED_YELLOW_BLUE),
    "red-white-blue": LinearSegmentedColormap.from_list("red-white-blue", _RED_GREY_BLUE),
    "cividis": lambda share: matplotlib.colormaps[SEQUENTIAL](0.4 + 0.6 * share),
    "viridis": lambda share: matplotlib.colormaps["viridis"](0.36 + 0.64 * share),
}


def _tables(scales: Mapping[str, Callable[[np.ndarray], np.ndarray]]) -> dict[str, np.ndarray]:
    places = np.linspace(0, 1, 256)
    return {name: (scale(places)[:, :3] * 255).round().astype(np.uint8) for name, scale in scales.items()}


PALETTES = _tables(_MAPS)
DARK_PALETTES = _tables(_ON_DARK)
"""The same scales for points on a dark ground: what is far from the middle, or large, is what stands out there too."""


def stops(table: np.ndarray) -> list[str]:
    """A palette, uint8 (256, 3), as hexadecimal colours, evenly spaced."""
    rows = table[np.linspace(0, 255, STOPS).round().astype(int)]
    return ["#" + bytes(row).hex() for row in rows]


def paint(values: np.ndarray, palette: str, low: float, high: float) -> np.ndarray:
    """Colours of values: uint8 (..., 4); transparent where NaN."""
    finite = np.isfinite(values)
    scaled = np.where(finite, (values - low) / max(high - low, 1e-12), 0)
    colours = PALETTES[palette][np.clip(scaled * 255, 0, 255).astype(np.uint8)]
    return np.concatenate([colours, np.where(finite, 255, 0).astype(np.uint8)[..., None]], axis=-1)


def png(pixels: np.ndarray) -> bytes:
    """A PNG of uint8 (y, x, 4): red, green, blue, opacity. Source: PNG specification, third edition, W3C 2023."""
    height, width, _ = pixels.shape
    lines = np.zeros((height, 1 + 4 * width), np.uint8)
    lines[:, 1:] = pixels.reshape(height, -1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    body = zlib.compress(lines.tobytes(), 3)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
