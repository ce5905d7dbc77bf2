"""Maps in one projection on a grid in another: their axes are turned against each other by the grid convergence."""

import numpy as np
import pyarrow as pa
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer

from groundshift.errors import InputError
from groundshift.grid.axes import axes_turn, true_axes
from groundshift.grid.tiles import Box
from groundshift.io.features import Features
from groundshift.model.displacement import displacement_map
from groundshift.model.points import point_set
from groundshift.model.stations import build_series, build_velocities
from groundshift.optical.compare import compare_maps
from groundshift.products.fuse import Interval, OpticalMap, RadarPoints, Stations, fuse, fuse_series
from groundshift.products.fuse.config import SourceErrors
from groundshift.validate.checks import check_offsets

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")

DAYS = {"start": "2020-01-01", "end": "2020-01-13"}
PLACE = (12.0, 45.0)  # degrees: between zones 32 (middle 9 E) and 33 (15 E)
ANGLE = np.radians(6) * np.sin(np.radians(PLACE[1]))  # of the meridians of the zones, to first order


def grid_in(zone, count=24, cell=100.0, place=PLACE):
    x, y = Transformer.from_crs("EPSG:4326", f"EPSG:{zone}", always_xy=True).transform(*place)
    left, top = np.round([x - count * cell / 2, y + count * cell / 2])
    return GeoBox((count, count), Affine(cell, 0, left, 0, -cell, top), f"EPSG:{zone}")


def northward(zone, days=("2020-01-01", "2020-01-13"), count=60, sigma=(0.001, 0.003), **options):
    """One metre toward grid north."""
    grid = grid_in(zone, count, **options)
    names = ("east", "north", "east_sigma", "north_sigma", "quality")
    layers = {name: np.full(grid.shape, value) for name, value in zip(names, (0, 1, *sigma, 1), strict=True)}
    attributes = dict.fromkeys(("method", "source_pre", "source_post", "software", "configuration_hash"), "made")
    attributes |= {"date_pre": days[0], "date_post": days[1]}
    return displacement_map({**layers, "reason": np.zeros(grid.shape, np.uint8)}, grid, attributes)


def test_the_turn_is_the_difference_of_convergences():
    grid = grid_in(32633, 50)
    turn = axes_turn("EPSG:32632", grid, Box(7, 3, 41, 50))
    east, north = turn.vector(np.zeros((34, 47)), np.ones((34, 47)))
    np.testing.assert_allclose(np.arctan2(east, north), ANGLE, rtol=0.005)
    rows, cols = np.mgrid[7:41, 3:50] + 0.5
    x, y = grid.affine @ (cols, rows)
    there = Transformer.from_crs("EPSG:32632", "EPSG:32633", always_xy=True)
    x0, y0 = there.transform(x, y, direction="INVERSE")
    x1, y1 = there.transform(x0, y0 + 1)  # a step of 1 m to the north of zone 32, in zone 33
    np.testing.assert_allclose(np.arctan2(east, north), np.arctan2(x1 - x, y1 - y), atol=2e-8)


def test_degrees_have_the_axes_of_the_ellipsoid():
    grid = grid_in(32633)
    turn = axes_turn("EPSG:4326", grid, Box(0, 0, 24, 24))
    np.testing.assert_allclose(np.arctan2(turn.sine, turn.cosine), ANGLE / 2, rtol=0.01)


def test_places_have_the_turn_of_their_pixels():
    grid, box = grid_in(32633), Box(0, 0, 24, 24)
    rows, cols = np.mgrid[box.slices] + 0.5
    for one, other in zip(
        true_axes(grid.crs, *(grid.affine @ (cols, rows))), axes_turn("EPSG:4326", grid, box), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-6)
    turn = true_axes("EPSG:32633", *Transformer.from_crs("EPSG:4326", "EPSG:32633", always_xy=True).transform(*PLACE))
    np.testing.assert_allclose(turn.outward(*turn.vector(0.3, -0.7)), (0.3, -0.7), atol=1e-12)
    plain = true_axes("EPSG:4326", np.array([12.0]), np.array([45.0]))
    assert (plain.cosine.tolist(), plain.sine.tolist()) == ([1.0], [0.0])


def northward_station(days=None):
    """One metre toward true north, in the middle of the grid: at once, or in a year."""
    common = {"frame": "local", "source": "made"}
    if days is None:
        return Stations(
            build_velocities(
                ["A"], [PLACE[1]], [PLACE[0]], [[0, 1000, 0]], sigma=[[1, 3, 2]], quantity="displacement", **common
            )
        )
    north = 1000 * np.arange(len(days)) / (len(days) - 1)
    motion = np.stack([0 * north, north, 0 * north], axis=1)
    return Stations([build_series("A", PLACE[1], PLACE[0], days, motion, np.tile([1, 3, 2], (len(days), 1)), **common)])


def test_stations_move_toward_true_north():
    grid, box = grid_in(32633, 3), Box(0, 0, 3, 3)
    found = northward_station().channels(grid, box, Interval("displacement"))
    motion = sum(each.value[1, 1] * each.look[:, 1, 1] for each in found)
    np.testing.assert_allclose(motion, (np.sin(ANGLE / 2), np.cos(ANGLE / 2), 0), atol=1e-4)
    covariance = sum(each.variance[1, 1] * np.outer(each.look[:, 1, 1], each.look[:, 1, 1]) for each in found)
    assert covariance[0, 1] == pytest.approx(4e-6 * np.sin(ANGLE), rel=0.01)

    days = np.datetime64("2020-01-01") + np.arange(0, 361, 12)
    series = northward_station(days).over_time(grid, box, days[[0, -1]])
    walked = series.value[1, :, 1, 1] - series.value[0, :, 1, 1]
    np.testing.assert_allclose(walked, (np.sin(ANGLE / 2), np.cos(ANGLE / 2), 0), atol=1e-4)
    sine = np.sin(ANGLE / 2) ** 2
    wanted = (1 - sine + 9 * sine) / (9 * (1 - sine) + sine)
    assert series.variance[0, 0, 1, 1] / series.variance[0, 1, 1, 1] == pytest.approx(wanted, rel=1e-3)


