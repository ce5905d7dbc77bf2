"""The dense method on textures with known motion."""

import numpy as np
import pytest
from scipy import ndimage

from groundshift.kernels.cost_volume import best_candidates, semi_global, zncc_costs
from groundshift.kernels.total_variation import Field, piecewise_smooth
from groundshift.model.reason import Reason
from groundshift.optical.config import PairConfig
from groundshift.optical.dense import DENSE
from groundshift.optical.methods import Nodes
from groundshift.synth.textures import shifted_pair, spectrum

INNER = np.s_[32:-32, 32:-32]


def measured(pre, post, **options):
    rows, cols = (np.arange(side, dtype=float) for side in pre.shape)
    return DENSE.measure(pre, post, Nodes(rows, cols), PairConfig(**options))


@pytest.fixture(scope="module")
def fault():
    """A texture cut by a vertical fault at column 96: the left moves up, the right down, by 1.3 pixels each."""
    size = 192
    transform = spectrum(size, seed=7)
    texture = np.fft.ifft2(transform).real
    dy = np.where(np.arange(size) < 96, -1.3, 1.3)[None, :].repeat(size, 0)
    grid = np.indices((size, size), dtype=float)
    post = ndimage.map_coordinates(texture, [grid[0] - dy, grid[1]], order=5, mode="mirror")
    noise = np.random.default_rng(3).normal(size=(2, size, size)) * 0.05
    pre, post = (texture + noise[0]).astype(np.float32), (post + noise[1]).astype(np.float32)
    return dy, measured(pre, post, max_displacement=6)


def test_the_fault_is_sharp(fault):
    dy, flow = fault
    error = np.hypot(flow.dx, flow.dy - dy)[INNER]
    distance = abs(np.arange(192) - 95.5)[None, :].repeat(192, 0)[INNER]
    assert error[distance > 6].mean() < 0.03
    assert error[distance <= 6].mean() < 0.5  # a window of 32 pixels would smear all of it by up to 1.3
    assert (error[distance < 2] < 0.3).mean() > 0.5


def test_sigma_is_honest(fault):
    dy, flow = fault
    z = ((flow.dy - dy) / flow.dy_sigma)[INNER]
    assert 0.3 < np.mean(z**2) < 3  # one scene of correlated errors; the benchmark has the tight test


def test_uniform_motion_beyond_the_linear_range():
    pre, post, _ = shifted_pair(160, dx=5.3, dy=-7.6, noise=0.05, seed=5)
    flow = measured(pre, post, max_displacement=10)
    inner = np.s_[48:-48, 48:-48]
    for error, sigma in ((flow.dx - 5.3, flow.dx_sigma), (flow.dy + 7.6, flow.dy_sigma)):
        assert np.sqrt(np.mean(error[inner] ** 2)) < 0.025
        assert np.max(abs(error / sigma)[inner]) < 8  # no pixel is caught in another minimum


def test_gain_and_offset_change_nothing():
    pre, post, _ = shifted_pair(128, dx=0.4, dy=0.1, noise=0.05, seed=1)
    plain, changed = measured(pre, post, max_displacement=4), measured(pre, 1000 + 50 * post, max_displacement=4)
    np.testing.assert_allclose(changed.dx, plain.dx, atol=2e-3)


def test_swap_flips_the_sign():
    pre, post, _ = shifted_pair(128, dx=0.7, dy=-0.4, noise=0.02, seed=2)
    forth, back = measured(pre, post, max_displacement=4), measured(post, pre, max_displacement=4)
    np.testing.assert_allclose(forth.dx[INNER], -back.dx[INNER], atol=0.01)


def test_ground_that_changed_is_uncertain():
    pre, post, _ = shifted_pair(192, dx=0.5, dy=0.5, noise=0.05, seed=6)
    other, _, _ = shifted_pair(192, dx=0, dy=0, noise=0.05, seed=60)
    post[60:130, 60:130] = other[60:130, 60:130]
    flow = measured(pre, post, max_displacement=4)
    sigma = np.where(flow.reason == Reason.VALID, flow.dx_sigma, 1.0)
    assert np.median(sigma[80:110, 80:110]) > 5 * np.median(sigma[10:40, 10:40])


def test_masked_pixels_stay_empty_and_others_do_not_feel_them_far_away():
    pre, post = (image[:, :128] for image in shifted_pair(256, dx=0.4, dy=-0.2, noise=0.05, seed=3)[:2])
    holed = pre.copy()
    holed[:20, :20] = np.nan
    plain, masked = measured(pre, post, max_displacement=4), measured(holed, post, max_displacement=4)
    assert (masked.reason[:20, :20] == Reason.NO_DATA).all()
    assert np.isnan(masked.dx[:20, :20]).all()
    np.testing.assert_allclose(masked.dx[128:], plain.dx[128:], atol=1e-3)


def test_candidates_find_whole_pixels():
    pre, post, _ = shifted_pair(64, dx=2, dy=-1, noise=0, seed=8)
    one, zero = np.ones_like(pre), np.zeros(pre.shape, np.int32)
    costs = zncc_costs(pre, post, one, one, zero, zero, 3, 4)
    total = semi_global(costs, zero, zero, radius=3, slope=0.1, ceiling=0.5)
    dx, dy = best_candidates(total, zero, zero, 3)
    assert (dx[8:-8, 8:-8] == 2).all()
    assert (dy[8:-8, 8:-8] == -1).all()
    assert costs[30, 30].min() == pytest.approx(0, abs=1e-4)


def test_the_prior_keeps_planes_and_steps():
    y, x = np.mgrid[:48, :48].astype(np.float32)
    field = np.stack([0.01 * x + 0.02 * y + np.where(x > 20, 2, 0), -0.03 * x]).astype(np.float32)
    information = np.stack([np.ones_like(x), np.zeros_like(x), np.ones_like(x)])
    noisy = field + 0.1 * np.random.default_rng(0).normal(size=field.shape).astype(np.float32)
    start = Field(noisy, np.zeros((4, 48, 48), np.float32))
    smooth = piecewise_smooth(
        information, noisy, np.full((48, 48), 0.3, np.float32),
        curvature=1.0, start=start, iterations=(400, 200), balance=20.0,
    ).u  # fmt: skip
    error = smooth - field
    assert error.std() < 0.04  # the noise was 0.1
    assert abs(np.median(smooth[0, :, 21] - smooth[0, :, 20]) - 2.01) < 0.15  # the step is still one pixel wide
