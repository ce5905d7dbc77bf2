"""Mean series of assets, of their segments and of the differences of neighbours: the units that are judged."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.stats import chi2

from groundshift.kernels.empirical_null import Null, empirical_null
from groundshift.kernels.series_noise import TimeNoise
from groundshift.kernels.series_tests import SeriesTests, examine_series
from groundshift.products.assets.alike import HUBER, RateNoise, drawn, group_medians, mean_apart
from groundshift.products.assets.collect import Around, Collected, NearPoints
from groundshift.products.assets.config import AssetConfig
from groundshift.products.assets.geometry import Assets, Members

_SURE = 0.95  # with which the scatter of a segment's own points is larger than that of others
_LEAST_PULLED = 3  # points of which outliers count for less
_ROWS = 2048  # groups at once
_LEAST_APART = 0.3  # of a segment's length: neighbours nearer than this are not compared


class Units(NamedTuple):
    """Means over points, one row each; k of a kind."""

    asset: np.ndarray  # int (k,): row of the asset
    number: np.ndarray  # int (k,): of the segment in its asset, from 0; for a difference the first of the two
    along: np.ndarray  # float64 (k,), m: centre of the points on the axis; for a difference the middle between them
    apart: np.ndarray  # float64 (k,), m: between the two of a difference; 0 else
    points: np.ndarray  # int (k,): the smaller number for a difference
    velocity: np.ndarray  # float64 (k,), mm/yr
    sigma: np.ndarray  # float64 (k,), mm/yr
    chance: np.ndarray  # float64 (k,): that an asset at rest is as fast, or more; of a difference, that it is as large
    series: np.ndarray  # float64 (k, time), mm
    tests: SeriesTests  # of the series

    def __len__(self) -> int:
        return len(self.asset)


class AllUnits(NamedTuple):
    """The three kinds of units."""

    assets: Units
    segments: Units
    differences: Units  # the later segment minus the earlier
    counts: np.ndarray  # int: points of every segment of every asset, also of those that are not seen
    weight: np.ndarray  # float64 (m,): of each pair of point and asset
    segment: np.ndarray  # int (m,): number of the segment of each pair
    reference: np.ndarray  # float64, mm/yr: velocity of each asset that is seen, if it is at rest
    noise: TimeNoise  # errors of assets in time
    nulls: dict[str, Null]  # what most scores do, by quantity


def make_units(collected: Collected, assets: Assets, config: AssetConfig) -> AllUnits:
    """Average the points of each asset and segment, and examine the series.

    A point weighs its chance of being on the asset over the variance of its velocity, and less if it is more than 2
    sigmas away from the median of its segment (Huber). The variance of a velocity less the reference, or of a
    difference, is that of the errors which points have each for themselves, and that of what errors of places have in
    common, for where the points, and those that they are held against, are. In segments and differences the first is
    not below what the scatter of their own points says with 95 %, about a line through the asset, which is large where
    some of them are not on it. What most velocities, differences, accelerations and changes do is noise: their scores
    tell how wide it is and how heavy its tails are.
    """
    near, noise, dates = collected.near, collected.noise, collected.header.dates
    members = near.members
    first, owner = assets.first, assets.owner
    segment = _segment(members, assets)
    number = segment - first[members.asset]
    variance = noise.points(near.sigma[members.point])
    plain = members.chance / variance
    weight = plain * _pull(near.velocity[members.point], segment, np.sqrt(variance))

    every = _Mean(near, weight, plain, noise, members.asset, len(assets))
    part = _Mean(near, weight, plain, noise, segment, int(first[-1]), _slope(near, weight, every))
    seen = np.flatnonzero(every.points >= config.least_points)
    place = np.arange(len(owner)) - first[owner]
    used = np.flatnonzero((part.points >= config.least_points_segment) & np.isin(owner, seen))
    left, right = _neighbours(used, owner, part.along, assets, config)

    asset_series, segment_series = every.series(seen), part.series(used)
    row = np.searchsorted(used, [left, right])
    difference = segment_series[row[1]] - segment_series[row[0]]
    whole, parts, between = (
        examine_series(each, dates, correlated=True) for each in (asset_series, segment_series, difference)
    )
    reference = collected.around.velocity[seen] * (config.reference == "around")
    speed = every.velocity[seen] - reference
    random = np.random.default_rng(0)
    own = np.sqrt(every.variance[seen] + _common(noise, every.drawn(seen, random), collected.around, seen))
    tie = config.reference_sigma if config.reference == "zero" else 0.0
    of_speed = empirical_null((every.velocity[seen] - collected.around.velocity[seen]) / own)
    own_sigma = np.hypot(own * of_speed.width, tie)
    part_speed = part.velocity[used] - reference[np.searchsorted(seen, owner[used])]
    places = part.drawn(used, random)
    alone = np.maximum(part.variance, part.seen_variance)
    part_sigma = np.sqrt(alone[used] + _common(noise, places, collected.around, owner[used]))
    of_part = empirical_null((part.velocity[used] - collected.around.velocity[owner[used]]) / part_sigma)
    part_sigma = np.hypot(part_sigma * of_part.width, tie)
    sigma = np.sqrt(alone[left] + alone[right] + _of_difference(noise, *places[row]))
    apart = part.velocity[right] - part.velocity[left]
    of_apart = empirical_null(apart / sigma)
    unscaled = of_speed._replace(width=1.0)
    part_chance = of_part._replace(width=1.0).chance(part_speed / part_sigma)
    nulls = {"velocity": of_speed, "velocity of segments": of_part, "distortion": of_apart}
    return AllUnits(
        Units(seen, np.zeros(len(seen), int), every.along[seen], np.zeros(len(seen)), every.points[seen],
              every.velocity[seen], own_sigma, unscaled.chance(speed / own_sigma),
              asset_series, whole.tests),
        Units(owner[used], place[used], part.along[used], np.zeros(len(used)), part.points[used],
              part.velocity[used], part_sigma, part_chance,
              segment_series, parts.tests),
        Units(owner[left], place[left], (part.along[left] + part.along[right]) / 2,
              part.along[right] - part.along[left],
              np.minimum(part.points[left], part.points[right]), apart,
              sigma * of_apart.width, of_apart.chance(apart / sigma), difference, between.tests),
        part.points, weight, number, reference, whole.noise,
        nulls | {"acceleration": whole.curve, "change": whole.change,
         "change of segments": parts.change, "change between segments": between.change},
    )  # fmt: skip


def _segment(members: Members, assets: Assets) -> np.ndarray:
    """Row among all segments of the one that each pair is in."""
    ends = assets.owner + assets.ends / assets.length[assets.owner]
    place = members.asset + members.along / np.maximum(assets.length[members.asset], 1e-9)
    return np.minimum(np.searchsorted(ends, place, side="right"), assets.first[members.asset + 1] - 1)


class _Mean:
    """Weighted means over groups of pairs; `plain` are the weights before outliers count for less."""

    def __init__(
        self, near: NearPoints, weight: np.ndarray, plain: np.ndarray, noise: RateNoise, group: np.ndarray, count: int,
        slope: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        total = np.maximum(np.bincount(group, weight, count), 1e-300)
        member = near.members.point
        self.points = np.bincount(group, minlength=count)
        self.velocity = np.bincount(group, weight * near.velocity[member], count) / total
        self.along = np.bincount(group, weight * near.members.along, count) / total
        share = plain / np.bincount(group, plain, count)[group]
        tail = np.where(self.points < _LEAST_PULLED, noise.lone, noise.tail)
        self.variance = tail * np.bincount(group, share**2 * noise.points(near.sigma[member]), count)
        away = near.velocity[member] - self.velocity[group]
        if slope is not None:
            away -= slope[near.members.asset] * (near.members.along - self.along[group])
        spread = np.bincount(group, weight * away**2, count) / total
        effective = total**2 / np.maximum(np.bincount(group, weight**2, count), 1e-300)
        least = chi2.ppf(_SURE, np.maximum(self.points - 1, 1))
        self.seen_variance = spread * self.points / np.maximum(effective, 1) / least
        self.positions = near.positions
        self.matrix = sparse.csr_matrix((weight / total[group], (group, member)), (count, len(near.positions)))
        self.values = near.series

    def drawn(self, rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Places of points of some groups, m, float64 (rows, draws, 2)."""
        return drawn(self.matrix[rows], self.positions, random)

    def series(self, rows: np.ndarray) -> np.ndarray:
        """Mean series of some groups, float64 (rows, time)."""
        return np.asarray(self.matrix[rows] @ self.values, np.float64)


