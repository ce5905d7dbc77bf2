"""Maps of other programs become displacement maps, and two maps are compared."""

import json

import h5netcdf
import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy import ndimage
from typer.testing import CliRunner

from groundshift.cli.app import app
from groundshift.errors import ConfigurationError, InputError
from groundshift.io import read_map, write_dataset
from groundshift.io.convert import convert
from groundshift.io.other_maps import read_other_map
from groundshift.model.displacement import displacement_map
from groundshift.optical.compare import compare_maps, write_comparison

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")

AFFINE = Affine(120, 0, 500_000, 0, -120, 6_700_000)


def _raster(path, bands, *, crs="EPSG:32607", driver="GTiff", **options):
    profile = {"dtype": "float32", "count": len(bands), "height": bands.shape[1], "width": bands.shape[2]}
    with rasterio.open(path, "w", driver=driver, crs=crs, transform=AFFINE, **profile, **options) as file:
        file.write(bands.astype(np.float32))


def _moved(shape=(40, 50), seed=1):
    random = np.random.default_rng(seed)
    row, column = np.indices(shape)
    return np.stack([2.0 + column / 10, -row / 8]) + random.normal(0, 0.1, (2, *shape))


def _map(values, grid, *, sigma=0.1, **attributes):
    planes = {"east": values[0], "north": values[1], "quality": np.ones(values.shape[1:])}
    planes |= {f"{name}_sigma": np.full(values.shape[1:], sigma) for name in ("east", "north")}
    where = {"date_pre": "2020-01-01", "date_post": "2021-01-01", "method": "m", "source_pre": "a", "source_post": "b"}
    return displacement_map(
        {**{n: v.astype(np.float32) for n, v in planes.items()}, "reason": np.zeros(values.shape[1:], np.uint8)},
        grid,
        {**where, "software": "s", "configuration_hash": "h", **attributes},
    )


def test_envi_of_cosi_corr(tmp_path):
    values = _moved()
    values[:, 3, 4] = np.nan
    _raster(tmp_path / "correlation", np.stack([*values, np.full(values.shape[1:], 0.9)]), driver="ENVI")
    with pytest.raises(InputError, match=r"--sigma, in m: .*differ by 0\.1"):
        convert(tmp_path / "correlation", tmp_path / "map.tif", program="cosi-corr")
    convert(
        tmp_path / "correlation", tmp_path / "map.tif", program="cosi-corr", sigma=0.2, dates="2019-07-04,2019-07-06"
    )
    found = read_map(tmp_path / "map.tif")
    assert np.allclose(found["north"], values[1], atol=1e-4, equal_nan=True)
    assert float(found["quality"].max()) == pytest.approx(0.9)
    assert found.attrs["date_post"] == "2019-07-06"
    assert found["reason"].values[3, 4] == 7
    with pytest.raises(ConfigurationError, match="--from"):
        convert(tmp_path / "map.tif", tmp_path / "map.nc", sigma=0.2)


def test_pixels_of_micmac_point_down(tmp_path):
    pixels = _moved() / 100
    for name, plane in zip(("Px1_Num6_DeZoom1_LeChantier.tif", "Px2_Num6_DeZoom1_LeChantier.tif"), pixels, strict=True):
        _raster(tmp_path / name, plane[None], crs=None)
    first = tmp_path / "Px1_Num6_DeZoom1_LeChantier.tif"
    with pytest.raises(InputError, match="--crs"):
        read_other_map(first, "micmac", sigma=1)
    found = read_other_map(first, "micmac", sigma=1, crs="EPSG:32607")
    assert np.allclose(found["east"], 120 * pixels[0], atol=1e-3)
    assert np.allclose(found["north"], -120 * pixels[1], atol=1e-3)


def test_netcdf_of_autorift(tmp_path):
    velocity = np.round(100 * _moved()).astype(np.int16)
    velocity[:, 0, 0] = -32767
    with h5netcdf.File(tmp_path / "pair.nc", "w") as file:
        file.dimensions = {"y": 40, "x": 50}
        file.create_variable("x", ("x",), data=500_060 + 120.0 * np.arange(50))
        file.create_variable("y", ("y",), data=6_699_940 - 120.0 * np.arange(40))
        file.create_variable("mapping", (), "S1").attrs["spatial_ref"] = rasterio.crs.CRS.from_epsg(32607).to_wkt()
        info = file.create_variable("img_pair_info", (), "S1").attrs
        info["acquisition_date_img1"], info["acquisition_date_img2"] = "20160718T20:37:06", "20160803T20:37:09"
        for name, plane in zip(("vx", "vy"), velocity, strict=True):
            variable = file.create_variable(name, ("y", "x"), data=plane, fillvalue=np.int16(-32767))
            variable.attrs.update({"grid_mapping": "mapping", "units": "m/y", "error": 12.5})
    found = read_other_map(tmp_path / "pair.nc", "autorift")
    assert found.attrs["quantity"] == "velocity"
    assert (found.attrs["date_pre"], found.attrs["date_post"]) == ("2016-07-18", "2016-08-03")
    assert found.odc.geobox.affine == AFFINE
    assert found.odc.geobox.crs.epsg == 32607
    assert np.isnan(found["east"].values[0, 0])
    assert np.array_equal(found["east"].values[1:], velocity[0, 1:])
    assert np.allclose(found["east_sigma"].values[1:], 12.5)


