"""`groundshift synth earthquake` and `groundshift fuse` from files to files."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from groundshift.cli import app
from groundshift.io import read_map
from groundshift.io.convert.raster import read_raster
from groundshift.synth.moving_ground import GroundOptions, write_ground
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
    assert {path.name for path in out.iterdir()} == {
        "displacement.tif", "quicklook.png", "profile.png", "record.json", "run.json"
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


def test_a_glacier_is_fused_over_time(tmp_path):
    seen, out = tmp_path / "seen", tmp_path / "out"
    options = GroundOptions(side=2_000, pixel=250, days=120, image_every=15, stations=0, image_length=1_500, seed=2)
    made = write_ground(seen, options)
    said = {"series": {"rounds": 2, "sample": 16, "sizes": [0.05, 3.0]}, "optical": {"offset": 3.0, "correlated": 0.5}}
    (tmp_path / "options.json").write_text(json.dumps(said))
    arguments = ["fuse", "--radar", seen / "ascending.parquet", "--radar", seen / "descending.parquet", "--every", "30"]
    for path in sorted(seen.glob("optical_*.tif")):
        arguments += ["--optical", path]
    arguments += ["--config", tmp_path / "options.json", "-o", out]
    done = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert {path.name for path in out.iterdir()} == {
        "series.nc", "velocity.tif", "quicklook.png", "record.json", "run.json"
    }  # fmt: skip
    found, velocity = read_raster(out / "series.nc"), read_map(out / "velocity.tif")
    assert found["north"].dims == ("time", "y", "x")
    assert velocity["north"].attrs["units"] == "m/yr"
    years = 119 / 365.25
    np.testing.assert_allclose(found["north"].values[-1] / years, velocity["north"].values, rtol=0.02, atol=1e-4)
    first = made.truth(np.array([found.attrs["date_pre"]], "datetime64[D]"))
    error = found["north"].values - (made.truth(found["time"].values.astype("datetime64[D]")) - first)[:, 1]
    assert np.nanmean((error / found["north_sigma"].values) ** 2) < 3
    record = json.loads((out / "record.json").read_text())
    assert {each["component"] for each in record["dates"]} == {"east", "north", "los"}
    bad = CliRunner().invoke(
        app, ["fuse", *map(str, arguments[1:5]), "--dates", "2020-03-01,2020-02-01", "-o", str(out)]
    )
    assert "two or more, increasing" in str(bad.exception)
    bad = CliRunner().invoke(app, ["fuse", *map(str, arguments[1:7]), "--quantity", "velocity", "-o", str(out)])
    assert "a series is of displacement" in str(bad.exception)
