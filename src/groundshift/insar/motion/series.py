"""Displacement series of points: height error off, virtual reference, datum in time, and honest sigmas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from groundshift.errors import ConfigurationError, InputError
from groundshift.insar.stack.geometry import StackGeometry
from groundshift.kernels.robust import TO_SIGMA
from groundshift.kernels.series_fields import YEAR, seasonal_design

_MODE_ROUNDS = 50
LEAST_NOISE = 0.1
"""Share of the residuals' variance that is a point's own, at least."""


class DisplacementSeries(NamedTuple):
    """Series of points and what was estimated from them; NaN for points with too few dates."""

    displacement: np.ndarray  # float32 (time, n), mm toward the satellite; the fitted model is 0 at the first date
    displacement_sigma: np.ndarray  # float32 (time, n), mm
    velocity: np.ndarray  # float64 (n,), mm per year of 365.25 days, of a linear and seasonal fit
    velocity_sigma: np.ndarray  # float64 (n,)
    height: np.ndarray  # float64 (n,), height error beside what was known before, m
    height_sigma: np.ndarray  # float64 (n,)
    height_noise: np.ndarray  # float64 (n,), m: the part of it by the noise of the point's own phases
    noise: np.ndarray  # float64 (n,), mm: standard deviation of what the model leaves of one date


def motion_design(geometry: StackGeometry, *, degree: int = 3, seasonal: bool = True) -> np.ndarray:
    """Columns height (mm per m), 1, t, t², ... and cos, sin 2πt of a model of series, float64 (time, p)."""
    years = geometry.years
    scaled = years / max(years[-1], 1e-9)
    columns = [geometry.height_to_mm, *(scaled**power for power in range(degree + 1))]
    if seasonal:
        columns += [np.cos(2 * np.pi * years), np.sin(2 * np.pi * years)]
    return np.stack(columns, axis=1)


def motion_projection(
    geometry: StackGeometry, weights: np.ndarray, *, degree: int = 3, seasonal: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted least squares of :func:`motion_design`: the matrix that leaves residuals, and the row of the height.

    Parameters
    ----------
    geometry, degree, seasonal
        As in :func:`motion_design`.
    weights
        Of the dates, float (time,).

    Returns
    -------
    float64 (time, time) and (time,).
    """
    design = motion_design(geometry, degree=degree, seasonal=seasonal)
    inverse = _weighted_inverse(design, weights)
    return np.eye(len(design)) - design @ inverse, inverse[0]


def _weighted_inverse(design: np.ndarray, weights: np.ndarray) -> np.ndarray:
    root = np.sqrt(weights)
    return np.linalg.pinv(design * root[:, None]) * root


def datum_rows(geometry: StackGeometry) -> tuple[np.ndarray, np.ndarray]:
    """Rows that make, of a series without its height error, the fitted model at the first date and the velocity.

    The model is a cubic with a yearly season, the velocity that of a line with one; float64 (time,) each.
    """
    fields = seasonal_design((geometry.days - geometry.days[0]) / YEAR)
    linear = np.column_stack([np.ones(len(fields)), geometry.years, fields[:, 2:4]])
    return fields[0] @ np.linalg.pinv(fields), np.linalg.pinv(linear)[1]


def with_heights(
    made: DisplacementSeries, geometry: StackGeometry, height: np.ndarray, height_sigma: np.ndarray
) -> DisplacementSeries:
    """Series with other height errors: displacements and velocities are what these leave; sigmas of both stay.

    Parameters
    ----------
    made, geometry
        Series with data on all dates, and the stack.
    height, height_sigma
        m, float (n,).
    """
    column, more = geometry.height_to_mm, height - made.height
    at_first, trend = datum_rows(geometry)
    return made._replace(
        displacement=(made.displacement - np.outer(column - at_first @ column, more)).astype(np.float32),
        velocity=made.velocity - trend @ column * more,
        height=height,
        height_sigma=height_sigma,
    )


def virtual_reference(displacement: np.ndarray, method: Literal["mean", "mode"] = "mean") -> np.ndarray:
    """Series that stands for ground at rest: mean or mode of all series at each date, float64 (time,).

    The mode is where a Gaussian window, half as wide as the values scatter (normalised median absolute deviation),
    comes to rest from the median by mean shift.

    Parameters
    ----------
    displacement
        float (time, n), mm; NaN is no data.
    method
        Which of the two.

    Notes
    -----
    Source: Comaniciu & Meer (2002), doi:10.1109/34.1000236, for the mode.
    """
    if method not in ("mean", "mode"):
        raise ConfigurationError(f"virtual reference {method!r} is not known; give mean or mode")
    if not np.isfinite(displacement).any(axis=1).all():
        raise InputError("a date has no point with data; drop the date")
    if method == "mean":
        return np.nanmean(displacement, axis=1, dtype=np.float64)
    middle = np.nanmedian(displacement, axis=1).astype(np.float64)
    width = np.maximum(TO_SIGMA * np.nanmedian(np.abs(displacement - middle[:, None]), axis=1) / 2, 1e-6)
    for _ in range(_MODE_ROUNDS):
        weight = np.exp(-0.5 * ((displacement - middle[:, None]) / width[:, None]) ** 2)
        middle = np.nansum(weight * displacement, axis=1) / np.nansum(weight, axis=1)
    return middle


