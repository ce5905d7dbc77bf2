"""Velocity of the ground everywhere, from stations: a plate that turns, and what varies smoothly on it.

East, north and up at all stations are one vector of observations. Its covariance is that of the stations, of local
motion of each (white, estimated), of a smooth field for each component (Matérn, ν = 3/2, estimated), and of a
rotation of the plate and a common velocity upward, of which nothing is known beforehand. Length, size and local motion
of each component maximise the likelihood (scikit-learn), with a wide prior that keeps a few noisy stations from being
taken for ground that does not move. Prediction and leave-one-out come from the one covariance: least-squares
collocation (Moritz 1980, Advanced Physical Geodesy), or Gaussian-process regression with basis functions (Rasmussen &
Williams 2006, Gaussian Processes for Machine Learning, 2.7 and 5.4.2). A few stations move by themselves far more than
others (:mod:`~groundshift.geodesy.own_motion`): those count for less, and as any station may be one, the sigma of the
leave-one-out error is that of a distribution with heavy tails. Which ones move is known with some probability only: the
covariance of a prediction holds how much it depends on that.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.linalg import cho_factor, cho_solve

from groundshift.errors import InputError
from groundshift.geodesy.frames import Pole, estimate_pole, to_frame
from groundshift.geodesy.own_motion import (
    OwnMotion,
    chance_of_own_motion,
    estimate_own_motion,
    normal_score,
    own_variance,
)
from groundshift.geodesy.smooth_field import (
    Centre,
    Field3,
    carried_axes,
    centre_of,
    estimate_fields,
    smooth_covariance,
)
from groundshift.kernels.rotation import rotation_design
from groundshift.model.stations import COMPONENTS, StationVelocities

log = logging.getLogger(__name__)

_VAGUE = 30.0  # standard deviation of rotation (mas/yr) and of the common velocity upward (mm/yr) beforehand
_ROUNDS = 5
_NONE = OwnMotion(0.0, 0.0)
_CLEAR = 0.05  # √(p (1 - p)) below which it is clear whether a station moves by itself
LEAST_STATIONS = 5
"""Below which there is no model."""


class Velocity(NamedTuple):
    """Velocities at places."""

    velocity: np.ndarray  # float64 (n, 3), mm/yr: east, north, up
    covariance: np.ndarray  # float64 (n, 3, 3), (mm/yr)²


class VelocityField(Protocol):
    """What gives the velocity of the ground at any place: a model of stations, or a grid."""

    frame: str
    source: str

    def at(self, latitude: np.ndarray, longitude: np.ndarray) -> Velocity:
        """Velocities at places in degrees (n,); NaN where there is none."""
        ...

    def joint_covariance(self, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
        """Covariance of the velocities at all places together, float64 (3n, 3n): the components of a place adjoin."""
        ...


class VelocityModelConfig(BaseModel):
    """How stations become a velocity model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shortest: float = Field(20.0, gt=0, description="least length over which velocities are alike, km")
    longest: float = Field(2000.0, gt=0, description="largest such length, km")
    outliers: float = Field(
        0.05, gt=0, lt=0.5, description="share of stations that move by themselves, as expected before any is seen"
    )


class LeaveOneOut(NamedTuple):
    """How well every station is predicted from all others."""

    error: np.ndarray  # float64 (n, 3), mm/yr: station less prediction; NaN where not measured
    sigma: np.ndarray  # float64 (n, 3), mm/yr: what was expected of it: model, station, local and own motion
    weight: np.ndarray  # float64 (n, 3): of the station in the model, 0 for outliers to 1
    score: np.ndarray  # float64 (n, 3): the error as a normal quantile of the heavy-tailed distribution expected


