"""Masks, areas and lines that a user gives."""

import json
import pickle
import zipfile

import numpy as np
import pyogrio
import pyproj
import pytest
import rasterio
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from groundshift.errors import InputError
from groundshift.grid.tiles import Box, tile_plan
from groundshift.io import read_area, read_line, read_mask, read_traces

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")

GRID = GeoBox((50, 60), Affine(10, 0, 500000, 0, -10, 4600000), "EPSG:32611")
WHOLE = Box(0, 0, *GRID.shape)
RING = [[500098, 4599902], [500302, 4599902], [500302, 4599698], [500098, 4599698], [500098, 4599902]]


def geojson(path, *geometries, crs="EPSG:32611"):
    if crs is None:  # degrees
        to_degrees = pyproj.Transformer.from_crs(32611, 4326, always_xy=True)
        geometries = [move(geometry, to_degrees.transform) for geometry in geometries]
    features = [{"type": "Feature", "properties": {}, "geometry": geometry} for geometry in geometries]
    record = {"type": "FeatureCollection", "features": features}
    if crs is not None:
        record["crs"] = {"type": "name", "properties": {"name": crs}}
    path.write_text(json.dumps(record))
    return path


def move(geometry, transform):
    def each(part):
        return list(transform(*part)) if np.isscalar(part[0]) else [each(p) for p in part]

    return {**geometry, "coordinates": each(geometry["coordinates"])}


POLYGON = {"type": "Polygon", "coordinates": [RING]}
LINE = {"type": "LineString", "coordinates": [[500000, 4599000], [501000, 4599500], [502000, 4599400]]}


@pytest.mark.parametrize("crs", ["EPSG:32611", "urn:ogc:def:crs:EPSG::32611", None])
def test_polygon_marks_pixels_by_their_centre(tmp_path, crs):
    marked = read_mask(geojson(tmp_path / "a.geojson", POLYGON, crs=crs), GRID).read(WHOLE)
    expected = np.zeros(GRID.shape, bool)
    expected[10:30, 10:30] = True
    np.testing.assert_array_equal(marked, expected)


def test_multipolygon_and_hole(tmp_path):
    hole = [[500150, 4599850], [500150, 4599800], [500200, 4599800], [500200, 4599850], [500150, 4599850]]
    other = [[500400, 4599900], [500500, 4599900], [500500, 4599800], [500400, 4599800], [500400, 4599900]]
    square = [[500100, 4599900], [500300, 4599900], [500300, 4599700], [500100, 4599700], [500100, 4599900]]
    path = geojson(tmp_path / "a.json", {"type": "MultiPolygon", "coordinates": [[square, hole], [other]]}, None)
    expected = np.zeros(GRID.shape, bool)
    expected[10:30, 10:30] = expected[10:20, 40:50] = True
    expected[15:20, 15:20] = False
    mask = read_mask(path, GRID)
    np.testing.assert_array_equal(mask.read(WHOLE), expected)
    assert mask.inputs == (str(path),)
    again = pickle.loads(pickle.dumps(mask))
    for tile in tile_plan(GRID.shape, 17):
        np.testing.assert_array_equal(again.read(tile.box), expected[tile.box.slices])
    np.testing.assert_array_equal(mask.read(WHOLE.padded(4))[4:-4, 4:-4], expected)


def write_raster(path, values, grid, **profile):
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=values.shape[0], width=values.shape[1], dtype=values.dtype,
        crs=str(grid.crs), transform=grid.affine, **profile,
    ) as dataset:  # fmt: skip
        dataset.write(values, 1)
    return path


