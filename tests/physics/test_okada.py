"""The reference that other dislocations are held against, against the tables of its paper and the antiplane limit."""

import numpy as np
import pytest
from reference.okada import rectangle

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
