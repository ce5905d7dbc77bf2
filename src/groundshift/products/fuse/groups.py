"""What cells share: the errors that one component of a source has in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from odc.geo.geobox import GeoBox
from scipy.spatial.distance import cdist

from groundshift.grid.tiles import Box
from groundshift.products.fuse.channels import Fusible
from groundshift.products.fuse.config import FuseConfig, SourceErrors
from groundshift.products.fuse.sources import usual_errors

TERMS = 7  # of a measurement: offset, ramps, four nodes
_NODES_A_LENGTH = 4
_CORNERS = np.array([(0, 0), (0, 1), (1, 0), (1, 1)])  # of a block: south and east
_SAMPLES = 8  # a side of a block, to average over it
_TINY = 1e-6  # m, standard deviation of what is taken as known


class Columns(NamedTuple):
    """Where a group stands in the equations of cells."""

    column: np.ndarray  # int64 (7, n); negative where there is none
    factor: np.ndarray  # float64 (7, n)
    lost: np.ndarray  # float64 (n,), m²: variance that the field has between its nodes


class Group(NamedTuple):
    """Errors that one component of a source has in common: offset, two ramps, and a field on nodes, linear between."""

    source: int
    name: str
    errors: SourceErrors
    start: int  # its first column
    shape: tuple[int, int]  # rows and columns of nodes; none if the errors are not correlated
    spacing: float  # m
    correlated: float  # m, standard deviation of the field; at first that of `errors`

    @property
    def size(self) -> int:
        """Columns that it takes."""
        return 3 + self.shape[0] * self.shape[1]

    @property
    def nodes(self) -> slice:
        """Columns of its nodes."""
        return slice(self.start + 3, self.start + self.size)

    def precision(self) -> np.ndarray:
        """1 / variance of offset and ramps beforehand, float64 (3,)."""
        return 1 / np.maximum([self.errors.offset, self.errors.ramp, self.errors.ramp], _TINY) ** 2

    def alike(self) -> np.ndarray:
        """Inverse of the correlation of its nodes beforehand, float64 (nodes, nodes)."""
        places = np.stack(np.mgrid[: self.shape[0], : self.shape[1]], axis=-1).reshape(-1, 2)
        return np.linalg.inv(self._correlation(places, places))

    def columns(self, grid: GeoBox, box: Box) -> Columns:
        """Columns and factors of the cells of a box, row by row."""
        rows, columns = (each.ravel() + 0.5 for each in np.mgrid[box.slices])
        height, width = grid.shape
        column, factor = np.full((TERMS, rows.size), -1), np.zeros((TERMS, rows.size))
        column[:3] = self.start + np.arange(3)[:, None]
        factor[:3] = np.stack([np.ones(rows.size), 2 * columns / width - 1, 2 * rows / height - 1])
        if not self.shape[0]:
            return Columns(column, factor, np.zeros(rows.size))
        y, x = (rows * abs(grid.affine.e) / self.spacing, columns * abs(grid.affine.a) / self.spacing)
        i, j = (np.minimum(each.astype(int), most - 2) for each, most in zip((y, x), self.shape, strict=True))
        y, x = y - i, x - j
        for term, (down, right) in enumerate(_CORNERS, start=3):
            column[term] = self.start + 3 + (i + down) * self.shape[1] + j + right
            factor[term] = np.abs(1 - down - y) * np.abs(1 - right - x)
        alike, cross = (self._correlation(each, _CORNERS) for each in (_CORNERS, np.stack([y, x], axis=1)))
        known = 2 * (cross.T * factor[3:]).sum(axis=0) - np.einsum("kn,kl,ln->n", factor[3:], alike, factor[3:])
        return Columns(column, factor, self.correlated**2 * np.maximum(1 - known, 0))

    def alike_between(self) -> float:
        """How much of what a field varies between its nodes is alike in all cells of a block between four of them: the
        mean of its covariance over that of its variance."""
        at = np.stack(np.mgrid[:_SAMPLES, :_SAMPLES], axis=-1).reshape(-1, 2) / _SAMPLES + 0.5 / _SAMPLES
        factor = np.abs(1 - _CORNERS[:, None] - at).prod(axis=-1)
        first, cross, last = (
            self._correlation(one, other) for one, other in ((at, at), (at, _CORNERS), (_CORNERS, _CORNERS))
        )
        rest = first - cross @ factor - (cross @ factor).T + factor.T @ last @ factor
        return float(rest.mean() / rest.diagonal().mean())

    def _correlation(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Of places in spacings: exponential. Its structure function grows with distance at first; that of turbulence
        with a power from 5/3, in a kilometre or two, to 2/3 beyond (Hanssen 2001, Radar Interferometry, section 4.7).
        """
        return np.exp(-cdist(one, other) * self.spacing / self.errors.length)


def make_groups(sources: Sequence[Fusible], grid: GeoBox, config: FuseConfig) -> tuple[Group, ...]:
    """The groups of errors of all sources, one after the other."""
    height, width = grid.shape.y * abs(grid.affine.e), grid.shape.x * abs(grid.affine.a)
    groups, start = [], 0
    for number, source in enumerate(sources):
        errors = usual_errors(source, config.quantity)
        for name in source.groups():
            spacing = max(errors.length / _NODES_A_LENGTH, np.sqrt(height * width / config.nodes))
            shape = (0, 0)
            if errors.correlated > 0:
                shape = (int(np.ceil(height / spacing)) + 1, int(np.ceil(width / spacing)) + 1)
            groups.append(Group(number, name, errors, start, shape, float(spacing), errors.correlated))
            start += groups[-1].size
    return tuple(groups)
