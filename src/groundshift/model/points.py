"""The point set: build, check, describe.

A point set is a `pyarrow.Table` with one row a measurement point. Its columns have the names, units and signs of
the European Ground Motion Service (EGMS product description v2.0, 2023): velocities in mm/yr, heights and
coordinates in metres, angles in degrees, line-of-sight unit vectors from the ground to the satellite. The series
is one column, `displacement`: a list of float32 in mm, one a date, positive toward the satellite (levels L2a, L2b),
up or east (level L3). `geometry` holds the points as GeoParquet 1.1 does (WKB, x = `easting`, y = `northing`).
What holds for all points (level, dates, track, frame, provenance) is in the metadata of the schema, under
`groundshift` as JSON, so that it stays with the table in memory and in a Parquet file.

All columns of a level are always there: what was not measured is NaN, or null in columns of integers.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyproj import CRS
from pyproj.exceptions import CRSError

from groundshift.errors import ContractError

LEVELS = {"L2a": "Basic", "L2b": "Calibrated", "L3": "Ortho"}
COMPONENTS = {"L2a": ("LOS",), "L2b": ("LOS",), "L3": ("U", "E")}
TOWARD = {"LOS": "toward the satellite", "U": "up", "E": "east"}
"""Where the ground goes where the displacement of a component is positive."""

# fmt: off
_STATISTICS = (
    "mean_velocity", "mean_velocity_std", "acceleration", "acceleration_std", "seasonality", "seasonality_std",
)
_POINT_COLUMNS = (
    "mp_type", "latitude", "longitude", "easting", "northing", "height", "height_wgs84", "line", "pixel",
    "rmse", "temporal_coherence", "amplitude_dispersion", "incidence_angle", "track_angle",
    "los_east", "los_north", "los_up", *_STATISTICS,
)
# fmt: on
COLUMNS = {
    "L2a": ("pid", "cluster_label", *_POINT_COLUMNS),
    "L2b": ("pid", *_POINT_COLUMNS),
    "L3": ("pid", "easting", "northing", "height", "rmse", *_STATISTICS),
}
OPTIONAL_COLUMNS = {
    "L2a": (),
    "L2b": ("gnss_velocity", "calibration_std", "absolute_velocity_std"),
    "L3": ("gnss_velocity_n", "gnss_velocity_e", "gnss_velocity_u"),
}
NOT_OF_EGMS = ("calibration_std", "absolute_velocity_std")
"""Columns that files of EGMS do not have, standard deviations in mm/yr: of what calibration took off a velocity, which
is alike for points near each other and not in `mean_velocity_std`; and of the velocity as an absolute one: noise of the
series (`mean_velocity_std`), `calibration_std`, and what is left of the atmosphere, which is alike nearby too."""

INTEGERS = ("cluster_label", "mp_type", "line", "pixel")
_DOUBLES = ("latitude", "longitude", "easting", "northing")
_LOOK_VECTOR = ("los_east", "los_north", "los_up")
_BOUNDS = {
    "latitude": (-90.0, 90.0),
    "longitude": (-180.0, 180.0),
    "temporal_coherence": (0.0, 1.0),
    **dict.fromkeys(("rmse", "amplitude_dispersion", *NOT_OF_EGMS, *_STATISTICS[1::2]), (0.0, np.inf)),
}
_WKB_POINT = np.dtype([("order", "u1"), ("type", "<u4"), ("x", "<f8"), ("y", "<f8")])  # 21 bytes, little-endian


class Header(NamedTuple):
    """What holds for every point of a set."""

    level: str  # a key of LEVELS
    component: str  # what `displacement` measures: LOS (toward the satellite), U (up) or E (east)
    dates: np.ndarray  # datetime64[D] (n,), increasing, UTC
    track: int | None  # relative orbit; None for L3
    frame: str | None  # part of the track, such as 0845_IW2_VV, or tile of L3, such as E45N17
    crs: CRS  # of `easting`, `northing` and `geometry`
    provenance: dict[str, Any]  # where the set comes from: sources, software, configuration


def point_set(
    columns: Mapping[str, Any],
    *,
    level: str,
    dates: Any,
    crs: Any,
    component: str | None = None,
    track: int | None = None,
    frame: str | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> pa.Table:
    """Build a point set from columns, and check it.

    Parameters
    ----------
    columns
        Arrays by name, one value a point. `displacement` is (points, dates) in mm, NaN where there is no
        measurement. Needed are also `pid`, `easting`, `northing`, and for L2a and L2b the unit vector from the
        ground to the satellite, `los_east`, `los_north`, `los_up`. Other columns of :data:`COLUMNS` that are not
        given are filled with NaN or null; those of :data:`OPTIONAL_COLUMNS` are added only if given.
    level
        L2a (relative), L2b (tied to GNSS) or L3 (gridded, up or east).
    dates
        Dates of the series, anything that numpy reads as datetime64[D], increasing.
    crs
        CRS of `easting` and `northing`, anything that pyproj reads (EGMS uses EPSG:3035).
    component
        LOS, U or E; must be given for L3.
    track, frame, provenance
        See :class:`Header`. Provenance must be writable as JSON.

    Raises
    ------
    ContractError
        If a column is missing, unknown or of the wrong shape or type, or the result fails :func:`check`.
    """
    if level not in LEVELS:
        raise ContractError(f"level {level!r} is none of {', '.join(LEVELS)}")
    if component is None:
        if level == "L3":
            raise ContractError("an L3 point set holds one component; pass component='U' or component='E'")
        component = "LOS"
    days = np.asarray(dates, "datetime64[D]")
    needed = _needed(level)
    if missing := [name for name in needed if name not in columns]:
        raise ContractError(f"columns {missing} are missing; a point set of level {level} needs {list(needed)}")
    names = [*COLUMNS[level], *(name for name in OPTIONAL_COLUMNS[level] if name in columns)]
    if unknown := sorted(set(columns) - {*names, "displacement"}):
        raise ContractError(f"columns {unknown} are unknown; a point set of level {level} may have {names}")
    count = len(columns["pid"])
    arrays = {name: _column(name, columns.get(name), count) for name in names}
    arrays["displacement"] = _series(columns["displacement"], count, len(days))
    arrays["geometry"] = _wkb_points(arrays["easting"].to_numpy(), arrays["northing"].to_numpy())
    header = {
        "level": level,
        "component": component,
        "dates": days.astype(str).tolist(),
        "track": None if track is None else int(track),
        "frame": frame,
        "provenance": dict(provenance or {}),
    }
    try:
        text = json.dumps(header)
    except TypeError as error:
        raise ContractError(f"provenance cannot be written as JSON ({error}); give text, numbers and lists") from error
    table = pa.table(arrays).replace_schema_metadata({"groundshift": text, "geo": json.dumps(_geo(crs))})
    check(table)
    return table


def header(table: pa.Table) -> Header:
    """What the metadata of a point set says.

    Raises
    ------
    ContractError
        If there is no such metadata, or parts of it are missing.
    """
    metadata = table.schema.metadata or {}
    try:
        record = json.loads(metadata[b"groundshift"])
        geo = json.loads(metadata[b"geo"])
        return Header(
            level=record["level"],
            component=record["component"],
            dates=np.array(record["dates"], "datetime64[D]"),
            track=record["track"],
            frame=record["frame"],
            crs=_crs(json.dumps(geo["columns"]["geometry"]["crs"])),
            provenance=record["provenance"],
        )
    except (KeyError, TypeError, ValueError, CRSError) as error:
        raise ContractError(
            f"the table's metadata does not describe a point set ({type(error).__name__}: {error}); "
            "build it with point_set(...), and keep the schema metadata when a table is derived from another"
        ) from error


@functools.lru_cache
def _crs(projjson: str) -> CRS:
    return CRS.from_json(projjson)


def level(table: pa.Table) -> str:
    """Level of a point set: L2a, L2b or L3."""
    return header(table).level


def dates(table: pa.Table) -> np.ndarray:
    """Dates of the series, datetime64[D] (n,), increasing."""
    return header(table).dates


def series(table: pa.Table) -> np.ndarray:
    """The displacement series as float32 (points, dates), in mm, NaN where not measured; read-only, copy to change."""
    column = table["displacement"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), column.type.list_size)


def check(table: pa.Table) -> None:
    """Raise ContractError, naming the first rule that the table breaks; return None if it keeps them all."""
    record = header(table)
    _check_header(record)
    _check_schema(table.schema, record)
    for name in set(table.column_names) - set(INTEGERS):
        if nulls := table[name].null_count:
            raise ContractError(f"column {name!r} has {nulls} nulls; only {', '.join(INTEGERS)} may, write NaN instead")
    if len(table["pid"].unique()) != len(table):
        raise ContractError("column 'pid' holds a name more than once; every point has its own")
    if table["displacement"].combine_chunks().flatten().null_count:
        raise ContractError("column 'displacement' has nulls inside series; write NaN where there is no measurement")
    values = {name: table[name].to_numpy() for name in table.column_names if pa.types.is_floating(table[name].type)}
    for name in ("easting", "northing"):
        if not np.isfinite(values[name]).all():
            raise ContractError(f"column {name!r} is not finite everywhere; a point has a place")
    for name, (low, high) in _BOUNDS.items():
        if name in values and ((values[name] < low) | (values[name] > high)).any():
            raise ContractError(f"column {name!r} has values outside {low:g} to {high:g}")
    if record.level != "L3":
        east, north, up = (values[name] for name in _LOOK_VECTOR)
        if not (np.abs(np.hypot(np.hypot(east, north), up) - 1) < 0.01).all() or not (up > 0).all():
            raise ContractError(
                "los_east, los_north, los_up must be a unit vector from the ground to the satellite (los_up > 0)"
            )
    if not table["geometry"].equals(pa.chunked_array([_wkb_points(values["easting"], values["northing"])])):
        raise ContractError("'geometry' differs from easting and northing; build the table again with point_set(...)")


def describe(table: pa.Table) -> str:
    """A few lines of plain text: level, size, dates, place, and the spread of velocity and quality."""
    record = header(table)
    part = [f"track {record.track}"] if record.track is not None else []
    part += [f"frame {record.frame}"] if record.frame is not None else []
    lines = [
        f"point set {record.level} ({LEVELS[record.level]}), {record.component}, {len(table)} points, "
        f"{len(record.dates)} dates from {record.dates[0]} to {record.dates[-1]}",
        ", ".join([*part, record.crs.to_string() if record.crs.to_epsg() else record.crs.name]),
    ]
    if len(table):
        (west, east), (south, north) = (
            (v.min(), v.max()) for v in (table[n].to_numpy() for n in ("easting", "northing"))
        )
        lines.append(f"easting {west:.0f} to {east:.0f} m, northing {south:.0f} to {north:.0f} m")
    for name, unit in (("mean_velocity", " mm/yr"), ("rmse", " mm"), ("temporal_coherence", "")):
        values = table[name].to_numpy() if name in table.column_names else np.empty(0)
        values = values[np.isfinite(values)]
        if values.size:
            low, middle, high = np.percentile(values, [2.5, 50, 97.5])
            lines.append(f"{name}: median {middle:.2f}{unit}, 95 % between {low:.2f} and {high:.2f}{unit}")
    return "\n".join(lines)


def _needed(level: str) -> tuple[str, ...]:
    return ("pid", "easting", "northing", *(() if level == "L3" else _LOOK_VECTOR), "displacement")


def _column_type(name: str) -> pa.DataType:
    if name == "pid":
        return pa.string()
    if name in INTEGERS:
        return pa.int32()
    return pa.float64() if name in _DOUBLES else pa.float32()


def _column(name: str, values: Any, count: int) -> pa.Array:
    wanted = _column_type(name)
    if values is None:
        values = pa.nulls(count, wanted) if pa.types.is_integer(wanted) else np.full(count, np.nan)
    if len(values) != count:
        raise ContractError(f"column {name!r} has {len(values)} values; 'pid' has {count}")
    try:
        if pa.types.is_floating(wanted):
            return pa.array(np.asarray(values, wanted.to_pandas_dtype()))  # nulls become NaN
        return (values.combine_chunks() if isinstance(values, pa.ChunkedArray) else pa.array(values)).cast(wanted)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise ContractError(f"column {name!r} cannot be read as {wanted} ({error})") from error


def _series(values: Any, points: int, count: int) -> pa.FixedSizeListArray:
    array = np.ascontiguousarray(values, np.float32)
    if array.shape != (points, count):
        raise ContractError(f"'displacement' has shape {array.shape}; expected {points} points x {count} dates")
    return pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), count)


def _wkb_points(x: np.ndarray, y: np.ndarray) -> pa.Array:
    """Points as well-known binary (OGC 06-103r4, 8.2): byte order, type 1, x, y."""
    records = np.empty(len(x), _WKB_POINT)
    records["order"], records["type"], records["x"], records["y"] = 1, 1, x, y
    ends = np.arange(len(x) + 1, dtype=np.int32) * _WKB_POINT.itemsize
    return pa.Array.from_buffers(pa.binary(), len(x), [None, pa.py_buffer(ends), pa.py_buffer(records.tobytes())])


def _geo(crs: Any) -> dict[str, Any]:
    """File metadata of GeoParquet 1.1.0, without a bounding box, which a selection of rows would falsify."""
    try:
        projjson = CRS.from_user_input(crs).to_json_dict()
    except CRSError as error:
        raise ContractError(f"{crs!r} is not a CRS; pass one such as crs='EPSG:3035'") from error
    column = {"encoding": "WKB", "geometry_types": ["Point"], "crs": projjson}
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}


def _check_header(record: Header) -> None:
    if record.level not in LEVELS:
        raise ContractError(f"level {record.level!r} is none of {', '.join(LEVELS)}")
    if record.component not in COMPONENTS[record.level]:
        raise ContractError(
            f"component {record.component!r} does not go with {record.level}; expected {COMPONENTS[record.level]}"
        )
    if not len(record.dates) or not (np.diff(record.dates) > np.timedelta64(0, "D")).all():
        raise ContractError(f"{len(record.dates)} dates, not all increasing; a series has at least one date, in order")


def _check_schema(schema: pa.Schema, record: Header) -> None:
    series_type = pa.list_(pa.float32(), len(record.dates))
    expected = {name: _column_type(name) for name in COLUMNS[record.level]}
    expected |= {name: pa.float32() for name in OPTIONAL_COLUMNS[record.level] if name in schema.names}
    expected |= {"displacement": series_type, "geometry": pa.binary()}
    if set(schema.names) != set(expected) or len(schema.names) != len(expected):
        wrong = sorted(set(schema.names) ^ set(expected)) or "columns that come twice"
        raise ContractError(f"columns differ from those of level {record.level} in {wrong}; expected {list(expected)}")
    for name, wanted in expected.items():
        if schema.field(name).type != wanted:
            raise ContractError(f"column {name!r} is {schema.field(name).type}; expected {wanted}")
