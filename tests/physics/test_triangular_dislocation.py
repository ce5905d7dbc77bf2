"""Triangular dislocations against known answers."""

import numpy as np
import pytest
from reference.okada import rectangle

from groundshift.errors import InputError
from groundshift.kernels.triangular_dislocation import dislocations, slip_vectors, surface_displacement


def halves(top, dip, length, width):
    """Two triangles that make a rectangle: strike is north, and it dips to the east from the line east = 0."""
    reach, drop = (0.0 if dip == 90 else width * np.cos(np.radians(dip))), width * np.sin(np.radians(dip))
    start, end = [0, 0, -top], [0, length, -top]
    below_start, below_end = [reach, 0, -top - drop], [reach, length, -top - drop]
    return np.array([[start, below_start, below_end], [start, below_end, end]], float)


@pytest.fixture
def points():
    return np.random.default_rng(0).uniform(-40, 50, (2, 500))


@pytest.mark.parametrize("dip", [90, 80, 60, 30, 10])
@pytest.mark.parametrize("top", [0.0, 3.0])
@pytest.mark.parametrize("slip", [(1.0, 0.0), (0.0, 1.0)])
def test_two_triangles_are_a_rectangle(points, dip, top, slip):
    east, north = points
    triangles = halves(top, dip, 20.0, 12.0)
    found = surface_displacement(east, north, triangles, slip_vectors(triangles, *slip))
    along, left, up = rectangle(north, -east, top, np.radians(dip), 20.0, 12.0, *slip)
    expected = np.array([-left, along, up])
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("triangle", "expected"),
    [
        (
            [[-3, -2, -1], [5, 1, -4], [0, 6, -9]],
            [
                [-0.014075184215, 0.021433998144, 0.028475149327],
                [0.035740864374, -0.147569792954, -0.017465864656],
                [-0.009168755837, -0.057652763501, -0.016499824589],
            ],
        ),
        (
            [[0, 0, 0], [4, 8, 0], [6, -1, -5]],
            [
                [-0.165969436604, 0.361583881181, 0.034053206591],
                [0.272113375781, -0.474984014799, -0.015289086909],
                [-0.077699640793, -0.081940635390, -0.001002203555],
            ],
        ),
        (
            [[0, 0, 0], [2, 7, -3], [1, -2, -6]],
            [
                [-0.144201801161, 0.061629412800, 0.055484813088],
                [0.134427157351, 0.113442199566, -0.021519551215],
                [-0.046819589285, 0.039262243106, -0.004925676707],
            ],
        ),
    ],
)
def test_reference_values(triangle, expected):
    """Computed with cutde 26.3.6 (Thompson), which follows Nikkhoo & Walter; Poisson ratio 0.3."""
    east, north = np.array([7.0, 1.0, -12.0]), np.array([-5.0, 3.0, 4.0])
    slip = np.array([[1.0, -2.0, 0.5]])
    found = surface_displacement(east, north, np.array([triangle], float), slip, poisson=0.3)
    np.testing.assert_allclose(found, expected, atol=1e-11)


def test_a_long_vertical_fault_is_a_screw_dislocation():
    east = np.array([-300.0, -20.0, -1.0, 0.1, 5.0, 80.0])
    triangles = halves(10.0, 90, 1e7, 990.0)
    found = surface_displacement(east, np.full(6, 5e6), triangles, slip_vectors(triangles, 1.0, 0.0))
    expected = (np.arctan(east / 10) - np.arctan(east / 1000)) / np.pi
    np.testing.assert_allclose(found[1], expected, rtol=1e-6)
    np.testing.assert_allclose(found[[0, 2]], 0, atol=1e-6)


@pytest.mark.parametrize("dip", [90, 60, 20])
def test_the_jump_at_the_trace_is_the_slip(dip):
    triangles = halves(0.0, dip, 20.0, 8.0)
    slips = slip_vectors(triangles, 2.0, 0.7, 0.2)
    north = np.array([1.0, 7.0, 13.0])
    west, on, east = (surface_displacement(np.full(3, x), north, triangles, slips) for x in (-1e-8, 0.0, 1e-8))
    np.testing.assert_allclose(east - west, slips[:1].T.repeat(3, axis=1), atol=1e-7)
    np.testing.assert_allclose(on, east, atol=1e-7)


