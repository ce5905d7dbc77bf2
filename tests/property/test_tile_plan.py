import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from groundshift.grid.tiles import Box, tile_plan

sides = st.integers(1, 70)
offsets = st.integers(-90, 90)


@given(sides, sides, st.integers(1, 80), st.integers(0, 90))
def test_tiles_cover_every_pixel_once_and_keep_it_in_their_halo(rows, columns, size, halo):
    covered = np.zeros((rows, columns), int)
    for number, tile in enumerate(tile_plan((rows, columns), size)):
        assert tile.index == number
        assert min(tile.box.shape) >= 1
        assert max(tile.box.shape) <= size
        covered[tile.box.slices] += 1
        outer = tile.box.padded(halo).clipped(covered.shape)
        inside = tile.box.shifted(-outer.top, -outer.left)
        assert covered[outer.slices][inside.slices].shape == tile.box.shape
    assert (covered == 1).all()


@given(offsets, offsets, sides, sides, sides, sides)
def test_clipping_keeps_exactly_the_pixels_inside_the_grid(top, left, rows, columns, grid_rows, grid_columns):
    box = Box(top, left, top + rows, left + columns)
    clipped = box.clipped((grid_rows, grid_columns))
    y, x = np.mgrid[:grid_rows, :grid_columns]
    inside = (y >= box.top) & (y < box.bottom) & (x >= box.left) & (x < box.right)
    assert inside.sum() == clipped.shape[0] * clipped.shape[1]
    assert inside[clipped.slices].all()
