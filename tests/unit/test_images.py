"""Opening images of every ordinary kind, and one clear error for each that cannot be used."""

import http.server
import pickle
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import dask.array
import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import wrap_xr
from rasterio.enums import ColorInterp

from groundshift.errors import InputError
from groundshift.grid.common import LOCAL_CRS
from groundshift.grid.tiles import Box
from groundshift.io import open_array, open_image
from groundshift.model.reason import Reason

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")

GRID = GeoBox((90, 110), Affine(10, 0, 500000, 0, -10, 4600000), "EPSG:32611")
WHOLE = Box(0, 0, *GRID.shape)


@pytest.fixture
def texture():
    return np.random.default_rng(2).integers(1, 250, GRID.shape)


def write(path, values, *, crs="EPSG:32611", transform=GRID.affine, nodata=None, driver="GTiff", **options):
    values = np.atleast_3d(values.T).T
    place = {"crs": crs, "transform": transform} if transform else {}
    with rasterio.open(
        path, "w", driver=driver, count=len(values), height=values.shape[1], width=values.shape[2],
        dtype=values.dtype, nodata=nodata, **place, **options,
    ) as dataset:  # fmt: skip
        dataset.write(values)
    return path


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64"])
def test_every_type_becomes_float32(tmp_path, texture, dtype):
    image = open_image(write(tmp_path / "a.tif", texture.astype(dtype)))
    pixels = image.read(WHOLE)
    assert pixels.values.dtype == np.float32
    assert pixels.reason.dtype == np.uint8
    np.testing.assert_array_equal(pixels.values, texture)
    assert image.grid == GRID
    assert image.track_angle is None


def test_other_drivers(tmp_path, texture):
    values = texture.astype(np.uint16)
    write(tmp_path / "a.tif", values, driver="COG")
    write(tmp_path / "b.jp2", values, driver="JP2OpenJPEG", QUALITY=100, REVERSIBLE="YES")
    write(tmp_path / "c.img", values, driver="HFA")
    for name in ("a.tif", "b.jp2", "c.img"):
        image = open_image(str(tmp_path / name))
        assert image.grid == GRID
        np.testing.assert_array_equal(image.read(WHOLE).values, texture)


@pytest.mark.parametrize(
    ("dtype", "nodata"), [("uint16", 0), ("int16", -9999), ("float32", -3.4e38), ("float32", np.nan)]
)
def test_no_data_of_the_file(tmp_path, texture, dtype, nodata):
    values = texture.astype(dtype)
    values[4:6, 7] = nodata
    pixels = open_image(write(tmp_path / "a.tif", values, nodata=nodata)).read(WHOLE)
    assert (pixels.reason[4:6, 7] == Reason.NO_DATA).all()
    assert np.isnan(pixels.values[4:6, 7]).all()
    assert np.count_nonzero(pixels.reason) == 2


def test_no_data_asked_for_overrides(tmp_path, texture):
    values = texture.astype(np.uint8)
    values[0, 0], values[0, 1] = 0, 255
    pixels = open_image(write(tmp_path / "a.tif", values, nodata=0), nodata=255).read(WHOLE)
    assert pixels.reason[0, :2].tolist() == [Reason.VALID, Reason.NO_DATA]


def test_infinite_values_are_no_data(tmp_path, texture):
    values = texture.astype(np.float64)
    values[1, 1:5] = [np.inf, -np.inf, np.nan, 1e300]
    assert (open_image(write(tmp_path / "a.tif", values)).read(WHOLE).reason[1, 1:5] == Reason.NO_DATA).all()


def test_the_least_of_all_numbers_is_no_data_though_nobody_says_so(tmp_path, texture):
    values = texture.astype(np.float32)
    values[1, 1:3] = [np.finfo(np.float32).min, 1e38]
    reason = open_image(write(tmp_path / "a.tif", values)).read(WHOLE).reason
    assert (reason[1, 1:3] == Reason.NO_DATA).all()
    assert (reason != Reason.VALID).sum() == 2


