"""Jumps of a displacement field put where the images say they are."""

from __future__ import annotations

import numba
import numpy as np

from groundshift.kernels.spline import value_at
from groundshift.kernels.threads import over_bands

_BLOCK = 48  # pixels: what is worked on at once


@numba.njit(cache=True, nogil=True)
def median_where(image, where, radius):
    """The image, and where asked the median of the square of `2 radius + 1` pixels around; float32 (y, x)."""
    height, width = image.shape
    out = image.copy()
    around = np.empty((2 * radius + 1) ** 2, np.float32)
    for i in range(height):
        for j in range(width):
            if where[i, j]:
                count = 0
                for y in range(i - radius, i + radius + 1):
                    for x in range(j - radius, j + radius + 1):
                        around[count] = image[min(max(y, 0), height - 1), min(max(x, 0), width - 1)]
                        count += 1
                out[i, j] = _middle(around)
    return out


@numba.njit(cache=True, nogil=True)
def _middle(values):
    """Median of an odd number of values, which are reordered (quickselect: Hoare 1961)."""
    low, high, middle = 0, len(values) - 1, len(values) // 2
    while low < high:
        pivot = values[middle]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if j < middle:
            low = i
        if middle < i:
            high = j
    return values[middle]


def change_sides(
    first: np.ndarray,
    second: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    near: np.ndarray,
    offsets: np.ndarray,
    taps: np.ndarray,
    take_over: float,
    ceiling: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Let pixels take over the displacement of a place around them, where the images agree better under it.

    The displacement of the place is extended to the pixel with its smooth gradient. How well images agree is their
    squared difference, averaged in a window.

    Parameters
    ----------
    first, second
        First image, and the second as spline coefficients, float32 (y, x).
    u, v
        Displacement (2, y, x), pixels, and its smooth gradient (4, y, x): of dx along x and y, of dy along x and y.
    near
        bool (y, x): pixels that may.
    offsets
        int (n, 2): rows and columns from a pixel to the places that it tries, in this order.
    taps
        float32 (2 r + 1,): the window along an axis.
    take_over
        The mean squared difference must fall below this share of what it was.
    ceiling
        Largest squared difference of a pixel.

    Returns
    -------
    Displacement and gradient, float32.
    """
    out_u, out_v = u.copy(), v.copy()
    given = first, second, u, v, near, offsets, taps, np.float32(take_over), np.float32(ceiling)
    over_bands(lambda top, bottom: _change(*given, top, bottom, out_u, out_v), len(first), multiple=_BLOCK, each=4)
    return out_u, out_v


@numba.njit(cache=True, nogil=True, fastmath=True)
def _change(first, second, u, v, near, offsets, taps, take_over, ceiling, start, stop, out_u, out_v):
    """:func:`change_sides` in rows `start` to `stop`, blocks of them."""
    height, width = first.shape
    radius = len(taps) // 2
    side = _BLOCK + 2 * radius
    squared, along = np.empty((side, side), np.float32), np.empty((side, _BLOCK), np.float32)
    compared, summed = np.empty((side, side), np.bool_), np.empty((side, _BLOCK), np.bool_)
    least = np.empty((_BLOCK, _BLOCK), np.float32)
    wx, wy = np.empty(6, np.float32), np.empty(6, np.float32)
    for top in range(start, stop, _BLOCK):
        for left in range(0, width, _BLOCK):
            bottom, right = min(top + _BLOCK, height), min(left + _BLOCK, width)
            if not near[top:bottom, left:right].any():
                continue
            y0, y1 = max(top - radius, 0), min(bottom + radius, height)
            x0, x1 = max(left - radius, 0), min(right + radius, width)
            _around(near[top:bottom, left:right], top - y0, left - x0, radius, compared, summed)
            for k in range(-1, len(offsets)):
                oy, ox = (0, 0) if k < 0 else (offsets[k, 0], offsets[k, 1])
                for i in range(y0, y1):
                    y = min(max(i + oy, 0), height - 1)
                    for j in range(x0, x1):
                        if compared[i - y0, j - x0]:
                            x = min(max(j + ox, 0), width - 1)
                            dx = u[0, y, x] - (v[0, y, x] * ox + v[1, y, x] * oy)
                            dy = u[1, y, x] - (v[2, y, x] * ox + v[3, y, x] * oy)
                            difference = first[i, j] - value_at(second, i + dy, j + dx, wx, wy)
                            squared[i - y0, j - x0] = min(difference * difference, ceiling)
                for i in range(y0, y1):
                    for j in range(left, right):
                        if summed[i - y0, j - left]:
                            low, high = max(j - radius, x0), min(j + radius + 1, x1)
                            part = squared[i - y0, low - x0 : high - x0]
                            along[i - y0, j - left] = _mean(part, taps[low - j + radius : high - j + radius])
                for i in range(top, bottom):
                    for j in range(left, right):
                        if not near[i, j]:
                            continue
                        low, high = max(i - radius, y0), min(i + radius + 1, y1)
                        part = along[low - y0 : high - y0, j - left]
                        value = _mean(part, taps[low - i + radius : high - i + radius])
                        if k < 0:
                            least[i - top, j - left] = take_over * value
                        elif value < least[i - top, j - left]:
                            least[i - top, j - left] = value
                            y, x = min(max(i + oy, 0), height - 1), min(max(j + ox, 0), width - 1)
                            out_u[0, i, j] = u[0, y, x] - (v[0, y, x] * ox + v[1, y, x] * oy)
                            out_u[1, i, j] = u[1, y, x] - (v[2, y, x] * ox + v[3, y, x] * oy)
                            for c in range(4):
                                out_v[c, i, j] = v[c, y, x]


@numba.njit(cache=True, nogil=True)
def _around(near, above, before, radius, compared, summed):
    """Where images are compared, in squares around pixels of a block, and where rows of these are averaged."""
    compared[:], summed[:] = False, False
    for i in range(near.shape[0]):
        for j in range(near.shape[1]):
            if near[i, j]:
                low, high = max(i + above - radius, 0), i + above + radius + 1
                summed[low:high, j] = True
                compared[low:high, max(j + before - radius, 0) : j + before + radius + 1] = True


@numba.njit(cache=True, nogil=True, fastmath=True)
def _mean(values, weights):
    total, weight = np.float32(0), np.float32(0)
    for k in range(len(weights)):
        total += weights[k] * values[k]
        weight += weights[k]
    return total / weight
