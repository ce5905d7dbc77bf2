"""`groundshift assets` from files to files."""

import json
from contextlib import closing

import pyarrow.csv as pc
import pytest
from typer.testing import CliRunner

from groundshift.cli import app
from groundshift.errors import InputError
from groundshift.explore.catalog import open_catalog
from groundshift.io.features import read_features, write_features
from groundshift.io.points import write_points
from groundshift.products.assets import AssetConfig, assess_from_files, write_assessment
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


def test_the_map_tells_what_every_segment_does(files, tmp_path):
    with closing(open_catalog([files / "points.parquet"], assets=files / "assets.gpkg")) as catalog:
        (found,) = [each for each in catalog.layers.values() if each.kind == "features"]
        rows = [each["properties"] for each in json.loads(found.geojson())["features"]]
        assert catalog.titles[found.name] == "assets, L2b track 88"
    assert {"moves away", "does not move"} < {row["verdict"] for row in rows}
    assert all(row["said"].startswith(row["verdict"]) for row in rows)

    write_assessment(
        assess_from_files([files / "points.parquet"], files / "assets.gpkg", AssetConfig(sheets=0)), tmp_path
    )
    with closing(open_catalog([tmp_path])) as catalog:  # a folder of results: assets, and segments over them
        assert [each.kind for each in catalog.layers.values()] == ["features", "features"]
        written = [each["properties"] for each in json.loads(catalog.layers["segments"].geojson())["features"]]
    assert [row["verdict"] for row in written] == [row["verdict"] for row in rows]

    with pytest.raises(InputError, match="in files"):
        open_catalog([files / "assets.gpkg"], assets=files / "assets.gpkg")
