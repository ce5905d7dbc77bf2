"""Relief below everything else: heights of a digital elevation model, drawn as a grey hillshade."""

from __future__ import annotations

from typing import Any

import numpy as np

from groundshift.errors import InputError
from groundshift.explore.colors import png
from groundshift.explore.files import Watched
from groundshift.explore.mercator import RADIUS, tile_bounds
from groundshift.io.web import WebRaster, open_web_raster

SUN = (315.0, 45.0)
"""Azimuth from north and height above the horizon, degrees: from the upper left, as maps have it."""

_SIZE = 256  # pixels of a tile
_METRES = ("", "m", "metre", "metres", "meter", "meters")
_ECCENTRICITY = 0.006694379990141317  # squared, of WGS 84


class ReliefLayer:
    """A digital elevation model, heights in metres in its first band; any CRS.

    Raises
    ------
    InputError
        If its heights are not in metres.
    """

    kind = "relief"

    def __init__(self, name: str, raster: WebRaster) -> None:
        if raster.units[0].lower() not in _METRES:
            raise InputError(f"heights of {raster.path} are in {raster.units[0]!r}; expected metres: convert them")
        self.name, self.raster, self._lowest = name, raster, _lowest(raster)
        self._file = Watched(raster.path, self._renew)

    def describe(self) -> dict[str, Any]:
        """What the page needs to know of the layer; of a file that has changed, as it is now."""
        version = self._file.refresh()
        return {
            "id": self.name, "kind": self.kind, "bounds": list(self.raster.bounds), "version": version,
            "lowest": self._lowest,
        }  # fmt: skip

    def picture(self, z: int, x: int, y: int) -> bytes:
        """The hillshade of a tile as a PNG of 256 pixels: what lies square to the sun is white."""
        light = hillshade(self._heights(z, x, y, margin=1), *pixel_metres(z, y))
        there = np.isfinite(light)
        grey = np.where(there, light * 255, 0).round().astype(np.uint8)
        return png(np.stack([grey, grey, grey, np.where(there, 255, 0).astype(np.uint8)], axis=-1))

    def heights(self, z: int, x: int, y: int) -> bytes:
        """Heights of a tile above the lowest of all as a PNG of 256 pixels; 0 where there are none.

        Metres are 256 red + green + blue / 256 - 32768 (the encoding "terrarium" of web maps).
        """
        above = np.maximum(np.nan_to_num(self._heights(z, x, y, margin=0) - self._lowest), 0)
        steps = np.rint((above + 32_768) * 256).astype(np.uint32)
        opaque = np.full_like(steps, 255)
        return png(np.stack([steps >> 16, (steps >> 8) & 255, steps & 255, opaque], axis=-1).astype(np.uint8))

    def _heights(self, z: int, x: int, y: int, *, margin: int) -> np.ndarray:
        raster = self.raster
        return raster.tile(z, x, y, raster.bands[:1], size=_SIZE, margin=margin, resampling="cubic")[0]

    def _renew(self) -> None:
        raster = open_web_raster(self.raster.path)
        self.raster, self._lowest = raster, _lowest(raster)


def _lowest(raster: WebRaster) -> float:
    """Of a small copy, whole metres."""
    return float(np.floor(raster.spread(raster.bands[0], (0, 100))[0]))


def pixel_metres(z: int, y: int) -> tuple[np.ndarray, np.ndarray]:
    """Metres on the ground that pixels of a row of tiles are wide and high, each (256, 1), by row.

    A web map is a projection of the sphere given latitudes of WGS 84: it is enlarged by a cos φ⁻¹ / N eastward and
    a cos φ⁻¹ / M northward, with the radii of curvature N and M of the ellipsoid at latitude φ.
    """
    _, south, _, north = (each / 100 for each in tile_bounds(z, 0, y))
    pixel = (north - south) / _SIZE
    latitude = 2 * np.arctan(np.exp((north - (np.arange(_SIZE) + 0.5) * pixel) / RADIUS)) - np.pi / 2
    curved = 1 - _ECCENTRICITY * np.sin(latitude) ** 2
    across = pixel * np.cos(latitude) / np.sqrt(curved)
    along = across * (1 - _ECCENTRICITY) / curved
    return across[:, None], along[:, None]


def hillshade(heights: np.ndarray, east: np.ndarray, north: np.ndarray) -> np.ndarray:
    """Light that the ground throws back, 0 to 1: the cosine of the angle between the sun and what stands square on it.

    Slopes are weighted differences of the eight neighbours. Source: Horn, 1981, Hill shading and the reflectance map,
    Proceedings of the IEEE 69(1), p. 18 (slopes) and equation of a Lambertian surface.

    Parameters
    ----------
    heights
        Metres, (y + 2, x + 2): with one pixel more on each side; row 0 is north. NaN where there is none.
    east, north
        Size of a pixel, metres, of a shape that fits (y, x).

    Returns
    -------
    (y, x), NaN where one of the nine heights is not there; 0.71 on level ground.
    """
    around = [[heights[i : i + len(heights) - 2, j : j + heights.shape[1] - 2] for j in range(3)] for i in range(3)]
    sums = [around[i][0] + 2 * around[i][1] + around[i][2] for i in range(3)]
    columns = [around[0][j] + 2 * around[1][j] + around[2][j] for j in range(3)]
    eastward = (columns[2] - columns[0]) / (8 * east)
    northward = (sums[0] - sums[2]) / (8 * north)
    azimuth, height = np.radians(SUN)
    sun_east, sun_north, sun_up = (
        np.sin(azimuth) * np.cos(height),
        np.cos(azimuth) * np.cos(height),
        np.sin(height),
    )
    light = (sun_up - eastward * sun_east - northward * sun_north) / np.sqrt(1 + eastward**2 + northward**2)
    return np.where(np.isfinite(heights[1:-1, 1:-1]), np.maximum(light, 0), np.nan)
