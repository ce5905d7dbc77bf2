"""Fusion to three dimensions, against simulated truth and known limits."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from scipy.spatial import cKDTree

from groundshift.errors import ConfigurationError, InputError
from groundshift.geodesy.velocity_model import Velocity
from groundshift.grid.tiles import Box, Tile
from groundshift.kernels.cell_series import solve_looks
from groundshift.kernels.series_fields import series_fields
from groundshift.model.displacement import check, components
from groundshift.model.points import dates, series
from groundshift.model.stations import build_velocities
from groundshift.products.fuse import (
    FuseConfig,
    Interval,
    Levelling,
    ModelField,
    OpticalMap,
    RadarPoints,
    Stations,
    fuse,
)
from groundshift.products.fuse.channels import Channel
from groundshift.products.fuse.config import SourceErrors
from groundshift.products.fuse.grid import fuse_grid
from groundshift.products.fuse.groups import make_groups
from groundshift.products.fuse.record import identity
from groundshift.products.fuse.shared import solve_shared
from groundshift.products.fuse.solve import Problem, ReduceTile
from groundshift.synth.three_dimensions import EarthquakeOptions, simulate_earthquake, smooth_field
from tests.reference.tracks import track

STEP = Interval("displacement", np.datetime64("2020-01-01"), np.datetime64("2020-01-13"))


class Known(NamedTuple):
    """East everywhere."""

    values: np.ndarray
    errors: SourceErrors
    name: str = "known"

    def groups(self):
        return ("east",)

    def channels(self, grid, box, interval):
        look = np.zeros((3, *box.shape))
        look[0] = 1
        return [Channel(self.values[box.slices], np.full(box.shape, 0.005**2), look, "east")]


pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")

NAMES = ("east", "north", "up")
DAYS = {"start": "2020-01-01", "end": "2020-01-13", "executor": "serial"}
FREE = SourceErrors()


@pytest.fixture(scope="module")
def made():
    return simulate_earthquake(EarthquakeOptions(side=24_000, pixel=200, length=14_000, depth=8_000, seed=4))


@pytest.fixture(scope="module")
def sources(made):
    radar = [RadarPoints(table) for table in made.radar]
    return {"optical": OpticalMap(made.optical), "radar": radar, "stations": Stations(made.stations)}


@pytest.fixture(scope="module")
def grid(sources):
    return fuse_grid([sources["optical"]], cell=400)


@pytest.fixture(scope="module")
def truth(made):
    return made.truth.reshape(3, 60, 2, 60, 2).mean(axis=(2, 4))


@pytest.fixture(scope="module")
def fused(sources, grid):
    return fuse([sources["optical"], *sources["radar"], sources["stations"]], grid=grid, **DAYS)


def rms(values):
    return np.sqrt(np.nanmean(values**2))


def test_three_dimensions_are_found_near_the_rupture_too(made, grid, truth, fused):
    check(fused)
    rows, columns = np.mgrid[:60, :60] + 0.5
    near = cKDTree(made.trace).query(np.stack(grid.affine @ (columns, rows), axis=-1))[0] < 3_000
    error = [fused[name].values - truth[k] for k, name in enumerate(NAMES)]
    assert rms(error[1][near]) < 0.1 * rms(truth[1][near])
    assert [rms(each) < limit for each, limit in zip(error, (0.06, 0.09, 0.06), strict=True)] == [True] * 3


def test_covariance_is_that_of_the_errors(truth, fused):
    sigma = [fused[f"{name}_sigma"].values.astype(float) for name in NAMES]
    error = [fused[name].values - truth[k] for k, name in enumerate(NAMES)]
    covariance = np.einsum("iyx,ij->yxij", np.square(sigma), np.eye(3))
    for (i, j), name in {(0, 1): "east_north", (0, 2): "east_up", (1, 2): "north_up"}.items():
        covariance[..., i, j] = covariance[..., j, i] = fused[f"{name}_covariance"].values
    whole = np.isfinite(covariance).all(axis=(2, 3))
    e = np.stack(error, axis=-1)[whole]
    squares = np.einsum("ni,ni->n", e, np.linalg.solve(covariance[whole], e[..., None])[..., 0]) / 3
    assert whole.mean() > 0.6
    assert 0.6 < squares.mean() < 1.4
    assert np.nanmax(np.abs(fused["east_up_covariance"].values)) > 0


def test_two_tracks_alone_are_ortho(sources, grid):
    radar = [RadarPoints(each.source, FREE.model_copy(update={"noise": 0.01})) for each in sources["radar"]]
    found = fuse(radar, grid=grid, config=FuseConfig(prior=(1e3, 1e3, 1e3), neighbours=1e6), **DAYS)
    assert components(found) == ("east", "up")
    interval = Interval("displacement", np.datetime64("2020-01-01"), np.datetime64("2020-01-13"))
    channels = [each.channels(grid, Box(0, 0, 60, 60), interval)[0] for each in radar]
    value, look = (np.stack([getattr(each, name) for each in channels]) for name in ("value", "look"))
    east, up = (look[:, part].reshape(2, -1) for part in (0, 2))
    solution = solve_looks(east, up, np.where(np.isfinite(value), 1e-4, np.nan).reshape(2, -1))
    expected = (solution.gain * np.nan_to_num(value).reshape(2, -1)).sum(axis=1).reshape(2, 60, 60)
    for name, each, variance in zip(("east", "up"), expected, solution.covariance, strict=False):
        both = np.isfinite(found[name].values)
        assert both.mean() > 0.6
        np.testing.assert_allclose(found[name].values[both], each[both], atol=1e-5)
        np.testing.assert_allclose(
            found[f"{name}_sigma"].values[both], np.sqrt(variance).reshape(60, 60)[both], rtol=1e-3
        )


def test_an_optical_map_alone_is_horizontal(sources, made, grid, truth):
    found = fuse([sources["optical"]], grid=grid, **DAYS)
    assert components(found) == ("east", "north")
    assert 0.9 < np.nanmedian(found["east_sigma"]) < 1.2  # nothing says what its offset is
    tied = fuse([sources["optical"], sources["stations"]], grid=grid, **DAYS)
    assert np.nanmedian(tied["east_sigma"]) < 0.1
    assert rms(tied["east"].values - truth[0]) < 0.1


def test_tiles_and_executors_agree(sources, grid, fused):
    every = [sources["optical"], *sources["radar"], sources["stations"]]
    small = fuse(every, grid=grid, config=FuseConfig(tile=25), **DAYS)
    again = fuse(every, grid=grid, config=FuseConfig(tile=25), **{**DAYS, "executor": "threads"})
    for name in fused.data_vars:
        np.testing.assert_array_equal(small[name], again[name])
        same = np.isclose(small[name], fused[name], rtol=1e-3, atol=1e-5, equal_nan=True)
        assert same.mean() > 0.995  # last digits decide of a cell now and then whether it is wrong
        if name in NAMES:
            np.testing.assert_allclose(small[name], fused[name], atol=0.01)


def test_outliers_count_for_less(sources, made, grid, truth):
    wrong = made.optical.copy(deep=True)
    random = np.random.default_rng(0)
    hit = (random.random(wrong["east"].shape) < 0.03) & wrong["valid"].values
    for name in ("east", "north"):
        wrong[name].values[hit] += random.normal(0, 10, hit.sum())
    found = fuse([OpticalMap(wrong), *sources["radar"], sources["stations"]], grid=grid, **DAYS)
    assert rms(found["north"].values - truth[1]) < 0.12


def levelled(made, offset):
    """Levelled heights, mm, with a benchmark that has moved."""
    rows, columns = np.random.default_rng(1).integers(0, 120, (2, 30))
    x, y = made.grid.affine @ (columns + 0.5, rows + 0.5)
    longitude, latitude = Transformer.from_crs(str(made.grid.crs), "EPSG:4326", always_xy=True).transform(x, y)
    up = 1000 * (made.truth[2, rows, columns] + offset)
    return Levelling(
        build_velocities(
            [f"L{k}" for k in range(30)], latitude, longitude,
            np.column_stack([np.full((30, 2), np.nan), up]), frame="local", source="levelling",
            sigma=np.column_stack([np.full((30, 2), np.nan), np.full(30, 2.0)]),
        )
    )  # fmt: skip


def test_levelling_helps_whatever_its_benchmark_did(sources, made, grid):
    every = [sources["optical"], *sources["radar"]]
    without, one, other = (
        fuse([*every, *more], grid=grid, **DAYS) for more in ((), [levelled(made, 0)], [levelled(made, 3)])
    )
    np.testing.assert_allclose(one["up"], other["up"], atol=0.02)
    assert np.nanmean(one["up_sigma"]) < np.nanmean(without["up_sigma"]) + 1e-6


class Model:
    """North by 10 mm/yr."""

    frame, source = "ETRF2000", "made up"

    def at(self, latitude, longitude):
        count = len(np.atleast_1d(latitude))
        return Velocity(np.tile([3.5, 10.0, 0.0], (count, 1)), np.tile(np.eye(3) * 0.01, (count, 1, 1)))


def test_velocities_of_two_tracks_and_a_model_of_north():
    tables = [track(each, points=1500, side=2500, noise=1.0) for each in (22, 117)]
    done = []
    for table in tables:
        rate = series_fields(series(table), dates(table).astype(float))
        for name in ("mean_velocity", "mean_velocity_std"):
            at = table.schema.get_field_index(name)
            table = table.set_column(at, table.schema.field(name), [getattr(rate, name).astype(np.float32)])
        done.append(RadarPoints(table))
    found = fuse([*done, ModelField(Model())], config=FuseConfig(quantity="velocity"), executor="serial")
    assert found["up"].attrs["units"] == "m/yr"
    assert abs(float(found["north"].median()) - 0.010) < 0.0006
    assert abs(float(found["east"].median()) - 0.00325) < 0.0006


def test_fusions_with_other_options_have_other_names():
    grid, table = GeoBox((2, 2), Affine(100, 0, 4.5e6, 0, -100, 3e6), "EPSG:3035"), track(22, points=20)
    other = table.set_column(table.column_names.index("easting"), "easting", pa.array(np.full(20, 4.5e6)))
    names = [
        identity([each], grid, {})[0]
        for each in (RadarPoints(table), RadarPoints(table, average=3), RadarPoints(other), RadarPoints(table))
    ]
    assert len(set(names)) == 3
    assert names[0] == names[-1]


def test_what_makes_no_sense_is_said(sources, grid):
    with pytest.raises(InputError, match="no source came"):
        fuse([])
    with pytest.raises(ConfigurationError, match="is a series; give the start and end"):
        fuse(sources["radar"], grid=grid)
    with pytest.raises(InputError, match="expected some until 2019-01-01"):
        fuse(sources["radar"], grid=grid, start="2019-01-01", end="2020-01-13", executor="serial")
    with pytest.raises(InputError, match="is a velocity model"):
        fuse([*sources["radar"], ModelField(Model())], grid=grid, **DAYS)
    with pytest.raises(InputError, match="less than two components"):
        fuse(sources["radar"][:1], grid=grid, **DAYS)
    with pytest.raises(InputError, match="pass a grid"):
        fuse([sources["stations"]])
    with pytest.raises(InputError, match="in units of degree"):
        fuse(sources["radar"], grid=GeoBox((2, 2), Affine(1e-3, 0, 8, 0, -1e-3, 47), "EPSG:4326"), **DAYS)


def test_sizes_of_errors_are_found():
    """A field of 3 cm that was said to be of 1 cm or 10 cm, in many cells whose motion another source knows."""
    random = np.random.default_rng(3)
    grid = GeoBox((60, 60), Affine(400, 0, 0, 0, -400, 24_000), "EPSG:32633")
    field = 0.03 * smooth_field(random, (60, 60), 10.0)
    for said in (0.01, 0.1):
        source = Known(field + 0.005 * random.standard_normal(field.shape), SourceErrors(correlated=said, length=4_000))
        still = Known(np.zeros(field.shape), SourceErrors())
        problem = Problem((source, still), grid, make_groups((source, still), grid, FuseConfig()), FuseConfig(), STEP)
        shared = None
        for _ in range(3):
            part = ReduceTile(problem, shared)(Tile(0, Box(0, 0, 60, 60)))
            shared = solve_shared(shared.groups if shared else problem.groups, FuseConfig(), [part])
        assert 0.02 < shared.groups[0].correlated < 0.045
