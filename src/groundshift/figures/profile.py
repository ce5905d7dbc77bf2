"""Pictures of profiles across a fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from matplotlib.figure import Figure

from groundshift.figures.style import FIRST, SECOND, TRUTH, new_figure

if TYPE_CHECKING:

    class OffsetLike(Protocol):
        """An offset at one place of a fault, metres."""

        along: float
        right_lateral: float
        right_lateral_sigma: float
        opening: float
        opening_sigma: float

    class ProfileLike(Protocol):
        """A stacked profile, metres; see `groundshift.optical.profile.Profile`."""

        distance: np.ndarray
        parallel: np.ndarray
        parallel_sigma: np.ndarray
        perpendicular: np.ndarray
        perpendicular_sigma: np.ndarray
        lines: np.ndarray
        gap: float
        offset: OffsetLike


def profile_figure(
    profile: ProfileLike, curve: Sequence[OffsetLike] = (), *, truth: Sequence[OffsetLike] = ()
) -> Figure:
    """Stacked displacement along and across a fault with the fitted lines, and the offset along it.

    Parameters
    ----------
    profile
        The stacked profile.
    curve, truth
        Offsets along the trace, measured, and true if known.
    """
    figure = new_figure(11, 9 if curve else 6.5)
    panels = figure.subplots(3 if curve else 2, 1)
    for c, (panel, values, sigma, color, name, found) in enumerate(
        (
            (panels[0], profile.parallel, profile.parallel_sigma, FIRST, "along the fault",
             f"right-lateral offset {profile.offset.right_lateral:+.2f} ± {profile.offset.right_lateral_sigma:.2f} m"),
            (panels[1], profile.perpendicular, profile.perpendicular_sigma, SECOND, "away from the fault",
             f"opening {profile.offset.opening:+.2f} ± {profile.offset.opening_sigma:.2f} m"),
        )
    ):  # fmt: skip
        x = profile.distance / 1000
        panel.fill_between(x, values - sigma, values + sigma, color=color, alpha=0.25, linewidth=0)
        panel.plot(x, values, ".", markersize=3, color=color, label="stacked displacement, 1 sigma")
        for side, end in enumerate((x.min(), x.max())):
            value, slope = profile.lines[c, side]
            panel.plot([0, end], [value, value + slope * end * 1000], color="black", linewidth=1.2)
        panel.axvspan(-profile.gap / 1000, profile.gap / 1000, color="0.9", zorder=0, label="not used by the lines")
        panel.axvline(0, color=TRUTH, linewidth=0.8)
        panel.set_ylabel(f"displacement {name} (m)")
        panel.set_title(found, loc="left", fontsize=10)
        panel.legend(fontsize=8, loc="best")
        panel.set_xlabel("distance from the trace, positive to its right (km)")
    if curve:
        _curve(panels[2], curve, truth)
    return figure


def _curve(panel, curve: Sequence[OffsetLike], truth: Sequence[OffsetLike]) -> None:
    for name, color in (("right_lateral", FIRST), ("opening", SECOND)):
        x = [offset.along / 1000 for offset in curve]
        y = [getattr(offset, name) for offset in curve]
        error = [getattr(offset, f"{name}_sigma") for offset in curve]
        label = name.replace("_", "-")
        panel.errorbar(x, y, error, fmt="o", markersize=3.5, capsize=2, linewidth=1, color=color, label=label)
        if truth:
            true_x = [offset.along / 1000 for offset in truth]
            panel.plot(true_x, [getattr(o, name) for o in truth], color=color, alpha=0.5, label=f"{label}, true")
    panel.axhline(0, color=TRUTH, linewidth=0.8)
    panel.set_xlabel("distance along the trace (km)")
    panel.set_ylabel("offset (m)")
    panel.legend(fontsize=8)
