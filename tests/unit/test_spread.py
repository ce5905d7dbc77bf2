"""The spread of vectors in windows."""

import numpy as np
from scipy import ndimage

from groundshift.kernels.spread import squared_spread


def test_equals_the_filters_of_scipy():
    u = np.random.default_rng(0).normal(size=(2, 30, 21)).astype(np.float32)
    expected = sum((ndimage.maximum_filter(c, 7) - ndimage.minimum_filter(c, 7)) ** 2 for c in u)
    np.testing.assert_allclose(squared_spread(u, 7, 5, 30), expected[5:], rtol=1e-6)
