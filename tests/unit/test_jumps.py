"""Jumps are put where the images say they are, and nothing else is touched."""

import numpy as np
import pytest
from scipy import ndimage

from groundshift.kernels.jumps import change_sides, grown, jumps_of, median_where
from groundshift.kernels.spline import coefficients
from groundshift.synth.textures import shifted_pair

TAPS = np.exp(-0.5 * (np.arange(-6, 7) / 2) ** 2).astype(np.float32)
OFFSETS = np.array([(0, 9), (0, -9), (9, 0), (-9, 0)])


def test_the_median_is_taken_where_asked_and_nowhere_else():
    random = np.random.default_rng(0)
    image = random.normal(size=(40, 50)).astype(np.float32)
    where = random.random((40, 50)) < 0.3
    out = median_where(image, where, 3)
    np.testing.assert_array_equal(out[where], ndimage.median_filter(image, 7, mode="nearest")[where])
    np.testing.assert_array_equal(out[~where], image[~where])


def test_jumps_are_what_departs_from_the_smooth_gradient():
    u = np.zeros((2, 6, 7), np.float32)
    v = np.zeros((4, 6, 7), np.float32)
    u[0, :, 4:], v[2] = 3.0, 4.0
    expected = np.full((6, 7), 4.0)
    expected[:, 3] = 5.0
    np.testing.assert_allclose(jumps_of(u, v), expected, rtol=1e-6)


def test_what_is_near_a_mask():
    mask = np.random.default_rng(0).random((40, 50)) < 0.01
    square, diamond = np.full(7, 3, np.uint8), np.array([0, 1, 2, 1, 0], np.uint8)
    np.testing.assert_array_equal(grown(mask, square), ndimage.maximum_filter(mask, 7))
    np.testing.assert_array_equal(grown(mask, diamond), ndimage.binary_dilation(mask, iterations=2))


@pytest.fixture(scope="module")
def fault():
    """Right of column 60 the ground moved down by 2 pixels more, on a slope of 0.01; the field has that at 66."""
    size = 120
    pre, _, _ = shifted_pair(size, dx=0, dy=0, noise=0, seed=4)
    rows, cols = np.indices((size, size), dtype=float)
    slope = 0.01 * cols
    dy = slope + np.where(cols < 60, 0.0, 2.0)
    post = ndimage.map_coordinates(pre, [rows - dy, cols], order=5, mode="mirror").astype(np.float32)
    u = np.stack([np.zeros_like(dy), slope + np.where(cols < 66, 0.0, 2.0)]).astype(np.float32)
    v = np.zeros((4, size, size), np.float32)
    v[2] = 0.01
    return pre, coefficients(post), u, v, dy


def settled(fault, near):
    pre, post, u, v, _ = fault
    return change_sides(pre, post, u, v, near, OFFSETS, TAPS, np.float32(0.95), np.float32(4))


def test_a_fault_moves_to_its_place_along_the_slope(fault):
    u, v = settled(fault, np.ones((120, 120), bool))
    inner = np.s_[16:-16]
    np.testing.assert_allclose(u[1][inner, 20:56], fault[4][inner, 20:56], atol=1e-5)
    assert (abs(u[1] - fault[4])[inner, 62:100] < 1e-4).mean() > 0.98
    np.testing.assert_allclose(v, fault[3], atol=1e-7)


def test_pixels_that_may_not_change_do_not(fault):
    near = np.zeros((120, 120), bool)
    near[50:70, 40:80] = True
    u, _ = settled(fault, near)
    np.testing.assert_array_equal(u[:, ~near], fault[2][:, ~near])
    everywhere, _ = settled(fault, np.ones_like(near))
    np.testing.assert_array_equal(u[:, near], everywhere[:, near])
