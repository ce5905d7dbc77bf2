"""Sentinel-2 and Landsat products with their true layouts, tiny images inside."""

import pickle
import shutil
import tarfile
import zipfile

import numpy as np
import pytest
import rasterio
from affine import Affine

from groundshift.errors import InputError
from groundshift.grid.tiles import Box
from groundshift.io import open_image
from groundshift.model.reason import Reason

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")

SHAPE = (120, 126)  # 10 m pixels: 6 and 3 of them fit 60 m and 20 m pixels a whole number of times
WHOLE = Box(0, 0, *SHAPE)
NORTH_WEST = (600000, 5300040)
L1C = "S2A_MSIL1C_20171014T105041_N0205_R051_T30TXT_20171014T105234"
L2A = "S2B_MSIL2A_20210122T133229_N0214_R081_T30TXT_20210122T155500"
LANDSAT = "LC08_L1TP_063018_20160718_20200906_02_T1"


@pytest.fixture
def texture():
    return np.random.default_rng(1).integers(1, 4000, SHAPE).astype(np.uint16)


def write(path, values, resolution, *, driver="JP2OpenJPEG", origin=NORTH_WEST, crs="EPSG:32630"):
    values = np.atleast_3d(values.T).T
    lossless = {"QUALITY": 100, "REVERSIBLE": "YES"} if driver == "JP2OpenJPEG" else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    transform = Affine(resolution, 0, origin[0], 0, -resolution, origin[1])
    profile = {"count": len(values), "height": values.shape[1], "width": values.shape[2], "dtype": values.dtype}
    with rasterio.open(path, "w", driver=driver, crs=crs, transform=transform, **profile, **lossless) as dataset:
        dataset.write(values)


def write_tile_metadata(granule, day, name="MTD_TL.xml"):
    time = f'<SENSING_TIME metadataLevel="Standard">{day}T10:56:42.4Z</SENSING_TIME>'
    text = f'<n1:Level-1C_Tile_ID xmlns:n1="x">{time}</n1:Level-1C_Tile_ID>'
    (granule / name).write_text(text)


@pytest.fixture
def level_1c(tmp_path, texture):
    safe = tmp_path / f"{L1C}.SAFE"
    granule = safe / "GRANULE" / "L1C_T30TXT_A012082_20171014T105642"
    for band in ("B02", "B03", "B04", "B08"):
        write(granule / "IMG_DATA" / f"T30TXT_20171014T105041_{band}.jp2", texture + int(band[1:]), 10)
    write(granule / "IMG_DATA" / "T30TXT_20171014T105041_B11.jp2", texture[::2, ::2], 20)
    write_tile_metadata(granule, "2017-10-14")
    return safe


@pytest.fixture
def level_2a(tmp_path, texture):
    safe = tmp_path / f"{L2A}.SAFE"
    images = safe / "GRANULE" / "L2A_T30TXT_A020270_20210122T133224" / "IMG_DATA"
    write(images / "R10m" / "T30TXT_20210122T133229_B04_10m.jp2", texture, 10)
    write(images / "R20m" / "T30TXT_20210122T133229_B04_20m.jp2", texture[::2, ::2], 20)
    classes = np.full((60, 63), 4, np.uint8)
    classes[0, 0:12] = range(12)
    write(images / "R20m" / "T30TXT_20210122T133229_SCL_20m.jp2", classes, 20)
    write_tile_metadata(images.parent, "2021-01-22")
    return safe


@pytest.fixture
def landsat(tmp_path, texture):
    folder = tmp_path / LANDSAT
    north_west = (465067.5, 6681577.5)  # panchromatic pixels straddle the edges of the 30 m ones
    write(folder / f"{LANDSAT}_B8.TIF", texture, 15, driver="GTiff", origin=north_west, crs="EPSG:32607")
    coarse = (465060, 6681585)
    write(folder / f"{LANDSAT}_B4.TIF", texture[:61, :64], 30, driver="GTiff", origin=coarse, crs="EPSG:32607")
    quality = np.full((61, 64), 21824, np.uint16)  # clear, low confidences
    quality[10, 20] = 22280  # cloud
    quality[30, 30] = 1  # fill
    write(folder / f"{LANDSAT}_QA_PIXEL.TIF", quality, 30, driver="GTiff", origin=coarse, crs="EPSG:32607")
    saturation = np.zeros((61, 64), np.uint16)
    saturation[5, 5] = 1 << 3  # band 4
    write(folder / f"{LANDSAT}_QA_RADSAT.TIF", saturation, 30, driver="GTiff", origin=coarse, crs="EPSG:32607")
    (folder / f"{LANDSAT}_MTL.txt").write_text(
        'GROUP = LANDSAT_METADATA_FILE\n    PROCESSING_LEVEL = "L1TP"\n    DATE_ACQUIRED = 2016-07-18\n'
        "    QUANTIZE_CAL_MAX_BAND_8 = 65535\n    QUANTIZE_CAL_MIN_BAND_8 = 1\nEND_GROUP = LANDSAT_METADATA_FILE\nEND\n"
    )
    return folder


