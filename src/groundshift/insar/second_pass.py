"""The second pass: pixels held against the network; those that noise would not reach become series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr
from pyproj import Transformer

from groundshift.engine import TileStore
from groundshift.grid.tiles import Tile
from groundshift.insar.motion.clusters import Frame, framed_series
from groundshift.insar.motion.linked import LinkedErrors
from groundshift.insar.motion.series import DisplacementSeries
from groundshift.insar.network.arcs import SearchConfig
from groundshift.insar.network.attach import Surroundings, attach_points
from groundshift.insar.network.blocks import Block, Tied
from groundshift.insar.network.phases import StoredSeries
from groundshift.insar.scan import Pixels
from groundshift.insar.stack.geometry import StackGeometry
from groundshift.insar.stack.places import layers_at
from groundshift.model.radar_stack import LAYERS

_MIXED = 0.41  # of how far heights in a pixel differ: the standard deviation of a height by other scatterers
_SPREAD = 0.32  # of the spread of heights between neighbours: the same of the height of a distributed scatterer
_DOUBTFUL = 2.0  # mm of noise, from which on cycles of single dates of distributed scatterers may be wrong
_MARGIN = 3  # times the reach: of the network around a tile that its points are held against


class SolvedNetwork(NamedTuple):
    """A network, where its points are, and how well they hold against each other."""

    numbers: np.ndarray  # int64 (n,), ascending: line × width + pixel of each point
    positions: np.ndarray  # float64 (n, 2), m
    tied: Tied
    coherence: np.ndarray  # float64 (n,): of :class:`HoldBlock`


@dataclass(frozen=True)
class HoldBlock:
    """Step over blocks: temporal coherence of their own points with other points of the network.

    Each half of the points is held against the other half, as pixels of the second pass are against all: a point's own
    noise must not be in what it is compared with. `coherence` is float64 (n,), NaN for dropped points.
    """

    positions: np.ndarray
    phases: StoredSeries
    geometry: StackGeometry
    tied: Tied
    search: SearchConfig

    def __call__(self, block: Block) -> dict[str, np.ndarray]:
        coherence = np.full(len(block.own), np.nan)
        cluster, half = self.tied.cluster, np.arange(len(self.positions)) % 2 == 0
        network = self.tied.around(self.positions)
        for one in (half, ~half):
            mine = one[block.own] & (cluster[block.own] >= 0)
            for label in np.unique(cluster[block.own[mine]]):
                part = np.flatnonzero(mine & (cluster[block.own] == label))
                same = network._replace(cluster=np.where(~one & (cluster == label), 0, -1))
                if (same.cluster == 0).any():
                    points = block.own[part]
                    coherence[part] = attach_points(
                        self.positions[points], self.phases.at(points), self.geometry, same, search=self.search
                    ).coherence
        return {"coherence": coherence}


@dataclass(frozen=True)
class PointTile:
    """Step over tiles of the first pass: points that are accepted, what was measured, and the stack's layers there.

    Named arrays of n points: `rows`, `columns`, `cluster`, `neighbours`, `dispersion`; `mixture`, the standard
    deviation of a height by other scatterers, m; `places` on the plane, (2, n), m; the fields of
    :class:`~groundshift.insar.motion.series.DisplacementSeries`; and all of
    :data:`~groundshift.model.radar_stack.LAYERS`.
    """

    stack: xr.Dataset
    pixels: TileStore
    plane: Transformer
    geometry: StackGeometry
    solved: SolvedNetwork
    frames: list[Frame | None]
    search: SearchConfig
    threshold: float  # of temporal coherence
    reach: float  # farthest that a point may be from the network, m

    def __call__(self, tile: Tile) -> dict[str, np.ndarray]:
        pixels = Pixels(**self.pixels.read(tile.index))
        layers = layers_at(self.stack, tuple(LAYERS), pixels.rows, pixels.columns)
        places = np.column_stack(self.plane.transform(layers["longitude"], layers["latitude"]))
        phase, cluster = self._unwrapped(pixels, places)
        kept = np.flatnonzero(cluster >= 0)
        layers = {name: values[kept] for name, values in layers.items()}
        share = np.where(pixels.neighbours[kept] == 0, _MIXED, _SPREAD)
        series = self._series(pixels, kept, places, layers["height"], phase, cluster, share * pixels.mixture[kept])
        places, mixture = places[kept], share * pixels.mixture[kept]
        sure = (pixels.neighbours[kept] == 0) | (series.noise < _DOUBTFUL)
        kept = kept[sure]
        layers = {name: values[sure] for name, values in layers.items()}
        series = DisplacementSeries(*(each[..., sure] for each in series))
        return {
            "rows": pixels.rows[kept],
            "columns": pixels.columns[kept],
            "cluster": cluster[kept],
            "neighbours": pixels.neighbours[kept],
            "dispersion": pixels.dispersion[kept],
            "mixture": mixture[sure],
            "places": places[sure].T,
            **series._asdict(),
            **{f"layer_{name}": values for name, values in layers.items()},
        }

    def _series(
        self,
        pixels: Pixels,
        kept: np.ndarray,
        places: np.ndarray,
        heights: np.ndarray,
        phase: np.ndarray,
        cluster: np.ndarray,
        mixture: np.ndarray,
    ) -> DisplacementSeries:
        """Series of the pixels of numbers `kept`; heights and mixture are theirs, the rest is of all."""
        distributed = pixels.neighbours > 0
        errors = LinkedErrors(pixels.sigma, pixels.correlation)
        linked = np.cumsum(distributed) - 1  # number among the distributed ones
        parts = []
        for each in (np.flatnonzero(~distributed[kept]), np.flatnonzero(distributed[kept])):
            some = kept[each]
            made = framed_series(
                places[some], heights[each], phase[:, some], cluster[some], self.geometry, self.frames,
                mixture=mixture[each], errors=errors.part(linked[some]) if distributed[some].any() else None,
            )  # fmt: skip
            parts.append((each, made))
        order = np.argsort(np.concatenate([each for each, _ in parts]))
        return DisplacementSeries(
            *(np.concatenate(both, axis=-1)[..., order] for both in zip(*(made for _, made in parts), strict=True))
        )

    def _unwrapped(self, pixels: Pixels, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Unwrapped phases (time, n) and clusters (n,), -1 for pixels that are not accepted."""
        solved = self.solved
        phase = np.full(pixels.phases.shape, np.nan, np.float32)
        cluster, coherence = np.full(len(places), -1), np.full(len(places), np.nan)
        own = np.flatnonzero(pixels.in_network)
        at = np.searchsorted(solved.numbers, pixels.rows[own] * self.stack.sizes["x"] + pixels.columns[own])
        phase[:, own], cluster[own] = solved.tied.phases.phase(at), solved.tied.cluster[at]
        coherence[own] = solved.coherence[at]
        others = np.flatnonzero(~pixels.in_network)
        if others.size:
            around = _around(solved, places[others], _MARGIN * self.reach)
            if (around.cluster >= 0).any():
                joined = attach_points(
                    places[others], pixels.phases[:, others], self.geometry, around,
                    search=self.search, least=self.threshold,
                )  # fmt: skip
                near = np.hypot(*(places[others] - around.positions[joined.nearest]).T) <= self.reach
                phase[:, others], coherence[others] = joined.phase, np.where(near, joined.coherence, np.nan)
                cluster[others] = around.cluster[joined.nearest]
        framed = np.array([frame is not None for frame in self.frames] + [False])  # the last is for -1
        return phase, np.where((coherence > self.threshold) & framed[cluster], cluster, -1)


def _around(solved: SolvedNetwork, places: np.ndarray, margin: float) -> Surroundings:
    """The part of a network that is not farther than a margin from the box around places."""
    low, high = places.min(axis=0) - margin, places.max(axis=0) + margin
    kept = np.flatnonzero(((solved.positions >= low) & (solved.positions <= high)).all(axis=1))
    return solved.tied.around(solved.positions).part(kept)
