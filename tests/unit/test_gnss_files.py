"""Files of stations in the layouts of the services: what is read is what was written, and faults are named."""

import gzip

import numpy as np
import pytest
from pyproj import Transformer

from groundshift.errors import InputError
from groundshift.io.gnss.files import read_gnss
from groundshift.io.gnss.grid import read_egms_grid, write_egms_grid, write_grid_table
from groundshift.io.gnss.steps import read_steps
from groundshift.io.gnss.table import read_station_table, write_station_table
from groundshift.kernels.rotation import local_axes
from groundshift.model.stations import StationSeries, StationVelocities, build_velocities
from groundshift.model.velocity_grid import VelocityGrid, build_grid, describe_grid

TENV3 = """site YYMMMDD yyyy.yyyy __MJD week d reflon _e0(m) __east(m) ____n0(m) _north(m) u0(m) ____up(m) _ant(m) \
sig_e(m) sig_n(m) sig_u(m) __corr_en __corr_eu __corr_nu _latitude(deg) _longitude(deg) __height(m)
ABCD 20JAN01 2020.0000 58849 2086 3    7.5  -2631  0.100000   5193411  0.950000   956  0.500000  0.0000 0.000700 \
0.000800 0.003000  0.01 -0.02  0.03   46.8771000000    7.4653000000   956.50000
ABCD 20JAN03 2020.0055 58851 2086 5    7.5  -2631  0.102000   5193411  1.010000   956  0.490000  0.0000 0.000900 \
0.001000 0.004000  0.01 -0.02  0.03   46.8771000000    7.4653000000   956.49000
"""
POS = """PBO Station Position Time Series. Reference Frame : IGS14
Format Version: 1.1.0
4-character ID: GDMA
Station name  : Somewhere
First Epoch   : 20140819 120000
Last Epoch    : 20140820 120000
Release Date  : 20170927 100427
XYZ Reference position :   -25590.15807 -4296483.10546  4698239.75763 (IGS14)
NEU Reference position :    47.7485520828  269.6587463092  157.36850 (IGS14/WGS84)
Start Field Description
End Field Description
*YYYYMMDD HHMMSS JJJJJ.JJJJ         X             Y             Z            Sx        Sy       Sz     Rxy   Rxz    Ryz\
            NLat         Elong         Height         dN        dE        dU         Sn       Se       Su      Rne\
    Rnu    Reu  Soln
 20140819 120000 56888.5000   -25590.15880 -4296483.10797  4698239.76117  0.00239  0.00517  0.00513 -0.046  0.086\
 -0.785      47.7485520961  269.6587462999  157.37232     0.00148  -0.00069   0.00431    0.00225  0.00239  0.00690\
 -0.010  0.030  0.020 final
 20140820 120000 56889.5000   -25590.15880 -4296483.10797  4698239.76117  0.00239  0.00517  0.00513 -0.046  0.086\
 -0.785      47.7485520961  269.6587462999  157.37232     0.00248   0.00131   0.00031    0.00225  0.00239  0.00690\
 -0.010  0.030  0.020 final
"""
MIDAS = """ABCD MIDAS5 1996.0027 2020.5000 24.4973  8500  8400 16000  0.020100  0.016200  0.000500  0.000200  0.000250 \
 0.000700  0.001 -0.002  0.003 0.05 0.04 0.03 0.0021 0.0022 0.0071  2    46.8771  -352.5347   956.3
EFGH MIDAS5 1996.0027 2020.5000 24.4973  8500  8400 16000  0.019100  0.015200 -0.000500  0.000300  0.000350 \
 0.000800  0.001 -0.002  0.003 0.05 0.04 0.03 0.0021 0.0022 0.0071  2    52.3793  -346.9339   144.4
"""


