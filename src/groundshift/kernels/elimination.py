"""Least squares in which every cell has three unknowns of its own, and all cells share a few.

A cell measures y = A d + B z + noise: d is its motion (east, north, up), z what all cells share (errors of the
sources). The three are eliminated cell by cell, which leaves normal equations for z alone (Schur complement); when z is
known, each cell gives its d and the full covariance. Source: Golub & Van Loan (2013), Matrix Computations, section 3.2.
"""

from __future__ import annotations

import numba
import numpy as np

_NEAREST = 4  # the value around another that has to be like it
_RANK = 1e-10  # share of the square of a column that has to be new for it to count
_jit = numba.njit(cache=True, nogil=True)
_inlined = numba.njit(cache=True, nogil=True, inline="always")  # linked code differs in last digits if it was cached


@_inlined
def _inverse(look, weight, prior, out):
    """Inverse of the 3 × 3 matrix Σ weight look lookᵀ + diag(prior), for one cell; `look` is (m, 3)."""
    a, b, c, d, e, f = prior[0], 0.0, 0.0, prior[1], 0.0, prior[2]
    for j in range(weight.size):
        w, x, y, z = weight[j], look[j, 0], look[j, 1], look[j, 2]
        a += w * x * x
        b += w * x * y
        c += w * x * z
        d += w * y * y
        e += w * y * z
        f += w * z * z
    left, right = b / a, c / a  # LDLᵀ: by cofactors, the little that one look leaves of the determinant is rounding
    second, below = d - b * left, e - b * right
    lower = below / second
    corner, across = 1.0 / (f - c * right - below * lower), left * lower - right
    out[0, 0] = 1.0 / a + left * left / second + across * across * corner
    out[0, 1] = out[1, 0] = -left / second - lower * across * corner
    out[0, 2] = out[2, 0] = across * corner
    out[1, 1] = 1.0 / second + lower * lower * corner
    out[1, 2] = out[2, 1] = -lower * corner
    out[2, 2] = corner


@_inlined
def _gather(cell, value, weight, look, column, factor, y, w, a, at, b):
    """What one cell measured: returns how many measurements; fills y, w, a (m, 3), columns and factors (m, k)."""
    count = 0
    for c in range(weight.shape[0]):
        if weight[c, cell] > 0:
            y[count], w[count] = value[c, cell], weight[c, cell]
            for k in range(3):
                a[count, k] = look[c, k, cell]
            for k in range(column.shape[1]):
                at[count, k], b[count, k] = column[c, k, cell], factor[c, k, cell]
            count += 1
    return count


@_inlined
def _basis(a, w, free, out):
    """Orthonormal basis of the columns of diag(√w) a that are free, float64 (m, 3) in `out`; returns its rank."""
    rank = 0
    for k in range(3):
        if not free[k]:
            continue
        before = 0.0
        for i in range(w.size):
            out[i, rank] = a[i, k] * np.sqrt(w[i])
            before += out[i, rank] ** 2
        for _ in range(2):  # twice is enough (Kahan & Parlett)
            for other in range(rank):
                product = 0.0
                for i in range(w.size):
                    product += out[i, other] * out[i, rank]
                for i in range(w.size):
                    out[i, rank] -= product * out[i, other]
        after = 0.0
        for i in range(w.size):
            after += out[i, rank] ** 2
        if after > _RANK * before:
            for i in range(w.size):
                out[i, rank] /= np.sqrt(after)
            rank += 1
    return rank


@_jit
def reduced_normal(value, weight, look, column, factor, free, matrix, right):
    """Add the cells to the normal equations of z, after elimination of their own unknowns.

    Nothing is assumed of these: what is left of the measurements is their projection away from the columns of A.

    Parameters
    ----------
    value, weight
        Measurements and 1 / variance, float64 (m, n); weight 0 where there is none.
    look
        Rows of A, float64 (m, 3, n): what of east, north and up is measured.
    column, factor
        Rows of B: int64 (m, k, n) columns of z, negative where there is none, and float64 (m, k, n) factors.
    free
        bool (3,): which of east, north, up is unknown; others are 0.
    matrix, right
        Normal equations, float64 (z, z) and (z,); added to, of the matrix all of it.
    """
    m, terms = weight.shape[0], column.shape[1]
    y, w, a, basis = np.empty(m), np.empty(m), np.empty((m, 3)), np.empty((m, 3))
    at, b = np.empty((m, terms), np.int64), np.empty((m, terms))
    for cell in range(weight.shape[1]):
        count = _gather(cell, value, weight, look, column, factor, y, w, a, at, b)
        if count == 0:
            continue
        rank = _basis(a[:count], w[:count], free, basis)
        for i in range(count):
            for j in range(count):
                share = 1.0 if i == j else 0.0
                for k in range(rank):
                    share -= basis[i, k] * basis[j, k]
                share *= np.sqrt(w[i] * w[j])
                for k in range(terms):
                    if at[i, k] < 0:
                        continue
                    left = b[i, k] * share
                    right[at[i, k]] += left * y[j]
                    for n in range(terms):
                        if at[j, n] >= 0:
                            matrix[at[i, k], at[j, n]] += left * b[j, n]


