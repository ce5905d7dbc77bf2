"""Least squares of many cells that share one pattern: envelope (skyline) Cholesky factors, side by side.

The normal matrix of a cell has a row for each unknown, kept from its first column that is not 0 to the diagonal; fill
stays inside. Unknowns in order of time, with a few that belong to all times at the end, make rows short. All cells of a
batch have the same pattern, so the innermost loop runs over cells: arrays are (entry, cell), and a cell gets the same
bytes whatever its neighbours in the batch are. The entry (i, j ≤ i) of a matrix lies at `offset[i] + j`.

Sources: Jennings (1966), A compact storage scheme for the solution of symmetric linear simultaneous equations,
doi:10.1093/comjnl/9.3.281; Erisman & Tinney (1975), On computing certain elements of the inverse of a sparse matrix,
doi:10.1145/360680.360704.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numba
import numpy as np

_jit = numba.njit(cache=True, nogil=True)


class Skyline(NamedTuple):
    """Where the entries of a matrix lie."""

    first: np.ndarray  # int64 (n,): first column of each row
    offset: np.ndarray  # int64 (n,): entry of column 0, if it were kept
    entries: int

    @property
    def diagonal(self) -> np.ndarray:
        """Entries of the diagonal, int64 (n,)."""
        return self.offset + np.arange(self.first.size)


def skyline(pointer: np.ndarray, column: np.ndarray, size: int) -> Skyline:
    """The pattern of the normal matrix of rows (`pointer`, `column`) with `size` unknowns."""
    first = np.arange(size)
    for start, stop in pairwise(pointer):
        if stop > start:
            touched = column[start:stop]
            first[touched] = np.minimum(first[touched], touched.min())
    ends = np.cumsum(np.arange(size) - first + 1)
    return Skyline(first, ends - np.arange(size) - 1, int(ends[-1]) if size else 0)


@_jit
def add_normal(pointer, column, factor, weight, value, offset, matrix, right):
    """Add rows Σ factor x = value to the normal equations.

    Parameters
    ----------
    pointer, column
        Entries of each row, int64 (m + 1,) and (k,); no column twice in a row.
    factor
        float64 (k, cell).
    weight, value
        1 / variance, 0 where there is none, and measured values, float64 (m, cell).
    matrix, right
        Added to, float64 (entries, cell) and (n, cell).
    """
    cells = weight.shape[1]
    scaled = np.empty(cells)
    for row in range(weight.shape[0]):
        for a in range(pointer[row], pointer[row + 1]):
            i = column[a]
            for c in range(cells):
                scaled[c] = factor[a, c] * weight[row, c]
                right[i, c] += scaled[c] * value[row, c]
            for b in range(pointer[row], pointer[row + 1]):
                j = column[b]
                if j <= i:
                    at = offset[i] + j
                    for c in range(cells):
                        matrix[at, c] += scaled[c] * factor[b, c]


@_jit
def add_right(pointer, column, factor, weighted, right):
    """Add Σ factor weighted to the right-hand sides; `weighted` is weight times value, float64 (m, cell)."""
    for row in range(weighted.shape[0]):
        for a in range(pointer[row], pointer[row + 1]):
            for c in range(weighted.shape[1]):
                right[column[a], c] += factor[a, c] * weighted[row, c]


@_jit
def predicted(pointer, column, factor, solution, out):
    """Fill `out`, float64 (m, cell), with Σ factor x of each row."""
    for row in range(out.shape[0]):
        for c in range(out.shape[1]):
            out[row, c] = 0.0
        for a in range(pointer[row], pointer[row + 1]):
            for c in range(out.shape[1]):
                out[row, c] += factor[a, c] * solution[column[a], c]


@_jit
def spread(pointer, column, factor, offset, inverse, out):
    """Fill `out`, float64 (m, cell), with the variance of Σ factor x of each row, from the inverse on the pattern."""
    for row in range(out.shape[0]):
        for c in range(out.shape[1]):
            out[row, c] = 0.0
        for a in range(pointer[row], pointer[row + 1]):
            for b in range(pointer[row], pointer[row + 1]):
                i, j = max(column[a], column[b]), min(column[a], column[b])
                for c in range(out.shape[1]):
                    out[row, c] += factor[a, c] * factor[b, c] * inverse[offset[i] + j, c]


@_jit
def factorise(first, offset, matrix):
    """Replace positive definite matrices by their lower Cholesky factors."""
    cells = matrix.shape[1]
    total = np.empty(cells)
    for i in range(first.size):
        for j in range(first[i], i + 1):
            at = offset[i] + j
            for c in range(cells):
                total[c] = matrix[at, c]
            for k in range(max(first[i], first[j]), j):
                one, other = offset[i] + k, offset[j] + k
                for c in range(cells):
                    total[c] -= matrix[one, c] * matrix[other, c]
            below = offset[j] + j
            for c in range(cells):
                matrix[at, c] = np.sqrt(total[c]) if i == j else total[c] / matrix[below, c]


@_jit
def substitute(first, offset, factor, right):
    """Replace right-hand sides, float64 (n, cell), by the solutions, from the Cholesky factors."""
    cells = right.shape[1]
    for i in range(first.size):
        for k in range(first[i], i):
            for c in range(cells):
                right[i, c] -= factor[offset[i] + k, c] * right[k, c]
        for c in range(cells):
            right[i, c] /= factor[offset[i] + i, c]
    for i in range(first.size - 1, -1, -1):
        for c in range(cells):
            right[i, c] /= factor[offset[i] + i, c]
        for k in range(first[i], i):
            for c in range(cells):
                right[k, c] -= factor[offset[i] + k, c] * right[i, c]


@_jit
def inverse_on_pattern(first, offset, factor, inverse):
    """Fill `inverse`, float64 (entries, cell), with the entries of the inverse that lie in the pattern."""
    n, cells = first.size, factor.shape[1]
    below, total = np.empty(n, np.int64), np.empty(cells)
    for i in range(n - 1, -1, -1):
        count = 0
        for k in range(i + 1, n):
            if first[k] <= i:
                below[count] = k
                count += 1
        own = offset[i] + i
        for at in range(count - 1, -2, -1):
            j = below[at] if at >= 0 else i
            for c in range(cells):
                total[c] = 1.0 / factor[own, c] if at < 0 else 0.0
            for other in range(count):
                k = below[other]
                entry = offset[k] + j if k >= j else offset[j] + k
                part = offset[k] + i
                for c in range(cells):
                    total[c] -= factor[part, c] * inverse[entry, c]
            for c in range(cells):
                inverse[offset[j] + i, c] = total[c] / factor[own, c]
