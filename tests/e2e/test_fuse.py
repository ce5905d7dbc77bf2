"""`groundshift synth earthquake` and `groundshift fuse` from files to files."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from groundshift.cli import app
from groundshift.io import read_map
from groundshift.synth.three_dimensions import EarthquakeOptions, write_earthquake

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")


def test_an_earthquake_is_fused(tmp_path):
    seen, out = tmp_path / "seen", tmp_path / "out"
    options = EarthquakeOptions(side=16_000, pixel=200, length=9_000, depth=6_000, stations=12)
    made = write_earthquake(seen, options)
    (tmp_path / "options.json").write_text(json.dumps({"fuse": {"rounds": 2}, "alike": 1.0}))
    middle = made.trace.mean(axis=0)
    line = ",".join(f"{each:.0f}" for each in (middle[0] - 6000, middle[1], middle[0] + 6000, middle[1]))
    arguments = [
        "fuse", "--optical", seen / "optical.tif", "--radar", seen / "ascending.parquet", "--radar",
        seen / "descending.parquet", "--stations", seen / "stations.csv", "--start", "2020-01-01", "--end",
        "2020-01-13", "--profile", line, "--config", tmp_path / "options.json", "-o", out,
    ]  # fmt: skip
    done = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert {path.name for path in out.iterdir()} - {".tiles"} == {
        "displacement.tif", "quicklook.png", "profile.png", "record.json"
    }  # fmt: skip
    assert not list(out.glob(".tiles/*/*.npz"))
    found, truth = read_map(out / "displacement.tif"), read_map(seen / "truth.tif")
    assert found.attrs["method"] == "fusion"
    for name in ("east", "north", "up"):
        error = (found[name] - truth[name]).values
        assert np.sqrt(np.nanmean(error**2)) < 0.15
    report = {(each["source"], each["component"]) for each in json.loads((out / "record.json").read_text())["shared"]}
    assert report == {
        ("optical.tif", "east"), ("optical.tif", "north"), ("ascending.parquet", "los"), ("descending.parquet", "los")
    }  # fmt: skip
    refused = CliRunner().invoke(app, ["fuse", "--config", str(tmp_path / "none.json"), "-o", str(out)])
    assert "holds no options of a fusion" in str(refused.exception)
