"""Atmosphere and series of simulated towns: what is removed, what is lost, and whether sigmas are honest."""

import numpy as np
import pytest
from reference.radar_points import stack_geometry, town

from groundshift.errors import ConfigurationError, InputError
from groundshift.insar.motion import atmosphere
from groundshift.insar.motion.atmosphere import AtmosphereConfig, estimate_atmosphere
from groundshift.insar.motion.kriging import Interpolation, Variogram, estimate_nested, estimate_variogram
from groundshift.insar.motion.linked import LinkedErrors, linked_series
from groundshift.insar.motion.series import displacement_series, virtual_reference
from groundshift.insar.motion.time_filter import calm_dates
from groundshift.insar.network.arcs import solve_network
from groundshift.insar.network.unwrap import unwrap_network
from groundshift.insar.stack.geometry import StackGeometry
from groundshift.kernels.series_fields import series_fields


@pytest.fixture(scope="module")
def truth():
    return town(0, points=1500, stratified=4.0)


def apparent(truth):
    """Displacements as unwrapped phases hold them."""
    return truth.motion + np.outer(truth.geometry.height_to_mm, truth.height) + truth.atmosphere + truth.noise


def filter_effect(truth, motion, error, config=None):
    """Errors of displacement before and after the filter, mm, and the share of non-linear motion that it took.

    The mean of each date and a straight line of each point are taken off first, because neither can be known.
    """
    line = np.column_stack([np.ones(len(truth.geometry.days)), truth.geometry.years])
    rest = np.eye(len(line)) - line @ np.linalg.pinv(line)
    air = estimate_atmosphere(truth.positions, truth.ground_height, motion + error, truth.geometry, config)
    taken = air.at(truth.positions, truth.ground_height)
    before, after, signal = (
        rest @ (each - each.mean(axis=1, keepdims=True)) for each in (error, error - taken, motion)
    )
    return np.sqrt(np.mean(before**2)), np.sqrt(np.mean(after**2)), np.sum(taken * signal) / np.sum(signal**2)


def test_the_filter_takes_atmosphere_and_little_else(truth):
    before, after, lost = filter_effect(truth, truth.motion, truth.noise + truth.atmosphere)
    assert after < 2.0 < 3.0 < before
    assert (after / before) ** 2 < 0.25
    assert abs(lost) < 0.05
    before, after, lost = filter_effect(truth, truth.motion, truth.noise)
    assert (after / before) ** 2 == pytest.approx(1, abs=0.05)
    assert abs(lost) < 0.05


def test_a_sudden_regional_step_is_lost_without_a_window_in_time(truth):
    """A step of a kilometre's extent is smooth in space; only its persistence tells it from atmosphere."""
    hill = np.exp(-(np.hypot(*(truth.positions - 2500).T) ** 2) / 2 / 700**2)
    step = np.outer(truth.geometry.years > 2.4, 10 * hill)
    lost = [
        filter_effect(truth, step, truth.noise, AtmosphereConfig(window=window))[2] for window in (0.0, 730.0, 180.0)
    ]
    assert lost[0] > 0.9
    assert 0.2 < lost[1] < 0.6
    assert lost[2] < 0.15


def test_the_part_linear_in_height_is_found():
    high = town(2, points=800, atmosphere=0.5, stratified=20.0)
    found = estimate_atmosphere(high.positions, high.ground_height, apparent(high), high.geometry)
    slope = high.atmosphere @ (high.ground_height - high.ground_height.mean())
    slope /= np.sum((high.ground_height - high.ground_height.mean()) ** 2)
    assert np.corrcoef(found.slope, slope)[0, 1] > 0.9  # the fit of motion takes a tenth, the window in time another
    above = found.at(high.positions[:1], high.ground_height[:1] + 100) - found.at(
        high.positions[:1], high.ground_height[:1]
    )
    assert above[:, 0] == pytest.approx(100 * found.slope, abs=1e-3)


def test_a_season_that_goes_with_height_is_air(truth):
    """Stratified air has a season; ground that breathes somewhere does not make it."""
    g = truth.geometry
    season = 0.03 * np.cos(2 * np.pi * g.years + 1)
    bowl = np.exp(-(np.hypot(*(truth.positions - 1500).T) ** 2) / 2 / 500**2)
    air = np.outer(season, truth.ground_height)
    seen = truth.noise + air + np.outer(np.sin(2 * np.pi * g.years), 8 * bowl)
    left = []
    for on in (True, False):
        config = AtmosphereConfig(stratified_season=on)
        made = estimate_atmosphere(truth.positions, truth.ground_height, seen, g, config)
        rest = air - made.at(truth.positions, truth.ground_height)
        left.append(np.std(rest - rest.mean(axis=1, keepdims=True)))
    assert left[0] < 0.35 * left[1]
    assert left[1] > 0.5 * air.std()


