"""Series of points to series of cells, and lines of sight of several looks to motion east and up."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np


class LookSolution(NamedTuple):
    """Weighted least squares of cells seen from several looks."""

    gain: np.ndarray  # float64 (2, looks, n): east and up are the sums of gain times line of sight
    covariance: np.ndarray  # float64 (3, n): of east, of up, and between them, for the variances that were given


def solve_looks(east: np.ndarray, up: np.ndarray, variance: np.ndarray) -> LookSolution:
    """Estimator of d = E los_east + U los_up by weighted least squares, and its covariance.

    Parameters
    ----------
    east, up
        East and up components of the looks from ground to satellite, float (looks, n).
    variance
        Of what is seen along each look, float (looks, n); infinite or NaN where a cell is not seen.

    Returns
    -------
    :class:`LookSolution`; NaN where the looks do not tell east from up.
    """
    seen = np.isfinite(variance) & (variance > 0)
    weight = np.where(seen, 1 / np.where(seen, variance, 1), 0.0)
    east, up = np.where(seen, east, 0.0), np.where(seen, up, 0.0)
    a, b, c = ((weight * x * y).sum(axis=0) for x, y in ((east, east), (east, up), (up, up)))
    determinant = a * c - b * b
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(determinant > 1e-9 * a * c, 1 / determinant, np.nan)
    gain = np.stack([(c * east - b * up) * weight * scale, (a * up - b * east) * weight * scale])
    return LookSolution(gain, np.stack([c, a, -b]) * scale)


@numba.njit(cache=True, nogil=True)
def add_series(series, cells, sums, counts):
    """Add series (n, time), NaN where there is none, to the sums and counts (cells, time) of their cells.

    `cells` (n,) holds the row of each series in `sums`, or -1 to leave it out.
    """
    for i in range(cells.size):
        cell = cells[i]
        if cell < 0:
            continue
        for t in range(series.shape[1]):
            value = series[i, t]
            if value == value:
                sums[cell, t] += value
                counts[cell, t] += 1


@numba.njit(cache=True, nogil=True)
def bridged(series, days, wanted, longest):
    """Series (n, time) at other days, linear between the nearest dates there are; float32 (n, wanted).

    NaN before the first and after the last date of a series, and within gaps of more than `longest` days.

    Parameters
    ----------
    series
        float32 (n, time), NaN where there is none.
    days, wanted
        Days of the dates, and those to interpolate to; float64, ascending.
    """
    out = np.full((series.shape[0], wanted.size), np.nan, np.float32)
    for i in range(series.shape[0]):
        before, after, k = -1, -1, 0
        for w in range(wanted.size):
            while k < days.size and (after < 0 or days[after] < wanted[w]):
                if series[i, k] == series[i, k]:
                    before, after = after, k
                k += 1
            if after < 0 or days[after] < wanted[w]:
                break
            if days[after] == wanted[w]:
                out[i, w] = series[i, after]
            elif before >= 0:
                gap = days[after] - days[before]
                if gap <= longest:
                    share = (wanted[w] - days[before]) / gap
                    out[i, w] = series[i, before] + share * (series[i, after] - series[i, before])
    return out


@numba.njit(cache=True, nogil=True)
def level_series(series, used):
    """Bring the series (looks, n, time) of each cell to a common origin, in place.

    The mean over the dates that all looks of a cell have is taken off each; over its own dates if there are none.
    `used` (looks, n) says which looks a cell has.
    """
    looks, count, times = series.shape
    for i in range(count):
        sums, own = np.zeros(looks), np.zeros(looks)
        common, dates = 0, np.zeros(looks)
        for t in range(times):
            every = True
            for k in range(looks):
                if used[k, i]:
                    value = series[k, i, t]
                    if value == value:
                        own[k] += value
                        dates[k] += 1
                    else:
                        every = False
            if every:
                common += 1
                for k in range(looks):
                    if used[k, i]:
                        sums[k] += series[k, i, t]
        for k in range(looks):
            if used[k, i] and dates[k] > 0:
                mean = np.float32(sums[k] / common if common else own[k] / dates[k])
                for t in range(times):
                    series[k, i, t] -= mean


@numba.njit(cache=True, nogil=True)
def combine_looks(series, east, up, weight, gain, least, out):
    """Motion east and up on all dates of cells; float32 `out` (2, n, time) is filled.

    On dates that all looks of a cell have, `gain` is applied; on others the looks that are there are solved anew, and
    NaN is written where they do not tell east from up.

    Parameters
    ----------
    series
        float32 (looks, n, time), NaN where there is none.
    east, up, weight
        As for :func:`solve_looks`, float64 (looks, n); weight is 1 / variance, 0 where a cell is not seen.
    gain
        Of :func:`solve_looks`.
    least
        Least sum of sin² of the angles between any two looks, in the plane of east and up, that is solved.
    """
    looks, count, times = series.shape
    for i in range(count):
        for t in range(times):
            e, u, whole = 0.0, 0.0, True
            for k in range(looks):
                if weight[k, i] > 0:
                    value = series[k, i, t]
                    if value != value:
                        whole = False
                        break
                    e += gain[0, k, i] * value
                    u += gain[1, k, i] * value
            if not whole:
                e, u = _solved(series, east, up, weight, least, i, t)
            out[0, i, t] = e
            out[1, i, t] = u


@numba.njit(cache=True, nogil=True, inline="always")  # linked code differs in last digits if it was cached
def _solved(series, east, up, weight, least, i, t):
    a, b, c, x, y, apart = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(series.shape[0]):
        value = series[k, i, t]
        if weight[k, i] > 0 and value == value:
            a += weight[k, i] * east[k, i] * east[k, i]
            b += weight[k, i] * east[k, i] * up[k, i]
            c += weight[k, i] * up[k, i] * up[k, i]
            x += weight[k, i] * east[k, i] * value
            y += weight[k, i] * up[k, i] * value
            for j in range(k):
                if weight[j, i] > 0 and series[j, i, t] == series[j, i, t]:
                    apart += (east[k, i] * up[j, i] - up[k, i] * east[j, i]) ** 2
    if not apart >= least:
        return np.nan, np.nan
    determinant = a * c - b * b
    return (c * x - b * y) / determinant, (a * y - b * x) / determinant
