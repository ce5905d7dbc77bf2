"""Samples on disk: layout, shards, folders, and what is said of files that are none."""

import io
import json
import pickle
import tarfile
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from groundshift.errors import InputError
from groundshift.io.samples import (
    Sample,
    SampleFolder,
    read_sample,
    read_shard,
    sample_name,
    to_bytes,
    write_sample,
    write_shard,
)
from groundshift.synth.warp import warp_forward

SHAPE = (40, 56)


def sample_of(seed, *, dtype=np.uint16):
    """A sample with a smooth flow of a few pixels, and some of it not valid."""
    random = np.random.default_rng(seed)
    rows, cols = np.indices(SHAPE) / 20
    flow = np.stack([1.5 * np.sin(rows + seed), 0.8 * np.cos(cols)]).astype(np.float32)
    images = random.integers(0, 5000, (2, *SHAPE)).astype(dtype)
    distance = random.uniform(0, 30, SHAPE).astype(np.float32)
    return Sample(*images, flow, random.random(SHAPE) > 0.1, distance, {"name": f"s{seed}", "slip": 1.25})


def same(a, b):
    """Whether two samples agree to the last bit."""
    arrays = ("pre", "post", "flow", "valid", "distance")
    equal = [np.array_equal(getattr(a, name), getattr(b, name), equal_nan=name == "distance") for name in arrays]
    types = [getattr(a, name).dtype == getattr(b, name).dtype for name in arrays]
    return all(equal) and all(types) and dict(a.record) == dict(b.record)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("compress", [True, False])
def test_a_file_gives_back_the_sample(tmp_path, dtype, compress):
    sample = sample_of(1, dtype=dtype)
    write_sample(tmp_path / "deep" / sample_name(12, 3), sample, compress=compress)
    assert same(read_sample(tmp_path / "deep" / "000012_3_sample.npy.npz"), sample)


def test_arrays_are_those_of_faultdeform(tmp_path):
    sample = sample_of(2)
    write_sample(tmp_path / "a.npz", sample)
    with np.load(tmp_path / "a.npz") as file:
        assert np.array_equal(file["int_array_1"], sample.pre)
        assert np.array_equal(file["int_array_2"], sample.post)
        assert np.array_equal(file["float_array_1"], sample.flow[0])  # east is to the right
        assert np.array_equal(file["float_array_2"], -sample.flow[1])  # north is up
        assert file["float_array_1"].dtype == np.float32
        assert json.loads(file["record"].item())["slip"] == 1.25


def test_labels_of_a_file_without_record_are_on_the_second_image(tmp_path):
    """A blob that moves 4 px right and 3 px up carries its label to where it arrived."""
    rows, cols = np.indices((64, 64))
    bump = np.exp(-((rows - 27.0) ** 2 + (cols - 34.0) ** 2) / (2 * 12.0**2))  # on the second image
    east, north = (4 * bump).astype(np.float32), (3 * bump).astype(np.float32)
    image = np.ones((64, 64), np.uint16)
    np.savez(tmp_path / "a.npz", int_array_1=image, int_array_2=image, float_array_1=east, float_array_2=north)
    sample = read_sample(tmp_path / "a.npz")
    peak = np.unravel_index(np.argmax(sample.flow[0]), (64, 64))
    assert peak == (30, 30)
    assert sample.flow[:, 30, 30] == pytest.approx([4, -3], abs=1e-2)
    assert sample.valid.all()
    assert np.isnan(sample.distance).all()
    assert sample.record == {}


def test_labels_on_the_second_image_come_back(tmp_path):
    sample = sample_of(3)
    write_sample(tmp_path / "a.npz", sample, label_on="second")
    inner = np.s_[:, 4:-4, 4:-4]
    with np.load(tmp_path / "a.npz") as file:
        apart = np.abs(file["float_array_1"] - sample.flow[0])[4:-4, 4:-4].max()
    back = read_sample(tmp_path / "a.npz")
    assert apart > 0.05
    assert np.abs(back.flow - sample.flow)[inner].max() < 0.01
    assert back.valid[4:-4, 4:-4].sum() == sample.valid[4:-4, 4:-4].sum()


def test_a_label_on_the_second_image_says_where_its_ground_came_from(tmp_path):
    """A pixel of the image after shows what was `east` pixels to the left and `north` below in the image before."""
    rows, cols = np.indices((96, 96), dtype=float)
    noise = np.random.default_rng(0).normal(size=(96, 96))
    pre = (1000 + 400 * ndimage.gaussian_filter(noise, 2.5)).astype(np.float32)
    flow = np.stack([2 * np.sin(rows / 15), 1.5 * np.cos(cols / 12)]).astype(np.float32)
    post = warp_forward(pre, (flow[0], flow[1]))
    known = np.full((96, 96), True)
    write_sample(tmp_path / "a.npz", Sample(pre, post, flow, known, rows.astype(np.float32)), label_on="second")
    with np.load(tmp_path / "a.npz") as file:
        origin = (rows + file["float_array_2"], cols - file["float_array_1"])
        there = ndimage.map_coordinates(pre, origin, order=5, mode="mirror")
    error = np.abs(there - post)[6:-6, 6:-6]
    assert error.max() < 0.02 * pre.std()


