"""Files of EGMS and other formats: points a second of CPU time, memory, and bytes a point.

    python -m benchmarks.egms [--points 100000] [--only fields] [--peers] [--folder FOLDER]

Points are simulated: 200 dates, series with a trend, a season and 3 mm of noise, to one decimal, as EGMS has them. Each
step runs in a process of its own, after a first run on few points that compiles the kernels; CPU time is of all threads
of the process, divided by the clock it tells how many cores were at work; the peak of memory is that of the process.
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
from typing import NamedTuple

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


class Step(NamedTuple):
    """What is measured, and which file it reads."""

    source: str  # a key of FORMATS
    run: Callable[[], object]


def steps(folder: Path) -> dict[str, Step]:
    """What is measured, by name."""
    path = {name: folder / file for name, file in FORMATS.items()}
    out = {name: folder / "out" / file for name, file in FORMATS.items()}

    def read(source: str) -> Step:
        return Step(source, lambda: sum(map(len, read_parts(path[source]))))

    def write(source: str, target: str) -> Step:
        return Step(source, lambda: convert(path[source], out[target]))

    def fields(source: str, target: str) -> Step:
        return Step(source, lambda: convert(path[source], out[target], change=recomputed))

    return {
        "read csv": read("csv"),
        "write zip (from csv)": write("csv", "zip"),
        "read zip": read("zip"),
        "write parquet (from csv)": write("csv", "parquet"),
        "read parquet": read("parquet"),
        "write csv (from parquet)": write("parquet", "csv"),
        "write gpkg (from parquet)": write("parquet", "gpkg"),
        "read gpkg": read("gpkg"),
        "fields, parquet to parquet": fields("parquet", "parquet"),
        "fields, csv to csv": fields("csv", "csv"),
        "fields, zip to parquet": fields("zip", "parquet"),
        "fields, zip to zip": fields("zip", "zip"),
    }


def peers(folder: Path) -> dict[str, Step]:
    """How others read the same table, all at once."""

    def pandas() -> object:
        import pandas as pd

        return pd.read_csv(folder / FORMATS["csv"])

    def arrow() -> object:
        from pyarrow import csv

        return csv.read_csv(folder / FORMATS["csv"], csv.ReadOptions(use_threads=False))

    return {"pandas.read_csv": Step("csv", pandas), "pyarrow.csv.read_csv": Step("csv", arrow)}


def _provide(folder: Path, count: int, sources: set[str]) -> None:
    """Make the files that steps read, where they are not there yet."""
    table = folder / FORMATS["csv"]
    if not table.exists():
        write_egms(table, simulated(count))
    for name in sources:
        if not (folder / FORMATS[name]).exists():
            convert(table, folder / FORMATS[name])


def _measure(folder: Path, small: Path, name: str) -> None:
    """One step, in this process: prints seconds and bytes as JSON."""
    ({**steps(small), **peers(small)})[name].run()  # compiles, imports
    cpu = wall = np.inf
    for _ in range(_REPEATS):
        start, clock = time.process_time(), time.perf_counter()
        ({**steps(folder), **peers(folder)})[name].run()
        cpu, wall = min(cpu, time.process_time() - start), min(wall, time.perf_counter() - clock)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = 1024 * int(status["VmHWM"].split()[0])  # ru_maxrss would be that of the parent, if larger
    print(json.dumps({"cpu": cpu, "wall": wall, "peak": peak}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100_000, help="How many are simulated; 1.1 kB each as text.")
    parser.add_argument(
        "--folder", type=Path, help="Where files are made and stay, to be used again; a passing one if not given."
    )
    parser.add_argument("--peers", action="store_true", help="Measure pandas and pyarrow too, on the same table.")
    parser.add_argument(
        "--only", nargs="+", metavar="WORD",
        help="Steps whose names hold one of these, such as 'fields', 'read' or 'zip to zip'; what they read is made.",
    )  # fmt: skip
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure and print a table."""
    options = _options()
    if options.step:
        _measure(options.folder, Path(options.step[0]), options.step[1])
        return
    folder = options.folder or Path(tempfile.mkdtemp(prefix="egms-"))
    small = folder / "small"
    known = {**steps(folder), **(peers(folder) if options.peers else {})}
    chosen = [name for name in known if not options.only or any(part in name for part in options.only)]
    for place, count in ((small, 500), (folder, options.points)):
        _provide(place, count, {known[name].source for name in chosen})
    print(f"{options.points} points, {len(DATES)} dates")
    print(f"{'step':28s} {'points/s of CPU':>16s} {'by the clock':>13s} {'cores':>6s} {'peak MB':>8s}")
    for name in chosen:
        command = [sys.executable, "-m", "benchmarks.egms", "--folder", str(folder), "--step", str(small), name]
        record = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        rates = (options.points / record["cpu"], options.points / record["wall"], record["cpu"] / record["wall"])
        print(f"{name:28s} {rates[0]:16,.0f} {rates[1]:13,.0f} {rates[2]:6.2f} {record['peak'] / 1e6:8.0f}", flush=True)
    for name, file in FORMATS.items():
        if (folder / file).exists():
            print(f"{name}: {(folder / file).stat().st_size / options.points:.0f} bytes a point")
    if options.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
