"""The network in use: the same answers as in training, wherever it runs."""

import hashlib
import json

import numpy as np
import pytest
from scipy import ndimage

torch = pytest.importorskip("torch")

from groundshift.errors import InputError  # noqa: E402
from groundshift.kernels.network_inputs import network_inputs  # noqa: E402
from groundshift.model.reason import Reason  # noqa: E402
from groundshift.optical.methods import Nodes  # noqa: E402
from groundshift.optical.network import CARD, WEIGHTS, Network, load, measured, runner  # noqa: E402
from groundshift.optical.refinement import PreparedPair, refined  # noqa: E402
from groundshift.optical.sharp import _unlike  # noqa: E402
from groundshift.synth.textures import shifted_pair  # noqa: E402
from groundshift.train import export  # noqa: E402
from groundshift.train.model import Refiner  # noqa: E402
from groundshift.train.recipe import ModelOptions  # noqa: E402
from groundshift.train.state import load_state  # noqa: E402


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = Refiner(ModelOptions(widths=(4, 8, 8), depth=1, windows=(2.0, 4.0))).eval()
    torch.nn.init.normal_(model.body.head.weight, std=0.05)
    return model


@pytest.fixture(scope="module")
def network(model):
    return Network(runner(export.to_onnx(model), **looks(model)), 2, 1.0)


def looks(model):
    return {"windows": model.options.windows, "reaches": model.options.reaches}


@pytest.mark.parametrize("reaches", [(), (4, 9)])
@pytest.mark.parametrize("windows", [(), (1.5, 4.0)])
def test_torch_and_the_kernel_see_the_same(windows, reaches):
    model = Refiner(ModelOptions(widths=(4, 8), depth=1, windows=windows, reaches=reaches))
    random = np.random.default_rng(1)
    first, second, *flow = (ndimage.gaussian_filter(random.normal(size=(75, 60)), 1.5) * 6 for _ in range(4))
    weight = np.ones((75, 60))
    weight[30:45, 20:40] = weight[:4] = 0
    given = [np.ascontiguousarray(each, np.float32) for each in (first, second, weight, np.stack(flow))]
    told = random.normal(size=(3, 75, 60)).astype(np.float32)
    seen = network_inputs(*given, windows=windows, reaches=reaches, told=told)
    with torch.no_grad():
        *images, field = (torch.from_numpy(each) for each in given)
        expected = model.seen(*(each[None, None] for each in images), field[None], torch.from_numpy(told)[None])
    expected = expected[0].numpy()
    assert np.abs(expected).max(axis=(1, 2)).min() > 0.1
    np.testing.assert_allclose(seen, expected, atol=1e-4)


def test_an_export_that_differs_from_torch_is_refused(model, monkeypatch):
    monkeypatch.setattr(export, "runner", lambda *_, **__: lambda first, *_: np.zeros((7, *first.shape), np.float32))
    with pytest.raises(InputError, match="differ by"):
        export.to_onnx(model)


def test_weights_that_are_not_those_of_the_card_are_refused(model, tmp_path):
    weights = export.to_onnx(model)
    (tmp_path / WEIGHTS).write_bytes(weights)
    card = {"sha256": hashlib.sha256(weights).hexdigest(), "iterations": 3, "variance_factor": 1.5, **looks(model)}
    (tmp_path / CARD).write_text(json.dumps(card))
    assert load(str(tmp_path))[1:] == (3, 1.5, None)
    (tmp_path / WEIGHTS).write_bytes(weights[:-1])
    load.cache_clear()
    with pytest.raises(InputError, match="fetch them again"):
        load(str(tmp_path))
    with pytest.raises(InputError, match="holds no network"):
        load(str(tmp_path / "none"))


def test_the_answer_does_not_depend_on_the_number_of_cores(model, monkeypatch):
    weights = export.to_onnx(model)
    random = np.random.default_rng(0)
    given = [random.normal(size=(80, 96)).astype(np.float32) for _ in range(2)]
    given += [np.ones((80, 96), np.float32), random.normal(size=(2, 80, 96)).astype(np.float32)]
    answers = []
    for cores in (1, 3):
        monkeypatch.setattr("groundshift.optical.network.available_cores", lambda cores=cores: cores)
        monkeypatch.setenv("NUMBA_NUM_THREADS", str(cores))
        answers.append(runner(weights, **looks(model))(*given))
    np.testing.assert_array_equal(*answers)


def test_memory_that_is_given_back_changes_nothing(model, monkeypatch):
    random = np.random.default_rng(0)
    given = [random.normal(size=(80, 96)).astype(np.float32) for _ in range(2)]
    given += [np.ones((80, 96), np.float32), random.normal(size=(2, 80, 96)).astype(np.float32)]
    refine = runner(export.to_onnx(model), **looks(model))
    kept = refine(*given)
    monkeypatch.setattr("groundshift.optical.network._LARGE", 0)
    np.testing.assert_array_equal([refine(*given), refine(*given)], [kept, kept])


