"""The points that count for assets, out of point sets of any size, and what their sigmas leave out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import shapely
from pyproj import CRS, Transformer
from scipy.spatial import cKDTree

from groundshift.errors import InputError
from groundshift.kernels.robust import nmad
from groundshift.kernels.series_fields import series_fields
from groundshift.model.points import Header, header
from groundshift.model.units import YEAR
from groundshift.products.assets.config import AssetConfig
from groundshift.products.assets.geometry import Assets, Members, find_members

_PAIRS = 4000  # of a batch, that the scatter is found from
_NEAR = 50.0  # m: between the points of a pair
_SAMPLE = 50_000  # velocities that tell how the whole set moves
_CELL = 100.0  # m: of cells that tell what velocities have in common
_LEAST_IN_CELL = 5  # points
_LEAST_PAIRS = 30  # that say how velocities scatter
_LEAST_SIGMA = 0.05  # mm/yr: of a velocity


class RateNoise(NamedTuple):
    """Errors of velocities beyond what the residuals of the series say, mm/yr."""

    scatter: float  # of each point by itself: from points beside each other
    slow: float  # common to points near each other: from all points, with what the region really does
    around: float  # median of all velocities

    def sigma(self, sigma: np.ndarray, effective_points: np.ndarray, *, common: bool) -> np.ndarray:
        """Of a mean velocity, given that from the residuals of its series; `common` if not of a difference."""
        slow = self.slow**2 if common else 0.0
        return np.sqrt(sigma**2 + self.scatter**2 / effective_points + slow)


class NearPoints(NamedTuple):
    """Points on assets; n points, m pairs of a point and an asset."""

    positions: np.ndarray  # float64 (n, 2), m
    velocity: np.ndarray  # float64 (n,), mm/yr
    sigma: np.ndarray  # float64 (n,), mm/yr: from the residuals of the series
    series: np.ndarray  # float32 (n, time), mm, without gaps
    members: Members  # (m,), `point` is a row of the arrays above


class Collected(NamedTuple):
    """What one pass over the points gives."""

    near: NearPoints
    noise: RateNoise
    around: np.ndarray  # float64 (assets,), mm/yr: median velocity of the points around each
    header: Header
    points: int  # that were read
    reached: int  # of them, those that count for an asset


def collect_points(tables: Iterable[pa.Table], assets: Assets, config: AssetConfig) -> Collected:
    """Keep the points that may be on an asset. Memory is that of these and of one table.

    Parameters
    ----------
    tables
        Point sets with the same level and dates.

    Raises
    ------
    InputError
        If there is no point, or point sets differ in dates or level.
    """
    tree = shapely.STRtree(assets.geometry)
    random = np.random.default_rng(0)
    kept: list[NearPoints] = []
    pairs: list[np.ndarray] = []
    sample: list[np.ndarray] = []
    first: Header | None = None
    offset = total = 0
    for table in tables:
        first = _same(first, header(table))
        positions = _places(table, assets.crs)
        velocity, sigma, factor = _rates(table, config)
        good = np.isfinite(velocity) & np.isfinite(sigma)
        chosen = np.sort(random.permutation(np.flatnonzero(good))[:_PAIRS])
        pairs.append(_pairs(table, positions, chosen, first.dates, factor))
        sample.append(np.column_stack([velocity, sigma, positions])[good][:: max(1, good.sum() // _PAIRS)])
        members = find_members(assets, tree, positions, config)
        use = good[members.point]
        rows, point = np.unique(members.point[use], return_inverse=True)
        part = Members(point + offset, members.asset[use], members.chance[use], members.along[use])
        series = _filled(_rows(table, rows), first.dates, velocity[rows]) * factor[rows, None]
        kept.append(NearPoints(positions[rows], velocity[rows], sigma[rows], series, part))
        offset += len(rows)
        total += len(table)
    if first is None or total == 0:
        raise InputError("the point set is empty; give points where the assets are")
    near = NearPoints(
        *(np.concatenate([getattr(k, name) for k in kept]) for name in NearPoints._fields[:4]), _joined(kept)
    )
    whole = np.concatenate(sample)
    whole = whole[:: max(1, len(whole) // _SAMPLE)]
    around = _around(whole, assets.centre, config.reference_radius)
    return Collected(near, _noise(np.concatenate(pairs), whole, config), around, first, total, offset)


def _same(first: Header | None, other: Header) -> Header:
    if first is None:
        return other
    if (first.level, first.component) != (other.level, other.component):
        raise InputError(
            f"point sets are of {first.level} {first.component} and {other.level} {other.component}; "
            "assess those of one kind at a time"
        )
    if not np.array_equal(first.dates, other.dates):
        raise InputError("point sets have different dates; assess one track at a time")
    return first


def _places(table: pa.Table, crs: CRS) -> np.ndarray:
    """Of points in the CRS of the assets, m, float64 (n, 2)."""
    places = np.column_stack([table[name].to_numpy() for name in ("easting", "northing")])
    own = header(table).crs
    if own == crs:
        return places
    return np.column_stack(Transformer.from_crs(own, crs, always_xy=True).transform(*places.T))


def _rates(table: pa.Table, config: AssetConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Velocity and sigma, mm/yr, and the factor from the line of sight to what is asked for."""
    factor = np.ones(len(table))
    if config.vertical and "los_up" in table.column_names:
        factor = 1 / table["los_up"].to_numpy().astype(float)
    velocity = table["mean_velocity"].to_numpy().astype(float) * factor
    sigma = np.maximum(table["mean_velocity_std"].to_numpy().astype(float), _LEAST_SIGMA) * factor
    return velocity, sigma, factor


