"""Neighbourhood tests of vector fields."""

from __future__ import annotations

import numba
import numpy as np

from groundshift.kernels.inner import INNER

_AROUND = np.array([(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)])


@numba.njit(**INNER)
def _median(values, count, part):
    """Median of the first `count` values, few; `part` is room for them."""
    for k in range(count):
        value, at = values[k], k
        while at > 0 and part[at - 1] > value:
            part[at] = part[at - 1]
            at -= 1
        part[at] = value
    return part[count // 2] if count % 2 else 0.5 * (part[count // 2 - 1] + part[count // 2])


@numba.njit(cache=True, nogil=True)
def normalised_residual(dx, dy, sigma_x, sigma_y, use, spacing, noise):
    """How far each vector lies from the median of its neighbours, in units of what its neighbours scatter.

    The neighbours are the eight nodes `spacing` away along rows, columns and diagonals, and the eight half as far.
    Only those on the pixel's own side count: of all halves of the neighbourhood (cut by a line through the pixel, in
    four directions, either side), the one with the smallest residual is taken, so that a vector beside a fault is
    compared with its own side.

    Parameters
    ----------
    dx, dy, sigma_x, sigma_y
        Vectors and their standard deviations, pixels (y, x).
    use
        bool (y, x): which vectors take part.
    spacing
        Reach, nodes.
    noise
        Smallest scatter, pixels.

    Returns
    -------
    float32 (y, x), NaN where fewer than three neighbours of every half can be used.

    Source: normalised median test, Westerweel & Scarano (2005), doi:10.1007/s00348-005-0016-6; the halves are ours.
    """
    height, width = dx.shape
    out = np.full((height, width), np.nan, np.float32)
    half_reach = max(1, spacing // 2)
    xs, ys, rs, part = np.empty(16), np.empty(16), np.empty(16), np.empty(16)
    for i in range(height):
        for j in range(width):
            if not use[i, j]:
                continue
            least = np.inf
            for direction in range(8):
                count = 0
                for k in range(5):  # half a turn
                    oy, ox = _AROUND[(direction + k) % 8]
                    for reach in (half_reach, spacing):
                        y, x = i + reach * oy, j + reach * ox
                        if 0 <= y < height and 0 <= x < width and use[y, x]:
                            xs[count], ys[count] = dx[y, x], dy[y, x]
                            count += 1
                    if half_reach == spacing:
                        continue
                if count < 3:
                    continue
                middle_x, middle_y = _median(xs, count, part), _median(ys, count, part)
                for k in range(count):
                    rs[k] = np.hypot(xs[k] - middle_x, ys[k] - middle_y)
                scatter = _median(rs, count, part)
                own = np.hypot(sigma_x[i, j], sigma_y[i, j])
                residual = np.hypot(dx[i, j] - middle_x, dy[i, j] - middle_y) / (scatter + own + noise)
                least = min(least, residual)
            if least < np.inf:
                out[i, j] = least
    return out


@numba.njit(cache=True, nogil=True, fastmath=True)
def bilateral(dx, dy, sigma_x, sigma_y, use, width, radius):
    """Mean of the neighbours that agree with a vector within both sigmas, weighted by precision and distance.

    Weights are exp(−½ r² / width²) · exp(−½ Δ² / (2 · 2 (σ₁² + σ₂²))) / σ₂² for a neighbour at distance r whose
    vector differs by Δ. Sigmas are those of the weighted mean if the errors of neighbours were fully correlated: they
    never promise what averaging correlated errors cannot give.

    Returns
    -------
    (dx, dy, sigma_x, sigma_y), float32 (y, x).

    Source: Tomasi & Manduchi (1998), doi:10.1109/ICCV.1998.710815.
    """
    height, columns = dx.shape
    out = np.full((4, height, columns), np.nan, np.float32)
    for i in range(height):
        for j in range(columns):
            if not use[i, j]:
                continue
            own = sigma_x[i, j] ** 2 + sigma_y[i, j] ** 2
            total_x = total_y = sum_x = sum_y = spread_x = spread_y = 0.0
            for y in range(max(0, i - radius), min(height, i + radius + 1)):
                for x in range(max(0, j - radius), min(columns, j + radius + 1)):
                    if not use[y, x]:
                        continue
                    r2 = (y - i) ** 2 + (x - j) ** 2
                    d2 = (dx[y, x] - dx[i, j]) ** 2 + (dy[y, x] - dy[i, j]) ** 2
                    theirs = sigma_x[y, x] ** 2 + sigma_y[y, x] ** 2
                    w = np.exp(-0.5 * r2 / width**2 - 0.25 * d2 / (own + theirs))
                    wx, wy = w / sigma_x[y, x] ** 2, w / sigma_y[y, x] ** 2
                    total_x += wx
                    total_y += wy
                    sum_x += wx * dx[y, x]
                    sum_y += wy * dy[y, x]
                    spread_x += wx * sigma_x[y, x]
                    spread_y += wy * sigma_y[y, x]
            out[0, i, j], out[1, i, j] = sum_x / total_x, sum_y / total_y
            out[2, i, j], out[3, i, j] = spread_x / total_x, spread_y / total_y
    return out[0], out[1], out[2], out[3]
