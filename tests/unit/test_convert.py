"""Point sets and rasters from one format to another."""

import json
import zipfile

import numpy as np
import pyarrow as pa
import pytest
import rasterio
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from typer.testing import CliRunner

from groundshift.cli.app import app
from groundshift.errors import InputError
from groundshift.io.ahead import ahead
from groundshift.io.convert import FORMATS, convert, format_of, read_parts, write_parts
from groundshift.io.convert.grid import from_grid, to_grid
from groundshift.io.convert.raster import read_raster, write_egms_tile
from groundshift.io.maps import read_map, write_dataset
from groundshift.kernels.point_codes import cell_codes
from groundshift.model.displacement import displacement_map
from groundshift.model.points import header, point_set, series

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")

DATES = np.datetime64("2020-01-03") + 6 * np.arange(40)


def points(count=30):
    random = np.random.default_rng(1)
    moved = random.normal(0, 5, (count, 40)).astype(np.float32)
    moved[2, 3] = np.nan
    columns = {
        "pid": [f"3ODTn{i:05d}" for i in range(count)], "easting": 4.5e6 + random.uniform(0, 1e4, count),
        "northing": 2.7e6 + random.uniform(0, 1e4, count), "height": np.append(np.nan, random.normal(0, 9, count - 1)),
        "los_east": np.full(count, -0.62), "los_north": np.full(count, -0.1), "los_up": np.full(count, 0.778),
        "line": np.arange(count), "displacement": moved,
    }  # fmt: skip
    return point_set(
        columns, level="L2a", dates=DATES, crs="EPSG:3035", track=88, frame="0282_IW2_VV", provenance={"seed": 1}
    )


def cells():
    random = np.random.default_rng(2)
    rows, cols = np.unravel_index(random.permutation(70)[:40], (7, 10))
    east, north = 4_597_050.0 + 100 * cols, 1_739_050.0 + 100 * rows
    columns = {
        "pid": cell_codes(east, north, producer="GAF"), "easting": east, "northing": north,
        "mean_velocity": random.normal(0, 5, 40), "displacement": random.normal(0, 5, (40, 40)).astype(np.float32),
    }  # fmt: skip
    return point_set(columns, level="L3", component="E", dates=DATES, crs="EPSG:3035", frame="E45N17")


def same(a, b):
    assert a.schema.equals(b.schema)
    assert a.schema.metadata == b.schema.metadata
    a, b = a.sort_by("pid"), b.sort_by("pid")
    for name in set(a.column_names) - {"displacement"}:
        assert str(a[name].to_pylist()) == str(b[name].to_pylist()), name
    np.testing.assert_array_equal(series(a), series(b))


def whole(path, **options):
    return pa.concat_tables(read_parts(path, **options))


@pytest.mark.parametrize("suffix", [".parquet", ".gpkg", ".geojson"])
@pytest.mark.parametrize("make", [points, cells])
def test_formats_for_points_keep_everything(tmp_path, make, suffix):
    table = make()
    path = write_parts(tmp_path / f"points{suffix}", [table.slice(0, 7), table.slice(7)])
    same(whole(path), table)
    same(whole(write_parts(tmp_path / f"none{suffix}", [table.slice(0, 0)])), table.slice(0, 0))


def test_a_grid_keeps_everything_as_netcdf(tmp_path):
    same(whole(write_parts(tmp_path / "cells.nc", [cells()])), cells())
    with xr.open_dataset(tmp_path / "cells.nc", engine="h5netcdf") as dataset:
        assert dict(dataset.sizes) | {"y": 7, "x": 10, "time": 40} == dict(dataset.sizes)
        assert dataset["displacement"].attrs["units"] == "mm"
        cell = cells().slice(3, 1)
        here = dataset.sel(x=cell["easting"][0].as_py(), y=cell["northing"][0].as_py())
        np.testing.assert_array_equal(here["displacement"], series(cell)[0])