@pytest.mark.parametrize("triangle", [[[0, 0, 0], [0, 9, 0], [3, 4, -5]], [[0, 0, -2], [4, 9, -3], [3, 4, -5]]])
def test_the_far_field_decays_with_the_square_of_distance(triangle):
    near, far = (
        surface_displacement(r * np.cos(np.arange(5.0)), r * np.sin(np.arange(5.0)), np.array([triangle], float),
                             np.array([[1.0, 0.5, -0.4]])) * r**2
        for r in (2e4, 1e5)
    )  # fmt: skip
    np.testing.assert_allclose(far, near, atol=1e-3 * np.abs(near).max())
    assert np.abs(near).max() > 1


def test_turning_and_moving_everything_turns_and_moves_the_answer(points):
    random = np.random.default_rng(2)
    triangles = random.uniform(-20, 20, (4, 3, 3))
    triangles[..., 2] = -abs(triangles[..., 2])
    triangles[:2, :2, 2] = 0
    slips = random.normal(size=(4, 3))
    turn = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
    shift = np.array([1000.0, -500.0, 0.0])
    east, north = turn[:2, :2] @ points + shift[:2, None]
    found = surface_displacement(east, north, triangles @ turn.T + shift, slips @ turn.T)
    np.testing.assert_allclose(found, turn @ surface_displacement(*points, triangles, slips), atol=1e-10)


def test_the_order_of_vertices_matters_only_by_its_sign(points):
    triangle = np.array([[[0, 0, 0], [5, 9, 0], [6, 4, -5]]], float)
    slip = np.array([[1.0, 0.5, -0.4]])
    expected = surface_displacement(*points, triangle, slip)
    np.testing.assert_allclose(surface_displacement(*points, triangle[:, [1, 2, 0]], slip), expected, atol=1e-13)
    np.testing.assert_allclose(surface_displacement(*points, triangle[:, [1, 0, 2]], -slip), expected, atol=1e-13)


def test_nearly_vertical_sides_tend_to_vertical_ones(points):
    slip = np.array([[1.0, 1.0, 1.0]])

    def moved(lean):
        return surface_displacement(*points, np.array([[[0, 0, 0], [0, 10, -1], [lean, 0, -5]]], float), slip)

    slope = (moved(1e-4) - moved(0)) / 1e-4
    for lean in (1e-10, 1e-8, 1e-6):
        np.testing.assert_allclose((moved(lean) - moved(0)) / lean, slope, atol=2e-2 * np.abs(slope).max())


def test_points_on_vertices_sides_and_lines_through_them_are_finite():
    triangles = np.array(
        [
            [[0, 0, 0], [0, 10, 0], [0, 0, -5]],
            [[0, 0, 0], [0, 10, 0], [4, 5, -5]],
            [[0, 0, 0], [0, 10, -3], [0, 0, -5]],
            [[0, 5, -1], [0, 10, -1], [0, 5, -5]],
        ],
        float,
    )
    found = surface_displacement(np.zeros(6), np.array([0.0, 10, 5, -3, 20, 2.5]), triangles, np.ones((4, 3)))
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 50


def test_triangles_that_share_sides_are_the_sum_of_each(points):
    triangles = np.concatenate([halves(0.0, 70, 9.0, 5.0), halves(0.0, 70, 9.0, 5.0) + np.array([0, 9.0, 0])])
    slips = slip_vectors(triangles, np.array([1.0, 1, 2, 3]), 0.5)
    each = sum(surface_displacement(*points, triangles[[k]], slips[[k]]) for k in range(4))
    np.testing.assert_allclose(surface_displacement(*points, triangles, slips), each, atol=1e-12)
    assert len(dislocations(triangles, slips).sides) < 12


def test_a_vertex_above_the_surface_and_shapes_that_do_not_fit_are_refused():
    triangles = halves(0.0, 70, 9.0, 5.0)
    with pytest.raises(InputError, match="5 m above the surface"):
        surface_displacement(np.zeros(1), np.zeros(1), triangles + np.array([0, 0, 5]), np.ones((2, 3)))
    with pytest.raises(InputError, match="do not fit"):
        surface_displacement(np.zeros(1), np.zeros(1), triangles, np.ones((1, 3)))


def test_slip_has_the_signs_of_aki_and_richards():
    triangles = halves(0.0, 45, 10.0, 10.0)
    half = np.sqrt(0.5)
    for slip, expected in (((1, 0), (0, 1, 0)), ((0, 1), (-half, 0, half)), ((0, 0, 1), (half, 0, half))):
        np.testing.assert_allclose(slip_vectors(triangles, *slip), [expected, expected], atol=1e-12)
        np.testing.assert_allclose(-slip_vectors(triangles[:, ::-1], *slip), [expected, expected], atol=1e-12)
