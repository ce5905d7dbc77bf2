"""Colours, limits and scale bars that all figures share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from groundshift.io.files import atomic_path

INVALID = "0.78"
FIRST, SECOND, TRUTH = "#1b6ca8", "#c8553d", "0.35"

DIVERGING = LinearSegmentedColormap.from_list(
    "red-white-blue",
    ["#5c1218", "#ae4735", "#d98f72", "#f0d0bd", "#f7f5f2", "#c3dbe8", "#6fa3c8", "#2b5c94", "#11264f"],
).with_extremes(bad=INVALID)
"""Red is negative: down, away from the satellite, west, south; blue is positive, as in the maps of EGMS.

Lightness falls evenly to both sides of white; safe for red-green colour blindness.
"""
WAYS = {
    "toward the satellite": ("away from", "toward"),
    "up": ("down", "up"), "east": ("west", "east"), "north": ("south", "north"),
    "right": ("left", "right"), "down": ("up", "down"),
}  # fmt: skip
"""What is negative and what is positive, by what a value is positive toward."""
SEQUENTIAL = "cividis"
COHERENCE_BINS = np.arange(-0.005, 1.02, 0.02)
"""Each holds two hundredths, to which files give coherence: edges on those would make a comb."""
LABEL_BOX = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
"""Behind text on a map."""


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of the given size in inches, ready to be saved without a display."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: str | Path, *, dpi: int = 130) -> None:
    """Write a PNG, or a PDF if the name ends so: all of it or nothing, and the same bytes for the same figure."""
    path = Path(path)
    kind, metadata = ("pdf", {"CreationDate": None}) if path.suffix == ".pdf" else ("png", {"Software": None})
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=dpi, metadata=metadata)


def nice(value: float) -> float:
    """The nearest of 1, 2, 2.5 and 5 times a power of ten at or above a positive value."""
    if not np.isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value * (1 - 1e-9)))


def symmetric_limit(*arrays: np.ndarray) -> float:
    """A round limit that holds 98 % of the finite values of all arrays on both sides of 0."""
    values = np.concatenate([np.abs(each[np.isfinite(each)]).ravel() for each in arrays])
    return nice(float(np.percentile(values, 98))) if values.size else 1.0


def signed_label(unit: str, way: str) -> str:
    """Label of a bar of `DIVERGING`: its sign in words, along the bar; `way` is one of `WAYS`."""
    negative, positive = WAYS[way]
    of = "\nthe satellite" if way == "toward the satellite" else ""
    return f"← {negative}   {unit}   {positive} →{of}"


def scale_bar(axes: Axes, width: float) -> None:
    """A bar of a round length, about a fifth of `width` metres, at the lower left of a map in metres."""
    length = nice(width / 8)
    label = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    x, y = left + 0.05 * (right - left), bottom + 0.06 * (top - bottom)
    axes.plot([x, x + length], [y, y], color="white", linewidth=5, solid_capstyle="butt")
    axes.plot([x, x + length], [y, y], color="black", linewidth=2.5, solid_capstyle="butt")
    axes.annotate(
        label, (x + length / 2, y), xytext=(0, 5), textcoords="offset points", ha="center", va="bottom", fontsize=8,
        bbox=LABEL_BOX,
    )  # fmt: skip
