"""`frequency`: exactness, standard deviations and reasons; what all methods keep is in test_methods."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundshift.errors import ConfigurationError
from groundshift.model.reason import Reason
from groundshift.optical.config import PairConfig
from groundshift.optical.frequency import FREQUENCY
from groundshift.optical.methods import Nodes

SIZE = 160
NODES = Nodes(np.arange(51.5, 110, 16), np.arange(51.5, 110, 16))
CONFIG = PairConfig(method="frequency")
few = settings(max_examples=15, deadline=None)


def images(seed, dx, dy, *, noise=0.02, size=SIZE, cutoff=0.3):
    """A texture without content beyond `cutoff` cycles a pixel and the same displaced by (dx, dy), with noise."""
    rng, k = np.random.default_rng(seed), np.fft.fftfreq(size)
    spectrum = np.fft.fft2(rng.normal(size=(size, size))) * np.exp(-((np.hypot(k[:, None], k) / cutoff) ** 8))
    spectrum[0, 0] = 0
    spectrum /= np.fft.ifft2(spectrum).real.std()
    displaced = spectrum * np.exp(-2j * np.pi * (k * dx + k[:, None] * dy))
    return [
        (np.fft.ifft2(s).real + noise * rng.normal(size=(size, size))).astype(np.float32) for s in (spectrum, displaced)
    ]


@few
@given(st.integers(0, 99), st.integers(0, 19), st.booleans())
def test_a_mask_changes_only_what_it_can_reach(seed, width, in_post):
    pair = images(seed, 1.3, -0.4)
    plain = FREQUENCY.measure(*pair, NODES, CONFIG)
    hole = slice(115 - width, 115)
    pair[in_post][hole] = np.nan
    masked = FREQUENCY.measure(*pair, NODES, CONFIG)
    clear = NODES.rows + FREQUENCY.reach(CONFIG) < hole.start
    assert clear.any()
    for before, after in zip(plain, masked, strict=True):
        np.testing.assert_array_equal(before[clear], after[clear])
    near = masked.reason == Reason.VALID
    np.testing.assert_allclose(masked.dx[near], 1.3, atol=0.1)


@few
@given(st.integers(0, 99), st.integers(-9, 9))
def test_flow_depends_on_nothing_beyond_its_reach(seed, shift):
    pre, post = images(seed, shift, 0.5)
    node = Nodes(np.array([80.5]), np.array([79.5]))
    whole = FREQUENCY.measure(pre, post, node, CONFIG)
    reach = FREQUENCY.reach(CONFIG)
    top, left = int(80.5 - reach), int(79.5 - reach)
    part = np.s_[top : top + 2 * reach + 2, left : left + 2 * reach + 2]
    cut = FREQUENCY.measure(pre[part], post[part], Nodes(node.rows - top, node.cols - left), CONFIG)
    for before, after in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(("noise", "cutoff"), [(0.02, 0.25), (0.05, 0.35), (0.1, 0.25), (0.2, 0.35)])
def test_standard_deviations_are_those_of_the_errors(noise, cutoff):
    lattice = Nodes(np.arange(47.5, 464, 16), np.arange(47.5, 464, 16))
    flow = FREQUENCY.measure(*images(1, 0.37, -0.21, noise=noise, cutoff=cutoff, size=512), lattice, CONFIG)
    errors = np.concatenate([(flow.dx - 0.37) / flow.dx_sigma, (flow.dy + 0.21) / flow.dy_sigma])
    assert 0.8 < np.mean(errors**2) < 1.25
    assert (flow.quality > 0).all()


@pytest.mark.parametrize("cutoff", [0.2, 0.3])
def test_standard_deviations_are_those_of_the_errors_at_the_border_too(cutoff):
    lattice = Nodes(np.arange(3.5, 320, 8), np.arange(3.5, 320, 8))
    pairs = [images(seed, 0.37, -1.21, noise=0.05, cutoff=cutoff, size=320) for seed in (1, 2)]
    flows = [FREQUENCY.measure(*pair, lattice, CONFIG) for pair in pairs]
    away = np.minimum(np.arange(40), np.arange(40)[::-1])
    border = np.minimum(away[:, None], away) < 2  # windows that reach beyond the image
    errors = np.array([[(f.dx - 0.37) / f.dx_sigma, (f.dy + 1.21) / f.dy_sigma] for f in flows])[..., border]
    assert np.isfinite(errors).mean() > 0.95
    assert 0.7 < np.nanmean(errors**2) < 1.5  # with a hard edge 20 and more


def test_quality_falls_with_noise():
    quality = [FREQUENCY.measure(*images(1, 0.3, 0.3, noise=n), NODES, CONFIG).quality.mean() for n in (0.02, 0.3, 1)]
    assert 1 >= quality[0] > quality[1] > quality[2] >= 0


def test_noise_is_not_taken_for_a_match():
    rng = np.random.default_rng(0)
    lattice = Nodes(np.arange(47.5, 464, 16), np.arange(47.5, 464, 16))
    pre, post = rng.normal(size=(2, 512, 512)).astype(np.float32)
    flow = FREQUENCY.measure(pre, post, lattice, CONFIG)
    assert (flow.reason == Reason.NO_MATCH).mean() > 0.6
    assert np.nanmax(flow.quality, initial=0) < 0.2


def test_reasons():
    pre, post = images(4, 6, 0)
    short = FREQUENCY.measure(pre, post, NODES, CONFIG.model_copy(update={"max_displacement": 5.5}))
    assert (short.reason == Reason.OUT_OF_RANGE).all()
    assert np.isnan(short.dx).all()
    assert (FREQUENCY.measure(0 * pre, post, NODES, CONFIG).reason == Reason.NO_TEXTURE).all()
    assert (FREQUENCY.measure(np.nan * pre, post, NODES, CONFIG).reason == Reason.NO_DATA).all()


@pytest.mark.parametrize(("window", "near"), [(20, "16 or 32"), (100, "64 or 128")])
def test_window_must_be_a_power_of_two(window, near):
    with pytest.raises(ConfigurationError, match=near):
        FREQUENCY.reach(PairConfig(method="frequency", window=window))
