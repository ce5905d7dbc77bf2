"""Tiles of a fusion: what all cells share is estimated from all tiles, then each tile is solved for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from odc.geo.geobox import GeoBox

from groundshift.grid.tiles import Tile
from groundshift.kernels.elimination import cell_solutions, lone_residual, reduced_normal
from groundshift.products.fuse.channels import Channel, Fusible, Interval, Reference
from groundshift.products.fuse.config import FuseConfig
from groundshift.products.fuse.groups import TERMS, Group
from groundshift.products.fuse.shared import VAGUE, Shared

_HALO = 2  # cells that neighbours are looked for in
_TINY = 1e-6  # m, standard deviation of a component that is taken as known


class _System(NamedTuple):
    """Measurements of the n cells of a tile, for the kernels."""

    value: np.ndarray  # (m, n)
    weight: np.ndarray
    look: np.ndarray  # (m, 3, n)
    column: np.ndarray  # (m, 7, n)
    factor: np.ndarray


@dataclass(frozen=True, eq=False)
class Problem:
    """All that a tile needs."""

    sources: tuple[Fusible, ...]
    grid: GeoBox
    groups: tuple[Group, ...]
    config: FuseConfig
    interval: Interval
    north_known: bool = False  # nothing measures north, which is taken as known
    reference: Reference | None = None  # what all tracks are wrong by together, beside the errors of groups

    @property
    def columns(self) -> int:
        """Of all groups."""
        return sum(group.size for group in self.groups)

    def system(self, tile: Tile, shared: Shared | None, *, together: bool = False) -> _System:
        """Measurements of a tile; with an estimate of what is shared, outliers among them count for less.

        What a field varies between its nodes, and what measurements that are not spread all over a cell have more of it
        than its mean there, is an error of each cell. With `together`, for sums over many cells, its
        variance accounts for that it is alike in cells nearby; not where a station stands, which stands there alone.
        """
        outer = tile.box.padded(_HALO).clipped(tuple(self.grid.shape))
        inside = tile.box.shifted(-outer.top, -outer.left).slices
        parts: list[tuple[int, Channel]] = [
            (number, channel)
            for number, source in enumerate(self.sources)
            for channel in source.channels(self.grid, outer, self.interval)
        ]
        size, count = tile.box.shape[0] * tile.box.shape[1], len(parts)
        system = _System(
            np.zeros((count, size)), np.zeros((count, size)), np.zeros((count, 3, size)),
            np.full((count, TERMS, size), -1), np.zeros((count, TERMS, size)),
        )  # fmt: skip
        single = np.zeros(size, bool)
        for _, channel in parts:
            if channel.group is None:
                single |= np.isfinite(channel.value[inside]).ravel()
        for row, (number, channel) in enumerate(parts):
            group = self._group(number, channel.group, shared)
            apart = (
                channel.spread if self.interval.quantity == "velocity" else 0.0
            )  # motion in a cell is no noise of places
            variance = channel.variance + (group.noise(apart) if group else 0)
            if channel.group is not None:
                apart = lone_residual(channel.value, np.sqrt(variance))
                variance = variance * inflation(apart, self.config.neighbours)
            value, variance = channel.value[inside].ravel(), variance[inside].ravel()
            look = channel.look[:, inside[0], inside[1]].reshape(3, -1)
            if group is not None:
                system.column[row], system.factor[row], lost, uneven = group.columns(self.grid, tile.box)
                variance = variance + lost * np.where(single | (not together), 1, self._alike(group))
                spread = np.broadcast_to(channel.spread, channel.value.shape)[inside].ravel()
                variance = variance + uneven * (1 - spread)
            known = np.isfinite(value) & np.isfinite(variance) & (variance > 0)
            system.value[row, known] = value[known]
            system.weight[row, known] = 1 / variance[known]
            system.look[row] = look
        if shared is not None:
            *_, residual = self.solved(system, shared.without_covariance())
            system.weight[:] /= inflation(residual, self.config.outlier)
        return system

    def _alike(self, group: Group) -> float:
        """Cells in which what varies between the nodes of a group is alike."""
        if not group.shape[0]:
            return 1.0
        return max(group.alike_between() * group.spacing**2 / abs(self.grid.affine.a * self.grid.affine.e), 1.0)

    def precision(self, sigma: Sequence[float], size: int) -> np.ndarray:
        """1 / variance of the motion of cells beforehand, float64 (3, size)."""
        variance = np.square(sigma)
        if self.north_known:
            variance[1] = _TINY**2
        return np.repeat(1 / variance[:, None], size, axis=1)

    def solved(self, system: _System, shared: Shared) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Motion (n, 3), covariance (n, 3, 3) and standardised residuals (m, n) of cells."""
        size = system.weight.shape[1]
        motion, covariance = np.empty((size, 3)), np.empty((size, 3, 3))
        residual = np.empty(system.weight.shape)
        cell_solutions(
            *system, self.precision(shared.prior, size), shared.value, shared.covariance, motion, covariance, residual
        )
        return motion, covariance, residual

    def _group(self, source: int, name: str | None, shared: Shared | None) -> Group | None:
        groups = shared.groups if shared else self.groups
        return next((each for each in groups if (each.source, each.name) == (source, name)), None)


