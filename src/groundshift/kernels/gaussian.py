"""Gaussian smoothing of float32 images, quick enough to be called hundreds of times on each tile."""

from __future__ import annotations

import numba
import numpy as np

from groundshift.kernels.inner import QUICK
from groundshift.kernels.threads import over_bands

_TRUNCATE = 3.0  # standard deviations


def smoothed(values: np.ndarray, sigma: float) -> np.ndarray:
    """Mean over a Gaussian window around every pixel; float32 (y, x).

    Parameters
    ----------
    values
        (y, x), without NaN; mirrored at its borders, the border pixels being repeated.
    sigma
        Standard deviation of the window, pixels; it is cut at three of them.
    """
    plane, weights = np.ascontiguousarray(values, np.float32)[None], taps(sigma)
    return np.concatenate(over_bands(lambda top, bottom: convolved(plane, weights, top, bottom)[0], len(values)))


def taps(sigma: float) -> np.ndarray:
    """Weights of a Gaussian window along an axis, from its centre outward, float32; `sigma` in pixels."""
    weights = np.exp(-0.5 * (np.arange(int(_TRUNCATE * sigma + 0.5) + 1) / sigma) ** 2)
    return (weights / (weights[0] + 2 * weights[1:].sum())).astype(np.float32)


def locally_standardised(image: np.ndarray, weight: np.ndarray, width: float) -> np.ndarray:
    """The image with mean 0 and variance 1 in a Gaussian window around every pixel; float32 (y, x).

    Parameters
    ----------
    image, weight
        (y, x); pixels of weight 0 take no part, and the image is finite there too.
    width
        Standard deviation of the window, pixels.
    """
    known, weights = image * weight, taps(width)
    planes = np.stack([weight, known, known**2]).astype(np.float32)

    def standardised(top: int, bottom: int) -> np.ndarray:
        total, mean, square = convolved(planes, weights, top, bottom)
        total = np.maximum(total, 1e-3)
        mean /= total
        return (image[top:bottom] - mean) / np.sqrt(np.maximum(square / total - mean**2, 0) + 1e-6)

    return np.concatenate(over_bands(standardised, len(image)))


@numba.njit(cache=True, nogil=True, inline="always")
def reflected(index, size):
    """Index of a pixel beyond the border of `size` pixels, mirrored with the border pixel repeated."""
    period = 2 * size
    index = index % period
    return period - 1 - index if index >= size else index


@numba.njit(**QUICK)
def convolved(planes, weights, top, bottom):
    """Rows `top` to `bottom` of float32 planes (c, y, x) along columns, then along rows.

    The weights are symmetric and given from the centre outward, as of :func:`taps`; borders are those of `smoothed`.
    """
    count, height, width = planes.shape
    radius = weights.size - 1
    out = np.empty((count, bottom - top, width), np.float32)
    line = np.empty(width + 2 * radius, np.float32)
    before, after = np.empty(radius, np.int64), np.empty(radius, np.int64)
    for j in range(radius):
        before[j], after[j] = reflected(j - radius, width), reflected(width + j, width)
    for c in range(count):
        values = planes[c]
        for i in range(top, bottom):
            inner = line[radius : radius + width]
            centre = values[i]
            for j in range(width):
                inner[j] = weights[0] * centre[j]
            k = 1
            while k + 1 <= radius:  # two pairs of rows at a time: half the passes over `line`
                a, b = values[reflected(i - k, height)], values[reflected(i + k, height)]
                d, e = values[reflected(i - k - 1, height)], values[reflected(i + k + 1, height)]
                first, second = weights[k], weights[k + 1]
                for j in range(width):
                    inner[j] += first * (a[j] + b[j]) + second * (d[j] + e[j])
                k += 2
            if k <= radius:
                a, b = values[reflected(i - k, height)], values[reflected(i + k, height)]
                for j in range(width):
                    inner[j] += weights[k] * (a[j] + b[j])
            for j in range(radius):
                line[j] = line[radius + before[j]]
                line[radius + width + j] = line[radius + after[j]]
            row = out[c, i - top]
            for j in range(width):
                row[j] = weights[0] * inner[j]
            k = 1
            while k + 1 <= radius:
                a, b = line[radius - k : radius - k + width], line[radius + k : radius + k + width]
                d, e = line[radius - k - 1 : radius - k - 1 + width], line[radius + k + 1 : radius + k + 1 + width]
                first, second = weights[k], weights[k + 1]
                for j in range(width):
                    row[j] += first * (a[j] + b[j]) + second * (d[j] + e[j])
                k += 2
            if k <= radius:
                a, b = line[radius - k : radius - k + width], line[radius + k : radius + k + width]
                for j in range(width):
                    row[j] += weights[k] * (a[j] + b[j])
    return out
