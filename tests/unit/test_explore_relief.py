"""Relief on the explorer's map: light on slopes whose light is known, sized right wherever they lie."""

import base64
import io
import json
import re

import numpy as np
import pyproj
import pytest
import rasterio
from matplotlib.image import imread
from odc.geo.geobox import GeoBox
from reference.explorer import village

from groundshift.errors import InputError
from groundshift.explore.catalog import open_catalog
from groundshift.explore.export import export_page
from groundshift.explore.mercator import tile_bounds, to_centimetres, to_degrees
from groundshift.explore.relief import ReliefLayer, hillshade, pixel_metres
from groundshift.io.points import write_points
from groundshift.io.web import open_web_raster
from groundshift.io.write import write_image

LEVEL = np.sin(np.radians(45))


def light(east, north):
    """Of a plane that rises by so much a metre to the east and to the north, from the north-west at 45 degrees."""
    normal = np.array([-east, -north, 1]) / np.sqrt(east**2 + north**2 + 1)
    return max(normal @ [-0.5, 0.5, np.sqrt(0.5)], 0)


def tile_of(z, longitude, latitude):
    x, y = to_centimetres(longitude, latitude)
    west, _, east, north = tile_bounds(0, 0, 0)
    return int((x - west) / (east - west) * 2**z), int((north - y) / (east - west) * 2**z)


def plane(path, slopes, *, latitude, crs=None, spacing=20.0, base=300.0):
    """A raster of a plane around 15 degrees east; slopes are metres a metre of its CRS, UTM without another."""
    crs = crs or "EPSG:32633"
    x, y = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform(15.0, latitude)
    row, column = np.mgrid[:300, :300] - 149.5
    grid = GeoBox((300, 300), rasterio.Affine(spacing, 0, x - 150 * spacing, 0, -spacing, y + 150 * spacing), crs)
    write_image(path, (base + spacing * (slopes[0] * column - slopes[1] * row)).astype(np.float32), grid)
    return ReliefLayer("relief", open_web_raster(path))


def pixels(layer, z, x, y):
    return (imread(io.BytesIO(layer.picture(z, x, y))) * 255).round().astype(int)


@pytest.mark.parametrize("slopes", [(0, 0), (0.3, 0), (0, -0.5), (-0.7, 0.7), (0.2, -1.5), (2, -2)])
def test_planes_throw_back_what_they_must(slopes):
    row, column = np.mgrid[:9, :12]
    heights = 100 + 30.0 * slopes[0] * column - 20.0 * slopes[1] * row
    found = hillshade(heights, np.array(30.0), np.array(20.0))
    assert found.shape == (7, 10)
    np.testing.assert_allclose(found, light(*slopes), atol=1e-12)


def test_noise_of_one_pixel_counts_as_horn_weighs_it():
    heights = np.zeros((3, 3))
    heights[1, 2] = 8.0  # east: weight 2 of 8
    assert hillshade(heights, np.array(1.0), np.array(1.0))[0, 0] == pytest.approx(light(2, 0))
    heights = np.zeros((3, 3))
    heights[0, 0] = 8.0  # north-west: weight 1 each way
    assert hillshade(heights, np.array(1.0), np.array(1.0))[0, 0] == pytest.approx(light(-1, 1))


@pytest.mark.parametrize("latitude", [0.3, -33.0, 52.0, 69.0])
def test_pixels_are_as_large_as_on_the_ellipsoid(latitude):
    z = 12
    _, y = tile_of(z, 15.0, latitude)
    across, along = pixel_metres(z, y)
    west, south, _, north = tile_bounds(z, 0, y)
    edges = np.linspace(north, south, 257)
    longitude, latitudes = to_degrees(np.full(257, west), edges)
    _, middles = to_degrees(np.full(256, west), (edges[1:] + edges[:-1]) / 2)
    geod = pyproj.Geod(ellps="WGS84")
    height = geod.inv(longitude[:-1], latitudes[:-1], longitude[:-1], latitudes[1:])[2]
    step = np.full(256, 360 / 2**z / 256)
    width = geod.inv(np.zeros(256), middles, step, middles)[2]
    np.testing.assert_allclose(along[:, 0], height, rtol=2e-6)
    np.testing.assert_allclose(across[:, 0], width, rtol=2e-6)