def test_a_grid_as_geotiff_has_its_fields_but_no_series(tmp_path):
    path = write_parts(tmp_path / "cells.tif", [cells()])
    with rasterio.open(path) as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.descriptions[2] == "mean_velocity"
        assert file.units[2] == "mm/yr"
        x, y = (cells()[name][5].as_py() for name in ("easting", "northing"))
        assert next(file.sample([(x, y)]))[2] == cells()["mean_velocity"][5].as_py()
    with pytest.raises(InputError, match="holds no series"):
        whole(path)
    convert(path, tmp_path / "fields.nc")
    xr.testing.assert_equal(read_raster(tmp_path / "fields.nc").compute(), read_raster(path))


def test_the_geotiff_of_egms_is_a_tile(tmp_path):
    path = write_parts(tmp_path / "EGMS_L3_E45N17_100km_E_2020_2024_1.tiff", [cells()])
    with rasterio.open(path) as file:
        assert (file.shape, file.dtypes, file.nodata, file.crs.to_epsg()) == ((1000, 1000), ("float32",), -9999, 3035)
        assert file.transform == Affine(100, 0, 4_500_000, 0, -100, 1_800_000)
        assert (file.read(1) != -9999).sum() == 40
    read = read_raster(path)
    x, y = (cells()[name][5].as_py() for name in ("easting", "northing"))
    assert float(read["mean_velocity"].sel(x=x, y=y)) == cells()["mean_velocity"][5].as_py()
    assert int(np.isfinite(read["mean_velocity"]).sum()) == 40
    convert(path, tmp_path / "again.tiff", to="egms-tiff")
    assert (tmp_path / "again.tiff").read_bytes() == path.read_bytes()


def test_a_tile_may_have_other_cells_in_another_crs(tmp_path):
    places = np.array([200_025.0, 209_975.0]), np.array([5_009_975.0, 5_000_025.0])
    path = tmp_path / "tile.tiff"
    write_egms_tile(path, *places, np.array([1.5, np.nan]), crs="EPSG:32633", cell=50.0, tile=10_000.0)
    with rasterio.open(path) as file:
        assert (file.shape, file.crs.to_epsg()) == ((200, 200), 32633)
        assert file.transform == Affine(50, 0, 200_000, 0, -50, 5_010_000)
        assert file.read(1)[0, 0] == 1.5
        assert (file.read(1) == -9999).sum() == 200**2 - 1


def test_grids_that_are_none_are_refused(tmp_path):
    with pytest.raises(InputError, match="30 points of L2a make no raster"):
        write_parts(tmp_path / "points.nc", [points()])
    table = cells()
    other = {name: table[name].to_numpy() for name in ("pid", "easting", "northing")} | {"displacement": series(table)}
    kinds = {"level": "L3", "component": "E", "dates": DATES, "crs": "EPSG:3035"}
    with pytest.raises(InputError, match="centres of cells"):
        to_grid(point_set(other | {"easting": other["easting"] + np.arange(40)}, **kinds))
    with pytest.raises(InputError, match="two points lie in one cell"):
        to_grid(point_set(other | {"easting": np.full(40, 4_597_050.0)}, **kinds))
    far = point_set(other | {"easting": other["easting"] + 1e5 * (np.arange(40) == 0)}, **kinds)
    with pytest.raises(InputError, match="lie in several tiles"):
        write_parts(tmp_path / "far.tiff", [far], to="egms-tiff")
    same(from_grid(to_grid(far)), far)
    assert not list(tmp_path.iterdir())


