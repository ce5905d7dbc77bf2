"""Gaussian smoothing of float32 images, quick enough to be called hundreds of times on each tile."""

from __future__ import annotations

import numba
import numpy as np

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
    radius = int(_TRUNCATE * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(radius + 1) / sigma) ** 2)
    weights /= weights[0] + 2 * weights[1:].sum()
    return _convolved(np.ascontiguousarray(values, np.float32), weights.astype(np.float32))


def locally_standardised(image: np.ndarray, weight: np.ndarray, width: float) -> np.ndarray:
    """The image with mean 0 and variance 1 in a Gaussian window around every pixel; float32 (y, x).

    Parameters
    ----------
    image, weight
        (y, x); pixels of weight 0 take no part, and the image is finite there too.
    width
        Standard deviation of the window, pixels.
    """
    total = np.maximum(smoothed(weight, width), 1e-3)
    mean = smoothed(image * weight, width) / total
    variance = smoothed((image * weight) ** 2, width) / total - mean**2
    return (image - mean) / np.sqrt(np.maximum(variance, 0) + 1e-6)


@numba.njit(cache=True, nogil=True, inline="always")
def _reflected(index, size):
    period = 2 * size
    index = index % period
    return period - 1 - index if index >= size else index


@numba.njit(cache=True, nogil=True, fastmath=True)
def _convolved(values, weights):
    """Along columns, then along rows, with symmetric weights given from the centre outward."""
    height, width = values.shape
    radius = weights.size - 1
    out = np.empty((height, width), np.float32)
    line = np.empty(width + 2 * radius, np.float32)
    before, after = np.empty(radius, np.int64), np.empty(radius, np.int64)
    for j in range(radius):
        before[j], after[j] = _reflected(j - radius, width), _reflected(width + j, width)
    for i in range(height):
        inner = line[radius : radius + width]
        centre = values[i]
        for j in range(width):
            inner[j] = weights[0] * centre[j]
        k = 1
        while k + 1 <= radius:  # two pairs of rows at a time: half the passes over `line`
            a, b = values[_reflected(i - k, height)], values[_reflected(i + k, height)]
            c, d = values[_reflected(i - k - 1, height)], values[_reflected(i + k + 1, height)]
            first, second = weights[k], weights[k + 1]
            for j in range(width):
                inner[j] += first * (a[j] + b[j]) + second * (c[j] + d[j])
            k += 2
        if k <= radius:
            a, b = values[_reflected(i - k, height)], values[_reflected(i + k, height)]
            for j in range(width):
                inner[j] += weights[k] * (a[j] + b[j])
        for j in range(radius):
            line[j] = line[radius + before[j]]
            line[radius + width + j] = line[radius + after[j]]
        row = out[i]
        for j in range(width):
            row[j] = weights[0] * inner[j]
        k = 1
        while k + 1 <= radius:
            a, b = line[radius - k : radius - k + width], line[radius + k : radius + k + width]
            c, d = line[radius - k - 1 : radius - k - 1 + width], line[radius + k + 1 : radius + k + 1 + width]
            first, second = weights[k], weights[k + 1]
            for j in range(width):
                row[j] += first * (a[j] + b[j]) + second * (c[j] + d[j])
            k += 2
        if k <= radius:
            a, b = line[radius - k : radius - k + width], line[radius + k : radius + k + width]
            for j in range(width):
                row[j] += weights[k] * (a[j] + b[j])
    return out
