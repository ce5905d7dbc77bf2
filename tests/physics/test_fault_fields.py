"""Faults as meshes of triangles, against known answers."""

import numpy as np
import pytest
from reference.okada import rectangle

from groundshift.kernels.triangular_dislocation import surface_displacement
from groundshift.synth.earthquakes import FaultOptions, random_system
from groundshift.synth.faults import Fault, fault_motion

SHAPE = (128, 160)
ACROSS = 0.01  # pixels
SINGLE = {"systems": {"single": 1.0}, "buried": 0.0, "crossing": 1.0}


def straight_fault(
    strike, dip, strike_slip, dip_slip, *, centre=(63.3, 80.2), length=70.0, top=0.0, columns=11, rows=3
):
    """A plane fault of constant slip."""
    along = np.array([-np.cos(np.radians(strike)), np.sin(np.radians(strike))])
    trace = np.asarray(centre) + np.outer(np.linspace(-0.5, 0.5, columns + 1) * length, along)
    depths = top + np.linspace(0, 30, rows + 1)
    return Fault(trace, depths, dip, np.full((rows, columns), strike_slip), np.full((rows, columns), dip_slip))


def right_of(step):
    """Unit vectors to the right of steps (n, 2) of rows, columns."""
    return np.column_stack([step[:, 1], -step[:, 0]]) / np.hypot(*step.T)[:, None]


def jumps(motion, places, right):
    """Displacement right of places, less that left of them: (n, 2) of rows, columns."""
    sides = [np.stack(motion.flow(*(places + sign * ACROSS * right).T)) for sign in (1, -1)]
    return (sides[0] - sides[1])[::-1].T


@pytest.mark.parametrize(("strike", "dip"), [(0, 90), (37, 60), (200, 25), (90, 90)])
@pytest.mark.parametrize("top", [0.0, 6.0])
def test_a_plane_mesh_is_a_rectangle(strike, dip, top):
    fault = straight_fault(strike, dip, -1.5, 0.8, top=top)
    motion = fault_motion([fault], SHAPE)
    rows, cols = np.random.default_rng(1).uniform(0, 127, (2, 400))
    start, end = fault.trace[0], fault.trace[-1]
    along = (end - start) / np.hypot(*(end - start))
    right = np.array([along[1], -along[0]])
    offset = np.column_stack([rows, cols]) - start
    across, width = -(offset @ right), 30.0 / np.sin(np.radians(dip))
    ux, uy, _ = rectangle(offset @ along, across, top, np.radians(dip), 70.0, width, -1.5, 0.8)
    dx, dy = motion.flow(rows, cols)
    np.testing.assert_allclose(dy, ux * along[0] - uy * right[0], atol=1e-3)
    np.testing.assert_allclose(dx, ux * along[1] - uy * right[1], atol=1e-3)
    assert np.hypot(dx, dy).max() > 0.2


@pytest.mark.parametrize("seed", range(6))
def test_the_jump_across_each_strand_is_its_slip(seed):
    options = FaultOptions(
        distributed=0.5, diffuse=0.0, crossing=1.0, systems={"single": 0.5, "step-over": 0.5}, buried=0.0
    )
    faults, _ = random_system(np.random.default_rng(seed), SHAPE, options)
    motion = fault_motion(faults, SHAPE)
    seen = 0
    for fault in faults:
        step = np.diff(fault.trace, axis=0)
        places = fault.trace[:-1] + 0.45 * step
        inside = np.all((places > 0) & (places < np.array(SHAPE) - 1), axis=1)
        chord = fault.trace[-1] - fault.trace[0]
        dipping = right_of(chord[None])[0] * np.cos(np.radians(fault.dip))
        along = step / np.hypot(*step.T)[:, None]
        expected = fault.strike_slip[0][:, None] * along - fault.dip_slip[0][:, None] * dipping
        found = jumps(motion, places[inside], right_of(step[inside]))
        np.testing.assert_allclose(found, expected[inside], atol=0.03)
        seen += inside.sum()
    assert seen >= 3


def test_strands_beside_a_fault_take_their_share_of_its_slip():
    options = FaultOptions(**SINGLE, distributed=1.0, diffuse=0.0, zone=(12, 12), off_fault=(0.6, 0.6))
    (main, *strands), record = random_system(np.random.default_rng(4), SHAPE, options)
    assert len(strands) + 1 == record["faults"][0]["strands"] >= 4
    for name in ("strike_slip", "dip_slip"):
        beside = sum(getattr(each, name)[0] for each in strands)
        total = getattr(main, name)[0] / (1 - 0.6)
        starts = np.arange(0, len(total), 2)
        of_two = np.add.reduceat(total, starts) / np.diff(np.append(starts, len(total)))
        np.testing.assert_allclose(beside, 0.6 * of_two, atol=1e-12)
    offsets = [
        (each.trace[0] - main.trace[0]) @ right_of((main.trace[-1] - main.trace[0])[None])[0] for each in strands
    ]
    assert 8 < np.ptp(offsets) < 16


