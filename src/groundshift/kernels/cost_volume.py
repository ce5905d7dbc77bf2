"""Matching costs of candidate displacements and their semi-global regularisation.

The candidates of a pixel are the integer displacements within `radius` of its prior, in x and y, so a cost
volume has shape (y, x, (2 radius + 1)²) with candidates in row-major order of (dy, dx).
"""

from __future__ import annotations

import numba
import numpy as np

_PATHS = np.array([(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)])


@numba.njit(cache=True, nogil=True, fastmath=True)
def zncc_costs(pre, post, pre_weight, post_weight, prior_dx, prior_dy, radius, half_window):
    """Cost 1 − ZNCC of square windows for every candidate displacement of every pixel.

    Zero-mean normalised cross-correlation ignores gain and offset between the images. Pixels with weight 0
    take no part; a candidate whose windows share less than a quarter of their pixels costs 1, as if
    uncorrelated.

    Parameters
    ----------
    pre, post
        Images, float32 (y, x), finite everywhere (anything where the weight is 0).
    pre_weight, post_weight
        1 where a pixel can be used, else 0; float32 (y, x).
    prior_dx, prior_dy
        Integer displacement around which candidates lie, pixels, int32 (y, x).
    radius
        Candidates reach this far from the prior, pixels.
    half_window
        Windows are 2 half_window + 1 pixels wide.

    Returns
    -------
    float32 (y, x, candidates), 0 for identical windows to 2 for inverted ones.
    """
    height, width = pre.shape
    side = 2 * radius + 1
    costs = np.empty((height, width, side * side), np.float32)
    columns = np.empty((6, width + 2 * half_window), np.float32)
    windows = np.empty((6, width), np.float32)
    for y in range(height):
        start = 0
        while start < width:  # pixels with one prior share the sums over columns of their windows
            stop = start + 1
            while stop < width and prior_dy[y, stop] == prior_dy[y, start] and prior_dx[y, stop] == prior_dx[y, start]:
                stop += 1
            for label in range(side * side):
                dy = prior_dy[y, start] + label // side - radius
                dx = prior_dx[y, start] + label % side - radius
                _window_sums(
                    pre, post, pre_weight, post_weight, y, start, stop, dy, dx, half_window, columns, windows
                )  # fmt: skip
                _costs_of_sums(windows, stop - start, half_window, costs[y, start:stop, label])
            start = stop
    return costs


@numba.njit(cache=True, nogil=True, fastmath=True)
def _window_sums(pre, post, pre_weight, post_weight, y, start, stop, dy, dx, half_window, columns, windows):
    """Sums over the windows of pixels `start` to `stop` of row y: weight, a, b, aa, bb, ab; into `windows`."""
    height, width = pre.shape
    first, last = start - half_window, stop + half_window  # columns of all windows
    inner = max(max(first, 0), -dx)
    outer = min(min(last, width), width - dx)
    columns[:, : last - first] = 0
    for i in range(max(max(y - half_window, 0), -dy), min(min(y + half_window + 1, height), height - dy)):
        weight_a, image_a = pre_weight[i], pre[i]
        weight_b, image_b = post_weight[i + dy], post[i + dy]
        for j in range(inner, outer):
            w = weight_a[j] * weight_b[j + dx]
            a, b = w * image_a[j], w * image_b[j + dx]
            columns[0, j - first] += w
            columns[1, j - first] += a
            columns[2, j - first] += b
            columns[3, j - first] += a * a
            columns[4, j - first] += b * b
            columns[5, j - first] += a * b
    for k in range(6):
        total, column = windows[k, : stop - start], columns[k]
        total[:] = 0
        for offset in range(2 * half_window + 1):
            for j in range(stop - start):
                total[j] += column[j + offset]


