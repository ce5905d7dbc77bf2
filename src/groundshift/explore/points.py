"""A layer of points: tiles, single points, areas and profiles of a store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyproj
import shapely

from groundshift.errors import InputError
from groundshift.explore.cells import Cells
from groundshift.explore.fields import FIELDS
from groundshift.explore.mercator import to_centimetres, to_degrees
from groundshift.explore.records import listed, point_record
from groundshift.explore.tiles import Content, draw, pack, tile_content
from groundshift.figures.style import nice
from groundshift.io.store import PointStore
from groundshift.io.store.encode import HALF_WORLD
from groundshift.io.store.read import MERCATOR, statistics
from groundshift.model.points import COLUMNS, OPTIONAL_COLUMNS

AREA_POINTS = 2_000_000  # in the box around an area that is asked about
MEAN_SERIES = 2_000  # series that the mean series of an area is of
PROFILE_POINTS = 10_000
_KEPT = 512  # tiles in memory


class PointLayer:
    """The sets of a store of one level, component and track."""

    kind = "points"

    def __init__(self, name: str, store: PointStore, sets: set[str]) -> None:
        self.name, self.store, self.sets = name, store, sets
        self.level = store.manifest.sets[next(iter(sets))].level
        self._cells: Cells | None = None
        self._generation = -1
        self._description: dict[str, Any] = {}
        self._tiles: OrderedDict[tuple, bytes] = OrderedDict()
        self._lock = Lock()

    def describe(self) -> dict[str, Any]:
        """What the page needs to know of the layer."""
        generation = self.store.manifest.generation
        if self._description.get("version") != generation:
            self._description = self._describe()
        return dict(self._description)

    def _describe(self) -> dict[str, Any]:
        manifest = self.store.manifest
        parts = [part for part in manifest.parts if part.set in self.sets]
        records = [manifest.sets[name] for name in sorted(self.sets)]
        first = records[0]
        west, south, east, north = np.array([part.mercator for part in parts]).T
        longitude, latitude = to_degrees([west.min(), east.max()], [south.min(), north.max()])
        sample = self._sample(parts)
        fields = {}
        for name in FIELDS:
            values = sample.get(name, np.empty(0))
            if values.size:
                fields[name] = _limits(values, FIELDS[name].centred)
        return {
            "id": self.name,
            "kind": self.kind,
            "level": first.level,
            "component": first.component,
            "track": first.track,
            "orbit": _orbit(sample.get("track_angle")),
            "points": sum(part.points for part in parts),
            "sets": len(records),
            "first": min(record.dates[0] for record in records),
            "last": max(record.dates[-1] for record in records),
            "bounds": [longitude[0], latitude[0], longitude[1], latitude[1]],
            "fields": fields,
            "version": manifest.generation,
        }

    def warm_up(self) -> None:
        """Read what the first look would wait for."""
        self.describe()
        self._all_cells()

    def tile(self, z: int, x: int, y: int, field: str, by: str = "mean_velocity") -> bytes:
        """A tile for the page, see :func:`groundshift.explore.tiles.pack`; `by` is what the page filters by."""
        key = (self.store.manifest.generation, z, x, y, field, by)
        with self._lock:
            if key in self._tiles:
                self._tiles.move_to_end(key)
                return self._tiles[key]
        made = pack(self._content(z, x, y, field, by))
        with self._lock:
            self._tiles[key] = made
            if len(self._tiles) > _KEPT:
                self._tiles.popitem(last=False)
        return made

    def picture(
        self,
        z: int,
        x: int,
        y: int,
        field: str,
        *,
        palette: str,
        limits: tuple[float, float],
        keep: tuple[float, float],
        by: str = "mean_velocity",
    ) -> bytes:
        """The same as a PNG of 512 pixels, for browsers that cannot draw points; only where `by` lies in `keep`."""
        return draw(self._content(z, x, y, field, by), palette=palette, limits=limits, keep=keep)

    def point(self, part: str, row: int) -> dict[str, Any]:
        """Everything of one point: fields, series, and the model of `rmse` fitted to it."""
        if self.store.part(part).set not in self.sets:
            raise InputError(f"part {part!r} is not of layer {self.name}; ask the layer that it is of")
        return point_record(self.store.point(part, row))

    def nearest(self, longitude: float, latitude: float, radius: float) -> tuple[str, int] | None:
        """Part and row of the point nearest to a place, within a radius in metres; None if there is none."""
        x, y = to_centimetres(longitude, latitude)
        reach = 100 * radius / np.cos(np.radians(latitude))
        table = self.store.window(
            (x - reach, y - reach, x + reach, y + reach), sets=self.sets, by=MERCATOR, columns=MERCATOR
        )
        if not len(table):
            return None
        distance = np.hypot(
            *(table[name].to_numpy().astype(float) - v for name, v in zip(MERCATOR, (x, y), strict=True))
        )
        best = int(np.argmin(distance))
        return (table["part"][best].as_py(), table["row"][best].as_py()) if distance[best] <= reach else None

    def area(
        self, polygon: list[tuple[float, float]], keep: tuple[float, float], columns: tuple[str, ...],
        by: str = "mean_velocity",
    ) -> pa.Table:  # fmt: skip
        """Points inside a polygon of degrees, their `by` in `keep` or unknown: the columns, places, `part` and `row`.

        Raises
        ------
        InputError
            If the polygon is none, or there are too many points in the box around it.
        """
        corners = np.array(polygon, float)
        x, y = to_centimetres(corners[:, 0], corners[:, 1])
        shape = shapely.Polygon(np.column_stack([x, y]))
        if not shape.is_valid or shape.area == 0:
            raise InputError("the outline crosses itself or has no area; draw it again")
        self._refuse_too_many(shape.bounds)
        wanted = tuple(dict.fromkeys((*columns, by, *MERCATOR)))
        table = self.store.window(shape.bounds, sets=self.sets, by=MERCATOR, columns=wanted)
        if not len(table):
            return table
        shapely.prepare(shape)
        inside = shapely.contains_xy(shape, *(table[name].to_numpy() for name in MERCATOR))
        return table.filter(pa.array(inside & _kept(table, by, keep)))

    def statistics(
        self, polygon: list[tuple[float, float]], field: str, keep: tuple[float, float], by: str = "mean_velocity"
    ) -> dict[str, Any]:
        """Spread of a field inside a polygon, its histogram, and the mean series of up to 2,000 of the points."""
        table = self.area(polygon, keep, (field,), by)
        values = table[field].to_numpy() if len(table) else np.empty(0)
        result = statistics(values)._asdict()
        finite = values[np.isfinite(values)]
        counts, edges = np.histogram(finite, bins=30) if finite.size else (np.empty(0, int), np.empty(0))
        return {
            **result, "unit": FIELDS[field].unit, "field": field,
            "histogram": {"counts": counts.tolist(), "edges": edges.tolist()}, "series": self._mean_series(table),
        }  # fmt: skip

    def profile(
        self, line: list[tuple[float, float]], width: float, field: str, keep: tuple[float, float],
        by: str = "mean_velocity",
    ) -> dict[str, Any]:  # fmt: skip
        """Points within `width` / 2 metres of a line of degrees: distance along it, and the field.

        At most 10,000 points, evenly taken from all.
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
        self._refuse_too_many(box)
        table = self.store.window(
            box, sets=self.sets, by=MERCATOR, columns=tuple(dict.fromkeys((field, by, *MERCATOR)))
        )
        if not len(table):
            return {"length": trace.length, "points": 0, "distance": [], "value": [], "unit": FIELDS[field].unit}
        places = shapely.points(*to_plane.transform(*to_degrees(*(table[name].to_numpy() for name in MERCATOR))))
        near = (shapely.distance(trace, places) <= width / 2) & _kept(table, by, keep)
        along, values = shapely.line_locate_point(trace, places[near]), table[field].to_numpy()[near]
        order = np.argsort(along)[:: max(1, -(-len(along) // PROFILE_POINTS))]
        return {
            "length": trace.length, "points": len(along), "unit": FIELDS[field].unit,
            "distance": along[order].round(1).tolist(), "value": listed(values[order]),
        }  # fmt: skip

    def columns(self) -> tuple[str, ...]:
        """All columns of the points that the layer may have, without series and geometry."""
        return (*COLUMNS[self.level], *OPTIONAL_COLUMNS[self.level])

    def tiles_of(self, z: int) -> Iterator[tuple[int, int]]:
        """Numbers x, y of the tiles of a zoom, at most 16, that have points."""
        level = self._all_cells().level(z)
        yield from zip(level.x.tolist(), level.y.tolist(), strict=True)

    def points_in(self, z: int, x: int, y: int) -> int:
        """How many points a tile has, of a zoom of at most 16."""
        return self._all_cells().count(z, x, y)

    def _content(self, z: int, x: int, y: int, field: str, by: str) -> Content:
        return tile_content(self.store, self.sets, self._all_cells(), (z, x, y), field, by)

    def _all_cells(self) -> Cells:
        """The cells of the layer, read when they are first needed and when the store has changed."""
        with self._lock:
            generation = self.store.manifest.generation
            if self._cells is None or self._generation != generation:
                parts = [part for part in self.store.manifest.parts if part.set in self.sets]
                self._cells, self._generation = Cells(self.store.overview(part) for part in parts), generation
            return self._cells

    def _sample(self, parts: list) -> dict[str, np.ndarray]:
        """Values of the fields of some points, from up to 24 parts."""
        chosen = parts[:: max(1, -(-len(parts) // 24))]
        names = (*FIELDS, "track_angle")
        tables = [self.store.head(part.name, names) for part in chosen]
        table = pa.concat_tables(tables, promote_options="permissive")
        sample = {name: table[name].to_numpy().astype(float) for name in names}
        return {name: values[np.isfinite(values)] for name, values in sample.items()}

    def _refuse_too_many(self, box: tuple[float, float, float, float]) -> None:
        world = 2 * HALF_WORLD
        west, south, east, north = box
        fractions = (
            (west + HALF_WORLD) / world,
            (HALF_WORLD - south) / world,
            (east + HALF_WORLD) / world,
            (HALF_WORLD - north) / world,
        )
        if (count := self._all_cells().count_in(fractions)) > AREA_POINTS:
            raise InputError(
                f"there are about {count} points around this area; at most {AREA_POINTS}: draw a smaller one"
            )

    def _mean_series(self, table: pa.Table) -> dict[str, Any] | None:
        if not len(table):
            return None
        chosen = table.take(pa.array(np.arange(0, len(table), max(1, -(-len(table) // MEAN_SERIES)))))
        total: dict[Any, list[float]] = {}
        for name in chosen["part"].unique().to_pylist():
            rows = chosen.filter(pa.compute.equal(chosen["part"], name))["row"].to_numpy()
            values = self.store.series(name, rows)
            finite = np.isfinite(values)
            for day, amount, weight in zip(
                self.store.manifest.sets[self.store.part(name).set].dates, np.where(finite, values, 0).sum(axis=0),
                finite.sum(axis=0), strict=True,
            ):  # fmt: skip
                entry = total.setdefault(day, [0.0, 0])
                entry[0] += float(amount)
                entry[1] += int(weight)
        days = sorted(total)
        means = [total[day][0] / total[day][1] if total[day][1] else None for day in days]
        return {"dates": days, "mean": [None if v is None else round(v, 2) for v in means], "points": len(chosen)}


def _kept(table: pa.Table, by: str, keep: tuple[float, float]) -> np.ndarray:
    values = table[by].to_numpy()
    return ~((values < keep[0]) | (values > keep[1]))


def _limits(values: np.ndarray, centred: bool) -> list[float]:
    """Round limits that hold most of the values."""
    if centred:
        reach = nice(float(np.percentile(np.abs(values), 98)))
        return [-reach, reach]
    low, high = np.percentile(values, (2, 98))
    step = nice(max(float(high - low), 1e-6) / 20)
    return [float(np.floor(low / step) * step), float(np.ceil(high / step) * step)]


def _orbit(track_angle: np.ndarray | None) -> str | None:
    """`ascending` (northward) or `descending`, from the angles of the track from north."""
    if track_angle is None or not track_angle.size:
        return None
    return "ascending" if np.cos(np.radians(np.median(track_angle))) > 0 else "descending"


def open_layers(root: Path, title: str) -> list[PointLayer]:
    """The layers of a store: one for each level, component and track that has points."""
    store = PointStore(root)
    filled = {part.set for part in store.manifest.parts if part.points}
    groups: dict[str, set[str]] = {}
    for name, record in store.manifest.sets.items():
        if name not in filled:
            continue
        words = (title, record.level, record.component, record.track)
        groups.setdefault("-".join(str(word) for word in words if word is not None), set()).add(name)
    return [PointLayer(name, store, sets) for name, sets in sorted(groups.items())]
