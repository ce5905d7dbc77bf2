"""A map of active areas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from groundshift.figures.style import DIVERGING, new_figure, scale_bar, signed_label, symmetric_limit

if TYPE_CHECKING:
    from groundshift.io.features import Features

_DRAWN = 60_000  # points, at most
_NUMBERED = 15


def areas_figure(positions: np.ndarray, velocity: np.ndarray, areas: Features, *, toward: str) -> Figure:
    """Points by velocity, and the outlines of active areas, the strongest numbered.

    Parameters
    ----------
    positions, velocity
        m, float (n, 2); mm/yr against the reference, float (n,).
    areas
        As of :class:`groundshift.products.active_areas.ActiveAreas`.
    toward
        Where points of positive velocity go.
    """
    figure = new_figure(9, 7.5)
    axes = figure.subplots()
    inside = shapely.contains_xy(shapely.union_all(areas.geometry), *positions.T)
    limit = symmetric_limit(velocity[inside]) if inside.any() else symmetric_limit(velocity)
    some = np.random.default_rng(0).permutation(len(positions))[:_DRAWN]
    some = some[np.argsort(np.abs(velocity[some]))]
    size = float(np.clip(80_000 / max(len(some), 1), 1.0, 14))
    drawn = axes.scatter(
        *positions[some].T, c=velocity[some], s=size, cmap=DIVERGING, vmin=-limit, vmax=limit, linewidths=0
    )
    rings = shapely.get_parts(shapely.get_exterior_ring(shapely.get_parts(areas.geometry)))
    lines = [shapely.get_coordinates(ring) for ring in rings]
    axes.add_collection(LineCollection(lines, colors="0.1", linewidths=1.1))
    for number, shape in enumerate(areas.geometry[:_NUMBERED], 1):
        x, _, _, y = shapely.bounds(shape)
        axes.annotate(
            str(number), (x, y), xytext=(-7, 5), textcoords="offset points", fontsize=8, fontweight="bold",
            bbox={"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "0.2", "linewidth": 0.6},
        )  # fmt: skip
    axes.set_aspect("equal")
    axes.margins(0.04)
    axes.set(xticks=[], yticks=[], facecolor="0.8")
    axes.set_title(f"{len(areas)} active areas among {len(positions):,} points", fontsize=10, loc="left")
    scale_bar(axes, max(float(np.ptp(axes.get_xlim())), 1.0))
    figure.colorbar(
        drawn, ax=axes, label=signed_label("mm/yr against the reference", toward), shrink=0.7, extend="both"
    )
    return figure
