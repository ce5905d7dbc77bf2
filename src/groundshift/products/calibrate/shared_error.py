"""What of the error of a calibration all tracks have in common: more tracks do not reduce it."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from groundshift.products.calibrate.solve import Solution

_MOST = 60  # cells that are looked at
_APART = 0.3  # between the parts of two looks to the east, for these to be of two orbits


def reference_sigma(solution: Solution) -> tuple[float, float] | None:
    """Standard deviation of the motion east and up by which all tracks may be wrong together, mm/yr.

    Two surfaces in one cell err alike by the covariance of their unknowns. Were the reference wrong by a motion east
    and up of variances e and u, that would be l₁e l₂e e + l₁u l₂u u for looks l₁ and l₂: these two are those that fit
    best, over pairs of tracks in cells that ascending and descending tracks see. None if there is none.
    """
    seen = solution.observations
    design, values = [np.empty((0, 2))], [np.empty(0)]
    groups = [each for each in _cells(seen.key, seen.track) if np.ptp(seen.look[each, 0]) > _APART]
    for rows in groups[:: max(len(groups) // _MOST, 1)]:
        covariance = solution.covariance(seen.burst[rows], seen.places[rows])
        one, two = np.triu_indices(len(rows), 1)
        design.append(seen.look[rows[one]][:, [0, 2]] * seen.look[rows[two]][:, [0, 2]])
        values.append(covariance[one, two])
    if not groups:
        return None
    east, up = np.sqrt(nnls(np.concatenate(design), np.concatenate(values))[0])
    return float(east), float(up)


def _cells(key: np.ndarray, track: np.ndarray) -> list[np.ndarray]:
    """Rows of each cell, one of each track; `key` is sorted."""
    starts = np.flatnonzero(np.append(True, np.diff(key) != 0))
    return [rows[np.unique(track[rows], return_index=True)[1]] for rows in np.split(np.arange(len(key)), starts[1:])]
