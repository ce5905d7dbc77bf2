"""Coherence matrices inside compiled loops: the sample, its regularised magnitude, and the Cramér-Rao bound.

The magnitude is regularised in four steps:

1. The phases of a first guess are removed; the real part is a coherence without the upward bias of the absolute
   value.
2. An exponential decay plus a long-term coherence, a·exp(−|Δt|/τ) + b, is fitted to it by least squares.
3. What the fit leaves is smoothed over five by five neighbouring pairs of dates, which keeps seasons and steps but
   a quarter of the noise. It is added with the weight (1 − β) / (1 − β + β / 4) of a Wiener filter; the noise before
   smoothing is β = Σ (1 − γ²)² / 2L / Σ (sample − fit)² of what the fit leaves, which is also the shrinkage of
   Schäfer & Strimmer (2005, doi:10.2202/1544-6115.1175).
4. If the result is not well positive, everything off the diagonal is reduced until it is.

The bound is the inverse of the Fisher matrix 2L (Γ ∘ Γ⁻¹ − I), L looks, without the date whose phase is fixed
(Guarnieri & Tebaldini 2007, doi:10.1109/TGRS.2007.895412).
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from groundshift.kernels.hermitian import invert

_FLAGS = {"contract", "reassoc", "arcp"}
_MOST_COHERENCE = 0.99
_LEAST_PIVOT = 0.01
_SMOOTHING = 2  # dates to each side
_NOISE_LEFT = 0.25  # share of the noise that smoothing leaves, measured: 0.21 to 0.28


class Work(NamedTuple):
    """Scratch of one thread; sizes are those of the largest matrix."""

    sum_real: np.ndarray  # float32
    sum_imag: np.ndarray
    real: np.ndarray  # coherence matrix
    imag: np.ndarray
    sample: np.ndarray  # its real part after phases were removed
    smooth: np.ndarray
    gamma: np.ndarray  # regularised coherence
    inverse: np.ndarray
    covariance: np.ndarray  # of the phases; that of the first is zero
    f_real: np.ndarray
    f_imag: np.ndarray
    x_real: np.ndarray
    x_imag: np.ndarray
    y_real: np.ndarray
    y_imag: np.ndarray


@numba.njit(cache=True, nogil=True)
def workspace(size):
    """Scratch for matrices of up to `size` rows."""
    square = (size, size)
    return Work(
        np.empty(square, np.float32),
        np.empty(square, np.float32),
        np.empty(square),
        np.empty(square),
        np.empty(square),
        np.empty(square),
        np.empty(square),
        np.empty(square),
        np.empty(square),
        np.empty(square),
        np.empty(square),
        np.empty(size),
        np.empty(size),
        np.empty(size),
        np.empty(size),
    )


@numba.njit(cache=True, nogil=True, fastmath=_FLAGS)
def accumulate(z_real, z_imag, count, size, real, imag):
    """Upper triangle of Σ z zᴴ over `count` neighbours; rows of z up to the next multiple of four are emptied."""
    for p in range(count, (count + 3) // 4 * 4):
        for i in range(size):
            z_real[p, i] = z_imag[p, i] = np.float32(0)
    for i in range(size):
        for j in range(i, size):
            real[i, j] = imag[i, j] = np.float32(0)
    for p in range(0, count, 4):
        for i in range(size):
            ar, br, cr, dr = z_real[p, i], z_real[p + 1, i], z_real[p + 2, i], z_real[p + 3, i]
            ai, bi, ci, di = z_imag[p, i], z_imag[p + 1, i], z_imag[p + 2, i], z_imag[p + 3, i]
            for j in range(i, size):
                re = ar * z_real[p, j] + ai * z_imag[p, j] + br * z_real[p + 1, j] + bi * z_imag[p + 1, j]
                re += cr * z_real[p + 2, j] + ci * z_imag[p + 2, j] + dr * z_real[p + 3, j] + di * z_imag[p + 3, j]
                im = ai * z_real[p, j] - ar * z_imag[p, j] + bi * z_real[p + 1, j] - br * z_imag[p + 1, j]
                im += ci * z_real[p + 2, j] - cr * z_imag[p + 2, j] + di * z_real[p + 3, j] - dr * z_imag[p + 3, j]
                real[i, j] += re
                imag[i, j] += im


@numba.njit(cache=True, nogil=True)
def independent_dates(z_real, z_imag, count, size, work):
    """Independent dates k = N² / Σᵢⱼ|γᵢⱼ|², from neighbours of equal mean intensity."""
    accumulate(z_real, z_imag, count, size, work.sum_real, work.sum_imag)
    total = 0.0
    for i in range(size):
        for j in range(i + 1, size):
            power = np.float64(work.sum_real[i, j]) ** 2 + np.float64(work.sum_imag[i, j]) ** 2
            total += power / (np.float64(work.sum_real[i, i]) * np.float64(work.sum_real[j, j]))
    if count > 1:  # what noise alone would give is taken off
        pairs = 0.5 * size * (size - 1)
        total = (count * total - pairs) / (count - 1)
    return size * size / (size + 2.0 * max(total, 0.0))


@numba.njit(cache=True, nogil=True)
def sample_coherence(work, size):
    """Sample coherence matrix, all of it, from the sums."""
    for i in range(size):
        work.real[i, i], work.imag[i, i] = 1.0, 0.0
        for j in range(i + 1, size):
            scale = 1.0 / np.sqrt(np.float64(work.sum_real[i, i]) * np.float64(work.sum_real[j, j]))
            work.real[i, j] = work.real[j, i] = work.sum_real[i, j] * scale
            work.imag[i, j] = work.sum_imag[i, j] * scale
            work.imag[j, i] = -work.imag[i, j]


@numba.njit(cache=True, nogil=True, fastmath=_FLAGS)
def _fit_decay(sample, size, decays):
    """Least squares of a·exp(−|Δt|/τ) + b, a and b not negative: index of τ, a, b."""
    pairs = 0.5 * size * (size - 1)
    sum_y = 0.0
    for i in range(size):
        for j in range(i + 1, size):
            sum_y += sample[i, j]
    best, least, best_a, best_b = 0, np.inf, 0.0, 0.0
    for k in range(decays.shape[0]):
        sum_e, sum_ee, sum_ey = 0.0, 0.0, 0.0
        for i in range(size):
            for j in range(i + 1, size):
                e = decays[k, i, j]
                sum_e += e
                sum_ee += e * e
                sum_ey += e * sample[i, j]
        spread = pairs * sum_ee - sum_e * sum_e
        a = (pairs * sum_ey - sum_e * sum_y) / spread if spread > 1e-9 * pairs * sum_ee else -1.0
        b = (sum_y - a * sum_e) / pairs
        if b < 0:
            a, b = sum_ey / sum_ee, 0.0
        if a < 0:
            a, b = 0.0, max(sum_y / pairs, 0.0)
        misfit = a * a * sum_ee + 2 * a * b * sum_e + b * b * pairs - 2 * a * sum_ey - 2 * b * sum_y
        if misfit < least:
            best, least, best_a, best_b = k, misfit, a, b
    return best, best_a, best_b


@numba.njit(cache=True, nogil=True)
def _smooth(values, size, half, out, scratch):
    """Mean of the off-diagonal values within `half` rows and columns; `values` is symmetric with an empty diagonal."""
    for i in range(size):
        for j in range(size):
            scratch[i, j] = 0.0
            for m in range(max(0, j - half), min(size, j + half + 1)):
                scratch[i, j] += values[i, m]
    for i in range(size):
        top, bottom = max(0, i - half), min(size, i + half + 1)
        for j in range(size):
            left, right = max(0, j - half), min(size, j + half + 1)
            total = 0.0
            for m in range(top, bottom):
                total += scratch[m, j]
            diagonal = max(0, min(bottom, right) - max(top, left))
            number = (bottom - top) * (right - left) - diagonal
            out[i, j] = total / number if number else 0.0


@numba.njit(cache=True, nogil=True)
def regularise(work, size, looks, decays):
    """Regularised coherence and its inverse, from the real part of Γ after the phases of x are removed."""
    for i in range(size):
        for j in range(i, size):
            re = work.x_real[i] * work.x_real[j] + work.x_imag[i] * work.x_imag[j]
            im = work.x_imag[i] * work.x_real[j] - work.x_real[i] * work.x_imag[j]
            work.sample[i, j] = work.sample[j, i] = work.real[i, j] * re + work.imag[i, j] * im
    best, a, b = _fit_decay(work.sample, size, decays)
    noise, misfit = 0.0, 0.0
    for i in range(size):
        work.gamma[i, i] = 1.0
        work.sample[i, i] = 0.0
        for j in range(i + 1, size):
            fit = min(a * decays[best, i, j] + b, _MOST_COHERENCE)
            left = work.sample[i, j] - fit
            noise += (1.0 - fit * fit) ** 2 / (2.0 * looks)
            misfit += left * left
            work.gamma[i, j] = work.gamma[j, i] = fit
            work.sample[i, j] = work.sample[j, i] = left
    signal = 1.0 - min(noise / misfit, 1.0) if misfit > 0.0 else 0.0
    if signal > 0.0:
        share = signal / (signal + _NOISE_LEFT * (1.0 - signal))
        _smooth(work.sample, size, _SMOOTHING, work.smooth, work.inverse)
        for i in range(size):
            for j in range(size):
                if i != j:
                    value = work.gamma[i, j] + share * work.smooth[i, j]
                    work.gamma[i, j] = min(max(value, -_MOST_COHERENCE), _MOST_COHERENCE)
    while not invert(work.gamma, size, _LEAST_PIVOT, work.inverse):
        for i in range(size):
            for j in range(size):
                if i != j:
                    work.gamma[i, j] *= 0.95


@numba.njit(cache=True, nogil=True)
def bound(work, size, looks):
    """Cramér-Rao covariance of the phases against the first, radians²; infinite where nothing links the dates."""
    last = size - 1
    for i in range(last):
        for j in range(last):
            fisher = work.gamma[i + 1, j + 1] * work.inverse[i + 1, j + 1] - (1.0 if i == j else 0.0)
            work.sample[i, j] = 2.0 * looks * fisher
    for i in range(last):
        work.y_real[i] = 1.0 / np.sqrt(max(work.sample[i, i], 1e-12))
    for i in range(last):
        for j in range(last):
            work.sample[i, j] *= work.y_real[i] * work.y_real[j]
    good = invert(work.sample, last, 1e-9, work.smooth)
    for i in range(size):
        for j in range(size):
            if i == 0 or j == 0:
                work.covariance[i, j] = 0.0
            elif good:
                work.covariance[i, j] = work.smooth[i - 1, j - 1] * work.y_real[i - 1] * work.y_real[j - 1]
            else:
                work.covariance[i, j] = np.inf if i == j else 0.0