def test_dates_of_little_weight_do_not_matter_to_heights(truth):
    g = truth.geometry
    phase = apparent(truth)[:, :200] * g.phase_per_mm
    storm = phase.copy()
    storm[7] += 2.0
    weights = np.where(np.arange(60) == 7, 1e-9, 1.0)
    datum = np.zeros(60)
    calm, wild = (displacement_series(each, g, weights=weights, reference=datum) for each in (phase, storm))
    assert wild.height == pytest.approx(calm.height, abs=1e-3)
    plain = (
        displacement_series(storm, g, reference=datum).height - displacement_series(phase, g, reference=datum).height
    )
    assert np.abs(plain).max() > 0.1


def test_heights_of_mixed_pixels_are_less_sure(truth):
    g = truth.geometry
    phase = apparent(truth)[:, :20] * g.phase_per_mm
    alone, mixed = (displacement_series(phase, g, height_doubt=np.full(20, each)) for each in (0.0, 3.0))
    assert mixed.height_sigma == pytest.approx(np.hypot(alone.height_sigma, 3.0))
    np.testing.assert_array_equal(mixed.velocity_sigma, alone.velocity_sigma)


def test_kriging_without_noise_honours_the_data_and_knows_its_error():
    random = np.random.default_rng(3)
    cells = random.uniform(0, 3000, (400, 2))
    apart = np.linalg.norm(cells[:, None] - cells[None], axis=-1)
    field = np.linalg.cholesky(np.exp(-apart / 800) + 1e-9 * np.eye(400)) @ random.normal(size=(400, 200))
    known = Interpolation(cells[:300], np.ones(300), Variogram(0.0, 1.0, 800.0))
    assert known.apply(field[:300].T, cells[:300]) == pytest.approx(field[:300].T, abs=1e-3)
    error = known.apply(field[:300].T, cells[300:]) - field[300:].T
    assert 0.9 < np.var(error / known.sigma(cells[300:])) < 1.1
    near = known._replace(cell=100.0)
    assert np.std(error) < np.std(near.apply(field[:300].T, cells[300:]) - field[300:].T)


def test_the_variogram_is_that_of_the_field():
    random = np.random.default_rng(4)
    cells = random.uniform(0, 5000, (500, 2))
    counts = random.choice([1.0, 4.0], 500)
    apart = np.linalg.norm(cells[:, None] - cells[None], axis=-1)
    root = np.linalg.cholesky(2 * np.exp(-apart / 600) + 1e-9 * np.eye(500))
    values = random.normal(size=(100, 500)) @ root.T + random.normal(size=(100, 500)) / np.sqrt(counts)
    found = estimate_variogram(cells, counts, values)
    assert found.nugget == pytest.approx(1.0, abs=0.15)
    assert found.sill == pytest.approx(2.0, rel=0.1)
    assert found.range == pytest.approx(600, rel=0.25)


def test_long_waves_are_known_beside_planes():
    """The nested variogram is that of the field, though each date has a plane of its own."""
    random = np.random.default_rng(5)
    cells = random.uniform(0, 8000, (300, 2))
    counts = random.choice([1.0, 4.0], 300)
    apart = np.linalg.norm(cells[:, None] - cells[None], axis=-1)
    root = np.linalg.cholesky(np.exp(-apart / 500) + 8 * np.exp(-apart / 10_000) + 1e-9 * np.eye(300))
    drift = np.linalg.qr(np.column_stack([np.ones(300), cells]))[0]
    values = random.normal(size=(60, 300)) @ root.T + random.normal(size=(60, 300)) / np.sqrt(counts)
    values += 100 * random.normal(size=(60, 3)) @ drift.T
    found = estimate_nested(cells, counts, values - (values @ drift) @ drift.T, drift)
    for distance in (300.0, 1000.0, 4000.0):
        true = 9 - np.exp(-distance / 500) - 8 * np.exp(-distance / 10_000)
        assert found.covariance(np.zeros(1)) - found.covariance(np.array([distance])) == pytest.approx(true, rel=0.15)


def test_declared_sigmas_hold_on_average_over_towns():
    """Atmosphere is one realisation for all points of a town, so only many towns can tell."""
    squares = []
    for seed in range(10):
        each = town(seed, points=500)
        g = each.geometry
        made = estimate_atmosphere(each.positions, each.ground_height, apparent(each), g)
        series = displacement_series(
            apparent(each) * g.phase_per_mm, g, atmosphere=made.at(each.positions, each.ground_height), left=made.left,
            height_doubt=made.height_sigma(each.positions),
        )  # fmt: skip
        true = displacement_series(each.motion * g.phase_per_mm, g)
        height = series.height - each.height - true.height
        squares.append(
            [
                np.mean(((series.displacement - true.displacement) / series.displacement_sigma) ** 2),
                np.mean(((series.velocity - true.velocity) / series.velocity_sigma) ** 2),
                np.mean(((height - height.mean()) / series.height_sigma) ** 2),
            ]
        )
    displacement, velocity, height = np.mean(squares, axis=0)
    assert 0.8 < displacement < 1.25
    assert 0.8 < velocity < 1.25
    assert 0.8 < height < 1.25


