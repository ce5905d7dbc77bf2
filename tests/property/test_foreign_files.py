"""Files of others: whatever is in them, they are read or refused with an error of ours."""

import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from groundshift.errors import GroundshiftError, InputError
from groundshift.io.egms.dialect import parse_columns
from groundshift.io.egms.header import parse_header, write_header
from groundshift.io.egms.names import parse_name
from groundshift.io.egms.read import read_egms
from groundshift.io.gnss.files import read_gnss
from groundshift.io.interferograms import open_interferograms
from groundshift.kernels.point_codes import Burst, cell_codes, cell_places, point_codes, point_places
from groundshift.model.points import COLUMNS, check
from groundshift.model.stations import StationSeries, StationVelocities
from groundshift.model.velocity_grid import VelocityGrid

few = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

TENV3 = """site YYMMMDD yyyy.yyyy __MJD week d reflon _e0(m) __east(m) ____n0(m) _north(m) u0(m) ____up(m) _ant(m)
ABCD 20JAN01 2020.0000 58849 2086 3 7.5 -2631 0.1 5193411 0.95 956 0.5 0 0.0007 0.0008 0.003 0 0 0 46.8 7.46 956.5
ABCD 20JAN03 2020.0055 58851 2086 5 7.5 -2631 0.2 5193411 1.01 956 0.4 0 0.0009 0.0010 0.004 0 0 0 46.8 7.46 956.4
"""
POS = f"""PBO Station Position Time Series. Reference Frame : IGS14
Format Version: 1.1.0
4-character ID: GDMA
NEU Reference position : 47.7485520828 269.6587463092 157.36850 (IGS14/WGS84)
*YYYYMMDD HHMMSS JJJJJ.JJJJ
 20140819 120000 56888.5 {"1 " * 12}0.00148 -0.00069 0.00431 0.00225 0.00239 0.00690 -0.010 0.030 0.020 final
 20140820 120000 56889.5 {"1 " * 12}0.00248 0.00131 0.00031 0.00225 0.00239 0.00690 -0.010 0.030 0.020 final
"""
MIDAS = f"ABCD MIDAS5 {'1 ' * 6}0.0201 0.0162 0.0005 0.0002 0.0003 0.0007 {'0 ' * 10}46.8 -352.5 956.3\n"
GRID = "Latitude,Longitude,N,E,Up,SigmaN,SigmaE,SigmaUP,easting,northing\n" + "".join(
    f"50,9,15.1,20.2,-0.3,0.1,0.1,0.5,{x},{y}\n" for x in (4300000, 4350000) for y in (3000000, 3050000)
)
TABLE = """# frame: ETRF2000
name,lat,lon,height,east,north,up,sigma_east,sigma_north,sigma_up
AAAA,46.1,7.2,500,0.1,0.2,0.3,0.1,0.1,0.2
BBBB,46.2,7.3,600,,0.2,0.3,,0.1,0.2
"""
SINEX = """%=SNX 2.02 XXX 20:001:00000 XXX 10:001:00000 20:001:00000 P 00006 2 X V
+SOLUTION/ESTIMATE
 1 STAX ZIMM A 1 15:001:00000 m 2 4331297.0 1E-3
 2 STAY ZIMM A 1 15:001:00000 m 2 567555.0 1E-3
 3 STAZ ZIMM A 1 15:001:00000 m 2 4633133.0 1E-3
 4 VELX ZIMM A 1 15:001:00000 m/y 2 0.01 1E-3
 5 VELY ZIMM A 1 15:001:00000 m/y 2 0.01 1E-3
 6 VELZ ZIMM A 1 15:001:00000 m/y 2 0.01 1E-3
-SOLUTION/ESTIMATE
+SOLUTION/MATRIX_ESTIMATE L CORR
 4 4 1E-3
 5 4 0.1 1E-3
-SOLUTION/MATRIX_ESTIMATE L CORR
"""
STATIONS = {"a.tenv3": TENV3, "a.pos": POS, "midas.IGS14.txt": MIDAS, "grid.csv": GRID, "a.csv": TABLE, "a.snx": SINEX}

