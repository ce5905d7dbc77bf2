"""The MIDAS rate: the median of slopes between days a year apart, which steps and seasons hardly touch.

Source: Blewitt, Kreemer, Hammond & Gazeaux (2016), doi:10.1002/2015JB012552.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from groundshift.kernels.robust import TO_SIGMA

_APART, _TOLERANCE = 1.0, 0.001  # years
_SCALE = 3.0  # from the scatter of pairs to a realistic sigma, in coloured noise (the paper, section 2.5)
_LEAST = 5  # pairs


class MidasRate(NamedTuple):
    """A rate."""

    rate: float  # in units of the values a year; NaN without enough pairs
    sigma: float
    pairs: int
    outliers: float  # share of pairs that were left out


def midas_rate(years: np.ndarray, values: np.ndarray, steps: Sequence[float] = ()) -> MidasRate:
    """The rate of a series, by the median trend.

    Pairs are a year apart, or the next day after, where there is none; none spans a known step. Slopes beyond two
    standard deviations are left out, and the median is taken once more.

    Parameters
    ----------
    years
        Increasing, float (n,).
    values
        float (n,), NaN where there is none.
    steps
        Times of steps, in years as `years`; a day at that very time is after it. Not needed for few of them.
    """
    there = np.isfinite(values)
    years, values = years[there], values[there]
    part = np.searchsorted(np.sort(np.asarray(steps, float)), years, side="right")  # between which steps a day lies
    last = len(years) - 1
    pairs = set(_pairs(years, part))
    pairs |= {(last - second, last - first) for first, second in _pairs(-years[::-1], part[::-1])}
    if len(pairs) < _LEAST:
        return MidasRate(np.nan, np.nan, len(pairs), 0.0)
    first, second = np.array(sorted(pairs)).T
    slopes = (values[second] - values[first]) / (years[second] - years[first])
    middle = np.median(slopes)
    inside = np.abs(slopes - middle) <= 2 * TO_SIGMA * np.median(np.abs(slopes - middle)) + 1e-12
    kept = slopes[inside]
    middle = np.median(kept)
    spread = TO_SIGMA * np.median(np.abs(kept - middle))
    sigma = _SCALE * np.sqrt(np.pi / 2) * spread / np.sqrt(len(kept) / 4)  # a day is in up to four pairs
    return MidasRate(float(middle), float(sigma), len(kept), float(1 - inside.mean()))


def _pairs(years: np.ndarray, part: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of a day and the first one a year later that no earlier day has taken, of days of the same part."""
    out, taken = [], -1
    for first, target in enumerate(np.searchsorted(years, years + _APART - _TOLERANCE)):
        second = max(int(target), taken + 1)
        if second >= len(years):
            break
        if part[first] == part[second]:
            out.append((first, second))
            taken = second
    return out