def test_declared_sigmas_hold_for_noise_alone():
    each = town(11, points=1500, atmosphere=0.0)
    g = each.geometry
    series = displacement_series(apparent(each) * g.phase_per_mm, g)
    true = displacement_series(each.motion * g.phase_per_mm, g)
    assert 0.9 < np.mean(((series.displacement - true.displacement) / series.displacement_sigma) ** 2) < 1.15
    assert 0.8 < np.mean(((series.velocity - true.velocity) / series.velocity_sigma) ** 2) < 1.25
    assert 0.8 < np.mean(((series.height - true.height - each.height) / series.height_sigma) ** 2) < 1.25


def crops(g):
    """Covariance of linked phases whose coherence is lost every summer, radians²; that of the first date is zero."""
    season = np.sqrt(1 - 0.45 * (1 + np.cos(2 * np.pi * (g.years - 0.5))))
    coherence = np.outer(season, season) * (0.15 + 0.6 * np.exp(-np.abs(g.days[:, None] - g.days) / 60))
    np.fill_diagonal(coherence, 1)
    fisher = 2 * 80 * (coherence * np.linalg.inv(coherence) - np.eye(len(season)))
    covariance = np.zeros_like(fisher)
    covariance[1:, 1:] = np.linalg.inv(fisher[1:, 1:])
    return covariance


@pytest.mark.parametrize("factor", [1.0, 1.8])
def test_linked_phases_weigh_as_they_are_known(factor):
    """What is declared may be wrong by a factor; it decides weights and sigmas."""
    random, size = np.random.default_rng(12), 1500
    g = stack_geometry(random)
    covariance, air = crops(g), 0.3  # mm², white
    sigma = np.sqrt(np.diag(covariance))
    sigma_or_one = np.where(sigma > 0, sigma, 1)
    correlation = np.rint(127 * (covariance / np.outer(sigma_or_one, sigma_or_one))[np.triu_indices(len(sigma), 1)])
    errors = LinkedErrors(
        np.repeat(sigma[:, None], size, axis=1).astype(np.float16),
        np.repeat(correlation[:, None], size, axis=1).astype(np.int8),
    )
    root = np.linalg.cholesky(factor * covariance + 1e-9 * np.eye(len(sigma)))
    phase = root @ random.normal(size=(len(sigma), size)) + g.phase_per_mm * np.sqrt(air) * random.normal(
        size=(len(sigma), size)
    )
    declared = np.full(phase.shape, np.sqrt(air))
    made = linked_series(phase, g, errors, atmosphere_sigma=declared)
    even = displacement_series(phase, g, reference=np.zeros(len(sigma)))
    assert np.mean(made.height**2) < 0.65 * np.mean(even.height**2)
    for values, spread in (
        (made.height, made.height_sigma),
        (made.velocity, made.velocity_sigma),
        (made.displacement, made.displacement_sigma),
    ):
        assert 0.8 < np.mean((values / spread) ** 2) < 1.25
    lost, known = sigma > np.quantile(sigma, 0.9), sigma < np.median(sigma)
    assert 0.7 < np.mean((made.displacement / made.displacement_sigma)[lost] ** 2) < 1.3
    assert 0.7 < np.mean((made.displacement / made.displacement_sigma)[known] ** 2) < 1.3
    assert (made.height_noise < made.height_sigma).all()
    moved = linked_series(phase + np.outer(g.phase_per_mm * g.height_to_mm, np.full(size, 7.0)), g, errors)
    still = linked_series(phase, g, errors)
    assert moved.height - still.height == pytest.approx(7, abs=1e-6)
    assert np.allclose(moved.displacement, still.displacement, atol=1e-4)


def test_from_phases_to_series(truth):
    """All steps together: velocities, heights and displacements as good as what is asked of a city."""
    g = truth.geometry
    network = solve_network(truth.positions, truth.phasors, g)
    unwrapped = unwrap_network(truth.positions, truth.phasors, g, network)
    inside = network.cluster == 0
    made = estimate_atmosphere(
        truth.positions[inside], truth.ground_height[inside], unwrapped.phase[:, inside] / g.phase_per_mm, g
    )
    atmosphere = made.at(truth.positions, truth.ground_height)
    series = displacement_series(unwrapped.phase, g, atmosphere=atmosphere, left=made.left, cluster=network.cluster)
    true = displacement_series(truth.motion * g.phase_per_mm, g, cluster=network.cluster)
    assert np.isnan(series.velocity[~inside]).all()
    height = (series.height - truth.height - true.height)[inside]
    assert np.std((series.velocity - true.velocity)[inside]) < 0.5
    assert np.std(height) < 3.5
    assert np.sqrt(np.mean((series.displacement - true.displacement)[:, inside] ** 2)) < 3.0
    fields = series_fields(series.displacement[:, inside].T, g.days)
    assert np.abs(fields.first).max() < 0.01
    assert np.corrcoef(fields.mean_velocity, series.velocity[inside])[0, 1] > 0.9999


