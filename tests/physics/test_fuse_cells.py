"""The variance of what is measured in a cell is that of a mean over where it was measured, however large the cell."""

import numpy as np
import pyarrow as pa
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy.spatial.distance import cdist

from groundshift.grid.tiles import Box
from groundshift.products.fuse import FuseConfig, Interval, RadarPoints, fuse
from groundshift.products.fuse.channels import Reference
from groundshift.products.fuse.config import RADAR_VELOCITY, SourceErrors
from groundshift.products.fuse.groups import make_groups
from groundshift.products.fuse.stated import common_reference, usual_errors
from tests.reference.tracks import track

RATE = Interval("velocity")
SHARED = {"calibration": {"reference_sigma": [0.1, 0.2]}}


def rates(number, velocity=0.0, **options):
    """A track whose velocities are these, mm/yr."""
    table = track(number, north=False, count=8, **options)
    at = table.column_names.index("mean_velocity")
    return table.set_column(at, "mean_velocity", pa.array(np.full(len(table), velocity), pa.float32()))


def cells(side, count):
    return GeoBox((count, count), Affine(side, 0, 4_500_000, 0, -side, 3_000_000 + count * side), "EPSG:3035")


class Field:
    """A source with correlated errors."""

    name = "field"

    def __init__(self, length):
        self.errors = SourceErrors(correlated=2.0, length=length)

    def groups(self):
        return ("east",)


@pytest.mark.parametrize("side", [300.0, 6_000.0, 20_000.0])
def test_a_field_has_the_variance_of_its_mean_over_a_cell(side):
    """Against the mean of the covariance over many pairs of places, in each cell and between two."""
    grid = cells(side, 4)
    (group,) = make_groups([Field(20_000.0)], grid, FuseConfig())
    column, factor, lost, uneven = group.columns(grid, Box(0, 0, 4, 4))
    nodes = 4 * np.linalg.inv(group.alike())
    place = column[3:] - group.nodes.start
    design = np.zeros((16, len(nodes)))
    np.add.at(design, (np.arange(16), place), factor[3:])
    found = design @ nodes @ design.T + np.diag(lost)
    random = np.random.default_rng(0).uniform(size=(2, 1500, 2)) * side

    def true(apart):
        return 4 * np.exp(-cdist(random[0], random[1] + apart) / 20_000).mean()

    np.testing.assert_allclose(np.diagonal(found), true([0, 0]), rtol=0.03)
    np.testing.assert_allclose(np.diagonal(found) + uneven, 4.0, rtol=0.03)
    assert found[0, 3] == pytest.approx(true([3 * side, 0]), rel=0.1)


def test_added_noise_and_fields_know_how_points_lie_in_a_cell():
    """All at one place, or all over: of n places noise has a n-th, and what is correlated averages as far as it can."""
    grid, box = cells(2_000.0, 1), Box(0, 0, 1, 1)
    spread, noise = {}, {}
    (group,) = make_groups([RadarPoints(rates(22, points=5))], grid, FuseConfig(quantity="velocity"))
    for name, points, side in (("place", 40, 1.0), ("few", 5, 2_000.0), ("all", 4_000, 2_000.0)):
        every = [
            RadarPoints(rates(22, points=points, side=side, seed=seed)).channels(grid, box, RATE)[0].spread[0, 0]
            for seed in range(1 if name == "all" else 40)
        ]
        spread[name] = np.mean(every)
        noise[name] = np.mean([group.noise(each) for each in every]) / RADAR_VELOCITY.noise**2
    assert spread["place"] < 1e-3
    assert spread["all"] == pytest.approx(1, abs=0.05)
    assert noise["place"] == pytest.approx(1, abs=1e-3)
    assert 1 / 5 < noise["few"] < 2 / 5  # places that seem more than all over a cell count as all over it
    assert noise["all"] < 0.05


def test_a_reference_that_all_tracks_share_is_counted_once():
    stated = {"stated": (0.3, 0.2, 0.5), "provenance": SHARED}
    tracks = [RadarPoints(rates(each, points=500, **stated)) for each in (22, 117)]
    reference = common_reference(tracks, "velocity")
    assert reference == pytest.approx((0.0001, 0.0002))
    look = np.array([tracks[0].source[name][0].as_py() for name in ("los_east", "los_up")])
    errors = usual_errors(tracks[0], "velocity", reference)
    own = 0.0002**2 - (np.square(reference) * look**2).sum()
    assert errors.offset**2 + 2 / 3 * errors.ramp**2 == pytest.approx(max(own, 0), rel=1e-4)
    silent = RadarPoints(rates(44, points=500, stated=(0.3, 0.2, 0.5)))
    given = RadarPoints(rates(44, points=500, **stated), RADAR_VELOCITY)
    for other in (silent, given, Field(1e4)):
        assert common_reference([*tracks, other], "velocity") is None
    assert common_reference(tracks, "displacement") is None
    wide = [RadarPoints(rates(each, points=500, stated=(0.3, 2.0, 2.1), provenance=more)) for each, more in
            ((22, SHARED), (117, SHARED))]  # fmt: skip
    found = fuse(wide, grid=cells(500.0, 10), config=FuseConfig(quantity="velocity"), executor="serial")
    assert np.nanmin(found["up_sigma"]) > Reference(*reference).up


def test_large_cells_are_the_same_in_tiles():
    stated = {"stated": (0.3, 0.2, 0.5), "provenance": SHARED, "side": 120_000.0, "points": 3_000}
    tracks = [RadarPoints(rates(each, velocity=2.0, **stated)) for each in (22, 117)]
    whole, tiled = (
        fuse(tracks, grid=cells(5_000.0, 24), config=FuseConfig(quantity="velocity", tile=tile), executor="serial")
        for tile in (256, 16)
    )
    for name in ("east", "up", "east_sigma", "up_sigma"):
        np.testing.assert_allclose(tiled[name], whole[name], rtol=1e-5, atol=1e-9)
