"""Windows are found where they fit best: against every displacement tried one by one."""

import numpy as np
import pytest

from groundshift.kernels.window_search import best_matches

SIDE, REACH = 9, 5


def fits(first, second, row, column):
    """Correlation of a window at each displacement, (2 REACH + 1)²; −2 where the window is not within the image."""
    found = np.full((2 * REACH + 1, 2 * REACH + 1), -2.0)
    window = first[row : row + SIDE, column : column + SIDE]
    for down in range(-REACH, REACH + 1):
        for right in range(-REACH, REACH + 1):
            top, left = row + down, column + right
            if min(top, left) >= 0 and top + SIDE <= second.shape[0] and left + SIDE <= second.shape[1]:
                other = second[top : top + SIDE, left : left + SIDE]
                found[down + REACH, right + REACH] = np.corrcoef(window.ravel(), other.ravel())[0, 1]
    return found


@pytest.fixture(scope="module")
def images():
    first, second = np.random.default_rng(2).normal(size=(2, 40, 50)).astype(np.float32)
    second[8:30, 10:40] += 2 * first[5:27, 14:44]
    return first, second


def test_the_best_and_the_next_are_those_of_all_displacements(images):
    rows, columns = (each.ravel() for each in np.meshgrid([0, 3, 12, 31], [0, 16, 30, 41], indexing="ij"))
    found = best_matches(*images, rows, columns, side=SIDE, reach=REACH)
    for n, at in enumerate(zip(rows, columns, strict=True)):
        expected = fits(*images, *at)
        down, right = np.unravel_index(expected.argmax(), expected.shape)
        assert (found.dy[n], found.dx[n]) == (down - REACH, right - REACH)
        assert found.correlation[n] == pytest.approx(expected.max(), abs=1e-5)
        expected[max(0, down - 3) : down + 4, max(0, right - 3) : right + 4] = -2
        assert found.next_best[n] == pytest.approx(expected.max(), abs=1e-5)


def test_a_displacement_is_that_of_the_second_image(images):
    found = best_matches(*images, np.array([12]), np.array([20]), side=SIDE, reach=REACH)
    assert (found.dx[0], found.dy[0]) == (-4, 3)


def test_windows_without_texture_fit_nowhere(images):
    first = np.zeros_like(images[0])
    found = best_matches(first, images[1], np.array([12]), np.array([20]), side=SIDE, reach=REACH)
    assert abs(found.correlation[0]) < 1e-3


def test_no_windows_are_no_matches(images):
    none = np.empty(0, int)
    assert best_matches(*images, none, none, side=SIDE, reach=REACH).dx.size == 0
