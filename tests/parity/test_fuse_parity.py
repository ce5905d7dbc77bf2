"""A fusion gives the same map on a cluster and after it was killed."""

import signal
import subprocess
import sys

import pytest
from distributed import LocalCluster

from groundshift.io.gnss.files import read_gnss
from groundshift.products.fuse import MAP_NAME, FuseConfig, OpticalMap, RadarPoints, Stations, fuse, solve
from groundshift.products.fuse.grid import fuse_grid
from groundshift.synth.three_dimensions import (
    OPTICAL_NAME,
    RADAR_NAMES,
    STATIONS_NAME,
    EarthquakeOptions,
    write_earthquake,
)

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")

CONFIG = FuseConfig(tile=16, rounds=2)
OPTIONS = EarthquakeOptions(side=12_800, pixel=400, length=7_000, depth=4_000, stations=6, seed=4)
KILLED = """
import sys
from pathlib import Path
from groundshift.products.fuse import solve
from tests.parity.test_fuse_parity import fused
from tests.reference.killed import killed_after

killed_after(solve.SolveTile, 2)
fused(Path(sys.argv[1]), Path(sys.argv[2]), "serial")
"""


def fused(made, out, executor):
    """Fuse what lies in a folder."""
    optical = OpticalMap(made / OPTICAL_NAME)
    sources = [optical, *(RadarPoints(made / name) for name in RADAR_NAMES), Stations(read_gnss(made / STATIONS_NAME))]
    days = {"start": "2020-01-01", "end": "2020-01-13"}
    fuse(sources, grid=fuse_grid([optical]), config=CONFIG, out=out, executor=executor, **days)
    return (out / MAP_NAME).read_bytes()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    write_earthquake(folder, OPTIONS)
    return folder


@pytest.fixture(scope="module")
def here(made, tmp_path_factory):
    return fused(made, tmp_path_factory.mktemp("here"), "serial")


def test_a_cluster_gives_the_same_bytes(made, here, tmp_path):
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        assert fused(made, tmp_path, cluster.scheduler_address) == here


def test_a_run_that_was_killed_goes_on_from_its_tiles(made, here, tmp_path, monkeypatch):
    ended = subprocess.run([sys.executable, "-c", KILLED, made, tmp_path], check=False, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not (tmp_path / MAP_NAME).exists()
    whole, again = solve.SolveTile.__call__, []
    monkeypatch.setattr(solve.SolveTile, "__call__", lambda self, tile: again.append(tile.index) or whole(self, tile))
    assert fused(made, tmp_path, "serial") == here
    assert again == [2, 3]
