"""How the ground under a simulated stack moves: each motion is a course in time times a field in space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundshift.model.units import YEAR
from groundshift.synth.radar.geometry import extent
from groundshift.synth.radar.ground import Buildings, Ground
from groundshift.synth.radar.hashing import generator_of, uniform
from groundshift.synth.radar.options import REGIONS, MotionOptions, StackOptions

MOTIONS = ("linear", "acceleration", "seasonal", "thermal", "step")
"""Courses in time. Their fields have mm/yr, mm/yr² and, for the rest, mm."""

_WET, _HOT = 80.0, 205.0  # days of the year on which the ground stands highest, and buildings
_PLACES = ("subsidence", "accelerating", "seasonal", "step")
_HORIZONTAL = 0.4  # of a bowl: largest horizontal over largest vertical motion
_SLIDE = 1.2  # half length of a landslide over the radius of bowls; it is half as wide


@dataclass(frozen=True)
class Motions:
    """Where what moves. All places are metres to the east and north of the middle."""

    options: MotionOptions
    key: np.uint64
    places: dict[str, tuple[float, float]]  # middle of each bowl and of the landslide
    downhill: tuple[float, float, float]  # unit vector (east, north, up) down the slope of the landslide

    def fields(
        self, east: np.ndarray, north: np.ndarray, buildings: Buildings, raised: np.ndarray | float = 0.0
    ) -> np.ndarray:
        """Fields of all :data:`MOTIONS`, positive east, north, up: float64 (motion, 3, …).

        Parameters
        ----------
        east, north
            Places on the map.
        buildings
            What stands there.
        raised
            Metres of a scatterer on a building above the ground: it moves with the heat by that.
        """
        options, out = self.options, np.zeros((len(MOTIONS), 3, *east.shape))
        for name, motion, amount in (
            ("subsidence", "linear", -options.subsidence),
            ("accelerating", "acceleration", -options.accelerating),
            ("seasonal", "seasonal", options.seasonal),
            ("step", "step", -options.step),
        ):
            out[MOTIONS.index(motion)] += amount * self._bowl(name, east, north)
        linear = out[MOTIONS.index("linear")]
        linear += options.landslide * self._slide(east, north)
        linear[2] += self._settling(buildings)
        out[MOTIONS.index("thermal"), 2] = options.thermal * raised * (buildings.number > 0)
        return out

    def _bowl(self, name: str, east, north) -> np.ndarray:
        """A Gaussian bowl of height 1, whose horizontal motion goes with its slope, inward where it sinks."""
        x, y = ((each - at) / self.options.radius for each, at in zip((east, north), self.places[name], strict=True))
        bell = np.exp(-(x * x + y * y) / 2)
        outward = _HORIZONTAL * np.exp(0.5) * bell
        return np.stack([outward * x, outward * y, bell])

    def _slide(self, east, north) -> np.ndarray:
        """A tongue that moves down the slope, fading within a fifth at its edges."""
        along = np.array(self.downhill[:2]) / max(np.hypot(*self.downhill[:2]), 1e-12)
        x, y = (each - at for each, at in zip((east, north), self.places["landslide"], strict=True))
        length = _SLIDE * self.options.radius
        u, v = (x * along[0] + y * along[1]) / length, 2 * (y * along[0] - x * along[1]) / length
        share = np.exp(-((u * u + v * v) ** 3))
        return np.multiply.outer(np.array(self.downhill), share)

    def _settling(self, buildings: Buildings) -> np.ndarray:
        """Upward rate of buildings: some sink, the east side most and the west side not at all, each has its own."""
        options, number = self.options, buildings.number
        sinks = (uniform(self.key, number, 0) < options.settling) & (number > 0)
        rate = options.settling_rate * (0.3 + 0.7 * uniform(self.key, number, 1))
        own = options.spread * np.sqrt(12) * (uniform(self.key, number, 2) - 0.5) * (number > 0)
        return own - np.where(sinks, rate * (1 + buildings.across) / 2, 0)


def make_motions(options: StackOptions, ground: Ground) -> Motions:
    """Draw the places of all motions; only the seed, the size, and the options of ground and motion decide."""
    random = generator_of(options.seed, "motions")
    half = np.array(extent(options, 0.0))
    places = {name: _place(random, half, ground, ("urban", "rural")) for name in _PLACES}
    places["landslide"] = _place(random, half, ground, ("bare",))
    rise = ground.slope(*places["landslide"])
    steep = np.hypot(*rise) or 1.0
    down = np.array([*(-rise / steep), -steep])
    return Motions(options.motion, ground.key, places, tuple(map(float, down / np.linalg.norm(down))))


def _place(
    random: np.random.Generator, half: np.ndarray, ground: Ground, wanted: tuple[str, ...]
) -> tuple[float, float]:
    """A place well inside the box, in a wanted region if there is any; in a bare one, the steepest of many."""
    places = random.uniform(-0.7, 0.7, (200, 2)) * half
    good = np.isin(ground.region(*places.T), [REGIONS.index(name) for name in wanted])
    places = places[good] if good.any() else places
    if wanted == ("bare",):
        return tuple(max(places, key=lambda at: np.hypot(*ground.slope(*at))))
    return tuple(places[0])


def course(days: np.ndarray, options: MotionOptions) -> np.ndarray:
    """Courses of all :data:`MOTIONS`, float64 (time, motion), before anything is subtracted.

    Parameters
    ----------
    days
        Since 1 January 1970, ascending.
    """
    years, season = (days - days[0]) / YEAR, 2 * np.pi * days / YEAR
    return np.stack(
        [
            years,
            years**2 / 2,
            np.cos(season - 2 * np.pi * _WET / YEAR),
            np.cos(season - 2 * np.pi * _HOT / YEAR),
            (years >= options.step_at * years[-1]).astype(float),
        ],
        axis=1,
    )
