"""A fusion over time gives the same file in one process, in several, on a cluster, and after it was killed."""

import signal
import subprocess
import sys

import pytest
from distributed import LocalCluster

from groundshift.products.fuse import (
    SERIES_NAME,
    VELOCITY_NAME,
    OpticalMap,
    RadarPoints,
    SeriesConfig,
    fuse_series,
)
from groundshift.products.fuse.grid import fuse_grid
from groundshift.products.fuse.series import tiles
from groundshift.synth.moving_ground import GroundOptions, write_ground

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")

CONFIG = SeriesConfig(every=40, rounds=2, sample=20, tile=8, sizes=(0.1, 3.0))
OPTIONS = GroundOptions(side=3_000, pixel=250, days=160, image_every=20, stations=0, image_length=1_500, seed=4)
KILLED = """
import sys
from pathlib import Path
from groundshift.products.fuse.series import tiles
from tests.parity.test_fuse_series_parity import fused
from tests.reference.killed import killed_after

killed_after(tiles.SolveSeriesTile, 2)
fused(Path(sys.argv[1]), Path(sys.argv[2]), "serial")
"""


def fused(made, out, executor):
    """Fuse what lies in a folder."""
    sources = [OpticalMap(path) for path in sorted(made.glob("optical_*.tif"))]
    sources += [RadarPoints(path) for path in sorted(made.glob("*.parquet"))]
    fuse_series(sources, grid=fuse_grid(sources), config=CONFIG, out=out, executor=executor, workers=2)
    return [(out / name).read_bytes() for name in (SERIES_NAME, VELOCITY_NAME)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    write_ground(folder, OPTIONS)
    return folder


@pytest.fixture(scope="module")
def here(made, tmp_path_factory):
    return fused(made, tmp_path_factory.mktemp("here"), "serial")


def test_processes_and_a_cluster_give_the_same_bytes(made, here, tmp_path):
    assert fused(made, tmp_path / "processes", "processes") == here
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        assert fused(made, tmp_path / "cluster", cluster.scheduler_address) == here


def test_a_run_that_was_killed_goes_on_from_its_tiles(made, here, tmp_path, monkeypatch):
    ended = subprocess.run([sys.executable, "-c", KILLED, made, tmp_path], check=False, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not (tmp_path / SERIES_NAME).exists()
    whole, again = tiles.SolveSeriesTile.__call__, []
    monkeypatch.setattr(
        tiles.SolveSeriesTile, "__call__", lambda self, tile: again.append(tile.index) or whole(self, tile)
    )
    assert fused(made, tmp_path, "serial") == here
    assert again == [2, 3]
