"""Kernels side by side: every call once, in order, and the same result with any number of threads."""

import numpy as np
import pytest

from groundshift.kernels import threads
from groundshift.kernels.jumps import change_sides
from groundshift.kernels.phase_correlation import phase_correlation
from groundshift.kernels.spline import coefficients, nearest, warp
from groundshift.kernels.total_variation import Field, piecewise_smooth
from groundshift.synth.textures import shifted_pair


@pytest.fixture(params=[2, 3])
def several(request, monkeypatch):
    """Turns a number of threads on."""

    def on() -> None:
        for module in ("threads", "total_variation"):
            monkeypatch.setattr(f"groundshift.kernels.{module}.thread_count", lambda: request.param)

    monkeypatch.setattr(threads, "thread_count", lambda: 1)
    return on


def test_results_are_in_order(several):
    several()
    assert threads.side_by_side([lambda k=k: k * k for k in range(20)]) == [k * k for k in range(20)]


def test_calls_may_hold_calls(several):
    several()
    inner = [lambda k=k: threads.side_by_side([lambda j=j: 10 * k + j for j in range(10)]) for k in range(6)]
    assert threads.side_by_side(inner) == [list(range(10 * k, 10 * k + 10)) for k in range(6)]


def test_an_error_comes_out(several):
    several()
    with pytest.raises(ZeroDivisionError):
        threads.side_by_side([lambda: 1, lambda: 1 / 0, lambda: 2])


@pytest.mark.parametrize(("rows", "multiple", "each"), [(100, 1, 1), (100, 48, 4), (3, 1, 4), (0, 1, 1)])
def test_bands_cover_all_rows_once(several, rows, multiple, each):
    several()
    bands = threads.over_bands(lambda top, bottom: (top, bottom), rows, multiple=multiple, each=each)
    assert [row for top, bottom in bands for row in range(top, bottom)] == list(range(rows))
    assert all(top % multiple == 0 for top, _ in bands)


def everything():
    """What kernels that use threads return for one pair."""
    pre, post, _ = shifted_pair(150, dx=0.7, dy=-0.4, noise=0.1, seed=4)
    spline, random = coefficients(post), np.random.default_rng(0)
    u = random.normal(scale=0.3, size=(2, 150, 150)).astype(np.float32)
    v = np.zeros((4, 150, 150), np.float32)
    one = np.ones_like(pre)
    smooth = piecewise_smooth(
        np.stack([one, 0.1 * one, 2 * one]), u, (0.1 + random.random(pre.shape)).astype(np.float32),
        curvature=1.0, start=Field(u, v), iterations=(34, 20), balance=20.0,
    )  # fmt: skip
    offsets, taps = np.array([(0, 9), (9, 0)]), np.ones(5, np.float32)
    near = random.random(pre.shape) < 0.2
    matches = phase_correlation(pre, post, np.arange(40.5, 110, 16), np.arange(40.5, 110, 16))
    changed = change_sides(pre, spline, u, v, near, offsets, taps, 0.95, 4.0)
    return [*smooth, warp(spline, *u), nearest(post, *u), *changed, *matches]


def test_numbers_do_not_depend_on_threads(several):
    alone = everything()
    several()
    for one, other in zip(alone, everything(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_nearest_pixel_is_taken_and_nothing_beyond():
    image = np.arange(12, dtype=np.float32).reshape(3, 4) + 1
    dx, dy = np.full((3, 4), 0.6, np.float32), np.full((3, 4), -0.4, np.float32)
    np.testing.assert_array_equal(nearest(image, dx, dy)[:, :3], image[:, 1:])
    np.testing.assert_array_equal(nearest(image, dx, dy)[:, 3], 0)
