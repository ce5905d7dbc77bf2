"""Points that were unwrapped wrongly: off by whole cycles since some date, against the other points of their asset."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_WINDOW = 8  # dates on either side of a slip that say how large it is
_LEAST = 4  # of them, near the ends of the series
_OFF = 3.0  # sigmas that a slip may be off from whole cycles
_CLEAR = 8.0  # sigmas that a cycle must have: what is 3 off from it is then 5 from nothing
_TURNS = 3  # slips of one point, at most
_MATES = 3  # points of an asset: of two, neither says which slipped
_ROWS = 4096  # points at once


class Undone(NamedTuple):
    """Points that slipped."""

    rows: np.ndarray  # int (k,)
    series: np.ndarray  # float (k, time), mm: without their slips


def undo_slips(series: np.ndarray, group: np.ndarray, cycle: np.ndarray) -> Undone:
    """Take whole cycles off points that slipped by them.

    Phase is known but for whole cycles. Which of them, unwrapping decides by taking neighbours to differ by less than
    half a cycle (Itoh 1982, doi:10.1364/AO.21.002470). So where one point departs by a cycle from the others of its
    asset, from one date to the next and for good, no phase says that it moved. What all points of an asset do stays.

    Parameters
    ----------
    series
        mm, float (n, time), without gaps.
    group
        Of each point the asset whose others it is held against, int (n,).
    cycle
        Of each point, mm, half of the wavelength; 0 for none. Float (n,).

    Notes
    -----
    A slip is where the mean of the 8 dates after less that of the 8 before, beside the median of the asset, is largest;
    it must be within 3 sigmas of a whole number of cycles, and a cycle must have 8. Sigma is from the differences of
    dates that follow each other, less the slip.
    """
    if not len(series) or series.shape[1] < 2 * _LEAST:
        return Undone(np.empty(0, int), series[:0])
    order = np.argsort(group, kind="stable")
    first = np.searchsorted(group[order], np.arange(group.max() + 2))
    rows, found = [], []
    for row in _suspects(series, cycle):
        mates = order[first[group[row]] : first[group[row] + 1]]
        if len(mates) < _MATES:
            continue
        others, own = np.median(series[mates], axis=0), series[row].copy()
        for _ in range(_TURNS):
            date, cycles = _slip(own - others, cycle[row])
            if not cycles:
                break
            own[date:] -= cycles * cycle[row]
            if not rows or rows[-1] != row:
                rows.append(int(row))
                found.append(own)
    return Undone(np.array(rows, int), np.array(found).reshape(-1, series.shape[1]))


def _suspects(series: np.ndarray, cycle: np.ndarray) -> np.ndarray:
    """Rows that jump by half a cycle or more somewhere."""
    found = []
    for start in range(0, len(series), _ROWS):
        rows = slice(start, start + _ROWS)
        largest = np.abs(_jumps(series[rows])[0]).max(axis=1)
        found.append(start + np.flatnonzero((cycle[rows] > 0) & (largest > cycle[rows] / 2)))
    return np.concatenate(found)


def _jumps(series: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean after less mean before each date (n, k); the dates, and the variance for errors of variance 1, (k,)."""
    count = series.shape[1]
    total = np.concatenate([np.zeros((len(series), 1)), np.cumsum(series, axis=1, dtype=float)], axis=1)
    at = np.arange(_LEAST, count - _LEAST + 1)
    low, high = np.maximum(at - _WINDOW, 0), np.minimum(at + _WINDOW, count)
    jump = (total[:, high] - total[:, at]) / (high - at) - (total[:, at] - total[:, low]) / (at - low)
    return jump, at, 1 / (high - at) + 1 / (at - low)


def _slip(series: np.ndarray, cycle: float) -> tuple[int, int]:
    """Index of the first date after the slip of a series, and how many cycles it is; 0 if there is none."""
    jump, at, variance = _jumps(series[None])
    best = int(np.abs(jump[0]).argmax())
    date, cycles = int(at[best]), int(np.rint(jump[0, best] / cycle))
    steps = np.diff(series)
    steps[max(date - 2, 0) : date + 1] = 0  # the slip, and where it may be a date off
    sigma = np.sqrt((steps**2).sum() / max(np.count_nonzero(steps), 1) / 2 * variance[best])
    if abs(jump[0, best] - cycles * cycle) > _OFF * sigma or _CLEAR * sigma > cycle:
        return date, 0
    return _nearest_date(series, date, cycles * cycle), cycles


def _nearest_date(series: np.ndarray, date: int, size: float) -> int:
    """The date beside `date` that a step of a known size fits best (least squares)."""
    low, high = max(date - _WINDOW, 0), min(date + _WINDOW, len(series))
    part = series[low:high]
    middle = (series[low:date].mean() + series[date:high].mean()) / 2
    above = np.cumsum(((part - middle) * np.sign(size))[::-1])[::-1]  # of what a step from each date gains
    return low + int(above.argmax())
