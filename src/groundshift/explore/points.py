"""A layer of points: tiles, single points, areas and profiles of a store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from groundshift.errors import InputError
from groundshift.explore.cells import Cells
from groundshift.explore.fields import FIELDS
from groundshift.explore.film import film_of
from groundshift.explore.mercator import to_centimetres, to_degrees
from groundshift.explore.records import point_record
from groundshift.explore.tiles import Content, draw, pack, tile_content
from groundshift.figures.style import nice
from groundshift.io.store import Part, PointStore
from groundshift.io.store.read import MERCATOR, ChangedError
from groundshift.kernels.series_fields import YEAR

T = TypeVar("T")

_LOOKS = 3
_KEPT = 2**26  # bytes of tiles in memory, of a layer


class PointLayer:
    """The sets of a store of one level, component and track."""

    kind = "points"

    def __init__(self, name: str, store: PointStore, sets: set[str]) -> None:
        self.name, self.store, self.sets = name, store, sets
        self.level = store.manifest.sets[next(iter(sets))].level
        self._cells: Cells | None = None
        self._version = -1
        self._description: dict[str, Any] = {}
        self._tiles: OrderedDict[tuple, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def describe(self) -> dict[str, Any]:
        """What the page needs to know of the layer."""
        if self._description.get("version") != self.store.version:
            self._description = self.look(self._describe)
        return dict(self._description)

    def _describe(self) -> dict[str, Any]:
        manifest = self.store.manifest
        parts = self._parts()
        if not parts:  # all points are gone; the layer stays where it was
            return {**self._description, "points": 0, "version": self.store.version}
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
        span = self._span()
        years = (np.datetime64(span[1]) - np.datetime64(span[0])).astype(float) / YEAR
        if years and "mean_velocity" in fields:
            reach = nice(fields["mean_velocity"][1] * years)
            fields["displacement"] = [-reach, reach]
        return {
            "id": self.name,
            "kind": self.kind,
            "level": first.level,
            "component": first.component,
            "track": first.track,
            "orbit": _orbit(sample.get("track_angle")),
            "points": sum(part.points for part in parts),
            "sets": len(records),
            "first": span[0],
            "last": span[1],
            "bounds": [longitude[0], latitude[0], longitude[1], latitude[1]],
            "fields": fields,
            "lowest": _lowest(sample.get("height", np.empty(0))),
            "version": self.store.version,
        }

    def warm_up(self) -> None:
        """Read what the first look would wait for."""
        self.describe()
        self.cells()

    def tile(self, z: int, x: int, y: int, field: str, by: str = "mean_velocity", *, heights: bool = False) -> bytes:
        """A tile for the page, see :func:`groundshift.explore.tiles.pack`; `by` is what the page filters by.

        With `heights`, for a view in three dimensions, those of its points are there too, m.

        Its parts are named with their writing, so that a point is asked for in the state in which it was drawn.
        """
        return self.look(lambda: self._tile(z, x, y, field, by, heights=heights))

    def film(self, z: int, x: int, y: int, by: str = "mean_velocity", *, heights: bool = False) -> bytes:
        """A tile as :meth:`tile`, of `rmse`, with the months of its points if it has single ones."""
        return self.look(lambda: self._tile(z, x, y, "rmse", by, film=True, heights=heights))

    def _tile(self, z: int, x: int, y: int, field: str, by: str, *, film: bool = False, heights: bool) -> bytes:
        key = (self.store.version, z, x, y, field, by, film, heights)
        with self._lock:
            if key in self._tiles:
                self._tiles.move_to_end(key)
                return self._tiles[key]
        content = self._content(z, x, y, field, by, heights=heights)
        months = film_of(self.store, content, self._span())._asdict() if film and content.parts else None
        made = pack(content._replace(parts=[self.store.part(name).writing for name in content.parts]), months)
        with self._lock:
            self._bytes += len(made) - len(self._tiles.pop(key, b""))
            self._tiles[key] = made
            while self._bytes > _KEPT:
                self._bytes -= len(self._tiles.popitem(last=False)[1])
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
        content = self.look(lambda: self._content(z, x, y, field, by))
        return draw(content, palette=palette, limits=limits, keep=keep)

    def point(self, part: str, row: int) -> dict[str, Any]:
        """Everything of one point: fields, series, and the model of `rmse` fitted to it.

        Parameters
        ----------
        part
            Its name, LEVEL/TILE/SET, or the name of one writing of it, as tiles have it.
        row
            Of the part; of a name without its writing, as the part is now.

        Raises
        ------
        InputError
            If the layer has no such part, it was written anew, or has no such row.
        """
        if not any(part in (each.name, each.writing) for each in self._parts()):
            raise InputError(f"layer {self.name} has no part {part!r}; if its points have changed, load the page again")
        return point_record(self.store.point(part.partition(".")[0], row))

    def nearest(self, longitude: float, latitude: float, radius: float) -> tuple[str, int] | None:
        """Part and row of the point nearest to a place, within a radius in metres; None if there is none."""
        x, y = to_centimetres(longitude, latitude)
        reach = 100 * radius / np.cos(np.radians(latitude))
        box = (x - reach, y - reach, x + reach, y + reach)
        table = self.look(lambda: self.store.window(box, sets=self.sets, by=MERCATOR, columns=MERCATOR))
        if not len(table):
            return None
        distance = np.hypot(
            *(table[name].to_numpy().astype(float) - v for name, v in zip(MERCATOR, (x, y), strict=True))
        )
        best = int(np.argmin(distance))
        return (table["part"][best].as_py(), table["row"][best].as_py()) if distance[best] <= reach else None

    def look(self, at: Callable[[], T]) -> T:
        """What is seen in the store, all of it in one state; looked at again if the store changes meanwhile."""
        for _ in range(_LOOKS):
            version = self.store.version
            try:
                seen = at()
            except ChangedError:
                self.store.refresh()
                continue
            if self.store.version == version:
                return seen
        return at()

    def tiles_of(self, z: int) -> Iterator[tuple[int, int]]:
        """Numbers x, y of the tiles of a zoom, at most 16, that have points."""
        level = self.cells().level(z)
        yield from zip(level.x.tolist(), level.y.tolist(), strict=True)

    def points_in(self, z: int, x: int, y: int) -> int:
        """How many points a tile has, of a zoom of at most 16."""
        return self.cells().count(z, x, y)

    def _content(self, z: int, x: int, y: int, field: str, by: str, *, heights: bool = False) -> Content:
        return tile_content(self.store, self.sets, self.cells(), (z, x, y), field, by, heights=heights)

    def cells(self) -> Cells:
        """The cells of the layer, read when they are first needed and when the store has changed."""
        with self._lock:
            version = self.store.version
            if self._cells is None or self._version != version:
                self._cells = self.look(lambda: Cells(self.store.overview(part) for part in self._parts()))
                self._version = version
            return self._cells

    def _span(self) -> tuple[str, str]:
        """First and last date."""
        records = [self.store.manifest.sets[name] for name in self.sets]
        return min(record.dates[0] for record in records), max(record.dates[-1] for record in records)

    def _parts(self) -> list[Part]:
        return [part for part in self.store.manifest.parts if part.set in self.sets]

    def _sample(self, parts: list[Part]) -> dict[str, np.ndarray]:
        """Values of the fields of some points, from up to 24 parts."""
        chosen = parts[:: max(1, -(-len(parts) // 24))]
        names = (*FIELDS, "track_angle")
        tables = [self.store.head(part.name, names) for part in chosen]
        table = pa.concat_tables(tables, promote_options="permissive")
        sample = {name: table[name].to_numpy().astype(float) for name in names}
        return {name: values[np.isfinite(values)] for name, values in sample.items()}


def _limits(values: np.ndarray, centred: bool) -> list[float]:
    """Round limits that hold most of the values."""
    if centred:
        reach = nice(float(np.percentile(np.abs(values), 98)))
        return [-reach, reach]
    low, high = np.percentile(values, (2, 98))
    step = nice(max(float(high - low), 1e-6) / 20)
    return [float(np.floor(low / step) * step), float(np.ceil(high / step) * step)]


def _lowest(heights: np.ndarray) -> float | None:
    """Whole metres that nearly all heights are above; None without heights."""
    return float(np.floor(np.percentile(heights, 1))) if heights.size else None


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
