"""Training: what the network is given, what it answers, and that a run can be stopped."""

import json
import tarfile
import zipfile

import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch")

from groundshift.cli.app import app  # noqa: E402
from groundshift.errors import ConfigurationError, InputError  # noqa: E402
from groundshift.io.samples import Sample, SampleFolder, write_shard  # noqa: E402
from groundshift.optical.methods import Nodes  # noqa: E402
from groundshift.optical.network import load, measured, read_weights  # noqa: E402
from groundshift.optical.refinement import CHANNELS, prepared, refined, variance, warped  # noqa: E402
from groundshift.optical.sharp import TOLD  # noqa: E402
from groundshift.synth.dataset import DatasetOptions  # noqa: E402
from groundshift.synth.options import PairOptions  # noqa: E402
from groundshift.synth.textures import shifted_pair  # noqa: E402
from groundshift.train import loop  # noqa: E402
from groundshift.train.data import Joined, Prepared, augmented, made  # noqa: E402
from groundshift.train.examples import LastInput, run_model  # noqa: E402
from groundshift.train.export import calibrate, export  # noqa: E402
from groundshift.train.kept import Kept, symmetric  # noqa: E402
from groundshift.train.loop import train  # noqa: E402
from groundshift.train.loss import loss, negative_log_likelihood  # noqa: E402
from groundshift.train.model import Refiner  # noqa: E402
from groundshift.train.optimise import KernelMuon, Optimiser  # noqa: E402
from groundshift.train.recipe import ModelOptions, Recipe, read_recipe  # noqa: E402
from groundshift.train.state import STATE, TABLE, load_state, load_weights  # noqa: E402

SMALL = ModelOptions(widths=(4, 8), depth=1, windows=(2.0,), reaches=(4,))


def sample(seed, size=96):
    random = np.random.default_rng(seed)
    dx, dy = random.uniform(-1.5, 1.5, 2)
    pre, post, _ = shifted_pair(size, dx=dx, dy=dy, noise=0.05, seed=seed)
    counts = [np.clip(1000 + 200 * each, 1, 65535).astype(np.uint16) for each in (pre, post)]
    flow = np.stack([np.full((size, size), each, np.float32) for each in (dx, dy)])
    distance = np.full((size, size), np.inf, np.float32)
    return Sample(*counts, flow, np.ones((size, size), bool), distance, {"seed": seed})


@pytest.fixture
def recipe(tmp_path):
    for split, seeds in (("train", range(6)), ("validation", range(6, 8))):
        (tmp_path / split).mkdir()
        write_shard(tmp_path / split / "0.tar", [sample(seed) for seed in seeds])
    return Recipe(
        model=SMALL, train=(str(tmp_path / "train"),), validation=(str(tmp_path / "validation"),), crop=64, steps=6,
        batch=2, every=3, workers=0, iterations=2, average=0.5,
    )  # fmt: skip


def test_the_first_field_is_near_the_truth():
    pre, post, _ = shifted_pair(160, dx=2.3, dy=-1.6, noise=0.05, seed=1)
    pre[60:80, 60:80] = np.nan
    pair = prepared(pre, post, max_displacement=6)
    assert np.abs(pair.start - np.array([2.3, -1.6])[:, None, None])[:, 16:-16, 16:-16].max() < 0.25
    assert (pair.first_weight == 0).sum() == 400
    second, weight = warped(pair, pair.start)
    inner = np.s_[20:-20, 20:-20]
    assert np.corrcoef(second[inner][weight[inner] > 0], pair.first[inner][weight[inner] > 0])[0, 1] > 0.95


