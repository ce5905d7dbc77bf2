"""Known landslides and subsidence: how many of them the points show."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import shapely

from groundshift.errors import InputError
from groundshift.figures.validation import inventory_figure
from groundshift.io.features import Features
from groundshift.model.points import TOWARD, header
from groundshift.products.active_areas import AreaConfig, find_areas
from groundshift.validate.checks.stations import definition_of
from groundshift.validate.intervals import share_number
from groundshift.validate.record import Check, Requirement


def check_inventory(
    table: pa.Table, inventory: Features, *, least_points: int = 5, required: float | None = None,
    config: AreaConfig | None = None,
) -> Check:  # fmt: skip
    """Outlines of ground that is known to move, against the active areas that the points show by themselves.

    An outline can be seen if it holds enough points, and is detected if it meets an active area. The detection rate is
    detected / seen, the coverage seen / all. The confirmed share is that of active areas that meet an outline; the
    others may be false, or missing in the inventory.

    Parameters
    ----------
    table
        Point set.
    inventory
        Polygons of landslides, subsidence or the like.
    least_points
        In an outline, for it to be seen.
    required
        Detection rate that is asked for; none by default.
    config
        How active areas are found.

    Raises
    ------
    InputError
        If no outline is a polygon within the convex hull of the points.
    """
    record = header(table)
    inventory = inventory.to_crs(record.crs)
    positions = np.column_stack([table[name].to_numpy() for name in ("easting", "northing")])
    hull = shapely.convex_hull(shapely.multipoints(positions))
    areal = shapely.get_dimensions(inventory.geometry) == 2
    shapes = inventory.geometry[areal & shapely.intersects(inventory.geometry, hull)]
    if not len(shapes):
        raise InputError("no outline of the inventory lies among the points; give polygons of their area")
    counts = np.bincount(
        shapely.STRtree(shapes).query(shapely.points(positions), predicate="intersects")[1], minlength=len(shapes)
    )
    active = find_areas(table, config)
    seen = counts >= least_points
    met = np.zeros(len(shapes), bool)
    confirmed = np.zeros(len(active.areas), bool)
    if len(active.areas):
        area, outline = shapely.STRtree(shapes).query(active.areas.geometry, predicate="intersects")
        met[outline] = True
        confirmed[area] = True
    detected = seen & met
    asked = None if required is None else Requirement.at_least(required, "asked for by the user")
    numbers = (
        share_number("detection rate", int(detected.sum()), int(seen.sum()), asked),
        share_number("coverage", int(seen.sum()), len(shapes)),
        share_number("confirmed share of active areas", int(confirmed.sum()), len(confirmed)),
    )
    notes = (
        f"{len(shapes)} outlines, {int(seen.sum())} with {least_points} points or more, of which {int(detected.sum())} "
        "are detected; "
        f"{len(active.areas)} active areas, of which noise alone makes {active.report['false_areas_expected']:g}.",
        "An outline may be at rest in these years, or move across the line of sight.",
    )
    details = {
        "outlines": shapes, "seen": seen, "detected": detected, "areas": active.areas.geometry, "positions": positions,
        "velocity": table["mean_velocity"].to_numpy().astype(float), "points": counts, "confirmed": confirmed,
        "toward": TOWARD[record.component],
    }  # fmt: skip
    return Check("inventory", "Known moving ground", definition_of(check_inventory), numbers,
                 inventory_figure(details), notes, details)  # fmt: skip
