"""Two images linearised around each other: what Gaussian windows say of their displacement, and how well they agree.

Everything is made some rows at a time, so that it stays in the cache and needs no room for the whole image.
"""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np

from groundshift.kernels.gaussian import convolved, reflected, taps
from groundshift.kernels.inner import QUICK
from groundshift.kernels.network_inputs import DERIVATIVE
from groundshift.kernels.spline import mirrored
from groundshift.kernels.threads import over_bands

OUTLIER = 2.5  # residuals beyond this many local standard deviations lose weight
CHANCE = 0.05  # ρ² of a window without anything in common
_ROWS = 32  # at a time

_ONE, _FIRST, _SECOND, _RESIDUAL, _DX, _DY = range(6)
_CLOSE = np.array(
    [(each, _ONE) for each in (_ONE, _DX, _DY, _RESIDUAL)]
    + [(_DX, _DX), (_DX, _DY), (_DY, _DY), (_DX, _RESIDUAL), (_DY, _RESIDUAL)]
)
_WIDE = np.array(
    [(each, _ONE) for each in (_ONE, _FIRST, _SECOND)] + [(_FIRST, _FIRST), (_SECOND, _SECOND), (_FIRST, _SECOND)]
)
_SPREAD = np.array([(_RESIDUAL, _RESIDUAL), (_ONE, _ONE)])
"""Products of which windows take the mean."""

_D = np.array(DERIVATIVE, np.float32)
_HALF, _FLOOR, _TINY, _LEAST, _MOST = (np.float32(each) for each in (0.5, 1e-3, 1e-6, 1e-4, 0.9999))


