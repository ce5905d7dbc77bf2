"""A simulated town: roads, a railway, bridges, buildings and a dam, points on and around them, and what really moves.

Errors of the series are those of radar: of each point and date alone, correlated in space and not in time (what is left
of the atmosphere), and a slow one that is correlated in space (what is left of orbits and of the reference). All
structures move with the seasons; some, if asked, are unhealthy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import shapely
from pyproj import CRS

from groundshift.io.features import Features
from groundshift.kernels.series_fields import YEAR, series_fields
from groundshift.model.points import point_set

HALF_WAVELENGTH = 27.7  # mm, of C band: one cycle of phase
_WAVES = 128  # of a random field
_CORNER = np.array([4_320_000.0, 3_210_000.0])  # EPSG:3035
_LOOK = np.array([-0.62, -0.10, 0.778])  # ascending
_SPACING = {"road": 12.0, "railway": 8.0, "bridge": 4.0, "dam": 8.0}  # metres between points along lines


class Town(NamedTuple):
    """A simulated town."""

    table: pa.Table  # point set of level L2b
    assets: Features  # lines and polygons with `id`, `name`, `kind`, `width` (m)
    truth: pa.Table  # one row an asset: `id`, `fault` (empty if healthy), `true_velocity` (mm/yr, mean of its points)
    true_velocity: np.ndarray  # float64 (n,), mm/yr toward the satellite: of each point, without errors


class Errors(NamedTuple):
    """Standard deviations of the errors of a simulated point set."""

    point: float = 3.0  # mm: of one point on one date, median over points
    date: float = 1.0  # mm: of all points near each other on one date
    date_range: float = 1000.0  # m: of their correlation
    slow: float = 0.3  # mm/yr: of the velocity of all points near each other
    slow_range: float = 5000.0  # m
    place: float = 4.0  # m: of a point's easting and of its northing
    freedom: float = np.inf  # of Student's t, which errors of a point and date have; at infinity they are Gaussian
    walk: float = 0.0  # mm in a year: random walk of each point, median over points, which differ by a factor of two
    near_walk: float = 0.0  # mm in a year: random walk of all points near each other
    near_range: float = 150.0  # m
    jumps: float = 0.0  # share of points that are unwrapped wrongly from some date on, by half a wavelength
    tie: float = 0.0  # mm/yr: of the velocity of all points

    @classmethod
    def hard(cls) -> Errors:
        """Heavy tails, and errors that last in time and are alike in space, as real series have them."""
        return cls(freedom=4.0, walk=1.0, near_walk=0.7, jumps=0.01)


def simulate_town(
    *,
    seed: int = 0,
    blocks: int = 10,
    faults: bool = True,
    errors: Errors | None = None,
    dates: np.ndarray | None = None,
) -> Town:
    """Simulate a town: blocks of 100 m of nine buildings, roads between them, a railway, bridges and a dam.

    Parameters
    ----------
    seed
        Same seed, same town.
    blocks
        On each side, four or more.
    faults
        Whether some structures are unhealthy: two buildings tilt, two settle, one from a date on, a pier of a bridge
        sinks from a date on, the railway crosses a bowl of subsidence, the dam accelerates.
    errors
        See :class:`Errors`.
    dates
        Every 12 days from 2019 to 2023 if not given.
    """
    random = np.random.default_rng(seed)
    errors = errors or Errors()
    dates = np.arange("2019-01-03", "2024-01-01", 12, "datetime64[D]") if dates is None else dates
    assets = _structures(blocks, random)
    place, owner, along = _scatterers(assets, blocks, random)
    years = (dates - dates[0]).astype(float) / YEAR
    motion, names = _motion(assets, place, owner, along, years, faults=faults, blocks=blocks, random=random)
    table = _observe(place, motion, dates, years, errors, random, seed)
    rate = np.polyfit(years, motion.T, 1)[0]
    counts = np.bincount(owner[owner >= 0], minlength=len(assets))
    mean = np.bincount(owner[owner >= 0], rate[owner >= 0], len(assets)) / np.maximum(counts, 1)
    truth = pa.table({"id": assets.attributes["id"], "fault": names, "true_velocity": mean})
    return Town(table, assets, truth, rate)


def random_field(positions: np.ndarray, count: int, length: float, random: np.random.Generator) -> np.ndarray:
    """`count` independent fields of unit variance and correlation exp(−distance / length): float64 (count, n).

    A sum of cosines whose wave vectors are drawn from the spectral density of the correlation, a bivariate Cauchy.

    Parameters
    ----------
    positions
        Metres, float (n, 2).
    """
    waves = random.standard_normal((2, _WAVES)) / (length * np.abs(random.standard_normal(_WAVES)))
    phase = random.uniform(0, 2 * np.pi, (count, _WAVES))
    angle = (positions - positions.mean(axis=0)) @ waves
    scale = np.sqrt(2 / _WAVES)
    return scale * (np.cos(phase) @ np.cos(angle).T - np.sin(phase) @ np.sin(angle).T)


def _structures(blocks: int, random: np.random.Generator) -> Features:
    size = 100.0 * blocks
    rows: list[tuple[str, str, float, shapely.Geometry]] = []
    for i in range(1, blocks):
        rows.append((f"Street {i} east", "road", 9.0, shapely.LineString([(0, 100 * i), (size, 100 * i)])))
        rows.append((f"Street {i} north", "road", 9.0, shapely.LineString([(100 * i, 0), (100 * i, size)])))
    x = np.linspace(0, size, 21)
    rows.append(
        ("Railway", "railway", 10.0, shapely.LineString(np.column_stack([x, size + 60 + 20 * np.sin(x / 150)])))
    )
    for i, x in enumerate(np.linspace(0.15, 0.85, 4) * size):
        rows.append((f"Bridge {i + 1}", "bridge", 12.0, shapely.LineString([(x, size + 130), (x + 15, size + 290)])))
    rows.append(("Dam", "dam", 14.0, shapely.LineString([(-60, 0.2 * size), (-110, size / 2), (-60, 0.8 * size)])))
    for number, (i, j) in enumerate(np.ndindex(blocks, blocks)):
        for k, (a, b) in enumerate(np.ndindex(3, 3)):
            length, width, turn = random.uniform(15, 24), random.uniform(9, 16), random.uniform(0, 180)
            box = shapely.box(-length / 2, -width / 2, length / 2, width / 2)
            cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
            centre = np.array([100 * j + 22 + 28 * b, 100 * i + 22 + 28 * a])
            turned = shapely.transform(box, lambda xy, c=cosine, s=sine, o=centre: xy @ np.array([[c, s], [-s, c]]) + o)
            rows.append((f"Building {9 * number + k + 1}", "building", 0.0, turned))
    names, kinds, widths, shapes = zip(*rows, strict=True)
    attributes = pa.table(
        {"id": [f"{kind[0]}{n:05d}" for n, kind in enumerate(kinds)], "name": names, "kind": kinds, "width": widths}
    )
    geometry = shapely.transform(np.array(shapes, object), lambda xy: xy + _CORNER)
    return Features(geometry, attributes, CRS("EPSG:3035"))


def _scatterers(
    assets: Features, blocks: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places (n, 2), the asset each is on (−1 for none), and how far along it, 0 to 1."""
    places, owners, alongs = [], [], []
    kinds, widths = assets.attributes["kind"].to_pylist(), assets.attributes["width"].to_numpy()
    for number, (shape, kind, width) in enumerate(zip(assets.geometry, kinds, widths, strict=True)):
        if kind == "building":
            count = random.poisson(shape.area / 18)
            corners = shapely.get_coordinates(shape)
            share = random.uniform(0, 1, (count, 2))
            place = corners[0] + share[:, :1] * (corners[3] - corners[0]) + share[:, 1:] * (corners[1] - corners[0])
            longer = np.argmax([shapely.distance(*shapely.points(corners[[0, k]])) for k in (3, 1)])
            along = share[:, longer]
        else:
            count = random.poisson(shape.length / _SPACING[kind])
            along = random.uniform(0, 1, count)
            place = shapely.get_coordinates(shapely.line_interpolate_point(shape, along * shape.length))
            place = place + random.uniform(-width / 2, width / 2, (count, 2)) / np.sqrt(2)
        places.append(place)
        owners.append(np.full(count, number))
        alongs.append(along)
    count = random.poisson((blocks * 100 + 400) ** 2 / 2000)
    places.append(_CORNER + random.uniform(-200, blocks * 100 + 200, (count, 2)))
    owners.append(np.full(count, -1))
    alongs.append(np.zeros(count))
    return np.concatenate(places), np.concatenate(owners), np.concatenate(alongs)


