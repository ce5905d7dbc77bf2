"""Arcs between points: differences of velocity and height error, and their integration over the network."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import coo_array, csc_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from groundshift.errors import InputError
from groundshift.insar.network.graph import arc_numbers, join_points, triangulate
from groundshift.insar.network.season import MOST_COHERENCE, fit_season
from groundshift.insar.stack.geometry import StackGeometry
from groundshift.kernels.periodogram import maximise_coherence, search_grid

log = logging.getLogger(__name__)

_CHUNK = 1 << 22  # phasors in memory at a time
_LEAST_SEASONAL = 0.5  # coherence of arcs that are tried with a yearly season too
_ABSOLUTE_ROUNDS = 8
_ROUNDS = 16
_TUKEY = 4.685


class SearchConfig(BaseModel):
    """What velocities and height errors are looked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_velocity: float = Field(30.0, gt=0, description="largest velocity looked for, either sign, mm/yr")
    max_height: float = Field(60.0, ge=0, description="largest height error looked for, either sign, m")


class NetworkConfig(BaseModel):
    """How points are joined by arcs, and which arcs count."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    search: SearchConfig = Field(default_factory=SearchConfig, description="differences looked for along an arc")
    neighbours: int = Field(8, ge=0, description="nearest points that each point is joined with, beside Delaunay's")
    max_length: float = Field(2000.0, gt=0, description="longest arc, m")
    min_coherence: float = Field(0.5, ge=0, lt=1, description="arcs of lower temporal coherence are rejected")
    max_misfit: float = Field(4.0, gt=0, description="arcs that the network contradicts by more are rejected, sigmas")
    min_arcs: int = Field(3, ge=1, description="points that keep fewer arcs are dropped: they cannot be checked")
    min_cluster: int = Field(10, ge=2, description="parts of the network with fewer points are dropped")


class Arcs(NamedTuple):
    """Differences along arcs, second point minus first."""

    ends: np.ndarray  # int (m, 2), first < second
    estimates: np.ndarray  # float64 (m, 2): velocity mm/yr, height error m
    coherence: np.ndarray  # float64 (m,)


class Network(NamedTuple):
    """Velocity and height error of points, integrated from arcs."""

    velocity: np.ndarray  # float64 (n,), mm/yr, mean of the cluster is 0; NaN where no cluster
    height: np.ndarray  # float64 (n,), height error, m, mean of the cluster is 0
    velocity_sigma: np.ndarray  # float64 (n,), mm/yr: against the points around
    height_sigma: np.ndarray  # float64 (n,), m
    cluster: np.ndarray  # int (n,): 0 is the largest, -1 for points that were dropped
    arcs: Arcs
    accepted: np.ndarray  # bool (m,): arcs that the network was integrated from
    misfit: np.ndarray  # float64 (m,): how far each arc is from the network, sigmas; NaN if an end was dropped
    open_triangles: float  # share of triangles of coherent arcs that do not close within `max_misfit` sigmas


def estimate_arcs(phases: np.ndarray, ends: np.ndarray, geometry: StackGeometry, search: SearchConfig) -> Arcs:
    """Velocity and height-error difference of each arc, which maximise its temporal coherence.

    Parameters
    ----------
    phases
        Phasors of reference × conj(secondary), complex64 (time, n); 0 or NaN is no data.
    ends
        int (m, 2).
    geometry, search
        The stack, and what is looked for.
    """
    rates = geometry.rates
    grid = search_grid(rates, (search.max_velocity, search.max_height))
    series = np.ascontiguousarray(phases.T)
    estimates, coherence = np.empty((len(ends), 2)), np.empty(len(ends))
    step = max(1, _CHUNK // len(geometry.days))
    for start in range(0, len(ends), step):
        part = slice(start, start + step)
        first, second = ends[part].T
        turned = series[second] * series[first].conj()
        found = maximise_coherence(turned, rates, grid)
        doubtful = np.flatnonzero((found.coherence > _LEAST_SEASONAL) & (found.coherence < MOST_COHERENCE))
        if doubtful.size:
            season = fit_season(turned[doubtful], found.coherence[doubtful], geometry, grid)
            better = doubtful[season.better]
            found.parameters[better] = season.parameters[season.better]
            found.coherence[better] = season.coherence[season.better]
        estimates[part], coherence[part] = found.parameters, found.coherence
    return Arcs(ends, estimates, coherence)


def phase_sigma(coherence: np.ndarray, dates: int) -> np.ndarray:
    """Standard deviation of Gaussian phase noise from temporal coherence γ, radians.

    √(−2 ln γ), as E exp(iε) = exp(−σ²/2), and T / (T − 3) for the three parameters that were fitted.
    """
    return np.sqrt(np.maximum(-2 * np.log(np.clip(coherence, 1e-6, 1.0)), 1e-8) * dates / max(dates - 3, 1))


def solve_network(
    positions: np.ndarray, phases: np.ndarray, geometry: StackGeometry, config: NetworkConfig | None = None
) -> Network:
    """Velocity and height error of points, relative to the mean of their cluster.

    Arcs are estimated, those of low coherence are rejected, the rest are integrated by least squares, first with
    absolute deviations and then with Tukey's biweight; arcs that contradict the result are rejected, points with few
    arcs left are dropped, and what remains is integrated again until nothing changes. Parts that no arc joins are
    clusters, each with its own datum.

    Parameters
    ----------
    positions
        float (n, 2), m.
    phases
        Phasors of reference × conj(secondary), complex64 (time, n).
    geometry, config
        The stack, and the options.

    Returns
    -------
    :class:`Network`. The sigmas are those of a point's own noise, found from the scatter of all its arcs.

    Raises
    ------
    InputError
        If shapes differ, or no two points can be joined.

    Source: Ferretti, Prati & Rocca (2001), doi:10.1109/36.898661; the rejection is ours.
    """
    config = config or NetworkConfig()
    if phases.shape != (len(geometry.days), len(positions)):
        raise InputError(
            f"phases {phases.shape} do not fit {len(geometry.days)} dates and {len(positions)} points; give (time, n)"
        )
    ends = join_points(positions, neighbours=config.neighbours, max_length=config.max_length)
    if not len(ends):
        raise InputError(
            f"no two of {len(positions)} points are within {config.max_length} m; give a larger max_length"
        )
    arcs = estimate_arcs(phases, ends, geometry, config.search)
    sigma = phase_sigma(arcs.coherence, len(geometry.days))
    scaled = arcs.estimates / geometry.formal  # in radians of phase noise
    accepted = arcs.coherence >= config.min_coherence
    while True:
        accepted, cluster = _prune(ends, accepted, len(positions), config)
        points = _integrate(ends[accepted], scaled[accepted], sigma[accepted], cluster)
        misfit = np.hypot(*(points[ends[:, 1]] - points[ends[:, 0]] - scaled).T) / sigma
        wrong = accepted & (misfit > config.max_misfit)
        if not wrong.any():
            break
        accepted &= ~wrong
    log.info("%d of %d arcs and %d of %d points kept", accepted.sum(), len(ends), (cluster >= 0).sum(), len(cluster))
    noise = np.sqrt(_point_variance(ends[accepted], sigma[accepted] ** 2, len(positions)))
    velocity, height = (points * geometry.formal).T
    own = np.where(cluster >= 0, noise, np.nan)[:, None] * geometry.formal
    return Network(
        velocity, height, own[:, 0], own[:, 1], cluster, arcs, accepted, misfit,
        _open_triangles(triangulate(positions), arcs, scaled, sigma, config),
    )  # fmt: skip


def _prune(ends: np.ndarray, accepted: np.ndarray, size: int, config: NetworkConfig) -> tuple[np.ndarray, np.ndarray]:
    """Arcs without those of points that keep too few, and the clusters that are left, largest first."""
    accepted = accepted.copy()
    while True:
        degree = np.bincount(ends[accepted].ravel(), minlength=size)
        few = (degree < config.min_arcs)[ends].any(axis=1) & accepted
        if not few.any():
            break
        accepted &= ~few
    graph = coo_array((np.ones(accepted.sum()), tuple(ends[accepted].T)), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    count = np.bincount(label)
    order = np.argsort(-count, kind="stable")
    rank = np.empty(len(count), int)
    rank[order] = np.where(count[order] >= config.min_cluster, np.arange(len(count)), -1)
    cluster = rank[label]
    return accepted & (cluster[ends[:, 0]] >= 0), cluster


def _integrate(ends: np.ndarray, values: np.ndarray, sigma: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Robust least squares on the graph, (n, 2); the mean of each cluster is 0, NaN outside clusters."""
    points = np.full((len(cluster), 2), np.nan)
    inside = np.flatnonzero(cluster >= 0)
    if not inside.size:
        return points
    number = np.full(len(cluster), -1)
    number[inside] = np.arange(inside.size)
    first, second = number[ends].T
    _, anchors = np.unique(cluster[inside], return_index=True)
    prior, robust = sigma**-2, np.ones(len(ends))
    solution = np.zeros((inside.size, 2))
    for iteration in range(_ROUNDS):
        before, solution = solution, _least_squares(first, second, values, prior * robust, inside.size, anchors)
        misfit = np.hypot(*(solution[second] - solution[first] - values).T) / sigma
        if iteration < _ABSOLUTE_ROUNDS:
            robust = 1 / np.maximum(misfit, 0.1)
        else:
            robust = np.maximum(1 - (misfit / _TUKEY) ** 2, 0) ** 2 + 1e-6
            if np.abs(solution - before).max() < 1e-4:
                break
    size = np.bincount(cluster[inside])
    for k in range(2):
        solution[:, k] -= (np.bincount(cluster[inside], solution[:, k]) / size)[cluster[inside]]
    points[inside] = solution
    return points


