"""How tracks agree where they overlap: the same places, seen by two tracks of one orbit.

Points of two tracks are never the same points. As the service does, points in a cell of 100 m are taken together, and
only cells that both tracks see are compared, so that a slope that one track sees and the other does not is no
difference. What the velocity model says is taken off in the look of each track first: the same motion has not the same
rate in two looks. Medians over cells of a few kilometres are what calibration can answer for; single cells of 100 m
have the noise of their points in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from groundshift.kernels.robust import nmad
from groundshift.products.calibrate.cells import BurstSummary

_SIDE = 100  # m


class Places(NamedTuple):
    """The cells of 100 m of a burst that have points."""

    key: np.ndarray  # int64 (n,), increasing: of the cell, the same in all bursts
    before: np.ndarray  # float64 (n,), mm/yr: mean velocity less that of the model in the same look
    after: np.ndarray  # the same, after calibration


def places_of(places: np.ndarray, before: np.ndarray, after: np.ndarray) -> Places:
    """Means of points in cells of 100 m.

    Parameters
    ----------
    places
        Easting and northing, (n, 2), m.
    before, after
        Velocity less that of the model, float (n,), mm/yr; points without one are left out.
    """
    there = np.isfinite(before) & np.isfinite(after)
    number = np.floor(places[there] / _SIDE).astype(np.int64)
    key, which, count = np.unique((number[:, 0] << 32) + number[:, 1], return_inverse=True, return_counts=True)
    return Places(key, *(np.bincount(which, each[there], len(key)) / count for each in (before, after)))


def overlaps(
    bursts: Sequence[BurstSummary], read: Callable[[int], Places], *, cell: float, least: int
) -> dict[str, Any]:
    """Differences of tracks of the same orbit where both have points, before and after, mm/yr.

    Parameters
    ----------
    read
        Gives the cells of 100 m of a burst by its number; called once for each that overlaps with another.
    cell
        Side of the cells in which medians are taken, m.
    least
        Cells of 100 m that make one of these.

    Returns
    -------
    `cells` (of `cell`) and for them `before` and `after`: rms, mean, nmad; `places` (of 100 m), and for them `each`.
    """
    pairs = [(one, two) for one, two in combinations(range(len(bursts)), 2) if _overlap(bursts[one], bursts[two])]
    last = {burst: number for number, pair in enumerate(pairs) for burst in pair}
    held: dict[int, Places] = {}
    wide, narrow = [np.empty((0, 2))], [np.empty((0, 2))]
    for number, pair in enumerate(pairs):
        for burst in pair:
            held[burst] = held[burst] if burst in held else read(burst)
        apart, key = _differences(held[pair[0]], held[pair[1]])
        narrow.append(apart)
        wide.append(_medians(apart, key, cell, least))
        held = {burst: places for burst, places in held.items() if last[burst] > number}
    every, single = np.concatenate(wide), np.concatenate(narrow)
    out: dict[str, Any] = {"cells": len(every), "places": len(single)}
    if len(every):
        out |= {"before": _spread(every[:, 0]), "after": _spread(every[:, 1]), "each": _spread(single[:, 1])}
    return out


def _overlap(one: BurstSummary, two: BurstSummary) -> bool:
    low, high = np.maximum(one.box[:2], two.box[:2]), np.minimum(one.box[2:], two.box[2:])
    return one.track != two.track and one.descending == two.descending and bool((low < high).all())


def _differences(one: Places, two: Places) -> tuple[np.ndarray, np.ndarray]:
    key, first, second = np.intersect1d(one.key, two.key, assume_unique=True, return_indices=True)
    before, after = one.before[first] - two.before[second], one.after[first] - two.after[second]
    return np.stack([before, after], 1), key


def _medians(apart: np.ndarray, key: np.ndarray, cell: float, least: int) -> np.ndarray:
    """Medians over larger cells, (n, 2)."""
    number = np.stack([key >> 32, key & 0xFFFFFFFF], 1) * _SIDE // cell
    which, count = np.unique(number, axis=0, return_inverse=True, return_counts=True)[1:]
    order = np.argsort(which.ravel(), kind="stable")
    groups = np.split(apart[order], np.cumsum(count)[:-1]) if len(count) else []
    return np.array([np.median(each, axis=0) for each in groups if len(each) >= least]).reshape(-1, 2)


def _spread(values: np.ndarray) -> dict[str, float]:
    return {"rms": float(np.sqrt(np.mean(values**2))), "mean": float(values.mean()), "nmad": nmad(values)}
