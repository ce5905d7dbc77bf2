"""Fusion over time, against simulated truth and what has to hold."""

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from groundshift.errors import ConfigurationError, InputError
from groundshift.model.displacement import check, displacement_map
from groundshift.model.stations import build_velocities
from groundshift.products.fuse import Levelling, OpticalMap, RadarPoints, SeriesConfig, Stations, fuse_series
from groundshift.products.fuse.config import SourceErrors
from groundshift.synth.moving_ground import GroundOptions, simulate_ground
from tests.reference.tracks import track

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")

NAMES = ("east", "north", "up")
OPTICAL = SourceErrors(offset=3.0, ramp=1.0, correlated=0.5, length=4_000)
RADAR = SourceErrors(offset=0.05, ramp=0.05, correlated=0.02, length=8_000, noise=0.002)
COARSE = SeriesConfig(every=24, sample=49, rounds=3, sizes=(0.01, 0.3, 5.0))
GRID = GeoBox((3, 3), Affine(250, 0, 500_000, 0, -250, 5_150_750), "EPSG:32633")
EXACT = SourceErrors()


def pair(first, second, east, north, sigma=0.01, images=("", "")):
    """A map of one motion everywhere."""
    layers = {"east": np.full((3, 3), east), "north": np.full((3, 3), north)}
    layers |= {f"{name}_sigma": np.full((3, 3), sigma) for name in layers} | {"quality": np.ones((3, 3))}
    layers = {name: each.astype(np.float32) for name, each in layers.items()}
    attributes = dict.fromkeys(("method", "software", "configuration_hash"), "by hand")
    attributes |= {"date_pre": first, "date_post": second, "source_pre": images[0], "source_post": images[1]}
    return displacement_map({**layers, "reason": np.zeros((3, 3), np.uint8)}, GRID, attributes)


@pytest.fixture(scope="module")
def made():
    options = {"side": 3_000, "pixel": 250, "days": 300, "image_every": 20, "stations": 3, "image_length": 1_500}
    return simulate_ground(GroundOptions(**options, seed=7))


@pytest.fixture(scope="module")
def sources(made):
    return {
        "optical": [OpticalMap(each, OPTICAL) for each in made.optical],
        "radar": [RadarPoints(each, RADAR) for each in made.radar],
        "stations": [Stations(list(made.stations))],
    }


@pytest.fixture(scope="module")
def solved(sources):
    return fuse_series([each for kind in sources.values() for each in kind], config=COARSE, executor="serial")


def truth_of(made, found):
    return made.truth(found["time"].values.astype("datetime64[D]"))


def test_a_glacier_is_followed_in_time(made, solved):
    check(solved)
    truth = truth_of(made, solved)
    moved = np.abs(truth[-1, 1][made.fast]).max()
    for k, name in enumerate(NAMES):
        error = solved[name].values - truth[:, k]
        assert np.isfinite(error).mean() > 0.3
        assert np.sqrt(np.nanmean(error**2)) < 0.08 * moved
        assert 0.2 < np.nanmean((error / solved[f"{name}_sigma"].values) ** 2) < 2.0


def test_covariances_are_of_positive_matrices(solved):
    names = ("east_north", "east_up", "north_up")
    covariance = np.zeros((*solved["east"].shape, 3, 3))
    for k, name in enumerate(NAMES):
        covariance[..., k, k] = solved[f"{name}_sigma"].values.astype(float) ** 2
    for name, (i, j) in zip(names, ((0, 1), (0, 2), (1, 2)), strict=True):
        covariance[..., i, j] = covariance[..., j, i] = solved[f"{name}_covariance"].values
    whole = covariance[np.isfinite(covariance).all(axis=(-2, -1))]
    assert len(whole) > 100
    assert np.linalg.eigvalsh(whole).min() > 0


def test_optical_maps_alone_are_horizontal_and_radar_alone_knows_no_north(sources):
    assert "up" not in fuse_series(sources["optical"], config=COARSE, executor="serial")
    radar = fuse_series(sources["radar"], config=COARSE, executor="serial")
    assert "north" not in radar
    assert radar.attrs["assumed"] == "north = 0"


