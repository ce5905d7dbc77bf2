"""Motions that samples share: turned exactly, scaled within their class, drawn once."""

import numpy as np
import pytest

from groundshift.synth.earthquakes import SCALES
from groundshift.synth.options import PairOptions
from groundshift.synth.pairs import ProceduralScenes, make_sample
from groundshift.synth.shared import SharedMotion, own_motion, turned

OPTIONS = PairOptions(size=64, kinds={"earthquake": 1})


@pytest.fixture(scope="module")
def moving():
    return own_motion(np.random.default_rng(4), OPTIONS, "large")


@pytest.mark.parametrize("k", range(8))
def test_a_turned_motion_is_one_field(moving, k):
    """At pixels, between them and along its traces, and twice as large."""
    out = turned(moving, k, 2 * moving.motion.record["peak"])
    assert out.motion.record["symmetry"] == k
    known = out.motion.on_grid((64, 64))
    assert np.hypot(*known).max() == pytest.approx(2 * moving.motion.record["peak"], rel=1e-5)
    rows, cols = np.indices((64, 64), dtype=float)
    np.testing.assert_allclose(out.motion.flow(rows, cols), known, atol=1e-5)
    np.testing.assert_allclose(out.distance, out.motion.distance((64, 64)), atol=1e-4)
    assert out.distance.min() < 2


def test_the_symmetries_are_those_of_the_square(moving):
    """A step to the right of the motion as it was is a step in the direction to which it was turned."""
    small = moving.motion.record["peak"]
    seen = {tuple(np.round(turned(moving, k, small).motion.on_grid((64, 64)).ravel()[::97], 5)) for k in range(8)}
    assert len(seen) == 8
    quarter = turned(moving, 1, small).motion.on_grid((64, 64))  # anticlockwise: what went right goes up
    first = moving.motion.on_grid((64, 64))
    np.testing.assert_allclose(quarter[1, 63 - 20, 10], -first[0, 10, 20], atol=1e-6)
    np.testing.assert_allclose(quarter[0, 63 - 20, 10], first[1, 10, 20], atol=1e-6)


def test_samples_share_a_motion_under_other_symmetries():
    sources = [SharedMotion(3, (2, 7), place) for place in range(8)]
    movings = [source(np.random.default_rng(place), OPTIONS, "small") for place, source in enumerate(sources)]
    assert {each.motion.record["symmetry"] for each in movings} == set(range(8))
    assert len({each.motion.record["peak"] for each in movings}) == 8
    assert all(SCALES["small"][0] <= each.motion.record["peak"] <= SCALES["small"][1] for each in movings)
    assert len({str(each.motion.record["faults"]) for each in movings}) == 1
    other = SharedMotion(3, (2, 8), 0)(np.random.default_rng(0), OPTIONS, "small")
    assert other.motion.record["faults"] != movings[0].motion.record["faults"]
    traces = [np.cumsum(np.random.default_rng(1).uniform(0, 1, (9, 2)), axis=0)]
    options = OPTIONS.model_copy(update={"faults": OPTIONS.faults.model_copy(update={"real": 1.0})})
    shaped = SharedMotion(3, (2, 7), 0)(np.random.default_rng(0), options, "small", traces)
    assert {each["trace"] for each in shaped.motion.record["faults"]} == {0}
    assert {each["trace"] for each in movings[0].motion.record["faults"]} == {None}


def test_no_motion_stays_none():
    options = OPTIONS.model_copy(update={"kinds": {"none": 1}})
    sample = make_sample(
        options, ProceduralScenes(1), np.random.SeedSequence(0), motions=SharedMotion(0, (0,), 3)
    )  # fmt: skip
    assert sample.record["kind"] == "none"
    assert sample.record["motion"]["peak"] == 0
