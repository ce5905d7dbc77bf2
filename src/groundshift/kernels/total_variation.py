"""Piecewise smooth vector fields: total generalised variation with a quadratic data term.

The field u = (dx, dy) minimises

    Σ ½ (u − h)ᵀ A (u − h) + edge |∇u − v| + curvature |∇v|

over u and an auxiliary gradient field v. Where u is smooth, v follows its gradient and only changes of the gradient
cost (weight `curvature`); across a jump v does not follow, and the jump costs `edge` times its height. A field that
is linear on both sides of a fault is left as it is. Sources: Bredies, Kunisch & Pock (2010), doi:10.1137/090769521;
solved by the primal-dual method of Chambolle & Pock (2011), doi:10.1007/s10851-010-0251-1.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numba
import numpy as np

from groundshift.kernels.inner import QUICK
from groundshift.kernels.threads import side_by_side, thread_count

_ABREAST = 5  # iterations that run abreast
_APART = 10  # iterations after which bands of rows exchange their borders
_LAG = 2  # rows between them: row i needs rows up to i + 1 of the iteration before it
_STEP = 0.2887  # 1 / sqrt(12): the norm of the operator (u, v) -> (∇u − v, ∇v) is at most sqrt(12)


class Field(NamedTuple):
    """A vector field and its smooth gradient."""

    u: np.ndarray  # float32 (2, y, x): dx, dy
    v: np.ndarray  # float32 (4, y, x): ∂x dx, ∂y dx, ∂x dy, ∂y dy


class _Band(NamedTuple):
    """Rows of a grid, and the state of the iteration there.

    Differences of u look right and down, those of v left and up, and are zero across the border: p has a row above
    and a column to the left of zeros, q a row below and a column to the right.
    """

    information: np.ndarray
    target: np.ndarray
    edge: np.ndarray
    u: np.ndarray
    v: np.ndarray
    p: np.ndarray
    q: np.ndarray
    u_bar: np.ndarray
    v_bar: np.ndarray


_BEFORE = {"u": 0, "v": 0, "p": 1, "q": 0, "u_bar": 0, "v_bar": 1}
"""Rows that what changes in a band has before the first of the band."""


def _band(information: np.ndarray, target: np.ndarray, edge: np.ndarray, start: Field, rows: slice) -> _Band:
    """Rows of a grid, before the first iteration."""
    u, v = start.u[:, rows].copy(), start.v[:, rows].copy()
    shape = (u.shape[1] + 1, u.shape[2] + 1)
    return _Band(
        np.ascontiguousarray(information[:, rows]),
        np.ascontiguousarray(target[:, rows]),
        np.ascontiguousarray(edge[rows]),
        u,
        v,
        np.zeros((4, *shape), np.float32),
        np.zeros((8, *shape), np.float32),
        np.pad(u, ((0, 0), (0, 1), (0, 1)), mode="edge"),
        np.pad(v, ((0, 0), (1, 0), (1, 0)), mode="edge"),
    )


def _iterated(
    information: np.ndarray, target: np.ndarray, edge: np.ndarray, start: Field, *, curvature: float, iterations: int,
    balance: float,
) -> Field:  # fmt: skip
    """The field after some iterations, the same for any number of threads.

    Each thread has a band of rows and some of the next ones on either side. At the border of these a band goes wrong
    by one row an iteration, so that after as many iterations it takes them over from its neighbours.
    """
    height = len(edge)
    count = max(1, min(thread_count(), height // (4 * _APART)))
    edges = [height * band // count for band in range(count + 1)]
    spans = [(max(top - _APART, 0), min(bottom + _APART, height)) for top, bottom in itertools.pairwise(edges)]
    bands = [_band(information, target, edge, start, slice(*span)) for span in spans]
    for done in range(0, iterations, _APART):
        together = min(_APART, iterations - done)
        side_by_side(partial(_advance, *band, np.float32(curvature), together, balance) for band in bands)
        for middle, above, below in zip(edges[1:-1], range(count), range(1, count), strict=False):
            _taken_over(bands, spans, below, above, spans[below][0], middle)
            _taken_over(bands, spans, above, below, middle, spans[above][1])
    inner = [
        slice(top - span[0], bottom - span[0])
        for (top, bottom), span in zip(itertools.pairwise(edges), spans, strict=True)
    ]
    return Field(
        *(
            np.concatenate([getattr(band, name)[:, rows] for band, rows in zip(bands, inner, strict=True)], axis=1)
            for name in Field._fields
        )
    )


def _taken_over(bands: list[_Band], spans: list[tuple[int, int]], to: int, source: int, top: int, bottom: int) -> None:
    """Copy the state in rows `top` to `bottom` of the grid from one band to another."""
    for name, before in _BEFORE.items():
        there, here = (
            getattr(bands[k], name)[:, top - spans[k][0] + before : bottom - spans[k][0] + before] for k in (to, source)
        )
        there[:] = here


@numba.njit(**QUICK)
def _advance(information, target, edge, u, v, p, q, u_bar, v_bar, curvature, iterations, balance):
    """Primal-dual iterations in place; `target` is A h, and `balance` the ratio of dual to primal steps.

    Every inner loop runs over one row of a few arrays, which compiles to vector instructions. Some iterations run
    abreast, each a few rows behind the one before it, so that rows are used again while they are still in the cache.
    """
    height, width = edge.shape
    tau, sigma = np.float32(_STEP / balance), np.float32(_STEP * balance)
    first, second = np.empty(width, np.float32), np.empty(width, np.float32)
    for done in range(0, iterations, _ABREAST):
        abreast = min(_ABREAST, iterations - done)
        for front in range(height + 1 + _LAG * (abreast - 1)):
            for k in range(abreast):
                i = front - _LAG * k
                if 0 <= i < height:
                    _raise_edges(p, u_bar, v_bar, edge[i], sigma, first, i)
                    _raise_curvature(q, v_bar, curvature, sigma, first, i)
                if 0 < i <= height:
                    _descend(information, target, tau, p, q, u, v, u_bar, v_bar, first, second, i - 1)


@numba.njit(**QUICK)
def _descend(information, target, tau, p, q, u, v, u_bar, v_bar, first, second, i):
    """Descent of u and v in row i, and their extrapolation."""
    height, width = u.shape[1:]
    one, two = np.float32(1), np.float32(2)
    for c in range(2):
        right = first if c == 0 else second
        present, wanted = u[c, i], target[c, i]
        px, py, above = p[2 * c, i + 1], p[2 * c + 1, i + 1], p[2 * c + 1, i]
        for j in range(width):
            right[j] = present[j] + tau * (wanted[j] + px[j + 1] - px[j] + py[j + 1] - above[j + 1])
    xx, xy, yy = information[0, i], information[1, i], information[2, i]
    for j in range(width):
        a, b, d = one + tau * xx[j], tau * xy[j], one + tau * yy[j]
        inverse = one / (a * d - b * b)
        x = (d * first[j] - b * second[j]) * inverse
        second[j] = (a * second[j] - b * first[j]) * inverse
        first[j] = x
    for c in range(2):
        solved = first if c == 0 else second
        present, ahead = u[c, i], u_bar[c, i]
        for j in range(width):
            ahead[j] = two * solved[j] - present[j]
            present[j] = solved[j]
        ahead[width] = ahead[width - 1]
        if i == height - 1:
            u_bar[c, height] = ahead
    for k in range(4):
        present, ahead, pull = v[k, i], v_bar[k, i + 1], p[k, i + 1]
        qx, qy, below = q[2 * k, i], q[2 * k + 1, i], q[2 * k + 1, i + 1]
        for j in range(width):
            first[j] = tau * (pull[j + 1] + qx[j + 1] - qx[j] + below[j] - qy[j])
        for j in range(width):
            value = present[j] + first[j]
            ahead[j + 1] = two * value - present[j]
            present[j] = value
        ahead[0] = ahead[1]
        if i == 0:
            v_bar[k, 0] = ahead


@numba.njit(**QUICK)
def _raise_edges(p, u_bar, v_bar, edge, sigma, share, i):
    """Ascent of the dual of |∇u − v| in row i, and back into the ball of radius `edge`."""
    width = edge.shape[0]
    one = np.float32(1)
    for c in range(2):
        here, below = u_bar[c, i], u_bar[c, i + 1]
        slope_x, slope_y = v_bar[2 * c, i + 1], v_bar[2 * c + 1, i + 1]
        px, py = p[2 * c, i + 1], p[2 * c + 1, i + 1]
        for j in range(width):
            px[j + 1] += sigma * (here[j + 1] - here[j] - slope_x[j + 1])
        for j in range(width):
            py[j + 1] += sigma * (below[j] - here[j] - slope_y[j + 1])
    a, b, c, d = p[0, i + 1], p[1, i + 1], p[2, i + 1], p[3, i + 1]
    for j in range(width):
        square = a[j + 1] ** 2 + b[j + 1] ** 2 + c[j + 1] ** 2 + d[j + 1] ** 2
        share[j] = one / max(one, np.sqrt(square) / edge[j])
    for c in range(2):
        px, py = p[2 * c, i + 1], p[2 * c + 1, i + 1]
        for j in range(width):
            px[j + 1] *= share[j]
            py[j + 1] *= share[j]
    p[0, i + 1, width] = p[2, i + 1, width] = 0
    if i == u_bar.shape[1] - 2:
        p[1, i + 1], p[3, i + 1] = 0, 0


@numba.njit(**QUICK)
def _raise_curvature(q, v_bar, curvature, sigma, share, i):
    """Ascent of the dual of |∇v| in row i, and back into the ball of radius `curvature`."""
    width = share.shape[0]
    one = np.float32(1)
    for k in range(4):
        here, above = v_bar[k, i + 1], v_bar[k, i]
        qx, qy = q[2 * k, i], q[2 * k + 1, i]
        for j in range(width):
            qx[j] += sigma * (here[j + 1] - here[j])
            qy[j] += sigma * (here[j + 1] - above[j + 1])
    a, b, c, d = q[0, i], q[1, i], q[2, i], q[3, i]
    e, f, g, h = q[4, i], q[5, i], q[6, i], q[7, i]
    for j in range(width):
        square = a[j] ** 2 + b[j] ** 2 + c[j] ** 2 + d[j] ** 2 + e[j] ** 2 + f[j] ** 2 + g[j] ** 2 + h[j] ** 2
        share[j] = one / max(one, np.sqrt(square) / curvature)
    for k in range(4):
        qx, qy = q[2 * k, i], q[2 * k + 1, i]
        for j in range(width):
            qx[j] *= share[j]
            qy[j] *= share[j]


def piecewise_smooth(
    information: np.ndarray,
    target: np.ndarray,
    edge: np.ndarray,
    *,
    curvature: float,
    start: Field,
    iterations: Sequence[int],
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
    edge, curvature
        Weights of |∇u − v| at each pixel, float32 (y, x), pixels⁻¹, small where a jump is likely; and of |∇v|.
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
            4 * _halved(information), 4 * _halved(target), 2 * _halved(edge[None])[0],
            curvature=curvature, start=coarse_start, iterations=iterations[1:], balance=balance,
        )  # fmt: skip
        start = Field(
            _moved(start.u, coarse.u - coarse_start.u), _moved(start.v, (coarse.v - coarse_start.v) * np.float32(0.5))
        )
    return _iterated(information, target, edge, start, curvature=curvature, iterations=iterations[0], balance=balance)


@numba.njit(cache=True, nogil=True)
def _halved(values):
    """Means over 2 × 2 blocks of planes (c, y, x); an odd last row or column is repeated."""
    count, height, width = values.shape
    out = np.empty((count, (height + 1) // 2, (width + 1) // 2), np.float32)
    for c in range(count):
        for i in range(out.shape[1]):
            row, above, below = out[c, i], values[c, 2 * i], values[c, min(2 * i + 1, height - 1)]
            for j in range(width // 2):
                row[j] = (above[2 * j] + below[2 * j] + above[2 * j + 1] + below[2 * j + 1]) * np.float32(0.25)
            if width % 2:
                row[-1] = (above[-1] + below[-1]) * np.float32(0.5)
    return out


@numba.njit(cache=True, nogil=True)
def _moved(values, change):
    """Planes (c, y, x), moved by the change of the 2 × 2 block of each pixel."""
    out = np.empty(values.shape, np.float32)
    count, height, width = values.shape
    for c in range(count):
        for i in range(height):
            row, here, by = out[c, i], values[c, i], change[c, i // 2]
            for j in range(width):
                row[j] = here[j] + by[j // 2]
    return out
