"""Unwrapping: whole cycles of the phases of a network, date by date, after its model is taken off."""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from kamui import calculate_k
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from scipy.spatial import cKDTree

from groundshift.errors import InputError, RunError
from groundshift.insar.network.arcs import Network, phase_sigma
from groundshift.insar.network.graph import arc_numbers, edges_of, triangulate
from groundshift.insar.stack.geometry import StackGeometry

log = logging.getLogger(__name__)

_COST = 100.0  # of a slip where it is as dear as can be, so that whole numbers resolve it
_MIN_SIGMA = 0.05  # radians
_CHUNK = 1 << 22
_ROUNDS = 3


class Unwrapped(NamedTuple):
    """Unwrapped phases of points."""

    phase: np.ndarray  # float32 (time, n), radians, of reference × conj(secondary); NaN where the point was dropped
    residual: np.ndarray  # float32 (time, n): the same less velocity and height error of the network
    coherence: np.ndarray  # float64 (n,): temporal coherence of a point with the points around it
    residues: np.ndarray  # int (time,): triangles around which the wrapped phase does not close
    corrected: np.ndarray  # float64 (time,): share of arcs that needed a cycle


def wrap(phase: np.ndarray) -> np.ndarray:
    """Phase in (−π, π]."""
    return np.pi - np.mod(np.pi - phase, 2 * np.pi)


def unwrap_network(
    positions: np.ndarray, phases: np.ndarray, geometry: StackGeometry, network: Network, *, neighbours: int = 8
) -> Unwrapped:
    """Whole cycles of every point and date, by a minimum-cost flow on the triangles of each cluster.

    The model of the network is taken off first, so that what is wrapped between neighbours is noise, non-linear motion
    and the atmosphere between them. Phasors are then averaged with those of the nearest points, which takes off noise;
    the averages are unwrapped, and each point takes the cycles that bring it nearest to its average. A cycle on an arc
    costs what it loses in likelihood: 2π (π − |x|) / σ², with x the wrapped difference and σ from the arc's temporal
    coherence.

    Parameters
    ----------
    positions
        float (n, 2), m.
    phases
        Phasors of reference × conj(secondary), complex64 (time, n), without gaps at points of the network.
    geometry, network
        The stack, and :func:`~groundshift.insar.network.arcs.solve_network` of the same points.
    neighbours
        Nearest points that a phasor is averaged with; 0 is none.

    Returns
    -------
    :class:`Unwrapped`. At each date, a cluster's phases have one free multiple of 2π in common.

    Sources: Costantini (1998), doi:10.1109/36.673674; Costantini & Rosen (1999), doi:10.1109/IGARSS.1999.773467.
    The solver is kamui (MIT).
    """
    length, size = phases.shape
    phase, residual = np.full((2, length, size), np.nan, np.float32)
    coherence = np.full(size, np.nan)
    residues, corrected, edges = np.zeros(length, int), np.zeros(length), 0
    rates = geometry.rates
    for label in range(network.cluster.max() + 1):
        inside = np.flatnonzero(network.cluster == label)
        model = rates.T @ np.stack([network.velocity[inside], network.height[inside]])
        phasors = phases[:, inside] * np.exp(-1j * model).astype(np.complex64)
        part = _unwrap_cluster(positions[inside], phasors, neighbours)
        residual[:, inside] = part.residual
        phase[:, inside] = part.residual + model
        coherence[inside] = part.coherence
        residues += part.residues
        corrected += part.corrected
        edges += part.edges
    share = corrected / max(edges, 1)
    log.info("%d residues, %.3f %% of arcs corrected", residues.sum(), 100 * share.mean())
    return Unwrapped(phase, residual, coherence, residues, share)


class _Part(NamedTuple):
    residual: np.ndarray  # float64 (time, n)
    coherence: np.ndarray  # float64 (n,)
    residues: np.ndarray  # int (time,)
    corrected: np.ndarray  # int (time,)
    edges: int


def _unwrap_cluster(positions: np.ndarray, phasors: np.ndarray, neighbours: int) -> _Part:
    if not (np.abs(phasors) > 0).all():
        raise InputError("phases of points of the network have gaps; drop those points or dates")
    triangles = triangulate(positions)
    edges = edges_of(triangles) if len(triangles) else _chain(positions)
    steps = (phasors[:, edges[:, 1]] * phasors[:, edges[:, 0]].conj()).mean(axis=0)
    coherence = np.abs(steps)
    degree = np.bincount(edges.ravel(), minlength=len(positions))
    around = np.bincount(edges.ravel(), np.repeat(coherence, 2), len(positions)) / np.maximum(degree, 1)
    # the noise of the reference image is in every date and must not decide cycles
    constant = _sum_along_tree(np.angle(steps)[None], edges, 1 - coherence)[0]
    phasors = phasors * np.exp(-1j * constant).astype(np.complex64)
    for _ in range(_ROUNDS):
        average = _average_phasors(positions, phasors, neighbours)
        offset = np.angle((phasors * average.conj()).mean(axis=0))
        constant += offset
        phasors = phasors * np.exp(-1j * offset).astype(np.complex64)
    average = _average_phasors(positions, phasors, neighbours)
    smooth, residues, corrected = _unwrap_averages(average, triangles, edges)
    residual = constant + smooth + np.angle(phasors * np.exp(-1j * smooth))
    residual -= 2 * np.pi * np.rint(np.median(residual, axis=1, keepdims=True) / (2 * np.pi))
    return _Part(residual, around, residues, corrected, len(edges))