def sinex(velocity, covariance, kind="L COVA"):
    """Two solutions of one station, the second with given velocities X, Y, Z in m/y."""
    place = (4331297.0, 567555.0, 4633133.0)
    lines = ["%=SNX 2.02 XXX 20:001:00000 XXX 10:001:00000 20:001:00000 P 00012 2 X V", "+SOLUTION/ESTIMATE",
             "*INDEX TYPE__ CODE PT SOLN _REF_EPOCH__ UNIT S __ESTIMATED VALUE____ _STD_DEV___"]  # fmt: skip
    number = 0
    for solution, speed in ((1, (0.0, 0.0, 0.0)), (2, velocity)):
        for kinds, unit, values in (("STA", "m", place), ("VEL", "m/y", speed)):
            for k, axis in enumerate("XYZ"):
                number += 1
                sigma = np.sqrt(covariance[k, k]) if kinds == "VEL" else 1e-3
                lines.append(
                    f" {number:5d} {kinds}{axis}   ZIMM  A {solution:4d} 15:001:00000 {unit:4s} 2 "
                    f"{values[k]:21.14E} {sigma:11.5E}"
                )
    lines += ["-SOLUTION/ESTIMATE", f"+SOLUTION/MATRIX_ESTIMATE {kind}"]
    full = np.eye(12) * 1e-6
    full[9:, 9:] = covariance
    if "CORR" in kind:
        sigma = np.sqrt(np.diag(full))
        full = full / np.outer(sigma, sigma)
        np.fill_diagonal(full, sigma)
    for row in range(12):
        for start in range(0, row + 1, 3):
            values = full[row, start : min(start + 3, row + 1)]
            lines.append(f" {row + 1:5d} {start + 1:5d} " + " ".join(f"{value:21.14E}" for value in values))
    return "\n".join([*lines, f"-SOLUTION/MATRIX_ESTIMATE {kind}", "%ENDSNX"]) + "\n"


def written(folder, name, text):
    path = folder / name
    path.write_text(text)
    return path


def test_tenv3(tmp_path):
    series = read_gnss(written(tmp_path, "ABCD.tenv3", TENV3), frame="IGS14")
    assert isinstance(series, StationSeries)
    assert (series.name, series.frame, str(series.days[1])) == ("ABCD", "IGS14", "2020-01-03")
    np.testing.assert_allclose(series.displacement, [[0, 0, 0], [2, 60, -10]], atol=1e-6)
    np.testing.assert_allclose(series.sigma[0], [0.7, 0.8, 3.0])
    np.testing.assert_allclose([series.latitude, series.longitude], [46.8771, 7.4653])


def test_tenv3_of_old_has_no_place_but_metres(tmp_path):
    old = "\n".join(" ".join(line.split()[:20]) for line in TENV3.splitlines()[1:])
    series = read_gnss(written(tmp_path, "ABCD.tenv3", old), frame="IGS08")
    np.testing.assert_allclose([series.latitude, series.longitude], [46.8771, 7.4653], atol=0.02)


def test_pos(tmp_path):
    series = read_gnss(written(tmp_path, "GDMA.pos", POS))
    assert (series.name, series.frame, len(series)) == ("GDMA", "IGS14", 2)
    np.testing.assert_allclose(series.longitude, -90.3412537, atol=1e-6)
    np.testing.assert_allclose(series.displacement[0], [-0.69, 1.48, 4.31])
    np.testing.assert_allclose(series.sigma[0], [2.39, 2.25, 6.90])


def test_midas(tmp_path):
    stations = read_gnss(written(tmp_path, "midas.IGS14.txt", MIDAS))
    assert (stations.frame, stations.name.tolist()) == ("IGS14", ["ABCD", "EFGH"])
    np.testing.assert_allclose(stations.velocity[0], [20.1, 16.2, 0.5])
    np.testing.assert_allclose(stations.sigma[1], [0.3, 0.35, 0.8])
    np.testing.assert_allclose(stations.longitude, [7.4653, 13.0661], atol=1e-9)
    with pytest.raises(InputError, match="pass --frame"):
        read_gnss(written(tmp_path, "table.txt", MIDAS))


