"""What readers of stacks check: fields that differ, are missing, or mean something else than they seem to."""

import json
import logging
import re
import shutil

import h5py
import numpy as np
import pytest
import rasterio

from groundshift.engine import run_key
from groundshift.errors import InputError, RunError
from groundshift.insar.convert import convert_stack
from groundshift.insar.points import track_angle
from groundshift.insar.stack.places import range_sine
from groundshift.io.stacks import Supplement, files_of, geocoded, open_any_stack, write_any_stack
from groundshift.io.stacks.lazy import hdf5, map_places, tie_points
from groundshift.synth.radar.options import StackOptions
from groundshift.synth.radar.stack import simulate_stack

NEEDED = {"range_spacing": 4.0, "azimuth_spacing": 4.0, "slant_range": 8e5, "track": 1, "burst": 1, "swath": "IW1",
          "polarisation": "HH", "orbit": "ascending"}  # fmt: skip


@pytest.fixture(scope="module")
def stack():
    """Seen from the east: on a map, ranges grow to the west."""
    return simulate_stack(StackOptions(lines=40, pixels=60, dates=4, missing=0, orbit="descending", seed=4)).stack


@pytest.fixture(scope="module")
def folders(stack, tmp_path_factory):
    """One stack in some layouts, not to be changed."""
    folder = tmp_path_factory.mktemp("checked")
    for name in ("opera", "nisar", "isce2", "snap", "znap", "geotiff", "zarr"):
        write_any_stack(folder / name, stack, name)
    return folder


@pytest.fixture
def copy(folders, tmp_path):
    """Of the folder of a layout, to be changed."""
    return lambda name: shutil.copytree(folders / name, tmp_path / name)


def images(folder):
    """Files of dates, in order."""
    return sorted(each for each in folder.glob("*.h5") if "STATIC" not in each.name)


