"""`groundshift synth`, as a user meets it."""

import json
import math

import pytest

from tests.reference.command import run


def test_a_set_is_made_resumed_and_shown(tmp_path):
    out = tmp_path / "set"
    command = ("synth", "pairs", "-o", out, "-n", 6, "--scale", "small", "--scale", "large", "--size", 64,
               "--shard", 4, "--workers", 1)  # fmt: skip
    said = run(*command, "--scheduler", "serial", check=True).stdout
    assert "12 train, 4 validation, 4 test samples of 64 x 64 pixels in 8 shards" in said
    assert {each.name for each in out.iterdir()} >= {"README.md", "card.json", "distributions.png", "examples.png"}
    card = json.loads((out / "card.json").read_text())
    assert card["samples"] == {
        "train": {"small": 6, "large": 6}, "validation": {"small": 2, "large": 2}, "test": {"small": 2, "large": 2}
    }  # fmt: skip
    shard = out / "train/large/00001.tar"
    before = shard.read_bytes()
    shard.unlink()
    run(*command, "--scheduler", "threads", check=True)
    assert shard.read_bytes() == before
    assert "3 examples in" in run("synth", "show", out, "-n", 3, "-o", tmp_path / "sheet.png").stdout
    assert (tmp_path / "sheet.png").stat().st_size > 10_000
    failed = run(*command, "--seed", 2)
    assert failed.returncode == 1
    assert "holds a set of other options" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_errors_are_one_line(tmp_path):
    failed = run("synth", "pairs", "-o", tmp_path / "set", "-n", 0)
    assert failed.returncode == 1
    assert "a set of no samples" in failed.stderr
    failed = run("synth", "show", tmp_path)
    assert failed.returncode == 1
    assert "holds no sample" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        ("points", {"crs": "nothing"}, "--crs nothing: is no CRS"),
        ("points", {"crs": "EPSG:4326"}, "--crs EPSG:4326: is not projected"),
        ("stack", {"latitude": math.nan}, "--latitude nan: input should be"),
        ("stack", {"latitude": "north"}, "--latitude north: input should be a valid number"),
    ],
)
def test_harmed_options_are_one_line_and_leave_nothing(tmp_path, command, options, said):
    (tmp_path / "options.json").write_text(json.dumps(options))
    failed = run("synth", command, tmp_path / "out", "--options", tmp_path / "options.json")
    assert failed.returncode == 1
    assert said in failed.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--strike", "--rake", "--slip"])
def test_an_earthquake_is_of_numbers(tmp_path, option):
    failed = run("synth", "earthquake", tmp_path / "out", f"{option}=inf")
    assert failed.returncode == 1
    assert f"{option} inf: input should be a finite number" in failed.stderr
    assert not (tmp_path / "out").exists()


def test_a_harmed_shard_is_named(tmp_path):
    run("synth", "pairs", "-o", tmp_path / "set", "-n", 1, "--scale", "small", "--size", 64, "--scheduler", "serial",
        check=True)  # fmt: skip
    shard = tmp_path / "set/train/small/00000.tar"
    content = bytearray(shard.read_bytes())
    content[len(content) // 3] ^= 1
    shard.write_bytes(content)
    failed = run("synth", "show", tmp_path / "set", "-n", 3, "-o", tmp_path / "sheet.png")
    assert failed.returncode == 1
    assert "00000.tar at byte 512 is no sample, or truncated" in failed.stderr
    assert not (tmp_path / "sheet.png").exists()