def _unwrap_averages(
    phasors: np.ndarray, triangles: np.ndarray, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unwrapped phases (time, n), and residues and corrected arcs of each date (time,)."""
    first, second = edges.T
    gradient = np.angle(phasors[:, second] * phasors[:, first].conj()).astype(np.float64)  # (time, m)
    sigma = np.maximum(phase_sigma(np.abs(np.exp(1j * gradient).mean(axis=0)), len(phasors)), _MIN_SIGMA)
    numbers = np.stack([arc_numbers(edges, triangles[:, [i, j]]) for i, j in ((0, 1), (1, 2), (2, 0))])
    signs = np.stack([np.sign(triangles[:, j] - triangles[:, i]) for i, j in ((0, 1), (1, 2), (2, 0))])
    turns = np.rint((gradient[:, numbers] * signs).sum(axis=1) / (2 * np.pi)).astype(int)  # (time, triangles)
    cycles = np.zeros(gradient.shape)
    for t in np.flatnonzero(turns.any(axis=1)):
        likelihood = (np.pi - np.abs(gradient[t])) / sigma**2
        cost = np.rint(_COST * likelihood * np.median(sigma) ** 2).astype(np.int64) + 1
        found = calculate_k(edges, triangles, gradient[t] / (2 * np.pi), cost)
        if found is None:
            raise RunError(f"date {t} could not be unwrapped; the triangles of its points do not fit together")
        cycles[t] = found
    total = np.angle(phasors[:, :1]) + _sum_along_tree(gradient + 2 * np.pi * cycles, edges, sigma)
    return total, (turns != 0).sum(axis=1), (cycles != 0).sum(axis=1)


def _average_phasors(positions: np.ndarray, phasors: np.ndarray, neighbours: int) -> np.ndarray:
    """Mean of each point's phasors and those of its nearest points, each weighted by how well it agrees."""
    count = min(neighbours, len(positions) - 1)
    if count < 1:
        return phasors
    _, near = cKDTree(positions).query(positions, count + 1)
    out = np.empty(phasors.shape, np.complex64)
    step = max(1, _CHUNK // (len(phasors) * (count + 1)))
    for start in range(0, len(positions), step):
        part = near[start : start + step]
        around = phasors[:, part]  # (time, part, count + 1), the point itself first
        coherence = np.abs((around * around[..., :1].conj()).mean(axis=0))
        coherence[:, 0] = coherence[:, 1:].max(axis=1)
        weight = coherence**2 / np.maximum(1 - coherence**2, 1e-3)
        out[:, start : start + step] = (around * weight.astype(np.float32)).sum(axis=2)
    return out / np.maximum(np.abs(out), 1e-12)


def _chain(positions: np.ndarray) -> np.ndarray:
    """Arcs from point to point of a line, int (n - 1, 2), first < second, in order."""
    spread = positions - positions.mean(axis=0)
    along = np.argsort(spread @ np.linalg.svd(spread, full_matrices=False)[2][0], kind="stable")
    return np.unique(np.sort(np.column_stack([along[:-1], along[1:]]), axis=1), axis=0)


def _sum_along_tree(gradient: np.ndarray, edges: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Sums of differences (k, m) from the first point along the cheapest tree, float64 (k, n)."""
    size = int(edges.max()) + 1
    graph = coo_array((cost + 1e-6, tuple(edges.T)), shape=(size, size)).tocsr()
    order, before = breadth_first_order(minimum_spanning_tree(graph), 0, directed=False)
    if len(order) < size:
        raise RunError("the triangles of a cluster do not reach all its points")
    child = order[1:]
    number = arc_numbers(edges, np.column_stack([before[child], child]))
    sign = np.where(before[child] < child, 1.0, -1.0)
    depth = np.zeros(size, int)
    for point, parent in zip(child, before[child], strict=True):
        depth[point] = depth[parent] + 1
    total = np.zeros((len(gradient), size))
    starts = np.searchsorted(depth[child], np.arange(1, depth.max() + 2))
    for first, last in pairwise(starts):
        here = child[first:last]
        total[:, here] = total[:, before[here]] + sign[first:last] * gradient[:, number[first:last]]
    return total
