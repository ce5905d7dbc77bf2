"""Ortho of a simulated strip of a continent, from L2a: `python -m benchmarks.ortho_strip FOLDER [SEED]`.

Makes the strip (3 ascending and 3 descending tracks of 10 bursts, 40 stations, 20 held out), calibrates it, and makes
its Ortho in FOLDER. Prints errors of east and up against the truth at all cells, and against stations held out (cells
within 1.5 km of each).
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

import numpy as np
from pyproj import Transformer

from groundshift.io import read_map
from groundshift.io.gnss.table import read_station_table
from groundshift.io.points import read_points
from groundshift.products.calibrate import calibrate_points
from groundshift.products.ortho import make_ortho, velocity_field
from groundshift.synth.points.options import StripOptions
from groundshift.synth.points.write import HELD_OUT, STATIONS, true_velocity, write_strip

RADIUS = 1500.0  # m


def main(folder: Path, seed: int = 0) -> None:
    options = StripOptions(seed=seed)
    paths = write_strip(folder, options)
    stations, held_out = (read_station_table(folder / name) for name in (STATIONS, HELD_OUT))
    calibrated = calibrate_points(paths, folder / "l2b", gnss=stations)
    start = time.process_time()
    result = make_ortho(
        calibrated.paths, folder / "l3", model=velocity_field(stations), executor="serial"
    )  # fmt: skip
    seconds = time.process_time() - start
    points = np.concatenate([_standardised(options, path)[::10] for path in calibrated.paths])
    print(f"points of L2b: mean squared standardised error {np.mean(points**2):.2f}")
    velocity = read_map(result.velocity)
    rows, columns = np.nonzero(velocity["valid"].values)
    x, y = velocity["x"].values[columns], velocity["y"].values[rows]
    to_degrees = Transformer.from_crs(velocity.rio.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(x, y)
    truth = true_velocity(options, latitude, longitude)
    print(f"{len(x)} cells, {result.report['points']} points, {seconds:.1f} s of processor time\n")
    print("| | east | up |\n|---|---|---|")
    found, sigma, error = {}, {}, {}
    for name, part in (("east", 0), ("up", 2)):
        found[name] = 1000 * velocity[name].values[rows, columns].astype(float)
        sigma[name] = 1000 * velocity[f"{name}_sigma"].values[rows, columns].astype(float)
        error[name] = found[name] - truth[:, part]
    for said, value in (
        ("error of cells, rms, mm/yr", lambda n: np.sqrt(np.mean(error[n] ** 2))),
        ("bias of cells, mm/yr", lambda n: np.mean(error[n])),
        ("median sigma, mm/yr", lambda n: np.median(sigma[n])),
        ("mean squared standardised error", lambda n: np.mean((error[n] / sigma[n]) ** 2)),
    ):
        print(f"| {said} | {value('east'):.2f} | {value('up'):.2f} |")
    place = np.stack(to_degrees.transform(held_out.longitude, held_out.latitude, direction="INVERSE"), axis=1)
    near = [np.hypot(*(np.stack([x, y], axis=1) - each).T) < RADIUS for each in place]
    pairs = [station for station, use in enumerate(near) if use.sum() >= 3]
    row = []
    for name, part in (("east", 0), ("up", 2)):
        apart = [found[name][near[k]].mean() - held_out.velocity[k, part] for k in pairs]
        row.append(f"{np.sqrt(np.mean(np.square(apart))):.2f}")
    print(f"| difference from {len(pairs)} stations held out, rms, mm/yr | {row[0]} | {row[1]} |")


def _standardised(options: StripOptions, path: Path) -> np.ndarray:
    """Errors of the absolute velocities of points over their stated standard deviations."""
    table = read_points(path)
    look = np.stack([table[name].to_numpy() for name in ("los_east", "los_north", "los_up")], 1)
    truth = true_velocity(options, *(table[name].to_numpy() for name in ("latitude", "longitude")))
    error = table["mean_velocity"].to_numpy() - (truth * look).sum(axis=1)
    return error / table["absolute_velocity_std"].to_numpy()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    main(Path(sys.argv[1]), *(int(each) for each in sys.argv[2:]))
