"""What all cells share over time, estimated from a sample of them: offsets and ramps of each date, sizes of fields.

The motion of cells is taken as alike here, as much as it can be: were the walks of cells each for themselves, their
mean over many cells would seem to be still, and all that varies in time would count as an error of the dates. So the
variance of the walk of a cell is as many times larger as there are cells: then their mean walks as a cell does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from odc.geo.geobox import GeoBox
from scipy.linalg import cho_factor, cho_solve, eigh

from groundshift.grid.tiles import Box, Tile
from groundshift.kernels.skyline import predicted
from groundshift.products.fuse.channels import Fusible
from groundshift.products.fuse.series.cells import Batch, Common, Solved, batches
from groundshift.products.fuse.series.config import SeriesConfig
from groundshift.products.fuse.series.design import Design
from groundshift.products.fuse.series.strands import read_strands

_VAGUE = 100.0  # m/yr, standard deviation of a rate of which nothing is known
_UNSEEN = 1.0  # m/yr, the same of a component that nothing measures, which no other depends on
_TINY = 1e-6  # m, standard deviation of what is taken as known
_GUESS = 10.0  # errors that what was said of a size counts for
_DISCS = 25  # that may be missing
_SMALL = 5e-3  # share of the variance of a measurement below which a direction of what is shared is left out


@dataclass(frozen=True, eq=False)
class SeriesProblem:
    """All that a tile needs."""

    sources: tuple[Fusible, ...]
    grid: GeoBox
    design: Design
    config: SeriesConfig
    free: tuple[bool, bool, bool]  # components that something measures; others are taken as 0

    @property
    def stride(self) -> int:
        """Cells from one of the sample to the next."""
        return max(1, int(np.ceil(np.sqrt(self.grid.shape.y * self.grid.shape.x / self.config.sample))))

    @property
    def count(self) -> float:
        """Cells of the sample."""
        return max(self.grid.shape.y * self.grid.shape.x / self.stride**2, 1.0)

    def crowd(self, lost: np.ndarray) -> np.ndarray:
        """Cells of the sample that the field of a strand counts as one in, float64 (strands,).

        What of a field is a plane over all cells counts as the offset and ramps of the date. On a date that lacks a
        part of the cells, `lost` of them, a plane through the others takes up some of the rest: as much as its
        covariance says, when cells around one place are missing, and as if this many cells had one error together.
        """
        rows, columns = self.grid.shape
        y, x = (
            each.ravel()
            for each in np.mgrid[self.stride // 2 : rows : self.stride, self.stride // 2 : columns : self.stride]
        )
        plane = np.stack([np.ones(len(x)), 2 * (x + 0.5) / columns - 1, 2 * (y + 0.5) / rows - 1], axis=1)
        places = np.stack([x * abs(self.grid.affine.a), y * abs(self.grid.affine.e)], axis=1)
        apart = np.linalg.norm(places[:, None] - places, axis=2)
        lengths = np.array([each.errors.length for each in self.design.strands])
        return np.array([_taken_up(plane, apart, length, share) for length, share in zip(lengths, lost, strict=True)])

    def begin(self) -> Common:
        """What is known of all that is shared beforehand."""
        strands, epochs = self.design.strands, len(self.design.epochs)
        fields = np.array([each.errors.correlated for each in strands])
        sizes = len(self.config.sizes)
        return Common(
            value=np.zeros((epochs, 3)), directions=np.zeros((epochs, 3, 0)), white=np.zeros((len(strands), 3)),
            fields=fields, rate=np.full(3, _VAGUE), sizes=np.full(sizes, 1 / sizes),
            crowd=self.crowd(np.full(len(strands), 0.5)),
        )  # fmt: skip

    def batches(self, box: Box, *, sample: bool) -> list[tuple[np.ndarray, Batch]]:
        """The cells of a box that were measured; with `sample`, those of the sample and those with stations."""
        config = self.config
        measured = read_strands(self.design.strands, self.sources, self.grid, box, self.design.nodes, config.neighbours)
        for number, part in enumerate(self.free):
            if not part:
                measured.look[number::3] = 0
        chosen = np.arange(measured.value.shape[1])
        if sample:
            rows, columns = (each.ravel() for each in np.mgrid[box.slices])
            on = (rows % self.stride == self.stride // 2) & (columns % self.stride == self.stride // 2)
            chosen = np.flatnonzero(on | measured.single)
        return list(batches(self.design, config, measured, chosen))


def _taken_up(plane: np.ndarray, apart: np.ndarray, length: float, lost: float) -> float:
    """Variance of a plane through a part of the cells that a field without one over all of them makes, over that of
    independent errors; 1 or more. The mean over discs around some of the cells, which are left out.

    Parameters
    ----------
    plane
        Float (n, 3); full rank.
    apart
        Distances of cells, m, float (n, n).
    """
    count, kept = len(plane), len(plane) - round(lost * len(plane))
    if kept in range(3 * plane.shape[1]) or kept == count:
        return 1.0 if kept == count else float(count)
    basis = np.linalg.qr(plane)[0]
    covariance = np.exp(-apart / max(length, 1e-3))
    covariance -= basis @ (basis.T @ covariance)
    covariance -= (covariance @ basis) @ basis.T
    covariance *= count / np.trace(covariance)
    found = []
    for middle in range(0, count, max(1, count // _DISCS)):
        seen = np.argsort(apart[middle], kind="stable")[count - kept :]
        part = np.linalg.qr(plane[seen])[0]
        found.append(np.trace(part.T @ covariance[np.ix_(seen, seen)] @ part) / plane.shape[1])
    return max(float(np.mean(found)), 1.0)


@dataclass(frozen=True, eq=False)
class SampleTile:
    """Step of the engine: what the sample in one tile says of all that is shared."""

    problem: SeriesProblem
    common: Common
    first: bool  # nothing is known of offsets yet

    def __call__(self, tile: Tile) -> dict[str, np.ndarray]:
        """Normal equations `matrix` (3 e, 3 e) and `right` (3 e,); sums over cells of squares of fields and of how many
        the measurements determine, `field` (2, strands), of squares of rates, numbers and variances, `rate` (3, 3), of
        variances of rows and their numbers, `noise` (2, strands), of how likely each size of a walk is, `sizes`; cells
        times dates, `whole` (strands,)."""
        design = self.problem.design
        size, strands = 3 * len(design.epochs), len(design.strands)
        out = {
            "matrix": np.zeros((size, size)), "right": np.zeros(size), "field": np.zeros((2, strands)),
            "rate": np.zeros((3, 3)), "noise": np.zeros((2, strands)), "whole": np.zeros(strands),
            "sizes": np.zeros(len(self.problem.config.sizes)),
        }  # fmt: skip
        vague = np.where(self.problem.free, _VAGUE, _UNSEEN)
        common = self.common._replace(white=np.zeros_like(self.common.white), rate=vague)
        for _, batch in self.problem.batches(tile.box, sample=True):
            weight = batch.weights(common, together=True)
            size = np.full(batch.single.size, float(np.exp(np.mean(np.log(self.problem.config.sizes)))))
            if not self.first:
                solved = batch.solved(common)
                weight, size = weight * solved.weight / np.maximum(batch.weights(common), 1e-300), solved.size
                out["field"] += _fields(batch, solved, common)
                out["sizes"] += solved.shares.sum(axis=1)
                out["rate"] += _rates(batch, solved)
            _add_shared(batch, common, weight, size * np.sqrt(self.problem.count), self.problem, out)
            there = weight > 0
            noise = np.where(there, 1 / np.maximum(batch.weights(common), 1e-300), 0).sum(axis=1)
            for total, each in zip(out["noise"], (noise, there.sum(axis=1)), strict=True):
                total += np.bincount(design.of_strand, each, strands)
            for number in range(strands):
                seen = there[design.of_strand == number]
                out["whole"][number] += seen.any(axis=0).sum() * len(seen)
        return out


def _add_shared(
    batch: Batch, common: Common, weight: np.ndarray, size: np.ndarray, problem: SeriesProblem, out: dict
) -> None:
    """Normal equations of offsets and ramps, after elimination of what each cell has for itself."""
    design, place = problem.design, batch.place
    pointer, cells = design.pointer[: design.measured + 1], batch.single.size
    solution, factor, _ = batch.solve(weight, batch.assumed(common, size, together=True), batch.value)
    expected = np.empty_like(weight)
    predicted(pointer, design.column, batch.factors, solution, expected)
    rest = design.incidence.T @ (weight * (batch.value - expected))
    out["right"] += (rest @ place.T).ravel()
    reduced = np.empty((len(design.epochs), len(design.epochs), cells))
    for number, uses in enumerate(design.incidence.T):
        answer = batch.moved(factor, weight * uses[:, None])
        predicted(pointer, design.column, batch.factors, answer, expected)
        reduced[number] = design.incidence.T @ (weight * (uses[:, None] - expected))
    pairs = (place[:, None] * place[None, :]).reshape(9, cells)
    blocks = (reduced.reshape(-1, cells) @ pairs.T).reshape(*reduced.shape[:2], 3, 3)
    out["matrix"] += blocks.transpose(0, 2, 1, 3).reshape(out["matrix"].shape)


def _fields(batch: Batch, solved: Solved, common: Common) -> np.ndarray:
    """Squares of fields of a difference, and how many are determined, float64 (2, strands)."""
    design, offset = batch.design, batch.design.pattern.offset
    out = np.zeros((2, len(design.strands)))
    variance = np.square(common.fields)
    for each in design.assumed:
        if each.kind == "field" and variance[each.number] > 0:
            column, prior = each.entries[0].column, each.variance * variance[each.number]
            known = 1 - solved.inverse[offset[column] + column] / prior
            out[:, each.number] += (solved.solution[column] ** 2 / each.variance).sum(), known.sum()
    for number, strand in enumerate(design.strands):
        if strand.kind == "radar":
            rows, prior = design.rows_of(number), variance[number] / 2
            weight, rest = solved.weight[rows], solved.rest[rows]
            known = prior * weight * (1 - weight * solved.variance[rows])
            out[:, number] += 2 * ((prior * weight * rest) ** 2).sum(), known.sum()
    return out


def _rates(batch: Batch, solved: Solved) -> np.ndarray:
    """Sums over the cells that determine it of the squared mean rate of a component, of 1, and of its variance."""
    span = batch.design.span
    variance = np.diagonal(batch.own_covariance(solved.inverse)[-1]) / span**2  # (cell, 3)
    rate = (solved.solution[batch.design.places[-1]] / span).T
    known = variance < (_VAGUE / 30) ** 2
    return np.stack([np.where(known, each, 0).sum(axis=0) for each in (rate**2, np.ones_like(rate), variance)])


def solve_common(problem: SeriesProblem, common: Common, parts: Sequence[Mapping[str, np.ndarray]]) -> Common:
    """What is shared, from the samples of all tiles and what is known beforehand."""
    total = {name: sum(each[name] for each in parts) for name in parts[0]}
    design, config = problem.design, problem.config
    fields, rate = common.fields, common.rate
    if total["field"][1].any():
        said = np.array([each.errors.correlated for each in design.strands])
        squares, known = total["field"]
        if config.field_sizes:
            fields = np.sqrt((squares + _GUESS * said**2) / (known + _GUESS))
    if config.prior is not None:
        rate = np.array(config.prior)
    elif total["rate"][1].any():
        squares, count, variance = total["rate"]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(count > 0, np.maximum(2 * np.sqrt(squares / count), 10 * np.sqrt(variance / count)), 0)
        rate = np.where(count > 0, found, found.max())
    rate = np.where(problem.free, rate, _UNSEEN)
    sizes = (total["sizes"] + 1) / (total["sizes"].sum() + len(config.sizes))
    crowd = problem.crowd(1 - total["noise"][1] / np.maximum(total["whole"], 1))
    if not design.epochs:
        return common._replace(fields=fields, rate=rate, sizes=sizes, crowd=crowd)
    errors = [design.strands[each.strand].errors for each in design.epochs]
    sigma = np.array([np.hypot((one.offset, one.ramp, one.ramp), one.correlated) for one in errors])
    sigma = np.maximum(sigma * np.array([[each.share] for each in design.epochs]), _TINY).ravel()
    matrix = (total["matrix"] + total["matrix"].T) / 2
    matrix[np.diag_indices_from(matrix)] += 1 / sigma**2
    factor = cho_factor(matrix, lower=True)
    value = cho_solve(factor, total["right"]).reshape(-1, 3)
    covariance = cho_solve(factor, np.eye(len(matrix)))
    noise = np.sqrt(total["noise"][0] / np.maximum(total["noise"][1], 1))
    return Common(value, *_directions(design, covariance, noise), fields, rate, sizes, crowd)


def _directions(design: Design, covariance: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A covariance as a few directions, float64 (epochs, 3, r), and variances for each date alone, (strands, 3).

    What its dates have each for themselves is taken from the many directions of a strand that are alike, as their
    median, so that few are left; what the smaller lack of it counts as 0.
    """
    of = np.repeat([each.strand for each in design.epochs], 3)
    rest, white = covariance.copy(), np.zeros((len(design.strands), 3))
    for strand in np.unique(of):
        for term in range(3):
            mine = np.flatnonzero((of == strand) & (np.arange(len(of)) % 3 == term))
            white[strand, term] = np.median(eigh(covariance[np.ix_(mine, mine)], eigvals_only=True))
            rest[mine, mine] -= white[strand, term]
    scale = np.maximum(noise[of], _TINY)
    values, vectors = eigh(rest / np.outer(scale, scale))
    kept = np.flatnonzero(values > _SMALL)
    directions = vectors[:, kept] * np.sqrt(values[kept]) * scale[:, None]
    return directions.reshape(len(design.epochs), 3, kept.size), white
