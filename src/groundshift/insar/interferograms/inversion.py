"""Inversion of networks of interferograms: displacement series and their sigmas."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from groundshift.errors import InputError
from groundshift.insar.interferograms.closure import check_pairs
from groundshift.model.units import YEAR

_DAMPING = 1e-9  # of the largest diagonal entry: far below data, and picks the smallest velocities where there are none


class Inversion(NamedTuple):
    """Series from interferograms; NaN where a pixel has no interferogram."""

    displacement: np.ndarray  # float32 (time, n), unit of the interferograms, 0 at the first date
    sigma: np.ndarray  # float32 (time, n); NaN at dates that no interferogram joins with the first, or unknown
    velocity: np.ndarray  # float64 (n,), unit per year of 365.25 days, a straight line unless a row is given
    velocity_sigma: np.ndarray  # float64 (n,), of it by the errors of the interferograms; NaN where unknown
    rms: np.ndarray  # float64 (n,), of the interferograms' weighted residuals
    used: np.ndarray  # int (n,), interferograms with data
    subsets: np.ndarray  # int (n,), groups of dates that no interferogram joins; 1 is a whole network


def invert_network(
    values: np.ndarray,
    pairs: np.ndarray,
    days: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    row: np.ndarray | None = None,
    known: bool = False,
) -> Inversion:
    """Displacement series of each pixel from its interferograms, by weighted least squares.

    Unknown are the velocities between dates that follow each other. Where interferograms fall into groups of dates
    without a link, the solution is that of the smallest velocities (weighted by the length of their intervals), so the
    groups follow each other without jumps.

    Parameters
    ----------
    values
        Displacement from the first to the second date of each pair, any unit; float (m, n), NaN is no data.
    pairs
        Numbers of dates, int (m, 2), earlier first.
    days
        Days of the dates, ascending; float (time,).
    weights
        1 / variance, float (m,) or (m, n); all one if not given. An interferogram of weight 0 or NaN is left out.
    row
        Factors of the dates that make the velocity of a series, float (time,); those of a straight line if not given.
    known
        Weights are known, also in their factor; if not, residuals tell the factor.

    Returns
    -------
    :class:`Inversion`. Sigmas are for interferograms whose errors are independent.

    Raises
    ------
    InputError
        If shapes or pairs do not fit.

    Source: Berardino et al. (2002), doi:10.1109/TGRS.2002.803792.
    """
    days = np.asarray(days, np.float64)
    pairs = check_pairs(pairs, len(days))
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or len(values) != len(pairs) or (np.diff(days) <= 0).any():
        raise InputError(f"values {values.shape} and {len(pairs)} pairs of {len(days)} ascending dates do not fit")
    weights = np.ones(len(pairs)) if weights is None else np.asarray(weights, np.float64)
    if weights.shape not in ((len(pairs),), values.shape) or (weights < 0).any():
        raise InputError(f"weights {weights.shape} are not {values.shape[:1]} or {values.shape}, or are negative")
    weights = np.broadcast_to(weights.reshape(len(pairs), -1), values.shape)
    steps = np.diff(days) / YEAR
    displacement, sigma = np.full((2, values.shape[1], len(days)), np.nan, np.float32)
    rms, velocity_sigma = np.full((2, values.shape[1]), np.nan)
    used, subsets = np.zeros((2, values.shape[1]), np.int64)
    years = (days - days.mean()) / YEAR
    row = years / (years @ years) if row is None else np.asarray(row, np.float64)
    if row.shape != days.shape:
        raise InputError(f"factors {row.shape} of {len(days)} dates; give one for each")
    _invert(
        np.ascontiguousarray(np.where(np.isfinite(values) & np.isfinite(weights), values, 0).T),
        np.ascontiguousarray(np.where(np.isfinite(values) & np.isfinite(weights), weights, 0).T),
        pairs, steps, np.cumsum(row[::-1])[::-1][1:].copy(), displacement, sigma, velocity_sigma, rms, used, subsets,
        known,
    )  # fmt: skip
    return Inversion(displacement.T, sigma.T, displacement @ row, velocity_sigma, rms, used, subsets)


@numba.njit(cache=True, nogil=True)
def _factor(normal, band):
    """Cholesky factor of a banded matrix, in place in its lower half."""
    size = normal.shape[0]
    for j in range(size):
        for k in range(max(0, j - band), j):
            normal[j, j] -= normal[j, k] * normal[j, k]
        normal[j, j] = np.sqrt(max(normal[j, j], 1e-300))
        for i in range(j + 1, min(size, j + band + 1)):
            for k in range(max(0, i - band), j):
                normal[i, j] -= normal[i, k] * normal[j, k]
            normal[i, j] /= normal[j, j]


@numba.njit(cache=True, nogil=True)
def _forward(factor, band, right, start):
    """Solve L x = right in place; right is zero before `start`."""
    for i in range(start, right.size):
        for k in range(max(start, i - band), i):
            right[i] -= factor[i, k] * right[k]
        right[i] /= factor[i, i]


@numba.njit(cache=True, nogil=True)
def _backward(factor, band, right):
    """Solve Lᵀ x = right in place."""
    for i in range(right.size - 1, -1, -1):
        for k in range(i + 1, min(right.size, i + band + 1)):
            right[i] -= factor[k, i] * right[k]
        right[i] /= factor[i, i]


@numba.njit(cache=True, nogil=True)
def _count_groups(pairs, weights, group):
    """Number the groups of dates that interferograms join, into `group`; returns how many there are."""
    for t in range(group.size):
        group[t] = t
    for p in range(pairs.shape[0]):
        if weights[p] > 0:
            a, b = group[pairs[p, 0]], group[pairs[p, 1]]
            if a != b:
                for t in range(group.size):
                    if group[t] == b:
                        group[t] = a
    count = 0
    for t in range(group.size):
        count += group[t] == t
    return count


@numba.njit(cache=True, nogil=True)
def _invert(values, weights, pairs, steps, tail, displacement, sigma, velocity_sigma, rms, used, subsets, known):
    size = steps.size
    band = 0
    for p in range(pairs.shape[0]):
        band = max(band, pairs[p, 1] - pairs[p, 0] - 1)
    normal, right, reach = np.empty((size, size)), np.empty(size), np.empty(size)
    group = np.empty(size + 1, np.int64)
    for i in range(values.shape[0]):
        subsets[i] = _count_groups(pairs, weights[i], group)
        normal[:], right[:] = 0.0, 0.0
        for p in range(pairs.shape[0]):
            weight = weights[i, p]
            if weight <= 0:
                continue
            used[i] += 1
            for j in range(pairs[p, 0], pairs[p, 1]):
                right[j] += weight * steps[j] * values[i, p]
                for k in range(pairs[p, 0], j + 1):
                    normal[j, k] += weight * steps[j] * steps[k]
        if used[i] == 0:
            continue
        largest = 0.0
        for j in range(size):
            largest = max(largest, normal[j, j])
        for j in range(size):
            normal[j, j] += _DAMPING * largest
        _factor(normal, band)
        _forward(normal, band, right, 0)
        _backward(normal, band, right)
        displacement[i, 0] = 0.0
        total = 0.0
        for j in range(size):
            total += steps[j] * right[j]
            displacement[i, j + 1] = total
        squares, heavy = 0.0, 0.0
        for p in range(pairs.shape[0]):
            weight = weights[i, p]
            if weight <= 0:
                continue
            rest = values[i, p]
            for j in range(pairs[p, 0], pairs[p, 1]):
                rest -= steps[j] * right[j]
            squares += weight * rest * rest
            heavy += weight
        rms[i] = np.sqrt(squares / heavy)
        free = used[i] - (size + 1 - subsets[i])
        if free < 1 and not known:
            continue
        factor = 1.0 if known else squares / free
        sigma[i, 0] = 0.0
        if subsets[i] == 1:
            for j in range(size):
                reach[j] = steps[j] * tail[j]
            _forward(normal, band, reach, 0)
            velocity_sigma[i] = np.sqrt((reach * reach).sum() * factor)
        for t in range(1, size + 1):
            if group[t] != group[0]:
                continue
            reach[:] = 0.0
            for j in range(t):
                reach[j] = steps[j]
            _forward(normal, band, reach, 0)
            sigma[i, t] = np.sqrt((reach * reach).sum() * factor)
