"""How the network got better from run to run, and what more samples may bring: picture and table.

The tables are those that the runs left, and `benchmark.csv`: the score of the whole method with the weights of each run
on the pairs of two dates of the benchmark (docs/methods.md), every pixel counted, by the samples that they had seen.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import yaml
from matplotlib import colormaps
from matplotlib.axes import Axes

from groundshift.figures.style import FIRST, SECOND, TRUTH, new_figure, save_figure

RECIPES = Path(__file__).parents[1] / "recipes"
LOGS = RECIPES / "logs"
BATCH = 4  # samples a step, of 192² pixels
WANTED = 0.14  # pixels near the trace: 0.4 times the error of `frequency`
GPU = 6000 * 32 * (256 / 192) ** 2  # samples of 192² pixels that the profile `gpu` of the recipe sees


def main(out: Path) -> None:
    """Picture into a folder, and what it says as text."""
    figure = new_figure(11, 4.2)
    left, right = figure.subplots(1, 2)
    _runs(left)
    rows = _table(LOGS / "benchmark.csv")
    samples, errors = rows["samples"], {"all pixels": rows["epe"], "near the trace": rows["near"]}
    ahead = np.geomspace(samples[0], 2e6)
    for (name, error), colour in zip(errors.items(), (FIRST, SECOND), strict=True):
        power, factor = np.polyfit(np.log(samples), np.log(error), 1)
        spread = float(np.std(np.log(error) - power * np.log(samples) - factor, ddof=2))
        right.plot(samples, error, "o", color=colour, label=name)
        right.plot(ahead, np.exp(factor) * ahead**power, "--", color=colour, linewidth=1)
        then = np.exp(factor) * GPU**power
        right.plot(GPU, then, "D", color=colour, fillstyle="none")
        print(f"{name}: samples^{power:.3f} (within {spread:.1%}); after the profile gpu {then:.3f} pixels")
        if name == "near the trace":
            print(f"{WANTED} pixels after {(WANTED / np.exp(factor)) ** (1 / power):.2g} samples")
    right.axhline(WANTED, color=TRUTH, linewidth=1, linestyle=":")
    right.set(xscale="log", yscale="log", xlabel="samples seen", ylabel="end-point error on the benchmark, pixels")
    right.set_yticks(ticks := [0.05, 0.06, 0.08, 0.1, 0.14, 0.2], [f"{each:g}" for each in ticks])
    right.minorticks_off()
    for each in (left, right):
        each.grid(alpha=0.3)
        each.legend(frameon=False)
    save_figure(figure, out / "training.png")


def _runs(axes: Axes) -> None:
    """Error on validation samples as a share of that of the first field, since two sets of them were used.

    Without the network of the last step, whose field is another.
    """
    before, colours = 0, colormaps["viridis"]
    profiles = yaml.safe_load((RECIPES / "network.yaml").read_text("utf-8"))["profiles"]
    runs = [each for each, what in profiles.items() if "after" not in what and (LOGS / f"{each}.csv").exists()]
    for number, run in enumerate(runs):
        table = _table(LOGS / f"{run}.csv")
        at = before + BATCH * table["step"]
        axes.plot(at, table["epe"] / table["start"], ".-", label=run, color=colours(number / len(runs)))
        before = int(at[-1])
    axes.set(xscale="log", xlabel="samples seen", ylabel="error after the network / before it, validation samples")


def _table(path: Path) -> dict[str, np.ndarray]:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name != "run"}