@numba.njit(cache=True, nogil=True, fastmath=True)
def _costs_of_sums(windows, count, half_window, costs):
    """1 − ZNCC from the sums of each window."""
    least = np.float32(0.25 * (2 * half_window + 1) ** 2)
    for j in range(count):
        n, a, b = windows[0, j], windows[1, j], windows[2, j]
        cost = np.float32(1)
        if n > least:
            variance_a = windows[3, j] - a * a / n
            variance_b = windows[4, j] - b * b / n
            if variance_a > 0 and variance_b > 0:
                cost = 1 - (windows[5, j] - a * b / n) / np.sqrt(variance_a * variance_b)
        costs[j] = cost


@numba.njit(cache=True, nogil=True, fastmath=True)
def _aggregate(costs, prior_dx, prior_dy, radius, slope, ceiling, memory, step_y, step_x, total):
    """Add to `total` the costs accumulated along one path direction (Hirschmüller 2008, eq. 13)."""
    height, width, labels = costs.shape
    side = 2 * radius + 1
    ys = range(height) if step_y >= 0 else range(height - 1, -1, -1)
    rows = np.empty((2, width, labels), np.float32)  # the previous and the present row of path costs
    for y in ys:
        here = y & 1
        before = here if step_y == 0 else 1 - here
        for i in range(width):
            x = i if step_x >= 0 else width - 1 - i
            py, px = y - step_y, x - step_x
            if py < 0 or py >= height or px < 0 or px >= width:
                for k in range(labels):
                    rows[here, x, k] = costs[y, x, k]
                    total[y, x, k] += costs[y, x, k]
                continue
            least = rows[before, px, 0]
            for k in range(1, labels):
                least = min(least, rows[before, px, k])
            shift_y = prior_dy[y, x] - prior_dy[py, px]
            shift_x = prior_dx[y, x] - prior_dx[py, px]
            for k in range(labels):
                best = least + ceiling
                ky, kx = k // side + shift_y, k % side + shift_x
                for q in range(labels):
                    jump = slope * (abs(ky - q // side) + abs(kx - q % side))
                    best = min(best, rows[before, px, q] + jump)
                value = costs[y, x, k] + memory * (best - least)
                rows[here, x, k] = value
                total[y, x, k] += value
    return total


def semi_global(costs, prior_dx, prior_dy, *, radius, slope, ceiling, memory=1.0):
    """Sum of path costs along eight directions: semi-global matching for two-dimensional displacement.

    The penalty between neighbours that differ by (Δx, Δy) pixels is min(slope (|Δx| + |Δy|), ceiling): small
    changes cost in proportion, a fault costs `ceiling` however large its slip.

    Parameters
    ----------
    costs
        As returned by :func:`zncc_costs`.
    prior_dx, prior_dy, radius
        As given to :func:`zncc_costs`.
    slope, ceiling
        Penalty a pixel of difference, and its largest value, in units of the costs.
    memory
        Share of what a path has gathered that it carries to its next pixel. Below 1, the result at a pixel no longer
        depends on ground that is far away.

    Returns
    -------
    float32 array like `costs`.

    Source: Hirschmüller, H. (2008), IEEE TPAMI 30(2), doi:10.1109/TPAMI.2007.1166; the truncated linear
    penalty is the regularisation of MicMac (Rosu et al. 2015, doi:10.1016/j.isprsjprs.2014.03.002).
    """
    total = np.zeros_like(costs)
    weights = np.float32(slope), np.float32(ceiling), np.float32(memory)
    for step_y, step_x in _PATHS:
        _aggregate(costs, prior_dx, prior_dy, radius, *weights, step_y, step_x, total)
    return total


@numba.njit(cache=True, nogil=True)
def best_candidates(total, prior_dx, prior_dy, radius):
    """The cheapest candidate of every pixel: (dx, dy), int32 (y, x)."""
    height, width = total.shape[:2]
    side = 2 * radius + 1
    dx = np.empty((height, width), np.int32)
    dy = np.empty((height, width), np.int32)
    for y in range(height):
        for x in range(width):
            k = np.argmin(total[y, x])
            dx[y, x] = prior_dx[y, x] + k % side - radius
            dy[y, x] = prior_dy[y, x] + k // side - radius
    return dx, dy
