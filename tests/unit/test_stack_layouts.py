"""Stacks in the layouts of other programs: what is written is read again, and what is wrong is said."""

import json
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest
import xarray as xr

from groundshift.cli.stack import LayoutName
from groundshift.errors import InputError, RunError
from groundshift.insar import convert
from groundshift.insar.convert import convert_stack
from groundshift.io.radar_stack import write_stack
from groundshift.io.stacks import LAYOUTS, MAPPED, Supplement, geocoded, open_any_stack, write_any_stack
from groundshift.model.radar_stack import LAYERS, check_stack
from groundshift.synth.radar.options import StackOptions
from groundshift.synth.radar.stack import simulate_stack

FOREIGN = [name for name in LAYOUTS if name != "zarr"]


@pytest.fixture(scope="module", params=["ascending", "descending"])
def stack(request):
    """A small simulated stack."""
    options = StackOptions(lines=40, pixels=70, dates=5, missing=0, orbit=request.param, seed=3)
    return simulate_stack(options).stack


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """One stack in all layouts, not to be changed."""
    stack = simulate_stack(StackOptions(lines=30, pixels=50, dates=4, missing=0, seed=4)).stack
    folder = tmp_path_factory.mktemp("layouts")
    for name in FOREIGN:
        write_any_stack(folder / name, stack, name)
    return folder


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_what_is_written_is_read_again(stack, layout, tmp_path):
    expected = geocoded(stack) if layout in MAPPED else stack
    write_any_stack(tmp_path / "stack", stack, layout)
    own = Supplement(reference_date=stack.attrs["reference_date"]) if layout in MAPPED else None  # they name none
    back = open_any_stack(tmp_path / "stack", supplement=own)
    check_stack(back)
    assert back["slc"].chunks is not None  # lazy
    assert (back["time"].values == expected["time"].values).all()
    assert (back["y"].values == expected["y"].values).all()
    power = np.abs(expected["slc"].values)
    assert np.abs(back["slc"].values - expected["slc"].values).max() <= 3e-6 * power.max()
    assert (back["slc"].values[power == 0] == 0).all()
    assert back["perpendicular_baseline"].values == pytest.approx(expected["perpendicular_baseline"].values, abs=0.01)
    for name in LAYERS:
        allowed = {"latitude": 3e-9, "longitude": 3e-9, "height": 1e-3, "incidence": 0.02}.get(name, 3e-4)
        assert np.nanmax(np.abs(back[name].values - expected[name].values)) < allowed, name
    for name in ("wavelength", "track", "swath", "polarisation", "orbit", "reference_date"):
        if (name, layout) == ("swath", "nisar"):  # it has none
            continue
        assert (
            back.attrs[name] == pytest.approx(expected.attrs[name])
            if name == "wavelength"
            else (back.attrs[name] == expected.attrs[name])
        )
    assert back.attrs["slant_range"] == pytest.approx(expected.attrs["slant_range"], abs=30)


def test_a_layout_is_converted_to_our_own_window_by_window(folders, tmp_path):
    seen = []
    made = convert_stack(
        folders / "isce2", tmp_path / "out.zarr", report=lambda done, total: seen.append((done, total))
    )
    assert seen == [(1, 1)]
    assert (made["slc"].values == open_any_stack(folders / "isce2")["slc"].values).all()
    assert {each.name for each in tmp_path.iterdir()} == {"out.zarr"}


def test_a_stack_of_our_own_is_converted_with_all_that_it_holds(stack, tmp_path):
    write_stack(tmp_path / "in.zarr", stack)
    made = convert_stack(tmp_path / "in.zarr", tmp_path / "out.zarr")
    xr.testing.assert_equal(made.compute(), stack.compute())


def test_a_failed_conversion_gives_no_stack(folders, tmp_path):
    copy = _copy(folders / "isce2", tmp_path / "stack")
    data = next((copy / "merged" / "SLC").glob("*/*.full"))
    opened = open_any_stack(copy)
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(InputError, match="truncated"):
        convert_stack(copy, tmp_path / "out.zarr")
    assert not (tmp_path / "out.zarr").exists()
    assert opened is not None


