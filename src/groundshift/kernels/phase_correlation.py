"""Masked phase correlation of image windows, refined to sub-pixels by a robust fit of the phase plane.

A displacement (dx, dy) makes the phase of the cross spectrum of two windows the plane kx dx + ky dy. A large
window gives the whole-pixel displacement, by which the smaller window of the second image is then read (nothing
is resampled); the smaller window's correlation peak starts the fit of the plane. Sources: Leprince, Barbot, Ayoub
& Avouac (2007), "Automatic and precise orthorectification, coregistration, and subpixel correlation of satellite
images", IEEE TGRS 45(6), doi:10.1109/TGRS.2006.888937 (two windows, weights, robustness iterations); Kuglin & Hines
(1975), "The phase correlation image alignment method", Proc. IEEE Cybernetics and Society (phase correlation).
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from groundshift.kernels.fourier import transform_columns, transpose, twiddles

TAPER_POWER = 1.0
"""Power of the sine half-wave along each side of a window; 2 is the Hann taper.

The Hann taper leaves only 14 % of a window's energy; this one leaves 25 %, and on images of different dates
lets fewer windows fail, at the price of more leakage between frequencies, which the weights absorb.
"""
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
FLAT = 1e-10  # variance over squared mean below which a window has no texture
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


@numba.njit(cache=True, nogil=True)
def _tapers(size, dx, dy):
    """Weights along y and x of the first window, then of the second, float32 (4, size), for windows (dx, dy) apart.

    Each is displaced by half, without resampling its image, so that both windows weigh the same ground alike.
    Tapers that stay in place draw the estimate to whole pixels, by up to 0.05 px on smooth ground.
    """
    sides = np.empty((4, size), np.float32)
    for part in range(4):
        ahead = 0.5 * (dy if part % 2 == 0 else dx) * (1 if part < 2 else -1)
        for i in range(size):
            sides[part, i] = max(0.0, np.sin(np.pi * (i + 0.5 + ahead) / size)) ** TAPER_POWER
    return sides


@numba.njit(cache=True, nogil=True, fastmath=True)
def _gather(images, corner, shift, sides, re, im):
    """Both tapered windows with mean 0 and norm 1 in re and im; the share of weight used, and whether textured."""
    size = sides.shape[1]
    top, left = corner
    below, right = top + shift[0], left + shift[1]
    weigh_a, weigh_b = sides[1], sides[3]
    total_a = total_b = sum_a = sum_b = 0.0
    for i in range(size):
        a, b = images[0][top + i, left : left + size], images[1][below + i, right : right + size]
        a_ok, b_ok = images[2][top + i, left : left + size], images[3][below + i, right : right + size]
        for j in range(size):
            ok = a_ok[j] * b_ok[j]
            w_a, w_b = sides[0, i] * weigh_a[j] * ok, sides[2, i] * weigh_b[j] * ok
            re[i * size + j], im[i * size + j] = w_a, w_b
            total_a += w_a
            total_b += w_b
            sum_a += w_a * a[j]
            sum_b += w_b * b[j]
    used = total_a / (sides[0].sum() * weigh_a.sum())
    if total_a <= 0 or total_b <= 0:
        return 0.0, False
    mean_a, mean_b = np.float32(sum_a / total_a), np.float32(sum_b / total_b)
    square_a = square_b = 0.0
    for i in range(size):
        a, b = images[0][top + i, left : left + size], images[1][below + i, right : right + size]
        for j in range(size):
            x, y = re[i * size + j] * (a[j] - mean_a), im[i * size + j] * (b[j] - mean_b)
            re[i * size + j], im[i * size + j] = x, y
            square_a += x * x
            square_b += y * y
    if square_a <= FLAT * total_a * (1 + mean_a**2) or square_b <= FLAT * total_b * (1 + mean_b**2):
        return used, False
    scale_a, scale_b = np.float32(1 / np.sqrt(square_a)), np.float32(1 / np.sqrt(square_b))
    for q in range(size * size):
        re[q] *= scale_a
        im[q] *= scale_b
    return used, True


@numba.njit(cache=True, nogil=True, fastmath=True)
def _cross_spectrum(re, im, spare_re, spare_im, twiddle, phase_re, phase_im, amplitude):
    """Unit phase and amplitude of the cross spectrum of the windows in re and im; returns the mean amplitude.

    Half of the frequencies, (kx, ky ≥ 0) flat, the others being their conjugates; ky at Nyquist is left out, and the
    amplitude of the mean and of kx at Nyquist is 0. Both real windows go through one complex transform.
    """
    size = twiddle.shape[1]
    half = size // 2
    transform_columns(re, im, spare_re, spare_im, twiddle, size)
    transpose(re, spare_re, size, size)
    transpose(im, spare_im, size, size)
    transform_columns(spare_re, spare_im, re, im, twiddle, size)
    for u in range(size):
        opposite = ((size - u) % size) * size
        for v in range(half):
            k = opposite + (size - v) % size
            a, b = spare_re[u * size + v], spare_im[u * size + v]
            c, d = spare_re[k], spare_im[k]
            x = (a + c) * (b + d) - (b - d) * (a - c)
            y = (a + c) * (a - c) + (b - d) * (b + d)
            length = np.sqrt(x * x + y * y) + np.float32(1e-20)
            q = u * half + v
            phase_re[q], phase_im[q], amplitude[q] = x / length, y / length, length
    amplitude[0] = 0
    amplitude[half * half : half * half + half] = 0
    mean = np.float32(0)
    for q in range(size * half):
        mean += amplitude[q]
    return mean / (size * half)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _correlate(phase_re, phase_im, amplitude, knee, re, im, spare_re, spare_im, twiddle):
    """Phase correlation, flat (y, x): x < size / 2 in re and the rest in im; the value at (dy, dx) is in its place.

    Returns the sum of the weights, by which half of the correlation would reach at most.
    """
    size = twiddle.shape[1]
    half = size // 2
    total = np.float32(0)
    for q in range(size * half):
        weight = amplitude[q] / (amplitude[q] + knee)
        re[q], im[q] = phase_re[q] * weight, phase_im[q] * weight
        total += weight
    transform_columns(re, im, spare_re, spare_im, twiddle, half)
    transpose(re, spare_re, size, half)
    transpose(im, spare_im, size, half)
    for v in range(half):
        for x in range(half):
            a, b = spare_re[v * size + x], spare_im[v * size + x]
            c, d = spare_re[v * size + x + half], spare_im[v * size + x + half]
            re[v * half + x], im[v * half + x] = a - d, b + c
            if v > 0:
                k = (size - v) * half + x
                re[k], im[k] = a + d, c - b
    re[half * half : half * half + half] = 0
    im[half * half : half * half + half] = 0
    transform_columns(re, im, spare_re, spare_im, twiddle, half)
    return total


@numba.njit(cache=True, nogil=True, inline="always")
def _value(re, im, y, x, size):
    half = size // 2
    y, x = y % size, x % size
    return re[y * half + x] if x < half else im[y * half + x - half]


@numba.njit(cache=True, nogil=True)
def _peak(re, im, size, radius):
    """Place (y, x) of the highest correlation within `radius` of no displacement, and its value."""
    best, at_y, at_x = np.float32(-1e30), 0, 0
    for y in range(-radius, radius + 1):
        for x in range(-radius, radius + 1):
            value = _value(re, im, y, x, size)
            if value > best:
                best, at_y, at_x = value, y, x
    return (at_y, at_x), best


@numba.njit(cache=True, nogil=True)
def _vertex(before, middle, after):
    """Place of the top of the parabola through three values at −1, 0 and 1, the middle one highest."""
    bend = before + after - 2 * middle
    return 0.5 * (before - after) / bend if bend < 0 else 0.0


@numba.njit(cache=True, nogil=True, fastmath=True)
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


@numba.njit(cache=True, nogil=True)
def _fit_plane(phase_re, phase_im, weights, dx, dy, iterations, k, room, sums):
    """Displacement from the phase plane by damped Newton steps, and `sums` of the last plane."""
    along_x, along_y = room[2, : 2 * k.size].reshape(2, k.size), room[3, : 2 * k.size].reshape(2, k.size)
    plain = np.float32(dx), np.float32(dy)
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


@numba.njit(cache=True, nogil=True)
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


@numba.njit(cache=True, nogil=True)
def _window_peak(images, corner, shift, sides, twiddle, knee, least_used, radius, room):
    """Read one pair of windows, `shift` (y, x) apart, and find the peak of their correlation.

    Returns the share of weight used, whether there is texture, the peak's place beyond the shift, its height (1 where
    all phases agree) and the window's mean amplitude. The phases, amplitudes and correlation stay in `room`.
    """
    size = sides.shape[1]
    used, textured = _gather(images, corner, shift, sides, room[0], room[1])
    if used < least_used or not textured:
        return used, textured, (0, 0), -1.0, 0.0
    mean = _cross_spectrum(room[0], room[1], room[2], room[3], twiddle, room[4], room[5], room[6])
    total = _correlate(room[4], room[5], room[6], knee * mean, room[0], room[1], room[2], room[3], twiddle)
    place, height = _peak(room[0], room[1], size, min(radius, size // 2 - 1))
    return used, textured, place, height / (2 * total), mean


@numba.njit(cache=True, nogil=True)
def _whole_shift(images, first_corner, corner, first_sides, sides, twiddle_1, twiddle_2, reach, room):
    """Whole pixels (y, x) by which the smaller window of the second image is read.

    The first window's peak, or where its correlation is high and higher the smaller window's own: beside a
    discontinuity the first window may see mostly the other side.
    """
    _, _, shift, _, _ = _window_peak(
        images, first_corner, (0, 0), first_sides, twiddle_1, FIRST_KNEE, FIRST_LEAST_USED, reach, room
    )
    _, _, own, own_height, _ = _window_peak(
        images, corner, (0, 0), sides, twiddle_2, PEAK_KNEE, LEAST_USED, reach, room
    )
    _, _, rest, height, _ = _window_peak(images, corner, shift, sides, twiddle_2, PEAK_KNEE, LEAST_USED, _SEARCH, room)
    shift = (shift[0] + rest[0], shift[1] + rest[1])
    if own != shift and own_height > 0:
        _, _, rest, own_height, _ = _window_peak(images, corner, own, sides, twiddle_2, PEAK_KNEE, LEAST_USED, 1, room)
        if own_height > max(height, CONVINCING):
            return (own[0] + rest[0], own[1] + rest[1])
    return shift


@numba.njit(cache=True, nogil=True)
def _weigh(amplitude, mean, roll_off, weights):
    """Weights of the frequencies in the fit of the plane."""
    for q in range(roll_off.size):
        weights[q] = roll_off[q] * amplitude[q] / (amplitude[q] + FIT_KNEE * mean)


@numba.njit(cache=True, nogil=True)
def _measure_node(images, corner, shift, sides, twiddle, roll_off, k, iterations, room, sums, out):
    """The eight numbers of :class:`PhaseMatches` for one node, read `shift` (y, x) apart."""
    size = sides.shape[1]
    re, im, phase_re, phase_im, amplitude, w = room[0], room[1], room[4], room[5], room[6], room[7]
    used, textured, (y, x), height, mean = _window_peak(
        images, corner, shift, sides, twiddle, PEAK_KNEE, LEAST_USED, 1, room
    )
    out[5], out[6], out[7] = height, used, textured
    if height < 0:
        return
    top = _value(re, im, y, x, size)
    start_x = x + _vertex(_value(re, im, y, x - 1, size), top, _value(re, im, y, x + 1, size))
    start_y = y + _vertex(_value(re, im, y - 1, x, size), top, _value(re, im, y + 1, x, size))
    _weigh(amplitude, mean, roll_off, w)
    dx, dy = _fit_plane(phase_re, phase_im, w, start_x, start_y, 0, k, room, sums)
    if abs(dx - x) > _FARTHEST or abs(dy - y) > _FARTHEST:
        return
    _, textured = _gather(images, corner, shift, _tapers(size, dx, dy), re, im)
    if not textured:
        return
    mean = _cross_spectrum(re, im, room[2], room[3], twiddle, phase_re, phase_im, amplitude)
    _weigh(amplitude, mean, roll_off, w)
    dx, dy = _fit_plane(phase_re, phase_im, w, dx, dy, iterations, k, room, sums)
    if abs(dx - x) > _FARTHEST or abs(dy - y) > _FARTHEST:
        return
    variance_x, variance_y = _covariance(sums)
    out[0], out[1] = dx + shift[1], dy + shift[0]
    out[2], out[3] = np.sqrt(variance_x), np.sqrt(variance_y)
    out[4] = sums[12] / (sums[11] + 1e-30)


@numba.njit(cache=True, nogil=True)
def _measure(images, first_corners, corners, first_size, twiddle_1, twiddle_2, roll_off, k, reach, iterations):
    rows, cols = corners[0].size, corners[1].size
    out = np.full((rows, cols, 8), np.nan)
    room, sums = np.empty((8, first_size * first_size), np.float32), np.empty(13)
    first_sides, sides = _tapers(first_size, 0.0, 0.0), _tapers(k.size, 0.0, 0.0)
    for m in range(rows):
        for n in range(cols):
            corner = (corners[0][m], corners[1][n])
            first_corner = (first_corners[0][m], first_corners[1][n])
            shift = _whole_shift(images, first_corner, corner, first_sides, sides, twiddle_1, twiddle_2, reach, room)
            _measure_node(images, corner, shift, sides, twiddle_2, roll_off, k, iterations, room, sums, out[m, n])
    return out


def _roll_off(size: int) -> np.ndarray:
    """Weights of half of the frequencies (kx, ky ≥ 0), flat float32; 0 for the mean, Nyquist and repeated ones."""
    share = np.abs(np.fft.fftfreq(size)) * 2
    side = np.cos(np.pi / 2 * np.clip((share - ROLL_OFF) / (1 - ROLL_OFF), 0, 1)) ** 2
    weights = np.outer(side, side[: size // 2])
    weights[size // 2] = 0
    weights[size // 2 :, 0] = weights[0, 0] = 0
    return weights.astype(np.float32).ravel()


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

    out = _measure(
        (*images, *usable), corners(first_window), corners(window), first_window,
        twiddles(first_window), twiddles(window), _roll_off(window),
        (2 * np.pi * np.fft.fftfreq(window)).astype(np.float32), reach, iterations,
    )  # fmt: skip
    return PhaseMatches(*np.moveaxis(out, -1, 0))
