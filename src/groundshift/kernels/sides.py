"""Which side of a jump each pixel is on, decided together with the pixels beside it.

A pixel may have one of a few displacements. Each has a cost, how badly the images agree under it, and two neighbours
pay in proportion to how far their displacements are apart. The sum is made small by max-product belief propagation on
the grid: each pixel tells its neighbours what each of their choices would cost it at least. On a grid whose squares
are coloured like a chessboard only one colour speaks at a time, which saves half of the messages (Felzenszwalb &
Huttenlocher 2006, doi:10.1007/s11263-006-7899-4). Nothing is heard from further away than there are steps.
"""

from __future__ import annotations

import numba
import numpy as np

from groundshift.kernels.spline import values_at
from groundshift.kernels.threads import over_bands

_TOGETHER = 256  # pixels whose values are looked up together
_RIGHT, _LEFT, _DOWN, _UP = range(4)


def differences_under(
    first: np.ndarray,
    second: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    offset: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Displacements of places around pixels, extended to these with their smooth gradient; and how images agree.

    Parameters
    ----------
    first, second
        First image, and the second as spline coefficients, float32 (y, x).
    u, v
        Displacement (2, y, x), pixels, and its smooth gradient (4, y, x): of dx along x and y, of dy along x and y.
    rows, columns
        int (n,): the pixels.
    offset
        int (n,) each: rows and columns from each pixel to the place; moved into the image where it is outside.

    Returns
    -------
    Displacement, float32 (n, 2): dx, dy; and the squared difference of the images under it, float32 (n,).
    """
    moved = np.empty((len(rows), 2), np.float32)
    squared = np.empty(len(rows), np.float32)
    given = first, second, u, v, rows, columns, *offset
    over_bands(lambda start, stop: _differences(*given, start, stop, moved, squared), len(rows))
    return moved, squared


@numba.njit(cache=True, nogil=True, fastmath=True)
def _differences(first, second, u, v, rows, columns, down, right, start, stop, moved, squared):
    height, width = first.shape
    dx, dy = np.empty(_TOGETHER), np.empty(_TOGETHER)
    weights, seen = np.empty((12, _TOGETHER), np.float32), np.empty(_TOGETHER, np.float32)
    for begin in range(start, stop, _TOGETHER):
        count = min(_TOGETHER, stop - begin)
        part = slice(begin, begin + count)
        for n in range(count):
            i, j = rows[begin + n], columns[begin + n]
            y, x = min(max(i + down[begin + n], 0), height - 1), min(max(j + right[begin + n], 0), width - 1)
            oy, ox = y - i, x - j
            dx[n] = u[0, y, x] - (v[0, y, x] * ox + v[1, y, x] * oy)
            dy[n] = u[1, y, x] - (v[2, y, x] * ox + v[3, y, x] * oy)
        values_at(second, rows[part], columns[part], dx[:count], dy[:count], weights, seen[:count])
        for n in range(count):
            difference = first[rows[begin + n], columns[begin + n]] - seen[n]
            moved[begin + n, 0], moved[begin + n, 1] = dx[n], dy[n]
            squared[begin + n] = difference * difference


def chosen(
    near: np.ndarray, field: np.ndarray, choices: np.ndarray, cost: np.ndarray, *, weight: float, steps: int
) -> np.ndarray:
    """The choice of each pixel, int (n,).

    Parameters
    ----------
    near
        bool (y, x): the n pixels that choose, in the order of rows.
    field
        float32 (2, y, x), pixels: what the others have.
    choices
        float32 (n, k, 2): dx and dy that each pixel may have, pixels.
    cost
        float32 (n, k): of each of them.
    weight
        Cost of a difference of one pixel between neighbours.
    steps
        Of the propagation.
    """
    height, width = near.shape
    number = np.full((height + 2, width + 2), -1, np.int32)
    rows, columns = (each.astype(np.int32) for each in np.nonzero(near))
    number[rows + 1, columns + 1] = np.arange(len(rows), dtype=np.int32)
    beside = np.stack(
        [number[rows + 1 + down, columns + 1 + right] for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0))], axis=1
    )
    apart = np.float32(weight)
    total = cost.copy()
    over_bands(lambda start, stop: _fixed(beside, rows, columns, field, choices, apart, start, stop, total), len(rows))
    told = np.zeros((len(rows), 4, choices.shape[1]), np.float32)
    dark = (rows + columns) % 2
    for step in range(steps):
        given = beside, dark == step % 2, choices, total, apart
        over_bands(lambda start, stop, given=given: _tell(*given, start, stop, told), len(rows))
    return np.argmin(total + told.sum(axis=1), axis=1)


@numba.njit(cache=True, nogil=True)
def _fixed(beside, rows, columns, field, choices, weight, start, stop, total):
    """Add what each choice differs from neighbours that have none."""
    height, width = field.shape[1:]
    for n in range(start, stop):
        for d in range(4):
            y = rows[n] + (d == _DOWN) - (d == _UP)
            x = columns[n] + (d == _RIGHT) - (d == _LEFT)
            if beside[n, d] >= 0 or not (0 <= y < height and 0 <= x < width):
                continue
            for k in range(choices.shape[1]):
                dx, dy = choices[n, k, 0] - field[0, y, x], choices[n, k, 1] - field[1, y, x]
                total[n, k] += weight * np.sqrt(dx * dx + dy * dy)


@numba.njit(cache=True, nogil=True)
def _tell(beside, speaks, choices, total, weight, start, stop, told):
    """One step: pixels that speak tell each neighbour the least that each of its choices costs them.

    `told[n, d]` is what pixel n heard from its neighbour in direction d.
    """
    count = choices.shape[1]
    mine = np.empty(count, np.float32)
    for n in range(start, stop):
        if not speaks[n]:
            continue
        for d in range(4):
            other, back = beside[n, d], d ^ 1
            if other < 0:
                continue
            for k in range(count):
                mine[k] = total[n, k]
                for e in range(4):
                    if e != d:
                        mine[k] += told[n, e, k]
            lowest = np.float32(np.inf)
            for there in range(count):
                least = np.float32(np.inf)
                for k in range(count):
                    dx = choices[n, k, 0] - choices[other, there, 0]
                    dy = choices[n, k, 1] - choices[other, there, 1]
                    least = min(least, mine[k] + weight * np.sqrt(dx * dx + dy * dy))
                told[other, back, there] = least
                lowest = min(lowest, least)
            for there in range(count):
                told[other, back, there] -= lowest
