"""What cells share: the errors that one component of a source has in common."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from odc.geo.geobox import GeoBox
from scipy.spatial.distance import cdist

from groundshift.grid.tiles import Box
from groundshift.products.fuse.channels import Fusible, Reference
from groundshift.products.fuse.config import FuseConfig, SourceErrors
from groundshift.products.fuse.stated import usual_errors

TERMS = 7  # of a measurement: offset, ramps, four nodes
_NODES_A_LENGTH = 4
_CORNERS = np.array([(0, 0), (0, 1), (1, 0), (1, 1)])  # of a block: south and east
_SAMPLES = 8  # a side of a block, to average over it
_TINY = 1e-6  # m, standard deviation of what is taken as known
_PLACE = 100.0  # m: side of a place, in which added noise is one
_SMALL = 0.02  # of the length of a correlation: side of a cell that is a place
_PARTS = 3  # of a side of a cell, to average over it


class Columns(NamedTuple):
    """Where a group stands in the equations of cells."""

    column: np.ndarray  # int64 (7, n); negative where there is none
    factor: np.ndarray  # float64 (7, n)
    lost: np.ndarray  # float64 (n,), m²: variance that the mean of the field over a cell has between the nodes
    uneven: float  # m²: variance of the field at a place in a cell less that of its mean


class Group(NamedTuple):
    """Errors that one component of a source has in common: offset, two ramps, and a field on nodes, linear between.

    The field is the mean of what is correlated over a cell, which nodes hold and which is smoother than at a place.
    """

    source: int
    name: str
    errors: SourceErrors
    start: int  # its first column
    shape: tuple[int, int]  # rows and columns of nodes; none if the errors are not correlated
    spacing: float  # m
    correlated: float  # m, standard deviation of what is correlated, at a place; at first that of `errors`
    cell: tuple[float, float] = (0.0, 0.0)  # m: sides of a cell, along columns and rows

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

    def noise(self, spread: np.ndarray | float) -> np.ndarray | float:
        """Variance of the mean of added noise, m²: that of a place, and less if measurements are spread over more.

        Parameters
        ----------
        spread
            As of :class:`~groundshift.products.fuse.channels.Channel`. Of n places at random it is about 1 - 1 / n.
        """
        least = min(_PLACE**2 / (self.cell[0] * self.cell[1]), 1.0)
        return self.errors.noise**2 * (least + (1 - least) * (1 - spread))

    def alike(self) -> np.ndarray:
        """Inverse of the correlation of its nodes beforehand, float64 (nodes, nodes)."""
        return _node_precision(self._replace(source=0, name="", start=0, correlated=0.0))

    def columns(self, grid: GeoBox, box: Box) -> Columns:
        """Columns and factors of the cells of a box, row by row."""
        rows, columns = (each.ravel() + 0.5 for each in np.mgrid[box.slices])
        height, width = grid.shape
        column, factor = np.full((TERMS, rows.size), -1), np.zeros((TERMS, rows.size))
        column[:3] = self.start + np.arange(3)[:, None]
        factor[:3] = np.stack([np.ones(rows.size), 2 * columns / width - 1, 2 * rows / height - 1])
        if not self.shape[0]:
            return Columns(column, factor, np.zeros(rows.size), 0.0)
        begin = 0.5 if self.spacing <= max(self.cell) else 0.0  # nodes are the middles of cells that are as large
        y, x = (
            (at - begin) * abs(size) / self.spacing for at, size in ((rows, grid.affine.e), (columns, grid.affine.a))
        )
        i, j = (np.minimum(each.astype(int), most - 2) for each, most in zip((y, x), self.shape, strict=True))
        y, x = y - i, x - j
        for term, (down, right) in enumerate(_CORNERS, start=3):
            column[term] = self.start + 3 + (i + down) * self.shape[1] + j + right
            factor[term] = np.abs(1 - down - y) * np.abs(1 - right - x)
        alike, cross = (self._correlation(each, _CORNERS) for each in (_CORNERS, np.stack([y, x], axis=1)))
        known = 2 * (cross.T * factor[3:]).sum(axis=0) - np.einsum("kn,kl,ln->n", factor[3:], alike, factor[3:])
        mean, power = self._correlation(_CORNERS[:1], _CORNERS[:1])[0, 0], self.correlated**2
        return Columns(column, factor, power * np.maximum(mean - known, 0), power * (1 - mean))

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
        """Of the means over cells around places in spacings, in variances at a place, float64 (places, places).

        Exponential at a place. Its structure function grows with distance at first; that of turbulence with a power
        from 5/3, in a kilometre or two, to 2/3 beyond (Hanssen 2001, Radar Interferometry, section 4.7). Of means over
        cells it is the mean over all pairs of places in the two, whose distances along a side have the density of a
        triangle (regularised covariance: Journel & Huijbregts 1978, Mining Geostatistics, section II.D).
        """
        scale = self.spacing / self.errors.length
        if max(self.cell) < _SMALL * self.errors.length:
            return np.exp(-cdist(one, other) * scale)
        total = np.zeros((len(one), len(other)))
        for down, weight in _apart():
            for right, other_weight in _apart():
                shift = np.array([down * self.cell[0], right * self.cell[1]]) / self.spacing
                total += weight * other_weight * np.exp(-cdist(one + shift, other) * scale)
        return total


def _apart() -> list[tuple[float, float]]:
    """How far two places in cells side by side are apart beyond the middles, in sides, and weights (Gauss-Legendre)."""
    nodes, weights = np.polynomial.legendre.leggauss(_PARTS)
    at, weight = (nodes + 1) / 2, weights / 2
    weight = weight * (1 - at) / (2 * (weight * (1 - at)).sum())
    return [(sign * a, w) for sign in (-1, 1) for a, w in zip(at.tolist(), weight.tolist(), strict=True)]


@lru_cache(maxsize=8)
def _node_precision(group: Group) -> np.ndarray:
    places = np.stack(np.mgrid[: group.shape[0], : group.shape[1]], axis=-1).reshape(-1, 2)
    found = np.linalg.inv(group._correlation(places, places))
    found.setflags(write=False)
    return found


def make_groups(
    sources: Sequence[Fusible], grid: GeoBox, config: FuseConfig, reference: Reference | None = None
) -> tuple[Group, ...]:
    """The groups of errors of all sources, one after the other, beside those of a reference that all tracks share."""
    cell = abs(grid.affine.e), abs(grid.affine.a)
    height, width = grid.shape.y * cell[0], grid.shape.x * cell[1]
    groups, start = [], 0
    for number, source in enumerate(sources):
        errors = usual_errors(source, config.quantity, reference)
        for name in source.groups():
            spacing = max(errors.length / _NODES_A_LENGTH, *cell, np.sqrt(height * width / config.nodes))
            shape = (0, 0)
            if errors.correlated > 0:
                shape = (int(np.ceil(height / spacing)) + 1, int(np.ceil(width / spacing)) + 1)
            groups.append(Group(number, name, errors, start, shape, float(spacing), errors.correlated, cell))
            start += groups[-1].size
    return tuple(groups)
