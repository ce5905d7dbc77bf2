"""One process, threads, processes and a Dask cluster give the same bytes, and fail in the same way."""

import os
import signal

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster

from groundshift.engine import FolderStore, MemoryStore, run
from groundshift.errors import InputError, RunError
from groundshift.grid.tiles import tile_plan

SHAPE = (150, 130)
TILES = tile_plan(SHAPE, 40)
IMAGE = np.random.default_rng(7).normal(size=SHAPE).astype(np.float32)
WHERE = ["serial", "threads", "processes", "address", "client"]


@pytest.fixture(scope="module")
def cluster():
    """Two workers; a tile that takes one with it is not tried again, so that one is always there."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
    ):
        yield cluster


@pytest.fixture(params=WHERE)
def executor(request):
    if request.param in ("serial", "threads", "processes"):
        yield request.param
        return
    cluster = request.getfixturevalue("cluster")
    if request.param == "address":
        yield cluster.scheduler_address
        return
    with Client(cluster, set_as_default=False) as client:
        yield client


def make_step():
    """A step with a halo, linear algebra and several types; defined here so that workers need not import this file."""
    image, shape = IMAGE, SHAPE

    def step(tile):
        outer = tile.box.padded(8).clipped(shape)
        block = image[outer.slices]
        spectrum = np.fft.rfft2(block - block.mean())
        _, values, _ = np.linalg.svd(block @ block.T)
        inside = tile.box.shifted(-outer.top, -outer.left).slices
        return {
            "smooth": np.fft.irfft2(spectrum * np.exp(-np.abs(spectrum)), s=block.shape)[inside].astype(np.float32),
            "values": values,
            "valid": block[inside] > 0,
            "flags": np.array([image.flags.aligned, image.flags.writeable, image.flags.c_contiguous]),
        }

    return step


def content(store):
    return {file.name: file.read_bytes() for file in sorted(store.path.iterdir())}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    store = FolderStore(tmp_path_factory.mktemp("reference"), "key")
    run(make_step(), TILES, store=store, executor="serial")
    return store


@pytest.mark.parametrize("workers", [1, 3])
def test_same_bytes_everywhere(executor, workers, reference, tmp_path):
    store = FolderStore(tmp_path, "key")
    run(make_step(), TILES, store=store, executor=executor, workers=workers)
    assert len(content(reference)) == len(TILES) + 1
    assert content(store) == content(reference)


def test_memory_holds_what_the_folder_holds(executor, reference):
    store = MemoryStore()
    run(make_step(), TILES, store=store, executor=executor)
    for tile in TILES:
        expected, found = reference.read(tile.index), store.read(tile.index)
        assert list(found) == list(expected)
        for name in expected:
            assert found[name].dtype == expected[name].dtype
            np.testing.assert_array_equal(found[name], expected[name])


def test_tiles_fit_together_as_one_image(executor):
    store = MemoryStore()
    run(lambda tile, image=IMAGE: {"copy": image[tile.box.slices]}, TILES, store=store, executor=executor)
    whole = np.full(SHAPE, np.nan, np.float32)
    for tile in TILES:
        whole[tile.box.slices] = store.read(tile.index)["copy"]
    np.testing.assert_array_equal(whole, IMAGE)


def test_own_error_passes_and_other_errors_are_wrapped(executor, tmp_path):
    def refuses(tile):
        raise InputError("constant image")

    def breaks(tile):
        return {"ratio": np.array(1 // (tile.index - 5))}

    store = FolderStore(tmp_path, "key")
    with pytest.raises(InputError, match="constant image"):
        run(refuses, TILES, store=store, executor=executor)
    with pytest.raises(RunError, match=r"tile 5 .*ZeroDivisionError.* go on from the \d+ finished tiles") as caught:
        run(breaks, TILES, store=store, executor=executor, workers=1)
    assert type(caught.value.__cause__) is ZeroDivisionError
    assert 4 in store
    assert 5 not in store


def test_tile_that_kills_its_cluster_workers_ends_the_run(cluster, tmp_path):
    def step(tile):
        if tile.index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"index": np.array(tile.index)}

    store = FolderStore(tmp_path, "key")
    with pytest.raises(RunError, match="start the same command again"):
        run(step, TILES, store=store, executor=cluster.scheduler_address)
    run(lambda tile: {"index": np.array(tile.index)}, TILES, store=store, executor=cluster.scheduler_address)
    assert [int(store.read(tile.index)["index"]) for tile in TILES] == list(range(len(TILES)))


def test_scheduler_that_does_not_answer_is_named(tmp_path):
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "200ms"}),
        pytest.raises(RunError, match=r"tcp://127\.0\.0\.1:1 does not answer"),
    ):
        run(make_step(), TILES, store=FolderStore(tmp_path, "key"), executor="tcp://127.0.0.1:1")
