"""The record of a run, and how a command ends."""

import errno
import hashlib
import json
import logging
import os
import signal
import sqlite3
import sys

import numpy as np
import pyarrow as pa
import pytest
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS

from groundshift.cli.app import app
from groundshift.engine import MemoryStore, run
from groundshift.engine.journal import LOCK_NAME, RECORD_NAME, JsonLines, exit_code, recorded
from groundshift.errors import InputError, RunError
from groundshift.figures.style import new_figure, save_figure
from groundshift.grid.tiles import Box, tile_plan
from groundshift.io.convert.raster import write_netcdf, write_netcdf_blocks
from groundshift.io.features import Features, write_features
from groundshift.io.files import atomic_path, temporary_folder, write_text
from groundshift.io.write import write_image


@pytest.fixture(autouse=True)
def _log():
    """As the command line sets it up, and not afterwards."""
    logger, root = logging.getLogger("groundshift"), logging.getLogger()
    before, handlers = logger.level, root.handlers[:]
    handler = signal.getsignal(signal.SIGTERM)
    logger.setLevel(logging.INFO)
    yield
    for each in set(root.handlers) - set(handlers):
        each.close()
    root.handlers[:] = handlers
    logger.setLevel(before)
    signal.signal(signal.SIGTERM, handler)


def record(out):
    return json.loads((out / RECORD_NAME).read_text())


def finish(out, inputs=(), **options):
    with recorded("measure", options, inputs=inputs, out=out):
        run(lambda tile: {}, tile_plan((4, 4), 2), store=MemoryStore(), executor="serial", label="measuring")
        logging.getLogger("groundshift.test").warning("odd %s", "ground")
        (out / "map.tif").write_bytes(b"12345")


def test_record_says_what_was_done_with_what(tmp_path):
    out, folder, image = tmp_path / "out", tmp_path / "stack", tmp_path / "image.tif"
    image.write_bytes(b"pixels")
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "0").write_bytes(b"chunk")
    finish(out, [image, folder, "s3://images/a.tif"], window=32, path=image)
    said = record(out)
    assert (said["status"], said["exit_code"], said["error"]) == ("finished", 0, None)
    assert said["options"] == {"window": 32, "path": str(image)}
    assert said["software"].startswith("groundshift ")
    assert said["libraries"]["numpy"]
    chunk = hashlib.sha256(b"chunk").hexdigest()
    sums = [hashlib.sha256(each).hexdigest() for each in (b"pixels", f"a/0 5 {chunk}\n".encode())]
    assert [each.get("sha256") for each in said["inputs"]] == [*sums, None]
    assert said["inputs"][0]["bytes"] == 6
    assert said["inputs"][2] == {"address": "s3://images/a.tif"}
    assert said["warnings"] == ["odd ground"]
    [step] = said["steps"]
    assert (step["step"], step["total"], step["there_before"], step["done"]) == ("measuring", 4, 0, 4)
    assert said["outputs"] == [{"name": "map.tif", "files": 1, "bytes": 5}]
    assert sorted(each.name for each in out.iterdir()) == ["map.tif", RECORD_NAME]


def test_run_that_fails_says_why_and_keeps_the_record_of_what_is_there(tmp_path):
    finish(tmp_path, window=32)
    for error in (InputError("no data here"), ValueError("odd")):
        with pytest.raises(type(error)), recorded("measure", {"window": 8}, inputs=(), out=tmp_path):
            raise error
    said = record(tmp_path)
    assert (said["status"], said["exit_code"], said["error"]) == ("failed", 1, "ValueError: odd")
    assert (said["previous"]["status"], said["previous"]["options"]) == ("finished", {"window": 32})
    finish(tmp_path, window=8)
    assert "previous" not in record(tmp_path)


def test_run_that_is_killed_leaves_word_that_it_was_running(tmp_path):
    with recorded("measure", {}, inputs=(), out=tmp_path):
        said = record(tmp_path)
    assert (said["status"], said["process"]) == ("running", os.getpid())