def test_ground_that_a_jump_closed_is_not_valid(tmp_path):
    """Labels on the second image that part at a column: between them the first image has ground that went nowhere."""
    east = np.where(np.arange(64) < 32, 3.0, -3.0) * np.ones((64, 1))
    image = np.ones((64, 64), np.uint16)
    np.savez(tmp_path / "a.npz", int_array_1=image, int_array_2=image, float_array_1=east, float_array_2=0 * east)
    sample = read_sample(tmp_path / "a.npz")
    assert (sample.flow[0][:, :28] == 3).all()
    assert (sample.flow[0][:, 36:] == -3).all()
    unknown = ~sample.valid
    assert unknown[:, 30:34].all()
    assert not unknown[:, :28].any()
    assert not unknown[:, 36:].any()


def test_shards_are_the_same_bytes_and_stream(tmp_path):
    alive = []

    def made():
        for seed in range(5):
            alive.append(seed)
            yield sample_of(seed)

    assert write_shard(tmp_path / "a.tar", made()) == 5
    assert write_shard(tmp_path / "b.tar", (sample_of(seed) for seed in range(5))) == 5
    assert alive == list(range(5))
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    assert all(same(a, sample_of(seed)) for seed, a in enumerate(read_shard(tmp_path / "a.tar")))
    with tarfile.open(tmp_path / "a.tar") as shard:
        assert shard.getnames() == [f"s{seed}.npz" for seed in range(5)]
        assert {entry.mtime for entry in shard} == {0}


def test_a_shard_that_failed_leaves_nothing(tmp_path):
    def breaks():
        yield sample_of(0)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_shard(tmp_path / "a.tar", breaks())
    with pytest.raises(InputError, match="two samples named 's0'"):
        write_shard(tmp_path / "a.tar", [sample_of(0), sample_of(0)])
    assert not list(tmp_path.iterdir())


def test_a_folder_is_read_in_any_order(tmp_path):
    write_shard(tmp_path / "train" / "train-000000.tar", (sample_of(seed) for seed in range(3)))
    write_shard(tmp_path / "train" / "train-000001.tar", (sample_of(seed) for seed in range(3, 5)))
    write_sample(tmp_path / "zz" / "loose.npz", sample_of(5))
    folder = pickle.loads(pickle.dumps(SampleFolder(tmp_path)))
    assert len(folder) == 6
    assert [folder[i].record["name"] for i in (5, 0, 3, -1)] == ["s5", "s0", "s3", "s5"]
    assert all(same(each, sample_of(seed)) for seed, each in enumerate(folder))
    with pytest.raises(IndexError):
        folder[6]


def test_files_that_are_no_samples_are_one_clear_error(tmp_path):
    whole = to_bytes(sample_of(0))
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.npz").write_text("not a sample")
    np.savez(tmp_path / "other.npz", x=np.arange(3))
    image = np.ones((4, 4), np.uint16)
    np.savez(tmp_path / "odd.npz", int_array_1=image, int_array_2=image[:2], float_array_1=image, float_array_2=image)
    for name in ("cut", "text", "other", "odd"):
        with pytest.raises(InputError, match=r"is no sample, or truncated .*int_array_1"):
            read_sample(tmp_path / f"{name}.npz")
    with pytest.raises(InputError, match="cannot be read"):
        read_sample(tmp_path / "absent.npz")
    with pytest.raises(InputError, match="holds no sample"):
        SampleFolder(tmp_path / "empty")


def test_a_truncated_shard_is_told_before_anything_is_read(tmp_path):
    write_shard(tmp_path / "a.tar", (sample_of(seed) for seed in range(3)))
    whole = (tmp_path / "a.tar").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(whole)) as shard:
        second = shard.getmembers()[1].offset
    for size in (0, 700, second, second + 600, len(whole) - 10240):
        (tmp_path / "a.tar").write_bytes(whole[:size])
        with pytest.raises(InputError, match="truncated"):
            next(read_shard(tmp_path / "a.tar"))


def test_shapes_that_differ_are_refused():
    good = sample_of(0)
    with pytest.raises(InputError, match=r"expected \(y, x\) for all"):
        Sample(good.pre, good.post[1:], good.flow, good.valid, good.distance)


def test_the_archive_is_whole_for_others():
    """As other programs read it: names, checksums, and runs of one value packed away."""
    sample = sample_of(3)
    for compress in (True, False):
        with zipfile.ZipFile(io.BytesIO(to_bytes(sample, compress=compress))) as archive:
            assert archive.testzip() is None
            assert archive.namelist()[:2] == ["int_array_1.npy", "int_array_2.npy"]
            assert {each.date_time[0] for each in archive.infolist()} == {1980}
    still = replace(sample, flow=np.zeros_like(sample.flow))
    assert len(to_bytes(still)) < len(to_bytes(sample)) - sample.flow.nbytes / 3
