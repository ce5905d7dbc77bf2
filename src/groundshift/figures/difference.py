"""Two displacement maps side by side, and their difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from matplotlib.figure import Figure

from groundshift.figures.style import DIVERGING, SEQUENTIAL, TRUTH, new_figure, nice, scale_bar, signed_label

if TYPE_CHECKING:

    class AgreementLike(Protocol):
        """How a component agrees; see `groundshift.optical.compare.Agreement`."""

        plane: np.ndarray
        spread: float
        slope: float

    class ComparisonLike(Protocol):
        """Two maps on one grid; see `groundshift.optical.compare.MapComparison`."""

        first: np.ndarray
        second: np.ndarray
        agreement: dict[str, AgreementLike]
        metres: tuple[float, float]  # height and width of a pixel
        unit: str
        ramp: bool


def difference_figure(found: ComparisonLike, names: tuple[str, str]) -> Figure:
    """East and north of both maps, their difference without offset or ramp, and one against the other.

    Parameters
    ----------
    found
        The comparison.
    names
        Of the two maps.
    """
    rows, columns = found.first.shape[1:]
    extent = (0, columns * found.metres[1], 0, rows * found.metres[0])
    figure = new_figure(15, 1.6 + 7.0 * min(max(extent[3] / extent[1], 0.45), 1.6))
    axes = figure.subplots(2, 4, width_ratios=(1, 1, 1, 0.95))
    for c, (row, (name, agreement)) in enumerate(zip(axes, found.agreement.items(), strict=True)):
        one, other = found.first[c], found.second[c]
        difference = other - one - agreement.plane
        limit = nice(float(np.nanpercentile(np.abs([one, other]), 97)))
        apart = nice(max(4 * agreement.spread, 1e-9))
        for panel, values, top, title in (
            (row[0], one, limit, "first"),
            (row[1], other, limit, "second"),
            (row[2], difference, apart, f"second − first, without {'a ramp' if found.ramp else 'the offset'}"),
        ):
            image = panel.imshow(values, extent=extent, cmap=DIVERGING, vmin=-top, vmax=top, interpolation="nearest")
            panel.set(xticks=[], yticks=[])
            panel.set_title(f"{name}, {title}", fontsize=10)
            scale_bar(panel, extent[1])
            figure.colorbar(image, ax=panel, label=signed_label(found.unit, name), extend="both", shrink=0.8)
        _scatter(figure, row[3], one, other - agreement.plane, limit, found.unit)
        row[3].set_title(f"spread {agreement.spread:.2g} {found.unit}, slope {agreement.slope:.2f}", fontsize=10)
    figure.suptitle(f"first: {names[0]}    second: {names[1]}", fontsize=11)
    return figure


def _scatter(figure: Figure, panel, one: np.ndarray, other: np.ndarray, limit: float, unit: str) -> None:
    both = np.isfinite(one) & np.isfinite(other)
    image = panel.hexbin(
        one[both], other[both], gridsize=60, extent=(-limit, limit, -limit, limit), bins="log", mincnt=1,
        cmap=SEQUENTIAL, linewidths=0,
    )  # fmt: skip
    panel.plot([-limit, limit], [-limit, limit], color=TRUTH, linewidth=0.8)
    panel.set(xlim=(-limit, limit), ylim=(-limit, limit), xlabel=f"first ({unit})", ylabel=f"second ({unit})")
    panel.set_aspect("equal")
    figure.colorbar(image, ax=panel, label="pixels", shrink=0.8)
