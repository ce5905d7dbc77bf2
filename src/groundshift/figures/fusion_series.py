"""Motion in three dimensions over time: a map of the mean velocity, and series at places."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from groundshift.figures.fusion import COLOURS, map_extent
from groundshift.figures.style import LABEL_BOX, SEQUENTIAL, new_figure, scale_bar

_PLACES = 4
_LETTERS = "ABCD"


def series_figure(dataset: xr.Dataset, *, places: np.ndarray | None = None, truth: np.ndarray | None = None) -> Figure:
    """Where the ground went from the first date to the last, and its series at a few places.

    Parameters
    ----------
    dataset
        A displacement map on (time, y, x).
    places
        Rows and columns, int (n, 2), four at most; where the ground moves most and least, if not given.
    truth
        To draw beside the series, float (time, 3, y, x), m.
    """
    names = [name for name in ("east", "north", "up") if name in dataset]
    last = {name: dataset[name].isel(time=-1).values.astype(float) for name in names}
    length = np.sqrt(sum(np.nan_to_num(each) ** 2 for each in last.values()))
    length[~dataset["valid"].values] = np.nan
    places = _places(length) if places is None else np.asarray(places)
    figure = new_figure(13, 1.2 + 1.9 * len(places))
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.5))
    panel = left.subplots()
    extent = map_extent(dataset)
    top = float(np.nanpercentile(length, 99.5)) if np.isfinite(length).any() else 1.0
    image = panel.imshow(length, extent=extent, cmap=SEQUENTIAL, vmin=0, vmax=top, interpolation="nearest")
    days = dataset["time"].values.astype("datetime64[D]")
    label = f"moved, {dataset.attrs['date_pre']} to {days[-1]} (m)"
    left.colorbar(image, ax=panel, label=label, extend="max", shrink=0.6)
    panel.set(xticks=[], yticks=[])
    panel.set_aspect("equal")
    scale_bar(panel, extent[1] - extent[0])
    grid = np.atleast_2d(right.subplots(len(places), len(names), sharex=True, squeeze=False))
    first = np.datetime64(dataset.attrs["date_pre"], "D")
    for letter, (row, column), panels in zip(_LETTERS, places, grid, strict=False):
        x, y = (float(dataset[name].values[k]) for name, k in (("x", column), ("y", row)))
        panel.plot(x, y, "o", color="white", markeredgecolor="black", markersize=6)
        panel.annotate(
            letter, (x, y), xytext=(6, 4), textcoords="offset points", fontsize=10, fontweight="bold",
            bbox=LABEL_BOX,
        )  # fmt: skip
        for each, name in zip(panels, names, strict=True):
            value, sigma = (dataset[key].values[:, row, column].astype(float) for key in (name, f"{name}_sigma"))
            if not np.isfinite(value).any():
                each.set(yticks=[])
                each.text(0.5, 0.5, "not measured", transform=each.transAxes, ha="center", color="0.5", fontsize=9)
                continue
            when = np.concatenate([[first], days])
            value, sigma = (np.concatenate([[0.0], part]) for part in (value, sigma))
            each.fill_between(when, value - 2 * sigma, value + 2 * sigma, color=COLOURS[name], alpha=0.25, linewidth=0)
            each.plot(when, value, color=COLOURS[name], linewidth=1.3)
            if truth is not None:
                part = ("east", "north", "up").index(name)
                each.plot(days, truth[:, part, row, column], color="black", linewidth=0.9, linestyle=(0, (4, 2)))
            each.xaxis.set_major_locator(locator := AutoDateLocator(maxticks=5))
            each.xaxis.set_major_formatter(ConciseDateFormatter(locator))
            each.tick_params(labelsize=8)
            each.grid(color="0.9", linewidth=0.5)
        panels[0].set_ylabel(f"{letter} (m)", fontsize=9)
    for each, name in zip(grid[0], names, strict=True):
        each.set_title(f"{name}, two sigma", fontsize=9)
    return figure


def _places(length: np.ndarray) -> np.ndarray:
    """Cells at the largest motion, at two parts of it, and at the least that is in the middle of the area."""
    values = np.where(np.isfinite(length), length, np.nan)
    if not np.isfinite(values).any():
        return np.zeros((1, 2), int)
    top = np.nanpercentile(values, 99.5)
    return np.array(
        [np.unravel_index(np.nanargmin(np.abs(values - share * top)), values.shape) for share in (1.0, 0.5, 0.15, 0.0)]
    )
