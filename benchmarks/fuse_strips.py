"""Fusions of velocities of calibrated strips: errors and sigmas by the side of a cell.

python -m benchmarks.fuse_strips SEED...

Strips of two ascending and two descending tracks of two bursts and 40 stations, without motion of single places, and
ten dates whose velocities are as noisy as those of a hundred; the true north motion is taken off the looks, so that
east and up are what is measured. The truth is that of the middle of each cell.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyproj import Transformer

from groundshift.io.points import read_points, write_points
from groundshift.products.calibrate import CalibrateConfig, calibrate_points
from groundshift.products.fuse import FuseConfig, RadarPoints, fuse
from groundshift.products.fuse.config import RADAR_VELOCITY, SourceErrors
from groundshift.products.fuse.grid import fuse_grid
from groundshift.synth.points.options import ErrorOptions, MotionOptions, StripOptions
from groundshift.synth.points.stations import strip_stations
from groundshift.synth.points.strip import frames, simulate_burst
from groundshift.synth.points.write import point_file, true_velocity

CELLS = (2_000.0, 6_000.0, 20_000.0)  # m
WAYS: dict[str, SourceErrors | None] = {"stated": None, "usual": RADAR_VELOCITY}


def calibrated(options: StripOptions) -> list[pa.Table]:
    """Points of level L2b, free of the north motion."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / point_file(frame) for frame in frames(options)]
        for path, frame in zip(paths, frames(options), strict=True):
            write_points(path, simulate_burst(options, frame).table)
        made = calibrate_points(
            paths, Path(folder) / "l2b", gnss=strip_stations(options).stations, config=CalibrateConfig(folds=0),
            executor="serial",
        )  # fmt: skip
        tables = [read_points(path) for path in made.paths]
    out = []
    for table in tables:
        north = true_velocity(options, *(table[name].to_numpy() for name in ("latitude", "longitude")))[:, 1]
        velocity = table["mean_velocity"].to_numpy() - table["los_north"].to_numpy() * north
        at = table.column_names.index("mean_velocity")
        out.append(table.set_column(at, "mean_velocity", pa.array(velocity, pa.float32())))
    return out


def one(options: StripOptions, tables: list[pa.Table], cell: float, errors: SourceErrors | None) -> np.ndarray:
    """Mean squared error, mean variance (mm/yr)², and mean squared standardised error, of east and up; (2, 3)."""
    sources = [RadarPoints(table, errors) for table in tables]
    grid = fuse_grid(sources, cell=cell)
    found = fuse(sources, grid=grid, config=FuseConfig(quantity="velocity"), executor="serial")
    x, y = np.meshgrid(found["x"].values, found["y"].values)
    longitude, latitude = Transformer.from_crs(str(grid.crs), 4326, always_xy=True).transform(x.ravel(), y.ravel())
    truth = true_velocity(options, latitude, longitude)
    out = []
    for name, part in (("east", 0), ("up", 2)):
        error, sigma = (1000 * found[each].values.ravel().astype(float) for each in (name, f"{name}_sigma"))
        error = error - truth[:, part]
        out.append([np.nanmean(error**2), np.nanmean(sigma**2), np.nanmean((error / sigma) ** 2)])
    return np.array(out)


def main() -> None:
    """Print a table."""
    found: dict[tuple[str, float], list[np.ndarray]] = {(way, cell): [] for way in WAYS for cell in CELLS}
    for seed in map(int, sys.argv[1:]):
        options = StripOptions(
            seed=seed, tracks=2, bursts=2, dates=10, interval=120, errors=ErrorOptions(noise=0.85),
            motion=MotionOptions(bowls=0, slopes=0),
        )  # fmt: skip
        tables = calibrated(options)
        for (way, cell), each in found.items():
            each.append(one(options, tables, cell, WAYS[way]))
    print(
        "| sizes of errors | cell, km | east: error, sigma | variance | up: error, sigma | variance |\n|" + "---|" * 6
    )
    for (way, cell), each in found.items():
        (east, up), low, high = np.mean(each, axis=0), np.min(each, axis=0), np.max(each, axis=0)
        said = [
            f"{np.sqrt(mean[0]):.2f}, {np.sqrt(mean[1]):.2f} | {mean[2]:.2f}, {low[k, 2]:.2f} to {high[k, 2]:.2f}"
            for k, mean in enumerate((east, up))
        ]
        print(f"| {way} | {cell / 1000:g} | {said[0]} | {said[1]} |")


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    main()