def test_nothing_is_left_of_a_run_that_wrote_nothing(tmp_path):
    with pytest.raises(InputError), recorded("measure", {}, inputs=(), out=tmp_path / "out"):
        raise InputError("no data here")
    assert not (tmp_path / "out").exists()


def test_two_runs_do_not_write_into_one_folder(tmp_path):
    with (
        recorded("measure", {"window": 32}, inputs=(), out=tmp_path),
        pytest.raises(RunError, match="at work in"),
        recorded("measure", {"window": 8}, inputs=(), out=tmp_path),
    ):
        pass
    assert record(tmp_path)["options"] == {"window": 32}
    assert not (tmp_path / LOCK_NAME).exists()


def test_input_that_changes_meanwhile_is_told(tmp_path):
    image = tmp_path / "image.tif"
    image.write_bytes(b"before")
    with recorded("measure", {}, inputs=[image], out=tmp_path / "out"):
        image.write_bytes(b"afterwards")
    [warning] = record(tmp_path / "out")["warnings"]
    assert f"{image} changed while it was read" in warning


def test_tiles_of_other_runs_are_named(tmp_path):
    (tmp_path / ".tiles" / "0123-measured").mkdir(parents=True)
    finish(tmp_path)
    assert [each.endswith("0123-measured") for each in record(tmp_path)["unfinished"]] == [True]
    assert "1 unfinished runs" in record(tmp_path)["warnings"][-1]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (InputError("x"), 1),
        (ValueError("x"), 1),
        (RunError("x"), 3),
        (OSError(errno.ENOSPC, "x"), 3),
        (MemoryError(), 3),
        (KeyboardInterrupt(), 130),
        (SystemExit(143), 143),
    ],
)
def test_exit_codes(error, code):
    assert exit_code(error) == code


def ends(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["groundshift", *map(str, words)])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    with pytest.raises(SystemExit) as ended:
        app()
    return ended.value.code


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device", "map.tif")


@pytest.mark.parametrize(
    ("what", "code", "status"),
    [
        (lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM), 143, "terminated"),
        (lambda *_, **__: os.kill(os.getpid(), signal.SIGINT), 130, "interrupted"),
        (full_disk, 3, "failed"),
    ],
)
def test_a_command_that_is_stopped_says_so(tmp_path, monkeypatch, capsys, what, code, status):
    (tmp_path / "other").touch()
    monkeypatch.setattr("groundshift.optical.pair.measure_pair", what)
    assert ends(monkeypatch, "--log", tmp_path / "log", "pair", "a.tif", "b.tif", "-o", tmp_path) == code
    assert record(tmp_path)["status"] == status
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert ("No space left on device: 'map.tif'" in told) == (status == "failed")
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert lines[-1]["run"]["status"] == status
    assert lines[-1]["level"] == "info"


def test_lines_of_json_have_time_level_and_progress():
    said = logging.LogRecord("groundshift.x", logging.WARNING, "", 0, "%d of %d", (1, 2), None)
    said.progress = {"done": 1}
    line = json.loads(JsonLines().format(said))
    assert (line["level"], line["message"], line["progress"]) == ("warning", "1 of 2", {"done": 1})
    assert line["time"].endswith("+00:00")


def test_leftovers_of_killed_writers_go_and_those_of_living_ones_stay(tmp_path):
    dead = tmp_path / ".map.tif.dead"
    dead.mkdir()
    (dead / ".lock").touch()
    (dead / "map.tif").write_text("half")
    with temporary_folder(tmp_path / "map.tif") as alive:
        write_text(tmp_path / "map.tif", "whole")
        assert alive.is_dir()
        assert not dead.exists()
    assert [each.name for each in tmp_path.iterdir()] == ["map.tif"]


