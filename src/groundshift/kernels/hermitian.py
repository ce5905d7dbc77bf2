"""Small symmetric and Hermitian matrices inside compiled loops: inverse, largest and smallest eigenvector.

A complex matrix is a pair of real arrays, which compilers turn into vector instructions more readily than complex
numbers. Nothing is allocated: results and scratch are passed in. Matrices of a few tens of rows are solved many
times faster than by batched calls of a general library.
"""

from __future__ import annotations

import numba
import numpy as np

_FLAGS = {"contract", "reassoc", "arcp"}


@numba.njit(cache=True, nogil=True, fastmath=_FLAGS)
def invert(matrix, size, least, inverse):
    """Invert a symmetric matrix of unit diagonal by Gauss-Jordan elimination; False if it is not well positive.

    Parameters
    ----------
    matrix, inverse
        float64 (at least `size`, at least `size`); the inverse is written, the matrix kept.
    size
        Rows and columns that count.
    least
        Smallest pivot: an element of the diagonal after those before it are eliminated, 0 to 1.
    """
    for i in range(size):
        for j in range(size):
            inverse[i, j] = matrix[i, j]
    for k in range(size):
        pivot = inverse[k, k]
        if not pivot > least:
            return False
        scale = 1.0 / pivot
        inverse[k, k] = 1.0
        for j in range(size):
            inverse[k, j] *= scale
        for i in range(size):
            if i == k:
                continue
            factor = inverse[i, k]
            inverse[i, k] = 0.0
            for j in range(size):
                inverse[i, j] -= factor * inverse[k, j]
    return True


@numba.njit(cache=True, nogil=True, fastmath=_FLAGS)
def _times(real, imag, size, x_real, x_imag, y_real, y_imag):
    """y = A x."""
    for i in range(size):
        re, im = 0.0, 0.0
        for j in range(size):
            re += real[i, j] * x_real[j] - imag[i, j] * x_imag[j]
            im += real[i, j] * x_imag[j] + imag[i, j] * x_real[j]
        y_real[i], y_imag[i] = re, im


@numba.njit(cache=True, nogil=True)
def _normalise(real, imag, size):
    """Scale a vector to length one; return the length that it had."""
    norm = 0.0
    for i in range(size):
        norm += real[i] * real[i] + imag[i] * imag[i]
    norm = np.sqrt(norm)
    for i in range(size):
        real[i] /= norm
        imag[i] /= norm
    return norm


@numba.njit(cache=True, nogil=True)
def largest_eigenvector(real, imag, size, x_real, x_imag, y_real, y_imag, tolerance, most):
    """Eigenvector of the largest eigenvalue of a positive Hermitian matrix, by power iteration.

    Parameters
    ----------
    real, imag
        float64 (size, size) or larger.
    x_real, x_imag
        float64 (size,): the first guess; overwritten by the eigenvector of length one.
    y_real, y_imag
        float64 (size,): scratch.
    tolerance, most
        Stop when the direction changes by less than this (radians), or after so many steps.
    """
    _normalise(x_real, x_imag, size)
    for _ in range(most):
        _times(real, imag, size, x_real, x_imag, y_real, y_imag)
        _normalise(y_real, y_imag, size)
        change = 0.0
        for i in range(size):
            change += (y_real[i] - x_real[i]) ** 2 + (y_imag[i] - x_imag[i]) ** 2
            x_real[i], x_imag[i] = y_real[i], y_imag[i]
        if change < tolerance * tolerance:
            return


@numba.njit(cache=True, nogil=True, fastmath=_FLAGS)
def _factor(real, imag, size, shift, f_real, f_imag):
    """Factor A − shift·I = Uᴴ D U, rows of D·U in the upper triangle; False unless all of D is positive."""
    for i in range(size):
        for j in range(i, size):
            f_real[i, j], f_imag[i, j] = real[i, j], imag[i, j]
        f_real[i, i] -= shift
    for k in range(size):
        if not f_real[k, k] > 1e-14:
            return False
        scale = 1.0 / f_real[k, k]
        for i in range(k + 1, size):
            re, im = f_real[k, i] * scale, -f_imag[k, i] * scale
            for j in range(i, size):
                f_real[i, j] -= re * f_real[k, j] - im * f_imag[k, j]
                f_imag[i, j] -= re * f_imag[k, j] + im * f_real[k, j]
    return True


@numba.njit(cache=True, nogil=True, fastmath=_FLAGS)
def _solve(f_real, f_imag, size, x_real, x_imag):
    """x = (Uᴴ D U)⁻¹ x with the factors of :func:`_factor`."""
    for k in range(size):
        scale = 1.0 / f_real[k, k]
        re, im = x_real[k] * scale, x_imag[k] * scale
        for i in range(k + 1, size):
            x_real[i] -= f_real[k, i] * re + f_imag[k, i] * im
            x_imag[i] -= f_real[k, i] * im - f_imag[k, i] * re
    for k in range(size - 1, -1, -1):
        re, im = x_real[k], x_imag[k]
        for j in range(k + 1, size):
            re -= f_real[k, j] * x_real[j] - f_imag[k, j] * x_imag[j]
            im -= f_real[k, j] * x_imag[j] + f_imag[k, j] * x_real[j]
        x_real[k], x_imag[k] = re / f_real[k, k], im / f_real[k, k]


@numba.njit(cache=True, nogil=True)
def smallest_eigenvector(real, imag, size, guess, x_real, x_imag, y_real, y_imag, f_real, f_imag, tolerance):
    """Eigenvector of the smallest eigenvalue of a positive Hermitian matrix, by shifted inverse iteration.

    The shift is moved up to the smallest eigenvalue from below: a shift under which the matrix stays positive,
    which the factorisation shows, cannot have passed it, so no other eigenvector is found by mistake.

    Parameters
    ----------
    real, imag
        float64 (size, size) or larger.
    guess
        A first shift, near the smallest eigenvalue; if it is above, a smaller one is taken.
    x_real, x_imag
        float64 (size,): the first guess; overwritten by the eigenvector of length one.
    y_real, y_imag, f_real, f_imag
        Scratch, float64 (size,) and (size, size).
    tolerance
        Largest residual |A x − λ x| at which to stop.

    Returns
    -------
    The eigenvalue; NaN if the matrix is not positive.
    """
    low, shift, value = -1e-9, guess, np.nan
    for _ in range(30):
        if not _factor(real, imag, size, shift, f_real, f_imag):
            if shift <= low:
                return np.nan
            shift = low if shift - low < 1e-9 else 0.5 * (shift + low)
            continue
        low = shift
        for _ in range(2):
            _solve(f_real, f_imag, size, x_real, x_imag)
            _normalise(x_real, x_imag, size)
        _times(real, imag, size, x_real, x_imag, y_real, y_imag)
        value = 0.0
        for i in range(size):
            value += x_real[i] * y_real[i] + x_imag[i] * y_imag[i]
        residual = 0.0
        for i in range(size):
            residual += (y_real[i] - value * x_real[i]) ** 2 + (y_imag[i] - value * x_imag[i]) ** 2
        residual = np.sqrt(residual)
        if residual < tolerance:
            return value
        shift = max(low, value - 1.5 * residual)
    return value
