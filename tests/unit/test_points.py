"""The point-set contract: what it keeps, what it refuses, and that a Parquet file keeps it too."""

import json
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groundshift.errors import ContractError
from groundshift.model import points

DATES = np.array(["2020-01-03", "2020-01-09", "2020-01-21"], "datetime64[D]")
COUNT = 4


def columns(**changes) -> dict:
    """Columns of a small L2b set, descending geometry; a change of None leaves a column out."""
    look = np.array([0.594, -0.120, 0.795])
    look /= np.linalg.norm(look)
    made = {
        "pid": [f"166ax5Ofj{letter}" for letter in "abcd"],
        "easting": 4_598_603.43 + 100 * np.arange(COUNT),
        "northing": 1_739_722.18 + 50 * np.arange(COUNT),
        "los_east": np.full(COUNT, look[0]),
        "los_north": np.full(COUNT, look[1]),
        "los_up": np.full(COUNT, look[2]),
        "mp_type": np.array([0, 0, 120, 40]),
        "mean_velocity": np.array([-2.1, 0.4, np.nan, 1.0]),
        "temporal_coherence": np.array([0.86, 0.9, 0.7, 1.0]),
        "displacement": np.arange(COUNT * len(DATES), dtype=float).reshape(COUNT, -1) - 5.5,
    }
    return {name: values for name, values in (made | changes).items() if values is not None}


def build(level="L2b", dates=DATES, crs="EPSG:3035", options=None, **changes) -> pa.Table:
    """The small set, with what a test wants otherwise."""
    return points.point_set(columns(**changes), level=level, dates=dates, crs=crs, **(options or {}))


def ortho(**options) -> pa.Table:
    """The small set as a grid of level L3."""
    look = dict.fromkeys(("los_east", "los_north", "los_up", "mp_type", "temporal_coherence"))
    return build("L3", options=options, **look)


def test_a_set_says_what_it_is():
    options = {"track": np.int64(22), "frame": "0845_IW2_VV", "provenance": {"software": "groundshift 0.1"}}
    header = points.header(build(options=options))
    assert (header.level, header.component, header.track, header.frame) == ("L2b", "LOS", 22, "0845_IW2_VV")
    np.testing.assert_array_equal(header.dates, DATES)
    assert header.crs.to_epsg() == 3035
    assert header.provenance == {"software": "groundshift 0.1"}


def test_every_documented_column_is_there_and_typed():
    table = build()
    assert table.column_names == [*points.COLUMNS["L2b"], "displacement", "geometry"]
    assert table.schema.field("displacement").type == pa.list_(pa.float32(), 3)
    assert table["mp_type"].to_pylist() == [0, 0, 120, 40]
    assert table["line"].null_count == COUNT, "an integer that was not measured is null"
    assert np.isnan(table["rmse"].to_numpy()).all(), "a float that was not measured is NaN"
    assert table["mean_velocity"].null_count == 0


def test_levels_differ_in_columns():
    assert build("L2a").column_names[1] == "cluster_label"
    table = ortho(component="E")
    assert points.level(table) == "L3"
    assert "los_up" not in table.column_names


def test_optional_columns_are_added_only_if_given():
    assert "gnss_velocity" not in build().column_names
    assert build(gnss_velocity=np.full(COUNT, -1.6))["gnss_velocity"].to_pylist() == pytest.approx([-1.6] * COUNT)


def test_series_come_back_as_an_array():
    given = columns()["displacement"].copy()
    given[1, 2] = np.nan
    series = points.series(build(displacement=given))
    assert series.dtype == np.float32
    np.testing.assert_array_equal(series, given.astype(np.float32))


def test_series_of_a_selection_and_of_joined_sets():
    given = columns()["displacement"].astype(np.float32)
    table = build()
    np.testing.assert_array_equal(points.series(table.slice(1, 2)), given[1:3])
    np.testing.assert_array_equal(points.series(table.take([3, 0])), given[[3, 0]])
    joined = pa.concat_tables([table.slice(2), table.slice(0, 2)])
    points.check(joined)
    np.testing.assert_array_equal(points.series(joined), given[[2, 3, 0, 1]])


def test_geometry_is_a_little_endian_wkb_point():
    table = build()
    for row in table.select(["easting", "northing", "geometry"]).to_pylist():
        assert struct.unpack("<BIdd", row["geometry"]) == (1, 1, row["easting"], row["northing"])


def test_geoparquet_metadata():
    geo = json.loads(build().schema.metadata[b"geo"])
    column = geo["columns"][geo["primary_column"]]
    assert geo["version"] == "1.1.0"
    assert (column["encoding"], column["geometry_types"]) == ("WKB", ["Point"])
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 3035}


