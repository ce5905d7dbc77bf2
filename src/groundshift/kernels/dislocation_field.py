"""The displacement field of many triangular dislocations, at any place of an image, quickly.

The image is a tree of blocks, each split in four. A face or side of a triangle (`triangular_dislocation.Dislocations`)
that is far from a block, for its size and slip, is evaluated at Chebyshev nodes of that block only, and the polynomial
is handed down; what is still near at the leaves is listed there, and evaluated exactly wherever the field is asked for.
So nothing is interpolated across a trace.

Source of the rate at which the polynomials converge: Trefethen (2013), Approximation Theory and Approximation Practice,
theorem 8.2, with the nearest point of a side as the singularity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

from groundshift.kernels.triangular_dislocation import (
    Dislocations,
    dislocations,
    face_displacement,
    side_displacement,
)  # fmt: skip

_NODES = 6  # Chebyshev nodes a side
_LEAF = 8  # pixels, about
_SAFETY = 3.0  # the estimated error of one part of n has to be this much below the tolerance over √n
_jit = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
_inline = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"}, inline="always")

_X = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
_POWERS = np.linalg.inv(np.vander(_X, increasing=True))  # values at the nodes to coefficients of powers
_HALVES = np.array([np.vander((_X + side) / 2, _NODES, increasing=True) @ _POWERS for side in (-1, 1)])  # to children


class Tree(NamedTuple):
    """What the field at any position is computed from, by :func:`displacement_at`."""

    leaf: tuple[float, float]  # rows, columns of a leaf
    margin: float  # pixels around the image that the leaves cover too
    powers: np.ndarray  # float64 (leaf, leaf, power of row, of col, 3): the far parts, a leaf is from -1 to 1
    span: np.ndarray  # int64 (leaf, leaf, 2): start and end of the list of each leaf in `near`
    near: np.ndarray  # int64: the near parts, faces and then sides
    faces: np.ndarray  # those of `triangular_dislocation.Dislocations`, in pixels: x = -row, y = col
    sides: np.ndarray
    drained: float  # 1 - 2ν


@dataclass(frozen=True)
class DislocationField:
    """Displacement by triangular dislocations on a regular grid of pixels, and between them.

    East, north, up in the units of the slips; made by :func:`dislocation_field`.
    """

    values: np.ndarray  # float64 (3, y, x), at the centres of pixels
    tree: Tree

    def sample(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """Displacement at positions of any shape, in pixels whose centres are whole numbers; float64 (3, ...).

        Beyond the margin the field goes on as at its border.
        """
        return _sampled(self.tree, rows, cols)


def _sampled(tree: Tree, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    rows, cols = np.broadcast_arrays(rows, cols)
    return _sample(tree, np.ravel(rows).astype(float), np.ravel(cols).astype(float)).reshape(3, *rows.shape)


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
        Float64 (t, 3, 3) and (t, 3), as for :func:`triangular_dislocation.surface_displacement`.
    shape
        Rows, which run south, and columns, which run east.
    spacing
        Size of a pixel, metres.
    origin
        East, north of the centre of the first pixel, metres.
    tolerance
        Difference from the exact sum that is accepted, in the units of the slips. It is an estimate, not a bound.
    margin
        Pixels around the image where the field is known too.
    poisson
        Poisson ratio.
    """
    parts = dislocations((triangles - np.array([*origin, 0.0])) / spacing, slips)
    extent = np.array(shape) + 2 * margin
    roots = np.maximum(np.rint(extent / extent.min()), 1).astype(int)
    levels = max(round(np.log2(extent.min() / _LEAF)), 0)
    height, width = extent / (roots << levels)
    accepted = tolerance / (_SAFETY * np.sqrt(max(len(parts.faces), 1)))
    margin, drained = float(margin), 1.0 - 2.0 * poisson
    grown = _grow(roots[0], roots[1], levels, (height, width), margin, _segments(parts), accepted, *parts, drained)
    tree = Tree((height, width), margin, *grown, *parts, drained)
    return DislocationField(_on_grid(tree, shape[0], shape[1]), tree)


def _segments(parts: Dislocations) -> np.ndarray:
    """What :func:`_error` needs of all faces, then sides: slip, slip × size, decay, three segments (start, step)."""
    vertices = parts.faces[:, :9].reshape(-1, 3, 3)
    steps = np.roll(vertices, -1, axis=1) - vertices
    slip = np.linalg.norm(parts.faces[:, 9:12], axis=1)
    area = np.linalg.norm(np.cross(steps[:, 0], steps[:, 1]), axis=1) / 2
    faces = np.column_stack([slip, slip * area, np.full(len(slip), 2.0), np.dstack([vertices, steps]).reshape(-1, 18)])
    start, direction, level, down, length = np.split(parts.sides[:, :8], [3, 5, 6, 7], axis=1)
    slip = np.linalg.norm(parts.sides[:, 8:], axis=1, keepdims=True)
    segment = np.hstack([start, level * direction * length, down * length])
    return np.vstack([faces, np.hstack([slip, slip * length, np.ones_like(slip), segment, segment, segment])])


