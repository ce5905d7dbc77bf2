"""Masked phase correlation of image windows, refined to sub-pixels by a robust fit of the phase plane.

A displacement (dx, dy) makes the phase of the cross spectrum of two windows the plane kx dx + ky dy. A large
window gives the whole-pixel displacement, by which the smaller window of the second image is then read (nothing
is resampled); the smaller window's correlation peak starts the fit of the plane. Sources: Leprince, Barbot, Ayoub
& Avouac (2007), "Automatic and precise orthorectification, coregistration, and subpixel correlation of satellite
images", IEEE TGRS 45(6), doi:10.1109/TGRS.2006.888937 (two windows, weights, robustness iterations); Kuglin & Hines
(1975), "The phase correlation image alignment method", Proc. IEEE Cybernetics and Society (phase correlation).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np

from groundshift.kernels.correlation_peak import correlation_at, cross_spectrum, gather, tapers, vertex, window_peak
from groundshift.kernels.fourier import twiddles
from groundshift.kernels.inner import INNER
from groundshift.kernels.threads import over_bands

FIRST_KNEE = 0.3
"""Amplitude, in means of the window, at which a frequency has half of its full weight in the first correlation."""
PEAK_KNEE = 1.0  # the same in the second correlation
FIT_KNEE = 0.1  # the same in the fit of the phase plane
ROLL_OFF = 0.55  # frequencies beyond this share of Nyquist lose weight, down to none at Nyquist
ROBUST_POWER = 2  # n in w (1 − φ/4)^n
CONVINCING = 0.25  # height of the smaller window's own peak from which it may overrule the first window
LEAST_USED = 0.5  # share of the weight of the smaller window that must be usable
FIRST_LEAST_USED = 0.25  # the same of the first window
_SEARCH = 3  # pixels around the whole-pixel displacement in which the smaller window looks for its peak
_STEPS = 3  # Newton steps before the first robustness iteration
_STEPS_EACH = 2  # Newton steps of a robustness iteration
_LONGEST_STEP = 0.3  # pixels
_FARTHEST = 1.5  # pixels that the fit may move from the highest correlation


class PhaseMatches(NamedTuple):
    """Result of phase correlation; every array has shape (i, j), float64."""

    dx: np.ndarray  # pixels to the right, from the first to the second image; NaN where it failed
    dy: np.ndarray  # pixels down
    dx_sigma: np.ndarray  # one standard deviation of the fitted plane, taking frequencies as independent, pixels
    dy_sigma: np.ndarray
    coherence: np.ndarray  # weighted mean cosine of the phase residuals, up to 1
    height: np.ndarray  # of the correlation peak, 1 where all phases agree
    used: np.ndarray  # share of the smaller window's weight that could be used, 0 to 1
    textured: np.ndarray  # 1 where both windows have texture, else 0
    apart: np.ndarray  # share of the frequencies of a whole window that those used tell apart, up to 1


@numba.njit(**INNER, fastmath=True)
def _plane_sums(phase_re, phase_im, weights, robust, dx, dy, k, along_x, along_y, sums):
    """Sums over half of the frequencies for the plane (dx, dy), with residual phase r.

    With ψ = w sin r: Σ ψ (kx, ky); Σ w cos r (kx², kx ky, ky²); Σ ψ² (kx², kx ky, ky²); Σ dψ/dr (kx², kx ky, ky²);
    the weight; and the weighted sum of cos r. With `robust`, w is the weight times t^n, where t = 1 − φ/4 and
    φ = |Q − exp(i(kx dx + ky dy))|² = 2 − 2 cos r; the last two keep the weight without it.
    """
    size = k.size
    half = size // 2
    for u in range(size):
        along_x[0, u], along_x[1, u] = np.cos(k[u] * dx), np.sin(k[u] * dx)
        along_y[0, u], along_y[1, u] = np.cos(k[u] * dy), np.sin(k[u] * dy)
    cos_y, sin_y = along_y[0], along_y[1]
    sums[:] = 0
    for u in range(size):
        if u == half:
            continue
        kx, cos_x, sin_x = k[u], along_x[0, u], along_x[1, u]
        g0 = g1 = h0 = h1 = h2 = j0 = j1 = j2 = s0 = s1 = s2 = total = agree = np.float32(0)
        a, b = phase_re[u * half : u * half + half], phase_im[u * half : u * half + half]
        w = weights[u * half : u * half + half]
        for v in range(half):
            plane_re, plane_im = cos_x * cos_y[v] - sin_x * sin_y[v], cos_x * sin_y[v] + sin_x * cos_y[v]
            cosine, sine = a[v] * plane_re + b[v] * plane_im, b[v] * plane_re - a[v] * plane_im
            weight, ky = w[v], k[v]
            total += weight
            agree += weight * cosine
            slope = weight * cosine
            if robust:
                share = np.float32(0.5) * (1 + cosine)
                less = share ** (ROBUST_POWER - 1)
                slope = weight * less * (share * cosine - np.float32(0.5 * ROBUST_POWER) * sine * sine)
                weight *= less * share
            ws, wc = weight * sine, weight * cosine
            g0 += ws
            g1 += ws * ky
            h0 += wc
            h1 += wc * ky
            h2 += wc * ky * ky
            j0 += ws * ws
            j1 += ws * ws * ky
            j2 += ws * ws * ky * ky
            s0 += slope
            s1 += slope * ky
            s2 += slope * ky * ky
        sums[0] += kx * g0
        sums[1] += g1
        sums[2] += kx * kx * h0
        sums[3] += kx * h1
        sums[4] += h2
        sums[5] += kx * kx * j0
        sums[6] += kx * j1
        sums[7] += j2
        sums[8] += kx * kx * s0
        sums[9] += kx * s1
        sums[10] += s2
        sums[11] += total
        sums[12] += agree


@numba.njit(cache=True, nogil=True, inline="always")
def _fit_plane(phase_re, phase_im, weights, dx, dy, iterations, k, room, sums):
    """Displacement, float32, from the phase plane by damped Newton steps, and `sums` of the last plane."""
    along_x, along_y = room[2, : 2 * k.size].reshape(2, k.size), room[3, : 2 * k.size].reshape(2, k.size)
    plain = dx, dy
    steps = _STEPS + _STEPS_EACH * iterations
    for step in range(steps + 1):
        robust = iterations > 0 and step >= _STEPS
        _plane_sums(phase_re, phase_im, weights, robust, plain[0], plain[1], k, along_x, along_y, sums)
        if step == steps:
            break
        least = 0.05 * sums[11]  # keeps the step uphill where the plane fits badly
        xx, yy = max(sums[2], least), max(sums[4], least)
        limit = 0.8 * np.sqrt(xx * yy)
        xy = min(max(sums[3], -limit), limit)
        determinant = xx * yy - xy * xy + 1e-30
        move_x, move_y = (yy * sums[0] - xy * sums[1]) / determinant, (xx * sums[1] - xy * sums[0]) / determinant
        damp = min(1.0, _LONGEST_STEP / (np.hypot(move_x, move_y) + 1e-30))
        plain = np.float32(plain[0] + damp * move_x), np.float32(plain[1] + damp * move_y)
    return plain


@numba.njit(cache=True, nogil=True, inline="always")
def _covariance(sums):
    """Variances of dx and dy: H⁻¹ J H⁻¹, H = Σ dψ/dr k kᵀ and J = Σ ψ² k kᵀ (Huber 1967), or infinity.

    The slope of ψ, not its weight, belongs in H: noise that happens to agree with the plane counts for nothing then.
    """
    xx, xy, yy = sums[8], sums[9], sums[10]
    determinant = xx * yy - xy * xy
    if xx <= 0 or yy <= 0 or determinant <= 1e-6 * xx * yy:
        return np.inf, np.inf
    a, b, c = yy / determinant, -xy / determinant, xx / determinant
    return (
        a * a * sums[5] + 2 * a * b * sums[6] + b * b * sums[7],
        b * b * sums[5] + 2 * b * c * sums[6] + c * c * sums[7],
    )


@numba.njit(cache=True, nogil=True, inline="always")
def _weigh(amplitude, mean, roll_off, weights):
    """Weights of the frequencies in the fit of the plane."""
    for q in range(roll_off.size):
        weights[q] = roll_off[q] * amplitude[q] / (amplitude[q] + FIT_KNEE * mean)


@numba.njit(cache=True, nogil=True)
def _measured(images, tops, lefts, shifts, wanted, twiddle, roll_off, k, knee, least_used, radius, iterations):
    """The nine numbers of :class:`PhaseMatches` for wanted nodes (m, n), windows read `shifts` (m, n, 2: y, x) apart.

    With fewer than 0 iterations, only the highest correlation within `radius`, to whole pixels, and its height.
    """
    out = np.full((tops.size, lefts.size, 9), np.nan)
    size = twiddle.shape[1]
    room, sums, sides = np.empty((8, size * size), np.float32), np.empty(13), tapers(size, 0.0, 0.0)
    re, im, phase_re, phase_im, amplitude, w = room[0], room[1], room[4], room[5], room[6], room[7]
    for m in range(tops.size):
        for n in range(lefts.size):
            if not wanted[m, n]:
                continue
            corner, shift = (tops[m], lefts[n]), (shifts[m, n, 0], shifts[m, n, 1])
            used, textured, (y, x), height, mean = window_peak(
                images, corner, shift, sides, twiddle, knee, least_used, radius, room
            )
            out[m, n, 5], out[m, n, 6], out[m, n, 7] = height, used, textured
            if iterations < 0:
                out[m, n, 0], out[m, n, 1] = x + shift[1], y + shift[0]
            if iterations < 0 or height < 0:
                continue
            top = correlation_at(re, im, y, x, size)
            start_x = x + vertex(correlation_at(re, im, y, x - 1, size), top, correlation_at(re, im, y, x + 1, size))
            start_y = y + vertex(correlation_at(re, im, y - 1, x, size), top, correlation_at(re, im, y + 1, x, size))
            dx, dy = np.float32(start_x), np.float32(start_y)
            for aligned in range(2):  # windows in place, then windows of the same ground
                if aligned:
                    moved = np.float64(dy), np.float64(dx)
                    with_ground = tapers(size, moved[1], moved[0])
                    _, apart, textured = gather(images, corner, shift, with_ground, moved, re, im, room[2], room[3])
                    if not textured:
                        break
                    mean = cross_spectrum(re, im, room[2], room[3], twiddle, phase_re, phase_im, amplitude)
                _weigh(amplitude, mean, roll_off, w)
                dx, dy = _fit_plane(phase_re, phase_im, w, dx, dy, aligned * iterations, k, room, sums)
                if abs(dx - x) > _FARTHEST or abs(dy - y) > _FARTHEST:
                    break
                if aligned:
                    variance_x, variance_y = _covariance(sums)
                    out[m, n, 0], out[m, n, 1] = dx + shift[1], dy + shift[0]
                    out[m, n, 2], out[m, n, 3] = np.sqrt(variance_x), np.sqrt(variance_y)
                    out[m, n, 4] = sums[12] / (sums[11] + 1e-30)
                    out[m, n, 8] = apart
    return out


def _roll_off(size: int) -> np.ndarray:
    """Weights of half of the frequencies (kx, ky ≥ 0), flat float32; 0 for the mean, Nyquist and repeated ones."""
    share = np.abs(np.fft.fftfreq(size)) * 2
    side = np.cos(np.pi / 2 * np.clip((share - ROLL_OFF) / (1 - ROLL_OFF), 0, 1)) ** 2
    weights = np.outer(side, side[: size // 2])
    weights[size // 2] = 0
    weights[size // 2 :, 0] = weights[0, 0] = 0
    return weights.astype(np.float32).ravel()


def _whole_shifts(
    run: Callable[..., np.ndarray], first: tuple, second: tuple, shape: tuple[int, int, int], reach: int
) -> np.ndarray:
    """Whole pixels (m, n, 2: y, x) by which the smaller windows of the second image are read.

    The first window's peak, or where its correlation is high and higher the smaller window's own: beside a
    discontinuity the first window may see mostly the other side.
    """

    def peaks(*given, **wanted):
        found = run(*given, **wanted)
        return np.nan_to_num(found[..., 1::-1]).astype(np.int64), found[..., 5]

    still = np.zeros(shape, np.int64)
    start, _ = peaks(first, still, FIRST_KNEE, FIRST_LEAST_USED, reach)
    own, own_height = peaks(second, still, PEAK_KNEE, LEAST_USED, reach)
    same = (start == 0).all(axis=-1) & (np.abs(own) <= _SEARCH).all(axis=-1)  # the same windows, and the same peak
    shifts, height = peaks(second, start, PEAK_KNEE, LEAST_USED, _SEARCH, wanted=~same)
    shifts, height = np.where(same[..., None], own, shifts), np.where(same, own_height, height)
    other = (own != shifts).any(axis=-1) & (own_height > 0)
    own, own_height = peaks(second, own, PEAK_KNEE, LEAST_USED, 1, wanted=other)
    better = other & (own_height > np.maximum(height, CONVINCING))
    return np.where(better[..., None], own, shifts)


def phase_correlation(
    pre: np.ndarray,
    post: np.ndarray,
    rows: np.ndarray,
    cols: np.ndarray,
    *,
    window: int = 32,
    first_window: int = 64,
    reach: int = 11,
    iterations: int = 3,
) -> PhaseMatches:
    """Displacement of a window around each node by phase correlation.

    Parameters
    ----------
    pre, post
        Images (y, x), NaN where a pixel cannot be used. Outside counts as unusable. A pixel that cannot be used in
        one image is left out of both.
    rows, cols
        Node centres, pixel-centre coordinates. A window of w pixels covers rows ⌈c − (w − 1) / 2⌉ and on: centred for
        half-integer nodes, half a pixel up and left of whole-numbered ones.
    window, first_window
        Sides of the second and first window, pixels, powers of two from 8 to 256; the first is not the smaller one.
    reach
        The first window looks for displacements up to this, pixels, and less than half its side.
    iterations
        Robustness iterations: each lowers the weight of frequencies off the plane.

    Returns
    -------
    PhaseMatches
        NaN where over half of the window's weight is masked, a window is flat, or the plane does not fit.
    """
    margin = first_window + reach + 1
    images, usable = [], []
    for image in (pre, post):
        ok = np.isfinite(image)
        images.append(np.pad(np.where(ok, image, 0).astype(np.float32), margin))
        usable.append(np.pad(ok.astype(np.float32), margin))

    def corners(size):
        return tuple(np.ceil(centres - (size - 1) / 2).astype(np.int64) + margin for centres in (rows, cols))

    first, second = (*corners(first_window), twiddles(first_window)), (*corners(window), twiddles(window))
    frequencies = _roll_off(window), (2 * np.pi * np.fft.fftfreq(window)).astype(np.float32)
    every = np.ones((len(rows), len(cols)), bool)

    def measured(top, bottom):
        def run(windows, shifts, knee, least_used, radius, wanted=every[top:bottom], iterations=-1):
            tops, lefts, twiddle = windows
            given = tops[top:bottom], lefts, shifts, wanted, twiddle, *frequencies, knee, least_used, radius
            return _measured((*images, *usable), *given, iterations)

        shifts = _whole_shifts(run, first, second, (bottom - top, len(cols), 2), reach)
        return run(second, shifts, PEAK_KNEE, LEAST_USED, 1, iterations=iterations)

    out = np.concatenate(over_bands(measured, len(rows)))
    return PhaseMatches(*np.moveaxis(out, -1, 0))
