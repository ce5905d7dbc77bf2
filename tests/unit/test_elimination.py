"""Elimination of the unknowns of cells, against the whole system solved at once."""

import numpy as np
import pytest

from groundshift.kernels.elimination import cell_solutions, lone_residual, reduced_normal

CELLS, MEASURED, TERMS, SHARED = 40, 5, 2, 6


@pytest.fixture
def system():
    random = np.random.default_rng(3)
    look = random.normal(size=(MEASURED, 3, CELLS))
    weight = random.uniform(0.5, 3, (MEASURED, CELLS))
    weight[random.random((MEASURED, CELLS)) < 0.3] = 0
    column = random.integers(0, SHARED, (MEASURED, TERMS, CELLS))
    column[:, 1] = np.where(random.random((MEASURED, CELLS)) < 0.5, (column[:, 0] + 1) % SHARED, -1)
    return random.normal(size=(MEASURED, CELLS)), weight, look, column, random.normal(size=(MEASURED, TERMS, CELLS))


def whole(system, prior, shared_prior):
    """Normal equations of all unknowns, those of the cells first; right-hand side."""
    value, weight, look, column, factor = system
    size = 3 * CELLS + SHARED
    matrix, right = np.zeros((size, size)), np.zeros(size)
    for cell in range(CELLS):
        for c in range(MEASURED):
            row = np.zeros(size)
            row[3 * cell : 3 * cell + 3] = look[c, :, cell]
            for k in range(TERMS):
                if column[c, k, cell] >= 0:
                    row[3 * CELLS + column[c, k, cell]] += factor[c, k, cell]
            matrix += weight[c, cell] * np.outer(row, row)
            right += weight[c, cell] * value[c, cell] * row
    return matrix + np.diag(np.append(np.tile(prior, CELLS), np.full(SHARED, shared_prior))), right


def test_what_is_shared_is_that_of_the_whole_system(system):
    matrix, right = np.eye(SHARED) * 0.5, np.zeros(SHARED)
    reduced_normal(*system, np.ones(3, bool), matrix, right)
    expected = np.linalg.lstsq(*whole(system, (1e-10,) * 3, 0.5), rcond=None)[0][3 * CELLS :]
    np.testing.assert_allclose(np.linalg.solve(matrix, right), expected, atol=1e-4)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    assert np.linalg.eigvalsh(matrix).min() >= 0.5 - 1e-9


def test_a_component_that_is_known_is_not_eliminated(system):
    matrix, right = np.eye(SHARED) * 0.5, np.zeros(SHARED)
    reduced_normal(*system, np.array([True, False, True]), matrix, right)
    expected = np.linalg.lstsq(*whole(system, (1e-10, 1e9, 1e-10), 0.5), rcond=None)[0][3 * CELLS :]
    np.testing.assert_allclose(np.linalg.solve(matrix, right), expected, atol=1e-4)


def test_one_look_leaves_the_rest_as_unknown_as_it_was():
    """By Sherman and Morrison: (1 - w l lᵀ / (w + p)) / p for a look l of weight w and what is known beforehand, p."""
    random = np.random.default_rng(4)
    look = random.normal(size=(1, 3, CELLS))
    look /= np.linalg.norm(look, axis=1, keepdims=True)
    weight, known = 10 ** random.uniform(2, 5, (1, CELLS)), 1e-6
    motion, spread, residual = np.empty((CELLS, 3)), np.empty((CELLS, 3, 3)), np.empty((1, CELLS))
    prior, nothing = np.full((3, CELLS), known), np.empty((0, 0))
    system = np.ones((1, CELLS)), weight, look, np.full((1, 1, CELLS), -1), np.zeros((1, 1, CELLS))
    cell_solutions(*system, prior, np.zeros(0), nothing, motion, spread, residual)
    along = np.einsum("ik,jk,k->kij", look[0], look[0], weight[0] / (weight[0] + known))
    np.testing.assert_allclose(spread, (np.eye(3) - along) / known, atol=1e-3 / known)
    np.testing.assert_allclose(motion, look[0].T, atol=1e-3)


def test_motion_and_covariance_are_those_of_the_whole_system(system):
    prior = np.array([0.3, 0.2, 0.1])
    matrix, right = whole(system, prior, 0.5)
    inverse = np.linalg.inv(matrix)
    solution = inverse @ right
    motion, spread = np.empty((CELLS, 3)), np.empty((CELLS, 3, 3))
    residual = np.empty((MEASURED, CELLS))
    shared = slice(3 * CELLS, None)
    cell_solutions(
        *system,
        np.repeat(prior[:, None], CELLS, 1),
        solution[shared],
        inverse[shared, shared],
        motion,
        spread,
        residual,
    )
    np.testing.assert_allclose(motion.ravel(), solution[: 3 * CELLS], atol=1e-9)
    for cell in range(CELLS):
        part = slice(3 * cell, 3 * cell + 3)
        np.testing.assert_allclose(spread[cell], inverse[part, part], atol=1e-9)
    assert np.isnan(residual[system[1] == 0]).all()


def test_a_wrong_value_stands_out_from_its_neighbours():
    values = np.random.default_rng(0).normal(size=(20, 20))
    values[:, 10:] += 50  # a fault
    values[5, 4] += 30
    values[15, 10] += 9  # beside the fault
    values[12, 3] = np.nan
    apart = lone_residual(values, np.ones_like(values))
    assert apart[5, 4] > 10
    assert np.isnan(apart[12, 3])
    assert apart[15, 10] > 4
    apart[5, 4] = apart[15, 10] = 0
    assert np.nanmax(apart) < 4
