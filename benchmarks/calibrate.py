"""Calibration on simulated strips: how right it is, how well it knows, what it leaves in, and how long it takes.

python -m benchmarks.calibrate accuracy SEED...
python -m benchmarks.calibrate speed
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import NamedTuple

import numpy as np
import psutil
from pyproj import CRS

from groundshift.geodesy.velocity_field import interpolate, sample_field
from groundshift.geodesy.velocity_model import VelocityModel, fit_velocity_model
from groundshift.io.points import write_points
from groundshift.products.calibrate import CalibrateConfig, calibrate_points
from groundshift.products.calibrate.cells import BurstSummary, read_summary
from groundshift.products.calibrate.overlap import Places, overlaps
from groundshift.products.calibrate.overlap import places_of as small_cells
from groundshift.products.calibrate.report import compare_with_stations
from groundshift.products.calibrate.solve import Solution
from groundshift.products.calibrate.tie import tie_to_stations
from groundshift.products.ortho import make_ortho
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
    stations, bursts, used, summaries = strip_stations(options), [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for frame in frames(options):
            burst = simulate_burst(options, frame)
            path = Path(folder) / point_file(frame)
            write_points(path, burst.table)
            for into, each in ((used, stations.stations), (summaries, stations.held_out)):
                into.append(read_summary(path, each, crs=_CRS, cell=5000, radius=1500, least=_CONFIG.least))
            path.unlink()
            bursts.append(burst._replace(table=burst.table.drop_columns(["displacement", "geometry"])))
    tied = tie_to_stations(used, stations.stations, np.arange(len(stations.stations)), _CRS, _CONFIG)
    return Made(bursts, summaries, stations, tied.model, tied.solution)


def places_of(burst: BurstPoints) -> np.ndarray:
    """Eastings and northings."""
    return np.stack([burst.table[name].to_numpy() for name in ("easting", "northing")], 1)


def accuracy(seed: int) -> dict[str, float]:
    """Errors of one strip against its truth; ten dates, whose velocities are as noisy as those of a hundred."""
    options = StripOptions(seed=seed, dates=10, interval=120, errors=ErrorOptions(noise=0.85))
    made, flat = (make(options.model_copy(update={"motion": MotionOptions(bowls=bowls)})) for bowls in (12, 0))
    error, standardised, cells, kept, designs = [], [], [], [], []
    for number, burst in enumerate(made.bursts):
        places = places_of(burst)
        apart = made.solution.at(number, places) - (burst.surface - burst.air)
        error.append(apart)
        some = slice(None, None, 20)
        sigma = made.solution.sigma(number, places[some])
        standardised.append(apart[some] / sigma)
        designs.append(made.solution.surfaces.design(number, places[some]).toarray() / sigma[:, None])
        look = np.stack([burst.table[name].to_numpy() for name in ("los_east", "los_north", "los_up")], 1)
        after = burst.table["mean_velocity"].to_numpy() - made.solution.at(number, places)
        cells.append(_cell_medians(places, after - (burst.velocity * look).sum(axis=1)))
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
    agree, air = (_overlaps(made, each) for each in (False, True))
    found = {
        "surface rms": rms(error), "surface standardised variance": rms(standardised) ** 2,
        "its standard deviation if sigmas are right": _scatter(made.solution, np.concatenate(designs)),
        "cell rms": rms(cells),
        "overlap rms before": agree["before"]["rms"], "overlap rms": agree["after"]["rms"],
        "overlap nmad": agree["after"]["nmad"], "overlap rms, 100 m": agree["each"]["rms"],
        "overlap rms of the air": air["before"]["rms"],
        "held out rms (truth)": rms([np.array(at_stations)]), "held out rms (as measured)": compared["rms"],
        "held out standardised variance": compared["standardised_variance"],
        "bowls kept, least": min(kept), "bowls kept, mean": np.mean(kept),
    }  # fmt: skip
    return {name: float(value) for name, value in found.items()}


def rms(parts: list[np.ndarray]) -> float:
    """Root mean square of all values."""
    return float(np.sqrt(np.mean(np.concatenate(parts) ** 2)))


def _scatter(solution: Solution, design: np.ndarray) -> float:
    """Standard deviation of the mean of squared errors over their variance, if the errors are as the solution says.

    For normal errors of correlation R it is √(2 Σ R²) / n; `design` (n, unknowns of surfaces) is that of errors over
    their sigma.
    """
    unknowns = np.zeros((solution.size, design.shape[1]))
    unknowns[: design.shape[1]] = np.eye(design.shape[1])
    root = np.linalg.cholesky(solution.factor.solve(unknowns)[: design.shape[1]] + 1e-9 * np.eye(design.shape[1]))
    return float(np.sqrt(2 * np.sum((root.T @ design.T @ design @ root) ** 2)) / len(design))


def _overlaps(made: Made, air: bool) -> dict:
    """Differences of tracks of one orbit, as the report has them; or of the simulated air alone, as `before`."""
    boxes = np.array([each.box for each in made.summaries])
    box = np.append(boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0))
    grid = sample_field(made.model, _CRS, box, 1000 * _CONFIG.model_spacing)

    def read(number: int) -> Places:
        burst = made.bursts[number]
        places = places_of(burst)
        if air:
            return small_cells(places, burst.air, burst.air)
        look = np.stack([burst.table[name].to_numpy() for name in ("los_east", "los_north", "los_up")], 1)
        left = burst.table["mean_velocity"].to_numpy() - (interpolate(grid, places) * look).sum(axis=1)
        return small_cells(places, left, left - made.solution.at(number, places))

    return overlaps(made.summaries, read, cell=1000 * _CONFIG.cell, least=_CONFIG.least)


def _cell_medians(places: np.ndarray, values: np.ndarray) -> np.ndarray:
    key = np.unique(np.floor(places / 5000).astype(int), axis=0, return_inverse=True)[1].ravel()
    groups = [values[key == each] for each in range(key.max() + 1)]
    return np.array([np.median(group) for group in groups if len(group) >= _CONFIG.least])


def speed() -> None:
    """Calibrate a million points of a hundred dates and make Ortho of them, on two processes: time and memory of each.

    On two cores that nothing else uses, a step takes about as long on the clock as its seconds in this process and half
    of those in its workers.
    """
    options = StripOptions(density=7.6)
    with tempfile.TemporaryDirectory(dir="scratch" if Path("scratch").is_dir() else None) as folder:
        paths, points = [], 0
        for frame in frames(options):
            paths.append(Path(folder) / point_file(frame))
            table = simulate_burst(options, frame).table
            points += len(table)
            write_points(paths[-1], table)
        stations, out = strip_stations(options).stations, Path(folder)
        print(
            f"{points} points\n| step | here, CPU s | workers, CPU s | clock, s | memory of all, GiB |\n|" + "---|" * 5
        )
        with _measured("calibrate"):
            made = calibrate_points(paths, out / "out", gnss=stations, workers=2).paths
        with _measured("ortho"):
            make_ortho(made, out / "ortho", model=fit_velocity_model(stations), executor="processes", workers=2)


@contextmanager
def _measured(name: str) -> Iterator[None]:
    """Print a row: seconds of processor time here and in workers, of the clock, and the largest memory of all."""
    largest, ended = [0], Event()

    def watch() -> None:
        while not ended.wait(0.1):
            every = [psutil.Process(), *psutil.Process().children(recursive=True)]
            largest[0] = max(largest[0], sum(_resident(each) for each in every))

    with ThreadPoolExecutor(1) as pool:
        pool.submit(watch)
        before, start = _cpu(), time.monotonic()
        yield
        used, passed = _cpu() - before, time.monotonic() - start
        ended.set()
    print(f"| {name} | {used[0]:.1f} | {used[1]:.1f} | {passed:.1f} | {largest[0] / 2**30:.2f} |", flush=True)


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:  # it has ended
        return 0


def _cpu() -> np.ndarray:
    """Seconds of this process, and of its children that have ended."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return np.array([each.ru_utime + each.ru_stime for each in usage])


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
