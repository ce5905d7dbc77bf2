"""The second image of a pair from the first, when the ground moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from groundshift.kernels.spline import coefficients, warp

_ITERATIONS = 60
_PRECISION = 1e-3  # pixels
_DAMPING = 0.7

PixelFlowField = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def origins(shape: tuple[int, int], flow: PixelFlowField) -> tuple[np.ndarray, np.ndarray]:
    """Where on the first image each pixel of the second was: rows and columns, float64 (y, x).

    Solves x = x₀ + flow(x₀) for x₀ by damped fixed-point iteration, to 1e-3 pixels. Where a jump opened a gap, no
    origin exists, and the nearest found is given; where it closed one, either side is.

    Parameters
    ----------
    shape
        Rows and columns of the second image.
    flow
        Called with rows and columns on the first image; returns (dx, dy), pixels.
    """
    rows, cols = (each.ravel() for each in np.indices(shape, dtype=float))
    best_row, best_col = rows.copy(), cols.copy()
    least = np.full(rows.size, np.inf)
    open_ = np.arange(rows.size)
    row, col = rows.copy(), cols.copy()
    for iteration in range(_ITERATIONS):
        dx, dy = flow(row, col)
        miss_row, miss_col = rows[open_] - row - dy, cols[open_] - col - dx
        miss = np.hypot(miss_row, miss_col)
        better = miss < least[open_]
        best_row[open_[better]], best_col[open_[better]] = row[better], col[better]
        least[open_[better]] = miss[better]
        step = 1.0 if iteration < _ITERATIONS // 3 else _DAMPING
        going = miss >= _PRECISION
        row, col = (row + step * miss_row)[going], (col + step * miss_col)[going]
        open_ = open_[going]
        if open_.size == 0:
            break
    return best_row.reshape(shape), best_col.reshape(shape)


def warp_forward(image: np.ndarray, flow: PixelFlowField) -> np.ndarray:
    """The image after its ground has moved by `flow`, which is defined on the image before; float32 (y, x).

    Quintic B-spline interpolation; beyond its borders the image is mirrored.
    """
    row, col = origins(image.shape, flow)
    rows, cols = np.indices(image.shape, dtype=float)
    return warp(coefficients(image), col - cols, row - rows)
