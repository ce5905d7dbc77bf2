"""Ruptures: displacement of the ground around a fault, with a sharp jump where it breaks the surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from groundshift.kernels.okada import rectangle


class Displacement(NamedTuple):
    """Displacement of points of the ground, metres, float64 arrays of one shape."""

    east: np.ndarray
    north: np.ndarray
    up: np.ndarray


class DisplacementField(Protocol):
    """Anything that moves the ground."""

    def __call__(self, east: np.ndarray, north: np.ndarray) -> Displacement:
        """Displacement of the points that are at (east, north) before, metres."""
        ...


@dataclass(frozen=True)
class Rupture:
    """A surface rupture: rectangular dislocations below the segments of a trace (Okada 1985).

    The fault dips down to the right of the trace, seen along it. Slip is that of the right side against the left.
    """

    trace: np.ndarray  # float64 (n + 1, 2): east, north of the vertices, metres
    strike_slip: np.ndarray  # float64 (n,): left-lateral, metres; right-lateral is negative
    dip_slip: np.ndarray  # float64 (n,): reverse, metres; normal is negative
    dip: float  # degrees, above 0 to 90
    width: float  # down dip, metres

    def __call__(self, east: np.ndarray, north: np.ndarray) -> Displacement:
        """See :class:`DisplacementField`."""
        shape = np.shape(east)
        points = np.column_stack([np.ravel(east), np.ravel(north)]).astype(float)
        total = np.zeros((3, len(points)))
        for start, end, strike_slip, dip_slip in zip(
            self.trace[:-1], self.trace[1:], self.strike_slip, self.dip_slip, strict=True
        ):
            length = np.hypot(*(end - start))
            along = (end - start) / length
            left = np.array([-along[1], along[0]])
            offset = points - start
            ux, uy, uz = rectangle(
                offset @ along, offset @ left, 0.0, np.radians(self.dip), length, self.width, strike_slip, dip_slip
            )
            total += [ux * along[0] + uy * left[0], ux * along[1] + uy * left[1], uz]
        return Displacement(*(each.reshape(shape) for each in total))

    def distance(self, east: np.ndarray, north: np.ndarray) -> np.ndarray:
        """Distance of points to the trace, metres."""
        least = np.full(np.shape(east), np.inf)
        for start, end in zip(self.trace[:-1], self.trace[1:], strict=True):
            step = end - start
            t = ((east - start[0]) * step[0] + (north - start[1]) * step[1]) / (step @ step)
            t = np.clip(t, 0, 1)
            least = np.minimum(least, np.hypot(east - start[0] - t * step[0], north - start[1] - t * step[1]))
        return least


def random_rupture(
    random: np.random.Generator,
    *,
    centre: tuple[float, float],
    length: float,
    strike: float,
    slip: float,
    rake: float = 180.0,
    dip: float = 90.0,
    width: float = 10_000.0,
    segments: int = 16,
    roughness: float = 0.01,
) -> Rupture:
    """A rupture with a rough trace and slip that varies along it and tapers to its ends.

    Parameters
    ----------
    centre
        East, north of the middle of the trace, metres.
    length
        From end to end, metres.
    strike
        Degrees clockwise from north.
    slip
        Largest slip, metres.
    rake
        Degrees: 0 left-lateral, 180 right-lateral, 90 reverse, -90 normal (Aki & Richards).
    dip, width
        Degrees, and metres down dip.
    segments
        Number of straight pieces.
    roughness
        Largest departure of the trace from a straight line, as a share of its length.
    """
    t = np.linspace(-0.5, 0.5, segments + 1)
    walk = np.cumsum(random.normal(size=segments + 1))
    walk -= np.interp(t, [t[0], t[-1]], [walk[0], walk[-1]])
    walk *= roughness * length / max(np.abs(walk).max(), 1e-9)
    along = np.array([np.sin(np.radians(strike)), np.cos(np.radians(strike))])
    left = np.array([-along[1], along[0]])
    trace = np.asarray(centre, float) + np.outer(t * length, along) + np.outer(walk, left)
    middle = (t[:-1] + t[1:]) / 2
    taper = np.sqrt(np.clip(1 - (2 * middle) ** 2, 0, 1)) * (1 + 0.15 * np.sin(9 * middle + random.uniform(0, 6)))
    amount = slip * taper / taper.max()
    return Rupture(trace, amount * np.cos(np.radians(rake)), amount * np.sin(np.radians(rake)), dip, width)
