"""The correlation of two windows of images by phase: their cross spectrum, and the highest peak of its transform.

Windows are tapered, pixels that cannot be used weigh nothing, and frequencies count by their amplitude. Source: Kuglin
& Hines (1975), "The phase correlation image alignment method", Proc. IEEE Cybernetics and Society.
"""

from __future__ import annotations

import numba
import numpy as np

from groundshift.kernels.fourier import transform_columns, transpose
from groundshift.kernels.inner import INNER

TAPER_POWER = 1.0
"""Power of the sine half-wave along each side of a window; 2 is the Hann taper.

The Hann taper leaves only 14 % of a window's energy; this one leaves 25 %, and on images of different dates
lets fewer windows fail, at the price of more leakage between frequencies, which the weights absorb.
"""
SINE_FOURTH = 2.25  # Σw⁴ N² / (Σw²)² of a window tapered like a sine, both axes
FLAT = 1e-10  # variance over squared mean below which a window has no texture


@numba.njit(**INNER)
def tapers(size, dx, dy):
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


@numba.njit(**INNER, fastmath=True)
def _unusable(images, corner, shift, size):
    """Whether some pixel of the windows cannot be used in one of the images."""
    top, left = corner
    below, right = top + shift[0], left + shift[1]
    total = np.float32(0)
    for i in range(size):
        a_ok, b_ok = images[2][top + i, left : left + size], images[3][below + i, right : right + size]
        for j in range(size):
            total += a_ok[j] * b_ok[j]
    return total < size * size


@numba.njit(**INNER, fastmath=True)
def _fade(both, size, rise):
    """Turn what can be used, 1 or else 0, into weights that rise from the holes like a sine, to 1 at half a window.

    Distances are those of a chessboard. What lies beside the window is taken for usable. `rise` is room for a line.
    """
    one, last, half = np.float32(1), size - 1, size // 2
    for q in range(size * size):
        both[q] *= half
    for turn in range(2):
        for k in range(size):
            i = k if turn == 0 else last - k
            row = both[i * size : i * size + size]
            if k > 0:
                other = i - 1 if turn == 0 else i + 1
                beside = both[other * size : other * size + size]
                for j in range(1, last):
                    row[j] = min(row[j], min(beside[j], min(beside[j - 1], beside[j + 1])) + one)
                row[0] = min(row[0], min(beside[0], beside[1]) + one)
                row[last] = min(row[last], min(beside[last], beside[last - 1]) + one)
            for j in range(1, size):
                row[j] = min(row[j], row[j - 1] + one)
            for j in range(last - 1, -1, -1):
                row[j] = min(row[j], row[j + 1] + one)
    for far in range(half + 1):
        rise[far] = np.sin(np.pi / 2 * max(far - 0.5, 0.0) / (half - 0.5))
    for q in range(size * size):
        both[q] = rise[int(both[q])]


@numba.njit(**INNER, fastmath=True)
def _between(values, size, i, down, right, line):
    """A row of flat values (size, size) read `down` and `right` of itself, a pixel each at the most, into `line`."""
    other, step = min(max(i + (1 if down > 0 else -1), 0), size - 1), 1 if right > 0 else -1
    share = np.float32(min(abs(down), 1.0))
    here, there = values[i * size : i * size + size], values[other * size : other * size + size]
    for j in range(size):
        line[j] = here[j] + share * (there[j] - here[j])
    share, last = np.float32(min(abs(right), 1.0)), size - 1
    if step > 0:
        for j in range(last):
            line[j] += share * (line[j + 1] - line[j])
    else:
        for j in range(last, 0, -1):
            line[j] += share * (line[j - 1] - line[j])


@numba.njit(**INNER, fastmath=True)
def _fading(images, corner, shift, sides, beyond, re, im, both, lines):
    """Weights of both windows in re and im that fall off toward what cannot be used, and move with the ground.

    Returns the share of the taper's weight that can be used, and `apart` of :func:`gather`.
    """
    size = sides.shape[1]
    top, left = corner
    below, right = top + shift[0], left + shift[1]
    total = full_y = full_x = 0.0
    for i in range(size):
        full_y += sides[0, i]
        full_x += sides[1, i]
        a_ok, b_ok = images[2][top + i, left : left + size], images[3][below + i, right : right + size]
        for j in range(size):
            both[i * size + j] = a_ok[j] * b_ok[j]
            total += sides[0, i] * sides[1, j] * both[i * size + j]
    if total <= 0:
        return 0.0, 0.0
    line_a, line_b = lines[:size], lines[size : 2 * size]
    _fade(both, size, line_a)
    squares = fourths = 0.0
    for i in range(size):
        _between(both, size, i, 0.5 * beyond[0], 0.5 * beyond[1], line_a)
        _between(both, size, i, -0.5 * beyond[0], -0.5 * beyond[1], line_b)
        a_ok, b_ok = images[2][top + i, left : left + size], images[3][below + i, right : right + size]
        for j in range(size):
            ok = a_ok[j] * b_ok[j]
            w_a, w_b = sides[0, i] * sides[1, j] * line_a[j] * ok, sides[2, i] * sides[3, j] * line_b[j] * ok
            re[i * size + j], im[i * size + j] = w_a, w_b
            squares += w_a * w_a
            fourths += w_a * w_a * w_a * w_a
    return total / (full_y * full_x), min(1.0, SINE_FOURTH * squares * squares / (fourths * size * size + 1e-30))


