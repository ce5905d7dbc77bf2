"""The road from two images to a map."""

import json
import warnings

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

import groundshift
from groundshift.errors import ConfigurationError, InputError, NoOverlapError
from groundshift.grid.common import local_grid
from groundshift.io import open_array, read_map, write_image
from groundshift.model.displacement import check
from groundshift.model.reason import Reason
from groundshift.optical.config import PairConfig
from groundshift.optical.coregister import Shift
from groundshift.optical.one_band import _removed
from groundshift.optical.registration import Registration
from groundshift.optical.registry import METHODS, resolved
from groundshift.optical.related import related
from groundshift.synth.textures import shifted_pair

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")
GRID = GeoBox((160, 160), Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32633")


def texture_pair(size=160, *, dx=0.6, dy=-0.3, seed=0, noise=0.02):
    return [1000 + 200 * each for each in shifted_pair(size, dx=dx, dy=dy, noise=noise, seed=seed)[:2]]


@pytest.fixture
def files(tmp_path):
    pre, post = texture_pair()
    write_image(tmp_path / "pre_20200101.tif", pre, GRID)
    write_image(tmp_path / "post_20200701.tif", post, GRID)
    return tmp_path / "pre_20200101.tif", tmp_path / "post_20200701.tif"


@pytest.mark.parametrize("method", sorted(METHODS))
def test_signs_and_units(files, method):
    dataset = groundshift.measure_pair(*files, method=method, registration="none", max_displacement=4)
    check(dataset)
    assert dataset.attrs["date_pre"] == "2020-01-01"
    assert dataset.attrs["method"] == method
    # 0.6 pixels of 10 m to the right, 0.3 up
    assert float(dataset["east"].median()) == pytest.approx(6.0, abs=0.1)
    assert float(dataset["north"].median()) == pytest.approx(3.0, abs=0.1)
    assert float(dataset["valid"].mean()) > 0.9


def test_offset_is_removed_and_recorded(files, tmp_path):
    dataset = groundshift.measure_pair(*files, method="frequency", out=tmp_path / "out")
    assert float(dataset["east"].median()) == pytest.approx(0, abs=0.1)
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert record["bands"][0]["registration"]["dx_pixels"]["offset"]["value"] == pytest.approx(0.6, abs=0.01)
    assert record["bands"][0]["registration"]["dy_pixels"]["offset"]["value"] == pytest.approx(-0.3, abs=0.01)
    assert record["bands"][0]["shift_pixels"] == {"dy": 0, "dx": 1}
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"displacement.tif", "quicklook.png", "record.json"}
    np.testing.assert_array_equal(read_map(tmp_path / "out" / "displacement.tif")["east"], dataset["east"])


def test_a_large_shift_of_the_whole_pair_is_found():
    pre, post = texture_pair(256, dx=31.0, dy=-18.0, noise=0.05, seed=3)
    dataset = groundshift.measure_pair(pre, post, method="frequency", registration="none", resolution=2.0)
    inner = dataset.isel(x=slice(4, -8), y=slice(8, -4))
    assert float(inner["east"].median()) == pytest.approx(62, abs=0.1)
    assert float(inner["north"].median()) == pytest.approx(36, abs=0.1)


def test_stable_mask_and_user_mask(tmp_path):
    pre, post = texture_pair(192, dx=0.0, dy=0.0, seed=4)
    moved = texture_pair(192, dx=1.0, dy=0.0, seed=4)[1]
    post[:, 64:] = moved[:, 64:]
    grid = GeoBox((192, 192), GRID.affine, GRID.crs)
    stable, mask = np.zeros((2, 192, 192), np.uint8)
    stable[:, :48] = 1
    mask[150:] = 1
    write_image(tmp_path / "stable.tif", stable, grid)
    write_image(tmp_path / "mask.tif", mask, grid)
    dataset = groundshift.measure_pair(
        (pre, grid), (post, grid), method="frequency", max_displacement=4, stable=tmp_path / "stable.tif",
        mask=tmp_path / "mask.tif",
    )  # fmt: skip
    assert float(dataset["east"][:, :5].median()) == pytest.approx(0, abs=0.2)
    assert float(dataset["east"][:12, 12:].median()) == pytest.approx(10, abs=0.2)
    assert (dataset["reason"][-3:] == Reason.MASKED).all()


