"""Splines and warps on band-limited textures."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from groundshift.kernels.spline import coefficients, fill_holes, warp
from groundshift.synth.textures import shifted, spectrum
from groundshift.synth.warp import origins, warp_forward

SIZE = 96
TRANSFORM = spectrum(SIZE, seed=11)
TEXTURE = shifted(TRANSFORM, 0, 0)


def test_warp_is_the_spline_of_scipy():
    random = np.random.default_rng(0)
    dx, dy = random.uniform(-9, 9, (2, SIZE, SIZE))
    spline = coefficients(TEXTURE)
    grid = np.indices((SIZE, SIZE))
    expected = ndimage.map_coordinates(
        spline.astype(float), [grid[0] + dy, grid[1] + dx], order=5, mode="mirror", prefilter=False
    )
    np.testing.assert_allclose(warp(spline, dx, dy), expected, atol=1e-4)


@settings(max_examples=15, deadline=None)
@given(st.floats(-2, 2), st.floats(-2, 2))
def test_a_shift_is_better_than_a_hundredth_of_a_pixel(dx, dy):
    moved = warp_forward(TEXTURE, lambda rows, cols: (np.full(rows.shape, dx), np.full(rows.shape, dy)))
    inner = np.s_[12:-12, 12:-12]
    error = (moved - shifted(TRANSFORM, dx, dy))[inner]
    gradient = np.hypot(*np.gradient(TEXTURE))[inner]
    assert error.std() < 0.01 * gradient.std()


def test_origins_solve_the_forward_motion():
    def flow(rows, cols):
        return 1.5 * np.sin(rows / 20), -0.8 * np.cos(cols / 15)

    row, col = origins((60, 70), flow)
    dx, dy = flow(row, col)
    rows, cols = np.indices((60, 70))
    assert np.hypot(row + dy - rows, col + dx - cols).max() < 1e-3


def test_each_side_of_a_jump_keeps_its_own_motion():
    def flow(rows, cols):
        return np.zeros_like(rows), np.where(cols < 48, -1.0, 1.0)

    moved = warp_forward(TEXTURE, flow)
    np.testing.assert_allclose(moved[20:70, :40], TEXTURE[21:71, :40], atol=1e-3)
    np.testing.assert_allclose(moved[20:70, 56:], TEXTURE[19:69, 56:], atol=1e-3)


def test_holes_take_the_nearest_value():
    image = np.arange(20.0).reshape(4, 5)
    image[1, 1] = np.nan
    filled, ok = fill_holes(image)
    assert not ok[1, 1]
    assert filled[1, 1] in (1, 5, 7, 11)
    assert (fill_holes(np.full((3, 3), np.nan))[0] == 0).all()
