"""Piecewise smooth vector fields: total generalised variation with a quadratic data term.

The field u = (dx, dy) minimises

    Σ ½ (u − h)ᵀ A (u − h) + edge |∇u − v| + curvature |∇v|

over u and an auxiliary gradient field v. Where u is smooth, v follows its gradient and only changes of the gradient
cost (weight `curvature`); across a jump v does not follow, and the jump costs `edge` times its height. A field that
is linear on both sides of a fault is left as it is. Sources: Bredies, Kunisch & Pock (2010), doi:10.1137/090769521;
solved by the primal-dual method of Chambolle & Pock (2011), doi:10.1007/s10851-010-0251-1.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

_STEP = 0.2887  # 1 / sqrt(12): the norm of the operator (u, v) -> (∇u − v, ∇v) is at most sqrt(12)


class Field(NamedTuple):
    """A vector field and its smooth gradient."""

    u: np.ndarray  # float32 (2, y, x): dx, dy
    v: np.ndarray  # float32 (4, y, x): ∂x dx, ∂y dx, ∂x dy, ∂y dy


@numba.njit(cache=True, nogil=True, fastmath=True)
def _iterate(information, target, edge, curvature, iterations, balance, u, v):
    """Primal-dual iterations in place; `target` is A h, and `balance` the ratio of dual to primal steps."""
    zero, one = np.float32(0), np.float32(1)
    height, width = edge.shape
    p = np.zeros((4, height, width), np.float32)
    q = np.zeros((8, height, width), np.float32)
    u_bar, v_bar = u.copy(), v.copy()
    tau, sigma = np.float32(_STEP / balance), np.float32(_STEP * balance)
    for _ in range(iterations):
        for i in range(height):
            for j in range(width):
                square = zero
                for c in range(2):
                    right = u_bar[c, i, j + 1] - u_bar[c, i, j] if j < width - 1 else zero
                    down = u_bar[c, i + 1, j] - u_bar[c, i, j] if i < height - 1 else zero
                    p[2 * c, i, j] += sigma * (right - v_bar[2 * c, i, j])
                    p[2 * c + 1, i, j] += sigma * (down - v_bar[2 * c + 1, i, j])
                    square += p[2 * c, i, j] ** 2 + p[2 * c + 1, i, j] ** 2
                shrink = one / max(one, np.sqrt(square) / edge[i, j])
                for k in range(4):
                    p[k, i, j] *= shrink
                square = zero
                for k in range(4):
                    if j > 0:
                        q[2 * k, i, j] += sigma * (v_bar[k, i, j] - v_bar[k, i, j - 1])
                    if i > 0:
                        q[2 * k + 1, i, j] += sigma * (v_bar[k, i, j] - v_bar[k, i - 1, j])
                    square += q[2 * k, i, j] ** 2 + q[2 * k + 1, i, j] ** 2
                shrink = one / max(one, np.sqrt(square) / curvature)
                for k in range(8):
                    q[k, i, j] *= shrink
        for i in range(height):
            for j in range(width):
                a = one + tau * information[0, i, j]
                b = tau * information[1, i, j]
                c2 = one + tau * information[2, i, j]
                determinant = a * c2 - b * b
                rx = u[0, i, j] + tau * (target[0, i, j] + _divergence(p, 0, i, j, height, width))
                ry = u[1, i, j] + tau * (target[1, i, j] + _divergence(p, 2, i, j, height, width))
                x = (c2 * rx - b * ry) / determinant
                y = (a * ry - b * rx) / determinant
                u_bar[0, i, j], u_bar[1, i, j] = 2 * x - u[0, i, j], 2 * y - u[1, i, j]
                u[0, i, j], u[1, i, j] = x, y
                for k in range(4):
                    right = q[2 * k, i, j + 1] if j < width - 1 else zero
                    down = q[2 * k + 1, i + 1, j] if i < height - 1 else zero
                    value = v[k, i, j] + tau * (p[k, i, j] + right - q[2 * k, i, j] + down - q[2 * k + 1, i, j])
                    v_bar[k, i, j] = 2 * value - v[k, i, j]
                    v[k, i, j] = value


@numba.njit(cache=True, nogil=True, inline="always")
def _divergence(p, k, i, j, height, width):
    total = np.float32(0)
    if j < width - 1:
        total += p[k, i, j]
    if j > 0:
        total -= p[k, i, j - 1]
    if i < height - 1:
        total += p[k + 1, i, j]
    if i > 0:
        total -= p[k + 1, i - 1, j]
    return total


def piecewise_smooth(
    information: np.ndarray,
    target: np.ndarray,
    edge: np.ndarray,
    *,
    curvature: float,
    start: Field,
    iterations: tuple[int, ...],
    balance: float,
) -> Field:
    """The piecewise smooth field closest to a measured one.

    Coarse grids come first: each holds the sums of information over 2 × 2 blocks of the finer one, and its change
    is added to the start of the finer one. Long waves settle there, where iterations are cheap.

    Parameters
    ----------
    information
        A, the inverse covariance of the measured field at each pixel: xx, xy, yy; float32 (3, y, x), pixels⁻².
    target
        A h, float32 (2, y, x), where h is the measured field.
    edge
        Weight of |∇u − v| at each pixel, float32 (y, x), pixels⁻¹; small where a jump is likely.
    curvature
        Weight of |∇v|.
    start
        Where the iteration starts.
    iterations
        Number of iterations on the full grid, on the grid of half resolution, and so on.
    balance
        Ratio of dual to primal steps; about 1 over a typical change of the field between pixels.
    """
    if len(iterations) > 1 and min(edge.shape) > 8:
        coarse_start = Field(_halved(start.u), 2 * _halved(start.v))
        coarse = piecewise_smooth(
            4 * _halved(information), 4 * _halved(target), 2 * _halved(edge),
            curvature=curvature, start=coarse_start, iterations=iterations[1:], balance=balance,
        )  # fmt: skip
        u = start.u + _doubled(coarse.u - coarse_start.u, edge.shape)
        v = start.v + _doubled(coarse.v - coarse_start.v, edge.shape) / 2
    else:
        u, v = start.u.copy(), start.v.copy()
    _iterate(information, target, edge, np.float32(curvature), iterations[0], balance, u, v)
    return Field(u, v)


def _halved(values: np.ndarray) -> np.ndarray:
    """Means over 2 × 2 blocks of the last two axes; an odd last row or column is repeated."""
    height, width = values.shape[-2:]
    padding = [(0, 0)] * (values.ndim - 2) + [(0, height % 2), (0, width % 2)]
    even = np.pad(values, padding, mode="edge")
    return (
        (even[..., ::2, ::2] + even[..., 1::2, ::2] + even[..., ::2, 1::2] + even[..., 1::2, 1::2]) * np.float32(0.25)
    ).astype(np.float32)


def _doubled(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Each value repeated over a 2 × 2 block, cut to `shape`."""
    return values.repeat(2, axis=-2).repeat(2, axis=-1)[..., : shape[0], : shape[1]]