@pytest.mark.parametrize(("dip_slip", "sign"), [(-1.0, 1), (1.0, -1)], ids=["normal", "reverse"])
def test_a_normal_fault_extends_the_ground_and_a_reverse_fault_shortens_it(dip_slip, sign):
    motion = fault_motion([straight_fault(0, 50, 0.0, dip_slip)], SHAPE)
    dx, _ = motion.flow(np.full(2, 63.0), np.array([70.0, 90.0]))
    assert sign * (dx[1] - dx[0]) > 0.3


def test_across_a_right_lateral_fault_the_other_side_moves_right():
    motion = fault_motion([straight_fault(0, 90, -1.0, 0.0)], SHAPE)
    _, dy = motion.flow(np.full(2, 63.0), np.array([78.0, 82.0]))
    assert dy[1] > 0.3  # from the west, the east moves right: south, down
    assert dy[0] == pytest.approx(-dy[1], abs=0.05)
    options = FaultOptions(**SINGLE, mechanisms={"strike-slip": 1.0})
    for seed in range(8):
        faults, record = random_system(np.random.default_rng(seed), SHAPE, options)
        right = np.cos(np.radians(record["faults"][0]["rake"])) < 0
        assert (faults[0].strike_slip[0].sum() < 0) == right


def test_the_field_decays():
    near, far = (
        np.hypot(*fault_motion([straight_fault(30, 60, 1.0, 1.0, centre=(64 - away, 80))], SHAPE).on_grid(SHAPE)).mean()
        for away in (200.0, 2000.0)
    )
    assert far < 0.02 * near


def test_moving_and_turning_the_fault_moves_and_turns_the_field():
    fault = straight_fault(20, 40, 1.0, 0.7, centre=(60, 70))
    rough = fault.trace + np.random.default_rng(3).normal(0, 1, fault.trace.shape)
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])  # of (row, column)
    shift = np.array([45.0, -11.0])
    one = fault_motion([Fault(rough, fault.depths, 40, fault.strike_slip, fault.dip_slip)], (160, 160))
    other = fault_motion(
        [Fault(rough @ turn.T + shift, fault.depths, 40, fault.strike_slip, fault.dip_slip)], (160, 160)
    )
    places = np.random.default_rng(4).uniform(40, 100, (200, 2))
    expected = turn @ np.stack(one.flow(*places.T))[::-1]
    np.testing.assert_allclose(np.stack(other.flow(*(places @ turn.T + shift).T))[::-1], expected, atol=1e-3)


def test_a_buried_fault_has_no_jump():
    for seed in range(4):
        options = FaultOptions(buried=1.0, crossing=1.0, depth=(0.03, 0.1))
        faults, _ = random_system(np.random.default_rng(seed), SHAPE, options)
        motion = fault_motion(faults, SHAPE, peak=2.0)
        assert motion.traces == ()
        for fault in faults:
            step = np.diff(fault.trace, axis=0)
            found = jumps(motion, fault.trace[:-1] + step / 2, right_of(step))
            assert np.abs(found).max() < 0.02


def test_diffuse_shear_spreads_the_slip_over_its_zone_without_steps():
    """Right-lateral, straight: beyond the zone the two sides have moved as if all slip were on the fault."""
    options = {"mechanisms": {"strike-slip": 1.0}, "bends": 0, "roughness": (1e-6, 1e-5), "length": (3.0, 3.0)}
    for diffuse in (0.0, 1.0):
        drawn = FaultOptions(**SINGLE, **options, distributed=1.0, diffuse=diffuse, zone=(10, 10), off_fault=(0.8, 0.8))
        faults, record = random_system(np.random.default_rng(8), SHAPE, drawn)
        motion = fault_motion(faults, SHAPE)
        assert record["faults"][0]["diffuse"] == bool(diffuse)
        assert len(motion.traces) == (1 if diffuse else len(faults))
        main = faults[0]
        middle = (len(main.trace) - 1) // 2
        at = main.trace[middle : middle + 2].mean(axis=0)
        right = right_of(np.diff(main.trace[middle : middle + 2], axis=0))[0]
        off = np.linspace(-9, 9, 3600)
        moved = np.linalg.norm(np.diff(np.stack(motion.flow(*(at[:, None] + right[:, None] * off))), axis=1), axis=0)
        whole = np.hypot(main.strike_slip[0, middle], main.dip_slip[0, middle])
        steps = np.sort(moved)[::-1]
        assert steps[0] == pytest.approx(whole, rel=0.25)  # that of the fault itself
        assert (steps[1] > 0.02) == (not diffuse)
        assert moved.sum() == pytest.approx(whole / 0.2, rel=0.35)


@pytest.mark.parametrize("seed", range(4))
def test_a_random_earthquake_is_the_sum_of_its_triangles(seed):
    faults, _ = random_system(np.random.default_rng(seed), SHAPE)
    motion = fault_motion(faults, SHAPE, peak=5.0)
    rows, cols = np.random.default_rng(1).uniform(-10, 130, (2, 1000))
    triangles, slips = (np.concatenate(each) for each in zip(*(fault.triangles() for fault in faults), strict=True))
    scale = motion.record["largest_slip"] / np.linalg.norm(slips, axis=1).max()
    east, north, _ = surface_displacement(cols, -rows, triangles, scale * slips)
    np.testing.assert_allclose(motion.flow(rows, cols), [east, -north], atol=1e-3)
