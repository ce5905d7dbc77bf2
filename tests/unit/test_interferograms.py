"""Folders of unwrapped interferograms: reading, and inversion to points."""

import json
import shutil

import numpy as np
import pytest
import rasterio
from scipy import ndimage

from groundshift.errors import InputError
from groundshift.grid.tiles import Box
from groundshift.insar.interferograms import survey as survey_of
from groundshift.insar.interferograms.closure import closure, suspects
from groundshift.insar.interferograms.survey import InvertConfig, line_fields
from groundshift.insar.invert import POINTS_NAME, REPORT_NAME, invert_interferograms
from groundshift.io.interferograms import open_interferograms
from groundshift.io.points import read_points
from groundshift.model.points import header, series
from groundshift.model.radar_stack import SENTINEL1_WAVELENGTH

DAYS = np.array(["2020-01-01", "2020-01-13", "2020-02-06", "2020-03-01", "2020-03-13", "2020-04-06"], "datetime64[D]")
PAIRS = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4), (3, 5), (4, 5)]
SHAPE = (30, 40)
RADIANS = -4 * np.pi / SENTINEL1_WAVELENGTH / 1000  # a millimetre toward the satellite
YEARS = (DAYS - DAYS[0]).astype(float) / 365.25
CENTRE = 90.0 * np.exp(-((np.mgrid[:30, :40][0] - 15) ** 2 + (np.mgrid[:30, :40][1] - 20) ** 2) / 50)  # mm/yr down


def write(path, values, **tags):
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "GTiff",
        "count": 1,
        "dtype": values.dtype,
        "height": values.shape[0],
        "width": values.shape[1],
    }
    transform = rasterio.Affine(0.001, 0, 12.0, 0, -0.001, 42.0)
    with rasterio.open(path, "w", crs="EPSG:4326", transform=transform, nodata=0, **profile) as file:
        file.write(values, 1)
        file.update_tags(**tags)


def licsar(folder, *, noise=0.0, seed=1, look=True, **tags):
    """A folder as of LiCSAR, over a bowl that sinks; coherence in bytes."""
    random = np.random.default_rng(seed)
    moved = -CENTRE * YEARS[:, None, None] + noise * random.standard_normal((len(DAYS), *SHAPE))
    for first, second in PAIRS:
        name = "_".join(str(DAYS[k]).replace("-", "") for k in (first, second))
        phase = RADIANS * (moved[second] - moved[first]) + random.uniform(-20, 20)
        phase[:2, :3] = 0
        write(folder / name / f"{name}.geo.unw.tif", phase.astype(np.float32), **tags)
        write(folder / name / f"{name}.geo.cc.tif", np.full(SHAPE, 200, np.uint8), **tags)
    if look:
        for part, value in (("E", -0.6), ("N", -0.1), ("U", np.sqrt(1 - 0.37))):
            write(folder / f"124A_04854_131313.geo.{part}.tif", np.full(SHAPE, value, np.float32))
    return folder


def test_a_folder_is_read(tmp_path):
    found = open_interferograms(licsar(tmp_path / "GEOC"))
    assert (found.dates == DAYS).all()
    assert found.pairs.tolist() == [list(pair) for pair in PAIRS]
    assert found.track == 124
    assert found.wavelength == SENTINEL1_WAVELENGTH
    phase, coherence = found.read(Box(0, 0, 10, 12))
    assert phase.shape == coherence.shape == (len(PAIRS), 10, 12)
    assert np.isnan(phase[:, :2, :3]).all()
    assert np.isfinite(phase[:, 2:]).all()
    assert coherence[0, 5, 5] == pytest.approx(200 / 255)
    assert found.read_look(Box(3, 3, 4, 4)).ravel() == pytest.approx([-0.6, -0.1, np.sqrt(0.63)], abs=1e-6)


