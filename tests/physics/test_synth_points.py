"""A simulated strip: what the points say is the truth on their line of sight, plus what is to be taken off."""

import numpy as np
import pytest

from groundshift.io.gnss.table import read_station_table
from groundshift.io.points import read_points
from groundshift.kernels.series_fields import series_fields
from groundshift.model.points import check, header, series
from groundshift.synth.points.motion import bowl_centres, degrees, ground_velocity, metres, regional_velocity
from groundshift.synth.points.options import ErrorOptions, MotionOptions, StationOptions, StripOptions
from groundshift.synth.points.stations import strip_stations
from groundshift.synth.points.strip import frames, inside_strip, simulate_burst
from groundshift.synth.points.write import point_file, read_strip, true_velocity, write_strip

SMALL = StripOptions(tracks=2, bursts=3, density=0.3, dates=40, stations=StationOptions(count=12, held_out=3))


def look(table):
    return np.stack([table[name].to_numpy() for name in ("los_east", "los_north", "los_up")], 1)


def test_velocities_are_truth_and_surface():
    silent = SMALL.model_copy(update={"errors": ErrorOptions(noise=0.0, seasonality=0.0)})
    for frame in (frames(silent)[1], frames(silent)[-2]):
        burst = simulate_burst(silent, frame)
        check(burst.table)
        expected = (burst.velocity * look(burst.table)).sum(axis=1) + burst.surface
        np.testing.assert_allclose(burst.table["mean_velocity"].to_numpy(), expected, atol=1e-3)
        assert burst.air.std() > 0.05
        assert np.ptp(burst.surface) > 1


def test_without_errors_the_mean_alone_is_taken_off():
    silent = ErrorOptions(offset=0, tilt=0, wave=0, air=0)
    burst = simulate_burst(SMALL.model_copy(update={"errors": silent}), frames(SMALL)[0])
    assert np.ptp(burst.surface) < 1e-9
    assert abs(series(burst.table)[:, -1].mean() - series(burst.table)[:, 0].mean()) < 0.3
    again = series_fields(series(burst.table), (header(burst.table).dates - np.datetime64(0, "D")).astype(float))
    np.testing.assert_allclose(again.mean_velocity, burst.table["mean_velocity"].to_numpy(), atol=2e-3)


def test_tracks_look_at_the_same_ground_from_both_sides():
    first, last = frames(SMALL)[0], frames(SMALL)[-1]
    assert (first.orbit, last.orbit) == ("ascending", "descending")
    looks = [frame.look(np.array([-40e3, 40e3])) for frame in (first, last)]
    assert (looks[0][:, 0] < 0).all()
    assert (looks[1][:, 0] > 0).all()
    assert (np.concatenate(looks)[:, 1] < 0).all()
    assert (looks[0][1, 2] < looks[0][0, 2]).all()  # farther away, looked at more from the side
    cells = [set(map(tuple, np.floor(simulate_burst(SMALL, each).places / 100).astype(int))) for each in (first, last)]
    share = len(cells[0] & cells[1]) / min(map(len, cells))
    assert share > 0.1


def test_bursts_come_out_the_same_alone():
    one, two = (simulate_burst(SMALL, frames(SMALL)[4]) for _ in range(2))
    assert one.table.equals(two.table)


def test_a_bowl_is_local():
    centre = bowl_centres(SMALL)[:1]
    local = ground_velocity(SMALL, centre) - regional_velocity(SMALL, centre)
    np.testing.assert_allclose(local, [[0, 0, SMALL.motion.bowl_velocity]], atol=1e-9)
    beside = centre + np.array([1000 * SMALL.motion.bowl_radius + 1, 0])
    only = SMALL.model_copy(update={"motion": MotionOptions(bowls=1, slopes=0)})
    np.testing.assert_array_equal(ground_velocity(only, beside), regional_velocity(only, beside))


def test_stations_err_as_they_say():
    errors = []
    for seed in range(20):
        made = strip_stations(SMALL.model_copy(update={"seed": seed}))
        assert made.outliers.sum() == 2
        good = ~made.outliers
        errors.append(((made.stations.velocity - made.truth) / made.stations.sigma)[good])
        assert inside_strip(SMALL, metres(SMALL, made.held_out.latitude, made.held_out.longitude)).all()
    assert np.var(np.concatenate(errors)) == pytest.approx(1, abs=0.2)


def test_a_plate_turns_the_stations():
    turning = SMALL.model_copy(update={"motion": MotionOptions(rotation=(-0.085, -0.519, 0.753))})  # Eurasia
    more = ground_velocity(turning, np.zeros((1, 2))) - ground_velocity(SMALL, np.zeros((1, 2)))
    np.testing.assert_allclose(more[0], [20.26, 15.27, 0.05], atol=0.01)  # by hand


def test_a_strip_on_disk(tmp_path):
    few = SMALL.model_copy(update={"tracks": 1, "bursts": 2, "density": 0.1})
    paths = write_strip(tmp_path, few)
    assert [path.name for path in paths] == [point_file(frame) for frame in frames(few)]
    assert read_strip(tmp_path) == few
    table = read_points(paths[3])
    made = simulate_burst(few, frames(few)[3])
    assert table.equals(made.table)
    place = table["latitude"].to_numpy(), table["longitude"].to_numpy()
    np.testing.assert_allclose(true_velocity(few, *place), made.velocity, atol=1e-6)
    np.testing.assert_allclose(np.stack(degrees(few, made.places)), np.stack(place), atol=1e-9)
    stations = read_station_table(tmp_path / "stations.csv")
    np.testing.assert_allclose(stations.velocity, strip_stations(few).stations.velocity, atol=1e-4)
    assert stations.frame == "ETRF2000"
    assert (tmp_path / "strip.png").stat().st_size > 50_000
