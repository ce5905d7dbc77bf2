"""How far the vectors of a field lie apart in windows."""

from __future__ import annotations

import numba
import numpy as np

from groundshift.kernels.inner import QUICK


@numba.njit(**QUICK)
def squared_spread(u, size, top, bottom):
    """Squared difference of the largest and the smallest value in a square window, summed over components.

    Parameters
    ----------
    u
        float32 (c, y, x).
    size
        Side of the window, odd, pixels; it is cut off at the borders.
    top, bottom
        Rows that are asked for.

    Returns
    -------
    float32 (bottom − top, x).
    """
    count, height, width = u.shape
    radius = size // 2
    out = np.zeros((bottom - top, width), np.float32)
    lines, ends = np.empty((2, width + 2 * radius), np.float32), np.empty((2, width), np.float32)
    for i in range(top, bottom):
        for c in range(count):
            for sign in range(2):  # largest value, then minus the smallest
                line, end = lines[sign], ends[sign]
                turn = np.float32(1 - 2 * sign)
                inner = line[radius : radius + width]
                for j in range(width):
                    inner[j] = turn * u[c, i, j]
                for y in range(max(i - radius, 0), min(i + radius + 1, height)):
                    row = u[c, y]
                    for j in range(width):
                        inner[j] = max(inner[j], turn * row[j])
                for j in range(radius):
                    line[j], line[radius + width + j] = inner[0], inner[width - 1]
                for j in range(width):
                    end[j] = inner[j]
                for k in range(size):
                    beside = line[k : k + width]
                    for j in range(width):
                        end[j] = max(end[j], beside[j])
            largest, least = ends[0], ends[1]
            row = out[i - top]
            for j in range(width):
                row[j] += (largest[j] + least[j]) ** 2
    return out
