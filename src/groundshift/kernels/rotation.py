"""Places and velocities on a turning ellipsoid: local axes, geocentric coordinates, rotation about a pole."""

from __future__ import annotations

import numpy as np

MAS = np.pi / 180 / 3600 / 1000
"""One milliarcsecond in radians."""

_SEMI_MAJOR, _FLATTENING = 6_378_137.0, 1 / 298.257222101  # m: GRS 80
_SQUARE = _FLATTENING * (2 - _FLATTENING)


def geocentric(latitude: np.ndarray, longitude: np.ndarray, height: np.ndarray | float = 0.0) -> np.ndarray:
    """Geocentric coordinates X, Y, Z on GRS 80, float64 (n, 3), m, of places in degrees and metres."""
    phi, lam = np.radians(latitude), np.radians(longitude)
    radius = _SEMI_MAJOR / np.sqrt(1 - _SQUARE * np.sin(phi) ** 2)
    level = (radius + height) * np.cos(phi)
    return np.stack([level * np.cos(lam), level * np.sin(lam), (radius * (1 - _SQUARE) + height) * np.sin(phi)], -1)


def local_axes(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Unit vectors east, north, up in X, Y, Z, float64 (n, 3, 3): `axes @ xyz` gives east, north, up."""
    phi, lam = (np.radians(np.asarray(each, float)) for each in (latitude, longitude))
    zero = np.zeros_like(phi + lam)
    return np.stack(
        [
            np.stack([-np.sin(lam) + zero, np.cos(lam) + zero, zero], -1),
            np.stack([-np.sin(phi) * np.cos(lam), -np.sin(phi) * np.sin(lam), np.cos(phi) + zero], -1),
            np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi) + zero], -1),
        ],
        -2,
    )


def rotation_design(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Velocity east, north, up in mm/yr for each mas/yr of a rotation about X, Y, Z; float64 (n, 3, 3).

    A plate that turns by ω moves by ω × x; on the ellipsoid the part upward is below a third of a percent of the
    whole, and is kept.
    """
    x, y, z = np.moveaxis(geocentric(np.asarray(latitude, float), np.asarray(longitude, float)), -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([np.stack([zero, z, -y], -1), np.stack([-z, zero, x], -1), np.stack([y, -x, zero], -1)], -2)
    return local_axes(latitude, longitude) @ cross * (1000 * MAS)
