"""Ingest: the same store on any executor, and after workers or the whole run were killed."""

import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest

from groundshift.errors import RunError
from groundshift.explore.ingestion import ingest
from groundshift.io.points import write_points
from groundshift.io.store import PointStore
from groundshift.model.points import point_set

FILES = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six sets of 300 points in one folder."""
    folder = tmp_path_factory.mktemp("sets")
    rng = np.random.default_rng(0)
    for number in range(FILES):
        columns = {
            "pid": [f"{number}-{i:04d}" for i in range(300)],
            "easting": rng.uniform(4e6, 4.2e6, 300), "northing": rng.uniform(3e6, 3.1e6, 300),
            "los_east": np.full(300, 0.6), "los_north": np.zeros(300), "los_up": np.full(300, 0.8),
            "displacement": rng.normal(size=(300, 30)),
        }  # fmt: skip
        dates = np.datetime64("2020-01-01") + 6 * np.arange(30)
        table = point_set(columns, level="L2a", dates=dates, crs="EPSG:3035", track=1, frame=f"{number}")
        write_points(folder / f"{number}.parquet", table)
    return folder


def contents(root):
    """Bytes of all files of a store, by set and tile."""
    store = PointStore(root)
    assert store.check() == 300 * FILES
    files = {
        p.name: (root / p.file(kind)).read_bytes() for p in store.manifest.parts for kind in ("attributes", "series")
    }
    assert len(list(root.rglob("*.parquet"))) == 3 * len(store.manifest.parts)
    return files


@pytest.fixture(scope="module")
def expected(folder, tmp_path_factory):
    """The store that one thread makes."""
    out = tmp_path_factory.mktemp("serial") / "store"
    ingest([folder], out, executor="serial")
    return contents(out)


def test_a_cluster_makes_the_same_store(folder, expected, tmp_path):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        ingest([folder], tmp_path / "store", executor=client)
    assert contents(tmp_path / "store") == expected


def test_a_killed_worker_loses_nothing(folder, expected, tmp_path):
    before, killed = set(psutil.Process().children(recursive=True)), []

    def kill_once(done, total):
        if not killed and done >= 2:
            started = [each for each in psutil.Process().children(recursive=True) if each not in before]
            (worker,) = [each for each in started if not any("resource_tracker" in word for word in each.cmdline())]
            killed.append(worker.pid)
            worker.send_signal(signal.SIGKILL)

    ingest([folder], tmp_path / "store", executor="processes", workers=1, progress=kill_once)
    assert killed
    assert contents(tmp_path / "store") == expected


def test_a_full_disk_names_the_file_and_what_is_finished_is_kept(folder, expected, tmp_path):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, before[1]))
    try:
        with pytest.raises(
            RunError, match=r"/0\.parquet: OSError: .*too large: '.*\.parquet'; .* the 0 finished files"
        ):
            ingest([folder], tmp_path / "store", executor="serial")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "store" / "manifest.json").exists()
    ingest([folder], tmp_path / "store", executor="serial")
    assert contents(tmp_path / "store") == expected


def test_a_killed_run_goes_on(folder, expected, tmp_path):
    out = tmp_path / "store"
    program = (
        "import os, signal, sys\n"
        "from groundshift.explore.ingestion import ingest\n"
        "ingest([sys.argv[1]], sys.argv[2], executor='serial', progress=lambda done, total: "
        "done == 3 and os.kill(os.getpid(), signal.SIGKILL))\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(folder), str(out)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not (out / "manifest.json").exists()
    steps = []
    ingest([folder], out, executor="serial", progress=lambda done, total: steps.append(done))
    assert min(steps) >= 3  # the finished files were kept
    assert contents(out) == expected
    assert not (out / ".ingest").exists()
