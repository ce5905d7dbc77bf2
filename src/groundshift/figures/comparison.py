"""Measured against true."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from groundshift.figures.style import (
    DIVERGING,
    FIRST,
    SECOND,
    TRUTH,
    new_figure,
    scale_bar,
    signed_label,
    symmetric_limit,
)


def comparison_figure(
    truth: np.ndarray, measured: np.ndarray, sigma: np.ndarray, *, resolution: float, title: str, margin: int = 0
) -> Figure:
    """Truth, measurement and error of both components, and their standardised errors against the unit Gaussian.

    Parameters
    ----------
    truth, measured, sigma
        (2, y, x): east and north, metres.
    resolution
        Size of a pixel, metres.
    margin
        Pixels at each side that standardised errors leave out.
    """
    figure = new_figure(14, 7.6)
    axes = figure.subplots(2, 4, width_ratios=(1, 1, 1, 0.9))
    limit = symmetric_limit(truth)
    error = measured - truth
    error_limit = symmetric_limit(error)
    extent = (0, truth.shape[2] * resolution, 0, truth.shape[1] * resolution)
    for row, name in zip(axes, ("east", "north"), strict=True):
        c = 0 if name == "east" else 1
        for panel, values, top, what in (
            (row[0], truth[c], limit, "true"),
            (row[1], measured[c], limit, "measured"),
            (row[2], error[c], error_limit, "error"),
        ):
            image = panel.imshow(values, extent=extent, cmap=DIVERGING, vmin=-top, vmax=top, interpolation="nearest")
            panel.set_title(f"{name}, {what}", fontsize=10)
            panel.set_xticks([])
            panel.set_yticks([])
            scale_bar(panel, extent[1])
            figure.colorbar(image, ax=panel, label=signed_label("m", name), extend="both", shrink=0.8)
        inner = np.s_[margin : truth.shape[1] - margin, margin : truth.shape[2] - margin]
        z = (error[c] / sigma[c])[inner]
        z = z[np.isfinite(z)]
        bins = np.linspace(-5, 5, 61)
        row[3].hist(np.clip(z, -5, 5), bins=bins, density=True, color=FIRST if c == 0 else SECOND, alpha=0.75)
        row[3].plot(bins, np.exp(-(bins**2) / 2) / np.sqrt(2 * np.pi), color=TRUTH, label="unit Gaussian")
        row[3].set_xlabel("error / sigma")
        row[3].set_ylabel("density")
        row[3].set_title(f"{name}: variance {np.mean(z**2):.2f}", fontsize=10)
        row[3].legend(fontsize=8)
    figure.suptitle(title)
    return figure
