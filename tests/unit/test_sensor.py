"""A sensor: each effect is as large as asked, is in the truth where it moves pixels, and is nothing when off."""

import numpy as np
import pytest
from pydantic import ValidationError

from groundshift.synth.changes import Changes
from groundshift.synth.sensor import (
    Geometry,
    Resampling,
    Sensor,
    Step,
    Wave,
    blurred,
    detected,
    look,
    random_sensor,
    resampled,
    sampled,
)
from groundshift.synth.textures import shifted, spectrum
from groundshift.synth.warp import inverse

SIZE = 128
TRANSFORM = spectrum(SIZE, seed=5, cutoff=0.2)
TEXTURE = (1000 + 100 * shifted(TRANSFORM, 0, 0)).astype(np.float32)
JITTER = Geometry(
    waves=(
        Wave(amplitude_x=0.3, amplitude_y=-0.2, period=60, phase=40),
        Wave(amplitude_x=0.1, amplitude_y=0, period=33),
    )
)


def seeded():
    return np.random.default_rng(7)


def measured(pre, post):
    """One (dx, dy) by which post lies further than pre, least squares on the gradient."""
    gradient = (np.stack(np.gradient(pre)) + np.stack(np.gradient(post))) / 2
    design = -np.column_stack([gradient[1].ravel(), gradient[0].ravel()])
    return np.linalg.lstsq(design, (post - pre).ravel(), rcond=None)[0]


def test_a_sensor_without_effects_shows_the_scene():
    seen = look(TEXTURE, Sensor(), seeded())
    np.testing.assert_array_equal(seen.image, TEXTURE)
    assert seen.valid.all()
    assert not seen.saturated.any()
    assert not seen.clouded.any()