KILLED = """
import os, signal, sys
import groundshift.insar.convert as convert
from groundshift.io.stacks import LAYOUTS

folder, out, dies = sys.argv[1:]
convert._WINDOW = 16
write, place = convert.write_window, convert.put_in_place
def dying(cube, arrays, rows, columns):
    if dies == "writing" and rows.start == 16 and columns.start == 16:
        write(cube, {"slc": arrays["slc"]}, rows, columns)  # a part of a window
        os.kill(os.getpid(), signal.SIGKILL)
    write(cube, arrays, rows, columns)
def dying_late(cube, path):
    if dies == "placing":
        path.replace(cube.with_name("before"))
        os.kill(os.getpid(), signal.SIGKILL)
    place(cube, path)
convert.write_window, convert.put_in_place = dying, dying_late
print(len(convert.convert_stack(folder, out, report=lambda done, total: print(done, total))["time"]))
"""


def test_a_killed_conversion_goes_on_and_gives_the_same_bytes(folders, tmp_path):
    def call(name, dies):
        command = [sys.executable, "-W", "error", "-c", KILLED, folders / "isce2", tmp_path / name, dies]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    whole = call("whole.zarr", "no")
    assert whole.returncode == 0, whole.stderr
    assert whole.stdout.split("\n")[0] == "1 8"  # 2 x 4 windows
    assert call("killed.zarr", "writing").returncode == -signal.SIGKILL
    assert not (tmp_path / "killed.zarr").exists()
    assert len(list(tmp_path.glob(".killed.zarr.*/done/*"))) == 5
    write_stack(tmp_path / "killed.zarr", open_any_stack(folders / "snap"))  # another is there meanwhile
    assert call("killed.zarr", "placing").returncode == -signal.SIGKILL
    again = call("killed.zarr", "no")
    assert again.returncode == 0, again.stderr
    assert again.stdout == "4\n"  # no window is left to do
    assert {each.name for each in tmp_path.iterdir()} == {"whole.zarr", "killed.zarr"}
    files = {
        each.relative_to(tmp_path / "whole.zarr") for each in (tmp_path / "whole.zarr").rglob("*") if each.is_file()
    }
    assert files == {each.relative_to(tmp_path / "killed.zarr")
                     for each in (tmp_path / "killed.zarr").rglob("*") if each.is_file()}  # fmt: skip
    for name in files:
        assert (tmp_path / "killed.zarr" / name).read_bytes() == (tmp_path / "whole.zarr" / name).read_bytes(), name