def test_sigmas_hold_the_error_of_the_misregistration_beside_stable_ground(files, tmp_path):
    stable = np.zeros(GRID.shape, np.uint8)
    stable[40:120, :64] = 1
    write_image(tmp_path / "stable.tif", stable, GRID)
    given = {"method": "frequency", "stable": tmp_path / "stable.tif"}
    plain = groundshift.measure_pair(*files, registration="none", **given)
    found = groundshift.measure_pair(*files, registration="ramp", out=tmp_path / "out", **given)
    record = json.loads((tmp_path / "out/record.json").read_text())["bands"][0]["registration"]["dx_pixels"]
    share = np.sqrt(found["east_sigma"] ** 2 - plain["east_sigma"] ** 2) / 10  # pixels
    known = stable[4::8, 4::8] > 0
    assert np.nanmax(share.values[known]) < 1e-3
    errors = [record[name]["standard_error"] for name in ("offset", "per_pixel_right")]
    assert np.nanmax(share[10, 15:18]) == pytest.approx(np.hypot(errors[0], errors[1] * 108), rel=0.3)
    assert float(share[10, 17]) > 2 * float(share[10, 9]) > 0


def test_the_key_of_a_run_tells_a_mask_from_stable_ground(files, tmp_path):
    marked = np.zeros(GRID.shape, np.uint8)
    marked[:, :48] = 1
    write_image(tmp_path / "marked.tif", marked, GRID)
    hashes = [
        groundshift.measure_pair(*files, method="frequency", **{use: tmp_path / "marked.tif"}).configuration_hash
        for use in ("mask", "stable")
    ]
    assert hashes[0] != hashes[1]


def test_no_data_is_said(files, tmp_path):
    pre = rasterio.open(files[0]).read(1)
    pre[:40] = np.nan
    write_image(tmp_path / "holed.tif", pre, GRID)
    dataset = groundshift.measure_pair(tmp_path / "holed.tif", files[1], method="dense", max_displacement=4)
    assert (dataset["reason"][:40] == Reason.NO_DATA).all()
    assert dataset["valid"][60:].mean() > 0.95


def test_errors_write_nothing(files, tmp_path):
    out = tmp_path / "out"
    far = GeoBox((160, 160), Affine(10, 0, 900_000, 0, -10, 4_000_000), "EPSG:32633")
    write_image(tmp_path / "far.tif", texture_pair()[0], far)
    flat = np.full((160, 160), 7, np.float32)
    write_image(tmp_path / "flat.tif", flat, GRID)
    with pytest.raises(NoOverlapError, match="share no ground"):
        groundshift.measure_pair(files[0], tmp_path / "far.tif", out=out)
    with pytest.raises(InputError, match="constant"):
        groundshift.measure_pair(files[0], tmp_path / "flat.tif", out=out)
    with pytest.raises(ConfigurationError, match="no method 'magic'"):
        groundshift.measure_pair(*files, method="magic", out=out)
    with pytest.raises(ConfigurationError, match="both given"):
        groundshift.measure_pair(*files, config=PairConfig(), step=8)
    assert not out.exists()


def test_auto_picks_by_what_was_asked():
    assert resolved(PairConfig()).method == "network"
    assert resolved(PairConfig(step=8)).method == "frequency"
    assert resolved(PairConfig(method="gauss-newton")).step == 8


def test_days_that_images_do_not_say_are_given(files):
    dataset = groundshift.measure_pair(*files, method="frequency", dates="2003-09-01,2023-08-20")
    assert (dataset.attrs["date_pre"], dataset.attrs["date_post"]) == ("2003-09-01", "2023-08-20")
    with pytest.raises(InputError, match="2003-9-1"):
        groundshift.measure_pair(*files, dates="2003-9-1,2023-08-20")


