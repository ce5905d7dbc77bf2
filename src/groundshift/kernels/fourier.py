"""Fast Fourier transforms of small square windows, for loops compiled by numba.

Real and imaginary parts lie in separate float32 arrays and every butterfly runs along contiguous memory, so the
compiler can use vector instructions. Source: the self-sorting transform of Stockham (1966), mixed radix 4 and 2,
as described by Van Loan (1992), "Computational Frameworks for the Fast Fourier Transform", SIAM, section 1.7.
"""

from __future__ import annotations

import numba
import numpy as np

from groundshift.kernels.inner import INNER

SIZES = (8, 16, 32, 64, 128, 256)
"""Window sizes that can be transformed."""


def twiddles(size: int) -> np.ndarray:
    """Cosine and sine of −2π k / size, float32 (2, size); size a power of two from 8 to 256."""
    angle = -2 * np.pi * np.arange(size) / size
    return np.stack([np.cos(angle), np.sin(angle)]).astype(np.float32)


@numba.njit(**INNER, fastmath=True)
def _radix_4(re, im, wr, wi, out_re, out_im, p, quarter, stride):
    """One butterfly of four rows, `quarter` apart, of `stride` contiguous numbers each."""
    ar, br = re[p], re[p + quarter]
    cr, dr = re[p + 2 * quarter], re[p + 3 * quarter]
    ai, bi = im[p], im[p + quarter]
    ci, di = im[p + 2 * quarter], im[p + 3 * quarter]
    er, fr, gr, hr = out_re[4 * p], out_re[4 * p + 1], out_re[4 * p + 2], out_re[4 * p + 3]
    ei, fi, gi, hi = out_im[4 * p], out_im[4 * p + 1], out_im[4 * p + 2], out_im[4 * p + 3]
    w1r, w1i, w2r, w2i, w3r, w3i = wr[0], wi[0], wr[1], wi[1], wr[2], wi[2]
    for q in range(stride):
        sr, si = ar[q] + cr[q], ai[q] + ci[q]
        tr, ti = ar[q] - cr[q], ai[q] - ci[q]
        ur, ui = br[q] + dr[q], bi[q] + di[q]
        vr, vi = br[q] - dr[q], bi[q] - di[q]
        er[q] = sr + ur
        ei[q] = si + ui
        xr, xi = tr + vi, ti - vr
        fr[q] = xr * w1r - xi * w1i
        fi[q] = xr * w1i + xi * w1r
        xr, xi = sr - ur, si - ui
        gr[q] = xr * w2r - xi * w2i
        gi[q] = xr * w2i + xi * w2r
        xr, xi = tr - vi, ti + vr
        hr[q] = xr * w3r - xi * w3i
        hi[q] = xr * w3i + xi * w3r


@numba.njit(cache=True, nogil=True, fastmath=True)
def transform_columns(re, im, spare_re, spare_im, twiddle, columns):
    """Forward transform, exp(−i k x), along the first axis of a (size, columns) array held flat.

    The result replaces re and im; spare_re and spare_im are overwritten. All are float32 of at least
    size × columns numbers; `twiddle` is from :func:`twiddles`.
    """
    size = twiddle.shape[1]
    total = size * columns
    xr, xi, yr, yi = re[:total], im[:total], spare_re[:total], spare_im[:total]
    left, stride = size, columns
    steps = 0
    wr, wi = np.empty(3, np.float32), np.empty(3, np.float32)
    while left >= 4:
        quarter, turn = left // 4, size // left
        ar, ai = xr.reshape(left, stride), xi.reshape(left, stride)
        br, bi = yr.reshape(left, stride), yi.reshape(left, stride)
        for p in range(quarter):
            for k in range(3):
                wr[k] = twiddle[0, (k + 1) * p * turn]
                wi[k] = twiddle[1, (k + 1) * p * turn]
            _radix_4(ar, ai, wr, wi, br, bi, p, quarter, stride)
        xr, xi, yr, yi = yr, yi, xr, xi
        left, stride, steps = quarter, stride * 4, steps + 1
    if left == 2:
        for q in range(stride):
            a, b = xr[q], xr[q + stride]
            yr[q], yr[q + stride] = a + b, a - b
            a, b = xi[q], xi[q + stride]
            yi[q], yi[q + stride] = a + b, a - b
        steps += 1
    if steps % 2 == 1:
        for q in range(total):
            re[q] = spare_re[q]
            im[q] = spare_im[q]


@numba.njit(cache=True, nogil=True)
def transpose(source, target, rows, columns):
    """Copy a (rows, columns) array held flat into its transpose, in blocks that fit the nearest cache."""
    for top in range(0, rows, 8):
        for left in range(0, columns, 8):
            for i in range(top, min(top + 8, rows)):
                for j in range(left, min(left + 8, columns)):
                    target[j * rows + i] = source[i * columns + j]
