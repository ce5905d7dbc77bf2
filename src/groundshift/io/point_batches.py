"""Point sets that are too large for memory: what they hold, where their parts lie, and their points part by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from groundshift.errors import InputError
from groundshift.io.egms import read_batches, read_egms
from groundshift.io.points import open_points, read_point_batches, read_points, reading
from groundshift.model.points import Header, header

_ROWS = 65_536


class PointParts(NamedTuple):
    """A point set, and the boxes of its parts (row groups), without its points."""

    name: str  # of the file, or of the track
    source: Path | pa.Table
    header: Header
    count: int
    bounds: np.ndarray  # float64 (parts, 4): west, south, east, north, m; inf, inf, -inf, -inf of a part without points
    columns: tuple[str, ...]  # that it has


def read_any_points(path: str | Path) -> pa.Table:
    """A point set on disk: a product of EGMS (.zip, .csv) or GeoParquet; see what reads either for its errors."""
    return read_egms(path) if _is_egms(path) else read_points(path)


def read_any_batches(path: str | Path) -> Iterator[pa.Table]:
    """The same, a part at a time."""
    return read_batches(path) if _is_egms(path) else read_point_batches(path)


def _is_egms(path: str | Path) -> bool:
    return Path(path).suffix.lower() in (".zip", ".csv")


def point_parts(source: str | Path | pa.Table) -> PointParts:
    """What a point set on disk or in memory holds. Points of GeoParquet stay on disk; a product of EGMS (.zip, .csv) is
    read into memory.

    Raises
    ------
    InputError
        If the file is missing or no Parquet.
    ContractError
        If it holds no point set.
    """
    if not isinstance(source, pa.Table) and _is_egms(source):
        return point_parts(read_egms(source))._replace(name=Path(source).name)
    if isinstance(source, pa.Table):
        record = header(source)
        east, north = source["easting"].to_numpy(), source["northing"].to_numpy()
        starts = np.arange(0, len(source), _ROWS)
        parts = [np.minimum.reduceat(each, starts) for each in (east, north)] if len(source) else []
        parts += [np.maximum.reduceat(each, starts) for each in (east, north)] if len(source) else []
        name = f"track {record.track} in memory"
        bounds = np.reshape(np.array(parts).T, (-1, 4))
        return PointParts(name, source, record, len(source), bounds, tuple(source.column_names))
    path = Path(source)
    with open_points(path) as file:
        bounds = [_bounds(file, group) for group in range(file.num_row_groups)]
        empty = file.schema_arrow.empty_table()
        return PointParts(
            path.name, path, header(empty), file.metadata.num_rows, np.array(bounds).reshape(-1, 4),
            tuple(empty.column_names),
        )  # fmt: skip


def point_batches(
    parts: PointParts, box: tuple[float, float, float, float], columns: Sequence[str]
) -> Iterator[pa.Table]:
    """Points in the parts that touch a box (west, south, east, north; metres in the CRS of the set), at most 65,536
    rows at once; some of them lie outside the box."""
    west, south, east, north = box
    low, high = parts.bounds[:, :2], parts.bounds[:, 2:]
    touching = np.flatnonzero((low < (east, north)).all(axis=1) & (high >= (west, south)).all(axis=1)).tolist()
    if isinstance(parts.source, pa.Table):
        for number in touching:
            yield parts.source.select(columns).slice(number * _ROWS, _ROWS)
        return
    with reading(parts.source), open_points(parts.source) as file:
        for number in touching:
            for batch in file.iter_batches(_ROWS, row_groups=[number], columns=list(columns), use_threads=False):
                yield pa.Table.from_batches([batch])


def known_bounds(parts: PointParts) -> np.ndarray:
    """Boxes of the parts that have points, float64 (n, 4); InputError if the file does not say them."""
    found = parts.bounds[parts.bounds[:, 0] <= parts.bounds[:, 2]]
    if not np.isfinite(found).all():
        raise InputError(
            f"{parts.name} does not say where its points lie (statistics of easting and northing); write it again with "
            "groundshift convert"
        )
    return found


def _bounds(file: pq.ParquetFile, group: int) -> list[float]:
    """Of one row group, by its statistics; without them, everywhere."""
    row_group = file.metadata.row_group(group)
    if not row_group.num_rows:
        return [np.inf, np.inf, -np.inf, -np.inf]
    by_name = {row_group.column(k).path_in_schema: row_group.column(k).statistics for k in range(row_group.num_columns)}
    found = [by_name.get(name) for name in ("easting", "northing")]
    if any(each is None or not each.has_min_max for each in found):
        return [-np.inf, -np.inf, np.inf, np.inf]
    return [each.min for each in found] + [each.max for each in found]
