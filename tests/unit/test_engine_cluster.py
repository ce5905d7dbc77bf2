"""A Dask cluster without workers: the run says so, waits, goes on when some come, and ends when none does."""

import logging
from importlib.metadata import version

import numpy as np
import pytest
from distributed import Client, LocalCluster

from groundshift.engine import FolderStore, MemoryStore, pools, run
from groundshift.errors import ConfigurationError, RunError
from groundshift.grid.tiles import tile_plan

TILES = tile_plan((4, 6), 2)


@pytest.fixture
def cluster(monkeypatch):
    monkeypatch.setattr(pools, "_PATIENCE", 0.05)
    with LocalCluster(n_workers=0, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster:
        yield cluster


class Scaling(logging.Handler):
    """Gives the cluster a worker when the run says that there is none."""

    def __init__(self, cluster):
        super().__init__()
        self.cluster, self.said = cluster, []

    def emit(self, record):
        message = record.getMessage()
        self.said.append(message)
        if "has no workers" in message:
            self.cluster.scale(1)


@pytest.fixture
def scaling(cluster):
    handler, log = Scaling(cluster), logging.getLogger("groundshift.engine.pools")
    log.addHandler(handler)
    level = log.level
    log.setLevel(logging.INFO)
    yield handler
    log.setLevel(level)
    log.removeHandler(handler)


def indices(store):
    return [int(store.read(tile.index)["index"]) for tile in TILES]


def test_a_cluster_without_workers_is_told_once_and_waited_for(cluster, scaling):
    store = MemoryStore()
    run(lambda tile: {"index": np.array(tile.index)}, TILES, store=store, executor=cluster.scheduler_address)
    assert indices(store) == list(range(len(TILES)))
    waiting = [said for said in scaling.said if "has no workers" in said]
    assert waiting == [scaling.said[0]]
    assert f"dask worker {cluster.scheduler_address}" in waiting[0]


def test_a_cluster_that_loses_all_workers_on_the_way_is_waited_for(cluster, scaling):
    cluster.scale(1)
    store = MemoryStore()

    def lose(done, total):
        if done == 1:
            cluster.scale(0)
            with Client(cluster, set_as_default=False) as client:
                while client.nthreads():
                    pass

    run(
        lambda tile: {"index": np.array(tile.index)}, TILES, store=store, executor=cluster.scheduler_address, workers=1,
        progress=lose,
    )  # fmt: skip
    assert indices(store) == list(range(len(TILES)))
    assert any("has no workers" in said for said in scaling.said)


def test_a_worker_of_another_version_is_refused(cluster, monkeypatch):
    cluster.scale(1)
    monkeypatch.setattr(pools, "version", lambda name: f"{version(name)}-{next(numbers)}")
    numbers = iter(range(100))
    with pytest.raises(ConfigurationError, match="install the same version"):
        run(lambda tile: {}, TILES, store=MemoryStore(), executor=cluster.scheduler_address)


class Clock:
    """Gives the seconds that it is set to."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


def watched(*looks):
    """Look at (seconds, workers or not), one after the other."""
    clock = Clock()
    watch = pools._WorkerWatch("tcp://here:1", clock)
    for clock.seconds, there in looks:
        watch.look(there)


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        ([(0, True), (10, True)], []),
        ([(0, False), (10, False), (1799, False)], ["waiting 30 minutes for some"]),
        ([(0, False), (10, True), (20, True)], ["waiting 30 minutes for some", "the run goes on"]),
        (
            [(0, False), (1790, True), (1800, False), (3590, False)],
            ["waiting 30 minutes for some", "the run goes on", "waiting 30 minutes for some"],
        ),
    ],
)
def test_each_loss_is_told_once(looks, said, caplog):
    with caplog.at_level(logging.INFO):
        watched(*looks)
    assert len(caplog.messages) == len(said)
    assert all(part in message for part, message in zip(said, caplog.messages, strict=True))


def test_no_workers_for_half_an_hour_is_an_error(caplog):
    with pytest.raises(RunError, match=r"tcp://here:1 had no workers for 30 minutes; start some with .*tiles are kept"):
        watched((0, True), (5, False), (1804, False), (1805, False))


def test_a_run_ends_when_no_worker_comes(cluster, monkeypatch, tmp_path):
    """Finished tiles are kept, and the same run goes on from them."""
    cluster.scale(1)
    store = FolderStore(tmp_path, "key")
    monkeypatch.setattr(pools, "_NO_WORKERS", 0.0)

    def lose(done, total):
        cluster.scale(0)
        with Client(cluster, set_as_default=False) as client:
            while client.nthreads():
                pass

    def step(tile):
        return {"index": np.array(tile.index)}

    with pytest.raises(RunError, match="had no workers"):
        run(step, TILES, store=store, executor=cluster.scheduler_address, workers=1, progress=lose)
    assert 0 < sum(tile.index in store for tile in TILES) < len(TILES)
    run(step, TILES, store=store, executor="serial")
    assert indices(store) == list(range(len(TILES)))
