"""What delays the echo on each date: turbulence, stratification, and errors of the orbit that look like it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import fft

from groundshift.model.units import YEAR
from groundshift.synth.radar.geometry import AZIMUTH_SPACING, Geometry
from groundshift.synth.radar.options import AtmosphereOptions

_NODES = 50.0  # m between nodes of the turbulence, about
_SLOPES = 5 / 3, 11 / 3, 8 / 3, 0.0  # of the power spectrum in the plane, from short waves to long ones
_THIRDS = 3  # times that waves longer than the period are cut in three


@dataclass(frozen=True)
class Atmosphere:
    """Delays in mm, one way along the line of sight, positive where the ground looks farther."""

    turbulent: np.ndarray  # float32 (time, node_y, node_x): mm
    rows: np.ndarray  # float64 (node_y,): of the nodes
    columns: np.ndarray  # float64 (node_x,)
    stratified: np.ndarray  # float64 (time,): mm for each metre above the mean height
    ramp: np.ndarray  # float64 (time, 2): mm for each row and each column away from the middle


def make_atmosphere(
    options: AtmosphereOptions, geometry: Geometry, days: np.ndarray, random: np.random.Generator
) -> Atmosphere:
    """Draw the delays of all dates; `days` counts them from 1 January 1970."""
    spacings = AZIMUTH_SPACING, geometry.ground_spacing
    steps = [max(1, round(_NODES / each)) for each in spacings]
    counts = [-(-(size - 1) // step) + 3 for size, step in zip((geometry.lines, geometry.pixels), steps, strict=True)]
    rows, columns = ((np.arange(count) - 1.0) * step for count, step in zip(counts, steps, strict=True))
    metres = tuple(step * each for step, each in zip(steps, spacings, strict=True))
    turbulent = turbulence(
        random, tuple(counts), metres, count=days.size, variance=options.turbulence, distance=options.distance,
        scales=options.scales,
    )  # fmt: skip
    if options.unrest:
        turbulent *= _strengths(options.unrest, days.size, random)[:, None, None]
    phase = random.uniform(0, 2 * np.pi)
    seasonal = options.stratified_seasonal * np.cos(2 * np.pi * days / YEAR + phase)
    stratified = options.stratified * random.standard_normal(days.size) + seasonal
    ramp = options.ramp * random.standard_normal((days.size, 2)) / (geometry.lines, geometry.pixels)
    return Atmosphere(turbulent, rows, columns, stratified, ramp)


def _strengths(unrest: float, count: int, random: np.random.Generator) -> np.ndarray:
    """Size of the turbulence on each date, float32 (count,): log-normal, with a mean square of 1."""
    return np.exp(unrest * random.standard_normal(count) - unrest**2).astype(np.float32)


def turbulence(
    random: np.random.Generator, shape: tuple[int, int], spacing: tuple[float, float], *, count: int, variance: float,
    distance: float, scales: tuple[float, float, float] | None = None,
) -> np.ndarray:  # fmt: skip
    """Independent isotropic screens, float32 (count, y, x).

    The power spectrum along a line falls with wavenumber to the power −2/3 for wavelengths below the first of `scales`,
    −8/3 below the second, as three-dimensional turbulence does, −5/3 below the third, where the troposphere is thinner
    than a wave is long, and is level above; that of the plane is steeper by one. So the structure function grows with
    distance to the power 5/3 first, and 2/3 later. Waves that are longer than the period of the discrete transform are
    added one by one, on squares of wavenumbers that are cut in three again and again.

    Parameters
    ----------
    spacing
        Metres between nodes in y and x.
    variance
        Mean square difference of two points, of any unit squared.
    distance
        Distance of these points, metres.
    scales
        Wavelengths, metres, ascending; −8/3 at all if not given, without waves longer than the period, which is twice
        the image or more.

    Notes
    -----
    Sources: R. F. Hanssen (2001), Radar Interferometry, section 4.7 and equation 4.7.28, for the spectrum; Lane,
    Glindemann & Dainty (1992), doi:10.1088/0959-7174/2/3/003, for the long waves.
    """
    side = max(2 * max(size * each for size, each in zip(shape, spacing, strict=True)), 4 * distance)
    large = [fft.next_fast_len(int(np.ceil(side / each)), real=True) for each in spacing]
    y, x = fft.fftfreq(large[0], spacing[0])[:, None], fft.rfftfreq(large[1], spacing[1])
    power = _power(np.hypot(y, x), scales)
    long = _long_waves([size * each for size, each in zip(large, spacing, strict=True)])
    share = _power(np.hypot(*long[:2]), scales) * long[2] * (scales is not None) / np.prod(large)
    covariance = fft.irfft2(power, s=large)
    apart = 0.0
    for axis, line in enumerate((covariance[:, 0], covariance[0])):
        apart += line[0] - np.interp(distance / spacing[axis], np.arange(large[axis]), line)
        apart += share @ (1 - np.cos(2 * np.pi * distance * long[axis]))
    scale = np.sqrt(variance / apart)
    amplitude = (scale * np.sqrt(power)).astype(np.float32)
    out = np.empty((count, *shape), np.float32)
    for each in out:
        noise = random.standard_normal(large, dtype=np.float32)
        each[:] = fft.irfft2(fft.rfft2(noise) * amplitude, s=large)[: shape[0], : shape[1]]
    if scales is not None:
        waves = [
            np.exp(2j * np.pi * np.outer(each * np.arange(size), k))
            for each, size, k in zip(spacing, shape, long, strict=False)
        ]
        for each in out:
            drawn = random.standard_normal((2, share.size)) * scale * np.sqrt(share)
            each += ((waves[0] * (drawn[0] + 1j * drawn[1])) @ waves[1].T).real
    return out


def _power(wavenumber: np.ndarray, scales: tuple[float, float, float] | None) -> np.ndarray:
    """Power spectrum in the plane, of any unit; 0 at the origin. Wavenumbers in cycles a metre."""
    slopes, edges = _SLOPES if scales else _SLOPES[1:2], 1 / np.array(scales or [])
    k = np.where(wavenumber > 0, wavenumber, np.inf)
    number = (k[..., None] < edges).sum(axis=-1)
    level = np.cumprod([1.0, *(edge ** (b - a) for edge, (a, b) in zip(edges, pairwise(slopes), strict=True))])
    return level[number] / k ** np.array(slopes)[number]


def _long_waves(period: list[float]) -> np.ndarray:
    """Wavenumbers in y and x of waves around the origin of a discrete transform, and the share of its cell; (3, n)."""
    third = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x]).T / np.array(period)[:, None]
    levels = 3.0 ** -np.arange(1, _THIRDS + 1)
    places = np.concatenate([each * third for each in levels], axis=1)
    return np.vstack([places, np.repeat(levels**2, third.shape[1])])


def between(screens: np.ndarray, node_y: np.ndarray, node_x: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Screens (time, node_y, node_x) at rows and columns between evenly spaced nodes: linear, float32 (time, y, x)."""
    weights = [
        np.maximum(1 - np.abs(places[:, None] - nodes) / (nodes[1] - nodes[0]), 0).astype(np.float32)
        for places, nodes in ((y, node_y), (x, node_x))
    ]
    near = [np.flatnonzero(each.any(axis=0)) for each in weights]
    some = screens[:, near[0][0] : near[0][-1] + 1, near[1][0] : near[1][-1] + 1]
    along, across = (each[:, at[0] : at[-1] + 1] for each, at in zip(weights, near, strict=True))
    return along @ some @ across.T
