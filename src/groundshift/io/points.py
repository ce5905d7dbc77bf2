"""Point sets on disk: GeoParquet 1.1, the table of :mod:`groundshift.model.points` as it is in memory."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from groundshift.errors import InputError
from groundshift.io.files import atomic_path
from groundshift.model.points import check

_ROWS = 65_536  # of a row group


def write_points(path: str | Path, table: pa.Table) -> None:
    """Write a point set as GeoParquet: the whole file or none. Same table, same bytes.

    Raises
    ------
    ContractError
        If it fails :func:`~groundshift.model.points.check`.
    """
    check(table)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=_ROWS)


def read_points(path: str | Path) -> pa.Table:
    """Read a point set that :func:`write_points` wrote, and check it.

    Raises
    ------
    InputError
        If the file is missing or no Parquet.
    ContractError
        If it holds no point set.
    """
    if not Path(path).is_file():
        raise InputError(f"{path} is no file; expected a point set as GeoParquet: check the path")
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as Parquet ({error}); it may be truncated: write it again") from error
    check(table)
    return table