def test_raster_of_another_grid(tmp_path):
    coarse = GeoBox((20, 20), Affine(20, 0, 500100, 0, -20, 4599900), "EPSG:32611")
    values = np.zeros(coarse.shape, np.uint8)
    values[3:5, 6:9] = 5
    values[10, 10] = 255
    mask = read_mask(write_raster(tmp_path / "a.tif", values, coarse, nodata=255), GRID)
    expected = np.zeros(GRID.shape, bool)
    expected[16:20, 22:28] = True
    np.testing.assert_array_equal(mask.read(WHOLE), expected)
    again = pickle.loads(pickle.dumps(mask))
    for tile in tile_plan(GRID.shape, 13):
        np.testing.assert_array_equal(again.read(tile.box), expected[tile.box.slices])


def test_raster_of_another_zone(tmp_path):
    to_zone = pyproj.Transformer.from_crs(32611, 32612, always_xy=True)
    x, y = to_zone.transform(500305, 4599755)
    zone = GeoBox((40, 40), Affine(5, 0, x - 100, 0, -5, y + 100), "EPSG:32612")
    marked = read_mask(write_raster(tmp_path / "a.tif", np.ones((40, 40), np.uint8), zone), GRID).read(WHOLE)
    assert marked[24, 30]
    assert marked.sum() == pytest.approx(400, rel=0.05)


@pytest.mark.parametrize(("suffix", "driver"), [(".shp", "ESRI Shapefile"), (".gpkg", "GPKG")])
def test_other_vector_files(tmp_path, suffix, driver):
    square = shapely.box(500200, 4599700, 500300, 4599800)
    path = tmp_path / f"moving{suffix}"
    pyogrio.raw.write(
        path, shapely.to_wkb(np.array([square], object)), field_data=[], fields=[], geometry_type="Polygon",
        crs="EPSG:32611", driver=driver,
    )  # fmt: skip
    same = {"type": "Polygon", "coordinates": [[list(xy) for xy in square.exterior.coords]]}
    record = {"type": "Feature", "geometry": same, "properties": {}}
    record["crs"] = {"type": "name", "properties": {"name": "EPSG:32611"}}
    (tmp_path / "same.geojson").write_text(json.dumps(record))
    expected = read_mask(tmp_path / "same.geojson", GRID).read(WHOLE)
    assert expected.any()
    np.testing.assert_array_equal(read_mask(path, GRID).read(WHOLE), expected)


def test_mask_errors(tmp_path):
    with pytest.raises(InputError, match=r"gone\.geojson does not exist"):
        read_mask(tmp_path / "gone.geojson", GRID)
    with pytest.raises(InputError, match=r"gone\.tif does not exist"):
        read_mask(tmp_path / "gone.tif", GRID)
    with pytest.raises(InputError, match=r"moving\.shp does not exist"):
        read_mask(tmp_path / "moving.shp", GRID)
    (tmp_path / "broken.gpkg").write_bytes(b"not a package")
    with pytest.raises(InputError, match=r"broken\.gpkg cannot be read as a vector file"):
        read_mask(tmp_path / "broken.gpkg", GRID)
    with pytest.raises(InputError, match="has no polygon"):
        read_mask(geojson(tmp_path / "line.geojson", LINE), GRID)
    (tmp_path / "a.geojson").write_text(json.dumps(POLYGON))
    with pytest.raises(InputError, match='in degrees by the GeoJSON rule, but its numbers are not; add a "crs"'):
        read_mask(tmp_path / "a.geojson", GRID)
    with pytest.raises(InputError, match="2 bands; expected a mask of one band"):
        read_mask(write_two_bands(tmp_path / "two.tif"), GRID)


def write_two_bands(path):
    with rasterio.open(path, "w", driver="GTiff", count=2, height=4, width=4, dtype="uint8",
                       crs="EPSG:32611", transform=GRID.affine) as dataset:  # fmt: skip
        dataset.write(np.ones((2, 4, 4), np.uint8))
    return path


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", '{"type": "FeatureCollection"}', '{"type": "Topology", "objects": {}}', '{"type": "Point"}']
)
def test_not_geojson(tmp_path, text):
    (tmp_path / "a.geojson").write_text(text)
    with pytest.raises(InputError, match=r"a\.geojson is not GeoJSON"):
        read_area(tmp_path / "a.geojson")


