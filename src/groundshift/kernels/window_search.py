"""Where in a second image a window of the first fits best, among all whole displacements up to a largest one."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from groundshift.kernels.threads import over_bands

_APART = 3  # pixels along an axis, within which a displacement is part of the best one's peak
_LEAST_ENERGY = 1e-6  # sum of squares of a window below which it has no texture, of images with variance 1


class WindowMatches(NamedTuple):
    """The best match of each window; arrays (n,)."""

    dx: np.ndarray  # float32, whole pixels to the right
    dy: np.ndarray  # float32, whole pixels down
    correlation: np.ndarray  # float32, −1 to 1; −2 where no window of the second image is within it
    next_best: np.ndarray  # float32: the same of the best displacement beside the peak


def best_matches(
    first: np.ndarray, second: np.ndarray, rows: np.ndarray, columns: np.ndarray, *, side: int, reach: int
) -> WindowMatches:
    """Best matches by zero-mean normalised cross-correlation (Lewis 1995, "Fast normalized cross-correlation").

    Parameters
    ----------
    first, second
        float32 (y, x), finite, of variance about 1.
    rows, columns
        int (n,): of the upper left pixels of the windows, which lie within the image.
    side
        Of a window, pixels.
    reach
        Largest displacement along each axis, pixels.
    """
    found = np.empty((4, len(rows)), np.float32)
    sums, squares = (
        np.pad(each.cumsum(0, dtype=np.float64).cumsum(1), ((1, 0), (1, 0))) for each in (second, second * second)
    )
    given = first, second, sums, squares, rows, columns, side, reach
    over_bands(lambda start, stop: _best_matches(*given, start, stop, found), len(rows), each=4)
    return WindowMatches(*found)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _best_matches(first, second, sums, squares, rows, columns, side, reach, start, stop, found):
    height, width = second.shape
    places = 2 * reach + 1
    window, fits = np.empty((side, side), np.float32), np.empty((places, places), np.float32)
    for n in range(start, stop):
        top, left = rows[n], columns[n]
        mean = energy = np.float32(0)
        for i in range(side):
            for j in range(side):
                mean += first[top + i, left + j] / side**2
        for i in range(side):
            for j in range(side):
                window[i, j] = first[top + i, left + j] - mean
                energy += window[i, j] ** 2
        low, high = max(0, reach - left), min(places, width - side - left + reach + 1)  # columns within the image
        fits[:] = -2
        for down in range(max(0, reach - top), min(places, height - side - top + reach + 1)):
            y, x = top + down - reach, left + low - reach
            line = fits[down, low:high]
            line[:] = 0
            for i in range(side):
                for j in range(side):
                    weight, other = window[i, j], second[y + i, x + j : x + j + high - low]
                    for right in range(high - low):
                        line[right] += weight * other[right]
            for right in range(high - low):
                total = _within(sums, y, x + right, side)
                there = _within(squares, y, x + right, side) - total * total / side**2
                line[right] /= np.sqrt(max(energy * there, _LEAST_ENERGY))
        best_y, best_x = divmod(np.argmax(fits), places)
        beside = np.float32(-2)
        for down in range(places):
            for right in range(places):
                if max(abs(down - best_y), abs(right - best_x)) > _APART:
                    beside = max(beside, fits[down, right])
        found[0, n], found[1, n] = best_x - reach, best_y - reach
        found[2, n], found[3, n] = fits[best_y, best_x], beside


@numba.njit(cache=True, nogil=True, inline="always")
def _within(table, y, x, side):
    """Sum over a window, from sums of all pixels above and to the left."""
    return table[y + side, x + side] - table[y, x + side] - table[y + side, x] + table[y, x]
