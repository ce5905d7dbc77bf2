"""Time and memory of whole pairs: are both linear in, and independent of, the number of pixels?"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import rasterio
from scipy import ndimage

from groundshift.figures.style import new_figure, save_figure

WORKERS = 2
_STRIP = 1024


def main(out: Path, method: str, sides: list[int]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    table = out / "scale.csv"
    for side in sides:
        with tempfile.TemporaryDirectory(dir=out) as folder:
            pre, post = (Path(folder) / f"{name}.tif" for name in ("pre", "post"))
            _write_pair(pre, post, side)
            seconds, peak = _watched(
                [sys.executable, "-m", "groundshift", "pair", str(pre), str(post), "-o", str(Path(folder) / "out"),
                 "--method", method, "--workers", str(WORKERS)]
            )  # fmt: skip
        first = not table.exists()
        with table.open("a", newline="") as file:
            if first:
                file.write("method,side_px,seconds,peak_gb\n")
            file.write(f"{method},{side},{seconds:.1f},{peak:.2f}\n")
        print(f"{method:>12}  {side} x {side}: {seconds:.1f} s, {peak:.2f} GB at most, {WORKERS} workers", flush=True)
    _plot(table, out / "scale.png")


def _write_pair(pre: Path, post: Path, side: int) -> None:
    """Ground of random texture, uint16, and the same moved by (1.3, -0.6) pixels, written in strips."""
    rng = np.random.default_rng(side)
    halo = 16
    ground = rng.normal(size=(halo, side)).astype(np.float32)
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 1, "dtype": "uint16", "tiled": True,
               "crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 300_000, 0, -10, 5_000_000)}  # fmt: skip
    with rasterio.open(pre, "w", **profile) as first, rasterio.open(post, "w", **profile) as second:
        for top in range(0, side, _STRIP):
            rows = min(_STRIP, side - top)
            kept = ground[-2 * halo :]
            ground = np.concatenate([kept, rng.normal(size=(rows + 2 * halo - len(kept), side)).astype(np.float32)])
            smooth = ndimage.gaussian_filter(ground, 1.0, mode="wrap")
            window = rasterio.windows.Window(0, top, side, rows)
            for target, shift in ((first, (0, 0)), (second, (-0.6, 1.3))):
                moved = ndimage.shift(smooth, shift, order=3) if any(shift) else smooth
                moved = moved[halo : halo + rows] + 0.01 * rng.normal(size=(rows, side))
                target.write(np.clip(3000 + 3000 * moved, 1, 65535).astype(np.uint16), 1, window=window)


def _watched(command: list[str]) -> tuple[float, float]:
    """Seconds of a command, and the largest sum of the private memory of its processes, GB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak, over = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        root = psutil.Process(process.pid)
        while not over.wait(1.0):
            total = 0
            try:
                for each in [root, *root.children(recursive=True)]:
                    memory = each.memory_info()
                    total += memory.rss - memory.shared
            except psutil.Error:
                continue
            peak = max(peak, total)

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    over.set()
    watcher.join()
    if code:
        sys.exit(f"{' '.join(command)} ended with {code}")
    return time.perf_counter() - started, peak / 1e9


def _plot(table: Path, picture: Path) -> None:
    with table.open() as file:
        rows = list(csv.DictReader(file))
    figure = new_figure(6, 4.5)
    panel = figure.subplots()
    for method in sorted({row["method"] for row in rows}):
        points = sorted((int(r["side_px"]) ** 2 / 1e6, float(r["seconds"])) for r in rows if r["method"] == method)
        pixels, seconds = np.array(points).T
        slope = np.polyfit(np.log(pixels), np.log(seconds), 1)[0] if len(points) > 1 else np.nan
        panel.plot(pixels, seconds, "o-", label=f"{method}: pixels to the power {slope:.2f}")
    panel.set(xscale="log", yscale="log", xlabel="million pixels", ylabel="seconds, two workers")
    panel.grid(alpha=0.3)
    panel.legend()
    save_figure(figure, picture)