@pytest.mark.parametrize("kind", ["L COVA", "L CORR"])
def test_sinex_takes_the_last_solution_and_turns_covariances(tmp_path, kind):
    local = np.array([20.0, 16.0, 1.0])
    change = Transformer.from_crs("EPSG:4978", "EPSG:4979", always_xy=True)
    longitude, latitude, _ = change.transform(4331297.0, 567555.0, 4633133.0)
    axes = local_axes(latitude, longitude)
    wanted = np.array([[0.04, 0.01, 0.0], [0.01, 0.09, -0.02], [0.0, -0.02, 0.25]])
    text = sinex(axes.T @ local / 1000, axes.T @ wanted @ axes * 1e-6, kind)
    stations = read_gnss(written(tmp_path, "a.snx", text), frame="ITRF2020")
    assert stations.name.tolist() == ["ZIMM"]
    assert str(stations.epoch) == "2015-01-01"
    np.testing.assert_allclose(stations.velocity[0], local, atol=1e-9)
    np.testing.assert_allclose(stations.covariance[0], wanted, atol=1e-4)
    np.testing.assert_allclose([stations.latitude[0], stations.longitude[0]], [latitude, longitude])


def test_a_table_makes_itself_again(tmp_path):
    covariance = np.array([[[0.04, 0.01, 0], [0.01, 0.09, 0], [0, 0, 0.25]], np.eye(3)])
    stations = build_velocities(
        ["A", "B,b"], [46, 47], [7, 8], [[1, 2, 3], [np.nan, np.nan, -1]], covariance=covariance, frame="ETRF2000",
        source="here", height=[100, np.nan], epoch="2015-01-01",
    )  # fmt: skip
    write_station_table(tmp_path / "s.csv", stations)
    again = read_gnss(tmp_path / "s.csv")
    assert isinstance(again, StationVelocities)
    assert (again.frame, again.source, str(again.epoch)) == ("ETRF2000", "here", "2015-01-01")
    assert again.name.tolist() == ["A", "B,b"]
    np.testing.assert_allclose(again.velocity, stations.velocity)
    np.testing.assert_allclose(again.covariance, stations.covariance)
    (tmp_path / "s.csv.gz").write_bytes(gzip.compress((tmp_path / "s.csv").read_bytes()))
    assert len(read_station_table(tmp_path / "s.csv.gz")) == 2


def test_columns_have_many_names(tmp_path):
    text = "Site,Lat,Lon,ve_m_yr,vn_m_yr,vu_m_yr,se_m_yr,sn_m_yr,su_m_yr\nA,46,7,.001,.002,.003,.0001,.0002,.0003\n"
    stations = read_gnss(written(tmp_path, "a.csv", text), frame="ITRF2014")
    np.testing.assert_allclose(stations.velocity, [[1, 2, 3]])
    np.testing.assert_allclose(stations.sigma, [[0.1, 0.2, 0.3]])


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("name,lat,lon,e,n,se,sn,corr_en", "A,1,2,3,4,1,2,0.25"),
        ("station;latitude;longitude;ve_mm/yr;vn_mm/yr;sve_mm/yr;svn_mm/yr;rho_EN", "A;1;2;3;4;1;2;0.25"),
        ("name\tlat\tlon\teast_m\tnorth_m\tsigma_east_m\tsigma_north_m\tcorrelation_north_east",
         "A\t1\t2\t0.003\t0.004\t0.001\t0.002\t0.25"),
        ("name,lat,lon,east (mm),north_mm,sigma_east_mm,sigma_north_mm,covariance_east_north", "A,1,2,3,4,1,2,0.5"),
    ],
)  # fmt: skip
def test_columns_have_units_and_correlations(tmp_path, head, row):
    found = read_station_table(written(tmp_path, "a.csv", f"{head}\n{row}\n"), frame="ITRF2014")
    np.testing.assert_allclose(found.velocity, [[3, 4, np.nan]])
    np.testing.assert_allclose(found.covariance[0, :2, :2], [[1, 0.5], [0.5, 4]])


