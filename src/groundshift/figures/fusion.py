"""Motion in three dimensions: a map of vectors, and profiles across a fault."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.ticker import MaxNLocator

from groundshift.figures.style import (
    DIVERGING,
    FIRST,
    INVALID,
    LABEL_BOX,
    SECOND,
    SEQUENTIAL,
    TRUTH,
    new_figure,
    nice,
    scale_bar,
    signed_label,
    symmetric_limit,
)  # fmt: skip

_LARGEST = 1200  # pixels a side that are drawn
_ARROWS = 20  # along the longer side
_ELLIPSE = 2.4477  # standard deviations of an ellipse that holds 95 %
_THIRD = "#6a8d3d"
COLOURS = {"east": FIRST, "north": SECOND, "up": _THIRD}


def fusion_figure(
    dataset: xr.Dataset, *, trace: np.ndarray | None = None, line: Sequence[float] | None = None
) -> Figure:
    """A map of up (or of the last component there is) with arrows of horizontal motion, and the sigma of each.

    Arrows are single cells, not means, so that none mixes the two sides of a rupture. Every third of them in each
    direction has the ellipse in which it ends with a probability of 95 %, on the scale of the arrows.

    Parameters
    ----------
    dataset
        A displacement map (see :mod:`groundshift.model.displacement`), of displacement or velocity.
    trace
        Line to draw, such as that of a fault, float (n, 2): easting, northing.
    line
        West, south, east, north: ends of a profile, drawn as A–A′.
    """
    stride = max(1, int(np.ceil(max(dataset.sizes["y"], dataset.sizes["x"]) / _LARGEST)))
    thin = dataset.isel(y=slice(stride // 2, None, stride), x=slice(stride // 2, None, stride))
    names = [name for name in ("east", "north", "up") if name in thin]
    scale, unit = _unit(dataset)
    extent = map_extent(dataset)
    aspect = (extent[3] - extent[2]) / (extent[1] - extent[0])
    figure = new_figure(12.5, 1.2 + 7.6 * min(max(aspect, 0.4), 1.6))
    left, right = figure.subfigures(1, 2, width_ratios=(2.5, 1))
    panel = left.subplots()
    colour = "up" if "up" in names else names[-1]
    values = scale * thin[colour].values.astype(float)
    limit = symmetric_limit(values)
    image = panel.imshow(values, extent=extent, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
    label = signed_label(f"{_quantity(dataset)} ({unit})", colour)
    left.colorbar(image, ax=panel, label=label, extend="both", shrink=0.6, pad=0.02)
    arrows = {"east", "north"} <= set(names)
    if arrows:
        draw_vectors(panel, thin, scale, unit, extent)
    if trace is not None:
        panel.plot(*np.asarray(trace).T, color="white", linewidth=3.5)
        panel.plot(*np.asarray(trace).T, color="black", linewidth=1.8)
    if line is not None:
        panel.plot(line[::2], line[1::2], color="black", linewidth=1, linestyle=(0, (6, 3)))
        for letter, x, y in (("A", *line[:2]), ("A′", *line[2:])):
            panel.annotate(letter, (x, y), fontsize=11, fontweight="bold", ha="center", va="center", bbox=LABEL_BOX)
    title = f"{_quantity(dataset).capitalize()} {colour} in colour{', horizontal as arrows' if arrows else ''}"
    panel.set_title(f"{title}; grey: not measured", fontsize=10, loc="left")
    panels = np.atleast_1d(right.subplots(len(names), 1, sharex=True, sharey=True))
    for small, name in zip(panels, names, strict=True):
        sigma = scale * thin[f"{name}_sigma"].values.astype(float)
        top = nice(float(np.nanpercentile(sigma, 95))) if np.isfinite(sigma).any() else 1.0
        cmap = matplotlib.colormaps[SEQUENTIAL].with_extremes(bad=INVALID)
        image = small.imshow(sigma, extent=extent, cmap=cmap, vmin=0, vmax=top, interpolation="nearest")
        right.colorbar(image, ax=small, label=unit, extend="max", shrink=0.85)
        small.set_title(f"one standard deviation, {name}", fontsize=9, loc="left")
        small.set(xticks=[], yticks=[])
    for each in (panel, *panels):
        each.set_aspect("equal")
        each.set(xlim=extent[:2], ylim=extent[2:])
    scale_bar(panel, extent[1] - extent[0])
    _north_arrow(panel)
    _kilometres(panel, str(dataset.rio.crs))
    return figure


def profile_3d_figure(
    dataset: xr.Dataset,
    start: Sequence[float],
    end: Sequence[float],
    *,
    width: float,
    trace: np.ndarray | None = None,
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
    trace
        A rupture, float (n, 2): easting, northing; marked where it crosses the line.
    truth, others
        Maps to draw as lines, on grids of their own: what is true, and what was found otherwise, by name.
    """
    scale, unit = _unit(dataset)
    names = [name for name in ("east", "north", "up") if name in dataset]
    figure = new_figure(8.5, 2.3 * len(names) + 1.0)
    panels = np.atleast_1d(figure.subplots(len(names), 1, sharex=True))
    for letter, panel, name in zip("abc", panels, names, strict=False):
        distance, middle, sigma = _swath(dataset, name, start, end, width)
        for times in (2, 1):
            panel.fill_between(
                distance, scale * (middle - times * sigma), scale * (middle + times * sigma), color=COLOURS[name],
                alpha=0.2, linewidth=0,
            )  # fmt: skip
        panel.plot(distance, scale * middle, color=COLOURS[name], linewidth=1.5, label="fused, 1 and 2 sigma of a cell")
        for style, (label, other) in zip((":", "-.", (0, (5, 2))), (others or {}).items(), strict=False):
            if name in other:
                at, value, _ = _swath(other, name, start, end, width)
                panel.plot(at, scale * value, color="black", linestyle=style, linewidth=1.2, label=label)
        if truth is not None:
            at, value, _ = _swath(truth, name, start, end, width)
            panel.plot(at, scale * value, color=TRUTH, linewidth=1, label="true")
        for at in _crossings(trace, start, end):
            panel.axvline(at, color="0.4", linewidth=0.9, linestyle=(0, (2, 2)), zorder=0, label="rupture")
        panel.axhline(0, color="0.8", linewidth=0.6, zorder=0)
        panel.set_ylabel(f"{name} ({unit})")
        panel.text(0.01, 0.95, f"({letter}) {name}", transform=panel.transAxes, va="top", fontsize=10)
        panel.margins(x=0)
        panel.legend(fontsize=7.5, loc="best", frameon=False)
    panels[0].set_title(
        f"A ({start[0]:.0f}, {start[1]:.0f}) to A′ ({end[0]:.0f}, {end[1]:.0f}), medians of {width / 1000:g} km",
        fontsize=10, loc="left",
    )  # fmt: skip
    panels[-1].set_xlabel("distance from A (km)")
    return figure


