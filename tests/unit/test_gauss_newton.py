"""`gauss-newton`: sigmas tell the errors whatever the noise, and what is no match is refused."""

import numpy as np
import pytest

from groundshift.model.reason import Reason
from groundshift.optical.config import PairConfig
from groundshift.optical.gauss_newton import GAUSS_NEWTON
from groundshift.optical.measure import with_jump_sigma
from groundshift.optical.methods import Nodes
from groundshift.synth.textures import shifted, shifted_pair, spectrum

SIZE = 320
NODES = Nodes(np.arange(48, 272, 16) - 0.5, np.arange(48, 272, 16) - 0.5)
DX, DY = 0.6, -0.3


def measured(pre, post, window=32):
    config = PairConfig(method="gauss-newton", window=window, step=16)
    flow = GAUSS_NEWTON.measure(pre.astype(np.float32), post.astype(np.float32), NODES, config)
    return with_jump_sigma(flow, 1, jump=GAUSS_NEWTON.jump, strain=GAUSS_NEWTON.strain)


def standardised(flows):
    z = [
        (each - truth)[flow.reason == Reason.VALID] / sigma[flow.reason == Reason.VALID]
        for flow in flows
        for each, truth, sigma in ((flow.dx, DX, flow.dx_sigma), (flow.dy, DY, flow.dy_sigma))
    ]
    return np.concatenate(z)


@pytest.mark.parametrize("cutoff", [0.15, 0.25, 0.4])
@pytest.mark.parametrize("noise", [0.1, 0.5, 1.0])
def test_sigmas_tell_the_errors_whatever_the_noise(noise, cutoff):
    flows = [
        measured(*shifted_pair(SIZE, dx=DX, dy=DY, noise=noise, seed=seed, cutoff=cutoff)[:2]) for seed in range(3)
    ]
    assert 0.65 < np.mean(standardised(flows) ** 2) < 1.25  # 1,100 values, of which neighbours share half a window


def test_sigmas_tell_the_errors_where_ground_has_changed():
    z = []
    for seed in range(3):
        same, other = (spectrum(SIZE, seed=seed + more) for more in (0, 100))
        pre, post = shifted(same, 0, 0), np.sqrt(0.6) * shifted(same, DX, DY) + np.sqrt(0.4) * shifted(other, 0, 0)
        noise = np.random.default_rng(seed).normal(0, 0.05, (2, SIZE, SIZE))
        flow = measured(pre + noise[0], post + noise[1])
        assert (flow.reason == Reason.VALID).mean() > 0.99
        z.append(standardised([flow]))
    assert 0.6 < np.mean(np.concatenate(z) ** 2) < 1.25


@pytest.mark.parametrize("window", [16, 32])
@pytest.mark.parametrize("noise", [0.02, 8.0])
def test_images_that_have_nothing_in_common_have_no_match(noise, window):
    """Unlike ground, and noise of eight times the signal."""
    pre = shifted_pair(SIZE, dx=0, dy=0, noise=noise, seed=1)[0]
    post = shifted_pair(SIZE, dx=0, dy=0, noise=noise, seed=2)[1]
    assert (measured(pre, post, window).reason == Reason.VALID).mean() < 0.03


def test_little_noise_costs_no_window():
    for window in (16, 32, 64):
        pre, post, _ = shifted_pair(SIZE, dx=DX, dy=DY, noise=0.1, seed=3)
        assert (measured(pre, post, window).reason == Reason.VALID).all()
