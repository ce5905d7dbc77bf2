"""Small products whose errors are known, to see that checks report them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer

from groundshift.io.features import Features
from groundshift.io.vectors import PolygonMask
from groundshift.kernels.series_fields import YEAR, series_fields
from groundshift.model.displacement import REQUIRED_ATTRIBUTES, displacement_map
from groundshift.model.points import header, point_set
from groundshift.model.stations import StationSeries, StationVelocities, build_series, build_velocities
from groundshift.synth.structures import simulate_town

TRACK_ERROR = 0.3  # mm/yr: of a velocity, alike at a station and in a cell of 100 m
STATION_SIGMA = (0.2, 0.2, 0.4)  # mm/yr: east, north, up
MAP_ERROR = 0.15  # m: of a pixel
FAULT_OFFSET = 2.0  # m, right-lateral

_CORNER = np.array([4_400_000.0, 2_600_000.0])  # EPSG:3035
_LOOKS = ((-0.62, -0.10, 0.778), (-0.55, -0.09, 0.83), (0.60, -0.12, 0.79))
_STATIONS, _AROUND, _FIELD = 25, 6, 45


class Tracks(NamedTuple):
    """Three tracks, two of them ascending, and what is known of the ground they see."""

    tables: list[pa.Table]  # point sets of level L2b; their error is TRACK_ERROR
    stations: StationVelocities
    benchmarks: StationVelocities  # levelled: vertical only
    series: list[StationSeries]


class Ground(NamedTuple):
    """A town with unhealthy structures."""

    table: pa.Table
    cover: Features  # three classes of land cover
    inventory: Features  # outlines of what moves, and one of what does not


class KnownMap(NamedTuple):
    """A displacement map of a rupture along a straight fault."""

    dataset: xr.Dataset  # its error is MAP_ERROR, and its sigmas say so
    offsets: Features  # of GNSS stations
    trace: np.ndarray  # (2, 2), m
    field: Features  # offsets on the fault
    stable: PolygonMask  # far from the fault, where the map has nothing left but error


def simulate_tracks(*, seed: int = 1, dates: int = 60) -> Tracks:
    """Three tracks over stations, and over a field of cells that all of them see."""
    random = np.random.default_rng(seed)
    days = np.datetime64("2020-01-01") + 24 * np.arange(dates)
    places = _CORNER + random.uniform(0, 60_000, (_STATIONS, 2))
    cells = _CORNER + 100.0 * np.stack(np.meshgrid(*[np.arange(_FIELD)] * 2), axis=-1).reshape(-1, 2) + 30_050
    around = np.repeat(places, _AROUND, axis=0) + random.uniform(-120, 120, (_STATIONS * _AROUND, 2))
    everything = np.concatenate([around, cells])
    ground = _ground(everything)
    tables = []
    for number, look in enumerate(_LOOKS):
        unit = np.array(look) / np.linalg.norm(look)
        error = TRACK_ERROR * random.standard_normal(_STATIONS + len(cells))
        error = np.concatenate([np.repeat(error[:_STATIONS], _AROUND), error[_STATIONS:]])
        tables.append(_table(everything, ground @ unit + error, unit, days, random, number + 1))
    truth = _ground(places)
    longitude, latitude = Transformer.from_crs("EPSG:3035", "EPSG:4326", always_xy=True).transform(*places.T)
    sigma = np.tile(STATION_SIGMA, (_STATIONS, 1))
    said = {"frame": "ETRF2000", "source": "simulated"}
    names = [f"G{number:03d}" for number in range(_STATIONS)]
    stations = build_velocities(
        names, latitude, longitude, truth + sigma * random.standard_normal(sigma.shape), sigma=sigma, **said
    )
    upward = np.array([np.nan, np.nan, 1.0])
    levelled = (truth + 0.1 * random.standard_normal(truth.shape)) * upward
    benchmarks = build_velocities(
        [f"B{number:03d}" for number in range(_STATIONS)], latitude, longitude, levelled,
        sigma=0.1 * np.tile(upward, (_STATIONS, 1)), **said,
    )  # fmt: skip
    daily = np.arange(days[0] - 30, days[-1] + 30)
    years = (daily - days[0]).astype(float) / YEAR
    series = [
        build_series(
            name, lat, lon, daily, velocity * years[:, None] + 2.5 * random.standard_normal((len(daily), 3)),
            np.full((len(daily), 3), 2.5), **said,
        )
        for name, lat, lon, velocity in zip(names, latitude, longitude, truth, strict=True)
    ]  # fmt: skip
    return Tracks(tables, stations, benchmarks, series)


def simulate_ground(*, seed: int = 3) -> Ground:
    """A town of :func:`~groundshift.synth.structures.simulate_town`, its land cover, and an inventory of what moves."""
    town = simulate_town(seed=seed, blocks=6)
    crs = header(town.table).crs
    names = town.assets.attributes["id"].to_pylist()
    faults = dict(zip(*(town.truth[name].to_pylist() for name in ("id", "fault")), strict=True))
    moving = np.array([faults[name] not in ("", "near the bowl") for name in names])
    outlines = [
        *shapely.buffer(town.assets.geometry[moving], 12),
        shapely.buffer(town.assets.geometry[~moving][30], 12),
    ]
    inventory = Features(np.array(outlines, object), pa.table({"number": np.arange(len(outlines))}), crs)
    east, north = (town.table[name].to_numpy() for name in ("easting", "northing"))
    west, south = float(np.percentile(east, 1)), float(np.percentile(north, 1))
    squares = [shapely.box(west + 200 * k, south, west + 200 * k + 200, south + 300) for k in range(3)]
    classes = pa.table({"class": ["continuous urban", "discontinuous urban, industrial", "gardens"]})
    return Ground(town.table, Features(np.array(squares, object), classes, crs), inventory)


def simulate_map(*, seed: int = 1, size: int = 200) -> KnownMap:
    """A map of 20 m pixels with a fault to the north through its middle, and stable ground on its right."""
    random = np.random.default_rng(seed)
    grid = GeoBox((size, size), Affine(20, 0, 498_000, 0, -20, 3_902_000), "EPSG:32611")
    x = 498_000 + 20 * (np.arange(size) + 0.5)
    fault = 498_000 + 10.0 * size
    moved = np.where(x < fault, FAULT_OFFSET, 0.0) * np.ones((size, 1))
    noise = MAP_ERROR * random.standard_normal((2, size, size))
    layers = {
        "east": noise[0].astype(np.float32), "north": (moved + noise[1]).astype(np.float32),
        "east_sigma": np.full((size, size), MAP_ERROR, np.float32),
        "north_sigma": np.full((size, size), MAP_ERROR, np.float32),
        "quality": np.ones((size, size), np.float32), "reason": np.zeros((size, size), np.uint8),
    }  # fmt: skip
    said = dict.fromkeys(REQUIRED_ATTRIBUTES, "simulated") | {"date_pre": "2019-07-01", "date_post": "2019-07-10"}
    crs = CRS("EPSG:32611")
    bottom, top = 3_902_000 - 20.0 * size, 3_902_000.0
    places = np.column_stack([random.uniform(x[0] + 100, x[-1] - 100, 14), random.uniform(bottom + 100, top - 100, 14)])
    places = places[np.abs(places[:, 0] - fault) > 60]
    count = len(places)
    truth = np.column_stack([np.zeros(count), np.where(places[:, 0] < fault, FAULT_OFFSET, 0.0)])
    measured = truth + 0.01 * random.standard_normal((count, 2))
    offsets = Features(
        shapely.points(places),
        pa.table({"name": [f"S{n}" for n in range(count)], "east": measured[:, 0], "north": measured[:, 1],
                  "east_sigma": np.full(count, 0.01), "north_sigma": np.full(count, 0.01)}), crs,
    )  # fmt: skip
    trace = np.array([[fault, bottom], [fault, top]])
    along = np.arange(bottom + 400, top - 400, 350.0)
    field = Features(
        shapely.points(np.column_stack([np.full(len(along), fault + 5), along])),
        pa.table({"right_lateral": FAULT_OFFSET + 0.15 * random.standard_normal(len(along)),
                  "sigma": np.full(len(along), 0.15)}), crs,
    )  # fmt: skip
    stable = PolygonMask(("simulated",), grid, (shapely.box(fault + 200, bottom, x[-1], top),))
    return KnownMap(displacement_map(layers, grid, said), offsets, trace, field, stable)


def _ground(places: np.ndarray) -> np.ndarray:
    """Velocity of the ground, mm/yr: east, north, up."""
    east, north = ((places - _CORNER) / 60_000).T
    return np.column_stack([0.6 * east, 1.0 + 0.4 * north, 1.5 * np.sin(3 * east) * np.cos(2 * north)])


def _table(
    places: np.ndarray,
    velocity: np.ndarray,
    unit: np.ndarray,
    days: np.ndarray,
    random: np.random.Generator,
    track: int,
) -> pa.Table:
    years = (days - days[0]).astype(float) / YEAR
    series = velocity[:, None] * years + 2.5 * random.standard_normal((len(places), len(days)))
    fields = series_fields(series, (days - days[0]).astype(float))
    columns = {name: getattr(fields, name) for name in fields._fields if name != "first"}
    columns |= {"mean_velocity": velocity, "displacement": series - fields.first[:, None]}
    columns |= {"pid": [f"{track}{number:09d}" for number in range(len(places))]}
    columns |= dict(zip(("easting", "northing"), places.T, strict=True))
    columns |= dict(zip(("los_east", "los_north", "los_up"), np.tile(unit, (len(places), 1)).T, strict=True))
    return point_set(columns, level="L2b", dates=days, crs="EPSG:3035", track=track, frame="simulated")
