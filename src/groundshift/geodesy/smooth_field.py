"""The smooth part of how velocities vary in space: its covariance, and its size and length from stations.

Of each component the covariance is that of Matérn, ν = 3/2. Its components are those of east and north at the centre of
the stations, carried along great circles to every place: beyond the pole, what moves the same way moves to the other
side of the compass. Size, length, and what each station has for itself maximise
the likelihood (scikit-learn), with a wide prior that keeps a few noisy stations from being taken for ground that does
not move.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from groundshift.geodesy.frames import Pole
from groundshift.kernels.rotation import geocentric, local_axes, rotation_design
from groundshift.model.stations import StationVelocities

_LENGTH = 120.0  # km: likely length of a field
_LOCAL = 0.15  # likely variance of local motion, as a share of that of stations
_SPREAD = np.array([1.0, 0.6, 2.0])  # of the logarithms of its variance, its length, and the local variance


class Field3(NamedTuple):
    """The smooth field of one component, as it is at the centre of the stations."""

    size: float  # mm/yr, standard deviation
    length: float  # km, of the Matérn covariance
    local: float  # mm/yr, standard deviation of what each station has for itself


Centre = tuple[float, float]
"""Latitude and longitude, degrees."""


def centre_of(latitude: np.ndarray, longitude: np.ndarray) -> Centre:
    """The middle of places on the globe."""
    x, y, z = geocentric(latitude, longitude).mean(axis=0)
    return float(np.degrees(np.arctan2(z, np.hypot(x, y)))), float(np.degrees(np.arctan2(y, x)))


def carried_axes(centre: Centre, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """East, north and up of a centre, carried along great circles to places: columns, in the axes of each place.

    The least rotation that takes one vertical to the other (parallel transport), float64 (n, 3, 3); any for a place on
    the opposite side of the globe.
    """
    home = local_axes(np.array([centre[0]]), np.array([centre[1]]))[0]
    axes = local_axes(latitude, longitude)
    there = axes[:, 2]
    share = (there @ home.T) / np.maximum(1 + there @ home[2], 1e-9)[:, None]
    carried = home - share[:, :, None] * (there + home[2])[:, None]
    out = axes @ carried.transpose(0, 2, 1)
    out[:, 2], out[:, :, 2] = (0, 0, 1), (0, 0, 1)
    return out


def smooth_covariance(
    fields: tuple[Field3, Field3, Field3],
    centre: Centre,
    latitude: np.ndarray,
    longitude: np.ndarray,
    other_latitude: np.ndarray,
    other_longitude: np.ndarray,
) -> np.ndarray:
    """Covariance of the smooth fields between places, float64 (3n, 3m)."""
    one, two = geocentric(latitude, longitude) / 1000, geocentric(other_latitude, other_longitude) / 1000
    here, there = carried_axes(centre, latitude, longitude), carried_axes(centre, other_latitude, other_longitude)
    out = np.zeros((len(one), 3, len(two), 3))
    for number, field in enumerate(fields):
        alike = field.size**2 * Matern(field.length, nu=1.5)(one, two)
        for i, j in ((2, 2),) if number == 2 else ((0, 0), (0, 1), (1, 0), (1, 1)):
            out[:, i, :, j] += here[:, i, number, None] * alike * there[:, j, number]
    return out.reshape(3 * len(one), 3 * len(two))


def estimate_fields(
    stations: StationVelocities,
    pole: Pole,
    centre: Centre,
    sigma: np.ndarray,
    inflation: np.ndarray,
    limits: tuple[float, float],
    before: tuple[Field3, Field3, Field3] | None,
) -> tuple[Field3, Field3, Field3]:
    """Size, length and local motion of each component, of the greatest posterior density.

    Parameters
    ----------
    pole
        The rotation that is taken off first.
    centre
        Where components are those of the fields.
    sigma
        Of the stations, (n, 3), mm/yr; errors east and north are taken for independent here.
    inflation
        Added to their variance, (n, 3), (mm/yr)².
    limits
        Least and largest length, km.
    before
        Where to start from.
    """
    rest = stations.velocity - rotation_design(stations.latitude, stations.longitude) @ pole.rotation
    variance = sigma**2 + inflation
    turn = carried_axes(centre, stations.latitude, stations.longitude)[:, :2, :2]
    rest[:, :2] = np.einsum("nij,ni->nj", turn, rest[:, :2])
    variance[:, :2] = np.einsum("nij,ni->nj", turn**2, variance[:, :2])
    places = geocentric(stations.latitude, stations.longitude) / 1000
    out = []
    for number in range(3):
        there = np.isfinite(rest[:, number])
        noise = variance[there, number]
        values = rest[there, number] - np.average(rest[there, number], weights=1 / (noise + np.median(noise)))
        usual = float(np.median(noise))
        spread = max(float(np.var(values)) - usual, 0.25 * usual)
        likely = np.log([spread, _LENGTH, _LOCAL * usual])
        start = before[number] if before else Field3(*np.exp(likely / [2, 1, 2]))
        kernel = ConstantKernel(start.size**2, (1e-3 * spread, 1e3 * spread)) * Matern(
            np.clip(start.length, *limits), limits, nu=1.5
        ) + WhiteKernel(start.local**2, (1e-5 * usual, 1e3 * spread))
        process = GaussianProcessRegressor(
            kernel, alpha=noise, optimizer=_with_prior(likely), n_restarts_optimizer=0 if before else 1, random_state=0
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its limit is an answer
            process.fit(places[there], values)
        found = process.kernel_
        size, local = np.sqrt(found.k1.k1.constant_value), np.sqrt(found.k2.noise_level)
        out.append(Field3(float(size), float(found.k1.k2.length_scale), float(local)))
    return out[0], out[1], out[2]


def _with_prior(likely: np.ndarray) -> Callable:
    """An optimiser for scikit-learn that adds a normal prior on the logarithms of variance, length and variance."""

    def optimise(badness: Callable, start: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, float]:
        def posterior(logs: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = badness(logs)
            away = (logs - likely) / _SPREAD
            return value + 0.5 * float(away @ away), slope + away / _SPREAD

        found = minimize(
            posterior, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-5, "gtol": 1e-2}
        )
        return found.x, float(found.fun)

    return optimise
