"""A sinking town in two stacks of radar images and some stations: Basic, Calibrated, Ortho, against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyproj import Transformer
from scipy.spatial import cKDTree

from groundshift.geodesy.velocity_model import fit_velocity_model
from groundshift.insar.basic import POINTS_NAME, make_basic
from groundshift.io.files import write_json
from groundshift.io.gnss.table import write_station_table
from groundshift.io.points import read_points
from groundshift.kernels.robust import nmad
from groundshift.model.points import header
from groundshift.model.stations import StationVelocities, build_velocities
from groundshift.products.calibrate import CalibrateConfig, calibrate_points
from groundshift.products.ortho import make_ortho
from groundshift.synth.radar.options import StackOptions
from groundshift.synth.radar.scene import ground_velocity
from groundshift.synth.radar.stack import STACK, write_simulation
from groundshift.validate.run import ValidationConfig, summary, validate

ORBITS = ("ascending", "descending")
_REGION = np.array([1.5, 2.5, -1.0])  # mm/yr east, north, up: of all the ground, which radar alone cannot know
_MISSING = 0.6  # share of the dates without an image, so that few images see more than three years
_STATIONS, _HELD_OUT = 18, 6  # stations in all, and of these to check with
_STEADY = 1.0  # mm/yr: ground that moves less against its region carries stations
_SIGMA = 0.15, 0.15, 0.4  # mm/yr: their velocity to the east, north, up
_TOWN = CalibrateConfig(cell=0.5, cutoff=20.0, model_spacing=1.0, radius=0.3, folds=0)
"""A town is smaller than what is usually calibrated: an offset and a tilt is all that it can show."""


class Town(NamedTuple):
    """What was made."""

    calibrated: list[Path]  # point sets of level L2b, one a track
    ortho: list[Path]  # point sets of level L3: up, east
    stations: Path
    report: list[str]  # in plain text


def run_town(out: str | Path, *, seed: int = 3, lines: int = 256, pixels: int = 900, dates: int = 40) -> Town:
    """Simulate a town, measure it by radar from both sides, tie it to stations, and solve for east and up.

    Parameters
    ----------
    lines, pixels, dates
        Of each stack.
    """
    out = Path(out)
    options = [
        StackOptions(lines=lines, pixels=pixels, dates=dates, missing=_MISSING, seed=seed, orbit=orbit)
        for orbit in ORBITS
    ]
    basic = []
    for each in options:
        write_simulation(out / each.orbit, each)
        make_basic(out / each.orbit / STACK, out / each.orbit)
        basic.append((out / each.orbit / POINTS_NAME).rename(out / f"{each.orbit}.parquet"))
    stations = _stations(options[0], read_points(basic[0]))
    used, rest = stations.select(slice(_HELD_OUT, None)), stations.select(slice(_HELD_OUT))
    write_station_table(out / "stations.csv", used)
    write_station_table(out / "held_out.csv", rest)
    calibrated = list(calibrate_points(basic, out / "calibrated", gnss=used, config=_TOWN, executor="serial").paths)
    result = make_ortho(calibrated, out / "ortho", model=fit_velocity_model(used))
    scores, report = {}, []
    for path, each in zip(calibrated, options, strict=True):
        table = read_points(path)
        look = np.column_stack([table[f"los_{name}"].to_numpy() for name in ("east", "north", "up")])
        true = (_truth(each, table["latitude"].to_numpy(), table["longitude"].to_numpy()) * look).sum(axis=1)
        good = table["temporal_coherence"].to_numpy() > 0.7
        error = (table["mean_velocity"].to_numpy() - true)[good]
        scores[each.orbit] = _score(error)
        report.append(
            f"{each.orbit}: {len(table)} points, {good.sum()} of coherence above 0.7; error of their absolute velocity "
            + _said(scores[each.orbit])
        )
    for component, path in (("up", result.up[0]), ("east", result.east[0])):
        table = read_points(path)
        true = _truth(options[0], *_degrees(table))[:, {"east": 0, "up": 2}[component]]
        scores[component] = _score(table["mean_velocity"].to_numpy() - true)
        report.append(f"{component} in {len(table)} cells of 100 m: error {_said(scores[component])}")
    write_json(out / "scores.json", scores)
    asked = ValidationConfig(
        points=tuple(calibrated), stations=out / "held_out.csv", title="The simulated town, against stations held out"
    )
    report += [f"validation: {line}" for line in summary(validate(asked, out / "validation")).splitlines()]
    return Town(calibrated, [result.up[0], result.east[0]], out / "stations.csv", report)


def _truth(options: StackOptions, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Velocity of open ground, float64 (n, 3), mm/yr: what the town does and what all the region does."""
    return ground_velocity(options, latitude, longitude) + _REGION


def _stations(options: StackOptions, points: pa.Table) -> StationVelocities:
    """Stations far from each other on points of ground that moves as the region does: there they are built.

    They are drawn by place, so that one point more or less does not move them all.
    """
    random = np.random.default_rng(options.seed)
    latitude, longitude = (points[name].to_numpy() for name in ("latitude", "longitude"))
    steady = np.flatnonzero(np.linalg.norm(ground_velocity(options, latitude, longitude), axis=1) < _STEADY)
    places = np.column_stack([latitude, longitude * np.cos(np.radians(options.latitude))])
    tree = cKDTree(places[steady])
    low, high = places.min(axis=0), places.max(axis=0)
    chosen: list[int] = []
    while len(chosen) < _STATIONS:
        drawn = steady[tree.query(random.uniform(low, high, (20, 2)))[1]]
        apart = np.linalg.norm(places[drawn][:, None] - places[chosen], axis=2).min(axis=1, initial=np.inf)
        chosen.append(int(drawn[apart.argmax()]))
    sigma = np.tile(_SIGMA, (_STATIONS, 1))
    true = _truth(options, latitude[chosen], longitude[chosen])
    return build_velocities(
        [f"GS{number:02d}" for number in range(_STATIONS)], latitude[chosen], longitude[chosen],
        true + sigma * random.standard_normal(sigma.shape), sigma=sigma, frame="ETRF2000",
        source=f"simulated by groundshift, seed {options.seed}",
    )  # fmt: skip


def _degrees(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    back = Transformer.from_crs(header(table).crs, "EPSG:4326", always_xy=True)
    longitude, latitude = back.transform(table["easting"].to_numpy(), table["northing"].to_numpy())
    return latitude, longitude


def _score(error: np.ndarray) -> dict[str, float]:
    error = error[np.isfinite(error)]
    return {"median": float(np.median(error)), "nmad": float(nmad(error)), "rmse": float(np.sqrt(np.mean(error**2)))}


def _said(score: dict[str, float]) -> str:
    return f"{score['nmad']:.2f} mm/yr (one standard deviation, robust), {score['median']:+.2f} in the median"
