"""What an *Ortho* product looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from groundshift.figures.style import (
    DIVERGING,
    FIRST,
    INVALID,
    SECOND,
    TRUTH,
    new_figure,
    scale_bar,
    signed_label,
    symmetric_limit,
)

_LARGEST = 1200  # blocks a side that are drawn
_FILLED = 0.5  # share of blocks that hold a cell, about, where cells are scattered


class Example(NamedTuple):
    """A cell whose series are drawn."""

    name: str
    velocity: float  # mm/yr: that for which it was chosen
    series: np.ndarray  # float32 (2, time): east and up, mm
    days: np.ndarray  # datetime64[D] (time,)


def ortho_figure(
    frame: str, x: np.ndarray, y: np.ndarray, velocities: Sequence[np.ndarray], examples: Mapping[str, Example]
) -> Figure:
    """Maps of velocity east and up, and the series of the cells that move most in each direction.

    Parameters
    ----------
    frame
        Name of the tile.
    x, y
        Centres of cells, m, (n,).
    velocities
        East and up, mm/yr, (n,) each.
    examples
        Cells by what they are examples of; four at the most are drawn.
    """
    figure = new_figure(12, 8)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.6, 1))
    panels = top.subplots(1, 2, sharex=True, sharey=True)
    limit = symmetric_limit(*velocities)
    for panel, values, name in zip(panels, velocities, ("east", "up"), strict=True):
        image, extent, side = _raster(x, y, values)
        drawn = panel.imshow(
            image, extent=extent, origin="lower", cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest"
        )
        panel.set(xticks=[], yticks=[], facecolor=INVALID)
        said = "" if side <= 100 else f", means of {side:g} m"
        panel.set_title(f"{frame}: velocity {name}, {len(values)} cells{said}", fontsize=10)
        scale_bar(panel, extent[1] - extent[0])
        top.colorbar(drawn, ax=panel, label=signed_label("mm/yr", name), shrink=0.8, extend="both")
    for panel, (name, example) in zip(bottom.subplots(1, 4, sharey=True), examples.items(), strict=False):
        days = example.days
        for values, colour, label in zip(example.series, (FIRST, SECOND), ("east", "up"), strict=True):
            panel.plot(days, values, ".", color=colour, markersize=2.5, label=label)
        panel.axhline(0, color=TRUTH, linewidth=0.5)
        panel.set_title(f"{name}: {example.name}", fontsize=9)
        place = AutoDateLocator(minticks=2, maxticks=4)
        panel.xaxis.set_major_locator(place)
        panel.xaxis.set_major_formatter(ConciseDateFormatter(place, show_offset=False))
        if name == next(iter(examples)):
            panel.set_ylabel("displacement (mm)")
            panel.legend(fontsize=8, markerscale=3)
    return figure


def _raster(x: np.ndarray, y: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, tuple[float, ...], float]:
    """Means of blocks of cells on a grid whose first row is south, its extent, and the side of a block in metres.

    Blocks are so large that the picture is not too large, and that scattered cells are seen.
    """
    steps = [np.diff(np.unique(each)) for each in (x, y)]
    size = min((float(each.min()) for each in steps if each.size), default=100.0)
    column, row = (np.rint((each - each.min()) / size).astype(int) for each in (x, y))
    shape = int(row.max()) + 1, int(column.max()) + 1
    stride = max(1, -(-max(shape) // _LARGEST), round(float(np.sqrt(_FILLED * shape[0] * shape[1] / len(x)))))
    height, width = (-(-each // stride) for each in shape)
    there = np.isfinite(values)
    at = (row // stride * width + column // stride)[there]
    with np.errstate(invalid="ignore"):
        image = np.bincount(at, values[there], height * width) / np.bincount(at, minlength=height * width)
    side = size * stride
    west, south = x.min() - size / 2, y.min() - size / 2
    return image.reshape(height, width), (west, west + width * side, south, south + height * side), side
