"""Images and projections where longitudes jump from 180 to -180 degrees."""

import numpy as np
import pytest
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from groundshift.grid.axes import axes_turn
from groundshift.grid.common import common_grid
from groundshift.grid.tiles import Box
from groundshift.io import AlignedImage, open_image

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")


def in_degrees(west, shape=(120, 160), side=1e-4):
    return GeoBox(shape, Affine(side, 0, west, 0, -side, -17.0), "EPSG:4326")


def read(image, grid):
    return AlignedImage(image, grid).read(Box(0, 0, *grid.shape)).values


@pytest.mark.parametrize("west", [179.992, -180.008])
def test_an_image_across_180_degrees_is_read_as_elsewhere(west):
    values = np.random.default_rng(0).normal(1000, 200, (120, 160)).astype(np.float32)
    there, elsewhere = in_degrees(west), in_degrees(176.992)  # 177 is the middle of the zone, as 180 is its edge
    found, expected = (read(open_image((values, grid)), common_grid(grid, grid).grid) for grid in (there, elsewhere))
    assert np.isfinite(found).mean() == pytest.approx(np.isfinite(expected).mean(), abs=0.05)
    assert np.isfinite(found[:, found.shape[1] // 2 :]).mean() > 0.75
    assert np.isfinite(found[:, : found.shape[1] // 2]).mean() > 0.75


def test_longitudes_from_0_to_360_and_from_minus_180_to_180_are_the_same():
    values = np.random.default_rng(1).normal(1000, 200, (120, 160)).astype(np.float32)
    one, other = (open_image((values, in_degrees(west))) for west in (190.0, -170.0))
    grid = common_grid(one.grid, other.grid).grid
    np.testing.assert_allclose(read(one, grid), read(other, grid), rtol=1e-6)
    assert np.isfinite(read(one, grid)).mean() > 0.8


def test_east_is_east_across_180_degrees():
    x, y = CRS("EPSG:4326").transformer_to_crs(CRS("EPSG:32701"))(180.0, -17.0)
    grid = GeoBox((32, 64), Affine(100, 0, x - 3_200, 0, -100, y), "EPSG:32701")
    turn = axes_turn("EPSG:4326", grid, Box(0, 0, 32, 64))
    assert turn.cosine.min() > 0.99
