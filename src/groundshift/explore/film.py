"""Displacement month by month, of the points of a tile: what moved until when, and what between two months."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from groundshift.explore.tiles import Content
from groundshift.io.store import PointStore

_QUANTUM = 0.1  # mm, to which series of EGMS are given
_LARGEST = 32_767  # quanta
EMPTY = -32_768
"""Stands for a month before the first measurement of a point."""


class Film(NamedTuple):
    """Months of the points of a tile, from that of the first date of the layer to that of the last."""

    first: str  # YYYY-MM
    quantum: float  # mm
    mean: np.ndarray  # int16 (months, n), quanta, or EMPTY
    count: np.ndarray  # uint8 (months, n): measurements that the mean is of


def monthly_means(values: np.ndarray, dates: np.ndarray, months: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of series in calendar months; a month without a measurement repeats the one before it.

    The standard deviation of the difference of two months, by errors that are independent from date to date, is that of
    one date times √(1/n₁ + 1/n₂).

    Parameters
    ----------
    values
        Series, mm, (n, dates), NaN where not measured.
    dates
        datetime64[D] (dates,).
    months
        datetime64[M] (months,), one after the other.

    Returns
    -------
    Means, float (months, n), NaN before the first measurement, and how many measurements they are of, int (months, n).
    """
    mean = np.full((len(months), len(values)), np.nan)
    count = np.zeros((len(months), len(values)), int)
    of = dates.astype("datetime64[M]")
    for k, month in enumerate(months):
        here = values[:, of == month].astype(float)
        count[k] = np.isfinite(here).sum(axis=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of months without a measurement
            mean[k] = np.nanmean(here, axis=1) if here.shape[1] else np.nan
        if k:
            empty = count[k] == 0
            mean[k, empty], count[k, empty] = mean[k - 1, empty], count[k - 1, empty]
    return mean, count


def film_of(store: PointStore, content: Content, span: tuple[str, str]) -> Film:
    """The months of the points of a tile.

    Parameters
    ----------
    content
        A tile of single points, with the names of their parts.
    span
        First and last date of the layer.
    """
    months = np.arange(np.datetime64(span[0], "M"), np.datetime64(span[1], "M") + 1)
    number = len(content.arrays["row"])
    mean, count = np.full((len(months), number), np.nan), np.zeros((len(months), number), int)
    for k, name in enumerate(content.parts):
        mine = np.flatnonzero(content.arrays["part"] == k)
        dates = np.array(store.manifest.sets[store.part(name).set].dates, "datetime64[D]")
        values = store.series(name, content.arrays["row"][mine])
        mean[:, mine], count[:, mine] = monthly_means(values, dates, months)
    there = np.isfinite(mean)
    largest = float(np.abs(mean[there]).max(initial=0))
    quantum = max(_QUANTUM, largest / _LARGEST)
    steps = np.where(there, np.rint(np.where(there, mean, 0) / quantum), EMPTY).astype(np.int16)
    return Film(str(months[0]), quantum, steps, np.minimum(count, 255).astype(np.uint8))
