"""Files of EGMS: both dialects, names, headers, and what is refused."""

import datetime
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from pyproj import CRS

from groundshift.errors import InputError
from groundshift.io.describe import describe_file
from groundshift.io.egms import (
    holds_table,
    name_of,
    parse_name,
    read_batches,
    read_egms,
    tile_of,
    write_egms,
    write_zip_of,
)
from groundshift.io.egms.header import parse_header, reference_date, write_header
from groundshift.io.points import write_points
from groundshift.model.points import header, point_set, series

STEM = "EGMS_L2a_088_0282_IW2_VV_2018_2022_1"
DATES = ["2018-01-03", "2018-01-09", "2022-12-30"]


def points(level="L2a", count=5, **more):
    random = np.random.default_rng(3)
    displacement = random.normal(0, 20, (count, 3)).round(1)
    displacement[0, 1], displacement[1, 0] = np.nan, -0.0
    columns = {
        "pid": [f"3ODTn{i:05d}" for i in range(count)], "easting": 4.5e6 + 10 * np.arange(count),
        "northing": np.full(count, 2.7e6), "height": random.normal(0, 100, count).round(1),
        "mean_velocity": random.normal(0, 5, count).round(1), "displacement": displacement,
    }  # fmt: skip
    if level == "L3":
        return point_set(columns, level="L3", component="U", dates=DATES, crs="EPSG:3035", frame="E45N27", **more)
    columns |= {
        "los_east": np.full(count, -0.62), "los_north": np.full(count, -0.1), "los_up": np.full(count, 0.778),
        "latitude": random.uniform(38, 60, count).round(6), "line": np.arange(count),
        "track_angle": np.full(count, -9.12),
    }  # fmt: skip
    return point_set(columns, level=level, dates=DATES, crs="EPSG:3035", track=88, frame="0282_IW2_VV", **more)


def same(a, b):
    assert a.column_names == b.column_names
    for name in set(a.column_names) - {"displacement"}:
        assert str(a[name].to_pylist()) == str(b[name].to_pylist()), name
    np.testing.assert_array_equal(series(a), series(b))
    assert np.array_equal(np.signbit(series(a)), np.signbit(series(b)))
    assert header(a)._replace(provenance={}, dates=0) == header(b)._replace(provenance={}, dates=0)
    np.testing.assert_array_equal(header(a).dates, header(b).dates)


@pytest.mark.parametrize("dialect", ["documented", "newer"])
@pytest.mark.parametrize("level", ["L2a", "L2b", "L3"])
def test_what_is_written_is_read(tmp_path, level, dialect):
    table = points(level)
    path = write_egms(tmp_path, table, dialect=dialect)
    same(read_egms(path), table)
    again = write_egms(tmp_path / "again", read_egms(path))
    assert again.name == path.name
    with zipfile.ZipFile(path) as one, zipfile.ZipFile(again) as two:
        assert one.namelist() == two.namelist() == [f"{path.stem}.csv", f"{path.stem}.xml"]
        assert [one.read(name) for name in one.namelist()] == [two.read(name) for name in two.namelist()]


def test_the_documented_text_is_that_of_the_description(tmp_path):
    write_egms(tmp_path / f"{STEM}.csv", points(count=2), produced=datetime.date(2024, 1, 2))
    first, second, _ = (tmp_path / f"{STEM}.csv").read_text().splitlines()
    assert first.startswith("pid,cluster_label,mp_type,latitude,longitude,easting,northing,height,height_wgs84,line,")
    assert first.endswith("seasonality,seasonality_std,20180103,20180109,20221230")
    assert second.split(",")[0] == "3ODTn00000"
    assert ",4500000.00,2700000.00," in second
    assert ",-9.12,-0.620,-0.100,0.778," in second
    assert second.split(",")[-2] == ""
    assert parse_header((tmp_path / f"{STEM}.xml").read_bytes(), "") == {
        "product_level": "L2a", "track": "088", "burst_id": "0282", "sub_swath": "2", "production_facility": "3",
        "production_date": "02/01/2024", "dataset": {"image": [{"date": day.replace("-", "")} for day in DATES]},
    }  # fmt: skip