def test_a_later_date_first_turns_the_phase(tmp_path):
    straight = open_interferograms(licsar(tmp_path / "GEOC")).read(Box(0, 0, *SHAPE)).phase
    name, turned = "20200101_20200113", "20200113_20200101"
    with rasterio.open(tmp_path / "GEOC" / name / f"{name}.geo.unw.tif", "r+") as file:
        file.write(-file.read(1), 1)
    (tmp_path / "GEOC" / name / f"{name}.geo.unw.tif").rename(tmp_path / "GEOC" / name / f"{turned}.geo.unw.tif")
    found = open_interferograms(tmp_path / "GEOC")
    first = int(np.flatnonzero(found.turned)[0])
    assert found.pairs[first].tolist() == [0, 1]
    assert np.allclose(found.read(Box(0, 0, *SHAPE)).phase[first], straight[0], equal_nan=True)


def test_folders_that_do_not_do_are_refused(tmp_path):
    with pytest.raises(InputError, match="is no folder"):
        open_interferograms(tmp_path / "none")
    with pytest.raises(InputError, match="no file with unw"):
        open_interferograms(tmp_path)
    folder = licsar(tmp_path / "GEOC")
    name = "20200101_20200113"
    whole = (folder / name / f"{name}.geo.unw.tif").read_bytes()
    (folder / f"{name}_again.unw.tif").write_bytes(whole)
    with pytest.raises(InputError, match="are both of 2020-01-01 and 2020-01-13"):
        open_interferograms(folder)
    (folder / f"{name}_again.unw.tif").rename(folder / "unw_without.tif")
    with pytest.raises(InputError, match=r"unw_without.tif has no two dates"):
        open_interferograms(folder)
    (folder / "unw_without.tif").unlink()
    write(folder / "20200101_20200406.unw.tif", np.ones((20, 40), np.float32))
    with pytest.raises(InputError, match="20 x 40 pixels on another grid"):
        open_interferograms(folder)


def test_interferograms_without_coherence_beside_others_are_named(tmp_path):
    folder = licsar(tmp_path / "GEOC")
    sorted(folder.glob("*/*.cc.tif"))[0].unlink()  # it would be left out of all pixels, and nothing said
    with pytest.raises(InputError, match=r"20200101_20200113.geo.unw.tif has no coherence beside it, others have"):
        open_interferograms(folder)


def test_a_coherence_without_its_phase_is_told(tmp_path, caplog):
    folder = licsar(tmp_path / "GEOC")
    for path in sorted(folder.glob("*/*.unw.tif"))[-2:]:
        path.unlink()  # as a download that was interrupted leaves it
    assert len(open_interferograms(folder).pairs) == len(PAIRS) - 2
    assert caplog.messages == [
        "the coherence of 2 interferograms is there, but not their unwrapped phase, such as beside "
        f"{sorted(folder.glob('*/*.cc.tif'))[-2]}; they are left out"
    ]


def test_files_of_several_bands_are_refused(tmp_path):
    """In ISCE2's .unw the first band is the amplitude."""
    folder = licsar(tmp_path / "GEOC")
    path = sorted(folder.glob("*/*.unw.tif"))[3]
    with rasterio.open(path) as file:
        phase, profile = file.read(1), file.profile | {"count": 2}
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.stack([np.abs(phase) + 1, phase]))
    with pytest.raises(InputError, match=r"has 2 bands; expected one"):
        open_interferograms(folder)


def test_look_vectors_that_point_down_are_refused(tmp_path):
    folder = licsar(tmp_path / "GEOC")
    for part, value in (("E", 0.6), ("N", 0.1), ("U", -np.sqrt(1 - 0.37))):
        write(folder / f"124A_04854_131313.geo.{part}.tif", np.full(SHAPE, value, np.float32))
    with pytest.raises(InputError, match=r"geo.U.tif has vectors that point down"):
        invert_interferograms(folder, tmp_path / "out")


def test_an_island_in_a_large_sea_is_found(tmp_path, monkeypatch):
    """The reference is looked for in some boxes of a large grid, and in more if those are sea."""
    monkeypatch.setattr(survey_of, "_SIDE", 8)
    monkeypatch.setattr(survey_of, "_SAMPLE", 60)
    folder = licsar(tmp_path / "GEOC")
    for path in folder.glob("*/*.tif"):
        with rasterio.open(path) as file:
            values = file.read(1)
        values[:, :32], values[:24] = 0, 0
        write(path, values)
    found = survey_of.survey(open_interferograms(folder), InvertConfig())
    assert found.rows.min() == 24
    assert found.columns.min() == 32
    assert found.rows.size == 6 * 8