def test_pairs_that_overlap_add_up_as_a_network():
    """Motion of 1 m a month; a date is tied by two chains, and no pair goes from the first date to the last."""
    days = ["2020-01-01", "2020-01-31", "2020-03-01", "2020-03-31"]
    links = ((0, 1, 1.0), (1, 2, 1.0), (0, 2, 2.0), (2, 3, 1.0), (1, 3, 2.0))
    maps = [OpticalMap(pair(days[i], days[j], d, -d / 2), EXACT) for i, j, d in links]
    found = fuse_series(maps, dates=days, config=SeriesConfig(every=30, season=False), executor="serial")
    np.testing.assert_allclose(found["east"].values[:, 1, 1], [1, 2, 3], atol=0.01)
    np.testing.assert_allclose(found["north"].values[:, 1, 1], [-0.5, -1, -1.5], atol=0.01)
    sigma = found["east_sigma"].values[:, 1, 1]
    assert sigma[0] < sigma[2] < 0.02
    broken = [maps[k] for k in (0, 3)]  # nothing was measured between the second and the third
    apart = fuse_series(broken, dates=days, config=SeriesConfig(every=30, season=False), executor="serial")
    assert np.isfinite(apart["east"].values).all()
    assert (apart["east_sigma"].values[1:] > 1.5 * sigma[1:, None, None]).all()


def test_an_error_of_one_image_is_found_where_other_pairs_disagree():
    """Five images of ground that is still; the third is off by 5 m, and all four of its pairs with it."""
    days = [f"2020-0{month}-01" for month in range(1, 6)]
    maps = []
    for i in range(5):
        for j in range(i + 1, min(i + 4, 5)):
            off = 5.0 * ((j == 2) - (i == 2))
            maps.append(OpticalMap(pair(days[i], days[j], off, 0.0, 0.05, (f"image {i}", f"image {j}")), OPTICAL))
    still = SeriesConfig(every=15, season=False, sizes=(0.01,))
    found = fuse_series(maps, dates=days, config=still, executor="serial")
    assert np.abs(found["east"].values).max() < 1.5  # 5 m, were the third date taken as measured
    assert found["east_sigma"].values.max() > 0.1


def test_a_step_is_not_smoothed():
    days = np.arange("2020-01-01", "2020-06-01", 10, dtype="datetime64[D]")
    moved = np.where(days >= np.datetime64("2020-03-11"), 2.0, 0.0)
    maps = [
        OpticalMap(pair(str(days[k]), str(days[k + 1]), moved[k + 1] - moved[k], 0.0), EXACT)
        for k in range(len(days) - 1)
    ]
    config = SeriesConfig(every=10, season=False, steps=("2020-03-11",), sizes=(0.01,))
    east = fuse_series(maps, config=config, executor="serial")["east"]
    before = east["time"].values < np.datetime64("2020-03-11")
    assert np.abs(east.values[before]).max() < 0.02
    np.testing.assert_allclose(east.values[~before], 2.0, atol=0.04)


def test_two_tracks_give_the_rate_of_the_ground():
    tables = [track(each, points=600, side=1500, north=False, count=20) for each in (22, 117)]
    found = fuse_series(
        [RadarPoints(each) for each in tables], dates=["2020-01-02", "2020-03-14", "2020-04-25"], executor="serial",
        config=SeriesConfig(season=False, sample=25, rounds=2),
    )  # fmt: skip
    assert found["up"].dims == ("time", "y", "x")
    years = (found["time"].values - np.datetime64("2020-01-02")) / np.timedelta64(1, "D") / 365.25
    np.testing.assert_allclose(found["east"].median(("y", "x")).values, 0.00325 * years, atol=0.002)


def test_levelling_between_two_days_counts():
    days = ["2020-01-01", "2020-03-01", "2020-05-01"]
    maps = [OpticalMap(pair(days[0], days[1], 0.0, 0.0), EXACT), OpticalMap(pair(days[1], days[2], 0.0, 0.0), EXACT)]
    place = {"frame": "local", "source": "levelling", "sigma": [[np.nan, np.nan, 2.0]]}
    longitude, latitude = 15.00491, 46.5079
    record = build_velocities(["L"], [latitude], [longitude], [[np.nan, np.nan, -120.0]], **place)
    levelled = Levelling(record, EXACT, *days[::2])
    found = fuse_series([*maps, levelled], dates=days, config=SeriesConfig(season=False), executor="serial")
    up = found["up"].values[-1]
    assert np.isfinite(up).sum() == 1
    assert np.nanmax(up) == pytest.approx(-0.12, abs=0.01)


def test_what_makes_no_sense_is_said(sources):
    with pytest.raises(ConfigurationError, match="two or more, increasing"):
        fuse_series(sources["radar"], dates=["2020-01-01"])
    with pytest.raises(InputError, match="nothing was measured between 2030"):
        fuse_series(sources["radar"], dates=["2030-01-01", "2030-06-01", "2030-07-01"])
    undated = sources["optical"][0].source.copy()
    undated.attrs = {**undated.attrs, "date_pre": ""}
    with pytest.raises(InputError, match="does not say its dates"):
        fuse_series([OpticalMap(undated)])
    with pytest.raises(InputError, match="no source came"):
        fuse_series([])
