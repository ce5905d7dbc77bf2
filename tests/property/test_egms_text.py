"""Text of EGMS: what is written is read, and no broken file does anything but be refused."""

import re
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from groundshift.errors import GroundshiftError
from groundshift.io.egms import read_egms, write_egms
from groundshift.io.egms.dialect import decimals_of
from groundshift.io.egms.header import parse_header
from groundshift.kernels.decimal_text import FINE, read_rows, write_rows
from groundshift.model.points import COLUMNS, OPTIONAL_COLUMNS, check, point_set, series

ROWS = 3
NAME = "EGMS_L3_E45N27_100km_U_2018_2022_1"
number = st.floats(-2000, 2000, width=32) | st.just(np.nan)
plain = st.decimals(-99999, 99999, allow_nan=False, places=3).map(str)


@st.composite
def point_sets(draw):
    """A point set of any level with any values, rounded to nothing yet."""
    level = draw(st.sampled_from(list(COLUMNS)))
    days = draw(st.lists(st.integers(0, 4000), min_size=1, max_size=5, unique=True).map(sorted))
    count = draw(st.integers(0, ROWS))
    optional = OPTIONAL_COLUMNS[level] if draw(st.booleans()) else ()
    columns = {}
    for name in (*COLUMNS[level], *optional):
        values = draw(st.lists(number, min_size=count, max_size=count))
        if name.endswith("_std") or name in ("rmse", "seasonality", "amplitude_dispersion"):
            values = np.abs(values)
        columns[name] = np.array(values, np.float64)
    for name in {"cluster_label", "mp_type", "line", "pixel"} & set(columns):
        columns[name] = draw(st.lists(st.integers(0, 65535) | st.none(), min_size=count, max_size=count))
    columns |= {
        "pid": [f"p{i}" for i in range(count)],
        "easting": np.arange(count) * 100.0,
        "northing": np.full(count, 7e5),
    }
    if level != "L3":
        columns |= {"los_east": np.full(count, -0.6), "los_north": np.zeros(count), "los_up": np.full(count, 0.8)}
        columns |= {"latitude": np.full(count, 45.1234567), "longitude": np.full(count, -1.5)}
        columns["temporal_coherence"] = np.full(count, 0.765)
    moved = draw(st.lists(number, min_size=count * len(days), max_size=count * len(days)))
    dates = np.datetime64("2014-04-03") + np.array(days)
    return point_set(
        columns | {"displacement": np.array(moved, np.float32).reshape(count, len(days))}, level=level, dates=dates,
        crs="EPSG:3035", component="U" if level == "L3" else None, track=None if level == "L3" else 88,
        frame="E00N07" if level == "L3" else "0282_IW2_VV",
    )  # fmt: skip


@given(table=point_sets(), dialect=st.sampled_from(["documented", "newer"]))
@settings(max_examples=60, deadline=None)
def test_points_come_back_to_the_written_decimals(table, dialect):
    with tempfile.TemporaryDirectory() as folder:
        path = write_egms(folder, table, dialect=dialect)
        again = read_egms(path)
        same = write_egms(Path(folder) / "again", again)
        assert same.read_bytes() == path.read_bytes()
    names = [name for name in again.column_names if name not in ("pid", "geometry", "displacement")]
    assert set(table.column_names) - set(again.column_names) <= set(OPTIONAL_COLUMNS[table_level(table)])
    for name in names:
        one, two = (np.asarray(each[name].to_numpy(), np.float64) for each in (table, again))
        np.testing.assert_allclose(two, one, atol=0.5 * 10.0 ** -decimals_of(name, table_level(table)) + 1e-4, rtol=0)
    np.testing.assert_allclose(series(again), series(table), atol=0.0501, rtol=0)
    assert again["pid"].to_pylist() == table["pid"].to_pylist()


def table_level(table):
    """Level by the columns."""
    return next(level for level in ("L2a", "L2b", "L3") if set(COLUMNS[level]) <= set(table.column_names))


