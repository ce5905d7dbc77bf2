"""Which grid two images are compared on."""

import numpy as np
import pyproj
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.geom import BoundingBox

from groundshift.errors import InputError, NoOverlapError
from groundshift.grid.common import common_grid, extent_on, lattice_shift, local_grid
from groundshift.grid.tiles import Box

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")


def box(left, top, shape=(300, 400), resolution=10.0, crs="EPSG:32611"):
    return GeoBox(shape, Affine(resolution, 0, left, 0, -resolution, top), crs)


FIRST = box(500000, 4600000)


def zone_12(resolution):
    """A grid of the next UTM zone that covers FIRST."""
    to_zone = pyproj.Transformer.from_crs(32611, 32612, always_xy=True)
    bounds = BoundingBox(*to_zone.transform_bounds(*FIRST.boundingbox.bbox), "EPSG:32612")
    return GeoBox.from_bbox(bounds, resolution=resolution)


def test_the_same_grid_needs_nothing():
    assert common_grid(FIRST, FIRST) == (FIRST, ())


def test_whole_pixel_shift_is_cropped_only():
    grid, log = common_grid(FIRST, box(500050, 4599970))
    assert grid == box(500050, 4599970, (297, 395))
    assert lattice_shift(FIRST, grid) == (3, 5)
    assert len(log) == 1
    assert "297 x 395 pixels of 10 m" in log[0]


def test_crs_written_differently_is_the_same_lattice():
    second = box(500050, 4599970, crs=FIRST.crs.to_wkt())
    assert common_grid(FIRST, second).grid == common_grid(FIRST, box(500050, 4599970)).grid


def test_subpixel_shift_keeps_the_lattice_of_the_first():
    grid, log = common_grid(FIRST, box(500003, 4599996))
    assert lattice_shift(FIRST, grid) is not None
    assert lattice_shift(box(500003, 4599996), grid) is None
    assert grid.boundingbox.left == 500000  # a pixel that both touch is kept
    assert "second image is resampled" in log[0]


def test_the_coarser_resolution_and_the_lattice_of_the_coarser():
    grid, log = common_grid(box(500000, 4600000, (600, 800), 5), box(500040, 4599990, (200, 200), 10))
    assert grid == box(500040, 4599990, (200, 200), 10)
    assert "first image, with pixels of 5 m, is averaged to the 10 m of the second" in log[0]
    grid, log = common_grid(FIRST, box(500040, 4599990, (600, 800), 5))
    assert lattice_shift(FIRST, grid) == (1, 4)
    assert "second image, with pixels of 5 m, is averaged to the 10 m of the first" in log[0]


def test_a_resolution_within_one_percent_is_not_changed():
    assert common_grid(FIRST, box(500000, 4600000, resolution=10.05)).grid.resolution == FIRST.resolution


def test_another_zone_is_brought_to_the_first():
    second = zone_12(10)
    grid, log = common_grid(FIRST, second)
    assert grid == FIRST
    assert log == ("the second image is brought from EPSG:32612 to EPSG:32611",)


def test_coarser_image_of_another_zone():
    grid, log = common_grid(FIRST, zone_12(30))
    assert grid.crs == FIRST.crs
    assert grid.resolution.x == pytest.approx(30, rel=0.01)
    assert "averaged to the" in log[0]


def test_degrees_go_to_the_zone_of_the_centre():
    degrees = GeoBox((300, 400), Affine(1e-4, 0, -117.02, 0, -1e-4, 41.56), "EPSG:4326")
    grid, log = common_grid(degrees, degrees)
    assert grid.crs == "EPSG:32611"
    assert 8 < grid.resolution.x < 11.2
    assert "the first image is in degrees; it is brought to EPSG:32611" in log[0]
    south = GeoBox((300, 400), Affine(1e-4, 0, 151.0, 0, -1e-4, -33.0), "EPSG:4326")
    assert common_grid(south, south).grid.crs == "EPSG:32756"


@pytest.mark.parametrize(("latitude", "crs"), [(-79.9, 32731), (-82.0, 32761), (83.9, 32631), (84.1, 32661)])
def test_degrees_near_a_pole_go_to_where_there_are_zones(latitude, crs):
    degrees = GeoBox((200, 200), Affine(1e-3, 0, 2.0, 0, -1e-4, latitude), "EPSG:4326")
    assert common_grid(degrees, degrees).grid.crs.epsg == crs


@pytest.mark.parametrize(("first", "second", "zone"), [(179.995, -180.005, 32701), (359.995, -0.005, 32631)])
def test_degrees_may_cross_180_or_count_from_0_to_360(first, second, zone):
    images = [GeoBox((150, 150), Affine(1e-4, 0, west, 0, -1e-4, -17 + 34 * (zone == 32631)), "EPSG:4326")
              for west in (first, second)]  # fmt: skip
    grid = common_grid(*images).grid
    assert grid.crs.epsg == zone
    assert 140 < grid.shape.x < 170  # both show the same ground


def test_web_mercator_metres_are_not_metres():
    mercator = GeoBox((300, 400), Affine(10, 0, -13024000, 0, -10, 5090000), "EPSG:3857")
    grid, log = common_grid(mercator, mercator)
    assert grid.crs == "EPSG:32611"
    assert grid.resolution.x == pytest.approx(10 * np.cos(np.radians(41.5)), rel=0.01)
    assert "1.34 m to a metre on the ground" in log[0]