def test_torch_and_numpy_take_the_same_steps():
    torch.manual_seed(0)
    model = Refiner(SMALL)
    torch.nn.init.normal_(model.body.head.weight, std=0.05)
    pre, post, _ = shifted_pair(96, dx=0.7, dy=-0.4, noise=0.05, seed=2)
    pair = prepared(pre, post, max_displacement=4)

    @torch.no_grad()
    def refine(first, second, weight, flow):
        images = (torch.from_numpy(each)[None, None] for each in (first, second, weight))
        return model(*images, torch.from_numpy(flow)[None])[0].numpy()

    answer = refined(pair, refine, iterations=2)
    batch = {
        "first": pair.first[None, None], "second": pair.second[None, None], "start": pair.start[None],
        "first_weight": pair.first_weight[None, None], "second_weight": pair.second_weight[None, None],
    }  # fmt: skip
    with torch.no_grad():
        steps = run_model(model, {name: torch.from_numpy(each) for name, each in batch.items()}, iterations=2)
    assert answer.shape == (CHANNELS, 96, 96)
    assert np.abs(answer - pair.start[[0, 1, 0, 1, 0, 1, 0]])[:2].max() > 1e-3
    apart = np.abs(steps[-1][0].numpy() - answer)
    assert np.mean(apart > 2e-4) < 1e-4  # where two places agree equally well, rounding chooses
    assert apart.max() < 5e-3


def test_the_likelihood_is_that_of_a_density():
    """The density of one component adds up to 1, and its variance is what is said."""
    errors = torch.linspace(-60, 60, 48001)
    answer = torch.zeros(1, CHANNELS, 1, errors.numel())
    for channel, value in zip(range(2, 7), (-1.0, -0.5, 0.4, 0.6, -0.3), strict=True):
        answer[:, channel] = value
    flow = torch.zeros(1, 2, 1, errors.numel())
    flow[:, 0] = errors
    joint = torch.exp(-negative_log_likelihood(answer, flow)).flatten().numpy()  # with dy exactly right
    share = 1 / (1 + np.exp(0.3))
    at_zero = [(1 - share) / (2 * np.exp(-0.5)), share / (2 * np.exp(0.6))]
    assert np.trapezoid(joint, errors.numpy()) == pytest.approx(sum(at_zero), rel=1e-3)
    expected = 2 * ((1 - share) * np.exp(-2.0) + share * np.exp(0.8))
    assert variance(answer.numpy()[0])[0, 0, 0] == pytest.approx(expected, rel=1e-5)


def test_pixels_that_are_not_valid_do_not_count():
    answer, flow = torch.zeros(1, CHANNELS, 4, 4), torch.zeros(1, 2, 4, 4)
    valid = torch.ones(1, 4, 4)
    valid[0, 0] = 0
    plain = loss([answer], flow, valid, decay=0.8, absolute=1.0)
    flow[:, :, 0] = 100
    assert loss([answer], flow, valid, decay=0.8, absolute=1.0) == plain


def test_the_likelihood_teaches_the_scales_alone():
    torch.manual_seed(0)
    answer = torch.randn(1, CHANNELS, 4, 4, requires_grad=True)
    loss([answer], torch.zeros(1, 2, 4, 4), torch.ones(1, 4, 4), decay=0.8, absolute=0.0).backward()
    assert (answer.grad[:, :2] == 0).all()
    assert (answer.grad[:, 2:] != 0).all()


def test_a_pixel_on_the_wrong_side_of_a_fault_finds_the_right_one():
    """The ground right of column 48 moved by 0.8 pixels; the field that is given has the fault at column 54."""
    pre, post, _ = shifted_pair(96, dx=0.8, dy=0.0, noise=0.02, seed=3)
    still, _, _ = shifted_pair(96, dx=0.0, dy=0.0, noise=0.0, seed=3)
    post = np.where(np.arange(96) < 48, still, post).astype(np.float32)
    flow = np.zeros((2, 96, 96), np.float32)
    flow[0, :, 54:] = 0.8
    pair = prepared(pre, post, max_displacement=4)._replace(start=flow)
    second, weight = (torch.from_numpy(each)[None, None] for each in warped(pair, flow))
    first, flow = torch.from_numpy(pair.first)[None, None], torch.from_numpy(flow)[None]
    gradient = np.gradient((first + second)[0, 0].numpy() / 2)
    gy, gx = (torch.from_numpy(each)[None, None] for each in gradient)
    model = Refiner(ModelOptions(widths=(4, 8), depth=1, windows=(2.0,), reaches=(9,)))
    step, now, then = model.from_around(flow, torch.zeros_like(flow), gx, gy, first - second, weight)
    inner = np.s_[16:-16]
    assert (abs(step[0, 0, inner, 49:53] - 0.8) < 1e-6).float().mean() > 0.8
    assert (step[0, :, inner, 20:44].abs().amax(0) < 1e-6).float().mean() > 0.8
    assert (then <= now).all()


