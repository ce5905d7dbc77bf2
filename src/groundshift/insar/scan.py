"""The first pass: pixels that may be measurement points, and their phases. The images are read here, once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy import ndimage

from groundshift.engine import TileStore
from groundshift.grid.tiles import Tile
from groundshift.insar.basic_config import BasicConfig, DistributedConfig
from groundshift.insar.motion.series import motion_projection
from groundshift.insar.network.phases import StoredSeries
from groundshift.insar.scatterers.candidates import Candidates, calibration_gains, find_candidates, halo
from groundshift.insar.scatterers.link import link_phases
from groundshift.insar.scatterers.separation import HALO, separated
from groundshift.insar.stack.geometry import StackGeometry
from groundshift.insar.stack.places import layers_at, phasors

_GAIN_PIXELS = 100_000  # that the gains are found from, about
_ROUNDS = 4
_MOVED, _LOST = 1.55, 4.9
"""Factors of the way that a height moves when scatterers are separated, and of the share of amplitude that is lost, m:
by these its error by other scatterers goes with both as it does with its change to the pixels beside. Fitted, with the
share that becomes an error, by the likelihood of errors in three cities (seeds 51, 53 and 56)."""
_MOST_SIGMA = 1000.0  # radians: nothing is known of a phase


class Pixels(NamedTuple):
    """Pixels that may be measurement points."""

    rows: np.ndarray  # int (n,): place in the arrays of the stack
    columns: np.ndarray
    phases: np.ndarray  # complex64 (time, n): phasors of reference × conj(secondary), 0 without data
    in_network: np.ndarray  # bool (n,): steady enough to be points of the network
    neighbours: np.ndarray  # int32 (n,): pixels of a distributed scatterer; 0 for a persistent one
    dispersion: np.ndarray  # float32 (n,): amplitude dispersion
    mixture: np.ndarray  # float32 (n,): m, how far heights differ in the pixel of a persistent one, or among neighbours
    sigma: np.ndarray  # float16 (time, m): of the distributed ones among them, as of LinkedErrors
    correlation: np.ndarray  # int8 (pairs, m): likewise


@dataclass(frozen=True)
class ScanTile:
    """Step over tiles: the :class:`Pixels` of each, by name, where latitude, longitude and height are known."""

    stack: xr.Dataset
    gains: np.ndarray
    days: np.ndarray
    reference: int
    config: BasicConfig

    def __call__(self, tile: Tile) -> dict[str, np.ndarray]:
        around, inner = self._boxes(tile)
        slc = self.stack["slc"][:, *around].values
        found = find_candidates(slc, self.gains, config=self.config.candidates)
        parts = [self._persistent(slc, found, inner, self._geometry(tile))]
        if self.config.distributed is not None:
            parts.append(self._distributed(slc, found, inner, self._geometry(tile), self.config.distributed))
        joined = Pixels(*(np.concatenate(each, axis=-1) for each in zip(*parts, strict=True)))
        top, left = (each.start for each in around)
        joined = joined._replace(rows=joined.rows + top, columns=joined.columns + left)
        place = layers_at(self.stack, ("latitude", "longitude", "height"), joined.rows, joined.columns)
        known = np.isfinite(list(place.values())).all(axis=0)
        linked = known[joined.neighbours > 0]
        return {
            name: each[..., linked if name in ("sigma", "correlation") else known]
            for name, each in joined._asdict().items()
        }

    def _geometry(self, tile: Tile) -> StackGeometry:
        """The stack's, as in the middle of the tile."""
        incidence = self.stack["incidence"][*tile.box.slices].values
        middle = np.nanmedian(incidence) if np.isfinite(incidence).any() else 40.0
        sine = float(self.stack.attrs["slant_range"] * np.sin(np.radians(middle)))
        baselines = self.stack["perpendicular_baseline"].values.astype(np.float64)
        return StackGeometry(self.days, baselines, sine, 1000 * self.stack.attrs["wavelength"])

    def _persistent(
        self, slc: np.ndarray, found: Candidates, inner: tuple[slice, slice], geometry: StackGeometry
    ) -> Pixels:
        steady = found.chosen & (found.dispersion < self.config.max_dispersion)
        mixture = np.full(steady.shape, np.inf, np.float32)
        mixture[steady] = height_change(slc, *np.nonzero(steady), geometry)
        steadiness = np.where(mixture < self.config.max_mixture, -found.dispersion, -np.inf)
        highest = spread(steadiness, self.config.apart, rounds=1) & (found.dispersion < self.config.network_dispersion)
        rows, columns = _inside(spread(steadiness, self.config.apart), inner)
        echoes = separated(slc, rows, columns, self.config.candidates.response)
        mixture = _mixture(mixture[rows, columns], echoes, slc[:, rows, columns], geometry)
        return Pixels(
            rows, columns, phasors(echoes, self.reference), highest[rows, columns],
            np.zeros(len(rows), np.int32), found.dispersion[rows, columns], mixture,
            np.empty((len(slc), 0), np.float16), np.empty((len(slc) * (len(slc) - 1) // 2, 0), np.int8),
        )  # fmt: skip

    def _distributed(
        self,
        slc: np.ndarray,
        found: Candidates,
        inner: tuple[slice, slice],
        geometry: StackGeometry,
        config: DistributedConfig,
    ) -> Pixels:
        slc = np.where(found.chosen | (found.foreign > config.max_foreign), np.complex64(0), slc)
        linked = link_phases(
            slc, self.days, reference=self.reference, config=config.link, area=inner, row=_height_row(geometry),
            correlation=True,
        )  # fmt: skip
        sigma = np.median(linked.sigma, axis=0)
        i, j = np.nonzero(sigma < config.max_sigma)
        rows, columns = linked.rows[i], linked.cols[j]
        return Pixels(
            rows, columns, linked.phase[:, i, j].conj(), sigma[i, j] < config.network_sigma,
            linked.neighbours[i, j], found.dispersion[rows, columns],
            linked.spread[i, j], np.minimum(linked.sigma[:, i, j], _MOST_SIGMA).astype(np.float16),
            linked.correlation[:, i, j],
        )  # fmt: skip

    def _boxes(self, tile: Tile) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """The tile with a halo in the stack, and the tile in that."""
        reach = [2 * _ROUNDS * each for each in self.config.apart]
        if self.config.distributed is not None:
            reach = [max(each) for each in zip(reach, self.config.distributed.link.halo, strict=True)]
        margin = [each + more for each, more in zip(halo(self.config.candidates), reach, strict=True)]
        margin = [max(each) for each in zip(margin, HALO, strict=True)]
        core = tile.box.slices
        around = tuple(
            slice(max(0, each.start - more), min(self.stack.sizes[name], each.stop + more))
            for each, more, name in zip(core, margin, ("y", "x"), strict=True)
        )
        return around, tuple(slice(c.start - a.start, c.stop - a.start) for c, a in zip(core, around, strict=True))


def height_change(slc: np.ndarray, rows: np.ndarray, columns: np.ndarray, geometry: StackGeometry) -> np.ndarray:
    """How much the height error that phases show changes from pixels to those beside them, m; float32 (n,).

    A scatterer that is alone shows one height in all pixels that its main lobe covers. Where a second one of relative
    amplitude r and relative phase φ stands h higher, the height that a pixel shows is off by r h exp iφ, whose
    imaginary part are amplitudes that go with the baseline; and r is another one in the next pixel. So the root mean
    square of the complex change to the four pixels around, weighted by their intensity, tells how far off a pixel is.

    Parameters
    ----------
    slc
        complex64 (time, y, x), calibrated or not.
    rows, columns
        Pixels, int (n,), with data on all dates.
    geometry
        The stack.
    """
    row = _height_row(geometry).astype(np.float32)
    middle = slc[:, rows, columns]
    total, weight = np.zeros((2, len(rows)), np.float32)
    for y, x in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        i, j = rows + y, columns + x
        inside = (i >= 0) & (i < slc.shape[1]) & (j >= 0) & (j < slc.shape[2])
        beside = np.where(inside, slc[:, np.where(inside, i, 0), np.where(inside, j, 0)], 0)
        ratio = np.nan_to_num(beside / middle)
        mean = ratio.mean(axis=0)
        total += np.abs(row @ ratio) ** 2
        weight += np.abs(mean) ** 2
    return np.sqrt(total / np.maximum(weight, np.float32(1e-12)))


def _mixture(change: np.ndarray, echoes: np.ndarray, pixels: np.ndarray, geometry: StackGeometry) -> np.ndarray:
    """How far heights of what pixels hold differ, m; float32 (n,).

    Of three signs of it: how the height changes to the pixels beside (:func:`height_change`), how far it moves when
    echoes, complex64 (time, n), are separated from all that the pixels hold, and which share of the amplitude is left.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.nan_to_num(echoes / pixels)
        moved = np.nan_to_num((_height_row(geometry).astype(np.float32) @ ratio / ratio.mean(axis=0)).imag)
        lost = 1 - np.clip(np.nan_to_num(np.abs(echoes).mean(axis=0) / np.abs(pixels).mean(axis=0), nan=1), 0, 1)
    return np.sqrt(change**2 + (_MOVED * moved) ** 2 + (_LOST * lost) ** 2).astype(np.float32)


def _height_row(geometry: StackGeometry) -> np.ndarray:
    """Factors of the dates that make a height error of phases, m a radian; float64 (time,)."""
    return motion_projection(geometry, np.ones(len(geometry.days)))[1] / geometry.phase_per_mm


def spread(quality: np.ndarray, apart: tuple[int, int], *, rounds: int = _ROUNDS) -> np.ndarray:
    """Pixels of which none are within `apart` of each other, the best first, bool (y, x).

    In each round those that are the best around them stay, and drop their neighbours, so that a pixel beside one
    that was dropped has its turn in the next. After four rounds 99.9 % of candidates stay, or are beside one that does.

    Parameters
    ----------
    quality
        The larger the better, float (y, x); -inf where there is no candidate.
    apart
        Lines and pixels to each side.
    rounds
        How many; results of a tile depend on twice as many times `apart` around it.
    """
    window = [2 * each + 1 for each in apart]
    left, kept = quality.copy(), np.zeros(quality.shape, bool)
    for _ in range(rounds):
        highest = np.isfinite(left) & (left == ndimage.maximum_filter(left, window, mode="nearest"))
        kept |= highest
        left[ndimage.maximum_filter(highest, window, mode="constant")] = -np.inf
    return kept


class NetworkPixels(NamedTuple):
    """Pixels that may be points of the network, in the order of their lines and pixels."""

    rows: np.ndarray  # int (n,): place in the arrays of the stack
    columns: np.ndarray
    neighbours: np.ndarray  # int32 (n,): as of :class:`Pixels`
    phases: StoredSeries  # complex64, where the tiles of the first pass are


def gather_network(store: TileStore, tiles: Iterable[Tile]) -> NetworkPixels:
    """Pixels of all tiles that may be points of the network; their phases stay in the store."""
    parts, dates = [], 0
    for tile in tiles:
        made = Pixels(**store.read(tile.index))
        inside, dates = np.flatnonzero(made.in_network), len(made.phases)
        place = made.rows[inside], made.columns[inside], made.neighbours[inside]
        parts.append((*place, np.full(len(inside), tile.index, np.int32), inside.astype(np.int32)))
    rows, columns, neighbours, tile, column = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.lexsort((columns, rows))
    phases = StoredSeries(store, "phases", dates, tile[order], column[order])
    return NetworkPixels(rows[order], columns[order], neighbours[order], phases)


def stack_gains(stack: xr.Dataset) -> np.ndarray:
    """Gains of the images, float64 (time,), from every so many lines and pixels of the whole."""
    step = int(np.ceil(np.sqrt(stack.sizes["y"] * stack.sizes["x"] / _GAIN_PIXELS)))
    return calibration_gains(stack["slc"][:, ::step, ::step].values)


def _inside(mask: np.ndarray, inner: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a mask that are within a part of it."""
    rows, columns = np.nonzero(mask[inner])
    return rows + inner[0].start, columns + inner[1].start