def test_a_parquet_file_keeps_everything(tmp_path):
    table = build(options={"track": 22, "provenance": {"sources": ["a.zip"], "λ": 55.465763}})
    pq.write_table(table, tmp_path / "points.parquet", row_group_size=3, compression="zstd")
    back = pq.read_table(tmp_path / "points.parquet")
    points.check(back)
    assert back.schema.metadata == table.schema.metadata
    assert back.schema.types == table.schema.types
    for name in table.column_names:
        np.testing.assert_array_equal(back[name].to_pylist(), table[name].to_pylist(), err_msg=name)


def test_attributes_can_be_read_without_the_series(tmp_path):
    pq.write_table(build(), tmp_path / "points.parquet")
    part = pq.read_table(tmp_path / "points.parquet", columns=["pid", "mean_velocity"])
    assert points.dates(part)[0] == DATES[0]


def test_an_empty_set_is_a_set():
    empty = build().slice(0, 0)
    points.check(empty)
    assert points.series(empty).shape == (0, 3)
    assert "0 points" in points.describe(empty)


def test_values_may_come_as_arrow_columns():
    mp_type = pa.chunked_array([[0, 1], [None, 3]])
    velocity = pa.array([1.0, None, 2.0, 3.0])
    table = build(mp_type=mp_type, mean_velocity=velocity)
    assert table["mp_type"].to_pylist() == [0, 1, None, 3]
    assert np.isnan(table["mean_velocity"].to_numpy()[1])


def test_description_in_words():
    text = points.describe(build(options={"track": 22, "frame": "0845_IW2_VV"}))
    assert "L2b (Calibrated), LOS, 4 points, 3 dates from 2020-01-03 to 2020-01-21" in text
    assert "track 22, frame 0845_IW2_VV, EPSG:3035" in text
    assert "mean_velocity: median 0.40 mm/yr" in text
    assert "rmse" not in text, "nothing is said of what was not measured"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"easting": None}, "'easting'.* missing"),
        ({"los_up": None}, "'los_up'.* missing"),
        ({"displacement": None}, "'displacement'.* missing"),
        ({"vel": np.zeros(COUNT)}, "'vel'.* unknown"),
        ({"cluster_label": np.zeros(COUNT, int)}, "'cluster_label'.* unknown"),
        ({"northing": np.zeros(3)}, "'northing' has 3 values"),
        ({"displacement": np.zeros((COUNT, 2))}, r"shape \(4, 2\); expected 4 points x 3 dates"),
        ({"mp_type": np.array([0.5, 0, 0, 0])}, "'mp_type' cannot be read as int32"),
        ({"rmse": ["a"] * COUNT}, "'rmse' cannot be read as float"),
        ({"pid": ["a", "a", "b", "c"]}, "'pid' holds a name more than once"),
        ({"pid": ["a", None, "b", "c"]}, "'pid' has 1 nulls"),
        ({"easting": np.array([np.nan, 0, 0, 0])}, "'easting' is not finite"),
        ({"latitude": np.full(COUNT, 91.0)}, "'latitude' has values outside -90 to 90"),
        ({"temporal_coherence": np.full(COUNT, 1.1)}, "'temporal_coherence' has values outside 0 to 1"),
        ({"mean_velocity_std": np.full(COUNT, -0.1)}, "'mean_velocity_std' has values outside 0 to inf"),
        ({"los_up": np.full(COUNT, -0.795)}, "from the ground to the satellite"),
        ({"los_east": np.full(COUNT, 0.9)}, "must be a unit vector"),
    ],
)
def test_refused_columns(changes, message):
    with pytest.raises(ContractError, match=message):
        build(**changes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"level": "L2c"}, "'L2c' is none of L2a, L2b, L3"),
        ({"dates": DATES[::-1]}, "not all increasing"),
        ({"crs": "EPSG:nothing"}, "is not a CRS"),
        ({"options": {"component": "U"}}, "'U' does not go with L2b"),
        ({"options": {"provenance": {"file": object()}}}, "cannot be written as JSON"),
    ],
)
def test_refused_arguments(arguments, message):
    with pytest.raises(ContractError, match=message):
        build(**arguments)


def test_a_grid_needs_its_component():
    with pytest.raises(ContractError, match="pass component='U' or component='E'"):
        ortho()


def test_a_table_without_metadata_is_no_point_set():
    with pytest.raises(ContractError, match="does not describe a point set"):
        points.check(build().replace_schema_metadata(None))


def test_moved_coordinates_are_found():
    table = build()
    moved = pa.array(table["easting"].to_numpy() + 1.0)
    with pytest.raises(ContractError, match="'geometry' differs"):
        points.check(table.set_column(table.column_names.index("easting"), "easting", moved))


def test_wrong_types_are_found():
    table = build()
    wide = table.set_column(table.column_names.index("rmse"), "rmse", table["rmse"].cast(pa.float64()))
    with pytest.raises(ContractError, match="'rmse' is double; expected float"):
        points.check(wide)
    with pytest.raises(ContractError, match=r"\['rmse'\]"):
        points.check(table.drop_columns(["rmse"]))
