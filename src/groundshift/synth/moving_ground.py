"""Ground that moves for years, seen by all: a glacier or afterslip, pairs of optical images, radar, stations."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from pydantic import BaseModel, ConfigDict, Field
from pyproj import Transformer

from groundshift.grid.axes import true_axes
from groundshift.io.maps import write_dataset
from groundshift.io.points import write_points
from groundshift.kernels.dislocation_field import dislocation_field
from groundshift.model.displacement import displacement_map
from groundshift.model.points import point_set
from groundshift.model.reason import Reason
from groundshift.model.stations import StationSeries, build_series
from groundshift.model.units import YEAR
from groundshift.synth.faults import Fault
from groundshift.synth.radar.atmosphere import turbulence
from groundshift.synth.three_dimensions import smooth_field

_COMPONENTS = ("east", "north", "up")
_LOOKS = {"ascending": (-0.62, -0.11, 0.777), "descending": (0.61, -0.125, 0.782)}
_TRACKS = {"ascending": 64, "descending": 71}
_FIRST = np.datetime64("2020-01-06", "D")


class GroundOptions(BaseModel):
    """What moves, and how it is seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: Literal["glacier", "afterslip"] = Field("glacier", description="what moves")
    side: float = Field(12_000.0, gt=0, description="of the area, m")
    pixel: float = Field(200.0, gt=0, description="of optical maps, m")
    crs: str = Field("EPSG:32633", description="of the area, projected")
    corner: tuple[float, float] = Field((500_000.0, 5_150_000.0), description="easting and northing, south-west, m")
    days: int = Field(732, ge=60, description="from the first to the last date")
    azimuth: float = Field(25.0, description="of the flow, or strike of the rupture, degrees from north")
    speed: float = Field(30.0, gt=0, description="of the glacier in its middle at first, m/yr")
    acceleration: float = Field(0.25, description="growth of the speed in a year, of what it is at first")
    season: float = Field(0.3, ge=0, lt=1, description="amplitude of the yearly change of the speed")
    slip: float = Field(
        2.0, gt=0, description="of the earthquake, m; afterslip moves the ground by 0.4 of it in a year"
    )
    image_every: int = Field(10, ge=1, description="days between optical images")
    image_kept: float = Field(0.6, gt=0, le=1, description="share of them that are not lost in clouds")
    pairs: tuple[int, ...] = Field(
        (1, 2, 4, 8), description="how many images later those are that each is compared with"
    )
    optical_noise: tuple[float, float] = Field((0.3, 0.8), description="of a pair, between places, 1 sigma, m")
    image_offset: float = Field(2.0, ge=0, description="misregistration of an image, each component, 1 sigma, m")
    image_ramp: float = Field(0.5, ge=0, description="ramps at the border, 1 sigma, m")
    image_field: float = Field(0.3, ge=0, description="errors of an image alike nearby, 1 sigma, m")
    image_length: float = Field(3_000.0, gt=0, description="over which they are alike (exponential), m")
    outliers: float = Field(0.03, ge=0, lt=0.5, description="share of pixels of a pair that are wrong by 10 m")
    clouds: float = Field(0.15, ge=0, lt=1, description="share of an image that is under clouds")
    radar_every: int = Field(12, ge=1, description="days between dates of a track")
    radar_noise: float = Field(0.003, ge=0, description="of points, 1 sigma, m")
    radar_air: float = Field(0.015, ge=0, description="delays of a date, of places 20 km apart, 1 sigma, m")
    radar_ramp: float = Field(0.01, ge=0, description="offset and ramps of a date, 1 sigma, m")
    radar_speed: float = Field(0.4, gt=0, description="along the line of sight above which points are lost, m/yr")
    radar_loss: float = Field(1_500.0, ge=0, description="distance from a rupture within which they are lost, m")
    density: float = Field(0.7, gt=0, le=1, description="share of pixels with a point of a track")
    stations: int = Field(5, ge=0, description="of satellite navigation, one of them on the glacier")
    station_every: int = Field(3, ge=1, description="days between places of a station")
    station_sigma: tuple[float, float] = Field((0.003, 0.008), description="horizontal and up, m")
    seed: int = Field(0, ge=0, description="of all errors, and of which images are there")