def _rows(table: pa.Table, rows: np.ndarray) -> np.ndarray:
    """Series of some rows, float32 (rows, time)."""
    column = table["displacement"].take(pa.array(rows)).combine_chunks()
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(rows), column.type.list_size)


def _filled(series: np.ndarray, dates: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """Gaps filled with the point's own line."""
    missing = ~np.isfinite(series)
    if not missing.any():
        return series
    years = (dates - dates[0]).astype(float) / YEAR
    line = velocity[:, None] * years
    rest = np.where(missing, 0.0, series - line)
    level = rest.sum(axis=1) / np.maximum((~missing).sum(axis=1), 1)
    return np.where(missing, line + level[:, None], series).astype(np.float32)


def _pairs(
    table: pa.Table, positions: np.ndarray, chosen: np.ndarray, dates: np.ndarray, factor: np.ndarray
) -> np.ndarray:
    """Rates of differences of the series of points beside each other and their sigmas, float64 (pairs, 2)."""
    if len(chosen) < 2:
        return np.empty((0, 2))
    good = np.isfinite(table["mean_velocity"].to_numpy())
    everything = np.flatnonzero(good)
    distance, near = cKDTree(positions[everything]).query(positions[chosen], 2)
    other = everything[near[:, 1]]
    use = (distance[:, 1] <= _NEAR) & (other != chosen)
    if not use.any():
        return np.empty((0, 2))
    difference = _rows(table, chosen[use]) - _rows(table, other[use])
    fields = series_fields(difference, (dates - dates[0]).astype(float))
    velocity = table["mean_velocity"].to_numpy()
    rate = (velocity[chosen[use]] - velocity[other[use]]) * factor[chosen[use]]
    return np.stack([rate, fields.mean_velocity_std * factor[chosen[use]]], axis=1)


def _joined(kept: list[NearPoints]) -> Members:
    return Members(*(np.concatenate([getattr(k.members, name) for k in kept]) for name in Members._fields))


def _noise(apart: np.ndarray, whole: np.ndarray, config: AssetConfig) -> RateNoise:
    apart = apart[np.isfinite(apart).all(axis=1)]
    scatter = config.least_rate_scatter
    if len(apart) >= _LEAST_PAIRS:
        excess = (nmad(apart[:, 0]) ** 2 - np.median(apart[:, 1] ** 2)) / 2
        scatter = max(scatter, float(np.sqrt(max(excess, 0.0))))
    velocity, sigma, *place = whole.T
    away = velocity - _around(whole, np.column_stack(place), config.reference_radius)
    slow = _common(away, np.column_stack(place))
    if slow is None:
        slow = nmad(away) ** 2 - np.median(sigma**2) - scatter**2
    return RateNoise(scatter, float(np.sqrt(max(slow, 0.0))), float(np.median(velocity)))


def _common(away: np.ndarray, places: np.ndarray) -> float | None:
    """Variance of means over cells beyond that which their points explain, mm²/yr²; None with too few cells.

    The scatter of points in a cell does not hold what they have in common, as sigmas from residuals do.
    """
    _, cell, count = np.unique(np.floor(places / _CELL), axis=0, return_inverse=True, return_counts=True)
    cell = cell.ravel()
    mean = np.bincount(cell, away) / count
    full = count >= _LEAST_IN_CELL
    if full.sum() < _LEAST_PAIRS:
        return None
    inside = full[cell]
    own = nmad((away - mean[cell])[inside] * np.sqrt(count / np.maximum(count - 1, 1))[cell][inside])
    return nmad(mean[full]) ** 2 - own**2 * float(np.median(1 / count[full]))


def _around(whole: np.ndarray, places: np.ndarray, radius: float) -> np.ndarray:
    """Median velocity of the sample within a radius of places, or of the nearest if they are few: float64 (places,).

    Of places in the same cell of a fifth of the radius it is the same.
    """
    tree = cKDTree(whole[:, 2:])
    cells, cell = np.unique(np.floor(places / (radius / 5)), axis=0, return_inverse=True)
    centres = (cells + 0.5) * radius / 5
    found = tree.query_ball_point(centres, radius)
    nearest = tree.query(centres, min(_LEAST_PAIRS, len(whole)))[1].reshape(len(centres), -1)
    medians = [np.median(whole[n if len(f) < _LEAST_PAIRS else f, 0]) for f, n in zip(found, nearest, strict=True)]
    return np.array(medians)[cell.ravel()]
