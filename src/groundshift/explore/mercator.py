"""Web maps: tiles of EPSG:3857, which x runs east and y south from the north-west corner of a square world."""

from __future__ import annotations

import numpy as np

from groundshift.io.store.encode import HALF_WORLD

MAX_ZOOM = 22
RADIUS = 6_378_137.0  # m


def tile_bounds(z: int, x: int, y: int) -> tuple[float, float, float, float]:
    """West, south, east, north of a tile, centimetres of EPSG:3857."""
    side = 2 * HALF_WORLD / 2**z
    return x * side - HALF_WORLD, HALF_WORLD - (y + 1) * side, (x + 1) * side - HALF_WORLD, HALF_WORLD - y * side


def to_degrees(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude from centimetres of EPSG:3857."""
    metres = np.asarray(x) / 100, np.asarray(y) / 100
    return np.degrees(metres[0] / RADIUS), np.degrees(2 * np.arctan(np.exp(metres[1] / RADIUS)) - np.pi / 2)


def to_centimetres(longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centimetres of EPSG:3857 from degrees; latitudes beyond 85 degrees are taken as 85."""
    latitude = np.radians(np.clip(latitude, -85.05, 85.05))
    return 100 * RADIUS * np.radians(longitude), 100 * RADIUS * np.log(np.tan(np.pi / 4 + latitude / 2))


def morton(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bits of x and y in turn, int64: all cells below one tile are neighbours in this order."""
    code = np.zeros(np.broadcast(x, y).shape, np.int64)
    x, y = np.asarray(x, np.int64), np.asarray(y, np.int64)
    for bit in range(24):
        code |= ((x >> bit) & 1) << (2 * bit) | ((y >> bit) & 1) << (2 * bit + 1)
    return code
