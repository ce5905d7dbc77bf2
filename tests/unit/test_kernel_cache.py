"""Compiled code has a place wherever a run finds itself."""

import os
from pathlib import Path

import numba
import pytest

from groundshift.kernels import cache


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """Neither the package nor the user has a folder that can be written, not even by root."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(cache, "_PACKAGE", tmp_path / "file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "numba"))
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    ends = []
    monkeypatch.setattr(cache.atexit, "register", lambda *call: ends.append(call))
    yield tmp_path
    for remove, *arguments in ends:
        remove(*arguments)
    assert not list(tmp_path.glob("groundshift-compiled-*"))


def test_without_any_folder_that_can_be_written_a_run_has_one_of_its_own(nowhere, caplog):
    cache.find_place()
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    assert folder.parent == nowhere
    assert folder.stat().st_mode & 0o077 == 0  # what others could write there would be run
    assert str(folder) == numba.config.CACHE_DIR
    assert "set NUMBA_CACHE_DIR" in caplog.text
    numba.njit(cache=True)(_plus_one)(1)
    assert list(folder.rglob("*.nbi"))
    cache.find_place()  # as a worker does, with what it inherits
    assert os.environ["NUMBA_CACHE_DIR"] == str(folder)


def test_a_user_without_a_home_is_no_error(nowhere, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")

    def homeless():
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", homeless)
    cache.find_place()
    assert Path(os.environ["NUMBA_CACHE_DIR"]).is_dir()


@pytest.mark.parametrize("place", ["NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "package"])
def test_a_place_that_can_be_written_is_left_to_numba(nowhere, monkeypatch, caplog, place):
    if place == "package":
        monkeypatch.setattr(cache, "_PACKAGE", nowhere / "package")
    else:
        monkeypatch.setenv(place, str(nowhere / "new" / "folder"))
    before = os.environ["NUMBA_CACHE_DIR"]
    cache.find_place()
    assert os.environ["NUMBA_CACHE_DIR"] == before
    assert not caplog.text


def _plus_one(number):
    return number + 1
