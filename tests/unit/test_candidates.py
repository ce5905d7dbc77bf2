"""Reference image, amplitude calibration, candidates, side lobes."""

import numpy as np
import pytest
from pydantic import ValidationError

from groundshift.errors import InputError
from groundshift.insar.config import CandidateConfig, LinkConfig, PointResponseConfig, ReferenceConfig
from groundshift.insar.scatterers.candidates import calibration_gains, find_candidates, halo
from groundshift.insar.stack.reference import choose_reference, expected_coherence

PLAIN = PointResponseConfig(resolution=(1.55, 1.33), taper=(1, 1))
SENTINEL = PointResponseConfig()


def speckle(rng, shape):
    """Clutter of mean intensity 1."""
    return ((rng.normal(size=shape) + 1j * rng.normal(size=shape)) * np.sqrt(0.5)).astype(np.complex64)


def along(offset, resolution, taper):
    """Amplitude of a point's response, from the transform of its weighted band."""
    band = (np.arange(400) + 0.5) / 400 - 0.5
    weight = taper + (1 - taper) * np.cos(2 * np.pi * band)
    return np.cos(2 * np.pi * np.outer(offset / resolution, band)) @ weight / weight.sum()


def response(shape, row, col, sensor):
    """A point's response of amplitude 1."""
    across = along(np.arange(shape[0]) - row, sensor.resolution[0], sensor.taper[0])
    return across[:, None] * along(np.arange(shape[1]) - col, sensor.resolution[1], sensor.taper[1])


def with_points(rng, images, shape, points, sensor=SENTINEL):
    """Clutter with points (row, col, SCR in dB), each of a random phase that varies with time like all of them."""
    common = np.exp(1j * rng.uniform(-np.pi, np.pi, images))[:, None, None]
    steady = np.zeros(shape, complex)
    for row, col, level in points:
        steady += 10 ** (level / 20) * np.exp(1j * rng.uniform(-np.pi, np.pi)) * response(shape, row, col, sensor)
    return (speckle(rng, (images, *shape)) + common * steady).astype(np.complex64)


def test_the_reference_is_in_the_middle_of_time_and_baselines():
    days, baselines = np.arange(11) * 12.0, np.zeros(11)
    assert choose_reference(days, baselines) == 5
    baselines[5] = 3000.0
    assert choose_reference(days, baselines) in (4, 6)
    short = ReferenceConfig(critical_baseline=1000.0)
    coherence = expected_coherence(days, baselines, config=short)
    assert np.allclose(coherence, coherence.T)
    assert np.allclose(np.diag(coherence), 1)
    assert coherence[5, 4] == 0
    assert coherence[0, 1] == pytest.approx(np.exp(-12 / 180))


def test_a_reference_needs_as_many_baselines_as_times():
    with pytest.raises(InputError, match="one of each"):
        choose_reference(np.arange(3.0), np.zeros(2))
    with pytest.raises(InputError, match="not finite"):
        choose_reference(np.arange(2.0), np.array([0.0, np.nan]))


def test_gains_are_found_beside_changes_and_holes():
    rng = np.random.default_rng(1)
    truth = np.exp(rng.normal(size=20) * 0.3)
    truth /= np.exp(np.log(truth).mean())
    slc = speckle(rng, (20, 80, 80))
    slc[10:, :4] *= 4.0  # some of the ground changed
    slc *= truth[:, None, None]
    slc[3, 5, 5], slc[7, 6, 6] = 0, np.nan
    assert np.allclose(calibration_gains(slc), truth, rtol=0.06)
    unchanged = calibration_gains(slc[:, 4:])
    assert np.allclose(unchanged, truth, rtol=0.04)
    assert np.log(unchanged).mean() == pytest.approx(0, abs=1e-9)


def test_dispersion_is_that_of_calibrated_amplitudes():
    rng = np.random.default_rng(2)
    slc, gains = speckle(rng, (12, 9, 30)), rng.uniform(0.5, 2, 12)
    slc[4, 3, 3] = 0
    found = find_candidates(slc, gains).dispersion
    amplitude = np.abs(slc) / gains[:, None, None]
    expected = amplitude.std(axis=0, ddof=1) / amplitude.mean(axis=0)
    assert np.isnan(found[3, 3])
    expected[3, 3] = np.nan
    assert np.allclose(found, expected, rtol=1e-4, equal_nan=True)