@_jit
def cell_solutions(value, weight, look, column, factor, prior, shared, covariance, motion, spread, residual):
    """Motion of each cell, its covariance, and its standardised residuals, when z is known.

    Parameters
    ----------
    value, weight, look, column, factor
        As for :func:`reduced_normal`.
    prior
        1 / variance of east, north, up about 0, float64 (3, n).
    shared, covariance
        z, float64 (z,), and its covariance, float64 (z, z), or (0, 0) to leave what it adds out of `spread`.
    motion, spread, residual
        Filled: float64 (n, 3), (n, 3, 3), and (m, n), which is NaN where a measurement is not checked by others.
    """
    m, terms = weight.shape[0], column.shape[1]
    y, w, a = np.empty(m), np.empty(m), np.empty((m, 3))
    at, b = np.empty((m, terms), np.int64), np.empty((m, terms))
    inverse, gain, whole = np.empty((3, 3)), np.empty((3, m * terms)), np.empty(m * terms)
    flat = np.empty(m * terms, np.int64)
    for cell in range(weight.shape[1]):
        count = _gather(cell, value, weight, look, column, factor, y, w, a, at, b)
        _inverse(a[:count], w[:count], prior[:, cell], inverse)
        for k in range(3):
            motion[cell, k] = 0.0
        used = 0
        for i in range(count):
            for k in range(terms):
                if at[i, k] >= 0:
                    y[i] -= b[i, k] * shared[at[i, k]]
            for row in range(3):
                part = (inverse[row, 0] * a[i, 0] + inverse[row, 1] * a[i, 1] + inverse[row, 2] * a[i, 2]) * w[i]
                motion[cell, row] += part * y[i]
                for k in range(terms):
                    gain[row, used + k] = part * b[i, k]
            for k in range(terms):
                flat[used + k] = at[i, k]
            used += terms
        for row in range(3):
            for other in range(3):
                spread[cell, row, other] = inverse[row, other]
        for row in range(3 if covariance.size else 0):
            for i in range(used):
                whole[i] = 0.0
                if flat[i] >= 0:
                    for j in range(used):
                        if flat[j] >= 0:
                            whole[i] += gain[row, j] * covariance[flat[j], flat[i]]
            for other in range(3):
                for i in range(used):
                    if flat[i] >= 0:
                        spread[cell, row, other] += whole[i] * gain[other, i]
        number = 0
        for c in range(m):
            residual[c, cell] = np.nan
            if weight[c, cell] > 0:
                rest, known = y[number], 0.0
                for k in range(3):
                    rest -= a[number, k] * motion[cell, k]
                    for n in range(3):
                        known += a[number, k] * inverse[k, n] * a[number, n]
                variance = 1 / w[number] - known
                if variance * w[number] > 0.02:
                    residual[c, cell] = rest / np.sqrt(variance)
                number += 1


@_jit
def lone_residual(values, sigma):
    """How far each value (y, x) lies from the others around it in 5 × 5, in units of its sigma, 0 or more.

    The distance is that to the fourth nearest of the other values: beside a rupture, where there are two kinds of
    values, each agrees with those on its side; a value that is wrong agrees with none. NaN where fewer than six others
    are there.
    """
    height, width = values.shape
    out = np.full((height, width), np.nan)
    apart = np.empty(24)
    for y in range(height):
        for x in range(width):
            if not np.isfinite(values[y, x]):
                continue
            count = 0
            for i in range(max(0, y - 2), min(height, y + 3)):
                for j in range(max(0, x - 2), min(width, x + 3)):
                    if (i != y or j != x) and np.isfinite(values[i, j]):
                        apart[count] = np.abs(values[i, j] - values[y, x])
                        count += 1
            if count >= 6:
                out[y, x] = np.sort(apart[:count])[_NEAREST - 1] / sigma[y, x]
    return out
