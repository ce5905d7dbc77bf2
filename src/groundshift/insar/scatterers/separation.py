"""Persistent scatterers apart from what else is in their pixels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from groundshift.insar.config import PointResponseConfig
from groundshift.kernels.amplitude import response_amplitude
from groundshift.kernels.separation import ruling_series

HALF = (3, 2)
"""Lines and pixels to each side that are looked at together."""

_STEP, _MARGIN, _NEAR = 1 / 3, 1.0, 0.7
"""Pixels: of the grid on which scatterers are; around those that are looked at; within which scatterers are one."""
_TURN = (10, 31)  # lines and pixels to each side that tell how the phase turns from one to the next
HALO = tuple(max(half, turn + 1) for half, turn in zip(HALF, _TURN, strict=True))
"""Lines and pixels around a pixel that its echo depends on."""


def separated(slc: np.ndarray, rows: np.ndarray, columns: np.ndarray, response: PointResponseConfig) -> np.ndarray:
    """Echoes of the scatterers that rule pixels, less what those around them add; complex64 (time, n).

    A pixel holds the main lobes of scatterers in the pixels beside it, which may stand higher or move otherwise. The
    responses that overlap are told apart by their places, which are finer than pixels
    (:func:`~groundshift.kernels.separation.ruling_series`). Phases of noise stay noise: which scatterers there are is
    found from powers over time, that no phase of a date changes.

    Parameters
    ----------
    slc
        complex64 (time, y, x), calibrated or not; 0 or NaN is no data.
    rows, columns
        Pixels, int (n,). Those whose window leaves the images, or has pixels without data, stay as they are.
    response
        The sensor's response to a point.
    """
    empty = np.ones(slc.shape[1:], bool)
    for image in slc:
        empty &= (image == 0) | np.isnan(image)
    held = ndimage.maximum_filter(empty, [2 * each + 1 for each in HALF], mode="constant", cval=True)
    out = slc[:, rows, columns]
    inside = ~held[rows, columns]
    if inside.any():
        i, j = rows[inside], columns[inside]
        turn_y, turn_x = (turn[i, j] for turn in _turns(slc))
        along, across = (
            _response(half, resolution, taper)
            for half, resolution, taper in zip(HALF, response.resolution, response.taper, strict=True)
        )
        out[:, inside] = ruling_series(slc, i, j, turn_y, turn_x, along, across, _STEP, _NEAR)
    return out


def _turns(slc: np.ndarray) -> list[np.ndarray]:
    """How the phase turns from one line, and one pixel, to the next, radians; float32 (y, x) each.

    The spectrum of images of moving beams is not about zero, and its middle changes along the orbit.
    """
    turns = []
    for axis in (1, 2):
        product = np.zeros(slc.shape[1:], np.complex64)
        low, high = ([slice(None)] * 2 for _ in range(2))
        low[axis - 1], high[axis - 1] = slice(None, -1), slice(1, None)
        for image in slc:
            product[*low] += np.nan_to_num(image[*high] * image[*low].conj())
        window = [2 * each + 1 for each in _TURN]
        real, imaginary = (ndimage.uniform_filter(part, window) for part in (product.real, product.imag))
        turns.append(np.arctan2(imaginary, real))
    return turns


def _response(half: int, resolution: float, taper: float) -> np.ndarray:
    """Amplitude on lines −half … half of scatterers on the grid, float64 (2 half + 1, m)."""
    reach = int((half + _MARGIN) / _STEP + 1e-6)
    u = (np.arange(-half, half + 1)[:, None] - _STEP * np.arange(-reach, reach + 1)) / resolution
    return response_amplitude(u, taper)
