"""What a radar stack looks like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from groundshift.figures.style import DIVERGING, INVALID, SECOND, new_figure, signed_label, symmetric_limit

_KINDS = (INVALID, SECOND, "#8fb8a8")
_LARGEST = 9.0, 6.5  # inches: height and width of a panel at most


class StackView(NamedTuple):
    """A stack and its truth, all (y, x)."""

    amplitude: np.ndarray  # mean over the dates
    kind: np.ndarray  # whole numbers: index of the kind of scatterer
    velocity: np.ndarray  # mm/yr toward the satellite
    phase: np.ndarray  # of an interferogram, radians


def stack_figure(view: StackView, *, kinds: Sequence[str], aspect: float, said: str) -> Figure:
    """Mean amplitude, kinds of scatterers, true velocity and one interferogram, in the geometry of the radar.

    Parameters
    ----------
    kinds
        Names of the kinds of scatterers, in the order of their numbers: none, persistent, distributed.
    aspect
        Height of a pixel over its width, on the ground.
    said
        Which interferogram it is.
    """
    lines, pixels = view.amplitude.shape
    height = min(_LARGEST[0], max(3.0, 2.2 * aspect * lines / pixels))
    width = min(_LARGEST[1], max(2.0, height * pixels / (aspect * lines)))
    figure = new_figure(4 * width + 3.5, height + 0.8)
    panels = figure.subplots(1, 4, sharex=True, sharey=True)
    decibels = 20 * np.log10(np.maximum(view.amplitude, 1e-6))
    low, high = np.percentile(decibels, (2, 99.5))
    limit = symmetric_limit(view.velocity)
    edges = np.arange(len(kinds) + 1) - 0.5
    colours = {"cmap": ListedColormap(_KINDS[: len(kinds)]), "norm": BoundaryNorm(edges, len(kinds))}
    moving = {"cmap": DIVERGING, "vmin": -limit, "vmax": limit}
    drawn = (
        ("mean amplitude", decibels, "dB", {"cmap": "gray", "vmin": low, "vmax": max(high, low + 1)}),
        ("scatterers", view.kind, "", colours),
        ("true velocity", view.velocity, signed_label("mm/yr", "toward the satellite"), moving),
        (f"interferogram\n{said}", view.phase, "radians", {"cmap": "twilight", "vmin": -np.pi, "vmax": np.pi}),
    )  # fmt: skip
    for panel, (title, values, unit, options) in zip(panels, drawn, strict=True):
        image = panel.imshow(values, aspect=aspect, interpolation="nearest", **options)
        panel.set_title(title, fontsize=9)
        panel.set_xlabel("pixel")
        bar = figure.colorbar(image, ax=panel, label=unit, shrink=0.7)
        if title == "scatterers":
            bar.set_ticks(range(len(kinds)), labels=list(kinds))
    panels[0].set_ylabel("line")
    return figure