@_inline
def _rate(along, across, depth):
    """How much smaller the error gets for each node, for a singularity at that place of a block from -1 to 1."""
    off = np.hypot(max(abs(across) - 1, 0.0), depth)
    half = (np.hypot(along - 1, off) + np.hypot(along + 1, off)) / 2
    return half + np.sqrt(max(half * half - 1, 0.0))


@_jit
def _error(part, x, y, half_x, half_y):
    """Estimated error of the polynomial of a block around (x, y) for one row of :func:`_segments`."""
    away, rate = np.inf, np.inf
    for k in range(3 if part[2] == 2 else 1):
        ax, ay, az = part[6 * k + 3] - x, part[6 * k + 4] - y, part[6 * k + 5]
        bx, by, bz = part[6 * k + 6], part[6 * k + 7], part[6 * k + 8]
        t = min(max(-(ax * bx + ay * by + az * bz) / (bx * bx + by * by + bz * bz), 0.0), 1.0)
        px, py, pz = ax + t * bx, ay + t * by, az + t * bz
        off_x, off_y = max(abs(px) - half_x, 0.0), max(abs(py) - half_y, 0.0)
        away = min(away, np.sqrt(off_x * off_x + off_y * off_y + pz * pz))
        rate = min(rate, _rate(px / half_x, py / half_y, pz / half_x), _rate(py / half_y, px / half_x, pz / half_y))
    size = part[0] / 2
    if away > 0:
        size = min(size, part[1] / (2 * np.pi * (away * away if part[2] == 2 else away)))
    return size * rate**-_NODES


@_inline
def _moved(faces, sides, part, x, y, drained):
    """Displacement along x, y, z by a face or a side; sides are counted after the faces."""
    if part < len(faces):
        return face_displacement(faces[part], x, y)
    return side_displacement(sides[part - len(faces)], x, y, drained)


@_jit
def _add_at_nodes(nodes, faces, sides, part, x, y, half_x, half_y, drained):
    """Add east, north, up of a face or side to the values at the nodes of a block, (row, col, 3)."""
    for i in range(_NODES):
        for j in range(_NODES):
            moved = _moved(faces, sides, part, x - _X[i] * half_x, y + _X[j] * half_y, drained)
            nodes[i, j, 0] += moved[1]
            nodes[i, j, 1] += moved[0]
            nodes[i, j, 2] -= moved[2]


@_inline
def _times(down, nodes, across, out, work):
    """out = down · nodes · acrossᵀ for each component of nodes (row, col, 3)."""
    for i in range(_NODES):
        for j in range(_NODES):
            for k in range(3):
                total = 0.0
                for m in range(_NODES):
                    total += nodes[i, m, k] * across[j, m]
                work[i, j, k] = total
    for i in range(_NODES):
        for j in range(_NODES):
            for k in range(3):
                total = 0.0
                for m in range(_NODES):
                    total += down[i, m] * work[m, j, k]
                out[i, j, k] = total


@_inline
def _place(index, level):
    """Row and column of a block among those of its level, in the order in which each block is followed by its parts."""
    row = col = 0
    for bit in range(level - 1, -1, -1):
        row = 2 * row + (index >> (2 * bit + 1) & 1)
        col = 2 * col + (index >> (2 * bit) & 1)
    return row, col


