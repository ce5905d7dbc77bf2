"""What a user draws on the map: masks, an area, lines. A vector file, or a raster for masks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyogrio
import pyproj
import shapely
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from odc.geo.geom import BoundingBox
from rasterio.features import rasterize
from shapely.errors import GEOSException

from groundshift.errors import InputError, one_line
from groundshift.grid.tiles import Box
from groundshift.io.images.aligned import source_positions
from groundshift.io.images.pixels import files_of
from groundshift.io.rasters import georeference, open_raster, parse_crs, read_window

_GEOJSON_SUFFIXES = (".geojson", ".json")
_VECTOR_SUFFIXES = (".shp", ".gpkg", ".kml", ".kmz", ".gml", ".fgb", ".gdb", ".sqlite", ".zip")


class Mask(Protocol):
    """Which pixels of a grid a user has marked, read box by box; picklable."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Files that are read."""
        ...

    def read(self, box: Box) -> np.ndarray:
        """bool (y, x), True where the centre of the pixel is marked."""
        ...


def read_mask(path: str | Path, grid: GeoBox) -> Mask:
    """Open a mask for a grid: a raster (marked where not 0) or a vector file with polygons, in any CRS.

    A pixel is marked if its centre is. What lies beyond the raster, or has no data in it, is not marked.

    Raises
    ------
    InputError
        If the file is missing, is neither a raster nor a vector file, or has no polygon or no CRS.
    """
    path = Path(path)
    if path.suffix.lower() in (*_GEOJSON_SUFFIXES, *_VECTOR_SUFFIXES):
        geometries, crs = _geometries(path)
        polygons = [each for each in geometries if each.geom_type == "Polygon"]
        if not polygons:
            raise InputError(f"{path} has no polygon; expected the outlines of what to mark")
        return PolygonMask((str(path),), grid, tuple(_to_crs(each, crs, grid.crs) for each in polygons))
    with open_raster(str(path)) as dataset:
        if dataset.count != 1:
            raise InputError(f"{path} has {dataset.count} bands; expected a mask of one band, 0 and not 0")
        return RasterMask(files_of(str(path), dataset), grid, georeference(dataset))


@dataclass(frozen=True)
class PolygonMask:
    """Marked inside polygons, which are in the CRS of the grid. See :class:`Mask`."""

    inputs: tuple[str, ...]
    grid: GeoBox
    polygons: tuple[shapely.Geometry, ...]

    def read(self, box: Box) -> np.ndarray:
        """See :class:`Mask`."""
        part = self.grid[0:1, 0:1].translate_pix(box.left, box.top).expand(box.shape)
        extent = shapely.box(*part.boundingbox.bbox)
        shapes = [polygon for polygon in self.polygons if polygon.intersects(extent)]
        if not shapes:
            return np.zeros(box.shape, bool)
        return rasterize(shapes, box.shape, transform=part.affine, dtype=np.uint8).astype(bool)


@dataclass(frozen=True)
class RasterMask:
    """Marked where a raster is not 0. See :class:`Mask`."""

    inputs: tuple[str, ...]
    grid: GeoBox
    raster: GeoBox

    def read(self, box: Box) -> np.ndarray:
        """See :class:`Mask`."""
        positions = source_positions(self.raster, self.grid, box)
        inside = np.logical_and.reduce(
            [(p >= -0.5) & (p < n - 0.5) for p, n in zip(positions, self.raster.shape, strict=True)]
        )
        marked = np.zeros(box.shape, bool)
        if not inside.any():
            return marked
        rows, cols = (np.floor(p[inside] + 0.5).astype(int) for p in positions)
        window = Box(rows.min(), cols.min(), rows.max() + 1, cols.max() + 1)
        values = read_window(self.inputs[0], (1,), window)[0] != 0
        values &= read_window(self.inputs[0], (1,), window, mask=True)[0] != 0
        marked[inside] = values[rows - window.top, cols - window.left]
        return marked


def read_area(area: str | Path) -> BoundingBox:
    """Bounds from `west,south,east,north` (in the CRS of the first image) or from a vector file (in its own).

    Raises
    ------
    InputError
        If it is neither, or if the bounds are empty.
    """
    text = str(area)
    if "," in text and not Path(text).exists():
        try:
            west, south, east, north = map(float, text.split(","))
        except ValueError as error:
            raise InputError(f"area {text!r} is not four numbers; expected west,south,east,north") from error
        if not (west < east and south < north):
            raise InputError(f"area {text!r} is empty; expected west < east and south < north: west,south,east,north")
        return BoundingBox(west, south, east, north)
    geometries, crs = _geometries(Path(text))
    bounds = shapely.total_bounds(np.array(geometries, object))
    return BoundingBox(*map(float, bounds), crs)


