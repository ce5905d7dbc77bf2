"""Splines and warps on band-limited textures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from groundshift.kernels.spline import coefficients, fill_holes, warp
from groundshift.synth.textures import shifted, spectrum
from groundshift.synth.warp import Inverse, inverse, origins, resample, warp_forward

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


def smooth(rows, cols):
    return 1.5 * np.sin(rows / 20) + 0.4, -0.8 * np.cos(cols / 15)


def test_a_varying_motion_is_measured_to_a_hundredth_of_a_pixel():
    """Local shifts, by least squares on the gradient, between the warp and the texture evaluated where it came from."""
    transform = spectrum(SIZE, seed=12)
    row, col = origins((SIZE, SIZE), smooth)
    frequency = np.fft.fftfreq(SIZE)
    by_row = np.exp(2j * np.pi * np.multiply.outer(row.ravel(), frequency))
    by_col = np.exp(2j * np.pi * np.multiply.outer(col.ravel(), frequency))
    exact = (np.einsum("pk,kl,pl->p", by_row, transform, by_col, optimize=True).real / SIZE**2).reshape(SIZE, SIZE)
    moved = warp_forward(shifted(transform, 0, 0), smooth)
    gy, gx = np.gradient(exact)
    for top in range(12, SIZE - 36, 12):
        for left in range(12, SIZE - 36, 12):
            at = np.s_[top : top + 24, left : left + 24]
            design = -np.column_stack([gx[at].ravel(), gy[at].ravel()])
            shift = np.linalg.lstsq(design, (moved - exact)[at].ravel(), rcond=None)[0]
            assert np.abs(shift).max() < 2e-3


def test_arrays_and_functions_are_inverted_alike():
    rows, cols = np.indices((60, 70), dtype=float)
    of_arrays, of_function = inverse(smooth(rows, cols)), inverse(smooth, (60, 70))
    inner = np.s_[3:-3, 3:-3]
    assert of_arrays.found.all()
    assert of_function.found.all()
    np.testing.assert_allclose(of_arrays.dx[inner], of_function.dx[inner], atol=4e-3)
    np.testing.assert_allclose(of_arrays.dy[inner], of_function.dy[inner], atol=4e-3)


def test_inverse_of_arrays_returns_to_each_pixel():
    dx, dy = (each.astype(np.float32) for each in smooth(*np.indices((60, 70), dtype=float)))
    back = inverse((dx, dy))
    rows, cols = np.indices((60, 70))
    at = np.stack([rows + back.dy, cols + back.dx])
    x, y = (ndimage.map_coordinates(each, at, order=1, mode="nearest") for each in (dx, dy))
    assert np.hypot(back.dx + x, back.dy + y).max() < 1.1e-3


def test_a_gap_is_said_to_have_no_origin():
    back = inverse(lambda rows, cols: (np.where(cols < 30, -2.0, 2.0), np.zeros_like(rows)), (20, 60))
    assert not back.found[:, 29:31].any()
    assert back.found[:, :27].all()
    assert back.found[:, 33:].all()


def still(dx, dy):
    return Inverse(
        np.full((SIZE, SIZE), dx, np.float32), np.full((SIZE, SIZE), dy, np.float32), np.full((SIZE, SIZE), True)
    )


@pytest.mark.parametrize(("dx", "reach"), [(0.5, (2, 3)), (0.0, (0, 0))])
def test_a_hole_spreads_no_further_than_the_interpolation(dx, reach):
    image = TEXTURE.copy()
    image[40, 50] = np.nan
    warped = resample(image, still(dx, 0.0))
    expected = np.ones((SIZE, SIZE), bool)
    expected[40, 50 - reach[1] : 50 + reach[0] + 1] = False
    expected[:, SIZE - 1] &= dx == 0
    np.testing.assert_array_equal(warped.valid, expected)
    np.testing.assert_array_equal(np.isnan(warped.image), ~expected & (np.arange(SIZE) < SIZE - 1))
    whole = resample(TEXTURE, still(dx, 0.0)).image
    np.testing.assert_allclose(warped.image[:, :40], whole[:, :40], atol=1e-3)


def test_ground_from_beyond_the_image_is_marked():
    warped = resample(TEXTURE, still(-2.5, 4.0))
    expected = np.zeros((SIZE, SIZE), bool)
    expected[: SIZE - 4, 3:] = True
    np.testing.assert_array_equal(warped.valid, expected)
    assert np.isfinite(warped.image).all()


def test_coarser_pixels_share_the_corners_of_the_image():
    rows, cols = np.indices((48, 60), dtype=float)
    coarse = Inverse(*np.zeros((2, 16, 20), np.float32), np.full((16, 20), True))
    seen = resample(2 * cols - rows, coarse, ratio=3.0)
    i, j = np.indices((16, 20))
    inner = np.s_[2:-2, 2:-2]
    np.testing.assert_allclose(seen.image[inner], (2 * (3 * j + 1) - (3 * i + 1))[inner], atol=0.02)
    assert seen.valid.all()


@pytest.mark.parametrize("shape", [(1, 9), (2, 2), (33, 70)])
def test_coefficients_are_those_of_scipy(shape):
    image = np.random.default_rng(3).normal(size=shape)
    expected = ndimage.spline_filter(image, order=5, mode="mirror")
    np.testing.assert_allclose(coefficients(image), expected, atol=2e-5)


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


def test_a_function_is_asked_where_it_bends_and_solved_everywhere():
    """Two plates and a sheared zone, through which the function is asked; on the plates it is not."""
    asked = []

    def plates(rows, cols):
        asked.append(rows.size)
        side = np.clip((cols - 40.3) / 6, -1, 1)
        return 1.5 * side + 0.002 * rows, -0.7 * side

    rows, cols = np.indices((80, 80), dtype=float)
    back = inverse(plates, (80, 80), known=plates(rows, cols))
    assert asked[0] == 6400
    assert sum(asked[1:]) < 6400
    inner = np.s_[4:-4, 4:-4]
    dx, dy = plates(rows + back.dy, cols + back.dx)
    assert back.found[inner].all()
    assert np.hypot(back.dx + dx, back.dy + dy)[inner].max() < 1.1e-3
