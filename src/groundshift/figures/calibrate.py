"""What a calibration did, and what a velocity model is like."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from groundshift.figures.style import (
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
from groundshift.model.stations import COMPONENTS, StationVelocities

_PANEL = 200.0  # typographic points: about the side of a map


def calibrate_figure(
    places: np.ndarray, descending: np.ndarray, before: np.ndarray, after: np.ndarray, report: dict[str, Any]
) -> Figure:
    """Velocities of cells before and after, for both orbits, and how points and stations agree.

    Parameters
    ----------
    places
        Easting and northing of cells, (n, 2), m.
    descending
        Which are seen from a descending orbit, bool (n,).
    before, after
        Velocity toward the satellite, (n,), mm/yr.
    report
        Of the calibration; `held_out_stations` and `cross_validation` are drawn if they are there.
    """
    figure = new_figure(14, 8)
    panels = figure.subplots(2, 3, width_ratios=(1, 1, 0.8))
    shift = places - places.min(axis=0)
    size = float(np.clip(_PANEL**2 / max(descending.sum(), (~descending).sum(), 1), 9, 150))
    for row, (name, side) in enumerate((("ascending", ~descending), ("descending", descending))):
        for column, (what, values) in enumerate((("before", before), ("after", after))):
            limit = symmetric_limit(values)
            drawn = panels[row, column].scatter(*shift[side].T, c=values[side], s=size, cmap=DIVERGING, vmin=-limit,
                                                vmax=limit, marker="s", linewidths=0)  # fmt: skip
            panels[row, column].set(xlim=(-0.03 * np.ptp(shift[:, 0]), 1.03 * np.ptp(shift[:, 0])),
                                    ylim=(-0.03 * np.ptp(shift[:, 1]), 1.03 * np.ptp(shift[:, 1])))  # fmt: skip
            _map(panels[row, column], f"{name}, {what}")
            figure.colorbar(
                drawn, ax=panels[row, column], label=signed_label("mm/yr", "toward the satellite"), shrink=0.8,
                extend="both",
            )  # fmt: skip
    _differences(panels[0, 2], report)
    _overlaps(panels[1, 2], report)
    return figure


def velocity_model_figure(
    stations: StationVelocities, error: np.ndarray, x: np.ndarray, y: np.ndarray, velocity: np.ndarray,
    sigma: np.ndarray,
) -> Figure:  # fmt: skip
    """Maps of a velocity model with its stations: horizontal arrows, upward, their sigma, and leave-one-out errors.

    Parameters
    ----------
    stations
        Of the model.
    error
        Leave-one-out error over its sigma, (n, 3).
    x, y
        Nodes of a grid in degrees of longitude (columns,) and latitude (rows,).
    velocity, sigma
        At the nodes, (rows, columns, 3), mm/yr.
    """
    figure = new_figure(13, 9)
    panels = figure.subplots(2, 2)
    extent = (x[0], x[-1], y[0], y[-1])
    aspect = 1 / np.cos(np.radians(y.mean()))
    limit = symmetric_limit(velocity[..., 2])
    shown = {"aspect": aspect, "origin": "lower", "extent": extent}
    up = panels[0, 0].imshow(velocity[..., 2], DIVERGING, vmin=-limit, vmax=limit, **shown)
    panels[0, 0].scatter(stations.longitude, stations.latitude, c=stations.velocity[:, 2], s=18, cmap=DIVERGING,
                         vmin=-limit, vmax=limit, edgecolors="black", linewidths=0.5)  # fmt: skip
    figure.colorbar(up, ax=panels[0, 0], label=signed_label("mm/yr", "up"), shrink=0.85)
    size = np.hypot(velocity[..., 0], velocity[..., 1])
    level = panels[0, 1].imshow(size, SEQUENTIAL, **shown)
    step = max(1, len(x) // 20)
    length = max(float(np.nanpercentile(size, 95)), 1e-3)
    arrows = {"scale": 12 * length, "width": 0.003, "zorder": 3}
    panels[0, 1].quiver(
        x[::step], y[::step], *np.moveaxis(velocity[::step, ::step, :2], -1, 0), color="white", **arrows
    )
    drawn = panels[0, 1].quiver(stations.longitude, stations.latitude, *stations.velocity[:, :2].T, color=SECOND,
                                **arrows)  # fmt: skip
    panels[0, 1].quiverkey(drawn, 0.08, 1.035, length, f"{length:.2g} mm/yr", labelpos="E")
    panels[0, 1].set_title("stations red, model white", fontsize=10, loc="right")
    figure.colorbar(level, ax=panels[0, 1], label="horizontal speed, mm/yr", shrink=0.85)
    spread = panels[1, 0].imshow(sigma[..., 2], SEQUENTIAL, **shown)
    panels[1, 0].plot(stations.longitude, stations.latitude, "^", color="white", markersize=3)
    figure.colorbar(spread, ax=panels[1, 0], label="sigma upward, mm/yr", shrink=0.85)
    for panel in panels.ravel()[:3]:
        panel.set(xlim=extent[:2], ylim=extent[2:], xlabel="longitude, degrees", ylabel="latitude, degrees")
    bins = np.linspace(-5, 5, 41)
    for number, (name, colour) in enumerate(zip(COMPONENTS, (FIRST, SECOND, TRUTH), strict=True)):
        values = error[np.isfinite(error[:, number]), number]
        panels[1, 1].hist(np.clip(values, -5, 5), bins, histtype="step", color=colour, linewidth=1.6,
                          label=f"{name}, variance {np.mean(values**2):.2f}")  # fmt: skip
    normal = np.exp(-0.5 * bins**2) / np.sqrt(2 * np.pi) * len(error) * (bins[1] - bins[0])
    panels[1, 1].plot(bins, normal, color="black", linewidth=0.8, label="expected")
    panels[1, 1].set(xlabel="station less prediction from all others, over its sigma", ylabel="stations")
    panels[1, 1].legend(fontsize=8)
    return figure


def _map(panel: Axes, title: str) -> None:
    panel.set_aspect("equal")
    panel.set(xticks=[], yticks=[], facecolor="0.9")
    panel.set_title(title, fontsize=10)
    scale_bar(panel, max(float(np.ptp(panel.get_xlim())), 1.0))


def _differences(panel: Axes, report: dict[str, Any]) -> None:
    """Points less stations, in the order of their sigma."""
    drawn = False
    for key, name, colour in (("cross_validation", "each held out in turn", FIRST),
                              ("held_out_stations", "held out", SECOND)):  # fmt: skip
        pairs = sorted(report.get(key, {}).get("each", []), key=lambda each: each["difference"])
        if pairs:
            drawn = True
            share = (np.arange(len(pairs)) + 0.5) / len(pairs)
            panel.errorbar([each["difference"] for each in pairs], share, xerr=[each["sigma"] for each in pairs],
                           fmt="o", color=colour, markersize=3, elinewidth=0.5,
                           label=f"{name}:\nrms {report[key]['rms']:.2f} mm/yr, {len(pairs)} pairs")  # fmt: skip
    if not drawn:
        panel.axis("off")
        panel.text(0.05, 0.5, "no stations to compare with")
        return
    panel.axvline(0, color=TRUTH, linewidth=0.8)
    panel.set(ylabel="share of pairs")
    panel.set_xlabel("points less station, mm/yr toward the satellite", fontsize=9)
    panel.legend(fontsize=8, loc="upper left")


def _overlaps(panel: Axes, report: dict[str, Any]) -> None:
    found = report["overlaps"]
    if not found["cells"]:
        panel.axis("off")
        panel.text(0.05, 0.5, "no tracks overlap")
        return
    values = [found[name]["rms"] for name in ("before", "after")]
    bars = panel.bar(["before", "after"], values, color=[SECOND, FIRST], width=0.6)
    panel.bar_label(bars, fmt="%.2f mm/yr")
    panel.set(ylabel="rms difference, mm/yr", ylim=(0, 1.15 * max(values)))
    panel.set_title(f"two tracks of one orbit in {found['cells']} cells that both see", fontsize=9)
