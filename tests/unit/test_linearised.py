"""Windows of two images say the same as whole-image formulas of numpy and scipy."""

from functools import partial

import numpy as np
from scipy import ndimage

from groundshift.kernels.linearised import CHANCE, OUTLIER, linearised
from groundshift.kernels.network_inputs import DERIVATIVE

TAPS = np.array([*(-each for each in reversed(DERIVATIVE)), 0, *DERIVATIVE])


def test_equals_the_formulas_of_whole_images():
    random = np.random.default_rng(0)
    first, second, weight = random.normal(size=(3, 70, 41)).astype(np.float32)
    second, weight = first + 0.5 * second, (weight > -1).astype(np.float32)
    gx, gy = (ndimage.correlate1d((first + second) / 2, TAPS, axis=axis, mode="mirror") for axis in (1, 0))
    residual = first - second
    close, wide = (partial(ndimage.gaussian_filter, sigma=s, mode="reflect", truncate=3) for s in (1.5, 3.0))

    usual = wide(weight * residual**2) / np.maximum(wide(weight), 1e-3) + 1e-4
    robust = weight / (1 + residual**2 / (OUTLIER**2 * usual)) ** 2

    def moment(mean, a, b):
        total = mean(robust) + 1e-6
        return mean(robust * a * b) - mean(robust * a) * mean(robust * b) / total

    of_first, of_second = moment(wide, first, first) + 1e-4, moment(wide, second, second) + 1e-4
    correlation = np.clip(moment(wide, first, second) / np.sqrt(of_first * of_second), 0, 0.9999)
    shared = np.maximum(correlation**2 - CHANCE, 0) / (1 - CHANCE)
    ratio = shared / (1 - shared) / (0.5 * (of_first + of_second) / (wide(robust) + 1e-6))
    pairs = (gx, gx), (gx, gy), (gy, gy), (gx, residual), (gy, residual)
    expected = [ratio * moment(close, *pair) for pair in pairs]

    information, pull, found = linearised(first, second, weight, 1.5)
    assert 0.1 < correlation.mean() < 0.95
    np.testing.assert_allclose(found, correlation, atol=2e-5)
    np.testing.assert_allclose([*information, *pull], expected, atol=2e-5 * np.abs(expected).max())
