"""Calibrated points of a simulated strip: absolute, one with the other, and with what is local left in."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pyproj import CRS, Transformer

from groundshift.errors import ConfigurationError, InputError
from groundshift.geodesy.velocity_model import fit_velocity_model
from groundshift.io.points import read_points, write_points
from groundshift.kernels.series_fields import series_fields
from groundshift.model.points import check, dates, header, point_set, series
from groundshift.model.velocity_grid import build_grid
from groundshift.products.calibrate import CalibrateConfig, apply_surface, calibrate_points
from groundshift.products.calibrate.cells import Averages, BurstSummary, read_summary
from groundshift.products.calibrate.overlap import overlaps, places_of
from groundshift.products.calibrate.solve import solve
from groundshift.products.calibrate.surface import Nodes, Surfaces, bilinear, node_places
from groundshift.synth.points.motion import bowl_centres, metres
from groundshift.synth.points.options import ErrorOptions, MotionOptions, StationOptions, StripOptions
from groundshift.synth.points.stations import strip_stations
from groundshift.synth.points.strip import frames, simulate_burst
from groundshift.synth.points.write import point_file, true_velocity

STRIP = StripOptions(  # the noise is that of the velocities of a hundred dates
    tracks=2, bursts=4, density=0.8, dates=20, interval=60, errors=ErrorOptions(noise=1.26),
    stations=StationOptions(count=30, held_out=12),
)  # fmt: skip


def look(table):
    return np.stack([table[name].to_numpy() for name in ("los_east", "los_north", "los_up")], 1)


def truth(options, table):
    velocity = true_velocity(options, table["latitude"].to_numpy(), table["longitude"].to_numpy())
    return (velocity * look(table)).sum(axis=1)


@pytest.fixture(scope="module")
def strip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strip")
    bursts = [simulate_burst(STRIP, frame) for frame in frames(STRIP)]
    paths = [folder / point_file(frame) for frame in frames(STRIP)]
    for path, burst in zip(paths, bursts, strict=True):
        write_points(path, burst.table)
    return paths, bursts, strip_stations(STRIP)


@pytest.fixture(scope="module")
def calibrated(strip, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return calibrate_points(strip[0], out, gnss=strip[2].stations, config=CalibrateConfig(folds=3), executor="serial")


def test_points_are_absolute(strip, calibrated):
    errors = []
    for path, burst in zip(calibrated.paths, strip[1], strict=True):
        table = read_points(path)
        assert header(table).level == "L2b"
        errors.append(table["mean_velocity"].to_numpy() - truth(STRIP, table) - burst.air)
        assert abs(np.median(errors[-1])) < 0.6
    assert np.sqrt(np.mean(np.concatenate(errors) ** 2)) < 0.6  # of points, whose own noise is 0.3
    before = np.concatenate([each.table["mean_velocity"].to_numpy() - truth(STRIP, each.table) for each in strip[1]])
    assert np.sqrt(np.mean(before**2)) > 1.5


def test_sigmas_of_surfaces_hold(strip, calibrated):
    solution, standardised = calibrated.solution, []
    for number, burst in enumerate(strip[1]):
        rows = np.arange(0, len(burst.places), 40)
        places = np.stack([burst.table[name].to_numpy()[rows] for name in ("easting", "northing")], 1)
        error = solution.at(number, places) - (burst.surface - burst.air)[rows]
        standardised.append(error / solution.sigma(number, places))
        stated = read_points(calibrated.paths[number])["calibration_std"].to_numpy()[rows]
        np.testing.assert_allclose(stated, solution.sigma(number, places), rtol=0.1)
    east, up = calibrated.report["reference_sigma"]  # a part of the error of a surface
    assert 0.02 < east < 0.4
    assert 0.05 < up < 0.6
    assert 0.3 < np.mean(np.square(np.concatenate(standardised))) < 3  # one small strip is few independent errors


def test_sigmas_of_absolute_velocities_hold(strip, calibrated):
    """Noise of the points, what is left of the air and the surface, all in one."""
    standardised = []
    for path in calibrated.paths:
        table = read_points(path)
        error = table["mean_velocity"].to_numpy() - truth(STRIP, table)
        standardised.append(error / table["absolute_velocity_std"].to_numpy())
        parts = [table[name].to_numpy() for name in ("mean_velocity_std", "calibration_std")]
        assert (table["absolute_velocity_std"].to_numpy() > np.hypot(*parts)).all()
        assert header(table).provenance["calibration"]["reference_sigma"] == list(calibrated.report["reference_sigma"])
    assert 0.6 < np.mean(np.square(np.concatenate(standardised))) < 1.6


def test_tracks_agree_and_the_report_says_so(calibrated):
    report = json.loads((calibrated.paths[0].parent / "report.json").read_text())
    assert report["overlaps"]["before"]["rms"] > 1.5
    assert report["overlaps"]["after"]["rms"] < 0.5
    assert report["overlaps"]["after"]["rms"] < report["overlaps"]["each"]["rms"]
    assert report["overlaps"]["places"] > 10 * report["overlaps"]["cells"]
    assert report["model"]["frame"] == "ETRF2000"
    assert report["cross_validation"]["stations"] > 15
    assert report["cross_validation"]["nmad"] < 1.0
    assert 0.05 < report["bursts"][0]["surface_sigma"] < 0.6
    assert (calibrated.paths[0].parent / "calibrate.png").stat().st_size > 30_000
    assert not list(calibrated.paths[0].parent.glob(".tiles/*/*.npz"))


def test_held_out_stations_are_not_seen(strip, tmp_path):
    paths, _, made = strip
    both = made.stations
    wrong = [str(name) for name in both.name[~made.outliers][:4]]
    velocity = both.velocity.copy()
    velocity[np.isin(both.name, wrong)] += 50
    bent = type(both)(**{**both.__dict__, "velocity": velocity})
    results = [
        calibrate_points(paths, tmp_path / str(k), gnss=each, held_out=wrong, config=CalibrateConfig(folds=0),
                  executor="serial")
        for k, each in enumerate((both, bent))
    ]  # fmt: skip
    np.testing.assert_array_equal(results[0].solution.unknowns, results[1].solution.unknowns)
    assert results[0].report["held_out_stations"]["rms"] < 1.5
    assert results[1].report["held_out_stations"]["rms"] > 20
    with pytest.raises(InputError, match="'nobody'"):
        calibrate_points(paths, tmp_path, gnss=both, held_out=["nobody"])


def test_a_station_that_sinks_with_the_points_around_it_is_left_out(strip, tmp_path):
    """One in a bowl of its own takes no part, one that is wrong where the points around it do not move does."""
    paths, bursts, made = strip
    spots = metres(STRIP, made.stations.latitude, made.stations.longitude)
    cover = [sum((np.linalg.norm(each.places - spot, axis=1) < 1500).sum() > 20 for each in bursts) for spot in spots]
    sunk, odd = np.argsort(np.where(made.outliers, 0, cover))[-2:]
    velocity, sunken = made.stations.velocity.copy(), []
    velocity[[sunk, odd]] += [0, 0, -8]
    for path, burst in zip(paths, bursts, strict=True):
        depth = -8 * np.exp(-0.5 * (np.linalg.norm(burst.places - spots[sunk], axis=1) / 2500) ** 2)
        rate = depth * burst.table["los_up"].to_numpy()
        sunken.append(tmp_path / path.name)
        write_points(sunken[-1], apply_surface(burst.table, -rate, None))
    bent = replace(made.stations, velocity=velocity)
    result = calibrate_points(sunken, tmp_path / "out", gnss=bent, config=CalibrateConfig(folds=0), executor="serial")
    assert str(bent.name[sunk]) in result.report["stations_on_moving_ground"]
    model = result.report["model"]
    assert model["stations"] == len(bent) - len(result.report["stations_on_moving_ground"])


def test_a_bowl_stays(strip, calibrated, tmp_path):
    """Errors of the surfaces with bowls less those without, at a bowl of 5 km radius: what was taken of it."""
    flat = STRIP.model_copy(update={"motion": MotionOptions(bowls=0)})
    crs, summaries, bursts, kept = CRS("EPSG:3035"), [], [], []
    for number, frame in enumerate(frames(flat)):
        path = tmp_path / f"flat{number}.parquet"
        bursts.append(simulate_burst(flat, frame))
        write_points(path, bursts[-1].table)
        summaries.append(read_summary(path, None, crs=crs, cell=5000, radius=1500, least=4))
    without = solve(summaries, fit_velocity_model(strip[2].stations), crs, CalibrateConfig())
    for number, (burst, other) in enumerate(zip(strip[1], bursts, strict=True)):
        near = np.linalg.norm(burst.places - bowl_centres(STRIP)[0], axis=1) < 2500
        if near.sum() > 5:
            places = np.stack([burst.table[name].to_numpy() for name in ("easting", "northing")], 1)[near]
            taken = calibrated.solution.at(number, places) - burst.surface[near]
            taken -= without.at(number, places) - other.surface[near]
            kept.append(1 - taken.mean() / burst.local[near].mean())
    assert len(kept) >= 2
    assert min(kept) > 0.97
    assert max(kept) < 1.03


def test_without_stations_neighbours_agree_and_means_are_zero(strip, tmp_path):
    result = calibrate_points(strip[0], tmp_path, config=CalibrateConfig(), executor="serial")
    assert result.report["overlaps"]["after"]["rms"] < 0.7
    assert result.report["model"] is None
    for descending in (False, True):
        mean = [
            each["mean_after"] * each["points"]
            for each, burst in zip(result.report["bursts"], result.bursts, strict=True)
            if burst.descending == descending
        ]
        assert abs(sum(mean)) / result.report["points"] < 0.2
    assert "gnss_velocity" not in read_points(result.paths[0]).column_names


def test_a_grid_of_velocities_will_do(strip, tmp_path):
    box = np.concatenate([each.places for each in strip[1]])
    assert np.abs(box).max() < 2e5
    table = strip[1][0].table
    x, y = 4.2e6 + 25e3 * np.arange(14), 2.35e6 + 25e3 * np.arange(12)
    longitude, latitude = Transformer.from_crs("EPSG:3035", "EPSG:4326", always_xy=True).transform(*np.meshgrid(x, y))
    flat = STRIP.model_copy(update={"motion": MotionOptions(bowls=0, slopes=0)})
    velocity = true_velocity(flat, latitude.ravel(), longitude.ravel()).reshape(12, 14, 3)
    grid = build_grid("EPSG:3035", x, y, velocity, sigma=np.full(velocity.shape, 0.1), frame="ETRF2000", source="x")
    result = calibrate_points(strip[0], tmp_path, gnss=grid, config=CalibrateConfig(folds=0), executor="serial")
    after = read_points(result.paths[0])
    error = after["mean_velocity"].to_numpy() - truth(STRIP, table) - strip[1][0].air
    assert np.median(np.abs(error)) < 0.4
    expected = (true_velocity(flat, *(table[n].to_numpy() for n in ("latitude", "longitude"))) * look(table)).sum(
        axis=1
    )
    np.testing.assert_allclose(after["gnss_velocity"].to_numpy(), expected, atol=0.2)


def test_a_surface_is_a_rate_of_series_and_velocities(strip):
    table = strip[1][0].table
    surface = np.linspace(-3, 3, len(table))
    after = apply_surface(
        table, surface, np.ones(len(table)), {"cutoff_km": 100.0}, std=np.full(len(table), 0.2), left=0.3
    )
    check(after)
    expected = np.sqrt(0.2**2 + 0.3**2 + table["mean_velocity_std"].to_numpy() ** 2)
    np.testing.assert_allclose(after["absolute_velocity_std"].to_numpy(), expected, rtol=1e-5)
    assert np.unique(after["calibration_std"].to_numpy()) == np.float32(0.2)
    again = apply_surface(after, surface, None)
    assert not {"gnss_velocity", "calibration_std", "absolute_velocity_std"} & set(again.column_names)
    assert "cluster_label" not in after.column_names
    assert header(after).provenance["calibration"] == {"cutoff_km": 100.0}
    np.testing.assert_array_equal(series(after)[:, 0], series(table)[:, 0])
    days = (dates(table) - np.datetime64(0, "D")).astype(float)
    fields = series_fields(series(after), days)
    for name in ("mean_velocity", "mean_velocity_std", "acceleration", "seasonality", "rmse", "temporal_coherence"):
        np.testing.assert_allclose(after[name].to_numpy(), getattr(fields, name), atol=3e-3)
    np.testing.assert_allclose(
        table["mean_velocity"].to_numpy() - after["mean_velocity"].to_numpy(), surface, atol=1e-5
    )


def test_only_places_that_both_tracks_see_are_compared():
    box = np.array([0.0, 0.0, 20e3, 20e3])
    cells = Averages(*np.empty((7, 0)))
    bursts = [BurstSummary("x", "x", track, False, 0, box, cells, cells) for track in (1, 2, 3)]
    bursts[2] = bursts[2]._replace(descending=True)
    random = np.random.default_rng(0)
    spots = np.floor(random.uniform(0, 200, (3000, 2))) * 100 + 50
    seen = np.arange(2) * 1.5
    made = [
        places_of(spots[part], np.full(2000, value), np.full(2000, 0.1 * value))
        for part, value in ((slice(2000), seen[0]), (slice(1000, None), seen[1]))
    ]
    found = overlaps(bursts, lambda burst: made[burst], cell=5000.0, least=4)
    both = np.intersect1d(made[0].key, made[1].key)
    assert found["places"] == len(both) < len(made[0].key)
    assert found["cells"] == 16
    assert found["before"] == pytest.approx({"rms": 1.5, "mean": -1.5, "nmad": 0})
    assert found["after"]["rms"] == pytest.approx(0.15)
    assert overlaps(bursts[1:], lambda burst: made[burst], cell=5000.0, least=4) == {"cells": 0, "places": 0}


def test_splines_make_planes_and_waves_longer_than_the_cutoff():
    nodes = Nodes.over(np.array([0.0, 0.0, 200e3, 150e3]), 50e3)
    random = np.random.default_rng(0)
    places = random.uniform(0, 150e3, (4000, 2))
    surfaces = Surfaces((1,), (nodes,), np.zeros(1, int))
    design = surfaces.design(0, places).toarray()
    np.testing.assert_allclose(design[:, : nodes.count].sum(axis=1), 1)
    unknowns = random.standard_normal(surfaces.count)
    np.testing.assert_allclose(design @ unknowns, surfaces.at(0, places, unknowns))
    np.testing.assert_allclose(bilinear(nodes, places) @ node_places(nodes), places, atol=1e-6)
    for wavelength, low, high in ((200e3, 0.9, 1.1), (25e3, -0.1, 0.1)):
        wave = np.cos(2 * np.pi * places[:, 0] / wavelength)
        found = design @ np.linalg.lstsq(design, wave, rcond=None)[0]
        assert low < (found @ wave) / (wave @ wave) < high


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"level": "L3", "component": "U", "track": None}, "level L3"),
        ({"crs": "EPSG:32632"}, "bring all into one CRS"),
        ({"track": None}, "of which track"),
        ({"velocity": np.nan}, "no point with a velocity"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(strip, tmp_path, change, said):
    velocity, rest = change.pop("velocity", 0.0), change
    level = rest.get("level", "L2a")
    columns = {"pid": ["a"], "easting": [4e6], "northing": [3e6], "mean_velocity": [velocity],
               "displacement": np.zeros((1, 8))}  # fmt: skip
    if level != "L3":
        columns |= {"los_east": [0.6], "los_north": [0.0], "los_up": [0.8], "latitude": [45.0], "longitude": [9.0]}
    options = {"level": level, "crs": "EPSG:3035", "track": 1, "dates": np.arange(8) * 100} | rest
    write_points(tmp_path / "odd.parquet", point_set(columns, **options))
    with pytest.raises(InputError, match=said):
        calibrate_points([strip[0][0], tmp_path / "odd.parquet"], tmp_path / "out", gnss=strip[2].stations)


def test_points_in_degrees_are_refused(tmp_path):
    columns = {"pid": ["a"], "easting": [9.0], "northing": [45.0], "los_east": [0.6], "los_north": [0.0],
               "los_up": [0.8], "displacement": np.zeros((1, 8))}  # fmt: skip
    table = point_set(columns, level="L2a", crs="EPSG:4326", track=1, dates=np.arange(8) * 100)
    write_points(tmp_path / "degrees.parquet", table)
    with pytest.raises(InputError, match="not in metres"):
        calibrate_points([tmp_path / "degrees.parquet"], tmp_path / "out")


def test_a_grid_of_elsewhere_is_refused(strip, tmp_path):
    grid = build_grid("EPSG:4326", [0.0, 1.0], [60.0, 61.0], np.ones((2, 2, 3)), frame="ETRF2000", source="far.tif")
    with pytest.raises(InputError, match=r"far\.tif has no value where the points are"):
        calibrate_points(strip[0][:1], tmp_path, gnss=grid)


def test_outputs_have_names_of_their_own(strip, tmp_path):
    with pytest.raises(ConfigurationError, match="no point set was given"):
        calibrate_points([], tmp_path)
    with pytest.raises(InputError, match="same name"):
        calibrate_points([strip[0][0], strip[0][0]], tmp_path)
