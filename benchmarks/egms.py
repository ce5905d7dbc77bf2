"""Files of EGMS and other formats: points a second of CPU time, memory, and bytes a point.

    python -m benchmarks.egms [--points 100000] [--folder FOLDER] [--keep] [--peers]

Points are simulated: 200 dates, series with a trend, a season and 3 mm of noise, to one decimal, as EGMS has them. Each
step runs in a process of its own, after a first run on few points that compiles the kernels; CPU time is of all threads
of the process, the peak of memory that of the process.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from groundshift.io.convert import convert, read_parts
from groundshift.io.egms import write_egms
from groundshift.model.points import point_set
from groundshift.products.fields import recomputed

DATES = np.datetime64("2019-01-03") + 7 * np.arange(200)
STEM = "EGMS_L2a_088_0282_IW2_VV_2019_2022_1"
PART = 20_000
_REPEATS = 3  # of which the fastest counts
FORMATS = {"csv": f"{STEM}.csv", "zip": f"{STEM}.zip", "parquet": "points.parquet", "gpkg": "points.gpkg"}
_REAL = ("rmse", "amplitude_dispersion", "mean_velocity", "mean_velocity_std", "seasonality", "seasonality_std")


def simulated(count: int) -> Iterator[pa.Table]:
    """Parts of a point set of a burst."""
    years = (DATES - DATES[0]).astype(float) / 365
    for start in range(0, count, PART):
        random = np.random.default_rng(start)
        size = min(PART, count - start)
        series = random.normal(0, 4, (size, 1)) * years + random.normal(0, 2, (size, 1)) * np.sin(2 * np.pi * years)
        series += random.normal(0, 3, series.shape)
        columns = {name: random.uniform(0, 9, size).round(1) for name in (*_REAL, "height", "height_wgs84")}
        columns |= {name: random.uniform(0, 1, size).round(2) for name in ("temporal_coherence", "acceleration_std")}
        columns |= {
            "pid": [f"3ODTn{i:05d}" for i in range(start, start + size)], "mp_type": np.zeros(size),
            "cluster_label": np.zeros(size), "line": random.integers(0, 1500, size),
            "pixel": random.integers(0, 20000, size), "acceleration": random.normal(0, 1, size).round(2),
            "easting": 4.5e6 + random.uniform(0, 2e4, size).round(2), "latitude": random.uniform(46, 47, size).round(6),
            "northing": 2.7e6 + random.uniform(0, 2e4, size).round(2),
            "longitude": random.uniform(9, 10, size).round(6),
            "incidence_angle": random.uniform(36, 40, size).round(2), "track_angle": np.full(size, -9.12),
            "los_east": np.full(size, -0.62), "los_north": np.full(size, -0.1), "los_up": np.full(size, 0.778),
            "displacement": series.round(1),
        }  # fmt: skip
        yield point_set(columns, level="L2a", dates=DATES, crs="EPSG:3035", track=88, frame="0282_IW2_VV")


def steps(folder: Path) -> dict[str, Callable[[], object]]:
    """What is measured, by name; each reads what the steps before it wrote."""
    path = {name: folder / file for name, file in FORMATS.items()}
    out = folder / "out"

    def read(name: str) -> Callable[[], object]:
        return lambda: sum(map(len, read_parts(path[name])))

    def fields(source: str, target: str) -> Callable[[], object]:
        return lambda: convert(path[source], out / FORMATS[target], change=recomputed)

    return {
        "read csv": read("csv"),
        "write zip (from csv)": lambda: convert(path["csv"], path["zip"]),
        "read zip": read("zip"),
        "write parquet (from csv)": lambda: convert(path["csv"], path["parquet"]),
        "read parquet": read("parquet"),
        "write csv (from parquet)": lambda: convert(path["parquet"], out / FORMATS["csv"]),
        "write gpkg (from parquet)": lambda: convert(path["parquet"], path["gpkg"]),
        "read gpkg": read("gpkg"),
        "fields, parquet to parquet": fields("parquet", "parquet"),
        "fields, csv to csv": fields("csv", "csv"),
        "fields, zip to parquet": fields("zip", "parquet"),
        "fields, zip to zip": fields("zip", "zip"),
    }


def peers(folder: Path) -> dict[str, Callable[[], object]]:
    """How others read the same table, all at once."""

    def pandas() -> object:
        import pandas as pd

        return pd.read_csv(folder / FORMATS["csv"])

    def arrow() -> object:
        from pyarrow import csv

        return csv.read_csv(folder / FORMATS["csv"], csv.ReadOptions(use_threads=False))

    return {"pandas.read_csv": pandas, "pyarrow.csv.read_csv": arrow}


def _measure(folder: Path, small: Path, name: str) -> None:
    """One step, in this process: prints seconds and bytes as JSON."""
    ({**steps(small), **peers(small)})[name]()  # compiles, imports
    cpu = wall = np.inf
    for _ in range(_REPEATS):
        start, clock = time.process_time(), time.perf_counter()
        ({**steps(folder), **peers(folder)})[name]()
        cpu, wall = min(cpu, time.process_time() - start), min(wall, time.perf_counter() - clock)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = 1024 * int(status["VmHWM"].split()[0])  # ru_maxrss would be that of the parent, if larger
    print(json.dumps({"cpu": cpu, "wall": wall, "peak": peak}))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument(
        "--only", nargs="*", help="Steps by a part of their names; name those too that write what they read."
    )
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        _measure(options.folder, Path(options.step[0]), options.step[1])
        return
    folder = options.folder or Path(tempfile.mkdtemp(prefix="egms-"))
    small = folder / "small"
    for place, count in ((small, 500), (folder, options.points)):
        if not (place / FORMATS["csv"]).exists():
            write_egms(place / FORMATS["csv"], simulated(count))
        for name, step in steps(place).items() if place == small else ():
            if name.startswith("write"):
                step()
    print(f"{options.points} points, {len(DATES)} dates")
    print(f"{'step':28s} {'points/s of CPU':>16s} {'points/s of wall':>17s} {'peak MB':>8s}")
    for name in [*steps(folder), *(peers(folder) if options.peers else ())]:
        if options.only and not any(part in name for part in options.only):
            continue
        command = [sys.executable, "-m", "benchmarks.egms", "--folder", str(folder), "--step", str(small), name]
        record = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        rates = (options.points / record["cpu"], options.points / record["wall"])
        print(f"{name:28s} {rates[0]:16,.0f} {rates[1]:17,.0f} {record['peak'] / 1e6:8.0f}", flush=True)
    for name, file in FORMATS.items():
        if (folder / file).exists():
            print(f"{name}: {(folder / file).stat().st_size / options.points:.0f} bytes a point")
    if not options.keep:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
