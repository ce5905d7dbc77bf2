"""Persistent and distributed scatterers, and how a sensor sees them."""

from __future__ import annotations

import numba
import numpy as np

from groundshift.kernels.amplitude import response_amplitude
from groundshift.model.units import YEAR
from groundshift.synth.radar.hashing import GOLDEN, mixed, place_key
from groundshift.synth.radar.options import Coherence

_32, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


def coherence_matrix(model: Coherence, days: np.ndarray) -> np.ndarray:
    """Coherence between dates as :class:`~groundshift.synth.radar.options.Coherence` says, float64 (time, time).

    Parameters
    ----------
    days
        Since 1 January 1970.
    """
    apart = np.abs(days[:, None] - days)
    lasting = model.long_term + (model.initial - model.long_term) * np.exp(-apart / model.time_constant)
    season = np.cos(2 * np.pi * (days - model.worst_day) / YEAR)
    left = np.sqrt(1 - model.seasonal * (1 + season) / 2)
    gamma = lasting * np.outer(left, left)
    np.fill_diagonal(gamma, 1)
    return gamma


def response(away: np.ndarray, bandwidth: float, window: float) -> np.ndarray:
    """Response of the imaging to a point that is `away` pixels off, 1 at 0.

    See :func:`~groundshift.kernels.amplitude.response_amplitude`.

    Parameters
    ----------
    bandwidth
        b, share of the sampling rate.
    window
        w; 1 is none.
    """
    return response_amplitude(bandwidth * np.asarray(away, float), window)


@numba.njit(cache=True, nogil=True, fastmath=True)
def clutter(key, top, left, cover, factors, moved, scale):
    """Echoes of distributed scatterers before the sensor: correlated complex circular Gaussian along time.

    Parameters
    ----------
    key, top, left
        Key of the noise, and place of the first pixel.
    cover
        uint8 (y, x): which factor a pixel has.
    factors
        float32 (cover, time, time): lower Cholesky factors of covariance matrices.
    moved
        float32 (time, y, x): way toward the satellite, mm.
    scale
        Radians a mm.

    Returns
    -------
    echo
        complex64 (time, y, x).
    """
    count, height, width = moved.shape
    out = np.empty((count, height, width), np.complex64)
    real, imag = np.empty(count, np.float32), np.empty(count, np.float32)
    for i in range(height):
        for j in range(width):
            state = place_key(key, i + top, j + left)
            for t in range(count):
                state += GOLDEN
                bits = mixed(state)
                first = (np.float64(bits >> _32) + 0.5) * 2.0**-32
                angle = np.float32(np.float64(bits & _LOW) * (2 * np.pi * 2.0**-32))
                radius = np.sqrt(-np.log(np.float32(first)))
                real[t], imag[t] = radius * np.cos(angle), radius * np.sin(angle)
            factor = factors[cover[i, j]]
            for t in range(count):
                re, im = np.float32(0), np.float32(0)
                row = factor[t]
                for s in range(t + 1):
                    re += row[s] * real[s]
                    im += row[s] * imag[s]
                phase = np.float32(scale) * moved[t, i, j]
                cos, sin = np.cos(phase), np.sin(phase)
                out[t, i, j] = complex(re * cos - im * sin, re * sin + im * cos)
    return out


@numba.njit(cache=True, nogil=True, fastmath=True)
def seen(echo, along, across):
    """Echo (time, y, x) through a response that is symmetric and separable, without the border; complex64.

    Parameters
    ----------
    along, across
        float32 (2 reach + 1,): response along y and x at whole pixels; `reach` pixels are lost on each side.
    """
    count, height, width = echo.shape
    reach = along.size // 2
    out = np.empty((count, height - 2 * reach, width - 2 * reach), np.complex64)
    line = np.empty(width, np.complex64)
    for t in range(count):
        for i in range(height - 2 * reach):
            line[:] = 0
            for k in range(along.size):
                row, weight = echo[t, i + k], along[k]
                for j in range(width):
                    line[j] += weight * row[j]
            target = out[t, i]
            target[:] = 0
            for k in range(across.size):
                weight = across[k]
                for j in range(width - 2 * reach):
                    target[j] += weight * line[j + k]
    return out


@numba.njit(cache=True, nogil=True)
def add_points(image, rows, columns, amplitude, along, across, moved, scale):
    """Add persistent scatterers with their side lobes to an image (time, y, x), in place.

    Parameters
    ----------
    rows, columns
        int (point,): of the pixel that holds a point, in the image with a border of `reach` pixels.
    amplitude
        float32 (point,).
    along, across
        float32 (point, 2 reach + 1): response at the pixels around, along y and x.
    moved
        float32 (time, point): way toward the satellite, mm.
    scale
        Radians a mm.
    """
    count, height, width = image.shape
    reach = along.shape[1] // 2
    for t in range(count):
        for p in range(rows.size):
            phase = np.float32(scale) * moved[t, p]
            echo = np.complex64(complex(amplitude[p] * np.cos(phase), amplitude[p] * np.sin(phase)))
            top, left = rows[p] - 2 * reach, columns[p] - 2 * reach
            for i in range(max(0, top), min(height, top + 2 * reach + 1)):
                value = echo * along[p, i - top]
                for j in range(max(0, left), min(width, left + 2 * reach + 1)):
                    image[t, i, j] += value * across[p, j - left]
