"""Statistically homogeneous neighbours: pixels of a window whose amplitudes follow the law of its centre.

Two tests compare the amplitudes of two pixels over all dates. The generalised likelihood ratio of two Rayleigh
scales depends on nothing but the ratio of the two mean intensities, which follows the F distribution, so its limits
are exact (Parizzi & Brcic 2011, doi:10.1109/LGRS.2010.2083631, compare such tests). The two-sample
Kolmogorov-Smirnov test compares the whole distribution (Ferretti et al. 2011, doi:10.1109/TGRS.2011.2124465).

Both suppose independent dates, but speckle that stays coherent repeats itself: N dates then tell no more than
k = N² / Σᵢⱼ|γᵢⱼ|² of them, as the variance of their mean intensity shows. With N in place of k a test would refuse
far more of the true neighbours than its significance says, the more so the better the coherence. So |γ| is first
estimated from every fourth pixel of the window, each scaled to the same mean intensity, and the limits are those
for k dates.
"""

from __future__ import annotations

import numba
import numpy as np
from scipy import stats

NONE, GLRT, KS = 0, 1, 2
_STEPS = 64  # entries of a table of limits


def limits(test: int, significance: float, images: int) -> np.ndarray:
    """Limits of a test for 1 to `images` independent dates, float64 (64,), at equal steps of the logarithm.

    For `GLRT`, the natural logarithm of the largest ratio of mean intensities; for `KS`, the largest distance of the
    two distribution functions (asymptotic law with the correction of Stephens 1970,
    doi:10.1111/j.2517-6161.1970.tb00821.x). `significance` is the share of true neighbours that are refused.
    """
    k = np.exp(np.linspace(0.0, np.log(max(images, 2)), _STEPS))
    if test == GLRT:
        return np.log(stats.f.isf(significance / 2, 2 * k, 2 * k))
    root = np.sqrt(k / 2)
    return stats.kstwobign.isf(significance) / (root + 0.12 + 0.11 / root)


@numba.njit(cache=True, nogil=True)
def limit_at(table, independent, images):
    """The limit for a number of independent dates, from the table of :func:`limits`."""
    at = np.log(max(independent, 1.0)) / np.log(max(images, 2)) * (_STEPS - 1)
    index = min(int(at), _STEPS - 2)
    return table[index] + min(at - index, 1.0) * (table[index + 1] - table[index])


@numba.njit(cache=True, nogil=True)
def distance(first, second):
    """Largest distance of the distribution functions of two sorted samples of the same size."""
    size = first.size
    i, j, most = 0, 0, 0
    while i < size and j < size:
        if first[i] < second[j]:
            i += 1
        elif first[i] > second[j]:
            j += 1
        else:
            value = first[i]
            while i < size and first[i] == value:
                i += 1
            while j < size and second[j] == value:
                j += 1
        most = max(most, abs(i - j))
    return most / size


