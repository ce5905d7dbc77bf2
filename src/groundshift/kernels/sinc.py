"""Interpolation of an image with unusable pixels by a windowed sinc.

The window is that of Kaiser (J. F. Kaiser and R. W. Schafer 1980, On the use of the I0-sinh window for spectrum
analysis, IEEE Trans. Acoust. Speech Signal Process. 28, 105-107), over five pixels to each side. It moves a
texture by at most 0.002 pixel for wavelengths above 3.3 pixels; a Lanczos kernel of the same width moves a slope
by up to 0.01 pixel, which would be measured as displacement.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

HALF_WIDTH = 5  # pixels
_SHAPE = 6.5  # of the Kaiser window
_NEGLIGIBLE = 1e-5  # of the kernel's peak: a pixel of less weight does not contribute
_STEPS = 4096  # samples of the kernel a pixel


def reach(scale: float) -> int:
    """Pixels on each side of a position that can contribute to it; `scale` as in :func:`interpolate`."""
    return math.ceil(HALF_WIDTH * scale) + 1


def interpolate(
    values: np.ndarray,
    reason: np.ndarray,
    rows: np.ndarray,
    cols: np.ndarray,
    *,
    outside: int,
    scale: tuple[float, float] = (1.0, 1.0),
) -> tuple[np.ndarray, np.ndarray]:
    """Values at positions between the pixels, by a windowed sinc with weights of sum 1.

    A result is usable only if every pixel that contributes is: nothing is filled in.

    Parameters
    ----------
    values, reason
        Image, float32 (y, x), and its reasons, uint8 (y, x), 0 where usable.
    rows, cols
        Positions, float64 (i, j), in pixels; a pixel's centre has whole numbers. NaN is outside.
    outside
        The reason of a result to which something beyond the image contributes.
    scale
        Widths of the kernel in rows and columns of the image, at least 1. Larger than 1 it is a low-pass
        filter for output pixels that are as many times as large.

    Returns
    -------
    values, reason
        float32 (i, j), NaN where not usable, and uint8 (i, j): the largest code among the contributors.
    """
    out = np.empty(rows.shape, np.float32)
    out_reason = np.empty(rows.shape, np.uint8)
    _interpolate(values, reason, rows, cols, scale[0], scale[1], int(outside), _KERNEL, out, out_reason)
    return out, out_reason


def _table() -> np.ndarray:
    """The kernel at t = 0 to HALF_WIDTH pixels in steps of 1 / _STEPS, and a zero beyond."""
    t = np.arange(HALF_WIDTH * _STEPS + 2) / _STEPS
    window = np.i0(_SHAPE * np.sqrt(np.clip(1 - (t / HALF_WIDTH) ** 2, 0, None))) / np.i0(_SHAPE)
    return np.where(t <= HALF_WIDTH, np.sinc(t) * window, 0.0)


_KERNEL = _table()


@njit(cache=True, nogil=True)
def _weights(position, scale, kernel, weights):
    """Fill `weights` for the pixels from `first` on; return `first` and how many there are."""
    half = HALF_WIDTH * scale
    first = math.ceil(position - half)
    count = math.floor(position + half) - first + 1
    for k in range(count):
        at = abs(first + k - position) / scale * _STEPS
        index = int(at)
        weight = kernel[index] + (at - index) * (kernel[index + 1] - kernel[index])
        weights[k] = weight if abs(weight) > _NEGLIGIBLE else 0.0
    return first, count


@njit(cache=True, nogil=True)
def _interpolate(values, reason, rows, cols, scale_y, scale_x, outside, kernel, out, out_reason):
    height, width = values.shape
    row_weights = np.empty(2 * math.ceil(HALF_WIDTH * scale_y) + 2)
    col_weights = np.empty(2 * math.ceil(HALF_WIDTH * scale_x) + 2)
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            y, x = rows[i, j], cols[i, j]
            out[i, j] = np.nan
            out_reason[i, j] = outside
            if not (-1.0 < y < height and -1.0 < x < width):
                continue
            top, tall = _weights(y, scale_y, kernel, row_weights)
            left, wide = _weights(x, scale_x, kernel, col_weights)
            total, norm, code = 0.0, 0.0, 0
            for k in range(tall):
                if row_weights[k] == 0.0:
                    continue
                inside = 0 <= top + k < height
                for m in range(wide):
                    weight = row_weights[k] * col_weights[m]
                    if weight == 0.0:
                        continue
                    if not inside or not 0 <= left + m < width:
                        code = max(code, outside)
                        continue
                    code = max(code, reason[top + k, left + m])
                    total += weight * values[top + k, left + m]
                    norm += weight
            out_reason[i, j] = code
            if code == 0:
                out[i, j] = total / norm
