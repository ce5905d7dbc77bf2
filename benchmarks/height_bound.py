"""The least error that heights of points can have by noise: Cramér–Rao bounds from what a simulation is made of."""

from __future__ import annotations

import numpy as np
import xarray as xr

from groundshift.insar.basic_config import BasicConfig
from groundshift.insar.motion.series import motion_design
from groundshift.insar.stack.places import stack_geometry
from groundshift.synth.radar.options import COVERS, StackOptions
from groundshift.synth.radar.scatterers import coherence_matrix

_TINY = 1e-6  # added to coherence matrices, which may be singular


def height_bounds(
    stack: xr.Dataset, truth: xr.Dataset, cover: np.ndarray, ratio: np.ndarray, neighbours: np.ndarray
) -> np.ndarray:
    """Cramér–Rao bounds of height errors of points, beside a cubic and a season of unknown size, m; float64 (n,).

    Clutter of power 1 over `ratio` is noise of a scatterer's phases, 1 / (2 ratio) radians², correlated between dates
    as the clutter is. The information of linked phases is 2 L (|Γ| ∘ |Γ|⁻¹ − 1) of L independent looks.

    Parameters
    ----------
    stack, truth
        Of a simulation.
    cover
        Codes, int (n,).
    ratio
        Signal to clutter of persistent scatterers, (n,).
    neighbours
        Pixels of distributed scatterers, 0 for persistent ones, (n,).

    Source: Guarnieri & Tebaldini (2007), doi:10.1109/TSP.2007.893957.
    """
    options, config = StackOptions.model_validate_json(truth.attrs["options"]), BasicConfig()
    geometry, _ = stack_geometry(stack, config.reference)
    days = (truth["time"].values - np.datetime64("1970-01-01")) / np.timedelta64(1, "D")
    design = geometry.phase_per_mm * motion_design(geometry)
    looks = neighbours * config.distributed.link.response.independent_share
    out = np.full(len(cover), np.nan)
    for code, name in enumerate(COVERS):
        gamma = coherence_matrix(getattr(options.scatterers.coherence, name), days)
        inverse = np.linalg.inv(gamma + _TINY * np.eye(len(gamma)))
        linked = 2 * (gamma * inverse - np.eye(len(gamma)))
        kinds = (neighbours == 0, design, 2 * inverse, ratio), (neighbours > 0, np.delete(design, 1, 1), linked, looks)
        for kind, columns, information, times in kinds:
            here = kind & (cover == code)
            if here.any() and np.linalg.cond(columns.T @ information @ columns) < 1e15:
                unit = np.linalg.inv(columns.T @ information @ columns)[0, 0]
                out[here] = np.sqrt(unit / np.maximum(times[here], _TINY))
    return out
