"""What the command line says to likely mistakes: one sentence, with what came and what was expected."""

import gc
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from typer.testing import CliRunner

from groundshift.cli.app import app
from groundshift.cli.recorded import folder_for
from groundshift.io.write import write_image


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An image, one far away, one with three bands, a text, and an empty folder."""
    folder = tmp_path_factory.mktemp("mistakes")
    pixels = np.random.default_rng(0).integers(1, 4000, (64, 64)).astype(np.uint16)
    for name, easting in (("near", 500_000), ("far", 800_000)):
        grid = GeoBox((64, 64), Affine(10, 0, easting, 0, -10, 4_000_000), "EPSG:32633")
        write_image(folder / f"{name}.tif", pixels, grid)
    kind = {"driver": "GTiff", "width": 64, "height": 64, "count": 3, "dtype": "uint16", "crs": grid.crs.to_wkt()}
    with rasterio.open(folder / "bands.tif", "w", transform=grid.affine, **kind) as file:
        file.write(np.stack([pixels] * 3))
    (folder / "notes.txt").write_text("hello")
    (folder / "empty").mkdir()
    return folder


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("pair near.tif gone.tif -o out", "gone.tif does not exist"),
        ("pair near.tif notes.txt -o out", "notes.txt cannot be opened as an image"),
        ("pair near.tif far.tif -o out", "the images share no ground"),
        ("pair bands.tif near.tif -o out", "bands.tif has 3 bands; expected one: choose with --band"),
        ("pair near.tif near.tif -o notes.txt", "'notes.txt' is a file"),
        ("pair near.tif near.tif -o out --method best", "'best' is not one of 'auto', 'network'"),
        ("pair near.tif near.tif -o out --window 3", "--window 3: input should be greater than or equal to 8"),
        ("pair near.tif near.tif -o out --area 1,2,3", "is not four numbers; expected west,south,east,north"),
        ("profile near.tif 1,2 -o out", "near.tif is no displacement map: its 1 bands have no names"),
        ("info empty", "empty is a folder of no known kind"),
        ("explore empty", "empty is neither a store nor a folder with points"),
        ("explore notes.txt", "notes.txt is of no known kind"),
        ("ingest empty -o store", "no file with points was found"),
        ("invert empty -o out --reference 1,2", "'1,2' is not LON,LAT,RADIUS"),
        ("calibrate notes.txt -o out", "notes.txt cannot be read as Parquet"),
        *(
            (
                f"{command} -o out.{ending}",
                f"out.{ending} is the name of a file, and the results go into a folder; give",
            )
            for command, ending in (
                ("pair near.tif near.tif", "tif"),
                ("basic empty", "parquet"),
                ("ingest near.tif", "zip"),
                ("fuse", "PNG"),
                ("stack empty", "nc"),
            )
        ),
        ("synth stack out.zarr", "into a folder; give one, such as out"),
        ("stack empty -o out.nc", "such as out.zarr"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(folder, command, said, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["groundshift", *command.split()])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit) as stopped:
        app()
    assert stopped.value.code in (1, 2)
    told = capsys.readouterr().err
    assert said in " ".join(told.split())
    assert "Traceback" not in told
    assert not list(folder.glob("out*"))


@pytest.mark.parametrize("name", ["v1.2", "S1A.SAFE", "there.tif"])
def test_folders_may_have_dots_in_their_names(tmp_path, name):
    (tmp_path / "there.tif").mkdir()
    assert folder_for(tmp_path / name) == tmp_path / name


def test_every_command_shows_an_example_of_itself():
    groups = [("", app), *((f"{group.name} ", group.typer_instance) for group in app.registered_groups)]
    commands = {f"{prefix}{each.name}": each.epilog or "" for prefix, group in groups
                for each in group.registered_commands}  # fmt: skip
    assert len(commands) > 20
    assert {name for name, said in commands.items() if not said.startswith(f"Example: groundshift {name} ")} == set()


def test_what_dask_says_after_a_command_goes_to_the_standard_error_that_is_there(folder, capsys, monkeypatch):
    """Commands that tests run have a standard error of their own, which is closed; workers speak later."""
    monkeypatch.setattr(logging.root, "handlers", logging.root.handlers[:])
    assert CliRunner().invoke(app, ["info", str(folder / "near.tif")]).exit_code == 0
    gc.collect()
    logging.getLogger("distributed.worker").warning("stopping worker")
    said = capsys.readouterr().err
    assert "stopping worker" in said
    assert "Logging error" not in said


@pytest.mark.skipif(os.name != "posix", reason="a shell that closes streams")
@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_a_command_runs_without_standard_streams(folder, tmp_path, closed):
    words = [
        sys.executable,
        "-m",
        "groundshift",
        "pair",
        folder / "near.tif",
        folder / "near.tif",
        "-o",
        tmp_path / "out",
    ]
    command = f'exec "$@" --method frequency --workers 1 {closed}'
    assert subprocess.run(["sh", "-c", command, "sh", *words], check=False).returncode == 0
    assert (tmp_path / "out" / "displacement.tif").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_log_on_a_full_disk_is_told_once(folder):
    words = [sys.executable, "-m", "groundshift", "--log", "/dev/full", "info", folder / "near.tif"]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr.count("/dev/full cannot be written") == 1
    assert "Traceback" not in done.stderr