@dataclass(frozen=True, eq=False)
class ReduceTile:
    """Step of the engine: normal equations of what is shared, from one tile; only the columns that it touches."""

    problem: Problem
    shared: Shared | None

    def __call__(self, tile: Tile) -> dict[str, np.ndarray]:
        """Columns, matrix, right-hand side; from the second round on sums of squared motion and counts."""
        system = self.problem.system(tile, self.shared, together=True)
        used = np.unique(system.column[:, :, system.weight.any(axis=0)])
        used = used[used >= 0]
        place = np.full(self.problem.columns + 1, -1)
        place[used] = np.arange(len(used))
        matrix, right = np.zeros((len(used), len(used))), np.zeros(len(used))
        free = np.array([True, not self.problem.north_known, True])
        reduced_normal(*system._replace(column=place[system.column]), free, matrix, right)
        return {"columns": used, "matrix": matrix, "right": right, **self._squares(system)}

    def _squares(self, system: _System) -> dict[str, np.ndarray]:
        """Sums over the cells that determine a component of its squares and of 1 / variance, and their number; (3,)."""
        if self.shared is None:
            return {}
        motion, covariance, _ = self.problem.solved(system, self.shared.without_covariance(vague=True))
        variance = np.diagonal(covariance, axis1=1, axis2=2)
        known = variance < (VAGUE / 100) ** 2
        return {
            "squares": np.where(known, motion**2, 0).sum(axis=0),
            "known": known.sum(axis=0),
            "precision": np.where(known, 1 / variance, 0).sum(axis=0),
        }


@dataclass(frozen=True, eq=False)
class SolveTile:
    """Step of the engine: motion, full covariance and consistency of the cells of one tile."""

    problem: Problem
    shared: Shared

    def __call__(self, tile: Tile) -> dict[str, np.ndarray]:
        """`motion` (3, y, x) and `covariance` (6, y, x: ee, nn, uu, en, eu, nu) in m, `misfit` (y, x), and which
        components something measured, `there` (3, y, x): shared errors, such as an offset, do not count for that."""
        system = self.problem.system(tile, self.shared)
        motion, covariance, residual = self.problem.solved(system, self.shared)
        _, own, _ = self.problem.solved(system, self.shared.without_covariance())
        most = np.square(np.multiply(self.problem.config.undetermined, self.shared.prior))
        there = (np.diagonal(own, axis1=1, axis2=2) < most).T & (system.weight > 0).any(axis=0)
        if self.problem.north_known:
            there[1] = False
        there &= there.sum(axis=0) >= 2
        with np.errstate(invalid="ignore"):
            checked = np.isfinite(residual)
            misfit = np.sqrt(np.nansum(residual**2, axis=0) / np.maximum(checked.sum(axis=0), 1))
        if self.problem.reference is not None:
            for part, sigma in zip((0, 2), self.problem.reference, strict=True):
                covariance[:, part, part] += sigma**2
        pairs = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
        shape = tile.box.shape
        return {
            "motion": motion.T.reshape(3, *shape),
            "covariance": np.stack([covariance[:, i, j].reshape(shape) for i, j in pairs]),
            "there": there.reshape(3, *shape),
            "misfit": np.where(checked.any(axis=0), misfit, np.nan).reshape(shape),
        }


def inflation(residual: np.ndarray, most: float) -> np.ndarray:
    """What the variance of a measurement is multiplied by: its standardised residual squared, if that is too large."""
    large = np.abs(np.nan_to_num(residual))
    return np.where(large > most, large**2, 1.0)
