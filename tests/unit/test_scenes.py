"""Procedural scenes: repeatable, with the spectrum of real ones, lit from where the sun is."""

from itertools import pairwise

import numpy as np
import pytest

from groundshift.synth.scenes import Sun, hilly, illuminated, power_law, procedural_ground, procedural_scene


def slope_of_spectrum(image):
    """Power law of the amplitude between 0.05 and 0.25 cycles a pixel."""
    frequency = np.fft.fftfreq(image.shape[0])
    k = np.hypot(frequency[:, None], frequency)
    window = np.hanning(image.shape[0])
    power = np.abs(np.fft.fft2((image - image.mean()) * window * window[:, None])) ** 2
    edges = np.geomspace(0.05, 0.25, 8)
    mean = [power[(k >= low) & (k < high)].mean() for low, high in pairwise(edges)]
    return -0.5 * np.polyfit(np.log(np.sqrt(edges[:-1] * edges[1:])), np.log(mean), 1)[0]


def test_a_seed_gives_one_scene():
    one, two, other = (procedural_scene((64, 80), np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.reflectance, two.reflectance)
    assert np.abs(one.reflectance - other.reflectance).mean() > 50
    assert one.reflectance.shape == one.field.shape == one.relief.shape == (64, 80)
    assert one.reflectance.min() > 0
    assert one.reflectance.max() <= 30000


def test_fields_are_numbered_without_a_gap():
    field = procedural_scene((128, 128), np.random.default_rng(3)).field
    assert (np.bincount(field.ravel()) > 0).all()
    assert 10 < field.max() < 200


def test_spectrum_is_like_that_of_real_images():
    """Half of the windows of Sentinel-2's red band over towns and fields have exponents of 0.8 to 1.2 here."""
    exponents = [
        slope_of_spectrum(procedural_scene((128, 128), np.random.default_rng(k)).reflectance) for k in range(4)
    ]
    assert 0.75 < np.mean(exponents) < 1.25


def test_smaller_pixels_show_fewer_and_larger_fields():
    coarse, fine = (procedural_ground((200, 200), np.random.default_rng(2), pixel=pixel) for pixel in (10.0, 2.5))
    ratio = (coarse.field.max() + 1) / (fine.field.max() + 1)
    assert 4 < ratio < 16


@pytest.mark.parametrize("slope", [0.5, 1.2])
def test_power_law_has_its_exponent(slope):
    texture = power_law((256, 256), np.random.default_rng(0), slope=slope)
    assert abs(texture.mean()) < 1e-3
    assert texture.std() == pytest.approx(1, rel=1e-4)
    assert slope_of_spectrum(texture) == pytest.approx(slope, abs=0.1)


def test_hills_have_the_stated_slope():
    gradient = np.gradient(hilly((128, 128), np.random.default_rng(0), slope=12.0))
    assert np.degrees(np.arctan(np.sqrt(np.mean(gradient[0] ** 2 + gradient[1] ** 2)))) == pytest.approx(12, rel=1e-3)


def test_level_ground_has_unit_light():
    np.testing.assert_allclose(illuminated(np.zeros((9, 9)), Sun(azimuth=200, elevation=35)), 1, rtol=1e-5)


def test_a_wall_casts_a_shadow_as_long_as_the_sun_is_low():
    relief = np.zeros((40, 80))
    relief[:, 50] = 10.0
    light = illuminated(relief, Sun(azimuth=90, elevation=45))  # from the right, so that the shadow falls left
    dark = (light[20] < 0.5).nonzero()[0]
    assert 39 <= dark.min() <= 42
    assert light[20, :37] == pytest.approx(1, abs=1e-3)
    assert light[20, 55:] == pytest.approx(1, abs=1e-3)


def test_a_plane_is_lit_by_the_cosine_law():
    row = np.indices((20, 30))[0]
    light = illuminated(np.tan(np.radians(20)) * row, Sun(azimuth=0, elevation=40))  # falls toward the sun
    expected = (np.sin(np.radians(60)) + 0.15) / (np.sin(np.radians(40)) + 0.15)
    assert light[10, 15] == pytest.approx(expected, rel=1e-3)
