"""Quintic B-splines: images evaluated between their pixels.

Sources: Unser (1999), doi:10.1109/79.799930; Thévenaz, Blu & Unser (2000), doi:10.1109/42.875199.
"""

from __future__ import annotations

import numba
import numpy as np
from scipy import ndimage

from groundshift.kernels.threads import over_bands

REACH = 3
"""Pixels on either side of a sample that a quintic B-spline touches."""

_POLES = (-0.43057534709997379, -0.04309628820326465)
_HORIZON = 40  # pixels after which the first pole has decayed to 1e-15
_STRIP = 32  # lines that are filtered together


def coefficients(image: np.ndarray) -> np.ndarray:
    """Quintic B-spline coefficients, float32, of an image (y, x) without NaN, mirrored at its borders."""
    return _filtered(np.asarray(image, dtype=np.float32))


@numba.njit(cache=True, nogil=True, inline="always")
def mirrored(index, size):
    """Index of a pixel beyond the border, mirrored at the centre of the border pixel."""
    period = max(2 * size - 2, 1)
    index = abs(index) % period
    return period - index if index >= size else index


@numba.njit(cache=True, nogil=True)
def _filtered(image):  # loops, not slices: those take numba seconds to compile
    height, width = image.shape
    out = np.empty((height, width), np.float32)
    strip = np.zeros((height, _STRIP))
    for left in range(0, width, _STRIP):
        count = min(_STRIP, width - left)
        for i in range(height):
            for k in range(count):
                strip[i, k] = image[i, left + k]
        _filter_columns(strip)
        for i in range(height):
            for k in range(count):
                out[i, left + k] = strip[i, k]
    strip = np.zeros((width, _STRIP))
    for top in range(0, height, _STRIP):
        count = min(_STRIP, height - top)
        for k in range(count):
            for i in range(width):
                strip[i, k] = out[top + k, i]
        _filter_columns(strip)
        for k in range(count):
            for i in range(width):
                out[top + k, i] = strip[i, k]
    return out


@numba.njit(cache=True, nogil=True, fastmath=True)
def _filter_columns(lines):
    """Replace float64 (i, k) by its coefficients along i: a causal and an anticausal recursion for each pole."""
    size, count = lines.shape
    if size == 1:
        return
    for pole in _POLES:
        gain = (1 - pole) * (1 - 1 / pole)
        for i in range(size):
            for k in range(count):
                lines[i, k] *= gain
        start = lines[0].copy()
        power = pole
        for i in range(1, _HORIZON):
            there = mirrored(i, size)
            for k in range(count):
                start[k] += power * lines[there, k]
            power *= pole
        for k in range(count):
            lines[0, k] = start[k]
        for i in range(1, size):
            for k in range(count):
                lines[i, k] += pole * lines[i - 1, k]
        for k in range(count):
            lines[-1, k] = pole / (pole * pole - 1) * (lines[-1, k] + pole * lines[-2, k])
        for i in range(size - 2, -1, -1):
            for k in range(count):
                lines[i, k] = pole * (lines[i + 1, k] - lines[i, k])


