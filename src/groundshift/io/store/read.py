"""Reading a store: windows, single series, polygons."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from pyproj import CRS

from groundshift.errors import ContractError, InputError
from groundshift.io.store.encode import MILLIMETRES, TENTHS, decode_series
from groundshift.io.store.manifest import KINDS, Manifest, Part, SetRecord, read_manifest
from groundshift.model.points import COLUMNS

Bounds = tuple[float, float, float, float]
PLACE = ("easting", "northing")
MERCATOR = ("mercator_x", "mercator_y")


class Point(NamedTuple):
    """One point with all that the store knows of it."""

    part: Part
    row: int
    attributes: dict[str, Any]
    record: SetRecord
    displacement: np.ndarray  # mm, float32 (dates,), NaN where not measured


class Statistics(NamedTuple):
    """Spread of one column over the points of an area, and the mean of their series."""

    points: int
    finite: int  # points where the column is measured
    mean: float
    std: float
    minimum: float
    maximum: float
    percentiles: dict[int, float]  # 5, 25, 50, 75, 95


class ChangedError(InputError):
    """What was looked for in a store is gone: the store has changed since it was opened."""


class HarmedError(InputError):
    """A file of a store is truncated or corrupt."""


class PointStore:
    """A store, opened for reading; it may be used from several threads at once.

    A reader sees the store as it was when it was opened, or at the last :meth:`refresh`. A file that is gone since then
    raises ChangedError, one whose bytes are not those that were written HarmedError; both are InputErrors.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.refresh()

    def refresh(self) -> None:
        """Look at what the store holds now."""
        manifest = read_manifest(self.root)
        parts = {part.name: part for part in manifest.parts}
        self._state = manifest, parts, zlib.crc32(manifest.model_dump_json().encode())

    @property
    def manifest(self) -> Manifest:
        """What the store holds."""
        return self._state[0]

    @property
    def version(self) -> int:
        """Another number for another state of the store, also of one that was made anew in its place."""
        return self._state[2]

    @property
    def crs(self) -> CRS:
        """CRS of `easting` and `northing`."""
        return CRS.from_user_input(self.manifest.crs)

    def part(self, name: str) -> Part:
        """A part by its name, LEVEL/TILE/SET.

        Raises
        ------
        InputError
            If there is none.
        """
        try:
            return self._state[1][name]
        except KeyError:
            raise InputError(f"{self.root} has no part {name!r}; expected LEVEL/TILE/SET, such as "
                             f"{next(iter(self._state[1]), 'L2b/E45N17/L2b_022_0845_IW2_VV')}") from None  # fmt: skip

    def window(
        self,
        bounds: Bounds,
        *,
        sets: set[str] | None = None,
        columns: tuple[str, ...] = ("pid", "easting", "northing", "mean_velocity"),
        by: tuple[str, str] = PLACE,
    ) -> pa.Table:
        """Attributes of the points in a box, edges included.

        Parameters
        ----------
        bounds
            West, south, east, north, in the unit of the columns of `by`.
        sets
            Names of the sets to look in; all if None.
        columns
            To read; those that a part does not have are null.
        by
            Columns of the places: eastings and northings, or `mercator_x` and `mercator_y` (EPSG:3857, cm).

        Returns
        -------
        The columns, and `part` (name, a dictionary column) and `row`, which :meth:`series` takes.
        """
        columns = tuple(dict.fromkeys(columns))
        tables = []
        for part in self._parts(bounds, sets, by):
            table, rows = self._rows(part, bounds, tuple(dict.fromkeys((*columns, *by))), by)
            if len(table):
                name = pa.DictionaryArray.from_arrays(np.zeros(len(table), np.int32), pa.array([part.name]))
                tables.append(_with_columns(table, columns).append_column("part", name).append_column("row", rows))
        if not tables:
            return pa.table({name: pa.nulls(0) for name in (*columns, "part", "row")})
        return pa.concat_tables(tables, promote_options="permissive").unify_dictionaries()

    def within(self, polygon: shapely.Geometry, **options: Any) -> pa.Table:
        """As :meth:`window`, for the points inside a polygon in the store's CRS."""
        options["columns"] = tuple(dict.fromkeys((*options.get("columns", ("mean_velocity",)), *PLACE)))
        table = self.window(polygon.bounds, **options)
        if not len(table):
            return table
        shapely.prepare(polygon)
        inside = shapely.contains_xy(polygon, *(table[name].to_numpy() for name in PLACE))
        return table.filter(pa.array(inside))

    def series(self, part: str, rows: np.ndarray) -> np.ndarray:
        """Series of rows of a part, mm, float32 (rows, dates), NaN where not measured.

        Raises
        ------
        InputError
            If there is no such part or row.
        """
        found = self.part(part)
        rows = np.asarray(rows, np.int64)
        if len(rows) and not (rows.min() >= 0 and rows.max() < found.points):
            raise InputError(f"part {part} has rows 0 to {found.points - 1}; asked for {rows.min()} to {rows.max()}")
        dates = len(self.manifest.sets[found.set].dates)
        with self._open(found, "series") as file:
            name = next(n for n in file.schema_arrow.names if n in (TENTHS, MILLIMETRES))
            starts = _starts(file.metadata)
            group = np.searchsorted(starts, rows, "right") - 1
            groups = np.unique(group)
            column = file.read_row_groups(groups.tolist(), columns=[name], use_threads=False)[name]
        sizes = np.diff(starts)[groups]
        offset = (np.cumsum(sizes) - sizes)[np.searchsorted(groups, group)]
        return decode_series(column.take(pa.array(rows - starts[group] + offset)), name, dates)

    def point(self, part: str, row: int) -> Point:
        """One point: attributes and series.

        Raises
        ------
        InputError
            If there is no such part or row.
        """
        values = self.series(part, np.array([row]))[0]
        found = self.part(part)
        with self._open(found, "attributes") as file:
            starts = _starts(file.metadata)
            group = int(np.searchsorted(starts, row, "right")) - 1
            table = file.read_row_group(group, use_threads=False).slice(row - starts[group], 1)
        attributes = {name: table[name][0].as_py() for name in table.column_names if name != "geometry"}
        return Point(found, row, attributes, self.manifest.sets[found.set], values)

    def attributes(self, part: str) -> pa.Table:
        """All columns of all points of a part, without geometry."""
        with self._open(self.part(part), "attributes") as file:
            return file.read(columns=[name for name in file.schema_arrow.names if name != "geometry"])

    def head(self, part: str, columns: tuple[str, ...]) -> pa.Table:
        """Columns of the first points of a part, up to 16,384; those that it does not have are null."""
        with self._open(self.part(part), "attributes") as file:
            present = [name for name in columns if name in file.schema_arrow.names]
            return _with_columns(file.read_row_group(0, columns=present), columns)

    def find(self, pid: str) -> list[tuple[str, int]]:
        """Part and row of every point of that name; reads all names, so it takes a while in a large store."""
        places = []
        for part in self.manifest.parts:
            with self._open(part, "attributes") as file:
                equal = pa.compute.equal(file.read(columns=["pid"])["pid"], pid)
            places += [(part.name, int(row)) for row in np.flatnonzero(equal.to_numpy())]
        return places

    def overview(self, part: Part) -> pa.Table:
        """Counts and means in cells of web maps, see :func:`groundshift.io.store.encode.overview`."""
        with self._open(part, "overview") as file:
            return file.read()

    def check(self) -> int:
        """Read all footers and hold them against the manifest; return the number of points.

        Raises
        ------
        ContractError
            Naming the first file that is missing, damaged, or has other columns or rows than it should.
        """
        for part in self.manifest.parts:
            for kind in KINDS:
                path = self.root / part.file(kind)
                try:
                    file = pq.ParquetFile(path)
                except (OSError, pa.ArrowException) as error:
                    raise ContractError(f"{path} cannot be read ({error}); ingest set {part.set} again") from error
                with file:
                    _check_file(path, file, part, kind)
        return sum(part.points for part in self.manifest.parts)

    def _parts(self, bounds: Bounds, sets: set[str] | None, by: tuple[str, str]) -> list[Part]:
        west, south, east, north = bounds
        chosen = []
        for part in self.manifest.parts:
            w, s, e, n = part.mercator if by == MERCATOR else part.bounds
            if (sets is None or part.set in sets) and w <= east and e >= west and s <= north and n >= south:
                chosen.append(part)
        return chosen

    def _rows(
        self, part: Part, bounds: Bounds, columns: tuple[str, ...], by: tuple[str, str]
    ) -> tuple[pa.Table, pa.Array]:
        """The rows of a part in the box, and their numbers."""
        west, south, east, north = bounds
        with self._open(part, "attributes") as file:
            starts, boxes = _groups(str(self.root / part.file("attributes")), by)
            w, s, e, n = boxes.T
            groups = np.flatnonzero((w <= east) & (e >= west) & (s <= north) & (n >= south))
            present = [name for name in columns if name in file.schema_arrow.names]
            table = file.read_row_groups(groups.tolist(), columns=present)
        rows = np.concatenate(
            [np.arange(starts[g], starts[g + 1], dtype=np.uint32) for g in groups] or [np.empty(0, np.uint32)]
        )
        x, y = (table[name].to_numpy() for name in by)
        inside = (x >= west) & (x <= east) & (y >= south) & (y <= north)
        if inside.all():
            return table, pa.array(rows)
        return table.filter(pa.array(inside)), pa.array(rows[inside])

    @contextmanager
    def _open(self, part: Part, kind: str) -> Iterator[pq.ParquetFile]:
        path = self.root / part.file(kind)
        try:
            options = {"memory_map": True, "page_checksum_verification": True}
            with pq.ParquetFile(path, metadata=_footer(str(path)), **options) as file:
                yield file
        except FileNotFoundError:
            raise ChangedError(f"{path} is gone; the store has changed: open it again") from None
        except (OSError, pa.ArrowException) as error:
            raise HarmedError(
                f"{path} cannot be read as Parquet ({error}); it is truncated or corrupt: ingest set {part.set} again"
            ) from error


