"""`groundshift stack` and `groundshift synth stack --layout`, as a user meets them."""

import subprocess
import sys

import numpy as np
import pytest

from groundshift.io.radar_stack import open_stack


def run(*arguments):
    command = [sys.executable, "-W", "error", "-m", "groundshift", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "city"
    done = run("synth", "stack", out, "--size", 48, "--dates", 4, "--layout", "isce2")
    assert done.returncode == 0, done.stderr
    assert f"the same stack as isce2 in {out / 'isce2'}" in done.stdout
    return out


def test_a_stack_of_another_program_becomes_ours(made, tmp_path):
    done = run("stack", made / "isce2", "-o", tmp_path / "out.zarr")
    assert done.returncode == 0, done.stderr
    assert "4 images of 48 x 48 pixels" in done.stdout
    back, before = open_stack(tmp_path / "out.zarr"), open_stack(made / "stack.zarr")
    assert np.array_equal(back["slc"].values, before["slc"].values)
    assert np.allclose(back["perpendicular_baseline"], before["perpendicular_baseline"])


def test_errors_are_one_line(made, tmp_path):
    for given, said in (
        ((tmp_path / "nothing", "-o", tmp_path / "a.zarr"), "does not exist"),
        ((made, "-o", tmp_path / "a.zarr"), "is no stack of radar images that is known"),
        ((made / "isce2", "-o", tmp_path / "a.zarr", "--reference", "1999-01-01"), "none of the dates"),
        ((made / "isce2", "-o", tmp_path / "a.zarr", "--attributes", tmp_path / "no.json"), "cannot be read as JSON"),
    ):
        done = run("stack", *given)
        assert done.returncode == 1
        assert done.stderr.startswith("error:")
        assert done.stderr.count("\n") == 1
        assert said in done.stderr
