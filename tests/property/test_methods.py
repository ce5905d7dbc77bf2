"""What every method must keep, whatever the ground and the shift."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundshift.model.reason import Reason
from groundshift.optical.config import PairConfig
from groundshift.optical.methods import Nodes
from groundshift.optical.registry import METHODS, resolved
from groundshift.synth.textures import shifted_pair

SIZE = 160
few = settings(max_examples=6, deadline=None, derandomize=True)
seeds, shifts = st.integers(0, 99), st.floats(-3, 3)
every_method = pytest.mark.parametrize("name", METHODS)


def measured(name, pre, post, centres):
    config = resolved(PairConfig(method=name, max_displacement=5))
    return METHODS[name].measure(pre, post, Nodes(centres, centres), config)


def centres(name, size=SIZE, margin=52):
    return np.arange(margin, size - margin) if METHODS[name].dense else np.arange(margin - 0.5, size - margin, 16)


@every_method
@few
@given(seeds, shifts, shifts)
def test_displacement_is_found(name, seed, dx, dy):
    pre, post, _ = shifted_pair(SIZE, dx=dx, dy=dy, noise=0.02, seed=seed)
    flow = measured(name, pre, post, centres(name))
    assert (flow.reason == Reason.VALID).all()
    np.testing.assert_allclose(flow.dx, dx, atol=0.05)
    np.testing.assert_allclose(flow.dy, dy, atol=0.05)


@every_method
@few
@given(seeds, shifts, shifts)
def test_exchanging_the_images_turns_the_displacement_round(name, seed, dx, dy):
    pre, post, _ = shifted_pair(SIZE, dx=dx, dy=dy, noise=0.02, seed=seed)
    there, back = (measured(name, *pair, centres(name)) for pair in ((pre, post), (post, pre)))
    np.testing.assert_allclose(there.dx, -back.dx, atol=0.05)
    np.testing.assert_allclose(there.dy, -back.dy, atol=0.05)


@every_method
@few
@given(seeds, st.floats(0.01, 100), st.floats(-50, 50))
def test_gain_and_offset_change_nothing(name, seed, gain, offset):
    pre, post, _ = shifted_pair(SIZE, dx=1.3, dy=-0.4, noise=0.02, seed=seed)
    plain = measured(name, pre, post, centres(name))
    scaled = measured(name, pre, gain * (post + np.float32(offset)), centres(name))
    np.testing.assert_allclose(scaled.dx, plain.dx, atol=2e-3)
    np.testing.assert_allclose(scaled.dy, plain.dy, atol=2e-3)


@every_method
@few
@given(seeds, st.integers(1, 40), st.booleans())
def test_a_mask_changes_only_what_it_can_reach(name, seed, height, in_post):
    size = 320
    pre, post, _ = shifted_pair(size, dx=1.3, dy=-0.4, noise=0.02, seed=seed)
    at = centres(name, size)[:: 4 if METHODS[name].dense else 1]
    plain = measured(name, pre, post, at)
    hole = slice(size - 20 - height, size - 20)
    (post if in_post else pre)[hole] = np.nan
    masked = measured(name, pre, post, at)
    reach = METHODS[name].reach(resolved(PairConfig(method=name, max_displacement=5)))
    clear = at + reach < hole.start
    assert clear.any()
    np.testing.assert_allclose(masked.dx[clear], plain.dx[clear], atol=1e-3)
    np.testing.assert_array_equal(masked.reason[clear], plain.reason[clear])
    assert np.nanmax(np.abs(masked.dx - 1.3)) < 0.2  # and nothing is invented beside it
