"""East and up from several looks."""

import numpy as np
import pyarrow as pa
import pytest

from groundshift.errors import ConfigurationError, InputError
from groundshift.geodesy.velocity_field import GridField
from groundshift.geodesy.velocity_model import Velocity
from groundshift.io.points import write_points
from groundshift.kernels.series_fields import series_fields
from groundshift.model.points import dates, header, series
from groundshift.model.velocity_grid import build_grid
from groundshift.products.fuse.config import RADAR, RADAR_VELOCITY
from groundshift.products.fuse.sources import RadarPoints
from groundshift.products.fuse.stated import usual_errors
from groundshift.products.ortho import OrthoConfig, ortho_tables
from groundshift.products.ortho.plan import plan_ortho
from groundshift.validate.checks.stations import refuse_used
from tests.reference.tracks import LOOKS, motion, track, unit


class Model:
    """Ground that moves north by 10 mm/yr, as the tracks do."""

    frame, source = "ETRF2000", "made up"

    def at(self, latitude, longitude):
        covariance = np.tile(np.diag([0.04, 1.0, 0.04]), (len(latitude), 1, 1))
        return Velocity(np.tile([1.0, 10.0, 2.0], (len(latitude), 1)), covariance)


def truth(table, component):
    """True displacement of cells, and their true rate from the first to the last date, less the origin."""
    years = (dates(table) - np.datetime64("2020-01-02")) / np.timedelta64(1, "D") / 365.25
    x, y = (table[name].to_numpy() - start for name, start in (("easting", 4_500_000), ("northing", 3_000_000)))
    return motion(x, y, years)[component]


def rms_error(table, component):
    error = series(table) - truth(table, component)
    error -= np.nanmean(error, axis=1, keepdims=True)
    return np.sqrt(np.nanmean(error**2))


@pytest.mark.parametrize("model", [None, Model()])
def test_motion_is_found_whoever_removed_the_north(model):
    tables = [track(each, north=model is not None, provenance={"north_removed": model is None}) for each in (22, 117)]
    ((east, up),) = ortho_tables(tables, model=model)
    assert len(east) == 50 * 50 - len(missing(tables))
    assert rms_error(east, 0) < 0.02
    assert rms_error(up, 2) < 0.02
    assert (np.diff(dates(up)).astype(int) == 6).all()
    assert header(up).provenance["north_removed"] is True
    assert header(up).frame == "E45N30"
    assert ("gnss_velocity_n" in up.column_names) == (model is not None)


