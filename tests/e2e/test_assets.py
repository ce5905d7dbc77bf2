"""`groundshift assets` from files to files."""

import json

import pyarrow.csv as pc
import pytest
from typer.testing import CliRunner

from groundshift.cli import app
from groundshift.io.features import read_features, write_features
from groundshift.io.points import write_points
from groundshift.synth.structures import simulate_town


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("town")
    town = simulate_town(seed=3, blocks=4)
    write_points(folder / "points.parquet", town.table)
    write_features(folder / "assets.gpkg", town.assets)
    return folder


def test_assets_are_ranked_drawn_and_described(files, tmp_path):
    command = [
        "assets",
        str(files / "points.parquet"),
        str(files / "assets.gpkg"),
        "-o",
        str(tmp_path),
        "--sheets",
        "2",
    ]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "alert" in done.output
    table = pc.read_csv(tmp_path / "assets.csv")
    assert table["rank"].to_pylist() == list(range(1, len(table) + 1))
    order = {"alert": 0, "watch": 1, "notice": 2, "none": 3, "not seen": 4}
    levels = [order[each] for each in table["level"].to_pylist()]
    assert levels == sorted(levels)
    assert (
        len(read_features(tmp_path / "assets.geojson")) == len(read_features(tmp_path / "assets.parquet")) == len(table)
    )
    assert len(read_features(tmp_path / "segments.parquet")) > 100
    assert len(read_features(tmp_path / "active_areas.geojson")) >= 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert sum(report["levels"].values()) == report["assets_seen"]
    sheets = sorted((tmp_path / "sheets").iterdir())
    assert [each.name[:3] for each in sheets] == ["001", "002"]
    assert all(each.read_bytes()[:4] == b"%PDF" for each in sheets)
    assert {"overview.png", "active_areas.png"} <= {each.name for each in tmp_path.iterdir()}


def test_errors_are_one_line(files, tmp_path):
    done = CliRunner().invoke(
        app, ["assets", str(files / "none.parquet"), str(files / "assets.gpkg"), "-o", str(tmp_path)]
    )
    assert done.exit_code != 0