@pytest.fixture
def largest_file():
    """Sets a limit to the size of files; None lifts it."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, before if size is None else (size, before[1]))

    yield limit
    limit(None)


def test_a_full_disk_names_the_stack_and_finished_windows_are_kept(folders, tmp_path, monkeypatch, largest_file):
    monkeypatch.setattr(convert, "_WINDOW", 16)
    write, done = convert.write_window, []

    def filling(cube, arrays, rows, columns):
        if (rows.start, columns.start) == (16, 16):
            largest_file(1000)
        write(cube, arrays, rows, columns)

    monkeypatch.setattr(convert, "write_window", filling)
    with pytest.raises(RunError, match=r"too large: .*/out\.zarr/\w+'.* go on from the 5 finished windows"):
        convert_stack(folders / "isce2", tmp_path / "out.zarr")
    largest_file(None)
    assert not (tmp_path / "out.zarr").exists()
    monkeypatch.setattr(convert, "write_window", write)
    convert_stack(folders / "isce2", tmp_path / "out.zarr", report=lambda *numbers: done.append(numbers))
    assert done == [(6, 8), (7, 8), (8, 8)]
    assert [each.name for each in tmp_path.iterdir()] == ["out.zarr"]


@pytest.mark.parametrize("limit", [10, 1500])
def test_a_conversion_without_a_finished_window_leaves_nothing(folders, tmp_path, largest_file, limit):
    largest_file(limit)
    with pytest.raises((OSError, RunError), match=r"too large: .*out\.zarr"):
        convert_stack(folders / "isce2", tmp_path / "out.zarr")
    largest_file(None)
    assert not [each for each in tmp_path.iterdir() if each.is_dir()]


def test_what_unfinished_conversions_left_is_named(folders, tmp_path, caplog):
    other = tmp_path / ".out.zarr.0123456789abcdef"
    (other / "done").mkdir(parents=True)
    convert_stack(folders / "isce2", tmp_path / "out.zarr")
    assert caplog.messages == [
        f"{other} holds windows of an unfinished run with other options or inputs; delete it if it is not wanted"
    ]


def test_a_folder_of_no_known_layout_is_refused(tmp_path):
    with pytest.raises(InputError, match="OPERA"):
        open_any_stack(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        open_any_stack(tmp_path / "nothing")
    with pytest.raises(InputError, match="not known"):
        open_any_stack(tmp_path, layout="gamma")


def test_a_date_that_is_there_twice_is_named(folders, tmp_path):
    copy = _copy(folders / "geotiff", tmp_path / "stack")
    first = sorted(copy.glob("2*.tif"))[0]
    (copy / f"again_{first.name}").write_bytes(first.read_bytes())
    with pytest.raises(InputError, match=f"again_{first.name}.* are both of"):
        open_any_stack(copy)


def test_an_image_without_a_date_is_named(folders, tmp_path):
    copy = _copy(folders / "geotiff", tmp_path / "stack")
    sorted(copy.glob("2*.tif"))[0].rename(copy / "first.tif")
    with pytest.raises(InputError, match=r"first.tif has no date"):
        open_any_stack(copy)


def test_one_date_is_not_a_stack(folders, tmp_path):
    copy = _copy(folders / "geotiff", tmp_path / "stack")
    for each in sorted(copy.glob("2*.tif"))[1:]:
        each.unlink()
    with pytest.raises(InputError, match="two dates"):
        open_any_stack(copy)


def test_sizes_that_differ_are_named(folders, tmp_path):
    copy = _copy(folders / "isce2", tmp_path / "stack")
    header = sorted((copy / "merged" / "SLC").glob("*/*.xml"))[-1]
    header.write_text(header.read_text().replace("<value>30<", "<value>29<"))
    with pytest.raises(InputError, match=r"\(29, 50\) lines and pixels.*\(30, 50\)"):
        open_any_stack(copy)


@pytest.mark.parametrize("layout", ["isce2", "snap"])
def test_a_truncated_file_is_named(folders, layout, tmp_path):
    copy = _copy(folders / layout, tmp_path / "stack")
    data = sorted(copy.rglob("*.slc.full") if layout == "isce2" else copy.rglob("i_*.img"))[0]
    data.write_bytes(data.read_bytes()[:-4])
    with pytest.raises(InputError, match=f"{data.name} has .* truncated"):
        open_any_stack(copy)


def test_a_truncated_hdf5_file_is_named(folders, tmp_path):
    copy = _copy(folders / "opera", tmp_path / "stack")
    data = sorted(copy.glob("*CSLC-S1_*.h5"))[0]
    data.write_bytes(data.read_bytes()[:2000])
    with pytest.raises(InputError, match=f"{data.name} cannot be read as HDF5"):
        open_any_stack(copy)


def test_missing_geometry_says_which_option_gives_it(folders, tmp_path):
    copy = _copy(folders / "isce2", tmp_path / "stack")
    for each in (copy / "merged" / "geom_reference").iterdir():
        each.unlink()
    with pytest.raises(InputError, match=r"geom_reference.*--geometry"):
        open_any_stack(copy)
    given = open_any_stack(copy, supplement=Supplement(geometry=folders / "geotiff" / "geometry"))
    assert np.allclose(given["height"], open_any_stack(folders / "isce2")["height"])


def test_static_layers_of_opera_have_no_heights_and_the_option_gives_them(folders, tmp_path):
    copy = _copy(folders / "opera", tmp_path / "stack")
    with h5py.File(next(copy.glob("*STATIC*")), "a") as file:
        height = file["data/z"][()]
        del file["data/z"]
    with pytest.raises(InputError, match=r"height.*--height"):
        open_any_stack(copy)
    model = _height_model(tmp_path / "model.tif", open_any_stack(folders / "opera"), height)
    given = open_any_stack(copy, supplement=Supplement(height=model))
    assert np.nanmax(np.abs(given["height"].values - height)) < 0.05


def test_files_of_nisar_have_no_heights_and_a_model_gives_them(folders, tmp_path):
    copy, expected = _copy(folders / "nisar", tmp_path / "stack"), open_any_stack(folders / "nisar")
    (copy / "height.tif").rename(tmp_path / "model.tif")
    with pytest.raises(InputError, match=r"height.*height\.tif.*--height"):
        open_any_stack(copy)
    given = open_any_stack(copy, supplement=Supplement(height=tmp_path / "model.tif"))
    for name in ("height", "los_east", "los_north", "incidence"):
        np.testing.assert_array_equal(given[name], expected[name])


def test_files_of_other_names_beside_those_of_nisar_are_named_once(folders, tmp_path, caplog):
    copy = _copy(folders / "nisar", tmp_path / "stack")
    open_any_stack(copy)
    assert "passed over" not in caplog.text
    for name in ("NISAR_L2_PR_GUNW_004_076_A_022.h5", "other.h5"):
        (copy / name).write_bytes(b"")
    open_any_stack(copy)
    (said,) = (each for each in caplog.messages if "passed over" in each)
    assert "2 files" in said
    assert "NISAR_L2_PR_GUNW_004_076_A_022.h5, other.h5" in said


def test_looks_of_nisar_are_those_at_the_height_of_the_ground(folders, tmp_path):
    """A kilometre higher, the satellite is nearer and is seen under a larger angle."""
    copy, expected = _copy(folders / "nisar", tmp_path / "stack"), open_any_stack(folders / "nisar")
    for path in copy.glob("*.h5"):
        with h5py.File(path, "a") as file:
            heights = file["science/LSAR/GSLC/metadata/radarGrid/heightAboveEllipsoid"]
            heights[...] = heights[()] - 300
    higher = open_any_stack(copy)
    with h5py.File(path) as file:
        grid = file["science/LSAR/GSLC/metadata/radarGrid"]
        each = np.diff(grid["incidenceAngle"][()], axis=0).mean() / np.diff(grid["heightAboveEllipsoid"][()])[0]
    assert (higher["incidence"] - expected["incidence"]).values == pytest.approx(300 * each, rel=0.05)
    assert each > 0


def test_frames_of_nisar_that_differ_are_refused(folders, tmp_path):
    copy = _copy(folders / "nisar", tmp_path / "stack")
    with h5py.File(sorted(copy.glob("*.h5"))[1], "a") as file:
        file["science/LSAR/identification/frameNumber"][()] = 99
    with pytest.raises(InputError, match=r"frame 99.*one track and frame"):
        open_any_stack(copy)
    with h5py.File(sorted(copy.glob("*.h5"))[0], "a") as file:
        del file["science/LSAR/GSLC/grids/frequencyA/centerFrequency"]
    with pytest.raises(InputError, match=r"has no .*centerFrequency.*GSLC of NISAR"):
        open_any_stack(copy)
    with pytest.raises(InputError, match=r"no image HV; it has frequencyA/VV"):
        open_any_stack(folders / "nisar", supplement=Supplement(polarisation="HV"))


def test_several_bursts_ask_for_a_choice(folders, tmp_path):
    copy = _copy(folders / "opera", tmp_path / "stack")
    burst = open_any_stack(copy).attrs["source"].split()[-1].upper().replace("_", "-")
    other = burst.replace(burst.split("-")[1], "000007")
    for each in sorted(copy.iterdir()):
        (copy / each.name.replace(burst, other)).write_bytes(each.read_bytes())
    with pytest.raises(InputError, match=r"2 bursts.*--burst"):
        open_any_stack(copy)
    assert open_any_stack(copy, supplement=Supplement(burst=burst)).sizes["time"] == 4


def test_missing_baselines_say_which_option_gives_them(folders, tmp_path):
    copy = _copy(folders / "geotiff", tmp_path / "stack")
    table = (copy / "baselines.csv").rename(tmp_path / "baselines.csv")
    with pytest.raises(InputError, match="--baselines"):
        open_any_stack(copy)
    given = open_any_stack(copy, supplement=Supplement(baselines=table))
    assert np.allclose(
        given["perpendicular_baseline"], open_any_stack(folders / "isce2")["perpendicular_baseline"], atol=1e-3
    )
    table.write_text("\n".join(table.read_text().splitlines()[:-1]))
    with pytest.raises(InputError, match="no perpendicular baseline of 20"):
        open_any_stack(copy, supplement=Supplement(baselines=table))


def test_missing_attributes_say_which_option_gives_them(folders, tmp_path):
    copy = _copy(folders / "geotiff", tmp_path / "stack")
    record = json.loads((copy / "stack.json").read_text())
    (copy / "stack.json").write_text(json.dumps({name: each for name, each in record.items() if name != "track"}))
    with pytest.raises(InputError, match=r"nothing of track.*--attributes"):
        open_any_stack(copy)
    assert open_any_stack(copy, supplement=Supplement(attributes={"track": 88})).attrs["track"] == 88


def test_images_of_snap_without_orbits_cannot_be_flattened(folders, tmp_path):
    copy = _copy(folders / "snap", tmp_path / "stack")
    dim = copy / "stack.dim"
    dim.write_text(dim.read_text().replace("Orbit_State_Vectors", "Nothing"))
    with pytest.raises(InputError, match=r"topographic phase.*--flattened"):
        open_any_stack(copy)


def test_the_phase_of_the_ranges_is_taken_out_of_images_of_snap(folders):
    flat = open_any_stack(folders / "snap")
    rough = open_any_stack(folders / "snap", supplement=Supplement(flattened=True))
    date = np.abs(flat["perpendicular_baseline"].values).argmax()
    baseline = float(flat["perpendicular_baseline"][date])
    reference = int(np.flatnonzero(flat["perpendicular_baseline"].values == 0)[0])
    assert (rough["slc"].values[reference] == flat["slc"].values[reference]).all()
    taken = np.angle(flat["slc"].values[date] * rough["slc"].values[date].conj())  # of reference x conj(secondary)
    taken = np.unwrap(np.unwrap(taken, axis=1), axis=0)
    lines, pixels = np.meshgrid(flat["y"], flat["x"], indexing="ij")
    design = [np.ones(taken.size), lines.ravel(), pixels.ravel(), flat["height"].values.ravel()]
    found = np.linalg.lstsq(np.stack(design, axis=1), taken.ravel(), rcond=None)[0]
    angle = np.radians(float(flat["incidence"].mean()))
    per_metre = 4 * np.pi / flat.attrs["wavelength"] * baseline / flat.attrs["slant_range"]
    assert found[2] == pytest.approx(per_metre / np.tan(angle) * flat.attrs["range_spacing"], rel=0.05)


def test_images_of_the_opposite_sign_are_turned(folders):
    given = open_any_stack(folders / "geotiff", supplement=Supplement(conjugate=True))
    assert np.allclose(given["slc"], open_any_stack(folders / "geotiff")["slc"].values.conj())


@pytest.mark.parametrize("layout", FOREIGN)
def test_any_part_of_an_image_is_that_of_the_whole(folders, layout):
    slc, latitude = (open_any_stack(folders / layout)[name] for name in ("slc", "latitude"))
    whole, places = slc.values, latitude.values
    for key in (np.s_[3:9, 4:20], np.s_[::7, 1::3], np.s_[::-1, 10:2:-2], np.s_[5, :], np.s_[2:2, :]):
        assert (slc[(1, *key)].values == whole[(1, *key)]).all()
        assert np.allclose(latitude[key].values, places[key], rtol=0, atol=1e-10)


def test_no_layout_overwrites(folders):
    with pytest.raises(InputError, match="is there"):
        write_any_stack(folders / "snap", open_any_stack(folders / "snap"), "snap")


def test_images_on_a_map_need_no_files_of_places(folders, tmp_path):
    expected = open_any_stack(folders / "opera")
    write_any_stack(tmp_path / "map", expected, "geotiff")
    for name in ("latitude", "longitude"):
        (tmp_path / "map" / "geometry" / f"{name}.tif").unlink()
    found = open_any_stack(tmp_path / "map")
    assert np.abs(found["latitude"].values - expected["latitude"].values).max() < 3e-9
    assert np.abs(found["longitude"].values - expected["longitude"].values).max() < 3e-9
    assert (found["slc"].values == expected["slc"].values).all()


def test_the_command_knows_all_layouts():
    assert [each.value for each in LayoutName] == list(LAYOUTS)


def test_tie_points_of_snap_do_where_there_are_no_bands_of_places(folders, tmp_path):
    copy = _copy(folders / "snap", tmp_path / "stack")
    dim = copy / "stack.dim"
    dim.write_text(dim.read_text().replace("orthorectifiedL", "somethingL"))
    expected, found = open_any_stack(folders / "snap"), open_any_stack(copy)
    for name in ("latitude", "longitude"):
        assert np.abs(found[name].values - expected[name].values).max() < 5e-6  # tie points have seven digits
    product = found["slc"].values * expected["slc"].values.conj()
    assert np.abs(product.sum(axis=(1, 2))).min() > 0.999 * np.abs(product).sum(axis=(1, 2)).min()


def test_virtual_files_of_isce2_are_read(folders, tmp_path):
    copy = _copy(folders / "isce2", tmp_path / "stack")
    for data in (copy / "merged" / "SLC").glob("*/*.full"):
        data.with_name(data.name + ".xml").unlink()
        data.with_name(data.name + ".vrt").write_text(
            f"""<VRTDataset rasterXSize="50" rasterYSize="30">
            <VRTRasterBand band="1" dataType="CFloat32" subClass="VRTRawRasterBand">
            <SourceFilename relativeToVRT="1">{data.name}</SourceFilename><ByteOrder>LSB</ByteOrder>
            <ImageOffset>0</ImageOffset><PixelOffset>8</PixelOffset><LineOffset>400</LineOffset>
            </VRTRasterBand></VRTDataset>"""
        )
    expected = open_any_stack(folders / "isce2")["slc"].values
    assert (open_any_stack(copy)["slc"].values == expected).all()


@pytest.mark.parametrize("kind", ["tops", "stripmap"])
def test_texts_of_baselines_of_isce2_are_read(folders, kind, tmp_path):
    import shutil

    copy = _copy(folders / "isce2", tmp_path / "stack")
    shutil.rmtree(copy / "merged" / "baselines")
    expected = open_any_stack(folders / "isce2")
    days = [str(day)[:10].replace("-", "") for day in expected["time"].values]
    metres = expected["perpendicular_baseline"].values
    reference = int(np.flatnonzero(metres == 0)[0])
    for day, each in zip(days, metres, strict=True):
        pair = f"{days[reference]}_{day}"
        folder = copy / "baselines" / (pair if kind == "tops" else "")
        folder.mkdir(parents=True, exist_ok=True)
        said = f"swath: IW2\nBperp (average): {each}\nBpar (average): 3\n"
        if kind == "stripmap":
            said = f"PERP_BASELINE_BOTTOM {each - 2}\nPERP_BASELINE_TOP {each + 2}\n"
        if day != days[reference]:
            (folder / f"{pair}.txt").write_text(said)
    assert open_any_stack(copy)["perpendicular_baseline"].values == pytest.approx(metres, abs=1e-3)


def test_files_of_older_compass_are_read(folders, tmp_path):
    expected = open_any_stack(folders / "opera")
    burst = "t015_030071_iw2"
    for source in (folders / "opera").glob("*.h5"):
        name = "static_layers_" + burst if "STATIC" in source.name else f"{burst}_{source.name.split('_')[4][:8]}"
        with h5py.File(source) as old, h5py.File(_made(tmp_path / "stack") / f"{name}.h5", "w") as new:
            root = new.create_group("science/SENTINEL1")
            for group in old:
                old.copy(group, root, "CSLC/grids" if group == "data" else group)
            if "metadata" in root:
                root["metadata/processing_information"].move("input_burst_metadata", "s1_burst_metadata")
            else:  # angles, not vectors
                east, north = (root[f"CSLC/grids/{each}"][()] for each in ("los_east", "los_north"))
                root["CSLC/grids/static_layers/incidence"] = np.degrees(np.arcsin(np.hypot(east, north)))
                root["CSLC/grids/static_layers/heading"] = np.degrees(np.arctan2(-east, north))
                del root["CSLC/grids/los_east"], root["CSLC/grids/los_north"]
    found = open_any_stack(tmp_path / "stack")
    assert (found["slc"].values == expected["slc"].values).all()
    assert np.allclose(found["los_east"], expected["los_east"], atol=1e-5)
    assert np.allclose(found["los_north"], expected["los_north"], atol=1e-5)


def _made(folder):
    folder.mkdir(exist_ok=True)
    return folder


def _copy(source, target):
    import shutil

    shutil.copytree(source, target)
    return target


def _height_model(path, stack, height):
    import rasterio

    x, y = stack["easting"].values, stack["northing"].values
    transform = rasterio.Affine(x[1] - x[0], 0, x[0] - (x[1] - x[0]) / 2, 0, y[1] - y[0], y[0] - (y[1] - y[0]) / 2)
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "height": len(y), "width": len(x)}
    with rasterio.open(path, "w", crs=stack.attrs["crs"], transform=transform, **profile) as file:
        file.write(height.astype(np.float32), 1)
    return path
