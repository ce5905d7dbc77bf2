"""Point sets as GeoParquet."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groundshift.errors import ContractError, InputError
from groundshift.io.points import read_point_batches, read_points, write_points
from groundshift.model.points import header, point_set, series


@pytest.fixture
def points():
    random = np.random.default_rng(0)
    displacement = random.normal(0, 5, (4, 3)).astype(np.float32)
    displacement[1, 2] = np.nan
    return point_set(
        {
            "pid": ["a", "b", "c", "d"], "easting": 4.5e6 + np.arange(4), "northing": 2.7e6 - np.arange(4),
            "los_east": np.full(4, -0.6), "los_north": np.zeros(4), "los_up": np.full(4, 0.8),
            "line": [1, 2, 3, 4], "displacement": displacement,
        },
        level="L2a", dates=["2020-01-01", "2020-01-13", "2020-01-25"], crs="EPSG:3035", track=15,
        provenance={"seed": 0},
    )  # fmt: skip


def test_what_is_written_is_read(tmp_path, points):
    path = tmp_path / "folder" / "points.parquet"
    write_points(path, points)
    again = read_points(path)
    assert again.schema.equals(points.schema)
    assert {key: again.schema.metadata[key] for key in (b"geo", b"groundshift")} == points.schema.metadata
    for name in points.column_names:
        assert str(again[name].to_pylist()) == str(points[name].to_pylist())  # NaN is like NaN
    assert again["line"].to_pylist() == [1, 2, 3, 4]
    assert again["pixel"].null_count == 4
    np.testing.assert_array_equal(series(again), series(points))
    assert header(again).provenance == {"seed": 0}
    assert [each.name for each in path.parent.iterdir()] == ["points.parquet"]


def test_the_file_is_geoparquet(tmp_path, points):
    write_points(tmp_path / "points.parquet", points)
    geo = json.loads(pq.read_metadata(tmp_path / "points.parquet").metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    column = geo["columns"][geo["primary_column"]]
    assert column["encoding"] == "WKB"
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 3035}
    written = pq.read_table(tmp_path / "points.parquet")[geo["primary_column"]][1].as_py()
    assert written[:5] == b"\x01\x01\x00\x00\x00"  # little-endian, a point
    assert np.frombuffer(written[5:], "<f8").tolist() == [4.5e6 + 1, 2.7e6 - 1]


def test_the_same_table_makes_the_same_bytes(tmp_path, points):
    for name in ("a", "b"):
        write_points(tmp_path / name, points)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_is_no_point_set_is_refused(tmp_path, points):
    with pytest.raises(InputError, match="is no file"):
        read_points(tmp_path / "none.parquet")
    (tmp_path / "text").write_text("text")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_points(tmp_path / "text")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other")
    with pytest.raises(ContractError, match="does not describe a point set"):
        read_points(tmp_path / "other")
    with pytest.raises(ContractError):
        write_points(tmp_path / "bad", points.drop_columns(["pid"]))
    assert not (tmp_path / "bad").exists()


def test_a_file_that_is_read_part_by_part_is_not_kept_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("groundshift.io.points._ROWS", 2048)
    random, size, dates = np.random.default_rng(0), 2048, np.arange("2020-01-01", "2021-08-23", dtype="datetime64[D]")

    def parts():
        for number in range(10):
            yield point_set(
                {
                    "pid": [f"{number}-{k}" for k in range(size)], "easting": random.uniform(4e6, 5e6, size),
                    "northing": random.uniform(2e6, 3e6, size), "los_east": np.full(size, -0.6),
                    "los_north": np.zeros(size), "los_up": np.full(size, 0.8),
                    "displacement": random.normal(size=(size, len(dates))),
                },
                level="L2a", dates=dates, crs="EPSG:3035",
            )  # fmt: skip

    write_points(tmp_path / "points.parquet", parts())
    whole = (tmp_path / "points.parquet").stat().st_size
    assert whole > 4e7
    before = pa.total_allocated_bytes()
    most = [pa.total_allocated_bytes() - before for _ in read_point_batches(tmp_path / "points.parquet", rows=1024)]
    assert len(most) == 20
    assert max(most) < whole / 2