class MovingGround(NamedTuple):
    """The truth and what is seen of it."""

    grid: GeoBox
    optical: tuple[xr.Dataset, ...]  # displacement maps, with dates
    radar: tuple[pa.Table, pa.Table]  # L2a, since the first date of each track
    stations: tuple[StationSeries, ...]
    fast: np.ndarray  # bool (y, x): radar sees nothing there
    step: np.datetime64 | None  # day of the earthquake
    options: GroundOptions

    def truth(self, days: np.ndarray) -> np.ndarray:
        """Displacement since the first day, float64 (time, 3, y, x), m."""
        return _motion(self.options, self.grid, (np.asarray(days, "datetime64[D]") - _FIRST).astype(float))


def simulate_ground(options: GroundOptions | None = None) -> MovingGround:
    """A glacier that flows obliquely, faster every year and in summer, or an earthquake and its afterslip.

    An image is off by a constant, a ramp and a field of exponential covariance; a map is the difference of two images,
    with white noise of which it knows the size, outliers of which it does not, and the clouds of both. Radar has
    turbulent delays, a constant and a ramp on each date, and points where the ground is slow.
    """
    options = options or GroundOptions()
    random = np.random.default_rng(options.seed)
    count = round(options.side / options.pixel)
    west, south = options.corner
    affine = Affine(options.pixel, 0, west, 0, -options.pixel, south + count * options.pixel)
    grid = GeoBox((count, count), affine, options.crs)
    fast = _fast(options, grid)
    step = _FIRST + _step(options) if options.case == "afterslip" else None
    optical = _optical(random, options, grid)
    radar = tuple(_radar(random, options, grid, orbit, fast) for orbit in _LOOKS)
    return MovingGround(grid, optical, radar, _stations(random, options, grid, fast), fast, step, options)


def write_ground(folder: str | Path, options: GroundOptions | None = None) -> MovingGround:
    """Simulate, and write maps as `optical_<first>_<second>.tif`, and `ascending.parquet`, `descending.parquet`."""
    folder, made = Path(folder), simulate_ground(options)
    for each in made.optical:
        first, second = (each.attrs[name].replace("-", "") for name in ("date_pre", "date_post"))
        write_dataset(folder / f"optical_{first}_{second}.tif", each)
    for name, table in zip(_LOOKS, made.radar, strict=True):
        write_points(folder / f"{name}.parquet", table)
    return made


def _step(options: GroundOptions) -> int:
    return options.days // 3


def _true_motion(options: GroundOptions, grid: GeoBox, days: np.ndarray) -> np.ndarray:
    """The same as :func:`_motion` with east and north of the ellipsoid instead of the grid."""
    motion = _motion(options, grid, days)
    rows, columns = np.mgrid[: grid.shape.y, : grid.shape.x] + 0.5
    turn = true_axes(options.crs, *(grid.affine @ (columns, rows)))
    motion[:, 0], motion[:, 1] = turn.outward(motion[:, 0], motion[:, 1])
    return motion


def _motion(options: GroundOptions, grid: GeoBox, days: np.ndarray) -> np.ndarray:
    """Displacement since day 0, float64 (time, 3, y, x), m."""
    years = days[:, None, None] / YEAR
    if options.case == "afterslip":
        field = _rupture(options, grid)[0]
        since = np.maximum(days - _step(options), 0)
        after = 0.4 * np.log1p(since / 15) / np.log1p(365 / 15)
        return (np.where(days >= _step(options), 1.0, 0.0) + after)[:, None, None, None] * field
    along, across = _flow(options, grid)
    width, length = options.side / 8, options.side / 3
    pattern = np.exp(-((across / width) ** 4)) * np.clip(1 - (along / length) ** 2, 0, None)
    phase = 2 * np.pi * (years - 0.3) - 1.5 * along / length
    walked = years + options.acceleration * years**2 / 2
    walked = walked - options.season / (2 * np.pi) * (np.cos(phase) - np.cos(phase - 2 * np.pi * years))
    forward = options.speed * pattern * walked
    azimuth = np.radians(options.azimuth)
    up = -(0.08 + 0.05 * along / length) * forward - 0.5 * pattern * years
    return np.stack([forward * np.sin(azimuth), forward * np.cos(azimuth), up], axis=1)


