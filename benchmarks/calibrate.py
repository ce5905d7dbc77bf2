"""Calibration on simulated strips: how right it is, how well it knows, what it leaves in, and how long it takes.

python -m benchmarks.calibrate accuracy SEED...
python -m benchmarks.calibrate speed
"""

from __future__ import annotations

import itertools
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pyproj import CRS

from groundshift.geodesy.velocity_model import VelocityModel, fit_velocity_model
from groundshift.io.points import write_points
from groundshift.products.calibrate import CalibrateConfig, calibrate_points
from groundshift.products.calibrate.cells import BurstSummary, read_summary
from groundshift.products.calibrate.report import compare_with_stations, overlaps
from groundshift.products.calibrate.solve import Solution, solve
from groundshift.synth.points.motion import bowl_centres
from groundshift.synth.points.options import ErrorOptions, MotionOptions, StripOptions
from groundshift.synth.points.stations import StripStations, strip_stations
from groundshift.synth.points.strip import BurstPoints, frames, simulate_burst
from groundshift.synth.points.write import point_file

_CRS, _CONFIG = CRS("EPSG:3035"), CalibrateConfig()


class Made(NamedTuple):
    """A strip, and its calibration."""

    bursts: list[BurstPoints]
    summaries: list[BurstSummary]
    stations: StripStations
    model: VelocityModel
    solution: Solution


def make(options: StripOptions) -> Made:
    """Simulate a strip and solve for its surfaces; series are not kept."""
    stations, bursts, summaries = strip_stations(options), [], []
    with tempfile.TemporaryDirectory() as folder:
        for frame in frames(options):
            burst = simulate_burst(options, frame)
            path = Path(folder) / point_file(frame)
            write_points(path, burst.table)
            summaries.append(
                read_summary(path, stations.held_out, crs=_CRS, cell=5000, radius=1500, least=_CONFIG.least)
            )
            path.unlink()
            bursts.append(burst._replace(table=burst.table.drop_columns(["displacement", "geometry"])))
    model = fit_velocity_model(stations.stations)
    return Made(bursts, summaries, stations, model, solve(summaries, model, _CRS, _CONFIG))


def places_of(burst: BurstPoints) -> np.ndarray:
    """Eastings and northings."""
    return np.stack([burst.table[name].to_numpy() for name in ("easting", "northing")], 1)


def accuracy(seed: int) -> dict[str, float]:
    """Errors of one strip against its truth; ten dates, whose velocities are as noisy as those of a hundred."""
    options = StripOptions(seed=seed, dates=10, interval=120, errors=ErrorOptions(noise=0.85))
    made, flat = (make(options.model_copy(update={"motion": MotionOptions(bowls=bowls)})) for bowls in (12, 0))
    error, standardised, cells, kept, seen = [], [], [], [], {}
    for number, burst in enumerate(made.bursts):
        places = places_of(burst)
        apart = made.solution.at(number, places) - (burst.surface - burst.air)
        error.append(apart)
        some = slice(None, None, 20)
        standardised.append(apart[some] / made.solution.sigma(number, places[some]))
        look = np.stack([burst.table[name].to_numpy() for name in ("los_east", "los_north", "los_up")], 1)
        after = burst.table["mean_velocity"].to_numpy() - made.solution.at(number, places)
        keys, medians = _cell_medians(places, after - (burst.velocity * look).sum(axis=1))
        cells.append(medians)
        summary = made.summaries[number]
        for key, value in zip(keys, medians, strict=True):
            seen.setdefault((key, summary.descending), {}).setdefault(summary.track, value)
        other = flat.bursts[number]
        taken = apart - (flat.solution.at(number, places) - (other.surface - other.air))
        for centre in bowl_centres(options):
            near = np.linalg.norm(burst.places - centre, axis=1) < 2500
            sunk = float((burst.local - other.local)[near].mean()) if near.sum() > 5 else 0.0
            if sunk < -2:
                kept.append(1 - taken[near].mean() / sunk)
    truth = made.stations.held_out_truth
    at_stations = [
        velocity - made.solution.at(number, place[None])[0] - look @ truth[row]
        for number, burst in enumerate(made.summaries)
        for row, place, look, velocity in zip(
            burst.stations.key, burst.stations.places, burst.stations.look, burst.stations.velocity, strict=True
        )
    ]
    held_out = made.stations.held_out
    compared = compare_with_stations(made.summaries, made.solution, held_out, np.arange(len(held_out)))
    agree = overlaps(made.summaries, made.solution)
    apart = [one - two for tracks in seen.values() for one, two in itertools.combinations(tracks.values(), 2)]
    found = {
        "surface rms": rms(error), "surface standardised variance": rms(standardised) ** 2, "cell rms": rms(cells),
        "overlap rms before": agree["before"]["rms"], "overlap rms": agree["after"]["rms"],
        "overlap nmad": agree["after"]["nmad"], "overlap rms without true motion": rms([np.array(apart)]),
        "held out rms (truth)": rms([np.array(at_stations)]), "held out rms (as measured)": compared["rms"],
        "held out standardised variance": compared["standardised_variance"],
        "bowls kept, least": min(kept), "bowls kept, mean": np.mean(kept),
    }  # fmt: skip
    return {name: float(value) for name, value in found.items()}


def rms(parts: list[np.ndarray]) -> float:
    """Root mean square of all values."""
    return float(np.sqrt(np.mean(np.concatenate(parts) ** 2)))


def _cell_medians(places: np.ndarray, values: np.ndarray) -> tuple[list, np.ndarray]:
    cells, key = np.unique(np.floor(places / 5000).astype(int), axis=0, return_inverse=True)
    groups = [values[key.ravel() == each] for each in range(len(cells))]
    full = [number for number, group in enumerate(groups) if len(group) >= _CONFIG.least]
    return [tuple(cells[number]) for number in full], np.array([np.median(groups[number]) for number in full])


def speed() -> None:
    """A million points of a hundred dates, in two processes; CPU seconds of all, and the largest memory of one."""
    options = StripOptions(density=7.6)
    with tempfile.TemporaryDirectory(dir="scratch" if Path("scratch").is_dir() else None) as folder:
        paths, points = [], 0
        for frame in frames(options):
            paths.append(Path(folder) / point_file(frame))
            table = simulate_burst(options, frame).table
            points += len(table)
            write_points(paths[-1], table)
        before = _cpu()
        start = time.monotonic()
        calibrate_points(paths, Path(folder) / "out", gnss=strip_stations(options).stations, workers=2)
        print(f"{points} points: {_cpu() - before:.1f} s of CPU, {time.monotonic() - start:.1f} s on the clock")
        for who, name in ((resource.RUSAGE_SELF, "this process"), (resource.RUSAGE_CHILDREN, "a worker")):
            print(f"largest memory of {name}: {resource.getrusage(who).ru_maxrss / 2**20:.2f} GiB")


def _cpu() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usage)


def main() -> None:
    """Print tables."""
    if sys.argv[1:2] == ["speed"]:
        speed()
        return
    found = []
    for seed in map(int, sys.argv[2:]):
        found.append(accuracy(seed))
        print(seed, {name: round(value, 3) for name, value in found[-1].items()}, flush=True)
    for name in found[0]:
        values = [each[name] for each in found]
        print(f"{name}: mean {np.mean(values):.3f}, {min(values):.3f} to {max(values):.3f}")


if __name__ == "__main__":
    main()