words = st.sampled_from(
    ["", "nan", "inf", "-1e308", "1e400", "0", "-", '"', "#", ",", ";", " ", "\n", "\x00", "é", "99"]
)
edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), words | st.text(max_size=4)), max_size=4)


def edited(text, changes):
    """Text with some of it replaced, taken out or put in."""
    for where, length, new in changes:
        at = int(where * len(text))
        text = text[:at] + new + text[at + length :]
    return text


def read_or_refused(function, *arguments, **options):
    """What the function gives, or None if it refuses with an error of ours."""
    try:
        return function(*arguments, **options)
    except GroundshiftError:
        return None


@pytest.mark.parametrize("name", STATIONS)
def test_stations_as_they_are(name, tmp_path):
    """What the next test spoils is good."""
    (tmp_path / name).write_text(STATIONS[name])
    assert read_gnss(tmp_path / name, frame="IGS14") is not None


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a.pos", "20140819", "20140899"),
        ("a.tenv3", "7.46", "1e308"),
        ("a.tenv3", "956.5", "inf"),
        ("midas.IGS14.txt", "0.0201", "1e306"),
        ("grid.csv", "4350000", "nan"),
        ("grid.csv", "4350000", "inf"),
        ("grid.csv", "4350000,3000000", "4300000.0001,3000000"),
        ("a.csv", "AAAA", '"AA\nAA"'),
        ("a.csv", "AAAA", "A" * 200_000),
        ("a.csv", "0.1,0.1", "0.1,1e200"),
        ("a.csv", "ETRF2000", "ETRF2000\n# epoch: then"),
        ("a.snx", " 4 4 ", " 4 99999999999999999999 "),
        ("a.snx", "0.01 1E-3", "0.01 1E200"),
    ],
)
def test_stations_that_are_refused(name, old, new, tmp_path):
    (tmp_path / name).write_text(STATIONS[name].replace(old, new))
    with pytest.raises(GroundshiftError):
        read_gnss(tmp_path / name, frame="IGS14")


def test_an_epoch_of_another_kind_is_none(tmp_path):
    for new in ("²5:001:00000", "15:400:00000", "15:99999999999999999999:0"):
        (tmp_path / "a.snx").write_text(SINEX.replace("15:001:00000", new))
        assert read_gnss(tmp_path / "a.snx", frame="IGS14").epoch is None


@given(name=st.sampled_from(list(STATIONS)), changes=edits, frame=st.sampled_from([None, "IGS14"]))
@settings(few, max_examples=400)
def test_stations(name, changes, frame):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(edited(STATIONS[name], changes), encoding="utf-8")
        found = read_or_refused(read_gnss, path, frame=frame)
    assert found is None or isinstance(found, StationSeries | StationVelocities | VelocityGrid)