@dataclass(frozen=True, eq=False)
class VelocityModel:
    """A model of the velocity of the ground; see :func:`fit_velocity_model`."""

    stations: StationVelocities
    fields: tuple[Field3, Field3, Field3]
    centre: Centre  # where the components of the fields are east and north
    pole: Pole  # that removed the rotation while lengths were estimated
    inflation: np.ndarray  # float64 (n, 3), (mm/yr)²: added to the variance of stations that move by themselves
    own: tuple[OwnMotion, OwnMotion, OwnMotion]  # of such stations, in each component
    scale: np.ndarray  # float64 (3,): what the sigmas of stations are multiplied by
    frame: str
    source: str

    def at(self, latitude: np.ndarray, longitude: np.ndarray) -> Velocity:
        """Velocities of the smooth field and the plate, not of what single stations have for themselves."""
        latitude, longitude = (np.atleast_1d(np.asarray(each, float)) for each in (latitude, longitude))
        velocity, covariance = np.empty((len(latitude), 3)), np.empty((len(latitude), 3, 3))
        for start in range(0, len(latitude), 1000):
            part = slice(start, start + 1000)
            near, prior = self._towards(latitude[part], longitude[part]), self._prior(latitude[part], longitude[part])
            velocity[part] = (near @ self._solved).reshape(-1, 3)
            explained = cho_solve(self._factor, near.T).T.reshape(-1, 3, near.shape[1])
            covariance[part] = prior - explained @ near.reshape(-1, 3, near.shape[1]).transpose(0, 2, 1)
            cases = (near @ self._cases).reshape(len(near) // 3, 3, self._cases.shape[1])
            covariance[part] += cases @ cases.transpose(0, 2, 1)
        return Velocity(velocity, (covariance + covariance.transpose(0, 2, 1)) / 2)

    def joint_covariance(self, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
        """See :class:`VelocityField`."""
        near = self._towards(latitude, longitude)
        prior = smooth_covariance(self.fields, self.centre, latitude, longitude, latitude, longitude)
        basis = _basis(latitude, longitude)
        cases = near @ self._cases
        out = prior + _VAGUE**2 * basis @ basis.T - near @ cho_solve(self._factor, near.T) + cases @ cases.T
        return (out + out.T) / 2

    def leave_one_out(self) -> LeaveOneOut:
        """Errors of stations predicted from all others; the judged station has the sigma that it came with.

        That it may be one that moves by itself is in `sigma`, for all stations alike, whether they seem to or not.
        """
        there = np.isfinite(self.stations.velocity)
        rows = np.repeat(np.arange(len(there)), there.sum(axis=1))
        inverse = cho_solve(self._factor, np.eye(len(rows)))
        error, variance = np.full(there.shape, np.nan), np.full(there.shape, np.nan)
        for station in range(len(there)):
            mine = np.flatnonzero(rows == station)
            block = np.linalg.inv(inverse[np.ix_(mine, mine)])
            error[station, there[station]] = block @ self._solved[mine]
            variance[station, there[station]] = np.diag(block)
        variance -= np.where(there, self.inflation, 0)
        weight = np.where(there, variance / (variance + self.inflation), np.nan)
        every = zip(error.T, np.sqrt(variance).T, self.own, strict=True)
        score = np.stack([normal_score(*each) for each in every], 1)
        return LeaveOneOut(error, np.sqrt(variance + [each.variance for each in self.own]), weight, score)

    @cached_property
    def _cases(self) -> np.ndarray:
        """What is not known of the prediction because it is not known which stations move by themselves, (k, m).

        Multiplied from the left by the covariance of places with the stations, it gives, for each of the m measurements
        of which that is not clear, the standard deviation over both cases: √(p (1 - p)) times the difference between a
        prediction for which the station moves by itself and one for which it does not.
        """
        left, there = self.leave_one_out(), self._there
        own = np.array([each.size**2 for each in self.own])
        expected = np.sqrt(left.sigma**2 - [each.variance for each in self.own])
        chance = np.stack(
            [chance_of_own_motion(*each) for each in zip(left.error.T, expected.T, self.own, strict=True)]
        )
        doubt = np.sqrt(chance.T * (1 - chance.T)).ravel()[there]
        more = [(each - self.inflation).ravel()[there] for each in (np.zeros(3), own)]
        inverse = cho_solve(self._factor, np.eye(len(doubt)))
        moved = [each * self._solved / (1 + each * np.diag(inverse)) for each in more]
        unclear = np.flatnonzero(doubt > _CLEAR)
        return inverse[:, unclear] * (doubt * (moved[1] - moved[0]))[unclear]

    def __post_init__(self) -> None:
        there = np.isfinite(self.stations.velocity).ravel()
        latitude, longitude = self.stations.latitude, self.stations.longitude
        basis = _basis(latitude, longitude)
        total = smooth_covariance(self.fields, self.centre, latitude, longitude, latitude, longitude)
        total += _VAGUE**2 * basis @ basis.T
        own = np.nan_to_num(self.stations.covariance) * np.outer(self.scale, self.scale)
        own += self._of_fields("local", latitude, longitude) + self.inflation[:, :, None] * np.eye(3)
        for row, covariance in enumerate(own):
            part = slice(3 * row, 3 * row + 3)
            total[part, part] += covariance
        factor = cho_factor(total[np.ix_(there, there)], lower=True)
        object.__setattr__(self, "_there", there)
        object.__setattr__(self, "_factor", factor)
        object.__setattr__(self, "_solved", cho_solve(factor, self.stations.velocity.ravel()[there]))

    def _towards(self, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
        """Covariance of places with what stations measured, float64 (3m, k)."""
        stations = self.stations
        out = smooth_covariance(self.fields, self.centre, latitude, longitude, stations.latitude, stations.longitude)
        out += _VAGUE**2 * _basis(latitude, longitude) @ _basis(stations.latitude, stations.longitude).T
        return out[:, self._there]

    def _prior(self, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
        basis = _basis(latitude, longitude).reshape(-1, 3, 4)
        return self._of_fields("size", latitude, longitude) + _VAGUE**2 * basis @ basis.transpose(0, 2, 1)

    def _of_fields(self, what: str, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
        """Size or local motion of the fields as a covariance east, north, up at places, float64 (n, 3, 3)."""
        turn = carried_axes(self.centre, latitude, longitude)
        return (turn * [getattr(each, what) ** 2 for each in self.fields]) @ turn.transpose(0, 2, 1)

    @property
    def local_variance(self) -> np.ndarray:
        """Of what each station has for itself, float64 (n, 3), (mm/yr)²: east, north, up."""
        stations = self.stations
        return np.diagonal(self._of_fields("local", stations.latitude, stations.longitude), axis1=1, axis2=2)


def fit_velocity_model(
    stations: StationVelocities, config: VelocityModelConfig | None = None, *, frame: str | None = None
) -> VelocityModel:
    """Estimate how velocities vary in space, and make the model.

    Of each station the probability that it moves by itself follows from its leave-one-out error; it counts for less by
    a variance added to its own, and all is estimated again, a few times.

    Parameters
    ----------
    stations
        Five or more; not all need all components.
    config
        The options.
    frame
        Of the model; that of the stations if not given. See :func:`~groundshift.geodesy.frames.to_frame`.

    Raises
    ------
    InputError
        If there are too few stations, or they hold displacements.
    ConfigurationError
        If the frame is not known.
    """
    config = config or VelocityModelConfig()
    if stations.quantity != "velocity":
        raise InputError(f"{stations.source} holds displacements in mm; a velocity model needs velocities in mm/yr")
    if len(stations) < LEAST_STATIONS:
        raise InputError(f"{len(stations)} stations; a velocity model needs {LEAST_STATIONS} or more")
    stations = to_frame(stations, frame or stations.frame)
    for number, each in enumerate(COMPONENTS):
        if np.isfinite(stations.velocity[:, number]).sum() < LEAST_STATIONS:
            raise InputError(
                f"fewer than {LEAST_STATIONS} stations have a velocity {each}; a model needs that many of each"
            )
    inflation, own, scale = np.zeros(stations.velocity.shape), (_NONE, _NONE, _NONE), np.ones(3)
    pole, centre = estimate_pole(stations), centre_of(stations.latitude, stations.longitude)
    fields = None
    for number in range(_ROUNDS):
        fields = estimate_fields(
            stations, pole, centre, scale * stations.sigma, inflation, (config.shortest, config.longest), fields
        )
        model = VelocityModel(stations, fields, centre, pole, inflation, own, scale, stations.frame, stations.source)
        if number < _ROUNDS - 1:
            own, inflation, scale = _moving(model, config)
    log.debug(
        "velocity model of %d stations: %s", len(stations),
        ", ".join(f"{name} {each.size:.2f} mm/yr over {each.length:.0f} km, {each.local:.2f} mm/yr of each station"
                  for name, each in zip(COMPONENTS, model.fields, strict=True)),
    )  # fmt: skip
    return model


def _moving(
    model: VelocityModel, config: VelocityModelConfig
) -> tuple[tuple[OwnMotion, OwnMotion, OwnMotion], np.ndarray, np.ndarray]:
    """Own motion of stations in each component, what it adds to the variance of each, and the factor of sigmas."""
    left = model.leave_one_out()
    expected = np.sqrt(left.sigma**2 - [each.variance for each in model.own])
    own, more, scale = [], np.zeros_like(expected), model.scale.copy()
    for number, error in enumerate(left.error.T):
        sigma, before = expected[:, number], float(model.scale[number])
        found, factor = estimate_own_motion(error, sigma, share=config.outliers, scale=before)
        scale[number] *= factor
        noise = (scale[number] * model.stations.sigma[:, number]) ** 2 + factor**2 * model.local_variance[:, number]
        chance = chance_of_own_motion(error, factor * sigma, found)
        more[:, number] = np.nan_to_num(own_variance(chance, noise, found))
        own.append(found)
    return (own[0], own[1], own[2]), more, scale


def _basis(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """What is not known beforehand: rotation about three axes, mm/yr for a mas/yr, and upward; float64 (3n, 4)."""
    out = np.zeros((len(latitude), 3, 4))
    out[:, :2, :3] = rotation_design(latitude, longitude)[:, :2]
    out[:, 2, 3] = 1
    return out.reshape(-1, 4)
