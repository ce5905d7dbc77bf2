"""Several bands of a pair as one map."""

import json

import numpy as np
import pytest
import rasterio
import rioxarray
from affine import Affine
from odc.geo.geobox import GeoBox

import groundshift
from groundshift.errors import ConfigurationError, InputError, RunError
from groundshift.io import read_map
from groundshift.model.displacement import check, describe
from groundshift.model.reason import Reason
from groundshift.optical.bands import _ALIKE, together
from groundshift.optical.measure import MeasureTile
from groundshift.synth.textures import shifted_pair
from tests.reference.command import run

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")
GRID = GeoBox((160, 160), Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32633")
SHAPE = (300, 300)


def layers(east, sigma, *, reason=None, quality=0.5):
    reason = np.zeros(SHAPE, np.uint8) if reason is None else reason
    known = np.where(reason == Reason.VALID, 1, np.nan)
    full = {"east": east, "north": -east, "east_sigma": sigma, "north_sigma": 2 * sigma, "quality": quality}
    return {name: (value * known).astype(np.float32) for name, value in full.items()} | {"reason": reason}


def alike_errors(count, sigmas, rng):
    """Errors of bands that share a part of them."""
    shared = rng.standard_normal(SHAPE)
    own = rng.standard_normal((count, *SHAPE))
    return [s * (np.sqrt(_ALIKE) * shared + np.sqrt(1 - _ALIKE) * each) for s, each in zip(sigmas, own, strict=True)]


@pytest.mark.parametrize("sigmas", [(0.1, 0.1), (0.1, 0.3), (0.2, 0.1, 0.1, 0.3)])
def test_sigmas_are_what_errors_are_if_bands_share_a_part_of_them(sigmas):
    errors = alike_errors(len(sigmas), sigmas, np.random.default_rng(1))
    found = together([layers(e, np.full(SHAPE, s)) for e, s in zip(errors, sigmas, strict=True)])
    assert np.mean((found["east"] / found["east_sigma"]) ** 2) == pytest.approx(1, abs=0.02)


def test_equal_bands_are_their_mean():
    found = together([layers(np.full(SHAPE, each), np.full(SHAPE, 0.1)) for each in (1.0, 2.0)])
    np.testing.assert_allclose(found["east"], 1.5)
    np.testing.assert_allclose(found["north"], -1.5)
    np.testing.assert_allclose(found["east_sigma"], 0.1 * np.sqrt((1 + _ALIKE) / 2), rtol=1e-6)


def test_a_pixel_is_valid_where_any_band_is():
    reasons = np.zeros((2, *SHAPE), np.uint8)
    reasons[0, :100], reasons[1, 50:150] = Reason.CLOUD, Reason.NO_MATCH
    values = (1.0, 2.0)
    first, second = (
        layers(np.full(SHAPE, value), np.full(SHAPE, 0.1), reason=reason, quality=value / 4)
        for value, reason in zip(values, reasons, strict=True)
    )
    found = together([first, second])
    assert found["reason"].dtype == np.uint8
    assert (found["reason"][50:100] == Reason.CLOUD).all()
    assert np.isnan(found["east"][50:100]).all()
    np.testing.assert_array_equal(found["east"][:50], second["east"][:50])
    np.testing.assert_allclose(found["east_sigma"][:50], 0.1, rtol=1e-6)
    np.testing.assert_allclose(found["east"][100:150], 1.0, rtol=1e-6)
    np.testing.assert_array_equal(found["quality"][[0, 120, 200], 0], np.float32([0.5, 0.25, 0.5]))


def moved_bands(size=160):
    """Two bands of other texture that moved alike, each with its own misregistration, and the truth."""
    pre, post = np.empty((2, 2, size, size), np.float32)
    for i, dx in enumerate((0.3, 0.4)):
        still = shifted_pair(size, dx=dx, dy=0.0, noise=0.1, seed=i)
        moved = shifted_pair(size, dx=dx + 1.0, dy=0.0, noise=0.1, seed=i)
        pre[i] = 1000 + 200 * still[0]
        post[i] = 1000 + 200 * np.where(np.arange(size) < 60, moved[1], still[1])
    truth = np.where(np.arange(size) < 60, 10.0, 0.0)
    return pre, post, np.broadcast_to(truth, (size, size))


@pytest.fixture
def pair(tmp_path):
    """Files of two bands, and the truth, metres to the east."""
    pre, post, truth = moved_bands()
    for name, images in (("pre", pre), ("post", post)):
        write_bands(tmp_path / f"{name}.tif", images)
    return tmp_path / "pre.tif", tmp_path / "post.tif", truth


def write_bands(path, images, transform=GRID.affine):
    profile = {"driver": "GTiff", "dtype": "float32", "count": len(images), "width": images.shape[2],
               "height": images.shape[1], "crs": "EPSG:32633", "transform": transform}  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(images)
        for i, name in zip(file.indexes, ("red", "nir"), strict=False):
            file.set_band_description(i, name)


OPTIONS = {"method": "frequency", "step": 4, "max_displacement": 3}


def test_both_bands_are_better_than_each(pair, tmp_path):
    *given, truth = pair
    single = [groundshift.measure_pair(*given, band=i, **OPTIONS) for i in (1, 2)]
    both = groundshift.measure_pair(*given, band=[1, 2], out=tmp_path / "out", **OPTIONS)
    check(both)
    known = truth[2::4, 2::4]
    far = np.abs(np.arange(40) - 15) > 5
    errors = [np.sqrt(np.nanmean((each["east"].values - known)[5:-5, far][:, 3:-3] ** 2)) for each in (*single, both)]
    assert errors[2] < 0.95 * min(errors[:2])
    assert (both["valid"].values >= single[0]["valid"].values).all()
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert [each["band"] for each in record["bands"]] == ["1", "2"]
    first, second = record["bands"]
    assert first["registration"] == second["registration"]
    assert first["registration_to_first_band"] is None
    between = second["registration_to_first_band"]["dx_pixels"]["offset"]
    assert between["value"] == pytest.approx(0.1, abs=0.02)
    assert first["registration"]["dx_pixels"]["offset"]["value"] == pytest.approx(0.3, abs=0.04)
    assert both.attrs["bands"] == "1, 2"
    assert "method frequency, bands 1, 2" in describe(both)
    assert both.attrs["source_pre"] == "pre.tif"
    hashes = {each.attrs["configuration_hash"] for each in (*single, both)}
    assert len(hashes) == 3
    assert not (tmp_path / "out" / ".tiles").exists()
    np.testing.assert_array_equal(read_map(tmp_path / "out" / "displacement.tif")["east"], both["east"])


def test_the_command_takes_the_option_once_for_each_band(pair, tmp_path):
    command = ["pair", *pair[:2], "--band", "red", "--band", "nir", "-o", tmp_path / "out", "--method", "frequency"]
    said = run(*command, check=True).stdout
    assert "method frequency, bands red, nir" in said
    command[6] = "1"
    assert "bands red, 1 are not all different; give each once" in run(*command).stderr


def test_bands_by_name_of_a_data_array(pair):
    *given, _ = pair
    found = groundshift.measure_pair(*given, band=["red", "nir"], **OPTIONS)
    arrays = [rioxarray.open_rasterio(path) for path in given]
    by_number = groundshift.measure_pair(*arrays, band=[1, 2], **OPTIONS)
    named = [each.assign_coords(band=["red", "nir"]) for each in arrays]
    by_name = groundshift.measure_pair(*named, band=("red", "nir"), **OPTIONS)
    for each in (by_number, by_name):
        np.testing.assert_array_equal(each["east"], found["east"])
    assert by_name.attrs["bands"] == "red, nir"


def test_a_band_without_anything_in_common_with_the_first_is_aligned_by_itself(tmp_path):
    pre, post, _ = moved_bands()
    pre[0, :, 40:], pre[1, :, :80] = np.nan, np.nan
    for name, images in (("pre", pre), ("post", post)):
        write_bands(tmp_path / f"{name}.tif", images)
    found = groundshift.measure_pair(tmp_path / "pre.tif", tmp_path / "post.tif", band=[1, 2], **OPTIONS)
    assert float(found["east"][5:-5, 24:].median()) == pytest.approx(0, abs=0.2)
    assert found["valid"][10:-10, [4, 30]].values.all()


def test_a_run_that_was_interrupted_in_its_second_band_goes_on(pair, tmp_path, monkeypatch):
    *given, _ = pair
    whole = groundshift.measure_pair(*given, band=[1, 2], out=tmp_path / "whole", **OPTIONS)
    seen, interrupt = [], True
    measured = MeasureTile.__call__

    def counted(step, tile):
        seen.append(step.pre.image.band)
        if interrupt and seen[-1] == 2:
            raise RuntimeError("the power went")
        return measured(step, tile)

    monkeypatch.setattr(MeasureTile, "__call__", counted)
    with pytest.raises(RunError, match="the power went"):
        groundshift.measure_pair(*given, band=[1, 2], out=tmp_path / "out", executor="serial", **OPTIONS)
    interrupt, seen = False, []
    again = groundshift.measure_pair(*given, band=[1, 2], out=tmp_path / "out", executor="serial", **OPTIONS)
    assert seen == [2]
    np.testing.assert_array_equal(again["east"], whole["east"])


def test_bands_that_make_no_map_together(pair, tmp_path):
    *given, _ = pair
    with pytest.raises(ConfigurationError, match="bands 1, 1 are not all different; give each once"):
        groundshift.measure_pair(*given, band=[1, 1], **OPTIONS)
    with pytest.raises(ConfigurationError, match="band is an empty list"):
        groundshift.measure_pair(*given, band=[], **OPTIONS)
    with pytest.raises(InputError, match=r"has no band 3; choose one with --band: 1 .red., 2 .nir."):
        groundshift.measure_pair(*given, band=[1, 3], **OPTIONS)
    pre, post, _ = moved_bands()
    with pytest.raises(InputError, match="no bands to choose from; got band 2"):
        groundshift.measure_pair((pre[0], GRID), (post[0], GRID), band=[2, 1], **OPTIONS)
    with pytest.raises(InputError, match="no bands to choose from; got band 1"):
        groundshift.measure_pair(pre[0], post[0], band=1, **OPTIONS)
    array = rioxarray.open_rasterio(given[0])
    with pytest.raises(InputError, match="has no band 'nir' on band; choose one of 1, 2"):
        groundshift.measure_pair(array, array, band="nir", **OPTIONS)
    with pytest.raises(InputError, match=r"expected \(band, y, x\), to choose band 1"):
        groundshift.measure_pair(array.isel(band=0), array.isel(band=0), band=1, **OPTIONS)


def test_bands_of_other_resolution_are_refused(tmp_path):
    pre, post, _ = moved_bands()
    folders = [tmp_path / f"LC08_L1TP_062018_{day}_20170222_01_T1" for day in ("20160718", "20160803")]
    for folder, image in zip(folders, (pre, post), strict=True):
        folder.mkdir()
        for band, size, pixels in ("B8", 15, image[:1]), ("B4", 30, image[1:, ::2, ::2]):
            write_bands(folder / f"{folder.name}_{band}.TIF", pixels, Affine(size, 0, 500_000, 0, -size, 4_000_000))
    with pytest.raises(InputError, match=r"B8 and B4 have 40 x 40 cells of 60 x 60 and 20 x 20 cells of 120 x 120"):
        groundshift.measure_pair(*folders, band=["B8", "B4"], **OPTIONS)