def test_level_1c_gives_the_red_10_m_band(level_1c, texture):
    image = open_image(level_1c)
    pixels = image.read(WHOLE)
    assert image.name == L1C
    assert image.date == np.datetime64("2017-10-14")
    assert image.grid.crs == "EPSG:32630"
    assert image.grid.resolution.x == 10
    np.testing.assert_array_equal(pixels.values, texture + 4)
    assert not pixels.reason.any()
    assert [path.rsplit("_", 1)[1] for path in image.inputs] == ["B04.jp2"]


@pytest.mark.parametrize("band", ["B08", "b8", 8, "08"])
def test_another_band(level_1c, texture, band):
    np.testing.assert_array_equal(open_image(level_1c, band=band).read(WHOLE).values, texture + 8)


def test_a_band_that_has_not_10_m(level_1c):
    with pytest.raises(InputError, match=r"'B11' is not a 10 m band .* one of B02, B03, B04, B08"):
        open_image(level_1c, band="B11")


def test_a_product_without_the_band(level_2a):
    with pytest.raises(InputError, match="no file of band B08, only B04"):
        open_image(level_2a, band="B08")


def test_metadata_file_or_granule_instead_of_the_folder(level_1c, texture):
    (level_1c / "MTD_MSIL1C.xml").write_text("<x/>")
    for source in (level_1c / "MTD_MSIL1C.xml", next((level_1c / "GRANULE").iterdir())):
        image = open_image(source)
        assert image.name == L1C
        np.testing.assert_array_equal(image.read(WHOLE).values, texture + 4)


def test_zero_is_no_data_and_the_largest_number_saturated(level_1c, texture):
    texture[3, 4], texture[5, 6] = 0, 65535
    band = next(level_1c.rglob("*B04.jp2"))
    band.unlink()
    write(band, texture, 10)
    pixels = open_image(level_1c).read(WHOLE)
    assert pixels.reason[3, 4] == Reason.NO_DATA
    assert pixels.reason[5, 6] == Reason.SATURATED
    assert np.isnan(pixels.values[[3, 5], [4, 6]]).all()
    assert np.count_nonzero(pixels.reason) == 2


def test_scene_classes_of_level_2a(level_2a, texture):
    image = open_image(level_2a)
    pixels = image.read(WHOLE)
    of_class = {
        0: Reason.NO_DATA,
        1: Reason.SATURATED,
        3: Reason.CLOUD,
        8: Reason.CLOUD,
        9: Reason.CLOUD,
        10: Reason.CLOUD,
    }
    expected = np.zeros(SHAPE, np.uint8)
    for number, reason in of_class.items():
        expected[0:2, 2 * number : 2 * number + 2] = reason
    np.testing.assert_array_equal(pixels.reason, expected)
    np.testing.assert_array_equal(pixels.values, np.where(expected == 0, texture, np.nan))
    assert image.date == np.datetime64("2021-01-22")
    assert len(image.inputs) == 2


def test_clouds_can_be_kept_but_not_no_data(level_2a):
    reason = open_image(level_2a, cloud_mask=False).read(WHOLE).reason
    assert set(np.unique(reason)) == {Reason.VALID, Reason.NO_DATA, Reason.SATURATED}


def test_a_box_reads_as_the_whole_does(level_2a):
    image = open_image(level_2a)
    whole = image.read(WHOLE.padded(5))
    part = image.read(Box(-3, 7, 31, 140))
    np.testing.assert_array_equal(part.reason[:, :119], whole.reason[2:36, 12:131])
    np.testing.assert_array_equal(part.values[:, :119], whole.values[2:36, 12:131])
    assert (part.reason[:, 119:] == Reason.OUTSIDE).all()


