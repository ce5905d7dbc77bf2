"""The displacement field of many triangular dislocations, at any place of an image, quickly.

The image is a tree of blocks, each split in four. A triangle that is far from a block, for its size and strength, is
evaluated at Chebyshev nodes of that block only, and the polynomial is handed down; one that is still near at the leaves
is listed there, and evaluated exactly wherever the field is asked for. So nothing is interpolated across a trace.
Source of the rate at which the polynomials converge: Trefethen (2013), Approximation Theory and Approximation Practice,
theorem 8.2, with the nearest point of the triangle as the singularity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from groundshift.kernels.triangular_dislocation import displacement, geometry

_NODES = 6  # Chebyshev nodes a side
_LEAF = 8  # pixels, about
_SAFETY = 4.0  # largest error of the polynomial over its estimate, for nearly all triangles
_jit = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
_inline = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"}, inline="always")

_x = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
_POWERS = np.linalg.inv(np.vander(_x, increasing=True))  # values at the nodes to coefficients of powers
_HALVES = np.array([np.vander((_x + side) / 2, _NODES, increasing=True) @ _POWERS for side in (-1, 1)])  # to children


@dataclass(frozen=True)
class DislocationField:
    """Displacement by triangular dislocations on a regular grid of pixels, and between them.

    East, north, up in the units of the slips; see :func:`dislocation_field`.
    """

    values: np.ndarray  # float64 (3, y, x), at the centres of pixels
    low: tuple[float, float]  # row, col of the upper left corner of the first leaf
    leaf: tuple[float, float]  # pixels
    powers: np.ndarray  # float64 (leaf, leaf, power of row, of col, 3), rows and cols from -1 to 1: far triangles
    span: np.ndarray  # int64 (leaf, leaf, 2): start and end of the list of each leaf in `near`
    near: np.ndarray  # int64: near triangles
    known: np.ndarray  # float64 (t, GEOMETRY), in pixels from the centre of the first, x = col, y = -row
    slips: np.ndarray  # float64 (t, 3)
    poisson: float

    def sample(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """Displacement at positions of any shape, pixels, whose centres are whole; float64 (3, ...).

        Beyond the margin the field goes on as at its border.
        """
        rows, cols = np.broadcast_arrays(rows, cols)
        flat = _sample(np.ravel(rows).astype(float), np.ravel(cols).astype(float), *self._tree())
        return flat.reshape(3, *rows.shape)

    def _tree(self):
        return self.low, self.leaf, self.powers, self.span, self.near, self.known, self.slips, self.poisson


def dislocation_field(
    triangles: np.ndarray,
    slips: np.ndarray,
    shape: tuple[int, int],
    spacing: float,
    origin: tuple[float, float],
    *,
    tolerance: float,
    margin: float = 8.0,
    poisson: float = 0.25,
) -> DislocationField:
    """The field of triangular dislocations on an image.

    Parameters
    ----------
    triangles, slips
        Float64 (t, 3, 3) and (t, 3), as in :func:`triangular_dislocation.surface_displacement`.
    shape
        Rows and columns; rows run south and columns east.
    spacing
        Size of a pixel, metres.
    origin
        East, north of the centre of the first pixel, metres.
    tolerance
        Largest difference from the exact sum, in the units of the slips.
    margin
        Pixels around the image where the field is also known.
    poisson
        Poisson ratio.
    """
    pixels = (triangles - np.array([*origin, 0.0])) / spacing
    known = np.array([geometry(each) for each in pixels])
    area = np.linalg.norm(np.cross(pixels[:, 1] - pixels[:, 0], pixels[:, 2] - pixels[:, 0]), axis=1) / 2
    extent = np.array(shape) + 2 * margin
    roots = np.maximum(np.round(extent / extent.min()), 1).astype(int)
    levels = max(round(np.log2(extent.min() / _LEAF)), 0)
    leaf = tuple(extent / (roots << levels))
    low = (-margin - 0.5, -margin - 0.5)
    powers, span, near = _grow(
        roots, levels, low, leaf, pixels, known, slips, area, tolerance / np.sqrt(len(pixels)), poisson
    )
    tree = low, leaf, powers, span, near, known, slips, poisson
    rows, cols = np.indices(shape, dtype=float)
    values = _sample(rows.ravel(), cols.ravel(), *tree).reshape(3, *shape)
    return DislocationField(values, *tree)


@_inline
def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@_inline
def _between(a, b, t):
    return a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]), a[2] + t * (b[2] - a[2])


@_jit
def _nearest(a, b, c):
    """The point of a triangle nearest to the origin, by the region of its plane that the origin is over."""
    ab = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    ac = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    a1, a2 = -_dot(ab, a), -_dot(ac, a)
    b1, b2 = -_dot(ab, b), -_dot(ac, b)
    c1, c2 = -_dot(ab, c), -_dot(ac, c)
    if a1 <= 0 and a2 <= 0:
        return a
    if b1 >= 0 and b2 <= b1:
        return b
    if c2 >= 0 and c1 <= c2:
        return c
    in_c, in_b, in_a = a1 * b2 - b1 * a2, c1 * a2 - a1 * c2, b1 * c2 - c1 * b2
    if in_c <= 0 and a1 >= 0 and b1 <= 0:
        return _between(a, b, a1 / (a1 - b1))
    if in_b <= 0 and a2 >= 0 and c2 <= 0:
        return _between(a, c, a2 / (a2 - c2))
    if in_a <= 0 and b2 >= b1 and c1 >= c2:
        return _between(b, c, (b2 - b1) / ((b2 - b1) + (c1 - c2)))
    total = in_a + in_b + in_c
    t, u = in_b / total, in_c / total
    return a[0] + t * ab[0] + u * ac[0], a[1] + t * ab[1] + u * ac[1], a[2] + t * ab[2] + u * ac[2]


@_inline
def _rate(along, across, depth):
    """How much smaller the error gets for each node, for a singularity at that place of a block from -1 to 1."""
    off = np.hypot(max(abs(across) - 1, 0.0), depth)
    half = (np.hypot(along - 1, off) + np.hypot(along + 1, off)) / 2
    return half + np.sqrt(max(half * half - 1, 0.0))


@_jit
def _error(vertices, strength, slip, x, y, half_x, half_y):
    """Estimated error of the polynomial of a block around (x, y) for one triangle; slip is its size, x = col."""
    a = vertices[0, 0] - x, vertices[0, 1] - y, vertices[0, 2]
    b = vertices[1, 0] - x, vertices[1, 1] - y, vertices[1, 2]
    c = vertices[2, 0] - x, vertices[2, 1] - y, vertices[2, 2]
    px, py, pz = _nearest(a, b, c)
    off_x, off_y = max(abs(px) - half_x, 0.0), max(abs(py) - half_y, 0.0)
    away = off_x * off_x + off_y * off_y + pz * pz
    if away == 0:
        return np.inf
    rate = min(_rate(px / half_x, py / half_y, pz / half_x), _rate(py / half_y, px / half_x, pz / half_y))
    return _SAFETY * min(slip / 2, strength / (2 * np.pi * away)) * rate**-_NODES


@_jit
def _add_at_nodes(nodes, known, slips, t, x, y, half_x, half_y, poisson):
    """Add a triangle to the values at the nodes of a block, (row, col, 3)."""
    for i in range(_NODES):
        for j in range(_NODES):
            moved = displacement(known[t], x + _x[j] * half_x, y - _x[i] * half_y, slips[t], poisson)
            nodes[i, j, 0] += moved[0]
            nodes[i, j, 1] += moved[1]
            nodes[i, j, 2] += moved[2]


@_inline
def _times(matrix, nodes, rows, out, work):
    """out = rows · nodes · matrixᵀ for each component of nodes (row, col, 3)."""
    for i in range(_NODES):
        for j in range(_NODES):
            for k in range(3):
                total = 0.0
                for m in range(_NODES):
                    total += nodes[i, m, k] * matrix[j, m]
                work[i, j, k] = total
    for i in range(_NODES):
        for j in range(_NODES):
            for k in range(3):
                total = 0.0
                for m in range(_NODES):
                    total += rows[i, m] * work[m, j, k]
                out[i, j, k] = total


@_jit
def _grow(roots, levels, low, leaf, pixels, known, slips, area, tolerance, poisson):
    """Polynomials of the leaves, the spans of their lists of near triangles, and the lists."""
    vertices, count = pixels, len(pixels)
    powers = np.empty((roots[0] << levels, roots[1] << levels, _NODES, _NODES, 3))
    span = np.empty((roots[0] << levels, roots[1] << levels, 2), np.int64)
    near = np.empty(1024, np.int64)
    used = 0
    nodes = np.zeros((levels + 2, _NODES, _NODES, 3))
    work = np.empty((_NODES, _NODES, 3))
    lists = np.empty((levels + 2, count), np.int64)
    counts = np.zeros(levels + 2, np.int64)
    lists[0] = np.arange(count)
    counts[0] = count
    sizes = np.sqrt((slips**2).sum(axis=1))
    whole = np.eye(_NODES)
    for root in range(roots[0] * roots[1]):
        for place in range(1 << (2 * levels)):
            for level in range(levels + 1):
                below = levels - level
                if place & ((1 << (2 * below)) - 1):
                    continue
                row, col = root // roots[1], root % roots[1]
                for bit in range(level - 1, -1, -1):
                    quarter = place >> (2 * (below + bit))
                    row, col = 2 * row + (quarter >> 1 & 1), 2 * col + (quarter & 1)
                if level:
                    _times(_HALVES[col & 1], nodes[level], _HALVES[row & 1], nodes[level + 1], work)
                else:
                    nodes[1] = 0
                half_y, half_x = leaf[0] * (1 << below) / 2, leaf[1] * (1 << below) / 2
                x, y = low[1] + (2 * col + 1) * half_x, -low[0] - (2 * row + 1) * half_y
                left = 0
                for n in range(counts[level]):
                    t = lists[level, n]
                    if _error(vertices[t], sizes[t] * area[t], sizes[t], x, y, half_x, half_y) > tolerance:
                        lists[level + 1, left] = t
                        left += 1
                    else:
                        _add_at_nodes(nodes[level + 1], known, slips, t, x, y, half_x, half_y, poisson)
                counts[level + 1] = left
            left = counts[levels + 1]
            if used + left > near.size:
                near = np.concatenate((near, np.empty(near.size + left, np.int64)))
            near[used : used + left] = lists[levels + 1, :left]
            span[row, col, 0], span[row, col, 1] = used, used + left
            used += left
            _times(_POWERS, nodes[levels + 1], _POWERS, powers[row, col], work)
    return powers, span, near[:used].copy()


@_jit
def _sample(rows, cols, low, leaf, powers, span, near, known, slips, poisson):
    """The field at positions, float64 (3, n)."""
    out = np.empty((3, rows.size))
    down, across = span.shape[0], span.shape[1]
    for k in range(rows.size):
        row = min(max(rows[k], low[0]), low[0] + down * leaf[0])
        col = min(max(cols[k], low[1]), low[1] + across * leaf[1])
        i = min(int((row - low[0]) / leaf[0]), down - 1)
        j = min(int((col - low[1]) / leaf[1]), across - 1)
        u = 2 * ((row - low[0]) / leaf[0] - i) - 1
        v = 2 * ((col - low[1]) / leaf[1] - j) - 1
        east = north = up = 0.0
        for a in range(_NODES - 1, -1, -1):
            e = n = z = 0.0
            for b in range(_NODES - 1, -1, -1):
                e = e * v + powers[i, j, a, b, 0]
                n = n * v + powers[i, j, a, b, 1]
                z = z * v + powers[i, j, a, b, 2]
            east, north, up = east * u + e, north * u + n, up * u + z
        for m in range(span[i, j, 0], span[i, j, 1]):
            t = near[m]
            moved = displacement(known[t], col, -row, slips[t], poisson)
            east, north, up = east + moved[0], north + moved[1], up + moved[2]
        out[0, k], out[1, k], out[2, k] = east, north, up
    return out