def test_the_network_of_the_package_puts_a_fault_in_its_place():
    """A texture cut at column 96: the left moves up, the right down, by 1.3 pixels each."""
    size = 192
    texture, _, _ = shifted_pair(size, dx=0, dy=0, noise=0, seed=7)
    dy = np.where(np.arange(size) < 96, -1.3, 1.3)[None, :].repeat(size, 0)
    rows, cols = np.indices((size, size), dtype=float)
    post = ndimage.map_coordinates(texture, [rows - dy, cols], order=5, mode="mirror")
    noise = 0.05 * np.random.default_rng(3).normal(size=(2, size, size))
    images = ((texture + noise[0]).astype(np.float32), (post + noise[1]).astype(np.float32))
    flow = measured(load(), *images, Nodes(np.arange(192.0), np.arange(192.0)), max_displacement=6)
    inner = np.s_[32:-32, 32:-32]
    error = np.hypot(flow.dx, flow.dy - dy)[inner]
    distance = abs(np.arange(192) - 95.5)[None, :].repeat(192, 0)[inner]
    assert error[distance > 6].mean() < 0.03
    assert error[distance <= 6].mean() < 0.35  # a window of 32 pixels would smear all of it by up to 1.3
    standardised = ((flow.dy - dy) / flow.dy_sigma)[inner]
    assert 0.1 < np.mean(standardised**2) < 3  # one scene; the benchmark has the tight test


def test_where_the_images_have_nothing_in_common_sigma_says_so():
    pre, post, _ = shifted_pair(256, dx=0.4, dy=-0.3, noise=0.1, seed=5)
    foreign, _, _ = shifted_pair(256, dx=0, dy=0, noise=0.1, seed=55)
    post = np.where(np.arange(256) < 128, post, foreign).astype(np.float32)
    flow = measured(load(), pre, post, Nodes(np.arange(256.0), np.arange(256.0)), max_displacement=8)
    like, unlike = np.s_[24:-24, 24:104], np.s_[24:-24, 152:-24]
    assert (flow.reason[like] == Reason.VALID).all()
    assert np.median(np.hypot(flow.dx_sigma, flow.dy_sigma)[like]) < 0.05
    assert (flow.reason[unlike] == Reason.VALID).mean() < 0.4
    told = np.hypot(flow.dx_sigma, flow.dy_sigma)[unlike]
    assert (~(told < 0.2)).mean() > 0.95  # refused, or with a large sigma
    assert np.nanmedian(flow.quality[unlike]) < 0.5 * flow.quality[like].min()
    standardised = [((flow.dx - 0.4) / flow.dx_sigma)[unlike], ((flow.dy + 0.3) / flow.dy_sigma)[unlike]]
    assert np.nanmean(np.square(standardised)) < 3


def test_how_likely_images_have_nothing_in_common():
    correlation = np.full((80, 160), 0.1, np.float32)
    correlation[:, 80:] = 0.9
    weight = np.ones_like(correlation)
    unlike = _unlike(correlation, weight)
    assert unlike[:, :40].min() > 0.98
    assert unlike[:, 120:].max() < 0.06
    assert (np.diff(unlike, axis=1) <= 1e-6).all()
    weight[:, 80:120] = 0  # what cannot be used does not count
    correlation[:, 80:120] = np.where(weight[:, 80:120] > 0, 1, 0)
    assert _unlike(correlation, weight)[:, 130:].max() < 0.06


def test_any_size_is_measured(network):
    pre, post, _ = shifted_pair(180, dx=1.4, dy=-0.6, noise=0.05, seed=3)
    pre, post = pre[:150, :171], post[:150, :171].copy()
    post[40:60, 50:80] = np.nan
    rows, cols = np.arange(150.0), np.arange(171.0)
    flow = measured(network, pre, post, Nodes(rows, cols), max_displacement=6)
    assert flow.dx.shape == (150, 171)
    assert (flow.reason[43:56, 52:75] == Reason.NO_DATA).all()
    assert np.isnan(flow.dx[50, 60])
    valid = flow.reason == Reason.VALID
    assert valid.mean() > 0.8
    assert np.isfinite(flow.dx_sigma[valid]).all()
    some = measured(network, pre, post, Nodes(rows[3::8], cols[5::8]), max_displacement=6)
    np.testing.assert_array_equal(some.dx, flow.dx[3::8, 5::8])


def test_a_part_is_as_the_whole(network):
    pre, post, _ = shifted_pair(384, dx=1.4, dy=-0.6, noise=0.05, seed=4)
    node = Nodes(np.arange(184.0, 200.0), np.arange(184.0, 200.0))
    whole = measured(network, pre, post, node, max_displacement=4)
    part = np.s_[16:-16, 16:-16]
    cut = measured(network, pre[part], post[part], Nodes(node.rows - 16, node.cols - 16), max_displacement=4)
    np.testing.assert_allclose(cut.dx, whole.dx, atol=1e-3)
    np.testing.assert_allclose(cut.dy_sigma, whole.dy_sigma, rtol=1e-2)


def test_a_file_that_is_no_state_is_refused(tmp_path):
    (tmp_path / "state.pt").write_bytes(b"nothing")
    with pytest.raises(InputError, match="no state of a training run"):
        load_state(tmp_path / "state.pt")


def test_a_third_step_counts_where_the_second_moved_much():
    moves = []

    def refine(first, second, weight, flow, told=None):
        answer = np.zeros((7, *first.shape), np.float32)
        answer[:2] = flow
        answer[0, :, :100] += moves[-1]
        calls.append(first.shape)
        return answer

    flat = np.zeros((64, 320), np.float32)
    pair = PreparedPair(flat, flat, flat, flat, np.zeros((2, 64, 320), np.float32), flat, flat)
    for move, steps in ((1.0, 3), (0.1, 2)):
        calls = []
        moves.append(move)
        answer = refined(pair, refine, iterations=3)
        assert len(calls) == steps
        np.testing.assert_allclose(answer[0, :, :40], steps * move, rtol=1e-5)
        assert not answer[0, :, 160:].any()