def test_points_above_ten_decibels_are_found_and_clutter_is_not():
    rng = np.random.default_rng(3)
    shape = (160, 320)
    rows, cols = np.meshgrid(np.arange(8, 160, 12), np.arange(8, 320, 12), indexing="ij")
    rows, cols = rows + rng.integers(-2, 3, rows.shape), cols + rng.integers(-2, 3, rows.shape)
    levels = 10 + rng.exponential(4.0, rows.size)
    slc = with_points(rng, 40, shape, list(zip(rows.ravel(), cols.ravel(), levels, strict=True)))
    found = find_candidates(slc, np.ones(40))
    assert found.chosen[rows, cols].mean() >= 0.95
    error = found.signal_to_clutter[rows, cols].ravel() - levels
    assert abs(np.median(error)) < 0.7
    empty = find_candidates(speckle(rng, (40, 300, 300)), np.ones(40))
    assert empty.chosen.sum() == 0


@pytest.mark.parametrize("sensor", [PLAIN, SENTINEL])
@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.3, -0.4), (-0.5, 0.5)])
def test_side_lobes_go_and_scatterers_stay(offset, sensor):
    """A point of 45 dB, one on its side lobes but brighter than them, and one off to the side."""
    rng = np.random.default_rng(4)
    shape, row, col = (61, 81), 30 + offset[0], 40 + offset[1]
    others = [(30, 50, 33.0), (45, 55, 15.0)]
    slc = with_points(rng, 30, shape, [(row, col, 45.0), *others], sensor)
    config = CandidateConfig(response=sensor)
    kept_all = find_candidates(slc, np.ones(30), config=config.model_copy(update={"side_lobe_reach": 0}))
    found = find_candidates(slc, np.ones(30), config=config)
    lobe = 1 if sensor is PLAIN else 1.35  # the window widens the main lobe
    across = np.abs(np.arange(61) - row) / sensor.resolution[0] / lobe
    beside = np.abs(np.arange(81) - col) / sensor.resolution[1] / lobe
    mine = (across[:, None] < 1) & (beside < 1)
    for y, x, _ in others:
        mine[y - 1 : y + 2, x - 1 : x + 2] = True
    lobes = kept_all.chosen & ~mine
    assert lobes.sum() >= 10
    assert found.side_lobe[lobes].mean() >= 0.9
    assert found.chosen[round(row), round(col)]
    power = (np.abs(slc) ** 2).mean(axis=0)
    assert found.chosen[power > 0.25 * power.max()].all()
    assert all(found.chosen[y, x] for y, x, _ in others)


@pytest.mark.parametrize("sensor", [PLAIN, SENTINEL, PointResponseConfig(resolution=(1, 1), taper=(1, 1))])
def test_independent_looks_are_those_of_filtered_noise(sensor):
    """Variance of the mean intensity of a window that is large against the resolution."""
    expected = 1.0
    for resolution, taper in zip(sensor.resolution, sensor.taper, strict=True):
        offset = np.arange(-200, 201)
        band = np.arange(-0.5, 0.5, 1 / 4000)
        inside = np.abs(band) < 0.5 / resolution
        spectrum = np.where(inside, taper + (1 - taper) * np.cos(2 * np.pi * band * resolution), 0) ** 2
        correlation = np.cos(2 * np.pi * np.outer(offset, band)) @ spectrum / spectrum.sum()
        expected /= (correlation**2).sum()
    assert sensor.independent_share == pytest.approx(expected, rel=0.01)


def test_a_tile_with_halo_is_the_same_as_the_whole():
    rng = np.random.default_rng(5)
    points = [(rng.uniform(0, 100), rng.uniform(0, 110), rng.uniform(10, 35)) for _ in range(30)]
    slc = with_points(rng, 20, (100, 110), points)
    config = CandidateConfig(side_lobe_reach=6)
    whole = find_candidates(slc, np.ones(20), config=config)
    across, along = halo(config)
    tile = find_candidates(slc[:, 40 - across : 60 + across, 45 - along : 65 + along], np.ones(20), config=config)
    for one, other in zip(whole, tile, strict=True):
        assert np.array_equal(
            one[40:60, 45:65], other[across : across + 20, along : along + 20], equal_nan=one.dtype != bool
        )
    assert whole.chosen[40:60, 45:65].any()


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="one gain an image"):
        find_candidates(np.ones((4, 5, 5), np.complex64), np.ones(3))
    with pytest.raises(InputError, match="no pixel"):
        calibration_gains(np.zeros((3, 4, 4), np.complex64))
    with pytest.raises(ValidationError, match="odd"):
        CandidateConfig(clutter_window=(10, 23))
    with pytest.raises(ValidationError, match="odd"):
        LinkConfig(window=(11, 24))
    with pytest.raises(ValidationError, match="1 line and 1 pixel"):
        LinkConfig(stride=(0, 1))