def test_a_header_says_what_is_known_of_clusters_and_images(tmp_path):
    labels = pa.array([4, 0, None, 4, 1], pa.int32())
    table = points(provenance={"reference_date": "2019-07-31"})
    table = table.set_column(table.column_names.index("cluster_label"), "cluster_label", labels)
    read = read_egms(write_egms(tmp_path, [table.slice(0, 2), table.slice(2)]))
    known = header(read).provenance
    assert known["reference_date"] == "2019-07-31"
    assert known["egms"]["header"]["clusters"] == {"cluster_label": ["0", "1", "4"]}
    assert known["egms"]["header"]["reference"] == {"image": {"date": "20190731"}}
    absolute = points("L2b", provenance=known)
    content = header(read_egms(write_egms(tmp_path, absolute))).provenance["egms"]["header"]
    assert content["reference"] == {"image": {"date": "20190731"}}
    assert [each["date"] for each in content["dataset"]["image"]] == [day.replace("-", "") for day in DATES]
    assert "clusters" not in content
    assert not {"reference", "dataset", "clusters"} & set(
        header(read_egms(write_egms(tmp_path, points("L3")))).provenance["egms"]["header"]
    )


@pytest.mark.parametrize(
    ("images", "day"),
    [
        (
            {"image": {"product_id": "S1B_IW_SLC__1SDV_20190731T051146_20190731T051213_017373_020AAB_6B9E"}},
            "2019-07-31",
        ),
        ({"image": [{"orbit_type": "AUX_POEORB"}, {"date": "20200229"}]}, "2020-02-29"),
        ({"image": {"date": "20190230"}}, None),
        ({"image": "20190731"}, None),
        ("20190731", None),
    ],
)
def test_the_day_of_the_reference_image_is_read(images, day):
    assert str(reference_date({"reference": images})) == str(day)


def test_a_point_set_is_delivered_where_files_of_egms_can_hold_it(tmp_path, caplog):
    write_points(tmp_path / "points.parquet", table := points(count=20_000))
    made = write_zip_of(tmp_path / "points.parquet", tmp_path)
    assert made == tmp_path / "EGMS_L2a_088_0282_IW2_VV_2018_2022_1.zip"
    same(read_egms(made), table)
    caplog.set_level("INFO")
    for change, said in (({"crs": CRS("EPSG:32633")}, "not in EPSG:3035"), ({"frame": "harbour"}, "no file name")):
        record = header(table)._replace(**change)
        other = {name: table[name] for name in table.column_names if name not in ("displacement", "geometry")}
        write_points(
            tmp_path / "other.parquet",
            point_set(other | {"displacement": series(table)}, **record._asdict()),
        )
        assert write_zip_of(tmp_path / "other.parquet", tmp_path / "none") is None
        assert said in caplog.messages[-1]
    assert not (tmp_path / "none").exists()


def test_parts_are_the_whole(tmp_path):
    table = points(count=400)
    path = write_egms(tmp_path, [table.slice(0, 100), table.slice(100)])
    parts = list(read_batches(path, batch_bytes=5000))
    assert len(parts) > 3
    assert len({str(part.schema.metadata) for part in parts}) == 1
    assert sum(map(len, parts)) == 400
    same(read_egms(path), table)


def test_the_same_points_make_the_same_bytes_in_any_parts(tmp_path):
    table = points(count=9000)
    one = write_egms(tmp_path / "one.zip", table, produced=datetime.date(2024, 1, 2))
    cut = [table.slice(start, size) for start, size in ((0, 5), (5, 4500), (4505, 0), (4505, 4495))]
    parts = write_egms(tmp_path / "parts" / "one.zip", cut, produced=datetime.date(2024, 1, 2))
    assert parts.read_bytes() == one.read_bytes()
    same(read_egms(one), table)


