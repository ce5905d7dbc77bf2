"""What a set of samples looks like: examples, and how their numbers are spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from groundshift.figures.style import DIVERGING, new_figure, signed_label, symmetric_limit

_LOGARITHMIC = ("peak", "median", "p95", "gradient")


class Example(NamedTuple):
    """One row of a sheet."""

    title: str
    pre: np.ndarray  # (y, x)
    post: np.ndarray
    flow: np.ndarray  # float (2, y, x): dx right, dy down, pixels
    valid: np.ndarray  # bool (y, x)


def examples_figure(examples: Sequence[Example]) -> Figure:
    """Both images and both components of the displacement of each example, grey where it is not valid."""
    figure = new_figure(11, 2.75 * len(examples))
    rows = figure.subplots(len(examples), 4, squeeze=False)
    for row, example in zip(rows, examples, strict=True):
        for panel, image, said in zip(row[:2], (example.pre, example.post), ("before", "after"), strict=True):
            low, high = np.percentile(image, (2, 98))
            panel.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1), interpolation="nearest")
            panel.set_title(said, fontsize=9)
        shown = np.where(example.valid, example.flow, np.nan)
        limit = symmetric_limit(shown)
        for panel, component, said in zip(row[2:], shown, ("dx, right", "dy, down"), strict=True):
            image = panel.imshow(component, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
            panel.set_title(said, fontsize=9)
            bar = figure.colorbar(image, ax=panel, ticks=(-limit, 0, limit))
            bar.ax.tick_params(labelsize=8)
            bar.set_label(signed_label("pixels", said.split()[-1]), fontsize=8)
        row[0].set_ylabel(example.title, fontsize=8)
        for panel in row:
            panel.set_xticks([])
            panel.set_yticks([])
    return figure


def distributions_figure(statistics: Mapping[str, Mapping[str, np.ndarray]], said: Mapping[str, str]) -> Figure:
    """How the numbers of samples are spread in each class of displacement.

    Parameters
    ----------
    statistics
        By class, then by name; NaN is not measured.
    said
        What each name means.
    """
    figure = new_figure(13, 7)
    for panel, (name, text) in zip(figure.subplots(2, 3).ravel(), said.items(), strict=False):
        values = {scale: each[name][np.isfinite(each[name])] for scale, each in statistics.items()}
        if name in _LOGARITHMIC:
            values = {scale: each[each > 0] for scale, each in values.items()}
            panel.set_xscale("log")
        together = np.concatenate([*values.values(), [1.0]])
        ends = together.min(), together.max() * 1.0001 + 1e-9
        bins = np.geomspace(*ends, 41) if name in _LOGARITHMIC else np.linspace(*ends, 41)
        for scale, each in values.items():
            panel.hist(each, bins=bins, histtype="step", linewidth=1.5, label=scale.replace("_", " "))
        panel.set_xlabel(text, fontsize=8, wrap=True)
        panel.set_ylabel("samples")
        panel.legend(fontsize=7)
    return figure