def _least_squares(
    first: np.ndarray, second: np.ndarray, values: np.ndarray, weights: np.ndarray, size: int, anchors: np.ndarray
) -> np.ndarray:
    """Potentials with given differences along arcs, 0 at the anchors, by the Laplacian of the graph."""
    rows = np.concatenate([first, second, first, second, anchors])
    columns = np.concatenate([first, second, second, first, anchors])
    entries = np.concatenate([weights, weights, -weights, -weights, np.full(len(anchors), weights.mean())])
    laplacian = csc_array(coo_array((entries, (rows, columns)), shape=(size, size)))
    push = weights[:, None] * values
    right = np.stack(
        [np.bincount(second, push[:, k], size) - np.bincount(first, push[:, k], size) for k in range(2)], axis=1
    )
    return splu(laplacian, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(right)


def _point_variance(ends: np.ndarray, variance: np.ndarray, size: int) -> np.ndarray:
    """Variance of each point from those of its arcs, taken as sums of both ends'; not negative."""
    degree = np.maximum(np.bincount(ends.ravel(), minlength=size), 1)
    own = np.bincount(ends.ravel(), np.repeat(variance, 2), size) / degree / 2
    for _ in range(100):
        rest = np.maximum(variance[:, None] - own[ends[:, ::-1]], 0)
        own = 0.5 * own + 0.5 * np.bincount(ends.ravel(), rest.ravel(), size) / degree
    return own


def _open_triangles(
    triangles: np.ndarray, arcs: Arcs, scaled: np.ndarray, sigma: np.ndarray, config: NetworkConfig
) -> float:
    """Share of triangles of coherent arcs whose differences do not sum to zero."""
    sides = np.sort(triangles, axis=1)
    numbers = np.stack([arc_numbers(arcs.ends, sides[:, pair]) for pair in ([0, 1], [1, 2], [0, 2])])
    numbers = numbers[:, (numbers >= 0).all(axis=0)]
    a, b, c = numbers[:, (arcs.coherence[numbers] >= config.min_coherence).all(axis=0)]
    if not len(a):
        return 0.0
    gap = np.hypot(*(scaled[a] + scaled[b] - scaled[c]).T)
    return float((gap > config.max_misfit * np.sqrt(sigma[a] ** 2 + sigma[b] ** 2 + sigma[c] ** 2)).mean())