def _flow(options: GroundOptions, grid: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    """Distances along and across the flow from the middle of the area, m."""
    rows, columns = np.mgrid[: grid.shape.y, : grid.shape.x] + 0.5
    x, y = columns * options.pixel - options.side / 2, options.side / 2 - rows * options.pixel
    azimuth = np.radians(options.azimuth)
    return x * np.sin(azimuth) + y * np.cos(azimuth), x * np.cos(azimuth) - y * np.sin(azimuth)


def _rupture(options: GroundOptions, grid: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    """Displacement of the earthquake (3, y, x), m, and distance from its trace, m."""
    strike, count = np.radians(options.azimuth), grid.shape.y
    along = np.linspace(-0.5, 0.5, 9)
    trace = (count - 1) / 2 + 0.5 * count * along[:, None] * np.array([-np.cos(strike), np.sin(strike)])
    depths = np.array([0.0, 2, 5, 10, 20]) * count / 60
    slip = options.slip * np.outer(
        np.sqrt(1 - (depths[:-1] / depths[-1]) ** 2), np.sqrt(1 - (along[1:] + along[:-1]) ** 2)
    )
    fault = Fault(trace, depths, 65.0, slip * np.cos(0.7), slip * np.sin(0.7))
    field = dislocation_field(*fault.triangles(), (count, count), 1.0, (0.0, 0.0), tolerance=1e-3).values
    forward, across = _flow(options, grid)
    beyond = np.maximum(np.abs(forward) - options.side / 4, 0)
    return field, np.hypot(across, beyond)


def _fast(options: GroundOptions, grid: GeoBox) -> np.ndarray:
    if options.case == "afterslip":
        return _rupture(options, grid)[1] < options.radar_loss
    days = np.arange(0, options.days, 12.0)
    rate = np.diff(_motion(options, grid, days), axis=0) / (12 / YEAR)
    return np.max([np.abs(np.tensordot(rate, np.array(look), (1, 0))).max(axis=0) for look in _LOOKS.values()], 0) > (
        options.radar_speed
    )


def _optical(random: np.random.Generator, options: GroundOptions, grid: GeoBox) -> tuple[xr.Dataset, ...]:
    shape = tuple(grid.shape)
    days = np.arange(0, options.days + 1, options.image_every)
    days = days[random.random(days.size) < options.image_kept]
    motion = _motion(options, grid, days.astype(float))[:, :2]
    low, high = options.optical_noise
    sigma = low + (high - low) * np.clip((smooth_field(random, shape, 1_000 / options.pixel) + 2) / 4, 0, 1)
    images, missing = [], []
    for _ in days:
        field = np.stack([smooth_field(random, shape, options.image_length / options.pixel) for _ in range(2)])
        planes = np.stack([_plane(random, shape, options.image_offset, options.image_ramp) for _ in range(2)])
        images.append(options.image_field * field + planes)
        cloud = smooth_field(random, shape, 2_000 / options.pixel)
        missing.append(cloud > np.quantile(cloud, 1 - options.clouds) if options.clouds else np.zeros(shape, bool))
    maps = []
    for first, second in itertools.combinations(range(days.size), 2):
        if second - first not in options.pairs:
            continue
        value = motion[second] - motion[first] + images[second] - images[first]
        value = value + sigma * random.standard_normal(value.shape)
        wrong = random.random(shape) < options.outliers
        value[:, wrong] += 10 * random.standard_normal((2, wrong.sum()))
        hidden = missing[first] | missing[second]
        layers = {name: np.where(hidden, np.nan, each) for name, each in zip(_COMPONENTS, value, strict=False)}
        layers |= {f"{name}_sigma": np.where(hidden, np.nan, sigma) for name in layers}
        layers = {name: each.astype(np.float32) for name, each in layers.items()}
        layers["quality"] = np.where(hidden, np.nan, 1).astype(np.float32)
        layers["reason"] = np.where(hidden, Reason.CLOUD, Reason.VALID).astype(np.uint8)
        dates = [str(_FIRST + int(days[each])) for each in (first, second)]
        attributes = {
            "date_pre": dates[0], "date_post": dates[1], "method": "simulated", "source_pre": f"image {dates[0]}",
            "source_post": f"image {dates[1]}", "software": "groundshift",
            "configuration_hash": f"seed {options.seed}",
        }  # fmt: skip
        maps.append(displacement_map(layers, grid, attributes))
    return tuple(maps)


def _radar(random: np.random.Generator, options: GroundOptions, grid: GeoBox, orbit: str, fast: np.ndarray) -> pa.Table:
    look = np.array(_LOOKS[orbit]) / np.linalg.norm(_LOOKS[orbit])
    shape = tuple(grid.shape)
    days = np.arange(3 if orbit == "descending" else 0, options.days + 1, options.radar_every)
    kept = (random.random(shape) < options.density) & ~fast
    air = turbulence(
        random, shape, (options.pixel, options.pixel), count=days.size, variance=options.radar_air**2,
        distance=20_000.0,
    )  # fmt: skip
    planes = np.stack([_plane(random, shape, options.radar_ramp, options.radar_ramp) for _ in days])
    value = (np.tensordot(_true_motion(options, grid, days.astype(float)), look, (1, 0)) + air + planes)[:, kept]
    value = value + options.radar_noise * random.standard_normal(value.shape)
    rows, columns = np.nonzero(kept)
    x, y = grid.affine @ (columns + 0.5, rows + 0.5)
    return point_set(
        {
            "pid": [f"{_TRACKS[orbit]:03d}{number:07d}" for number in np.flatnonzero(kept)],
            "easting": x, "northing": y,
            **{f"los_{name}": np.full(len(x), part) for name, part in zip(_COMPONENTS, look, strict=True)},
            "displacement": 1000 * (value - value[0]).T, "rmse": np.full(len(x), 1000 * options.radar_noise),
        },
        level="L2a", dates=[str(_FIRST + int(day)) for day in days], crs=options.crs, track=_TRACKS[orbit],
        provenance={"source": "simulated", "seed": options.seed},
    )  # fmt: skip


def _stations(
    random: np.random.Generator, options: GroundOptions, grid: GeoBox, fast: np.ndarray
) -> tuple[StationSeries, ...]:
    """Spread over the area; of a glacier the first stands on it, the others beside it."""
    days = np.arange(0, options.days + 1, options.station_every)
    sigma = np.repeat(options.station_sigma, (2, 1))
    motion = _true_motion(options, grid, days.astype(float))
    chosen: list[np.ndarray] = []
    while len(chosen) < options.stations:
        place = random.integers(0, grid.shape.y, 2)
        wanted = fast if not chosen and options.case == "glacier" else ~fast
        if wanted[tuple(place)] and all(np.hypot(*(place - other)) > grid.shape.y / 6 for other in chosen):
            chosen.append(place)
    out = []
    for number, (row, column) in enumerate(chosen):
        x, y = grid.affine @ (column + 0.5, row + 0.5)
        longitude, latitude = Transformer.from_crs(options.crs, "EPSG:4326", always_xy=True).transform(x, y)
        value = motion[:, :, row, column] + sigma * random.standard_normal((len(days), 3))
        out.append(
            build_series(
                f"ST{number:02d}",
                latitude,
                longitude,
                _FIRST + days,
                1000 * (value - value[0]),
                np.tile(1000 * sigma, (len(days), 1)),
                frame="local",
                source="simulated station",
            )
        )
    return tuple(out)


def _plane(random: np.random.Generator, shape: tuple[int, int], offset: float, ramp: float) -> np.ndarray:
    y, x = (np.linspace(-1, 1, size) for size in shape)
    a, b, c = random.standard_normal(3) * (offset, ramp, ramp)
    return a + b * y[:, None] + c * x
