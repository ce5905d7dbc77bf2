"""Batches made with torch: each step as the numpy code does it, and labels that are what is measured."""

import dataclasses

import numpy as np
import pytest

from groundshift.errors import ConfigurationError
from groundshift.kernels import gaussian, spline
from groundshift.kernels.phase_correlation import phase_correlation
from groundshift.synth import pairs, scenes, sensor, warp
from groundshift.synth.options import PairOptions
from groundshift.synth.pairs import ProceduralScenes
from groundshift.synth.sensor import Geometry, Resampling, random_sensor
from groundshift.synth.shared import Moving, own_motion, turned
from groundshift.synth.textures import shifted, spectrum

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # the quickest for small batches
from groundshift.train import bank as banks  # noqa: E402
from groundshift.train import data, generate, resample  # noqa: E402

OPTIONS = PairOptions(size=128, kinds={"earthquake": 1, "bowl": 1}, scales={"large": 1}, strengths={"easy": 1})
SCENES = ProceduralScenes(7)


@pytest.fixture(scope="module")
def bank():
    return banks.make_bank(OPTIONS, SCENES, views=3, motions=6, settings=16, seed=2)


def as_torch(*arrays):
    """Arrays as tensors float32."""
    return [torch.from_numpy(np.array(each, np.float32)) for each in arrays]


def test_the_spline_is_that_of_numpy():
    random = np.random.default_rng(0)
    images = random.normal(1000, 100, (3, 40, 57)).astype(np.float32)
    dx, dy = random.uniform(-6, 6, (2, 3, 33, 49))
    coefficients = resample.coefficients(torch.from_numpy(images))
    out = resample.warp(coefficients, *as_torch(dx, dy))
    for k, image in enumerate(images):
        np.testing.assert_allclose(coefficients[k], spline.coefficients(image), atol=2e-2)
        np.testing.assert_allclose(out[k], spline.warp(spline.coefficients(image), dx[k], dy[k]), atol=2e-2)


def test_a_warp_is_better_than_a_hundredth_of_a_pixel():
    transform = spectrum(96, seed=11)
    texture, moved = (torch.from_numpy(shifted(transform, *by)).float() for by in ((0, 0), (0.37, -0.81)))
    flow = torch.zeros(1, 2, 96, 96) + torch.tensor([0.37, -0.81])[:, None, None]
    out = resample.warp(resample.coefficients(texture[None]), *resample.inverse(flow).flow.unbind(1))[0]
    gradient = np.hypot(*np.gradient(texture.numpy()))[12:-12, 12:-12]
    assert (out - moved)[12:-12, 12:-12].std() < 0.01 * gradient.std()


def test_the_inverse_is_that_of_numpy():
    random = np.random.default_rng(3)
    options = PairOptions(size=96, kinds={"earthquake": 1})
    flows = [own_motion(random, options, scale).motion.on_grid((96, 96)) for scale in ("small", "large", "very_large")]
    out = resample.inverse(torch.from_numpy(np.stack(flows)))
    for k, flow in enumerate(flows):
        expected = warp.inverse(tuple(flow))
        both = out.found[k].numpy() & expected.found
        assert both.mean() > 0.95
        assert (out.found[k].numpy() == expected.found).mean() > 0.97
        off = np.hypot(*(out.flow[k].numpy() - [expected.dx, expected.dy]))[both]
        assert np.percentile(off, 99) < 1e-2
        assert np.median(off) < 1e-3


def test_the_geometry_is_that_of_the_sensor(bank):
    settings = {name: torch.from_numpy(each) for name, each in bank.settings.items()}
    out = generate.geometry(settings, (128, 100))
    for k in range(16):
        random = banks._random(2, 3, k)
        pairs.drawn(random, OPTIONS.strengths)
        banks.random_changes(random, "easy")
        expected = random_sensor(random, "easy", shape=(128, 128), level=1.0).geometry
        assert expected != Geometry()
        np.testing.assert_allclose(out[k], expected(*np.indices((128, 100), dtype=float)), atol=2e-4)