def displacement_series(
    phase: np.ndarray,
    geometry: StackGeometry,
    *,
    atmosphere: np.ndarray | None = None,
    left: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    height_doubt: np.ndarray | None = None,
    cluster: np.ndarray | None = None,
    reference: Literal["mean", "mode"] | np.ndarray = "mean",
) -> DisplacementSeries:
    """Displacements of points from their unwrapped phases.

    The atmosphere is taken off, then the virtual reference of each cluster. A polynomial of third degree with a yearly
    season and a height error is fitted to each series; the height error's part is taken off, and the series is shifted
    so that the fitted model, without the height error, is zero at the first date (as EGMS series are). All of this is
    one linear operator on the series, from which the sigmas follow: noise is white in time, of a variance that is taken
    from the residuals; the atmosphere that is left has a covariance of its own.

    Parameters
    ----------
    phase
        Unwrapped phase of reference × conj(secondary), radians; float (time, n), NaN is no data.
    geometry
        The stack.
    atmosphere
        What the atmosphere adds to displacement, mm; float (time, n).
    left
        Covariance between dates of the atmosphere that is left, mm²; float (time, time).
    weights
        Of the dates in the height error, float (time,); all one if not given.
    height_doubt
        Standard deviation of each point's height error by all that is not noise and not in `left`, such as other
        scatterers in its pixel, m; float (n,).
    cluster
        Cluster of each point, int (n,); all one if not given. Points of cluster -1 are left out.
    reference
        Virtual reference in space, see :func:`virtual_reference`; or one that is known, mm, float (time,).

    Returns
    -------
    :class:`DisplacementSeries`.

    Source: EGMS algorithm theoretical basis document v4.0 (2025), on the datum.
    """
    if phase.shape[0] != len(geometry.days):
        raise InputError(f"phases {phase.shape} do not fit {len(geometry.days)} dates; give (time, n)")
    values = phase.astype(np.float64) / geometry.phase_per_mm
    if atmosphere is not None:
        values -= atmosphere
    cluster = np.zeros(values.shape[1], int) if cluster is None else np.asarray(cluster)
    values[:, cluster < 0] = np.nan
    if isinstance(reference, np.ndarray):
        values -= reference[:, None]
    else:
        for label in range(cluster.max(initial=-1) + 1):
            inside = cluster == label
            if np.isfinite(values[:, inside]).any():
                values[:, inside] -= virtual_reference(values[:, inside], reference)[:, None]
    doubt = np.zeros(values.shape[1]) if height_doubt is None else np.asarray(height_doubt, np.float64)
    weights = np.ones(len(values)) if weights is None else weights
    out, sigma = np.full((2, *values.shape), np.nan, np.float32)
    velocity, velocity_sigma, height, height_sigma, own, noise = np.full((6, values.shape[1]), np.nan)
    for dates, points in _by_gaps(values):
        made = _operators(geometry, dates, weights)
        if made is None:
            continue
        part = values[np.ix_(dates, points)]
        common = np.zeros((len(dates), len(dates))) if left is None else left[np.ix_(dates, dates)]
        squares = ((made.residual @ part) ** 2).sum(axis=0)
        explained = np.trace(made.residual @ common @ made.residual.T)
        every = np.vstack([made.series, made.velocity, made.height])
        noise[points] = np.sqrt(np.maximum(squares - explained, LEAST_NOISE * squares) / made.free)
        out[np.ix_(dates, points)] = made.series @ part
        velocity[points], height[points] = made.velocity @ part, made.height @ part
        variance = np.outer((every**2).sum(axis=1), noise[points] ** 2) + _quadratic(every, common)[:, None]
        variance[-1] += doubt[points] ** 2
        own[points] = np.sqrt(made.height @ made.height) * noise[points]
        spread = np.sqrt(np.maximum(variance, 0))
        sigma[np.ix_(dates, points)] = spread[:-2]
        velocity_sigma[points], height_sigma[points] = spread[-2:]
    return DisplacementSeries(out, sigma, velocity, velocity_sigma, height, height_sigma, own, noise)


def _quadratic(rows: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Variances of linear combinations of the dates (k, time), float64 (k,)."""
    return np.einsum("kt,ts,ks->k", rows, covariance, rows)


class _Operators(NamedTuple):
    """What is estimated from a series, as matrices and rows that act on it."""

    series: np.ndarray  # (time, time)
    velocity: np.ndarray  # (time,)
    height: np.ndarray  # (time,)
    residual: np.ndarray  # (time, time)
    free: int


def _operators(geometry: StackGeometry, dates: np.ndarray, weights: np.ndarray) -> _Operators | None:
    design = motion_design(geometry)[dates]
    free = len(design) - np.linalg.matrix_rank(design)
    if free < 1:
        return None
    height = _weighted_inverse(design, weights[dates])[0]
    unit = np.eye(len(design))
    without_height = unit - np.outer(design[:, 0], height)
    years = (geometry.days - geometry.days[0]) / YEAR
    fields = seasonal_design(years)
    model_at_first = fields[0] @ np.linalg.pinv(fields[dates]) @ without_height
    linear = np.column_stack([np.ones(len(design)), geometry.years[dates], fields[dates][:, 2:4]])
    return _Operators(
        without_height - model_at_first,
        np.linalg.pinv(linear)[1] @ without_height,
        height,
        unit - design @ np.linalg.pinv(design),
        free,
    )


def _by_gaps(values: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Numbers of dates, and of the points that have data at exactly those dates."""
    finite = np.isfinite(values)
    if finite.all():
        yield np.arange(len(values)), np.arange(values.shape[1])
        return
    patterns, which = np.unique(np.packbits(finite, axis=0), axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        points = np.flatnonzero(which.ravel() == number)
        dates = np.flatnonzero(finite[:, points[0]])
        if dates.size:
            yield dates, points
