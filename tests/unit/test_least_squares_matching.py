"""Symmetric least-squares matching against the Cramér-Rao bound."""

import numpy as np
import pytest

from groundshift.kernels.least_squares_matching import match_windows
from groundshift.synth.textures import cramer_rao_sigma, shifted_pair

NODES = np.arange(40, 220, 20) + 0.5
BOX = np.ones((32, 32), np.float32)


def matched(pre, post, start=(0.0, 0.0)):
    shape = (len(NODES), len(NODES))
    return match_windows(pre, post, NODES, NODES, np.full(shape, start[0]), np.full(shape, start[1]), window_weight=BOX)


@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_reaches_the_bound_without_pixel_locking(shift):
    errors, bounds = [], []
    for seed in range(4):
        pre, post, texture = shifted_pair(256, dx=shift, dy=-0.3, noise=0.1, seed=seed)
        errors.append(matched(pre, post).dx - shift)
        bounds.append(cramer_rao_sigma(texture, NODES, window=32, noise=0.1))
    errors = np.array(errors)
    bound = np.sqrt(np.mean(np.square(bounds)))
    assert np.sqrt(np.mean(errors**2)) < 1.2 * bound  # 324 windows: the ratio is known to about 5 %
    assert abs(errors.mean()) < 0.002 + 3 * errors.std() / np.sqrt(errors.size)


def test_standardised_errors_have_unit_variance():
    z = []
    for seed in range(6):
        pre, post, _ = shifted_pair(256, dx=0.3 * seed / 5, dy=0.2, noise=0.1, seed=seed)
        found = matched(pre, post)
        z.append((found.dx - 0.3 * seed / 5) / found.dx_sigma)
    assert 0.6 < np.var(z) < 1.8  # before the factor of the method


def test_gain_and_offset_change_nothing():
    pre, post, _ = shifted_pair(256, dx=0.4, dy=0.1, noise=0.02, seed=1)
    plain, changed = matched(pre, post), matched(pre, 300 + 7 * post)
    np.testing.assert_allclose(changed.dx, plain.dx, atol=1e-3)


def test_swap_flips_the_sign():
    pre, post, _ = shifted_pair(256, dx=0.4, dy=-0.2, noise=0.0, seed=2)
    forth, back = matched(pre, post), matched(post, pre)
    np.testing.assert_allclose(forth.dx, -back.dx, atol=2e-3)
    np.testing.assert_allclose(forth.dy, -back.dy, atol=2e-3)


def test_a_mask_is_felt_only_by_windows_near_it():
    pre, post, _ = shifted_pair(256, dx=0.4, dy=-0.2, noise=0.02, seed=3)
    holed = pre.copy()
    holed[100:110, 100:140] = np.nan
    plain, masked = matched(pre, post), matched(holed, post)
    row, col = np.meshgrid(NODES, NODES, indexing="ij")
    far = (abs(row - 104.5) > 5 + 16 + 12) | (abs(col - 119.5) > 20 + 16 + 12)
    np.testing.assert_allclose(masked.dx[far], plain.dx[far], atol=1e-4)
    assert np.nanmax(abs(masked.dx - plain.dx)) > 1e-4


def test_flat_and_masked_windows_fail():
    pre, post, _ = shifted_pair(256, dx=0.0, dy=0.0, noise=0.02, seed=4)
    flat, gone = pre.copy(), pre.copy()
    flat[:] = 5
    gone[:] = np.nan
    assert np.isnan(matched(flat, post).dx).all()
    assert np.isnan(matched(gone, post).dx).all()
