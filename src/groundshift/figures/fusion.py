"""Motion in three dimensions: a map of vectors, and profiles across a fault."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from groundshift.figures.style import (
    DIVERGING,
    FIRST,
    INVALID,
    SECOND,
    SEQUENTIAL,
    TRUTH,
    new_figure,
    nice,
    scale_bar,
    symmetric_limit,
)  # fmt: skip

_LARGEST = 1200  # pixels a side that are drawn
_ARROWS = 24  # along the longer side
_THIRD = "#6a8d3d"
_COLOURS = {"east": FIRST, "north": SECOND, "up": _THIRD}


def fusion_figure(dataset: xr.Dataset, *, trace: np.ndarray | None = None) -> Figure:
    """A map of up (or of the last component there is) with arrows of horizontal motion, and the sigma of each.

    Parameters
    ----------
    dataset
        A displacement map (see :mod:`groundshift.model.displacement`), of displacement or velocity.
    trace
        Line to draw, such as that of a fault, float (n, 2): easting, northing.
    """
    stride = max(1, int(np.ceil(max(dataset.sizes["y"], dataset.sizes["x"]) / _LARGEST)))
    thin = dataset.isel(y=slice(stride // 2, None, stride), x=slice(stride // 2, None, stride))
    names = [name for name in ("east", "north", "up") if name in thin]
    scale, unit = _unit(dataset)
    extent = _extent(dataset)
    aspect = (extent[3] - extent[2]) / (extent[1] - extent[0])
    figure = new_figure(12, 1.2 + 7.2 * min(max(aspect, 0.4), 1.6))
    left, right = figure.subfigures(1, 2, width_ratios=(2.1, 1))
    panel = left.subplots()
    colour = "up" if "up" in names else names[-1]
    values = scale * thin[colour].values.astype(float)
    limit = symmetric_limit(values)
    image = panel.imshow(values, extent=extent, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
    left.colorbar(image, ax=panel, label=f"{_quantity(dataset)} {colour} ({unit})", extend="both", shrink=0.7)
    if {"east", "north"} <= set(names):
        _arrows(panel, thin, scale, unit, extent)
    if trace is not None:
        panel.plot(*np.asarray(trace).T, color="black", linewidth=1.5)
    panel.set_title(f"{_quantity(dataset).capitalize()} {colour}, and horizontal as arrows", fontsize=11)
    panels = np.atleast_1d(right.subplots(len(names), 1, sharex=True, sharey=True))
    for small, name in zip(panels, names, strict=True):
        sigma = scale * thin[f"{name}_sigma"].values.astype(float)
        top = nice(float(np.nanpercentile(sigma, 95))) if np.isfinite(sigma).any() else 1.0
        cmap = matplotlib.colormaps[SEQUENTIAL].with_extremes(bad=INVALID)
        image = small.imshow(sigma, extent=extent, cmap=cmap, vmin=0, vmax=top, interpolation="nearest")
        right.colorbar(image, ax=small, label=unit, extend="max", shrink=0.85)
        small.set_title(f"one standard deviation, {name}", fontsize=9)
    for each in (panel, *panels):
        each.set(xticks=[], yticks=[])
        each.set_aspect("equal")
        scale_bar(each, extent[1] - extent[0])
    return figure


def profile_3d_figure(
    dataset: xr.Dataset,
    start: Sequence[float],
    end: Sequence[float],
    *,
    width: float,
    truth: xr.Dataset | None = None,
    others: dict[str, xr.Dataset] | None = None,
) -> Figure:
    """East, north and up along a line, medians of a swath with one standard deviation of a cell.

    Parameters
    ----------
    dataset
        A displacement map.
    start, end
        Easting and northing of the ends, m.
    width
        Of the swath, m.
    truth, others
        Maps to draw as lines, on grids of their own: what is true, and what was found otherwise, by name.
    """
    scale, unit = _unit(dataset)
    names = [name for name in ("east", "north", "up") if name in dataset]
    figure = new_figure(10, 2.9 * len(names) + 0.5)
    panels = np.atleast_1d(figure.subplots(len(names), 1, sharex=True))
    for panel, name in zip(panels, names, strict=True):
        distance, middle, sigma = _swath(dataset, name, start, end, width)
        panel.fill_between(
            distance, scale * (middle - sigma), scale * (middle + sigma), color=_COLOURS[name], alpha=0.25, linewidth=0,
            label="one standard deviation of a cell",
        )  # fmt: skip
        panel.plot(distance, scale * middle, color=_COLOURS[name], linewidth=1.4, label="fused")
        for style, (label, other) in zip((":", "-.", (0, (5, 2))), (others or {}).items(), strict=False):
            if name in other:
                at, value, _ = _swath(other, name, start, end, width)
                panel.plot(at, scale * value, color="black", linestyle=style, linewidth=1, label=label)
        if truth is not None:
            at, value, _ = _swath(truth, name, start, end, width)
            panel.plot(at, scale * value, color=TRUTH, linewidth=1, label="true")
        panel.axhline(0, color="0.8", linewidth=0.6, zorder=0)
        panel.set_ylabel(f"{name} ({unit})")
        panel.legend(fontsize=8, loc="best")
    panels[0].set_title(
        f"Median of {width / 1000:g} km beside the line from ({start[0]:.0f}, {start[1]:.0f}) to "
        f"({end[0]:.0f}, {end[1]:.0f})", fontsize=10, loc="left",
    )  # fmt: skip
    panels[-1].set_xlabel("distance along the line (km)")
    return figure


def _swath(
    dataset: xr.Dataset, name: str, start: Sequence[float], end: Sequence[float], width: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance (km), median, and median sigma of cells near a line, a cell apart; NaN where there are none."""
    first, last = np.asarray(start, float), np.asarray(end, float)
    length = float(np.hypot(*(last - first)))
    along = (last - first) / length
    x, y = np.meshgrid(dataset["x"].values - first[0], dataset["y"].values - first[1])
    step = abs(float(dataset["x"].values[1] - dataset["x"].values[0]))
    away, at = np.abs(x * -along[1] + y * along[0]), x * along[0] + y * along[1]
    values, sigma = dataset[name].values.astype(float), dataset[f"{name}_sigma"].values.astype(float)
    number = np.floor(at / step).astype(int)
    count = int(length // step)
    out = np.full((2, count), np.nan)
    for k in range(count):
        use = (number == k) & (away <= width / 2) & np.isfinite(values)
        if use.any():
            out[:, k] = np.median(values[use]), np.median(sigma[use])
    return (np.arange(count) + 0.5) * step / 1000, out[0], out[1]


def _arrows(panel, thin: xr.Dataset, scale: float, unit: str, extent: tuple[float, ...]) -> None:
    east, north = (scale * thin[name].values.astype(float) for name in ("east", "north"))
    block = max(1, max(east.shape) // _ARROWS)
    rows, columns = (max(1, size // block) for size in east.shape)
    means = []
    for each in (east, north):
        cut = each[: rows * block, : columns * block].reshape(rows, block, columns, block)
        count = np.isfinite(cut).sum(axis=(1, 3))
        means.append(np.where(count >= block * block / 3, np.nansum(cut, axis=(1, 3)) / np.maximum(count, 1), np.nan))
    if not np.isfinite(means).any():
        return
    size_x, size_y = (extent[1] - extent[0]) / east.shape[1], (extent[3] - extent[2]) / east.shape[0]
    x = extent[0] + (np.arange(columns) + 0.5) * block * size_x
    y = extent[3] - (np.arange(rows) + 0.5) * block * size_y
    longest = max(float(np.nanpercentile(np.hypot(*means), 95)), 1e-12)
    arrows = panel.quiver(
        *np.meshgrid(x, y), *means, angles="xy", scale_units="xy", scale=longest / (1.5 * block * size_x),
        color="black", width=0.0025,
    )  # fmt: skip
    key = nice(longest / 2)
    panel.quiverkey(arrows, 0.88, 1.03, key, f"{key:g} {unit}", labelpos="E", fontproperties={"size": 9})


def _unit(dataset: xr.Dataset) -> tuple[float, str]:
    return (1000.0, "mm/yr") if _quantity(dataset) == "velocity" else (1.0, "m")


def _quantity(dataset: xr.Dataset) -> str:
    return dataset.attrs.get("quantity", "displacement")


def _extent(dataset: xr.Dataset) -> tuple[float, float, float, float]:
    x, y = dataset["x"].values, dataset["y"].values
    half_x, half_y = (abs(c[1] - c[0]) / 2 if len(c) > 1 else 0.5 for c in (x, y))
    return x.min() - half_x, x.max() + half_x, y.min() - half_y, y.max() + half_y