def test_records_that_killed_runs_left_half_written_go(tmp_path):
    (tmp_path / f"{RECORD_NAME}.dead.part").write_text("{")
    finish(tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {RECORD_NAME, "map.tif"}


def test_a_record_that_another_run_is_writing_stays(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    with (tmp_path / f"{RECORD_NAME}.alive.part").open("w") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        finish(tmp_path)
        assert (tmp_path / f"{RECORD_NAME}.alive.part").exists()


def test_the_same_features_are_the_same_geopackage_at_another_time(tmp_path):
    points(tmp_path / "a.gpkg")
    first = (tmp_path / "a.gpkg").read_bytes()
    with sqlite3.connect(tmp_path / "a.gpkg") as database:
        ((changed,),) = database.execute("SELECT last_change FROM gpkg_contents")
    database.close()
    assert changed == "1970-01-01T00:00:00.000Z"
    points(tmp_path / "b" / "a.gpkg")
    assert (tmp_path / "b" / "a.gpkg").read_bytes() == first


SIDES = {"time": np.arange(4.0), "y": np.arange(300.0), "x": np.arange(300.0)}


def cube(path):
    values = np.random.default_rng(0).normal(size=(4, 300, 300)).astype(np.float32)
    write_netcdf(path, xr.Dataset({"up": (("time", "y", "x"), values)}, SIDES))


def cube_in_blocks(path):
    values = np.random.default_rng(0).normal(size=(4, 300, 300)).astype(np.float32)
    layers = xr.Dataset({"up": (("time", "y", "x"), values)}, SIDES)
    boxes = (Box(top, 0, top + 100, 300) for top in range(0, 300, 100))
    write_netcdf_blocks(path, layers, ((box, {"up": values[:, *box.slices]}) for box in boxes))


@pytest.mark.parametrize("write", [cube, cube_in_blocks])
@pytest.mark.parametrize("share", [0.999, 0.5, 0.001])
def test_a_netcdf_that_does_not_fit_ends_in_an_error_not_in_a_crash(tmp_path, write, share):
    """HDF5 crashes the process when it cannot write while it closes a file."""
    resource = pytest.importorskip("resource")
    write(tmp_path / "a.nc")
    size = (tmp_path / "a.nc").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(share * size), before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write(tmp_path / "full" / "a.nc")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not any((tmp_path / "full").iterdir())
    write(tmp_path / "full" / "a.nc")
    assert (tmp_path / "full" / "a.nc").read_bytes() == (tmp_path / "a.nc").read_bytes()


def test_a_file_that_was_not_finished_does_not_take_the_place_of_another(tmp_path):
    def half():
        with atomic_path(tmp_path / "map.tif") as temporary:
            temporary.write_text("ha")
            raise OSError("full")

    write_text(tmp_path / "map.tif", "whole")
    with pytest.raises(OSError, match="full"):
        half()
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("map.tif", "whole")]


def image(path):
    pixels = np.random.default_rng(0).integers(0, 60_000, (300, 300)).astype(np.uint16)
    write_image(path, pixels, GeoBox((300, 300), Affine(10, 0, 5e5, 0, -10, 4e6), "EPSG:32633"))


def points(path):
    x, y = np.random.default_rng(0).normal(size=(2, 600))
    write_features(path, Features(shapely.points(x, y), pa.table({"x": x}), CRS(4326)))


@pytest.mark.parametrize(("write", "name"), [(image, "a.tif"), (points, "a.gpkg"), (points, "a.geojson")])
@pytest.mark.parametrize("missing", [100, 10_000])
def test_a_file_that_is_not_on_the_disk_as_a_whole_is_not_there(tmp_path, write, name, missing):
    """GDAL says nothing of what it cannot write while it closes a file."""
    resource = pytest.importorskip("resource")
    write(tmp_path / name)
    size = (tmp_path / name).stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - missing, before[1]))
    try:
        with pytest.raises(RunError, match="cannot be written whole"):
            write(tmp_path / "full" / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not any((tmp_path / "full").iterdir())


def test_pictures_that_killed_runs_left_half_written_go(tmp_path):
    dead = tmp_path / ".map.png.dead"
    dead.mkdir()
    (dead / ".lock").touch()
    save_figure(new_figure(1, 1), tmp_path / "map.png")
    assert [each.name for each in tmp_path.iterdir()] == ["map.png"]
