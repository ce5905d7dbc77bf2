"""Any method over a folder of cases with known truth."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.interpolate import RegularGridInterpolator

from groundshift.io.bench import load_cases
from groundshift.validate.metrics import Scores, mean, score

log = logging.getLogger(__name__)

Measure = Callable[[Path, Path], xr.Dataset]


@dataclass(frozen=True)
class BenchRow:
    """One case."""

    case: str
    scores: Scores
    seconds: float


@dataclass(frozen=True)
class BenchTable:
    """The scores of all cases."""

    rows: tuple[BenchRow, ...]

    def mean(self) -> Scores:
        """Means over the cases that have a value."""
        return mean(row.scores for row in self.rows)

    def text(self) -> str:
        """A table to read: pixels, coverage in percent, variance of standardised errors, seconds."""
        names = [f.name for f in fields(Scores)]
        head = f"{'case':<20}" + "".join(f"{name:>12}" for name in names) + f"{'seconds':>10}"
        lines = [head]
        seconds = float(np.mean([row.seconds for row in self.rows]))
        for case, scores, taken in [
            *((r.case, r.scores, r.seconds) for r in self.rows),
            ("mean", self.mean(), seconds),
        ]:
            lines.append(f"{case:<20}" + "".join(f"{v:>12.4f}" for v in asdict(scores).values()) + f"{taken:>10.1f}")
        return "\n".join(lines)


def run_bench(folder: str | Path, measure: Measure) -> BenchTable:
    """Measure every case of a folder and score it. The log has each as soon as it is measured.

    Parameters
    ----------
    folder
        See :func:`groundshift.io.bench.load_cases`.
    measure
        Called with the paths of both images; returns a displacement map in metres, which may be coarser than the
        images: it is then interpolated linearly to every pixel.
    """
    rows, cases = [], load_cases(folder)
    for number, case in enumerate(cases, 1):
        started = time.perf_counter()
        dataset = measure(case.pre, case.post)
        seconds = time.perf_counter() - started
        measured, sigma = pixel_flow(dataset, case.distance.shape)
        rows.append(row := BenchRow(case.name, score(measured, case.flow, case.distance, sigma), seconds))
        log.info(
            "case %d of %d, %s: mean error %.4f pixels, %.4f near the trace, %.1f s", number, len(cases), row.case,
            row.scores.epe, row.scores.near, seconds,
        )  # fmt: skip
    return BenchTable(tuple(rows))


def pixel_flow(dataset: xr.Dataset, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Displacement and sigma of a map at every pixel of the images: (2, y, x) each, dx right and dy down, pixels.

    A pixel between nodes is measured if all four around it are.
    """
    step = round(shape[0] / dataset.sizes["y"])
    size_x, size_y = (abs(size) / step for size in dataset.rio.resolution())
    rows, cols = (step * np.arange(dataset.sizes[d]) + (step - 1) / 2 for d in ("y", "x"))
    points = np.stack(np.indices(shape, dtype=float), axis=-1)

    def dense(name: str, size: float) -> np.ndarray:
        values = dataset[name].values / size
        if step == 1:
            return values
        return RegularGridInterpolator((rows, cols), values, bounds_error=False, fill_value=np.nan)(points)

    flow = np.stack([dense("east", size_x), -dense("north", size_y)])
    return flow, np.stack([dense("east_sigma", size_x), dense("north_sigma", size_y)])