def test_a_run_without_a_point_leaves_nothing(tmp_path):
    folder = licsar(tmp_path / "GEOC")
    random = np.random.default_rng(2)
    for path in folder.glob("*/*.unw.tif"):  # no sum around a triplet closes
        write(path, random.uniform(-90, 90, SHAPE).astype(np.float32))
    with pytest.raises(InputError, match=r"no pixel is left; lower --min-coherence \(0.3\) or raise --max-open"):
        invert_interferograms(folder, tmp_path / "out", InvertConfig(max_open=0.0, leave_out_suspects=False))
    assert not list((tmp_path / "out").glob("*"))


def test_a_wavelength_is_in_metres():
    with pytest.raises(ValueError, match="less than 2"):
        InvertConfig(wavelength=55.465763)


def test_longitudes_of_points_are_within_180_degrees(tmp_path):
    folder = licsar(tmp_path / "GEOC")
    for path in folder.rglob("*.tif"):
        with rasterio.open(path, "r+") as file:
            file.transform = rasterio.Affine(0.001, 0, 179.98, 0, -0.001, 42.0)
    invert_interferograms(folder, tmp_path / "out")
    table = read_points(tmp_path / "out" / POINTS_NAME)
    longitude, easting = (table[name].to_numpy() for name in ("longitude", "easting"))
    assert longitude.max() == pytest.approx(179.9995, abs=1e-6)
    assert longitude.min() == pytest.approx(-179.9995, abs=1e-6)
    assert np.ptp(easting) == pytest.approx(0.039 * 111_320 * np.cos(np.radians(42)), rel=0.05)  # not 40,000 km


def test_two_dates_tell_no_standard_deviation(tmp_path):
    folder = licsar(tmp_path / "GEOC")
    for path in folder.glob("*/"):
        if path.name != "20200101_20200113":
            shutil.rmtree(path)
    found = invert_interferograms(folder, tmp_path / "out")
    table = read_points(tmp_path / "out" / POINTS_NAME)
    velocity, sigma = (table[name].to_numpy() for name in ("mean_velocity", "mean_velocity_std"))
    assert found.points == len(table) > 1000
    assert np.isfinite(velocity).all()
    assert np.isnan(sigma).all()  # it is not 0


def test_what_sank_is_found_with_its_velocity(tmp_path):
    still = (12.001 + 0.0005, 42 - 0.0285, 150.0)  # the lower left corner
    config = InvertConfig(reference=still)
    found = invert_interferograms(licsar(tmp_path / "GEOC"), tmp_path / "out", config)
    assert found.points == SHAPE[0] * SHAPE[1] - 6
    there = np.isfinite(found.velocity)
    assert np.abs(found.velocity + CENTRE)[there].max() < 0.05
    table = read_points(tmp_path / "out" / POINTS_NAME)
    head = header(table)
    assert (head.level, head.track, len(table)) == ("L2a", 124, found.points)
    assert head.crs.to_epsg() == 32633
    at = table["line"].to_numpy() == 15
    at &= table["pixel"].to_numpy() == 20
    assert series(table)[at][0] == pytest.approx(-90 * YEARS, abs=0.01)
    assert table["longitude"].to_numpy()[at][0] == pytest.approx(12.0205)
    assert table["latitude"].to_numpy()[at][0] == pytest.approx(41.9845)
    assert table["los_east"].to_numpy()[at][0] == pytest.approx(-0.6)
    report = json.loads((tmp_path / "out" / REPORT_NAME).read_text())
    assert report["closure"]["open_share"] == 0
    assert report["residual_rms_mm"]["all"] < 0.01


