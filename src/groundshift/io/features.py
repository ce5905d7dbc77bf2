"""Features with attributes (roads, buildings, areas): read from and written to vector files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pyogrio
import pyproj
import shapely
from pyproj import CRS

from groundshift.errors import InputError, RunError
from groundshift.io.files import atomic_path

_WGS84 = CRS("EPSG:4326")
_DRIVERS = {".geojson": "GeoJSON", ".json": "GeoJSON", ".gpkg": "GPKG", ".fgb": "FlatGeobuf"}
_NO_TIME = "1970-01-01T00:00:00.000Z"  # when a GeoPackage says that it was changed: the same features, the same bytes
_OSM_LAYERS = ("points", "lines", "multipolygons")


@dataclass(frozen=True, eq=False)
class Features:
    """Geometries and what is known of each."""

    geometry: np.ndarray  # shapely geometries (n,), object
    attributes: pa.Table  # n rows
    crs: CRS

    def __len__(self) -> int:
        return len(self.geometry)

    def to_crs(self, crs: CRS) -> Features:
        """The same in another CRS."""
        if crs == self.crs:
            return self
        move = pyproj.Transformer.from_crs(self.crs, crs, always_xy=True)
        moved = shapely.transform(self.geometry, lambda xy: np.column_stack(move.transform(xy[:, 0], xy[:, 1])))
        return replace(self, geometry=moved, crs=crs)

    def take(self, rows: np.ndarray) -> Features:
        """Rows, by number or by a mask."""
        rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows, np.int64)
        return replace(self, geometry=self.geometry[rows], attributes=self.attributes.take(pa.array(rows)))


def read_features(path: str | Path) -> Features:
    """Read a vector file: GeoJSON, GeoPackage, Shapefile, FlatGeobuf, GeoParquet, or an extract of OpenStreetMap.

    All layers of a file are read, and the attributes of any of them are those of all, with nulls. Geometries are flat
    (x and y); features without one are left out. Of an extract of OpenStreetMap (`.osm`, `.pbf`) points, lines and
    areas are read, and its `other_tags` become a column each if they are `bridge`, `dam`, `layer`, `name` or `width`.

    Raises
    ------
    InputError
        If the file is missing, cannot be read, has no CRS or no geometry.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist; expected a vector file with features, check the path")
    if path.suffix.lower() == ".parquet":
        return _geoparquet(path)
    try:
        names = [name for name, kind in pyogrio.list_layers(path) if kind is not None]
        if path.suffix.lower() in (".osm", ".pbf"):
            names = [name for name in names if name in _OSM_LAYERS]
        layers = [pyogrio.read_arrow(path, layer=name) for name in names]
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as a vector file ({error}); expected GeoJSON or GeoPackage") from error
    parts = [_layer(path, *each) for each in layers]
    parts = [each for each in parts if len(each)]
    if not parts:
        raise InputError(f"{path} has no geometry; expected features")
    crs = parts[0].crs
    parts = [each.to_crs(crs) for each in parts]
    table = pa.concat_tables([each.attributes for each in parts], promote_options="permissive")
    geometry = np.concatenate([each.geometry for each in parts])
    if crs.is_geographic and np.abs(shapely.total_bounds(geometry)).max() > 360:
        raise InputError(f"{path} is in degrees, but its numbers are not; name its CRS with ogr2ogr -a_srs EPSG:…")
    return Features(geometry, _split_tags(table), crs)


