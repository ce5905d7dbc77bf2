"""Whole against tiled, and one process against many."""

from dataclasses import replace

import numpy as np
import pytest
from distributed import LocalCluster

import groundshift
from groundshift.optical.config import CleanConfig
from groundshift.optical.registry import METHODS
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
