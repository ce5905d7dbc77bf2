"""Periodogram: the two rates at which phases turn, found by maximising their temporal coherence."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

_ROUNDS = 12
_HALVINGS = 6
_TOLERANCE = 1e-5  # radians at the date that turns most


class Periodogram(NamedTuple):
    """What maximises the temporal coherence of each series of phases."""

    parameters: np.ndarray  # float64 (n, 2), units of 1 / `rates`
    coherence: np.ndarray  # float64 (n,), 0 to 1; NaN for a series without data
    phase: np.ndarray  # float64 (n,), radians: of the mean of the phasors less the model


def search_grid(rates: np.ndarray, limits: tuple[float, float], *, oversampling: float = 2.0) -> np.ndarray:
    """Nodes of the first search: every peak of the periodogram within the limits has one on its slope.

    Parameters
    ----------
    rates
        Phase per unit of each parameter at each date, radians; float (2, time).
    limits
        Largest absolute value of each parameter.
    oversampling
        Nodes from the top of a peak to its first zero; 2 loses at most a tenth of the coherence by each parameter.

    Returns
    -------
    float64 (nodes, 2). A parameter whose rate does not vary in time has the one node 0.
    """
    axes = []
    for rate, limit in zip(rates, limits, strict=True):
        turns = limit * np.ptp(rate) / (2 * np.pi)
        count = int(np.ceil(oversampling * turns))
        axes.append(np.linspace(-limit, limit, 2 * count + 1) if count else np.zeros(1))
    return np.stack([each.ravel() for each in np.meshgrid(*axes, indexing="ij")], axis=1)


def maximise_coherence(phasors: np.ndarray, rates: np.ndarray, grid: np.ndarray) -> Periodogram:
    """Best parameters p of each series of phases: those of the largest |mean of z exp(-i p · rates)|.

    The best node of the grid is refined by Fisher scoring, with steps halved until the coherence grows, so that the
    result is a maximum of the coherence itself.

    Parameters
    ----------
    phasors
        Unit phasors, complex64 (n, time); 0 or NaN is no data.
    rates
        Phase per unit of each parameter at each date, radians; float (2, time).
    grid
        Nodes of the first search, float (nodes, 2), as :func:`search_grid` makes them.

    Returns
    -------
    :class:`Periodogram`.

    Source: Ferretti, Prati & Rocca (2001), doi:10.1109/36.898661, equation 8.
    """
    rates = np.ascontiguousarray(rates, np.float64)
    turn = grid @ rates  # (nodes, time)
    cosine, sine = np.cos(turn).astype(np.float32), np.sin(turn).astype(np.float32)
    z = np.nan_to_num(np.ascontiguousarray(phasors, np.complex64), copy=True, nan=0.0)
    parameters, coherence, phase = np.empty((len(z), 2)), np.empty(len(z)), np.empty(len(z))
    _maximise(
        z.real.copy(), z.imag.copy(), rates, np.ascontiguousarray(grid, np.float64), cosine, sine, parameters,
        coherence, phase,
    )  # fmt: skip
    return Periodogram(parameters, coherence, phase)


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz", "arcp"})
def _best_node(re, im, cosine, sine):
    """Node of the grid with the largest power."""
    best, most = 0, np.float32(-1.0)
    for node in range(cosine.shape[0]):
        a, b = np.float32(0.0), np.float32(0.0)
        for t in range(re.size):
            c, s = cosine[node, t], sine[node, t]
            a += c * re[t] + s * im[t]
            b += c * im[t] - s * re[t]
        power = a * a + b * b
        if power > most:
            best, most = node, power
    return best


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz", "arcp"})
def _turned_sum(re, im, rates, p0, p1, turned_re, turned_im):
    """Phasors less the model, into `turned_*`, and their sum."""
    a, b = 0.0, 0.0
    for t in range(re.size):
        angle = p0 * rates[0, t] + p1 * rates[1, t]
        c, s = np.cos(angle), np.sin(angle)
        x, y = c * re[t] + s * im[t], c * im[t] - s * re[t]
        turned_re[t], turned_im[t] = x, y
        a += x
        b += y
    return a, b


@numba.njit(cache=True, nogil=True)
def _scoring_step(turned_re, turned_im, a, b, size, rates):
    """Step of Fisher scoring: residual sines projected on the centred rates."""
    total = np.hypot(a, b)
    count, m0, m1 = 0.0, 0.0, 0.0
    for t in range(turned_re.size):
        if size[t] > 0:
            count += size[t]
            m0 += size[t] * rates[0, t]
            m1 += size[t] * rates[1, t]
    m0, m1 = m0 / count, m1 / count
    n00, n01, n11, g0, g1 = 0.0, 0.0, 0.0, 0.0, 0.0
    for t in range(turned_re.size):
        r0, r1 = rates[0, t] - m0, rates[1, t] - m1
        residual = (turned_im[t] * a - turned_re[t] * b) / total
        n00 += size[t] * r0 * r0
        n01 += size[t] * r0 * r1
        n11 += size[t] * r1 * r1
        g0 += r0 * residual
        g1 += r1 * residual
    coherence = total / count
    determinant = n00 * n11 - n01 * n01
    if determinant > 1e-12 * n00 * n11:
        return (n11 * g0 - n01 * g1) / determinant / coherence, (n00 * g1 - n01 * g0) / determinant / coherence
    return (g0 / n00 / coherence if n00 > 0 else 0.0), (g1 / n11 / coherence if n11 > 0 and n00 <= 0 else 0.0)


@numba.njit(cache=True, nogil=True)
def _maximise(re, im, rates, grid, cosine, sine, parameters, coherence, phase):
    length = re.shape[1]
    turned_re, turned_im, size = np.empty(length), np.empty(length), np.empty(length)
    reach0, reach1 = np.abs(rates[0]).max(), np.abs(rates[1]).max()
    for i in range(re.shape[0]):
        count = 0.0
        for t in range(length):
            size[t] = np.hypot(re[i, t], im[i, t])
            count += size[t]
        if count <= 0:
            parameters[i, 0], parameters[i, 1], coherence[i], phase[i] = np.nan, np.nan, np.nan, np.nan
            continue
        node = _best_node(re[i], im[i], cosine, sine)
        p0, p1 = grid[node, 0], grid[node, 1]
        a, b = _turned_sum(re[i], im[i], rates, p0, p1, turned_re, turned_im)
        for _ in range(_ROUNDS):
            if a == 0 and b == 0:
                break
            d0, d1 = _scoring_step(turned_re, turned_im, a, b, size, rates)
            power, grown = a * a + b * b, False
            for _ in range(_HALVINGS):
                a, b = _turned_sum(re[i], im[i], rates, p0 + d0, p1 + d1, turned_re, turned_im)
                if a * a + b * b >= power:
                    grown = True
                    break
                d0, d1 = d0 / 2, d1 / 2
            if not grown:
                a, b = _turned_sum(re[i], im[i], rates, p0, p1, turned_re, turned_im)
                break
            p0, p1 = p0 + d0, p1 + d1
            if abs(d0) * reach0 + abs(d1) * reach1 < _TOLERANCE:
                break
        parameters[i, 0], parameters[i, 1] = p0, p1
        coherence[i], phase[i] = min(np.hypot(a, b) / count, 1.0), np.arctan2(b, a)
