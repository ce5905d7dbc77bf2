"""What a mean is worth whose errors are alike over distance."""

import numpy as np
import pytest
from scipy import ndimage

from groundshift.kernels.alike import blocks_of, errors_alike

SIDE = 128


def field(seed, reach):
    """Errors of standard deviation 1, white noise smoothed by a Gaussian of `reach` pixels, with no edge."""
    margin = int(4 * reach)
    noise = np.random.default_rng(seed).normal(size=(SIDE + 2 * margin, SIDE + 2 * margin))
    if not reach:
        return noise
    inner = np.s_[margin : margin + SIDE, margin : margin + SIDE]
    return ndimage.gaussian_filter(noise, reach)[inner] * (2 * np.sqrt(np.pi) * reach)


def fitted(values, *, slopes):
    y, x = (each.ravel() - (SIDE - 1) / 2 for each in np.indices(values.shape))
    blocks = blocks_of(x, y)
    design = np.column_stack([np.ones(len(blocks.at)), *(blocks.at.T if slopes else [])])
    weights = np.linalg.solve((design.T * blocks.count) @ design, design.T * blocks.count)
    means = blocks.mean(values.ravel())
    covariance = weights @ errors_alike(means, blocks, design).covariance(blocks) @ weights.T
    return weights @ means, np.sqrt(np.diagonal(covariance))


@pytest.mark.parametrize("slopes", [False, True])
@pytest.mark.parametrize("reach", [0, 3, 10, 20])
def test_errors_of_a_mean_are_those_said(reach, slopes):
    """A mean of pixels that were independent would be said to be wrong by up to 70 times too little."""
    z = []
    for seed in range(40):
        value, sigma = fitted(field(seed, reach), slopes=slopes)
        z.append(value[0] / sigma[0])
    assert 0.35 < np.mean(np.square(z)) < 1.7  # 40 draws tell the variance to 22 %


def test_blocks_hold_every_value_once_and_keep_sides_apart():
    random = np.random.default_rng(0)
    x, y = random.uniform(0, 1000, (2, 5000))
    side = (x > 431).astype(int)
    blocks = blocks_of(x, y, least=20, apart=side)
    assert len(blocks.at) <= 300
    assert blocks.side >= 20
    assert blocks.count.sum() == 5000
    np.testing.assert_array_equal(np.bincount(blocks.index), blocks.count)
    for number in range(len(blocks.at)):
        assert len(set(side[blocks.index == number])) == 1
    np.testing.assert_allclose(blocks.mean(x), blocks.at[:, 0])


@pytest.mark.parametrize(("x", "y"), [(np.arange(50.0), np.zeros(50)), (np.ones(4), np.ones(4))])
def test_blocks_of_a_line_and_of_a_point(x, y):
    assert 1 <= len(blocks_of(x, y).at) <= 50
