"""Frames of velocities: from one to another, and what a plate moves in them.

Known are the realisations of :data:`REALISATIONS` (IGS14 and IGb14 count as ITRF2014, IGS20 and IGb20 as ITRF2020),
between which PROJ has Helmert transformations, and "plate-fixed EURA", or another plate of :data:`POLES`: ITRF2020
less the motion of that plate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from pyproj import Transformer

from groundshift.errors import ConfigurationError, InputError
from groundshift.kernels.robust import robust_fit
from groundshift.kernels.rotation import geocentric, local_axes, rotation_design
from groundshift.model.stations import StationSeries, StationVelocities, build_velocities
from groundshift.model.units import YEAR

REALISATIONS: Mapping[str, int] = {
    "ITRF2000": 4919, "ITRF2005": 4896, "ITRF2008": 5332, "ITRF2014": 7789, "ITRF2020": 9988,
    "ETRF2000": 7930, "ETRF2005": 8397, "ETRF2014": 8401, "ETRF2020": 10569,
}  # fmt: skip
"""Frames, and the EPSG codes of their geocentric coordinates."""

POLES: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "ITRF2014": {
        "ANTA": (-0.248, -0.324, 0.675), "ARAB": (1.154, -0.136, 1.444), "AUST": (1.510, 1.182, 1.215),
        "EURA": (-0.085, -0.531, 0.770), "INDI": (1.154, -0.005, 1.454), "NAZC": (-0.333, -1.544, 1.623),
        "NOAM": (0.024, -0.694, -0.063), "NUBI": (0.099, -0.614, 0.733), "PCFC": (-0.409, 1.047, -2.169),
        "SOAM": (-0.270, -0.301, -0.140), "SOMA": (-0.121, -0.794, 0.884),
    },
    "ITRF2020": {
        "AMUR": (-0.131, -0.551, 0.837), "ANTA": (-0.269, -0.312, 0.678), "ARAB": (1.129, -0.146, 1.438),
        "AUST": (1.487, 1.175, 1.223), "CARB": (0.207, -1.422, 0.726), "EURA": (-0.085, -0.519, 0.753),
        "INDI": (1.137, 0.013, 1.444), "NAZC": (-0.327, -1.561, 1.605), "NOAM": (0.045, -0.666, -0.098),
        "NUBI": (0.090, -0.585, 0.717), "PCFC": (-0.404, 1.021, -2.154), "SOAM": (-0.261, -0.282, -0.157),
        "SOMA": (-0.081, -0.719, 0.864),
    },
}  # fmt: skip
"""Rotation of plates about X, Y, Z in mas/yr, without origin rate bias.

