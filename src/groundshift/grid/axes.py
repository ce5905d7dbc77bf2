"""How the axes of one projection lie in those of another: grid convergence."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import CRS, Geod, Transformer

from groundshift.grid.tiles import Box

_STEP = 1.0  # m along the easting, to either side
_NODE = 16  # pixels from one place where the projection is asked to the next; linear between
_ELLIPSOID = Geod(ellps="WGS84")


class Turn(NamedTuple):
    """Direction of the easting of a grid in the axes of another projection, of each pixel or place: 1, 0 if alike."""

    cosine: np.ndarray
    sine: np.ndarray

    def vector(self, east: np.ndarray, north: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """East and north of the other projection as those of the grid."""
        return self.cosine * east + self.sine * north, self.cosine * north - self.sine * east

    def outward(self, east: np.ndarray, north: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """East and north of the grid as those of the other projection."""
        return self.cosine * east - self.sine * north, self.sine * east + self.cosine * north

    def variance(self, east: np.ndarray, north: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Their variances, of errors that are independent in the axes of the other projection."""
        cosine, sine = self.cosine**2, self.sine**2
        return cosine * east + sine * north, cosine * north + sine * east

    def look(self, look: np.ndarray) -> np.ndarray:
        """Unit vectors (3, …), east, north and up of the other projection, in the axes of the grid."""
        return np.stack([*self.vector(look[0], look[1]), np.broadcast_to(look[2], self.cosine.shape)])

    def looks(self) -> np.ndarray:
        """Those of east, north and up of the other projection, (3, 3, y, x)."""
        return np.stack([self.look(axis) for axis in np.eye(3)])


def true_axes(crs: Any, x: np.ndarray, y: np.ndarray) -> Turn:
    """How the axes of a CRS lie in east and north of the ellipsoid, those of stations and of radar's looks, at places.

    Parameters
    ----------
    x, y
        Places in the CRS, of any one shape.
    """
    crs = CRS(str(crs))
    if crs.is_geographic:
        return Turn(np.ones(np.shape(x)), np.zeros(np.shape(x)))
    degrees = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True).transform
    ends = [np.asarray(each, float) for side in (-_STEP, _STEP) for each in degrees(np.add(x, side), y)]
    known = np.isfinite(ends).all(axis=0)
    azimuth = np.radians((crs.get_geod() or _ELLIPSOID).inv(*(np.where(known, each, 0) for each in ends))[0])
    return Turn(np.where(known, np.sin(azimuth), 1), np.where(known, np.cos(azimuth), 0))


def axes_turn(crs: Any, grid: GeoBox, box: Box) -> Turn:
    """How a box of a grid is turned in the axes of another CRS.

    East and north of a map are those of its projection; in degrees, those of the ellipsoid. In a UTM zone the grid is
    turned by up to 3 degrees from north, and from that of the next zone by up to 6 and more.

    Parameters
    ----------
    crs
        Of a map, anything whose text `pyproj` reads.
    """
    if str(crs) == str(grid.crs):
        return Turn(np.ones(box.shape), np.zeros(box.shape))
    rows, cols = (
        np.arange(start // _NODE, -(-stop // _NODE) + 1) * _NODE
        for start, stop in ((box.top, box.bottom), (box.left, box.right))
    )
    at_cols, at_rows = (each.astype(float) for each in np.meshgrid(cols, rows))
    if CRS(str(crs)).is_geographic:
        right, up = true_axes(grid.crs, *(grid.affine @ (at_cols, at_rows)))
    else:
        transform = Transformer.from_crs(str(grid.crs), str(crs), always_xy=True).transform
        (x0, y0), (x1, y1) = (transform(*(grid.affine @ (at_cols + side, at_rows))) for side in (-1, 1))
        with np.errstate(invalid="ignore"):
            right, up = np.subtract(x1, x0), np.subtract(y1, y0)
            length = np.copysign(np.hypot(right, up), grid.affine.a)
            right, up = (np.nan_to_num(each / length, posinf=0, neginf=0) for each in (right, up))
    down, along = (
        np.maximum(0, 1 - np.abs(np.arange(start, stop)[:, None] + 0.5 - nodes) / _NODE)
        for (start, stop), nodes in (((box.top, box.bottom), rows), ((box.left, box.right), cols))
    )
    right, up = down @ right @ along.T, down @ up @ along.T
    length = np.hypot(right, up)
    there = length > 0
    return Turn(
        np.where(there, right / np.where(there, length, 1), 1.0), np.where(there, up / np.where(there, length, 1), 0.0)
    )
