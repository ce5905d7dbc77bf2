"""Pictures of a validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from groundshift.figures.style import (
    COHERENCE_BINS,
    DIVERGING,
    FIRST,
    SECOND,
    SEQUENTIAL,
    TRUTH,
    new_figure,
    scale_bar,
    signed_label,
    symmetric_limit,
)

if TYPE_CHECKING:

    class ComparisonLike(Protocol):
        """A product at places where a reference is known; see `groundshift.validate.checks.stations.Comparison`."""

        name: np.ndarray
        positions: np.ndarray
        product: np.ndarray
        product_sigma: np.ndarray
        reference: np.ndarray
        reference_sigma: np.ndarray

    class NumberLike(Protocol):
        """A number with its interval; see `groundshift.validate.record.Number`."""

        name: str
        value: float
        low: float
        high: float
        requirement: Any


_DRAWN = 20_000
_LABELLED = 5
_SERIES = 6


def agreement_figure(found: ComparisonLike, *, unit: str, names: tuple[str, str]) -> Figure:
    """Product against reference, differences by place, and double differences by distance.

    Parameters
    ----------
    found
        The product at places where a reference is known.
    unit
        Of both.
    names
        Of the reference and the product.
    """
    figure = new_figure(11.5, 3.8)
    first, second, third = figure.subplots(1, 3)
    reference, product = found.reference, found.product
    first.errorbar(reference, product, found.product_sigma, found.reference_sigma, fmt="o", color=FIRST, markersize=4,
                   elinewidth=0.8)  # fmt: skip
    bars = [np.nan_to_num(each) for each in (found.reference_sigma, found.product_sigma)]
    ends = np.array([min((a - b).min() for a, b in zip((reference, product), bars, strict=True)),
                     max((a + b).max() for a, b in zip((reference, product), bars, strict=True))])  # fmt: skip
    ends += np.array([-0.06, 0.06]) * max(np.ptp(ends), 1e-6)
    first.plot(ends, ends, color=TRUTH, linewidth=0.9)
    first.set(xlabel=f"{names[0]} ({unit})", ylabel=f"{names[1]} ({unit})", xlim=ends, ylim=ends)
    first.set_title("each against the other, ± 1 σ", fontsize=9, loc="left")
    difference = product - reference
    order = np.argsort(difference)
    sigma = np.hypot(found.product_sigma, found.reference_sigma)[order]
    rank = np.arange(len(order))
    second.errorbar(difference[order], rank, xerr=1.96 * sigma, fmt="o", color=FIRST, markersize=3.5, elinewidth=0.8)
    second.axvline(0, color=TRUTH, linewidth=0.9)
    shown = rank if len(rank) <= 25 else np.r_[rank[:_LABELLED], rank[-_LABELLED:]]
    second.set_yticks(shown, found.name[order][shown], fontsize=6)
    second.set(xlabel=f"{names[1]} − {names[0]} ({unit})")
    second.set_title("differences in order, 95 %", fontsize=9, loc="left")
    i, j = np.triu_indices(len(product), 1)
    distance = np.linalg.norm(found.positions[i] - found.positions[j], axis=1) / 1000
    double = np.abs(difference[i] - difference[j])
    third.plot(distance, double, ".", color=FIRST, markersize=2.5, alpha=0.45)
    _running(third, distance, double)
    third.set(xlabel="distance of the two (km)", ylabel=f"|double difference| ({unit})", ylim=(0, None))
    third.set_title("pairs, and √(mean square / 2) in steps", fontsize=9, loc="left")
    return figure


def _running(axes: Axes, distance: np.ndarray, double: np.ndarray) -> None:
    """Error per station, of equal numbers of pairs."""
    order = np.argsort(distance)
    for part in np.array_split(order, min(8, max(1, len(order) // 12))):
        level = np.sqrt(np.mean(double[part] ** 2) / 2)
        axes.plot(distance[part][[0, -1]], [level, level], color=SECOND, linewidth=2)


def series_figure(details: dict[str, np.ndarray]) -> Figure:
    """Series of points and stations where they differ most, and the error of every station.

    Parameters
    ----------
    details
        As of :func:`groundshift.validate.checks.check_series`.
    """
    rest, names, days = details["residual"], details["name"], details["dates"]
    error = np.sqrt(np.nanmean(rest**2, axis=1))
    shown = np.argsort(-error)[:_SERIES]
    count = len(shown)
    figure = new_figure(11, 1.35 * count + 1)
    left, right = figure.subfigures(1, 2, width_ratios=(3, 1))
    for axes, k in zip(np.atleast_1d(left.subplots(count, 1, sharex=True)), shown, strict=True):
        points, station = details["points"][k], details["stations"][k]
        axes.plot(days, station - np.nanmean(station), ".", color="0.55", markersize=3, label="GNSS")
        axes.plot(
            days, points - np.nanmean(points[np.isfinite(station)]), "o", color=FIRST, markersize=2.5, label="points"
        )
        axes.set_ylabel("mm", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.set_title(f"{names[k]}: error {error[k]:.1f} mm", fontsize=8, loc="left", pad=2)
    left.axes[0].legend(fontsize=7, ncols=2, loc="upper right", frameon=False)
    axes = right.subplots()
    order = np.argsort(error)
    axes.barh(np.arange(len(order)), error[order], color=FIRST, height=0.7)
    ticks = np.arange(len(order)) if len(order) <= 30 else np.arange(0, len(order), len(order) // 20)
    axes.set_yticks(ticks, names[order][ticks], fontsize=6)
    axes.set_xlabel("error of a station (mm)", fontsize=8)
    return figure


def pairs_figure(reference: np.ndarray, product: np.ndarray, *, names: tuple[str, str]) -> Figure:
    """Many velocities against others, and the differences."""
    figure = new_figure(9, 3.8)
    first, second = figure.subplots(1, 2)
    _density_scatter(first, reference, product)
    first.set(xlabel=f"{names[0]} (mm/yr)", ylabel=f"{names[1]} (mm/yr)")
    _histogram(second, product - reference, f"{names[1]} − {names[0]} (mm/yr)")
    return figure


def tracks_figure(details: dict[str, Any]) -> Figure:
    """Two tracks cell by cell: one against the other, the differences, and where they are."""
    figure = new_figure(12, 3.9)
    first, second, third = figure.subplots(1, 3, width_ratios=(1, 1, 1.3))
    figure.suptitle(f"{details['pair']}, vertical projection", fontsize=9, x=0.01, ha="left")
    one, other = details["first"], details["second"]
    _density_scatter(first, one, other)
    first.set(xlabel="first track (mm/yr)", ylabel="second track (mm/yr)")
    difference = details["difference"]
    _histogram(second, difference, "first − second (mm/yr)")
    middle = np.median(difference)
    limit = symmetric_limit(difference - middle)
    place = details["positions"]
    size = float(np.clip(20_000 / max(len(place), 1), 1.5, 14))
    drawn = third.scatter(*place.T, c=difference - middle, s=size, marker="s", cmap=DIVERGING, vmin=-limit, vmax=limit,
                          linewidths=0)  # fmt: skip
    third.set_aspect("equal")
    third.set(xticks=[], yticks=[], facecolor="0.85")
    third.set_title("difference less its median", fontsize=9, loc="left")
    scale_bar(third, max(float(np.ptp(third.get_xlim())), 1.0))
    figure.colorbar(drawn, ax=third, label="← first is lower   mm/yr   first is higher →", shrink=0.85, extend="both")
    return figure


def density_figure(found: dict[str, list[NumberLike]]) -> Figure:
    """Density of each class with its interval, and what is asked for."""
    figure = new_figure(9, 1.2 + 0.5 * sum(len(each) for each in found.values()))
    axes = figure.subplots()
    numbers = [number for each in found.values() for number in each][::-1]
    rows = np.arange(len(numbers))
    values = np.array([each.value for each in numbers])
    spread = np.abs(np.array([[each.low, each.high] for each in numbers]).T - values)
    axes.barh(
        rows, values, color=FIRST, height=0.55, xerr=np.nan_to_num(spread), error_kw={"elinewidth": 1.2, "capsize": 3}
    )
    asked = [(row, number.requirement.low) for row, number in zip(rows, numbers, strict=True) if number.requirement]
    if asked:
        at, limits = np.array(asked).T
        axes.vlines(limits, at - 0.4, at + 0.4, color=SECOND, linewidth=2.5, label="required")
        axes.legend(fontsize=8, frameon=False, loc="best")
    axes.set_yticks(rows, [each.name for each in numbers], fontsize=8)
    axes.set_xlabel("points per km², 95 % interval")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def noise_figure(details: dict[str, np.ndarray]) -> Figure:
    """Residuals, coherence, and the spread of pairs by distance."""
    parts = ["rmse"] + (["coherence"] if "coherence" in details else [])
    figure = new_figure(4 * len(parts) + 4.5, 3.6)
    *left, last = figure.subplots(1, len(parts) + 1, width_ratios=[1] * len(parts) + [1.25])
    rmse = details["rmse"][np.isfinite(details["rmse"])]
    left[0].hist(rmse, bins=np.arange(-0.05, np.percentile(rmse, 99.8) + 0.2, 0.1), color=FIRST)
    left[0].set(xlabel="residual of the series, rmse (mm)", ylabel="points")
    if len(left) > 1:
        left[1].hist(details["coherence"], bins=COHERENCE_BINS, color=FIRST)
        left[1].set(xlabel="temporal coherence", xlim=(0, 1))
    good = np.isfinite(details["spread"])
    distance = details["distance"][good] / 1000
    last.fill_between(distance, details["low"][good], details["high"][good], color=FIRST, alpha=0.25, linewidth=0)
    last.plot(distance, details["spread"][good], "o-", color=FIRST, markersize=4, label="pairs of points, 95 %")
    last.plot([0.1, 50], [5, 5], color=SECOND, linewidth=1.5, linestyle=(0, (5, 3)), label="target")
    last.set(
        xscale="log", xlabel="distance of the two points (km)", ylabel="spread of velocities (mm/yr)", ylim=(0, None)
    )
    last.legend(fontsize=8, frameon=False)
    return figure


def inventory_figure(details: dict[str, Any]) -> Figure:
    """Outlines that are detected, missed and not seen, and the active areas."""
    figure = new_figure(8.5, 7)
    axes = figure.subplots()
    positions, velocity = details["positions"], details["velocity"]
    some = np.random.default_rng(0).permutation(len(positions))[:_DRAWN]
    limit = symmetric_limit(velocity)
    size = float(np.clip(40_000 / max(len(some), 1), 1.0, 12))
    drawn = axes.scatter(*positions[some].T, c=velocity[some], s=size, cmap=DIVERGING, vmin=-limit, vmax=limit,
                         linewidths=0, zorder=1)  # fmt: skip
    seen, detected = details["seen"], details["detected"]
    kinds = (
        (details["areas"], "0.15", 0.9, f"active areas: {len(details['areas'])}"),
        (details["outlines"][detected], "#2a7f3f", 2.0, f"detected: {int(detected.sum())}"),
        (details["outlines"][seen & ~detected], "#b02fa0", 2.0, f"missed: {int((seen & ~detected).sum())}"),
        (details["outlines"][~seen], "#e0a500", 1.4, f"too few points: {int((~seen).sum())}"),
    )
    for shapes, color, width, label in kinds:
        rings = shapely.get_parts(shapely.boundary(np.asarray(shapes, object)))
        lines = [shapely.get_coordinates(ring) for ring in rings]
        axes.add_collection(LineCollection(lines, colors=color, linewidths=width, label=label, zorder=3))
    axes.set_aspect("equal")
    axes.margins(0.03)
    axes.set(xticks=[], yticks=[], facecolor="0.85")
    scale_bar(axes, max(float(np.ptp(axes.get_xlim())), 1.0))
    figure.legend(loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    figure.colorbar(drawn, ax=axes, label=signed_label("mm/yr", details["toward"]), shrink=0.7, extend="both")
    return figure


def stable_figure(details: dict[str, np.ndarray]) -> Figure:
    """Displacement and standardised error on stable ground, component by component."""
    names = [name for name in ("east", "north", "up") if name in details]
    figure = new_figure(9, 2.7 * len(names))
    for row, (left, right) in zip(names, figure.subplots(len(names), 2, squeeze=False), strict=True):
        _histogram(left, details[row], f"{row} (m)")
        grid = np.linspace(-5, 5, 101)
        right.hist(details[f"{row}_standardised"], bins=grid, density=True, color=FIRST)
        right.plot(grid, np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi), color=SECOND, label="if sigmas are right")
        right.set(xlabel=f"{row} / sigma", yticks=[])
        right.legend(fontsize=8, frameon=False)
    return figure


def _density_scatter(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    low, high = np.percentile(np.concatenate([x, y]), [0.3, 99.7])
    edge = 0.1 * max(high - low, 1e-6)
    ends = low - edge, high + edge
    if len(x) > 2000:
        axes.hexbin(x, y, gridsize=60, extent=(*ends, *ends), bins="log", mincnt=1, cmap=SEQUENTIAL, linewidths=0)
    else:
        axes.plot(x, y, ".", color=FIRST, markersize=3, alpha=0.6)
    axes.plot(ends, ends, color=TRUTH, linewidth=0.9)
    axes.set(xlim=ends, ylim=ends)


def _histogram(axes: Axes, values: np.ndarray, label: str) -> None:
    middle, spread = np.median(values), np.percentile(np.abs(values - np.median(values)), 99.3)
    reach = max(float(spread), 1e-9)
    axes.hist(values, bins=60, range=(middle - reach, middle + reach), color=FIRST)
    axes.axvline(0, color=TRUTH, linewidth=0.9)
    axes.axvline(middle, color=SECOND, linewidth=1.4, label=f"median {middle:+.2g}".replace("-", "−"))
    axes.set(xlabel=label, yticks=[])
    axes.legend(fontsize=8, frameon=False)