def test_the_grid_of_the_service(tmp_path):
    velocity, sigma = np.arange(36.0).reshape(3, 4, 3), np.full((3, 4, 3), 0.2)
    velocity[0, 0] = np.nan
    grid = build_grid("EPSG:3035", 4e6 + 5e4 * np.arange(4), 3e6 + 5e4 * np.arange(3), velocity, sigma=sigma,
                      frame="ETRF2000", source="here")  # fmt: skip
    path = tmp_path / "EGMS_AEPND_V2023.0.csv"
    write_egms_grid(path, grid)
    assert path.read_text().splitlines()[0] == "Latitude,Longitude,N,E,Up,SigmaN,SigmaE,SigmaUP,easting,northing"
    again = read_gnss(path)
    assert isinstance(again, VelocityGrid)
    np.testing.assert_allclose(again.velocity, velocity)
    assert "12 nodes" not in describe_grid(again)
    assert "11 with a velocity, frame ETRF2000" in describe_grid(again)
    path.write_text(path.read_text().replace(",", ";"))
    np.testing.assert_allclose(read_egms_grid(path).sigma[1], sigma[1])
    write_grid_table(tmp_path / "nodes.csv", grid)
    assert len(read_station_table(tmp_path / "nodes.csv")) == 11


JUMPS = """%=SNX 2.02 IGS 20:001:00000 IGS 10:001:00000 20:001:00000 P 00000 2
+SOLUTION/DISCONTINUITY
*CODE PT SOLN T _DATA_START_ __DATA_END__ M
 ABCD  A    1 P 00:000:00000 10:209:43200 P - antenna
 ABCD  A    2 P 10:209:43200 00:000:00000 P - antenna
 ABCD  A    1 P 00:000:00000 11:070:20783 V - earthquake
 ABCD  A    2 P 11:070:20783 00:000:00000 V - earthquake
 EFGH  A    1 P 00:000:00000 00:000:00000 P -
-SOLUTION/DISCONTINUITY
"""


@pytest.mark.parametrize(
    "text",
    [
        "ABCD  10JUL28  1  Antenna_Type_Changed\nABCD  11MAR11  2  300.5  212.1  9.1  usp000hvnu\n",
        "station,day\nABCD,2011-03-11\nABCD,2010-07-28\nABCD,2010-07-28\n",
        JUMPS,
    ],
)
def test_steps_of_stations(tmp_path, text):
    found = read_steps(written(tmp_path, "steps.txt", text))
    assert found == {"ABCD": (np.datetime64("2010-07-28"), np.datetime64("2011-03-11"))}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ABCD 10XYZ28 1\n", "line 1: 'ABCD 10XYZ28 1' is no step"),
        ("station,day\nABCD,2010-02-31\n", "line 2"),
        ("ABCD\n", "line 1"),
        ("", "has no step"),
        ("%=SNX 2.02\n+SOLUTION/DISCONTINUITY\n ABCD A\n", "line 3 has 2 columns"),
    ],
)
def test_broken_steps_are_named(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        read_steps(written(tmp_path, "steps.txt", text))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.tenv3", TENV3.replace("20JAN03", "20XYZ03"), "line 3: '20XYZ03' is no day"),
        ("a.tenv3", TENV3.replace("0.003000", "three"), "line 2"),
        ("a.tenv3", TENV3.replace("ABCD 20JAN03", "EFGH 20JAN03"), "one station"),
        ("a.pos", POS.replace("0.00690", "x"), "line 13"),
        ("a.pos", POS.replace("Format Version: 1", "Format Version: 2"), "version 2"),
        ("midas.IGS14.txt", " ".join(MIDAS.splitlines()[0].split()[:24]) + "\n", "latitude"),
        ("a.snx", "%=SNX 2.02\n+SOLUTION/ESTIMATE\n-SOLUTION/ESTIMATE\n", "no station with STAX"),
        ("a.csv", "name,latitude,longitude,east\nA,1,2,3\n", "sigma_east"),
        ("a.csv", "name,latitude,longitude,up,sigma_up\nA,1,2,3\n", "line 2 has 4 values; expected 5"),
        ("a.csv", "name,latitude,longitude,up,sigma_up\nA,1,2,x,3\n", "line 2: 'x' is no number"),
        ("a.csv", "", "0 lines"),
    ],
)
def test_faults_are_named(tmp_path, name, text, said):
    with pytest.raises(InputError, match=said):
        read_gnss(written(tmp_path, name, text), frame="IGS14")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="is no file"):
        read_gnss(tmp_path / "none.csv")
    with pytest.raises(InputError, match="does not say in which frame"):
        read_gnss(written(tmp_path, "a.tenv3", TENV3))
