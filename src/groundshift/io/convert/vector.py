"""Point sets as GeoPackage and GeoJSON, one column a date: for desktop maps and browsers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyogrio
import pyproj
import shapely

from groundshift.errors import InputError
from groundshift.io.convert.columns import described, description, flat, no_points, unflat
from groundshift.io.features import write_whole
from groundshift.io.files import atomic_path
from groundshift.model.points import header

_LAYER = "points"
_ROWS = 16_384
_DEGREES = 7  # decimals: a centimetre


def write_geopackage(path: str | Path, tables: Iterable[pa.Table]) -> None:
    """Write parts of a point set as a GeoPackage in their CRS, part by part: the whole file or none."""
    first, parts = _first(tables)
    _write(
        path, map(flat, parts), driver="GPKG", crs=header(first).crs.to_wkt(), layer=_LAYER,
        layer_metadata={"DESCRIPTION_JSON": description(first)},
    )  # fmt: skip


def write_geojson(path: str | Path, tables: Iterable[pa.Table]) -> None:
    """Write parts of a point set as GeoJSON (RFC 7946: longitude and latitude), part by part: the whole file or none.

    The file is large: a point of 200 dates is 3 kB. Maps in a browser want few points.
    """
    first, parts = _first(tables)
    to_degrees = pyproj.Transformer.from_crs(header(first).crs, "EPSG:4326", always_xy=True)
    batches = (_short(flat(part, _places(part, to_degrees))) for part in parts)
    _write(
        path, batches, driver="GeoJSON", crs="EPSG:4326", layer=_LAYER,
        layer_options={"DESCRIPTION": description(first), "COORDINATE_PRECISION": _DEGREES, "WRITE_BBOX": "NO"},
    )  # fmt: skip


def read_vector(path: str | Path, *, component: str | None = None) -> Iterator[pa.Table]:
    """Read a point set from a GeoPackage or GeoJSON file, part by part.

    One that :func:`write_geopackage` or :func:`write_geojson` wrote is as it was before; for another with the columns
    of EGMS, level and dates are those of the columns, and track and frame those of its name.

    Raises
    ------
    InputError
        If the file is missing, cannot be read, or has not the columns of a point set.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is no file; expected a GeoPackage or GeoJSON file of points: check the path")
    try:
        info = pyogrio.read_info(path)
        said = {**(info["dataset_metadata"] or {}), **(info["layer_metadata"] or {})}
        text = said.get("DESCRIPTION_JSON") or said.get("DESCRIPTION")
        crs = None if path.suffix.lower() != ".gpkg" else info["crs"]
        names = info["fields"].tolist()
        metadata, layout = described(names, text, title=str(path), stem=path.stem, crs=crs, component=component)
        with pyogrio.open_arrow(path, batch_size=_ROWS, use_pyarrow=True, read_geometry=False) as (_, reader):
            empty = True
            for batch in reader:
                empty = False
                yield unflat(batch, metadata, layout, str(path))
            if empty:
                yield unflat(no_points(layout), metadata, layout, str(path))
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read as a vector file ({error}): write it again") from error


def _first(tables: Iterable[pa.Table]) -> tuple[pa.Table, Iterator[pa.Table]]:
    parts = iter(tables)
    first = next(parts, None)
    if first is None:
        raise InputError("there is no point set to write; expected at least one, perhaps without points")
    return first, itertools.chain([first], parts)


def _write(path: str | Path, batches: Iterator[pa.RecordBatch], **options: object) -> None:
    first = next(batches)
    reader = pa.RecordBatchReader.from_batches(first.schema, itertools.chain([first], batches))
    with atomic_path(path) as temporary:
        write_whole(reader, temporary, geometry_name="geometry", geometry_type="Point", **options)


def _short(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Single precision as the doubles of the same shortest text, 0.1 and not 0.10000000149."""
    arrays = [
        each.cast(pa.string()).cast(pa.float64()) if pa.types.is_float32(each.type) else each for each in batch.columns
    ]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _places(table: pa.Table, to_degrees: pyproj.Transformer) -> pa.Array:
    east, north = to_degrees.transform(table["easting"].to_numpy(), table["northing"].to_numpy())
    return pa.array(shapely.to_wkb(shapely.points(np.round(east, _DEGREES), np.round(north, _DEGREES))), pa.binary())
