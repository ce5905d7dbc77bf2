"""Random earthquakes: what is promised of each."""

import json
import pickle
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from groundshift.errors import InputError
from groundshift.synth.earthquakes import SCALES, FaultOptions, random_faults, random_peak, random_system
from groundshift.synth.faults import Fault, fault_motion

SHAPE = (96, 120)
ONE = {"systems": {"single": 1.0}, "buried": 0.0, "distributed": 0.0}


@pytest.mark.parametrize("seed", range(8))
def test_the_peak_is_met_and_all_is_as_the_contract_says(seed):
    peak = random_peak(np.random.default_rng(seed), list(SCALES)[seed % 4])
    motion = random_faults(np.random.default_rng(seed), SHAPE, peak)
    grid = motion.on_grid(SHAPE)
    assert motion.kind == motion.record["kind"] == "earthquake"
    assert grid.dtype == np.float32
    assert np.hypot(*grid.astype(float)).max() == pytest.approx(peak, rel=1e-6)
    np.testing.assert_allclose(grid, np.stack(motion.flow(*np.indices(SHAPE, dtype=float))), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(random_faults(np.random.default_rng(seed), SHAPE, peak).on_grid(SHAPE), grid)
    assert json.loads(json.dumps(motion.record)) == motion.record
    assert motion.record["peak"] == pytest.approx(peak)
    again = pickle.loads(pickle.dumps(motion))
    np.testing.assert_array_equal(again.flow(np.array([3.3]), np.array([7.7])), motion.flow(3.3, 7.7 * np.ones(1)))
    for trace in motion.traces:
        assert np.isfinite(motion.flow(*trace.T)).all()
        assert np.isfinite(motion.flow(*(trace[1:] + trace[:-1]).T / 2)).all()


def test_displacement_grows_with_the_peak_and_nothing_else_changes():
    one, ten = (random_faults(np.random.default_rng(2), SHAPE, peak).on_grid(SHAPE) for peak in (0.5, 5.0))
    np.testing.assert_allclose(ten, 10 * one, atol=0.01)


def test_systems_and_mechanisms_are_drawn_as_weighted():
    options = FaultOptions(systems={"step-over": 1.0, "branch": 1.0, "several": 2.0}, mechanisms={"reverse": 1.0})
    random = np.random.default_rng(0)
    records = [random_system(random, SHAPE, options)[1] for _ in range(60)]
    systems = [each["system"] for each in records]
    assert set(systems) == {"step-over", "branch", "several"}
    for record in records:
        assert len(record["faults"]) in {"step-over": (2,), "branch": (2,), "several": (2, 3, 4)}[record["system"]]
        for fault in record["faults"]:
            assert fault["mechanism"] == "reverse"
            assert 20 <= fault["dip"] <= 50
            assert fault["branch"] == (record["system"] == "branch" and fault is record["faults"][1])


def test_a_branch_leaves_the_trace_and_strands_of_a_step_over_lie_apart():
    branch = FaultOptions(**{**ONE, "systems": {"branch": 1.0}})
    main, splay = (each.trace for each in random_system(np.random.default_rng(1), SHAPE, branch)[0])
    fine = np.concatenate([np.linspace(a, b, 50) for a, b in pairwise(main)])
    assert np.hypot(*(fine - splay[0]).T).min() < 1.5
    assert np.hypot(*(fine - splay[-1]).T).min() > 3
    step = FaultOptions(**{**ONE, "systems": {"step-over": 1.0}}, bends=0, roughness=(1e-4, 1e-3), gap=(0.1, 0.1))
    one, other = (each.trace for each in random_system(np.random.default_rng(1), SHAPE, step)[0])
    chord = (one[-1] - one[0]) / np.hypot(*(one[-1] - one[0]))
    apart = abs((other.mean(axis=0) - one.mean(axis=0)) @ [chord[1], -chord[0]])
    length = np.hypot(*(one[-1] - one[0])) + np.hypot(*(other[-1] - other[0]))
    assert apart == pytest.approx(0.1 * length, rel=0.3)


@pytest.mark.parametrize("crossing", [0.0, 1.0])
def test_ruptures_cross_the_image_or_miss_it(crossing):
    options = FaultOptions(**ONE, crossing=crossing)
    for seed in range(12):
        faults, _ = random_system(np.random.default_rng(seed), SHAPE, options)
        trace = faults[0].trace
        fine = np.concatenate([np.linspace(a, b, 200) for a, b in pairwise(trace)])
        inside = np.all((fine >= 0) & (fine <= np.array(SHAPE) - 1), axis=1)
        assert inside.any() == bool(crossing)


def test_lengths_are_within_their_range_and_pieces_are_finer_in_the_image():
    options = FaultOptions(**ONE, crossing=1.0, bends=0, length=(2.0, 2.0))
    faults, record = random_system(np.random.default_rng(3), SHAPE, options)
    assert record["faults"][0]["length"] == pytest.approx(2 * SHAPE[1], rel=0.1)
    trace = faults[0].trace
    steps = np.hypot(*np.diff(trace, axis=0).T)
    inside = np.all((trace[1:] >= 0) & (trace[1:] <= np.array(SHAPE) - 1), axis=1)
    assert steps[inside].max() < 1.5 * options.segment
    assert steps.max() > 2 * options.segment


def test_given_traces_keep_their_shape():
    corner = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]])
    options = FaultOptions(**ONE, crossing=1.0, real=1.0, roughness=(1e-6, 1e-5), length=(0.8, 0.8))
    faults, _ = random_system(np.random.default_rng(5), SHAPE, options, traces=[corner])
    trace = faults[0].trace
    assert np.hypot(*(trace[-1] - trace[0])) == pytest.approx(0.8 * SHAPE[1], rel=0.02)
    directions = np.degrees(np.unwrap(np.arctan2(*np.diff(trace, axis=0).T)))
    assert abs(directions[-1] - directions[0]) == pytest.approx(90, abs=3)
    ring = corner[[0, 1, 2, 0]]
    assert np.isfinite(random_faults(np.random.default_rng(5), SHAPE, 1.0, options, traces=[ring]).on_grid(SHAPE)).all()
    for wrong in (corner[:1], corner[[0, 0]]):
        with pytest.raises(InputError, match="give"):
            random_system(np.random.default_rng(5), SHAPE, options, traces=[wrong])


