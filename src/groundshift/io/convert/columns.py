"""Point sets as flat tables, one column a date, for formats that have no lists; and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groundshift.errors import ContractError, InputError
from groundshift.io.egms.dialect import Layout, parse_columns
from groundshift.io.egms.names import parse_name
from groundshift.model.points import COLUMNS, COMPONENTS, header, point_set, series

CRS = "EPSG:3035"
_OURS = '{"groundshift": '


def flat(table: pa.Table, geometry: Any = None) -> pa.RecordBatch:
    """The columns of a point set, its dates as columns `YYYYMMDD`; NaN as null.

    Parameters
    ----------
    table
        A point set.
    geometry
        Well-known binary to put in place of that of the point set.
    """
    days = [str(each).replace("-", "") for each in header(table).dates]
    names = [name for name in table.column_names if name not in ("displacement", "geometry")]
    arrays = [_nulls(table[name]) for name in names]
    arrays += [pa.array(column, from_pandas=True) for column in series(table).T]
    last = table["geometry"].combine_chunks() if geometry is None else geometry
    return pa.RecordBatch.from_arrays([*arrays, last], names=[*names, *days, "geometry"])


def description(table: pa.Table) -> str:
    """What holds for all points, as JSON text that fits into the metadata of any format."""
    metadata = table.schema.metadata
    return json.dumps({key: json.loads(metadata[key.encode()]) for key in ("groundshift", "geo")})


def unflat(batch: pa.RecordBatch, metadata: Mapping[str, Any], layout: Layout, title: str) -> pa.Table:
    """A point set from a flat table.

    Parameters
    ----------
    batch
        With the columns of `layout`, in any order; others are left out.
    metadata
        From :func:`described`.
    layout
        From the same.
    title
        Of the file, for messages.
    """
    columns: dict[str, Any] = {}
    try:
        for column, name in zip(layout.columns, layout.names, strict=True):
            columns[name] = batch.column(column)
        dates = [str(each).replace("-", "") for each in layout.dates]
        values = [np.asarray(batch.column(date).to_numpy(zero_copy_only=False), np.float32) for date in dates]
        columns["displacement"] = np.stack(values, axis=1)
        return point_set(columns, **metadata)
    except (ContractError, ValueError, TypeError) as error:
        raise InputError(f"{title} holds no point set: {error}") from error


def described(
    names: Sequence[str], text: str | None, *, title: str, stem: str, crs: str | None, component: str | None
) -> tuple[dict[str, Any], Layout]:
    """What holds for all points of a flat table, from its own description, or else from names and columns.

    Parameters
    ----------
    names
        Of its columns.
    text
        From :func:`description`, if the file has it.
    title, stem
        Of the file, for messages; its name without suffix, which may be one of EGMS.
    crs
        Of eastings and northings, if the file says it; EPSG:3035 otherwise.
    component
        U or E, for a grid whose name does not say it.
    """
    known = None if text is None or not text.startswith(_OURS) else _known(text, title)
    if known and not len(names):  # GeoJSON without points has no columns
        return known, Layout(known["level"], COLUMNS[known["level"]], np.array(known["dates"], "datetime64[D]"))
    dates = sorted(name for name in names if len(name) == 8 and name.isdigit())
    others = [name for name in names if name not in (*dates, "pid", "fid", "geometry", "geom", "wkb_geometry")]
    layout = parse_columns(",".join([*(["pid"] if "pid" in names else []), *others, *dates]), title)
    if known:
        return known | {"dates": layout.dates}, layout
    name = parse_name(stem)
    component = component or (name.component if name else "LOS" if layout.level != "L3" else None)
    if component not in COMPONENTS[layout.level]:
        raise InputError(f"{title} holds a grid ({layout.level}) of component {component}; give --component U or E")
    return {
        "level": layout.level, "component": component, "track": name.track if name else None,
        "frame": name.frame if name else None, "provenance": {"source": title}, "dates": layout.dates,
        "crs": crs or CRS,
    }, layout  # fmt: skip


def no_points(layout: Layout) -> pa.RecordBatch:
    """A flat table without points."""
    dates = [str(each).replace("-", "") for each in layout.dates]
    columns = {name: pa.array([], pa.float64()) for name in (*layout.columns, *dates)}
    return pa.RecordBatch.from_pydict(columns | {"pid": pa.array([], pa.string())})


def _known(text: str, title: str) -> dict[str, Any]:
    try:
        record = json.loads(text)
        keys = ("level", "component", "track", "frame", "dates", "provenance")
        crs = json.dumps(record["geo"]["columns"]["geometry"]["crs"])
        return {key: record["groundshift"][key] for key in keys} | {"crs": crs}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{title} has a description that cannot be read ({error}); remove it") from error


def _nulls(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    if pa.types.is_floating(array.type):
        return pc.if_else(pc.is_nan(array), None, array)
    return array
