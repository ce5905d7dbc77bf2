"""One picture of a displacement map."""

from __future__ import annotations

import matplotlib
import numpy as np
import rioxarray  # noqa: F401  (registers the .rio accessor)
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
)
from groundshift.model.displacement import period

_LARGEST = 1500  # pixels a side that are drawn
_ARROWS = 22  # along the longer side
_LEAST = 0.08  # of the largest colour: smaller motion has no arrow
_CLEAR, _SOME = 5.0, 0.05  # sigmas; share of the pixels


def quicklook(dataset: xr.Dataset, *, title: str | None = None) -> Figure:
    """East, north, magnitude with arrows, and uncertainty of a displacement map, in metres (of a velocity, m/yr).

    Large maps are thinned to 1500 pixels a side, so that memory does not grow with them. Colours reach as far as 98 %
    of the values, each with the weight of its certainty, so that noise on water or clouds does not set them, and as far
    as 95 % of those that are clearly not 0, if they are no few. Arrows are drawn where most pixels around are more than
    one sigma from 0.

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

    figure = new_figure(min(11, 4 + 9.6 / aspect), 1.6 + 8.0 * min(max(aspect, 0.3), 1.2))
    axes = figure.subplots(2, 2, sharex=True, sharey=True)
    sigma = np.hypot(east_sigma, north_sigma)
    limit = _reach(np.abs(np.stack([east, north])), np.stack([sigma, sigma]))
    unit = "m" if dataset.attrs.get("quantity", "displacement") == "displacement" else "m/yr"
    what = f"{dataset.attrs.get('quantity', 'displacement')} ({unit})"
    for panel, values, name in ((axes[0, 0], east, "east"), (axes[0, 1], north, "north")):
        image = panel.imshow(values, extent=extent, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
        figure.colorbar(image, ax=panel, label=signed_label(what, name), extend="both", shrink=0.85)
        panel.set_title(name.capitalize())
    _magnitude(figure, axes[1, 0], east, north, sigma, extent, unit)
    _uncertainty(figure, axes[1, 1], sigma, extent, unit)

    for panel in axes.flat:
        panel.set_aspect("equal")
        panel.ticklabel_format(style="plain", useOffset=False)
        panel.tick_params(labelsize=7)
        panel.locator_params(nbins=4)
        scale_bar(panel, extent[1] - extent[0])
    code = dataset.rio.crs.to_epsg()
    axes[1, 0].set_xlabel("easting (m)" + (f", EPSG:{code}" if code else ""))
    axes[1, 0].set_ylabel("northing (m)")
    if not np.isfinite(east).all():
        axes[0, 1].legend(handles=[Patch(color=INVALID, label="no measurement")], loc="upper right", fontsize=7)
    figure.suptitle(title or _title(dataset), fontsize=11)
    return figure


def _sequential() -> matplotlib.colors.Colormap:
    return matplotlib.colormaps[SEQUENTIAL].with_extremes(bad=INVALID)


def _reach(sizes: np.ndarray, sigma: np.ndarray) -> float:
    """A round number that holds 98 % of the finite sizes, each counted by how certain it is, and of the clear ones.

    Those count if they are no few: fast ground is less certain than the rest, and of noise only a little is clear.
    """
    finite = np.isfinite(sizes) & np.isfinite(sigma)
    if not finite.any():
        return 1.0
    sizes, sigma = sizes[finite], sigma[finite]
    weight = 1 / np.maximum(sigma, np.median(sigma))
    reach, clear = _within(0.98, sizes, weight), sizes > _CLEAR * sigma
    if clear.mean() >= _SOME:
        reach = max(reach, _within(0.95, sizes[clear], weight[clear]))
    return nice(reach)


def _within(share: float, sizes: np.ndarray, weight: np.ndarray) -> float:
    """The size within which that share of the weight lies."""
    order = np.argsort(sizes)
    total = np.cumsum(weight[order])
    return float(sizes[order][np.searchsorted(total, share * total[-1])])


def _magnitude(
    figure: Figure,
    panel: Axes,
    east: np.ndarray,
    north: np.ndarray,
    sigma: np.ndarray,
    extent: tuple[float, ...],
    unit: str,
) -> None:
    magnitude = np.hypot(east, north)
    top = _reach(magnitude, sigma)
    image = panel.imshow(magnitude, extent=extent, cmap=_sequential(), vmin=0, vmax=top, interpolation="nearest")
    figure.colorbar(image, ax=panel, label=f"magnitude ({unit})", extend="max", shrink=0.85)
    panel.set_title("Magnitude, and direction", loc="left")
    clear = (magnitude > sigma) & (magnitude > _LEAST * top)
    east, north = (np.where(clear, each, np.nan) for each in (east, north))
    rows, cols = magnitude.shape
    block = max(1, max(rows, cols) // _ARROWS)
    e, n = (_block_medians(each, block) for each in (east, north))
    if not np.isfinite(e).any():
        return
    x = extent[0] + (np.arange(e.shape[1]) + 0.5) * min(block, cols) * (extent[1] - extent[0]) / cols
    y = extent[3] - (np.arange(e.shape[0]) + 0.5) * min(block, rows) * (extent[3] - extent[2]) / rows
    spacing = block * (extent[1] - extent[0]) / cols
    scale = max(float(np.nanpercentile(np.hypot(e, n), 90)), 1e-12) / (1.3 * spacing)
    lengthened = np.hypot(e, n) / (3 * spacing * scale)  # arrows of outliers reach no further than three spacings
    e, n = (each / np.maximum(lengthened, 1) for each in (e, n))
    arrows = panel.quiver(
        *np.meshgrid(x, y), e, n, angles="xy", scale_units="xy", scale=scale, color="white", edgecolor="black",
        linewidth=0.4, width=0.004,
    )  # fmt: skip
    key = nice(top / 2)
    panel.quiverkey(arrows, 0.86, 1.03, key, f"{key:g} {unit}", labelpos="E", color="black", fontproperties={"size": 8})


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


def _uncertainty(figure: Figure, panel: Axes, sigma: np.ndarray, extent: tuple[float, ...], unit: str) -> None:
    top = _reach(sigma, sigma)
    image = panel.imshow(sigma, extent=extent, cmap=_sequential(), vmin=0, vmax=top, interpolation="nearest")
    figure.colorbar(image, ax=panel, label=f"standard deviation ({unit})", extend="max", shrink=0.85)
    panel.set_title("Uncertainty of both components")


def _title(dataset: xr.Dataset) -> str:
    quantity = dataset.attrs.get("quantity", "displacement").capitalize()
    return f"{quantity} {period(dataset.attrs)} ({dataset.attrs.get('method', 'unknown method')})"