def test_pixels_of_degrees_are_no_metres_and_no_data_is_none(tmp_path):
    names = [f"Px{k}_Num6_DeZoom1_LeChantier.tif" for k in (1, 2)]
    for name, plane in zip(names, _moved() / 100, strict=True):
        plane[3, 4] = -9999
        _raster(tmp_path / name, plane[None], nodata=-9999)
    found = read_other_map(tmp_path / names[0], "micmac", sigma=1)
    assert np.isnan(found["east"].values[3, 4])
    assert not found["valid"].values[3, 4]
    assert found["valid"].values.sum() == 40 * 50 - 1
    with pytest.raises(InputError, match="units of degree"):
        read_other_map(tmp_path / names[0], "micmac", sigma=1, crs="EPSG:4326")


def test_rows_from_south_to_north_are_turned_over(tmp_path):
    values = _moved()
    for name, affine, planes in (
        ("up.tif", AFFINE, values),
        ("down.tif", AFFINE @ Affine(1, 0, 0, 0, -1, 40), values[:, ::-1]),
    ):
        profile = {"dtype": "float32", "count": 2, "height": 40, "width": 50, "crs": "EPSG:32607", "transform": affine}
        with rasterio.open(tmp_path / name, "w", driver="GTiff", **profile) as file:
            file.write(planes.astype(np.float32))
    up, down = (read_other_map(tmp_path / name, "cosi-corr", sigma=1) for name in ("up.tif", "down.tif"))
    assert down.odc.geobox.affine == up.odc.geobox.affine == AFFINE
    assert np.array_equal(up["east"], down["east"])
    assert np.array_equal(up["north"], down["north"])
    with rasterio.open(
        tmp_path / "turned.tif", "w", driver="GTiff", **profile | {"transform": AFFINE @ Affine.rotation(20)}
    ) as file:
        file.write(values.astype(np.float32))
    with pytest.raises(InputError, match="turned"):
        read_other_map(tmp_path / "turned.tif", "cosi-corr", sigma=1)


def test_same_motion_in_another_zone_and_resolution_agrees(tmp_path):
    """15 m in zone 7 against 60 m in zone 5: axes are turned by more than ten degrees."""
    fine = GeoBox((480, 480), Affine(15, 0, 470_000, 0, -15, 6_680_000), "EPSG:32607")
    coarse = GeoBox((200, 200), Affine(60, 0, 1_128_000, 0, -60, 6_740_000), "EPSG:32605")
    east, north = 20.0, -35.0
    x, y = coarse.affine @ (100, 100)
    to_fine = coarse.crs.transformer_to_crs(fine.crs)
    x0, y0 = to_fine(x, y)
    x1, y1 = to_fine(x + 60, y)
    angle = np.arctan2(y1 - y0, x1 - x0)
    assert abs(np.degrees(angle)) > 8
    turned = [np.cos(angle) * east + np.sin(angle) * north, np.cos(angle) * north - np.sin(angle) * east]
    fine = GeoBox((480, 480), Affine(15, 0, x0 - 3600, 0, -15, y0 + 3600), "EPSG:32607")
    random = np.random.default_rng(2)
    one = _map(np.array([east, north])[:, None, None] + random.normal(0, 0.4, (2, 480, 480)), fine, sigma=0.1)
    other = _map(np.array(turned)[:, None, None] + random.normal(0, 0.1, (2, 200, 200)), coarse, sigma=0.1)
    found = compare_maps(one, other)
    for agreement in found.agreement.values():
        assert abs(agreement.offset) < 0.03
        assert 0.6 < agreement.standardised < 1.4
    assert found.agreement["east"].pixels > 5_000

    yearly = _map(np.array(turned)[:, None, None] * 365.25 / 366 * np.ones((2, 200, 200)), coarse, quantity="velocity")
    assert abs(compare_maps(one, yearly).agreement["north"].offset) < 0.03


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_gradient_is_where_it_is_at_another_resolution(factor):
    """10 m a kilometre: half a pixel of the finer map is 0.05 m."""
    maps = []
    for side, count in ((10.0, 40 * factor), (10.0 * factor, 40)):
        grid = GeoBox((count, count), Affine(side, 0, 500_000, 0, -side, 4_000_000), "EPSG:32633")
        down, right = np.indices(grid.shape) + 0.5
        maps.append(_map(np.stack([right, -down]) * side / 100, grid))
    for agreement in compare_maps(*maps).agreement.values():
        assert abs(agreement.offset) < 1e-3
        assert agreement.spread < 1e-3


