"""One picture of a displacement map."""

from __future__ import annotations

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from groundshift.figures.style import (
    DIVERGING,
    INVALID,
    SEQUENTIAL,
    new_figure,
    nice,
    scale_bar,
    signed_label,
    symmetric_limit,
)

_LARGEST = 1500  # pixels a side that are drawn
_ARROWS = 22  # along the longer side


def quicklook(dataset: xr.Dataset, *, title: str | None = None) -> Figure:
    """East, north, magnitude with arrows, and uncertainty of a displacement map, in metres.

    Large maps are thinned to 1500 pixels a side, so that memory does not grow with them.

    Parameters
    ----------
    dataset
        A displacement map (see :mod:`groundshift.model.displacement`), also a lazy one.
    """
    stride = max(1, int(np.ceil(max(dataset.sizes["y"], dataset.sizes["x"]) / _LARGEST)))
    thin = dataset[["east", "north", "east_sigma", "north_sigma"]].isel(
        y=slice(stride // 2, None, stride), x=slice(stride // 2, None, stride)
    )
    east, north, east_sigma, north_sigma = (thin[name].values.astype(float) for name in thin)
    x, y = dataset["x"].values, dataset["y"].values
    half_x, half_y = (abs(c[1] - c[0]) / 2 if len(c) > 1 else 0.5 for c in (x, y))
    extent = (x.min() - half_x, x.max() + half_x, y.min() - half_y, y.max() + half_y)
    aspect = (extent[3] - extent[2]) / (extent[1] - extent[0])

    figure = new_figure(11, 1.6 + 8.0 * min(max(aspect, 0.3), 2))
    axes = figure.subplots(2, 2, sharex=True, sharey=True)
    limit = symmetric_limit(east, north)
    for panel, values, name in ((axes[0, 0], east, "east"), (axes[0, 1], north, "north")):
        image = panel.imshow(values, extent=extent, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
        figure.colorbar(image, ax=panel, label=signed_label("displacement (m)", name), extend="both", shrink=0.85)
        panel.set_title(name.capitalize())
    _magnitude(figure, axes[1, 0], east, north, extent)
    _uncertainty(figure, axes[1, 1], np.hypot(east_sigma, north_sigma), extent)

    for panel in axes.flat:
        panel.set_aspect("equal")
        panel.ticklabel_format(style="plain", useOffset=False)
        panel.tick_params(labelsize=7)
        panel.locator_params(nbins=4)
        scale_bar(panel, extent[1] - extent[0])
    axes[1, 0].set_xlabel("easting (m)")
    axes[1, 0].set_ylabel("northing (m)")
    if not np.isfinite(east).all():
        axes[0, 1].legend(handles=[Patch(color=INVALID, label="no measurement")], loc="upper right", fontsize=7)
    figure.suptitle(title or _title(dataset), fontsize=11)
    return figure


def _sequential() -> matplotlib.colors.Colormap:
    return matplotlib.colormaps[SEQUENTIAL].with_extremes(bad=INVALID)


def _magnitude(figure: Figure, panel: Axes, east: np.ndarray, north: np.ndarray, extent: tuple[float, ...]) -> None:
    magnitude = np.hypot(east, north)
    finite = magnitude[np.isfinite(magnitude)]
    top = nice(float(np.percentile(finite, 98))) if finite.size else 1.0
    image = panel.imshow(magnitude, extent=extent, cmap=_sequential(), vmin=0, vmax=top, interpolation="nearest")
    figure.colorbar(image, ax=panel, label="displacement (m)", extend="max", shrink=0.85)
    panel.set_title("Magnitude, and direction")
    rows, cols = magnitude.shape
    block = max(1, max(rows, cols) // _ARROWS)
    e, n = (_block_medians(each, block) for each in (east, north))
    if not np.isfinite(e).any():
        return
    x = extent[0] + (np.arange(e.shape[1]) + 0.5) * block * (extent[1] - extent[0]) / cols
    y = extent[3] - (np.arange(e.shape[0]) + 0.5) * block * (extent[3] - extent[2]) / rows
    spacing = block * (extent[1] - extent[0]) / cols
    scale = max(float(np.nanpercentile(np.hypot(e, n), 95)), 1e-12) / (1.3 * spacing)
    arrows = panel.quiver(
        *np.meshgrid(x, y), e, n, angles="xy", scale_units="xy", scale=scale, color="white", edgecolor="black",
        linewidth=0.4, width=0.004,
    )  # fmt: skip
    key = nice(top / 2)
    panel.quiverkey(arrows, 0.86, 1.03, key, f"{key:g} m", labelpos="E", color="black", fontproperties={"size": 8})


def _block_medians(values: np.ndarray, block: int) -> np.ndarray:
    """Medians of square blocks, NaN where less than half of a block is finite."""
    rows, cols = (max(1, side // block) for side in values.shape)
    block_y, block_x = (min(block, side) for side in values.shape)
    cut = values[: rows * block_y, : cols * block_x].reshape(rows, block_y, cols, block_x)
    cut = cut.transpose(0, 2, 1, 3).reshape(rows, cols, -1)
    enough = np.isfinite(cut).mean(axis=-1) >= 0.5
    medians = np.full((rows, cols), np.nan)
    medians[enough] = np.nanmedian(cut[enough], axis=-1)
    return medians


def _uncertainty(figure: Figure, panel: Axes, sigma: np.ndarray, extent: tuple[float, ...]) -> None:
    finite = sigma[np.isfinite(sigma)]
    top = nice(float(np.percentile(finite, 95))) if finite.size else 1.0
    image = panel.imshow(sigma, extent=extent, cmap=_sequential(), vmin=0, vmax=top, interpolation="nearest")
    figure.colorbar(image, ax=panel, label="one standard deviation, both components (m)", extend="max", shrink=0.85)
    panel.set_title("Uncertainty")


def _title(dataset: xr.Dataset) -> str:
    dates = [dataset.attrs.get(name) or "unknown date" for name in ("date_pre", "date_post")]
    return f"Displacement from {dates[0]} to {dates[1]} ({dataset.attrs.get('method', 'unknown method')})"
