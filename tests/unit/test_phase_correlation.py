import numpy as np
import pytest

from groundshift.kernels.fourier import SIZES, transform_columns, transpose, twiddles
from groundshift.kernels.phase_correlation import phase_correlation

CENTRES = np.arange(63.5, 193, 16)


def texture(seed, size=256, cutoff=0.3):
    """Spectrum of a random texture with no content beyond `cutoff` cycles a pixel, standard deviation 1."""
    frequency = np.fft.fftfreq(size)
    inside = np.exp(-((np.hypot(frequency[:, None], frequency) / cutoff) ** 8))
    spectrum = np.fft.fft2(np.random.default_rng(seed).normal(size=(size, size))) * inside
    spectrum[0, 0] = 0
    return spectrum / np.fft.ifft2(spectrum).real.std()


def moved(spectrum, dx, dy):
    """The texture displaced by (dx, dy): moved(x + d) = texture(x)."""
    k = 2 * np.pi * np.fft.fftfreq(len(spectrum))
    return np.fft.ifft2(spectrum * np.exp(-1j * (k * dx + k[:, None] * dy))).real


def noisy_pair(seed, dx, dy, noise, **kwargs):
    spectrum, rng = texture(seed, **kwargs), np.random.default_rng(1000 + seed)
    images = moved(spectrum, 0, 0), moved(spectrum, dx, dy)
    return [image + noise * rng.normal(size=image.shape) for image in images]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("columns", [1, 5, 32])
def test_transform_is_that_of_numpy(size, columns):
    rng = np.random.default_rng(size)
    signal = rng.normal(size=(size, columns)) + 1j * rng.normal(size=(size, columns))
    re, im = (part.astype(np.float32).ravel() for part in (signal.real, signal.imag))
    transform_columns(re, im, np.empty_like(re), np.empty_like(re), twiddles(size), columns)
    expected = np.fft.fft(signal, axis=0)
    np.testing.assert_allclose((re + 1j * im).reshape(size, columns), expected, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("shape", [(8, 8), (32, 16), (5, 11)])
def test_transpose(shape):
    source = np.arange(np.prod(shape), dtype=np.float32)
    target = np.empty_like(source)
    transpose(source, target, *shape)
    np.testing.assert_array_equal(target.reshape(shape[::-1]), source.reshape(shape).T)


@pytest.mark.parametrize("cutoff", [0.2, 0.35])
def test_no_bias_toward_whole_pixels(cutoff):
    for shift in (0.0, 0.25, 0.5, 0.75, 1.0):
        found = phase_correlation(*noisy_pair(3, shift, shift - 1, 0.02, cutoff=cutoff), CENTRES, CENTRES)
        assert abs(found.dx.mean() - shift) < 0.01
        assert abs(found.dy.mean() - shift + 1) < 0.01


def test_displacement_within_a_quarter_of_the_first_window():
    found = phase_correlation(*noisy_pair(5, 9.3, -8.6, 0.05), CENTRES, CENTRES)
    np.testing.assert_allclose(found.dx, 9.3, atol=0.1)
    np.testing.assert_allclose(found.dy, -8.6, atol=0.1)


def test_either_side_of_a_discontinuity_is_measured():
    spectrum = texture(8)
    pre, left, right = moved(spectrum, 0, 0), moved(spectrum, 0, -2), moved(spectrum, 0, 2)
    post = np.where(np.arange(256) < 128, left, right)
    found = phase_correlation(pre, post, CENTRES, np.array([107.5, 148.5]))
    np.testing.assert_allclose(found.dy[:, 0], -2, atol=0.1)
    np.testing.assert_allclose(found.dy[:, 1], 2, atol=0.1)


def test_robustness_iterations_ignore_frequencies_that_disagree():
    pre, post = noisy_pair(9, 0.3, 0.4, 0.05)
    pattern = np.sin(
        2 * np.pi * np.random.default_rng(0).uniform(0.05, 0.3, (6, 2)) @ np.mgrid[:256, :256].reshape(2, -1)
    )
    post += 0.5 * pattern.sum(0).reshape(256, 256)
    error = [
        np.hypot(found.dx - 0.3, found.dy - 0.4).mean()
        for found in (phase_correlation(pre, post, CENTRES, CENTRES, iterations=n) for n in (0, 3))
    ]
    assert error[1] < 0.8 * error[0]


def test_flat_windows_have_no_texture_and_masked_ones_no_data():
    pre, post = noisy_pair(2, 0, 0, 0.02)
    pre[:, :100] = 7
    post[:, 160:] = np.nan
    found = phase_correlation(pre, post, CENTRES, np.array([60.5, 130.5, 190.5]), first_window=32)
    np.testing.assert_array_equal(found.textured[:, :2], [[0, 1]] * len(CENTRES))
    np.testing.assert_array_equal(np.isfinite(found.dx), [[False, True, False]] * len(CENTRES))
    assert (found.used[:, 2] == 0).all()


def hole(shape, *discs):
    """Where a pixel lies in one of the discs (row, column, radius)."""
    row, col = np.indices(shape)
    return np.any([np.hypot(row - y, col - x) < radius for y, x, radius in discs], axis=0)


@pytest.mark.parametrize(("window", "largest"), [(16, 0.06), (32, 0.01)])  # with a hard edge 0.2 and 0.16
@pytest.mark.parametrize("place", ["border", "hole", "hole in the second"])
def test_what_cannot_be_used_does_not_draw_the_estimate_to_whole_pixels(window, largest, place):
    pre, post = noisy_pair(4, 0.45, -1.6, 0.005, cutoff=0.25)
    at = {"border": np.arange(3.5, 256, 8), "hole": np.arange(51.5, 208, 8)}[place.split()[0]]
    if place != "border":
        (post if "second" in place else pre)[hole(pre.shape, (90, 80, 12), (160, 150, 20))] = np.nan
    found = phase_correlation(pre, post, at, at, window=window)
    partly = np.isfinite(found.dx) & (found.apart < 1)
    assert partly.sum() > 20
    error = np.hypot(found.dx - 0.45, found.dy + 1.6)[partly]
    assert np.sqrt(np.mean(error**2)) < largest


def test_a_window_that_is_partly_used_tells_fewer_frequencies_apart():
    pre, post = noisy_pair(4, 0.3, 0.2, 0.1)
    post[:, 140:] = np.nan
    found = phase_correlation(pre, post, CENTRES, np.array([107.5, 131.5, 133.5]))
    np.testing.assert_array_equal(found.apart[:, 0], 1)
    assert (found.apart[:, 2] < found.apart[:, 1]).all()
    assert ((found.used[:, 1] > found.apart[:, 1]) & (found.apart[:, 1] > 0.4)).all()
