"""Samples as a network takes them: turned, cropped, normalised, ordered, and the same with torch."""

import itertools
import pickle
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from groundshift.errors import ConfigurationError, InputError
from groundshift.io.samples import Sample, SampleFolder, write_shard
from groundshift.train.data import (
    Made,
    Order,
    Prepared,
    arrays_of,
    augmented,
    batches,
    cropped,
    iterable,
    normalised,
)

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # on a single core


def made(index, *, shape=(24, 24)):
    """A sample whose ground moves by whole pixels, so that it can be followed pixel by pixel."""
    random = np.random.default_rng(index)
    pre = random.integers(1, 60000, shape).astype(np.uint16)
    flow = np.stack([np.full(shape, 2, np.float32), np.where(np.arange(shape[1]) < 12, 1, -1) * np.ones(shape)])
    post = np.zeros(shape, np.uint16)
    rows, cols = np.indices(shape)
    to = (rows + flow[1].astype(int)).clip(0, shape[0] - 1), (cols + flow[0].astype(int)).clip(0, shape[1] - 1)
    post[to] = pre
    inside = (to[0] == rows + flow[1]) & (to[1] == cols + flow[0])
    valid = inside & (post[to] == pre)
    return Sample(pre, post, flow.astype(np.float32), valid, np.abs(cols - 12).astype(np.float32), {"index": index})


def follows(sample):
    """Whether every valid pixel of the first image is found on the second where the flow says."""
    rows, cols = np.nonzero(sample.valid)
    dx, dy = sample.flow[:, rows, cols].astype(int)
    return len(rows) > 100 and np.array_equal(sample.pre[rows, cols], sample.post[rows + dy, cols + dx])


@pytest.mark.parametrize("k", range(8))
def test_the_flow_turns_with_the_ground(k):
    sample = made(3, shape=(24, 30))
    turned = augmented(sample, k)
    assert follows(sample)
    assert follows(turned)
    assert turned.valid.sum() == sample.valid.sum()
    assert turned.record == {"index": 3, "symmetry": k}
    assert all(getattr(turned, name).flags.c_contiguous for name in ("pre", "flow", "valid"))
    assert sorted(turned.distance.ravel()) == sorted(sample.distance.ravel())
    assert turned.flow.dtype == np.float32


def test_the_symmetries_are_eight_and_a_group():
    sample = made(1)
    images = {augmented(sample, k).pre.tobytes(): k for k in range(8)}
    assert len(images) == 8
    for a, b in itertools.product(range(8), repeat=2):
        twice = augmented(augmented(sample, a), b)
        once = augmented(sample, images[twice.pre.tobytes()])
        assert np.array_equal(twice.flow, once.flow)
    with pytest.raises(ConfigurationError, match="0 to 7"):
        augmented(sample, 8)


def test_a_crop_is_a_part():
    sample = made(2)
    part = cropped(sample, 3, 5, 16)
    assert np.array_equal(part.flow, sample.flow[:, 3:19, 5:21])
    assert np.array_equal(part.valid, sample.valid[3:19, 5:21])
    with pytest.raises(InputError, match="not inside a sample of 24 x 24"):
        cropped(sample, 10, 0, 16)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16, np.float32])
def test_any_bit_depth_is_normalised(depth):
    values = np.random.default_rng(0).normal(120, 20, (64, 64))
    image = (values if depth != np.float32 else values * 1e-3).astype(depth)
    out = normalised(image)
    assert np.median(out) == pytest.approx(0, abs=0.03)
    assert out.std() == pytest.approx(1, abs=0.1)
    assert out.dtype == np.float32


def test_outliers_holes_and_flat_images_are_normalised():
    image = np.random.default_rng(0).normal(1000, 50, (64, 64)).astype(np.float32)
    plain = normalised(image)
    image[:10], image[20:22] = 60000, np.nan
    out = normalised(image)
    assert out[:10].max() <= 10
    assert (out[20:22] == 0).all()
    assert np.abs(out[30:] - plain[30:]).mean() < 0.3
    assert (normalised(np.full((8, 8), 7, np.uint16)) == 0).all()
    assert (normalised(np.full((8, 8), np.nan)) == 0).all()
    half = np.zeros((8, 8))
    half[0] = 5
    assert np.isfinite(normalised(half)).all()


def test_flow_that_is_not_known_is_zero_and_not_valid():
    sample = made(0)
    sample.flow[:, 5, 6] = np.nan
    arrays = arrays_of(sample, np.random.default_rng(0))
    assert not arrays["valid"][5, 6]
    assert (arrays["flow"][:, ~arrays["valid"]] == 0).all()
    assert {name: each.shape for name, each in arrays.items()} == {
        "images": (2, 24, 24), "flow": (2, 24, 24), "valid": (24, 24), "distance": (24, 24),
    }  # fmt: skip