def test_samples_that_are_made_are_new_in_each_epoch(tmp_path):
    (tmp_path / "folder").mkdir()
    write_shard(tmp_path / "folder" / "0.tar", [sample(seed) for seed in range(2)])
    options = DatasetOptions(
        train=2, validation=0, test=0, scales=("small", "large"), pair=PairOptions(size=64), scene=1
    )
    fresh = made(options)
    assert len(fresh) == 4
    data = Prepared(Joined((SampleFolder(tmp_path / "folder"), fresh)), symmetries=False)
    first, again, later = (data[key]["images"] for key in ((0, 3), (0, 3), (1, 3)))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - later).max() > 0.1
    np.testing.assert_array_equal(data[0, 1]["images"], data[1, 1]["images"])
    assert fresh[1].record["scale"] == "large"


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(recipe, tmp_path, monkeypatch):
    whole = torch.load(train(recipe, tmp_path / "whole", device="cpu"), weights_only=True)
    saved, save = [], loop.save

    def stop(*args):
        save(*args)
        saved.append(args[2])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("groundshift.train.loop.save", stop)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "parts", device="cpu")
    assert saved == [3]
    parts = torch.load(train(recipe, tmp_path / "parts", device="cpu"), weights_only=True)
    assert parts["step"] == whole["step"] == 6
    for name, value in whole["average"].items():
        torch.testing.assert_close(parts["average"][name], value, rtol=1e-5, atol=1e-7)
    rows = (tmp_path / "parts" / TABLE).read_text().splitlines()
    assert len(rows) == 3
    assert (tmp_path / "parts" / "curves.png").exists()
    with pytest.raises(InputError, match="another recipe"):
        train(recipe.model_copy(update={"rate": 1e-4}), tmp_path / "parts", device="cpu")
    assert (tmp_path / "parts" / STATE).exists()


def test_a_state_with_one_wrong_bit_is_refused(recipe, tmp_path):
    state = train(recipe, tmp_path / "run", device="cpu")
    content = state.read_bytes()
    with zipfile.ZipFile(state) as archive:
        weights = max(archive.infolist(), key=lambda each: each.file_size)
    at = content.index(b"PK\x01\x02") // 2
    for harmed in (
        content[:at],
        content[: weights.header_offset + 300] + b"?" + content[weights.header_offset + 301 :],
    ):
        state.write_bytes(harmed)
        for read in (lambda: train(recipe, tmp_path / "run", device="cpu"), lambda: load_state(state)):
            with pytest.raises(InputError, match=r"state\.pt is no state of a training run, or harmed"):
                read()


