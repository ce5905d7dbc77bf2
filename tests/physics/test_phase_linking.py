"""Phase linking against the Cramér-Rao bound, its declared sigma, neighbours, tiles."""

import numpy as np
import pytest
from scipy import ndimage, stats

from groundshift.errors import InputError
from groundshift.insar.config import LinkConfig, PointResponseConfig
from groundshift.insar.scatterers.link import link_phases
from groundshift.kernels import hermitian
from groundshift.kernels import homogeneous_neighbours as neighbours

IMAGES = 30
DAYS = np.arange(IMAGES) * 12.0
PIXELS = PointResponseConfig(resolution=(1, 1), taper=(1, 1))  # every pixel a look
WHOLE = LinkConfig(test="none", response=PIXELS)


def decay(first=0.6, last=0.1, scale=50.0, days=DAYS):
    """Exponential decay with a long-term coherence."""
    matrix = (first - last) * np.exp(-np.abs(days[:, None] - days) / scale) + last
    np.fill_diagonal(matrix, 1)
    return matrix


def seasonal(days=DAYS):
    """Decay with coherence that returns after half a year."""
    lag = np.abs(days[:, None] - days)
    matrix = 0.5 * np.exp(-lag / 40) + 0.125 * (1 + np.cos(2 * np.pi * lag / 180))
    np.fill_diagonal(matrix, 1)
    return matrix


def stack_of(rng, coherence, shape):
    """Complex Gaussian pixels of one coherence matrix, complex64 (time, y, x), with one phase a date; and phases."""
    phase = np.cumsum(rng.normal(size=len(coherence)) * 0.5)
    noise = (rng.normal(size=(len(coherence), *shape)) + 1j * rng.normal(size=(len(coherence), *shape))) / np.sqrt(2)
    slc = np.tensordot(np.linalg.cholesky(coherence), noise, 1) * np.exp(1j * phase)[:, None, None]
    return slc.astype(np.complex64), phase


def windows_of(rng, coherence, number):
    """Windows of 11 × 23 pixels side by side, and their middle: independent samples for Monte Carlo."""
    slc, phase = stack_of(rng, coherence, (11 * number, 23 * 10))
    return slc, phase, WHOLE.model_copy(update={"stride": (11, 23)})


def bound(coherence, looks, reference):
    """Cramér-Rao sigma of every phase against that of the reference, written down once more."""
    keep = np.arange(len(coherence)) != reference
    fisher = 2 * looks * (coherence * np.linalg.inv(coherence) - np.eye(len(coherence)))
    sigma = np.zeros(len(coherence))
    sigma[keep] = np.sqrt(np.diag(np.linalg.inv(fisher[np.ix_(keep, keep)])))
    return sigma


def errors(result, phase, reference=0):
    """Errors of linked phases, radians (time, i, j)."""
    return np.angle(result.phase * np.exp(-1j * (phase - phase[reference]))[:, None, None])


def monte_carlo(coherence, config_changes, seed, reference=0, number=40):
    """RMS error over the bound, and variance of standardised errors, both (time,) without the reference."""
    rng = np.random.default_rng(seed)
    slc, phase, config = windows_of(rng, coherence, number)
    config = config.model_copy(update=config_changes)
    days = np.arange(len(coherence)) * 12.0
    result = link_phases(slc, days, reference=reference, config=config)
    keep = np.arange(len(coherence)) != reference
    error = errors(result, phase, reference)[keep]
    ratio = np.sqrt((error**2).mean(axis=(1, 2))) / bound(coherence, 253, reference)[keep]
    return ratio, ((error / result.sigma[keep]) ** 2).mean(axis=(1, 2))


