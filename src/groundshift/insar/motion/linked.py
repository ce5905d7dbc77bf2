"""Displacement series of distributed scatterers, whose dates weigh as phase linking declares their errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from groundshift.insar.motion.series import LEAST_NOISE, DisplacementSeries, datum_rows, motion_design
from groundshift.insar.stack.geometry import StackGeometry

_CHUNK = 1 << 21  # numbers of a matrix for each point in memory at a time
_NUGGET = 0.02  # of variances: what codes of correlations, and their own errors, leave unknown
_LEAST = 0.05  # mm²: no date is surer than this
_SCALES = 0.25, 4.0  # least and most that declared variances are multiplied by


class LinkedErrors(NamedTuple):
    """Errors of linked phases, as phase linking declares them."""

    sigma: np.ndarray  # float (time, n), radians, against the reference image
    correlation: np.ndarray  # int8 (pairs, n): 127 times that of two dates; of `numpy.triu_indices(time, 1)`

    def part(self, points: np.ndarray) -> LinkedErrors:
        """Those of some points."""
        return LinkedErrors(self.sigma[:, points], self.correlation[:, points])

    def covariance(self) -> np.ndarray:
        """Covariance between dates, radians²; float64 (n, time, time)."""
        sigma = self.sigma.T.astype(np.float64)
        dates = sigma.shape[1]
        first, second = np.triu_indices(dates, 1)
        out = np.zeros((len(sigma), dates, dates))
        out[:, first, second] = self.correlation.T / 127
        out += out.transpose(0, 2, 1)
        out[:, range(dates), range(dates)] = 1 + _NUGGET
        return out * sigma[:, :, None] * sigma[:, None]


def linked_series(
    phase: np.ndarray,
    geometry: StackGeometry,
    errors: LinkedErrors,
    *,
    atmosphere: np.ndarray | None = None,
    atmosphere_sigma: np.ndarray | None = None,
    left: np.ndarray | None = None,
    height_doubt: np.ndarray | None = None,
    reference: np.ndarray | None = None,
) -> DisplacementSeries:
    """Displacements of distributed scatterers from their unwrapped phases, where all dates have data.

    As :func:`~groundshift.insar.motion.series.displacement_series`, but that the height error of each point is its best
    linear unbiased estimate under errors of its own: those that phase linking declares, times a number that makes
    residuals as large as they are, those of the interpolated atmosphere, and the atmosphere that is left. Dates that
    are nearly lost, of summer on crops say, so have little weight, and errors that dates share are known.

    Parameters
    ----------
    phase
        Unwrapped phase of reference × conj(secondary), radians; float (time, n), without gaps.
    geometry, errors
        The stack, and what is known of the errors.
    atmosphere, atmosphere_sigma
        What it adds to displacement, and the standard deviation of its interpolation, mm; float (time, n).
    left
        Covariance between dates of the atmosphere that is left, mm²; float (time, time).
    height_doubt
        Standard deviation of each point's height error by all else, such as heights that differ in its window, m;
        float (n,).
    reference
        Virtual reference, mm, float (time,).

    Notes
    -----
    Source: Guarnieri & Tebaldini (2007), doi:10.1109/TSP.2007.893957, for the covariance of linked phases with that of
    the atmosphere added.
    """
    values = phase.astype(np.float64) / geometry.phase_per_mm
    dates, size = values.shape
    values -= 0 if atmosphere is None else atmosphere
    values -= 0 if reference is None else reference[:, None]
    white = np.zeros((dates, size)) if atmosphere_sigma is None else atmosphere_sigma.astype(np.float64) ** 2
    common = np.zeros((dates, dates)) if left is None else left
    doubt = np.zeros(size) if height_doubt is None else height_doubt.astype(np.float64)
    parts = [
        _series(values[:, some], geometry, errors.part(some), white[:, some], common, doubt[some])
        for some in np.array_split(np.arange(size), max(1, -(-size * dates**2 // _CHUNK)))
    ]
    return DisplacementSeries(*(np.concatenate(each, axis=-1) for each in zip(*parts, strict=True)))


def _series(
    values: np.ndarray,
    geometry: StackGeometry,
    errors: LinkedErrors,
    white: np.ndarray,
    common: np.ndarray,
    doubt: np.ndarray,
) -> DisplacementSeries:
    """Series of some points; values are mm, white and common are variances of other errors, mm²."""
    design, dates = motion_design(geometry), range(len(values))
    residual = np.eye(len(design)) - design @ np.linalg.pinv(design)
    declared = errors.covariance() / geometry.phase_per_mm**2
    other = np.repeat(common[None], values.shape[1], axis=0)
    other[:, dates, dates] += white.T + _LEAST
    squares = (residual @ values).T ** 2
    by_linking, by_other = (np.einsum("ntu,tu->nt", residual @ each, residual) for each in (declared, other))
    weight = 1 / (by_linking + by_other)
    scale = (weight * (squares - by_other)).sum(axis=1) / (weight * by_linking).sum(axis=1)
    own = declared * np.clip(scale, *_SCALES)[:, None, None]
    whole = own + other

    solved = np.linalg.solve(whole, np.broadcast_to(design, (len(whole), *design.shape)))
    rows = np.linalg.solve(design.T @ solved, solved.transpose(0, 2, 1))[:, 0]
    height = np.einsum("nt,tn->n", rows, values)
    at_first, trend = datum_rows(geometry)
    column = geometry.height_to_mm
    moved, drifted = column - at_first @ column, trend @ column
    displacement = values - at_first @ values - np.outer(moved, height)
    with_rows = np.einsum("ntu,nu->nt", whole, rows)
    of_height = (rows * with_rows).sum(axis=1)
    of_own = np.einsum("nt,ntu,nu->n", rows, own, rows)
    with_first = whole @ at_first
    variance = whole[:, dates, dates] - 2 * with_first + (with_first @ at_first)[:, None]
    variance += moved**2 * of_height[:, None] - 2 * moved * (with_rows - (with_rows @ at_first)[:, None])
    of_velocity = np.einsum("t,ntu,u->n", trend, whole, trend)
    of_velocity += drifted**2 * of_height - 2 * drifted * (with_rows @ trend)
    free = len(design) - np.linalg.matrix_rank(design)
    left = squares.sum(axis=1) - np.einsum("tu,tu->", residual @ common, residual)
    return DisplacementSeries(
        displacement.astype(np.float32),
        np.sqrt(np.maximum(variance.T, 0)).astype(np.float32),
        trend @ values - drifted * height,
        np.sqrt(np.maximum(of_velocity, 0)),
        height,
        np.sqrt(of_height + doubt**2),
        np.sqrt(np.maximum(of_own, 0)),
        np.sqrt(np.maximum(left, LEAST_NOISE * squares.sum(axis=1)) / free),
    )
