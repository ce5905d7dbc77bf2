"""Which points are joined: triangles of Delaunay, nearest points, and the arcs between them."""

from __future__ import annotations

import numpy as np
from scipy.spatial import Delaunay, QhullError, cKDTree

from groundshift.errors import InputError


def triangulate(positions: np.ndarray) -> np.ndarray:
    """Triangles of Delaunay, int (k, 3); none for points on a line.

    Raises
    ------
    InputError
        If two points lie at the same position, or a position is not finite.
    """
    positions = np.asarray(positions, np.float64)
    if positions.ndim != 2 or positions.shape[1] != 2 or not np.isfinite(positions).all():
        raise InputError(f"positions of shape {positions.shape}; give finite (n, 2) in metres")
    if len(np.unique(positions, axis=0)) < len(positions):
        raise InputError("two points lie at the same position; drop one of them")
    if len(positions) < 3:
        return np.empty((0, 3), int)
    try:
        return Delaunay(positions - positions.mean(axis=0)).simplices.astype(int)
    except QhullError:  # all on a line
        return np.empty((0, 3), int)


def edges_of(triangles: np.ndarray) -> np.ndarray:
    """Sides of triangles, each once, int (m, 2), first < second."""
    sides = np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    return np.unique(sides, axis=0)


def join_points(positions: np.ndarray, *, neighbours: int = 8, max_length: float = 2000.0) -> np.ndarray:
    """Arcs of Delaunay's triangles and to the nearest points, int (m, 2), first < second, in order.

    Parameters
    ----------
    positions
        float (n, 2), m.
    neighbours
        Nearest points that each point is joined with.
    max_length
        Longest arc, m.
    """
    pairs = [edges_of(triangulate(positions))]
    count = min(neighbours, len(positions) - 1)
    if count > 0:
        _, near = cKDTree(positions).query(positions, count + 1)
        own = np.repeat(np.arange(len(positions)), count + 1)
        pairs.append(np.sort(np.column_stack([own, near.ravel()])[near.ravel() != own], axis=1))
    ends = np.unique(np.concatenate(pairs), axis=0)
    return ends[np.hypot(*(positions[ends[:, 0]] - positions[ends[:, 1]]).T) <= max_length]


def arc_numbers(ends: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Row of each pair of points in `ends` (in order, first < second), int (k,); -1 where there is none."""
    size = int(max(ends.max(initial=0), pairs.max(initial=0))) + 1
    key, wanted = ends @ [size, 1], np.sort(pairs, axis=1) @ [size, 1]
    place = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
    return np.where(key[place] == wanted, place, -1) if len(key) else np.full(len(pairs), -1)
