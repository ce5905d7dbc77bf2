"""95 % intervals: exact where a distribution can be assumed, by bootstrap of groups where not."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from scipy import stats

from groundshift.validate.record import Number, Requirement

_LEVEL = 0.95
_REPLICATES = 400
_TAILS = (1 - _LEVEL) / 2
_LEAST_GROUPS = 8


def mean_number(name: str, values: np.ndarray, unit: str, requirement: Requirement | None = None) -> Number:
    """Mean of independent values; Student's interval, exact for Gaussian ones."""
    count = len(values)
    mean = float(np.mean(values)) if count else np.nan
    half = stats.t.ppf(1 - _TAILS, count - 1) * np.std(values, ddof=1) / np.sqrt(count) if count > 1 else np.inf
    return Number(name, mean, mean - half, mean + half, unit, count, "Student, exact for Gaussian errors", requirement)


def spread_number(
    name: str, values: np.ndarray, unit: str, requirement: Requirement | None = None, *,
    about_mean: bool = False, known_variance: float = 0.0,
) -> Number:  # fmt: skip
    """Root mean square of independent values; χ² interval, exact for Gaussian ones of mean 0.

    Parameters
    ----------
    about_mean
        Whether the mean is taken off first (standard deviation).
    known_variance
        Of what the values hold besides what is asked for; it is taken off the squares of the number and its interval.
    """
    free = len(values) - about_mean
    if free < 1:
        return Number(name, np.nan, np.nan, np.nan, unit, len(values), "too few values", requirement)
    square = float(np.sum((values - (values.mean() if about_mean else 0)) ** 2))
    ends = square / free, square / stats.chi2.ppf(1 - _TAILS, free), square / stats.chi2.ppf(_TAILS, free)
    value, low, high = (float(np.sqrt(max(each - known_variance, 0.0))) for each in ends)
    return Number(name, value, low, high, unit, len(values), "χ², exact for Gaussian errors", requirement)


def share_number(name: str, hits: int, count: int, requirement: Requirement | None = None) -> Number:
    """Share of independent trials; exact interval of Clopper & Pearson (1934), doi:10.1093/biomet/26.4.404."""
    if count == 0:
        return Number(name, np.nan, 0.0, 1.0, "", 0, "Clopper–Pearson, exact", requirement)
    low = stats.beta.ppf(_TAILS, hits, count - hits + 1) if hits else 0.0
    high = stats.beta.ppf(1 - _TAILS, hits + 1, count - hits) if hits < count else 1.0
    return Number(name, hits / count, float(low), float(high), "", count, "Clopper–Pearson, exact", requirement)


def rate_number(name: str, count: int, size: float, unit: str, requirement: Requirement | None = None) -> Number:
    """Counts over a size; exact interval of Garwood (1936), doi:10.1093/biomet/28.3-4.437, for Poisson counts."""
    low = stats.chi2.ppf(_TAILS, 2 * count) / 2 if count else 0.0
    high = stats.chi2.ppf(1 - _TAILS, 2 * count + 2) / 2
    return Number(name, count / size, float(low / size), float(high / size), unit, count,
                  "Garwood, exact for Poisson counts", requirement)  # fmt: skip


def bootstrap_number(
    name: str, statistic: Callable[[np.ndarray], float], groups: np.ndarray, unit: str,
    requirement: Requirement | None = None, *, bound: bool = False, kind: str = "groups", seed: int = 0,
) -> Number:  # fmt: skip
    """A statistic of values that are alike within groups; percentile interval over draws of whole groups.

    With n groups the interval is stretched by Student's quantile over the Gaussian one and sqrt(n / (n − 1)), without
    which it is too short for few groups (Hesterberg 2015, doi:10.1080/00031305.2015.1089789).

    Parameters
    ----------
    statistic
        Of rows, int (k,), of the values; a row may be there several times.
    groups
        Label of each value, any integers; with fewer than 8 groups the interval is not known.
    kind
        What groups are, for the report.
    """
    labels, row = np.unique(groups, return_inverse=True)
    value = float(statistic(np.arange(len(groups)))) if len(groups) else np.nan
    said = f"bootstrap of {len(labels)} {kind}, {_REPLICATES} draws"
    if len(labels) < _LEAST_GROUPS:
        return Number(name, value, np.nan, np.nan, unit, len(labels), f"{len(labels)} {kind} are too few", requirement)
    order = np.argsort(row, kind="stable")
    starts = np.searchsorted(row[order], np.arange(len(labels) + 1))
    members = [order[a:b] for a, b in itertools.pairwise(starts)]
    random = np.random.default_rng(seed)
    draws = [
        statistic(np.concatenate([members[k] for k in random.integers(0, len(labels), len(labels))]))
        for _ in range(_REPLICATES)
    ]
    low, high = np.nanpercentile(draws, [100 * _TAILS, 100 * (1 - _TAILS)])
    wider = stats.t.ppf(1 - _TAILS, len(labels) - 1) / stats.norm.ppf(1 - _TAILS)
    wider *= np.sqrt(len(labels) / (len(labels) - 1))
    low, high = value - wider * (value - low), value + wider * (high - value)
    return Number(name, value, float(low), float(high), unit, len(labels), said, requirement, bound)


def blocks(positions: np.ndarray, size: float) -> np.ndarray:
    """Number of the square block each position lies in, int (n,); positions and size in metres."""
    cells = np.floor(positions / size).astype(np.int64)
    return np.unique(cells, axis=0, return_inverse=True)[1].ravel()


def block_size(positions: np.ndarray, *, largest: float = 1000.0) -> float:
    """Side of blocks for :func:`blocks`, m: `largest`, or a sixth of the shorter side of a small area."""
    return float(min(largest, max(np.ptp(positions, axis=0).min() / 6, 1.0))) if len(positions) else largest
