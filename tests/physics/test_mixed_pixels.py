"""Two scatterers in one pixel: what the pixels beside it tell."""

import numpy as np
from reference.radar_points import stack_geometry

from groundshift.insar.motion.series import motion_projection
from groundshift.insar.scan import height_change
from groundshift.synth.radar.scatterers import response

GEOMETRY = stack_geometry(np.random.default_rng(0))


def seen(scatterers, size=15):
    """Images (time, y, x) of scatterers: y, x, amplitude, phase, height."""
    at = np.arange(size)
    out = np.zeros((60, size, size), complex)
    for y, x, amplitude, phase, height in scatterers:
        shape = np.outer(response(at - y, 0.672, 0.70), response(at - x, 0.878, 0.75))
        turn = np.exp(1j * (phase - GEOMETRY.phase_per_mm * GEOMETRY.height_to_mm * height))
        out += amplitude * turn[:, None, None] * shape
    return out.astype(np.complex64)


def error(slc, height):
    """Of the height of the pixel in the middle, m."""
    phase = np.unwrap(np.angle(slc[30, 7, 7] * slc[:, 7, 7].conj()))
    rest = np.angle(np.exp(1j * (phase - GEOMETRY.phase_per_mm * GEOMETRY.height_to_mm * height)))
    return motion_projection(GEOMETRY, np.ones(60))[1] @ rest / GEOMETRY.phase_per_mm


def test_a_lone_scatterer_has_one_height():
    middle = np.array([7])
    for y, x in ((7, 7), (7.4, 6.7)):
        slc = seen([(y, x, 1, 0.3, 20)])
        assert abs(error(slc, 20)) < 0.01
        assert height_change(slc, middle, middle, GEOMETRY)[0] < 0.01
        gains = np.random.default_rng(1).uniform(0.8, 1.2, (60, 1, 1)).astype(np.float32)
        assert height_change(gains * slc, middle, middle, GEOMETRY)[0] < 0.01


def test_heights_are_off_as_much_as_the_pixels_beside_say():
    """Over phases and places of a second scatterer of a third of the amplitude; those that matter are told."""
    random, middle = np.random.default_rng(2), np.array([7])
    errors, told = [], []
    for _ in range(300):
        way, turn = random.uniform(1.2, 3), random.uniform(0, 2 * np.pi)
        second = (7 + way * np.cos(turn), 7 + way * np.sin(turn), random.uniform(0.3, 1.5), random.uniform(0, 6.3), 12)
        slc = seen([(7, 7, 1, 0, 0), second])
        errors.append(error(slc, 0))
        told.append(height_change(slc, middle, middle, GEOMETRY)[0])
    errors, told = np.abs(errors), np.array(told)
    surer = told < np.median(told)
    assert np.sqrt(np.mean(errors[surer] ** 2)) < 0.4 * np.sqrt(np.mean(errors[~surer] ** 2))
    assert np.mean(errors[told < 5] < 2 * 0.6 * told[told < 5] + 0.1) > 0.9