@pytest.mark.parametrize("level", [1, 6])
def test_zips_of_either_packer_are_read_by_both(tmp_path, level):
    path = write_egms(tmp_path, points(count=50), level=level)
    same(read_egms(path), points(count=50))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert b"".join(archive.open(f"{path.stem}.csv")).count(b"\n") == 51


def test_a_file_without_points_keeps_its_dates(tmp_path):
    table = read_egms(write_egms(tmp_path, points(count=2).slice(0, 0)))
    assert len(table) == 0
    assert header(table).dates.astype(str).tolist() == DATES


@pytest.mark.parametrize(
    "stem",
    [STEM, "EGMS_L2b_022_0845_IW3_VH_2020_2024_12", "EGMS_L2a_088_0282_IW1_VV", "EGMS_L3_E40N28_100km_U_2018_2022_1",
     "EGMS_L3_E40N28_100km_E"],
)  # fmt: skip
def test_names_say_what_they_mean(stem):
    name = parse_name(stem + ".zip")
    assert name.stem == stem
    assert parse_name(stem) == name


def test_parts_of_a_name():
    assert parse_name(STEM) == ("L2a", 88, "0282_IW2_VV", "LOS", (2018, 2022), 1)
    assert parse_name("EGMS_L3_E40N28_100km_U") == ("L3", None, "E40N28", "U", None, None)
    for wrong in ("EGMS_L2a_88_0282_IW2_VV", STEM.replace("L2a", "L2c"), "x" + STEM, STEM + "0.5"):
        assert parse_name(wrong) is None
    assert tile_of(4_597_550, 1_739_750) == "E45N17"
    with pytest.raises(InputError, match="make no file name"):
        name_of(header(points())._replace(frame="harbour"))


def test_headers_survive():
    text = (
        "<?xml version='1.0' encoding='UTF-8'?>\n<BURST>\n  <product_level>L2b</product_level>\n  <dem>\n"
        "    <version>DEM é</version>\n  </dem>\n  <dataset>\n    <image>\n      <orbit_type>AUX_POEORB</orbit_type>\n"
        "    </image>\n    <image>\n      <orbit_type />\n    </image>\n  </dataset>\n</BURST>"
    ).encode()
    content = parse_header(text, "header")
    assert content["dataset"]["image"][0] == {"orbit_type": "AUX_POEORB"}
    assert write_header(content, "L2b") == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"<BURST>", "cannot be read as XML"),
        (b"<OTHER/>", "root 'OTHER'"),
        (b"<BURST>\xff</BURST>", "in UTF-8"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><BURST>&b;</BURST>', "declares a document type"),
        (b"<BURST>" + 20 * b"<a>" + 20 * b"</a>" + b"</BURST>", "nested more than 8"),
    ],
)
def test_bad_headers_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_header(text, "header")


