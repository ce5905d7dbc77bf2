"""`groundshift validate` from files to a report, every check of it."""

import json

import numpy as np
import pyarrow as pa
import pytest
import shapely
from pyproj import CRS, Transformer
from typer.testing import CliRunner

from groundshift.cli import app
from groundshift.errors import ConfigurationError, InputError
from groundshift.io import write_dataset
from groundshift.io.features import Features, write_features
from groundshift.io.gnss.table import write_station_table
from groundshift.io.points import write_points
from groundshift.model.points import point_set
from groundshift.model.stations import build_velocities
from groundshift.synth.known_errors import simulate_ground, simulate_map, simulate_tracks
from groundshift.validate.run import ValidationConfig, validate

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")


def tenv3(series) -> str:
    """A series as a file of the Nevada Geodetic Laboratory."""
    head = (
        "site YYMMMDD yyyy.yyyy __MJD week d reflon _e0(m) __east(m) ____n0(m) _north(m) u0(m) ____up(m) _ant(m) "
        "sig_e(m) sig_n(m) sig_u(m) __corr_en __corr_eu __corr_nu _latitude(deg) _longitude(deg) __height(m)"
    )
    mjd = (series.days - np.datetime64("1858-11-17")).astype(int)
    rows = [
        f"{series.name} {date:%y%b%d} {2000 + (day - 51544.5) / 365.25:.4f} {day} 0 0 {series.longitude:.1f} "
        f"0 {e / 1000:.6f} 0 {n / 1000:.6f} 0 {u / 1000:.6f} 0.0 0.0025 0.0025 0.0025 0 0 0 "
        f"{series.latitude:.6f} {series.longitude:.6f} 100.0"
        for day, date, (e, n, u) in zip(mjd, series.days.astype(object), series.displacement, strict=True)
    ]
    return "\n".join([head, *rows]) + "\n"


def run(*words) -> str:
    done = CliRunner().invoke(app, ["validate", *map(str, words)])
    assert done.exit_code == 0, done.output
    return done.output


def test_points_are_checked_against_everything(tmp_path):
    known = simulate_tracks()
    for number, table in enumerate(known.tables):
        write_points(tmp_path / f"track{number}.parquet", table)
    write_station_table(tmp_path / "stations.csv", known.stations)
    write_station_table(tmp_path / "levelling.csv", known.benchmarks)
    words = []
    for series in known.series[:9]:
        (tmp_path / f"{series.name}.tenv3").write_text(tenv3(series))
        words += ["--station-series", tmp_path / f"{series.name}.tenv3"]
    tracks = [tmp_path / f"track{number}.parquet" for number in range(3)]
    out = run(
        *tracks, "-o", tmp_path / "out", "--stations", tmp_path / "stations.csv", "--levelling",
        tmp_path / "levelling.csv", "--other", tracks[1], "--frame", "ETRF2000", *words,
    )  # fmt: skip
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    made = {check["check"]: check["verdict"] for check in report["checks"]}
    each = {f"{kind}-track{number}" for kind in ("noise", "product") for number in range(3)}
    assert set(made) == {"stations", "series", "levelling", "tracks"} | each
    assert "fail" not in made.values()
    assert {each.split(":")[0] for each in report["not_made"]} == {
        "Density of points by land cover", "Known moving ground"
    }  # fmt: skip
    assert "pass" in out


def test_each_component_of_a_grid_is_checked_by_itself(tmp_path):
    places = 100.0 * np.stack(np.meshgrid(np.arange(43_000, 43_030), np.arange(31_000, 31_030)), -1).reshape(-1, 2) + 50
    spots, random = places[[33, 450, 780]], np.random.default_rng(0)
    longitude, latitude = Transformer.from_crs("EPSG:3035", "EPSG:4326", always_xy=True).transform(*spots.T)
    velocity = np.column_stack([np.full(3, 2.0), np.zeros(3), np.full(3, -1.0)])
    stations = build_velocities(
        list("ABC"), latitude, longitude, velocity, sigma=np.full((3, 3), 0.1), frame="ETRF2000", source="test"
    )
    write_station_table(tmp_path / "stations.csv", stations)
    for component, rate in (("E", 2.5), ("U", -1.2)):  # 0.5 east and -0.2 up of the stations
        table = point_set(
            {"pid": [str(number) for number in range(len(places))], "easting": places[:, 0], "northing": places[:, 1],
             "displacement": random.standard_normal((len(places), 2)), "mean_velocity": np.full(len(places), rate),
             "mean_velocity_std": np.full(len(places), 0.1), "rmse": np.ones(len(places))},
            level="L3", component=component, dates=["2020-01-01", "2021-01-01"], crs="EPSG:3035",
        )  # fmt: skip
        write_points(tmp_path / f"{component}.parquet", table)
    config = ValidationConfig(
        points=tuple(tmp_path / f"{each}.parquet" for each in "EU"), stations=tmp_path / "stations.csv"
    )
    made = {check.key: check for check in validate(config, tmp_path / "out")}
    assert made["stations-E"].number("bias").value == pytest.approx(0.5, abs=1e-3)
    assert made["stations-U"].number("bias").value == pytest.approx(-0.2, abs=1e-3)


def test_ground_and_map_are_checked(tmp_path):
    ground, known = simulate_ground(), simulate_map()
    write_points(tmp_path / "town.parquet", ground.table)
    write_features(tmp_path / "cover.gpkg", ground.cover)
    write_features(tmp_path / "moving.geojson", ground.inventory)
    write_dataset(tmp_path / "map.tif", known.dataset)
    write_features(tmp_path / "offsets.geojson", known.offsets)
    write_features(tmp_path / "field.geojson", known.field)
    for name, shape in (("trace", shapely.LineString(known.trace)), ("stable", known.stable.polygons[0])):
        write_features(
            tmp_path / f"{name}.geojson", Features(np.array([shape]), pa.table({"n": [1]}), CRS("EPSG:32611"))
        )
    run(
        tmp_path / "town.parquet", "-o", tmp_path / "out", "--land-cover", tmp_path / "cover.gpkg",
        "--inventory", tmp_path / "moving.geojson", "--detection-rate", 0.3, "--map", tmp_path / "map.tif",
        "--offsets", tmp_path / "offsets.geojson", "--trace", tmp_path / "trace.geojson",
        "--field", tmp_path / "field.geojson", "--stable", tmp_path / "stable.geojson", "--map-error", 0.3,
    )  # fmt: skip
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    made = {check["check"]: check["verdict"] for check in report["checks"]}
    assert set(made) == {"density", "noise", "inventory", "offsets", "field", "stable"}
    assert {made[key] for key in ("noise", "inventory", "offsets", "field", "stable")} == {"pass"}
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 6


def test_what_cannot_be_used_stops_the_run(tmp_path):
    with pytest.raises(ConfigurationError, match="nothing to check"):
        validate(ValidationConfig(), tmp_path)
    known = simulate_map()
    write_dataset(tmp_path / "map.tif", known.dataset)
    with pytest.raises(
        ConfigurationError, match="to check against; give at least one of: --offsets, --trace and --field"
    ):
        validate(ValidationConfig(map=tmp_path / "map.tif"), tmp_path / "out")
    write_points(tmp_path / "town.parquet", simulate_ground().table)
    given = ValidationConfig(points=(tmp_path / "town.parquet",), inventory=tmp_path / "none.gpkg")
    with pytest.raises(InputError, match=r"none\.gpkg does not exist"):
        validate(given, tmp_path / "out")
    assert not (tmp_path / "out").exists()