def test_a_map_in_degrees_is_compared_in_metres():
    """The coarser map is the one in degrees, of 33 m to the east; it is tilted by a metre a kilometre."""
    metres = GeoBox((300, 300), Affine(10, 0, 498_500, 0, -10, 4_984_000), "EPSG:32633")
    degrees = GeoBox((60, 50), Affine(1 / 2400, 0, 14.99, 0, -1 / 3360, 45.002), "EPSG:4326")
    rise = np.broadcast_to(np.arange(50) * 111.195 / 2400 * np.cos(np.radians(45)), (60, 50))
    found = compare_maps(_map(np.zeros((2, 300, 300)), metres), _map(np.stack([rise, rise]), degrees), ramp=True)
    assert found.grid == degrees
    assert found.metres == pytest.approx((33.1, 32.8), abs=0.1)
    assert found.agreement["east"].per_km_east == pytest.approx(1, rel=0.01)
    assert found.agreement["east"].per_km_north == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("reach", [0, 6])
def test_the_uncertainty_of_the_offset_is_that_of_its_errors(reach):
    """Maps that are 0.3 m apart, with errors that are alike over `reach` pixels."""
    grid, z = GeoBox((120, 120), AFFINE, "EPSG:32607"), []
    for seed in range(30):
        noise = np.random.default_rng(seed).normal(0, 1, (4, 120, 120))
        errors = ndimage.gaussian_filter(noise, (0, reach, reach), mode="wrap") if reach else noise
        for ramp in (False, True):
            found = compare_maps(_map(errors[:2], grid), _map(errors[2:] + 0.3, grid), ramp=ramp).agreement
            for each in found.values():
                z.append((each.offset - 0.3) / each.offset_sigma)
                assert (each.per_km_east_sigma > 0) == ramp
    assert 0.3 < np.mean(np.square(z)) < 1.5


def test_comparison_is_written(tmp_path):
    grid = GeoBox((40, 50), AFFINE, "EPSG:32607")
    write_dataset(tmp_path / "a.tif", _map(_moved(seed=1), grid))
    write_dataset(tmp_path / "b.tif", _map(_moved(seed=2) + 1.0, grid))
    said = write_comparison(tmp_path / "a.tif", tmp_path / "b.tif", tmp_path / "out")
    assert "2000 pixels of 120 m in both" in said
    report = json.loads((tmp_path / "out/comparison.json").read_text())
    assert report["east"]["offset"] == pytest.approx(1, abs=0.02)
    assert report["east"]["slope"] == pytest.approx(1, abs=0.02)
    assert report["north"]["standardised"] == pytest.approx(1, abs=0.15)
    assert report["east"]["outliers"] < 0.001
    tilted = _moved(seed=2) + 0.12 * np.indices((40, 50))[1] * 0.5  # half a metre a kilometre to the east
    found = compare_maps(_map(_moved(seed=1), grid), _map(tilted, grid), ramp=True).agreement["north"]
    assert found.per_km_east == pytest.approx(0.5, abs=0.02)
    assert found.per_km_north == pytest.approx(0, abs=0.02)
    assert found.spread == pytest.approx(0.14, abs=0.02)
    assert (tmp_path / "out/comparison.png").stat().st_size > 10_000
    _raster(tmp_path / "c.tif", _moved())
    with pytest.raises(InputError, match="displacement map"):
        write_comparison(tmp_path / "a.tif", tmp_path / "c.tif", tmp_path / "out")


def test_commands(tmp_path):
    _raster(tmp_path / "other.tif", _moved(seed=2))
    write_dataset(tmp_path / "a.tif", _map(_moved(seed=1), GeoBox((40, 50), AFFINE, "EPSG:32607")))
    run = CliRunner().invoke
    other = [str(tmp_path / name) for name in ("other.tif", "b.tif")]
    said = run(app, ["convert", other[0], "-o", other[1], "--from", "cosi-corr", "--sigma", "0.1"])
    assert said.exit_code == 0, said.output
    said = run(app, ["compare", str(tmp_path / "a.tif"), other[1], "-o", str(tmp_path / "out"), "--ramp"])
    assert said.exit_code == 0, said.output
    assert "2000 pixels" in said.output
    assert (tmp_path / "out/comparison.json").is_file()
