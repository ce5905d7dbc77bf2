"""The quick Gaussian against the one of scipy."""

import numpy as np
import pytest
from scipy import ndimage

from groundshift.kernels.gaussian import smoothed


@pytest.mark.parametrize("sigma", [0.6, 1.0, 2.0, 8.0])
@pytest.mark.parametrize("shape", [(7, 64), (60, 41)])
def test_equals_scipy(sigma, shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    expected = ndimage.gaussian_filter(values.astype(float), sigma, mode="reflect", truncate=3)
    np.testing.assert_allclose(smoothed(values, sigma), expected, atol=2e-6)


def test_a_constant_stays():
    np.testing.assert_allclose(smoothed(np.full((20, 30), 7.0), 3.0), 7.0, rtol=1e-6)
