"""Orbits: where a satellite was when it saw a place, how far away, and what that does to the phase.

Positions are earth-fixed (WGS 84, metres), times are seconds from any origin. A radar that is focused to zero Doppler
sees a place when the line to it is at right angles to the velocity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev
from pyproj import Geod, Transformer

from groundshift.errors import InputError
from groundshift.kernels.rotation import local_axes

_VECTORS = 8  # state vectors that one polynomial is fitted to
_DEGREE = 9
_ROUNDS = 8  # of Newton's method; each doubles the digits
_AXES = 6378137.0, 6356752.314245179  # m: WGS 84
_NODES = 15  # lines and pixels, each, at which ranges are computed for it
_PLANE, _UP = 5, 2  # highest powers of place, and of height, in the model of ranges
_TO_EARTH = Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
_FROM_EARTH = Transformer.from_crs("EPSG:4978", "EPSG:4979", always_xy=True)


class Sighting(NamedTuple):
    """When and from where places were seen."""

    seconds: np.ndarray  # (n,): of the orbit
    position: np.ndarray  # (n, 3), m: of the satellite
    slant_range: np.ndarray  # (n,), m


@dataclass(frozen=True, eq=False)
class Orbit:
    """State vectors of one pass.

    Attributes
    ----------
    seconds
        Times, ascending; float64 (n,), four or more.
    position
        m, float64 (n, 3).
    velocity
        m/s, float64 (n, 3).
    """

    seconds: np.ndarray
    position: np.ndarray
    velocity: np.ndarray

    def __post_init__(self) -> None:
        seconds, position, velocity = (np.asarray(v, np.float64) for v in (self.seconds, self.position, self.velocity))
        count = len(seconds)
        if count < 4 or (np.diff(seconds) <= 0).any() or position.shape != (count, 3) or velocity.shape != (count, 3):
            raise InputError(
                f"an orbit of {count} times, positions {position.shape} and velocities {velocity.shape}; expected four "
                "or more state vectors, each once and in order: apply the precise orbit file first"
            )
        for name, values in (("seconds", seconds), ("position", position), ("velocity", velocity)):
            object.__setattr__(self, name, values)

    def sight(self, places: np.ndarray) -> Sighting:
        """When the satellite passed places, (n, 3) in metres, at zero Doppler.

        Raises
        ------
        InputError
            If it passed them before its first or after its last state vector.
        """
        nearest = np.linalg.norm(self.position - places.mean(axis=0), axis=1).argmin()
        path = self._path(self.seconds[nearest])
        seconds = np.full(len(places), self.seconds[nearest])
        for _ in range(_ROUNDS):
            position, velocity, acceleration = path(seconds)
            ahead = places - position
            miss = (ahead * velocity).sum(axis=1)
            slope = (ahead * acceleration).sum(axis=1) - (velocity**2).sum(axis=1)
            seconds = seconds - miss / slope
        before, after = self.seconds[0] - seconds.min(), seconds.max() - self.seconds[-1]
        if max(before, after) > 0:
            raise InputError(
                f"the scene was seen {max(before, after):.1f} s outside the orbit's state vectors; "
                "give vectors that span it: apply the precise orbit file first"
            )
        position = path(seconds)[0]
        return Sighting(seconds, position, np.linalg.norm(places - position, axis=1))

    def place(self, seconds: np.ndarray, slant_range: np.ndarray, height: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Places, (n, 3), at zero Doppler, a range and a height above the ellipsoid, near places `start`.

        The surface of equal height is taken for an ellipsoid with longer axes, good to a decimetre at 10 km.
        """
        position, velocity, _ = self._path(float(np.mean(seconds)))(seconds)
        axes = 1 / (np.array([_AXES[0], _AXES[0], _AXES[1]]) + height[:, None]) ** 2
        found = start.astype(np.float64)
        for _ in range(_ROUNDS):
            ahead = found - position
            misses = np.stack(
                [
                    (ahead**2).sum(axis=1) - slant_range**2,
                    (ahead * velocity).sum(axis=1),
                    (found**2 * axes).sum(axis=1) - 1,
                ],
                axis=1,
            )
            slopes = np.stack([2 * ahead, velocity, 2 * found * axes], axis=1)
            found = found - np.linalg.solve(slopes, misses[..., None])[..., 0]
        return found

    def _path(self, seconds: float):
        """Function of times: positions, velocities and accelerations near a time, each (n, 3).

        One polynomial is fitted to positions and velocities of the nearest state vectors.
        """
        near = np.sort(np.abs(self.seconds - seconds).argsort()[:_VECTORS])
        times = self.seconds[near]
        middle, half = (times[0] + times[-1]) / 2, (times[-1] - times[0]) / 2
        scaled = (times - middle) / half
        degree = min(_DEGREE, 2 * len(near) - 1)
        values = chebyshev.chebvander(scaled, degree)
        slopes = np.stack([chebyshev.chebval(scaled, chebyshev.chebder(row)) for row in np.eye(degree + 1)], axis=1)
        design = np.concatenate([values, slopes])
        wanted = np.concatenate([self.position[near], self.velocity[near] * half])
        found = np.linalg.lstsq(design, wanted, rcond=None)[0]
        first, second = chebyshev.chebder(found), chebyshev.chebder(found, 2)

        def path(times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            at = (times - middle) / half
            position, velocity, acceleration = (chebyshev.chebval(at, each).T for each in (found, first, second))
            return position, velocity / half, acceleration / half**2

        return path


def earth_fixed(latitude: np.ndarray, longitude: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Earth-fixed places, m, float64 (n, 3), from degrees and metres above the ellipsoid."""
    return np.stack(_TO_EARTH.transform(longitude, latitude, height), axis=-1)


def look_vectors(places: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Unit vectors from places to positions of the satellite as east, north, up; float64 (3, n)."""
    longitude, latitude, _ = _FROM_EARTH.transform(*places.T)
    look = positions - places
    look /= np.linalg.norm(look, axis=1, keepdims=True)
    return np.einsum("nij,nj->in", local_axes(latitude, longitude), look)


def perpendicular_baseline(reference: Orbit, secondary: Orbit, place: np.ndarray) -> float:
    """Perpendicular baseline at a place (3,), m: positive where the secondary looks with the larger incidence.

    It is the part of the way from the one satellite to the other at right angles to the line of sight of the reference
    and to its velocity, so that the range grows by B / (R sin θ) · Δh for ground that is Δh higher at the same range of
    the reference. ISCE2 has the same sign; Doris and SNAP have the opposite.
    """
    places = place[None]
    first, second = reference.sight(places), secondary.sight(places)
    look = (first.position - places)[0] / first.slant_range[0]
    up = place / np.linalg.norm(place)
    across = up - (up @ look) * look
    across /= np.linalg.norm(across)
    return float(-(second.position - first.position)[0] @ across)


class Timing(NamedTuple):
    """When and how far away the lines and pixels of a reference image were seen."""

    first_line: float  # s of its orbit
    line: float  # s from a line to the next
    first_pixel: float  # m
    pixel: float  # m from a pixel to the next

    def misfit(self, orbit: Orbit, nodes: Nodes) -> tuple[float, float]:
        """Seconds and metres by which known places were seen later and farther away, in the median."""
        lines, pixels = (each[nodes.known] for each in np.meshgrid(nodes.rows, nodes.columns, indexing="ij"))
        seen = orbit.sight(nodes.places)
        seconds = seen.seconds - self.first_line - self.line * lines
        return float(np.median(seconds)), float(np.median(seen.slant_range - self.first_pixel - self.pixel * pixels))

    @classmethod
    def fitted(cls, orbit: Orbit, nodes: Nodes) -> Timing:
        """From known places, by least squares."""
        lines, pixels = (each[nodes.known] for each in np.meshgrid(nodes.rows, nodes.columns, indexing="ij"))
        seen = orbit.sight(nodes.places)
        step, first = np.polynomial.polynomial.polyfit(lines, seen.seconds, 1)[::-1]
        farther, near = np.polynomial.polynomial.polyfit(pixels, seen.slant_range, 1)[::-1]
        return cls(float(first), float(step), float(near), float(farther))


class Nodes(NamedTuple):
    """What is known at some lines and pixels of a stack."""

    rows: np.ndarray  # int (r,)
    columns: np.ndarray  # int (c,)
    latitude: np.ndarray  # degrees, (r, c); NaN where it is not known
    longitude: np.ndarray  # degrees
    height: np.ndarray  # m above the ellipsoid
    shape: tuple[int, int]  # of the stack

    @property
    def known(self) -> np.ndarray:
        """bool (r, c)."""
        return np.isfinite(self.latitude + self.longitude + self.height)

    @property
    def places(self) -> np.ndarray:
        """Earth-fixed places of the known ones, m, (n, 3)."""
        return earth_fixed(*(each[self.known] for each in (self.latitude, self.longitude, self.height)))

    @property
    def middle(self) -> np.ndarray:
        """Earth-fixed place of the known one that is nearest to the middle of the stack, m, (3,)."""
        if not self.known.any():
            raise InputError("latitude, longitude and height are nowhere known together; give them with --geometry")
        away = np.add.outer((self.rows - self.shape[0] / 2) ** 2, (self.columns - self.shape[1] / 2) ** 2)
        return self.places[away[self.known].argmin()]

    @property
    def line_spacing(self) -> float:
        """Metres on the ground from a line to the next; NaN if no column is known at two lines."""
        return self._along()[1]

    @property
    def heading(self) -> float:
        """Direction in which lines follow each other, degrees from north; NaN if no column is known at two lines."""
        return self._along()[0]

    @property
    def direction(self) -> str:
        """Whether lines go to the north (ascending) or to the south (descending)."""
        return "ascending" if np.cos(np.radians(self.heading)) > 0 else "descending"

    def _along(self) -> tuple[float, float]:
        """Direction (degrees) and metres a line, from the first to the last known line of each column, in the mean.

        Swaths that are joined begin and end at different lines, so that the corners of a stack may be unknown.
        """
        known = np.isfinite(self.latitude + self.longitude)
        columns = np.flatnonzero(known.sum(axis=0) >= 2)
        if not columns.size:
            return float("nan"), float("nan")
        first, last = known.argmax(axis=0)[columns], len(known) - 1 - known[::-1].argmax(axis=0)[columns]
        ends = (self.longitude[first, columns], self.latitude[first, columns],
                self.longitude[last, columns], self.latitude[last, columns])  # fmt: skip
        azimuth, _, metres = Geod(ellps="WGS84").inv(*ends)
        mean = np.exp(1j * np.radians(azimuth)).mean()
        return float(np.degrees(np.angle(mean))), float(metres.sum() / (self.rows[last] - self.rows[first]).sum())


@dataclass(frozen=True, eq=False)
class RangeModel:
    """Range of each date less that of the reference, as a polynomial of line, pixel and height.

    Attributes
    ----------
    centre, scale
        Of line, pixel and height (m), (3,) each.
    coefficients
        m, float64 (dates, powers of height, powers of line, powers of pixel).
    error
        Largest misfit at the nodes, m.
    """

    centre: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray
    error: float

    def at(self, date: int, rows: np.ndarray, columns: np.ndarray, height: np.ndarray) -> np.ndarray:
        """Metres on a date, float64 (r, c), at rows (r,), columns (c,) and heights (r, c)."""
        line, pixel, up = (
            (np.asarray(each, np.float64) - centre) / scale
            for each, centre, scale in zip((rows, columns, height), self.centre, self.scale, strict=True)
        )
        lines, pixels = (np.vander(each, _PLANE + 1, increasing=True) for each in (line, pixel))
        total = np.zeros(up.shape)
        for weights in self.coefficients[date][::-1]:
            total = total * up + lines @ weights @ pixels.T
        return total


def range_model(reference: Orbit, others: Sequence[Orbit], nodes: Nodes, *, timing: Timing | None = None) -> RangeModel:
    """Model the ranges of a stack on the pixels of its reference image.

    From the times of lines and the ranges of pixels of the reference image follow places at any height, and their
    ranges on all dates.

    Parameters
    ----------
    reference
        Orbit of the reference image.
    others
        Orbits of all dates, the reference too if it is wanted.
    nodes
        Known places; eight or more.
    timing
        Of the reference image, exactly. If not given, a plane in line and pixel is fitted to the times and ranges at
        which the known places were seen; errors of places then make a smooth phase.
    """
    if nodes.known.sum() < 8:
        raise InputError(
            f"places of {nodes.known.sum()} pixels are known; 8 or more are needed for the topographic phase"
        )
    grid = (np.unique(np.linspace(0, size - 1, _NODES)) for size in nodes.shape)
    lines, pixels = (each.ravel() for each in np.meshgrid(*grid, indexing="ij"))
    if timing is None:
        known = (each[nodes.known] for each in np.meshgrid(nodes.rows, nodes.columns, indexing="ij"))
        seen = reference.sight(nodes.places)
        wanted = np.stack([seen.seconds, seen.slant_range], axis=1)
        fitted = np.linalg.lstsq(_plane(*known), wanted, rcond=None)[0]
        seconds, ranges = (_plane(lines, pixels) @ fitted).T
    else:
        seconds = timing.first_line + timing.line * lines
        ranges = timing.first_pixel + timing.pixel * pixels
    low, high = float(np.nanmin(nodes.height)) - 100, float(np.nanmax(nodes.height)) + 100
    levels = np.linspace(low, high, _UP + 2)
    start = np.broadcast_to(nodes.middle, (len(lines), 3))
    places = [reference.place(seconds, ranges, np.full_like(ranges, level), start) for level in levels]
    away = [
        np.concatenate([orbit.sight(each).slant_range - reference.sight(each).slant_range for each in places])
        for orbit in others
    ]
    centre = np.array([*((np.array(nodes.shape) - 1) / 2), (low + high) / 2])
    scale = np.maximum([*(np.array(nodes.shape) / 2), (high - low) / 2], 1.0)
    at = np.tile(lines, len(levels)), np.tile(pixels, len(levels)), np.repeat(levels, len(lines))
    line, pixel, up = ((each - c) / s for each, c, s in zip(at, centre, scale, strict=True))
    powers = [(k, i, j) for k in range(_UP + 1) for i in range(_PLANE + 1) for j in range(_PLANE + 1 - i)]
    design = np.stack([up**k * line**i * pixel**j for k, i, j in powers], axis=1)
    found = np.linalg.lstsq(design, np.stack(away, axis=1), rcond=None)[0]
    coefficients = np.zeros((len(others), _UP + 1, _PLANE + 1, _PLANE + 1))
    coefficients[:, *np.array(powers).T] = found.T
    return RangeModel(centre, scale, coefficients, float(np.abs(design @ found - np.stack(away, axis=1)).max()))


def _plane(lines: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """A plane that may be bent a little, (n, 6)."""
    return np.stack([np.ones(lines.size), lines, pixels, lines * pixels, lines**2, pixels**2], axis=1)