def statistics(values: np.ndarray) -> Statistics:
    """Spread of values, NaN left out; all NaN if there are none."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Statistics(len(values), 0, *[np.nan] * 4, dict.fromkeys((5, 25, 50, 75, 95), np.nan))
    percents = dict(zip((5, 25, 50, 75, 95), np.percentile(finite, (5, 25, 50, 75, 95)).tolist(), strict=True))
    spread = float(finite.std(ddof=1)) if finite.size > 1 else np.nan
    return Statistics(
        len(values), finite.size, float(finite.mean(dtype=float)), spread, float(finite.min()), float(finite.max()),
        percents,
    )  # fmt: skip


@lru_cache(4096)
def _footer(path: str) -> pq.FileMetaData:
    """A footer; the files of a store are never changed, only replaced by others of another name."""
    return pq.read_metadata(path)


@lru_cache(4096)
def _groups(path: str, by: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """First rows of the row groups and the end, and the box of each, float64 (groups, 4)."""
    footer = _footer(path)
    places = {footer.schema.column(i).path: i for i in range(footer.num_columns)}
    boxes = np.empty((footer.num_row_groups, 4))
    for group in range(footer.num_row_groups):
        for axis, name in enumerate(by):
            found = footer.row_group(group).column(places[name]).statistics
            boxes[group, axis], boxes[group, axis + 2] = found.min, found.max
    return _starts(footer), boxes


def _starts(footer: pq.FileMetaData) -> np.ndarray:
    return np.cumsum([0, *(footer.row_group(group).num_rows for group in range(footer.num_row_groups))])


def _with_columns(table: pa.Table, columns: tuple[str, ...]) -> pa.Table:
    arrays = [table[n] if n in table.column_names else pa.nulls(len(table), pa.float32()) for n in columns]
    return pa.table(arrays, names=list(columns))


def _check_file(path: Path, file: pq.ParquetFile, part: Part, kind: str) -> None:
    names = set(file.schema_arrow.names)
    needed = {
        "attributes": {*COLUMNS[part.level], "geometry", *MERCATOR},
        "series": {"pid"},
        "overview": {"zoom", "x", "y", "count", "mean_velocity"},
    }[kind]
    if missing := sorted(needed - names):
        raise ContractError(f"{path} has no columns {missing}; ingest set {part.set} again")
    if kind == "series" and len(names & {TENTHS, MILLIMETRES}) != 1:
        raise ContractError(f"{path} has columns {sorted(names)}; expected one of {TENTHS} and {MILLIMETRES}")
    if kind != "overview" and file.metadata.num_rows != part.points:
        raise ContractError(f"{path} has {file.metadata.num_rows} rows; the manifest says {part.points}")
