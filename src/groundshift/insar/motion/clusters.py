"""What the points of a cluster share: their atmosphere and their virtual reference; and series without both."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from groundshift.insar.motion.atmosphere import Atmosphere, AtmosphereConfig, estimate_atmosphere
from groundshift.insar.motion.linked import LinkedErrors, linked_series
from groundshift.insar.motion.series import DisplacementSeries, displacement_series, virtual_reference
from groundshift.insar.stack.geometry import StackGeometry

_LEAST_CELLS = 16  # that the atmosphere is told from motion by


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
    mixture: np.ndarray,
    errors: LinkedErrors | None = None,
) -> DisplacementSeries:
    """Displacement series of any points of the clusters; parameters as of :func:`cluster_frames`, gaps are allowed.

    With `errors`, these are distributed scatterers, which have all dates; `errors` are those of
    :func:`~groundshift.insar.motion.linked.linked_series`. `mixture` is the standard deviation of each point's height
    error by others in its pixel or window, m, float (n,).
    """
    dates, size = phase.shape
    fields = [np.full((dates, size), np.nan, np.float32) for _ in range(2)] + [np.full(size, np.nan) for _ in range(6)]
    for label, frame in enumerate(frames):
        inside = np.flatnonzero(cluster == label)
        if frame is None or not inside.size:
            continue
        air, place = frame.atmosphere, positions[inside]
        of_air = None if air is None else air.at(place, heights[inside])
        left = None if air is None else air.left
        doubt = mixture[inside] if air is None else np.hypot(mixture[inside], air.height_sigma(place))
        if errors is None:
            made = displacement_series(
                phase[:, inside], geometry, atmosphere=of_air, left=left, weights=None if air is None else air.weights,
                height_doubt=doubt, reference=frame.datum,
            )  # fmt: skip
        else:
            made = linked_series(
                phase[:, inside], geometry, errors.part(inside), atmosphere=of_air,
                atmosphere_sigma=None if air is None else np.nan_to_num(air.sigma(place)), left=left,
                height_doubt=doubt, reference=frame.datum,
            )  # fmt: skip
        for field, values in zip(fields, made, strict=True):
            field[..., inside] = values
    return DisplacementSeries(*fields)


def _cells(positions: np.ndarray, side: float) -> int:
    """Squares of a given side that hold points."""
    return len(np.unique(np.floor(positions / side), axis=0))