@numba.njit(**INNER, fastmath=True)
def gather(images, corner, shift, sides, beyond, re, im, spare_re, spare_im):
    """Both tapered windows with mean 0 and norm 1 in re and im.

    Where some pixels cannot be used, weights fall off toward them, and move with the ground as the tapers do: a hard
    edge that stays in place draws the estimate to whole pixels, and leaks into all frequencies.

    Parameters
    ----------
    shift, beyond
        By how many pixels (y, x) the windows are read apart, and by how many more the ground moved.

    Returns
    -------
    Share of the taper's weight that can be used; share of the frequencies of a whole window that these windows tell
    apart; whether there is texture.
    """
    size = sides.shape[1]
    top, left = corner
    below, right = top + shift[0], left + shift[1]
    used, apart = 1.0, 1.0
    if _unusable(images, corner, shift, size):
        used, apart = _fading(images, corner, shift, sides, beyond, re, im, spare_re, spare_im)
        if used <= 0:
            return 0.0, 0.0, False
    else:
        for i in range(size):
            for j in range(size):
                re[i * size + j], im[i * size + j] = sides[0, i] * sides[1, j], sides[2, i] * sides[3, j]
    total_a = total_b = sum_a = sum_b = 0.0
    for i in range(size):
        a, b = images[0][top + i, left : left + size], images[1][below + i, right : right + size]
        for j in range(size):
            w_a, w_b = re[i * size + j], im[i * size + j]
            total_a += w_a
            total_b += w_b
            sum_a += w_a * a[j]
            sum_b += w_b * b[j]
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
        return used, apart, False
    scale_a, scale_b = np.float32(1 / np.sqrt(square_a)), np.float32(1 / np.sqrt(square_b))
    for q in range(size * size):
        re[q] *= scale_a
        im[q] *= scale_b
    return used, apart, True


@numba.njit(**INNER, fastmath=True)
def cross_spectrum(re, im, spare_re, spare_im, twiddle, phase_re, phase_im, amplitude):
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


@numba.njit(**INNER, fastmath=True)
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


@numba.njit(**INNER)
def correlation_at(re, im, y, x, size):
    """The correlation of a displacement, as `window_peak` leaves it in the first two of `room`."""
    half = size // 2
    y, x = y % size, x % size
    return re[y * half + x] if x < half else im[y * half + x - half]


@numba.njit(cache=True, nogil=True, inline="always")
def _peak(re, im, size, radius):
    """Place (y, x) of the highest correlation within `radius` of no displacement, and its value."""
    best, at_y, at_x = np.float32(-1e30), 0, 0
    for y in range(-radius, radius + 1):
        for x in range(-radius, radius + 1):
            value = correlation_at(re, im, y, x, size)
            if value > best:
                best, at_y, at_x = value, y, x
    return (at_y, at_x), best


@numba.njit(cache=True, nogil=True, inline="always")
def vertex(before, middle, after):
    """Place of the top of the parabola through three values at −1, 0 and 1, the middle one highest."""
    bend = before + after - 2 * middle
    return 0.5 * (before - after) / bend if bend < 0 else 0.0


@numba.njit(cache=True, nogil=True, inline="always")
def window_peak(images, corner, shift, sides, twiddle, knee, least_used, radius, room):
    """Read one pair of windows, `shift` (y, x) apart, and find the peak of their correlation.

    Returns the share of weight used, whether there is texture, the peak's place beyond the shift, its height (1 where
    all phases agree) and the window's mean amplitude. The phases, amplitudes and correlation stay in `room`.
    """
    size = sides.shape[1]
    used, _, textured = gather(images, corner, shift, sides, (0.0, 0.0), room[0], room[1], room[2], room[3])
    if used < least_used or not textured:
        return used, textured, (0, 0), -1.0, 0.0
    mean = cross_spectrum(room[0], room[1], room[2], room[3], twiddle, room[4], room[5], room[6])
    total = _correlate(room[4], room[5], room[6], knee * mean, room[0], room[1], room[2], room[3], twiddle)
    place, height = _peak(room[0], room[1], size, min(radius, size // 2 - 1))
    return used, textured, place, height / (2 * total), mean