def test_an_order_is_random_complete_and_shared():
    orders = [Order(103, seed=5, rank=rank, ranks=4) for rank in range(4)]
    keys = [list(order) for order in orders]
    assert [len(each) for each in keys] == [len(order) for order in orders] == [25] * 4
    numbers = [index for each in keys for _, index in each]
    assert len(set(numbers)) == 100
    assert numbers != sorted(numbers)
    assert list(orders[0]) == keys[0]
    orders[0].set_epoch(1)
    assert list(orders[0]) != keys[0]
    assert {epoch for epoch, _ in orders[0]} == {1}
    assert [index for _, index in Order(5, shuffle=False)] == list(range(5))
    with pytest.raises(ConfigurationError, match="rank 4 of 4"):
        Order(10, rank=4, ranks=4)


def same(a, b):
    """Whether two dictionaries hold the same arrays."""
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name], equal_nan=True) for name in a)


def test_what_is_random_hangs_on_epoch_and_number_alone(tmp_path):
    write_shard(tmp_path / "a.tar", (made(i) for i in range(4)))
    data = Prepared(SampleFolder(tmp_path), crop=16, seed=3)
    again = pickle.loads(pickle.dumps(data))
    assert all(same(data[2, i], again[2, i]) for i in reversed(range(4)))
    assert same(data[1], data[0, 1])
    views = {data[epoch, 1]["images"].tobytes() for epoch in range(30)}
    assert len(views) > 20
    assert data[0]["images"].shape == (2, 16, 16)
    with pytest.raises(IndexError):
        data[4]


def test_samples_that_are_not_square_keep_their_shape():
    data = Prepared(Made(partial(made, shape=(24, 30)), 10))
    assert {data[epoch, 0]["flow"].shape for epoch in range(20)} == {(2, 24, 30)}


def test_no_epoch_repeats_samples_made_on_the_fly():
    data = Prepared(Made(made, 3), symmetries=False)
    seen = {data[epoch, i]["images"].tobytes() for epoch in range(4) for i in range(3)}
    assert len(seen) == 12
    assert same(data[2, 1], arrays_of(made(7), np.random.default_rng(0)))


def test_batches_of_numpy():
    data = Prepared(Made(made, 10), symmetries=False)
    found = list(batches(data, 4))
    assert [len(batch["images"]) for batch in found] == [4, 4, 2]
    assert same({name: each[1] for name, each in found[1].items()}, data[5])
    order = Order(10, seed=1)
    shuffled = list(batches(data, 4, order=order))
    assert same({name: each[0] for name, each in shuffled[0].items()}, data[next(iter(order))])


def test_torch_is_not_imported_until_it_is_asked_for():
    code = "import sys, groundshift.train.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_torch_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ConfigurationError, match=r"pip install groundshift\[train\]"):
        iterable(Prepared(Made(made, 3)))


@pytest.mark.parametrize("workers", [0, 2])
def test_torch_loads_what_numpy_does(workers):
    torch = pytest.importorskip("torch")
    data, order = Prepared(Made(made, 7), crop=16), Order(7, seed=2)
    options = {"batch_size": 2, "num_workers": workers, "persistent_workers": workers > 0}
    loader = torch.utils.data.DataLoader(data, sampler=order, **options)
    for epoch in (0, 1):
        order.set_epoch(epoch)
        for ours, batch in zip(batches(data, 2, order=order), loader, strict=True):
            assert batch["images"].dtype == torch.float32
            assert batch["valid"].dtype == torch.bool
            assert same(ours, {name: each.numpy() for name, each in batch.items()})


@pytest.mark.parametrize(("workers", "persistent"), [(0, False), (2, False), (2, True)])
def test_a_torch_stream_gives_each_sample_once(workers, persistent):
    torch = pytest.importorskip("torch")
    data = Prepared(Made(made, 11), symmetries=False)
    streams = [iterable(data, rank=rank, ranks=2) for rank in (0, 1)]
    loaders = [
        torch.utils.data.DataLoader(each, batch_size=1, num_workers=workers, persistent_workers=persistent)
        for each in streams
    ]
    for epoch in (0, 1):
        found = []
        for stream, loader in zip(streams, loaders, strict=True):
            stream.set_epoch(epoch)
            assert len(stream) == 5
            found += [batch["images"][0].numpy().tobytes() for batch in loader]
        expected = [data[epoch, i]["images"].tobytes() for i in range(10)]
        assert sorted(found) == sorted(expected)


def test_a_torch_stream_can_be_pickled():
    pytest.importorskip("torch")
    stream = iterable(Prepared(Made(made, 4)), epoch=2)
    again = pickle.loads(pickle.dumps(stream))
    assert all(same(a, b) for a, b in zip(stream, again, strict=True))
    assert again.epoch == stream.epoch == 3
