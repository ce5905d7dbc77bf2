"""Pixels choose sides together: the least sum of costs, the same with any number of threads, and only where asked."""

import itertools

import numpy as np
import pytest

from groundshift.kernels.sides import chosen, differences_under
from groundshift.kernels.spline import coefficients
from groundshift.kernels.total_variation import Field
from groundshift.optical.refinement import PreparedPair, warped
from groundshift.optical.rupture import settled
from groundshift.optical.sharp import TOLD, once_sharp, sharp, told_of
from groundshift.synth.textures import shifted_pair


def cost_of(choice, cost, choices, near, field, weight):
    """What a choice costs, by its definition."""
    each = np.arange(len(choice))
    image = field.transpose(1, 2, 0).copy()
    image[near] = choices[each, choice]
    pairs = [np.diff(image, axis=axis) for axis in (0, 1)]
    return cost[each, choice].sum() + weight * sum(np.linalg.norm(pair, axis=2).sum() for pair in pairs)


@pytest.mark.parametrize("seed", range(3))
def test_on_a_chain_the_least_sum_is_found(seed):
    random = np.random.default_rng(seed)
    near = np.zeros((4, 9), bool)
    near[1, 1:6] = near[2, 5] = True  # with a bend
    field = random.normal(size=(2, 4, 9)).astype(np.float32)
    choices = random.normal(size=(6, 3, 2)).astype(np.float32)
    cost = random.random((6, 3)).astype(np.float32)
    found = chosen(near, field, choices, cost, weight=0.5, steps=14)
    sums = {
        choice: cost_of(np.array(choice), cost, choices, near, field, 0.5)
        for choice in itertools.product(range(3), repeat=6)
    }
    assert sums[tuple(found)] == pytest.approx(min(sums.values()), abs=1e-5)


def test_neighbours_outvote_a_pixel_that_was_misled():
    near = np.ones((9, 9), bool)
    choices = np.zeros((81, 2, 2), np.float32)
    choices[:, 1, 0] = 1.0
    cost = np.tile(np.float32([0, 1]), (81, 1))
    cost[40] = 2, 0  # alone it would choose the second
    field = np.zeros((2, 9, 9), np.float32)
    assert chosen(near, field, choices, cost, weight=0.2, steps=8).sum() == 1
    assert not chosen(near, field, choices, cost, weight=1.0, steps=8).any()


def test_displacements_are_extended_and_images_compared():
    pre, post, _ = shifted_pair(64, dx=1.5, dy=-0.5, noise=0, seed=2)
    rows, cols = np.indices((64, 64), dtype=np.float32)
    u = np.stack([1.5 + 0.02 * (cols - 30), -0.5 - 0.01 * (rows - 30)]).astype(np.float32)
    v = np.zeros((4, 64, 64), np.float32)
    v[0], v[3] = 0.02, -0.01
    at, away = np.array([30, 31]), np.array([30, 30])
    offset = np.array([-9, 7]), np.array([8, 60])
    moved, squared = differences_under(pre, coefficients(post), u, v, at, away, offset)
    np.testing.assert_allclose(moved, u[:, at, away].T, atol=1e-5)
    assert squared[0] < 1e-4 < differences_under(pre, coefficients(post), u + 1, v, at, away, offset)[1][0]


@pytest.fixture
def misplaced():
    """Below a bent line the ground moves right by 1.2 pixels; the field has that line off by up to three pixels."""
    size = 96
    pre, _, _ = shifted_pair(size, dx=0, dy=0, noise=0, seed=5)
    random = np.random.default_rng(0)
    rows = np.arange(size)[:, None]
    wobble = 48 + np.rint(3 * np.sin(np.arange(size) / 9))
    u = np.stack([np.where(rows >= wobble, 1.2, 0.0), np.zeros((size, size))]).astype(np.float32)
    near = abs(rows - 48) < 9
    return pre, pre + random.normal(size=pre.shape).astype(np.float32), u, np.broadcast_to(near, pre.shape)


def test_numbers_do_not_depend_on_threads_and_far_pixels_stay(misplaced, monkeypatch):
    pre, post, u, near = misplaced
    field = Field(u, np.zeros((4, *pre.shape), np.float32))
    several = []
    for threads in ("1", "3"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
        several.append(settled(pre, coefficients(post), field, near))
    np.testing.assert_array_equal(*several)
    np.testing.assert_array_equal(several[0][:, ~near], u[:, ~near])
    assert (several[0][:, near] != u[:, near]).any()
    assert settled(pre, coefficients(post), field, np.zeros_like(near)) is field.u


def test_on_ground_without_texture_sigma_is_what_the_network_tells():
    pre, post, _ = shifted_pair(128, dx=0, dy=0, noise=0.05, seed=6)
    pre[:, 64:] = post[:, 64:] = 0
    weight, scale = np.ones_like(pre), 0.1
    answer = np.zeros((7, *pre.shape), np.float32)
    answer[2:6], answer[6] = np.log(scale), -9
    pair = PreparedPair(pre, coefficients(post), weight, weight, answer[:2], pre, post)
    flow, _, variance = sharp(pair, answer)
    told = 2 * scale**2
    flat = variance[:, 20:-20, 100:-12]
    assert (told / 2 < flat).all()
    assert (flat < 2 * told).all()
    assert np.median(variance[:, 20:-20, 12:40]) < 0.8 * told
    assert abs(flow[:, 20:-20, 100:-12]).max() < 0.05


def test_a_last_step_mends_what_is_sharp_and_wrong():
    """It is given the field that is sharp, with the second image brought onto the first by it, and what was told."""
    pre, post, _ = shifted_pair(128, dx=0.3, dy=0, noise=0.02, seed=6)
    weight, answer = np.ones_like(pre), np.zeros((7, *pre.shape), np.float32)
    answer[0, :, :64], answer[1], answer[2:4], answer[4:6], answer[6] = 1.5, -0.2, -4, -3, -9
    pair = PreparedPair(pre, coefficients(post), weight, weight, answer[:2], pre, post)
    given = []

    def last(first, second, weight, flow, told):
        given.append((first, second, weight, flow, told))
        answer = np.zeros((7, *first.shape), np.float32)
        answer[0], answer[2:6], answer[6] = 0.3, np.log(0.003), -9
        return answer

    mended, alone = sharp(pair, answer, last), sharp(pair, answer)
    ((first, second, seen, flow, told),) = given
    assert first is pre
    np.testing.assert_array_equal(flow, once_sharp(pair, answer))
    np.testing.assert_array_equal(second, warped(pair, flow)[0])
    np.testing.assert_array_equal(told, told_of(answer, flow))
    assert told.shape == (TOLD, *pre.shape)
    np.testing.assert_allclose(told[:2], answer[:2] - flow, atol=1e-6)
    np.testing.assert_allclose(told[2:4], np.log(np.sqrt(2) * np.exp(-4)), atol=0.01)
    assert (told[4:] == -4).all()
    assert seen.all()
    inner = np.s_[:, 20:-20, 20:-20]
    truth = np.array([0.3, 0])[:, None, None]
    assert np.abs(mended.flow - truth)[inner].mean() < 0.01
    assert np.abs(alone.flow - truth)[inner].mean() > 0.1
    assert np.median(mended.variance[inner]) < 0.1 * np.median(alone.variance[inner])
