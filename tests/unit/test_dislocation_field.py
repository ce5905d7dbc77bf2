"""The field of many dislocations against their plain sum."""

import numpy as np
import pytest

from groundshift.kernels.dislocation_field import dislocation_field, displacement_at
from groundshift.kernels.triangular_dislocation import slip_vectors, surface_displacement

SHAPE = (120, 150)
SPACING = 10.0
ORIGIN = (500_000.0, 4_000_000.0)
SLIP = 5 * SPACING
TOLERANCE = 1e-3 * SPACING


def ground(rows, cols):
    return ORIGIN[0] + SPACING * cols, ORIGIN[1] - SPACING * rows


def rough_fault(seed, *, segments=16, dip=70.0, length=2000.0):
    """Three rows of triangles below a rough trace through the middle of the image, and the trace."""
    random = np.random.default_rng(seed)
    t = np.linspace(-0.5, 0.5, segments + 1)
    strike = random.uniform(0, 2 * np.pi)
    along = np.array([np.sin(strike), np.cos(strike)])
    right = np.array([along[1], -along[0]])
    trace = np.array(ground(60.3, 75.1)) + np.outer(t * length, along) + np.outer(random.normal(0, 20, len(t)), right)
    depths = np.array([0.0, 100.0, 400.0, 1200.0])
    nodes = np.array([np.column_stack([trace + right * z / np.tan(np.radians(dip)), -z + 0 * t]) for z in depths])
    upper, lower = nodes[:-1], nodes[1:]
    quads = [upper[:, :-1], lower[:, :-1], lower[:, 1:]], [upper[:, :-1], lower[:, 1:], upper[:, 1:]]
    triangles = np.concatenate([np.stack(each, axis=2).reshape(-1, 3, 3) for each in quads])
    taper = SLIP * np.sqrt(1 - (t[1:] + t[:-1]) ** 2) * np.array([1, 0.8, 0.4])[:, None]
    amount = np.tile(taper.ravel(), 2)
    return triangles, slip_vectors(triangles, -amount, 0.3 * amount), trace


def random_triangles(seed, count=60):
    random = np.random.default_rng(seed)
    centre = np.column_stack([*ground(random.uniform(0, 120, count), random.uniform(0, 150, count)), np.zeros(count)])
    triangles = centre[:, None] + random.normal(0, 80, (count, 3, 3))
    triangles[..., 2] = -np.abs(triangles[..., 2])
    triangles[::2, :2, 2] = 0
    return triangles, random.uniform(-SLIP, SLIP, (count, 3)) / 2


@pytest.mark.parametrize(
    ("triangles", "slips"),
    [rough_fault(0)[:2], rough_fault(1, dip=20)[:2], rough_fault(2, dip=90, length=600)[:2], random_triangles(3)],
    ids=["steep", "thrust", "vertical, within the image", "random"],
)
def test_the_field_is_the_sum_to_a_thousandth_of_a_pixel(triangles, slips):
    field = dislocation_field(triangles, slips, SHAPE, SPACING, ORIGIN, tolerance=TOLERANCE)
    random = np.random.default_rng(4)
    rows, cols = (random.integers(0, size, 3000) for size in SHAPE)
    assert field.values.shape == (3, *SHAPE)
    expected = surface_displacement(*ground(rows, cols), triangles, slips)
    np.testing.assert_allclose(field.values[:, rows, cols], expected, rtol=0, atol=TOLERANCE)
    assert np.ptp(expected) > 100 * TOLERANCE

    rows, cols = (random.uniform(-8, size + 7, 3000) for size in SHAPE)
    expected = surface_displacement(*ground(rows, cols), triangles, slips)
    np.testing.assert_allclose(field.sample(rows, cols), expected, rtol=0, atol=TOLERANCE)


def test_most_of_the_field_is_not_summed_exactly():
    triangles, slips, _ = rough_fault(0)
    field = dislocation_field(triangles, slips, SHAPE, SPACING, ORIGIN, tolerance=TOLERANCE)
    listed = np.diff(field.tree.span)
    assert listed.mean() < 0.1 * len(triangles)


@pytest.mark.parametrize("offset", [0.005, 1e-6])
def test_the_jump_is_whole_and_in_its_place(offset):
    triangles, slips, trace = rough_fault(5)
    field = dislocation_field(triangles, slips, SHAPE, SPACING, ORIGIN, tolerance=TOLERANCE)
    step = np.diff(trace, axis=0)
    right = np.column_stack([step[:, 1], -step[:, 0]]) / np.hypot(*step.T)[:, None]
    middle = trace[:-1] + 0.4 * step
    inside = [
        k for k in range(len(middle)) if np.all(np.abs(middle[k] - ground(59.5, 74.5)) < SPACING * np.array([75, 60]))
    ]
    sides = []
    for sign in (1, -1):
        east, north = (middle[inside] + sign * offset * SPACING * right[inside]).T
        found = field.sample((ORIGIN[1] - north) / SPACING, (east - ORIGIN[0]) / SPACING)
        np.testing.assert_allclose(found, surface_displacement(east, north, triangles, slips), rtol=0, atol=TOLERANCE)
        sides.append(found)
    assert len(inside) >= 8
    np.testing.assert_allclose((sides[0] - sides[1]).T, slips[: len(middle)][inside], atol=TOLERANCE + offset * SLIP)


def test_any_shape_of_positions_and_beyond_the_margin_the_border():
    triangles, slips, _ = rough_fault(0)
    field = dislocation_field(triangles, slips, SHAPE, SPACING, ORIGIN, tolerance=TOLERANCE, margin=4.0)
    found = field.sample(np.array([[10.0], [-4.5], [-1000.0]]), np.array([20.0, 21.5]))
    assert found.shape == (3, 3, 2)
    np.testing.assert_array_equal(found[:, 1], found[:, 2])
    np.testing.assert_allclose(found[:, 0, 0], field.values[:, 10, 20], atol=1e-9)
    assert np.isnan(field.sample(np.array([np.nan]), np.array([3.0]))).all()
    np.testing.assert_allclose(displacement_at(field.tree, 10.0, 21.5), found[:, 0, 1], atol=1e-9)


def test_long_images_and_no_triangles():
    triangles, slips, _ = rough_fault(0)
    field = dislocation_field(triangles, slips, (20, 210), SPACING, ORIGIN, tolerance=TOLERANCE)
    rows, cols = np.arange(20.0), np.linspace(0, 209, 20)
    expected = surface_displacement(*ground(rows, cols), triangles, slips)
    np.testing.assert_allclose(field.sample(rows, cols), expected, rtol=0, atol=TOLERANCE)
    still = dislocation_field(triangles[:0], slips[:0], (9, 8), SPACING, ORIGIN, tolerance=TOLERANCE)
    np.testing.assert_array_equal(still.values, np.zeros((3, 9, 8)))