def _motion(
    assets: Features, place: np.ndarray, owner: np.ndarray, along: np.ndarray, years: np.ndarray, *,
    faults: bool, blocks: int, random: np.random.Generator,
) -> tuple[np.ndarray, list[str]]:  # fmt: skip
    """True displacement (n, time), mm toward the satellite, and the fault of each asset."""
    kinds = np.array(assets.attributes["kind"].to_pylist())
    thermal = {"bridge": 5.0, "dam": 4.0, "railway": 1.0, "road": 0.5, "building": 1.5}
    size = np.array([thermal[kind] for kind in kinds]) * random.uniform(0.5, 1.5, len(kinds))
    amplitude = np.where(owner >= 0, size[owner] * (0.5 + along), 0.3)
    motion = amplitude[:, None] * np.cos(2 * np.pi * (years - 0.55))
    names = [""] * len(kinds)
    if not faults:
        return motion, names
    buildings, bridges = np.flatnonzero(kinds == "building"), np.flatnonzero(kinds == "bridge")
    counts = np.bincount(owner[owner >= 0], minlength=len(kinds))
    chosen = buildings[counts[buildings] >= 10]
    chosen = chosen[np.linspace(0.1 * len(chosen), 0.9 * len(chosen), 4).astype(int)]
    half = years[-1] / 2
    late = np.maximum(years - half, 0)
    faulty = {
        chosen[0]: ("tilts", lambda s: -6.0 * s[:, None] * years),
        chosen[1]: ("tilts", lambda s: 4.0 * (s[:, None] - 0.5) * years),
        chosen[2]: ("settles", lambda s: np.broadcast_to(-5.0 * years, (len(s), len(years)))),
        chosen[3]: ("settles from a date on", lambda s: np.broadcast_to(-8.0 * late, (len(s), len(years)))),
        bridges[1]: ("a pier sinks", lambda s: -12.0 * np.exp(-(((s[:, None] - 0.6) / 0.12) ** 2)) * late),
        np.flatnonzero(kinds == "dam")[0]: (
            "accelerates", lambda s: -0.8 * (4 * s * (1 - s))[:, None] * years**2),
    }  # fmt: skip
    for asset, (name, sinks) in faulty.items():
        mine = owner == asset
        motion[mine] += sinks(along[mine])
        names[asset] = name
    bowl = _CORNER + np.array([65.0 * blocks, 100.0 * blocks + 60])
    depth = -10.0 * np.exp(-((place - bowl) ** 2).sum(axis=1) / (2 * 60.0**2))
    motion += depth[:, None] * years
    names[int(np.flatnonzero(kinds == "railway")[0])] = "crosses a bowl"
    rows = owner >= 0
    strongest = np.zeros(len(kinds))
    np.maximum.at(strongest, owner[rows], -depth[rows])
    for asset in np.flatnonzero((strongest > 0.05) & np.array([not name for name in names])):
        names[asset] = "near the bowl"
    return motion, names