Sources: Altamimi et al. (2017), ITRF2014 plate motion model, doi:10.1093/gji/ggx136; Altamimi et al. (2023), ITRF2020
plate motion model, doi:10.1029/2023GL106373.
"""

_ALIASES = {"IGS14": "ITRF2014", "IGB14": "ITRF2014", "IGS20": "ITRF2020", "IGB20": "ITRF2020", "IGS08": "ITRF2008",
            "IGB08": "ITRF2008", "IGS05": "ITRF2005"}  # fmt: skip
_FIXED = "plate-fixed "
_YEARS = 100.0  # over which places are moved to see how fast they move
_EPOCH = 2015.0


class Pole(NamedTuple):
    """The rotation of a plate."""

    rotation: np.ndarray  # float64 (3,), mas/yr about X, Y, Z
    covariance: np.ndarray  # float64 (3, 3), (mas/yr)²
    used: np.ndarray  # float64 (n,): weight of each station, 0 for outliers to 1

    @property
    def place(self) -> tuple[float, float, float]:
        """Latitude and longitude of the pole, degrees, and rate, degrees in a million years."""
        x, y, z = self.rotation
        size = float(np.linalg.norm(self.rotation))
        return float(np.degrees(np.arcsin(z / size))), float(np.degrees(np.arctan2(y, x))), size / 3.6


def plate_velocity(latitude: np.ndarray, longitude: np.ndarray, plate: str, *, model: str = "ITRF2020") -> np.ndarray:
    """Velocity of a rigid plate, east, north, up in mm/yr, float64 (n, 3).

    Parameters
    ----------
    latitude, longitude
        Degrees, (n,).
    plate
        A plate of :data:`POLES`, such as EURA.
    model
        ITRF2014 or ITRF2020; also the frame of the result.
    """
    return rotation_design(latitude, longitude) @ _pole(plate, model)


def estimate_pole(stations: StationVelocities) -> Pole:
    """The rotation that fits the horizontal velocities of stations best, whatever a few outliers do.

    Raises
    ------
    InputError
        If fewer than three stations have horizontal velocities.
    """
    there = np.isfinite(stations.velocity[:, :2]).all(axis=1)
    if there.sum() < 3:
        raise InputError(f"{there.sum()} stations have velocities east and north; a pole needs three or more")
    design = rotation_design(stations.latitude, stations.longitude)[there, :2].reshape(-1, 3)
    values, sigma = (each[there, :2].ravel() for each in (stations.velocity, stations.sigma))
    fit = robust_fit(design, values, 1 / (sigma**2 + np.median(sigma) ** 2))
    used = np.zeros(len(stations))
    used[there] = fit.weights.reshape(-1, 2).min(axis=1)
    return Pole(fit.coefficients, fit.covariance, used)


def to_frame(stations: StationVelocities, frame: str) -> StationVelocities:
    """The same stations with velocities in another frame; covariances stay as they are.

    Displacements are refused: how far a frame moves against another depends on how long they took, which is not known.

    Velocities between realisations differ by rotation, translation and scale that change with time, which PROJ takes
    from the EPSG registry: places are moved for a hundred years in one frame and looked at in the other.

    Raises
    ------
    ConfigurationError
        If one of the frames is not known, or displacements are to change theirs.
    """
    if frame == stations.frame:
        return stations
    if stations.quantity != "velocity":
        raise ConfigurationError(
            f"{stations.source} holds displacements in {stations.frame}; only velocities can go to {frame}: give "
            "displacements in the frame that is wanted"
        )
    measured = np.isfinite(stations.velocity)
    velocity = np.where(measured, stations.velocity, 0.0)
    start, removed = _resolved(stations.frame, stations.latitude, stations.longitude)
    goal, given = _resolved(frame, stations.latitude, stations.longitude)
    velocity = velocity + removed
    if start != goal:
        velocity = _helmert(stations, velocity, start, goal)
    return replace(stations, velocity=np.where(measured, velocity - given, np.nan), frame=frame)


def series_to_frame(series: StationSeries, frame: str) -> StationSeries:
    """The same series as seen in another frame: with what one frame moves against the other since the first day.

    Raises
    ------
    ConfigurationError
        If one of the frames is not known.
    """
    if frame == series.frame:
        return series
    at_rest = build_velocities(
        [series.name], [series.latitude], [series.longitude], np.zeros((1, 3)), sigma=np.ones((1, 3)),
        height=[series.height], frame=series.frame, source=series.source,
    )  # fmt: skip
    years = (series.days - series.days[0]).astype(float) / YEAR
    moved = np.outer(years, to_frame(at_rest, frame).velocity[0])
    return replace(series, displacement=series.displacement + moved, frame=frame)


def known_frame(frame: str) -> bool:
    """Whether :func:`to_frame` can go from and to a frame."""
    name = _ALIASES.get(frame.upper(), frame)
    return name in REALISATIONS or (frame.startswith(_FIXED) and frame.removeprefix(_FIXED) in POLES["ITRF2020"])


def _resolved(frame: str, latitude: np.ndarray, longitude: np.ndarray) -> tuple[str, np.ndarray | float]:
    """A realisation, and what of its velocities a frame leaves out."""
    if not known_frame(frame):
        raise ConfigurationError(
            f"frame {frame!r} is not known; expected one of {', '.join(REALISATIONS)}, IGS14, IGS20, or "
            f"'{_FIXED}EURA' (or another plate)"
        )
    if frame.startswith(_FIXED):
        return "ITRF2020", plate_velocity(latitude, longitude, frame.removeprefix(_FIXED))
    return _ALIASES.get(frame.upper(), frame), 0.0


def _helmert(stations: StationVelocities, velocity: np.ndarray, start: str, goal: str) -> np.ndarray:
    change = Transformer.from_crs(REALISATIONS[start], REALISATIONS[goal])
    axes = local_axes(stations.latitude, stations.longitude)
    place = geocentric(stations.latitude, stations.longitude, np.nan_to_num(stations.height))
    later = place + np.einsum("nji,nj->ni", axes, velocity) / 1000 * _YEARS
    seen = [
        np.stack(change.transform(*each.T, np.full(len(each), _EPOCH + years))[:3], 1)
        for each, years in ((place, 0.0), (later, _YEARS))
    ]
    return np.einsum("nij,nj->ni", axes, seen[1] - seen[0]) * 1000 / _YEARS


def _pole(plate: str, model: str) -> np.ndarray:
    if model not in POLES:
        raise ConfigurationError(f"plate motion model {model!r} is none of {', '.join(POLES)}")
    if plate not in POLES[model]:
        raise ConfigurationError(f"plate {plate!r} is not in {model}; it has {', '.join(POLES[model])}")
    return np.array(POLES[model][plate])