@pytest.mark.parametrize("latitude", [0.5, 47.0, 69.0])
@pytest.mark.parametrize("slopes", [(0.4, 0), (0, 0.4), (-0.3, -0.5)])
def test_a_slope_is_as_steep_at_any_latitude(tmp_path, latitude, slopes):
    layer = plane(tmp_path / "dem.tif", slopes, latitude=latitude)
    found = pixels(layer, 14, *tile_of(14, 15.0, latitude))
    inside = found[found[..., 3] == 255][:, 0]
    assert len(inside) > 2000
    assert abs(np.median(inside) - 255 * light(*slopes)) < 1.5
    assert np.percentile(np.abs(inside - 255 * light(*slopes)), 90) < 3
    if latitude == 69.0 and slopes == (0.4, 0):  # taken for as large as at the equator it would be this flat
        assert abs(light(0.4 * np.cos(np.radians(69)), 0) - light(0.4, 0)) * 255 > 15


def test_degrees_are_no_metres(tmp_path):
    metres = 111_132.9 * np.cos(np.radians(60.0))  # of a degree of longitude, within half a percent
    layer = plane(tmp_path / "dem.tif", (0.5 * metres, 0), latitude=60.0, crs="EPSG:4326", spacing=1e-4)
    found = pixels(layer, 14, *tile_of(14, 15.0, 60.0))
    inside = found[found[..., 3] == 255][:, 0]
    assert abs(np.median(inside) - 255 * light(0.5, 0)) < 2


def test_tiles_meet_without_a_seam_and_end_where_the_heights_end(tmp_path):
    row, column = np.mgrid[:200, :200]
    x, y = pyproj.Transformer.from_crs(4326, 32633, always_xy=True).transform(15.0, 47.0)
    grid = GeoBox((200, 200), rasterio.Affine(30, 0, x - 3000, 0, -30, y + 3000), "EPSG:32633")
    heights = 500 + 200 * np.sin(column / 9) * np.cos(row / 11)
    heights[:20] = np.nan
    write_image(tmp_path / "dem.tif", heights.astype(np.float32), grid)
    layer = ReliefLayer("relief", open_web_raster(tmp_path / "dem.tif"))
    x, y = tile_of(13, 15.0, 47.0)
    # Nine tiles side by side: no row or column may stand out where they meet.
    rows = [np.concatenate([pixels(layer, 13, x + j, y + i) for j in (-1, 0, 1)], axis=1) for i in (-1, 0, 1)]
    whole = np.concatenate(rows)
    there = whole[..., 3] == 255
    grey = np.ma.masked_array(whole[..., 0].astype(float), ~there)
    for axis in (0, 1):
        steps = abs(np.ma.diff(grey, axis=axis)).mean(axis=1 - axis)
        assert (steps[[255, 511]].compressed() < 1.6 * np.ma.median(steps)).all()
    metres = (40_075_017 * np.cos(np.radians(47)) / 256 / 2**13) ** 2
    assert there.sum() * metres == pytest.approx(180 * 200 * 900, rel=0.03)
    assert not pixels(layer, 13, x + 40, y)[..., 3].any()


