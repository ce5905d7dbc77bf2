import datetime
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from groundshift.engine import run_key, run_record
from groundshift.errors import ConfigurationError, InputError


class Configuration(BaseModel):
    window: int = 32
    names: frozenset[str] = frozenset({"red", "green", "blue", "nir"})
    path: Path = Path("/a/b")
    date: datetime.date = datetime.date(2020, 1, 2)


@pytest.fixture
def image(tmp_path):
    file = tmp_path / "pre.tif"
    file.write_bytes(b"pixels")
    return file


def test_key_is_short_and_the_same_for_the_same_run(image):
    key = run_key([image], Configuration(), "1")
    assert len(key) == 16
    assert int(key, 16) > 0
    assert key == run_key([str(image)], Configuration(), "1")
    assert run_record([image], Configuration(), "1")["inputs"][0]["path"] == str(image)


def test_key_does_not_depend_on_the_process():
    code = (
        "from groundshift.engine import run_key; "
        "print(run_key([], {'names': {'red', 'green', 'blue', 'nir'}, 'nested': {'b': 1, 'a': 2}}, '1'))"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(keys) == 1


def test_key_changes_with_configuration_version_and_order(image, tmp_path):
    other = tmp_path / "post.tif"
    other.write_bytes(b"pixels")
    keys = {
        run_key([image, other], Configuration(), "1"),
        run_key([other, image], Configuration(), "1"),
        run_key([image, other], Configuration(window=64), "1"),
        run_key([image, other], Configuration(), "2"),
    }
    assert len(keys) == 4


def test_key_changes_with_the_file(image):
    before = run_key([image], {}, "1")
    state = image.stat()
    os.utime(image, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    touched = run_key([image], {}, "1")
    image.write_bytes(b"more pixels")
    os.utime(image, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert len({before, touched, run_key([image], {}, "1")}) == 3


def test_key_changes_with_any_file_below_a_folder(tmp_path):
    band = tmp_path / "scene.SAFE" / "GRANULE" / "B08.jp2"
    band.parent.mkdir(parents=True)
    band.write_bytes(b"pixels")
    before = run_key([tmp_path / "scene.SAFE"], {}, "1")
    band.write_bytes(b"more pixels")
    changed = run_key([tmp_path / "scene.SAFE"], {}, "1")
    band.rename(band.with_name("B04.jp2"))
    assert len({before, changed, run_key([tmp_path / "scene.SAFE"], {}, "1")}) == 3


def test_key_follows_the_content_of_an_array():
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    key = run_key([array], {}, "1")
    assert key == run_key([array.copy()], {}, "1") == run_key([np.asfortranarray(array)], {}, "1")
    changed = array.copy()
    changed[1, 1] += 1
    masked = np.ma.masked_array(array, array > 3)
    others = [changed, array.reshape(4, 3), array.view(np.int32), array[:, ::-1], masked, array[:1]]
    assert len({key, *(run_key([other], {}, "1") for other in others)}) == 1 + len(others)


def test_array_counts_in_the_configuration_too():
    assert run_key([], {"mask": np.zeros(3)}, "1") != run_key([], {"mask": np.ones(3)}, "1")


def test_address_is_taken_as_it_is():
    assert run_record(["s3://bucket/pre.tif"], {}, "1")["inputs"] == [{"address": "s3://bucket/pre.tif"}]


@pytest.mark.parametrize(
    ("inputs", "configuration", "error", "message"),
    [
        (["/nowhere/pre.tif"], {}, InputError, "does not exist"),
        ([np.array([object()])], {}, InputError, "Python objects"),
        ([], {"f": len}, ConfigurationError, "no value to write down"),
    ],
)
def test_what_cannot_be_hashed_is_refused(inputs, configuration, error, message):
    with pytest.raises(error, match=message):
        run_key(inputs, configuration, "1")