@given(content=st.binary(max_size=80), suffix=st.sampled_from([".csv", ".gz", ".xz", ".tif", ".pos"]))
@few
def test_stations_of_any_bytes(content, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        path.write_bytes(content)
        assert read_or_refused(read_gnss, path, frame="IGS14") is None


code = st.text(st.characters(codec="utf-8"), max_size=11) | st.text("0123456789ABCabcz", min_size=10, max_size=10)


@given(st.lists(code, max_size=4))
@settings(few, max_examples=300)
@example(["3zzzzzzzzz"])
@example(["4zzzzzzzzz"])
def test_codes_of_points(codes):
    known = np.array(codes, "U").tolist()  # without zero bytes at the end
    places = read_or_refused(point_places, np.array(codes, "U"))
    cells = read_or_refused(cell_places, np.array(codes, "U"))
    if places is not None:
        again = [
            point_codes(*(np.array([each]) for each in (line, pixel)), burst, producer=producer)[0]
            for producer, burst, line, pixel in zip(*places, strict=True)
        ]
        assert again == known
    if cells is not None:
        again = [cell_codes(np.array([e]), np.array([n]), producer=p)[0] for p, e, n in zip(*cells, strict=True)]
        assert again == known


@pytest.mark.parametrize("place", [np.nan, np.inf, 1e30, -1.0])
def test_cells_without_a_code(place):
    with pytest.raises(InputError, match="give metres in EPSG:3035"):
        cell_codes(np.array([place]), np.array([50.0]))


@given(
    track=st.integers(-1, 200), cycle=st.integers(-1, 5000), swath=st.sampled_from(["IW1", "IW3", "IW4", "EW1", ""]),
    polarisation=st.sampled_from(["VV", "HV", "XX"]), line=st.integers(-1, 3000), pixel=st.integers(-1, 70000),
)  # fmt: skip
@few
def test_places_of_points(track, cycle, swath, polarisation, line, pixel):
    burst = Burst(track, cycle, swath, polarisation)
    codes = read_or_refused(point_codes, np.array([line]), np.array([pixel]), burst)
    if codes is not None:
        places = point_places(codes)
        assert (places.bursts, places.lines.tolist(), places.pixels.tolist()) == ([burst], [line], [pixel])


@given(
    st.from_regex(r"EGMS_L(2a|2b|3)_[E0-9][0-9NIW_VHEU]{0,30}(_[0-9]{4}){0,3}(\.zip|\.csv)?", fullmatch=True)
    | st.text()
)
@few
def test_names_of_files(text):
    name = parse_name(text)
    assert name is None or text.startswith(name.stem)


HEAD = ",".join([*COLUMNS["L3"], "20180103", "20180109"])


@given(edits)
@few
def test_columns(changes):
    layout = read_or_refused(parse_columns, edited(HEAD, changes), "a.csv")
    assert layout is None or (layout.names[0] == "pid" and len(layout.dates) > 0)


XML = "<TILE><product_level>L3</product_level><dem><version>1</version></dem><i>1</i><i><o>a</o></i></TILE>"


@given(edits)
@settings(few, max_examples=200)
def test_headers(changes):
    content = read_or_refused(parse_header, edited(XML, changes).encode("utf-8", "replace"), "a.xml")
    if content is not None:
        assert parse_header(write_header(content, "L3"), "again") == content


ROWS = HEAD + "\nCELL000001,50,50" + ",1.0" * (len(COLUMNS["L3"]) - 3) + ",0.5,-0.5\n"


@given(
    members=st.lists(
        st.tuples(
            st.sampled_from(["a.csv", "b/a.CSV", "../a.csv", "a.xml", "x.txt", "a.csv/", ""]),
            st.builds(edited, st.sampled_from([ROWS, XML]), edits),
            st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]),
        ),
        max_size=3, unique_by=lambda member: member[0],
    ),
    spoilt=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=2),
)  # fmt: skip
@settings(few, max_examples=200)
def test_zips(members, spoilt):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "EGMS_L3_E00N00_100km_U.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text, method in members:
                archive.writestr(zipfile.ZipInfo(name), text, method)
        content = bytearray(path.read_bytes())
        for where, value in spoilt:
            content[int(where * (len(content) - 1))] = value
        path.write_bytes(content)
        table = read_or_refused(read_egms, path)
    if table is not None:
        check(table)


@given(
    st.lists(
        st.lists(
            st.sampled_from(["20180106", "20180130", "20181399", "_", "-", "unw", ".geo", "cc", "E", "hgt", "1", "é"]),
            min_size=1, max_size=6,
        ).map("".join),
        max_size=4, unique=True,
    )
)  # fmt: skip
@few
def test_names_of_interferograms(names):
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            (Path(folder) / f"{name}.tif").write_bytes(b"no image")
        with pytest.raises(InputError):
            open_interferograms(folder)
