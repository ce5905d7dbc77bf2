"""Errors of linked phases against the Cramér-Rao bound, and pixels a second: `python -m benchmarks.phase_linking`.

30 images, window 11 × 23, three simulated covers. The bound is that of the whole window; errors are those of 400
windows that do not overlap. Speeds are pixels a second of processor time with an output for every pixel, so they are
those of one core, whatever else runs. `dolphin` runs on the same stacks where it is installed (`pip install dolphin`);
it is not needed. On a machine of two cores JAX, which it computes with, may wait for itself without end: set NPROC=8.
Words choose methods and covers: `python -m benchmarks.phase_linking dolphin "emi, whole" 0.7`.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from unittest.mock import MagicMock

import numpy as np

from groundshift.insar.config import LinkConfig, PointResponseConfig
from groundshift.insar.scatterers.link import link_phases

IMAGES, WINDOW, WINDOWS, SPEED_SHAPE, RUNS = 30, (11, 23), (40, 10), (60, 160), 3
DAYS = np.arange(IMAGES) * 12.0
COVERS = {
    "0.6 → 0.1, 50 days": (0.6, 0.1, 50),
    "0.7 → 0.2, 50 days": (0.7, 0.2, 50),
    "0.8 → 0.05, 36 days": (0.8, 0.05, 36),
}
PIXELS = PointResponseConfig(resolution=(1, 1), taper=(1, 1))
OPTIONS = {
    "emi, whole window": {"test": "none"},
    "emi, glrt": {},
    "emi, ks": {"test": "ks"},
    "emi, glrt, mini-stacks of 10": {"ministack": 10},
    "evd, glrt": {"estimator": "evd"},
}
_GDAL = "gdal", "gdal_array", "gdalconst", "ogr", "osr"
Result = tuple[np.ndarray, np.ndarray | None]  # linked phases, and declared sigmas if there are any
Method = Callable[[np.ndarray, tuple[int, int]], Result]  # of a stack and strides


def coherence(first: float, last: float, scale: float) -> np.ndarray:
    """Exponential decay from `first` to `last` with a time constant in days, (time, time)."""
    matrix = (first - last) * np.exp(-np.abs(DAYS[:, None] - DAYS) / scale) + last
    np.fill_diagonal(matrix, 1)
    return matrix


def bound(matrix: np.ndarray) -> np.ndarray:
    """Cramér-Rao sigma of every phase but the first, radians."""
    fisher = 2 * WINDOW[0] * WINDOW[1] * (matrix * np.linalg.inv(matrix) - np.eye(IMAGES))
    return np.sqrt(np.diag(np.linalg.inv(fisher[1:, 1:])))


def stack(matrix: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Complex Gaussian pixels, complex64 (time, y, x), and the phases of their dates."""
    rng = np.random.default_rng(0)
    phase = np.cumsum(rng.normal(size=IMAGES) * 0.5)
    noise = (rng.normal(size=(IMAGES, *shape)) + 1j * rng.normal(size=(IMAGES, *shape))) / np.sqrt(2)
    slc = np.tensordot(np.linalg.cholesky(matrix), noise, 1) * np.exp(1j * phase)[:, None, None]
    return slc.astype(np.complex64), phase


def ours(options: dict) -> Method:
    """Our linking."""
    config = LinkConfig(response=PIXELS, **options)

    def link(slc: np.ndarray, strides: tuple[int, int]) -> Result:
        result = link_phases(slc, DAYS, config=config.model_copy(update={"stride": strides}))
        return result.phase, result.sigma

    return link


def theirs() -> dict[str, Method]:
    """dolphin's EMI with its defaults and with |Γ| regularised, and its EVD, whole window; none without dolphin."""
    if importlib.util.find_spec("dolphin") is None:
        return {}
    if importlib.util.find_spec("osgeo") is None:  # it has no wheels; dolphin reads files with it, not phases
        sys.modules.update({name: MagicMock() for name in ("osgeo", *(f"osgeo.{each}" for each in _GDAL))})
    from dolphin import HalfWindow, Strides
    from dolphin.phase_link import run_phase_linking

    half = HalfWindow(WINDOW[0] // 2, WINDOW[1] // 2)

    def link(slc: np.ndarray, strides: tuple[int, int], **options: Any) -> Result:
        result = run_phase_linking(slc, half, Strides(*strides), **options)
        phase = np.asarray(result.cpx_phase)
        return phase * np.conj(phase[:1]), np.asarray(result.crlb_std_dev)

    return {
        "dolphin emi, whole window": link,
        "dolphin emi, beta 0.05": partial(link, beta=0.05),
        "dolphin evd": partial(link, use_evd=True),
    }


def seconds(link: Method, slc: np.ndarray) -> float:
    """Processor time for all pixels of a stack, the least of several runs."""
    link(slc, (1, 1))  # compiles
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        link(slc, (1, 1))
        times.append(time.process_time() - start)
    return min(times)


def _chosen(some: dict[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """Those that have one of the words in their names; all, if no word is in any."""
    return {name: each for name, each in some.items() if any(word in name for word in words)} or some


def main(words: Sequence[str] = ()) -> None:
    methods = {name: ours(options) for name, options in OPTIONS.items()} | theirs()
    methods, covers = _chosen(methods, words), _chosen(COVERS, words)
    print("| coherence | method | RMS / bound, middle | all dates | variance of standardised errors | pixels/s |")
    print("|---|---|---|---|---|---|")
    for cover, parameters in covers.items():
        matrix = coherence(*parameters)
        slc, phase = stack(matrix, (WINDOW[0] * WINDOWS[0], WINDOW[1] * WINDOWS[1]))
        small, _ = stack(matrix, SPEED_SHAPE)
        sigma = bound(matrix)
        for name, link in methods.items():
            speed = small[0].size / seconds(link, small)
            linked, declared = link(slc, WINDOW)
            error = np.angle(linked * np.exp(-1j * (phase - phase[0]))[:, None, None])[1:]
            ratio = np.sqrt((error**2).mean(axis=(1, 2))) / sigma
            calibration = "" if declared is None else f"{((error / declared[1:]) ** 2).mean():.2f}"
            print(
                f"| {cover} | {name} | {ratio[IMAGES // 2 - 1]:.2f} | {np.sqrt((ratio**2).mean()):.2f} "
                f"| {calibration} | {speed:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