def test_a_state_that_does_not_fit_on_the_disk_leaves_the_one_before(recipe, tmp_path):
    resource = pytest.importorskip("resource")
    state = train(recipe.model_copy(update={"steps": 3}), tmp_path / "run", device="cpu")
    before, limit = state.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        model, _, kept = load_state(state)
        with pytest.raises(OSError, match=r"too large: .*state\.pt"):
            loop.save(tmp_path / "run", recipe, 6, model, model, Optimiser(model, recipe), kept["table"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert state.read_bytes() == before
    assert {each.name for each in state.parent.iterdir()} == {"state.pt", "log.csv", "curves.png"}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_harmed_sample_is_named_in_a_line(recipe, tmp_path, workers):
    shard = tmp_path / "train" / "0.tar"
    content = bytearray(shard.read_bytes())
    with tarfile.open(shard) as members:
        for each in members:
            content[each.offset_data + each.size // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(InputError, match=r"^.*0\.tar at byte \d+ is no sample, or truncated.*$") as refused:
        train(recipe.model_copy(update={"workers": workers}), tmp_path / "out", device="cpu")
    assert "\n" not in str(refused.value)


def test_a_device_that_is_not_there(recipe, tmp_path):
    with pytest.raises(ConfigurationError, match="device 'abacus' cannot be used"):
        train(recipe, tmp_path / "out", device="abacus")


def test_a_run_ends_with_a_network_to_use(recipe, tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text(json.dumps(recipe.model_dump(mode="json")))
    result = CliRunner().invoke(app, ["train", str(file), "-o", str(tmp_path / "out"), "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert "error on the validation samples" in result.output
    network = load(str(tmp_path / "out"))
    pre, post, _ = shifted_pair(96, dx=0.7, dy=-0.4, noise=0.05, seed=2)
    nodes = Nodes(np.arange(40.0, 56.0), np.arange(40.0, 56.0))
    flow = measured(network, pre, post, nodes, max_displacement=4)
    assert np.isfinite(flow.dx).all()


def test_a_run_starts_with_the_weights_of_another(recipe, tmp_path):
    first = load_state(train(recipe, tmp_path / "first", device="cpu"))[0]
    tiny = recipe.model_copy(update={"start": str(tmp_path / "first" / STATE), "rate": 1e-12, "near": 3.0, "steps": 1})
    second = load_state(train(tiny, tmp_path / "second", device="cpu"))[0]
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-8)


def test_a_run_starts_with_a_network_that_is_ready_to_use(recipe, tmp_path):
    state = train(recipe, tmp_path / "run", device="cpu")
    export(state, tmp_path / "network")
    for a, b in zip(
        load_state(state)[0].parameters(), load_weights(str(tmp_path / "network")).parameters(), strict=True
    ):
        torch.testing.assert_close(a, b)
    with pytest.raises(InputError, match="holds no network"):
        load_weights(str(tmp_path))
    with pytest.raises(InputError, match="no state of a training run"):
        load_weights(str(tmp_path / "nothing.pt"))


def test_variances_are_made_right_on_samples(recipe, tmp_path):
    network, right = str(tmp_path / "network"), str(tmp_path / "right")
    card = export(train(recipe, tmp_path / "run", device="cpu"), network)
    found = calibrate(network, recipe.train, right)
    before, after = (json.loads((tmp_path / name / "network.json").read_text()) for name in ("network", "right"))
    assert after == {**before, "variance_factor": found["variance_factor"], "calibration_samples": 6}
    squares = []
    for k in range(6):
        pre, post, flow = (getattr(sample(k), name) for name in ("pre", "post", "flow"))
        nodes = Nodes(*(np.arange(side, dtype=float) for side in pre.shape))
        told = measured(load(network)._replace(variance_factor=1.0), pre, post, nodes, max_displacement=12)
        errors = np.stack([told.dx, told.dy]) - flow
        errors, sigmas = (each[:, 25:-25, 25:-25] for each in (errors, np.stack([told.dx_sigma, told.dy_sigma])))
        off = np.nanmedian(errors, axis=(1, 2), keepdims=True)
        squares.append(np.nanmean(((errors - off) / sigmas) ** 2))
    assert found["variance_factor"] == pytest.approx(np.mean(squares), rel=0.2)
    assert load(right).variance_factor == found["variance_factor"]
    named = export(
        train(recipe.model_copy(update={"calibration": recipe.train}), tmp_path / "named", device="cpu"), network
    )
    assert named["variance_factor"] == pytest.approx(found["variance_factor"], rel=1e-6)
    assert named["validation"]["epe"] == card["validation"]["epe"]
    with pytest.raises(InputError, match="holds no sample"):
        calibrate(network, [right], tmp_path / "nothing")


def test_the_network_of_the_package_can_be_trained_further():
    model, network = load_weights("shipped"), load()
    images = [np.random.default_rng(seed).standard_normal((64, 64)).astype(np.float32) for seed in range(2)]
    weight, flow = np.ones((64, 64), np.float32), np.zeros((2, 64, 64), np.float32)
    with torch.no_grad():
        given = (torch.from_numpy(each)[None, None] for each in (*images, weight))
        expected = model(*given, torch.from_numpy(flow)[None])[0].numpy()
    np.testing.assert_allclose(network.refine(*images, weight, flow), expected, atol=1e-4)


def test_a_network_that_is_told_more_begins_with_one_that_is_not():
    torch.manual_seed(0)
    first, second = (Refiner(SMALL.model_copy(update={"told": each})) for each in (0, TOLD))
    torch.nn.init.normal_(first.body.head.weight, std=0.05)
    second.adopt(first)
    images, weight, flow = torch.randn(2, 1, 1, 32, 32), torch.ones(1, 1, 32, 32), torch.randn(1, 2, 32, 32)
    told = torch.randn(1, TOLD, 32, 32)
    torch.testing.assert_close(second(*images, weight, flow, told), first(*images, weight, flow), rtol=1e-4, atol=1e-5)
    second(*images, weight, flow, told).square().sum().backward()
    assert (second.body.enter.weight.grad[:, -TOLD:].abs().amax((0, 2, 3)) > 0).all()
    with pytest.raises(ConfigurationError, match="`told`"):
        first.adopt(second)


@pytest.fixture
def last_recipe(recipe, tmp_path):
    export(train(recipe, tmp_path / "steps", device="cpu"), tmp_path / "steps")
    changes = {
        "after": str(tmp_path / "steps"), "start": str(tmp_path / "steps"), "iterations": 1, "level": 0.1,
        "model": {**SMALL.model_dump(), "told": TOLD},
    }  # fmt: skip
    return Recipe(**{**recipe.model_dump(), **changes})


def test_a_last_step_is_trained_on_what_a_network_leaves(last_recipe, tmp_path, monkeypatch):
    asked = []
    call = LastInput.__call__
    monkeypatch.setattr(LastInput, "__call__", lambda *given: asked.append(given[1].record["seed"]) or call(*given))
    state = train(last_recipe, tmp_path / "run", device="cpu")
    assert sorted(asked) == list(range(8))  # each of six to train on and two others once, in twelve that were taken
    card = export(state, tmp_path / "run")
    network, before = load(str(tmp_path / "run")), load(last_recipe.after)
    assert (before.last, network.iterations) == (None, before.iterations)
    assert card["last"]["recipe"]["after"] == last_recipe.after
    assert card["sha256"] == read_weights(last_recipe.after)[0]["sha256"]
    pre, post, _ = shifted_pair(96, dx=0.7, dy=-0.4, noise=0.05, seed=2)
    nodes = Nodes(np.arange(40.0, 56.0), np.arange(40.0, 56.0))
    ways = [measured(each, pre, post, nodes, max_displacement=4) for each in (network, before)]
    assert all(np.isfinite(each.dx).all() for each in ways)
    assert np.abs(ways[0].dx - ways[1].dx).max() > 1e-5
    again = load_weights(str(tmp_path / "run"), last=True)
    for a, b in zip(load_state(state)[0].parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    kept = next((tmp_path / "run" / "samples").iterdir())
    kept.write_bytes(kept.read_bytes()[:-100])
    (tmp_path / "run" / STATE).unlink()
    with pytest.raises(InputError, match=r"npz cannot be read .*; remove it, and it is made anew"):
        train(last_recipe, tmp_path / "run", device="cpu")


def test_what_is_kept_is_what_was_prepared(tmp_path):
    """Whole, and rounded where rounding does no harm; what is cut out is the same in all that is kept."""
    samples = [sample(seed) for seed in range(2)]
    calls = []

    def arrays(sample, random):
        calls.append(sample.record["seed"])
        rows, cols = np.indices((96, 96), dtype=np.float32)
        return {
            "first": rows[None] / 96, "flow": np.stack([cols, rows]), "valid": np.ones((96, 96), bool),
            "distance": np.full((96, 96), np.inf, np.float32),
        }  # fmt: skip

    data = Kept(samples, tmp_path / "kept", 64, arrays, symmetries=False, seed=3)
    parts = [data[epoch, 1] for epoch in (0, 0, 1, 2)]
    assert calls == [1]
    np.testing.assert_array_equal(parts[0]["flow"], parts[1]["flow"])
    assert any((each["flow"] != parts[0]["flow"]).any() for each in parts[2:])
    for each in parts:
        assert each["flow"].shape == (2, 64, 64)
        np.testing.assert_array_equal(np.diff(each["flow"][1], axis=0), 1)
        np.testing.assert_allclose(each["first"][0] * 96, each["flow"][1], atol=0.05)
        assert each["valid"].dtype == bool
        assert np.isfinite(each["distance"]).all()


@pytest.mark.parametrize("k", range(8))
def test_what_the_last_step_is_given_turns_as_samples_do(k):
    """Displacements turn; of sizes only their order does."""
    one = sample(1)
    random = np.random.default_rng(k)
    flow = random.normal(size=(2, 96, 96)).astype(np.float32)
    one = Sample(one.pre, one.post, flow, one.valid, random.uniform(size=(96, 96)).astype(np.float32), one.record)
    told = np.concatenate([flow, np.abs(flow), np.abs(flow) + 1])
    turned = symmetric({"flow": flow, "start": flow, "told": told, "distance": one.distance}, k)
    expected = augmented(one, k)
    np.testing.assert_array_equal(turned["flow"], expected.flow)
    np.testing.assert_array_equal(turned["start"], expected.flow)
    np.testing.assert_array_equal(turned["distance"], expected.distance)
    sizes = np.abs(expected.flow)
    np.testing.assert_array_equal(turned["told"], np.concatenate([expected.flow, sizes, sizes + 1]))


def test_samples_whose_field_is_right_count_for_more():
    batch = {"start": torch.zeros(3, 2, 8, 8), "flow": torch.zeros(3, 2, 8, 8), "valid": torch.ones(3, 8, 8)}
    batch["flow"][1, 0], batch["flow"][2, 1] = 0.07, 7.0
    batch["flow"][1, :, :4], batch["valid"][1, :4] = 50.0, 0.0  # what is not known does not count
    torch.testing.assert_close(loop._levelled(batch, 0.08), torch.tensor([5.0, 1.0, 0.5]))


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_muon_steps_along_all_directions_of_a_gradient_alike(layout):
    """The change of a kernel, as a matrix, has nearly equal singular values, and the length of one by AdamW."""
    torch.manual_seed(0)
    kernel = torch.nn.Parameter(torch.randn(8, 6, 3, 3).contiguous(memory_format=layout))
    before = kernel.detach().clone()
    optimiser = KernelMuon([kernel], rate=0.01, decay=0.0)
    gradient = torch.randn(8, 54) * torch.logspace(0, -1, 8)[:, None]
    kernel.grad = gradient.view(8, 3, 3, 6).permute(0, 3, 1, 2)
    optimiser.step()
    change = (kernel.detach() - before).permute(0, 2, 3, 1).flatten(1)
    given, made = (torch.linalg.svdvals(each) for each in (gradient, change))
    assert given[0] / given[-1] > 8
    assert made[0] / made[-1] < 2
    assert change.square().mean().sqrt() == pytest.approx(0.2 * 0.01, rel=0.25)
    assert (change * gradient).sum() < 0


def test_a_network_that_looks_around_begins_with_one_that_does_not():
    torch.manual_seed(0)
    first = Refiner(SMALL.model_copy(update={"reaches": ()}))
    torch.nn.init.normal_(first.body.head.weight, std=0.05)
    second = Refiner(SMALL)
    second.adopt(first)
    images, weight, flow = torch.randn(2, 1, 1, 32, 32), torch.ones(1, 1, 32, 32), torch.randn(1, 2, 32, 32)
    given = (*images, weight, flow)
    second.body.head.bias.data[2] = -30  # never chosen
    with torch.no_grad():
        torch.testing.assert_close(second(*given), first(*given), rtol=1e-4, atol=1e-5)
    with pytest.raises(ConfigurationError, match="only `reaches`, `deeper`, `told` and widths after the last"):
        Refiner(ModelOptions(widths=(4, 6, 8))).adopt(first)


def test_new_levels_add_nothing_at_first_but_learn():
    torch.manual_seed(0)
    first = Refiner(SMALL)
    torch.nn.init.normal_(first.body.head.weight, std=0.05)
    second = Refiner(SMALL.model_copy(update={"widths": (*SMALL.widths, 6, 5)}))
    second.adopt(first)
    images, weight, flow = torch.randn(2, 1, 1, 32, 32), torch.ones(1, 1, 32, 32), torch.randn(1, 2, 32, 32)
    torch.testing.assert_close(second(*images, weight, flow), first(*images, weight, flow))
    second(*images, weight, flow).square().sum().backward()
    assert float(second.body.finer[len(SMALL.widths) - 1].weight.grad.abs().max()) > 0
    with pytest.raises(ConfigurationError, match="widths after the last"):
        first.adopt(second)


def test_new_blocks_add_nothing_at_first_but_learn():
    torch.manual_seed(0)
    images, weight, flow = torch.randn(2, 1, 1, 32, 32), torch.ones(1, 1, 32, 32), torch.randn(1, 2, 32, 32)
    first, second, third = (Refiner(SMALL.model_copy(update={"deeper": each})) for each in ((), (0, 1), (1, 2)))
    for model in (first, second, third):
        torch.nn.init.normal_(model.body.head.weight, std=0.05)
    second.adopt(first)
    torch.testing.assert_close(second(*images, weight, flow), first(*images, weight, flow))
    second(*images, weight, flow).square().sum().backward()
    last = second.body.more_down[1][0][-1].weight
    assert float(last.grad.abs().max()) > 0
    with torch.no_grad():  # as if it had learned
        last.normal_(std=0.05)
    third.adopt(second)
    torch.testing.assert_close(third(*images, weight, flow), second(*images, weight, flow))
    with torch.no_grad():
        assert not torch.allclose(second(*images, weight, flow), first(*images, weight, flow), atol=1e-3)
    with pytest.raises(ConfigurationError, match="only `reaches`, `deeper`"):
        second.adopt(third)
    with pytest.raises(ValueError, match="deeper has 3 levels"):
        ModelOptions(widths=(4, 8), deeper=(0, 1, 1))


def test_recipes_have_profiles(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text("train: [a]\nvalidation: [b]\nsteps: 10\nprofiles:\n  large: {steps: 20, batch: 8}\n")
    assert read_recipe(file).steps == 10
    assert (read_recipe(file, profile="large").steps, read_recipe(file, profile="large").batch) == (20, 8)
    with pytest.raises(ConfigurationError, match="no profile 'small'; choose one of large"):
        read_recipe(file, profile="small")
    file.write_text("validation: [b]\n")
    with pytest.raises(ConfigurationError, match="nothing to train on"):
        read_recipe(file)
    for wrong in (
        "step: 10",
        "model: {told: 6}",
        "after: shipped",
        "model: {reaches: [-4]}",
        "model: {widths: [0]}",
        "model: {windows: [0]}",
        "profiles: [a]",
    ):
        file.write_text(f"train: [a]\nvalidation: [b]\n{wrong}\n")
        with pytest.raises(ConfigurationError, match=r"step|model|profiles") as refused:
            read_recipe(file)
        assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="cannot be read"):
        read_recipe(tmp_path / "none.yaml")
