"""The echo that rules a pixel, apart from those around it, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

_FLOOR = 0.05  # of the mean power around: noise that no scatterer explains
_ROUNDS = 4  # more of them make out scatterers that are not there


class _Axis(NamedTuple):
    """Places of the window along one axis."""

    size: int
    pairs: np.ndarray
    products: np.ndarray  # of the responses of pairs


@numba.njit(cache=True, nogil=True)
def ruling_series(slc, rows, columns, turn_y, turn_x, response_y, response_x, step, near):
    """Series of the scatterers that rule pixels, what others add taken off.

    The covariance over time of the pixels around is explained by scatterers on a grid finer than pixels, whose powers
    are found by iteration, and a floor of noise. The series is the expectation of the part of the pixel's own echo
    that comes from near the place that gives it most.

    Parameters
    ----------
    slc
        complex64 (time, y, x), 0 or NaN without data; no pixel is nearer to a border than the window.
    rows, columns
        Pixels, int (n,).
    turn_y, turn_x
        float32 (n,), radians: phase from one line to the next around each pixel, and from one column to the next.
    response_y
        float64 (2a + 1, m): amplitude that a scatterer `step` · (k − m // 2) lines from the middle has on lines −a … a.
    response_x
        The same along x.
    step
        Of the grid, pixels.
    near
        Scatterers within so many pixels of the one that gives most count as one with it.

    Returns
    -------
    complex64 (time, n).

    Notes
    -----
    Source: sparse Bayesian learning with many snapshots (Wipf & Rao 2007, doi:10.1109/TSP.2007.894265), with the update
    p ← p · (aᵀR⁻¹SR⁻¹a) / (aᵀR⁻¹a), stopped early.
    """
    images, count = slc.shape[0], len(rows)
    high, wide = response_y.shape[0], response_x.shape[0]
    half_y, half_x, size = high // 2, wide // 2, high * wide
    pairs_y, pairs_x = _pairs(high), _pairs(wide)
    along = _Axis(high, pairs_y, _products(response_y, pairs_y))
    across = _Axis(wide, pairs_x, _products(response_x, pairs_x))
    grid_y, grid_x = response_y.shape[1], response_x.shape[1]
    around = int(near / step + 1e-6)
    out = np.empty((images, count), np.complex64)
    turned = np.empty(size, np.complex64)
    seen = np.empty((size, images), np.complex64)
    parts = np.empty((size, 2 * images))
    for n in range(count):
        for i in range(high):
            for j in range(wide):
                away = turn_y[n] * (i - half_y) + turn_x[n] * (j - half_x)
                turned[i * wide + j] = np.complex64(np.cos(away) - 1j * np.sin(away))
        for t in range(images):
            for i in range(high):
                for j in range(wide):
                    k = i * wide + j
                    z = slc[t, rows[n] + i - half_y, columns[n] + j - half_x] * turned[k]
                    if np.isnan(z.real):
                        z = np.complex64(0)
                    seen[k, t] = z
                    parts[k, 2 * t], parts[k, 2 * t + 1] = z.real, z.imag
        covariance = parts @ parts.T / images
        mean = np.trace(covariance) / size
        if not mean > 0:
            out[:, n] = seen[size // 2]
            continue
        covariance /= mean
        power = np.ones((grid_y, grid_x))
        for _ in range(_ROUNDS):
            inverse = np.linalg.inv(_modelled(power, along, across))
            found = _pulled(inverse @ covariance @ inverse, along, across)
            expected = _pulled(inverse, along, across)
            for i in range(grid_y):
                for j in range(grid_x):
                    power[i, j] *= max(found[i, j], 0.0) / max(expected[i, j], 1e-12)
        model = _modelled(power, along, across)
        for i in range(grid_y):
            for j in range(grid_x):
                power[i, j] *= response_y[half_y, i] * response_x[half_x, j]
        _keep_ruling(power, response_y[half_y], response_x[half_x], around, near / step)
        own = np.ascontiguousarray(response_y @ power @ response_x.T).reshape(size)
        weights = np.linalg.solve(model, own)
        for t in range(images):
            total = np.complex64(0)
            for k in range(size):
                total += np.float32(weights[k]) * seen[k, t]
            out[t, n] = total
    return out


@numba.njit(cache=True, nogil=True)
def _pairs(size):
    """Two of so many places, each pair once: int64 (pairs, 2)."""
    out = np.empty((size * (size + 1) // 2, 2), np.int64)
    k = 0
    for i in range(size):
        for j in range(i, size):
            out[k, 0], out[k, 1] = i, j
            k += 1
    return out


@numba.njit(cache=True, nogil=True)
def _products(response, pairs):
    """Of the responses of the places of pairs: float64 (pairs, grid)."""
    out = np.empty((len(pairs), response.shape[1]))
    for k in range(len(pairs)):
        out[k] = response[pairs[k, 0]] * response[pairs[k, 1]]
    return out


@numba.njit(cache=True, nogil=True)
def _modelled(power, along, across):
    """Covariance of the pixels by scatterers of these powers on the grid, and the floor; (size, size)."""
    found = along.products @ power @ np.ascontiguousarray(across.products.T)
    wide, size = across.size, along.size * across.size
    out = np.empty((size, size))
    for a in range(len(along.pairs)):
        i, k = along.pairs[a]
        for b in range(len(across.pairs)):
            j, m = across.pairs[b]
            out[i * wide + j, k * wide + m] = out[i * wide + m, k * wide + j] = found[a, b]
            out[k * wide + j, i * wide + m] = out[k * wide + m, i * wide + j] = found[a, b]
    for k in range(size):
        out[k, k] += _FLOOR
    return out


@numba.njit(cache=True, nogil=True)
def _pulled(matrix, along, across):
    """aᵀ M a of the responses a to each place of the grid, for a symmetric matrix; float64 (grid of y, grid of x)."""
    folded = np.empty((len(along.pairs), len(across.pairs)))
    wide = across.size
    for a in range(len(along.pairs)):
        i, k = along.pairs[a]
        for b in range(len(across.pairs)):
            j, m = across.pairs[b]
            value = matrix[i * wide + j, k * wide + m]
            if m > j:
                value += matrix[i * wide + m, k * wide + j]
            folded[a, b] = value * (2.0 if k > i else 1.0)
    return np.ascontiguousarray(along.products.T) @ folded @ across.products


@numba.njit(cache=True, nogil=True)
def _keep_ruling(echo, response_y, response_x, around, radius):
    """Set to 0 what is not near the place that gives the pixel most power; `echo` is power times response."""
    high, wide = echo.shape
    best, best_i, best_j = -1.0, 0, 0
    for i in range(high):
        for j in range(wide):
            total = 0.0
            for y in range(max(i - around, 0), min(i + around + 1, high)):
                for x in range(max(j - around, 0), min(j + around + 1, wide)):
                    if (y - i) ** 2 + (x - j) ** 2 <= radius**2 + 1e-6:
                        total += echo[y, x] * response_y[y] * response_x[x]
            if total > best:
                best, best_i, best_j = total, i, j
    for i in range(high):
        for j in range(wide):
            if (i - best_i) ** 2 + (j - best_j) ** 2 > radius**2 + 1e-6:
                echo[i, j] = 0.0
