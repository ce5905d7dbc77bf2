"""How wrong the measurements of a source are together: as sources of its kind usually are, or as calibration states."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from groundshift.io.point_batches import PointParts, point_batches
from groundshift.products.fuse.channels import Fusible, Reference
from groundshift.products.fuse.config import RADAR, RADAR_VELOCITY, Quantity, SourceErrors
from groundshift.products.fuse.sources import RadarPoints

_STATED = ("calibration_std", "absolute_velocity_std", "mean_velocity_std")


def usual_errors(source: Fusible, quantity: Quantity, reference: Reference | None = None) -> SourceErrors:
    """Errors of a source, or those that sources of its kind usually have; beside those of a reference of all tracks."""
    if source.errors is not None:
        return source.errors
    if quantity == "displacement":
        return RADAR
    found = _calibration(source.parts, reference) if isinstance(source, RadarPoints) else {}
    return RADAR_VELOCITY.model_copy(update=found)


def common_reference(sources: Sequence[Fusible], quantity: Quantity) -> Reference | None:
    """What calibration says that all tracks are wrong by together: the largest that any states.

    None if it does not say so of all tracks, or if there are other sources of velocities of places, which see it.
    """
    radar = [each for each in sources if isinstance(each, RadarPoints)]
    stated = [(each.parts.header.provenance.get("calibration") or {}).get("reference_sigma") for each in radar
              if each.errors is None and set(_STATED) <= set(each.parts.columns)]  # fmt: skip
    known = [each for each in stated if each]
    if quantity != "velocity" or len(known) < len(sources) or not known:
        return None
    east, up = np.max(known, axis=0) / 1000
    return Reference(float(east), float(up))


def _calibration(parts: PointParts, reference: Reference | None) -> dict[str, float]:
    """Sizes of errors of velocities that all points of a calibrated track share, in m/yr; none if they do not say.

    Offset and ramps (which go from -1 to 1) together have the variance of what calibration took off, less that of the
    reference that all tracks share; twice as much if that is not known, since a fusion takes what is alike in all
    tracks for the own of each. What is left of the atmosphere is correlated.
    """
    if not set(_STATED) <= set(parts.columns):
        return {}
    squares, common = np.zeros(3), np.square(reference or (0.0, 0.0)) * 1e6
    for table in point_batches(parts, (-np.inf, -np.inf, np.inf, np.inf), (*_STATED, "los_east", "los_up")):
        surface, absolute, noise, east, up = (
            table[name].to_numpy().astype(float) ** 2 for name in (*_STATED, "los_east", "los_up")
        )
        use = np.isfinite(surface + absolute + noise + east + up)
        own = surface - common[0] * east - common[1] * up
        squares += [own[use].sum(), (absolute - noise - surface)[use].sum(), use.sum()]
    surface, air = np.sqrt(np.maximum(squares[:2], 0) / max(squares[2], 1)) / 1000
    size = float(surface * np.sqrt((1 if reference else 2) / (1 + 2 / 3)))
    return {"offset": size, "ramp": size, "correlated": float(air)}
