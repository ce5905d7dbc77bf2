"""Ortho gives the same files here, on a cluster, from files or tables, and after it was stopped."""

import hashlib
import json

import numpy as np
import pytest
from distributed import LocalCluster

from groundshift.engine import FolderStore, run
from groundshift.errors import RunError
from groundshift.io.points import read_points, write_points
from groundshift.model.points import series
from groundshift.products.ortho import OrthoConfig, make_ortho, ortho_tables
from groundshift.products.ortho import plan as ortho_plan
from groundshift.products.ortho.plan import plan_ortho
from tests.reference.tracks import track

CONFIG = OrthoConfig(tile=2000)


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
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        make_ortho(sources, tmp_path, CONFIG, north_removed=True, executor=cluster.scheduler_address)
    assert content(tmp_path) == content(here)


def test_a_run_goes_on_where_it_was_stopped(sources, here, tmp_path):
    plan = plan_ortho(sources, CONFIG, True, None)
    store, done = FolderStore(tmp_path / ".tiles", plan.key, record=plan.record), []

    def step(tile):
        if len(done) == 4:
            raise OSError("the machine goes down")
        done.append(tile.index)
        return plan.step(tile)

    with pytest.raises(RunError, match="start the same command again"):
        run(step, plan.tiles, store=store, executor="serial")
    before = {path.name: path.stat().st_mtime_ns for path in store.path.glob("*.npz")}
    assert len(before) == 4
    computed = []

    class Counted(type(plan.step)):
        def __call__(self, tile):
            computed.append(tile.index)
            return super().__call__(tile)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ortho_plan, "OrthoTile", Counted)
        make_ortho(sources, tmp_path, CONFIG, north_removed=True, executor="serial")
    assert sorted(computed + done) == list(range(9))
    assert content(tmp_path) == content(here)


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