def broken(tmp_path, change, name=f"{STEM}.csv"):
    """Path of a file of three points whose text was changed."""
    write_egms(tmp_path / "good" / f"{STEM}.csv", points(count=3))
    path = tmp_path / name
    path.write_bytes(change((tmp_path / "good" / f"{STEM}.csv").read_bytes()))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace(b"3ODTn00001,", b"3ODTn00001,7,"), "line 3 has 29 fields; expected 28"),
        (lambda t: t.replace(b"3ODTn00002,,", b"3ODTn00002,"), "line 4 has only 27 fields; expected 28"),
        (lambda t: t.replace(b"-0.0", b"-O.0"), "line 3, column '20180103': '-O.0' is no number"),
        (lambda t: t.replace(b"-0.0", b"1.2.3"), "line 3, column '20180103'"),
        (lambda t: t.replace(b"-0.0", b"1234567890123456789"), "line 3, column '20180103'"),
        (lambda t: t.replace(b"-0.0", b'"1.0"'), "line 3, column '20180103'"),
        (lambda t: t.replace(b"-0.0", "½".encode()), "line 3, column '20180103'"),
        (lambda t: t.replace(b"3ODTn00001", b"3ODT\xe400001"), "line 3 starts with the name"),
        (lambda t: t.replace(b"3ODTn00001", b""), "line 3 starts with the name"),
        (lambda t: t.replace(b"3ODTn00001", b"\n3ODTn00001"), "line 3 is empty"),
        (lambda t: t.replace(b"3ODTn00001", b"3ODTn00000"), "in lines 2 to 4: column 'pid' holds a name more than"),
        (lambda t: t.replace(b"0.778", b"1.778"), "must be a unit vector"),
        (lambda t: t.replace(b"-9.12,-0.620", b"-9.12,"), "must be a unit vector"),
        (lambda t: t.replace(b",1,,", b",1.5,,"), "line 3, column 'line': 1.5 is no whole number"),
        (lambda t: t.replace(b"easting", b"eastings"), "line 1 lacks columns of L2a: easting"),
        (lambda t: t.replace(b"20180103", b"extra,20180103"), "line 1 has columns that L2a does not have: extra"),
        (lambda t: t.replace(b",height,", b",height,rmse_ts,"), "line 1 has columns twice: rmse"),
        (lambda t: t.replace(b"20180109", b"20180103"), "the date 20180103 is there twice"),
        (lambda t: t.replace(b"20180109", b"20231230"), "the date 20221230 comes after 20231230"),
        (lambda t: t.replace(b"20180109", b"20180230"), "line 1: .*expected dates as YYYYMMDD"),
        (lambda t: t.replace(b"20180109", b"later"), "'later' stands among the dates"),
        (lambda t: t.replace(b",20180103,20180109,20221230", b""), "line 1 has no dates"),
        (lambda t: t.decode().encode("utf-16"), "line 1 is in UTF-16"),
        (lambda t: b"\xe4" + t, "line 1 is not in UTF-8"),
        (lambda t: b"", "line 1 is empty"),
        (lambda t: t + b"x" * 2_000_000, "a line of more than 1048576 bytes"),
    ],
)  # fmt: skip
def test_broken_tables_are_refused_with_the_line(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        read_egms(broken(tmp_path, change))


def test_names_headers_and_columns_must_agree(tmp_path):
    with pytest.raises(InputError, match="is L2b by its name, but its columns are those of L2a"):
        read_egms(broken(tmp_path, bytes, f"{STEM.replace('L2a', 'L2b')}.csv"))
    path = broken(tmp_path, bytes)
    path.with_suffix(".xml").write_text("<BURST><product_level>L2b</product_level></BURST>")
    with pytest.raises(InputError, match="is L2b by its XML header"):
        read_egms(path)


def test_the_component_of_a_grid_is_told(tmp_path):
    write_egms(tmp_path / "cells.csv", points("L3"))
    with pytest.raises(InputError, match=r"does not say whether it is up or east; .* --component U or E"):
        read_egms(tmp_path / "cells.csv")
    assert header(read_egms(tmp_path / "cells.csv", component="U")).component == "U"


def zipped(tmp_path, members):
    path = tmp_path / f"{STEM}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"readme.txt": "x"}, "holds no .csv"),
        ({"a.csv": "x", "b.csv": "x"}, "expected one .csv"),
        ({"../a.csv": "x"}, r"member '\.\./a.csv' leads out of the folder"),
        ({"/etc/a.csv": "x"}, "leads out of the folder"),
        ({"C:/a.csv": "x"}, "leads out of the folder"),
        ({"b\\..\\a.csv": "x"}, "leads out of the folder"),
        ({"a.csv": "0" * 4_000_000}, "a.csv is packed .* to 1"),
        ({"a.csv": "pid", **{f"{i}.txt": "" for i in range(99)}}, "holds 100 members"),
    ],
)
def test_zips_that_are_not_to_be_trusted_are_refused(tmp_path, members, message):
    with pytest.raises(InputError, match=message):
        read_egms(zipped(tmp_path, members))


