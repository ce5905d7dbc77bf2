"""Every kind of file is told by what it is."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS

from groundshift.errors import InputError
from groundshift.io import write_image
from groundshift.io.convert import write_parts
from groundshift.io.describe import describe_file
from groundshift.io.features import Features, write_features
from groundshift.io.gnss.table import write_station_table
from groundshift.io.points import write_points
from groundshift.io.radar_stack import write_stack
from groundshift.model.points import point_set
from groundshift.model.stations import build_velocities
from groundshift.synth.radar.options import StackOptions
from groundshift.synth.radar.stack import simulate_stack


def test_points_stations_and_stacks_are_described(tmp_path):
    columns = {"pid": ["a", "b"], "easting": [4e6, 4e6 + 50], "northing": [3e6, 3e6], "displacement": np.zeros((2, 3))}
    dates = ["2020-01-01", "2020-01-07", "2020-01-13"]
    write_points(
        tmp_path / "points.parquet", point_set(columns, level="L3", component="U", dates=dates, crs="EPSG:3035")
    )
    assert "point set L3 (Ortho), U, 2 points, 3 dates" in describe_file(tmp_path / "points.parquet")
    velocities = build_velocities(
        ["A", "B"], [45, 46], [10, 11], np.ones((2, 3)), sigma=np.ones((2, 3)), frame="ITRF2020", source="made up"
    )
    write_station_table(tmp_path / "stations.csv", velocities)
    said = describe_file(tmp_path / "stations.csv")
    assert "velocities of 2 stations, frame ITRF2020" in said
    assert said.count("mm/yr") == 6
    write_station_table(tmp_path / "stations.csv", replace(velocities, quantity="displacement"))
    said = describe_file(tmp_path / "stations.csv")
    assert "displacements of 2 stations" in said
    assert "median 1.00, 1.00 to 1.00 mm, median sigma 1.00 mm" in said
    (tmp_path / "bad.csv").write_text((tmp_path / "stations.csv").read_text().replace("displacement", "weight"))
    with pytest.raises(InputError, match="holds the quantity 'weight'"):
        describe_file(tmp_path / "bad.csv")
    made = simulate_stack(StackOptions(lines=16, pixels=24, dates=5, orbit="descending"))
    write_stack(tmp_path / "stack.zarr", made.stack)
    said = describe_file(tmp_path / "stack.zarr")
    assert "radar stack, 5 dates" in said
    assert "16 lines x 24 pixels" in said
    assert "descending track 66" in said


def test_a_table_of_stations_without_frame_asks_for_one(tmp_path):
    (tmp_path / "s.csv").write_text(
        "name,latitude,longitude,east,north,up,sigma_east,sigma_north,sigma_up\nA,1,2,3,4,5,1,1,1\n"
    )
    with pytest.raises(InputError, match="--frame"):
        describe_file(tmp_path / "s.csv")
    assert "frame ITRF2014" in describe_file(tmp_path / "s.csv", frame="ITRF2014")


def test_vector_files_are_points_or_other_features(tmp_path):
    columns = {"pid": ["a", "b"], "easting": [4e6, 4e6 + 50], "northing": [3e6, 3e6], "displacement": np.zeros((2, 3))}
    dates = ["2020-01-01", "2020-01-07", "2020-01-13"]
    write_parts(tmp_path / "points.gpkg", [point_set(columns, level="L3", component="U", dates=dates, crs="EPSG:3035")])
    assert "point set L3 (Ortho), U, 2 points, 3 dates" in describe_file(tmp_path / "points.gpkg")
    lines = np.array([shapely.LineString([(10, 45), (11, 46)]), shapely.LineString([(10, 46), (11, 47)])])
    write_features(tmp_path / "Bahn.gpkg", Features(lines, pa.table({"railway": ["rail"] * 2}), CRS("EPSG:4326")))
    assert describe_file(tmp_path / "Bahn.gpkg") == "features: 2 LineString, WGS 84\nattributes: railway"


def test_an_image_in_degrees_has_pixels_of_degrees(tmp_path):
    grid = GeoBox((40, 50), Affine(0.001, 0, 10, 0, -0.001, 45), "EPSG:4326")
    write_image(tmp_path / "a.tif", np.arange(2000.0).reshape(40, 50), grid)
    assert "40 x 50 pixels of 0.001 degrees, EPSG:4326" in describe_file(tmp_path / "a.tif")