def test_looks_of_radar_are_true():
    grid, box = grid_in(32633, 3), Box(0, 0, 3, 3)
    x, y = grid.affine @ (1.5, 1.5)
    table = point_set(
        {
            "pid": ["a"], "easting": [x], "northing": [y], "los_east": [0.0], "los_north": [0.8], "los_up": [0.6],
            "displacement": [[0.0, 10.0]], "rmse": [1.0],
        },
        level="L2a", dates=["2020-01-01", "2020-01-13"], crs="EPSG:32633", track=1, provenance={"source": "made"},
    )  # fmt: skip
    days = Interval("displacement", *(np.datetime64(each) for each in DAYS.values()))
    (look,) = (each.look[:, 1, 1] for each in RadarPoints(table).channels(grid, box, days))
    np.testing.assert_allclose(look, (0.8 * np.sin(ANGLE / 2), 0.8 * np.cos(ANGLE / 2), 0.6), atol=1e-4)


def test_a_check_against_stations_turns_the_map():
    """Toward grid north by a metre is what stations see as that and a part to the west."""
    dataset = northward(32633)
    random = np.random.default_rng(1)
    x, y = (random.uniform(*sorted(dataset[name].values[[5, -5]]), 6) for name in ("x", "y"))
    east, north = true_axes("EPSG:32633", x, y).outward(np.zeros(6), np.ones(6))
    assert (east < -0.02).all()
    offsets = Features(
        shapely.points(x, y),
        pa.table({"east": east, "north": north, "east_sigma": np.full(6, 0.01), "north_sigma": np.full(6, 0.01)}),
        CRS("EPSG:32633"),
    )
    found = check_offsets(dataset, offsets)
    for component in ("east", "north"):
        assert abs(found.number(f"bias, {component}").value) < 1e-5


def test_a_fusion_turns_a_map_of_another_zone():
    free, grid = SourceErrors(), grid_in(32633)
    found = fuse([OpticalMap(northward(32632), free)], grid=grid, executor="serial", **DAYS)
    np.testing.assert_allclose(found["east"], np.sin(ANGLE), atol=1e-3)
    np.testing.assert_allclose(found["north"], np.cos(ANGLE), atol=1e-3)
    # errors toward north are three times those toward east: turned, they are alike by half their difference
    variance = found["east_sigma"].values ** 2, found["north_sigma"].values ** 2
    wanted = (variance[1] - variance[0]) * np.tan(2 * ANGLE) / 2
    np.testing.assert_allclose(found["east_north_covariance"], wanted, rtol=0.02)


def test_a_series_turns_a_map_of_another_zone():
    source, grid = OpticalMap(northward(32632)), grid_in(32633)
    east, north = source.along_axes(grid, Box(0, 0, 24, 24), Interval("displacement"))
    np.testing.assert_allclose(east.value, np.sin(ANGLE), atol=1e-3)
    np.testing.assert_allclose(north.value, np.cos(ANGLE), atol=1e-3)
    assert (east.look[:, 0, 0].tolist(), north.look[:, 0, 0].tolist()) == ([1, 0, 0], [0, 1, 0])
    plain = source.channels(grid, Box(0, 0, 24, 24), Interval("displacement"))
    wanted = np.cos(ANGLE) ** 2 * plain[0].variance + np.sin(ANGLE) ** 2 * plain[1].variance
    np.testing.assert_allclose(east.variance, wanted, rtol=1e-3)
    alone = northward(32632).drop_vars(["north", "north_sigma"])
    with pytest.raises(InputError, match="has not both east and north"):
        OpticalMap(alone).along_axes(grid, Box(0, 0, 24, 24), Interval("displacement"))


def test_a_comparison_turns_a_map_of_another_zone():
    found = compare_maps(northward(32633, count=24), northward(32632))
    assert found.agreement["east"].offset == pytest.approx(np.sin(ANGLE), abs=1e-3)
    assert found.agreement["north"].offset == pytest.approx(np.cos(ANGLE) - 1, abs=1e-3)


def test_sources_of_another_time_are_refused():
    grid, old = grid_in(32633), northward(32633, ("2016-03-01", "2016-04-01"))
    with pytest.raises(InputError, match="optical map is of 2016-03-01 to 2016-04-01, outside the interval from 2020"):
        fuse([OpticalMap(old)], grid=grid, executor="serial", **DAYS)
    for days in (("2019-12-01", "2020-01-05"), ("", "")):  # some of it, or not known
        fuse([OpticalMap(northward(32633, days))], grid=grid, executor="serial", **DAYS)


def test_sources_of_another_place_are_refused():
    here, there = northward(32633), northward(32633, place=(13, 45))
    with pytest.raises(InputError, match=r"optical map has nothing in the grid of the fusion, .*: leave it out"):
        fuse([OpticalMap(here), OpticalMap(there)], executor="serial", **DAYS)
    later = [northward(32633, days) for days in (("2020-01-13", "2020-02-01"), ("2020-02-01", "2020-02-13"))]
    maps = [OpticalMap(each) for each in (here, *later)]
    with pytest.raises(InputError, match="nothing in the grid"):
        fuse_series([*maps, OpticalMap(there)], executor="serial")
