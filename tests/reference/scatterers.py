"""Simulated pixels that hold the responses of some scatterers, and the height that a pixel's phases show."""

import numpy as np

from groundshift.insar.motion.series import motion_projection
from groundshift.synth.radar.scatterers import response


def seen(scatterers, geometry, size):
    """Images complex128 (time, y, x) of scatterers: y, x, amplitude, phase, height."""
    at = np.arange(size)
    out = np.zeros((len(geometry.days), size, size), complex)
    for y, x, amplitude, phase, height in scatterers:
        shape = np.outer(response(at - y, 0.672, 0.70), response(at - x, 0.878, 0.75))
        turn = np.exp(1j * (phase - geometry.phase_per_mm * geometry.height_to_mm * height))
        out += amplitude * turn[:, None, None] * shape
    return out


def height_error(series, height, geometry):
    """Of the height that a series of echoes (time,) shows, m."""
    phase = np.unwrap(np.angle(series[30] * series.conj()))
    rest = np.angle(np.exp(1j * (phase - geometry.phase_per_mm * geometry.height_to_mm * height)))
    return motion_projection(geometry, np.ones(len(series)))[1] @ rest / geometry.phase_per_mm
