"""A Dask cluster without workers: the run says so, waits, and goes on when some come."""

import logging
from importlib.metadata import version

import numpy as np
import pytest
from distributed import Client, LocalCluster

from groundshift.engine import MemoryStore, pools, run
from groundshift.errors import ConfigurationError
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


@pytest.mark.parametrize(
    ("there", "alone", "after", "said"),
    [
        (False, False, True, "waiting for some"),
        (False, True, True, None),
        (True, True, False, "the run goes on"),
        (True, False, False, None),
    ],
)
def test_each_loss_is_told_once(there, alone, after, said, caplog):
    with caplog.at_level(logging.INFO):
        assert pools._told_of_workers("tcp://here:1", there, alone) is after
    assert (said in caplog.text) if said else not caplog.records