def test_area(tmp_path):
    assert read_area("500000,4599000,501000,4600000").bbox == (500000, 4599000, 501000, 4600000)
    assert read_area("500000, 4599000, 501000, 4600000.5").crs is None
    area = read_area(geojson(tmp_path / "a.geojson", POLYGON, LINE))
    assert area.bbox == (500000, 4599000, 502000, 4599902)
    assert area.crs == "EPSG:32611"
    assert read_area(geojson(tmp_path / "b.geojson", POLYGON, crs=None)).crs == "EPSG:4326"
    with pytest.raises(InputError, match="is not four numbers; expected west,south,east,north"):
        read_area("1,2,3,x")
    with pytest.raises(InputError, match="is empty; expected west < east"):
        read_area("3,2,1,4")
    with pytest.raises(InputError, match="does not exist"):
        read_area("nowhere")
    (tmp_path / "none.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(InputError, match="has no geometry"):
        read_area(tmp_path / "none.geojson")


def test_line(tmp_path):
    np.testing.assert_array_equal(read_line(geojson(tmp_path / "a.geojson", LINE), GRID), LINE["coordinates"])
    found = read_line(geojson(tmp_path / "b.geojson", LINE, POLYGON, crs=None), GRID)
    np.testing.assert_allclose(found, LINE["coordinates"], atol=1e-3)
    (tmp_path / "bare.geojson").write_text(json.dumps({"type": "LineString", "coordinates": [[-117, 41], [-116, 42]]}))
    assert read_line(tmp_path / "bare.geojson", GRID).shape == (2, 2)
    with pytest.raises(InputError, match="has 2 lines; expected one LineString"):
        read_line(geojson(tmp_path / "c.geojson", LINE, LINE), GRID)


def test_traces_are_lines_in_metres_whatever_the_file(tmp_path):
    """Two parts of one line, and a line across the 180th meridian, at 60 degrees north."""
    lines = [
        {"type": "MultiLineString", "coordinates": [[[10, 60], [10.1, 60], [10.2, 60.1]], [[11, 60], [11, 60.05]]]},
        {"type": "LineString", "coordinates": [[179.9, 60], [-180, 60], [-179.9, 60]]},
        {"type": "LineString", "coordinates": [[5, 5], [5, 5]]},
        {"type": "Point", "coordinates": [5, 5]},
    ]
    path = geojson(tmp_path / "faults.geojson", *lines, crs="EPSG:4326")
    bent, north, across = read_traces(path)
    degree = 55_799.0  # metres, of longitude at 60 degrees north on WGS 84
    np.testing.assert_allclose(bent, [[-0.1 * degree, 0], [0, 0], [0.1 * degree, 11_141]], rtol=2e-3, atol=10)
    np.testing.assert_allclose(north, [[0, -5_570.6], [0, 0]], atol=0.5)
    np.testing.assert_allclose(across, [[-0.1 * degree, 0], [0, 0], [0.1 * degree, 0]], atol=10)
    with zipfile.ZipFile(tmp_path / "faults.geojson.zip", "w") as archive:
        archive.write(path, path.name)
    for one, other in zip(read_traces(path), read_traces(tmp_path / "faults.geojson.zip"), strict=True):
        np.testing.assert_array_equal(one, other)


def test_traces_in_a_projection_keep_their_lengths(tmp_path):
    (trace,) = read_traces(geojson(tmp_path / "line.geojson", LINE))
    steps = np.diff(np.array(LINE["coordinates"], float), axis=0)
    np.testing.assert_allclose(np.diff(trace, axis=0), steps, rtol=1e-3, atol=2)  # 0.9996 along the central meridian


def test_a_file_without_traces_is_said(tmp_path):
    with pytest.raises(InputError, match="no line with a length"):
        read_traces(geojson(tmp_path / "polygon.geojson", POLYGON))
    with pytest.raises(InputError, match="does not exist"):
        read_traces(tmp_path / "gone.zip")