def _crossings(trace: np.ndarray | None, start: Sequence[float], end: Sequence[float]) -> list[float]:
    """Where a line is crossed by another, km from its start."""
    first, along = np.asarray(start, float), np.asarray(end, float) - np.asarray(start, float)
    out = []
    for one, other in itertools.pairwise(() if trace is None else np.asarray(trace, float)):
        sides = np.column_stack([along, one - other])
        if abs(np.linalg.det(sides)) > 0:
            share, beside = np.linalg.solve(sides, one - first)
            if 0 <= share <= 1 and 0 <= beside < 1:
                out.append(float(share * np.hypot(*along)) / 1000)
    return out


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


def draw_vectors(
    panel: Axes, thin: xr.Dataset, scale: float, unit: str, extent: tuple[float, ...], *, count: int = _ARROWS
) -> None:
    """Arrows of east and north at cells spread evenly, ellipses of 95 % at every third, and a key with its length."""
    east, north = (scale * thin[name].values.astype(float) for name in ("east", "north"))
    block = max(1, max(east.shape) // count)
    there = np.isfinite(east) & np.isfinite(north)
    picked = [cell for row, column in np.ndindex(*(size // block for size in east.shape))
              if (cell := _nearest_cell(there, row * block, column * block, block)) is not None]  # fmt: skip
    if not picked:
        return
    rows, columns = np.array(picked).T
    size_x, size_y = (extent[1] - extent[0]) / east.shape[1], (extent[3] - extent[2]) / east.shape[0]
    x, y = extent[0] + (columns + 0.5) * size_x, extent[3] - (rows + 0.5) * size_y
    u, v = east[rows, columns], north[rows, columns]
    longest = max(float(np.percentile(np.hypot(u, v), 95)), 1e-12)
    stretch = 1.6 * block * size_x / longest  # metres of the map a unit
    marked = (rows // block % 3 == 1) & (columns // block % 3 == 1)
    covariance = [scale**2 * thin[f"{name}_sigma"].values.astype(float) ** 2 for name in ("east", "north")]
    between = thin.get("east_north_covariance")
    covariance.append(np.zeros_like(east) if between is None else scale**2 * between.values.astype(float))
    for k in np.flatnonzero(marked):
        a, c, b = (each[rows[k], columns[k]] for each in covariance)
        values, vectors = np.linalg.eigh([[a, b], [b, c]])
        width, height = 2 * _ELLIPSE * stretch * np.sqrt(np.maximum(values[::-1], 0))
        tip, angle = (x[k] + stretch * u[k], y[k] + stretch * v[k]), np.degrees(np.arctan2(*vectors[::-1, 1]))
        panel.add_patch(
            Ellipse(tip, width, height, angle=angle, facecolor="white", edgecolor="black", alpha=0.75, linewidth=0.7)
        )
    panel.quiver(x, y, u * stretch, v * stretch, angles="xy", scale_units="xy", scale=1, color="black", width=0.0022)
    key = nice(longest / 2)
    high, right = extent[3] - 0.035 * (extent[3] - extent[2]), extent[0] + 0.03 * (extent[1] - extent[0])
    panel.quiver(
        [right], [high], [key * stretch], [0], angles="xy", scale_units="xy", scale=1, color="black", width=0.003,
        zorder=6,
    )  # fmt: skip
    panel.annotate(
        f"{key:g} {unit}; ellipses: 95 %", (right + key * stretch, high), xytext=(6, 0), textcoords="offset points",
        va="center", fontsize=9, zorder=6, bbox=LABEL_BOX,
    )  # fmt: skip


def _nearest_cell(there: np.ndarray, top: int, left: int, block: int) -> tuple[int, int] | None:
    """The cell with a value that is nearest to the middle of a block; none if most have none."""
    part = there[top : top + block, left : left + block]
    if part.mean() < 1 / 3:
        return None
    rows, columns = np.nonzero(part)
    best = np.argmin(np.hypot(rows - (block - 1) / 2, columns - (block - 1) / 2))
    return top + int(rows[best]), left + int(columns[best])


def _north_arrow(panel: Axes) -> None:
    """Up is grid north."""
    panel.annotate(
        "", (0.955, 0.975), xytext=(0.955, 0.905), xycoords="axes fraction",
        arrowprops={"arrowstyle": "-|>", "color": "black", "linewidth": 1.6},
    )  # fmt: skip
    panel.annotate(
        "N",
        (0.955, 0.89),
        xycoords="axes fraction",
        ha="center",
        va="top",
        fontsize=11,
        fontweight="bold",
        bbox=LABEL_BOX,
    )


def _kilometres(panel: Axes, crs: str) -> None:
    """Ticks in kilometres, with the name of the CRS."""
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(lambda value, _: f"{value / 1000:,.0f}".replace(",", "\u2009"))
    panel.tick_params(labelsize=8)
    panel.set_xlabel(f"easting (km), {crs}", fontsize=9)
    panel.set_ylabel("northing (km)", fontsize=9)


def _unit(dataset: xr.Dataset) -> tuple[float, str]:
    return (1000.0, "mm/yr") if _quantity(dataset) == "velocity" else (1.0, "m")


def _quantity(dataset: xr.Dataset) -> str:
    return dataset.attrs.get("quantity", "displacement")


def map_extent(dataset: xr.Dataset) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of a map, for matplotlib; m."""
    x, y = dataset["x"].values, dataset["y"].values
    half_x, half_y = (abs(c[1] - c[0]) / 2 if len(c) > 1 else 0.5 for c in (x, y))
    return x.min() - half_x, x.max() + half_x, y.min() - half_y, y.max() + half_y
