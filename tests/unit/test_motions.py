"""Motions that no fault makes, and what all motions have in common."""

import json
import pickle
from itertools import pairwise

import numpy as np
import pytest

from groundshift.synth.motions import (
    FAR,
    GroundMotion,
    no_motion,
    random_bowl,
    random_glacier,
    random_landslide,
    self_affine,
)

SHAPE = (96, 120)
RANDOM = [random_landslide, random_glacier, random_bowl]


@pytest.mark.parametrize("make", RANDOM)
@pytest.mark.parametrize("seed", range(4))
def test_the_peak_is_met_and_all_is_as_the_contract_says(make, seed):
    motion = make(np.random.default_rng(seed), SHAPE, 3.0)
    grid = motion.on_grid(SHAPE)
    assert grid.dtype == np.float32
    assert np.hypot(*grid.astype(float)).max() == pytest.approx(3.0, rel=1e-6)
    np.testing.assert_allclose(grid, np.stack(motion.flow(*np.indices(SHAPE, dtype=float))), atol=1e-6)
    np.testing.assert_array_equal(make(np.random.default_rng(seed), SHAPE, 3.0).on_grid(SHAPE), grid)
    assert not np.array_equal(make(np.random.default_rng(seed + 1), SHAPE, 3.0).on_grid(SHAPE), grid)
    assert json.loads(json.dumps(motion.record)) == motion.record
    assert motion.record["kind"] == motion.kind
    part = pickle.loads(pickle.dumps(motion)).on_grid((50, 60))
    np.testing.assert_allclose(part, grid[:, :50, :60], atol=1e-6)
    for trace in motion.traces:
        assert np.isfinite(motion.flow(*trace.T)).all()


@pytest.mark.parametrize("seed", range(6))
def test_ground_beside_a_landslide_is_still_and_jumps_at_its_outline(seed):
    motion = random_landslide(np.random.default_rng(seed), SHAPE, 2.0)
    (outline,) = motion.traces
    rows, cols = np.random.default_rng(9).uniform(-20, 140, (2, 4000))
    crossings = np.zeros(len(rows), int)
    for (r0, c0), (r1, c1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        at = (r0 > rows) != (r1 > rows)
        crossings[at] += cols[at] < c0 + (rows[at] - r0) * (c1 - c0) / (r1 - r0)
    moved = np.hypot(*motion.flow(rows, cols))
    np.testing.assert_array_equal(moved > 0, crossings % 2 == 1)
    step = np.diff(outline, axis=0)
    middle = outline[:-1] + step / 2
    normal = np.column_stack([step[:, 1], -step[:, 0]]) / np.maximum(np.hypot(*step.T), 1e-9)[:, None]
    one, other = (np.hypot(*motion.flow(*(middle + s * 1e-3 * normal).T)) for s in (1, -1))
    long = np.hypot(*step.T) > 0.01
    assert np.minimum(one, other)[long].max() == 0
    least = 0.9 * motion.record["edge"] * motion.record["head"] * 2.0
    assert np.maximum(one, other)[long].min() > least


def test_a_landslide_is_faster_at_its_toe():
    motion = random_landslide(np.random.default_rng(3), (200, 200), 2.0)
    along = np.array([-np.cos(np.radians(motion.record["azimuth"])), np.sin(np.radians(motion.record["azimuth"]))])
    head, toe = (
        motion.flow(*(np.array(motion.record["centre"]) + share * motion.record["length"] * along))
        for share in (-0.3, 0.3)
    )
    assert 0 < np.hypot(*head) < np.hypot(*toe)


def test_a_glacier_without_slip_at_its_walls_has_no_jump_and_one_with_has_traces():
    kinds = set()
    for seed in range(12):
        motion = random_glacier(np.random.default_rng(seed), SHAPE, 2.0)
        kinds.add(bool(motion.traces))
        assert len(motion.traces) == (2 if motion.record["wall_slip"] else 0)
        row = np.full(20_000, 48.0), np.linspace(0, 119, 20_000)
        column = np.linspace(0, 95, 20_000), np.full(20_000, 60.0)
        steepest = max(np.abs(np.diff(np.stack(motion.flow(*line)))).max() for line in (row, column))
        assert motion.traces or steepest < 0.05
        still = np.hypot(*motion.on_grid(SHAPE)) == 0
        assert still.any()
        assert not still.all()
    assert kinds == {False, True}


def test_across_a_straight_glacier_speed_is_that_of_a_power_law_fluid():
    for seed in range(200):
        motion = random_glacier(np.random.default_rng(seed), SHAPE, 1.0)
        made = motion.record
        if not made["tributaries"] and not made["wall_slip"] and made["slope"] < 0.05:
            break
    across = np.array([np.sin(np.radians(made["azimuth"])), np.cos(np.radians(made["azimuth"]))])
    off = np.linspace(-80, 80, 4001)
    speed = np.hypot(*motion.flow(*(np.array(made["centre"])[:, None] + across[:, None] * off)))
    moving = off[speed > 0]
    share = (2 * off - moving[0] - moving[-1]) / np.ptp(moving)
    inside = np.abs(share) < 1
    np.testing.assert_allclose((speed / speed.max())[inside], 1 - share[inside] ** 4, atol=0.02)


def test_ground_moves_towards_the_centre_of_a_bowl_and_not_there():
    single = 0
    for seed in range(20):
        motion = random_bowl(np.random.default_rng(seed), SHAPE, 2.0)
        if len(motion.record["bowls"]) > 1:
            continue
        centre = np.array(motion.record["bowls"][0]["centre"])
        np.testing.assert_allclose(motion.flow(*centre), 0, atol=1e-12)
        rows, cols = np.indices(SHAPE, dtype=float)
        dx, dy = motion.flow(rows, cols)
        assert ((centre[0] - rows) * dy + (centre[1] - cols) * dx >= 0).all()
        assert motion.traces == ()
        single += 1
    assert single >= 5


def test_no_motion():
    motion = no_motion()
    np.testing.assert_array_equal(motion.on_grid((5, 7)), np.zeros((2, 5, 7)))
    np.testing.assert_array_equal(motion.distance((5, 7)), np.full((5, 7), FAR))
    assert motion.record == {"kind": "none", "peak": 0.0}


def test_distance_is_that_to_the_nearest_segment():
    random = np.random.default_rng(0)
    traces = tuple(random.uniform(-30, 130, (n, 2)) for n in (2, 5, 9))
    found = GroundMotion(no_motion().flow, traces, "none", {}).distance((50, 77))
    points = np.stack(np.indices((50, 77)), axis=-1).astype(float)
    least = np.full((50, 77), np.inf)
    for trace in traces:
        for start, end in pairwise(trace):
            step = end - start
            t = np.clip((points - start) @ step / (step @ step), 0, 1)
            least = np.minimum(least, np.linalg.norm(points - start - t[..., None] * step, axis=-1))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, least, rtol=1e-5)


def test_a_self_affine_profile_spreads_with_its_exponent():
    random = np.random.default_rng(1)
    profiles = np.stack([self_affine(random, 512, 0.8) for _ in range(200)])
    np.testing.assert_allclose(profiles[:, [0, -1]], 0, atol=1e-9)
    np.testing.assert_allclose(np.sqrt(np.mean(profiles**2, axis=1)), 1)
    rises = [np.std(profiles[:, 100 + lag] - profiles[:, 100]) for lag in (4, 64)]
    assert np.log(rises[1] / rises[0]) / np.log(16) == pytest.approx(0.8, abs=0.12)
