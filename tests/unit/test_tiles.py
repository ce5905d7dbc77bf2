import numpy as np
import pytest

from groundshift.errors import ConfigurationError
from groundshift.grid.tiles import Box, Tile, tile_plan


def test_plan_goes_row_by_row_and_ends_with_smaller_tiles():
    assert tile_plan((3, 5), 2) == [
        Tile(0, Box(0, 0, 2, 2)),
        Tile(1, Box(0, 2, 2, 4)),
        Tile(2, Box(0, 4, 2, 5)),
        Tile(3, Box(2, 0, 3, 2)),
        Tile(4, Box(2, 2, 3, 4)),
        Tile(5, Box(2, 4, 3, 5)),
    ]


def test_plan_of_nothing_is_empty():
    assert tile_plan((0, 5), 2) == []


def test_tile_without_pixels_is_refused():
    with pytest.raises(ConfigurationError, match="give 1 or more"):
        tile_plan((3, 5), 0)


def test_box_cuts_its_pixels():
    image = np.arange(20).reshape(4, 5)
    box = Box(1, 2, 3, 5)
    assert box.shape == image[box.slices].shape == (2, 3)
    assert image[box.slices][0, 0] == image[1, 2]


def test_halo_ends_at_the_border_and_the_core_is_found_in_it():
    image = np.arange(20).reshape(4, 5)
    core = Box(1, 2, 3, 4)
    outer = core.padded(2).clipped(image.shape)
    assert outer == Box(0, 0, 4, 5)
    inside = core.shifted(-outer.top, -outer.left)
    np.testing.assert_array_equal(image[outer.slices][inside.slices], image[core.slices])


@pytest.mark.parametrize("box", [Box(-9, 0, -4, 3), Box(4, 0, 9, 3), Box(0, 7, 3, 9), Box(0, -3, 3, -1)])
def test_box_outside_the_grid_is_clipped_to_nothing(box):
    assert 0 in box.clipped((4, 5)).shape