def test_tiles_of_any_size_give_the_same_points(tmp_path, monkeypatch):
    folder = licsar(tmp_path / "GEOC", noise=1.0)
    whole = invert_interferograms(folder, tmp_path / "whole")
    monkeypatch.setattr("groundshift.insar.invert._VALUES", 1)  # tiles of 32 pixels
    tiled = invert_interferograms(folder, tmp_path / "tiled")
    assert np.array_equal(whole.velocity, tiled.velocity, equal_nan=True)
    tables = [read_points(tmp_path / name / POINTS_NAME).sort_by("pid") for name in ("whole", "tiled")]
    for name in ("pid", "easting", "mean_velocity", "rmse", "los_up"):
        assert tables[0][name].equals(tables[1][name]), name
    assert np.array_equal(series(tables[0]), series(tables[1]))


def test_a_wrong_cycle_is_found_and_left_out(tmp_path):
    folder = licsar(tmp_path / "GEOC")
    name = "20200113_20200206"  # in two triplets
    with rasterio.open(folder / name / f"{name}.geo.unw.tif", "r+") as file:
        phase = file.read(1)
        phase[10:20, 30:40] += np.float32(2 * np.pi)
        file.write(phase, 1)
    right = invert_interferograms(licsar(tmp_path / "right"), tmp_path / "a")
    mended = invert_interferograms(folder, tmp_path / "b")
    assert mended.report["closure"]["left_out"] == 100
    assert mended.report["closure"]["by_interferogram"]["2020-01-13 2020-02-06"] == pytest.approx(100 / 1194)
    assert np.nanmax(np.abs(mended.velocity - right.velocity)) < 0.1  # the reference has moved a little
    assert mended.points == right.points
    dropped = invert_interferograms(folder, tmp_path / "c", InvertConfig(leave_out_suspects=False))
    assert np.isnan(dropped.velocity[10:20, 30:40]).all()
    assert dropped.points == right.points - 100


def test_ramps_that_do_not_close_are_no_wrong_cycles(tmp_path):
    folder = licsar(tmp_path / "GEOC")
    name = "20200101_20200206"
    with rasterio.open(folder / name / f"{name}.geo.unw.tif", "r+") as file:
        phase = file.read(1)
        file.write(np.where(phase == 0, 0, phase + np.linspace(-8, 8, 40, dtype=np.float32)), 1)
    found = invert_interferograms(folder, tmp_path / "out").report["closure"]
    assert found["open_share"] == 0
    assert found["largest_ramp_radians"] == pytest.approx(16, rel=0.05)


def test_without_look_vectors_the_options_are_asked_for(tmp_path):
    folder = licsar(tmp_path / "GEOC", look=False)
    with pytest.raises(InputError, match="--incidence and --heading"):
        invert_interferograms(folder, tmp_path / "out")
    found = invert_interferograms(folder, tmp_path / "out", InvertConfig(incidence=39.0, heading=-12.0))
    table = read_points(tmp_path / "out" / POINTS_NAME)
    assert found.points == len(table)
    east, north, up = (table[name].to_numpy()[0] for name in ("los_east", "los_north", "los_up"))
    assert east < -0.6  # ascending: the satellite is to the west, a little to the south
    assert -0.2 < north < 0
    assert up == pytest.approx(np.cos(np.radians(39)), abs=1e-6)
    tagged = licsar(tmp_path / "tagged", look=False, INCIDENCE_DEGREES="39.0")
    with pytest.raises(InputError, match="give --heading in degrees"):
        invert_interferograms(tagged, tmp_path / "out")


def test_a_reference_without_data_is_refused(tmp_path):
    with pytest.raises(InputError, match="within 100 m of the reference"):
        invert_interferograms(licsar(tmp_path / "GEOC"), tmp_path / "out", InvertConfig(reference=(0.0, 0.0, 100.0)))
    assert not (tmp_path / "out" / POINTS_NAME).exists()


def test_sigmas_of_velocities_are_calibrated():
    random = np.random.default_rng(7)
    days = np.sort(random.choice(np.arange(0, 300, 6), 20, replace=False)).astype(float)
    truth = random.normal(0, 50, 4000)
    series = truth[:, None] * days / 365.25 + 3.0 * random.standard_normal((4000, 20))
    found = line_fields(series - series[:, :1], days, wavelength=55.465763)
    standard = (found.mean_velocity - truth) / found.mean_velocity_std
    assert 0.9 < np.median(standard**2) / 0.4765 < 1.1  # the median of the square of Student's t with 18 degrees
    assert found.rmse.mean() == pytest.approx(3.0 * np.sqrt(18 / 20), rel=0.03)


