"""Many points at once: those inside an outline, along a line, and what they say together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyproj
import shapely

from groundshift.errors import InputError
from groundshift.explore.fields import FIELDS
from groundshift.explore.mercator import to_centimetres, to_degrees
from groundshift.explore.points import PointLayer
from groundshift.explore.records import listed
from groundshift.io.store.encode import HALF_WORLD
from groundshift.io.store.read import MERCATOR, statistics
from groundshift.model.points import COLUMNS, OPTIONAL_COLUMNS

AREA_POINTS = 2_000_000  # in the box around an area that is asked about
MEAN_SERIES = 2_000  # series that the mean series of an area is of
PROFILE_POINTS = 10_000

Polygon = list[tuple[float, float]]
Range = tuple[float, float]


def points_inside(layer: PointLayer, polygon: Polygon, keep: Range, columns: tuple[str, ...], by: str) -> pa.Table:
    """Points inside a polygon of degrees, their `by` in `keep` or unknown: the columns, places, `part` and `row`.

    Raises
    ------
    InputError
        If the polygon is none, or there are too many points in the box around it.
    """
    shape = _shape(polygon)
    _refuse_too_many(layer, shape.bounds)
    wanted = tuple(dict.fromkeys((*columns, by, *MERCATOR)))
    table = layer.store.window(shape.bounds, sets=layer.sets, by=MERCATOR, columns=wanted)
    if not len(table):
        return table
    shapely.prepare(shape)
    inside = shapely.contains_xy(shape, *(table[name].to_numpy() for name in MERCATOR))
    return table.filter(pa.array(inside & _kept(table, by, keep)))


def selection(layer: PointLayer, polygon: Polygon, keep: Range, by: str, *, most: int) -> pa.Table:
    """Points inside a polygon with all that is known of them but their series, as a file for others has it.

    Raises
    ------
    InputError
        As :func:`points_inside`, and if they are more than `most`.
    """

    columns = (*COLUMNS[layer.level], *OPTIONAL_COLUMNS[layer.level])

    def look() -> pa.Table:
        if (count := len(points_inside(layer, polygon, keep, (), by))) > most:  # counted before all columns are read
            raise InputError(f"{count} points are inside; at most {most}: draw a smaller area")
        return points_inside(layer, polygon, keep, columns, by)

    table = layer.look(look)
    degrees = to_degrees(*(table[name].to_numpy() for name in MERCATOR)) if len(table) else ((), ())
    others = (*MERCATOR, "latitude", "longitude", "row", "part")
    table = table.drop_columns([name for name in others if name in table.column_names])
    for name, values in zip(("longitude", "latitude"), degrees, strict=True):
        table = table.append_column(name, pa.array(np.round(values, 7)))
    return table


def area_statistics(layer: PointLayer, polygon: Polygon, field: str, keep: Range, by: str) -> dict[str, Any]:
    """Spread of a field inside a polygon, its histogram, and the mean series of up to 2,000 of the points."""

    def look() -> dict[str, Any]:
        table = points_inside(layer, polygon, keep, (field,), by)
        values = table[field].to_numpy() if len(table) else np.empty(0)
        finite = values[np.isfinite(values)]
        counts, edges = np.histogram(finite, bins=30) if finite.size else (np.empty(0, int), np.empty(0))
        return {
            **statistics(values)._asdict(), "unit": FIELDS[field].unit, "field": field,
            "histogram": {"counts": counts.tolist(), "edges": edges.tolist()}, "series": _mean_series(layer, table),
        }  # fmt: skip

    return layer.look(look)


def line_profile(layer: PointLayer, line: Polygon, width: float, field: str, keep: Range, by: str) -> dict[str, Any]:
    """Points within `width` / 2 metres of a line of degrees: distance along it, the field, and its standard deviation.

    At most 10,000 points, evenly taken from all. `sigma` is there for fields whose column has one beside it.
    """
    corners = np.array(line, float)
    middle = corners.mean(axis=0)
    to_plane = pyproj.Transformer.from_crs(
        4326, f"+proj=aeqd +lon_0={middle[0]} +lat_0={middle[1]} +datum=WGS84", always_xy=True
    )
    trace = shapely.LineString(np.column_stack(to_plane.transform(*corners.T)))
    if trace.length == 0:
        raise InputError("the line has no length; draw it again")
    x, y = to_centimetres(*corners.T)
    reach = 100 * width / 2 / np.cos(np.radians(np.abs(corners[:, 1]).max()))
    box = (x.min() - reach, y.min() - reach, x.max() + reach, y.max() + reach)
    _refuse_too_many(layer, box)
    sigma = f"{field}_std"
    columns = tuple(dict.fromkeys((field, by, sigma, *MERCATOR)))
    table = layer.look(lambda: layer.store.window(box, sets=layer.sets, by=MERCATOR, columns=columns))
    if not len(table):
        return {"length": trace.length, "points": 0, "distance": [], "value": [], "unit": FIELDS[field].unit}
    places = shapely.points(*to_plane.transform(*to_degrees(*(table[name].to_numpy() for name in MERCATOR))))
    near = (shapely.distance(trace, places) <= width / 2) & _kept(table, by, keep)
    along = shapely.line_locate_point(trace, places[near])
    values, spread = (table[name].to_numpy()[near] for name in (field, sigma))
    order = np.argsort(along)[:: max(1, -(-len(along) // PROFILE_POINTS))]
    made = {
        "length": trace.length, "points": len(along), "unit": FIELDS[field].unit,
        "distance": along[order].round(1).tolist(), "value": listed(values[order]),
    }  # fmt: skip
    known = np.isfinite(spread[order].astype(float)).any()
    return made | ({"sigma": listed(spread[order])} if known else {})


def _shape(polygon: Polygon) -> shapely.Polygon:
    corners = np.array(polygon, float)
    shape = shapely.Polygon(np.column_stack(to_centimetres(corners[:, 0], corners[:, 1])))
    if not shape.is_valid or shape.area == 0:
        raise InputError("the outline crosses itself or has no area; draw it again")
    return shape


def _kept(table: pa.Table, by: str, keep: Range) -> np.ndarray:
    values = table[by].to_numpy()
    return ~((values < keep[0]) | (values > keep[1]))


def _refuse_too_many(layer: PointLayer, box: tuple[float, float, float, float]) -> None:
    world = 2 * HALF_WORLD
    west, south, east, north = box
    fractions = (
        (west + HALF_WORLD) / world,
        (HALF_WORLD - south) / world,
        (east + HALF_WORLD) / world,
        (HALF_WORLD - north) / world,
    )
    if (count := layer.cells().count_in(fractions)) > AREA_POINTS:
        raise InputError(f"there are about {count} points around this area; at most {AREA_POINTS}: draw a smaller one")


def _mean_series(layer: PointLayer, table: pa.Table) -> dict[str, Any] | None:
    if not len(table):
        return None
    chosen = table.take(pa.array(np.arange(0, len(table), max(1, -(-len(table) // MEAN_SERIES)))))
    total: dict[Any, list[float]] = {}
    for name in chosen["part"].unique().to_pylist():
        rows = chosen.filter(pa.compute.equal(chosen["part"], name))["row"].to_numpy()
        values = layer.store.series(name, rows)
        finite = np.isfinite(values)
        for day, amount, weight in zip(
            layer.store.manifest.sets[layer.store.part(name).set].dates, np.where(finite, values, 0).sum(axis=0),
            finite.sum(axis=0), strict=True,
        ):  # fmt: skip
            entry = total.setdefault(day, [0.0, 0])
            entry[0] += float(amount)
            entry[1] += int(weight)
    days = sorted(total)
    means = [total[day][0] / total[day][1] if total[day][1] else None for day in days]
    return {"dates": days, "mean": [None if v is None else round(v, 2) for v in means], "points": len(chosen)}
