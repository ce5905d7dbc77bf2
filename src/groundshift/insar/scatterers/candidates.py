"""Candidates for persistent scatterers: amplitude calibration, dispersion, signal-to-clutter ratio, side lobes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from groundshift.errors import InputError
from groundshift.insar.config import CandidateConfig
from groundshift.kernels import amplitude

_TOLERANCE = 0.25  # of the place of a side lobe, pixels


class Candidates(NamedTuple):
    """Candidates of a tile; every array is (y, x)."""

    chosen: np.ndarray  # bool: candidates, side lobes left out
    side_lobe: np.ndarray  # bool: what was left out as side lobe
    dispersion: np.ndarray  # float32, standard deviation of amplitude over its mean; NaN without data on some date
    signal_to_clutter: np.ndarray  # float32, dB; NaN where not known, -inf where darker than the clutter
    foreign: np.ndarray  # float32: intensity that brighter scatterers have here by their responses, over that found


def calibration_gains(slc: np.ndarray) -> np.ndarray:
    """Amplitude of each image relative to the others, to divide it by.

    The median over pixels of the logarithm of an image's amplitude over the pixel's geometric mean: changed ground
    and moving targets do not matter. Take the pixels of the whole stack, or every so many of them, so that all tiles
    share the gains.

    Parameters
    ----------
    slc
        complex64 (time, ...); 0 or NaN is no data, and pixels without data on some date are left out.

    Returns
    -------
    float64 (time,), of geometric mean 1.

    Raises
    ------
    InputError
        No pixel has data on all dates.
    """
    power = slc.real.reshape(len(slc), -1).astype(np.float64) ** 2 + slc.imag.reshape(len(slc), -1) ** 2
    power = power[:, (np.isfinite(power) & (power > 0)).all(axis=0)]
    if power.size == 0:
        raise InputError("no pixel has data on all dates; leave out empty images or choose another area")
    logarithm = 0.5 * np.log(power)
    gains = np.median(logarithm - logarithm.mean(axis=0), axis=1)
    return np.exp(gains - gains.mean())


def find_candidates(slc: np.ndarray, gains: np.ndarray, *, config: CandidateConfig | None = None) -> Candidates:
    """Find pixels whose amplitude is steady, or which stand out of their clutter, and drop side lobes.

    Signal-to-clutter ratio is that of mean intensities: (pixel − clutter) / clutter (Adam, Kampes & Eineder 2004,
    ESA SP-572), clutter as in :func:`groundshift.kernels.amplitude.clutter`. Results of a tile are those of the whole
    if the tile has a halo of :func:`halo`.

    Parameters
    ----------
    slc
        complex64 (time, y, x); 0 or NaN is no data.
    gains
        float (time,), of :func:`calibration_gains`.
    config
        Limits, and the sensor's resolution.

    Raises
    ------
    InputError
        Shapes that do not fit, or fewer than three images.
    """
    config = config or CandidateConfig()
    if slc.ndim != 3 or not np.iscomplexobj(slc) or len(slc) < 3 or np.shape(gains) != (len(slc),):
        raise InputError(
            f"images are {slc.dtype} {slc.shape} with gains {np.shape(gains)}; give complex (time, y, x), three images "
            "or more, and one gain an image"
        )
    _, power, dispersion = amplitude.amplitude_statistics(slc, np.asarray(gains, np.float64))
    half_y, half_x = (side // 2 for side in config.clutter_window)
    around = amplitude.clutter(power, half_y, half_x, *config.guard)
    ratio = np.full(power.shape, np.nan, np.float32)
    known = np.isfinite(around)
    with np.errstate(divide="ignore"):
        ratio[known] = 10 * np.log10(np.maximum(power[known] / around[known] - 1, 0))

    steady = dispersion < config.max_dispersion
    bright = (dispersion < config.steady_dispersion) & (ratio > config.min_signal_to_clutter)
    chosen = steady | bright
    foreign = np.zeros(power.shape, np.float32)
    if config.side_lobe_reach:
        foreign = np.nan_to_num(_responses(power, chosen, config) / power)
    side_lobe = chosen & (foreign > 10 ** (-config.side_lobe_margin / 10))
    return Candidates(chosen & ~side_lobe, side_lobe, dispersion, ratio, foreign)


def halo(config: CandidateConfig) -> tuple[int, int]:
    """Lines and pixels around a tile that its candidates depend on."""
    reach, window = _reach(config), config.clutter_window
    return reach[0] + 1 + window[0] // 2, reach[1] + 1 + window[1] // 2


def _reach(config: CandidateConfig) -> tuple[int, int]:
    """Lines and pixels to the farthest side lobe."""
    azimuth, across = config.response.resolution
    return int(config.side_lobe_reach * azimuth), int(config.side_lobe_reach * across)


def _responses(power: np.ndarray, chosen: np.ndarray, config: CandidateConfig) -> np.ndarray:
    """Intensity by the responses of brighter candidates, float32 (y, x)."""
    response = config.response
    y, x = (
        amplitude.point_response(resolution, taper, config.side_lobe_reach, _TOLERANCE)
        for resolution, taper in zip(response.resolution, response.taper, strict=True)
    )
    return amplitude.responses(power, chosen, *y, *x, *_reach(config))
