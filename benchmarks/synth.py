"""How fast training samples are made, all included: samples a second of two processes, and CPU time of each."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

from groundshift.synth.dataset import DatasetOptions, build_dataset

COUNT = 256  # samples of each class
WORKERS = 2


def main(images: Path | None) -> None:
    options = DatasetOptions(train=COUNT, validation=0, test=0, images=None if images is None else str(images))
    with tempfile.TemporaryDirectory() as folder:
        warm = options.model_copy(update={"train": 2, "scales": ("small",)})  # compiled functions are on disk after it
        build_dataset(Path(folder) / "warm", warm, executor="processes", workers=WORKERS)
        began, before = time.perf_counter(), _spent()
        built = build_dataset(Path(folder) / "set", options, executor="processes", workers=WORKERS)
        took, spent = time.perf_counter() - began, _spent() - before
    total = COUNT * len(options.scales)
    size = built.card["bytes"] / total
    print(
        f"{total} samples of {options.pair.size} x {options.pair.size}: {total / took:.1f} a second with {WORKERS} "
        f"processes, {1e3 * spent / total:.0f} ms of CPU and {size / 1e3:.0f} kB each"
    )
    print("class: median of the largest displacement, of the 99 % gradient, of the mean local correlation, valid share")
    for scale, values in built.card["statistics"].items():
        middle = [values[name]["p50"] for name in ("peak", "gradient", "correlation", "valid")]
        print(f"{scale}: " + ", ".join(f"{each:.3g}" for each in middle))


def _spent() -> float:
    """CPU seconds of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
