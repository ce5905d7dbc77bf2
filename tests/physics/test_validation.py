"""Checks of a product whose errors are known: what is reported is what was put in."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer

from groundshift.errors import InputError
from groundshift.geodesy.frames import series_to_frame, to_frame
from groundshift.io.features import Features
from groundshift.io.vectors import PolygonMask
from groundshift.kernels.series_fields import series_fields
from groundshift.model.displacement import displacement_map
from groundshift.model.points import header, point_set
from groundshift.model.stations import build_series, build_velocities
from groundshift.synth.structures import simulate_town
from groundshift.validate import checks
from groundshift.validate.checks.optical import check_field_offsets
from groundshift.validate.intervals import bootstrap_number, rate_number, share_number, spread_number
from groundshift.validate.record import FAIL, PASS, UNDECIDED, Check, Number, Requirement
from groundshift.validate.report import report_html, report_record

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")

CORNER = np.array([4_400_000.0, 2_600_000.0])
DATES = np.arange("2020-01-01", "2024-01-01", 24, "datetime64[D]")
YEARS = (DATES - DATES[0]).astype(float) / 365.0
LOOKS = {"ascending": (-0.62, -0.10, 0.778), "descending": (0.60, -0.12, 0.79)}
GRID = GeoBox((200, 200), Affine(20, 0, 498_000, 0, -20, 3_902_000), "EPSG:32611")
DEGREES = Transformer.from_crs("EPSG:3035", "EPSG:4326", always_xy=True)


def product(places, velocity, *, look="ascending", level="L2b", noise=2.0, seed=0, provenance=None, track=1):
    """A point set at places, m, with velocities along the line of sight and series of this noise, mm."""
    random = np.random.default_rng(seed)
    series = velocity[:, None] * YEARS + noise * random.standard_normal((len(places), len(DATES)))
    fields = series_fields(series, (DATES - DATES[0]).astype(float))
    unit = np.array(LOOKS[look]) / np.linalg.norm(LOOKS[look])
    columns = {name: getattr(fields, name) for name in fields._fields if name != "first"}
    columns |= {"mean_velocity": velocity, "displacement": series, "temporal_coherence": np.full(len(places), 0.9)}
    columns |= {"pid": [f"{track}-{n:07d}" for n in range(len(places))]}
    columns |= dict(zip(("easting", "northing"), places.T, strict=True))
    columns |= {f"los_{axis}": np.full(len(places), u) for axis, u in zip(("east", "north", "up"), unit, strict=True)}
    return point_set(columns, level=level, dates=DATES, crs="EPSG:3035", track=track, provenance=provenance)


def network(count, random, *, error, bias=0.0, sigma=0.2, ground=(1.0, -2.0, 0.5)):
    """Stations with five points around each, whose velocity is wrong by `error` (one sigma, alike at a station)."""
    places = CORNER + random.uniform(0, 100_000, (count, 2))
    truth = np.array(ground) + random.standard_normal((count, 3))
    unit = np.array(LOOKS["ascending"]) / np.linalg.norm(LOOKS["ascending"])
    longitude, latitude = DEGREES.transform(*places.T)
    stations = build_velocities(
        [f"G{n:03d}" for n in range(count)], latitude, longitude, truth + sigma * random.standard_normal((count, 3)),
        sigma=np.full((count, 3), sigma), frame="ETRF2000", source="simulated",
    )  # fmt: skip
    wrong = bias + error * random.standard_normal(count)
    points = np.repeat(places, 5, axis=0) + random.uniform(-100, 100, (5 * count, 2))
    return stations, points, np.repeat(truth @ unit + wrong, 5)


def test_the_accuracy_that_is_reported_is_the_one_put_in():
    """The 95 % interval of the error holds the truth in about 95 of 100 simulations, that of the bias too."""
    random = np.random.default_rng(5)
    inside = np.zeros(3, int)
    trials = 60
    for _ in range(trials):
        stations, points, velocity = network(20, random, error=0.6, bias=0.3)
        found = checks.stations.compare_with_stations(product(points, velocity), stations)
        difference = found.difference
        own = float(np.mean(found.reference_sigma**2))
        truth = np.sqrt(0.6**2 + 0.3**2)
        numbers = (
            checks.stations.mean_number("bias", difference, ""),
            spread_number("doubled", difference, "", about_mean=True, known_variance=own),
            spread_number("error", difference, "", known_variance=own),
        )
        inside += [each.low <= true <= each.high for each, true in zip(numbers, (0.3, 0.6, truth), strict=True)]
    assert (inside >= 52).all(), inside  # 57 expected; below 52 once in 80


def test_velocity_and_series_against_stations():
    random = np.random.default_rng(1)
    stations, points, velocity = network(30, random, error=0.25, bias=0.1)
    table = product(points, velocity)
    check = checks.check_stations(table, stations)
    assert check.verdict == PASS
    assert check.number("error").value == pytest.approx(np.sqrt(0.25**2 + 0.1**2 + 0.2**2), rel=0.4)
    relative = checks.check_stations(product(points, velocity + 7, level="L2a"), stations)
    assert relative.verdict == PASS  # double differences know no datum
    assert checks.check_stations(product(points, velocity + 7), stations).verdict == FAIL
    days = np.arange("2019-12-01", "2024-02-01", dtype="datetime64[D]")
    years = (days - DATES[0]).astype(float) / 365.0
    series = [
        build_series(
            name, lat, lon, days, v * years[:, None] + 3.0 * random.standard_normal((len(days), 3)),
            np.full((len(days), 3), 3.0), frame="ETRF2000", source="simulated",
        )
        for name, lat, lon, v in zip(
            stations.name, stations.latitude, stations.longitude, stations.velocity, strict=True
        )
    ]  # fmt: skip
    moved = checks.check_series(table, series)
    assert moved.verdict == PASS
    named = {"calibration": {"model": {"frame": "ETRF2000", "station_names": [str(stations.name[0])]}}}
    known = table.replace_schema_metadata(product(points, velocity, provenance=named).schema.metadata)
    other = checks.check_series(known, [series_to_frame(each, "IGS14") for each in series[1:]])
    same = checks.check_series(known, series[1:])
    assert other.number("error").value == pytest.approx(same.number("error").value, abs=1e-3)
    assert "IGS14, from which they were brought to ETRF2000" in other.notes[-1]
    with pytest.raises(InputError, match="1 of the stations to check with made the product"):
        checks.check_series(known, series)
    # noise of five points, of seven days of a station, and of rates that differ by 0.3 mm/yr over four years
    expected = np.sqrt(2**2 / 5 + 3**2 / 7 + (0.33 * YEARS.std()) ** 2)
    assert moved.number("error").low * 0.9 < expected < moved.number("error").high * 1.1


def test_stations_that_made_the_product_are_refused():
    stations, points, velocity = network(10, np.random.default_rng(2), error=0.2)
    said = {"calibration": {"model": {"station_names": [str(stations.name[3])]}}}
    with pytest.raises(InputError, match="1 of the stations to check with made the product"):
        checks.check_stations(product(points, velocity, provenance=said), stations)


def test_stations_are_brought_to_the_frame_of_the_points():
    """ITRF2014 and ETRF2000 are 20 mm/yr apart in Europe: nobody should have to see that in a footnote."""
    stations, points, velocity = network(30, np.random.default_rng(1), error=0.2)
    table = product(points, velocity, provenance={"calibration": {"model": {"frame": "ETRF2000"}}})
    same = checks.check_stations(table, stations)
    other = checks.check_stations(table, to_frame(stations, "ITRF2014"))
    assert other.number("error").value == pytest.approx(same.number("error").value, abs=1e-3)
    assert "ITRF2014, from which they were brought to ETRF2000" in other.notes[0]
    assert "ETRF2000, as that of the points" in same.notes[0]
    assert (
        "local, and it is for the user to see"
        in checks.check_stations(table, replace(stations, frame="local")).notes[0]
    )
    silent = checks.check_stations(product(points, velocity), to_frame(stations, "ITRF2014"))
    assert silent.number("error").value > 5
    assert "it is for the user to see" in silent.notes[0]


def test_held_out_stations_are_none_of_those_used():
    stations, *_ = network(20, np.random.default_rng(3), error=0.2)
    used, held = checks.hold_out(stations, 0.3, seed=4)
    assert not set(used.name.tolist()) & set(held.name.tolist())
    assert len(used) == 14
    assert len(held) == 6
    with pytest.raises(InputError, match="hold out at least one"):
        checks.hold_out(stations, 0.0)


def test_levelling_knows_the_vertical_only():
    random = np.random.default_rng(6)
    stations, points, _ = network(25, random, error=0, ground=(0, 0, -3))
    up = stations.velocity[:, 2]
    benchmarks = replace(
        stations, velocity=np.where([False, False, True], stations.velocity, np.nan),
        covariance=np.where(np.outer([0, 0, 1], [0, 0, 1]) > 0, stations.covariance, np.nan),
    )  # fmt: skip
    unit = np.array(LOOKS["ascending"]) / np.linalg.norm(LOOKS["ascending"])
    check = checks.check_levelling(product(points, np.repeat(up, 5) * unit[2]), benchmarks)
    assert check.number("error from double differences").value < 0.01
    assert abs(check.number("bias").value) < 0.01


def test_tracks_and_products_show_the_error_put_in():
    """Cells with one point of each track; the truth is vertical, so both sides see the same."""
    random = np.random.default_rng(7)
    inside = 0
    for seed in range(10):
        cells = np.stack(np.meshgrid(np.arange(60), np.arange(60)), axis=-1).reshape(-1, 2)
        places = CORNER + 100.0 * cells + 50
        up = np.sin(places[:, 0] / 3000)
        tables = [
            product(places, up * np.array(LOOKS[look])[2] / np.linalg.norm(LOOKS[look])
                    + 0.5 * random.standard_normal(len(places)), look=look, track=track, seed=seed)
            for track, look in ((1, "ascending"), (2, "ascending"), (3, "descending"))
        ]  # fmt: skip
        check = checks.check_tracks(tables[:2])
        error = next(each for each in check.numbers if each.name.startswith("error"))
        inside += error.low <= 0.5 <= error.high
        assert check.verdict == PASS
    assert inside >= 7
    both = checks.check_tracks(tables[1:])
    assert next(each for each in both.numbers if each.name.startswith("error")).bound
    other = checks.check_product(tables[0], tables[1])
    assert other.number("spread").value == pytest.approx(0.5 * np.sqrt(2) / 0.778, rel=0.06)
    asked = other.number("spread").requirement.high  # 0.7 mm/yr of each along its line of sight, as if it were vertical
    assert asked == pytest.approx(0.7 * np.sqrt(2) / 0.778, rel=0.01)
    assert abs(other.number("bias").value) < 0.05
    assert other.number("slope").value == pytest.approx(1, abs=0.1)
    with pytest.raises(InputError, match="give two or more"):
        checks.check_tracks(tables[:1])


def test_density_is_that_of_each_class():
    random = np.random.default_rng(8)
    east, north = CORNER
    squares = [shapely.box(east + 1000 * k, north, east + 1000 * k + 1000, north + 1000) for k in range(3)]
    points = np.concatenate(
        [CORNER + np.array([1000 * k, 0]) + random.uniform(0, 1000, (n, 2)) for k, n in enumerate((6000, 900, 40))]
    )
    points = np.concatenate([points, CORNER + np.array([[0, 0], [3000, 0], [0, 1000], [3000, 1000]])])
    cover = Features(np.array(squares), pa.table({"code_18": ["111", "112", "333"]}), CRS("EPSG:3035"))
    check = checks.check_density([product(points, np.zeros(len(points)))], cover)
    verdicts = {each.name: each.verdict for each in check.numbers}
    assert verdicts == {"continuous urban": PASS, "discontinuous urban, industrial": FAIL, "bare": FAIL}
    assert check.number("continuous urban").value == pytest.approx(6000, rel=0.01)


def test_noise_of_points_is_that_put_in():
    random = np.random.default_rng(9)
    places = CORNER + random.uniform(0, 20_000, (6000, 2))
    check = checks.check_noise(product(places, 0.4 * random.standard_normal(6000), noise=3.0))
    assert check.number("error of a displacement").value == pytest.approx(3.0 * np.sqrt(1 - 6 / len(DATES)), rel=0.02)
    largest = next(each for each in check.numbers if each.name.startswith("largest"))
    assert largest.value == pytest.approx(0.4 * np.sqrt(2), rel=0.06)
    assert largest.low < 0.4 * np.sqrt(2) < largest.high
    assert check.verdict == PASS


def test_an_inventory_is_detected_where_the_ground_moves():
    town = simulate_town(seed=3, blocks=6)
    record = header(town.table)
    fast = np.abs(town.true_velocity) > 4
    place = np.column_stack([town.table[name].to_numpy() for name in ("easting", "northing")])
    moving = shapely.buffer(shapely.points(place[fast].mean(axis=0)), 60)
    still = np.abs(town.true_velocity) < 0.2
    quiet = shapely.buffer(shapely.points(np.median(place[still], axis=0)), 40)
    nothing = shapely.buffer(shapely.points(place.min(axis=0) + 5), 3)
    outlines = Features(np.array([moving, quiet, nothing]), pa.table({"id": [1, 2, 3]}), record.crs)
    check = checks.check_inventory(town.table, outlines, required=0.5)
    assert check.details["detected"].tolist() == [True, False, False]
    assert check.details["seen"].tolist() == [True, True, False]
    assert check.number("detection rate").value == 0.5
    assert check.verdict == UNDECIDED  # two outlines decide nothing


@pytest.fixture(scope="module")
def optical():
    """A rupture with 2 m right-lateral offset along x = 0, errors of 0.2 m, sigmas that are right."""
    random = np.random.default_rng(10)
    x = GRID.affine.c + GRID.affine.a * (np.arange(200) + 0.5)
    north = np.where(x < 500_000, -1.0, 1.0) * np.ones((200, 1))
    layers = {
        "east": 0.2 * random.standard_normal((200, 200)), "north": -north + 0.2 * random.standard_normal((200, 200)),
        "quality": np.ones((200, 200)), "reason": np.zeros((200, 200), np.uint8),
        **dict.fromkeys(("east_sigma", "north_sigma"), np.full((200, 200), 0.2)),
    }  # fmt: skip
    layers = {name: each.astype(np.uint8 if name == "reason" else np.float32) for name, each in layers.items()}
    attributes = dict.fromkeys(
        ("date_pre", "date_post", "method", "source_pre", "source_post", "software", "configuration_hash"), "simulated"
    )
    return displacement_map(layers, GRID, attributes | {"date_pre": "2019-07-01", "date_post": "2019-07-10"})


def test_a_map_is_checked_against_stations_field_and_stable_ground(optical):
    random = np.random.default_rng(11)
    xy = np.column_stack([random.uniform(498_200, 499_800, 12), random.uniform(3_898_200, 3_901_800, 12)])
    offsets = Features(
        shapely.points(xy),
        pa.table({"east": 0.01 * random.standard_normal(12), "north": 1 + 0.01 * random.standard_normal(12),
                  "east_sigma": np.full(12, 0.01), "north_sigma": np.full(12, 0.01)}),
        CRS("EPSG:32611"),
    )  # fmt: skip
    found = checks.check_offsets(optical, offsets, required=0.3)
    assert found.verdict == PASS
    assert abs(found.number("bias, north").value) < 0.1
    with pytest.raises(InputError, match="expected north_sigma with numbers"):
        checks.check_offsets(optical, replace(offsets, attributes=offsets.attributes.drop_columns(["north_sigma"])))
    trace = np.array([[500_000, 3_898_000], [500_000, 3_902_000]])
    along = np.arange(500, 3600, 400.0)
    field = Features(
        shapely.points(np.column_stack([np.full(len(along), 500_010.0), 3_898_000 + along])),
        pa.table({"right_lateral": np.full(len(along), 2.0), "sigma": np.full(len(along), 0.1)}), CRS("EPSG:32611"),
    )  # fmt: skip
    fault = check_field_offsets(optical, trace, field, length=1500, width=400, required=0.3)
    assert fault.verdict == PASS
    assert abs(fault.number("bias").value) < 0.15
    quiet = optical.copy()
    quiet["north"] = quiet["north"] + xr.where(quiet["x"] < 500_000, -1, 1)
    mask = PolygonMask(("stable",), GRID, (shapely.box(498_000, 3_898_000, 501_900, 3_902_000),))
    stable = checks.check_stable_ground(quiet, mask)
    assert stable.number("error, north").value == pytest.approx(0.2, rel=0.03)
    assert stable.number("mean squared standardised error, north").verdict == PASS


def test_intervals_cover_as_often_as_stated():
    random = np.random.default_rng(12)
    hits = dict.fromkeys(("share", "rate", "bootstrap"), 0)
    for _ in range(150):
        share = share_number("", int(random.binomial(30, 0.3)), 30)
        rate = rate_number("", int(random.poisson(12)), 2.0, "")
        group = np.repeat(np.arange(40), 10)
        values = np.repeat(random.standard_normal(40), 10) + 0.3 * random.standard_normal(400)
        mean = bootstrap_number("", lambda r, v=values: float(v[r].mean()), group, "")
        hits["share"] += share.low <= 0.3 <= share.high
        hits["rate"] += rate.low <= 6 <= rate.high
        hits["bootstrap"] += mean.low <= 0 <= mean.high
    assert min(hits["share"], hits["rate"]) >= 136  # exact intervals are never short: 142.5 expected at least
    assert 132 <= hits["bootstrap"] <= 150


def test_verdicts_and_reports():
    asked = Requirement.at_most(1.0, "somebody")
    numbers = [Number("n", v, v - 0.2, v + 0.2, "mm", 5, "by hand", asked) for v in (0.5, 0.9, 2.0)]
    assert [each.verdict for each in numbers] == [PASS, UNDECIDED, FAIL]
    assert replace(numbers[2], bound=True).verdict == UNDECIDED
    made = [Check(f"c{k}", f"Check <{k}>", "x ≤ y", (each,)) for k, each in enumerate(numbers)]
    record = report_record(made, title="T", inputs={"a": "b"}, missing=["none: why"])
    assert json.loads(json.dumps(record))["summary"] == {"pass": 1, "fail": 1, "undecided": 1, "none stated": 0}
    page = report_html(made, title="T & U", inputs={"a": "<b>"}, missing=["none: why"])
    assert "T &amp; U" in page
    assert "Check &lt;0&gt;" in page
    assert "&lt;b&gt;" in page
    assert "http" not in page.replace('"http', "")
