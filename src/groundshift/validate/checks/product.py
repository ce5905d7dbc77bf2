"""Velocities against levelling, and against another motion product."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from groundshift.errors import InputError
from groundshift.figures.validation import agreement_figure, pairs_figure
from groundshift.model.points import header
from groundshift.model.stations import StationVelocities
from groundshift.validate.checks.stations import compare_with_stations, definition_of
from groundshift.validate.intervals import block_size, blocks, bootstrap_number, mean_number, spread_number
from groundshift.validate.record import SERVICE, VELOCITY, Check, Requirement

_LEAST_CELLS = 30


class CellPairs(NamedTuple):
    """Two products in the k cells that both see, as if all motion were vertical: velocity over the up part of the look.

    Products that measure no vertical motion (east of level L3) are taken as they are.
    """

    positions: np.ndarray  # float64 (k, 2), m: middle of the cell
    first: np.ndarray  # float64 (k,), mm/yr
    second: np.ndarray
    root: float  # standard deviation of the difference, if both err by 1 along what they measure
    alike: bool  # whether they look alike, within 15 degrees

    @property
    def difference(self) -> np.ndarray:
        """First minus second, mm/yr."""
        return self.first - self.second


class Cells(NamedTuple):
    """Means of a point set in square cells; k cells."""

    key: np.ndarray  # int64 (k, 2): column and row
    velocity: np.ndarray  # float64 (k,), mm/yr
    look: np.ndarray  # float64 (k, 3): mean direction the product measures along
    points: np.ndarray  # int (k,)
    positions: np.ndarray  # float64 (k, 2), m: middle of the cell


def cell_means(table: pa.Table, size: float = 100.0, *, least_coherence: float = 0.0) -> Cells:
    """Mean velocity and look of the points in each cell of a grid through the origin of the CRS.

    Parameters
    ----------
    size
        Of a cell, m.
    least_coherence
        Points of less temporal coherence are left out.
    """
    record = header(table)
    velocity = table["mean_velocity"].to_numpy().astype(float)
    good = np.isfinite(velocity)
    if least_coherence > 0 and "temporal_coherence" in table.column_names:
        good &= ~(table["temporal_coherence"].to_numpy() < least_coherence)
    if record.level == "L3":
        look = np.tile([1.0, 0, 0] if record.component == "E" else [0, 0, 1.0], (len(table), 1))
    else:
        look = np.column_stack([table[f"los_{axis}"].to_numpy().astype(float) for axis in ("east", "north", "up")])
    positions = np.column_stack([table[name].to_numpy() for name in ("easting", "northing")])
    key, row = np.unique(np.floor(positions[good] / size).astype(np.int64), axis=0, return_inverse=True)
    row = row.ravel()
    count = np.bincount(row, minlength=len(key))
    means = [np.bincount(row, each, len(key)) / np.maximum(count, 1) for each in (velocity[good], *look[good].T)]
    return Cells(key, means[0], np.column_stack(means[1:]), count, (key + 0.5) * size)


def common_cells(one: Cells, other: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the cells that both have."""
    width = np.int64(1) << 32
    names = [each.key[:, 0] * width + each.key[:, 1] for each in (one, other)]
    return np.intersect1d(*names, assume_unique=True, return_indices=True)[1:]


def check_levelling(
    tables: pa.Table | Iterable[pa.Table],
    benchmarks: StationVelocities,
    *,
    radius: float = 150.0,
    least_points: int = 3,
) -> Check:
    """Velocity against levelled benchmarks, which know the vertical only.

    With d_k = v_points / l_up − v_levelling at benchmark k (level L3: v_up − v_levelling), the error is sqrt(mean(d²)),
    and that of double differences, which know no datum, is the standard deviation of d. Horizontal motion is in it:
    l_east / l_up times what the ground does to the east.

    Raises
    ------
    InputError
        If fewer than three benchmarks have points around them.
    """
    tables = [tables] if isinstance(tables, pa.Table) else list(tables)
    found = compare_with_stations(tables, benchmarks, radius=radius, least_points=least_points, vertical=True)
    if len(found.name) < 3:
        raise InputError(f"{len(found.name)} of {len(benchmarks)} benchmarks have {least_points} points within "
                         f"{radius:g} m; give three or more, or a larger radius")  # fmt: skip
    own = float(np.mean(found.reference_sigma**2))
    asked = Requirement.at_most(VELOCITY, f"{SERVICE}, mean velocity")
    absolute = header(tables[0]).level != "L2a"
    numbers = [mean_number("bias", found.difference, "mm/yr")] if absolute else []
    numbers += [
        spread_number("error from double differences", found.difference, "mm/yr", about_mean=True),
        spread_number("error of the product from double differences", found.difference, "mm/yr", asked,
                      about_mean=True, known_variance=own),
    ]  # fmt: skip
    notes = (f"{len(found.name)} of {len(benchmarks)} benchmarks have points enough within {radius:g} m.",)
    figure = agreement_figure(found, unit="mm/yr", names=("levelling", "points"))
    return Check("levelling", "Velocity against levelling", definition_of(check_levelling), tuple(numbers), figure,
                 notes, found._asdict())  # fmt: skip