def test_cloud_raster_of_level_1c(level_1c):
    layers = np.zeros((3, 20, 21), np.uint8)
    layers[0, 1, 2] = layers[1, 3, 4] = 1  # opaque, cirrus
    layers[2, 7, 7] = 1  # snow is no cloud
    write(next((level_1c / "GRANULE").iterdir()) / "QI_DATA" / "MSK_CLASSI_B00.jp2", layers, 60)
    reason = open_image(level_1c).read(WHOLE).reason
    expected = np.zeros(SHAPE, np.uint8)
    expected[6:12, 12:18] = expected[18:24, 24:30] = Reason.CLOUD
    np.testing.assert_array_equal(reason, expected)


GML = """<?xml version="1.0" encoding="UTF-8"?>
<eop:Mask xmlns:eop="http://www.opengis.net/eop/2.0" xmlns:gml="http://www.opengis.net/gml/3.2" gml:id="x">
  <eop:maskMembers><eop:MaskFeature gml:id="OPAQUE.0"><eop:maskType codeSpace="x">OPAQUE</eop:maskType>
  <eop:extentOf><gml:Polygon gml:id="OPAQUE.0_Polygon">
  <gml:exterior><gml:LinearRing><gml:posList srsDimension="2">
    600060 5299980 600180 5299980 600180 5299860 600060 5299860 600060 5299980
  </gml:posList></gml:LinearRing></gml:exterior>
  <gml:interior><gml:LinearRing><gml:posList srsDimension="2">
    600105 5299935 600135 5299935 600135 5299905 600105 5299905 600105 5299935
  </gml:posList></gml:LinearRing></gml:interior>
  </gml:Polygon></eop:extentOf></eop:MaskFeature></eop:maskMembers></eop:Mask>"""


def test_cloud_polygons_of_old_products(level_1c):
    quality = next((level_1c / "GRANULE").iterdir()) / "QI_DATA"
    quality.mkdir()
    (quality / "MSK_CLOUDS_B00.gml").write_text(GML)
    cloudy = open_image(level_1c).read(WHOLE).reason == Reason.CLOUD
    assert cloudy[7:17, 7:17].sum() == 10 * 10 - 2 * 2  # whole pixels inside the hole stay clear
    assert not cloudy[11:13, 11:13].any()
    assert not cloudy[:5].any()
    assert not cloudy[20:].any()
    (quality / "MSK_CLOUDS_B00.gml").write_bytes(b"")
    assert not open_image(level_1c).read(WHOLE).reason.any()
    (quality / "MSK_CLOUDS_B00.gml").write_text("<eop:Mask")
    with pytest.raises(InputError, match=r"MSK_CLOUDS_B00\.gml is not valid XML"):
        open_image(level_1c)


def test_zip_equals_folder_also_after_pickling(level_2a, tmp_path):
    archive = tmp_path / f"{L2A}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in level_2a.rglob("*"):
            file.write(path, path.relative_to(tmp_path))
    whole = open_image(level_2a)
    zipped = open_image(archive)
    assert (zipped.name, zipped.date, zipped.grid) == (whole.name, whole.date, whole.grid)
    assert zipped.inputs == (str(archive),)
    again = pickle.loads(pickle.dumps(zipped))
    for image in (zipped, again, open_image(archive / f"{L2A}.SAFE")):
        np.testing.assert_array_equal(image.read(WHOLE).values, whole.read(WHOLE).values)
    assert again.fingerprint() == zipped.fingerprint() != whole.fingerprint()


def test_truncated_zip(level_1c, tmp_path):
    archive = tmp_path / "product.zip"
    shutil.make_archive(str(archive.with_suffix("")), "zip", level_1c.parent, level_1c.name)
    archive.write_bytes(archive.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"product.zip cannot be opened as an archive.*truncated"):
        open_image(archive)


def test_other_archive_says_how_to_name_its_image(tmp_path, texture):
    write(tmp_path / "a.tif", texture, 10, driver="GTiff")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.write(tmp_path / "a.tif", "a.tif")
    with pytest.raises(InputError, match="no Sentinel-2 or Landsat product; name the image in it: /vsizip/"):
        open_image(tmp_path / "other.zip")
    image = open_image(f"/vsizip/{tmp_path}/other.zip/a.tif")
    np.testing.assert_array_equal(image.read(WHOLE).values, texture)


LONG = "S2A_OPER_PRD_MSIL1C_PDMC_20160929T185902_R065_V20160829T102022_20160829T102344"


