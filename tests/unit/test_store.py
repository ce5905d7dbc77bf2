"""The store: what goes in comes out, in windows, by others too, and changes are whole or not at all."""

import json

import duckdb
import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import shapely

from groundshift.errors import ContractError, InputError, RunError
from groundshift.explore.ingestion import ingest
from groundshift.grid.metric import crs_name
from groundshift.io.describe import describe_file
from groundshift.io.points import write_points
from groundshift.io.store import PointStore, append_dates, commit, replace_tile, write_parts
from groundshift.io.store.encode import CELL_ZOOM, encode_series, hilbert, overview
from groundshift.io.store.manifest import locked, set_name, set_record, tile_names
from groundshift.io.store.read import MERCATOR, HarmedError, statistics
from groundshift.kernels.series_fields import series_fields
from groundshift.model.points import point_set, series

DATES = np.datetime64("2020-01-03") + 12 * np.arange(40)
LOOK = np.array([0.594, -0.120, 0.795]) / np.linalg.norm([0.594, -0.120, 0.795])


def made(
    count=500, *, seed=0, first=0, dates=DATES, middle=(4_600_000, 1_750_000), crs="EPSG:3035", frame="a", **changes
):
    """A set around the corner of four tiles, numbers to one decimal."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 5, (count, len(dates))).round(1)
    values[rng.random(values.shape) < 0.02] = np.nan
    columns = {
        "pid": [f"p{first + i:06d}" for i in range(count)],
        "easting": (middle[0] + rng.normal(0, 3000, count)).round(2),
        "northing": (middle[1] + rng.normal(0, 60_000, count)).round(2),
        **{f"los_{name}": np.full(count, v) for name, v in zip(("east", "north", "up"), LOOK, strict=True)},
        "mean_velocity": rng.normal(0, 2, count).round(1),
        "displacement": values,
    }
    return point_set(columns | changes, level="L2b", dates=dates, crs=crs, track=22, frame=frame)


def stored(tmp_path, *tables, encoding="auto"):
    """A store that holds the sets."""
    for i, table in enumerate(tables):
        record, parts = write_parts([table], tmp_path / "staged", key=f"k{i}", encoding=encoding)
        commit(
            tmp_path / "store",
            tmp_path / "staged",
            {set_name(record): set_record(record)},
            parts,
            crs=crs_name(record.crs),
        )
    return PointStore(tmp_path / "store")


def everything(store):
    """All points by name: velocity and series."""
    found = {}
    for part in store.manifest.parts:
        rows = np.arange(part.points)
        table = store.window(part.bounds, sets={part.set})
        chosen = table.filter(pa.compute.equal(table["part"], part.name))
        assert sorted(chosen["row"].to_pylist()) == list(rows)
        values = store.series(part.name, chosen["row"].to_numpy())
        for pid, velocity, line in zip(
            chosen["pid"].to_pylist(), chosen["mean_velocity"].to_pylist(), values, strict=True
        ):
            assert pid not in found
            found[pid] = velocity, line
    return found


def test_a_store_is_described_if_it_is_whole(tmp_path):
    store = stored(tmp_path, made(300), made(200, frame="b", first=300))
    said = describe_file(store.root)
    tiles = len({part.tile for part in store.manifest.parts})
    assert said.startswith(f"store of 500 points in {tiles} tiles of 100 km, EPSG:3035, change 2; its files are whole")
    assert "L2b, LOS, 200 points, 40 dates from 2020-01-03" in said
    next((store.root / "series").rglob("*.parquet")).write_bytes(b"")
    with pytest.raises(ContractError, match="cannot be read"):
        describe_file(store.root)


@pytest.mark.parametrize("kind", ["attributes", "overview"])
def test_a_single_wrong_bit_is_found_and_the_file_named(tmp_path, kind):
    store = stored(tmp_path, made(300))
    part = max(store.manifest.parts, key=lambda each: each.points)
    path = store.root / part.file(kind)
    content = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(0).column(0)
    content[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(content)
    read = {"attributes": lambda: store.attributes(part.name), "overview": lambda: store.overview(part)}
    with pytest.raises(HarmedError, match=rf"{path.name} cannot be read.*ingest set"):
        read[kind]()


def test_harmed_series_name_their_file(tmp_path):
    store = stored(tmp_path, made(300))
    part = max(store.manifest.parts, key=lambda each: each.points)
    path = store.root / part.file("series")
    content = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(0).column(1)
    content[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(HarmedError, match=rf"{path.name} cannot be read.*ingest set"):
        store.series(part.name, np.arange(3))


def test_what_goes_in_comes_out(tmp_path):
    table = made()
    found = everything(stored(tmp_path, table))
    assert len(found) == len(table)
    for pid, velocity, values in zip(
        table["pid"].to_pylist(), table["mean_velocity"].to_pylist(), series(table), strict=True
    ):
        assert found[pid][0] == velocity
        np.testing.assert_allclose(found[pid][1], values, atol=1e-4)


def test_series_are_tenths_or_floats(tmp_path):
    values = np.array([[0.04, -0.06, np.nan, 3276.7]], np.float32)
    np.testing.assert_array_equal(encode_series(values), [[0, -1, -(2**15), 32767]])
    assert encode_series(values * 2).dtype == np.float32
    with pytest.raises(ContractError, match="does not fit int16"):
        encode_series(values * 2, "int16")
    table = made(50, displacement=np.full((50, len(DATES)), 5000.125))
    assert {float(line[0]) for _, line in everything(stored(tmp_path, table)).values()} == {5000.125}


def test_batches_of_one_set_are_one_set(tmp_path):
    whole, big = made(300), made(10, first=300, displacement=np.full((10, len(DATES)), 4000.0))
    record, parts = write_parts([whole, big], tmp_path / "staged", key="a")
    assert sum(part.points for part in parts) == 310
    commit(tmp_path / "store", tmp_path / "staged", {set_name(record): set_record(record)}, parts, crs="EPSG:3035")
    found = everything(PointStore(tmp_path / "store"))
    for pid, values in zip(whole["pid"].to_pylist(), series(whole), strict=True):
        np.testing.assert_allclose(found[pid][1], values, atol=1e-3)  # some parts are float32 now, NaN is NaN
    with pytest.raises(ContractError, match="another header"):
        write_parts([whole, made(10, frame="b")], tmp_path / "staged", key="b")
    with pytest.raises(ContractError, match="twice"):
        write_parts([whole, whole], tmp_path / "staged", key="c")


def test_a_window_is_what_brute_force_finds(tmp_path):
    tables = made(800), made(700, seed=1, first=800, frame="b")
    store = stored(tmp_path, *tables)
    both = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
    for by, box in (
        (("easting", "northing"), (4_598_000, 1_700_000, 4_601_000, 1_790_000)),
        (MERCATOR, None),
    ):
        if box is None:
            all_points = store.window((-(2**31), -(2**31), 2**31, 2**31), by=MERCATOR, columns=("pid", *MERCATOR))
            x, y = (all_points[name].to_numpy() for name in MERCATOR)
            box = tuple(np.percentile(v, p) for p in (20, 60) for v in (x, y))
            pids = all_points["pid"]
        else:
            x, y, pids = (both[name] for name in ("easting", "northing", "pid"))
            x, y = x.to_numpy(), y.to_numpy()
        inside = (x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3])
        assert 50 < inside.sum() < len(both)
        assert set(store.window(box, by=by)["pid"].to_pylist()) == set(pids.filter(pa.array(inside)).to_pylist())
    assert set(store.window((0, 0, 1e7, 1e7), sets={"L2b_022_b"})["pid"].to_pylist()) == set(
        tables[1]["pid"].to_pylist()
    )
    assert len(store.window((0, 0, 1, 1))) == 0


def test_a_polygon_is_what_brute_force_finds(tmp_path):
    table = made(2000)
    store = stored(tmp_path, table)
    polygon = shapely.Polygon([(4_597_000, 1_700_000), (4_604_000, 1_745_000), (4_600_000, 1_810_000)])
    x, y = (table[name].to_numpy() for name in ("easting", "northing"))
    expected = table["mean_velocity"].to_numpy()[shapely.contains_xy(polygon, x, y)]
    found = statistics(store.within(polygon)["mean_velocity"].to_numpy())
    assert found.points == len(expected) > 100
    assert found.mean == pytest.approx(expected.mean(), abs=1e-5)
    assert found.percentiles[50] == pytest.approx(np.median(expected))
    assert statistics(np.array([np.nan])).finite == 0


def test_a_point_is_found_by_its_name(tmp_path):
    table = made()
    store = stored(tmp_path, table)
    (place,) = store.find("p000123")
    point = store.point(*place)
    assert point.attributes["pid"] == "p000123"
    np.testing.assert_allclose(point.displacement, series(table)[123], atol=1e-4)
    assert store.find("nobody") == []
    with pytest.raises(InputError, match="has no part"):
        store.point("L2b/E00N00/x", 0)
    with pytest.raises(InputError, match="has rows 0 to"):
        store.point(place[0], 10**6)


def test_others_read_it_without_us(tmp_path):
    table = made()
    root = stored(tmp_path, table).root
    dataset = ds.dataset(root / "attributes", partitioning="hive")
    assert dataset.count_rows() == len(table)
    assert set(dataset.to_table(columns=["tile"])["tile"].to_pylist()) == set(
        tile_names(*(table[n].to_numpy() for n in ("easting", "northing")))[0]
    )
    query = f"""
        select avg(s.displacement_tenths_mm[3]) / 10, count(*)
        from read_parquet('{root}/series/**/*.parquet') s
        join read_parquet('{root}/attributes/**/*.parquet') a using (pid)
        where a.mean_velocity > 0
    """
    mean, count = duckdb.sql(query).fetchone()
    chosen = table["mean_velocity"].to_numpy() > 0
    assert count == chosen.sum()
    assert mean == pytest.approx(np.nanmean(series(table)[chosen, 2]), abs=1e-3)
    file = next((root / "attributes").rglob("*.parquet"))
    geo = json.loads(pq.read_schema(file).metadata[b"geo"])
    assert geo["columns"]["geometry"]["crs"]["id"]["code"] == 3035
    frame = geopandas.read_parquet(file)
    assert frame.crs.to_epsg() == 3035
    np.testing.assert_allclose(frame.geometry.x, frame.easting)


def test_a_set_that_comes_again_takes_the_place_of_the_old(tmp_path):
    stored(tmp_path, made(300), made(200, frame="b", first=1000))
    store = stored(tmp_path, made(100, seed=5))
    assert sum(part.points for part in store.manifest.parts) == 300
    files = {str(f.relative_to(store.root)) for f in store.root.rglob("*.parquet")}
    assert files == {part.file(kind) for part in store.manifest.parts for kind in ("attributes", "series", "overview")}
    assert store.check() == 300


def test_a_reader_sees_the_store_before_or_after_never_between(tmp_path):
    old = made(300)
    store = stored(tmp_path, old)
    record, parts = write_parts([made(200, seed=3)], tmp_path / "staged", key="next")
    assert PointStore(store.root).manifest == store.manifest
    for part in parts[:1]:  # a commit that is killed after it moved one part
        for kind in ("attributes", "series", "overview"):
            target = store.root / part.file(kind)
            target.parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "staged" / part.file(kind)).rename(target)
    assert set(everything(PointStore(store.root))) == set(old["pid"].to_pylist())
    commit(store.root, tmp_path / "staged", {set_name(record): set_record(record)}, parts, crs="EPSG:3035")
    assert len(everything(PointStore(store.root))) == 200


def test_two_writers_do_not_meet(tmp_path):
    stored(tmp_path, made(10))
    record, parts = write_parts([made(10)], tmp_path / "staged", key="next")
    with locked(tmp_path / "store"), pytest.raises(RunError, match="another process"):
        commit(tmp_path / "store", tmp_path / "staged", {set_name(record): set_record(record)}, parts, crs="EPSG:3035")


def test_one_tile_is_replaced(tmp_path):
    table = made(400)
    store = stored(tmp_path, table)
    which = tile_names(table["easting"].to_numpy(), table["northing"].to_numpy())[1]
    rows = np.flatnonzero(which == np.bincount(which).argmax())
    part = table.take(pa.array(rows[:5]))
    replace_tile(store.root, part)
    store.refresh()
    assert sum(p.points for p in store.manifest.parts) == len(table) - len(rows) + 5
    with pytest.raises(ContractError, match="tiles"):
        replace_tile(store.root, table)
    with pytest.raises(ContractError, match="other dates"):
        replace_tile(store.root, made(5, dates=DATES[:20], easting=part["easting"], northing=part["northing"]))


def test_later_dates_are_appended(tmp_path):
    later = DATES[-3] + 12 * np.arange(20)  # three dates in common
    rng = np.random.default_rng(1)
    truth = np.cumsum(rng.normal(0, 1, (60, 57)), axis=1).round(1)
    place = {"easting": 4.55e6 + 10.0 * np.arange(60), "northing": np.full(60, 1.75e6)}
    store = stored(tmp_path, made(60, displacement=truth[:, :40], **place))
    shifted = made(
        55,
        first=5,
        displacement=truth[5:, 37:] - 7.0,
        dates=later,
        easting=place["easting"][5:],
        northing=place["northing"][5:],
    )
    append_dates(store.root, shifted)
    store.refresh()
    found = everything(store)
    assert len(found) == 60
    assert len(store.manifest.sets["L2b_022_a"].dates) == 57
    for i in range(60):
        kept = 57 if i >= 5 else 40
        np.testing.assert_allclose(found[f"p{i:06d}"][1][:kept], truth[i, :kept], atol=0.051)
        assert np.isnan(found[f"p{i:06d}"][1][kept:]).all()
    years = np.append(DATES, later[3:]) - DATES[0]
    expected = series_fields(truth[5:6].astype(np.float32), years.astype(float)).mean_velocity[0]
    assert found["p000005"][0] == pytest.approx(expected, abs=0.05)
    with pytest.raises(ContractError, match="nothing to append"):
        append_dates(store.root, shifted)


def test_errors_say_what_to_do(tmp_path):
    with pytest.raises(InputError, match="no point store"):
        PointStore(tmp_path)
    store = stored(tmp_path, made(20))
    with pytest.raises(ContractError, match="EPSG:32633"):
        stored(tmp_path, made(20, crs="EPSG:32633", middle=(500_000, 5_000_000), frame="c"))
    file = store.root / store.manifest.parts[0].file("series")
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(ContractError, match="cannot be read"):
        store.check()
    record = json.loads((store.root / "manifest.json").read_text())
    record["parts"][0]["points"] = "many"
    (store.root / "manifest.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"damaged \(parts\.0\.points"):
        PointStore(store.root)
    (store.root / "manifest.json").write_text('{"format": "other"}')
    with pytest.raises(InputError, match="of format 'other'"):
        PointStore(store.root)


def test_files_that_hold_the_same_set_are_refused(tmp_path):
    for name in "ab":
        write_points(tmp_path / f"{name}.parquet", made(5, seed=ord(name)))
    with pytest.raises(InputError, match="2 files hold the set L2b_022_a"):
        ingest([tmp_path], tmp_path / "store", executor="serial")
    with pytest.raises(InputError, match="does not exist"):
        ingest([tmp_path / "c.zip"], tmp_path / "store")
    with pytest.raises(InputError, match="no point set"):
        ingest([__file__], tmp_path / "store")


def test_the_curve_visits_every_place_and_never_jumps():
    x, y = (v.ravel() for v in np.meshgrid(np.arange(32.0), np.arange(32.0)))
    order = np.argsort(hilbert(x * 2114 + 1, y * 2114 + 1, (0, 0, 65535, 65535)))
    steps = np.abs(np.diff(x[order])) + np.abs(np.diff(y[order]))
    assert (steps == 1).all()


def test_tiles_are_named_as_egms_does():
    names, which = tile_names(
        np.array([4_598_603.0, -1.0, 4_500_000.0]), np.array([1_739_722.0, -100_001.0, 1_700_000.0])
    )
    assert names[which].tolist() == ["E45N17", "W01S02", "E45N17"]


def test_the_overview_counts_every_point_once_at_every_zoom():
    rng = np.random.default_rng(0)
    x, y = (rng.integers(1e8, 1.1e8, 5000).astype(np.int32) for _ in "xy")
    velocity = rng.normal(size=5000).astype(np.float32)
    velocity[::7] = np.nan
    table = overview(x, y, pa.table({"mean_velocity": velocity})).to_pandas()
    for zoom, cells in table.groupby("zoom"):
        assert cells["count"].sum() == 5000
        assert not cells.duplicated(["x", "y"]).any()
        assert cells.largest_velocity.max() == np.nanmax(velocity)
        assert cells.x.max() < 2**zoom
    coarse = table[table.zoom == 2]
    assert len(coarse) == 1
    assert coarse.mean_velocity.iloc[0] == pytest.approx(np.nanmean(velocity), abs=1e-5)
    assert table.zoom.max() == CELL_ZOOM
