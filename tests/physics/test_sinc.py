"""The interpolation kernel: how far it moves and dims waves, and what it keeps."""

import numpy as np
import pytest

from groundshift.kernels.sinc import interpolate, reach

OUTSIDE = 2


def resample(values, rows, cols, **options):
    reason = np.isnan(values).astype(np.uint8)
    return interpolate(values.astype(np.float32), reason, rows, cols, outside=OUTSIDE, **options)


def shifted_wave(frequency, shift):
    """Phase error (pixels) and gain of a wave along x that is read `shift` pixels to the right."""
    col = np.arange(200.0)
    wave = np.stack([np.cos(2 * np.pi * frequency * col), np.sin(2 * np.pi * frequency * col)])
    rows = np.full((1, 160), 10.0)
    cols = np.arange(20.0, 180.0)[None] + shift
    real, imaginary = (resample(np.broadcast_to(part, (21, 200)), rows, cols)[0][0].astype(float) for part in wave)
    response = np.mean((real + 1j * imaginary) * np.exp(-2j * np.pi * frequency * cols[0]))
    return np.angle(response) / (2 * np.pi * frequency), abs(response)


@pytest.mark.parametrize("frequency", [0.02, 0.05, 0.1, 0.2, 0.3])
def test_waves_longer_than_three_pixels_stay_in_place(frequency):
    errors, gains = zip(*(shifted_wave(frequency, shift) for shift in np.arange(0.05, 1, 0.1)), strict=True)
    assert np.abs(errors).max() < 0.002
    assert np.abs(np.array(gains) - 1).max() < 0.02


def test_whole_pixels_are_kept():
    values = np.random.default_rng(5).normal(size=(30, 40))
    rows, cols = np.meshgrid(np.arange(30.0), np.arange(40.0), indexing="ij")
    found, reason = resample(values, rows, cols)
    assert not reason.any()  # not even at the border: pixels of no weight do not count
    np.testing.assert_allclose(found, values, rtol=1e-6)


@pytest.mark.parametrize("scale", [(1.0, 1.0), (1.4, 1.9)])
def test_a_constant_stays_and_the_sum_is_linear(scale):
    generator = np.random.default_rng(6)
    rows, cols = generator.uniform(15, 25, (2, 5, 6))
    one, other = generator.normal(size=(2, 40, 40))
    np.testing.assert_allclose(resample(np.full((40, 40), 7.0), rows, cols, scale=scale)[0], 7, rtol=1e-6)
    parts = 2 * resample(one, rows, cols, scale=scale)[0] + 3 * resample(other, rows, cols, scale=scale)[0]
    np.testing.assert_allclose(resample(2 * one + 3 * other, rows, cols, scale=scale)[0], parts, atol=2e-6)


def test_wide_kernel_removes_what_the_coarser_grid_cannot_hold():
    col = np.arange(200.0)
    wave = np.broadcast_to(np.cos(2 * np.pi * 0.45 * col), (60, 200))
    cols = np.arange(30, 170, 1.9)[None]
    found, _ = resample(wave, np.full(cols.shape, 30.0), cols, scale=(1.9, 1.9))
    assert np.abs(found).max() < 0.02


def test_reach_bounds_the_influence():
    rows = cols = np.array([[30.5]])
    for scale in (1.0, 1.7):
        far = np.ones((61, 61))
        margin = reach(scale)
        near = slice(31 - margin, 31 + margin)
        far[near, near] = np.nan
        inside = np.where(np.isnan(far), 1.0, np.nan)
        assert resample(inside, rows, cols, scale=(scale, scale))[1] == 0


def test_outside_and_nan_positions():
    values = np.ones((20, 20))
    positions = np.array([[-3.0, 25.0, np.nan, 2.5]])
    found, reason = resample(values, np.full((1, 4), 10.0), positions)
    assert (reason == OUTSIDE).all()
    assert np.isnan(found).all()
