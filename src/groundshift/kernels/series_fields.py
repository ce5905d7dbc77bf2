"""Fields of displacement series, by the rules of the European Ground Motion Service (EGMS)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

YEAR = 365.0  # days of a year in these fields, and nowhere else
_SINE = tuple(np.float32((-1) ** k * np.pi ** (2 * k + 1) / math.factorial(2 * k + 1)) for k in range(7))  # of πr, by r
_COSINE = tuple(np.float32((-1) ** k * np.pi ** (2 * k) / math.factorial(2 * k)) for k in range(7))


class SeriesFields(NamedTuple):
    """EGMS fields, float64 (n,); NaN for a series with too few dates."""

    mean_velocity: np.ndarray  # mm/yr
    mean_velocity_std: np.ndarray  # mm/yr
    acceleration: np.ndarray  # mm/yr²
    acceleration_std: np.ndarray  # mm/yr²
    seasonality: np.ndarray  # mm, amplitude
    seasonality_std: np.ndarray  # mm
    rmse: np.ndarray  # mm
    temporal_coherence: np.ndarray  # 0 to 1
    first: np.ndarray  # mm: the model of `rmse` at the first date, which EGMS series have subtracted


def series_fields(series: np.ndarray, days: np.ndarray, *, wavelength: float = 55.465763) -> SeriesFields:
    """Velocity, acceleration, seasonality, their standard deviations, rmse and temporal coherence of series.

    Time is in years of 365 days from the first date. `mean_velocity` is of the model 1, t, cos 2πt, sin 2πt;
    `acceleration` of that and ½t²; `rmse` and `seasonality` of that and t³. The models are nested, so all of them come
    from one projection on an orthonormal basis.

    Parameters
    ----------
    series
        Displacements, mm; float (n, time). NaN is no data.
    days
        Days of the dates, ascending; float (time,).
    wavelength
        Of the radar, mm, for the temporal coherence |mean exp(i 4π/λ (d - v t - c))|.

    Returns
    -------
    :class:`SeriesFields`.

    Source: EGMS algorithm theoretical basis document v4.0 (2025), and what its files hold.
    """
    series = np.ascontiguousarray(series, np.float32)
    years = (np.asarray(days, np.float64) - days[0]) / YEAR
    out = np.full((len(SeriesFields._fields), len(series)), np.nan)
    finite = np.isfinite(series)
    if finite.all():
        _fill(series, years, years[0], wavelength, out)
        return SeriesFields(*out)
    patterns, which = np.unique(np.packbits(finite, axis=1), axis=0, return_inverse=True)
    for number in range(len(patterns)):
        rows = np.flatnonzero(which.ravel() == number)
        dates = finite[rows[0]]
        part = np.full((len(out), len(rows)), np.nan)
        _fill(np.ascontiguousarray(series[np.ix_(rows, dates)]), years[dates], years[0], wavelength, part)
        out[:, rows] = part
    return SeriesFields(*out)


def seasonal_design(years: np.ndarray) -> np.ndarray:
    """Columns 1, t, cos 2πt, sin 2πt, ½t², t³ of the models, float64 (time, 6); time in years."""
    angle = 2 * np.pi * years
    return np.stack([np.ones_like(years), years, np.cos(angle), np.sin(angle), years**2 / 2, years**3], axis=1)


def _fill(series: np.ndarray, years: np.ndarray, first: float, wavelength: float, out: np.ndarray) -> None:
    design = seasonal_design(years)
    if len(years) <= design.shape[1] or np.linalg.matrix_rank(design) < design.shape[1]:
        return
    q, r = np.linalg.qr(design)
    linear, square, cubic = (np.linalg.inv(r[:size, :size]) for size in (4, 5, 6))
    spread = [(inverse @ inverse.T).diagonal() for inverse in (linear, square, cubic)]
    constants = np.array(
        [np.sqrt(spread[0][1]), np.sqrt(spread[1][4]), np.sqrt((4 - np.pi) / 4 * (spread[2][2] + spread[2][3]))]
    )
    rows = np.stack(
        [np.append(linear[0], [0, 0]), np.append(linear[1], [0, 0]), np.append(square[4], [0]), cubic[2], cubic[3],
         seasonal_design(np.array([first]))[0] @ cubic]
    )  # fmt: skip
    _fields(series, np.ascontiguousarray(q.T, np.float32), years, rows, constants, 2 / wavelength, out)


@numba.njit(cache=True, nogil=True, inline="always")
def _project(values, mean, basis, out):
    """Products with the rows of the basis, and the sum of squares, of the values less their mean."""
    total = np.float32(0.0)
    for t in range(values.size):
        total += (values[t] - mean) ** 2
    for k in range(basis.shape[0]):
        product = np.float32(0.0)
        for t in range(values.size):
            product += basis[k, t] * (values[t] - mean)
        out[k] = product
    return total


@numba.njit(cache=True, nogil=True, inline="always")
def _coherence(values, years, constant, rate, turns):
    """|mean exp(i 2π r)| of residuals r in turns, by the double angle of polynomials of πr, so that it is done for many
    dates at once; to 1e-6."""
    one, two, half = np.float32(1), np.float32(2), np.float32(0.5)
    a, b = np.float32(0), np.float32(0)
    for t in range(values.size):
        angle = (values[t] - constant - rate * years[t]) * turns
        r = angle - np.floor(angle + half)
        q = r * r
        sine, cosine = _SINE[6], _COSINE[6]
        for k in range(5, -1, -1):
            sine, cosine = sine * q + _SINE[k], cosine * q + _COSINE[k]
        sine = sine * r
        a += one - two * sine * sine
        b += two * sine * cosine
    return np.hypot(a, b) / values.size


# what it calls is inlined: linked, last digits would depend on whether code came from the cache
@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz", "arcp"})
def _fields(series, basis, years, rows, constants, turns, out):
    single, turns = years.astype(np.float32), np.float32(turns)
    count = series.shape[1]
    part = np.empty(6)
    for i in range(series.shape[0]):
        values = series[i]
        mean = np.float32(values.mean())
        total = _project(values, mean, basis, part)
        squares = part * part
        fitted = squares[0] + squares[1] + squares[2] + squares[3]
        linear = max(total - fitted, 0.0)
        square = max(linear - squares[4], 0.0)
        cubic = max(square - squares[5], 0.0)
        model = rows @ part
        out[0, i] = model[1]
        out[1, i] = constants[0] * np.sqrt(linear / count)
        out[2, i] = model[2]
        out[3, i] = constants[1] * np.sqrt(square / count)
        out[4, i] = np.hypot(model[3], model[4])
        out[6, i] = np.sqrt(cubic / count)
        out[5, i] = constants[2] * out[6, i]
        out[7, i] = min(_coherence(values, single, np.float32(model[0] + mean), np.float32(model[1]), turns), 1.0)
        out[8, i] = model[5] + mean
