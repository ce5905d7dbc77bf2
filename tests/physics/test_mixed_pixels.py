"""Two scatterers in one pixel: what the pixels beside it tell."""

import numpy as np
from reference.radar_points import stack_geometry
from reference.scatterers import height_error, seen

from groundshift.insar.scan import height_change

GEOMETRY = stack_geometry(np.random.default_rng(0))


def images(scatterers):
    return seen(scatterers, GEOMETRY, 15).astype(np.complex64)


def error(slc, height):
    """Of the height of the pixel in the middle, m."""
    return height_error(slc[:, 7, 7], height, GEOMETRY)


def test_a_lone_scatterer_has_one_height():
    middle = np.array([7])
    for y, x in ((7, 7), (7.4, 6.7)):
        slc = images([(y, x, 1, 0.3, 20)])
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
        slc = images([(7, 7, 1, 0, 0), second])
        errors.append(error(slc, 0))
        told.append(height_change(slc, middle, middle, GEOMETRY)[0])
    errors, told = np.abs(errors), np.array(told)
    surer = told < np.median(told)
    assert np.sqrt(np.mean(errors[surer] ** 2)) < 0.4 * np.sqrt(np.mean(errors[~surer] ** 2))
    assert np.mean(errors[told < 5] < 2 * 0.6 * told[told < 5] + 0.1) > 0.9
