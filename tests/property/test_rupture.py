"""Wherever a straight rupture runs, it is put in its place to a pixel or so although the images are noisy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from groundshift.kernels.gaussian import locally_standardised
from groundshift.kernels.spline import coefficients
from groundshift.kernels.total_variation import Field
from groundshift.optical.rupture import settled
from groundshift.synth.textures import shifted_pair

SIZE = 96


def put_in_place(angle, jump, off, seed):
    """How far a rupture that begins `off` pixels away ends from its place on average, the pixels on the wrong side for
    each pixel of its length, and the share of the others, not beside it, that are wrong."""
    texture, _, _ = shifted_pair(SIZE, dx=0, dy=0, noise=0, seed=seed)
    rows, cols = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    across = rows * np.sin(angle) + cols * np.cos(angle)

    def along(place):  # opposite motion on both sides, along the rupture
        half = np.where(across > place, 0.5, -0.5) * jump
        return np.stack([-np.sin(angle) * half, np.cos(angle) * half]).astype(np.float32)

    truth = along(0)
    noise = 0.2 * np.random.default_rng(seed).normal(size=(2, SIZE, SIZE))
    grid = np.indices((SIZE, SIZE)).astype(float)
    first = ndimage.map_coordinates(texture, grid + truth[::-1], order=5, mode="mirror") + noise[0]
    one = np.ones((SIZE, SIZE), np.float32)
    first, second = (locally_standardised(each.astype(np.float32), one, 8.0) for each in (first, texture + noise[1]))
    field = Field(along(off), np.zeros((4, SIZE, SIZE), np.float32))
    found = settled(first, coefficients(second), field, abs(across - off) < 9)
    inner = np.s_[20:-20, 20:-20]
    upper = np.hypot(*(found - along(1e9))) > jump / 2  # not on the side of low `across`
    length = (SIZE - 40) / max(abs(np.cos(angle)), abs(np.sin(angle)))
    wrong = (upper.astype(int) - (across > 0))[inner]
    elsewhere = (np.hypot(*(found - truth)) > 0.1)[inner][abs(across[inner]) > 3]
    return abs(wrong.sum()) / length, abs(wrong).sum() / length, elsewhere.mean()


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    angle=st.floats(0, 2 * np.pi), jump=st.floats(1.5, 3.0), off=st.floats(-3, 3), seed=st.integers(0, 1000),
)  # fmt: skip
def test_a_straight_rupture_is_put_in_its_place(angle, jump, off, seed):
    away, wrong, elsewhere = put_in_place(angle, jump, off, seed)
    assert away < 1.6  # pixels; of 330 others 1.4 at the most, 0.6 on average
    assert wrong < 2.0
    assert elsewhere < 0.01


def test_ruptures_are_in_their_places_on_average():
    random = np.random.default_rng(5)
    drawn = [
        (random.uniform(0, 2 * np.pi), random.uniform(1.5, 3), random.uniform(-3, 3), int(random.integers(1000)))
        for _ in range(24)
    ]
    away, wrong, elsewhere = np.mean([put_in_place(*each) for each in drawn], axis=0)
    before = np.mean([abs(off) for _, _, off, _ in drawn])
    assert away < 0.7 < 0.5 * before  # pixels
    assert wrong < 0.85
    assert elsewhere < 0.01