def test_heights_are_told_above_the_lowest_to_a_few_millimetres(tmp_path):
    layer = plane(tmp_path / "dem.tif", (0.3, 0.1), latitude=47.0, base=2000.0)
    lowest = layer.describe()["lowest"]
    assert lowest == np.floor(2000 - 20 * 149.5 * 0.4)
    z, (x, y) = 14, tile_of(14, 15.0, 47.0)
    pixels = (imread(io.BytesIO(layer.heights(z, x, y))) * 255).round()
    found = pixels[..., 0] * 256 + pixels[..., 1] + pixels[..., 2] / 256 - 32_768
    west, south, east, north = tile_bounds(z, x, y)
    side = (np.arange(256) + 0.5) / 256
    longitude, latitude = to_degrees(*np.meshgrid(west + side * (east - west), north - side * (north - south)))
    middle, there = (pyproj.Transformer.from_crs(4326, 32633, always_xy=True).transform(*each)
                     for each in ((15.0, 47.0), (longitude, latitude)))  # fmt: skip
    expected = 2000 + 0.3 * (there[0] - middle[0]) + 0.1 * (there[1] - middle[1]) - lowest
    assert np.abs(found - expected).max() < 0.3  # GDAL knows where a pixel lies to an eighth of a pixel
    assert np.abs(found - expected).mean() < 0.05
    far = (imread(io.BytesIO(layer.heights(z, x + 60, y))) * 255).round()
    assert np.unique(far.reshape(-1, 4), axis=0).tolist() == [[128, 0, 0, 255]]  # level ground beyond


def test_heights_in_feet_are_refused(tmp_path):
    plane(tmp_path / "dem.tif", (0, 0), latitude=47.0)
    with rasterio.open(tmp_path / "dem.tif", "r+") as dataset:
        dataset.set_band_unit(1, "foot")
    with pytest.raises(InputError, match="expected metres"):
        ReliefLayer("relief", open_web_raster(tmp_path / "dem.tif"))


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("relief")
    write_points(folder / "points.parquet", village(300))
    column = np.tile(np.arange(100), (100, 1))
    grid = GeoBox((100, 100), rasterio.Affine(30, 0, 4_319_500, 0, -30, 3_211_500), "EPSG:3035")
    write_image(folder / "dem.tif", (100 + 60 * np.sin(column / 8)).astype(np.float32), grid)
    return folder


def test_a_raster_of_heights_is_relief_only_where_it_is_called_so(sources):
    catalog = open_catalog([sources / "points.parquet"], relief=sources / "dem.tif")
    kinds = [layer["kind"] for layer in catalog.describe()]
    assert kinds == ["points", "relief"]  # the last of the list: points are what is looked at first
    catalog.close()
    catalog = open_catalog([sources / "points.parquet", sources / "dem.tif"])
    assert sorted(layer["kind"] for layer in catalog.describe()) == ["image", "points"]
    catalog.close()
    with pytest.raises(InputError, match="does not exist"):
        open_catalog([sources / "points.parquet"], relief=sources / "none.tif")


def test_an_export_has_the_same_relief(sources, tmp_path):
    export_page([sources / "points.parquet"], tmp_path / "page", relief=sources / "dem.tif")
    api = tmp_path / "page/api"
    record = json.loads(base64.b64decode(re.search(r',"(.*)"', (api / "catalog.json.js").read_text()).group(1)))
    entry = next(each for each in record["layers"] if each["kind"] == "relief")
    z = entry["max_zoom"]
    assert 30 / 2 < 40_075_017 * np.cos(np.radians(52)) / 256 / 2**z < 30  # metres of a pixel of a picture
    x, y = tile_of(z, 10.0, 52.0)
    layer = ReliefLayer("dem", open_web_raster(sources / "dem.tif"))
    name = f"api/layers/{entry['id']}/tiles/image/{z}/{x}/{y}.png"
    for path, made in ((name, layer.picture(z, x, y)), (name.replace("image", "height"), layer.heights(z, x, y))):
        handed = re.fullmatch(r'groundshift\("(.*)","(.*)"\)', (tmp_path / "page" / f"{path}.js").read_text())
        assert handed.group(1) == path
        assert base64.b64decode(handed.group(2)) == made
