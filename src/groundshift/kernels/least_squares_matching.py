"""Symmetric least-squares matching of image windows with quintic B-spline resampling.

The displacement is split in an integer part and a remainder; the first image is resampled half the remainder
back and the second half forward, so that interpolation smooths both alike and the estimate has no bias toward
whole pixels. Sources: Förstner, W. (1982), "On the geometric precision of digital correlation", ISPRS Archives
24-III; Gruen, A. (1985), "Adaptive least squares correlation", S. Afr. J. Photogramm. 14(3); symmetric
linearisation as in Benhimane & Malis (2004), doi:10.1109/IROS.2004.1389474.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from scipy import ndimage

from groundshift.kernels.matching_errors import trusted
from groundshift.kernels.spline import REACH, coefficients, fill_holes, quintic

SMOOTHING = 0.7
"""Standard deviation, pixels, of the Gaussian that both images pass first.

Interpolated white noise is weakest halfway between pixels, which draws the estimate there: at 10 % noise by
0.013 px without smoothing, by less than 0.002 px with it, while the information lost costs less than 10 % in
standard deviation (measured on textures with content up to 0.25 and 0.35 cycles a pixel).
"""
_ROBUST = 4.0  # residuals beyond this many standard deviations lose weight quickly


class Matches(NamedTuple):
    """Result of matching windows; every array has shape (i, j), float64."""

    dx: np.ndarray  # pixels to the right, from the first to the second image; NaN where it failed
    dy: np.ndarray  # pixels down
    dx_sigma: np.ndarray  # one standard deviation, pixels; infinity where it is not determined
    dy_sigma: np.ndarray
    correlation: np.ndarray  # of the aligned windows, -1 to 1
    used: np.ndarray  # share of the window's weight that could be used, 0 to 1
    significance: np.ndarray  # of the correlation of gradients, in standard deviations of that of unlike windows


@numba.njit(cache=True, nogil=True, fastmath=True)
def _resample(spline, top, left, shift_y, shift_x, value, grad_x, grad_y, scratch):
    """Window of the spline, and its gradient, at (top + i + shift_y, left + j + shift_x)."""
    size = value.shape[0]
    whole_y, whole_x = int(np.floor(shift_y)), int(np.floor(shift_x))
    wy, sy = np.empty(6, np.float32), np.empty(6, np.float32)
    wx, sx = np.empty(6, np.float32), np.empty(6, np.float32)
    for k in range(6):
        wy[k], sy[k] = quintic(shift_y - whole_y + 2 - k)
        wx[k], sx[k] = quintic(shift_x - whole_x + 2 - k)
    first_row, first_col = top + whole_y - 2, left + whole_x - 2
    for i in range(size + 5):
        for j in range(size):
            a = np.float32(0)
            b = np.float32(0)
            for k in range(6):
                c = spline[first_row + i, first_col + j + k]
                a += wx[k] * c
                b += sx[k] * c
            scratch[0, i, j] = a
            scratch[1, i, j] = b
    for i in range(size):
        for j in range(size):
            v = np.float32(0)
            gx = np.float32(0)
            gy = np.float32(0)
            for k in range(6):
                v += wy[k] * scratch[0, i + k, j]
                gx += wy[k] * scratch[1, i + k, j]
                gy += sy[k] * scratch[0, i + k, j]
            value[i, j] = v
            grad_x[i, j] = gx
            grad_y[i, j] = gy


@numba.njit(cache=True, nogil=True, fastmath=True)
def _standardise(value, grad_x, grad_y, weight):
    """Weighted mean 0 and variance 1 in place; False if the window is flat."""
    total = mean = square = 0.0
    for i in range(value.shape[0]):
        for j in range(value.shape[1]):
            total += weight[i, j]
            mean += weight[i, j] * value[i, j]
    mean /= total
    for i in range(value.shape[0]):
        for j in range(value.shape[1]):
            value[i, j] -= mean
            square += weight[i, j] * value[i, j] ** 2
    if square / total <= 1e-10 * (1 + mean * mean):
        return False
    scale = 1 / np.sqrt(square / total)
    for i in range(value.shape[0]):
        for j in range(value.shape[1]):
            value[i, j] *= scale
            grad_x[i, j] *= scale
            grad_y[i, j] *= scale
    return True


@numba.njit(cache=True, nogil=True, fastmath=True)
def _step(a, b, weight, gx, gy, robust, scale, normal, right):
    """Weighted normal equations of b − a on (∂x, ∂y, 1, (a + b) / 2); returns the weighted residual variance."""
    normal[:] = 0
    right[:] = 0
    total = square = 0.0
    row = np.empty(4)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            e = b[i, j] - a[i, j]
            w = weight[i, j]
            if robust:
                w = w / (1 + (e / scale) ** 2) ** 2
            total += w
            square += w * e * e
            row[0] = gx[i, j]
            row[1] = gy[i, j]
            row[2] = 1
            row[3] = 0.5 * (a[i, j] + b[i, j])
            for p in range(4):
                right[p] += w * row[p] * e
                for q in range(p + 1):
                    normal[p, q] += w * row[p] * row[q]
    for p in range(4):
        for q in range(p):
            normal[q, p] = normal[p, q]
    return square / max(total, 1e-30)


@numba.njit(cache=True, nogil=True)
def _match(pre, post, pre_ok, post_ok, tops, lefts, start_dx, start_dy, window_weight, iterations, reach):
    size = window_weight.shape[0]
    rows, cols = start_dx.shape
    out = np.full((7, rows, cols), np.nan)
    a, b, mean_x, mean_y = np.empty((4, size, size), np.float32)
    grads = np.empty((4, size, size), np.float32)
    ax, ay, bx, by = grads
    weight = np.empty((size, size), np.float32)
    scratch = np.empty((3, size + 5, size), np.float32)
    normal, right = np.empty((4, 4)), np.empty(4)
    full = window_weight.sum()
    for m in range(rows):
        for n in range(cols):
            dx, dy = start_dx[m, n], start_dy[m, n]
            if not (np.isfinite(dx) and np.isfinite(dy)):
                continue
            whole_x, whole_y = int(np.round(dx)), int(np.round(dy))
            top, left = tops[m], lefts[n]
            done = False
            used = 0.0
            variance = np.inf
            for iteration in range(iterations):
                if abs(dx - start_dx[m, n]) > reach or abs(dy - start_dy[m, n]) > reach:
                    break
                if abs(dx - whole_x) > 0.75 or abs(dy - whole_y) > 0.75 or iteration == 0:
                    whole_x, whole_y = int(np.round(dx)), int(np.round(dy))
                    used = 0.0
                    for i in range(size):
                        for j in range(size):
                            ok = pre_ok[top + i, left + j] and post_ok[top + whole_y + i, left + whole_x + j]
                            weight[i, j] = window_weight[i, j] if ok else np.float32(0)
                            used += weight[i, j]
                    used /= full
                    if used < 0.25:
                        break
                half_x, half_y = (dx - whole_x) / 2, (dy - whole_y) / 2
                _resample(pre, top, left, -half_y, -half_x, a, ax, ay, scratch)
                _resample(post, top + whole_y, left + whole_x, half_y, half_x, b, bx, by, scratch)
                if not (_standardise(a, ax, ay, weight) and _standardise(b, bx, by, weight)):
                    break
                mean_x[:], mean_y[:] = np.float32(0.5) * (ax + bx), np.float32(0.5) * (ay + by)
                robust = iteration > 0
                scale = _ROBUST * np.sqrt(variance) if robust else 1.0
                variance = max(_step(a, b, weight, mean_x, mean_y, robust, scale, normal, right), 1e-12)
                determinant = normal[0, 0] * normal[1, 1] - normal[0, 1] ** 2
                if determinant <= 1e-6 * normal[0, 0] * normal[1, 1]:
                    break
                change = np.linalg.solve(normal + 1e-9 * np.trace(normal) * np.eye(4), right)
                move = np.hypot(change[0], change[1])
                damp = min(1.0, 0.5 / move) if move > 0 else 1.0
                dx -= damp * change[0]
                dy -= damp * change[1]
                done = iteration > 1 and move < 1e-4
                if done or iteration == iterations - 1:
                    done = move < 0.05
                    break
            if done:
                variance_x, variance_y, out[6, m, n] = trusted(a, b, weight, grads, scale, normal, scratch[:, :size])
                product = 0.0
                for i in range(size):
                    for j in range(size):
                        product += weight[i, j] * a[i, j] * b[i, j]
                out[0, m, n], out[1, m, n] = dx, dy
                out[2, m, n] = np.sqrt(max(variance_x, 1e-12))
                out[3, m, n] = np.sqrt(max(variance_y, 1e-12))
                out[4, m, n] = product / (used * full)
            out[5, m, n] = used
    return out


def match_windows(
    pre: np.ndarray,
    post: np.ndarray,
    rows: np.ndarray,
    cols: np.ndarray,
    start_dx: np.ndarray,
    start_dy: np.ndarray,
    *,
    window_weight: np.ndarray,
    iterations: int = 12,
    reach: float = 2.0,
) -> Matches:
    """Displacement of a window around each node by symmetric Gauss–Newton least squares.

    Gain and offset between the windows are estimated along. Residuals far beyond the others lose weight.

    Parameters
    ----------
    pre, post
        Images (y, x), NaN where a pixel cannot be used. Outside counts as unusable.
    rows, cols
        Node centres, pixel-centre coordinates; an even window is centred between four pixels, so on a
        whole-numbered node it lies half a pixel up and left of it.
    start_dx, start_dy
        Where the iteration starts, pixels, shape (len(rows), len(cols)); NaN skips a node.
    window_weight
        Weights of the window's pixels, float32 (window, window).
    iterations
        At most so many Gauss–Newton steps.
    reach
        A node that moves further than this from its start has failed, pixels.

    Returns
    -------
    Matches
        NaN where the window is flat, mostly masked, or did not converge.
    """
    size = window_weight.shape[0]
    finite = np.isfinite(start_dx) & np.isfinite(start_dy)
    largest = float(np.abs([start_dx[finite], start_dy[finite]]).max()) if finite.any() else 0.0
    margin = size + int(np.ceil(largest + reach)) + REACH + 2
    tops = np.ceil(rows - (size - 1) / 2).astype(np.int64)
    lefts = np.ceil(cols - (size - 1) / 2).astype(np.int64)
    pre_spline, pre_ok = _prepared(pre, margin)
    post_spline, post_ok = _prepared(post, margin)
    out = _match(
        pre_spline, post_spline, pre_ok, post_ok, tops + margin, lefts + margin, start_dx.astype(np.float64),
        start_dy.astype(np.float64), window_weight.astype(np.float32), iterations, float(reach),
    )  # fmt: skip
    return Matches(*out)


def _prepared(image: np.ndarray, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """Spline coefficients of the smoothed image and where it can be used, both with a margin around."""
    filled, ok = fill_holes(image)
    ok = np.logical_not(ndimage.binary_dilation(np.logical_not(ok), iterations=REACH - 1, border_value=1))
    padded = np.pad(filled - np.float32(np.median(filled)), margin, mode="edge")
    smooth = ndimage.gaussian_filter(padded, SMOOTHING, truncate=6)
    return coefficients(smooth), np.pad(ok, margin, mode="constant")
