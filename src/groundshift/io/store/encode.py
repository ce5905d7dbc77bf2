"""From a point set to what lies on disk: order, attributes, series, overview."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyproj import CRS, Transformer

from groundshift.errors import ContractError

SCALE = 10  # an int16 series is in tenths of a millimetre
TENTHS, MILLIMETRES = "displacement_tenths_mm", "displacement"
HALF_WORLD = 2_003_750_834  # cm: half the side of the square world of EPSG:3857
CELL_ZOOM = 16  # of the finest cells of an overview: at 48 degrees north 410 m
CELL_ZOOMS = tuple(range(CELL_ZOOM, 1, -1))
AVERAGED = ("mean_velocity", "mean_velocity_std", "acceleration", "seasonality", "rmse", "temporal_coherence", "height")
ATTRIBUTE_ROWS, SERIES_ROWS = 16_384, 1_024  # of a row group: what one look reads

_LIMIT = (2**15 - 1) / SCALE  # mm


def hilbert(x: np.ndarray, y: np.ndarray, bounds: tuple[float, float, float, float]) -> np.ndarray:
    """Distance along the Hilbert curve of order 16 that fills the box west, south, east, north; uint32 (n,).

    Points that are close along the curve are close on the ground. Source: D. Hilbert (1891); the steps from the
    coarsest square to the finest are those of J. Skilling (2004).
    """
    west, south, east, north = bounds
    side = max(east - west, north - south, 1e-9)
    a = np.clip((x - west) / side * 65535, 0, 65535).astype(np.uint32)
    b = np.clip((y - south) / side * 65535, 0, 65535).astype(np.uint32)
    code = np.zeros(len(a), np.uint32)
    for bit in range(15, -1, -1):
        right, up = (a >> bit) & 1, (b >> bit) & 1
        code |= ((3 * right) ^ up) << (2 * bit)
        mask = np.uint32((1 << bit) - 1)
        flip = (up == 0) & (right == 1)
        a, b = np.where(flip, ~a & mask, a & mask), np.where(flip, ~b & mask, b & mask)
        swap = up == 0
        a, b = np.where(swap, b, a), np.where(swap, a, b)
    return code


def mercator(easting: np.ndarray, northing: np.ndarray, crs: CRS) -> tuple[np.ndarray, np.ndarray]:
    """Places in EPSG:3857, whole centimetres, int32 (n,) each."""
    x, y = Transformer.from_crs(crs, 3857, always_xy=True).transform(easting, northing)
    if not (np.isfinite(x).all() and np.isfinite(y).all() and np.abs(y).max(initial=0) < HALF_WORLD / 100):
        raise ContractError("some points lie beyond 85 degrees north or south, which a web map cannot show")
    return tuple(np.clip(np.rint(v * 100), -HALF_WORLD, HALF_WORLD - 1).astype(np.int32) for v in (x, y))


def encode_series(values: np.ndarray, encoding: str = "auto") -> np.ndarray:
    """Series for the disk: int16 tenths of a millimetre where they fit (-2^15 for NaN), or float32 mm.

    `encoding` is int16, float32, or auto: int16 if no value is beyond 3276.7 mm.

    Raises
    ------
    ContractError
        If int16 is asked for, and a value does not fit.
    """
    if encoding == "float32":
        return np.ascontiguousarray(values, np.float32)
    with np.errstate(invalid="ignore"):
        largest = np.nanmax(np.abs(values), initial=0)
    if largest > _LIMIT:
        if encoding == "int16":
            raise ContractError(f"a displacement of {largest:.0f} mm does not fit int16 tenths of a mm; use float32")
        return np.ascontiguousarray(values, np.float32)
    scaled = np.rint(np.asarray(values, np.float32) * np.float32(SCALE))
    return np.nan_to_num(scaled, nan=-(2**15), copy=False).astype(np.int16)


def series_table(pid: pa.ChunkedArray, values: np.ndarray) -> pa.Table:
    """`pid` and the encoded series as lists, null where there is no measurement."""
    count, dates = values.shape
    flat = values.reshape(-1)
    empty = flat == -(2**15) if values.dtype == np.int16 else np.isnan(flat)
    items = pa.array(flat, mask=empty) if empty.any() else pa.array(flat)
    ends = pa.array(np.arange(count + 1, dtype=np.int64) * dates)
    kind = pa.ListArray if count * dates < 2**31 else pa.LargeListArray
    lists = kind.from_arrays(ends.cast(pa.int32()) if kind is pa.ListArray else ends, items)
    return pa.table({"pid": pid, TENTHS if values.dtype == np.int16 else MILLIMETRES: lists})


def decode_series(column: pa.ChunkedArray, name: str, dates: int) -> np.ndarray:
    """Series in mm, float32 (points, dates), NaN where there is no measurement."""
    flat = column.combine_chunks().flatten()
    if isinstance(flat, pa.ChunkedArray):
        flat = flat.combine_chunks()
    values = flat.cast(pa.float32()).to_numpy(zero_copy_only=False).reshape(len(column), dates)
    return values / np.float32(SCALE) if name == TENTHS else values


def overview(x: np.ndarray, y: np.ndarray, attributes: pa.Table) -> pa.Table:
    """Counts, means and spread in cells of web maps, from zoom 16 to 2; ordered by zoom.

    Columns: `zoom`, `x`, `y` (number of the cell, from west and north, as map tiles are numbered), `count`,
    the mean of each of :data:`AVERAGED` over its finite values, and least and largest `mean_velocity`.
    """
    shift = 32 - CELL_ZOOM
    scale = 2.0**32 / (2 * HALF_WORLD)
    column = (((x.astype(np.int64) + HALF_WORLD) * scale).astype(np.int64) >> shift).astype(np.int32)
    row = (((HALF_WORLD - y.astype(np.int64)) * scale).astype(np.int64) >> shift).astype(np.int32)
    values = {name: np.asarray(attributes[name], np.float64) for name in AVERAGED if name in attributes.column_names}
    weights = {name: np.isfinite(v).astype(np.float64) for name, v in values.items()}
    sums = {name: np.nan_to_num(v) for name, v in values.items()}
    velocity = values["mean_velocity"]
    least, largest = np.nan_to_num(velocity, nan=np.inf), np.nan_to_num(velocity, nan=-np.inf)
    count, levels = np.ones(len(x)), []
    for zoom in CELL_ZOOMS:
        order = np.lexsort((column, row))
        column, row = column[order], row[order]
        starts = np.flatnonzero(np.r_[True, (np.diff(row) != 0) | (np.diff(column) != 0)])
        add = lambda v, f=np.add: f.reduceat(v[order], starts)  # noqa: E731, B023
        count, column, row = add(count), column[starts], row[starts]
        sums, weights = ({n: add(v) for n, v in each.items()} for each in (sums, weights))
        least, largest = add(least, np.minimum), add(largest, np.maximum)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = {n: (sums[n] / weights[n]).astype(np.float32) for n in sums}
        finite = [np.where(np.isfinite(v), v, np.nan).astype(np.float32) for v in (least, largest)]
        levels.append(
            pa.table(
                {
                    "zoom": np.full(len(row), zoom, np.int8), "x": column, "y": row, "count": count.astype(np.int32),
                    **means, "least_velocity": finite[0], "largest_velocity": finite[1],
                }
            )
        )  # fmt: skip
        column, row = column >> 1, row >> 1
    return pa.concat_tables(levels)


def write_attributes(path: Any, table: pa.Table, metadata: dict[str, str]) -> None:
    """GeoParquet 1.1, in row groups that carry their bounds."""
    split = ["latitude", "longitude", "easting", "northing", "mercator_x", "mercator_y"]
    encodings = dict.fromkeys(split[:4], "BYTE_STREAM_SPLIT") | dict.fromkeys(split[4:], "DELTA_BINARY_PACKED")
    present = {n: e for n, e in encodings.items() if n in table.column_names}
    plain = {"pid", "geometry", *present}
    pq.write_table(
        table.replace_schema_metadata(metadata),
        path,
        compression="zstd",
        row_group_size=ATTRIBUTE_ROWS,
        use_dictionary=[name for name in table.column_names if name not in plain],
        column_encoding={**present, "pid": "DELTA_BYTE_ARRAY"},
        write_page_checksum=True,
    )


def write_series(path: Any, table: pa.Table, metadata: dict[str, str]) -> None:
    """Series in small row groups, so that one is read quickly."""
    name = table.column_names[1]
    items = {f"{name}.list.element": "DELTA_BINARY_PACKED" if name == TENTHS else "BYTE_STREAM_SPLIT"}
    pq.write_table(
        table.replace_schema_metadata(metadata), path, compression="zstd", row_group_size=SERIES_ROWS,
        use_dictionary=False, column_encoding={"pid": "DELTA_BYTE_ARRAY", **items}, write_statistics=["pid"],
        write_page_checksum=True,
    )  # fmt: skip


def write_overview(path: Any, table: pa.Table) -> None:
    """What :func:`overview` gives."""
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)
