"""The truth: how the ground of a strip moves at any place.

Places are metres to the east and north of the middle of the strip, on a transverse Mercator plane; velocities are
east, north, up in mm/yr, along the axes of that plane.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from pyproj import Transformer

from groundshift.kernels.rotation import rotation_design
from groundshift.synth.points.options import StripOptions
from groundshift.synth.radar.hashing import generator_of


def regional_velocity(options: StripOptions, places: np.ndarray) -> np.ndarray:
    """What stations can show, float64 (n, 3), at places (n, 2): a locked fault, stretching, a ridge, the plate.

    The fault is a screw dislocation below its locking depth: v = s/π atan(x/D) (Savage & Burford 1973,
    doi:10.1029/JB078i005p00832).
    """
    motion, (east, north) = options.motion, places.T / 1000
    strike = np.radians(motion.strike)
    beside = east * np.cos(strike) - north * np.sin(strike)
    along = -motion.slip / np.pi * np.arctan(beside / motion.locking_depth)
    out = np.stack([along * np.sin(strike), along * np.cos(strike), np.zeros_like(along)], 1)
    out[:, 0] += motion.stretching * east / 100
    out[:, 2] += motion.uplift * np.exp(-0.5 * (north / motion.ridge) ** 2)
    if any(motion.rotation):
        latitude, longitude = degrees(options, places)
        out += rotation_design(latitude, longitude) @ np.array(motion.rotation)
    return out


def local_velocity(options: StripOptions, places: np.ndarray) -> np.ndarray:
    """What they cannot show, float64 (n, 3): bowls that sink and draw the ground inward, and sliding slopes.

    A bowl has the form cos²(π r / 2R) inside its radius R; its ground moves inward by at most a third of that at R/2.
    """
    motion, drawn = options.motion, _local(options)
    out = np.zeros((len(places), 3))
    for centre, peak in zip(drawn["bowls"], drawn["bowl_velocity"], strict=True):
        inside, away = _near(places, centre, 1000 * motion.bowl_radius)
        share = np.linalg.norm(away, axis=1) / (1000 * motion.bowl_radius)
        out[inside, 2] += peak * np.cos(np.pi / 2 * share) ** 2
        direction = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
        out[inside, :2] += peak / 3 * np.sin(np.pi * share)[:, None] ** 2 * direction
    for centre, azimuth in zip(drawn["slopes"], drawn["slope_azimuth"], strict=True):
        inside, away = _near(places, centre, 1000 * motion.slope_radius)
        share = np.linalg.norm(away, axis=1) / (1000 * motion.slope_radius)
        downhill = 0.8 * np.array([np.sin(azimuth), np.cos(azimuth), -0.75])
        out[inside] += motion.slope_velocity * np.cos(np.pi / 2 * share)[:, None] ** 2 * downhill
    return out


def ground_velocity(options: StripOptions, places: np.ndarray) -> np.ndarray:
    """All of it: :func:`regional_velocity` and :func:`local_velocity`."""
    return regional_velocity(options, places) + local_velocity(options, places)


def bowl_centres(options: StripOptions) -> np.ndarray:
    """Middles of the bowls, float64 (n, 2), m."""
    return _local(options)["bowls"]


def half_size(options: StripOptions) -> np.ndarray:
    """Half widths of the strip to the east and north, m: a box that most bursts of a track cover."""
    across = (options.tracks - 1) * options.track_spacing + options.across
    along = (options.bursts - 1) * options.burst_spacing + options.along
    return np.array([across, along]) * 500


def degrees(options: StripOptions, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude of places (n, 2)."""
    longitude, latitude = _plane(options.latitude, options.longitude).transform(*places.T)
    return latitude, longitude


def metres(options: StripOptions, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Places (n, 2) of latitudes and longitudes: the inverse of :func:`degrees`."""
    plane = _plane(options.latitude, options.longitude)
    return np.column_stack(plane.transform(longitude, latitude, direction="INVERSE"))


@lru_cache
def _plane(latitude: float, longitude: float) -> Transformer:
    plane = f"+proj=tmerc +lat_0={latitude} +lon_0={longitude} +ellps=GRS80 +units=m"
    return Transformer.from_crs(plane, "EPSG:4326", always_xy=True)


@lru_cache
def _local(options: StripOptions) -> dict[str, np.ndarray]:
    motion, random = options.motion, generator_of(options.seed, "local motion")
    half = half_size(options)
    bowls = random.uniform(-0.9, 0.9, (motion.bowls, 2)) * half
    bowls[:1] = 0
    peaks = motion.bowl_velocity * random.uniform(0.5, 1.5, motion.bowls)
    peaks[:1] = motion.bowl_velocity
    return {
        "bowls": bowls,
        "bowl_velocity": peaks,
        "slopes": random.uniform(-0.95, 0.95, (motion.slopes, 2)) * half,
        "slope_azimuth": random.uniform(0, 2 * np.pi, motion.slopes),
    }


def _near(places: np.ndarray, centre: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Which places are within a radius, and how far they are from the centre, (m, 2)."""
    away = places - centre
    inside = np.flatnonzero((np.abs(away) < radius).all(axis=1))
    inside = inside[(away[inside] ** 2).sum(axis=1) < radius**2]
    return inside, away[inside]