def read_line(path: str | Path, grid: GeoBox) -> np.ndarray:
    """The vertices of the one line of a vector file: float64 (vertex, 2), x and y in the CRS of the grid.

    Raises
    ------
    InputError
        If the file is missing, is no vector file, or does not have exactly one line.
    """
    geometries, crs = _geometries(Path(path))
    lines = [each for each in geometries if each.geom_type == "LineString"]
    if len(lines) != 1:
        raise InputError(f"{path} has {len(lines)} lines; expected one LineString: the trace of the profile")
    return shapely.get_coordinates(_to_crs(lines[0], crs, grid.crs))


def read_traces(path: str | Path) -> tuple[np.ndarray, ...]:
    """The lines of a vector file, each in a frame of its own: float64 (vertex, 2), metres to the east and north.

    A frame is azimuthal equidistant on the ellipsoid around the middle vertex of its line. The parts of a line of
    several are lines; those of no length are left out.

    Raises
    ------
    InputError
        If the file is missing, is no vector file, or has no line with a length.
    """
    geometries, crs = _geometries(Path(path))
    lines = np.array([each for each in geometries if each.geom_type == "LineString" and each.length > 0], object)
    if not lines.size:
        raise InputError(f"{path} has no line with a length; expected LineStrings, the traces of faults")
    places, line = shapely.get_coordinates(_to_crs(lines, crs, CRS("EPSG:4326")), return_index=True)
    ends = np.cumsum(np.bincount(line))
    middles = places[(np.append(0, ends[:-1]) + ends) // 2][line]
    azimuth, _, distance = pyproj.Geod(ellps="WGS84").inv(*middles.T, *places.T)
    metres = distance[:, None] * np.column_stack([np.sin(np.radians(azimuth)), np.cos(np.radians(azimuth))])
    return tuple(np.split(metres, ends[:-1]))


def _to_crs(geometry: Any, crs: CRS, target: CRS) -> Any:
    """A geometry, or an array of them, in another CRS."""
    to_target = pyproj.Transformer.from_crs(crs.proj, target.proj, always_xy=True)
    return shapely.transform(geometry, lambda xy: np.column_stack(to_target.transform(xy[:, 0], xy[:, 1])))


def _geometries(path: Path) -> tuple[list[shapely.Geometry], CRS]:
    """All geometries of a vector file, multi-part ones taken apart, and their CRS."""
    if path.suffix.lower() not in _VECTOR_SUFFIXES:
        return _geojson(path)
    if not path.exists():
        raise InputError(f"{path} does not exist; expected a vector file, check the path")
    try:
        meta, _, wkb, _ = pyogrio.raw.read(path, columns=[])
    except pyogrio.errors.DataSourceError as error:
        raise InputError(f"{path} cannot be read as a vector file ({error}); expected polygons or lines") from error
    if meta["crs"] is None:
        raise InputError(f"{path} has no CRS; a Shapefile needs its .prj beside it")
    geometries = [part for part in shapely.get_parts(shapely.force_2d(shapely.from_wkb(wkb))) if not part.is_empty]
    if not geometries:
        raise InputError(f"{path} has no geometry; expected polygons or lines")
    return geometries, parse_crs(meta["crs"])


def _geojson(path: Path) -> tuple[list[shapely.Geometry], CRS]:
    """All geometries of a GeoJSON file, multi-part ones taken apart, and their CRS (RFC 7946: degrees, WGS 84)."""
    if not path.exists():
        raise InputError(f"{path} does not exist; expected a GeoJSON file, check the path")
    try:
        record = json.loads(path.read_text(encoding="utf-8-sig"))
        features = record["features"] if record["type"] == "FeatureCollection" else [record]
        found = [each["geometry"] if each["type"] == "Feature" else each for each in features]
        collections = shapely.from_geojson([json.dumps(each) for each in found if each is not None])
    except (ValueError, KeyError, TypeError, GEOSException) as error:
        raise InputError(f"{path} is not GeoJSON ({one_line(error)}); expected features of RFC 7946") from error
    geometries = [part for part in shapely.get_parts(shapely.get_parts(collections)) if not part.is_empty]
    if not geometries:
        raise InputError(f"{path} has no geometry; expected GeoJSON features")
    crs_name = (record.get("crs") or {}).get("properties", {}).get("name", "EPSG:4326")
    crs = parse_crs(crs_name)
    if crs.geographic and np.abs(shapely.total_bounds(np.array(geometries, object))).max() > 360:
        raise InputError(
            f'{path} is in degrees by the GeoJSON rule, but its numbers are not; add a "crs" member or convert '
            "it with ogr2ogr -t_srs EPSG:4326"
        )
    return geometries, crs
