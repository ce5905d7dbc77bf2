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
from groundshift.kernels.series_fields import series_fields
from groundshift.model.points import Header, header
from groundshift.model.units import YEAR
from groundshift.products.assets.alike import RateNoise, rate_noise
from groundshift.products.assets.config import AssetConfig
from groundshift.products.assets.geometry import Assets, Members, find_members
from groundshift.products.assets.slips import undo_slips

_BATCH_SAMPLE = 4000  # of a batch, at least
_SAMPLE = 50_000  # velocities that tell how the whole set moves
_LEAST_AROUND = 30  # points
_SOME = 64  # points around that say where these are
_OF_MEDIAN = np.pi / 2  # variance of a median, of that of a mean
_LEAST_SIGMA = 0.05  # mm/yr: of a velocity


class NearPoints(NamedTuple):
    """Points on assets; n points, m pairs of a point and an asset."""

    positions: np.ndarray  # float64 (n, 2), m
    velocity: np.ndarray  # float64 (n,), mm/yr
    sigma: np.ndarray  # float64 (n,), mm/yr: from the residuals of the series
    series: np.ndarray  # float32 (n, time), mm, without gaps
    members: Members  # (m,), `point` is a row of the arrays above


class Around(NamedTuple):
    """The points around each asset, which it is held against."""

    velocity: np.ndarray  # float64 (assets,), mm/yr: their median
    variance: np.ndarray  # float64 (assets,), mm²/yr²: of the median, for the errors that points have by themselves
    row: np.ndarray  # int (assets,): of `places`
    places: np.ndarray  # float64 (k, draws, 2), m: some of them


class Collected(NamedTuple):
    """What one pass over the points gives."""

    near: NearPoints
    noise: RateNoise
    around: Around
    header: Header
    points: int  # that were read
    reached: int  # of them, those that count for an asset
    slipped: int  # of these, those that had been unwrapped wrongly


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
    kept: list[NearPoints] = []
    cycles: list[np.ndarray] = []
    sample: list[np.ndarray] = []
    first: Header | None = None
    offset = total = 0
    for table in tables:
        first = _same(first, header(table))
        positions = _places(table, assets.crs)
        velocity, sigma, factor = _rates(table, config)
        good = np.isfinite(velocity) & np.isfinite(sigma)
        sample.append(np.column_stack([velocity, sigma, positions])[good][:: max(1, good.sum() // _BATCH_SAMPLE)])
        members = find_members(assets, tree, positions, config)
        use = good[members.point]
        rows, point = np.unique(members.point[use], return_inverse=True)
        part = Members(point + offset, members.asset[use], members.chance[use], members.along[use])
        series = _filled(_rows(table, rows), first.dates, velocity[rows]) * factor[rows, None]
        kept.append(NearPoints(positions[rows], velocity[rows], sigma[rows], series, part))
        cycles.append(np.abs(factor[rows]) * (config.wavelength / 2 if first.component == "LOS" else 0.0))
        offset += len(rows)
        total += len(table)
    if first is None or total == 0:
        raise InputError("no point lies near the assets; give points where the assets are, and check the CRS of both")
    near = NearPoints(
        *(np.concatenate([getattr(k, name) for k in kept]) for name in NearPoints._fields[:4]), _joined(kept)
    )
    near, slipped = _without_slips(near, np.concatenate(cycles), first.dates)
    whole = np.concatenate(sample)
    whole = whole[:: max(1, len(whole) // _SAMPLE)]
    noise = rate_noise(
        *whole.T[:2], whole[:, 2:], radius=config.reference_radius, least_scatter=config.least_rate_scatter
    )
    around = _around(whole, assets.centre, config.reference_radius, noise)
    return Collected(near, noise, around, first, total, offset, slipped)


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


def _without_slips(near: NearPoints, cycle: np.ndarray, dates: np.ndarray) -> tuple[NearPoints, int]:
    """The points without their slips, each held against the asset that it is on most likely; and how many slipped."""
    members = near.members
    best = np.lexsort((members.asset, -members.chance, members.point))
    own = best[np.diff(members.point[best], prepend=-1) > 0]
    undone = undo_slips(near.series, members.asset[own], cycle)
    rows, days = undone.rows, (dates - dates[0]).astype(float)
    if not len(rows):
        return near, 0
    old, new = (series_fields(each, days) for each in (near.series[rows], undone.series))
    velocity, sigma, series = near.velocity.copy(), near.sigma.copy(), near.series.copy()
    velocity[rows] += np.nan_to_num(new.mean_velocity - old.mean_velocity)
    sigma[rows] *= np.nan_to_num(new.mean_velocity_std / old.mean_velocity_std, nan=1.0)
    series[rows] = undone.series
    return near._replace(velocity=velocity, sigma=sigma, series=series), len(rows)


def _joined(kept: list[NearPoints]) -> Members:
    return Members(*(np.concatenate([getattr(k.members, name) for k in kept]) for name in Members._fields))


def _around(whole: np.ndarray, places: np.ndarray, radius: float, noise: RateNoise) -> Around:
    """The sample within a radius of places, or the nearest of it if they are few.

    Of places in the same cell of a fifth of the radius it is the same.
    """
    random = np.random.default_rng(0)
    tree = cKDTree(whole[:, 2:])
    cells, cell = np.unique(np.floor(places / (radius / 5)), axis=0, return_inverse=True)
    centres = (cells + 0.5) * radius / 5
    found = tree.query_ball_point(centres, radius)
    nearest = tree.query(centres, min(_LEAST_AROUND, len(whole)))[1].reshape(len(centres), -1)
    chosen = [np.array(n if len(f) < _LEAST_AROUND else f) for f, n in zip(found, nearest, strict=True)]
    velocity = np.array([np.median(whole[each, 0]) for each in chosen])
    variance = np.array([_OF_MEDIAN * noise.points(whole[each, 1]).mean() / len(each) for each in chosen])
    some = whole[np.array([random.choice(each, _SOME) for each in chosen]), 2:]
    row = cell.ravel()
    return Around(velocity[row], variance[row], row, some)