def test_motions_turn_with_their_images():
    """Mirrored and transposed by channels, as the function turned by a matrix."""
    random = np.random.default_rng(1)
    moving = own_motion(random, OPTIONS.model_copy(update={"size": 64}), "large")
    arrays = torch.from_numpy(np.concatenate([moving.motion.on_grid((64, 64)), moving.distance[None]]))[None]
    ways = [[bool(k & bit) for bit in (1, 2, 4)] for k in range(8)]
    ours = [generate.symmetric(arrays, *(torch.tensor([each]) for each in way))[0].numpy() for way in ways]
    peak = moving.motion.record["peak"]
    theirs = [turned(moving, k, peak) for k in range(8)]
    for each in theirs:
        both = np.concatenate([each.motion.on_grid((64, 64)), each.distance[None]])
        assert min(np.abs(both - own).max() for own in ours) < 1e-5
    assert len({own.tobytes() for own in ours}) == 8


def test_images_are_resampled_and_lit_and_smoothed_as_with_numpy():
    random = np.random.default_rng(4)
    image = random.normal(0, 1, (48, 60)).astype(np.float32)
    kinds = [Resampling(kind=kind, shift_x=0.3, shift_y=-0.4) for kind in ("bilinear", "cubic")]
    stack = torch.from_numpy(np.stack([image] * 3))
    shift, cubic = torch.tensor([[0.3, -0.4], [0.3, -0.4], [0, 0]]), torch.tensor([False, True, True])
    out = generate.resampled(stack, shift, cubic)
    for k, kind in enumerate(kinds):
        np.testing.assert_allclose(out[k], sensor.resampled(image, kind), atol=1e-4)
    assert torch.equal(out[2], stack[2])
    hills = scenes.hilly((48, 60), random, slope=5)
    lit = generate.light(torch.from_numpy(hills)[None], torch.tensor([[200.0, 60.0]]))[0]
    np.testing.assert_allclose(lit, scenes.illuminated(hills, scenes.Sun(azimuth=200, elevation=60)), atol=1e-4)
    np.testing.assert_allclose(
        generate.smoothed(stack[:1], 1.2)[0][4:-4, 4:-4], gaussian.smoothed(image, 1.2)[4:-4, 4:-4], atol=1e-4
    )
    np.testing.assert_allclose(generate.normalised(stack[:1])[0], data.normalised(image), atol=5e-3)


def test_what_arrived_is_what_numpy_says():
    random = np.random.default_rng(6)
    flow = own_motion(random, PairOptions(size=96, kinds={"earthquake": 1}), "very_large").motion.on_grid((96, 96))
    usable = random.uniform(size=(96, 96)) > 0.02
    back = warp.inverse(tuple(flow))
    expected = pairs._arrived(flow[0], flow[1], back, usable)
    found = resample.Inverse(torch.from_numpy(np.stack([back.dx, back.dy]))[None], torch.from_numpy(back.found)[None])
    out = generate.arrived(torch.from_numpy(flow)[None], found, torch.from_numpy(usable)[None])[0]
    assert 0.3 < expected.mean() < 0.95
    assert (out.numpy() == expected).mean() > 0.999


def measured_errors(batch, k, window=32):
    """Measured less true displacement (2, n) in windows on valid ground away from traces."""
    images, flow, valid, distance = (batch[name][k].numpy() for name in ("images", "flow", "valid", "distance"))
    places = np.arange(24, images.shape[-1] - 24, 8) + 0.5
    match = phase_correlation(*(np.ascontiguousarray(each) for each in images), places, places, window=window)
    at = np.ix_(places.astype(int), places.astype(int))
    good = np.isfinite(match.dx) & (match.coherence > 0.5) & valid[at] & (distance[at] > window / 2)
    return np.stack([match.dx, match.dy])[:, good] - flow[(slice(None), *at)][:, good]