def fill_holes(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The image with the nearest usable value where it is NaN (0 if all is), and where it was not NaN."""
    ok = np.isfinite(image)
    if ok.all():
        return image, ok
    if not ok.any():
        return np.zeros_like(image), ok
    nearest = np.asarray(ndimage.distance_transform_edt(~ok, return_distances=False, return_indices=True))
    return image[nearest[0], nearest[1]], ok


def scaled(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Image with median 0 and typical deviation 1, its holes filled from nearby; and 1 where it was not a hole."""
    filled, ok = fill_holes(image)
    centred = filled - np.median(filled)
    scale = np.median(np.abs(centred)) or np.std(centred) or 1.0
    return (centred / scale).astype(np.float32), ok.astype(np.float32)


@numba.njit(cache=True, nogil=True, inline="always")
def quintic(x):
    """Quintic B-spline and its derivative at distance x."""
    u = abs(x)
    sign = 1.0 if x >= 0 else -1.0
    if u < 1:
        value = 0.55 - u * u * (0.5 - u * u * (0.25 - u / 12))
        slope = sign * u * (-1 + u * u * (1 - 5 * u / 12))
    elif u < 2:
        value = 0.425 + u * (0.625 + u * (-1.75 + u * (1.25 + u * (-0.375 + u / 24))))
        slope = sign * (0.625 + u * (-3.5 + u * (3.75 + u * (-1.5 + u * 5 / 24))))
    elif u < 3:
        value = (3 - u) ** 5 / 120
        slope = -sign * (3 - u) ** 4 / 24
    else:
        value = slope = 0.0
    return value, slope


@numba.njit(cache=True, nogil=True, inline="always")
def _weights(moved, out):
    """The six weights of samples (6, n), float32, for displacements along an axis: fractions beyond the third."""
    share = np.float32(1 / 120)
    a, b, c, d, e, f = out[0], out[1], out[2], out[3], out[4], out[5]
    for n in range(len(moved)):
        t = np.float32(moved[n] - np.floor(moved[n]))
        s = 1 - t
        t2, s2 = t * t, s * s
        a[n] = share * s2 * s2 * s
        b[n] = share * (26 - t * (50 - t * (20 + t * (20 - t * (20 - t * 5)))))
        c[n] = share * (66 - t2 * (60 - t2 * (30 - t * 10)))
        d[n] = share * (66 - s2 * (60 - s2 * (30 - s * 10)))
        e[n] = share * (26 - s * (50 - s * (20 + s * (20 - s * (20 - s * 5)))))
        f[n] = share * t2 * t2 * t


@numba.njit(cache=True, nogil=True, fastmath=True, inline="always")
def values_at(spline, rows, columns, dx, dy, weights, out):
    """The image at (column + dx, row + dy) of n pixels, from its coefficients (y, x); mirrored beyond it.

    The weights of all come first, which compiles to vector instructions; `weights`, float32 (12, n), is room for them.
    """
    height, width = spline.shape
    _weights(dy, weights[:6])
    _weights(dx, weights[6:])
    for n in range(len(out)):
        top, left = rows[n] + int(np.floor(dy[n])) - 2, columns[n] + int(np.floor(dx[n])) - 2
        total = np.float32(0)
        if 0 <= top < height - 5 and 0 <= left < width - 5:
            for a in range(6):
                line = np.float32(0)
                for b in range(6):
                    line += weights[6 + b, n] * spline[top + a, left + b]
                total += weights[a, n] * line
        else:
            for a in range(6):
                row = mirrored(top + a, height)
                for b in range(6):
                    total += weights[a, n] * weights[6 + b, n] * spline[row, mirrored(left + b, width)]
        out[n] = total


def warp(spline: np.ndarray, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """The image at (x + dx, y + dy) for every pixel (x, y).

    Parameters
    ----------
    spline
        Coefficients, float32 (y, x).
    dx, dy
        Pixels, (i, j); the pixel (0, 0) is that of the image. Beyond the image it is mirrored.

    Returns
    -------
    float32 (i, j).
    """
    out = np.empty(dx.shape, np.float32)
    over_bands(lambda top, bottom: _warp(spline, dx, dy, top, bottom, out), len(out))
    return out


@numba.njit(cache=True, nogil=True, fastmath=True)
def _warp(spline, dx, dy, top, bottom, out):
    width = out.shape[1]
    weights, columns = np.empty((12, width), np.float32), np.arange(width)
    for i in range(top, bottom):
        values_at(spline, np.full(width, i), columns, dx[i], dy[i], weights, out[i])


def nearest(image: np.ndarray, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """The image at the pixel nearest to (x + dx, y + dy) for every pixel (x, y), 0 beyond it; (y, x) all."""
    return np.concatenate(over_bands(lambda top, bottom: _nearest(image, dx, dy, top, bottom), len(dx)))


@numba.njit(cache=True, nogil=True)
def _nearest(image, dx, dy, top, bottom):
    height, width = image.shape
    out = np.zeros((bottom - top, dx.shape[1]), image.dtype)
    for i in range(top, bottom):
        for j in range(dx.shape[1]):
            y, x = i + dy[i, j], j + dx[i, j]
            if -0.5 <= y < height - 0.5 and -0.5 <= x < width - 0.5:
                out[i - top, j] = image[int(np.floor(y + 0.5)), int(np.floor(x + 0.5))]
    return out
