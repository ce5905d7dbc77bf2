"""Whatever the shift, the aligned image shows the same ground."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from groundshift.grid.common import common_grid, lattice_shift
from groundshift.grid.tiles import Box
from groundshift.io import AlignedImage, open_image
from groundshift.model.reason import Reason

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")

SHAPE = (64, 72)


def grid_at(left, top, resolution=10.0):
    return GeoBox(SHAPE, Affine(resolution, 0, left, 0, -resolution, top), "EPSG:32611")


def waves(grid):
    col, row = np.meshgrid(np.arange(grid.shape.x) + 0.5, np.arange(grid.shape.y) + 0.5)
    x, y = grid.affine @ (col, row)
    return np.sin((x - 500000) / 30) + np.cos((y - 4600000) / 24)


shifts = st.floats(-250, 250, allow_nan=False)


@settings(deadline=None, max_examples=60)
@given(dx=shifts, dy=shifts)
def test_shifted_image_shows_the_same_ground(dx, dy):
    first, second = grid_at(500000, 4600000), grid_at(500000 + dx, 4600000 + dy)
    common = common_grid(first, second).grid
    box = Box(0, 0, *common.shape)
    assert lattice_shift(first, common) is not None
    pixels = AlignedImage(open_image((waves(second), second)), common).read(box)
    usable = pixels.reason == Reason.VALID
    np.testing.assert_allclose(pixels.values[usable], waves(common)[usable], atol=4e-3)
    assert usable[6:-6, 6:-6].all()
    assert set(np.unique(pixels.reason)) <= {Reason.VALID, Reason.OUTSIDE}


@settings(deadline=None, max_examples=40)
@given(rows=st.integers(-70, 70), cols=st.integers(-80, 80), seed=st.integers(0, 9))
def test_whole_pixel_shift_is_exact(rows, cols, seed):
    values = np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)
    image = open_image((values, grid_at(500000, 4600000)))
    aligned = AlignedImage(image, grid_at(500000 + 10 * cols, 4600000 - 10 * rows))
    box = Box(0, 0, *SHAPE)
    found, expected = aligned.read(box), image.read(box.shifted(rows, cols))
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.reason, expected.reason)