def long_name_granule(safe, tile, texture):
    stem = f"S2A_OPER_MSI_L1C_TL_SGS__20160829T154211_A006640_{tile}"
    granule = safe / "GRANULE" / f"{stem}_N02.04"
    write(granule / "IMG_DATA" / f"{stem}_B04.jp2", texture, 10)
    write_tile_metadata(granule, "2016-08-29", f"S2A_OPER_MTD_L1C_TL_SGS__20160829T154211_A006640_{tile}.xml")
    (granule / "QI_DATA").mkdir()
    name = f"S2A_OPER_MSK_CLOUDS_SGS__20160829T154211_A006640_{tile}_B00_MSIL1C.gml"
    (granule / "QI_DATA" / name).write_text(GML)
    return granule


def test_long_names_of_2015_and_2016(tmp_path, texture):
    safe = tmp_path / f"{LONG}.SAFE"
    first = long_name_granule(safe, "T32TPP", texture)
    image = open_image(safe)
    assert image.date == np.datetime64("2016-08-29")
    assert (image.read(WHOLE).reason == Reason.CLOUD).any()
    second = long_name_granule(safe, "T32TQP", texture)
    with pytest.raises(InputError, match="holds 2 granules; expected one") as error:
        open_image(safe)
    assert str(first) in str(error.value)
    assert str(second) in str(error.value)
    assert open_image(second).date == np.datetime64("2016-08-29")


def test_landsat_panchromatic_with_quality_of_30_m(landsat, texture):
    image = open_image(landsat)
    pixels = image.read(WHOLE)
    assert (image.name, image.date) == (LANDSAT, np.datetime64("2016-07-18"))
    assert image.grid.resolution.x == 15
    expected = np.zeros(SHAPE, np.uint8)
    # A 30 m pixel (row r, column c) touches the panchromatic rows 2r - 1 to 2r + 1.
    expected[19:22, 39:42] = Reason.CLOUD
    expected[59:62, 59:62] = Reason.NO_DATA
    np.testing.assert_array_equal(pixels.reason, expected)
    np.testing.assert_array_equal(pixels.values, np.where(expected == 0, texture, np.nan))
    assert len(image.inputs) == 3


def test_landsat_band_and_its_saturation(landsat, texture):
    image = open_image(landsat, band="B4")
    reason = image.read(Box(0, 0, 61, 64)).reason
    assert reason[5, 5] == Reason.SATURATED
    assert np.count_nonzero(reason == Reason.SATURATED) == 1
    assert open_image(landsat, band=4).inputs == image.inputs


def test_landsat_saturated_panchromatic_value(landsat, texture):
    texture[40, 41] = 65535
    north_west = (465067.5, 6681577.5)
    band = landsat / f"{LANDSAT}_B8.TIF"
    band.unlink()  # GDAL would take the metadata file with it
    write(band, texture, 15, driver="GTiff", origin=north_west, crs="EPSG:32607")
    assert open_image(landsat).read(WHOLE).reason[40, 41] == Reason.SATURATED


def test_landsat_without_the_band_lists_those_there(landsat):
    with pytest.raises(InputError, match="has no band B5; choose one with --band: B4, B8"):
        open_image(landsat, band="B5")


def test_landsat_tar_equals_folder(landsat, tmp_path):
    archive = tmp_path / f"{LANDSAT}.tar"
    with tarfile.open(archive, "w") as file:
        for path in sorted(landsat.iterdir()):
            file.add(path, path.name)
    packed, whole = open_image(archive), open_image(landsat)
    np.testing.assert_array_equal(packed.read(WHOLE).values, whole.read(WHOLE).values)
    assert packed.date == whole.date
    assert packed.inputs == (str(archive),)


def test_landsat_date_from_the_name_without_metadata(landsat):
    (landsat / f"{LANDSAT}_MTL.txt").unlink()
    assert open_image(landsat).date == np.datetime64("2016-07-18")


def test_two_landsat_products_in_a_folder(landsat):
    other = f"{LANDSAT.replace('20160718', '20160803')}_B8.TIF"
    shutil.copy(landsat / f"{LANDSAT}_B8.TIF", landsat / other)
    with pytest.raises(InputError, match="holds 2 Landsat products"):
        open_image(landsat)


def test_not_terrain_corrected_is_said(landsat, caplog):
    metadata = landsat / f"{LANDSAT}_MTL.txt"
    metadata.write_text(metadata.read_text().replace("L1TP", "L1GT"))
    open_image(landsat)
    assert "L1GT, not terrain-corrected" in caplog.text
