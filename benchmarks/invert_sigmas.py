"""Sigmas of inverted interferograms against truth: `python -m benchmarks invert-sigmas OUT [SEED...]`.

Simulated stacks of 300 × 900 pixels, with and without air, as interferograms of each date with the next three in cells
of a map. The truth of a cell is the motion of what echoes in it: that of its pixels by the power of their scatterers.
Series and truth are against their medians over all points. z² is the mean squared standardised error over all stacks.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
from pyproj import Transformer

from groundshift.insar.interferograms.survey import InvertConfig, velocity_row
from groundshift.insar.invert import POINTS_NAME, invert_interferograms
from groundshift.io.interferograms import Interferograms, open_interferograms
from groundshift.io.points import read_points
from groundshift.model.points import series
from groundshift.synth.radar.interferograms import INTERFEROGRAMS, simulate_interferograms
from groundshift.synth.radar.options import COVERS, AtmosphereOptions, MotionOptions, StackOptions
from groundshift.synth.radar.stack import Simulation, simulate_stack

CALM = AtmosphereOptions(turbulence=0, stratified=0, stratified_seasonal=0, ramp=0)
RIGID = MotionOptions(thermal=0, settling=0)
CASES = (  # dates, side of cells in m, air, whether buildings move by themselves
    (15, 50.0, False, True), (60, 50.0, False, True), (15, 30.0, False, True), (15, 100.0, False, True),
    (15, 50.0, False, False), (60, 50.0, False, False), (15, 50.0, True, False), (60, 50.0, True, False),
)  # fmt: skip
EDGES = 0.3, 0.4, 0.6, 0.8, 0.9, 1.0
_PURE = 0.9  # share of a cell that is of one cover
_POINT = 1.7  # energy of the response to a point over its peak, pixels


def measure(folder: Path, options: StackOptions, spacing: float) -> dict[str, dict[str, np.ndarray]]:
    """Standardised errors of velocities and last displacements, by `--atmosphere` and class."""
    simulation = simulate_stack(options)
    network = open_interferograms(simulate_interferograms(folder, simulation, spacing=spacing))
    truth, covers = _cells(network, simulation)
    found = {}
    for atmosphere in (False, True) if options.atmosphere.turbulence else (False,):
        out = folder / str(atmosphere)
        result = invert_interferograms(folder / INTERFEROGRAMS, out, InvertConfig(atmosphere=atmosphere))
        table = read_points(out / POINTS_NAME)
        at = table["line"].to_numpy(), table["pixel"].to_numpy()
        error = series(table).T.astype(np.float64) - truth[:, *at]
        error -= error[:1]
        error -= np.median(error, axis=1, keepdims=True)
        coherence = _coherence(network)[at]
        rate = velocity_row(network.dates.astype(np.float64)) @ error
        kinds = {name: covers[number][at] > _PURE for number, name in enumerate(COVERS) if name != "water"}
        kinds |= {f"{low}–{high}": (coherence >= low) & (coherence < high)
                  for low, high in pairwise(EDGES)}  # fmt: skip
        sigma = table["mean_velocity_std"].to_numpy()
        parts = np.stack([rate, sigma, error[-1], result.sigma[at]])
        found["on" if atmosphere else "off"] = {name: parts[:, inside] for name, inside in kinds.items()}
    return found


def _coherence(network: Interferograms) -> np.ndarray:
    from groundshift.grid.tiles import Box

    coherence = network.read(Box(0, 0, *network.grid.shape)).coherence
    return np.nanmean(coherence, axis=0)


def _cells(network: Interferograms, simulation: Simulation) -> tuple[np.ndarray, np.ndarray]:
    """Displacements (time, y, x), mm, of what echoes in cells, and shares of covers (cover, y, x)."""
    stack, truth = simulation
    scatterers = StackOptions.model_validate_json(truth.attrs["options"]).scatterers
    to_map = Transformer.from_crs("EPSG:4326", network.grid.crs.proj, always_xy=True)
    x, y = to_map.transform(stack["longitude"].values, stack["latitude"].values)
    column, row = (np.asarray(each).astype(int) for each in ~network.grid.affine @ np.stack([x.ravel(), y.ravel()]))
    shape = tuple(network.grid.shape)
    cell, size = row * shape[1] + column, shape[0] * shape[1]
    cover = truth["cover"].values
    power = 10 ** (np.array([getattr(scatterers.coherence, name).power for name in COVERS]) / 10)[cover]
    power = power * (1 + _POINT * np.nan_to_num(10 ** (truth["scr"].values / 10)))
    count, total = np.bincount(cell, minlength=size), np.bincount(cell, power.ravel(), size)
    moved = [np.bincount(cell, (power * each).ravel(), size) for each in truth["displacement"].values]
    shares = [np.bincount(cell, (cover == code).ravel(), size) for code in range(len(COVERS))]
    with np.errstate(invalid="ignore"):
        return (np.array(moved) / total).reshape(-1, *shape), (np.array(shares) / count).reshape(-1, *shape)


def main(out: Path, seeds: list[int]) -> None:
    print("| dates | cells, m | air | buildings | taken off | class | cells | velocity, mm/yr | z² | of medians | "
          "last displacement, mm | z² |\n|" + "---|" * 12)  # fmt: skip
    for dates, spacing, air, alive in CASES:
        parts = defaultdict(list)
        for seed in seeds:
            given = ({} if air else {"atmosphere": CALM}) | ({} if alive else {"motion": RIGID})
            folder = out / f"{dates}-{spacing:.0f}-{air}-{alive}-{seed}"
            folder.mkdir(parents=True)
            options = StackOptions(lines=300, pixels=900, dates=dates, seed=seed, **given)
            for on, found in measure(folder, options, spacing).items():
                for name, values in found.items():
                    parts[on, name].append(values)
            shutil.rmtree(folder)
        for (on, name), values in parts.items():
            rate, rate_sigma, moved, sigma = np.concatenate(values, axis=1)
            if len(rate) < 30:
                continue
            each = ", ".join(f"{np.mean((v[0] / v[1]) ** 2):.2f}" for v in values if v.shape[1] > 9)
            line = (dates, f"{spacing:.0f}", "yes" if air else "no", "move" if alive else "rigid", on, name, len(rate),
                    f"{_rms(rate):.2f}", f"{_rms(rate / rate_sigma) ** 2:.2f}", each, f"{_rms(moved):.2f}",
                    f"{_rms(moved / sigma) ** 2:.2f}")  # fmt: skip
            print("|", " | ".join(map(str, line)), "|", flush=True)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))
