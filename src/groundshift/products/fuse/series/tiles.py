"""Tiles of a series: displacement on all dates, with its covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundshift.grid.tiles import Tile
from groundshift.products.fuse.series.cells import Common
from groundshift.products.fuse.series.common import SeriesProblem

_PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


@dataclass(frozen=True, eq=False)
class SolveSeriesTile:
    """Step of the engine: the cells of one tile on all dates but the first, on which displacement is 0."""

    problem: SeriesProblem
    common: Common

    def __call__(self, tile: Tile) -> dict[str, np.ndarray]:
        """`motion` (time, 3, y, x) and `covariance` (time, 6, y, x: ee, nn, uu, en, eu, nu) in m, float32; which
        components something measured, `there` (3, y, x); `misfit` and `size` of the walk, (y, x)."""
        design, span = self.problem.design, self.problem.design.span
        dates, cells = len(design.places), tile.box.shape[0] * tile.box.shape[1]
        motion = np.full((dates, 3, cells), np.nan, np.float32)
        covariance = np.full((dates, 6, cells), np.nan, np.float32)
        there, misfit, size = np.zeros((3, cells), bool), *np.full((2, cells), np.nan)
        most = np.square(self.problem.config.undetermined * self.common.rate)[:, None]
        for use, batch in self.problem.batches(tile.box, sample=False):
            solved = batch.solved(self.common)
            moved, own = batch.mixed(self.common, solved)
            whole = own + batch.shared_covariance(solved, self.common)
            motion[:, :, use] = moved
            for number, (i, j) in enumerate(_PAIRS):
                covariance[:, number, use] = whole[:, i, j]
            known = (np.diagonal(own[-1]).T / span**2 < most) & np.array(self.problem.free)[:, None]
            there[:, use] = known & (known.sum(axis=0) >= 2)
            checked = solved.weight > 0
            square = np.where(checked, solved.rest**2 * solved.weight, 0).sum(axis=0)
            redundancy = np.where(checked, 1 - solved.weight * solved.variance, 0).sum(axis=0)
            misfit[use], size[use] = np.sqrt(square / np.maximum(redundancy, 1)), solved.size
        shape = tile.box.shape
        return {
            "motion": motion.reshape(dates, 3, *shape),
            "covariance": covariance.reshape(dates, 6, *shape),
            "there": there.reshape(3, *shape),
            "misfit": misfit.reshape(shape).astype(np.float32),
            "size": size.reshape(shape).astype(np.float32),
        }
