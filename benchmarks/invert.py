"""What the atmosphere step of `groundshift invert` does: `python -m benchmarks.invert OUT [SEED...]`.

Simulated networks of 200 × 200 pixels of 100 m: a bowl that sinks steadily, a sudden step of kilometres, a season; air
that is turbulent (variance of the difference of two points 1 km apart 3 mm², power −11/3 in the plane) and goes with
height; 1 mm of noise an image. Errors are against the reference, in the south-west, where nothing moves.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio

from groundshift.insar.interferograms.survey import InvertConfig
from groundshift.insar.invert import POINTS_NAME, invert_interferograms
from groundshift.io.points import read_points
from groundshift.model.points import series
from groundshift.model.radar_stack import SENTINEL1_WAVELENGTH
from groundshift.model.units import YEAR
from groundshift.synth.radar.atmosphere import turbulence

SHAPE, PIXEL, NEXT = (200, 200), 100.0, 4
KINDS = {"half a year": 15, "two years": 60}  # dates, 12 days apart
_STILL = 20.5, 41.0, 1500.0  # longitude, latitude of the reference; radius, m
_RADIANS = -4 * np.pi / SENTINEL1_WAVELENGTH / 1000


class Truth(NamedTuple):
    """Of all pixels, mm toward the satellite since the first date, (time, y, x)."""

    motion: np.ndarray
    air: np.ndarray
    days: np.ndarray


def simulate(folder: Path, dates: int, seed: int, *, air: float = 3.0) -> Truth:
    """Write a folder of interferograms, each date with the next four."""
    random = np.random.default_rng(seed)
    days = 12.0 * np.arange(dates)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] * PIXEL / 1000
    years = (days / YEAR)[:, None, None]
    bowl = -60 * np.exp(-((y - 9) ** 2 + (x - 12) ** 2) / 8)
    season = 4 * np.exp(-((y - 5) ** 2 + (x - 5) ** 2) / 8) * np.sin(2 * np.pi * years)
    creep = np.where(days[:, None, None] > 0.6 * days[-1], 8.0, 0.0) * np.clip((x - 15) / 2, 0, 1) * (y > 3)
    height = 300 * np.exp(-((y - 15) ** 2 + (x - 4) ** 2) / 20) + 20 * np.sin(x)
    delay = turbulence(random, SHAPE, (PIXEL, PIXEL), count=dates, variance=max(air, 1e-9), distance=1000.0)
    delay = delay + 0.02 * np.sqrt(air) * random.standard_normal((dates, 1, 1)) * height
    moved = bowl * years + season + creep
    noisy = moved - delay + random.normal(size=(dates, *SHAPE))
    names = np.datetime_as_string(np.datetime64("2020-01-01") + days.astype(int)).tolist()
    names = [each.replace("-", "") for each in names]
    folder.mkdir(parents=True)
    for first in range(dates):
        for second in range(first + 1, min(first + 1 + NEXT, dates)):
            phase = _RADIANS * (noisy[second] - noisy[first]) + random.uniform(-9, 9)
            _write(folder / f"{names[first]}_{names[second]}.geo.unw.tif", phase)
    _write(folder / "sim.geo.hgt.tif", height)
    return Truth(moved - moved[:1], -(delay - delay[:1]), days)


def _write(path: Path, values: np.ndarray) -> None:
    step = PIXEL / 111_320
    transform = rasterio.Affine(step / np.cos(np.radians(41)), 0, 20.48, 0, -step, 41.0 + 190 * step)
    profile = {"driver": "GTiff", "count": 1, "height": SHAPE[0], "width": SHAPE[1], "crs": "EPSG:4326"}
    with rasterio.open(path, "w", dtype="float32", transform=transform, **profile) as file:
        file.write(values.astype(np.float32), 1)


def errors(out: Path, truth: Truth) -> tuple[float, float, float, np.ndarray]:
    """Of series (mm) and velocities (mm/yr), root mean square; mean square of standardised velocity errors; series."""
    table = read_points(out / POINTS_NAME)
    at = table["line"].to_numpy(), table["pixel"].to_numpy()
    found = series(table).T.astype(np.float64)
    found -= found[:1]
    error = found - truth.motion[:, *at]
    years = (truth.days - truth.days.mean()) / YEAR
    design = np.column_stack([np.ones_like(years), years])
    if len(years) > 40:
        design = np.column_stack([design, np.cos(2 * np.pi * years), np.sin(2 * np.pi * years)])
    velocity = np.linalg.pinv(design)[1] @ error
    standard = velocity / table["mean_velocity_std"].to_numpy()
    whole = np.zeros((len(error), *SHAPE))
    whole[:, *at] = found
    return _rms(error), _rms(velocity), float(np.mean(standard**2)), whole


def main(out: Path, seeds: list[int]) -> None:
    print("| series | air | seed | series off, mm | on | variance removed | signal lost | velocity off, mm/yr | on "
          "| z² off | on |\n|" + "---|" * 11)  # fmt: skip
    for kind, dates in KINDS.items():
        for air in (0.0, 3.0):
            for seed in seeds:
                folder = out / f"{dates}-{air:.0f}-{seed}"
                truth = simulate(folder / "in", dates, seed, air=air)
                found = []
                for on in (False, True):
                    config = InvertConfig(reference=_STILL, incidence=39, heading=-12, atmosphere=on)
                    invert_interferograms(folder / "in", folder / str(on), config)
                    found.append(errors(folder / str(on), truth))
                line = np.column_stack([np.ones_like(truth.days), truth.days])
                beside = np.eye(dates) - line @ np.linalg.pinv(line)
                signal, change = (np.tensordot(beside, each, 1) for each in (truth.motion, found[1][3] - found[0][3]))
                lost = -np.sum(change * signal) / np.sum(signal**2)
                (off, off_rate, off_z, _), (on, on_rate, on_z, _) = found
                row = (kind, "on" if air else "none", seed, f"{off:.2f}", f"{on:.2f}", f"{1 - (on / off) ** 2:.0%}",
                       f"{lost:.1%}", f"{off_rate:.2f}", f"{on_rate:.2f}", f"{off_z:.2f}", f"{on_z:.2f}")  # fmt: skip
                print("|", " | ".join(map(str, row)), "|", flush=True)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(each) for each in sys.argv[2:]] or [1, 2])
