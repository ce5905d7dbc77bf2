"""All numbers of some checks in one look, against what is asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.figure import Figure

from groundshift.figures.style import FIRST, SECOND, TRUTH, new_figure

_COLOURS = {"pass": FIRST, "fail": SECOND, "undecided": TRUTH}
_ROW = 0.42  # inches
_LARGEST = 2.5  # share of what is allowed that is drawn


class Limits(Protocol):
    """What is asked of a number: ends of a range, infinite where there is none."""

    @property
    def low(self) -> float:
        """The least that is allowed."""
        ...

    @property
    def high(self) -> float:
        """The most that is allowed."""
        ...


def share_of_allowed(value: float, asked: Limits) -> float:
    """How much of what is allowed a positive number uses: 1 at a limit, more beyond it."""
    high = value / asked.high if np.isfinite(asked.high) else 0.0
    if asked.low <= 0 or not np.isfinite(asked.low):
        return high
    return max(high, asked.low / value if value > 0 else np.inf)


def verdicts_figure(checks: Sequence[Any]) -> Figure:
    """Each number of which something is asked as a share of what is allowed, with its 95 % interval.

    Left of 1 all of an interval passes; right of it all of it fails. What is beyond 2.5 is drawn there.

    Parameters
    ----------
    checks
        Such as :class:`groundshift.validate.record.Check`.
    """
    every = [(check.title, each) for check in checks for each in check.numbers]
    asked = [(title, each, each.requirement) for title, each in every if each.requirement is not None]
    figure = new_figure(10, 1.1 + _ROW * max(len(asked), 1))
    panel = figure.subplots()
    for row, (_, each, limits) in enumerate(asked):
        ends = [share_of_allowed(end, limits) for end in (each.low, each.value, each.high)]
        low, high = np.clip([min(ends), max(ends)], 0, _LARGEST)
        colour = _COLOURS.get(each.verdict, TRUTH)
        panel.plot([low, high], [row, row], color=colour, linewidth=4, solid_capstyle="butt", alpha=0.45)
        panel.plot(min(ends[1], _LARGEST), row, "o", color=colour, markersize=6)
        panel.annotate(each.verdict, (1, row), xycoords=("axes fraction", "data"), xytext=(6, 0),
                       textcoords="offset points", va="center", fontsize=9, color=colour)  # fmt: skip
    panel.axvline(1, color=TRUTH, linewidth=1)
    said = [f"{title}\n{each.name}: {_written(each.value)} {each.unit}".rstrip() for title, each, _ in asked]
    panel.set_yticks(range(len(asked)), said, fontsize=8)
    panel.set(xlim=(0, _LARGEST), ylim=(len(asked) - 0.4, -0.6), xlabel="share of what is allowed, 95 % interval")
    return figure


def _written(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