def test_feet_go_to_metres():
    feet = GeoBox((300, 400), Affine(30, 0, 6500000, 0, -30, 1800000), "EPSG:2229")  # California 5, US survey feet
    grid, log = common_grid(feet, feet)
    assert grid.crs == "EPSG:32611"
    assert grid.resolution.x == pytest.approx(30 * 1200 / 3937, rel=0.02)
    assert "US survey foot" in log[0]


def test_polar_grid_is_kept_and_its_scale_and_north_told():
    polar = GeoBox((300, 400), Affine(15, 0, -250000, 0, -15, -1800000), "EPSG:3413")
    grid, log = common_grid(polar, polar)
    assert grid == polar
    assert any("one metre on the ground is 0.99" in line for line in log)
    assert any("turned by" in line for line in log)


def test_national_grid_with_northing_first_is_kept():
    austria = box(50000, 200000, crs="EPSG:31254")
    assert common_grid(austria, austria) == (austria, ())


def test_rotated_or_south_up_becomes_north_up():
    south_up = GeoBox((300, 400), Affine(10, 0, 500000, 0, 10, 4597000), "EPSG:32611")
    turned = GeoBox((300, 400), FIRST.affine @ Affine.rotation(20), "EPSG:32611")
    for first in (south_up, turned):
        grid, log = common_grid(first, FIRST)
        assert grid.affine.b == grid.affine.d == 0
        assert grid.affine.a == pytest.approx(10)
        assert grid.affine.e == pytest.approx(-10)
        assert "not north-up" in log[0]
    assert common_grid(south_up, FIRST).grid.boundingbox == FIRST.boundingbox


def test_area_in_the_crs_of_the_grid_and_in_degrees():
    area = BoundingBox(500103, 4598005, 500207, 4599500)
    grid, log = common_grid(FIRST, FIRST, area=area)
    assert grid == box(500100, 4599500, (150, 11))
    assert "cropped to the area asked for" in log[-1]
    to_degrees = pyproj.Transformer.from_crs(32611, 4326, always_xy=True)
    degrees = BoundingBox(*to_degrees.transform_bounds(*area.bbox), "EPSG:4326")
    found = common_grid(FIRST, FIRST, area=degrees).grid.boundingbox
    assert found.bbox == pytest.approx(grid.boundingbox.bbox, abs=25)


def test_area_is_in_the_crs_of_the_first_image_also_where_the_grid_is_in_another():
    degrees = GeoBox((400, 600), Affine(1e-4, 0, 15, 0, -1e-4, 45), "EPSG:4326")
    west, south, east, north = 15.01, 44.97, 15.04, 44.99
    found = common_grid(degrees, degrees, area=BoundingBox(west, south, east, north)).grid
    told = common_grid(degrees, degrees, area=BoundingBox(west, south, east, north, "EPSG:4326")).grid
    assert found == told
    assert found.crs.epsg == 32633
    assert found.shape.y == pytest.approx(0.02 * 111_130 / 9.36, rel=0.02)


def test_no_overlap_names_both_extents():
    with pytest.raises(
        NoOverlapError, match=r"x 500000 to 504000, y 4597000 to 4600000, the second x 510000 to 514000"
    ):
        common_grid(FIRST, box(510000, 4600000))
    with pytest.raises(NoOverlapError):
        common_grid(FIRST, box(504000, 4600000))  # they only touch
    with pytest.raises(NoOverlapError, match="the images show no ground of the area"):
        common_grid(FIRST, FIRST, area=BoundingBox(0, 0, 1, 1))
    with pytest.raises(NoOverlapError):
        common_grid(FIRST, box(500000, 4600000, crs="EPSG:32633"))  # the other side of the Earth


def test_arrays_without_place():
    grid = local_grid((30, 40), resolution=2)
    assert common_grid(grid, local_grid((50, 20), resolution=2)).grid == local_grid((30, 20), resolution=2)
    with pytest.raises(InputError, match="the other is an array without place on Earth"):
        common_grid(grid, FIRST)


def test_lattice_shift_is_strict_over_the_whole_image():
    nearly = box(500000, 4600000, resolution=10.0001)  # off by 0.004 pixel at the far end
    assert lattice_shift(FIRST, nearly) is None
    assert lattice_shift(FIRST, box(500000.001, 4600000)) == (0, 0)


def test_extent_on_the_same_lattice_and_on_another():
    grid = box(500050, 4599970, (100, 120))
    assert extent_on(FIRST, grid) == Box(-3, -5, 297, 395)
    assert extent_on(FIRST, box(500053, 4599970, (100, 120))) == Box(-3, -6, 297, 395)
    turned = GeoBox((100, 100), FIRST.affine @ Affine.translation(200, 50) @ Affine.rotation(45), FIRST.crs)
    assert extent_on(turned, FIRST) == Box(50, 129, 192, 271)  # a diagonal is 141.4 pixels
    other = zone_12(10)
    extent = extent_on(other, FIRST)
    assert max(extent.top, extent.left) <= 0 < 300 <= extent.bottom
    assert 400 <= extent.right < 460  # the zones are turned by 4 degrees
