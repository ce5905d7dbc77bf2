"""Stations and points together: a station on ground that moves by itself, as the points around it show, is left out.

Such a station, in a bowl of subsidence or on a slope, would draw the velocity model after it in part, and with it the
surfaces. Stations tens of kilometres away can hardly tell it from a tectonic motion; points beside it can.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pyproj import CRS

from groundshift.geodesy.velocity_model import LEAST_STATIONS, VelocityModel, fit_velocity_model
from groundshift.model.stations import StationVelocities
from groundshift.products.calibrate.cells import BurstSummary
from groundshift.products.calibrate.config import CalibrateConfig
from groundshift.products.calibrate.solve import Solution, solve

_LOCAL = 4.0  # standard deviations by which the points around a station differ from those farther off


class Tied(NamedTuple):
    """A velocity model of stations, and the surfaces of bursts that are tied to it."""

    model: VelocityModel
    solution: Solution
    local: np.ndarray  # int: rows of stations that were left out, as the ground around them moves by itself


def tie_to_stations(
    bursts: Sequence[BurstSummary], stations: StationVelocities, rows: np.ndarray, crs: CRS, config: CalibrateConfig
) -> Tied:
    """Model and surfaces from some rows of the stations, around all of which bursts are averaged; if there are any on
    ground that moves by itself, once more without these."""
    local = np.zeros(len(rows), bool)
    for _ in range(2):
        model = fit_velocity_model(stations.select(rows[~local]), config.velocity_model)
        solution = solve(bursts, model, crs, config)
        found = local_motion(bursts, solution, model, stations)[rows] > _LOCAL
        if local.any() or not found.any() or (~found).sum() < LEAST_STATIONS:
            break
        local = found
    return Tied(model, solution, rows[local])


def local_motion(
    bursts: Sequence[BurstSummary], solution: Solution, model: VelocityModel, stations: StationVelocities
) -> np.ndarray:
    """How far calibrated points around each station are from the model, in standard deviations, float64 (n,).

    The largest over all bursts that see the station; 0 for stations without points.
    """
    out, velocity = np.zeros(len(stations)), model.at(stations.latitude, stations.longitude).velocity
    for number, burst in enumerate(bursts):
        near = burst.stations
        few = near.count < 3
        if few.all():
            continue
        left = near.velocity - solution.at(number, near.places) - (near.look * velocity[near.key]).sum(axis=1)
        own = (near.look[:, [0, 2]] ** 2).sum(axis=1) * solution.noise.motion**2
        variance = near.variance + solution.noise.burst**2 + own + solution.sigma(number, near.places) ** 2
        np.maximum.at(out, near.key[~few], (np.abs(left) / np.sqrt(variance))[~few])
    return out
