"""Maps in one projection on a grid in another: their axes are turned against each other by the grid convergence."""

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from groundshift.errors import InputError
from groundshift.grid.axes import axes_turn
from groundshift.grid.tiles import Box
from groundshift.model.displacement import displacement_map
from groundshift.optical.compare import compare_maps
from groundshift.products.fuse import Interval, OpticalMap, fuse, fuse_series
from groundshift.products.fuse.config import SourceErrors

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
