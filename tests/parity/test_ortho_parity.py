"""Ortho gives the same files here, on a cluster, from files or tables, and after it was stopped."""

import hashlib
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from distributed import LocalCluster

from groundshift.io.points import read_points, write_points
from groundshift.model.points import series
from groundshift.products.ortho import OrthoConfig, make_ortho, ortho_tables
from groundshift.products.ortho import plan as ortho_plan
from groundshift.products.ortho.plan import plan_ortho
from groundshift.products.ortho.tile import OrthoTile
from tests.reference.tracks import track

CONFIG = OrthoConfig(tile=2000)
KILLED = """
import sys
from groundshift.products.ortho import make_ortho
from groundshift.products.ortho.tile import OrthoTile
from tests.parity.test_ortho_parity import CONFIG
from tests.reference.killed import killed_after

killed_after(OrthoTile, 4)
make_ortho(sys.argv[2:], sys.argv[1], CONFIG, north_removed=True, executor="serial")
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracks")
    for number in (22, 117):
        write_points(folder / f"{number}.parquet", track(number, points=2000, side=5000, noise=2, north=False))
    return [folder / f"{number}.parquet" for number in (22, 117)]


def content(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir()) if path.is_file()
    }


@pytest.fixture(scope="module")
def here(sources, tmp_path_factory):
    folder = tmp_path_factory.mktemp("here")
    result = make_ortho(sources, folder, CONFIG, north_removed=True, executor="serial")
    assert len(result.up) == 9
    assert not any((folder / ".tiles").glob("*/*.npz"))
    return folder


def test_a_cluster_gives_the_same_bytes(sources, here, tmp_path):
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        make_ortho(sources, tmp_path, CONFIG, north_removed=True, executor=cluster.scheduler_address)
        assert cluster.scheduler.task_prefixes  # it was done there
    assert content(tmp_path) == content(here)


def test_a_run_that_was_killed_goes_on_where_it_was(sources, here, tmp_path, monkeypatch):
    run = [sys.executable, "-c", KILLED, tmp_path, *sources]
    ended = subprocess.run(run, check=False, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not list(tmp_path.glob("*.parquet"))
    whole, again = OrthoTile.__call__, []
    monkeypatch.setattr(OrthoTile, "__call__", lambda self, tile: again.append(tile.index) or whole(self, tile))
    make_ortho(sources, tmp_path, CONFIG, north_removed=True, executor="serial")
    assert again == [4, 5, 6, 7, 8]
    assert content(tmp_path) == content(here)


def test_tiles_in_bands_are_the_same(sources, here, tmp_path, monkeypatch):
    monkeypatch.setattr(ortho_plan, "_MEMORY", 200_000)
    plan = plan_ortho(sources, CONFIG, True, None)
    assert len(plan.tiles) > 2 * 9
    make_ortho(sources, tmp_path, CONFIG, north_removed=True, executor="threads")
    for path in here.glob("*.parquet"):
        assert read_points(tmp_path / path.name).equals(read_points(path))
    for path in [*here.glob("*.tiff"), here / "velocity.tif"]:
        with rasterio.open(path) as one, rasterio.open(tmp_path / path.name) as other:
            np.testing.assert_array_equal(one.read(), other.read())


def test_tables_and_tiles_of_any_size_give_the_same_cells(sources, here):
    whole = {}
    for table, _ in ortho_tables([read_points(path) for path in sources], north_removed=True):
        whole |= dict(zip(table["pid"].to_pylist(), series(table), strict=True))
    parts = {}
    for path in here.glob("*_E.parquet"):
        table = read_points(path)
        parts |= dict(zip(table["pid"].to_pylist(), series(table), strict=True))
    assert parts.keys() == whole.keys()
    np.testing.assert_allclose([parts[each] for each in whole], list(whole.values()), atol=1e-4)
    record = json.loads((here / "record.json").read_text())
    assert record["cells"] == len(whole)
