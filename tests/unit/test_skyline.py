"""Least squares of many cells side by side, against dense algebra."""

import numpy as np
import pytest

from groundshift.kernels.skyline import (
    add_normal,
    add_right,
    factorise,
    inverse_on_pattern,
    predicted,
    skyline,
    spread,
    substitute,
)

CELLS, SIZE = 3, 12


@pytest.fixture
def system():
    random = np.random.default_rng(5)
    rows = [np.unique([start, start + random.integers(0, 4), SIZE - 1]) for start in range(8)]
    rows += [np.array([k]) for k in range(SIZE)]
    pointer, column = np.cumsum([0, *map(len, rows)]), np.concatenate(rows)
    factor = random.standard_normal((len(column), CELLS))
    weight, value = random.random((len(rows), CELLS)) + 0.1, random.standard_normal((len(rows), CELLS))
    dense = np.zeros((CELLS, len(rows), SIZE))
    for row in range(len(rows)):
        for entry in range(pointer[row], pointer[row + 1]):
            dense[:, row, column[entry]] = factor[entry]
    return pointer, column, factor, weight, value, dense


def test_cells_are_solved_as_by_dense_algebra(system):
    pointer, column, factor, weight, value, dense = system
    pattern = skyline(pointer, column, SIZE)
    assert pattern.entries < SIZE * (SIZE + 1) // 2
    matrix, right = np.zeros((pattern.entries, CELLS)), np.zeros((SIZE, CELLS))
    add_normal(pointer, column, factor, weight, value, pattern.offset, matrix, right)
    again = np.zeros_like(right)
    add_right(pointer, column, factor, weight * value, again)
    np.testing.assert_allclose(again, right, atol=1e-13)
    factorise(pattern.first, pattern.offset, matrix)
    solution, inverse = right.copy(), np.zeros_like(matrix)
    substitute(pattern.first, pattern.offset, matrix, solution)
    inverse_on_pattern(pattern.first, pattern.offset, matrix, inverse)
    expected, variance = np.empty_like(weight), np.empty_like(weight)
    predicted(pointer, column, factor, solution, expected)
    spread(pointer, column, factor, pattern.offset, inverse, variance)
    for cell, a in enumerate(dense):
        normal = a.T @ (weight[:, cell, None] * a)
        np.testing.assert_allclose(
            solution[:, cell], np.linalg.solve(normal, a.T @ (weight * value)[:, cell]), atol=1e-12
        )
        whole = np.linalg.inv(normal)
        for i in range(SIZE):
            kept = inverse[pattern.offset[i] + pattern.first[i] : pattern.offset[i] + i + 1, cell]
            np.testing.assert_allclose(kept, whole[i, pattern.first[i] : i + 1], atol=1e-12)
        np.testing.assert_allclose(expected[:, cell], a @ solution[:, cell], atol=1e-12)
        np.testing.assert_allclose(variance[:, cell], np.einsum("mi,ij,mj->m", a, whole, a), atol=1e-12)
        assert np.log(matrix[pattern.diagonal, cell]).sum() == pytest.approx(np.linalg.slogdet(normal)[1] / 2)


def test_a_cell_has_the_same_bytes_whatever_stands_beside_it(system):
    pointer, column, factor, weight, value, _ = system
    pattern = skyline(pointer, column, SIZE)
    found = []
    for use in (slice(0, CELLS), slice(1, 2)):
        part = tuple(np.ascontiguousarray(each[:, use]) for each in (factor, weight, value))
        matrix, right = np.zeros((pattern.entries, part[0].shape[1])), np.zeros((SIZE, part[0].shape[1]))
        add_normal(pointer, column, *part, pattern.offset, matrix, right)
        factorise(pattern.first, pattern.offset, matrix)
        substitute(pattern.first, pattern.offset, matrix, right)
        found.append(right)
    np.testing.assert_array_equal(found[0][:, 1:2], found[1])
