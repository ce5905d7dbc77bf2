"""How many points there are, by land cover."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import shapely

from groundshift.errors import InputError
from groundshift.figures.validation import density_figure
from groundshift.io.features import Features
from groundshift.model.points import header
from groundshift.validate.checks.stations import definition_of
from groundshift.validate.intervals import bootstrap_number, rate_number
from groundshift.validate.record import DENSITY, SERVICE, Check, Number, Requirement

_CODES = {  # of CORINE land cover, three digits
    "111": "continuous urban", "112": "discontinuous urban, industrial", "121": "discontinuous urban, industrial",
    "331": "bare", "332": "bare", "333": "bare",
}  # fmt: skip
_COLUMNS = ("class", "code_18", "Code_18", "CODE_18", "code", "clc")
_LEAST_POLYGONS = 8
_METRES = 1e6  # m² in a km²


def check_density(tables: Sequence[pa.Table], cover: Features) -> Check:
    """Measurement points per square kilometre of each class of land cover.

    In class c the density is N_c / A_c: N_c points in its polygons, A_c their area within the convex hull of the
    points. Each track counts by itself. Limits are those for continuous urban fabric (CORINE 111), discontinuous urban
    fabric and industrial units (112, 121), and bare ground (331 to 333).

    Parameters
    ----------
    tables
        Point sets of tracks (level L2a or L2b), or of one component (level L3).
    cover
        Polygons with a column `class` (one of the names of `groundshift.validate.record.DENSITY`, or any other) or a
        column with CORINE codes.

    Raises
    ------
    InputError
        If the polygons have no such column, or none lies among the points.
    """
    numbers: list[Number] = []
    drawn: dict[str, list[Number]] = {}
    for table in tables:
        record = header(table)
        cover = cover.to_crs(record.crs)
        classes = land_classes(cover)
        positions = np.column_stack([table[name].to_numpy() for name in ("easting", "northing")])
        hull = shapely.convex_hull(shapely.multipoints(positions))
        inside = np.flatnonzero(shapely.intersects(cover.geometry, hull))
        areas = shapely.area(shapely.intersection(cover.geometry[inside], hull)) / _METRES
        row, _ = shapely.STRtree(cover.geometry[inside]).query(shapely.points(positions), predicate="intersects")[::-1]
        counts = np.bincount(row, minlength=len(inside))
        of = classes[inside]
        track = "" if len(tables) == 1 else f", {record.track} {record.frame or ''}".rstrip()
        for name in [*DENSITY, *sorted(set(of) - set(DENSITY))]:
            rows = np.flatnonzero((of == name) & (areas > 0))
            if not len(rows):
                continue
            asked = None
            if name in DENSITY:
                asked = Requirement.at_least(DENSITY[name], f"{SERVICE}, points in {name} ground")
            number = _number(f"{name}{track}", counts[rows], areas[rows], asked)
            numbers.append(number)
            drawn.setdefault(name, []).append(number)
    if not numbers:
        raise InputError("no polygon of land cover lies among the points; give the land cover of their area")
    notes = (
        "Requirements hold for level L2; a class without one is shown for comparison.",
        "Density depends on the resolution of the sensor and on how points are thinned.",
    )
    details = {"class": np.array(list(drawn)), "density": np.array([each[0].value for each in drawn.values()])}
    return Check("density", "Density of points by land cover", definition_of(check_density), tuple(numbers),
                 density_figure(drawn), notes, details)  # fmt: skip


def land_classes(cover: Features) -> np.ndarray:
    """Class of each polygon, text (n,): its name, that of its CORINE code, or `CORINE` and the code."""
    name = next((each for each in _COLUMNS if each in cover.attributes.column_names), None)
    if name is None:
        raise InputError(f"land cover has columns {cover.attributes.column_names}; expected class or a CORINE code")
    values = [str(each) for each in cover.attributes[name].to_pylist()]
    return np.array([_CODES.get(each, f"CORINE {each}" if each.isdigit() else each) for each in values])


def _number(name: str, counts: np.ndarray, areas: np.ndarray, asked: Requirement | None) -> Number:
    if len(counts) < _LEAST_POLYGONS:
        return rate_number(name, int(counts.sum()), float(areas.sum()), "points/km²", asked)
    return bootstrap_number(name, lambda r: float(counts[r].sum() / areas[r].sum()), np.arange(len(counts)),
                            "points/km²", asked, kind="polygons")  # fmt: skip
