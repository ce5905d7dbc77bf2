"""Points of a store as bytes of a file that others read."""

from __future__ import annotations

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import shapely
from pyproj import CRS

from groundshift.errors import InputError

FORMATS = {"csv": "text/csv", "geojson": "application/geo+json", "parquet": "application/vnd.apache.parquet"}


def table_bytes(table: pa.Table, kind: str) -> bytes:
    """A table with `longitude` and `latitude` (WGS 84) as CSV, GeoJSON (RFC 7946) or GeoParquet 1.1.

    Raises
    ------
    InputError
        If `kind` is none of :data:`FORMATS`.
    """
    if kind == "csv":
        buffer = io.BytesIO()
        pa.csv.write_csv(table, buffer)
        return buffer.getvalue()
    if kind == "geojson":
        return _geojson(table)
    if kind == "parquet":
        return _geoparquet(table)
    raise InputError(f"format {kind!r} is none of {', '.join(FORMATS)}")


def _geojson(table: pa.Table) -> bytes:
    rows = table.drop_columns(["longitude", "latitude"]).to_pylist()
    places = zip(table["longitude"].to_pylist(), table["latitude"].to_pylist(), strict=True)
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [round(x, 7), round(y, 7)]},
            "properties": {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()},
        }
        for row, (x, y) in zip(rows, places, strict=True)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, allow_nan=False).encode()


def _geoparquet(table: pa.Table) -> bytes:
    column = {"encoding": "WKB", "geometry_types": ["Point"], "crs": CRS("OGC:CRS84").to_json_dict()}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    geometry = pa.array(shapely.to_wkb(shapely.points(table["longitude"].to_numpy(), table["latitude"].to_numpy())))
    table = table.append_column("geometry", geometry).replace_schema_metadata({"geo": json.dumps(geo)})
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue().to_pybytes()