@pytest.mark.parametrize(
    "sensor",
    [
        Sensor(mtf=0.3),
        Sensor(geometry=JITTER),
        Sensor(read_noise=3),
        Sensor(shot_noise=0.01),
        Sensor(column_gain=0.01),
        Sensor(row_gain=0.01),
        Sensor(resampling=Resampling(kind="bilinear", shift_x=0.4)),
        Sensor(bits=8),
        Sensor(ratio=2),
    ],
)
def test_each_effect_is_seen_and_repeated_by_its_seed(sensor):
    one, two = (look(TEXTURE, sensor, seeded()).image for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.dtype == np.float32
    if sensor.ratio == 1:
        assert np.abs(one - TEXTURE).max() > 0.5


def test_the_record_survives_json():
    for strength in ("easy", "typical", "hard"):
        for seed in range(20):
            drawn = random_sensor(np.random.default_rng(seed), strength, shape=(256, 300), level=1000, ratio=2)
            assert Sensor.model_validate_json(drawn.model_dump_json()) == drawn
            assert drawn == random_sensor(np.random.default_rng(seed), strength, shape=(256, 300), level=1000, ratio=2)
    with pytest.raises(ValidationError):
        Sensor(bits=9)


def test_harder_sensors_move_pixels_more():
    rows, cols = np.indices((64, 64), dtype=float)

    def motion(seed, strength):
        sensor = random_sensor(np.random.default_rng(seed), strength, shape=(64, 64), level=1000)
        return np.hypot(*sensor.geometry(rows, cols)).mean()

    rms = [np.median([motion(seed, each) for seed in range(40)]) for each in ("easy", "typical", "hard")]
    assert rms[0] < rms[1] / 1.5 < rms[2] / 3
    assert 0.2 < rms[1] < 0.7


@pytest.mark.parametrize("ratio", [1.0, 1.5, 4.0])
@pytest.mark.parametrize("mtf", [0.1, 0.3])
def test_modulation_at_nyquist_is_that_asked_for(ratio, mtf):
    """Measured on the image of a point, by its Fourier transform."""
    size = 384
    point = np.zeros((size, size), np.float32)
    point[size // 2, size // 2] = 1
    seen = blurred(point, mtf=mtf, ratio=ratio)
    wave = np.exp(-2j * np.pi * 0.5 / ratio * np.arange(size))
    for axis in (0, 1):
        assert abs((seen.sum(axis) * wave).sum()) == pytest.approx(mtf, rel=0.01)
    assert seen.sum() == pytest.approx(1, rel=1e-4)


def test_detail_finer_than_the_pixels_is_aliased():
    cols = np.broadcast_to(np.arange(192.0), (64, 192))
    fine = 0.8 / 4  # cycles a pixel of the scene: 0.8 a pixel of the sensor, which looks like 0.2
    seen = look(np.cos(2 * np.pi * fine * (cols - 1.5)), Sensor(ratio=4, mtf=0.3), seeded()).image
    power = np.abs(np.fft.rfft((seen[8] - seen[8].mean()) * np.hanning(48)))
    assert np.fft.rfftfreq(48)[power.argmax()] == pytest.approx(0.2, abs=0.02)
    assert seen[:, 6:-6].max() == pytest.approx(0.3 ** (1.6**2), rel=0.1)


@pytest.mark.parametrize("ratio", [1.5, 3.0])
def test_one_scene_at_two_resolutions_shows_things_at_the_same_place(ratio):
    def place(image, size):
        rows, cols = (np.indices(image.shape) + 0.5) * size
        return (image * cols).sum() / image.sum(), (image * rows).sum() / image.sum()

    scene = np.zeros((96, 96), np.float32)
    scene[30:44, 50:70] = 1
    seen = look(scene, Sensor(ratio=ratio, mtf=0.2), seeded()).image
    assert seen.shape == (96 / ratio, 96 / ratio)
    assert place(seen, ratio) == pytest.approx(place(scene, 1), abs=0.05)
    assert seen.sum() * ratio**2 == pytest.approx(scene.sum(), rel=0.01)


@pytest.mark.parametrize("level", [100.0, 3000.0])
def test_noise_has_the_variance_asked_for(level):
    sensor = Sensor(read_noise=4.0, shot_noise=0.05)
    seen = look(np.full((200, 200), level), sensor, seeded()).image
    assert seen.mean() == pytest.approx(level, abs=5 * np.sqrt((16 + 0.05 * level) / seen.size))
    assert seen.var() == pytest.approx(16 + 0.05 * level, rel=5 * np.sqrt(2 / seen.size))


def test_stripes_follow_the_track():
    flat = np.full((150, 400), 1000.0, np.float32)
    straight = detected(flat, Sensor(column_gain=0.01), seeded())[0]
    assert np.ptp(straight, axis=0).max() < 1e-2
    assert straight[0].std() == pytest.approx(10, rel=0.2)
    leaning = detected(flat, Sensor(column_gain=0.01, geometry=Geometry(track=45)), seeded())[0]
    assert leaning[10, 60] == pytest.approx(leaning[60, 10], rel=1e-6)
    assert leaning[:, 0].std() == pytest.approx(10, rel=0.3)


@pytest.mark.parametrize("bits", [8, 10, 11, 12, 16])
def test_counts_are_rounded_and_cut(bits):
    sensor = Sensor(bits=bits, full_scale=1100)
    seen = look(TEXTURE, sensor, seeded())
    step = 1100 / (2**bits - 1)
    counts = seen.image / step
    np.testing.assert_allclose(counts, np.rint(counts), atol=0.01)
    below = TEXTURE + step < 1100
    assert np.abs(seen.image - TEXTURE)[below].max() <= 0.51 * step
    np.testing.assert_array_equal(seen.saturated[TEXTURE > 1100], True)
    assert not seen.saturated[below].any()
    assert seen.image.max() == pytest.approx(1100)


def test_geometry_is_the_sum_of_its_parts():
    rows, cols = np.indices((50, 60), dtype=float)
    geometry = Geometry(
        shift_x=0.5, shift_y=-0.25, ramp=(0.001, 0, 0, -0.002),
        steps=(Step(at=20, dx=0.1, dy=0),), seams=(Step(at=30, dx=0, dy=0.2),),
    )  # fmt: skip
    dx, dy = geometry(rows, cols)
    np.testing.assert_allclose(dx, 0.5 + 0.001 * cols + 0.1 * (rows >= 20))
    np.testing.assert_allclose(dy, -0.25 - 0.002 * rows + 0.2 * (cols >= 30))
    turned = Geometry(track=90, steps=(Step(at=-30, dx=1, dy=0),))
    np.testing.assert_allclose(turned(rows, cols)[0], cols <= 30)


def test_jitter_is_in_the_image_as_in_the_truth():
    seen = look(TEXTURE, Sensor(geometry=JITTER), seeded()).image
    rows, cols = np.indices(TEXTURE.shape, dtype=float)
    truth = JITTER(rows, cols)
    for top in range(8, SIZE - 16, 4):
        at = np.s_[top : top + 5, 8:-8]
        expected = np.array([each[at].mean() for each in truth])
        rigid = 1000 + 100 * shifted(TRANSFORM, *expected)
        assert np.abs(measured(rigid[at], seen[at].astype(float))).max() < 0.02
        assert np.abs(measured(TEXTURE[at].astype(float), seen[at].astype(float)) - expected).max() < 0.06


def test_motion_of_the_ground_and_geometry_are_one_interpolation():
    geometry = Geometry(shift_x=0.4, shift_y=-0.3)

    def flow(rows, cols):
        dx, dy = geometry(rows, cols)
        return dx + 1.0, dy + 0.7

    seen = look(TEXTURE, Sensor(geometry=geometry), seeded(), back=inverse(flow, TEXTURE.shape))
    inner = np.s_[10:-10, 10:-10]
    exact = 1000 + 100 * shifted(TRANSFORM, 1.4, 0.4)
    np.testing.assert_allclose(seen.image[inner], exact[inner], atol=0.05)
    assert not seen.valid[:, 0].any()
    assert seen.valid[2:, 2:].all()


def test_a_coarse_sensor_sees_the_motion_in_its_own_pixels():
    sensor = Sensor(ratio=2, mtf=0.05)
    rows, cols = np.indices((64, 64), dtype=float)
    pre = look(TEXTURE, sensor, seeded()).image
    post = look(TEXTURE, sensor, seeded(), back=inverse((np.full_like(cols, 0.5), np.full_like(rows, -0.25)))).image
    inner = np.s_[8:-8, 8:-8]
    fine = 1000 + 100 * shifted(TRANSFORM, 1.0, -0.5)
    exact = sampled(fine, sensor).image
    assert np.abs(post - exact)[inner].max() < 0.02 * pre.std()


@pytest.mark.parametrize(("kind", "kept"), [("bilinear", 0.809), ("cubic", 0.949)])
def test_resampling_blurs_and_does_not_move(kind, kept):
    """Half-way between samples, a wave of 0.2 cycles a pixel keeps what the weights of the kernel say."""
    wave = np.cos(2 * np.pi * 0.2 * np.broadcast_to(np.arange(80), (40, 80)))
    again = resampled(wave, Resampling(kind=kind, shift_x=0.5, shift_y=0.5))
    np.testing.assert_allclose(again[:, 8:-8], kept * wave[:, 8:-8], atol=2e-3)
    unshifted = resampled(TEXTURE, Resampling(kind=kind))
    np.testing.assert_allclose(unshifted, TEXTURE, rtol=1e-5)


def test_nearest_moves_pixels_by_what_it_says():
    resampling = Resampling(kind="nearest", scale=1.1, turn=1.0, shift_x=0.3)
    rows, cols = np.indices((60, 80))
    dx, dy = resampling.displacement((60, 80))
    np.testing.assert_array_equal(resampled(cols, resampling), cols - dx)
    np.testing.assert_array_equal(resampled(rows, resampling), rows - dy)
    assert set(np.unique(dx)) == {-1, 0, 1}
    moved = (dx != 0) | (dy != 0)
    assert 0.02 < moved.mean() < 0.4
    assert abs(dx.mean()) < 0.05
    same = Resampling(kind="nearest")
    np.testing.assert_array_equal(resampled(TEXTURE, same), TEXTURE)


def test_no_data_and_clouds_are_marked():
    scene = TEXTURE.copy()
    scene[40:50, 60:80] = np.nan
    sensor = Sensor(mtf=0.2, read_noise=2, bits=12, resampling=Resampling(kind="cubic", shift_x=0.3))
    seen = look(scene, sensor, seeded(), air=Changes(cloud=0.2))
    assert not seen.valid[40:50, 60:80].any()
    assert (~seen.valid).sum() < 16 * 30
    np.testing.assert_array_equal(np.isfinite(seen.image), seen.valid)
    assert 0.15 < seen.clouded.mean() < 0.5
    clear = seen.valid & ~seen.clouded
    assert np.abs(seen.image - blurred(scene, mtf=0.2))[clear].max() < 40