def test_series_do_not_depend_on_the_reference_image_or_the_datum(truth):
    g = truth.geometry
    phase = apparent(truth) * g.phase_per_mm
    shifted = phase + np.random.default_rng(5).normal(0, 9, (1, phase.shape[1])) + np.sin(np.arange(60))[:, None]
    a, b = displacement_series(phase, g), displacement_series(shifted, g)
    assert a.displacement == pytest.approx(b.displacement, abs=1e-2)
    assert a.velocity == pytest.approx(b.velocity, abs=1e-6)


def test_points_with_gaps_are_as_if_the_dates_were_not_there(truth):
    g = truth.geometry
    phase = apparent(truth)[:, :300] * g.phase_per_mm
    holes = phase.copy()
    holes[5:15, ::2] = np.nan
    found = displacement_series(holes, g)
    assert np.isnan(found.displacement[5:15, ::2]).all()
    assert np.isfinite(found.displacement[:, 1::2]).all()
    keep = np.delete(np.arange(60), np.arange(5, 15))
    fewer = displacement_series(phase[keep][:, ::2], StackGeometry(g.days[keep], g.baselines[keep], g.range_sine))
    for field in ("velocity", "height"):  # but for the reference, which is of all points or of these
        with_gaps, without = getattr(found, field)[::2], getattr(fewer, field)
        assert with_gaps - with_gaps.mean() == pytest.approx(without - without.mean(), abs=1e-6)


def test_the_mode_is_not_drawn_by_what_sinks():
    random = np.random.default_rng(6)
    values = random.normal(0, 1, (5, 3000))
    values[:, :1000] -= 20
    assert np.abs(virtual_reference(values, "mode")).max() < 0.2
    assert virtual_reference(values, "mean").max() < -6
    with pytest.raises(ConfigurationError, match="mean or mode"):
        virtual_reference(values, "median")
    with pytest.raises(InputError, match="drop the date"):
        virtual_reference(np.full((2, 3), np.nan))


def test_gaps_are_refused():
    geometry = stack_geometry(np.random.default_rng(0))
    with pytest.raises(InputError, match="without gaps"):
        estimate_atmosphere(np.zeros((3, 2)), np.zeros(3), np.full((60, 3), np.nan), geometry)


def test_dates_weigh_by_their_calm_where_they_differ_beyond_chance():
    random = np.random.default_rng(5)
    place = random.uniform(0, 5000, (150, 2))
    apart = np.linalg.norm(place[:, None] - place[None], axis=-1)
    root = np.linalg.cholesky(np.exp(-apart / 2000) + 1e-6 * np.eye(150))
    alike = random.normal(size=(60, 150)) @ root.T
    strength = np.exp(0.6 * random.normal(size=60))
    weights = [calm_dates(each, each.var(axis=1)) for each in (alike, strength[:, None] * alike)]
    assert np.log(alike.var(axis=1)).std() > 0.3  # by chance
    assert np.log(weights[0]).std() < 0.25
    assert np.log(weights[1]).std() > 1.0
    assert np.corrcoef(np.log(weights[1]), -2 * np.log(strength))[0, 1] > 0.9
    np.testing.assert_array_equal(calm_dates(np.zeros((6, 4)), np.zeros(6)), np.ones(6))


def test_calm_dates_tell_more_of_the_motion(monkeypatch):
    """Air of these towns is not equally strong on all dates."""
    errors = []
    for seed in range(6):
        here = town(seed, points=600, bowl=0.0)
        for name in ("calm", "even"):
            with monkeypatch.context() as patch:
                if name == "even":
                    patch.setattr(atmosphere, "calm_dates", lambda fields, variances: np.ones(len(variances)))
                air = estimate_atmosphere(here.positions, here.ground_height, apparent(here), here.geometry)
            taken = air.at(here.positions, here.ground_height)
            made = displacement_series(here.phase, here.geometry, atmosphere=taken, left=air.left, weights=air.weights)
            wrong = made.velocity - here.velocity
            errors.append(np.std(wrong - wrong.mean()))
    calm, even = np.square(errors).reshape(-1, 2).T
    assert np.sqrt(calm.mean() / even.mean()) < 0.95
