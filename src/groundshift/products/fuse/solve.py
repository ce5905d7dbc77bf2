"""Tiles of a fusion: what all cells share is estimated from all tiles, then each tile is solved for itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from odc.geo.geobox import GeoBox
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist

from groundshift.grid.tiles import Tile
from groundshift.kernels.elimination import cell_solutions, median_residual, reduced_normal
from groundshift.products.fuse.channels import Channel, Fusible, Interval
from groundshift.products.fuse.config import FuseConfig, SourceErrors
from groundshift.products.fuse.sources import usual_errors

_HALO = 2  # cells that neighbours are looked for in
_NODES_A_LENGTH = 2.5
_TERMS = 7  # of a measurement: offset, ramps, four nodes
_TINY = 1e-6  # m, standard deviation of a component that is taken as known
_BETWEEN = 10.0  # spacing of nodes over the length within which what varies between them is alike; tried out
_VAGUE = 1e3  # m, standard deviation of motion of which nothing is known


class Group(NamedTuple):
    """Errors that one component of a source has in common: offset, two ramps, and a field on nodes."""

    source: int
    name: str
    errors: SourceErrors
    start: int  # its first column
    shape: tuple[int, int]  # rows and columns of nodes; none if the errors are not correlated
    spacing: float  # m

    @property
    def size(self) -> int:
        """Columns that it takes."""
        return 3 + self.shape[0] * self.shape[1]

    def prior(self) -> np.ndarray:
        """Inverse of the covariance of its columns beforehand, float64 (size, size)."""
        out = np.zeros((self.size, self.size))
        out[0, 0] = 1 / max(self.errors.offset, _TINY) ** 2
        out[1, 1] = out[2, 2] = 1 / max(self.errors.ramp, _TINY) ** 2
        if self.size > 3:
            places = np.stack(np.mgrid[: self.shape[0], : self.shape[1]], axis=-1).reshape(-1, 2) * self.spacing
            alike = matern(cdist(places, places), self.errors.length) + 1e-6 * np.eye(len(places))
            out[3:, 3:] = np.linalg.inv(alike) / self.errors.correlated**2
        return out


class Shared(NamedTuple):
    """What all cells share, and its covariance."""

    value: np.ndarray  # float64 (z,)
    covariance: np.ndarray  # float64 (z, z); (0, 0) if it is not needed
    prior: tuple[float, ...]  # m, standard deviation of east, north, up of a cell


class _System(NamedTuple):
    """Measurements of the n cells of a tile, for the kernels."""

    value: np.ndarray  # (m, n)
    weight: np.ndarray
    look: np.ndarray  # (m, 3, n)
    column: np.ndarray  # (m, 7, n)
    factor: np.ndarray


def matern(distance: np.ndarray, length: float) -> np.ndarray:
    """Matérn correlation of smoothness 3/2 at distances."""
    scaled = np.sqrt(3) * distance / length
    return (1 + scaled) * np.exp(-scaled)


def make_groups(sources: Sequence[Fusible], grid: GeoBox, config: FuseConfig) -> tuple[Group, ...]:
    """The groups of errors of all sources, one after the other."""
    height, width = (grid.shape.y * abs(grid.affine.e), grid.shape.x * abs(grid.affine.a))
    groups, start = [], 0
    for number, source in enumerate(sources):
        errors = usual_errors(source, config.quantity)
        for name in source.groups():
            spacing = max(errors.length / _NODES_A_LENGTH, np.sqrt(height * width / config.nodes))
            shape = (0, 0)
            if errors.correlated > 0:
                shape = (int(np.ceil(height / spacing)) + 1, int(np.ceil(width / spacing)) + 1)
            groups.append(Group(number, name, errors, start, shape, float(spacing)))
            start += groups[-1].size
    return tuple(groups)


@dataclass(frozen=True, eq=False)
class Problem:
    """All that a tile needs."""

    sources: tuple[Fusible, ...]
    grid: GeoBox
    groups: tuple[Group, ...]
    config: FuseConfig
    interval: Interval
    north_known: bool = False  # nothing measures north, which is taken as known

    @property
    def columns(self) -> int:
        """Of all groups."""
        return sum(group.size for group in self.groups)

    def system(self, tile: Tile, shared: Shared | None, *, together: bool = False) -> _System:
        """Measurements of a tile; with an estimate of what is shared, outliers among them count for less.

        `together` is for sums over many cells: what a field varies between its nodes is alike in cells nearby, which
        its variance then accounts for.
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
            np.full((count, _TERMS, size), -1), np.zeros((count, _TERMS, size)),
        )  # fmt: skip
        for row, (number, channel) in enumerate(parts):
            group = self._group(number, channel.group)
            variance = channel.variance + (group.errors.noise**2 if group else 0)
            if channel.group is not None:
                apart = median_residual(channel.value, np.sqrt(variance))
                variance = variance * _inflation(apart, self.config.neighbours)
            value, variance = channel.value[inside].ravel(), variance[inside].ravel()
            look = channel.look[:, inside[0], inside[1]].reshape(3, -1)
            if group is not None:
                system.column[row], system.factor[row], lost = self._columns(group, tile)
                alike = (group.spacing / _BETWEEN) ** 2 / abs(self.grid.affine.a * self.grid.affine.e)
                variance = variance + lost * (max(alike, 1) if together else 1)
            known = np.isfinite(value) & np.isfinite(variance) & (variance > 0)
            system.value[row, known] = value[known]
            system.weight[row, known] = 1 / variance[known]
            system.look[row] = look
        if shared is not None:
            *_, residual = self.solved(system, Shared(shared.value, np.empty((0, 0)), shared.prior))
            system.weight[:] /= _inflation(residual, self.config.outlier)
        return system

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

    def _group(self, source: int, name: str | None) -> Group | None:
        return next((each for each in self.groups if (each.source, each.name) == (source, name)), None)

    def _columns(self, group: Group, tile: Tile) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Columns and factors (7, n) of the cells of a tile, and the variance (n,) between nodes that they lack."""
        rows, columns = (each.ravel() + 0.5 for each in np.mgrid[tile.box.slices])
        height, width = self.grid.shape
        column, factor = np.full((_TERMS, rows.size), -1), np.zeros((_TERMS, rows.size))
        column[:3] = group.start + np.arange(3)[:, None]
        factor[:3] = np.stack([np.ones(rows.size), 2 * columns / width - 1, 2 * rows / height - 1])
        if not group.shape[0]:
            return column, factor, np.zeros(rows.size)
        y, x = rows * abs(self.grid.affine.e) / group.spacing, columns * abs(self.grid.affine.a) / group.spacing
        i, j = (np.minimum(each.astype(int), most - 2) for each, most in zip((y, x), group.shape, strict=True))
        corners = ((0, 0), (0, 1), (1, 0), (1, 1))
        for term, (down, right) in enumerate(corners, start=3):
            column[term] = group.start + 3 + (i + down) * group.shape[1] + j + right
            factor[term] = np.abs(1 - down - (y - i)) * np.abs(1 - right - (x - j))
        alike = matern(cdist(corners, corners) * group.spacing, group.errors.length)
        kept = np.einsum("kn,kl,ln->n", factor[3:], alike, factor[3:])
        return column, factor, group.errors.correlated**2 * np.maximum(1 - kept, 0)


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
        shared = Shared(self.shared.value, np.empty((0, 0)), (_VAGUE,) * 3)
        motion, covariance, _ = self.problem.solved(system, shared)
        variance = np.diagonal(covariance, axis1=1, axis2=2)
        known = variance < (_VAGUE / 100) ** 2
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
        _, own, _ = self.problem.solved(system, self.shared._replace(covariance=np.empty((0, 0))))
        most = np.square(np.multiply(self.problem.config.undetermined, self.shared.prior))
        there = (np.diagonal(own, axis1=1, axis2=2) < most).T & (system.weight > 0).any(axis=0)
        if self.problem.north_known:
            there[1] = False
        there &= there.sum(axis=0) >= 2
        with np.errstate(invalid="ignore"):
            checked = np.isfinite(residual)
            misfit = np.sqrt(np.nansum(residual**2, axis=0) / np.maximum(checked.sum(axis=0), 1))
        pairs = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
        shape = tile.box.shape
        return {
            "motion": motion.T.reshape(3, *shape),
            "covariance": np.stack([covariance[:, i, j].reshape(shape) for i, j in pairs]),
            "there": there.reshape(3, *shape),
            "misfit": np.where(checked.any(axis=0), misfit, np.nan).reshape(shape),
        }


def solve_shared(problem: Problem, parts: Sequence[Mapping[str, np.ndarray]]) -> Shared:
    """What is shared, from the normal equations of all tiles and what is known beforehand.

    The motion of cells is taken as unknown here: were it not, its mean over many cells would seem to be known, and
    offsets of sources with it.
    """
    size = problem.columns
    matrix, right = np.zeros((size, size)), np.zeros(size)
    for group in problem.groups:
        part = slice(group.start, group.start + group.size)
        matrix[part, part] = group.prior()
    for each in parts:
        matrix[np.ix_(each["columns"], each["columns"])] += each["matrix"]
        right[each["columns"]] += each["right"]
    prior = _prior(problem.config, parts)
    if not size:
        return Shared(right, matrix, prior)
    factor = cho_factor((matrix + matrix.T) / 2, lower=True)
    inverse = cho_solve(factor, np.eye(size))
    return Shared(cho_solve(factor, right), (inverse + inverse.T) / 2, prior)


def _prior(config: FuseConfig, parts: Sequence[Mapping[str, np.ndarray]]) -> tuple[float, ...]:
    """As configured, or twice the root mean squares of motion, ten times the noise of cells if they move less.

    What no cell determines gets the largest of the others.
    """
    if config.prior is not None:
        return config.prior
    if not parts or "squares" not in parts[0]:
        return (_VAGUE,) * 3
    squares, known, precision = (sum(each[name] for each in parts) for name in ("squares", "known", "precision"))
    with np.errstate(divide="ignore", invalid="ignore"):
        rms = np.where(known > 0, np.maximum(2 * np.sqrt(squares / known), 10 * np.sqrt(known / precision)), 0)
    largest = rms.max() if rms.max() > 0 else _VAGUE
    return tuple(float(each) if count else float(largest) for each, count in zip(rms, known, strict=True))


def _inflation(residual: np.ndarray, most: float) -> np.ndarray:
    """What the variance of a measurement is multiplied by: its standardised residual squared, if that is too large."""
    large = np.abs(np.nan_to_num(residual))
    return np.where(large > most, large**2, 1.0)