def test_what_was_removed_of_a_picture_with_small_pixels_has_digits():
    found = Registration("offset", np.array([[0.736], [-0.399]]), np.zeros((2, 1, 1)), (0, 0), 100)
    said = _removed(found, local_grid((9, 9), resolution=0.001))
    assert said.endswith("+0.000736 m (+0.736 pixels) to the east, +0.000399 m (+0.399 pixels) to the north")


def test_what_was_removed_is_said_and_motion_near_the_limit_too(tmp_path, caplog):
    pre = texture_pair(256, seed=4)[0]
    rows, cols = np.indices(pre.shape)
    motion = np.where((rows > 100) & (cols > 100) & (cols < 200), 4, 0)
    moved = pre[rows, np.clip(cols - motion, 0, None)]
    with caplog.at_level("INFO", logger="groundshift"):
        groundshift.measure_pair(pre, moved, method="frequency", max_displacement=4.5, window=16)
    assert "+0.000 m (+0.000 pixels) to the east" in caplog.text.replace("-0.000", "+0.000")
    assert "try --max-displacement 9" in caplog.text
    caplog.clear()
    groundshift.measure_pair(pre, moved, method="frequency", max_displacement=9, window=16)
    assert "--max-displacement" not in caplog.text


def test_wrong_matches_of_images_with_nothing_in_common_are_no_motion_near_the_limit(caplog):
    pre, post = (texture_pair(320, seed=seed)[0] for seed in (5, 6))
    dataset = groundshift.measure_pair(pre, post, method="frequency")
    far = np.hypot(dataset["east"], dataset["north"]) > 8
    assert (far & dataset["valid"]).mean() > 0.03  # of 10 pixels that are looked at
    assert "--max-displacement" not in caplog.text
    assert "what is measured means nothing" in caplog.text


def test_images_with_something_in_common_are_told_from_others():
    chance = []
    for seed in range(12):
        (pre, post), other = texture_pair(400, seed=seed, noise=0.5), texture_pair(400, seed=100 + seed)[0]
        images = [open_array(each) for each in (pre, post, other, pre + 1e4)]
        found = [related(images[0], each, Shift(0, 0), max_displacement=10) for each in images[1:]]
        assert [each.unrelated for each in found[::2]] == [False, False]
        assert found[0].fitting > 0.9 * found[0].windows
        assert found[2].fitting == found[2].windows >= 25
        chance.append(found[1])
    share = sum(each.fitting for each in chance) / sum(each.windows for each in chance)
    assert 0.4 < share < 0.6
    assert sum(each.unrelated for each in chance) >= 10


def test_too_few_windows_do_not_tell():
    pre, other = (open_array(texture_pair(80, seed=seed)[0]) for seed in (0, 1))
    assert not related(pre, other, Shift(0, 0), max_displacement=4).unrelated
    assert related(pre, other, Shift(0, 0), max_displacement=40).windows == 0


def test_how_well_windows_fit_is_recorded(files, tmp_path):
    groundshift.measure_pair(*files, method="frequency", out=tmp_path / "out")
    fit = json.loads((tmp_path / "out" / "record.json").read_text())["bands"][0]["windows_that_fit"]
    assert fit["fitting"] == fit["windows"] > 0
    assert fit["unrelated"] is False


def test_plain_pictures_are_measured_in_metres(tmp_path):
    pre, post = (each.clip(0, 2000) / 8 for each in texture_pair())
    paths = [tmp_path / name for name in ("vor der Messung.png", "nach der Messung.png")]
    for path, values in zip(paths, (pre, post), strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with rasterio.open(path, "w", driver="PNG", dtype="uint8", count=1, height=160, width=160) as dataset:
                dataset.write(values.round().astype(np.uint8), 1)
    dataset = groundshift.measure_pair(*paths, resolution=0.002, method="frequency", registration="none")
    assert float(dataset["east"].median()) == pytest.approx(0.0012, abs=0.0001)
    with pytest.raises(InputError, match="--resolution"):
        groundshift.measure_pair(*paths)
