"""Points of a burst put together in cells of a few kilometres, and around stations: all that calibration looks at."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pyproj import CRS, Transformer
from scipy.spatial import cKDTree

from groundshift.errors import InputError
from groundshift.io.point_batches import point_batches, point_parts
from groundshift.kernels.robust import TO_SIGMA
from groundshift.model.stations import StationVelocities

_COLUMNS = ("easting", "northing", "latitude", "longitude", "los_east", "los_north", "los_up", "mean_velocity",
            "mean_velocity_std")  # fmt: skip
_EVERYWHERE = (-np.inf, -np.inf, np.inf, np.inf)
_MEDIAN = np.pi / 2  # variance of a median over that of a mean


class Averages(NamedTuple):
    """Averages of the points of one burst in each of n cells, or around each of n stations."""

    key: np.ndarray  # int64 (n,): of the cell, the same in all bursts; or the row of the station
    places: np.ndarray  # float64 (n, 2), m: mean easting and northing
    degrees: np.ndarray  # float64 (n, 2): mean latitude and longitude
    look: np.ndarray  # float64 (n, 3): mean unit vector from the ground to the satellite
    velocity: np.ndarray  # float64 (n,), mm/yr: median
    variance: np.ndarray  # float64 (n,), (mm/yr)²: of that median, for independent points
    count: np.ndarray  # int (n,): points


class BurstSummary(NamedTuple):
    """What calibration knows of a burst."""

    name: str
    path: str
    track: int
    descending: bool
    points: int
    box: np.ndarray  # float64 (4,): west, south, east, north, m
    cells: Averages
    stations: Averages  # points near stations


def read_summary(
    path: str | Path, stations: StationVelocities | None, *, crs: CRS, cell: float, radius: float, least: int
) -> BurstSummary:
    """Read the points of a burst, without their series.

    Parameters
    ----------
    path
        Point set of level L2a or L2b; GeoParquet, or as EGMS delivers them.
    stations
        Those around which points are averaged.
    crs
        In which all bursts must be.
    cell, radius
        Side of a cell, and distance from a station, m.
    least
        Points that make a cell.

    Raises
    ------
    InputError
        If the level or the CRS is another one, or a point has no velocity.
    """
    parts = point_parts(path)
    record = parts.header
    if record.level not in ("L2a", "L2b"):
        raise InputError(f"{path} is of level {record.level}; calibration takes points of level L2a (or L2b)")
    if record.crs != crs:
        raise InputError(f"{path} is in {record.crs.name}, others are in {crs.name}; bring all into one CRS")
    if not crs.is_projected:
        raise InputError(f"{path} is in {crs.name}, not in metres; bring it into a projected CRS, such as EPSG:3035")
    if record.track is None:
        raise InputError(f"{path} does not say of which track it is; build it again with track=...")
    read = [[batch[name].to_numpy() for name in _COLUMNS] for batch in point_batches(parts, _EVERYWHERE, _COLUMNS)]
    values = np.concatenate([np.stack(each) for each in read], axis=1, dtype=np.float64) if read else np.empty((9, 0))
    values = values[:, np.isfinite(values[7])]
    if not values.size:
        raise InputError(f"{path} has no point with a velocity; leave it out, or recompute its fields")
    places = values[:2].T
    number = np.floor(places / cell).astype(np.int64)
    cells = _averages((number[:, 0] << 32) + number[:, 1], values)
    near = _near_stations(places, stations, crs, radius)
    return BurstSummary(
        name=Path(path).stem, path=str(path), track=record.track, descending=bool(np.median(values[4]) > 0),
        points=parts.count, box=np.concatenate([places.min(axis=0), places.max(axis=0)]),
        cells=_with_points(cells, least), stations=_averages(near[1], values[:, near[0]]),
    )  # fmt: skip


def _averages(key: np.ndarray, values: np.ndarray) -> Averages:
    """Medians of velocity and means of all else, for each key."""
    order = np.lexsort((values[7], key))
    key, values = key[order], values[:, order]
    keys, starts, count = np.unique(key, return_index=True, return_counts=True)
    if not len(keys):
        return Averages(keys, np.empty((0, 2)), np.empty((0, 2)), np.empty((0, 3)), *np.empty((2, 0)), count)
    mean = np.add.reduceat(values, starts, axis=1) / count
    median = (values[7, starts + (count - 1) // 2] + values[7, starts + count // 2]) / 2
    spread = np.abs(values[7] - np.repeat(median, count))
    spread = spread[np.lexsort((spread, key))]
    scatter = TO_SIGMA * (spread[starts + (count - 1) // 2] + spread[starts + count // 2]) / 2
    stated = np.nan_to_num(mean[8], nan=1.0)
    variance = _MEDIAN * np.maximum(scatter, stated) ** 2 / count
    return Averages(keys, mean[:2].T, mean[2:4].T, mean[4:7].T, median, variance, count)


def _with_points(cells: Averages, least: int) -> Averages:
    """The cells that have enough points; the fullest, if none has."""
    keep = cells.count >= min(least, cells.count.max())
    return Averages(*(each[keep] for each in cells))


def _near_stations(
    places: np.ndarray, stations: StationVelocities | None, crs: CRS, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of points and of the stations near which they are; a point can be near several."""
    if stations is None:
        return np.zeros(0, int), np.zeros(0, np.int64)
    spots = np.column_stack(to_plane(crs).transform(stations.longitude, stations.latitude))
    found: Sequence[list[int]] = cKDTree(places).query_ball_point(spots, radius)
    rows = np.array([row for each in found for row in each], int)
    return rows, np.repeat(np.arange(len(stations)), [len(each) for each in found]).astype(np.int64)


@lru_cache
def to_plane(crs: CRS) -> Transformer:
    """From longitude and latitude to easting and northing."""
    return Transformer.from_crs("EPSG:4326", crs, always_xy=True)
