"""The store of points: bytes, seconds and memory against the number of points.

    python -m benchmarks.store [--points 100000 1000000] [--folder FOLDER] [--keep]

Points are simulated: villages of 50,000 points over a country, 200 dates, series with a trend, a season and 3 mm of
noise, to one decimal, as EGMS has them. CPU time is what is told, of one core, and wall time of the queries. The rate
of ingest from products of EGMS is measured on the real files beside the checkout, their points repeated.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely

from groundshift.explore.ingestion import ingest
from groundshift.io.store import PointStore, commit, write_parts
from groundshift.io.store.manifest import crs_name, set_name, set_record
from groundshift.io.store.read import statistics
from groundshift.kernels.series_fields import series_fields
from groundshift.model.points import point_set

DATES = np.datetime64("2020-01-03") + 9 * np.arange(200)
SET = 50_000


def simulated(number: int, *, seed: int = 7) -> Iterator[pa.Table]:
    """One set of 50,000 points, in two batches: a village of 16 km, denser in its middle."""
    rng = np.random.default_rng([seed, number])
    years = (DATES - DATES[0]).astype(float) / 365
    middle = np.array([4_020_000.0 + 20_000 * (number % 25), 2_520_000.0 + 20_000 * (number // 25)])
    for batch in range(2):
        count = SET // 2
        place = middle + np.clip(rng.normal(0, 2500, (count, 2)), -8000, 8000)
        velocity = -12 * np.exp(-((place - middle) ** 2).sum(axis=1) / 2 / 900**2) + rng.normal(0, 0.6, count)
        season = rng.rayleigh(1.0, count)[:, None] * np.cos(2 * np.pi * (years + rng.random((count, 1))))
        noise = rng.standard_normal((count, len(years)), np.float32) * np.float32(3)
        series = np.round(velocity[:, None] * years + season + noise, 1).astype(np.float32)
        fields = series_fields(series, (DATES - DATES[0]).astype(float))._asdict()
        decimals = {"acceleration": 2, "acceleration_std": 2, "temporal_coherence": 2}
        columns = {
            "pid": [f"{number:04d}{batch}{i:05d}" for i in range(count)],
            "easting": place[:, 0].round(2), "northing": place[:, 1].round(2),
            "latitude": 45 + (place[:, 1] / 1e5).round(6) % 10, "longitude": 5 + (place[:, 0] / 1e5).round(6) % 10,
            "height": rng.normal(200, 20, count).round(1), "height_wgs84": rng.normal(250, 20, count).round(1),
            "line": rng.integers(0, 1500, count), "pixel": rng.integers(0, 20000, count),
            "mp_type": np.zeros(count, int), "amplitude_dispersion": rng.uniform(0.1, 0.6, count).round(2),
            "incidence_angle": rng.normal(37, 0.1, count).round(2), "track_angle": np.full(count, 191.42),
            "los_east": np.full(count, 0.594), "los_north": np.full(count, -0.120), "los_up": np.full(count, 0.795),
            "displacement": series,
            **{n: v.round(decimals.get(n, 1)) for n, v in fields.items() if n != "first"},
        }  # fmt: skip
        yield point_set(columns, level="L2b", dates=DATES, crs="EPSG:3035", track=22, frame=f"{number:04d}_IW2_VV")


def build(root: Path, points: int) -> dict[str, float]:
    """A store of simulated points, written by one core; simulating is not counted."""
    staged, records, parts, spent = root / ".ingest" / "bench", {}, [], 0.0
    for number in range(points // SET):
        batches = list(simulated(number))
        start = time.process_time()
        record, written = write_parts(batches, staged, key="bench")
        spent += time.process_time() - start
        records[set_name(record)] = set_record(record)
        parts += written
    start = time.process_time()
    commit(root, staged, records, parts, crs=crs_name(record))
    bytes_of = {
        k: sum(f.stat().st_size for f in (root / k).rglob("*.parquet")) for k in ("attributes", "series", "overview")
    }
    return {
        "points": points,
        "write_points_per_cpu_s": round(points / spent),
        "commit_s": round(time.process_time() - start, 3),
        **{f"{kind}_bytes_a_point": round(size / points, 1) for kind, size in bytes_of.items()},
        "manifest_bytes": (root / "manifest.json").stat().st_size,
    }


def queries(root: Path, points: int) -> dict[str, float]:
    """Wall seconds of queries: the first, and the median of those after it, each at another place."""
    start = time.perf_counter()
    store = PointStore(root)
    result = {"open_s": time.perf_counter() - start}
    rng = np.random.default_rng(3)
    parts = rng.choice(len(store.manifest.parts), 12)

    def timed(name, ask):
        spent, found = [], []
        for number in parts:
            start = time.perf_counter()
            found.append(ask(store.manifest.parts[number]))
            spent.append(time.perf_counter() - start)
        result[f"{name}_first_s"], result[f"{name}_s"] = spent[0], float(np.median(spent[1:]))
        result[f"{name}_worst_s"] = max(spent[1:])
        return float(np.median(found))

    def middle(part):
        west, south, east, north = part.bounds
        return (west + east) / 2, (south + north) / 2

    def window(part):
        x, y = middle(part)
        return len(store.window((x - 5000, y - 5000, x + 5000, y + 5000)))

    def polygon(part):
        circle = shapely.Point(middle(part)).buffer(20_000)
        values = store.within(circle, columns=("mean_velocity", "rmse"))["mean_velocity"].to_numpy()
        return statistics(values).points

    timed("series", lambda part: len(store.point(part.name, int(rng.integers(part.points))).displacement))
    result["window_points"] = timed("window", window)
    result["polygon_points"] = timed("polygon", polygon)
    start = time.perf_counter()
    west, south, east, north = np.array([p.bounds for p in store.manifest.parts]).T
    table = store.window(
        (west.min(), south.min(), east.max(), north.max()), columns=("easting", "northing", "mean_velocity")
    )
    result |= {"all_attributes_s": time.perf_counter() - start, "all_attributes_points": len(table)}
    start = time.perf_counter()
    assert store.find(store.point(store.manifest.parts[-1].name, 5).attributes["pid"])
    result["find_pid_s"] = time.perf_counter() - start
    return {"points": points, **{name: round(value, 4) for name, value in result.items()}}


def real_ingest(folder: Path, shared: Path) -> dict[str, float]:
    """CPU seconds from a product of EGMS to a store: real text, each point five times under other names."""
    source = shared / "egms_ustica" / "EGMS_L2b_022_0845_IW2_VV_2020_2024_1.zip"
    with zipfile.ZipFile(source) as archive:
        head, *lines = archive.read(archive.namelist()[0]).decode().splitlines()
    text = io.StringIO()
    text.write(head + "\n")
    for copy in range(5):
        text.writelines(f"{copy}{i:05d}{line[6:]}\n" for i, line in enumerate(lines))
    path = folder / source.name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(source.with_suffix(".csv").name, text.getvalue())
    ingest([source], folder / "warm", executor="serial")
    start = time.process_time()
    manifest = ingest([path], folder / "real", executor="serial")
    spent = time.process_time() - start
    points = sum(part.points for part in manifest.parts)
    size = sum(f.stat().st_size for f in (folder / "real").rglob("*.parquet"))
    return {
        "points": points,
        "dates": 210,
        "points_per_cpu_s": round(points / spent),
        "bytes_a_point": round(size / points, 1),
    }


def main() -> None:
    """Run it, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, default=Path("benchmark-output/store"))
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--keep", action="store_true", help="leave the stores where they are")
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    if options.shared.is_dir():
        print(json.dumps({"egms": real_ingest(options.folder, options.shared)}))
    for points in options.points:
        root = options.folder / str(points)
        record = build(root, points) | queries(root, points)
        record["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps(record), flush=True)
    if not options.keep:
        shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
