"""What a point set looks like."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from groundshift.figures.style import (
    COHERENCE_BINS,
    DIVERGING,
    FIRST,
    INVALID,
    LABEL_BOX,
    SECOND,
    TRUTH,
    new_figure,
    scale_bar,
    signed_label,
    symmetric_limit,
)
from groundshift.kernels.series_fields import YEAR, seasonal_design
from groundshift.model.points import dates, series


def points_figure(table: pa.Table, *, of: int | None = None) -> Figure:
    """Map of velocity, histogram of temporal coherence, and four series with the model fitted to them.

    The series are those of the lowest and the highest velocity, of the largest season, and of the median velocity,
    among points whose coherence is not below the median. The model is cubic with a yearly season.

    Parameters
    ----------
    table
        Point set of level L2a or L2b with two points or more.
    of
        Points that there are, if the table is a sample of them.
    """
    figure = new_figure(12, 8)
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.1))
    top, bottom = left.subplots(2, 1, height_ratios=(3, 1))
    velocity = table["mean_velocity"].to_numpy()
    east, north = table["easting"].to_numpy(), table["northing"].to_numpy()
    _map(left, top, east - east.min(), north - north.min(), velocity)
    some = "" if of in (None, len(table)) else f"{len(table)} of "
    top.set_title(f"mean velocity of {some}{of or len(table)} points", fontsize=10)
    bottom.hist(table["temporal_coherence"].to_numpy(), bins=COHERENCE_BINS, color=FIRST)
    bottom.set(xlabel="temporal coherence", ylabel="points", xlim=(0, 1))
    panels = right.subplots(4, 1, sharex=True)
    days = dates(table)
    chosen = _examples(table)
    for panel, (name, point) in zip(panels, chosen.items(), strict=True):
        values = series(table)[point]
        panel.plot(days, values, "o", color=FIRST, markersize=3)
        panel.plot(*_fitted(days, values), color=SECOND, linewidth=1.2)
        panel.axhline(0, color=TRUTH, linewidth=0.5)
        said = f"{velocity[point]:.1f} ± {table['mean_velocity_std'].to_numpy()[point]:.1f} mm/yr".replace("-", "−")
        panel.set_title(f"{name}: {table['pid'][point]}, {said}", fontsize=9, loc="left")
        panel.set_ylabel("mm")
        _name(top, name, east[point] - east.min(), north[point] - north.min())
    panels[0].figure.suptitle("displacement toward the satellite", fontsize=10)
    panels[-1].tick_params(axis="x", rotation=20)
    return figure


def _map(figure: Figure, panel: Axes, east: np.ndarray, north: np.ndarray, velocity: np.ndarray) -> None:
    limit = symmetric_limit(velocity)
    size = float(np.clip(20_000 / len(east), 0.5, 12))
    drawn = panel.scatter(east, north, c=velocity, s=size, cmap=DIVERGING, vmin=-limit, vmax=limit, linewidths=0)
    panel.set_aspect("equal")
    panel.set(xticks=[], yticks=[], facecolor=INVALID)
    scale_bar(panel, max(float(np.ptp(panel.get_xlim())), 1.0))
    figure.colorbar(drawn, ax=panel, label=signed_label("mm/yr", "toward the satellite"), shrink=0.8, extend="both")


def _name(panel: Axes, name: str, east: float, north: float) -> None:
    """A ring around a point, and its name, legible on any colour; toward the middle of the map."""
    panel.plot(east, north, "o", markersize=7, markerfacecolor="none", markeredgecolor="white", markeredgewidth=2.6)
    panel.plot(east, north, "o", markersize=7, markerfacecolor="none", markeredgecolor="black", markeredgewidth=1.2)
    left = east < np.mean(panel.get_xlim())
    panel.annotate(
        name, (east, north), fontsize=8, xytext=(7 if left else -7, 5), textcoords="offset points",
        ha="left" if left else "right", bbox=LABEL_BOX,
    )  # fmt: skip


def _examples(table: pa.Table) -> dict[str, int]:
    """Rows of the points whose series are drawn."""
    velocity, season, coherence = (
        table[name].to_numpy() for name in ("mean_velocity", "seasonality", "temporal_coherence")
    )
    good = np.flatnonzero(coherence >= np.nanmedian(coherence))
    middle = np.abs(velocity[good] - np.median(velocity[good])).argmin()
    return {
        "lowest": int(good[velocity[good].argmin()]),
        "highest": int(good[velocity[good].argmax()]),
        "season": int(good[season[good].argmax()]),
        "median": int(good[middle]),
    }


def _fitted(days: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Days, and the model of a series on them, mm."""
    years = (days - days[0]) / np.timedelta64(1, "D") / YEAR
    fine = np.arange(days[0], days[-1] + np.timedelta64(1, "D"))
    there = np.isfinite(values)
    found = np.linalg.lstsq(seasonal_design(years[there]), values[there].astype(np.float64), rcond=None)[0]
    return fine, seasonal_design((fine - days[0]) / np.timedelta64(1, "D") / YEAR) @ found
