"""Narrow ground that moved far is found again, and nothing else changes."""

import numpy as np
import pytest

from groundshift.kernels.gaussian import locally_standardised
from groundshift.kernels.spline import coefficients
from groundshift.optical.methods import Nodes
from groundshift.optical.network import load, measured
from groundshift.optical.overlooked import recovered
from groundshift.optical.refinement import first_field
from groundshift.synth.textures import shifted_pair, spectrum

SIDE, DX, DY = 192, 7.0, -4.0
STRIP = np.s_[:, 90:112]


@pytest.fixture(scope="module")
def narrow():
    """A texture of which a strip of 22 pixels moved: before, after, and the strip on the image before."""
    before, after, _ = shifted_pair(SIDE, dx=0, dy=0, noise=0.1, seed=4)
    _, moved, _ = shifted_pair(SIDE, dx=DX, dy=DY, noise=0.1, seed=4)
    after = after.copy()
    after[:, 90 + int(DX) : 112 + int(DX)] = moved[:, 90 + int(DX) : 112 + int(DX)]
    return before, after


def again(before, after, field, *, weight=None):
    whole = np.ones_like(before)
    first, second = (locally_standardised(each, whole, 8.0) for each in (before, after))
    weights = (whole, whole) if weight is None else (weight, weight)
    return recovered(first, second, coefficients(second), weights, field, max_displacement=10)


def test_a_strip_narrower_than_the_windows_is_found(narrow):
    field = first_field(*narrow, max_displacement=10)
    assert np.median(np.hypot(field[0] - DX, field[1] - DY)[STRIP]) > 4
    found = again(*narrow, field)
    error = np.hypot(found[0] - DX, found[1] - DY)[STRIP]
    assert np.mean(error < 1) > 0.5
    assert np.median(error) < 0.5
    away = np.s_[:, np.r_[0:80, 135:SIDE]]
    np.testing.assert_array_equal(found[0][away], field[0][away])


def test_the_network_measures_it(narrow):
    nodes = Nodes(*(np.arange(SIDE, dtype=float),) * 2)
    flow = measured(load(), *narrow, nodes, max_displacement=10)
    inner = np.s_[32:-32, 94:108]
    error = np.hypot(flow.dx - DX, flow.dy - DY)[inner]
    assert np.nanmedian(error) < 0.1
    assert np.mean(np.isfinite(error)) > 0.7


def test_ground_with_nothing_in_common_keeps_its_field():
    before = np.fft.ifft2(spectrum(256, seed=1)).real.astype(np.float32)
    after = np.fft.ifft2(spectrum(256, seed=2)).real.astype(np.float32)
    field = np.zeros((2, 256, 256), np.float32)
    np.testing.assert_array_equal(again(before, after, field), field)


def test_what_cannot_be_used_is_not_looked_for(narrow):
    weight = np.ones((SIDE, SIDE), np.float32)
    weight[:, 84:125] = 0
    field = np.zeros((2, SIDE, SIDE), np.float32)
    np.testing.assert_array_equal(again(*narrow, field, weight=weight), field)


def test_images_smaller_than_a_window_keep_their_field(narrow):
    field = np.zeros((2, 12, 12), np.float32)
    small = [np.ascontiguousarray(each[:12, :12]) for each in narrow]
    np.testing.assert_array_equal(again(*small, field), field)