def test_alpha_is_a_mask_not_a_choice(tmp_path, texture):
    alpha = np.full(GRID.shape, 255)
    alpha[10:20] = 0
    path = write(tmp_path / "a.tif", np.stack([texture, alpha]).astype(np.uint8), ALPHA="YES")
    with rasterio.open(path) as dataset:
        assert dataset.colorinterp[1] == ColorInterp.alpha
    np.testing.assert_array_equal(open_image(path).read(WHOLE).reason == Reason.NO_DATA, alpha == 0)


def test_mask_band_beside_the_values(tmp_path, texture):
    path = write(tmp_path / "a.tif", texture.astype(np.uint8))
    usable = np.ones(GRID.shape, bool)
    usable[:, 30:40] = False
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(usable)
    np.testing.assert_array_equal(open_image(path).read(WHOLE).reason == Reason.VALID, usable)


def test_band_by_number_and_name(tmp_path, texture):
    path = write(tmp_path / "a.tif", np.stack([texture, texture + 1, texture + 2]).astype(np.uint16))
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("Blue", None, "Red")
    for band, plus in ((1, 0), ("2", 1), ("red", 2)):
        np.testing.assert_array_equal(open_image(path, band=band).read(WHOLE).values, texture + plus)
    with pytest.raises(InputError, match=r"has 3 bands; expected one: choose with --band: 1 \(Blue\), 2, 3 \(Red\)"):
        open_image(path)
    with pytest.raises(InputError, match=r"no band 'nir'; choose one with --band: 1 \(Blue\), 2, 3 \(Red\)"):
        open_image(path, band="nir")


def test_a_photograph_is_told_at_once_all_that_it_wants(tmp_path, texture):
    path = tmp_path / "photo.png"
    with (
        warnings.catch_warnings(action="ignore"),
        rasterio.open(path, "w", "PNG", texture.shape[1], texture.shape[0], 3, dtype="uint8") as made,
    ):
        made.write(np.stack([texture] * 3).astype(np.uint8))
    with pytest.raises(InputError, match=r"3 bands; .*--band: 1 \(red\).*no geotransform and no CRS.*--resolution"):
        open_image(path)
    with pytest.raises(InputError, match=r"3 \(blue\)$"):
        open_image(path, resolution=0.5)
    with pytest.raises(InputError, match=r"no geotransform and no CRS.*--resolution"):
        open_image(path, band=1)
    assert open_image(path, band=1, resolution=0.5).grid.affine.a == 0.5


def test_colours_have_names(tmp_path, texture):
    path = write(tmp_path / "a.tif", np.stack([texture] * 4).astype(np.uint8), photometric="RGB", alpha="YES")
    with pytest.raises(InputError, match=r"has 3 bands; .* --band: 1 \(red\), 2 \(green\), 3 \(blue\)"):
        open_image(path)
    np.testing.assert_array_equal(
        open_image(path, band="green").read(WHOLE).values, open_image(path, band=2).read(WHOLE).values
    )


def test_boxes_beyond_the_image(tmp_path, texture):
    image = open_image(write(tmp_path / "a.tif", texture.astype(np.uint8)))
    pixels = image.read(WHOLE.padded(3))
    assert (pixels.reason == Reason.OUTSIDE).sum() == 96 * 116 - 90 * 110
    np.testing.assert_array_equal(pixels.values[3:-3, 3:-3], texture)
    beyond = image.read(Box(-50, 200, -40, 220))
    assert beyond.values.shape == (10, 20)
    assert (beyond.reason == Reason.OUTSIDE).all()
    assert np.isnan(beyond.values).all()