@numba.njit(cache=True, nogil=True)
def keep_connected(mask, pending):
    """Clear what is not joined to the centre of the mask by steps to one of the eight next pixels.

    `mask` is uint8 (y, x), odd sizes, 1 for a neighbour; `pending` is scratch, int64 (y · x, 2).
    """
    rows, cols = mask.shape
    mask[rows // 2, cols // 2] = 2
    pending[0, 0], pending[0, 1] = rows // 2, cols // 2
    count = 1
    while count:
        count -= 1
        y, x = pending[count, 0], pending[count, 1]
        for i in range(max(0, y - 1), min(rows, y + 2)):
            for j in range(max(0, x - 1), min(cols, x + 2)):
                if mask[i, j] == 1:
                    mask[i, j] = 2
                    pending[count, 0], pending[count, 1] = i, j
                    count += 1
    for i in range(rows):
        for j in range(cols):
            mask[i, j] = 1 if mask[i, j] == 2 else 0


@numba.njit(cache=True, nogil=True)
def choose(test, limit, log_intensity, ranked, row, col, mask):
    """Mark the neighbours of a pixel.

    Parameters
    ----------
    test, limit
        One of `NONE`, `GLRT`, `KS`, and what :func:`limit_at` gives.
    log_intensity
        float32 (y, x): natural logarithm of the mean intensity over time, NaN where a pixel cannot be used.
    ranked
        float32 (y, x, time): sorted amplitudes, for `KS`; else any array of three dimensions.
    row, col
        The pixel, which can be used.
    mask
        uint8 (window y, window x), odd sizes: overwritten by 1 for neighbours, the centre among them, 0 for others.

    Returns
    -------
    How many neighbours there are.
    """
    half_y, half_x = mask.shape[0] // 2, mask.shape[1] // 2
    own = log_intensity[row, col]
    count = 0
    for i in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            y, x = row + i - half_y, col + j - half_x
            mask[i, j] = 0
            if y < 0 or x < 0 or y >= log_intensity.shape[0] or x >= log_intensity.shape[1]:
                continue
            other = log_intensity[y, x]
            if np.isnan(other):
                continue
            if test == GLRT and abs(other - own) > limit:
                continue
            if test == KS and (y != row or x != col) and distance(ranked[row, col], ranked[y, x]) > limit:
                continue
            mask[i, j] = 1
            count += 1
    return count


@numba.njit(cache=True, nogil=True)
def gather(real, imag, log_intensity, row, col, mask, every, evenness, z_real, z_imag):
    """Copy the series of marked neighbours, float32 (y, x, time), to rows of z; return how many.

    Of the mask, every so many rows and columns from the centre. Series are divided by their root mean intensity to the
    power of `evenness`.
    """
    half_y, half_x = mask.shape[0] // 2, mask.shape[1] // 2
    count, size = 0, real.shape[2]
    for i in range(half_y % every, mask.shape[0], every):
        for j in range(half_x % every, mask.shape[1], every):
            if mask[i, j] == 0:
                continue
            y, x = row + i - half_y, col + j - half_x
            scale = np.float32(np.exp(-0.5 * evenness * log_intensity[y, x]))
            for t in range(size):
                z_real[count, t] = real[y, x, t] * scale
                z_imag[count, t] = imag[y, x, t] * scale
            count += 1
    return count


@numba.njit(cache=True, nogil=True)
def spread(z_real, z_imag, count, size, phase, row):
    """Variance between neighbours of what a row of factors makes of their phases, beyond noise.

    Without a neighbour's own linked phases, its series is c(t) = a (1 + n(t) + i δ(t)), with noise n that is as large
    in phase as in amplitude, and small phases δ of its own: a height that others do not have, if the row is that of the
    height. Σ row c / mean c has both in its imaginary part and noise alone in its real one, so the difference of
    their squares, weighted by the neighbours' intensity, is the variance of Σ row δ. Noise can make it negative.

    Parameters
    ----------
    z_real, z_imag, count, size
        float32 (neighbours and more, time and more), how many of both.
    phase
        Linked phases, cosine and sine, float64 (2, time).
    row
        float64 (time,), of sum 0.
    """
    excess, weight = 0.0, 0.0
    for p in range(count):
        mean_re, mean_im, sum_re, sum_im = 0.0, 0.0, 0.0, 0.0
        for t in range(size):
            re = z_real[p, t] * phase[0, t] + z_imag[p, t] * phase[1, t]
            im = z_imag[p, t] * phase[0, t] - z_real[p, t] * phase[1, t]
            mean_re, mean_im = mean_re + re, mean_im + im
            sum_re, sum_im = sum_re + row[t] * re, sum_im + row[t] * im
        power = max(mean_re**2 + mean_im**2, 1e-30)
        re, im = sum_re * mean_re + sum_im * mean_im, sum_im * mean_re - sum_re * mean_im
        excess += (im * im - re * re) / power
        weight += power / (size * size)
    return excess / weight
