"""Cells of a series, a batch at a time: sizes of their walks, displacement on all dates, and its covariance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from groundshift.kernels.skyline import (
    add_normal,
    add_right,
    factorise,
    inverse_on_pattern,
    predicted,
    spread,
    substitute,
)
from groundshift.model.displacement import COMPONENTS
from groundshift.products.fuse.series.config import SeriesConfig
from groundshift.products.fuse.series.design import VAGUE, Design
from groundshift.products.fuse.series.strands import Measured
from groundshift.products.fuse.solve import inflation

_BATCH = 64  # cells side by side
_UNLIKELY = 1e-3  # share below which a size of the walk is left out
_ONCE = 0.5  # variance of one date's error, of that of a difference


class Common(NamedTuple):
    """What all cells share, as far as it is known."""

    value: np.ndarray  # float64 (epochs, 3), m: offset and ramps of each date of each strand
    directions: np.ndarray  # float64 (epochs, 3, r): its covariance is the sum of their squares, and `white`
    white: np.ndarray  # float64 (strands, 3), m²: what of its variance is not alike from date to date
    fields: np.ndarray  # float64 (strands,), m: sizes of the errors that are alike nearby, of a difference
    rate: np.ndarray  # float64 (3,), m/yr: standard deviation of the rate of a cell
    sizes: np.ndarray  # float64 (sizes,): share of cells whose walk is of each size in question
    crowd: np.ndarray  # float64 (strands,): cells of the sample that a field counts as one in


class Solved(NamedTuple):
    """Cells of a batch."""

    solution: np.ndarray  # float64 (unknowns, cell)
    factor: np.ndarray  # Cholesky, (entries, cell)
    inverse: np.ndarray  # (entries, cell), on the pattern
    weight: np.ndarray  # (measured rows, cell), after outliers were found
    rest: np.ndarray  # (measured rows, cell): residuals, m
    variance: np.ndarray  # (measured rows, cell): of what is predicted for a row
    size: np.ndarray  # (cell,): of the walk; the variance of what is smoothed grows with its root, which is averaged
    shares: np.ndarray  # (sizes, cell)


@dataclass(frozen=True, eq=False)
class Batch:
    """Some cells with their measurements, 0 where there is none."""

    design: Design
    config: SeriesConfig
    value: np.ndarray  # (measured rows, cell), m
    variance: np.ndarray  # inf where there is none
    factors: np.ndarray  # (k, cell)
    place: np.ndarray  # (3, cell)
    single: np.ndarray  # bool (cell,)

    def weights(self, common: Common, *, together: bool = False) -> np.ndarray:
        """1 / variance of measured rows; of optical maps without the field, which is unknown of each image.

        With `together`, for sums over many cells, fields count as alike in `crowd` cells, but not where a station
        stands.
        """
        share = np.array([{"optical": 0.0, "radar": _ONCE}.get(each.kind, 1.0) for each in self.design.strands])
        fields = share[:, None] * self._fields(common, together)
        return 1 / (self.variance + fields[self.design.of_strand])

    def assumed(self, common: Common, size: np.ndarray, *, together: bool = False) -> np.ndarray:
        """1 / variance of what is assumed, float64 (rows, cell); `size` (cell,) of the walk, m/yr in a year."""
        fields = self._fields(common, together)
        walk = np.where(self.held(), size, np.maximum(size, 0.1 * common.rate[:, None]))
        sigma = {"jump": self.config.jump, "origin": VAGUE}
        out = np.empty((len(self.design.assumed), len(size)))
        for row, each in enumerate(self.design.assumed):
            if each.kind == "walk":
                one = walk[each.number]
            elif each.kind == "field":
                one = np.sqrt(np.maximum(fields[each.number], 1e-12))
            else:
                one = sigma[each.kind] if each.kind in sigma else common.rate[each.number]
            out[row] = 1 / (each.variance * np.square(one))
        return out

    def held(self) -> np.ndarray:
        """Which components of cells are measured, bool (3, cell): of a line of sight east and up.

        What nothing measures is not held to be as steady as the others: numbers would be too far apart to solve.
        """
        there, out = np.isfinite(self.variance), np.zeros((3, self.single.size), bool)
        for number, strand in enumerate(self.design.strands):
            seen = there[self.design.rows_of(number)].any(axis=0)
            for part, name in enumerate(COMPONENTS):
                if strand.component == name or (strand.component == "los" and name != "north"):
                    out[part] |= seen
        return out

    def _fields(self, common: Common, together: bool) -> np.ndarray:
        """Variances of errors of a difference that are alike nearby, float64 (strands, cell)."""
        alike = np.where(self.single, 1.0, common.crowd[:, None]) if together else 1.0
        return np.square(common.fields)[:, None] * alike + common.white @ self.place**2 / _ONCE

    def corrected(self, common: Common) -> np.ndarray:
        """Values less what all cells share."""
        shared = np.einsum("me,ek,kc->mc", self.design.incidence, common.value, self.place, optimize=True)
        return np.where(np.isfinite(self.variance), self.value - shared, 0)

    def solve(self, weight: np.ndarray, assumed: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Solution, Cholesky factor, and the logarithm of the evidence but for what does not depend on the walk."""
        one = self.design
        cells = weight.shape[1]
        matrix, right = np.zeros((one.pattern.entries, cells)), np.zeros((one.unknowns, cells))
        every = np.concatenate([weight, assumed])
        values = np.concatenate([value, np.zeros_like(assumed)])
        add_normal(one.pointer, one.column, self.factors, every, values, one.pattern.offset, matrix, right)
        solution = right.copy()
        factorise(one.pattern.first, one.pattern.offset, matrix)
        substitute(one.pattern.first, one.pattern.offset, matrix, solution)
        walks = np.array([each.kind == "walk" for each in one.assumed])
        evidence = (
            0.5 * np.log(assumed[walks]).sum(axis=0)
            - np.log(matrix[one.pattern.diagonal]).sum(axis=0)
            + 0.5 * (right * solution).sum(axis=0)
        )
        return solution, matrix, evidence

    def shares(self, common: Common, weight: np.ndarray, value: np.ndarray) -> np.ndarray:
        """How likely each size in question is that of the walk of each cell, float64 (sizes, cell): its evidence, times
        the share of cells that have it.

        Source: MacKay (1992), Bayesian Interpolation, doi:10.1162/neco.1992.4.3.415 (evidence).
        """
        cells = weight.shape[1]
        evidence = np.stack(
            [self.solve(weight, self.assumed(common, np.full(cells, size)), value)[2] for size in self.config.sizes]
        )
        evidence = np.nan_to_num(evidence, nan=-1e300)  # numbers too far apart to solve
        share = np.exp(evidence - evidence.max(axis=0)) * common.sizes[:, None]
        return share / share.sum(axis=0)

    def solved(self, common: Common) -> Solved:
        """Everything about the cells when what all share is taken as known; outliers count for less."""
        one, value, weight = self.design, self.corrected(common), self.weights(common)
        for last in (False, True):
            shares = self.shares(common, weight, value)
            size = np.square(np.sqrt(self.config.sizes) @ shares)
            solution, factor, _ = self.solve(weight, self.assumed(common, size), value)
            inverse = np.zeros_like(factor)
            inverse_on_pattern(one.pattern.first, one.pattern.offset, factor, inverse)
            variance, expected = np.empty_like(weight), np.empty_like(weight)
            pointer = one.pointer[: one.measured + 1]
            spread(pointer, one.column, self.factors, one.pattern.offset, inverse, variance)
            predicted(pointer, one.column, self.factors, solution, expected)
            rest = np.where(weight > 0, value - expected, 0)
            if not last:
                with np.errstate(divide="ignore", invalid="ignore"):
                    own = 1 / weight - variance
                    standard = np.where((weight > 0) & (own * weight > 0.02), rest / np.sqrt(np.maximum(own, 0)), 0)
                weight = weight / inflation(standard, self.config.outlier)
        return Solved(solution, factor, inverse, weight, rest, variance, size, shares)

    def moved(self, factor: np.ndarray, weighted: np.ndarray) -> np.ndarray:
        """How the solution answers to changed values, given as weight times change, float64 (measured rows, cell)."""
        one = self.design
        right = np.zeros((one.unknowns, weighted.shape[1]))
        add_right(one.pointer[: one.measured + 1], one.column, self.factors, weighted, right)
        substitute(one.pattern.first, one.pattern.offset, factor, right)
        return right

    def mixed(self, common: Common, solved: Solved) -> tuple[np.ndarray, np.ndarray]:
        """Displacement, float64 (time - 1, 3, cell), and its covariance (time - 1, 3, 3, cell) when what all share is
        known: the mean over the sizes that the walk may have, with what solutions of different sizes differ by."""
        value, place = self.corrected(common), self.design.places
        found = []
        for number, size in enumerate(self.config.sizes):
            share = solved.shares[number]
            if share.max() < _UNLIKELY:
                continue
            assumed = self.assumed(common, np.full(share.size, size))
            solution, factor, _ = self.solve(solved.weight, assumed, value)
            inverse = np.zeros_like(factor)
            inverse_on_pattern(self.design.pattern.first, self.design.pattern.offset, factor, inverse)
            good = np.isfinite(solution).all(axis=0)
            found.append((np.where(good, share, 0), solution[place], self.own_covariance(inverse), good))
        total = sum(share for share, *_ in found)
        mean = sum(np.where(good, share * each, 0) for share, each, _, good in found) / total
        spread = np.zeros((*place.shape, 3, total.size))
        for share, each, own, good in found:
            apart = each - mean
            spread += np.where(good, share * (own + apart[:, :, None] * apart[:, None, :]), 0) / total
        return mean, spread

    def own_covariance(self, inverse: np.ndarray) -> np.ndarray:
        """Covariance of displacement, float64 (time - 1, 3, 3, cell), from an inverse on the pattern."""
        place, offset = self.design.places, self.design.pattern.offset
        out = np.empty((len(place), 3, 3, inverse.shape[1]))
        for i in range(3):
            for j in range(i + 1):
                out[:, i, j] = out[:, j, i] = inverse[offset[place[:, i]] + place[:, j]]
        return out

    def shared_covariance(self, solved: Solved, common: Common) -> np.ndarray:
        """What the uncertainty of what all share adds to it."""
        one = self.design
        out = np.zeros((*one.places.shape, 3, solved.size.size))
        for number in range(common.directions.shape[2]):
            error = one.incidence @ (common.directions[:, :, number] @ self.place)
            answer = self.moved(solved.factor, solved.weight * error)[one.places]
            out += answer[:, :, None] * answer[:, None, :]
        return out


def batches(
    design: Design, config: SeriesConfig, measured: Measured, chosen: np.ndarray
) -> Iterator[tuple[np.ndarray, Batch]]:
    """Cells among `chosen` that were measured, by batches: their numbers, and what was measured."""
    there = np.isfinite(measured.value) & np.isfinite(measured.variance) & (measured.variance > 0)
    cells = chosen[there[:, chosen].any(axis=0)]
    for start in range(0, len(cells), _BATCH):
        use = cells[start : start + _BATCH]
        known = there[:, use]
        yield use, Batch(
            design, config, np.where(known, measured.value[:, use], 0),
            np.where(known, measured.variance[:, use], np.inf), design.factors(np.nan_to_num(measured.look[:, use])),
            measured.place[:, use], measured.single[use],
        )  # fmt: skip
