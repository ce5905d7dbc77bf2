"""Point sets on disk: GeoParquet 1.1, the table of :mod:`groundshift.model.points` as it is in memory."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from groundshift.errors import InputError
from groundshift.io.files import atomic_path
from groundshift.model.points import check

_ROWS = 65_536  # of a row group, but for parts that are larger or the last
_BATCH = 16_384  # rows that are read at once


def write_points(path: str | Path, tables: pa.Table | Iterable[pa.Table]) -> None:
    """Write a point set as GeoParquet: the whole file or none. Same table, same bytes.

    Parameters
    ----------
    path
        File to write.
    tables
        A point set, or parts of one, which are written one after the other: same columns and metadata. That a name is
        not in two parts is not checked.

    Raises
    ------
    ContractError
        If a part fails :func:`~groundshift.model.points.check`.
    InputError
        If there is no part, or the parts differ in columns or metadata.
    """
    parts = iter([tables] if isinstance(tables, pa.Table) else tables)
    first = next(parts, None)
    if first is None:
        raise InputError("there is no point set to write; expected at least one, perhaps without points")
    options = {"compression": "zstd", "write_page_checksum": True}
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, first.schema, **options) as writer:
        for group in _groups(itertools.chain([first], parts)):
            writer.write_table(group, row_group_size=_ROWS)


def read_points(path: str | Path) -> pa.Table:
    """Read a point set that :func:`write_points` wrote, and check it.

    Raises
    ------
    InputError
        If the file is missing or no Parquet.
    ContractError
        If it holds no point set.
    """
    with reading(path):
        table = pq.read_table(path, page_checksum_verification=True)
    check(table)
    return table


def read_point_batches(path: str | Path, *, rows: int = _BATCH) -> Iterator[pa.Table]:
    """Read what :func:`write_points` wrote a part at a time, each checked; one without points if the file has none.

    Raises
    ------
    InputError, ContractError
        See :func:`read_points`.
    """
    with reading(path), open_points(path) as file:
        empty = file.schema_arrow.empty_table()
        check(empty)
        if not file.metadata.num_rows:
            yield empty
        for batch in file.iter_batches(rows, use_threads=False):
            table = pa.Table.from_batches([batch], empty.schema)
            check(table)
            yield table


def _groups(parts: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Checked parts of one schema, small ones together."""
    waiting: list[pa.Table] = []
    first = None
    for part in parts:
        first = first or part.schema
        if not part.schema.equals(first) or part.schema.metadata != first.metadata:
            raise InputError("the parts to be written differ in columns, dates or provenance")
        check(part)
        waiting.append(part)
        if sum(map(len, waiting)) >= _ROWS:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def open_points(path: str | Path) -> pq.ParquetFile:
    """The file of a point set, whose content is not checked; InputError if it is missing or no Parquet."""
    with reading(path):
        # with a buffer all that was read would stay in memory
        return pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True)


@contextlib.contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """What goes wrong with a file that is missing, no Parquet, or corrupt, as InputError that names it."""
    if not Path(path).is_file():
        raise InputError(f"{path} is no file; expected a point set as GeoParquet: check the path")
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path} cannot be read as Parquet ({error}); it is truncated, or no point set: expected GeoParquet"
        ) from error