def _lasting(place: np.ndarray, years: np.ndarray, errors: Errors, random: np.random.Generator) -> np.ndarray:
    """Errors that stay or grow with time, mm, float64 (n, time) or 0."""
    steps = np.sqrt(np.diff(years, prepend=years[0]))
    out = np.zeros((len(place), len(years)))
    if errors.walk:
        size = errors.walk * np.exp(np.log(2) * random.standard_normal((len(place), 1)))
        out += size * np.cumsum(random.standard_normal(out.shape) * steps, axis=1)
    if errors.near_walk:
        out += errors.near_walk * np.cumsum(
            random_field(place, len(years), errors.near_range, random).T * steps, axis=1
        )
    if errors.jumps:
        jumping = np.flatnonzero(random.uniform(size=len(place)) < errors.jumps)
        since = random.integers(0, len(years), len(jumping))
        sign = random.choice([-1.0, 1.0], len(jumping))
        out[jumping] += HALF_WAVELENGTH * sign[:, None] * (np.arange(len(years)) >= since[:, None])
    if errors.tie:
        out += errors.tie * random.standard_normal() * years
    return out


def _observe(
    place: np.ndarray, motion: np.ndarray, dates: np.ndarray, years: np.ndarray, errors: Errors,
    random: np.random.Generator, seed: int,
) -> pa.Table:  # fmt: skip
    count = len(place)
    sigma = errors.point * np.exp(0.35 * random.standard_normal(count))
    if np.isinf(errors.freedom):
        white = random.standard_normal(motion.shape)
    else:
        white = random.standard_t(errors.freedom, motion.shape) / np.sqrt(errors.freedom / (errors.freedom - 2))
    series = motion + sigma[:, None] * white
    series += errors.date * random_field(place, len(dates), errors.date_range, random).T
    series += errors.slow * random_field(place, 1, errors.slow_range, random).T * years
    series += _lasting(place, years, errors, random)
    seen = place + errors.place * random.standard_normal(place.shape)
    days = (dates - dates[0]).astype(float)
    fields = series_fields(series, days)
    series = series - fields.first[:, None]
    look = np.broadcast_to(_LOOK / np.linalg.norm(_LOOK), (count, 3))
    columns = {name: getattr(fields, name) for name in fields._fields if name != "first"}
    columns |= dict(zip(("los_east", "los_north", "los_up"), look.T, strict=True))
    columns |= {"easting": seen[:, 0], "northing": seen[:, 1], "pid": [f"{n:010d}" for n in range(count)]}
    columns |= {"height": np.full(count, 30.0), "displacement": series}
    return point_set(
        columns, level="L2b", dates=dates, crs="EPSG:3035", track=88, frame="0282_IW2_VV",
        provenance={"simulated": "groundshift.synth.structures.simulate_town", "seed": seed},
    )  # fmt: skip
