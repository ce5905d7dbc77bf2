"""What an *Ortho* product looks like."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure

from groundshift.figures.style import DIVERGING, FIRST, INVALID, SECOND, TRUTH, new_figure, scale_bar, symmetric_limit
from groundshift.model.points import dates, series

_LARGEST = 1200  # cells a side that are drawn


def ortho_figure(east: pa.Table, up: pa.Table) -> Figure:
    """Maps of velocity east and up, and the series of the cells that move most in each direction.

    Parameters
    ----------
    east, up
        Point sets of level L3 with the same cells; see :mod:`groundshift.model.points`.
    """
    figure = new_figure(12, 8)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.6, 1))
    panels = top.subplots(1, 2, sharex=True, sharey=True)
    velocities = [table["mean_velocity"].to_numpy() for table in (east, up)]
    limit = symmetric_limit(*velocities)
    x, y = (east[name].to_numpy() for name in ("easting", "northing"))
    for panel, values, name in zip(panels, velocities, ("east", "up"), strict=True):
        image, extent = _raster(x, y, values)
        drawn = panel.imshow(
            image, extent=extent, origin="lower", cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest"
        )
        panel.set(xticks=[], yticks=[], facecolor=INVALID)
        panel.set_title(f"velocity {name}, {np.isfinite(values).sum()} cells, EGMS level L3", fontsize=10)
        scale_bar(panel, extent[1] - extent[0])
        top.colorbar(drawn, ax=panel, label=f"mm/yr, positive {name}", shrink=0.8, extend="both")
    days = dates(east)
    chosen = {
        f"{way} {name}": int(pick(np.nan_to_num(values, nan=np.nanmedian(values))))
        for values, name in zip(velocities, ("east", "up"), strict=True)
        for way, pick in (("least", np.argmin), ("most", np.argmax))
    }
    for panel, (name, cell) in zip(bottom.subplots(1, 4, sharey=True), chosen.items(), strict=True):
        for table, colour, label in ((east, FIRST, "east"), (up, SECOND, "up")):
            panel.plot(days, series(table)[cell], ".", color=colour, markersize=2.5, label=label)
        panel.axhline(0, color=TRUTH, linewidth=0.5)
        panel.set_title(f"{name}: {east['pid'][cell]}", fontsize=9)
        panel.tick_params(axis="x", rotation=30, labelsize=7)
        if name == next(iter(chosen)):
            panel.set_ylabel("displacement (mm)")
            panel.legend(fontsize=8, markerscale=3)
    return figure


def _raster(x: np.ndarray, y: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    """Values on a grid whose first row is south, thinned if large, and its extent in metres."""
    steps = [np.diff(np.unique(each)) for each in (x, y)]
    size = min((float(each.min()) for each in steps if each.size), default=100.0)
    column, row = (np.rint((each - each.min()) / size).astype(int) for each in (x, y))
    stride = 1 + max(int(column.max()), int(row.max())) // _LARGEST
    image = np.full((row.max() // stride + 1, column.max() // stride + 1), np.nan)
    image[row // stride, column // stride] = values
    side = size * stride
    west, south = x.min() - size / 2, y.min() - size / 2
    return image, (west, west + image.shape[1] * side, south, south + image.shape[0] * side)