def missing(tables):
    """Cells without points of one of the tracks."""
    cells = [
        set(zip((t["easting"].to_numpy() // 100).tolist(), (t["northing"].to_numpy() // 100).tolist(), strict=True))
        for t in tables
    ]
    whole = {(45_000.0 + i, 30_000.0 + j) for i in range(50) for j in range(50)}
    return whole - (cells[0] & cells[1])


def test_north_is_not_taken_off_twice():
    free = [track(each, north=False, provenance={"north_removed": True}) for each in (22, 117)]
    with_model, without = (next(iter(ortho_tables(free, model=each))) for each in (Model(), None))
    for one, other in zip(with_model, without, strict=True):
        np.testing.assert_array_equal(series(one), series(other))


def test_north_that_is_left_in_biases_up():
    ((_, up),) = ortho_tables([track(each) for each in (22, 117)], north_removed=True)
    ((_, right),) = ortho_tables([track(each, north=False) for each in (22, 117)], north_removed=True)
    bias = np.mean(up["mean_velocity"].to_numpy() - right["mean_velocity"].to_numpy())
    np.testing.assert_allclose(bias, 10 * np.mean([-0.120, -0.098]) / np.mean([0.795, 0.778]), rtol=0.02)


def solved(numbers, **options):
    """Cells of one tile as the step gives them: points of white noise of 4 mm, and nothing else that errs."""
    tables = [track(each, north=False, noise=4.0, points=12000, side=2000, **options) for each in numbers]
    config = OrthoConfig(rate_sigma=0, reference_sigma=(0, 0))
    plan = plan_ortho(tables, config, True, None)
    return plan.step(plan.tiles[0]), plan.step.dates


def test_a_third_look_helps_and_sigmas_hold():
    spread = []
    for numbers in ((22, 117), (22, 44, 117)):
        cells, days = solved(numbers)
        years = (days - np.datetime64("2020-01-02")) / np.timedelta64(1, "D") / 365.25
        moved = motion(cells["east"] - 4_500_000, cells["north"] - 3_000_000, years)[[0, 2]]
        rate = np.stack([series_fields(each, days.astype(float)).mean_velocity for each in moved], axis=1)
        error = cells["velocity"] - rate
        covariance = cells["velocity_covariance"]
        squares = error**2 / covariance[:, :2]
        assert ((squares.mean(axis=0) > 0.8) & (squares.mean(axis=0) < 1.25)).all()
        product = np.mean(error[:, 0] * error[:, 1]) / np.mean(covariance[:, 2])
        assert 0.3 < product < 2 or abs(np.mean(covariance[:, 2])) < 0.1 * np.mean(covariance[:, 0])
        spread.append(covariance[:, :2].mean(axis=0))
    assert (spread[1] < 0.9 * spread[0]).all()


def test_an_ortho_names_the_stations_that_its_points_were_tied_to():
    said = [{"calibration": {"model": {"frame": "ETRF2000", "station_names": names}}} for names in (["B", "A"], ["C"])]
    given = [track(each, north=False, provenance=more) for each, more in zip((22, 117), said, strict=True)]
    ((east, _),) = ortho_tables(given, north_removed=True)
    found = header(east).provenance["calibration"]["model"]
    assert found == {"frame": "ETRF2000", "station_names": ["A", "B", "C"]}
    with pytest.raises(InputError, match="1 of the stations to check with made the product"):
        refuse_used([east], ["B", "X"])
    plain = plan_ortho([given[0], track(117, north=False)], OrthoConfig(), True, None)
    assert plain.provenance["calibration"]["model"] == {"frame": None, "station_names": ["A", "B"]}


def test_what_points_say_of_their_calibration_is_alike_in_a_cell():
    """Two looks without noise: a motion of the calibration of each, and one of the reference that both share."""
    shared = {"calibration": {"reference_sigma": [0.1, 0.2]}}
    tables = [
        track(each, north=False, stated=(0.3, 0.2, 0.5), provenance=shared, points=9000, side=2000)
        for each in (22, 117)
    ]
    plan = plan_ortho(tables, OrthoConfig(), True, None)
    cells = plan.step(plan.tiles[0])
    looks = np.stack([unit(LOOKS[each])[[0, 2]] for each in (22, 117)])
    gain, reference = np.linalg.inv(looks), np.diag([0.01, 0.04])
    own = np.diag(0.5**2 - 0.3**2 - (looks @ reference * looks).sum(axis=1))
    expected = gain @ own @ gain.T + reference
    several = cells["points"] > 20
    assert several.any()
    covariance = cells["velocity_covariance"][several]
    np.testing.assert_allclose(covariance[:, :2], np.broadcast_to(np.diag(expected), (several.sum(), 2)), rtol=2e-3)
    np.testing.assert_allclose(covariance[:, 2], expected[0, 1], atol=1e-3)
    silent = [track(each, north=False, points=9000, side=2000) for each in (22, 117)]
    for given, config in ((tables, {"rate_sigma": 0.3, "reference_sigma": (0.1, 0.25)}), (silent, {})):
        usual = plan_ortho(given, OrthoConfig(**config), True, None)
        covariance = usual.step(usual.tiles[0])["velocity_covariance"]
        expected = 0.3**2 * gain @ gain.T + np.diag([0.1**2, 0.25**2])
        np.testing.assert_allclose(np.median(covariance[:, :2], axis=0), np.diag(expected), rtol=2e-3)


def test_a_fusion_reads_it_too():
    """A surface of 0.2 mm/yr as offset and ramps of twice its variance, the air as what is correlated; m/yr."""
    errors = usual_errors(RadarPoints(track(22, points=500, stated=(0.3, 0.2, 0.5))), "velocity")
    assert errors.offset**2 + 2 / 3 * errors.ramp**2 == pytest.approx(2 * 0.0002**2, rel=1e-4)
    assert errors.correlated == pytest.approx(1e-3 * np.sqrt(0.5**2 - 0.3**2 - 0.2**2), rel=1e-4)
    assert errors.length == RADAR_VELOCITY.length
    assert usual_errors(RadarPoints(track(22, points=500)), "velocity") == RADAR_VELOCITY
    assert usual_errors(RadarPoints(track(22, points=500, stated=(0.3, 0.2, 0.5))), "displacement") == RADAR


def test_gaps_are_bridged_to_90_days_and_not_farther():
    for gaps, whole in ((range(40, 46), True), (range(40, 47), False)):  # 84 and 96 days
        tables = [track(22, north=False), track(117, north=False, gaps=gaps)]
        ((east, _),) = ortho_tables(tables, north_removed=True)
        assert np.isfinite(series(east)).all() == whole
        assert rms_error(east, 0) < 0.2


def test_another_crs_gives_the_same_motion():
    ((east, _),) = ortho_tables(
        [track(each, north=False) for each in (22, 117)], OrthoConfig(crs="EPSG:32632"), north_removed=True
    )
    assert header(east).crs.to_epsg() == 32632
    assert (east["easting"].to_numpy() % 100 == 50).all()
    quarters = np.percentile(east["mean_velocity"].to_numpy(), [25, 50, 75])  # cells cut across those that move alike
    np.testing.assert_allclose(quarters, [3.25, 3.5, 3.75], atol=0.1)


def test_a_cell_may_hold_any_number_of_points(tmp_path):
    """More than 16 bits count; and a file without points is none of their concern."""
    tables = [track(each, north=False, points=70_000, side=100.0, count=15) for each in (22, 117)]
    write_points(tmp_path / "empty.parquet", tables[0].slice(0, 0))
    ((east, _),) = ortho_tables([tmp_path / "empty.parquet", *tables], OrthoConfig(cell=100.0), north_removed=True)
    assert len(east) == 1
    assert rms_error(east, 0) < 0.02


def test_runs_of_other_points_have_other_names():
    tables = [track(22, north=False, points=20), track(117, north=False, points=20)]

    def key(other, model=None):
        return plan_ortho([tables[0], other], OrthoConfig(), model is None, model).key

    moved = tables[1].set_column(
        tables[1].column_names.index("los_up"), "los_up", pa.array(np.full(20, 0.7), pa.float32())
    )
    assert key(tables[1]) == key(tables[1]) != key(moved)
    grids = [
        GridField(build_grid("EPSG:3035", [4.4e6, 4.6e6], [2.9e6, 3.1e6], np.full((2, 2, 3), rate), frame="ETRF2000",
                             source="model.csv"))
        for rate in (1.0, 2.0)
    ]  # fmt: skip
    assert key(tables[1], grids[0]) != key(tables[1], grids[1])


def test_what_cannot_be_solved_is_said():
    with pytest.raises(ConfigurationError, match="still holds the north motion"):
        [*ortho_tables([track(22), track(117)])]
    with pytest.raises(InputError, match="two tracks of different look"):
        [*ortho_tables([track(22)], north_removed=True)]
    assert not [*ortho_tables([track(44), track(117)], north_removed=True)]  # the same side
    with pytest.raises(ConfigurationError, match="not projected"):
        [*ortho_tables([track(22), track(117)], OrthoConfig(crs="EPSG:4326"), north_removed=True)]
    with pytest.raises(InputError, match="share no time"):
        [*ortho_tables([track(22), track(117, start="2030-01-01")], north_removed=True)]