def linearised(
    first: np.ndarray, second: np.ndarray, weight: np.ndarray, window: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Information, pull and correlation of windows around every pixel.

    Parameters
    ----------
    first, second, weight
        First image and the second brought onto it, both with local mean 0 and variance 1; and what each pixel counts,
        from 0 to 1. float32 (y, x).
    window
        Gaussian sigma of the window of least squares, pixels. That in which the images are compared is twice as wide.

    Returns
    -------
    As of :class:`groundshift.optical.piecewise.Measurement`, float32.
    """
    close, wide = taps(window), taps(2 * window)
    shape = first.shape
    robust = np.empty(shape, np.float32)
    information, pull = np.empty((3, *shape), np.float32), np.empty((2, *shape), np.float32)
    correlation = np.empty(shape, np.float32)

    def means(weight: np.ndarray, products: np.ndarray, weights: np.ndarray, top: int, bottom: int) -> np.ndarray:
        margin = len(weights) - 1
        planes = _products(first, second, weight, products, top - margin, bottom + margin)
        return convolved(planes, weights, margin, margin + bottom - top)

    def weigh(top: int, bottom: int) -> None:
        rows = slice(top, bottom)
        spread = means(weight, _SPREAD, wide, top, bottom)
        _weigh(first[rows], second[rows], weight[rows], spread, robust[rows])

    def measure(top: int, bottom: int) -> None:
        sums = means(robust, _CLOSE, close, top, bottom), means(robust, _WIDE, wide, top, bottom)
        _combine(*sums, top, information, pull, correlation)

    for work in (weigh, measure):
        _in_strips(work, shape[0])
    return information, pull, correlation


def _in_strips(work: Callable[[int, int], None], rows: int) -> None:
    def strips(start: int, stop: int) -> None:
        for top in range(start, stop, _ROWS):
            work(top, min(top + _ROWS, stop))

    over_bands(strips, rows)


@numba.njit(**QUICK)
def _products(first, second, weight, products, start, stop):
    """Weighted products of pairs of planes, (n, rows, x), for some rows, reflected beyond the image."""
    height, width = first.shape
    out = np.empty((len(products), stop - start, width), np.float32)
    planes, line = np.ones((6, width), np.float32), np.empty(width + 6, np.float32)
    for y in range(start, stop):
        i = reflected(y, height)
        here, there, residual = first[i], second[i], planes[_RESIDUAL]
        for j in range(width):
            residual[j] = here[j] - there[j]
        planes[_FIRST], planes[_SECOND] = here, there
        if products[-1, 0] == _DY:
            _gradient(first, second, i, line, planes[_DX], planes[_DY])
        for n in range(len(products)):
            one, other, row, counts = planes[products[n, 0]], planes[products[n, 1]], out[n, y - start], weight[i]
            for j in range(width):
                row[j] = counts[j] * one[j] * other[j]
    return out


@numba.njit(cache=True, nogil=True, inline="always")
def _gradient(first, second, i, line, gx, gy):
    """Gradient of the mean of two images in row i, mirrored at the centres of the border pixels."""
    height, width = first.shape
    here, there, inner = first[i], second[i], line[3 : 3 + width]
    for j in range(width):
        inner[j] = _HALF * (here[j] + there[j])
    for k in range(1, 4):
        line[3 - k], line[width + 2 + k] = inner[mirrored(-k, width)], inner[mirrored(width - 1 + k, width)]
    for j in range(width):
        gx[j] = (
            _D[0] * (line[j + 4] - line[j + 2]) + _D[1] * (line[j + 5] - line[j + 1]) + _D[2] * (line[j + 6] - line[j])
        )
    for j in range(width):
        gy[j] = 0
    for k in range(3):
        below, above = mirrored(i + k + 1, height), mirrored(i - k - 1, height)
        a, b, c, d = first[below], second[below], first[above], second[above]
        factor = _HALF * _D[k]
        for j in range(width):
            gy[j] += factor * ((a[j] + b[j]) - (c[j] + d[j]))


@numba.njit(**QUICK)
def _weigh(first, second, weight, spread, out):
    """Weights that residuals far beyond their usual size lose."""
    height, width = out.shape
    square, one = np.float32(OUTLIER**2), np.float32(1)
    for i in range(height):
        a, b, counts, row = first[i], second[i], weight[i], out[i]
        total, known = spread[0, i], spread[1, i]
        for j in range(width):
            residual = a[j] - b[j]
            usual = total[j] / max(known[j], _FLOOR) + _LEAST
            less = one + residual * residual / (square * usual)
            row[j] = counts[j] / (less * less)


@numba.njit(**QUICK)
def _combine(close, wide, top, information, pull, correlation):
    """What the sums of windows say; the signal to noise of a window is that of images that share ρ² of their variance.

    Results begin in row `top`. One output a loop: the compiler then sees that rows do not overlap.
    """
    _, height, width = close.shape
    one, chance = np.float32(1), np.float32(CHANCE)
    ratio = np.empty(width, np.float32)
    for i in range(height):
        total, a, b, aa, bb, ab = wide[0, i], wide[1, i], wide[2, i], wide[3, i], wide[4, i], wide[5, i]
        row = correlation[top + i]
        for j in range(width):
            share = one / (total[j] + _TINY)
            product = (aa[j] - a[j] * a[j] * share + _LEAST) * (bb[j] - b[j] * b[j] * share + _LEAST)
            row[j] = min(max((ab[j] - a[j] * b[j] * share) / np.sqrt(product), np.float32(0)), _MOST)
        for j in range(width):
            share = one / (total[j] + _TINY)
            variance = _HALF * share * (aa[j] + bb[j] - (a[j] * a[j] + b[j] * b[j]) * share + _LEAST + _LEAST)
            shared = max(row[j] * row[j] - chance, np.float32(0)) / (one - chance)
            ratio[j] = shared / ((one - shared) * variance)
        total = close[0, i]
        for k in range(5):
            out = information[k, top + i] if k < 3 else pull[k - 3, top + i]
            one_mean = close[1, i] if k in (0, 1, 3) else close[2, i]
            other_mean = close[1, i] if k == 0 else (close[2, i] if k < 3 else close[3, i])
            product = close[4 + k, i]
            for j in range(width):
                out[j] = ratio[j] * (product[j] - one_mean[j] * other_mean[j] / (total[j] + _TINY))