def write_features(path: str | Path, features: Features) -> None:
    """Write features, the whole file or none, as the suffix says: .geojson (WGS 84), .gpkg, .fgb, .parquet or .csv.

    GeoParquet is of version 1.1. A CSV file has the attributes alone.

    Raises
    ------
    InputError
        If the suffix is none of these.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (*_DRIVERS, ".parquet", ".csv"):
        raise InputError(f"{path} ends in {suffix!r}; expected .geojson, .gpkg, .fgb, .parquet or .csv")
    with atomic_path(path) as temporary:
        if suffix == ".csv":
            pa.csv.write_csv(_nulls(features.attributes), temporary)
        elif suffix == ".parquet":
            _write_geoparquet(temporary, features)
        else:
            _write_with_gdal(temporary, features, _DRIVERS[suffix])


def _write_with_gdal(path: Path, features: Features, driver: str) -> None:
    moved = features.to_crs(_WGS84) if driver == "GeoJSON" else features
    wkb = pa.array(shapely.to_wkb(moved.geometry), pa.binary())
    table = _nulls(moved.attributes).append_column("geometry", wkb)
    kinds = sorted(set(shapely.get_type_id(moved.geometry).tolist()))
    kind = shapely.GeometryType(kinds[0]).name.title() if len(kinds) == 1 else "Unknown"
    kind = {"Linestring": "LineString", "Multipolygon": "MultiPolygon", "Multilinestring": "MultiLineString"}.get(
        kind, kind
    )
    options = {"RFC7946": "YES", "COORDINATE_PRECISION": "7"} if driver == "GeoJSON" else {}
    write_whole(
        table, path, driver=driver, geometry_name="geometry", geometry_type=kind, crs=moved.crs.to_wkt(),
        layer=path.stem, layer_options=options,
    )  # fmt: skip


def write_whole(table: pa.Table | pa.RecordBatchReader, path: Path, **options: object) -> None:
    """Write features by GDAL, and see that all are there, and what finds them: GDAL does not say what it cannot write
    while it closes a file.

    Raises
    ------
    RunError
        If they are not, as on a full disk.
    """
    count = 0

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal count
        for batch in table.to_batches() if isinstance(table, pa.Table) else table:
            count += len(batch)
            yield batch

    why = "its index is missing"
    try:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _NO_TIME})
        pyogrio.write_arrow(pa.RecordBatchReader.from_batches(table.schema, counted()), path, **options)
        found = pyogrio.read_info(path, force_feature_count=True)
        if found["features"] != count:
            why = f"{found['features']} of {count} features are there"
        elif path.suffix.lower() != ".gpkg" or found["capabilities"]["fast_spatial_filter"]:
            return
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        why = str(error)
    raise RunError(f"{path.name} cannot be written whole ({why}); see that the disk is not full, then start again")


def _write_geoparquet(path: Path, features: Features) -> None:
    column = {"encoding": "WKB", "geometry_types": [], "crs": features.crs.to_json_dict()}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    table = features.attributes.append_column("geometry", pa.array(shapely.to_wkb(features.geometry), pa.binary()))
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path, compression="zstd")


def _nulls(table: pa.Table) -> pa.Table:
    """Null for numbers that are not finite, which text formats cannot hold."""
    for number, field in enumerate(table.schema):
        if pa.types.is_floating(field.type):
            column = table[field.name]
            table = table.set_column(number, field.name, pc.if_else(pc.is_finite(column), column, None))
    return table


def _geoparquet(path: Path) -> Features:
    try:
        table = pq.read_table(path)
        geo = json.loads(table.schema.metadata[b"geo"])
        name = geo["primary_column"]
        crs = geo["columns"][name].get("crs", _WGS84.to_json_dict())
        geometry = shapely.force_2d(shapely.from_wkb(table[name].to_numpy(zero_copy_only=False)))
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not GeoParquet ({error}); expected features with a geometry column") from error
    found = Features(geometry, table.drop_columns([name]).replace_schema_metadata(None), CRS.from_user_input(crs))
    return found.take(_there(geometry))


def _layer(path: Path, meta: dict, table: pa.Table) -> Features:
    name = meta["geometry_name"] or "wkb_geometry"
    if meta["crs"] is None:
        raise InputError(f"{path} has no CRS; write one with ogr2ogr -a_srs EPSG:…")
    if name not in table.column_names:
        return Features(np.empty(0, object), table, CRS.from_user_input(meta["crs"]))
    geometry = shapely.force_2d(shapely.from_wkb(table[name].to_numpy(zero_copy_only=False)))
    attributes = table.drop_columns([name]).replace_schema_metadata(None)
    return Features(geometry, attributes, CRS.from_user_input(meta["crs"])).take(_there(geometry))


def _there(geometry: np.ndarray) -> np.ndarray:
    return ~(shapely.is_missing(geometry) | shapely.is_empty(geometry))


def _split_tags(table: pa.Table) -> pa.Table:
    """The few tags of OpenStreetMap that matter here, out of the text `"key"=>"value","key"=>"value"`."""
    if "other_tags" not in table.column_names:
        return table
    text = table["other_tags"].combine_chunks()
    for key in ("bridge", "dam", "layer", "name", "width"):
        if key not in table.column_names:
            found = pc.extract_regex(text, f'"{key}"=>"(?P<value>[^"]*)"')
            table = table.append_column(key, pc.struct_field(found, "value"))
    return table.drop_columns(["other_tags"])