def test_the_flow_is_what_is_measured(bank):
    batch = generate.Batches(bank, seed=1)(0, 8)
    assert {name: tuple(each.shape) for name, each in batch.items()} == {
        "images": (8, 2, 128, 128), "flow": (8, 2, 128, 128), "valid": (8, 128, 128), "distance": (8, 128, 128),
    }  # fmt: skip
    errors = [measured_errors(batch, k) for k in range(8)]
    assert sum(each.shape[1] for each in errors) > 300
    assert np.abs(np.median(np.concatenate(errors, axis=1), axis=1)).max() < 0.02
    lengths = batch["flow"].norm(dim=1).amax((1, 2))
    assert lengths.max() > 0.5
    assert (batch["flow"].permute(0, 2, 3, 1)[~batch["valid"]] == 0).all()
    assert batch["valid"].float().mean() > 0.9


def test_a_batch_depends_on_seed_and_number_alone(bank):
    make = generate.Batches(bank, seed=1)
    first = make(5, 3)
    make(6, 4)
    again = generate.Batches(bank, seed=1)(5, 3)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(make(6, 3)["images"], first["images"])
    assert not torch.equal(generate.Batches(bank, seed=2)(5, 3)["images"], first["images"])


def test_another_date_keeps_its_look_and_misregistration(bank):
    """The second date is the first, two pixels to the right and one up, with a value that says it was not changed."""
    after = np.roll(bank.before, (-1, 2), (1, 2))
    still = np.zeros_like(bank.flow)
    shift = np.array([[2.0, -1.0]] * len(after), np.float32)
    paired = dataclasses.replace(bank, after=after, shift=shift, flow=still)
    batch = generate.Batches(paired, seed=3)(0, 4)
    errors = np.concatenate([measured_errors(batch, k) for k in range(4)], axis=1)
    assert errors.shape[1] > 200
    assert np.abs(np.median(errors, axis=1)).max() < 0.01
    assert batch["flow"][:, 0][batch["valid"]].mean() == pytest.approx(2, abs=0.5)


def test_another_date_can_keep_its_own_geometry_alone(bank):
    shift = np.array([[2.0, -1.0]] * len(bank.before), np.float32)
    options = bank.options.model_copy(update={"added_geometry": 0.0})
    still = {"flow": np.zeros_like(bank.flow), "shift": shift}
    own = generate.Batches(dataclasses.replace(bank, after=bank.before, options=options, **still), seed=3)(0, 4)
    moved = own["flow"].movedim(1, -1)[own["valid"]]
    torch.testing.assert_close(moved, torch.tensor([2.0, -1.0]).expand_as(moved), atol=1e-4, rtol=0)
    changed = generate.Batches(dataclasses.replace(bank, options=options, **still), seed=3)(0, 4)
    assert not changed["flow"].any()
    moved = generate.Batches(dataclasses.replace(bank, **still), seed=3)(0, 4)
    assert float(moved["flow"].std()) > 0.005


def test_what_has_no_data_is_not_valid(bank):
    known = bank.known.copy()
    known[:, pairs.MARGIN + 40 : pairs.MARGIN + 60, pairs.MARGIN + 30 : pairs.MARGIN + 70] = False
    batch = generate.Batches(dataclasses.replace(bank, known=known), seed=1)(0, 4)
    assert not batch["valid"][:, 40:60, 30:70].any()
    assert batch["valid"][:, 80:110, 30:110].float().mean() > 0.9


def test_finer_scenes_are_refused():
    with pytest.raises(ConfigurationError, match="ratio 1, not 2"):
        banks.make_bank(PairOptions(ratio=2), SCENES, views=1, motions=1)


def test_procedural_ground_is_of_several_scenes():
    made = banks.make_bank(PairOptions(size=64), views=18, motions=1, settings=1)
    fields = [len(np.unique(each)) for each in made.field]
    again = banks.make_bank(PairOptions(size=64), views=17, motions=1, settings=1)
    assert np.array_equal(made.before[:17], again.before)
    assert len(np.unique(made.sun, axis=0)) == 2
    assert min(fields) > 1


def test_bank_motions_are_the_largest_of_their_class(bank):
    assert isinstance(own_motion(np.random.default_rng(0), OPTIONS, "large"), Moving)
    np.testing.assert_allclose(np.hypot(bank.flow[:, 0], bank.flow[:, 1]).max((1, 2)), 2.0, rtol=1e-4)
    np.testing.assert_allclose(bank.factor, 0.25)