def test_a_table_may_not_be_larger_than_allowed(tmp_path):
    with pytest.raises(InputError, match="expected at most 100"):
        next(read_batches(write_egms(tmp_path, points()), max_bytes=100))


def test_broken_zips_are_refused(tmp_path):
    path = write_egms(tmp_path, points(count=300))
    whole = path.read_bytes()
    for part in (whole[: len(whole) // 2], b"text", whole[:400] + bytes(200) + whole[600:]):
        path.write_bytes(part)
        with pytest.raises(InputError, match="cannot be unpacked"):
            read_egms(path)


def test_points_in_another_crs_are_not_written(tmp_path):
    table = points()
    columns = {
        name: table[name].to_numpy() for name in ("pid", "easting", "northing", "los_east", "los_north", "los_up")
    }
    other = point_set(columns | {"displacement": series(table)}, level="L2a", dates=DATES, crs="EPSG:32633")
    with pytest.raises(InputError, match="files of EGMS are in EPSG:3035"):
        write_egms(tmp_path / "x.zip", other)
    assert not list(tmp_path.iterdir())


def test_a_byte_order_mark_and_line_ends_of_windows_are_understood(tmp_path):
    path = broken(tmp_path, lambda t: t.replace(b"\n", b"\r\n"))
    same(read_egms(path), points(count=3))
    write_egms(tmp_path / "again.csv", read_egms(path))
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().rstrip())
    same(read_egms(path), points(count=3))


def quoted(text):
    return b"\r\n".join(b",".join(b'"' + each + b'"' for each in line.split(b",")) for line in text.splitlines())


@pytest.mark.parametrize(
    "saved",
    [
        lambda t: t.replace(b",", b";"),
        lambda t: t.translate(bytes.maketrans(b",.", b";,")),
        lambda t: t.translate(bytes.maketrans(b",.", b"\t,")),
        lambda t: b"\xef\xbb\xbf" + t.translate(bytes.maketrans(b",.", b";,")).replace(b"\n", b"\r\n"),
        quoted,
    ],
    ids=["semicolons", "decimal commas", "tabs", "a spreadsheet in Europe", "quotes"],
)
def test_what_a_spreadsheet_saved_is_read_as_it_was_delivered(tmp_path, saved):
    path = broken(tmp_path, saved)
    assert holds_table(path)
    same(read_egms(path), points(count=3))


def test_a_table_is_known_whatever_its_file_is_called(tmp_path):
    table = broken(tmp_path, lambda t: t, name="Strecke Süd.csv")
    named = tmp_path / f"{STEM} (1).zip"
    with zipfile.ZipFile(named, "w") as archive:
        archive.write(table, f"{STEM}.csv")
    for path in (table, named):
        assert holds_table(path)
        assert "point set L2a" in describe_file(path)
    (tmp_path / "stations.csv").write_text("name,latitude,longitude\n")
    (tmp_path / "broken.zip").write_bytes(b"PK")
    assert not any(holds_table(tmp_path / name) for name in ("stations.csv", "broken.zip", "none.csv"))


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(InputError, match="is no file"):
        read_egms(tmp_path / "none.zip")


@pytest.mark.parametrize("zeros", [True, False])
def test_a_single_row_tells_whether_zeros_are_left_off(tmp_path, zeros):
    """Fields that are computed again have the decimals of the description even if the row happened to need fewer."""
    path = write_egms(tmp_path, points(count=2).slice(1), dialect="documented" if zeros else "newer")
    table = read_egms(path)
    changed = table.set_column(table.column_names.index("los_up"), "los_up", pa.array([0.796], pa.float32()))
    with zipfile.ZipFile(write_egms(tmp_path / "again", changed)) as archive:
        row = archive.read(archive.namelist()[0]).decode().splitlines()[1]
    assert (",-0.620,-0.100,0.796," if zeros else ",-0.62,-0.1,0.796,") in row
