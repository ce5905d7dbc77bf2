"""`groundshift synth points`, `gnss` and `calibrate`, one after the other."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from groundshift.cli import app
from groundshift.io.egms import read_egms
from groundshift.io.gnss.files import read_gnss
from groundshift.io.points import read_points, write_points
from groundshift.model.points import header, level, series
from groundshift.products.calibrate import CalibrateConfig, calibrate_points

RUN = CliRunner()


@pytest.fixture(scope="module")
def strip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strip")
    options = folder / "options.json"
    options.write_text(json.dumps({"stations": {"count": 12, "held_out": 3}, "interval": 60}))
    done = RUN.invoke(app, ["-q", "synth", "points", str(folder), "--tracks", "1", "--bursts", "2", "--density", "0.3",
                            "--dates", "12", "--options", str(options)])  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "4 point sets of level L2a, 12 stations" in done.output
    return folder


def test_stations_to_a_model(strip, tmp_path):
    done = RUN.invoke(app, ["-q", "gnss", str(strip / "stations.csv"), "-o", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "east: leave-one-out rms" in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "EGMS_AEPND_V0.0.csv", "leave_one_out.csv", "model.png", "report.json", "run.json", "stations.csv",
    ]  # fmt: skip
    assert read_gnss(tmp_path / "EGMS_AEPND_V0.0.csv").frame == "ETRF2000"
    assert len((tmp_path / "leave_one_out.csv").read_text().splitlines()) == 13
    again = RUN.invoke(app, ["-q", "gnss", str(tmp_path / "EGMS_AEPND_V0.0.csv"), "-o", str(tmp_path / "none")])
    assert again.output.startswith("velocity grid of")
    other = RUN.invoke(app, ["-q", "gnss", str(strip / "stations.csv"), "-o", str(tmp_path / "degrees"), "--to-frame",
                             "ITRF2020", "--crs", "EPSG:4326"])  # fmt: skip
    assert other.exit_code == 0, other.output
    assert "frame ITRF2020" in (tmp_path / "degrees" / "model.csv").read_text().replace("# frame: ", "frame ")


def test_points_to_level_l2b(strip, tmp_path):
    points = [str(path) for path in sorted(strip.glob("L2a_*.parquet"))]
    command = ["-q", "calibrate", *points, "--gnss", str(strip / "stations.csv"), "--hold-out", "S002", "-o",
               str(tmp_path), "--scheduler", "serial", "--to-frame", "ETRF2014"]  # fmt: skip
    done = RUN.invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "4 bursts" in done.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["model"]["frame"] == "ETRF2014"
    assert report["model"]["stations"] == 11 - len(report["stations_on_moving_ground"])
    made = sorted(tmp_path.glob("L2b_*.parquet"))
    assert [path.name.replace("L2b", "L2a") for path in made] == [path.rsplit("/", 1)[-1] for path in points]
    table = read_points(made[0])
    assert level(table) == "L2b"
    assert np.isfinite(table["gnss_velocity"].to_numpy()).all()
    assert "4 of them also as zips of EGMS" in done.output
    record = header(table)
    years = "_".join(str(day)[:4] for day in record.dates[[0, -1]])
    delivered = read_egms(tmp_path / f"EGMS_L2b_{record.track:03d}_{record.frame}_{years}_1.zip")
    assert delivered["pid"].to_pylist() == table["pid"].to_pylist()
    assert np.abs(series(delivered) - series(table)).max() < 0.06
    assert header(delivered).provenance["egms"]["header"]["product_level"] == "L2b"
    stored = RUN.invoke(app, ["-q", "ingest", str(tmp_path), "-o", str(tmp_path / "store")])
    assert stored.exit_code == 0, stored.exception
    assert "4 sets" in stored.output  # each once


def test_points_that_would_have_one_name_get_no_zip(strip, tmp_path, caplog):
    whole = read_points(sorted(strip.glob("L2a_*.parquet"))[0])
    for name, part in (("one", whole.slice(0, len(whole) // 2)), ("two", whole.slice(len(whole) // 2))):
        write_points(tmp_path / f"{name}.parquet", part)
    halves = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    result = calibrate_points(halves, tmp_path / "out", config=CalibrateConfig(folds=0), executor="serial")
    assert result.zips == (None, None)
    assert "would have one name: EGMS_L2b_" in caplog.text
    assert not list((tmp_path / "out").glob("*.zip"))


def test_series_become_rates(tmp_path):
    days = np.arange("2010-01-01", "2014-01-01", dtype="datetime64[D]")
    years = (days - days[0]).astype(float) / 365.25
    noise = np.random.default_rng(0).standard_normal((len(days), 3)) * [0.001, 0.001, 0.003]
    place = noise + years[:, None] * [0.02, 0.016, -0.002]
    lines = [
        f"ABCD {day.astype(object):%y%b%d} 2010.0 55197 0 0 7.5 -2631 {e:.6f} 5193411 {n:.6f} 956 {u:.6f} 0.0 "
        "0.001 0.001 0.003 0.0 0.0 0.0 46.8771 7.4653 956.5"
        for day, (e, n, u) in zip(days, place, strict=True)
    ]
    (tmp_path / "ABCD.tenv3").write_text("\n".join(lines).upper())
    for rates in ("midas", "trajectory"):
        done = RUN.invoke(app, ["-q", "gnss", str(tmp_path / "ABCD.tenv3"), "--frame", "IGS14", "--rates", rates,
                                "-o", str(tmp_path)])  # fmt: skip
        assert done.exit_code == 0, done.output
        assert "a model needs 5 stations" in done.output
        stations = read_gnss(tmp_path / "stations.csv")
        np.testing.assert_allclose(stations.velocity[0], [20, 16, -2], atol=0.5)
        assert stations.frame == "IGS14"
    moved = np.where(days >= np.datetime64("2012-03-01"), 0.006, 0.0)
    jumped = [line.replace(f" {u:.6f} 0.0 ", f" {u + more:.6f} 0.0 ")
              for line, u, more in zip(lines, place[:, 2], moved, strict=True)]  # fmt: skip
    (tmp_path / "ABCD.tenv3").write_text("\n".join(jumped).upper())
    (tmp_path / "steps.txt").write_text("ABCD 12MAR01 1 Antenna_Type_Changed\nWXYZ 11MAR11 2 300.5 212.1 9.1 usp0\n")
    up = []
    for more in ([], ["--step-file", str(tmp_path / "steps.txt")], ["--relaxation", "2012-03-01:exp"]):
        done = RUN.invoke(
            app, ["-q", "gnss", str(tmp_path / "ABCD.tenv3"), "--frame", "IGS14", "-o", str(tmp_path), *more]
        )
        assert done.exit_code == 0, done.output
        up.append(read_gnss(tmp_path / "stations.csv").velocity[0, 2])
    assert abs(up[0] + 2) > 0.7
    np.testing.assert_allclose(up[1:], -2, atol=0.6)
    wrong = RUN.invoke(
        app, ["gnss", str(tmp_path / "ABCD.tenv3"), "--relaxation", "2012-03-01:sin", "-o", str(tmp_path)]
    )
    assert wrong.exit_code != 0


def test_errors_say_why(strip, tmp_path):
    done = RUN.invoke(app, ["calibrate", str(strip / "none.parquet"), "-o", str(tmp_path)])
    assert done.exit_code == 1
    assert "none.parquet is no file" in str(done.exception)
    mixed = RUN.invoke(app, ["gnss", str(strip / "stations.csv"), str(strip / "held_out.csv"), "-o", str(tmp_path)])
    assert mixed.exit_code == 1
    assert "expected one table of velocities" in str(mixed.exception)
