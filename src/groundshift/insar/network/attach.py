"""Further points: held against a network that was unwrapped before."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from groundshift.errors import InputError
from groundshift.insar.network.arcs import Network, SearchConfig
from groundshift.insar.network.season import MOST_COHERENCE, fit_season
from groundshift.insar.network.unwrap import Unwrapped
from groundshift.insar.stack.geometry import StackGeometry
from groundshift.kernels.periodogram import Periodogram, maximise_coherence, search_grid

_CHUNK = 1 << 22


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
    network_positions: np.ndarray,
    network: Network,
    unwrapped: Unwrapped,
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
    network_positions, network, unwrapped
        Points of the network, float (n, 2), what :func:`~groundshift.insar.network.arcs.solve_network` made of them,
        and their phases by :func:`unwrap_network`.
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
    nearest = inside[cKDTree(network_positions[inside]).query(positions)[1]]
    phase = np.empty(phases.shape, np.float32)
    values, coherence = np.empty((len(positions), 2)), np.empty(len(positions))
    step = max(1, _CHUNK // (len(geometry.days) * neighbours))
    for label in range(network.cluster.max() + 1):
        mine = np.flatnonzero(network.cluster[nearest] == label)
        if not mine.size:
            continue
        members = np.flatnonzero(network.cluster == label)
        tree, field = cKDTree(network_positions[members]), unwrapped.residual[:, members].T
        quality = unwrapped.coherence[members] ** 2 / np.maximum(1 - unwrapped.coherence[members] ** 2, 1e-3)
        for part in np.array_split(mine, max(1, -(-mine.size // step))):
            distance, near = tree.query(positions[part], [*range(1, min(neighbours, members.size) + 1)])
            weight = quality[near] / np.maximum(distance, 1.0)
            weight /= weight.sum(axis=1, keepdims=True)
            around = np.einsum("mk,mkt->mt", weight, field[near])
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
