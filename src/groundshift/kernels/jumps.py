"""Jumps of a displacement field put where the images say they are."""

from __future__ import annotations

import numba
import numpy as np

from groundshift.kernels.inner import QUICK
from groundshift.kernels.spline import values_at
from groundshift.kernels.threads import over_bands

_BLOCK = 48  # pixels: what is worked on at once
_TOGETHER = 256  # pixels whose values are looked up together


def jumps_of(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """How much each pixel's differences to the next ones depart from the smooth gradient, float32 (y, x), pixels.

    Parameters
    ----------
    u, v
        float32; displacement (2, y, x), pixels, and its smooth gradient (4, y, x), as of :func:`change_sides`.
    """
    out = np.empty(u.shape[1:], np.float32)
    over_bands(lambda top, bottom: _jumps(u, v, top, bottom, out), len(out))
    return out


@numba.njit(**QUICK)
def _jumps(u, v, top, bottom, out):
    _, height, width = u.shape
    for i in range(top, bottom):
        total = out[i]
        total[:] = 0
        for c in range(2):
            here, below = u[c, i], u[c, min(i + 1, height - 1)]
            slope_x, slope_y = v[2 * c, i], v[2 * c + 1, i]
            for j in range(width - 1):
                total[j] += (here[j + 1] - here[j] - slope_x[j]) ** 2
            total[width - 1] += slope_x[width - 1] ** 2
            for j in range(width):
                total[j] += (below[j] - here[j] - slope_y[j]) ** 2
        for j in range(width):
            total[j] = np.sqrt(total[j])


def grown(mask: np.ndarray, reaches: np.ndarray) -> np.ndarray:
    """Pixels near those of a mask, bool (y, x).

    Parameters
    ----------
    reaches
        uint8 (2 r + 1,): how many columns away a pixel may be that is −r … r rows away.
    """
    out = np.empty(mask.shape, np.bool_)
    over_bands(lambda top, bottom: _grown(mask, reaches, top, bottom, out), len(out))
    return out


@numba.njit(cache=True, nogil=True)
def _grown(mask, reaches, top, bottom, out):
    height, width = mask.shape
    radius, far = len(reaches) // 2, np.uint8(255)
    first = max(top - radius, 0)
    apart = np.empty((min(bottom + radius, height) - first, width), np.uint8)  # columns to the nearest one
    for i in range(len(apart)):
        row, seen = mask[first + i], far
        for j in range(width):
            seen = np.uint8(0) if row[j] else np.uint8(min(seen, 254) + 1)
            apart[i, j] = seen
        for j in range(width - 1, -1, -1):
            seen = min(apart[i, j], np.uint8(min(seen, 254) + 1))
            apart[i, j] = seen
    for i in range(top, bottom):
        row = out[i]
        row[:] = False
        for y in range(max(i - radius, 0), min(i + radius + 1, height)):
            beside, reach = apart[y - first], reaches[y - i + radius]
            for j in range(width):
                row[j] |= beside[j] <= reach


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


@numba.njit(**QUICK)
def _change(first, second, u, v, near, offsets, taps, take_over, ceiling, start, stop, out_u, out_v):
    """:func:`change_sides` in rows `start` to `stop`, blocks of them."""
    height, width = first.shape
    radius = len(taps) // 2
    side = _BLOCK + 2 * radius
    squared, along, mean = np.empty((3, (side + 4) * side), np.float32)
    by_four = np.zeros((len(taps) + 3) // 4 * 4, np.float32)
    by_four[: len(taps)] = taps
    least = np.empty((_BLOCK, _BLOCK), np.float32)
    rows, columns = np.empty(side * side, np.int64), np.empty(side * side, np.int64)
    seen = np.empty(_TOGETHER, np.float32)
    for top in range(start, stop, _BLOCK):
        for left in range(0, width, _BLOCK):
            block = near[top : min(top + _BLOCK, stop), left : left + _BLOCK]
            if not block.any():
                continue
            count = _around(block, top, left, radius, height, width, rows, columns)
            above, before = _inside(taps, top, height), _inside(taps, left, width)
            squared[:] = 0
            for k in range(-1, len(offsets)):
                oy, ox = (0, 0) if k < 0 else (offsets[k, 0], offsets[k, 1])
                for n in range(0, count, _TOGETHER):
                    part = slice(n, min(n + _TOGETHER, count))
                    _compare(first, second, u, v, oy, ox, rows[part], columns[part], ceiling, seen)
                    for m in range(n, min(n + _TOGETHER, count)):
                        squared[(rows[m] - top + radius) * side + columns[m] - left + radius] = seen[m - n]
                _windowed(squared, by_four, 1, along)
                _windowed(along, by_four, side, mean)
                for i in range(block.shape[0]):
                    for j in range(block.shape[1]):
                        if not block[i, j]:
                            continue
                        value = mean[i * side + j] / (above[i] * before[j])
                        if k < 0:
                            least[i, j] = take_over * value
                        elif value < least[i, j]:
                            least[i, j] = value
                            y, x = min(max(top + i + oy, 0), height - 1), min(max(left + j + ox, 0), width - 1)
                            out_u[0, top + i, left + j] = u[0, y, x] - (v[0, y, x] * ox + v[1, y, x] * oy)
                            out_u[1, top + i, left + j] = u[1, y, x] - (v[2, y, x] * ox + v[3, y, x] * oy)
                            for c in range(4):
                                out_v[c, top + i, left + j] = v[c, y, x]


@numba.njit(**QUICK)
def _compare(first, second, u, v, oy, ox, rows, columns, ceiling, out):
    """Squared differences of the images at pixels under the displacement of the place (oy, ox) from each."""
    height, width = first.shape
    dx, dy = np.empty(len(rows)), np.empty(len(rows))
    weights, seen = np.empty((12, len(rows)), np.float32), out[: len(rows)]
    for n in range(len(rows)):
        y, x = min(max(rows[n] + oy, 0), height - 1), min(max(columns[n] + ox, 0), width - 1)
        dx[n] = u[0, y, x] - (v[0, y, x] * ox + v[1, y, x] * oy)
        dy[n] = u[1, y, x] - (v[2, y, x] * ox + v[3, y, x] * oy)
    values_at(second, rows, columns, dx, dy, weights, seen)
    for n in range(len(rows)):
        difference = first[rows[n], columns[n]] - seen[n]
        out[n] = min(difference * difference, ceiling)


@numba.njit(cache=True, nogil=True)
def _around(block, top, left, radius, height, width, rows, columns):
    """Pixels of the image in squares around those of a block that may change; their number."""
    side = _BLOCK + 2 * radius
    marked, compared = np.zeros((side, side), np.bool_), np.empty((side, side), np.bool_)
    marked[radius : radius + block.shape[0], radius : radius + block.shape[1]] = block
    _grown(marked, np.full(2 * radius + 1, radius, np.uint8), 0, side, compared)
    count, y, x = 0, top - radius, left - radius
    for i in range(max(y, 0), min(y + side, height)):
        for j in range(max(x, 0), min(x + side, width)):
            if compared[i - y, j - x]:
                rows[count], columns[count] = i, j
                count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _inside(taps, start, size):
    """Sums of the taps that fall inside the image, for the pixels of a block that begins at `start`."""
    total, radius = np.zeros(_BLOCK, np.float32), len(taps) // 2
    for k in range(_BLOCK):
        for r in range(len(taps)):
            if 0 <= start + k + r - radius < size:
                total[k] += taps[r]
    return total


@numba.njit(**QUICK)
def _windowed(values, taps, step, out):
    """Sums of values n, n + step, … weighted by the taps, which are a multiple of four; all flat."""
    out[:] = 0
    for r in range(0, len(taps), 4):
        a, b, c, d = values[r * step :], values[(r + 1) * step :], values[(r + 2) * step :], values[(r + 3) * step :]
        for n in range(len(values) - (len(taps) - 1) * step):
            out[n] += taps[r] * a[n] + taps[r + 1] * b[n] + taps[r + 2] * c[n] + taps[r + 3] * d[n]
