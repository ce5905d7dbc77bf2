"""A set of samples is the same, byte for byte, whoever makes it."""

import pytest
from distributed import LocalCluster

from groundshift.synth.dataset import DatasetOptions, build_dataset
from groundshift.synth.options import PairOptions

OPTIONS = DatasetOptions(
    train=5, validation=2, test=1, scales=("small", "very_large"), shard=2, seed=4, pair=PairOptions(size=64)
)


def files(folder):
    """All that a set has, but its state, by path: bytes."""
    found = (each for each in folder.rglob("*") if each.is_file())
    return {str(each.relative_to(folder)): each.read_bytes() for each in found if ".shards" not in str(each)}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    build_dataset(folder, OPTIONS, executor="serial")
    assert len(list(folder.rglob("*.tar"))) == 10
    return files(folder)


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_two_workers_give_the_same_bytes_as_one(alone, executor, tmp_path):
    build_dataset(tmp_path, OPTIONS, executor=executor, workers=2)
    assert files(tmp_path) == alone


def test_dask_gives_the_same_bytes_and_goes_on_where_another_ended(alone, tmp_path):
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        build_dataset(tmp_path, OPTIONS, executor=cluster.scheduler_address)
        assert files(tmp_path) == alone
        gone = tmp_path / "train" / "small" / "00001.tar"
        kept = {each: each.stat().st_mtime_ns for each in tmp_path.rglob("*.tar") if each != gone}
        gone.unlink()
        with cluster.get_client() as client:
            build_dataset(tmp_path, OPTIONS, executor=client)
        assert files(tmp_path) == alone
        assert all(each.stat().st_mtime_ns == when for each, when in kept.items())
