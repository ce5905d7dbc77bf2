"""Where the pixels of a simulated stack are on the ground, and how the satellite looks at them.

The ground is a plane in metres to the east and north of the middle. Rows follow the orbit, columns the slant range,
which is laid on the ground by the incidence in the middle; it looks to the right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from pyproj import Transformer

from groundshift.synth.radar.options import StackOptions

RANGE_SPACING = 2.329562  # m: Sentinel-1 IW
AZIMUTH_SPACING = 13.94  # m
_HEADING = {"ascending": -9.0, "descending": 191.0}  # degrees from north
_INCIDENCE = {"ascending": 38.6, "descending": 36.9}  # degrees, in the middle
_EARTH, _ORBIT = 6_371e3, 693e3  # m: radius, height


class Look(NamedTuple):
    """How the satellite sees pixels: unit vector from ground to satellite and incidence, float32."""

    east: np.ndarray
    north: np.ndarray
    up: np.ndarray
    incidence: np.ndarray  # degrees


@dataclass(frozen=True)
class Geometry:
    """Rows and columns to ground, and back."""

    lines: int
    pixels: int
    heading: float  # degrees from north
    incidence: float  # degrees, in the middle
    latitude: float  # of the middle, degrees
    longitude: float

    @classmethod
    def of(cls, options: StackOptions) -> Geometry:
        """That of an orbit."""
        return cls(
            options.lines, options.pixels, _HEADING[options.orbit], _INCIDENCE[options.orbit], options.latitude,
            options.longitude,
        )  # fmt: skip

    @property
    def slant_range(self) -> float:
        """Metres to the middle, above a round earth."""
        angle = np.radians(self.incidence)
        above = np.sqrt((_EARTH + _ORBIT) ** 2 - (_EARTH * np.sin(angle)) ** 2)
        return float(above - _EARTH * np.cos(angle))

    @property
    def ground_spacing(self) -> float:
        """Metres on level ground from a column to the next."""
        return RANGE_SPACING / float(np.sin(np.radians(self.incidence)))

    @property
    def away(self) -> tuple[float, float]:
        """Horizontal unit vector (east, north) that points away from the satellite: to the right of the orbit."""
        heading = np.radians(self.heading)
        return float(np.cos(heading)), float(-np.sin(heading))

    @property
    def raised(self) -> float:
        """Metres away from the satellite by which a point lies farther, for each metre above the known height."""
        return float(1 / np.tan(np.radians(self.incidence)))

    def ground(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Metres to the east and north of the middle, at the known height; float64."""
        along = (rows - (self.lines - 1) / 2) * AZIMUTH_SPACING
        across = (columns - (self.pixels - 1) / 2) * self.ground_spacing
        east, north = self.away
        return across * east - along * north, across * north + along * east

    def image(self, east: np.ndarray, north: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of ground at the known height: the inverse of :meth:`ground`."""
        right, ahead = self.away
        across, along = east * right + north * ahead, north * right - east * ahead
        rows = along / AZIMUTH_SPACING + (self.lines - 1) / 2
        return rows, across / self.ground_spacing + (self.pixels - 1) / 2

    def look(self, columns: np.ndarray) -> Look:
        """The look at columns: incidence grows with range as on level ground, dθ = dR / (R tan θ)."""
        middle = np.radians(self.incidence)
        farther = (columns - (self.pixels - 1) / 2) * RANGE_SPACING
        angle = middle + farther / (self.slant_range * np.tan(middle))
        east, north = self.away
        parts = (-np.sin(angle) * east, -np.sin(angle) * north, np.cos(angle), np.degrees(angle))
        return Look(*(each.astype(np.float32) for each in parts))

    def degrees(self, east: np.ndarray, north: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude of ground, degrees on WGS 84: a transverse Mercator plane around the middle."""
        longitude, latitude = _transformer(self).transform(east, north)
        return latitude, longitude

    def metres(self, latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Metres to the east and north of the middle: the inverse of :meth:`degrees`."""
        return _transformer(self).transform(longitude, latitude, direction="INVERSE")


def extent(options: StackOptions, margin: float) -> tuple[float, float]:
    """Half widths to the east and north, metres, of a box that holds what both orbits see, and `margin` metres more."""
    corners = np.meshgrid([0, options.lines - 1], [0, options.pixels - 1])
    sides = np.max([np.abs(each.ground(*corners)).max(axis=(1, 2)) for each in _both(options)], axis=0)
    return float(sides[0] + margin), float(sides[1] + margin)


def in_any_view(options: StackOptions, east: np.ndarray, north: np.ndarray) -> np.ndarray:
    """Whether places are in the image of one orbit or of the other, bool."""
    seen = np.zeros(np.broadcast_shapes(east.shape, north.shape), bool)
    for geometry in _both(options):
        row, column = geometry.image(east, north)
        seen |= (row > -0.5) & (row < options.lines - 0.5) & (column > -0.5) & (column < options.pixels - 0.5)
    return seen


def _both(options: StackOptions) -> list[Geometry]:
    return [Geometry.of(options.model_copy(update={"orbit": orbit})) for orbit in _HEADING]


def _transformer(geometry: Geometry) -> Transformer:
    plane = f"+proj=tmerc +lat_0={geometry.latitude} +lon_0={geometry.longitude} +ellps=WGS84 +units=m"
    return Transformer.from_crs(plane, "EPSG:4326", always_xy=True)