def _slope(near: NearPoints, weight: np.ndarray, mean: _Mean) -> np.ndarray:
    """Of the velocities of each asset along its axis, mm/yr/m."""
    asset = near.members.asset
    along = near.members.along - mean.along[asset]
    square = np.bincount(asset, weight * along**2, len(mean.along))
    product = np.bincount(asset, weight * along * near.velocity[near.members.point], len(mean.along))
    return product / np.maximum(square, 1e-12)


def _pull(velocity: np.ndarray, group: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Huber's weights about the medians of groups; 1 in groups of fewer than three."""
    away = np.abs(velocity - group_medians(velocity, group))
    size = np.bincount(group)[group]
    return np.where(size < _LEAST_PULLED, 1.0, np.minimum(1.0, HUBER * sigma / np.maximum(away, 1e-12)))


def _common(noise: RateNoise, places: np.ndarray, around: Around, asset: np.ndarray) -> np.ndarray:
    """Variance of the difference to the median around, beyond what points have for themselves: float64 (rows,)."""
    inside = mean_apart(noise, around.places, around.places)
    apart = np.empty(len(asset))
    for start in range(0, len(asset), _ROWS):
        rows = slice(start, start + _ROWS)
        apart[rows] = mean_apart(noise, places[rows], around.places[around.row[asset[rows]]])
    own = mean_apart(noise, places, places)
    return np.maximum(apart - own / 2 - inside[around.row[asset]] / 2, 0) + around.variance[asset]


def _of_difference(noise: RateNoise, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The same of the difference of two groups."""
    own = mean_apart(noise, one, one) + mean_apart(noise, other, other)
    return np.maximum(mean_apart(noise, one, other) - own / 2, 0)


def _neighbours(
    used: np.ndarray, owner: np.ndarray, along: np.ndarray, assets: Assets, config: AssetConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Segments that follow each other on an asset, neither too near nor too far for a comparison."""
    left, right = used[:-1], used[1:]
    length = assets.ends - assets.starts
    size = (length[left] + length[right]) / 2
    apart = along[right] - along[left]
    good = (owner[left] == owner[right]) & (apart <= config.largest_gap * size) & (apart >= _LEAST_APART * size)
    return left[good], right[good]