def test_triangles_share_vertices_and_each_row_is_coarser():
    random = np.random.default_rng(6)
    trace = np.column_stack([np.linspace(0, 50, 12), random.normal(20, 1, 12)])
    fault = Fault(trace, np.array([0.0, 5.0, 15.0, 40.0]), 60.0, *random.normal(size=(2, 3, 11)))
    triangles, slips = fault.triangles()
    assert len(triangles) == len(slips) == (11 + 6) + (6 + 3) + (3 + 2)
    vertices = np.unique(triangles.reshape(-1, 3), axis=0)
    assert len(vertices) == 12 + 7 + 4 + 3
    at_depth = [np.sum(vertices[:, 2] == -depth) for depth in fault.depths]
    assert at_depth == [12, 7, 4, 3]


def test_scales_adjoin_and_peaks_are_within_them():
    limits = list(SCALES.values())
    assert [high for _, high in limits[:-1]] == [low for low, _ in limits[1:]]
    for name, (low, high) in SCALES.items():
        peaks = [random_peak(np.random.default_rng(seed), name) for seed in range(40)]
        assert low <= min(peaks) < np.sqrt(low * high) < max(peaks) <= high


def test_what_cannot_be_is_refused():
    for wrong in ({"lengths": (1, 2)}, {"length": (2, 1)}, {"systems": {"single": -1.0}}, {"systems": {"two": 1.0}}):
        with pytest.raises(ValidationError):
            FaultOptions(**wrong)
    options = FaultOptions(length=(1, 2))
    assert FaultOptions.model_validate_json(options.model_dump_json()) == options
    still = Fault(np.array([[0.0, 0.0], [9.0, 9.0]]), np.array([0.0, 5.0]), 90.0, np.zeros((1, 1)), np.zeros((1, 1)))
    with pytest.raises(InputError, match="slip"):
        fault_motion([still], SHAPE, peak=1.0)
    with pytest.raises(InputError, match="above 0"):
        fault_motion([still], SHAPE, peak=0.0)
    with pytest.raises(InputError, match="0 faults"):
        fault_motion([], SHAPE)
