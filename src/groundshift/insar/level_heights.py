"""After the second pass: heights that persistent scatterers share with those around, in any tile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import xarray as xr

from groundshift.engine import TileStore
from groundshift.grid.tiles import Tile
from groundshift.insar.motion.clusters import Frame
from groundshift.insar.motion.heights import FARTHEST, shared_heights
from groundshift.insar.motion.series import DisplacementSeries, motion_projection, with_heights
from groundshift.insar.stack.geometry import StackGeometry
from groundshift.insar.stack.places import range_sine

_OF_MOST = 0.75  # of the standard deviation of errors by other scatterers: that of all but the largest


@dataclass(frozen=True)
class LevelTile:
    """Step over tiles: what of the arrays of :class:`~groundshift.insar.second_pass.PointTile` changes.

    Persistent scatterers take the heights of :func:`~groundshift.insar.motion.heights.shared_heights`, and all heights
    become those of the points themselves, not of the middle of the scene. Points of tiles beside take part, as far as
    they are near, so that the result does not depend on how a stack is cut.
    """

    stack: xr.Dataset
    points: TileStore  # of PointTile
    tiles: Sequence[Tile]
    geometry: StackGeometry
    frames: list[Frame | None]

    def __call__(self, tile: Tile) -> dict[str, np.ndarray]:
        found = self.points.read(tile.index)
        series = DisplacementSeries(*(found[name] for name in DisplacementSeries._fields))
        mine = self._steady(found)
        if mine.numbers.size:
            around = [mine, *self._beside(tile, found["places"])]
            place, cluster, height, most, noise = (
                np.concatenate([getattr(each, name) for each in around], axis=-1)
                for name in ("place", "cluster", "height", "most", "noise")
            )
            size = mine.numbers.size
            heights, sigmas = series.height.copy(), series.height_sigma.copy()
            for label in np.unique(cluster[:size]):
                same = np.flatnonzero(cluster == label)
                own = same < size
                level, variance = shared_heights(place[:, same].T, height[same], most[same])
                numbers = mine.numbers[same[own]]
                heights[numbers] = level[own]
                kept = noise[same[own]] * (1 - variance[own] / most[same[own]])
                sigmas[numbers] = np.sqrt(sigmas[numbers] ** 2 - kept)
            series = with_heights(series, self.geometry, heights, sigmas)
        ratio = range_sine(self.stack, found["columns"], found["layer_incidence"]) / self.geometry.range_sine
        return {
            "displacement": series.displacement,
            "velocity": series.velocity,
            "height": series.height * ratio,
            "height_sigma": series.height_sigma * ratio,
        }

    def _steady(self, found: dict[str, np.ndarray]) -> _Steady:
        """The persistent scatterers of a tile that have all dates.

        Errors by other scatterers are small for most and large for some. The smaller sigma of most says how much of a
        height is kept, and its own variance is as much smaller as that of this sigma.
        """
        numbers = np.flatnonzero((found["neighbours"] == 0) & np.isfinite(found["displacement"]).all(axis=0))
        cluster = found["cluster"][numbers]
        noise = found["noise"][numbers] ** 2 * self._by_noise[cluster]
        mixed = found["mixture"][numbers] ** 2
        return _Steady(
            numbers, found["places"][:, numbers], cluster, found["height"][numbers], noise + _OF_MOST**2 * mixed,
            noise + mixed,
        )  # fmt: skip

    @cached_property
    def _by_noise(self) -> np.ndarray:
        """Of each cluster, the variance of a height by noise of unit variance, m²/mm²."""
        power, even = np.zeros(len(self.frames)), np.ones(len(self.geometry.days))
        for label, frame in enumerate(self.frames):
            if frame is not None:
                weights = even if frame.atmosphere is None else frame.atmosphere.weights
                power[label] = np.sum(motion_projection(self.geometry, weights)[1] ** 2)
        return power

    def _beside(self, tile: Tile, places: np.ndarray) -> Iterator[_Steady]:
        """Persistent scatterers of other tiles that are near points of this one."""
        low, high = (bound(places, axis=1)[:, None] for bound in (np.min, np.max))
        finest = min(self.stack.attrs["azimuth_spacing"], self.stack.attrs["range_spacing"])
        reach = tile.box.padded(int(np.ceil(FARTHEST / finest)))
        for other in self.tiles:
            box = other.box
            apart = (
                box.top >= reach.bottom or box.bottom <= reach.top or box.left >= reach.right or box.right <= reach.left
            )
            if other.index == tile.index or apart:
                continue
            theirs = self._steady(self.points.read(other.index))
            near = ((theirs.place >= low - FARTHEST) & (theirs.place <= high + FARTHEST)).all(axis=0)
            yield _Steady(*(each[..., near] for each in theirs))


class _Steady(NamedTuple):
    """Persistent scatterers of a tile."""

    numbers: np.ndarray  # int (n,): among the points of the tile
    place: np.ndarray  # float64 (2, n), m
    cluster: np.ndarray  # int (n,)
    height: np.ndarray  # float64 (n,), m
    most: np.ndarray  # float64 (n,), m²: variance of heights of all but the worst
    noise: np.ndarray  # float64 (n,), m²: of all, that points do not share
