"""Calibration gives the same files here, on a cluster, from files of EGMS, and after it was stopped."""

import hashlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from distributed import LocalCluster

from groundshift.errors import RunError
from groundshift.io.egms import write_egms
from groundshift.io.points import read_points, write_points
from groundshift.products.calibrate import CalibrateConfig, calibrate_points
from groundshift.products.calibrate import run as module
from groundshift.synth.points.options import StationOptions, StripOptions
from groundshift.synth.points.stations import strip_stations
from groundshift.synth.points.strip import frames, simulate_burst
from groundshift.synth.points.write import point_file

OPTIONS = {"tracks": 1, "bursts": 2, "density": 0.3, "dates": 12, "interval": 60}
STRIP = StripOptions(stations=StationOptions(count=8), **OPTIONS)
HELD = 2  # the burst with which a run is killed
CONFIG = CalibrateConfig(folds=0)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strip")
    out = [folder / point_file(frame) for frame in frames(STRIP)]
    for path, frame in zip(out, frames(STRIP), strict=True):
        write_points(path, simulate_burst(STRIP, frame).table)
    return out


@pytest.fixture(scope="module")
def here(paths, tmp_path_factory):
    return calibrate_points(
        paths, tmp_path_factory.mktemp("here"), gnss=strip_stations(STRIP).stations, config=CONFIG, executor="serial"
    )


def content(result):
    others = (result.paths[0].parent / name for name in ("report.json", "calibrate.png"))
    files = [*result.paths, *result.zips, *others]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_cluster_gives_the_same_bytes(paths, here, tmp_path):
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster:
        stations = strip_stations(STRIP).stations
        there = calibrate_points(paths, tmp_path, gnss=stations, config=CONFIG, executor=cluster.scheduler_address)
        assert cluster.scheduler.task_prefixes  # it was done there
    assert content(there) == content(here)


def test_a_run_goes_on_where_it_was_stopped(paths, here, tmp_path, monkeypatch):
    whole, done = module.ApplySurface.__call__, []

    def failing(self, tile):
        if len(done) == 2:
            raise OSError("the machine goes down")
        done.append(tile.index)
        return whole(self, tile)

    monkeypatch.setattr(module.ApplySurface, "__call__", failing)
    stations = strip_stations(STRIP).stations
    with pytest.raises(RunError, match="2 finished bursts"):
        calibrate_points(paths, tmp_path, gnss=stations, config=CONFIG, executor="serial")
    assert len(list(tmp_path.glob("*.parquet"))) == 2
    (tmp_path / f".{here.paths[3].name}.killed").mkdir()
    again = []
    monkeypatch.setattr(module.ApplySurface, "__call__", lambda self, t: again.append(t.index) or whole(self, t))
    result = calibrate_points(paths, tmp_path, gnss=stations, config=CONFIG, executor="serial")
    assert sorted(done + again) == [0, 1, 2, 3]
    assert not list(tmp_path.glob(".L2b*"))
    assert content(result) == content(here)


@pytest.mark.parametrize("taken", [lambda made: made.paths, lambda made: made.zips], ids=["parquet", "zip"])
def test_a_file_that_was_taken_away_is_made_again(paths, here, taken, tmp_path, monkeypatch):
    whole, stations = module.ApplySurface.__call__, strip_stations(STRIP).stations

    def failing(self, tile):
        if tile.index == 3:
            raise OSError("the machine goes down")
        return whole(self, tile)

    monkeypatch.setattr(module.ApplySurface, "__call__", failing)
    with pytest.raises(RunError):
        calibrate_points(paths, tmp_path, gnss=stations, config=CONFIG, executor="serial")
    monkeypatch.undo()
    (tmp_path / taken(here)[0].name).unlink()
    result = calibrate_points(paths, tmp_path, gnss=stations, config=CONFIG, executor="serial")
    assert content(result) == content(here)


def test_files_of_the_service_give_the_same_to_their_decimals(paths, here, tmp_path):
    written = [write_egms(tmp_path / "egms", read_points(path), level=1) for path in paths]
    result = calibrate_points(
        written, tmp_path / "out", gnss=strip_stations(STRIP).stations, config=CONFIG, executor="serial"
    )
    for one, two in zip(result.paths, here.paths, strict=True):
        tables = [read_points(path) for path in (one, two)]
        velocities = [table["mean_velocity"].to_numpy() for table in tables]
        np.testing.assert_allclose(*velocities, atol=0.15)
        assert tables[0].column_names == tables[1].column_names


SCRIPT = f"""
import os, sys, time
from pathlib import Path
from groundshift.products.calibrate import CalibrateConfig, calibrate_points
from groundshift.products.calibrate import run
from groundshift.synth.points.options import StationOptions, StripOptions
from groundshift.synth.points.stations import strip_stations

folder, *paths = map(Path, sys.argv[1:])
whole = run.ApplySurface.__call__

def holding(self, tile):
    result = whole(self, tile)
    (folder / f"{{tile.index}}.made").touch()
    while tile.index == {HELD} and (folder / "hold").exists():
        time.sleep(0.01)
    return result

run.ApplySurface.__call__ = holding
stations = strip_stations(StripOptions(stations=StationOptions(count=8), **{OPTIONS!r})).stations
calibrate_points(paths, folder / "out", gnss=stations, config=CalibrateConfig(folds=0), executor="serial")
"""


def test_a_run_that_is_killed_goes_on_and_gives_the_same_bytes(paths, here, tmp_path):
    """Killed when two bursts are finished, and the third is written but not yet noted."""
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "hold").touch()
    command = [sys.executable, tmp_path / "script.py", tmp_path, *paths]
    with subprocess.Popen(command) as first:
        deadline = time.monotonic() + 300
        while not (tmp_path / f"{HELD}.made").exists():
            assert first.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        first.kill()
    assert first.returncode == -signal.SIGKILL
    assert not (tmp_path / "out" / "report.json").exists()
    for each in ("hold", *(f"{number}.made" for number in range(HELD + 1))):
        (tmp_path / each).unlink()
    subprocess.run(command, check=True)
    assert sorted(path.name for path in tmp_path.glob("*.made")) == ["2.made", "3.made"]
    made = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "out").glob("[!.]*.*")}
    assert made == content(here)
    assert not list((tmp_path / "out").glob(".L2b*"))
