"""Phase linking: one phase a date from the coherence matrix of homogeneous neighbours, compiled.

The estimator is EMI (Ansari, De Zan & Bamler 2018, doi:10.1109/TGRS.2018.2826045): the phases of the eigenvector of
the smallest eigenvalue of |Γ|⁻¹ ∘ Γ. Taking |Γ| as it was sampled costs precision: its noise enters the weights, and
the error becomes 1.1 to 1.4 times the Cramér-Rao bound with 253 neighbours and 30 dates. So |Γ| is regularised as
:mod:`groundshift.kernels.coherence_matrix` says, after a first guess by the eigenvector of the largest eigenvalue of
Γ (EVD). Beyond small errors the bound is too hopeful, since phases wrap: the declared variance is σ² (1 + 3 σ²), a
factor that was found by Monte Carlo.

Long series go in mini-stacks (Ansari, De Zan & Bamler 2017, doi:10.1109/TGRS.2017.2711037): each is linked together
with the compressed images of those before, then replaced by one compressed image, the mean of its images after their
phases are removed; the compressed images are linked at the end. The neighbours of a pixel are compressed with the
phases of that pixel, which they share by assumption, so that one pass over the pixels is enough.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numba
import numpy as np

from groundshift.kernels.coherence_matrix import (
    accumulate,
    bound,
    independent_dates,
    regularise,
    sample_coherence,
    workspace,
)
from groundshift.kernels.hermitian import largest_eigenvector, smallest_eigenvector
from groundshift.kernels.homogeneous_neighbours import NONE, choose, gather, keep_connected, limit_at, spread

_CURVATURE = 3.0  # of the declared variance


class Plan(NamedTuple):
    """How a series is linked; from :func:`plan`."""

    starts: np.ndarray  # int64: first date of every mini-stack, and the number of dates
    decays: np.ndarray  # float64 (mini-stack and, last, compressed images; τ; i; j): exp(−|Δt| / τ)


def plan(days: np.ndarray, ministack: int | None = None) -> Plan:
    """Cut a series in mini-stacks and tabulate decays.

    Parameters
    ----------
    days
        Times, float64 (time,), ascending.
    ministack
        Most images in a mini-stack; None takes all dates at once.
    """
    count = days.size
    parts = 1 if ministack is None else -(-count // ministack)
    starts = np.round(np.linspace(0, count, parts + 1)).astype(np.int64)
    groups, compressed = [], np.empty(0)
    for first, last in pairwise(starts):
        groups.append(np.concatenate([compressed, days[first:last]]))
        compressed = np.append(compressed, days[first:last].mean())
    if parts > 1:
        groups.append(compressed)
    span, shortest = days[-1] - days[0], np.diff(days).min()
    scales = np.geomspace(0.5 * shortest, 4.0 * span, 12)
    decays = np.zeros((len(groups), scales.size, max(map(len, groups)), max(map(len, groups))))
    for table, group in zip(decays, groups, strict=True):
        table[:, : len(group), : len(group)] = np.exp(-np.abs(group[:, None] - group) / scales[:, None, None])
    return Plan(starts, decays)


@numba.njit(cache=True, nogil=True)
def _to_phasors(real, imag, size):
    """Scale the elements of a vector to length one."""
    for i in range(size):
        length = np.hypot(real[i], imag[i])
        real[i], imag[i] = (real[i] / length, imag[i] / length) if length > 0 else (1.0, 0.0)


@numba.njit(cache=True, nogil=True)
def _link(z_real, z_imag, count, skip, size, looks, decays, emi, work):
    """Link `size` images of `count` neighbours: phasors in work.x, covariance in work.

    Returns the sum of cosines of what is left, over pairs without the first `skip` images, and the number of pairs.
    """
    accumulate(z_real, z_imag, count, size, work.sum_real, work.sum_imag)
    sample_coherence(work, size)
    for i in range(size):
        work.x_real[i], work.x_imag[i] = work.real[i, size // 2], work.imag[i, size // 2]
    largest_eigenvector(
        work.real, work.imag, size, work.x_real, work.x_imag, work.y_real, work.y_imag, 1e-3 if emi else 1e-6, 200
    )
    _to_phasors(work.x_real, work.x_imag, size)
    regularise(work, size, looks, decays)
    if emi:
        for i in range(size):
            for j in range(size):
                work.sample[i, j] = work.inverse[i, j] * work.real[i, j]
                work.smooth[i, j] = work.inverse[i, j] * work.imag[i, j]
        smallest_eigenvector(
            work.sample,
            work.smooth,
            size,
            0.7,
            work.x_real,
            work.x_imag,
            work.y_real,
            work.y_imag,
            work.f_real,
            work.f_imag,
            1e-6,
        )
        _to_phasors(work.x_real, work.x_imag, size)
    bound(work, size, looks)
    fit = 0.0
    for i in range(skip, size):
        for j in range(i + 1, size):
            re = work.x_real[i] * work.x_real[j] + work.x_imag[i] * work.x_imag[j]
            im = work.x_imag[i] * work.x_real[j] - work.x_real[i] * work.x_imag[j]
            length = np.hypot(work.real[i, j], work.imag[i, j])
            fit += (work.real[i, j] * re + work.imag[i, j] * im) / max(length, 1e-30)
    return fit, 0.5 * (size - skip) * (size - skip - 1)


@numba.njit(cache=True, nogil=True)
def _compress(z_real, z_imag, count, first, last, phase_real, phase_imag, out_real, out_imag):
    """Mean of images `first` to `last` of every neighbour after their phases are removed."""
    scale = 1.0 / (last - first)
    for p in range(count):
        re, im = 0.0, 0.0
        for t in range(first, last):
            re += z_real[p, t] * phase_real[t] + z_imag[p, t] * phase_imag[t]
            im += z_imag[p, t] * phase_real[t] - z_real[p, t] * phase_imag[t]
        out_real[p], out_imag[p] = re * scale, im * scale


@numba.njit(cache=True, nogil=True)
def _against_mean(covariance, skip, size, out):
    """Covariance of phases `skip` to `size` against their own mean."""
    number = size - skip
    whole = 0.0
    for i in range(skip, size):
        for j in range(skip, size):
            whole += covariance[i, j] / (number * number)
    for i in range(skip, size):
        mean = 0.0
        for j in range(skip, size):
            mean += covariance[i, j] / number
        for j in range(skip, size):
            out[i - skip, j - skip] = covariance[i, j] + whole - mean
    for j in range(skip, size):
        mean = 0.0
        for i in range(skip, size):
            mean += covariance[i, j] / number
        for i in range(skip, size):
            out[i - skip, j - skip] -= mean


@numba.njit(cache=True, nogil=True)
def link_series(z_real, z_imag, count, looks, series, emi, reference, work, parts, phase, covariance):
    """Link the series of one pixel from the images of its neighbours.

    Parameters
    ----------
    z_real, z_imag
        float32 (neighbours and up to three more, time).
    count, looks
        Neighbours, and how many of them are independent.
    series
        A :class:`Plan`.
    emi
        True for EMI, False for EVD.
    reference
        Index of the date whose phase is zero.
    work, parts
        Scratch: matrices, and float32 (2, neighbours + 3, most images of a mini-stack with compressed ones).
    phase, covariance
        Results: float64 (2, time) cosine and sine, and the covariance of their errors, float64 (time, time), radians²;
        a constant of all phases is left open.

    Returns
    -------
    Temporal coherence: mean of cos(φᵢⱼ − (φᵢ − φⱼ)) over all pairs of dates, or all within a mini-stack (Ferretti et
    al. 2011, doi:10.1109/TGRS.2011.2124465).
    """
    starts, decays = series
    stacks = starts.size - 1
    if stacks == 1:
        size = starts[1]
        fit, pairs = _link(z_real, z_imag, count, 0, size, looks, decays[0], emi, work)
        phase[0, :size], phase[1, :size] = work.x_real[:size], work.x_imag[:size]
        covariance[:size, :size] = work.covariance[:size, :size]
    else:
        fit, pairs, size = 0.0, 0.0, starts[stacks]
        compressed = np.empty((2, z_real.shape[0], stacks), np.float32)
        for s in range(stacks):
            first, last = starts[s], starts[s + 1]
            parts[0, :count, :s], parts[1, :count, :s] = compressed[0, :count, :s], compressed[1, :count, :s]
            parts[0, :count, s : s + last - first] = z_real[:count, first:last]
            parts[1, :count, s : s + last - first] = z_imag[:count, first:last]
            more, number = _link(parts[0], parts[1], count, s, s + last - first, looks, decays[s], emi, work)
            fit, pairs = fit + more, pairs + number
            phase[0, first:last] = work.x_real[s : s + last - first]
            phase[1, first:last] = work.x_imag[s : s + last - first]
            _compress(z_real, z_imag, count, first, last, phase[0], phase[1], compressed[0, :, s], compressed[1, :, s])
            _against_mean(work.covariance, s, s + last - first, covariance[first:last, first:last])
        parts[:, :count, :stacks] = compressed[:, :count]
        _link(parts[0], parts[1], count, 0, stacks, looks, decays[stacks], emi, work)
        for s in range(stacks):
            re, im = work.x_real[s], work.x_imag[s]
            for t in range(starts[s], starts[s + 1]):
                c, d = phase[0, t], phase[1, t]
                phase[0, t], phase[1, t] = c * re - d * im, c * im + d * re
                for other in range(stacks):
                    for u in range(starts[other], starts[other + 1]):
                        own = covariance[t, u] if s == other else 0.0
                        covariance[t, u] = own + work.covariance[s, other]
    re, im = phase[0, reference], phase[1, reference]
    for t in range(size):
        c, d = phase[0, t], phase[1, t]
        phase[0, t], phase[1, t] = c * re + d * im, d * re - c * im
    return fit / pairs


@numba.njit(cache=True, nogil=True)
def _correlate(covariance, variance, reference, out):
    """Correlation of errors against the reference, in 127ths, of the pairs above the diagonal, row by row."""
    number = 0
    for t in range(variance.size):
        for u in range(t + 1, variance.size):
            both = variance[t] * variance[u]
            value = 0.0
            if both > 0.0 and both < np.inf:
                shared = covariance[t, u] - covariance[t, reference] - covariance[u, reference]
                value = (shared + covariance[reference, reference]) / np.sqrt(both)
            out[number] = np.int8(np.rint(127.0 * min(max(value, -1.0), 1.0)))
            number += 1


@numba.njit(cache=True, nogil=True)
def link_pixels(images, grid, window, choice, series, emi, reference, row, results):
    """Choose neighbours and link phases for a grid of pixels.

    Parameters
    ----------
    images
        Real and imaginary part, float32 (y, x, time), then `log_intensity` and `ranked` as in
        :func:`groundshift.kernels.homogeneous_neighbours.choose`.
    grid
        Lines and pixels to link, both int64, then the first of the lines to do now and the one after the last.
    window
        (y, x) sizes, odd.
    choice
        The test and its table of :func:`groundshift.kernels.homogeneous_neighbours.limits`, whether neighbours must
        be joined to the pixel, the fewest neighbours, independent looks a neighbour, and the power of its amplitude
        that each neighbour is divided by.
    series
        A :class:`Plan`.
    emi, reference
        As in :func:`link_series`.
    row
        As of :func:`~groundshift.kernels.homogeneous_neighbours.spread`.
    results
        Phases, complex64 (time, i, j); temporal coherence, float32 (i, j); neighbours, int32 (i, j); sigma against the
        reference, float32 (time, i, j); root of :func:`spread`, 0 where it is negative, float32 (i, j). NaN where a
        pixel has no data or too few neighbours. Correlation of errors against the reference, int8 (pairs of dates, i,
        j), see :func:`_correlate`; it is left out where that array is empty.
    """
    real, imag, log_intensity, ranked = images
    lines, cols, begin, end = grid
    test, table, connected, least, share, evenness = choice
    linked, coherence, neighbours, sigma, spreads, correlation = results
    dates, most, largest = real.shape[2], window[0] * window[1] + 3, series.decays.shape[2]
    work = workspace(max(dates, largest))
    z_real, z_imag = np.empty((most, dates), np.float32), np.empty((most, dates), np.float32)
    parts = np.empty((2, most, largest), np.float32)
    mask, pending = np.empty(window, np.uint8), np.empty((window[0] * window[1], 2), np.int64)
    phase, covariance, variance = np.empty((2, dates)), np.empty((dates, dates)), np.empty(dates)
    for i in range(begin, end):
        for j in range(cols.size):
            line, col = lines[i], cols[j]
            linked[:, i, j], sigma[:, i, j], neighbours[i, j] = np.nan, np.nan, 0
            coherence[i, j] = spreads[i, j] = np.nan
            if np.isnan(log_intensity[line, col]):
                continue
            count = choose(NONE, 0.0, log_intensity, ranked, line, col, mask)
            if test != NONE:
                some = gather(real, imag, log_intensity, line, col, mask, 2, 1.0, z_real, z_imag)
                limit = limit_at(table, independent_dates(z_real, z_imag, some, dates, work), dates)
                count = choose(test, limit, log_intensity, ranked, line, col, mask)
            if connected:
                keep_connected(mask, pending)
                count = int(mask.sum())
            neighbours[i, j] = count
            if count < least:
                continue
            gather(real, imag, log_intensity, line, col, mask, 1, evenness, z_real, z_imag)
            coherence[i, j] = link_series(
                z_real, z_imag, count, count * share, series, emi, reference, work, parts, phase, covariance
            )
            spreads[i, j] = np.sqrt(max(spread(z_real, z_imag, count, dates, phase, row), 0.0))
            for t in range(dates):
                variance[t] = covariance[t, t] + covariance[reference, reference] - 2.0 * covariance[t, reference]
            if correlation.size:
                _correlate(covariance, variance, reference, correlation[:, i, j])
            for t in range(dates):
                linked[t, i, j] = complex(phase[0, t], phase[1, t])
                sigma[t, i, j] = np.sqrt(max(variance[t] * (1.0 + _CURVATURE * variance[t]), 0.0))
