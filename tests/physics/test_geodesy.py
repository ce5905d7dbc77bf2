"""Frames, poles, rates, noise and velocity models against what is known of them."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from pyproj import Transformer
from scipy.signal import fftconvolve

from groundshift.errors import ConfigurationError, InputError
from groundshift.geodesy.frames import POLES, estimate_pole, plate_velocity, to_frame
from groundshift.geodesy.midas import midas_rate
from groundshift.geodesy.noise import coloured_fit, power_law
from groundshift.geodesy.own_motion import (
    OwnMotion,
    chance_of_own_motion,
    estimate_own_motion,
    normal_score,
    own_variance,
)
from groundshift.geodesy.smooth_field import Field3, centre_of, smooth_covariance
from groundshift.geodesy.steps import YEARS_BETWEEN, rate_with_doubtful_steps
from groundshift.geodesy.trajectory import (
    YEAR,
    Relaxation,
    TrajectoryConfig,
    fit_trajectory,
    trajectory_design,
    velocities_of,
)
from groundshift.geodesy.velocity_field import GridField, grid_to_frame, sample_field
from groundshift.geodesy.velocity_model import fit_velocity_model
from groundshift.kernels.rotation import geocentric, local_axes
from groundshift.model.stations import build_series, build_velocities
from groundshift.model.velocity_grid import build_grid

WHERE = np.array([46.9, 52.4, 38.0]), np.array([7.5, 13.1, -4.0])


def stations_of(latitude, longitude, velocity, sigma=0.2, frame="ITRF2014"):
    names = [f"S{number}" for number in range(len(latitude))]
    spread = np.broadcast_to(sigma, (len(latitude), 3))
    return build_velocities(names, latitude, longitude, velocity, sigma=spread, frame=frame, source="test")


@pytest.mark.parametrize("model", POLES)
def test_plates_move_as_in_proj(model):
    for plate in POLES[model]:
        moving = Transformer.from_pipeline(f"+proj=pipeline +step +init={model}:{plate} +t_epoch=2000")
        start = geocentric(*WHERE)
        end = np.stack(moving.transform(*start.T, np.full(3, 2010.0))[:3], 1)
        expected = np.einsum("nij,nj->ni", local_axes(*WHERE), end - start) * 100
        np.testing.assert_allclose(plate_velocity(*WHERE, plate, model=model), expected, atol=2e-4)


def test_etrf2014_is_itrf2014_less_the_european_plate():
    """As in the EUREF technical note 1: ETRF2014 has no translation, and turns with the plate of ITRF2014."""
    velocity = np.array([[20.0, 16.0, 1.0], [19.0, 15.0, -1.0], [19.0, 16.5, 0.0]])
    found = to_frame(stations_of(*WHERE, velocity), "ETRF2014").velocity
    np.testing.assert_allclose(found, velocity - plate_velocity(*WHERE, "EURA", model="ITRF2014"), atol=1e-3)


def test_frames_go_there_and_back():
    stations = stations_of(*WHERE, np.ones((3, 3)), frame="IGS14")
    for frame in ("ETRF2000", "ITRF2008", "plate-fixed EURA", "IGS20"):
        there = to_frame(stations, frame)
        assert there.frame == frame
        np.testing.assert_allclose(to_frame(there, "IGS14").velocity, 1, atol=1e-3)
    with pytest.raises(ConfigurationError, match="'mars' is not known"):
        to_frame(stations, "mars")
    with pytest.raises(ConfigurationError, match="plate 'XXXX'"):
        plate_velocity(*WHERE, "XXXX")


def test_a_pole_is_found_though_stations_are_wrong():
    random = np.random.default_rng(0)
    latitude, longitude = random.uniform(36, 60, 60), random.uniform(-8, 30, 60)
    errors = []
    for _ in range(25):
        velocity = plate_velocity(latitude, longitude, "EURA") + 0.2 * random.standard_normal((60, 3))
        velocity[:6, :2] += 8
        pole = estimate_pole(stations_of(latitude, longitude, velocity))
        away = pole.rotation - POLES["ITRF2020"]["EURA"]
        errors.append(away @ np.linalg.solve(pole.covariance, away) / 3)
        assert (pole.used[:6] < 0.1).all()
    assert np.mean(errors) == pytest.approx(1, abs=0.35)
    assert pole.place[2] == pytest.approx(0.256, abs=0.01)
    with pytest.raises(InputError, match="three or more"):
        estimate_pole(stations_of(latitude[:2], longitude[:2], velocity[:2]))


def noisy(count, random, index=-1.0):
    white, flicker = random.standard_normal((2, count))
    return 1.5 * white + 0.7 * fftconvolve(flicker, power_law(count, index))[:count]


def test_sigmas_of_rates_hold_in_coloured_noise():
    random, count = np.random.default_rng(3), 1500
    standardised = {"coloured": [], "white": [], "midas": []}
    for _ in range(60):
        days = np.flatnonzero(random.random(count) > 0.1).astype(float)
        design = trajectory_design(days, days.mean(), [], [], TrajectoryConfig())[1]
        values = noisy(count, random)[days.astype(int)] + design @ [0, 3, 2, 1, 0.5, 0]
        found = coloured_fit(days, design, values, index=-1.0)
        standardised["coloured"].append((found.coefficients[1] - 3) / np.sqrt(found.covariance[1, 1]))
        inverse = np.linalg.inv(design.T @ design)
        plain = inverse @ design.T @ values
        spread = np.std(values - design @ plain) * np.sqrt(inverse[1, 1])
        standardised["white"].append((plain[1] - 3) / spread)
        midas = midas_rate(days / YEAR, values)
        standardised["midas"].append((midas.rate - 3) / midas.sigma)
    variance = {name: np.mean(np.square(each)) for name, each in standardised.items()}
    assert 0.75 < variance["coloured"] < 1.35  # sixty series: ±0.18
    assert variance["white"] > 10
    assert variance["midas"] < 1.25


def test_midas_does_not_see_seasons_steps_and_outliers():
    random, years = np.random.default_rng(0), np.arange(0, 6, 1 / YEAR)
    values = 4 * years + 5 * np.cos(2 * np.pi * years) + 0.5 * random.standard_normal(len(years))
    values[years > 3.3] += 30
    values[random.integers(0, len(years), 60)] += 100
    assert midas_rate(years, values).rate == pytest.approx(4, abs=0.15)
    assert midas_rate(years, values, [3.3]).rate == pytest.approx(4, abs=0.1)
    assert midas_rate(years, values, [3.3]).pairs < midas_rate(years, values).pairs
    assert np.isnan(midas_rate(years[:300], values[:300]).rate)
    np.testing.assert_allclose(midas_rate(years, 4 * years).rate, 4)
    step = years[400]  # days of one side of it only are paired, seen from either end
    assert midas_rate(years, np.where(years < step, 0, 1e9), [step]).outliers == 0


def daily(values, sigma=1.0):
    days = np.datetime64("2010-01-01") + np.arange(len(values))
    three = np.stack([values] * 3, 1)
    return build_series("A", 46, 8, days, three, np.where(np.isfinite(three), sigma, np.nan), frame="IGS14", source="x")


def test_a_trajectory_finds_steps_and_relaxation():
    random, count = np.random.default_rng(1), 2500
    days = np.arange(count)
    values = 2 * days / YEAR + 3 * np.sin(2 * np.pi * days / YEAR) + random.standard_normal(count)
    values[days >= 900] += 15
    values[days >= 1600] += 20 * np.log1p((days[days >= 1600] - 1600) / 20) - 40
    values[random.integers(0, count, 40)] += 200
    quake = str(np.datetime64("2010-01-01") + 1600)
    config = TrajectoryConfig(detect=6, relaxation=(Relaxation(day=quake),))
    found = fit_trajectory(daily(values), "up", config)
    assert [abs((each - np.datetime64("2010-01-01")).astype(int) - 900) <= 5 for each in found.steps] == [True, False]
    named = dict(zip(found.names, found.coefficients, strict=True))
    assert named[f"step_{quake}"] == pytest.approx(-40, abs=4)
    assert named[f"log_{quake}"] == pytest.approx(20, abs=2)
    assert 10 < found.decays[0] < 40
    assert found.rate == pytest.approx(2, abs=4 * found.sigma)
    assert (found.weight[np.abs(values - found.model) > 50] == 0).all()
    without = fit_trajectory(daily(values), "up", TrajectoryConfig(index=-1.0))
    assert without.steps == ()
    assert abs(without.rate - 2) > 2


def test_steps_and_relaxations_that_a_series_does_not_show_are_left_out():
    random = np.random.default_rng(3)
    series = daily(2 * np.arange(1000) / YEAR + random.standard_normal(1000))
    displacement, gap = series.displacement.copy(), slice(400, 500)
    displacement[gap] = np.nan
    series = replace(series, displacement=displacement, sigma=np.where(np.isfinite(displacement), 1.0, np.nan))
    days = [str(series.days[row]) for row in (420, 440)]
    one = fit_trajectory(series, "up", TrajectoryConfig(steps=days[:1], index=-1.0))
    both = fit_trajectory(series, "up", TrajectoryConfig(steps=days, index=-1.0))
    assert (both.rate, both.sigma, both.steps) == (one.rate, one.sigma, one.steps)
    later = Relaxation(day="2030-01-01")
    assert fit_trajectory(series, "up", TrajectoryConfig(relaxation=[later], index=-1.0)).decays == ()
    over = Relaxation(day="1990-01-01", kind="exp", decay=10)  # before the first day: a constant
    with pytest.raises(InputError, match=r"cannot tell offset, .*exp_1990-01-01 apart in up"):
        fit_trajectory(series, "up", TrajectoryConfig(relaxation=[over]))
    with pytest.raises(ValidationError, match="valid date"):
        TrajectoryConfig(steps=["2019-02-31"])


def test_three_jumps_of_ten_millimetres_are_found_and_none_where_there_is_none():
    """Jumps widen the scatter of everything that is told from medians before and after."""
    random, count = np.random.default_rng(8), 2500
    days = np.arange(count)
    for _ in range(2):
        quiet = noisy(count, random) + 3 * np.cos(2 * np.pi * days / YEAR) + 2 * days / YEAR
        quiet[random.integers(0, count, 25)] += random.normal(0, 60, 25)
        quiet[random.random(count) < 0.1] = np.nan
        config = TrajectoryConfig(detect=5, index=-1.0)
        assert fit_trajectory(daily(quiet), "up", config).steps == ()
        jumps = 10 * ((days >= 600) * 1 - (days >= 1300) * 1 + (days >= 1900) * 1)
        found = fit_trajectory(daily(quiet + jumps), "up", config)
        when = [(each - np.datetime64("2010-01-01")).astype(int) for each in found.steps]
        np.testing.assert_allclose(when, [600, 1300, 1900], atol=4)
        assert found.rate == pytest.approx(2, abs=3.5 * found.sigma)


def test_steps_just_below_what_is_found_are_in_the_sigma_of_a_rate():
    """One step of 3 mm in each series, of which few are found: before, the rate knew of none of the others."""
    random, count = np.random.default_rng(4), 2500
    days, standardised = np.arange(count), {"now": [], "before": []}
    for _ in range(40):
        values = noisy(count, random) + 2 * days / YEAR + 3 * (days >= random.integers(200, count - 200))
        found = fit_trajectory(daily(values), "up", TrajectoryConfig(detect=5, index=-1.0))
        row = found.names.index("rate")
        standardised["now"].append((found.rate - 2) / found.sigma)
        standardised["before"].append((found.coefficients[row] - 2) / np.sqrt(found.covariance[row, row]))
    now, before = (np.mean(np.square(each)) for each in standardised.values())
    assert 0.5 < now < 1.6  # forty series: ±0.22
    assert before > 2.5


def test_a_rate_over_steps_that_might_be_is_that_of_all_models_by_their_probability():
    """White noise, whose least squares are done model by model."""
    random, count, sigmas = np.random.default_rng(5), 300, 4.0
    days = np.arange(count, dtype=float)
    years = (days - days.mean()) / YEAR
    values = 3 * years + random.standard_normal(count) + 0.6 * (days >= 110)
    design, steps = np.stack([np.ones(count), years, days >= 200], 1), [200.0]
    rate, sigma = rate_with_doubtful_steps(days, design, values, np.ones(count), steps, sigmas, 0.0, 1)
    single = [day for day in range(count) if 40 <= day <= 160 or 240 <= day <= 260]
    pairs = [(i, j) for i in single for j in single if j - i >= 40]
    shrunk, chance = sigmas**2 / (1 + sigmas**2), 1 / (YEARS_BETWEEN * YEAR) / np.sqrt(1 + sigmas**2)
    without = np.sum((values - design @ np.linalg.lstsq(design, values)[0]) ** 2)
    free, weights, rates, variances = count - 3, [], [], []
    for more in ((), *((day,) for day in single), *pairs):
        whole = np.column_stack([design, *(days >= day for day in more)])
        fit = np.linalg.lstsq(whole, values)[0]
        left = (1 - shrunk) * without + shrunk * np.sum((values - whole @ fit) ** 2)
        own = np.linalg.inv(design.T @ design)[1, 1]
        gained = np.linalg.inv(whole.T @ whole)[1, 1] - own
        base = np.linalg.lstsq(design, values)[0][1]
        weights.append(chance ** len(more) * (left / without) ** (-free / 2))
        rates.append(base + shrunk * (fit[1] - base))
        variances.append(left / free * (own + shrunk * gained))
    weights = np.array(weights) / np.sum(weights)
    mean = weights @ rates
    assert rate == pytest.approx(mean, abs=1e-6)
    assert sigma**2 == pytest.approx(weights @ (variances + (np.array(rates) - mean) ** 2), rel=1e-6)


def test_days_of_larger_sigma_count_for_less():
    """A receiver that was bad for two years: as many more days of it must not narrow the rate."""
    random, count, errors = np.random.default_rng(6), 1825, {"stated": [], "alike": []}
    sigma = np.where(np.arange(count) < 700, 4.0, 1.0)
    design = trajectory_design(np.arange(count, dtype=float), count / 2, [], [], TrajectoryConfig())[1]
    for _ in range(50):
        slow = 0.3 * fftconvolve(random.standard_normal(count), power_law(count, -1.0))[:count]
        values = slow + sigma * random.standard_normal(count)
        for name, given in (("stated", sigma), ("alike", None)):
            found = coloured_fit(np.arange(count, dtype=float), design, values, sigma=given)
            errors[name].append(found.coefficients[1] ** 2 / found.covariance[1, 1])
    assert 0.7 < np.mean(errors["stated"]) < 1.4  # fifty series: ±0.2
    assert np.mean(errors["alike"]) > 1.5
    alike = coloured_fit(np.arange(count, dtype=float), design, values, index=-1.0)
    same = coloured_fit(np.arange(count, dtype=float), design, values, sigma=np.full(count, 7.0), index=-1.0)
    np.testing.assert_allclose(alike.covariance, same.covariance)


def test_each_station_has_its_own_steps():
    random = np.random.default_rng(12)
    days = np.arange(1500)
    jumps = {"A": 6.0 * (days >= 700), "B": -6.0 * (days >= 900)}
    series = [replace(daily(2 * days / YEAR + jump + random.standard_normal(1500)), name=name)
              for name, jump in jumps.items()]  # fmt: skip
    steps = {"A": [series[0].days[700]], "B": [series[1].days[900]], "C": [series[1].days[400]]}
    config = TrajectoryConfig(index=-1.0)
    for method in ("trajectory", "midas"):
        found = velocities_of(series, method=method, config=config, steps=steps)
        np.testing.assert_allclose(found.velocity, 2, atol=0.3)
    assert (np.abs(velocities_of(series, config=config).velocity - 2) > 0.5).all()


def test_a_jump_that_nobody_noted_is_told(caplog):
    random, days = np.random.default_rng(12), np.arange(1000)
    quiet = 2 * days / YEAR + random.standard_normal(1000)
    fit_trajectory(daily(quiet), "up", TrajectoryConfig(index=-1.0))
    assert not caplog.records
    fit_trajectory(daily(quiet + 40 * (days > 600)), "up", TrajectoryConfig(index=-1.0))
    assert "% of the days do not fit and are left out; if the station jumped" in caplog.text


def test_displacements_have_no_frame_to_go_to():
    moved = replace(stations_of(*WHERE, np.ones((3, 3))), quantity="displacement")
    assert to_frame(moved, "ITRF2014") is moved
    with pytest.raises(ConfigurationError, match="holds displacements in ITRF2014; only velocities can go to ETRF2000"):
        to_frame(moved, "ETRF2000")
    with pytest.raises(InputError, match="needs velocities in mm/yr"):
        fit_velocity_model(moved)


def test_velocities_of_series():
    random = np.random.default_rng(2)
    series = daily(3 * np.arange(1200) / YEAR + random.standard_normal(1200))
    for method in ("trajectory", "midas"):
        found = velocities_of([series], method=method, config=TrajectoryConfig(index=-1.0))
        np.testing.assert_allclose(found.velocity, 3, atol=0.4)
        assert found.frame == "IGS14"
    with pytest.raises(InputError, match="needs 1 years"):
        velocities_of([daily(np.zeros(300))])


def field(latitude, longitude):
    east = 0.8 * np.sin(np.radians(longitude) * 25)
    return np.stack([east, 0.5 * np.cos(np.radians(latitude) * 30), 1.0 * np.sin(np.radians(latitude) * 40)], 1)


def test_a_velocity_model_predicts_places_and_how_well():
    """Velocities drawn from smooth fields, at stations and at other places."""
    random = np.random.default_rng(4)
    inside, left = [], []
    for length in (130.0, 300.0):
        latitude, longitude = random.uniform(42, 50, 180), random.uniform(4, 16, 180)
        apart = np.linalg.norm((x := geocentric(latitude, longitude) / 1000)[:, None] - x, axis=-1) * 3**0.5 / length
        drawn = np.linalg.cholesky((1 + apart) * np.exp(-apart) + 1e-9 * np.eye(180)) @ random.standard_normal((180, 3))
        truth = plate_velocity(latitude, longitude, "EURA") + drawn * [0.6, 0.6, 1.0]
        sigma = random.uniform(0.1, 0.4, (80, 1)) * [1, 1, 2]
        velocity = truth[:80] + sigma * random.standard_normal((80, 3))
        velocity[:4] += 8
        model = fit_velocity_model(stations_of(latitude[:80], longitude[:80], velocity, sigma, frame="ITRF2020"))
        found = model.at(latitude[80:], longitude[80:])
        error = found.velocity - truth[80:]
        inside.append(error / np.sqrt(np.diagonal(found.covariance, axis1=1, axis2=2)))
        out = model.leave_one_out()
        left.append(out.score)
        assert (out.weight[:4].max(axis=1) < 0.3).all()
        assert np.std(error) < 0.7 * np.std(drawn)
    assert 0.7 < np.mean(np.square(inside)) < 1.4
    assert 0.75 < np.mean(np.square(left)) < 1.3
    some = model.joint_covariance(latitude[80:85], longitude[80:85])
    np.testing.assert_allclose(some[3:6, 3:6], found.covariance[1], atol=1e-6)


def test_what_moves_one_way_across_the_pole_is_one_motion():
    """East of a place is west of the place beyond the pole: a field around it is as smooth as anywhere."""
    beside = smooth_covariance(
        (Field3(2, 300, 0), Field3(1, 200, 0), Field3(3, 100, 0)), (0.0, 10.0),
        np.array([90 - 1e-6, 45]), np.array([10.0, 10]), np.array([90 - 1e-6, 45]), np.array([-170.0, 10]),
    )  # fmt: skip
    np.testing.assert_allclose(beside[:3, :3], np.diag([-4, -1, 9]), atol=1e-4)
    np.testing.assert_allclose(beside[3:, 3:], np.diag([4, 1, 9]), atol=1e-9)
    errors = []
    for south in (-46.0, -90.0):
        random = np.random.default_rng(3)
        x, y = random.uniform(-4, 4, (2, 240))
        latitude, longitude = (south + np.hypot(x, y), np.degrees(np.arctan2(y, x))) if south == -90 else (
            south + y, 10 + x / np.cos(np.radians(south)))  # fmt: skip
        place = geocentric(latitude, longitude) / 1000
        axes = local_axes(latitude, longitude)
        one, two = local_axes(*(np.array([each]) for each in centre_of(latitude, longitude)))[0, :2]
        along, across = place @ one, place @ two
        truth = np.outer(1.5 * np.sin(along / 150) + np.cos(across / 170), one) + np.outer(np.cos(along / 160), two)
        truth = np.einsum("nij,nj->ni", axes, truth)
        velocity = truth + 0.1 * random.standard_normal(truth.shape)
        model = fit_velocity_model(stations_of(latitude[:40], longitude[:40], velocity[:40], 0.1))
        found = model.at(latitude[40:], longitude[40:])
        errors.append(found.velocity[:, :2] - truth[40:, :2])
    least = [np.sqrt(np.median(np.square(each))) for each in errors]  # the corners have no station beyond them
    assert least[1] < 1.3 * least[0] < 0.13


def test_leave_one_out_is_what_leaving_one_out_gives():
    random = np.random.default_rng(5)
    latitude, longitude = random.uniform(42, 50, 25), random.uniform(4, 16, 25)
    velocity = field(latitude, longitude) + 0.2 * random.standard_normal((25, 3))
    velocity[3, :2] = np.nan
    stations = stations_of(latitude, longitude, velocity)
    model = fit_velocity_model(stations)
    left = model.leave_one_out()
    for number in (0, 3):
        rest = np.arange(25) != number
        less = replace(model, stations=stations.select(rest), inflation=model.inflation[rest])
        found = less.at(latitude[number], longitude[number])
        np.testing.assert_allclose(left.error[number], velocity[number] - found.velocity[0], atol=1e-4)


def test_stations_that_move_by_themselves_are_told_and_scores_are_normal():
    random = np.random.default_rng(7)
    own, sigma = OwnMotion(0.08, 2.0), random.uniform(0.2, 0.4, 2000)
    moving = random.random(2000) < own.share
    error = 1.3 * sigma * random.standard_normal(2000) + np.where(moving, own.size * random.standard_normal(2000), 0)
    found, factor = estimate_own_motion(error, sigma, share=0.05)
    assert factor == pytest.approx(1.3, abs=0.06)
    assert found.share == pytest.approx(0.08, abs=0.025)
    assert found.size == pytest.approx(2.0, abs=0.35)
    chance = chance_of_own_motion(error, factor * sigma, found)
    assert chance.mean() == pytest.approx(found.share, abs=0.01)
    assert chance[np.abs(error) > 2].min() > 0.9
    score = normal_score(error, factor * sigma, found)
    assert np.mean(score**2) == pytest.approx(1, abs=0.08)
    assert np.abs(score).max() < 4.5 < np.abs(error / sigma).max()
    np.testing.assert_allclose(np.sign(score), np.sign(error))
    np.testing.assert_allclose(own_variance(np.array([0.0, 1.0]), 0.3, found), [0, found.size**2], atol=1e-12)
    still = normal_score(error, sigma, OwnMotion(0.0, 0.0))
    np.testing.assert_allclose(still[np.abs(still) < 5], (error / sigma)[np.abs(still) < 5], atol=1e-4)


def test_a_station_in_a_sinking_town_does_not_pull_the_others():
    random = np.random.default_rng(8)
    latitude, longitude = 46 + random.uniform(-0.03, 0.03, 12), 8 + random.uniform(-0.04, 0.04, 12)
    sigma = np.array([0.15, 0.15, 0.4])
    velocity = np.array([1.5, 2.5, -1.0]) + sigma * random.standard_normal((12, 3))
    velocity[4] += [5, 2, -9]
    model = fit_velocity_model(stations_of(latitude, longitude, velocity, sigma))
    assert (model.leave_one_out().weight[4] < 0.1).all()
    found = model.at(latitude[[4]], longitude[[4]])
    np.testing.assert_allclose(found.velocity[0], [1.5, 2.5, -1.0], atol=0.3)


def test_a_prediction_knows_that_it_hangs_on_a_station_that_may_move_by_itself():
    """Of a station that is odd by some sigmas, half the difference between both cases is in the sigma, or less."""
    random = np.random.default_rng(11)
    latitude, longitude = random.uniform(45, 46, 20), random.uniform(9, 10.4, 20)
    velocity = 0.2 * random.standard_normal((20, 3))
    velocity[7, 2] += 0.75
    fitted = fit_velocity_model(stations_of(latitude, longitude, velocity, 0.2))
    own, inflation = (*fitted.own[:2], OwnMotion(0.1, 2.0)), np.zeros((20, 3))
    inflation[7, 2] = 0.1
    model = replace(fitted, own=own, inflation=inflation)
    left = model.leave_one_out()
    expected = np.sqrt(left.sigma[:, 2] ** 2 - own[2].variance)
    chance = chance_of_own_motion(left.error[:, 2], expected, own[2])[7]
    assert 0.05 < chance < 0.95
    both = []
    for more in (0.0, own[2].size ** 2):
        case = inflation.copy()
        case[7, 2] = more
        both.append(replace(model, inflation=case).at(latitude[7:8], longitude[7:8]).velocity[0])
    still = replace(model, own=(OwnMotion(0.0, 0.0),) * 3)
    place = latitude[7:8], longitude[7:8]
    extra = (model.at(*place).covariance - still.at(*place).covariance)[0, 2, 2]
    one = chance * (1 - chance) * (both[1] - both[0])[2] ** 2
    assert one > 0.2 * still.at(*place).covariance[0, 2, 2]
    assert one <= extra < 1.5 * one  # others hardly matter
    np.testing.assert_allclose(model.joint_covariance(*place), model.at(*place).covariance[0], atol=1e-7)


def test_a_grid_is_a_field():
    random = np.random.default_rng(6)
    latitude, longitude = random.uniform(44, 48, 40), random.uniform(8, 12, 40)
    velocity = np.column_stack([0.3 * (longitude - 10), 0.2 * (latitude - 46), np.ones(40)])
    model = fit_velocity_model(stations_of(latitude, longitude, velocity, 0.05))
    crs = Transformer.from_crs("EPSG:4326", "EPSG:3035").target_crs
    box = np.array([4.21e6, 2.49e6, 4.39e6, 2.69e6])
    grid = sample_field(model, crs, box, 20_000)
    seen = GridField(grid)
    np.testing.assert_allclose(
        seen.at([45.9], [10.1]).velocity, model.at(np.array([45.9]), np.array([10.1])).velocity, atol=0.02
    )
    assert np.isnan(seen.at([30.0, np.nan], [10.0, np.nan]).velocity).all()
    pacific = build_grid("EPSG:4326", [178, 180, 182], [-20, -18], np.ones((2, 3, 3)), frame="ITRF2014", source="x")
    assert (GridField(pacific).at([-19, -19], [-178.5, 179]).velocity == 1).all()
    moved = grid_to_frame(grid, "ETRF2014")
    assert moved.frame == "ETRF2014"
    assert np.nanmax(moved.velocity[..., 0] - grid.velocity[..., 0]) < -15
    joint = seen.joint_covariance(np.array([45.9, 46.0]), np.array([10.1, 10.2]))
    assert joint.shape == (6, 6)
    assert (np.linalg.eigvalsh(joint) > 0).all()
    with pytest.raises(InputError, match="needs 5 or more"):
        fit_velocity_model(stations_of(latitude[:4], longitude[:4], velocity[:4]))
