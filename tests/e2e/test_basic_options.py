"""Options of `groundshift basic` that a file gives: other ways through the same steps."""

import json

import numpy as np
import pytest

from groundshift.io.points import read_points
from groundshift.synth.radar.options import StackOptions
from groundshift.synth.radar.stack import open_simulation, write_simulation
from tests.reference.command import run


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    folder = tmp_path_factory.mktemp("town")
    write_simulation(folder, StackOptions(lines=110, pixels=140, dates=24, missing=0.4, seed=3))
    return folder


def measured(town, out, record, *words):
    path = out.with_name(f"{out.name}.json")
    path.write_text(json.dumps(record))
    run("basic", town / "stack.zarr", "-o", out, "--options", path, *words, check=True)
    return json.loads((out / "report.json").read_text("utf-8")), read_points(out / "points.parquet")


@pytest.fixture(scope="module")
def usual(town, tmp_path_factory):
    return measured(town, tmp_path_factory.mktemp("usual") / "out", {})


@pytest.mark.parametrize(
    "record",
    [
        {"distributed": {"link": {"test": "ks", "estimator": "evd"}}},
        {"distributed": {"link": {"ministack": 8}}, "atmosphere": {"method": "inverse-distance", "cell": 100}},
        {"candidates": {"max_dispersion": 0.2, "min_signal_to_clutter": 5}, "max_dispersion": 0.45},
    ],
    ids=["ks, evd", "mini-stacks, inverse distances", "signal-to-clutter"],
)  # fmt: skip
def test_other_ways_measure_the_same_motion(town, usual, record, tmp_path):
    report, table = measured(town, tmp_path / "out", record)
    for name, given in record.items():
        _is_in(given, report["config"][name])
    truth = open_simulation(town).truth
    spread = []
    for each in (usual[1], table):
        rows, columns = each["line"].to_numpy(), each["pixel"].to_numpy()
        alone = (each["mp_type"].to_numpy() == 0) & (each["temporal_coherence"].to_numpy() > 0.8)
        error = each["mean_velocity"].to_numpy() - truth["velocity"].values[rows, columns]
        spread.append(1.4826 * np.median(np.abs(error[alone] - np.median(error[alone]))))
    assert len(table) > 0.7 * len(usual[1])
    assert spread[1] < 1.3 * spread[0]
    ways = [set(zip(*(each[name].to_pylist() for name in ("pid", "mean_velocity")), strict=True)) for each in
            (usual[1], table)]  # fmt: skip
    assert ways[0] != ways[1]  # another way was gone


def test_what_the_command_says_wins(town, tmp_path):
    record = {"distributed": {"max_sigma": 0.4}, "network": {"search": {"max_velocity": 20}, "neighbours": 7},
              "network_dispersion": 0.2}  # fmt: skip
    words = ("--no-distributed", "--no-atmosphere", "--max-height", 50, "--network-dispersion", 0.22)
    config = measured(town, tmp_path / "out", record, *words)[0]["config"]
    assert (config["distributed"], config["atmosphere"], config["network_dispersion"]) == (None, None, 0.22)
    assert config["network"]["neighbours"] == 7
    assert config["network"]["search"] == {"max_velocity": 20, "max_height": 50}


@pytest.mark.parametrize(
    ("record", "words", "said"),
    [
        ({"netwerk": 1}, (), "--netwerk 1: extra inputs are not permitted"),
        ({"distributed": {"link": {"window": [4, 5]}}}, (), "--window [4, 5]: window (4, 5) should be two odd"),
        ({"distributed": {"link": {"test": "t"}}}, (), "--test t: input should be 'glrt', 'ks' or 'none'"),
        ({}, ("--max-velocity", -3), "--max-velocity -3.0: input should be greater than 0"),
    ],
)
def test_options_that_are_none_are_named(town, record, words, said, tmp_path):
    (tmp_path / "options.json").write_text(json.dumps(record))
    done = run("basic", town / "stack.zarr", "-o", tmp_path / "out", "--options", tmp_path / "options.json", *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_series_of_months_says_that_its_velocities_are_uncertain(tmp_path):
    write_simulation(tmp_path, StackOptions(lines=110, pixels=140, dates=16, interval=6, missing=0, seed=3))
    done = run("basic", tmp_path / "stack.zarr", "-o", tmp_path / "out", "--no-distributed", check=True)
    assert "the dates span 90 days: a velocity is hardly told from a season" in done.stderr


def _is_in(given, found):
    if not isinstance(given, dict):
        assert given == found
        return
    for name, each in given.items():
        _is_in(each, found[name])
