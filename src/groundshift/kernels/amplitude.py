"""Amplitudes of a stack of radar images, compiled: steadiness over time, clutter around a pixel, side lobes."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from scipy import ndimage

_STEPS = 40  # of a tabulated response, a pixel


@numba.njit(cache=True, nogil=True)
def amplitude_statistics(slc, gains):
    """Mean amplitude, mean intensity and amplitude dispersion over time.

    Dispersion is the standard deviation (of the sample, with N − 1) over the mean (Ferretti, Prati & Rocca 2001,
    doi:10.1109/36.898661).

    Parameters
    ----------
    slc
        complex64 (time, y, x); 0 or NaN is no data.
    gains
        float64 (time,): each image's amplitudes are divided by its own.

    Returns
    -------
    Three float32 (y, x), NaN where a pixel has no data on some date.
    """
    images, height, width = slc.shape
    mean = np.empty((height, width), np.float32)
    power = np.empty((height, width), np.float32)
    dispersion = np.empty((height, width), np.float32)
    total, square = np.empty(width), np.empty(width)
    for y in range(height):
        total[:] = 0.0
        square[:] = 0.0
        for t in range(images):
            scale = 1.0 / (gains[t] * gains[t])
            for x in range(width):
                z = slc[t, y, x]
                intensity = (np.float64(z.real) * z.real + np.float64(z.imag) * z.imag) * scale
                if not 0.0 < intensity < np.inf:
                    intensity = np.nan
                square[x] += intensity
                total[x] += np.sqrt(intensity)
        for x in range(width):
            middle = total[x] / images
            variance = max(square[x] - images * middle * middle, 0.0) / (images - 1)
            mean[y, x], power[y, x] = middle, square[x] / images
            dispersion[y, x] = np.sqrt(variance) / middle
            if np.isnan(middle):
                power[y, x] = dispersion[y, x] = np.nan
    return mean, power, dispersion


@numba.njit(cache=True, nogil=True)
def clutter(power, half_y, half_x, guard_y, guard_x):
    """Intensity of the clutter around each pixel: the median over a window of the mean over time.

    The pixel's own lines and columns, `guard` to each side, are left out: they hold its main lobe and strongest side
    lobes. Other scatterers in the window hardly move a median, and averaged over time the intensity of clutter has
    little skew left.

    Parameters
    ----------
    power
        float32 (y, x): mean intensity over time; NaN is left out.
    half_y, half_x, guard_y, guard_x
        Reach of the window and of the part left out, pixels to each side.

    Returns
    -------
    float32 (y, x), NaN where fewer than eight pixels remain.
    """
    height, width = power.shape
    out = np.full((height, width), np.nan, np.float32)
    values = np.empty((2 * half_y + 1) * (2 * half_x + 1), np.float32)
    for y in range(height):
        for x in range(width):
            count = 0
            for i in range(max(0, y - half_y), min(height, y + half_y + 1)):
                if abs(i - y) <= guard_y:
                    continue
                for j in range(max(0, x - half_x), min(width, x + half_x + 1)):
                    if abs(j - x) > guard_x and not np.isnan(power[i, j]):
                        values[count] = power[i, j]
                        count += 1
            if count >= 8:
                out[y, x] = np.median(values[:count])
    return out


class PointResponse(NamedTuple):
    """Intensity of a point's response along one axis, from :func:`point_response`; float64, peak 1."""

    values: np.ndarray  # at distances of 0, 1/40, 2/40 … pixels from the peak
    highest: np.ndarray  # highest within the tolerance of each distance


def response_amplitude(u: np.ndarray, taper: float) -> np.ndarray:
    """Amplitude of the response to a point, u resolution cells off along one axis; 1 at 0.

    sinc(u) + (1 − w) / 2w · (sinc(u − 1) + sinc(u + 1)): the Fourier transform of a band that is weighted by a
    generalised Hamming window, w + (1 − w)·cos; w, the taper, is above 0.5, and 1 is no window.
    """
    return np.sinc(u) + (1 - taper) / (2 * taper) * (np.sinc(u - 1) + np.sinc(u + 1))


def point_response(resolution: float, taper: float, reach: float, tolerance: float) -> PointResponse:
    """Tabulate the intensity of the response to a point, see :func:`response_amplitude`.

    Parameters
    ----------
    resolution
        Sampling rate over bandwidth, pixels.
    taper
        w, above 0.5; 1 is no window.
    reach
        Distance up to which it is tabulated, resolution cells.
    tolerance
        Of places, pixels.
    """
    u = np.arange(int((reach + 1) * resolution + 2) * _STEPS + 1) / _STEPS / resolution
    values = response_amplitude(u, taper) ** 2
    near = int(np.ceil(tolerance * _STEPS))
    return PointResponse(values, ndimage.maximum_filter1d(values, 2 * near + 1, mode="nearest"))


@numba.njit(cache=True, nogil=True)
def _peak_offset(before, peak, after, values):
    """Where the response peaks between samples, steps of its table from the highest sample."""
    best, least = 0, np.inf
    half = _STEPS // 2
    for at in range(-half, half + 1):
        own = values[abs(at)]
        misfit = (np.sqrt(before / peak) - np.sqrt(values[_STEPS + at] / own)) ** 2
        misfit += (np.sqrt(after / peak) - np.sqrt(values[_STEPS - at] / own)) ** 2
        if misfit < least:
            best, least = at, misfit
    return best


@numba.njit(cache=True, nogil=True)
def responses(power, candidates, values_y, highest_y, values_x, highest_x, reach_y, reach_x):
    """Intensity that the responses of brighter scatterers add up to at each pixel.

    A scatterer's response is that in azimuth times that in range; where it peaks between the pixels is found from
    the pixel and its next ones. Only candidates that are the brightest of their four next pixels have responses, and
    their eight next pixels are left out, because a scatterer cannot be told from another one there.

    Parameters
    ----------
    power
        float32 (y, x): mean intensity over time.
    candidates
        bool (y, x).
    values_y, highest_y, values_x, highest_x
        The responses along both axes: parts of a :class:`PointResponse`.
    reach_y, reach_x
        Farthest side lobe, pixels, within the tables.

    Returns
    -------
    float32 (y, x).
    """
    height, width = power.shape
    out = np.zeros((height, width), np.float32)
    along_x = np.empty(2 * reach_x + 1)
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            own = power[y, x]
            if not candidates[y, x]:
                continue
            up, down, left, right = power[y - 1, x], power[y + 1, x], power[y, x - 1], power[y, x + 1]
            if not (own >= up and own >= down and own >= left and own >= right):
                continue
            at_y, at_x = _peak_offset(up, own, down, values_y), _peak_offset(left, own, right, values_x)
            own_y, own_x = values_y[abs(at_y)], values_x[abs(at_x)]
            for j in range(-reach_x, reach_x + 1):
                along_x[j + reach_x] = 1.0 if j == 0 else highest_x[abs(j * _STEPS - at_x)] / own_x
            for i in range(max(0, y - reach_y), min(height, y + reach_y + 1)):
                at_line = own * (1.0 if i == y else highest_y[abs((i - y) * _STEPS - at_y)] / own_y)
                for j in range(max(0, x - reach_x), min(width, x + reach_x + 1)):
                    if power[i, j] < own and (abs(i - y) > 1 or abs(j - x) > 1):
                        out[i, j] += at_line * along_x[j - x + reach_x]
    return out
