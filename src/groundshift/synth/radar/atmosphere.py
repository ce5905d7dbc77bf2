"""What delays the echo on each date: turbulence, stratification, and errors of the orbit that look like it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from groundshift.model.units import YEAR
from groundshift.synth.radar.geometry import AZIMUTH_SPACING, Geometry
from groundshift.synth.radar.options import AtmosphereOptions

_NODES = 50.0  # m between nodes of the turbulence, about
_SLOPE = 8 / 3  # of the power spectrum along a line; that of the plane is steeper by 1


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
        random, tuple(counts), metres, count=days.size, variance=options.turbulence, distance=options.distance
    )
    phase = random.uniform(0, 2 * np.pi)
    seasonal = options.stratified_seasonal * np.cos(2 * np.pi * days / YEAR + phase)
    stratified = options.stratified * random.standard_normal(days.size) + seasonal
    ramp = options.ramp * random.standard_normal((days.size, 2)) / (geometry.lines, geometry.pixels)
    return Atmosphere(turbulent, rows, columns, stratified, ramp)


def turbulence(
    random: np.random.Generator, shape: tuple[int, int], spacing: tuple[float, float], *, count: int, variance: float,
    distance: float,
) -> np.ndarray:  # fmt: skip
    """Independent isotropic screens, float32 (count, y, x).

    The power spectrum along a line falls with wavenumber to the power −8/3, that in the plane with −11/3, as of
    three-dimensional turbulence (R. F. Hanssen 2001, Radar Interferometry, section 4.7). So the structure function
    grows with distance to the power 5/3, less at a good part of the period, which is twice the image.

    Parameters
    ----------
    spacing
        Metres between nodes in y and x.
    variance
        Mean square difference of two points, of any unit squared.
    distance
        Distance of these points, metres.
    """
    side = max(2 * max(size * each for size, each in zip(shape, spacing, strict=True)), 4 * distance)
    large = [fft.next_fast_len(int(np.ceil(side / each)), real=True) for each in spacing]
    y, x = fft.fftfreq(large[0], spacing[0])[:, None], fft.rfftfreq(large[1], spacing[1])
    square = y * y + x * x
    square[0, 0] = np.inf
    power = square ** (-(_SLOPE + 1) / 2)
    covariance = fft.irfft2(power, s=large)
    along = [np.interp(distance / spacing[0], np.arange(large[0]), covariance[:, 0]),
             np.interp(distance / spacing[1], np.arange(large[1]), covariance[0])]  # fmt: skip
    scale = np.sqrt(variance / (2 * (covariance[0, 0] - np.mean(along))))
    amplitude = (scale * np.sqrt(power)).astype(np.float32)
    out = np.empty((count, *shape), np.float32)
    for each in out:
        noise = random.standard_normal(large, dtype=np.float32)
        each[:] = fft.irfft2(fft.rfft2(noise) * amplitude, s=large)[: shape[0], : shape[1]]
    return out


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
