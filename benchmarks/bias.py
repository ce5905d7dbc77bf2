"""`gauss-newton` on textures with 10 % noise, windows of 32: spread against the Cramér–Rao bound, and bias."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from groundshift.figures.style import SECOND, new_figure, save_figure
from groundshift.io import write_text
from groundshift.optical.config import PairConfig
from groundshift.optical.gauss_newton import GAUSS_NEWTON
from groundshift.optical.methods import Nodes
from groundshift.synth.textures import cramer_rao_sigma, shifted_pair

SHIFTS = np.linspace(0, 1, 21)
WINDOW, NOISE, SEEDS, SIZE = 32, 0.1, 12, 256
CENTRES = np.arange(40, SIZE - 36, 16) + 0.5


def main(out: Path) -> None:
    config = PairConfig(method="gauss-newton", window=WINDOW, window_shape="box", max_displacement=3)
    rows = []
    for shift in SHIFTS:
        errors, bounds = [], []
        for seed in range(SEEDS):
            pre, post, transform = shifted_pair(SIZE, dx=shift, dy=-0.3, noise=NOISE, seed=seed)
            errors.append(GAUSS_NEWTON.measure(pre, post, Nodes(CENTRES, CENTRES), config).dx - shift)
            bounds.append(cramer_rao_sigma(transform, CENTRES, window=WINDOW, noise=NOISE))
        errors = np.concatenate([each.ravel() for each in errors])
        errors = errors[np.isfinite(errors)]
        bound = np.sqrt(np.mean(np.square(bounds)))
        rms = np.sqrt(np.mean(errors**2))
        rows.append((shift, rms, bound, rms / bound, errors.mean(), errors.std() / np.sqrt(errors.size), errors.size))
    head = "shift_px,rmse_px,bound_px,ratio,bias_px,bias_sigma_px,windows"
    table = "\n".join([head, *(",".join(f"{v:.5g}" for v in row) for row in rows)])
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "bias.csv", table + "\n")
    print(table)

    shift, rms, bound, _, mean, standard, _ = np.array(rows).T
    figure = new_figure(7, 5)
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.plot(shift, 1e3 * rms, "o-", markersize=3, label="root mean square error")
    upper.plot(shift, 1e3 * bound, color=SECOND, label="Cramér–Rao bound")
    upper.set(ylabel="error (10⁻³ pixels)", ylim=(0, 1.3e3 * rms.max()))
    upper.legend(ncols=2, loc="upper center")
    lower.errorbar(shift, 1e3 * mean, 1e3 * standard, fmt="o-", markersize=3, capsize=2, label="mean, standard error")
    lower.axhspan(-2, 2, color="0.9", zorder=0)
    lower.axhline(0, color="0.5", linewidth=0.8)
    lower.set(xlabel="true shift (pixels)", ylabel="bias (10⁻³ pixels)", ylim=(-3, 3))
    lower.legend(loc="upper center")
    save_figure(figure, out / "bias.png")