def test_maps_go_through_netcdf(tmp_path):
    random = np.random.default_rng(0)
    layers = {name: random.normal(0, 1, (30, 40)).astype(np.float32) for name in ("east", "north")}
    layers |= {f"{name}_sigma": np.full((30, 40), 0.1, np.float32) for name in ("east", "north")}
    attributes = {
        "date_pre": "2020-01-01", "date_post": "2020-02-01", "method": "frequency", "source_pre": "a",
        "source_post": "b", "software": "groundshift", "configuration_hash": "0", "options": {"window": [32, 32]},
    }  # fmt: skip
    layers |= {"quality": np.ones((30, 40), np.float32), "reason": np.zeros((30, 40), np.uint8)}
    grid = GeoBox((30, 40), Affine(10, 0, 5e5, 0, -10, 4e6), "EPSG:32611")
    dataset = displacement_map(layers, grid, attributes)
    write_dataset(tmp_path / "map.tif", dataset)
    convert(tmp_path / "map.tif", tmp_path / "map.nc")
    convert(tmp_path / "map.nc", tmp_path / "again.tif")
    xr.testing.assert_identical(read_map(tmp_path / "again.tif"), read_map(tmp_path / "map.tif"))
    for name in ("map.nc", "map.tif"):
        with pytest.raises(InputError, match=rf"{name} is a displacement map and .*gpkg is for points; a map goes to"):
            convert(tmp_path / name, tmp_path / "map.gpkg")


def test_a_file_of_another_program_is_understood_by_its_columns(tmp_path):
    path = write_parts(tmp_path / "EGMS_L2a_088_0282_IW2_VV_2020_2020_1.geojson", [points()])
    record = json.loads(path.read_text())
    record["description"] = "points from a friend"
    for feature in record["features"]:
        feature["properties"]["height_ortho"] = feature["properties"].pop("height")
    path.write_text(json.dumps(record))
    table = whole(path)
    assert header(table).track == 88
    assert header(table).provenance == {"source": str(path)}
    same(table.replace_schema_metadata(points().schema.metadata), points())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.gpkg", "text", "cannot be read as a vector file"),
        ("a.geojson", "{", "cannot be read as a vector file"),
        ("a.geojson", '{"type": "FeatureCollection", "features": []}', "line 1"),
        ("a.nc", "text", "cannot be read as NetCDF"),
        ("a.parquet", "text", "cannot be read as Parquet"),
        ("a.txt", "text", "has the suffix '.txt'; expected one of"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        whole(tmp_path / name)
    with pytest.raises(InputError, match=r"is no file|has the suffix"):
        whole(tmp_path / f"none{name[1:]}")


def test_formats_are_known_by_their_suffix(tmp_path):
    for name, each in FORMATS.items():
        if name != "egms-tiff":
            assert {format_of(f"a{suffix}") for suffix in each.suffixes} == {name}
    assert format_of("EGMS_L3_E45N17_100km_E.tiff") == "egms-tiff"
    assert format_of("folder") == "egms"
    with pytest.raises(InputError, match="format 'xls' is not known"):
        write_parts(tmp_path / "a", [points()], to="xls")
    with pytest.raises(InputError, match="is the source too"):
        convert(write_parts(tmp_path / "a.parquet", [points()]), tmp_path / "a.parquet")


def test_the_commands_convert_and_compute(tmp_path):
    path = write_parts(tmp_path / "points.parquet", [points()])
    result = CliRunner().invoke(app, ["convert", str(path), "-o", str(tmp_path / "out"), "--dialect", "newer"])
    stem = "EGMS_L2a_088_0282_IW2_VV_2020_2020_1"
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(tmp_path / "out" / f"{stem}.zip") as archive:
        assert b"rmse_ts" in archive.read(f"{stem}.csv")
    result = CliRunner().invoke(app, ["fields", str(path), "-o", str(tmp_path / "f.gpkg")])
    assert result.exit_code == 0, result.output
    assert np.isfinite(whole(tmp_path / "f.gpkg")["rmse"].to_numpy()).all()


def test_reading_ahead_keeps_order_errors_and_ends():
    assert list(ahead(range(50))) == list(range(50))

    def failing():
        yield 1
        raise InputError("broken")

    items = ahead(failing())
    assert next(items) == 1
    with pytest.raises(InputError, match="broken"):
        next(items)
    closed = []

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    items = ahead(endless())
    next(items)
    items.close()
    assert closed == [True]
