"""Time and memory of Ortho on a million points: `python -m benchmarks.ortho FOLDER [POINTS [DATES [A_CELL]]]`.

Two tracks of half the points each, 200 dates, are made in FOLDER (towns on 100 km, five points a cell), and solved in
a process of its own: seconds of processor time and of the clock, cells, and the largest resident memory. A full tile is
2000000 300 1.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from groundshift.io.points import write_points
from groundshift.model.points import point_set
from groundshift.products.ortho import make_ortho

NAMES = ("east", "north", "up")
LOOKS = {22: (0.595, -0.120, 0.795), 117: (-0.621, -0.098, 0.778)}
PART = 100_000  # points that are made at once


def make_track(number: int, points: int, dates: int, a_cell: int) -> Iterator[pa.Table]:
    """Parts of a track of noise, in cells that both tracks have."""
    random = np.random.default_rng(number)
    cells = np.sort(np.random.default_rng(0).choice(1_000_000, points // a_cell, replace=False))
    look = np.array(LOOKS[number]) / np.linalg.norm(LOOKS[number])
    for start in range(0, points, PART):
        names = np.arange(start, min(start + PART, a_cell * len(cells)))
        cell = cells[names // a_cell]
        x, y = 4_500_000 + cell % 1000 * 100, 3_000_000 + cell // 1000 * 100
        yield point_set(
            {
                "pid": [f"{number:03d}{k:07d}" for k in names],
                "easting": x + random.uniform(0, 100, len(cell)),
                "northing": y + random.uniform(0, 100, len(cell)),
                **{f"los_{name}": np.full(len(cell), part) for name, part in zip(NAMES, look, strict=True)},
                "displacement": random.standard_normal((len(cell), dates), np.float32).round(1),
            },
            level="L2b", dates=np.datetime64("2020-01-03") + 6 * np.arange(dates), crs="EPSG:3035", track=number,
            provenance={"north_removed": True},
        )  # fmt: skip


def solve(folder: Path) -> None:
    """Solve the tracks, and print a row."""
    start, clock = time.process_time(), time.perf_counter()
    result = make_ortho([folder / f"{number}.parquet" for number in LOOKS], folder / "ortho")
    used, passed = time.process_time() - start, time.perf_counter() - clock
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    memory = int(status["VmHWM"].split()[0]) / 2**20  # ru_maxrss would be that of the parent, if larger
    print(f"| {result.report['points']} | {result.report['cells']} | {used:.1f} | {passed:.1f} | {memory:.2f} |")


def main(folder: Path, points: int = 1_000_000, dates: int = 200, a_cell: int = 5) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in LOOKS:
        write_points(folder / f"{number}.parquet", make_track(number, points // 2, dates, a_cell))
    print("| points | cells | CPU, s | clock, s | memory, GiB |\n|---|---|---|---|---|", flush=True)
    subprocess.run([sys.executable, "-m", "benchmarks.ortho", "solve", str(folder)], check=True)


if __name__ == "__main__":
    if sys.argv[1] == "solve":
        solve(Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]), *(int(each) for each in sys.argv[2:]))