@pytest.mark.parametrize(
    ("name", "tag", "day"),
    [
        ("site_20160529_B04.tif", "2020:01:02 03:04:05", "2016-05-29"),
        ("site_2016-05-29.tif", None, "2016-05-29"),
        ("LC80630182016200LGN00_B8.TIF", None, "2016-07-18"),
        ("site.tif", "2016:05:29 10:00:00", "2016-05-29"),
        ("site_20161399_120160529.tif", None, "NaT"),
        ("site_20160230_20160301.tif", None, "2016-03-01"),
        ("2003_ortho.tif", None, "NaT"),
    ],
)
def test_date(tmp_path, texture, name, tag, day):
    path = write(tmp_path / name, texture.astype(np.uint8))
    if tag:
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(TIFFTAG_DATETIME=tag)
    date = open_image(path).date
    assert date.dtype == "datetime64[D]"
    np.testing.assert_equal(date, np.datetime64(day))


def test_pickled_and_read_in_threads(tmp_path, texture):
    image = open_image(write(tmp_path / "a.tif", texture.astype(np.uint16)))
    image.read(WHOLE)
    again = pickle.loads(pickle.dumps(image))
    assert again.fingerprint() == image.fingerprint()
    boxes = [Box(i, i, i + 40, i + 50) for i in range(40)]
    with ThreadPoolExecutor(4) as pool:
        for box, pixels in zip(boxes, pool.map(again.read, boxes), strict=True):
            np.testing.assert_array_equal(pixels.values, texture[box.slices])


def test_a_file_that_changed_is_read_anew(tmp_path, texture):
    path = write(tmp_path / "a.tif", texture.astype(np.uint16))
    image = open_image(path)
    image.read(WHOLE)
    before = image.fingerprint()
    write(path, (texture + 7).astype(np.int32))
    assert image.fingerprint() != before
    np.testing.assert_array_equal(image.read(WHOLE).values, texture + 7)


def test_a_source_of_a_virtual_raster_or_a_mask_that_changed_is_noticed(tmp_path, texture):
    path, virtual = write(tmp_path / "a.tif", texture.astype(np.uint16)), tmp_path / "a.vrt"
    rasterio.shutil.copy(path, virtual, driver="VRT")
    before = open_image(virtual).fingerprint()
    write(path, (texture + 7).astype(np.int32))
    assert open_image(virtual).fingerprint() != before
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(texture > texture.mean())
    before = open_image(path).fingerprint()
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset></PAMDataset>")
    assert open_image(path).fingerprint() == before
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(tmp_path / "a.tif.msk", "r+") as mask:
            mask.write(np.full(texture.shape, 255, np.uint8), 1)
    assert open_image(path).fingerprint() != before


def test_url(tmp_path, texture):
    write(tmp_path / "a.tif", texture.astype(np.uint16), driver="COG")
    handler = partial(QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with rasterio.Env(GDAL_HTTP_PROXY="", no_proxy="127.0.0.1"):
            image = open_image(f"http://127.0.0.1:{server.server_port}/a.tif")
            np.testing.assert_array_equal(image.read(WHOLE).values, texture)
        server.shutdown()
    assert image.name == "a.tif"
    assert image.inputs == (image.path,)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_array_with_grid(texture):
    values = texture.astype(np.float64)
    values[3, 3] = np.nan
    values[4, 4] = -1
    image = open_image((values, GRID), nodata=-1)
    pixels = image.read(Box(0, 0, 10, 10))
    assert pixels.reason[[3, 4], [3, 4]].tolist() == [Reason.NO_DATA] * 2
    assert image.inputs == ()
    assert image.fingerprint() == open_image((values.copy(), GRID), nodata=-1).fingerprint()
    assert image.fingerprint() != open_image((values + 1, GRID), nodata=-1).fingerprint()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(image)).read(WHOLE).values, image.read(WHOLE).values)


def test_masked_array_and_bare_array(texture):
    values = np.ma.masked_equal(texture, texture[5, 6])
    image = open_array(values, resolution=2.5)
    np.testing.assert_array_equal(image.read(WHOLE).reason == Reason.NO_DATA, values.mask)
    assert image.grid.crs == LOCAL_CRS
    assert image.grid.resolution.x == 2.5
    assert (image.grid.boundingbox.left, image.grid.boundingbox.bottom) == (0, 0)