def test_nobody_is_taken_for_sentinel_1_who_does_not_say_so(copy):
    stripmap = copy("isce2")
    shutil.rmtree(stripmap / "reference")  # as of stripmapStack, with ALOS, say
    with pytest.raises(InputError, match=r"nothing of wavelength.*--attributes"):
        open_any_stack(stripmap, supplement=Supplement(attributes=NEEDED))
    given = Supplement(attributes=NEEDED | {"wavelength": 0.236})
    assert open_any_stack(stripmap, supplement=given).attrs["wavelength"] == 0.236
    with pytest.raises(InputError, match=r"wavelength is 236; give it in metres"):
        open_any_stack(stripmap, supplement=Supplement(attributes=NEEDED | {"wavelength": 236}))
    tiffs = copy("geotiff")
    record = json.loads((tiffs / "stack.json").read_text())
    record["wavelenght"] = record.pop("wavelength")
    (tiffs / "stack.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="nothing of wavelength"):
        open_any_stack(tiffs)
    zarr = copy("znap")
    for said in zarr.glob("*/.zattrs"):
        said.write_text(said.read_text().replace("S1A_IW", "TSX_SM"))
    with pytest.raises(InputError, match="no perpendicular baseline"):
        open_any_stack(zarr)  # which h2ph tells, and the wavelength
    assert open_any_stack(zarr, supplement=Supplement(attributes={"wavelength": 0.031, "track": 7})).sizes["time"] == 4


def test_images_of_several_polarisations_are_refused(copy):
    opera, nisar, znap = copy("opera"), copy("nisar"), copy("znap")
    with h5py.File(images(opera)[1], "a") as file:
        file.move("data/VV", "data/HH")
    with h5py.File(images(nisar)[1], "a") as file:
        file.move("science/LSAR/GSLC/grids/frequencyA/VV", "science/LSAR/GSLC/grids/frequencyA/HH")
    for folder in (opera, nisar):
        with pytest.raises(InputError, match=r"polarisation HH, .* has VV; keep images that are alike"):
            open_any_stack(folder)
    product = sorted(znap.iterdir())[1]
    for band in list(product.glob("*VV*")):
        band.rename(band.with_name(band.name.replace("VV", "VH")))
    with pytest.raises(InputError, match=r"VH and VV; choose with .*--polarisation VV"):
        open_any_stack(znap)


def test_images_of_several_frequencies_are_refused(copy):
    nisar = copy("nisar")
    with h5py.File(images(nisar)[2], "a") as file:
        file["science/LSAR/GSLC/grids/frequencyA/centerFrequency"][...] = 1.2295e9
    with pytest.raises(InputError, match=r"wavelength 0.243.* m, .* has 0.05"):
        open_any_stack(nisar)


@pytest.mark.parametrize(
    ("layout", "flag", "value"),
    [
        ("opera", "metadata/processing_information/parameters/topographic_flattening_applied", False),
        ("opera", "metadata/processing_information/parameters/ellipsoidal_flattening_applied", np.bytes_("False")),
        ("nisar", "science/LSAR/GSLC/metadata/processingInformation/parameters/ellipsoidalFlatteningApplied",
         np.bytes_("False")),
    ],
)  # fmt: skip
def test_images_that_were_not_flattened_are_refused(copy, layout, flag, value):
    folder = copy(layout)
    for path in images(folder):
        with h5py.File(path, "a") as file:
            file[flag] = True
    open_any_stack(folder)
    with h5py.File(images(folder)[-1], "a") as file:
        del file[flag]
        file[flag] = value
    with pytest.raises(InputError, match="has the topographic phase in its image"):
        open_any_stack(folder)
    open_any_stack(folder, supplement=Supplement(flattened=True))


def test_images_on_a_map_cannot_be_flattened_here(folders):
    with pytest.raises(InputError, match=r"is on a map.*make them anew, flattened"):
        open_any_stack(folders / "opera", supplement=Supplement(flattened=False))


def test_images_of_half_precision_are_read(copy, folders):
    nisar = copy("nisar")
    for path in images(nisar):
        with h5py.File(path, "a") as file:
            whole = file["science/LSAR/GSLC/grids/frequencyA/VV"][()]
            half = np.zeros(whole.shape, [("r", "<f2"), ("i", "<f2")])
            half["r"], half["i"] = whole.real, whole.imag
            del file["science/LSAR/GSLC/grids/frequencyA/VV"]
            file["science/LSAR/GSLC/grids/frequencyA/VV"] = half
    assert hdf5(path, "science/LSAR/GSLC/grids/frequencyA/VV").dtype == np.complex64
    expected = open_any_stack(folders / "nisar")["slc"].values
    assert np.abs(open_any_stack(nisar)["slc"].values - expected).max() < 2e-3 * np.abs(expected).max()


def test_spacings_on_a_map_in_degrees_are_metres(copy):
    opera = copy("opera")
    for path in opera.glob("*.h5"):
        with h5py.File(path, "a") as file:
            for name, first, step in (("x", 10.0, 6e-5), ("y", 45.0, -9e-5)):
                values = file[f"data/{name}_coordinates"]
                values[...] = first + step * np.arange(values.size)
            file["data/projection"][...] = 4326
    found = open_any_stack(opera)
    assert found.attrs["azimuth_spacing"] == pytest.approx(9e-5 * 111_132, rel=1e-3)
    slant = np.sin(np.radians(np.nanmedian(found["incidence"].values)))
    assert found.attrs["range_spacing"] == pytest.approx(6e-5 * 78_847 * slant, rel=1e-3)


def test_ranges_on_a_map_grow_away_from_the_satellite(stack):
    """From the west to the east for one that is in the west, and the other way round."""
    mapped = geocoded(stack)
    rows, columns = np.nonzero(np.abs(mapped["slc"].values).min(axis=0) > 0)
    incidence = mapped["incidence"].values[rows, columns]
    ranges = range_sine(mapped, incidence) / np.sin(np.radians(incidence))
    assert np.corrcoef(ranges, columns)[0, 1] < -0.9
    # 60 columns of 2.33 m, as seen by the radar
    wide = stack["incidence"].values
    far, near = (range_sine(stack, each) / np.sin(np.radians(each)) for each in (wide.max(), wide.min()))
    assert far - near == pytest.approx(59 * 2.33, rel=0.25)  # simulated incidence is that of a flat earth
    assert (far + near) / 2 == pytest.approx(stack.attrs["slant_range"], rel=3e-5)


def test_longitudes_pass_180_degrees():
    ties = tie_points(
        np.array([[179.9, -179.9]] * 2), offset=(0, 0), step=(10, 10), shape=(11, 11), longitude=True
    )[:, :]  # fmt: skip
    assert ties[0] % 360 == pytest.approx(179.9 + 0.02 * np.arange(11), abs=1e-9)
    assert np.abs(ties).max() <= 180
    x = 166_021.44 + 100.0 * np.arange(-40, 40)  # zone 1 begins at 180 degrees
    places = map_places(x, np.array([0.0, -100.0]), "EPSG:32601")["longitude"][:, :]
    exact = 180 + (x - 166_021.44) / 111_319.5
    apart = (places[0] - exact + 180) % 360 - 180
    assert np.abs(apart).max() < 1e-4  # 10 m, not 100 degrees
    assert np.abs(places).max() <= 180


def test_places_where_no_burst_reaches_are_not_in_the_gulf_of_guinea(copy, folders):
    isce = copy("isce2")
    for name in ("lat", "lon", "hgt"):
        values = np.memmap(isce / f"merged/geom_reference/{name}.rdr.full", "<f8", "r+", shape=(40, 60))
        values[:5, :30] = 0
        values.flush()
    found, whole = open_any_stack(isce), open_any_stack(folders / "isce2")
    assert np.isnan(found["latitude"].values[:5, :30]).all()
    assert np.isnan(found["incidence"].values[:5, :30]).all()
    assert np.isfinite(found["latitude"].values[5:]).all()
    bare = Supplement(attributes=NEEDED | {"wavelength": 0.236})
    shutil.rmtree(isce / "reference")
    found = open_any_stack(isce, supplement=bare.model_copy(update={"attributes": {
        name: each for name, each in bare.attributes.items() if name not in ("azimuth_spacing", "orbit")
    }}))  # fmt: skip
    assert found.attrs["azimuth_spacing"] == pytest.approx(13.94, rel=0.01)  # was kilometres
    assert found.attrs["orbit"] == whole.attrs["orbit"]


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_what_a_file_calls_no_data_is_none(copy, stack):
    tiffs, snap = copy("geotiff"), copy("snap")
    with rasterio.open(tiffs / "geometry" / "height.tif", "r+") as file:
        values = file.read(1)
        values[:5] = -9999
        file.write(values, 1)
        file.nodata = -9999
    height = np.memmap(snap / "stack.data" / "elevation.img", ">f4", "r+", shape=(40, 60))
    height[:5] = -32768
    height.flush()
    dim = snap / "stack.dim"
    name = "<BAND_NAME>elevation</BAND_NAME>"
    assert name in dim.read_text()
    dim.write_text(dim.read_text().replace(
        name, name + "<NO_DATA_VALUE_USED>true</NO_DATA_VALUE_USED><NO_DATA_VALUE>-32768.0</NO_DATA_VALUE>"
    ))  # fmt: skip
    for folder in (tiffs, snap):
        found = open_any_stack(folder)
        assert np.isnan(found["height"].values[:5]).all()
        assert np.abs(found["height"].values[5:] - stack["height"].values[5:]).max() < 1e-3


def test_ranges_of_another_part_of_the_image_are_corrected(copy, folders, caplog):
    """Metadata of the whole image in a part of it, ten thousand pixels on."""
    snap, expected = copy("snap"), open_any_stack(folders / "snap")["slc"].values
    dim = (snap / "stack.dim").read_text()
    first = re.search(r'slant_range_to_first_pixel"[^>]*>([\d.]+)<', dim)[1]
    (snap / "stack.dim").write_text(dim.replace(first, repr(float(first) - 23_296.0)))
    found = open_any_stack(snap)["slc"].values
    assert re.search(r"0\.00 s later and 232\d\d m farther away", caplog.text)
    left = np.angle(found * expected.conj())  # one phase for all of an image does no harm
    assert np.ptp(left, axis=(1, 2)).max() < 0.002


def test_nothing_is_given_beside_a_stack_of_our_own(folders):
    open_any_stack(folders / "zarr", supplement=Supplement())
    with pytest.raises(InputError, match="nothing can be given beside it"):
        open_any_stack(folders / "zarr", supplement=Supplement(conjugate=True))


def test_a_reference_date_that_is_no_day_is_refused():
    assert Supplement(reference_date="20200131").reference_date == "2020-01-31"
    with pytest.raises(ValueError, match="is no day"):
        Supplement(reference_date="2020-13-01")


def test_what_lies_beside_a_stack_is_part_of_the_name_of_its_run(copy):
    snap, isce = copy("snap"), copy("isce2")
    for path, beside in (
        (snap / "stack.dim", snap / "stack.data" / "elevation.img"),
        (isce / "merged", isce / "reference" / "IW2.xml"),
    ):
        before = run_key(files_of(path), {}, "1")
        assert run_key(files_of(path), {}, "1") == before
        beside.write_bytes(beside.read_bytes() + b" ")
        assert run_key(files_of(path), {}, "1") != before


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_dates_with_part_of_the_image_are_named(copy, tmp_path, caplog):
    tiffs = copy("geotiff")
    with caplog.at_level(logging.WARNING):
        convert_stack(tiffs, tmp_path / "whole.zarr")
    assert "part of the image is missing" not in caplog.text
    path = sorted(tiffs.glob("2*.tif"))[2]
    with rasterio.open(path, "r+") as file:
        values = file.read(1)
        values[:20] = 0
        file.write(values, 1)
    with caplog.at_level(logging.WARNING):
        made = convert_stack(tiffs, tmp_path / "partial.zarr")
    assert f"{str(made['time'].values[2])[:10]} (50%): part of the image is missing" in caplog.text
    assert caplog.text.count("%)") == 1


@pytest.mark.parametrize("layout", ["geotiff", "nisar"])
def test_rasters_that_could_not_be_written_whole_are_found(layout, stack, tmp_path, monkeypatch):
    """GDAL says nothing when the disk is full while a file is closed."""

    class Cut:
        def __init__(self, path, *arguments, **options):
            self.path, self.file = path, opened(path, *arguments, **options)

        def __enter__(self):
            return self.file

        def __exit__(self, *_):
            self.file.close()
            data = self.path.read_bytes()
            self.path.write_bytes(data[: len(data) // 2])

    opened = rasterio.open
    monkeypatch.setattr(rasterio, "open", lambda *a, **o: Cut(*a, **o) if a[1:] == ("w",) else opened(*a, **o))
    with pytest.raises(RunError, match="cannot be written whole"):
        write_any_stack(tmp_path / "stack", stack, layout)
    assert not list(tmp_path.iterdir())


def test_a_satellite_that_looks_to_the_left_flies_the_other_way():
    east, north = np.array([0.62, -0.59]), np.array([-0.10, -0.12])
    right = track_angle(east, north)
    assert track_angle(east, north, orbit="descending")[0] == right[0]
    assert track_angle(east, north, orbit="ascending")[0] == pytest.approx(right[0] - 180)
    assert track_angle(east, north, orbit="ascending")[1] == right[1]
    assert track_angle(east, north, orbit="descending")[1] == pytest.approx(right[1] + 180)
