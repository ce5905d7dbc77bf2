"""`groundshift synth stack`, as a user meets it."""

import json

import numpy as np

from groundshift.io.radar_stack import open_stack
from groundshift.synth.radar.stack import open_simulation
from tests.reference import command


def run(*arguments):
    return command.run("synth", "stack", *arguments)


def test_a_stack_is_made_with_its_truth_and_picture(tmp_path):
    out, options = tmp_path / "city", tmp_path / "options.json"
    options.write_text(json.dumps({"seed": 3, "missing": 0.5, "motion": {"subsidence": 30}, "orbit": "ascending"}))
    done = run(out, "--size", 64, "--dates", 5, "--interval", 6, "--orbit", "descending", "--options", options)
    assert done.returncode == 0, done.stderr
    assert "5 descending images of 64 x 64 pixels, 2018-01-04 to" in done.stdout
    assert {each.name for each in out.iterdir()} == {"stack.zarr", "truth.zarr", "stack.png", "run.json"}
    stack = open_stack(out / "stack.zarr")
    assert stack.attrs["orbit"] == "descending"
    assert stack.attrs["source"] == "simulated by groundshift, seed 3"
    assert stack.sizes == {"time": 5, "y": 64, "x": 64}
    truth = open_simulation(out).truth
    assert json.loads(truth.attrs["options"])["motion"]["subsidence"] == 30
    assert np.isfinite(truth["displacement"].values).all()
    assert (out / "stack.png").stat().st_size > 10_000


def test_errors_are_one_line(tmp_path):
    for given, said in (
        (("--interval", 7), "--interval 7: input should be 6 or 12"),
        (("--options", tmp_path / "none.json"), "none.json cannot be read as JSON"),
    ):
        failed = run(tmp_path / "out", *given)
        assert failed.returncode == 1
        assert said in failed.stderr
        assert "Traceback" not in failed.stderr
    assert not (tmp_path / "out").exists()