@pytest.mark.parametrize("lazy", [False, True])
def test_dataarray(texture, lazy):
    values = dask.array.from_array(texture, chunks=50) if lazy else texture
    array = wrap_xr(values, GRID, nodata=texture[0, 0]).assign_coords(time=np.datetime64("2016-05-29T10:00", "ns"))
    image = open_image(array.rename("scene").expand_dims("band"))
    np.testing.assert_array_equal(image.read(WHOLE).reason == Reason.NO_DATA, texture == texture[0, 0])
    assert (image.name, image.date, image.grid) == ("scene", np.datetime64("2016-05-29"), GRID)


def test_local_crs_survives_geotiff(tmp_path, texture):
    grid = open_array(texture, resolution=2.0).grid
    for driver in ("GTiff", "COG"):
        image = open_image(
            write(
                tmp_path / f"{driver}.tif",
                texture.astype(np.uint8),
                crs=grid.crs.to_wkt(),
                transform=grid.affine,
                driver=driver,
            )
        )
        assert image.grid == grid


class TestErrors:
    def test_missing(self, tmp_path):
        with pytest.raises(InputError, match=r"nowhere\.tif does not exist"):
            open_image(tmp_path / "nowhere.tif")

    def test_no_image(self, tmp_path):
        (tmp_path / "a.tif").write_text("not an image")
        with pytest.raises(InputError, match=r"a\.tif cannot be opened as an image .* expected GeoTIFF, JP2"):
            open_image(tmp_path / "a.tif")
        with pytest.raises(InputError, match="cannot be opened as an image"):
            open_image(tmp_path)

    def test_no_crs(self, tmp_path, texture):
        path = write(tmp_path / "a.tif", texture.astype(np.uint8), crs=None)
        with pytest.raises(InputError, match=r"a\.tif has no CRS; pass --crs EPSG:32611 .* rio edit-info"):
            open_image(path)
        assert open_image(path, crs="EPSG:32611").grid == GRID
        with pytest.raises(InputError, match="'EPSG:99999999' is not a CRS"):
            open_image(path, crs="EPSG:99999999")

    def test_other_crs_asked_for_is_logged(self, tmp_path, texture, caplog):
        path = write(tmp_path / "a.tif", texture.astype(np.uint8), crs="EPSG:32612")
        assert open_image(path, crs="EPSG:32611").grid == GRID
        assert "EPSG:32611 is used, as asked" in caplog.text

    def test_crs_without_place(self, tmp_path, texture):
        crs = 'LOCAL_CS["mine site",UNIT["metre",1]]'
        with pytest.raises(InputError, match="'mine site', which has no place on the ground"):
            open_image(write(tmp_path / "a.tif", texture.astype(np.uint8), crs=crs))

    @pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
    def test_no_geotransform(self, tmp_path, texture):
        path = write(tmp_path / "a.tif", texture.astype(np.uint8), transform=None)
        with pytest.raises(InputError, match=r"has no geotransform and no CRS; .*gdalwarp.*--resolution"):
            open_image(path)
        with pytest.raises(InputError, match=r"has no geotransform; .*gdalwarp"):
            open_image(path, crs="EPSG:32611")

    @pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
    def test_a_plain_picture_has_the_pixels_that_are_asked_for(self, tmp_path, texture):
        path = write(tmp_path / "a.png", texture.astype(np.uint8), driver="PNG", crs=None, transform=None, nodata=None)
        image, array = open_image(path, resolution=0.05), open_array(texture.astype(np.uint8), resolution=0.05)
        assert image.grid == array.grid
        box = Box(0, 0, *texture.shape)
        np.testing.assert_array_equal(image.read(box).values, array.read(box).values)
        on_a_grid = write(tmp_path / "a.tif", texture.astype(np.uint8))
        assert open_image(on_a_grid, resolution=0.05).grid == GRID

    def test_complex(self, tmp_path, texture):
        path = write(tmp_path / "a.tif", texture.astype(np.complex64))
        with pytest.raises(InputError, match=r"is complex \(complex64\); expected real values"):
            open_image(path)
        with pytest.raises(InputError, match="is complex"):
            open_image((texture.astype(complex), GRID))

    @pytest.mark.parametrize(("driver", "suffix"), [("GTiff", ".tif"), ("JP2OpenJPEG", ".jp2")])
    def test_truncated(self, tmp_path, driver, suffix):
        values = np.random.default_rng(3).integers(0, 60000, (900, 900)).astype(np.uint16)
        whole = write(tmp_path / f"whole{suffix}", values, driver=driver)
        path = tmp_path / f"half{suffix}"
        path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        with pytest.raises(
            InputError, match=r"half\.\w+ cannot be read at rows .*truncated or corrupt: fetch it again"
        ):
            open_image(path).read(Box(0, 0, 900, 900))

    def test_constant(self, tmp_path):
        values = np.full((700, 2500), 7, np.uint8)
        path = write(tmp_path / "a.tif", values)
        with pytest.raises(InputError, match=r"a\.tif is constant \(all usable pixels are 7\)"):
            open_image(path)
        values[333, 2222] = 8  # anywhere
        open_image(write(path, values))

    def test_constant_beside_no_data(self, tmp_path):
        values = np.zeros(GRID.shape, np.uint8)
        values[:50] = 9
        with pytest.raises(InputError, match="is constant"):
            open_image(write(tmp_path / "a.tif", values, nodata=0))

    def test_empty(self, tmp_path):
        path = write(tmp_path / "a.tif", np.zeros(GRID.shape, np.uint8), nodata=0)
        with pytest.raises(InputError, match=r"no usable pixel \(100 % no data in one of the images\)"):
            open_image(path)

    @pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
    def test_data_sets_inside(self, tmp_path, texture):
        path = tmp_path / "a.gpkg"
        write(path, texture.astype(np.uint8), driver="GPKG", RASTER_TABLE="before")
        write(path, texture.astype(np.uint8), driver="GPKG", RASTER_TABLE="after", APPEND_SUBDATASET="YES")
        with pytest.raises(InputError, match=r"give one of the data sets in it: GPKG:.*:before, GPKG:.*:after"):
            open_image(path)
        assert open_image(f"GPKG:{path}:after", band=1).grid.crs == "EPSG:32611"

    def test_arrays(self, texture):
        with pytest.raises(InputError, match=r"give \(array, GeoBox\), or use open_array"):
            open_image(texture)
        with pytest.raises(InputError, match=r"shape \(90, 109\), its grid \(90, 110\)"):
            open_image((texture[:, 1:], GRID))
        with pytest.raises(InputError, match="expected numbers"):
            open_array(texture.astype(str))
        with pytest.raises(InputError, match=r"expected \(y, x\): choose one band"):
            open_array(np.stack([texture, texture]))
        with pytest.raises(InputError, match="array is constant"):
            open_array(np.ones((5, 5)))

    def test_dataarrays(self, texture):
        with pytest.raises(InputError, match="DataArray has no CRS; pass crs="):
            open_image(xr.DataArray(texture, dims=("y", "x")))
        with pytest.raises(InputError, match=r"expected two, \(y, x\)"):
            open_image(wrap_xr(texture, GRID).expand_dims(time=2))
        uneven = wrap_xr(texture, GRID).isel(x=[0, 1, 3, 7, 8])
        uneven = uneven.assign_coords(spatial_ref=uneven.spatial_ref.drop_attrs()).rio.write_crs(32611)
        with pytest.raises(InputError, match="no regular coordinates"):
            open_image(uneven)
