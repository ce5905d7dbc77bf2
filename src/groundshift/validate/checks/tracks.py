"""Tracks against each other, on pseudo-points of 100 m."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from groundshift.errors import InputError
from groundshift.figures.validation import tracks_figure
from groundshift.kernels.robust import nmad
from groundshift.model.points import header
from groundshift.validate.checks.product import CellPairs, cell_pairs
from groundshift.validate.checks.stations import definition_of
from groundshift.validate.intervals import block_size, blocks, bootstrap_number
from groundshift.validate.record import COHERENCE, SERVICE, VELOCITY, Check, Number, Requirement


def check_tracks(tables: Sequence[pa.Table], *, size: float = 100.0, least_coherence: float = COHERENCE) -> Check:
    """Velocities of overlapping tracks or bursts, mean by mean in the cells of a grid.

    With d = v_1 / l_up,1 − v_2 / l_up,2 in each cell that both see, the bias is mean(d), and the error of one track,
    along its line of sight, is the standard deviation of d over sqrt(1 / l_up,1² + 1 / l_up,2²); the robust error takes
    1.4826 times the median absolute deviation instead. Of tracks that look from different sides, d also holds (l_east,1
    / l_up,1 − l_east,2 / l_up,2) times the motion to the east: a plane is taken off for what the region does, and what
    is left is an upper bound of the error.

    Parameters
    ----------
    tables
        Two or more point sets of level L2a or L2b in one CRS.
    size
        Of a cell, m.
    least_coherence
        Points of less are left out.

    Raises
    ------
    InputError
        If there are fewer than two tables or no pair has cells in common.
    """
    if len(tables) < 2:
        raise InputError(f"{len(tables)} track came; tracks are compared in pairs, give two or more")
    asked = Requirement.at_most(VELOCITY, f"{SERVICE}, mean velocity at coherence above {COHERENCE:g}")
    numbers: list[Number] = []
    drawn, reasons = [], []
    for one, other in itertools.combinations(tables, 2):
        name = f"{_name(one)} – {_name(other)}"
        try:
            found = cell_pairs(one, other, size, least_coherence=least_coherence)
        except InputError as error:
            reasons.append(f"{name}: {error}")
            continue
        numbers += _numbers(name, found, asked)
        drawn.append((name, found))
    if not drawn:
        raise InputError(f"no two tracks have cells in common ({reasons[0]})")
    sides = [name for name, found in drawn if not found.alike]
    notes = [f"Points of coherence {least_coherence:g} or more, cells of {size:g} m."]
    if sides:
        notes.append(f"From different sides, so an upper bound: {', '.join(sides)}.")
    notes += [f"Not compared: {each}" for each in reasons]
    name, found = drawn[0]
    details = {
        "pair": name, "positions": found.positions, "first": found.first, "second": found.second,
        "difference": found.difference,
    }  # fmt: skip
    return Check("tracks", "Tracks against each other", definition_of(check_tracks), tuple(numbers),
                 tracks_figure(details), tuple(notes), details)  # fmt: skip


def _numbers(name: str, found: CellPairs, asked: Requirement) -> list[Number]:
    difference, root, kind = found.difference, found.root, "blocks of the ground"
    rest = difference if found.alike else difference - _plane(found.positions, difference)
    group = blocks(found.positions, block_size(found.positions))
    return [
        bootstrap_number(f"bias, {name}", lambda r: float(difference[r].mean()), group, "mm/yr", kind=kind),
        bootstrap_number(f"error of one track, {name}", lambda r: float(rest[r].std() / root), group, "mm/yr", asked,
                         kind=kind, bound=not found.alike),
        bootstrap_number(f"robust error, {name}", lambda r: nmad(rest[r]) / root, group, "mm/yr", kind=kind),
    ]  # fmt: skip


def _name(table: pa.Table) -> str:
    record = header(table)
    return " ".join(str(each) for each in (record.track, record.frame) if each is not None) or record.level


def _plane(positions: np.ndarray, values: np.ndarray) -> np.ndarray:
    centred = positions - positions.mean(axis=0)
    design = np.column_stack([np.ones(len(values)), centred])
    return design @ np.linalg.lstsq(design, values, rcond=None)[0]