@pytest.mark.parametrize("coherence", [decay(), decay(0.7, 0.2), decay(0.5, 0.1, 30), decay(0.9, 0.4, 100), seasonal()])
def test_errors_reach_the_bound_and_declared_sigmas_hold(coherence):
    ratio, variance = monte_carlo(coherence, {}, 1)
    assert ratio[IMAGES // 2 - 1] < 1.15
    assert np.sqrt((ratio**2).mean()) < 1.15
    assert 0.8 < variance.mean() < 1.25


def test_sigmas_hold_for_pixels_that_are_closer_than_the_resolution():
    """Noise with the band of Sentinel-1: 253 pixels are 95 looks."""
    rng = np.random.default_rng(12)
    coherence, sensor = decay(0.8, 0.4, 80), PointResponseConfig()
    slc, phase, config = windows_of(rng, coherence, 12)
    spectrum = np.fft.fft2(slc)
    for axis, resolution, taper in zip((1, 2), sensor.resolution, sensor.taper, strict=True):
        frequency = np.fft.fftfreq(slc.shape[axis]) * resolution
        weight = np.where(np.abs(frequency) <= 0.5, taper + (1 - taper) * np.cos(2 * np.pi * frequency), 0)
        spectrum *= np.expand_dims(weight, tuple({0, 1, 2} - {axis}))
    filtered = np.fft.ifft2(spectrum).astype(np.complex64)
    result = link_phases(filtered, DAYS, config=config.model_copy(update={"response": sensor}))
    assert 0.8 < ((errors(result, phase)[1:] / result.sigma[1:]) ** 2).mean() < 1.25


def test_any_image_can_be_the_reference():
    rng = np.random.default_rng(2)
    slc, phase, config = windows_of(rng, decay(), 4)
    first = link_phases(slc, DAYS, config=config)
    other = link_phases(slc, DAYS, reference=12, config=config)
    assert np.allclose(other.phase, first.phase * first.phase[12].conj(), atol=1e-5)
    assert np.all(other.sigma[12] == 0)
    assert np.all(other.sigma[0] > 0)
    assert np.allclose(other.sigma[0], first.sigma[12], rtol=1e-4)
    assert np.abs(errors(other, phase, 12)).max() < 1


def test_emi_is_better_than_evd():
    emi, _ = monte_carlo(decay(), {}, 3)
    evd, _ = monte_carlo(decay(), {"estimator": "evd"}, 3)
    assert (emi**2).mean() < 0.8 * (evd**2).mean()


@pytest.mark.parametrize("reference", [0, 33])
def test_ministacks_lose_little(reference):
    days = np.arange(60) * 12.0
    coherence = decay(0.7, 0.2, days=days)
    ratio, variance = monte_carlo(coherence, {"ministack": 15}, 4, reference=reference, number=25)
    assert np.sqrt((ratio**2).mean()) < 1.25
    assert 0.8 < variance.mean() < 1.25


@pytest.mark.parametrize(("ministack", "most"), [(None, 0.25), (10, 0.4)])  # 400 windows tell them to 0.05
def test_errors_of_dates_are_correlated_as_declared(ministack, most):
    rng = np.random.default_rng(14)
    slc, phase, config = windows_of(rng, decay(0.8, 0.2), 40)
    config = config.model_copy(update={"ministack": ministack})
    result = link_phases(slc, DAYS, reference=12, config=config, correlation=True)
    error = errors(result, phase, 12).reshape(IMAGES, -1)
    first, second = np.triu_indices(IMAGES, 1)
    size = np.sqrt((error**2).mean(axis=1))
    with np.errstate(invalid="ignore"):
        true = (error[first] * error[second]).mean(axis=1) / (size[first] * size[second])
    declared = result.correlation.reshape(len(first), -1).mean(axis=1) / 127
    with_reference = (first == 12) | (second == 12)
    assert (declared[with_reference] == 0).all()
    assert np.abs(declared - true)[~with_reference].max() < most
    assert np.corrcoef(declared[~with_reference], true[~with_reference])[0, 1] > 0.9
    assert link_phases(slc, DAYS, config=config).correlation.size == 0


def test_temporal_coherence_tells_signal_from_noise():
    rng = np.random.default_rng(5)
    slc, _, config = windows_of(rng, decay(), 2)
    noise, _ = stack_of(rng, np.eye(IMAGES), slc.shape[1:])
    assert link_phases(slc, DAYS, config=config).temporal_coherence.min() > 0.9
    result = link_phases(noise, DAYS, config=config)
    assert result.temporal_coherence.max() < 0.45
    assert np.median(result.sigma[1:]) > 0.5
    one = np.broadcast_to(np.exp(1j * np.linspace(0, 5, IMAGES))[:, None, None], slc.shape) * slc[:1]
    assert link_phases(one.astype(np.complex64), DAYS, config=config).temporal_coherence.min() > 0.9999


@pytest.mark.parametrize("test", ["glrt", "ks"])
@pytest.mark.parametrize("coherence", [np.eye(IMAGES), decay(0.7, 0.3)])
def test_the_share_of_refused_neighbours_is_the_significance(test, coherence):
    """For correlated dates, where tests that count every date would refuse several times as many."""
    rng = np.random.default_rng(6)
    slc, _ = stack_of(rng, coherence, (60, 120))
    config = LinkConfig(test=test, significance=0.05, stride=(5, 5))
    result = link_phases(slc, DAYS, config=config, area=(slice(5, 55), slice(11, 109)))
    assert 0.0 < 1 - result.neighbours.mean() / 253 < 0.08
    naive = stats.f.isf(0.025, 2 * IMAGES, 2 * IMAGES)
    power = (np.abs(slc) ** 2).mean(axis=0).ravel()
    pairs = power[rng.permutation(power.size)] / power
    if coherence[0, 1] > 0:
        assert ((pairs > naive) | (pairs < 1 / naive)).mean() > 0.2


@pytest.mark.parametrize("test", ["glrt", "ks"])
def test_neighbours_are_of_the_same_kind(test):
    rng = np.random.default_rng(7)
    slc, _ = stack_of(rng, decay(), (31, 61))
    slc[:, :, 30:] *= 6
    config = LinkConfig(test=test, stride=(3, 1))
    result = link_phases(slc, DAYS, config=config, area=(slice(9, 21), slice(25, 35)))
    beside = np.array([11 * (30 - col + 11) if col < 30 else 11 * (col + 12 - 30) for col in result.cols])
    assert np.all(result.neighbours <= beside + 3)
    assert np.all(result.neighbours.mean(axis=0) > 0.85 * beside)


def test_connected_neighbours_are_those_joined_to_the_pixel():
    rng = np.random.default_rng(8)
    mask = (rng.random((11, 23)) < 0.5).astype(np.uint8)
    mask[5, 11] = 1
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    expected = labels == labels[5, 11]
    assert 1 < expected.sum() < mask.sum()
    neighbours.keep_connected(mask, np.empty((mask.size, 2), np.int64))
    assert np.array_equal(mask, expected)


def test_distance_is_that_of_kolmogorov_and_smirnov():
    rng = np.random.default_rng(9)
    for _ in range(20):
        first, second = (np.sort(rng.integers(0, 30, 25).astype(np.float32)) for _ in range(2))
        expected = stats.ks_2samp(first, second, method="asymp").statistic
        assert neighbours.distance(first, second) == pytest.approx(expected)


@pytest.mark.parametrize("size", [2, 7, 30])
def test_eigenvectors_and_inverses(size):
    rng = np.random.default_rng(size)
    values = rng.normal(size=(size, 3 * size)) + 1j * rng.normal(size=(size, 3 * size))
    matrix = values @ values.conj().T / (3 * size)
    expected, vectors = np.linalg.eigh(matrix)
    x = rng.normal(size=(4, size))
    square = np.empty((2, size, size))
    value = hermitian.smallest_eigenvector(matrix.real, matrix.imag, size, 0.7, *x, *square, 1e-9)
    assert value == pytest.approx(expected[0])
    assert np.abs(vectors[:, 0].conj() @ (x[0] + 1j * x[1])) == pytest.approx(1, abs=1e-6)
    hermitian.largest_eigenvector(matrix.real, matrix.imag, size, *rng.normal(size=(4, size)), 1e-9, 5)
    x = rng.normal(size=(4, size))
    hermitian.largest_eigenvector(matrix.real, matrix.imag, size, *x, 1e-9, 5000)
    assert np.abs(vectors[:, -1].conj() @ (x[0] + 1j * x[1])) == pytest.approx(1, abs=1e-6)
    correlation = decay(days=np.arange(size) * 12.0)
    inverse = np.empty((size, size))
    assert hermitian.invert(correlation, size, 0.01, inverse)
    assert np.allclose(inverse, np.linalg.inv(correlation))
    assert not hermitian.invert(np.ones((size, size)), size, 0.01, inverse)


@pytest.mark.parametrize("changes", [{}, {"test": "ks", "connected": True}, {"ministack": 10, "stride": (2, 4)}])
def test_tiles_and_threads_are_the_same_as_the_whole(changes):
    rng = np.random.default_rng(10)
    slc, _ = stack_of(rng, decay(), (32, 72))
    slc[:, 3:6, 20:24], slc[4, 20, 40], slc[5, 8, 8] = 0, np.nan, 0
    slc[:, :, 40:] *= 3
    config = LinkConfig(**changes)
    whole = link_phases(slc, DAYS, config=config)
    half_y, half_x = config.halo
    step_y, step_x = config.stride
    assert np.isnan(whole.phase[:, 8 // step_y, 8 // step_x]).all() == (config.stride == (1, 1))
    for top, left in ((0, 0), (8, 24), (16, 48)):
        bottom, right = top + 16, left + 24
        first_y, first_x = max(0, top - half_y), max(0, left - half_x)
        tile = link_phases(
            slc[:, first_y : bottom + half_y, first_x : right + half_x],
            DAYS,
            config=config,
            area=(slice(top - first_y, bottom - first_y), slice(left - first_x, right - first_x)),
            threads=2,
        )
        part = np.s_[top // step_y : bottom // step_y, left // step_x : right // step_x]
        for one, other in zip(whole[:4], tile[:4], strict=True):
            assert np.array_equal(one[..., *part], other, equal_nan=one.dtype.kind in "fc")
        assert np.array_equal(tile.rows + first_y, whole.rows[part[0]])
        assert np.array_equal(tile.cols + first_x, whole.cols[part[1]])


def test_pixels_without_data_or_neighbours_have_no_result():
    rng = np.random.default_rng(11)
    slc, _ = stack_of(rng, decay(), (20, 40))
    slc[3, :, 20:] = 0
    slc[:, 10:, :] = np.nan
    result = link_phases(slc, DAYS, config=LinkConfig(stride=(2, 2), min_neighbours=120))
    empty = result.neighbours < 120
    assert np.array_equal(np.isnan(result.temporal_coherence), empty)
    assert np.array_equal(np.isnan(result.phase).all(axis=0), empty)
    assert np.array_equal(np.isnan(result.sigma).all(axis=0), empty)
    assert np.all(result.neighbours[:, 10:] == 0)
    assert not empty.all()


def test_what_does_not_fit_is_refused():
    slc = np.ones((4, 5, 5), np.complex64)
    with pytest.raises(InputError, match="complex"):
        link_phases(slc.real, np.arange(4.0))
    with pytest.raises(InputError, match="ascend"):
        link_phases(slc, np.array([0, 2, 2, 3.0]))
    with pytest.raises(InputError, match="choose 0 to 3"):
        link_phases(slc, np.arange(4.0), reference=4)
    with pytest.raises(InputError, match="of sum 0"):
        link_phases(slc, np.arange(4.0), row=np.ones(4))


def two_heights(rng, coherence, apart, power):
    """Windows a third of whose pixels are `apart` metres higher and brighter; and the row that makes heights of phases.

    The pixels in the middle are low. A metre is as many radians as metres of baseline by 1 / 2,500.
    """
    rate = rng.normal(size=len(coherence)) * 60 / 2500
    rate[0] = 0
    slc, phase, config = windows_of(rng, coherence, 12)
    high = rng.random(slc.shape[1:]) < 1 / 3
    high[5::11, 11::23] = False
    slc *= np.exp(-1j * phase)[:, None, None] * np.where(
        high, np.sqrt(power) * np.exp(1j * rate[:, None, None] * apart), 1
    )
    centred = rate - rate.mean()
    return slc.astype(np.complex64), config, centred / (centred @ centred)


@pytest.mark.parametrize("coherence", [decay(0.8, 0.4, 80), decay(0.6, 0.15, 60)])
@pytest.mark.parametrize("apart", [0.0, 10.0])
def test_heights_that_differ_between_neighbours_are_told_from_noise(coherence, apart):
    slc, config, row = two_heights(np.random.default_rng(13), coherence, apart, 1.0)
    spread = link_phases(slc, DAYS, config=config, row=row).spread
    true = apart * np.sqrt(2) / 3
    assert np.mean(spread**2) == pytest.approx(true**2, rel=0.3, abs=4.0)
    assert (link_phases(slc, DAYS, config=config).spread == 0).all()


def test_bright_neighbours_count_no_more_than_others():
    """A third of the pixels is 10 m higher and twice as bright: the mean height is 3.3 m, that of intensity 5 m."""
    slc, config, row = two_heights(np.random.default_rng(14), decay(0.8, 0.4, 80), 10.0, 2.0)
    heights = []
    for evenness in (0.0, 1.0):
        linked = link_phases(slc, DAYS, config=config.model_copy(update={"evenness": evenness}))
        heights.append(np.mean(row @ np.angle(linked.phase).reshape(len(DAYS), -1)))
    assert heights[0] == pytest.approx(5.0, abs=0.4)
    assert heights[1] == pytest.approx(10 / 3, abs=0.4)
