"""A page for one asset, and a map of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch

from groundshift.figures.style import DIVERGING, FIRST, SECOND, TRUTH, new_figure, nice, scale_bar, signed_label

if TYPE_CHECKING:
    from groundshift.io.features import Features

LEVEL_COLORS = {
    "alert": "#8c1c13", "watch": "#d9772b", "notice": "#e8c15a", "none": "#5b8e9e", "not seen": "0.75",
}  # fmt: skip
MOVES = {-1: "#ae4735", 1: "#2b5c94"}
VERDICT_COLORS = {"does not move": "#7a8790", "unclear": "#e0b000", "too few points": "#c9d0d4"}
"""Of segments: `MOVES` by their direction where they move, else by verdict."""
_INK, _QUIET = "0.15", "0.42"
_A4 = (11.69, 8.27)
_MAP = (0.04, 0.545, 0.36, 0.325)
_LISTED = 5  # segments
_IN_LIST = ("unclear", "does not move", "too few points")
_TEXT, _CHARACTERS = 8.5, 50  # points, and how many characters of them fit a line of the list
_NOTE, _NOTE_CHARACTERS = 6.8, 200  # the same of the small print


@dataclass(frozen=True, eq=False)
class Curve:
    """A series and what was fitted to it."""

    title: str
    days: np.ndarray  # datetime64[D] (time,)
    values: np.ndarray  # mm
    fitted: np.ndarray  # mm
    change: np.datetime64 | None  # day of a significant change


@dataclass(frozen=True, eq=False)
class Segment:
    """A span or segment of an asset, and what it does."""

    name: str
    low: float  # m along the asset
    high: float
    axis: Any  # its part of the line, metres
    motion: float  # mm/yr against rest; NaN where there are too few points
    sigma: float
    verdict: str
    said: str  # the same with numbers
    direction: int  # −1, 0 or 1: which way it moves, if it does


@dataclass(frozen=True, eq=False)
class SheetContent:
    """What the page of an asset shows."""

    identity: str
    title: str
    subtitle: str
    level: str
    facts: list[tuple[str, str, str, str]]  # quantity, where or when, value, how likely noise makes it
    geometry: Any  # of the asset, metres
    positions: np.ndarray  # (n, 2), m: points on and around it
    velocity: np.ndarray  # (n,), mm/yr against rest
    mine: np.ndarray  # bool (n,): points that count for it
    along: np.ndarray  # (k,), m: of those that count
    own_velocity: np.ndarray  # (k,), against rest
    own_sigma: np.ndarray  # (k,)
    segments: list[Segment]
    said: str  # of them in one sentence
    distortion: np.ndarray  # (d, 3): along, mrad over the time of the series, sigma
    limits: tuple[float, float, float]  # mrad, of notice, watch, alert
    curves: list[Curve]  # one or two
    measures: str  # what displacement is positive toward
    note: list[str]  # small print


def sheet_figure(content: SheetContent) -> Figure:
    """One page of A4: map, numbers, profile and distortion along the asset, series."""
    figure = new_figure(*_A4)
    figure.set_layout_engine("none")
    _head(figure, content)
    limit = _limit(content.velocity[content.mine])
    _map(figure.add_axes(_MAP), content, limit)
    _list(figure.add_axes((0.04, 0.375, 0.36, 0.155)), content)
    _facts(figure.add_axes((0.04, 0.07, 0.36, 0.29)), content)
    flat = len(content.distortion) > 0
    profile = figure.add_axes((0.48, 0.655 if flat else 0.56, 0.49, 0.19 if flat else 0.285))
    _profile(profile, content, limit)
    if flat:
        bars = figure.add_axes((0.48, 0.49, 0.49, 0.125), sharex=profile)
        _distortion(bars, content)
        profile.tick_params(labelbottom=False)
        profile.set_xlabel("")
    heights = {1: [(0.135, 0.26)], 2: [(0.29, 0.125), (0.115, 0.125)]}[len(content.curves)]
    for row, ((bottom, height), curve) in enumerate(zip(heights, content.curves, strict=True)):
        measures = f", displacement {content.measures}" if row == 0 else ""
        _series(figure.add_axes((0.48, bottom, 0.49, height)), curve, measures)
    for line, text in enumerate(content.note):
        size = _NOTE * min(1, _NOTE_CHARACTERS / len(text))
        figure.text(0.04, 0.048 - 0.018 * line, text, fontsize=size, color=_QUIET)
    return figure


def overview_figure(table: Features, report: dict[str, Any]) -> Figure:
    """Map of all assets by level of alert; the worst ten are numbered.

    Parameters
    ----------
    table
        As of :class:`groundshift.products.assets.Assessment`: ranked.
    report
        Its numbers.
    """
    figure = new_figure(9.5, 8)
    axes = figure.subplots()
    levels = np.array(table.attributes["level"].to_pylist())
    for level, width in (("not seen", 0.6), ("none", 1.0), ("notice", 2.2), ("watch", 3.0), ("alert", 3.4)):
        _draw(axes, table.geometry[levels == level], LEVEL_COLORS[level], width)
    left, bottom, right, top = shapely.total_bounds(table.geometry)
    edge = 0.05 * max(right - left, top - bottom)
    axes.set(xlim=(left - edge, right + edge), ylim=(bottom - 2 * edge, top + edge))
    axes.set_aspect("equal")
    axes.set(xticks=[], yticks=[], facecolor="0.97")
    numbered = np.flatnonzero(np.isin(levels, ("notice", "watch", "alert")))[:10]
    centres = shapely.get_coordinates(shapely.point_on_surface(table.geometry[numbered]))
    for rank, (x, y) in zip(numbered + 1, centres, strict=True):
        axes.annotate(
            str(rank), (x, y), xytext=(9, 9), textcoords="offset points", fontsize=8, fontweight="bold", color=_INK,
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": "white", "edgecolor": _INK, "linewidth": 0.7},
            arrowprops={"arrowstyle": "-", "linewidth": 0.7, "color": _INK},
        )  # fmt: skip
    counts = {level: int((levels == level).sum()) for level in LEVEL_COLORS}
    handles = [
        Line2D([], [], color=c, linewidth=4, label=f"{name}: {counts[name]}") for name, c in LEVEL_COLORS.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    scale_bar(axes, max(float(np.ptp(axes.get_xlim())), 1.0))
    expected = report["false_alarms_expected"]["notice"]
    figure.suptitle(
        f"{report['assets_seen']} of {report['assets']} assets seen, {report['first_date']} to {report['last_date']}; "
        f"noise alone would raise at most {expected:.2g} of them",
        fontsize=10,
    )  # fmt: skip
    return figure


def _head(figure: Figure, content: SheetContent) -> None:
    figure.add_artist(Line2D([0.04, 0.97], [0.905, 0.905], color=_INK, linewidth=0.8))
    figure.text(0.04, 0.945, content.title, fontsize=18, fontweight="bold", color=_INK, va="center")
    figure.text(0.04, 0.918, content.subtitle, fontsize=9, color=_QUIET, va="center")
    figure.text(0.04, 0.887, content.said, fontsize=9.5, fontweight="bold", color=_INK, va="center")
    box = FancyBboxPatch(
        (0.855, 0.922), 0.108, 0.044, boxstyle="round,pad=0.004", facecolor=LEVEL_COLORS[content.level],
        edgecolor="none", transform=figure.transFigure,
    )  # fmt: skip
    figure.add_artist(box)
    dark = "black" if content.level == "notice" else "white"
    figure.text(
        0.909, 0.944, content.level.upper(), fontsize=15, fontweight="bold", color=dark, ha="center", va="center"
    )


def _limit(velocity: np.ndarray) -> float:
    return max(nice(float(np.percentile(np.abs(velocity), 95))), 1.0) if len(velocity) else 1.0


def _map(axes: Axes, content: SheetContent, limit: float) -> None:
    left, bottom, right, top = shapely.bounds(content.geometry)
    shape = _MAP[3] * _A4[1] / (_MAP[2] * _A4[0])
    half = 0.72 * max(right - left, (top - bottom) / shape, 60.0)
    tall = half * shape
    x, y = (left + right) / 2, (bottom + top) / 2
    low = 1.17 * tall  # room below for the scale and the colours
    axes.set(xlim=(x - half, x + half), ylim=(y - low, y - low + 2 * tall), xticks=[], yticks=[], facecolor="0.965")
    axes.set_aspect("equal")
    _draw(axes, np.array([content.geometry], object), "0.25", 1.0)
    for segment in content.segments:
        _draw(axes, np.array([segment.axis], object), _color(segment), 5)
    style = {"cmap": DIVERGING, "vmin": -limit, "vmax": limit}
    for chosen, size, edge, width in ((~content.mine, 14, "none", 0.0), (content.mine, 34, "0.1", 0.6)):
        place = content.positions[chosen]
        drawn = axes.scatter(*place.T, c=content.velocity[chosen], s=size, edgecolors=edge, linewidths=width, **style)
    bar = axes.inset_axes((0.5, 0.075, 0.46, 0.035))
    axes.figure.colorbar(drawn, cax=bar, orientation="horizontal", extend="both")
    bar.tick_params(labelsize=7, pad=1, length=2)
    bar.set_title(signed_label("mm/yr", content.measures.split(",")[0]), fontsize=6.2, pad=3)
    scale_bar(axes, 2 * half)
    axes.annotate(
        "N", (0.955, 0.97), xytext=(0.955, 0.88), xycoords="axes fraction", ha="center", va="center", fontsize=8,
        arrowprops={"arrowstyle": "->", "linewidth": 1.0, "color": _INK},
    )  # fmt: skip


def _draw(axes: Axes, geometry: np.ndarray, color: str, width: float) -> None:
    """Lines as lines, polygons as outlines."""
    areal = shapely.get_dimensions(geometry) == 2
    lines = np.where(areal, shapely.boundary(geometry), geometry)
    parts = shapely.get_parts(lines)
    axes.add_collection(
        LineCollection([shapely.get_coordinates(p) for p in parts], colors=color, linewidths=width, capstyle="round")
    )


def _color(segment: Segment) -> str:
    return MOVES.get(segment.direction) or VERDICT_COLORS[segment.verdict]


def _list(axes: Axes, content: SheetContent) -> None:
    """What segments do: those that move first, then those that may, and last those that nothing is known of."""
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    order = sorted(content.segments, key=_rank)
    more = len(order) - _LISTED
    step = 1 / (_LISTED + (more > 0))
    longest = max((len(each.name) + len(each.said) for each in order[:_LISTED]), default=1)
    size = _TEXT * min(1, _CHARACTERS / longest)
    for row, segment in enumerate(order[:_LISTED]):
        y = 1 - (row + 0.5) * step
        axes.plot([0.0, 0.03], [y, y], color=_color(segment), linewidth=5, solid_capstyle="butt")
        axes.text(0.05, y, segment.name, fontsize=size, color=_INK, va="center")
        axes.text(1, y, segment.said, fontsize=size, color=_INK, va="center", ha="right",
                  fontweight="bold" if segment.direction else "normal")  # fmt: skip
    if more > 0:
        axes.text(0.05, 0.5 * step, f"{more} more in segments.geojson", fontsize=7.5, color=_QUIET, va="center")


def _rank(segment: Segment) -> tuple[int, float]:
    order = 0 if segment.direction else 1 + list(_IN_LIST).index(segment.verdict)
    return order, -abs(segment.motion) if np.isfinite(segment.motion) else 0.0


def _facts(axes: Axes, content: SheetContent) -> None:
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    step = 1 / (len(content.facts) + 0.7)
    for x, text in ((0.74, "value ± 1 σ"), (1, "chance of noise")):
        axes.text(x, 1, text, fontsize=7.5, color=_QUIET, ha="right", va="top")
    for row, (name, where, value, chance) in enumerate(content.facts):
        top = 1 - (row + 0.7) * step
        axes.axhline(top, color="0.85", linewidth=0.6)
        axes.text(0, top - (0.36 if where else 0.5) * step, name, fontsize=9, color=_INK, va="center")
        axes.text(0, top - 0.74 * step, where, fontsize=7, color=_QUIET, va="center")
        axes.text(0.74, top - step / 2, value, fontsize=9, color=_INK, ha="right", va="center", fontweight="bold")
        axes.text(1, top - step / 2, chance, fontsize=9, color=_INK, ha="right", va="center")


def _profile(axes: Axes, content: SheetContent, limit: float) -> None:
    axes.axhline(0, color=TRUTH, linewidth=0.6)
    axes.errorbar(
        content.along, content.own_velocity, content.own_sigma, fmt="o", markersize=3, color="0.62", elinewidth=0.7,
        label="point ± 1 σ", zorder=1,
    )  # fmt: skip
    for segment in content.segments:
        axes.axvline(segment.high, color="0.85", linewidth=0.6, zorder=0)
        if np.isfinite(segment.motion):
            low, high = segment.motion - 1.96 * segment.sigma, segment.motion + 1.96 * segment.sigma
            axes.fill_between([segment.low, segment.high], low, high, color=_color(segment), alpha=0.35, linewidth=0)
            axes.plot([segment.low, segment.high], [segment.motion] * 2, color=_color(segment), linewidth=2.2, zorder=3)
    axes.fill_between([], [], [], color=VERDICT_COLORS["does not move"], alpha=0.6, label="segment, 95 %")
    axes.set_ylabel("velocity (mm/yr)", fontsize=8)
    axes.set_xlabel("distance along (m)", fontsize=8)
    axes.set_ylim(*_around(axes.get_ylim(), 1.2 * min(limit, 2.0)))
    _finish(axes, f"Velocity against rest, positive {content.measures}")


def _around(limits: tuple[float, float], least: float) -> tuple[float, float]:
    return min(limits[0], -least), max(limits[1], least)


def _distortion(axes: Axes, content: SheetContent) -> None:
    along, size, sigma = content.distortion.T
    _, watch, alert = content.limits
    reach = 1.15 * max(float((np.abs(size) + 1.96 * sigma).max()), watch)
    for limit, name in ((watch, "watch"), (alert, "alert")):
        for sign in (-1, 1):
            axes.axhline(sign * limit, color=LEVEL_COLORS[name], linewidth=0.9, linestyle=(0, (5, 3)))
        if limit < reach:
            axes.text(0.995, limit, name, transform=axes.get_yaxis_transform(), fontsize=7, va="bottom", ha="right",
                      color=LEVEL_COLORS[name])  # fmt: skip
    axes.axhline(0, color=TRUTH, linewidth=0.6)
    axes.errorbar(along, size, 1.96 * sigma, fmt="s", markersize=4, color=SECOND, elinewidth=1.6,
                  label="between neighbours, 95 %")  # fmt: skip
    axes.set_ylim(-reach, reach)
    axes.set_ylabel("mrad", fontsize=8)
    axes.set_xlabel("distance along (m)", fontsize=8)
    _finish(axes, "Angular distortion over the time of the series")


def _series(axes: Axes, curve: Curve, measures: str) -> None:
    axes.axhline(0, color=TRUTH, linewidth=0.6)
    axes.plot(curve.days, curve.values, "o", markersize=2.4, color=FIRST, label="mean of points")
    axes.plot(curve.days, curve.fitted, color=SECOND, linewidth=1.4, label="model")
    if curve.change is not None:
        axes.axvline(curve.change, color=_INK, linewidth=1, linestyle=(0, (4, 2)), label=f"change, {curve.change}")
    axes.set_ylabel("mm", fontsize=8)
    _finish(axes, f"{curve.title}{measures}")


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=9, loc="left", color=_INK, pad=4)
    axes.tick_params(labelsize=8)
    axes.legend(fontsize=7, loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False, ncols=3, borderpad=0,
                borderaxespad=0.3, columnspacing=1.0, handlelength=1.4)  # fmt: skip
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
