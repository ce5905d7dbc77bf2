"""How good a calibration is: where tracks overlap, at stations that it saw, and at stations that it did not see."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from pyproj import CRS

from groundshift.geodesy.velocity_model import VelocityField, VelocityModel
from groundshift.kernels.robust import nmad
from groundshift.model.stations import COMPONENTS, StationVelocities
from groundshift.products.calibrate.cells import BurstSummary
from groundshift.products.calibrate.config import CalibrateConfig
from groundshift.products.calibrate.solve import Solution
from groundshift.products.calibrate.tie import tie_to_stations

_LEAST = 8  # stations in a fold and the rest, for cross-validation to mean anything


def summary_report(
    bursts: Sequence[BurstSummary], solution: Solution, field: VelocityField | None, config: CalibrateConfig
) -> dict[str, Any]:
    """Numbers of a calibration: of each burst, of the model, of the noise."""
    records = []
    for number, burst in enumerate(bursts):
        places = burst.cells.places
        surface = solution.at(number, places)
        records.append(
            {
                "name": burst.name,
                "track": burst.track,
                "points": burst.points,
                "cells": len(places),
                "surface_mean": surface.mean(),
                "surface_range": np.ptp(surface),
                "surface_sigma": float(np.median(solution.sigma(number, places))),
            }
        )
    model = None
    if field is not None:
        model = {"frame": field.frame, "source": field.source}
    if isinstance(field, VelocityModel):
        left = field.leave_one_out()
        model["stations"] = len(field.stations)
        model["leave_one_out"] = {
            name: {
                "rms": float(np.sqrt(np.nanmean(left.error[:, k] ** 2))),
                "standardised_variance": float(np.nanmean((left.error[:, k] / left.sigma[:, k]) ** 2)),
                "variance_of_normal_score": float(np.nanmean(left.score[:, k] ** 2)),
                "scale_of_sigmas": float(field.scale[k]),
                "own_motion": field.own[k]._asdict(),
                **dict(zip(("size", "length_km", "local"), field.fields[k], strict=True)),
            }
            for k, name in enumerate(COMPONENTS)
        }
    return {
        "model": model, "bursts": records, "points": sum(each.points for each in bursts),
        "cutoff_km": config.cutoff, "noise": solution.noise._asdict(),
        "config": config.model_dump(mode="json"),
        "software": f"groundshift {version('groundshift')}",
    }  # fmt: skip


def compare_with_stations(
    bursts: Sequence[BurstSummary], solution: Solution, stations: StationVelocities, rows: np.ndarray
) -> dict[str, Any]:
    """Points near some stations, after calibration, against the velocity of the station on their line of sight.

    Parameters
    ----------
    bursts
        Averaged around `stations`.
    rows
        Which of the stations are compared.

    Returns
    -------
    For each pair of a station and a burst: `difference` (points less station) and `sigma` (of station, surface and
    points), mm/yr; and their root mean square, mean and standardised variance.
    """
    pairs = []
    for number, burst in enumerate(bursts):
        near = burst.stations
        chosen = np.flatnonzero(np.isin(near.key, rows) & (near.count > 1))
        if not chosen.size:
            continue
        surface, sigma = (each(number, near.places[chosen]) for each in (solution.at, solution.sigma))
        for k, row in enumerate(chosen):
            station = int(near.key[row])
            look, velocity = near.look[row], stations.velocity[station]
            if not np.isfinite(velocity).all():
                continue
            own = look @ stations.covariance[station] @ look
            noise = near.variance[row] + solution.noise.burst**2 + solution.noise.motion**2 * (look[[0, 2]] ** 2).sum()
            pairs.append(
                {
                    "station": str(stations.name[station]),
                    "burst": burst.name,
                    "points": int(near.count[row]),
                    "difference": float(near.velocity[row] - surface[k] - look @ velocity),
                    "sigma": float(np.sqrt(own + noise + sigma[k] ** 2)),
                }
            )
    return _totals(pairs)


def cross_validate(
    bursts: Sequence[BurstSummary],
    stations: StationVelocities,
    rows: np.ndarray,
    crs: CRS,
    config: CalibrateConfig,
) -> dict[str, Any]:
    """The stations of some rows, in parts: each part is compared with a calibration that did not see it.

    Returns are those of :func:`compare_with_stations`.
    """
    if config.folds < 2 or len(rows) < max(_LEAST, 2 * config.folds):
        return _totals([])
    part = np.random.default_rng(0).permutation(len(rows)) % config.folds
    pairs: list[dict[str, Any]] = []
    for fold in range(config.folds):
        solution = tie_to_stations(bursts, stations, rows[part != fold], crs, config).solution
        pairs += compare_with_stations(bursts, solution, stations, rows[part == fold]).get("each", [])
    return _totals(pairs)


def _totals(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {"stations": len({each["station"] for each in pairs}), "pairs": len(pairs)}
    if pairs:
        apart, sigma = (np.array([each[name] for each in pairs]) for name in ("difference", "sigma"))
        out |= {"rms": float(np.sqrt(np.mean(apart**2))), "mean": float(apart.mean()), "nmad": nmad(apart),
                "standardised_variance": float(np.mean((apart / sigma) ** 2)),
                "robust_standardised_variance": nmad(apart / sigma) ** 2, "each": pairs}  # fmt: skip
    return out
