"""Dislocations against known answers."""

import numpy as np
import pytest

from groundshift.kernels.okada import rectangle
from groundshift.synth.rupture import random_rupture

DIP = np.radians(70)


@pytest.mark.parametrize(
    ("strike_slip", "dip_slip", "expected"),
    [(1.0, 0.0, (-8.689e-3, -4.298e-3, -2.747e-3)), (0.0, 1.0, (-4.682e-3, -3.527e-2, -3.564e-2))],
)
def test_table_2_of_the_paper(strike_slip, dip_slip, expected):
    """Case 2: x = 2, y = 3, lower edge at 4, dip 70 degrees, length 3, width 2."""
    y = 3 - 2 * np.cos(DIP)
    found = rectangle(np.array([2.0]), np.array([y]), 4 - 2 * np.sin(DIP), DIP, 3.0, 2.0, strike_slip, dip_slip)
    np.testing.assert_allclose(found.ravel(), expected, rtol=2e-4)


def test_a_long_vertical_fault_is_the_antiplane_arctangent():
    y = np.array([-20.0, -3.0, -0.5, 0.5, 3.0, 20.0])
    found = rectangle(np.full(6, 5e5), y, 0.0, np.pi / 2, 1e6, 10.0, 1.0, 0.0)
    np.testing.assert_allclose(found[0], -np.arctan(10 / y) / np.pi, rtol=1e-6)


@pytest.mark.parametrize("dip", [30, 60, 90])
def test_the_jump_at_the_trace_is_the_slip(dip):
    y = np.array([1e-4, -1e-4])
    found = rectangle(np.full(2, 500.0), y, 0.0, np.radians(dip), 1000.0, 100.0, 2.0, 0.5)
    jump = found[:, 1] - found[:, 0]  # right against left
    expected = (2.0, 0.5 * np.cos(np.radians(dip)), 0.5 * np.sin(np.radians(dip)))
    np.testing.assert_allclose(jump, expected, atol=2e-3)


def test_right_lateral_slip_moves_the_far_side_to_the_right():
    rupture = random_rupture(
        np.random.default_rng(0), centre=(0, 0), length=10_000, strike=0, slip=4, rake=180, roughness=0
    )
    west, east = (float(rupture(np.array([x]), np.array([0.0])).north[0]) for x in (-100.0, 100.0))
    assert west > 1.5  # from the east side, the west goes to the right, north
    assert east < -1.5


def test_shifting_everything_changes_nothing_and_the_far_field_decays():
    near, far = (
        random_rupture(np.random.default_rng(1), centre=(x, 0), length=5000, strike=30, slip=2) for x in (0, 1e5)
    )
    points = np.array([1000.0, -3000.0]), np.array([500.0, 2000.0])
    np.testing.assert_allclose(near(*points).east, far(points[0] + 1e5, points[1]).east, atol=1e-9)
    assert abs(near(np.array([2e6]), np.array([0.0])).east[0]) < 1e-3
    assert np.isfinite(near(*near.trace.T).east).all()
