"""Further points: held against a network that was unwrapped before."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from groundshift.errors import InputError
from groundshift.insar.network.arcs import SearchConfig
from groundshift.insar.network.season import MOST_COHERENCE, fit_season
from groundshift.insar.stack.geometry import StackGeometry
from groundshift.kernels.periodogram import Periodogram, maximise_coherence, search_grid

_CHUNK = 1 << 22


class Surroundings(NamedTuple):
    """Points of an unwrapped network, as further points are held against them."""

    positions: np.ndarray  # float (n, 2), m
    cluster: np.ndarray  # int (n,): -1 for points that are left out
    coherence: np.ndarray  # float (n,): against the points around
    residual: Callable[[np.ndarray], np.ndarray]  # of points, int (k,): phases less their model, float32 (time, k)

    def part(self, points: np.ndarray) -> Surroundings:
        """Some of the points, int (k,)."""
        return Surroundings(
            self.positions[points], self.cluster[points], self.coherence[points], _Part(self.residual, points)
        )


class _Part(NamedTuple):
    whole: Callable[[np.ndarray], np.ndarray]
    points: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        return self.whole(self.points[points])


class Attached(NamedTuple):
    """Points that were joined to a network that had been unwrapped before."""

    phase: np.ndarray  # float32 (time, m), radians, unwrapped
    velocity: np.ndarray  # float64 (m,), mm/yr, in the datum of the network
    height: np.ndarray  # float64 (m,), height error, m
    coherence: np.ndarray  # float64 (m,), against the points around
    nearest: np.ndarray  # int (m,): the nearest point of the network, whose cluster is the point's


def attach_points(
    positions: np.ndarray,
    phases: np.ndarray,
    geometry: StackGeometry,
    network: Surroundings,
    *,
    search: SearchConfig | None = None,
    neighbours: int = 8,
    least: float = 1.0,
) -> Attached:
    """Velocity, height error and unwrapped phase of further points, against the points of a network around them.

    What the network's nearest points have beside their velocity and height error (atmosphere, common non-linear
    motion) is averaged, weighted by coherence and inverse distance, and taken off; the rest is a periodogram of one
    point.

    Parameters
    ----------
    positions, phases
        Of the further points: float (m, 2), m, and complex64 (time, m); 0 or NaN is no data.
    geometry
        The stack.
    network
        Points of it; the phases of those that are needed are read, of one cluster at a time.
    search
        What velocities and height errors are looked for, in the datum of the network.
    neighbours
        Points of the network that are averaged; all of the cluster of the nearest one.
    least
        Points of a coherence above this, but of no high one, are tried with a yearly season too; if that leaves at most
        half of the variance, it decides their cycles, velocity and height error. Their `coherence` stays that without a
        season, whose distribution in noise is known.

    Returns
    -------
    :class:`Attached`, for every point whatever its coherence; see :mod:`groundshift.insar.network.acceptance`.
    """
    search = search or SearchConfig()
    inside = np.flatnonzero(network.cluster >= 0)
    if not inside.size:
        raise InputError("the network has no unwrapped point; lower its min_coherence or give more candidates")
    grid = search_grid(geometry.rates, (search.max_velocity, search.max_height))
    nearest = inside[cKDTree(network.positions[inside]).query(positions)[1]]
    phase = np.empty(phases.shape, np.float32)
    values, coherence = np.empty((len(positions), 2)), np.empty(len(positions))
    step = max(1, _CHUNK // (len(geometry.days) * neighbours))
    for label in range(network.cluster.max() + 1):
        mine = np.flatnonzero(network.cluster[nearest] == label)
        if not mine.size:
            continue
        members = np.flatnonzero(network.cluster == label)
        distance, near = cKDTree(network.positions[members]).query(
            positions[mine], [*range(1, min(neighbours, members.size) + 1)]
        )
        used, near = np.unique(members[near], return_inverse=True)
        field, good = network.residual(used).T, network.coherence[used] ** 2
        weight = (good / np.maximum(1 - good, 1e-3))[near] / np.maximum(distance, 1.0)
        weight /= weight.sum(axis=1, keepdims=True)
        for some in np.array_split(np.arange(mine.size), max(1, -(-mine.size // step))):
            part = mine[some]
            around = np.einsum("mk,mkt->mt", weight[some], field[near[some]])
            found = _attach(phases[:, part].T, around, geometry, grid, least)
            phase[:, part] = found.phase.T
            values[part], coherence[part] = found.parameters, found.coherence
    return Attached(phase, values[:, 0], values[:, 1], coherence, nearest)


def _attach(
    phases: np.ndarray, around: np.ndarray, geometry: StackGeometry, grid: np.ndarray, least: float
) -> Periodogram:
    """Periodogram of phases (m, time) against those around; with the unwrapped phases (m, time) as its phase."""
    phasors = phases * np.exp(-1j * around)
    found = maximise_coherence(phasors, geometry.rates, grid)
    model = found.parameters @ geometry.rates + found.phase[:, None]
    doubtful = np.flatnonzero((found.coherence > least) & (found.coherence < MOST_COHERENCE))
    if doubtful.size:
        season = fit_season(phasors[doubtful], found.coherence[doubtful], geometry, grid)
        better = doubtful[season.better]
        found.parameters[better], model[better] = season.parameters[season.better], season.model[season.better]
    rest = np.angle(phasors * np.exp(-1j * model))
    rest[~(np.abs(phasors) > 0)] = np.nan
    return found._replace(phase=around + model + rest)
