"""Bringing an image onto the common grid."""

import pickle

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from groundshift.grid.common import common_grid
from groundshift.grid.tiles import Box, tile_plan
from groundshift.io import AlignedImage, open_image
from groundshift.model.reason import Reason

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")

SHAPE = (140, 160)


def utm(left=500000.0, top=4600000.0, resolution=10.0, shape=SHAPE, crs="EPSG:32611"):
    return GeoBox(shape, Affine(resolution, 0, left, 0, -resolution, top), crs)


def whole(grid):
    return Box(0, 0, *grid.shape)


def noise(shape=SHAPE, seed=4):
    return np.random.default_rng(seed).normal(1000, 200, shape).astype(np.float32)


def waves(grid, crs="EPSG:32611"):
    """A scene of smooth waves, given by where it is on the ground, at the pixel centres of a grid."""
    col, row = np.meshgrid(np.arange(grid.shape.x) + 0.5, np.arange(grid.shape.y) + 0.5)
    x, y = grid.affine @ (col, row)
    if grid.crs != crs:
        x, y = grid.crs.transformer_to_crs(GeoBox((1, 1), Affine.identity(), crs).crs)(x, y)
    x, y = x - 500000, y - 4600000
    return np.sin(x / 21) * np.cos(y / 26) + 0.5 * np.sin((x + 2 * y) / 90)


def test_same_lattice_is_read_exactly():
    values = noise()
    values[30, 40] = np.nan
    image = open_image((values, utm()))
    aligned = AlignedImage(image, utm(500070, 4599950, shape=(100, 100)))
    pixels = aligned.read(Box(0, 0, 100, 100))
    np.testing.assert_array_equal(pixels.values, values[5:105, 7:107])
    assert "read as it is, from row 5 and column 7" in aligned.describe()
    assert (aligned.name, aligned.inputs, aligned.fingerprint()) == (image.name, (), image.fingerprint())


@pytest.mark.parametrize("shift", [(3.3, -4.1), (0.05, 0.0), (5.0, 5.0), (-7.7, 2.5)])
def test_subpixel_shift(shift):
    image = open_image((waves(utm()), utm()))
    grid = utm(500300 + shift[0], 4599700 - shift[1], shape=(60, 70))
    pixels = AlignedImage(image, grid).read(whole(grid))
    assert not pixels.reason.any()
    np.testing.assert_allclose(pixels.values, waves(grid), atol=4e-3)


def test_south_up_image_is_turned_exactly():
    values = noise()
    south_up = GeoBox(SHAPE, Affine(10, 0, 500000, 0, 10, 4600000 - 10 * SHAPE[0]), "EPSG:32611")
    pixels = AlignedImage(open_image((values, south_up)), utm()).read(whole(utm()))
    assert not pixels.reason.any()
    np.testing.assert_allclose(pixels.values, values[::-1], rtol=1e-6)


def test_another_zone():
    grid = utm(600000, shape=(100, 120))
    zone = utm(99000, 4610000, shape=(330, 330), crs="EPSG:32612")
    image = open_image((waves(zone), zone))
    common = common_grid(grid, zone).grid
    aligned = AlignedImage(image, common)
    pixels = aligned.read(whole(common))
    usable = pixels.reason == Reason.VALID
    assert usable.mean() > 0.5
    np.testing.assert_allclose(pixels.values[usable], waves(common)[usable], atol=4e-3)
    assert "interpolated" in aligned.describe()


def test_turned_image():
    turned = GeoBox((300, 300), utm(499500, 4600500).affine @ Affine.rotation(25), "EPSG:32611")
    grid = utm(500300, 4599300, shape=(50, 50))
    pixels = AlignedImage(open_image((waves(turned), turned)), grid).read(whole(grid))
    usable = pixels.reason == Reason.VALID
    assert usable.mean() > 0.5
    np.testing.assert_allclose(pixels.values[usable], waves(grid)[usable], atol=4e-3)


@pytest.mark.parametrize("factor", [2, 3])
def test_whole_blocks_are_averaged(factor):
    values = noise()
    grid = utm(500000, 4600000, 10 * factor, (40, 50))
    aligned = AlignedImage(open_image((values, utm())), grid)
    pixels = aligned.read(whole(grid))
    means = values[: 40 * factor, : 50 * factor].reshape(40, factor, 50, factor).mean(axis=(1, 3))
    np.testing.assert_allclose(pixels.values, means, rtol=1e-5)
    assert f"after averaging {factor} x {factor} pixels" in aligned.describe()


def test_detail_finer_than_the_grid_is_averaged_away_not_aliased():
    col = np.arange(SHAPE[1])
    fine = np.broadcast_to(np.where(col % 2 == 0, 1.0, -1.0), SHAPE)
    coarse = utm(500200, 4599800, 17, (40, 40))
    values = AlignedImage(open_image((fine, utm())), coarse).read(whole(coarse)).values
    assert np.abs(values).max() < 0.02


def test_a_pixel_is_unusable_if_a_contributor_is():
    values = noise()
    values[60, 70] = np.nan
    grid = utm(500003, 4599996, shape=(120, 130))
    reason = AlignedImage(open_image((values, utm())), grid).read(whole(grid)).reason
    rows, cols = np.nonzero(reason == Reason.NO_DATA)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (55, 64, 65, 74)
    assert len(rows) == 100
    edge = utm(500003, 4599996)
    outside = AlignedImage(open_image((values, utm())), edge).read(whole(edge)).reason == Reason.OUTSIDE
    assert outside[:4].all()
    assert not outside[4:-5, 4:-5].any()
    assert outside[:, -5:].all()


def test_averaging_keeps_the_reason():
    values = noise()
    values[21, 33] = np.nan
    grid = utm(500000, 4600000, 20, (70, 80))
    reason = AlignedImage(open_image((values, utm())), grid).read(whole(grid)).reason
    assert np.argwhere(reason).tolist() == [[10, 16]]


def test_a_box_far_outside():
    aligned = AlignedImage(open_image((noise(), utm())), utm(600003, 4600000))
    pixels = aligned.read(Box(0, 0, 30, 30))
    assert (pixels.reason == Reason.OUTSIDE).all()
    assert np.isnan(pixels.values).all()


GRIDS = {
    "same lattice": utm(500050, 4599940, shape=(120, 130)),
    "subpixel": utm(500003.7, 4599991.2, shape=(130, 150)),
    "coarser": utm(500007, 4599990, 23, (60, 65)),
    "another zone": utm(-500, 4617300, shape=(130, 150), crs="EPSG:32612"),
}


@pytest.mark.parametrize("name", GRIDS)
def test_tiles_equal_the_whole_also_after_pickling(name):
    grid = GRIDS[name]
    values = noise()
    values[50:53, 60] = np.nan
    aligned = AlignedImage(open_image((values, utm())), grid)
    expected = aligned.read(whole(grid))
    assert (expected.reason == Reason.VALID).any()
    again = pickle.loads(pickle.dumps(aligned))
    for tile in tile_plan(grid.shape, 37):
        found = again.read(tile.box)
        np.testing.assert_array_equal(found.values, expected.values[tile.box.slices])
        np.testing.assert_array_equal(found.reason, expected.reason[tile.box.slices])


def test_track_angle_goes_only_to_the_same_north():
    image = open_image((noise(), utm()))
    object.__setattr__(image, "track_angle", 193.0)
    assert AlignedImage(image, utm(500003)).track_angle == 193.0
    assert AlignedImage(image, GRIDS["another zone"]).track_angle is None