def test_suspects_are_the_common_members_of_open_triplets():
    phases = np.zeros((5, 2))
    pairs = np.array([(0, 1), (1, 2), (0, 2), (2, 3), (1, 3)])  # triplets 0-1-2 and 1-2-3 share 1-2
    phases[1, 0] = 2 * np.pi
    found = suspects(closure(phases, pairs, 4), 5)
    assert found[:, 0].tolist() == [False, True, False, False, False]
    assert not found[:, 1].any()


def airy(folder, *, seed=1):
    """A folder over a bowl, with air that is smooth in space and goes with height; returns truth (time, y, x), mm."""
    random = np.random.default_rng(seed)
    moved = -CENTRE * YEARS[:, None, None]
    y, x = np.mgrid[:30, :40]
    height = (200 * np.exp(-((y - 8) ** 2 + (x - 30) ** 2) / 60)).astype(np.float32)
    air = ndimage.gaussian_filter(random.standard_normal((len(DAYS), 90, 100)), (0, 9, 9))[:, 30:60, 30:70]
    air = 6 * air / air.std() + 0.03 * random.standard_normal((len(DAYS), 1, 1)) * height
    noisy = moved + air + 0.3 * random.standard_normal(moved.shape)
    for first, second in PAIRS:
        name = "_".join(str(DAYS[k]).replace("-", "") for k in (first, second))
        write(folder / f"{name}.geo.unw.tif", (RADIANS * (noisy[second] - noisy[first])).astype(np.float32))
    write(folder / "sim.geo.hgt.tif", height)
    return moved


def test_air_is_taken_off_where_it_is_asked_for(tmp_path, monkeypatch):
    truth, still = airy(tmp_path / "GEOC"), (12.0005, 42 - 0.0285, 150.0)
    errors, found = [], []
    for on in (False, True, True):
        if found:
            monkeypatch.setattr("groundshift.insar.invert._VALUES", 1 if len(found) == 2 else 2_000_000)
        config = InvertConfig(reference=still, incidence=39.0, heading=-12.0, atmosphere=on)
        out = tmp_path / str(len(found))
        found.append(invert_interferograms(tmp_path / "GEOC", out, config))
        table = read_points(out / POINTS_NAME).sort_by("pid")
        values = series(table).T
        assert not values[0].any()
        errors.append(values - truth[:, table["line"].to_numpy(), table["pixel"].to_numpy()])
    off, on = (np.sqrt(np.mean(_beside_lines(each) ** 2)) for each in errors[:2])
    assert off > 2.5
    assert on < 0.5 * off
    report = found[1].report["atmosphere"]
    assert report["with_heights"]
    assert report["series_rmse_mm"]["after"] < 0.5 * report["series_rmse_mm"]["before"]
    assert found[0].report["atmosphere"] is None
    # a straight line cannot be told from motion: velocities stay, and what is left is in their sigma
    assert np.nanmax(np.abs(found[1].velocity - found[0].velocity)) < 3 * report["left_in_velocity_mm_per_year"]
    assert np.abs(errors[2] - errors[1]).max() < 1e-3  # in tiles


def test_little_ground_keeps_its_air(tmp_path, caplog):
    airy(tmp_path / "GEOC")
    for path in (tmp_path / "GEOC").glob("*.unw.tif"):
        with rasterio.open(path, "r+") as file:
            phase = file.read(1)
            phase[:, 4:] = 0
            phase[4:] = 0
            file.write(phase, 1)
    config = InvertConfig(incidence=39.0, heading=-12.0, atmosphere=True)
    found = invert_interferograms(tmp_path / "GEOC", tmp_path / "out", config)
    assert found.report["atmosphere"] is None
    assert "too few to tell the atmosphere from" in caplog.text


def _beside_lines(errors):
    design = np.vander(YEARS, 2)
    return errors - np.tensordot(design @ np.linalg.pinv(design), errors, 1)