@_jit
def _grow(roots_down, roots_across, levels, leaf, margin, segments, accepted, faces, sides, drained):
    """Polynomials of the leaves, the spans of their lists, and the lists; see :class:`Tree`."""
    down, across = roots_down << levels, roots_across << levels
    powers = np.empty((down, across, _NODES, _NODES, 3))
    span = np.empty((down, across, 2), np.int64)
    near = np.empty(4096, np.int64)
    used = 0
    nodes = np.zeros((levels + 2, _NODES, _NODES, 3))  # of the open block of each level, after a row of zeros
    work = np.empty((_NODES, _NODES, 3))
    parts = np.empty((levels + 2, len(segments)), np.int64)  # still near at the open block of each level, after all
    parts[0] = np.arange(len(segments))
    count = np.zeros(levels + 2, np.int64)
    count[0] = len(segments)
    for step in range(roots_down * roots_across << (2 * levels)):
        root, index = step >> (2 * levels), step & ((1 << (2 * levels)) - 1)
        for level in range(levels + 1):
            below = levels - level
            if index & ((1 << (2 * below)) - 1):
                continue  # inside the open block of this level
            row, col = _place(index >> (2 * below), level)
            if level:
                _times(_HALVES[row & 1], nodes[level], _HALVES[col & 1], nodes[level + 1], work)
            else:
                nodes[1] = 0
            row, col = row + (root // roots_across << level), col + (root % roots_across << level)
            half_x, half_y = leaf[0] * (1 << below) / 2, leaf[1] * (1 << below) / 2
            x, y = margin + 0.5 - (2 * row + 1) * half_x, (2 * col + 1) * half_y - margin - 0.5
            left = 0
            for k in range(count[level]):
                part = parts[level, k]
                if _error(segments[part], x, y, half_x, half_y) > accepted:
                    parts[level + 1, left] = part
                    left += 1
                else:
                    _add_at_nodes(nodes[level + 1], faces, sides, part, x, y, half_x, half_y, drained)
            count[level + 1] = left
        left = count[levels + 1]
        if used + left > near.size:
            near = np.concatenate((near, np.empty(near.size + left, np.int64)))
        near[used : used + left] = parts[levels + 1, :left]
        span[row, col, 0], span[row, col, 1] = used, used + left
        used += left
        _times(_POWERS, nodes[levels + 1], _POWERS, powers[row, col], work)
    return powers, span, near[:used].copy()


@_jit
def displacement_at(tree, row, col):
    """East, north, up at one position, for use in compiled loops; see :meth:`DislocationField.sample`."""
    down, across = tree.span.shape[0], tree.span.shape[1]
    row = min(max(row + tree.margin + 0.5, 0.0), down * tree.leaf[0])
    col = min(max(col + tree.margin + 0.5, 0.0), across * tree.leaf[1])
    i = max(min(int(row / tree.leaf[0]), down - 1), 0)  # also for NaN
    j = max(min(int(col / tree.leaf[1]), across - 1), 0)
    u, v = 2 * (row / tree.leaf[0] - i) - 1, 2 * (col / tree.leaf[1] - j) - 1
    east = north = up = 0.0
    for a in range(_NODES - 1, -1, -1):
        e = n = z = 0.0
        for b in range(_NODES - 1, -1, -1):
            e = e * v + tree.powers[i, j, a, b, 0]
            n = n * v + tree.powers[i, j, a, b, 1]
            z = z * v + tree.powers[i, j, a, b, 2]
        east, north, up = east * u + e, north * u + n, up * u + z
    x, y = tree.margin + 0.5 - row, col - tree.margin - 0.5
    for k in range(tree.span[i, j, 0], tree.span[i, j, 1]):
        moved = _moved(tree.faces, tree.sides, tree.near[k], x, y, tree.drained)
        east, north, up = east + moved[1], north + moved[0], up - moved[2]
    return east, north, up


@_jit
def _sample(tree, rows, cols):
    out = np.empty((3, rows.size))
    for k in range(rows.size):
        out[0, k], out[1, k], out[2, k] = displacement_at(tree, rows[k], cols[k])
    return out


@_jit
def _on_grid(tree, height, width):
    """East, north, up at the centres of pixels: :func:`displacement_at`, with the polynomials row by row."""
    down, across = tree.span.shape[0], tree.span.shape[1]
    out = np.empty((3, height, width))
    leaf, place = np.empty(width, np.int64), np.empty(width)
    for col in range(width):
        leaf[col] = min(int((col + tree.margin + 0.5) / tree.leaf[1]), across - 1)
        place[col] = 2 * ((col + tree.margin + 0.5) / tree.leaf[1] - leaf[col]) - 1
    lines = np.empty((_NODES, 3))
    for row in range(height):
        i = min(int((row + tree.margin + 0.5) / tree.leaf[0]), down - 1)
        u = 2 * ((row + tree.margin + 0.5) / tree.leaf[0] - i) - 1
        first = 0
        while first < width:
            j, last = leaf[first], first
            while last < width and leaf[last] == j:
                last += 1
            for b in range(_NODES):
                for k in range(3):
                    lines[b, k] = tree.powers[i, j, _NODES - 1, b, k]
            for a in range(_NODES - 2, -1, -1):
                for b in range(_NODES):
                    for k in range(3):
                        lines[b, k] = lines[b, k] * u + tree.powers[i, j, a, b, k]
            for col in range(first, last):
                v = place[col]
                east, north, up = lines[_NODES - 1, 0], lines[_NODES - 1, 1], lines[_NODES - 1, 2]
                for b in range(_NODES - 2, -1, -1):
                    east, north, up = east * v + lines[b, 0], north * v + lines[b, 1], up * v + lines[b, 2]
                out[0, row, col], out[1, row, col], out[2, row, col] = east, north, up
            for k in range(tree.span[i, j, 0], tree.span[i, j, 1]):
                for col in range(first, last):
                    x, y = tree.margin + 0.5 - (row + tree.margin + 0.5), col + tree.margin + 0.5 - tree.margin - 0.5
                    moved = _moved(tree.faces, tree.sides, tree.near[k], x, y, tree.drained)
                    out[0, row, col] += moved[1]
                    out[1, row, col] += moved[0]
                    out[2, row, col] -= moved[2]
            first = last
    return out