@given(st.lists(st.tuples(plain, plain, plain), min_size=1, max_size=8))
@settings(deadline=None)
def test_numbers_are_those_that_python_reads_and_writes(fields):
    text = "".join(f"n{i},{','.join(row)}\n" for i, row in enumerate(fields)).encode()
    rows, fault = read_rows(np.frombuffer(text, np.uint8), 2, 1)
    assert fault.kind == FINE
    expected = np.array([[float(each) for each in row] for row in fields])
    np.testing.assert_array_equal(rows.values, expected[:, :2])
    np.testing.assert_array_equal(rows.series[:, 0], expected[:, 2].astype(np.float32))
    exact = rows._replace(series=np.empty((len(fields), 0), np.float32))
    written = write_rows(*exact[:4], np.array([3, 3])).tobytes().decode()
    assert written == "".join(f"n{i},{float(a):.3f},{float(b):.3f}\n" for i, (a, b, _) in enumerate(fields))


field = st.from_regex(r"[+-]?[0-9]{0,9}\.?[0-9]{0,5}(e[+-]?[0-9])?", fullmatch=True) | st.text(
    "-+.0159:/,e\r ", max_size=9
)


@given(field, st.sampled_from(["", "1", "123456789"]))
@settings(max_examples=400, deadline=None)
def test_a_field_is_a_number_as_python_says_wherever_it_stands(field, more):
    """Near the end of the text, and before it, where numbers are read by words of eight bytes."""
    rows, fault = read_rows(np.frombuffer(f"n,2,{field}\nmm,3,{more}\n".encode(), np.uint8), 1, 1)
    plain = re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9])?|", field.removesuffix("\r"))
    assert (fault.kind == FINE) == (plain is not None)
    if fault.kind == FINE:
        found = field.removesuffix("\r")
        np.testing.assert_array_equal(rows.series[0, 0], np.float32(found or np.nan))
        assert np.signbit(rows.series[0, 0]) == found.startswith("-")


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_has_a_fault(text):
    rows, fault = read_rows(np.frombuffer(text + b"\n", np.uint8), 2, 3)
    assert len(rows.values) == (text + b"\n").count(b"\n")
    assert fault.kind == FINE or 0 <= fault.row < len(rows.values)


def good_files():
    """Text, XML and zip of a few cells."""
    columns = {"pid": ["a", "b", "c"], "easting": [50.0, 150, 250], "northing": [50.0] * 3, "displacement": np.eye(3)}
    dates = ["2018-01-03", "2018-01-09", "2022-12-30"]
    table = point_set(columns, level="L3", component="U", dates=dates, crs="EPSG:3035", frame="E45N27")
    with tempfile.TemporaryDirectory() as folder:
        text = write_egms(Path(folder) / f"{NAME}.csv", table)
        zipped = write_egms(Path(folder) / f"{NAME}.zip", table)
        return text.read_bytes(), text.with_suffix(".xml").read_bytes(), zipped.read_bytes()


TEXT, XML, ZIP = good_files()
edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=4)


def broken(content, changes):
    """Content with some bytes replaced, taken out or put in."""
    for where, length, new in changes:
        at = int(where * len(content))
        content = content[:at] + new + content[at + length :]
    return content


@given(which=st.integers(0, 2), changes=edits)
@settings(max_examples=400, deadline=None)
def test_a_broken_file_is_read_or_refused(which, changes):
    with tempfile.TemporaryDirectory() as folder:
        text, xml, zipped = (broken(each, changes) if i == which else each for i, each in enumerate((TEXT, XML, ZIP)))
        path = Path(folder) / (f"{NAME}.zip" if which == 2 else f"{NAME}.csv")
        path.write_bytes(zipped if which == 2 else text)
        path.with_suffix(".xml").write_bytes(xml)
        try:
            check(read_egms(path))
        except GroundshiftError:
            return


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_header_is_read_or_refused(text):
    for each in (text, b"<BURST>" + text + b"</BURST>"):
        try:
            assert isinstance(parse_header(each, "header"), dict)
        except GroundshiftError:
            continue