def check_product(table: pa.Table, other: pa.Table, *, size: float = 100.0) -> Check:
    """Velocity against another motion product, in the cells of a grid that both see.

    With d = v / l_up − v_other / l_up,other in each cell (east components as they are), the bias is mean(d), the spread
    is its standard deviation, and the slope that of the first on the second through their means (total least squares).
    All hold the errors of both products, and so does the limit: 0.7 mm/yr of each along its line of sight.

    Parameters
    ----------
    table, other
        Point sets in one CRS.
    size
        Of a cell, m.

    Raises
    ------
    InputError
        If the CRSs differ or fewer than 30 cells are common.
    """
    found = cell_pairs(table, other, size)
    first, second, difference = found.first, found.second, found.difference
    group = blocks(found.positions, block_size(found.positions))
    asked = Requirement.at_most(found.root * VELOCITY, f"{SERVICE}, mean velocity of each product")
    kind = "blocks of the ground"
    numbers = (
        bootstrap_number("bias", lambda r: float(difference[r].mean()), group, "mm/yr", kind=kind),
        bootstrap_number("spread", lambda r: float(difference[r].std()), group, "mm/yr", asked, kind=kind,
                         bound=not found.alike),
        bootstrap_number("slope", lambda r: _slope(first[r], second[r]), group, "", kind=kind),
    )  # fmt: skip
    note = "They look alike." if found.alike else "They look from different sides: motion to the east is in the spread."
    details = {"positions": found.positions, "first": first, "second": second}
    return Check("product", "Velocity against another product", definition_of(check_product), numbers,
                 pairs_figure(second, first, names=("other product", "product")), (note,), details)  # fmt: skip


def cell_pairs(table: pa.Table, other: pa.Table, size: float, *, least_coherence: float = 0.0) -> CellPairs:
    """Two products in the cells that both see.

    Parameters
    ----------
    table, other, size, least_coherence
        Point sets in one CRS, and as of :func:`cell_means`.

    Raises
    ------
    InputError
        If the CRSs differ, fewer than 30 cells are common, or one product measures up and the other east.
    """
    if header(table).crs != header(other).crs:
        raise InputError("the products are in different CRSs; bring one into that of the other")
    cells = [cell_means(each, size, least_coherence=least_coherence) for each in (table, other)]
    rows = common_cells(*cells)
    if len(rows[0]) < _LEAST_CELLS:
        raise InputError(f"{len(rows[0])} cells of {size:g} m are common; expected {_LEAST_CELLS} or more")
    one, two = (Cells(*(array[r] for array in each)) for each, r in zip(cells, rows, strict=True))
    mean = [each.look.mean(axis=0) for each in (one, two)]
    cosine = mean[0] @ mean[1] / np.linalg.norm(mean[0]) / np.linalg.norm(mean[1])
    alike = bool(cosine > np.cos(np.radians(15)))
    if not alike and min(abs(mean[0][2]), abs(mean[1][2])) < 0.1:
        raise InputError("one product measures up and the other east; compare products of one component")
    up = [np.where(each.look[:, 2] > 0.1, each.look[:, 2], 1) for each in (one, two)]
    root = float(np.sqrt(sum(np.mean(each) ** -2 for each in up)))
    return CellPairs(one.positions, one.velocity / up[0], two.velocity / up[1], root, alike)


def _slope(first: np.ndarray, second: np.ndarray) -> float:
    covariance = np.cov(first, second)
    _, vectors = np.linalg.eigh(covariance)
    return float(vectors[0, 1] / vectors[1, 1])
