"""What the points of a cluster share: their atmosphere and their virtual reference; and series without both."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from groundshift.insar.motion.atmosphere import Atmosphere, AtmosphereConfig, estimate_atmosphere
from groundshift.insar.motion.heights import shared_heights
from groundshift.insar.motion.series import (
    DisplacementSeries,
    displacement_series,
    motion_projection,
    virtual_reference,
    with_heights,
)
from groundshift.insar.stack.geometry import StackGeometry

_LEAST_CELLS = 16  # that the atmosphere is told from motion by
_OF_MOST = 0.75  # of the standard deviation of errors by other scatterers: that of all but the largest


class Frame(NamedTuple):
    """What the displacements of a cluster are freed of."""

    atmosphere: Atmosphere | None  # none where it is left in
    datum: np.ndarray  # float64 (time,), mm: the virtual reference, once the atmosphere is off


def cluster_frames(
    positions: np.ndarray,
    heights: np.ndarray,
    phase: np.ndarray,
    cluster: np.ndarray,
    geometry: StackGeometry,
    *,
    atmosphere: AtmosphereConfig | None,
    reference: Literal["mean", "mode"],
) -> list[Frame | None]:
    """Atmosphere and virtual reference of each cluster, from points of its network; None for one without points.

    At every date the phases of a cluster share a constant that those of another do not; each is on its own. The
    atmosphere of clusters that cover too little ground to tell it from motion is left in.

    Parameters
    ----------
    positions, heights
        float (n, 2) and (n,), metres.
    phase
        Unwrapped, float (time, n), radians, without gaps.
    cluster
        int (n,).
    geometry, atmosphere, reference
        The stack, and the options.
    """
    frames: list[Frame | None] = []
    for label in range(cluster.max(initial=-1) + 1):
        inside = np.flatnonzero(cluster == label)
        if not inside.size:
            frames.append(None)
            continue
        place, above = positions[inside], heights[inside]
        displacement = phase[:, inside] / np.float32(geometry.phase_per_mm)
        air = None
        if atmosphere is not None and _cells(place, atmosphere.cell) >= _LEAST_CELLS:
            air = estimate_atmosphere(place, above, displacement, geometry, atmosphere)
            displacement -= air.at(place, above)
        frames.append(Frame(air, virtual_reference(displacement, reference)))
    return frames


def framed_series(
    positions: np.ndarray,
    heights: np.ndarray,
    phase: np.ndarray,
    cluster: np.ndarray,
    geometry: StackGeometry,
    frames: list[Frame | None],
    *,
    wander: np.ndarray,
    mixture: np.ndarray,
    persistent: np.ndarray | None = None,
) -> DisplacementSeries:
    """Displacement series of any points of the clusters; parameters as of :func:`cluster_frames`, gaps are allowed.

    `wander` and `mixture` are those of :func:`~groundshift.insar.motion.series.displacement_series`. Of points
    that `persistent`, bool (n,), tells, heights are those of :func:`~groundshift.insar.motion.heights.shared_heights`.
    """
    dates, size = phase.shape
    fields = [np.full((dates, size), np.nan, np.float32) for _ in range(2)] + [np.full(size, np.nan) for _ in range(5)]
    for label, frame in enumerate(frames):
        inside = np.flatnonzero(cluster == label)
        if frame is None or not inside.size:
            continue
        air = frame.atmosphere
        made = displacement_series(
            phase[:, inside], geometry,
            atmosphere=None if air is None else air.at(positions[inside], heights[inside]),
            left=None if air is None else air.left,
            weights=None if air is None else air.weights,
            wander=wander[inside],
            mixture=mixture[inside],
            reference=frame.datum,
        )  # fmt: skip
        if persistent is not None:
            weights = np.ones(len(geometry.days)) if air is None else air.weights
            made = _levelled(made, positions[inside], mixture[inside], persistent[inside], geometry, weights)
        for field, values in zip(fields, made, strict=True):
            field[..., inside] = values
    return DisplacementSeries(*fields)


def _levelled(
    made: DisplacementSeries,
    positions: np.ndarray,
    mixture: np.ndarray,
    persistent: np.ndarray,
    geometry: StackGeometry,
    weights: np.ndarray,
) -> DisplacementSeries:
    """Series with the heights that persistent scatterers share with those around.

    Errors by other scatterers are small for most and large for some. The smaller sigma of most says how much of a
    height is kept, and its own variance is as much smaller as that of this sigma.
    """
    some = np.flatnonzero(persistent & np.isfinite(made.displacement).all(axis=0))
    _, row = motion_projection(geometry, weights)
    noise, mixed = made.noise[some] ** 2 * (row @ row), mixture[some] ** 2
    most = noise + _OF_MOST**2 * mixed
    height, height_sigma = made.height.copy(), made.height_sigma.copy()
    height[some], variance = shared_heights(positions[some], made.height[some], most)
    height_sigma[some] = np.sqrt(height_sigma[some] ** 2 - (noise + mixed) * (1 - variance / most))
    return with_heights(made, geometry, height, height_sigma)


def _cells(positions: np.ndarray, side: float) -> int:
    """Squares of a given side that hold points."""
    return len(np.unique(np.floor(positions / side), axis=0))
