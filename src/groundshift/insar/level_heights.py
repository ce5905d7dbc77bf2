"""After the second pass: heights that points share with those around, in any tile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import xarray as xr

from groundshift.engine import TileStore
from groundshift.grid.tiles import Tile
from groundshift.insar.motion.clusters import Frame
from groundshift.insar.motion.ground import FARTHEST_GROUND, GroundModel, WindowHeights, ground_heights, ground_model
from groundshift.insar.motion.heights import FARTHEST, shared_heights
from groundshift.insar.motion.series import DisplacementSeries, with_heights
from groundshift.insar.parts import thinned
from groundshift.insar.stack.geometry import StackGeometry
from groundshift.insar.stack.places import range_sine

_OF_MOST = 0.75  # of the standard deviation of errors by other scatterers: that of all but the largest
_GROUND_POINTS = 2000  # of a cluster, whose pairs tell how its ground varies
_LEAST_NOISE = 0.1**2  # m²


@dataclass(frozen=True)
class Leveller:
    """What is known of the errors of heights; gives the points of a tile that share theirs.

    Attributes
    ----------
    geometry, frames
        The stack, and what the points of each cluster share.
    window
        Lines and pixels that a distributed scatterer is the mean of.
    """

    geometry: StackGeometry
    frames: list[Frame | None]
    window: tuple[int, int]

    def steady(self, found: dict[str, np.ndarray]) -> Steady:
        """The persistent scatterers of a tile that have all dates.

        Errors by other scatterers are small for most and large for some. The smaller sigma of most says how much of a
        height is kept, and its own variance is as much smaller as that of this sigma.
        """
        numbers = np.flatnonzero((found["neighbours"] == 0) & np.isfinite(found["displacement"]).all(axis=0))
        cluster = found["cluster"][numbers]
        noise = found["height_noise"][numbers] ** 2
        mixed = found["mixture"][numbers] ** 2
        return Steady(
            numbers, cluster, found["places"][:, numbers], found["height"][numbers], noise + _OF_MOST**2 * mixed,
            noise + mixed,
        )  # fmt: skip

    def windows(self, found: dict[str, np.ndarray]) -> Windows:
        """The distributed scatterers of a tile that have all dates; their errors but for the atmosphere."""
        numbers = np.flatnonzero((found["neighbours"] > 0) & np.isfinite(found["displacement"]).all(axis=0))
        cluster, mixed = found["cluster"][numbers], found["mixture"][numbers].astype(np.float64) ** 2
        noise = found["height_noise"][numbers] ** 2
        return Windows(
            numbers, cluster, found["places"][:, numbers], found["height"][numbers], np.maximum(noise, _LEAST_NOISE),
            mixed, found["rows"][numbers], found["columns"][numbers],
        )  # fmt: skip

    def ground_models(self, points: TileStore, tiles: Sequence[Tile]) -> list[GroundModel | None]:
        """How the ground of each cluster varies, from the distributed scatterers of all tiles."""
        whole = Windows(*(
            np.concatenate(each, axis=-1)
            for each in zip(*(self.windows(points.read(tile.index)) for tile in tiles), strict=True)
        ))  # fmt: skip
        width = whole.columns.max(initial=0) + 1
        whole = whole.part(np.argsort(whole.rows * width + whole.columns))
        models = []
        for label in range(len(self.frames)):
            same = whole.part(np.flatnonzero(whole.cluster == label))
            some = thinned(same.rows * width + same.columns, _GROUND_POINTS)
            models.append(ground_model(same.heights, some, self.window))
        return models


@dataclass(frozen=True)
class LevelTile:
    """Step over tiles: what of the arrays of :class:`~groundshift.insar.second_pass.PointTile` changes.

    Persistent scatterers take the heights of :func:`~groundshift.insar.motion.heights.shared_heights`, distributed ones
    those of :func:`~groundshift.insar.motion.ground.ground_heights`, and all heights become those of the points
    themselves, not of the middle of the scene. Points of tiles beside take part, as far as they are near, so that the
    result does not depend on how a stack is cut.
    """

    stack: xr.Dataset
    points: TileStore  # of PointTile
    tiles: Sequence[Tile]
    leveller: Leveller
    ground: list[GroundModel | None]  # of clusters

    def __call__(self, tile: Tile) -> dict[str, np.ndarray]:
        found = self.points.read(tile.index)
        geometry = self.leveller.geometry
        series = DisplacementSeries(*(found[name] for name in DisplacementSeries._fields))
        heights, variances = series.height.copy(), series.height_sigma**2
        steady, windows = self.leveller.steady(found), self.leveller.windows(found)
        if steady.numbers.size or windows.numbers.size:
            others = list(self._beside(tile, found["places"]))
            for label in np.unique(steady.cluster):
                joined, own = _joined(steady, [each[0] for each in others], label)
                level, kept = shared_heights(joined.place.T, joined.height, joined.most)
                numbers = joined.numbers[:own]
                heights[numbers] = level[:own]
                variances[numbers] -= (joined.noise * (1 - kept / joined.most))[:own]
            for label in np.unique(windows.cluster):
                model = self.ground[label]
                if model is not None:
                    joined, own = _joined(windows, [each[1] for each in others], label)
                    level, kept = ground_heights(joined.heights, own, model, self.leveller.window)
                    numbers = joined.numbers[:own]
                    heights[numbers] = level
                    variances[numbers] += kept - joined.noise[:own] - joined.mixture[:own]
            series = with_heights(series, geometry, heights, np.sqrt(np.maximum(variances, _LEAST_NOISE)))
        ratio = range_sine(self.stack, found["layer_incidence"]) / geometry.range_sine
        return {
            "displacement": series.displacement,
            "velocity": series.velocity,
            "height": series.height * ratio,
            "height_sigma": series.height_sigma * ratio,
        }

    def _beside(self, tile: Tile, places: np.ndarray) -> Iterator[tuple[Steady, Windows]]:
        """Points of other tiles that are near points of this one."""
        low, high = (bound(places, axis=1)[:, None] for bound in (np.min, np.max))

        def near(points: _Points, farthest: float) -> _Points:
            place = points.place
            return points.part(np.flatnonzero(((place >= low - farthest) & (place <= high + farthest)).all(axis=0)))

        finest = min(self.stack.attrs["azimuth_spacing"], self.stack.attrs["range_spacing"])
        reach = tile.box.padded(int(np.ceil(max(FARTHEST, FARTHEST_GROUND) / finest)))
        for other in self.tiles:
            box = other.box
            apart = (
                box.top >= reach.bottom or box.bottom <= reach.top or box.left >= reach.right or box.right <= reach.left
            )
            if other.index == tile.index or apart:
                continue
            theirs = self.points.read(other.index)
            yield near(self.leveller.steady(theirs), FARTHEST), near(self.leveller.windows(theirs), FARTHEST_GROUND)


class Steady(NamedTuple):
    """Persistent scatterers of a tile."""

    numbers: np.ndarray  # int (n,): among the points of the tile
    cluster: np.ndarray  # int (n,)
    place: np.ndarray  # float64 (2, n), m
    height: np.ndarray  # float64 (n,), m
    most: np.ndarray  # float64 (n,), m²: variance of heights of all but the worst
    noise: np.ndarray  # float64 (n,), m²: of all, that points do not share

    def part(self, kept: np.ndarray) -> Steady:
        """Those of given numbers."""
        return Steady(*(each[..., kept] for each in self))


class Windows(NamedTuple):
    """Distributed scatterers of a tile."""

    numbers: np.ndarray  # int (n,): among the points of the tile
    cluster: np.ndarray  # int (n,)
    place: np.ndarray  # the rest are the fields of WindowHeights
    height: np.ndarray
    noise: np.ndarray
    mixture: np.ndarray
    rows: np.ndarray
    columns: np.ndarray

    @property
    def heights(self) -> WindowHeights:
        """Without number and cluster."""
        return WindowHeights(*self[2:])

    def part(self, kept: np.ndarray) -> Windows:
        """Those of given numbers."""
        return Windows(*(each[..., kept] for each in self))


_Points = TypeVar("_Points", Steady, Windows)


def _joined(mine: _Points, others: list[_Points], label: int) -> tuple[_Points, int]:
    """Points of a cluster, first those of the tile, and how many these are."""
    parts = [each.part(np.flatnonzero(each.cluster == label)) for each in (mine, *others)]
    joined = type(mine)(*(np.concatenate(each, axis=-1) for each in zip(*parts, strict=True)))
    return joined, len(parts[0].numbers)
