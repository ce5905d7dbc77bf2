"""A simulated town: what is unhealthy is found, what is healthy is not, and sigmas are right."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import shapely
from pyproj import CRS, Transformer

from groundshift.errors import InputError
from groundshift.io.features import Features
from groundshift.io.points import write_points
from groundshift.model.points import header, point_set, series
from groundshift.products.active_areas import AreaConfig, find_areas, find_areas_in_files
from groundshift.products.assets import AssetConfig, assess_assets
from groundshift.products.assets.geometry import prepare_assets
from groundshift.synth.structures import Errors, simulate_town

NO_SIZES = dict.fromkeys(("velocity", "distortion", "acceleration", "bend", "step"), (0, 0, 0))


@pytest.fixture(scope="module")
def town():
    return simulate_town(seed=3, blocks=6)


@pytest.fixture(scope="module")
def assessment(town):
    return assess_assets(town.table, town.assets)


def test_unhealthy_structures_are_found_and_healthy_ones_are_not(town, assessment):
    fault = dict(zip(*(town.truth[name].to_pylist() for name in ("id", "fault")), strict=True))
    rows = {row["id"]: row for row in assessment.table.attributes.to_pylist()}
    unhealthy = [each for each, name in fault.items() if name not in ("", "near the bowl")]
    assert len(unhealthy) == 7
    found = [each for each in unhealthy if rows[each]["level"] in ("notice", "watch", "alert")]
    assert len(found) >= 6  # one of the buildings that tilts has half of its 12 points beside it
    healthy = [each for each, name in fault.items() if not name]
    raised = [each for each in healthy if rows[each]["level"] in ("notice", "watch", "alert")]
    assert len(healthy) > 250
    assert len(raised) <= 0.03 * len(healthy)
    assert not [each for each in raised if rows[each]["level"] in ("watch", "alert")]
    pier = next(each for each, name in fault.items() if name == "a pier sinks")
    assert rows[pier]["level"] == "alert"
    assert "change" in rows[pier]["reasons"]
    assert abs(np.datetime64(rows[pier]["change_date"]) - np.datetime64("2021-07-01")) < np.timedelta64(60, "D")


@pytest.mark.parametrize("errors", [Errors(), Errors.hard()], ids=["white", "heavy tails, lasting"])
def test_noise_raises_no_more_alarms_than_stated(errors):
    found = []
    for seed in range(5):
        town = simulate_town(seed=50 + seed, blocks=5, faults=False, errors=errors)
        found.append(assess_assets(town.table, town.assets, AssetConfig(levels=NO_SIZES)).judgement)
    levels = np.concatenate([each.level for each in found])
    assert len(levels) > 1000
    assert (levels >= 1).mean() <= 0.016  # 1 % and two standard errors
    assert (levels >= 2).mean() <= 0.005
    for name in ("velocity", "distortion", "acceleration"):
        chance = np.concatenate([getattr(each, name).chance for each in found])
        assert 0.5 < (chance < 0.1).mean() / 0.1 < 1.5  # not by asking for the impossible


def test_what_is_said_to_be_found_is_found():
    """Single buildings that settle by one and a half of the velocity that their rows say is found in most cases."""
    found = []
    for seed in (90, 91, 92):
        quiet = simulate_town(seed=seed, blocks=5, faults=False)
        before = {row["id"]: row for row in assess_assets(quiet.table, quiet.assets).table.attributes.to_pylist()}
        table, chosen = quiet.table, []
        record, place = header(table), np.column_stack([table[n].to_numpy() for n in ("easting", "northing")])
        years = (record.dates - record.dates[0]).astype(float) / 365.0
        values, velocity = series(table).astype(float), table["mean_velocity"].to_numpy().astype(float)
        able = [
            row for row, each in enumerate(quiet.assets.attributes["id"].to_pylist()) if before[each]["points"] > 12
        ]
        for row in able[-60::20]:
            chosen.append(quiet.assets.attributes["id"][row].as_py())
            speed = 1.5 * before[chosen[-1]]["velocity_detectable"]
            assert 0.1 < speed < 3
            mine = shapely.dwithin(quiet.assets.geometry[row], shapely.points(place), 10.0)
            values[mine] += speed * years
            velocity[mine] += speed
        names = [name for name in table.column_names if name not in ("displacement", "geometry")]
        columns = {**{name: table[name] for name in names}, "displacement": values, "mean_velocity": velocity}
        moved = point_set(columns, level="L2b", dates=record.dates, crs=record.crs)
        after = {row["id"]: row for row in assess_assets(moved, quiet.assets).table.attributes.to_pylist()}
        found += [after[each]["level"] in ("notice", "watch", "alert") for each in chosen]
    assert len(found) == 9
    assert np.mean(found) > 0.6


def test_sigmas_of_velocity_and_distortion_hold():
    """Errors of place aside, which mix structures with their surroundings."""
    scores, twists = [], []
    for seed in range(6):
        town = simulate_town(seed=80 + seed, blocks=4, faults=False, errors=Errors(slow=0.4, place=0.1))
        config = AssetConfig(location_sigma=0.5, reference="zero", reference_sigma=0.4)
        found = assess_assets(town.table, town.assets, config)
        units = found.units
        scores.append(np.mean((units.assets.velocity / units.assets.sigma) ** 2))
        twists.append(units.differences.velocity / units.differences.sigma)
    twists = np.concatenate(twists)
    assert 0.8 < np.mean(twists**2) < 1.25
    assert 0.2 < np.mean(scores) < 3  # one common error a town: six draws


def test_sigmas_hold_wherever_an_asset_is():
    """Roads cross the town that they are held against, bridges stand beside it: one has far smaller errors."""
    scores: dict[str, list[float]] = {}
    for seed in range(8):
        town = simulate_town(seed=700 + seed, blocks=4, faults=False)
        found = assess_assets(town.table, town.assets)
        units, kinds = found.units, found.assets.kind[found.units.assets.asset]
        score = (units.assets.velocity - units.reference) / units.assets.sigma
        for kind in ("road", "bridge"):
            scores.setdefault(kind, []).extend(score[kinds == kind] ** 2)
    assert 0.5 < np.mean(scores["road"]) < 2.0
    assert 0.5 < np.mean(scores["bridge"]) < 2.0


def test_an_assessment_does_not_depend_on_how_points_come(town):
    config = AssetConfig(least_rate_scatter=0.2)  # more than is found, from pairs that depend on the parts
    parts = [town.table.slice(first, 1500) for first in range(0, len(town.table), 1500)]
    one, other = (
        assess_assets(each, town.assets, config).table.attributes.sort_by("id") for each in (town.table, parts)
    )
    for name in ("velocity", "seasonality", "points", "distortion", "change_size"):
        np.testing.assert_allclose(one[name].to_numpy(), other[name].to_numpy(), rtol=1e-5, atol=1e-5)


def test_assets_that_no_point_is_on_are_not_seen(town):
    few = town.assets.geometry[:3]
    away = shapely.transform(few, lambda places: places + 1e5)
    assessed = assess_assets(town.table, Features(away, town.assets.attributes.slice(0, 3), town.assets.crs))
    assert assessed.table.attributes["level"].to_pylist() == ["not seen"] * 3
    assert assessed.report["points_on_assets"] == 0


def test_angular_distortion_is_that_of_a_beam_that_tilts(town):
    """Points without error on a beam that tilts by 0.1 mm/yr in a metre."""
    kinds = town.assets.attributes["kind"].to_pylist()
    beam = town.assets.take(np.array([kinds.index("bridge")]))
    table = simulate_town(seed=3, blocks=6, faults=False, errors=Errors(point=0.01, date=0, slow=0, place=0.001)).table
    record = header(table)
    place = np.column_stack([table[name].to_numpy() for name in ("easting", "northing")])
    along = shapely.line_locate_point(beam.geometry[0], shapely.points(place))
    years = (record.dates - record.dates[0]).astype(float) / 365.0
    columns = {name: table[name] for name in table.column_names if name not in ("displacement", "geometry")}
    columns["mean_velocity"] = table["mean_velocity"].to_numpy() + 0.1 * along
    tilted = point_set(
        {**columns, "displacement": series(table) + 0.1 * along[:, None] * years},
        level="L2b", dates=record.dates, crs=record.crs,
    )  # fmt: skip
    result = assess_assets(tilted, beam, AssetConfig(location_sigma=0.5))
    between = result.units.differences
    np.testing.assert_allclose(between.velocity / between.apart, 0.1, rtol=0.02)
    row = result.table.attributes.to_pylist()[0]
    assert row["distortion"] == pytest.approx(0.1 * (record.dates[-1] - record.dates[0]).astype(int) / 365.25, rel=0.02)


def test_a_polygon_without_area_is_a_line():
    texts = (
        "POLYGON ((0 0, 60 0, 120 0, 0 0))",
        "POLYGON ((0 50, 120 50, 120 60, 0 60, 0 50))",
        "LINESTRING (0 9, 120 9)",
    )
    shapes = Features(shapely.from_wkt(texts), pa.table({"kind": ["bridge"] * 3}), CRS("EPSG:32633"))
    assets = prepare_assets(shapes, shapes.crs, AssetConfig())
    assert (assets.width > 0).tolist() == [True, False, True]
    assert shapely.length(assets.axis).tolist() == [120, 120, 120]
    assert len(set(assets.segments)) == 1


def test_areas_take_points_of_one_component(tmp_path):
    dates = ["2020-01-01", "2020-01-07", "2020-01-13"]
    columns = {"pid": ["a", "b"], "easting": [50.0, 150.0], "northing": [50.0, 50.0], "displacement": np.zeros((2, 3))}
    for component in ("U", "E"):
        table = point_set(
            {**columns, **dict.fromkeys(("mean_velocity", "mean_velocity_std"), np.ones(2))},
            level="L3", component=component, dates=dates, crs="EPSG:3035",
        )  # fmt: skip
        write_points(tmp_path / f"{component}.parquet", table)
    with pytest.raises(InputError, match="measures E, others U; give points of one component"):
        find_areas_in_files([tmp_path / "U.parquet", tmp_path / "E.parquet"], tmp_path)


def test_active_areas_are_the_true_ones_and_none_in_noise(town):
    found = find_areas(town.table)
    fast = np.abs(town.true_velocity - np.median(town.true_velocity)) > 2
    inside = found.member >= 0
    assert inside[fast].mean() > 0.7
    assert (np.abs(town.true_velocity[inside]) > 0.3).mean() > 0.9
    assert 3 <= len(found.areas) <= 9
    assert (np.diff(found.areas.attributes["weight"].to_numpy()) <= 0).all()
    false = 0
    for seed in range(16):
        quiet = simulate_town(seed=300 + seed, blocks=4, faults=False)
        false += len(find_areas(quiet.table, AreaConfig(least_velocity=0)).areas)
    assert false <= 4  # one is expected; five or more have a chance of 0.4 %


def _bridge(spans, settles=0.0, seed=31):
    """A quiet town whose Bridge 2 has spans, the third of which settles, mm/yr."""
    town = simulate_town(seed=seed, blocks=4, faults=False, errors=Errors(place=1.0))
    names = town.assets.attributes["name"].to_pylist()
    row = names.index("Bridge 2")
    given = pa.array([spans if n == row else None for n in range(len(names))])
    assets = replace(town.assets, attributes=town.assets.attributes.append_column("spans", given))
    record, axis = header(town.table), town.assets.geometry[row]
    place = shapely.points(np.column_stack([town.table[n].to_numpy() for n in ("easting", "northing")]))
    along = shapely.line_locate_point(axis, place) / axis.length
    mine = shapely.dwithin(axis, place, 9.0) & (along >= 0.5) & (along < 0.75)
    values = series(town.table) - settles * mine[:, None] * (record.dates - record.dates[0]).astype(float) / 365.0
    velocity = town.table["mean_velocity"].to_numpy() - settles * mine
    columns = {name: town.table[name] for name in town.table.column_names if name not in ("displacement", "geometry")}
    columns |= {"displacement": values, "mean_velocity": velocity}
    moved = point_set(columns, level="L2b", dates=record.dates, crs=record.crs)
    return moved, assets, town.assets.attributes["id"][row].as_py()


@pytest.mark.parametrize("spans", ["4", "40 40 40 40", "10;10;10;10"])
def test_the_span_that_settles_is_told_from_those_that_do_not(spans):
    table, assets, identity = _bridge(spans, settles=5.0)
    found = [row for row in assess_assets(table, assets).segments.attributes.to_pylist() if row["id"] == identity]
    assert [row["segment"] for row in found] == [1, 2, 3, 4]
    assert [row["verdict"] for row in found] == ["does not move", "does not move", "moves away", "does not move"]
    third = found[2]
    assert third["motion"] == pytest.approx(-5.0, abs=4 * third["motion_sigma"])
    assert third["said"] == f"moves away by {-third['motion']:.1f} ± {third['motion_sigma']:.1f} mm/yr"
    assert third["to"] - third["from"] == pytest.approx(40.2, abs=0.1)
    upward = assess_assets(table, assets, AssetConfig(vertical=True)).segments.attributes.to_pylist()
    assert [row["verdict"] for row in upward if row["id"] == identity][2] == "settles"


def test_spans_of_unlike_length_and_too_few_points():
    table, assets, identity = _bridge("1, 79, 79, 1")
    found = [row for row in assess_assets(table, assets).segments.attributes.to_pylist() if row["id"] == identity]
    assert [round(row["to"] - row["from"]) for row in found] == [1, 79, 79, 1]
    assert {row["verdict"] for row in found} == {"does not move", "too few points"}
    seen = [row for row in found if row["verdict"] == "does not move"]
    assert all(row["motion_bound"] > abs(row["motion"]) for row in seen)
    with pytest.raises(InputError, match="expected their number"):
        assess_assets(*_bridge("four")[:2])


def test_points_in_degrees_say_the_same():
    table, assets, identity = _bridge("4", settles=5.0)
    place = [table[name].to_numpy() for name in ("easting", "northing")]
    longitude, latitude = Transformer.from_crs(3035, 4326, always_xy=True).transform(*place)
    columns = {name: table[name] for name in table.column_names if name not in ("displacement", "geometry")}
    columns |= {"easting": longitude, "northing": latitude, "displacement": series(table)}
    degrees = point_set(columns, level="L2b", dates=header(table).dates, crs="EPSG:4326")
    one, other = (
        [row for row in assess_assets(each, assets).segments.attributes.to_pylist() if row["id"] == identity]
        for each in (table, degrees)
    )
    assert [row["verdict"] for row in one] == [row["verdict"] for row in other]
    np.testing.assert_allclose([row["motion"] for row in one], [row["motion"] for row in other], atol=0.1)


def test_slips_of_single_points_are_not_what_assets_are_held_against():
    """A point in twenty off by a cycle since some date: put right, a smaller step of a segment is no noise."""
    town = simulate_town(seed=60, blocks=4, faults=False, errors=Errors(jumps=0.05))
    needed = {}
    for wavelength in (0.0, 55.4):
        found = assess_assets(town.table, town.assets, AssetConfig(wavelength=wavelength))
        null = found.units.nulls["change of segments"]
        needed[wavelength] = null.width * null.score(0.0025)
        slipped = found.report["points_with_slips"] / found.report["points_on_assets"]
        assert slipped == pytest.approx(0.045 if wavelength else 0, abs=0.01)
    assert needed[55.4] < 3.2  # 3.02 of Gaussian errors
    assert needed[0.0] > 3.4
