"""`groundshift synth`, as a user meets it."""

import json

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
