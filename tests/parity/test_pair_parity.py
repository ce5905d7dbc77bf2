"""Whole against tiled, and one process against many."""

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from distributed import LocalCluster
from odc.geo.geobox import GeoBox
from scipy import ndimage

import groundshift
from groundshift.grid.tiles import Box
from groundshift.io import open_image
from groundshift.io.images.aligned import source_positions
from groundshift.optical.config import CleanConfig, PairConfig
from groundshift.optical.plan import planned
from groundshift.optical.registry import METHODS, resolved
from groundshift.synth.demo import demo_pair
from groundshift.synth.textures import shifted_pair

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")


@pytest.fixture(scope="module")
def pair():
    return demo_pair(seed=3, size=256)


def measured(pair, **options):
    return groundshift.measure_pair((pair.pre, pair.grid), (pair.post, pair.grid), max_displacement=4, **options)


@pytest.fixture
def small_blocks(monkeypatch):
    for name in ("dense", "network"):
        monkeypatch.setitem(METHODS, name, replace(METHODS[name], block=128))


@pytest.mark.parametrize("clean", [CleanConfig(), CleanConfig(outliers=True, smooth=1.5)], ids=["plain", "cleaned"])
@pytest.mark.parametrize("method", ["frequency", "gauss-newton"])
def test_windows_are_the_same_whole_and_tiled(pair, method, clean):
    whole = measured(pair, method=method, clean=clean, step=4)
    tiled = measured(pair, method=method, clean=clean, step=4, tile=128, executor="threads")
    np.testing.assert_array_equal(whole["reason"], tiled["reason"])
    np.testing.assert_allclose(whole["east"], tiled["east"], atol=1e-3 * 10)


def test_dense_has_tiles_of_its_own(pair):
    with pytest.raises(groundshift.errors.ConfigurationError, match="leave `tile` out"):
        measured(pair, method="dense", tile=256)


@pytest.mark.parametrize("method", ["dense", "network"])
def test_tiles_meet(pair, request, method):
    whole = measured(pair, method=method)
    request.getfixturevalue("small_blocks")
    tiled = measured(pair, method=method, executor="threads")
    difference = np.hypot(whole["east"] - tiled["east"], whole["north"] - tiled["north"]).values / 10  # pixels
    assert np.nanpercentile(difference, 99) < 1e-3  # the rest is beside the fault, where a pixel may change sides


@pytest.mark.parametrize("method", ["frequency", "dense", "network"])
def test_processes_and_dask_give_the_same_bytes_as_one(method, tmp_path, small_blocks):
    pre, post, _ = shifted_pair(200, dx=0.4, dy=0.2, noise=0.02, seed=1)

    def measured_bytes(name, **options):
        groundshift.measure_pair(
            pre, post, method=method, max_displacement=4, tile=128, out=tmp_path / name,
            clean=CleanConfig(outliers=True), **options,
        )  # fmt: skip
        return (tmp_path / name / "displacement.tif").read_bytes()

    alone = measured_bytes("alone", executor="serial")
    assert measured_bytes("processes", executor="processes", workers=2) == alone
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        assert measured_bytes("dask", executor=cluster.scheduler_address) == alone


def test_tiles_meet_where_images_end_at_a_slant(pair, small_blocks, monkeypatch):
    """The second image is turned by 20 degrees: its corners cut those of the first."""
    turned = GeoBox((200, 200), pair.grid.affine @ Affine.translation(110, 15) @ Affine.rotation(20), pair.grid.crs)
    rows, cols = source_positions(pair.grid, turned, Box(0, 0, 200, 200))
    post = ndimage.map_coordinates(pair.post.astype(np.float32), [rows, cols], order=3)
    images = replace(pair, post=post, pre=pair.pre[:, :240], grid=pair.grid[:, :240])
    given = (images.pre, images.grid), (images.post, turned)
    tiled = groundshift.measure_pair(*given, method="network", max_displacement=4, executor="threads")
    monkeypatch.setitem(METHODS, "network", replace(METHODS["network"], block=768))
    whole = groundshift.measure_pair(*given, method="network", max_displacement=4)
    assert 0.3 < whole["valid"].mean() < 0.9
    assert (whole["reason"] != tiled["reason"]).mean() < 1e-3
    difference = np.hypot(whole["east"] - tiled["east"], whole["north"] - tiled["north"]).values / 10  # pixels
    assert np.nanpercentile(difference, 99) < 1e-3


@pytest.mark.parametrize("method", ["network", "frequency"])
def test_pixels_beyond_the_images_matter_only_beside_the_border(pair, method):
    images = [open_image((each, pair.grid)) for each in (pair.pre, pair.post)]
    config = resolved(PairConfig(method=method, max_displacement=4))
    plan = planned(*images, config, band=None, area=None, mask=None, stable=None, dates=None)
    assert plan.step.extent == Box(0, 0, 256, 256)
    with_more = replace(plan.step, extent=plan.step.extent.padded(40))
    inner = np.s_[96:-96, 96:-96] if method == "network" else np.s_[:, :]
    for tile in plan.tiles:
        ends, goes_on = (step(tile) for step in (plan.step, with_more))
        assert np.isfinite(ends["dx"][inner]).mean() > 0.95
        for name in ("dx", "dy", "dx_sigma", "dy_sigma"):
            assert np.nanpercentile(np.abs(ends[name] - goes_on[name])[inner], 99) < 1e-3
