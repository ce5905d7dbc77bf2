"""Writing point sets as the tables of EGMS, a part at a time."""

from __future__ import annotations

import datetime
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from groundshift.errors import InputError
from groundshift.io.ahead import mapped
from groundshift.io.egms.dialect import Layout, Style, documented_style, newer_style
from groundshift.io.egms.header import header_of, write_header
from groundshift.io.egms.names import EPSG, name_of, parse_name, zip_name
from groundshift.io.egms.packing import pack, write_zip
from groundshift.io.files import atomic_path
from groundshift.io.points import read_point_batches
from groundshift.kernels.decimal_text import write_rows
from groundshift.model.points import COLUMNS, Header, header, series

_ROWS = 4096  # that are made to text at once


def write_egms(
    path: str | Path,
    tables: pa.Table | Iterable[pa.Table],
    *,
    dialect: str | None = None,
    produced: datetime.date | None = None,
    version: int = 1,
    level: int = 1,
) -> Path:
    """Write points as a product of EGMS: the whole file or none.

    Numbers are rounded to the decimals of the product description, or to those of the file that the points came from:
    what was read from a file of EGMS and not changed makes the same text again.

    Parameters
    ----------
    path
        A .zip, which gets a table and its XML header; a .csv, which gets an .xml beside it; or a folder, for a zip
        with the name that EGMS gives it.
    tables
        A point set, or parts of one: same columns and metadata, in EPSG:3035.
    dialect
        `documented` (v2.0, 2023) or `newer` (files of 2020-2024); if not given, that of the file the points came
        from, or else documented.
    produced
        Day for the XML header, if the points bring none; today if not given.
    version
        Of the release, for the name in a folder, if the points bring none.
    level
        Of compression, 1 (fast) to 9 (small, in ten times the time). 1 is done by ISA-L, several times as fast
        as zlib; the others by zlib.

    Returns
    -------
    The file.

    Raises
    ------
    InputError
        If the points are in another CRS, their parts differ, or they have no name in a folder.
    """
    parts = iter([tables] if isinstance(tables, pa.Table) else tables)
    first = next(parts, None)
    if first is None:
        raise InputError("there is no point set to write; expected at least one, perhaps without points")
    record = header(first)
    if record.crs.to_epsg() != EPSG:
        raise InputError(f"the points are in {record.crs.name}; files of EGMS are in EPSG:{EPSG}: make them in it")
    path = Path(path)
    if path.suffix.lower() not in (".zip", ".csv"):
        path = path / f"{name_of(record, version=version).stem}.zip"
    style = _style(first, record, dialect)
    facility = first["pid"][0].as_py()[:1] if len(first) else "0"
    produced = produced or datetime.datetime.now(datetime.UTC).date()
    clusters: set[int] = set()
    text = _text(_labelled(itertools.chain([first], parts), clusters), record, style)

    def xml() -> bytes:
        return write_header(header_of(record, facility, produced, clusters), record.level)

    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".zip":
            stem = path.stem if parse_name(path.stem) else _stem(record, path.stem)
            blocks = mapped(lambda make: pack(make(), level), text)
            write_zip(temporary, f"{stem}.csv", blocks, f"{stem}.xml", xml)
        else:
            with temporary.open("wb") as file:
                for part in mapped(lambda make: make(), text):
                    file.write(part)
    if path.suffix.lower() == ".csv":
        with atomic_path(path.with_suffix(".xml")) as temporary:
            temporary.write_bytes(xml())
    return path


def write_zip_of(points: str | Path, folder: str | Path) -> Path | None:
    """Write a point set on disk (GeoParquet) as a zip of EGMS too, under the name that EGMS gives it.

    Returns
    -------
    The zip; None, which is logged, if files of EGMS cannot hold the points.
    """
    parts = read_point_batches(points)
    first = next(parts)
    name = zip_name(header(first))
    return None if name is None else write_egms(Path(folder) / name, itertools.chain([first], parts))


def _labelled(tables: Iterable[pa.Table], clusters: set[int]) -> Iterator[pa.Table]:
    """The tables, taking note of the clusters that pass by."""
    for table in tables:
        if "cluster_label" in table.column_names:
            clusters.update(label for label in table["cluster_label"].unique().to_pylist() if label is not None)
        yield table


def _stem(record: Header, otherwise: str) -> str:
    """The name that EGMS would give, which tells track, frame and component to who reads the file."""
    try:
        return name_of(record).stem
    except InputError:
        return otherwise


def _style(table: pa.Table, record: Header, dialect: str | None) -> Style:
    """The style that was asked for, or that the points came in, or the documented one."""
    if dialect == "newer":
        return newer_style(record.level, table.column_names)
    if dialect == "documented":
        return documented_style(record.level)
    if dialect is not None:
        raise InputError(f"dialect {dialect!r} is not known; give documented or newer")
    known = record.provenance.get("egms", {}).get("text")
    if known is None:
        return documented_style(record.level)
    style = Style(**known)
    names = set(Layout(record.level, tuple(style.columns), record.dates).names)
    if set(COLUMNS[record.level]) <= names <= set(table.column_names):
        return style
    return documented_style(record.level)


def _text(tables: Iterator[pa.Table], record: Header, style: Style) -> Iterator[Callable[[], memoryview]]:
    """What makes the text of the first line, and of some rows at a time."""
    layout = Layout(record.level, tuple(style.columns), record.dates)
    dates = [str(each).replace("-", "") for each in record.dates]
    first = (",".join([*style.columns, *dates]) + style.line_end).encode()
    yield lambda: memoryview(first)
    for rows in _slices(tables):
        yield functools.partial(_lines, rows, layout, style)


def _slices(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """A few rows at a time, always as many, whatever the parts of the point set are."""
    metadata = None
    waiting: list[pa.Table] = []
    for table in tables:
        if (metadata := metadata or table.schema.metadata) != table.schema.metadata:
            raise InputError("the parts to be written differ in dates or provenance; expected parts of one point set")
        while len(table):
            missing = _ROWS - sum(map(len, waiting))
            waiting.append(table.slice(0, missing))
            table = table.slice(missing)
            if sum(map(len, waiting)) == _ROWS:
                yield pa.concat_tables(waiting)
                waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _lines(rows: pa.Table, layout: Layout, style: Style) -> memoryview:
    values = [rows[name].to_numpy().astype(np.float64) for name in layout.names[1:]]  # null is NaN
    pid = pa.concat_arrays(rows["pid"].chunks)
    if pid.type != pa.string():
        pid = pid.cast(pa.string())
    ends = np.frombuffer(pid.buffers()[1], np.int32)[pid.offset : pid.offset + len(pid) + 1]
    letters = np.frombuffer(pid.buffers()[2], np.uint8) if ends[-1] else np.empty(0, np.uint8)
    return write_rows(
        letters, ends, np.stack(values, axis=1), series(rows), style.counts(layout),
        least=style.least, missing=style.missing.encode(), line_end=style.line_end.encode(),
    ).data  # fmt: skip
