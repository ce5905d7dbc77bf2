"""`groundshift basic`, as a user meets it, against the truth of a simulated stack."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from scipy import ndimage

from groundshift.errors import InputError
from groundshift.insar.basic import measure_points
from groundshift.insar.basic_config import BasicConfig
from groundshift.insar.config import ReferenceConfig
from groundshift.insar.motion.series import DisplacementSeries
from groundshift.insar.parts import PointPart, Summary
from groundshift.insar.points import geolocate, track_angle
from groundshift.insar.stack.places import range_sine, stack_geometry
from groundshift.io.egms import read_egms
from groundshift.io.points import read_points
from groundshift.io.radar_stack import open_stack
from groundshift.model.points import header, series
from groundshift.synth.radar.options import StackOptions
from groundshift.synth.radar.stack import open_simulation, write_simulation

COMMAND = [sys.executable, "-W", "error", "-m", "groundshift", "basic"]
OPTIONS = StackOptions(lines=160, pixels=160, dates=30, missing=0.5, seed=3)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    folder = tmp_path_factory.mktemp("town")
    write_simulation(folder, OPTIONS)
    return folder


def write_geoid(path):
    """45 m everywhere, and a metre more a degree to the east of 10 degrees."""
    values = np.tile(45 + np.linspace(-3, 3, 13, dtype=np.float32), (9, 1))
    transform = rasterio.Affine(0.5, 0, 6.75, 0, -0.5, 47.25)
    with rasterio.open(path, "w", "GTiff", 13, 9, 1, "EPSG:4326", transform, "float32") as file:
        file.write(values, 1)


@pytest.fixture(scope="module")
def out(town):
    write_geoid(town / "geoid.tif")
    command = [*COMMAND, town / "stack.zarr", "-o", town / "out", "--geoid", town / "geoid.tif"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "point set L2a (Basic), LOS" in done.stdout
    return town / "out"


@pytest.fixture(scope="module")
def found(town, out):
    """Simulation, table, and rows and columns of its points."""
    table = read_points(out / "points.parquet")
    return open_simulation(town), table, table["line"].to_numpy(), table["pixel"].to_numpy()


def test_points_picture_and_report_are_written(out, found):
    egms = "EGMS_L2a_015_0001_IW2_VV_2018_2019_1.zip"
    assert {each.name for each in out.iterdir()} == {"points.parquet", "quicklook.png", "report.json", "run.json", egms}
    assert (out / "quicklook.png").stat().st_size > 30_000
    table = found[1]
    again = read_egms(out / egms)
    assert again["pid"].to_pylist() == table["pid"].to_pylist()
    assert np.abs(series(again) - series(table)).max() < 0.06
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert report["points"] == len(table) == sum(report["clusters"])
    assert 0.3 < report["acceptance"]["coherence"] < 0.9
    record = header(table)
    assert (record.level, record.track, record.frame) == ("L2a", 15, "0001_IW2_VV")
    assert record.provenance["config"] == report["config"]
    for name in set(table.column_names) - {"pid", "displacement", "geometry"}:
        assert np.isfinite(table[name].to_numpy()).all(), name
    geoid = table["height_wgs84"].to_numpy() - table["height"].to_numpy()
    assert geoid == pytest.approx(35 + table["longitude"].to_numpy(), abs=1e-3)
    assert record.provenance["geoid"] == "geoid.tif"
    said = header(again).provenance
    assert said["reference_date"] == record.provenance["reference_date"] == report["reference_date"]
    assert said["egms"]["header"]["reference"]["image"] == {"date": report["reference_date"].replace("-", "")}
    assert len(said["egms"]["header"]["dataset"]["image"]) == report["dates"]
    labels = said["egms"]["header"]["clusters"]["cluster_label"]
    assert sorted(map(int, np.atleast_1d(labels))) == np.unique(table["cluster_label"].to_numpy()).tolist()


def test_series_are_the_true_motion(found):
    simulation, table, rows, columns = found
    truth = simulation.truth
    on = truth["kind"].values[rows, columns] == truth.attrs["kinds"].index("persistent")
    on &= table["mp_type"].to_numpy() == 0
    assert on.sum() > 300
    i, j = rows[on], columns[on]
    good = table["temporal_coherence"].to_numpy()[on] > 0.7
    velocity = table["mean_velocity"].to_numpy()[on] - truth["velocity"].values[i, j]
    assert np.std(velocity[good]) < 1.0  # the true air of these 30 dates drifts by 0.8
    error = series(table)[on].T - truth["displacement"].values[:, i, j]
    error = error - np.median(error, axis=1, keepdims=True)
    error -= np.median(error, axis=0)
    assert np.sqrt(np.mean(error[:, good] ** 2)) < 2
    assert (np.abs(error[:, good]) < 55.465763 / 4).all(axis=0).mean() > 0.99  # no cycle is wrong
    # a constant velocity everywhere would be this far off
    assert np.std(truth["velocity"].values[i, j][good]) > 1


def test_distributed_scatterers_move_as_the_ground(found):
    simulation, table, rows, columns = found
    truth, area = simulation.truth, table["mp_type"].to_numpy()
    here = (area > 0) & (truth["building"].values[rows, columns] == 0)
    assert here.sum() > 30
    assert (area[here] > 20 * 40).all()  # twenty pixels or more
    error = table["mean_velocity"].to_numpy()[here] - truth["velocity"].values[rows[here], columns[here]]
    assert 1.4826 * np.median(np.abs(error - np.median(error))) < 1.2


def test_strong_scatterers_are_found_and_water_is_not(found):
    simulation, _, rows, columns = found
    truth = simulation.truth
    accepted = np.zeros(truth["kind"].shape, bool)
    accepted[rows, columns] = True
    near = ndimage.binary_dilation(accepted, np.ones((3, 3)))
    scr = np.nan_to_num(truth["scr"].values, nan=-np.inf)
    strong = scr > 10
    assert strong.sum() > 300
    assert near[strong].mean() > 0.95
    water = truth["region"].values == truth.attrs["regions"].index("water")
    assert water.sum() > 500
    assert accepted[water].mean() < 0.01  # side lobes of the shore


def test_points_are_where_the_scatterers_are(found):
    simulation, table, rows, columns = found
    truth, stack = simulation.truth, simulation.stack
    on = truth["kind"].values[rows, columns] == truth.attrs["kinds"].index("persistent")
    on &= table["mp_type"].to_numpy() == 0
    i, j = rows[on], columns[on]

    def metres(latitude, longitude):
        north = 111_132 * (latitude - truth["scatterer_latitude"].values[i, j])
        east = 111_320 * np.cos(np.radians(45)) * (longitude - truth["scatterer_longitude"].values[i, j])
        return np.hypot(north, east)

    placed = metres(*(table[name].to_numpy()[on] for name in ("latitude", "longitude")))
    known = metres(*(stack[name].values[i, j] for name in ("latitude", "longitude")))
    assert np.percentile(placed, 95) < 20
    assert np.percentile(placed, 95) < 0.7 * np.percentile(known, 95)
    height = table["height_wgs84"].to_numpy()[on] - stack["height"].values[i, j] - truth["height_error"].values[i, j]
    assert np.std(height) < 5
    assert np.std(truth["height_error"].values[i, j]) > 6


SCRIPT = """
import os, signal, sys
import groundshift.insar.basic as basic
from groundshift.insar.basic_config import BasicConfig
from groundshift.insar.second_pass import PointTile

stack, out, dies, executor = sys.argv[1:]
measure, seen = PointTile.__call__, basic.Summary.seen
def dying(step, tile):
    if tile.index == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return measure(step, tile)
def dying_late(summary, part):
    if part.rows[0] >= 64:
        os.kill(os.getpid(), signal.SIGKILL)
    return seen(summary, part)
if dies == "measuring":
    PointTile.__call__ = dying
if dies == "writing":
    basic.Summary.seen = dying_late
basic.make_basic(stack, out, BasicConfig(tile=64, block=400), executor=executor)
"""


def in_tiles(town, name, *, dies="no", executor="serial"):
    """Points of small tiles, whose network is solved in blocks, by a process of its own."""
    command = [sys.executable, "-W", "error", "-c", SCRIPT, town / "stack.zarr", town / name, dies, executor]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def tiled(town):
    done = in_tiles(town, "tiled", executor="processes")
    assert done.returncode == 0, done.stderr
    return town / "tiled"


def test_tiles_and_blocks_do_not_matter(tiled, found):
    table = read_points(tiled / "points.parquet")
    line, pixel = table["line"].to_numpy(), table["pixel"].to_numpy()
    tiles = 3 * (line // 64) + pixel // 64
    assert (np.diff(tiles) >= 0).all()
    assert (np.diff(line)[np.diff(tiles) == 0] >= 0).all()
    order = np.lexsort((pixel, line))
    np.testing.assert_array_equal(line[order], found[2])
    np.testing.assert_array_equal(pixel[order], found[3])
    np.testing.assert_allclose(series(table)[order], series(found[1]), atol=1e-3)
    heights = [each["height_wgs84"].to_numpy() for each in (table, found[1])]
    np.testing.assert_allclose(heights[0][order], heights[1], atol=1e-3)


def test_in_memory_it_is_the_same(town, tiled):
    result = measure_points(open_stack(town / "stack.zarr"), BasicConfig(tile=64, block=400))
    table = read_points(tiled / "points.parquet")
    assert result.table["pid"].equals(table["pid"])
    np.testing.assert_allclose(series(result.table), series(table), atol=1e-3)
    np.testing.assert_array_equal(result.rows, table["line"].to_numpy())
    assert result.series.displacement_sigma.shape == series(table).T.shape
    assert result.report["points"] == len(table)


def test_a_killed_run_goes_on_and_gives_the_same_bytes(town, tiled):
    assert in_tiles(town, "killed", dies="measuring").returncode == -signal.SIGKILL
    stores = town / "killed" / ".tiles"
    assert sorted(each.name.rsplit("-", 1)[1] for each in stores.iterdir() if each.is_dir()) == [
        "blocks", "held", "pixels", "points",
    ]  # fmt: skip
    assert len(list(stores.glob("*-points/*.npz"))) == 5
    assert not (town / "killed" / "points.parquet").exists()
    assert in_tiles(town, "killed", dies="writing").returncode == -signal.SIGKILL
    assert len(list((town / "killed").glob(".points.parquet.*"))) == 1
    assert not (town / "killed" / "points.parquet").exists()
    assert len(list(stores.glob("*-points/*.npz"))) == 9
    again = in_tiles(town, "killed")
    assert again.returncode == 0, again.stderr
    assert not stores.exists()
    assert {each.name for each in (town / "killed").iterdir()} == {each.name for each in tiled.iterdir()}
    for path in tiled.iterdir():
        assert (town / "killed" / path.name).read_bytes() == path.read_bytes(), path.name


def test_the_sample_is_the_same_in_any_order(found):
    table, rows, columns = found[1:]
    made = []
    for order in (np.arange(len(table)), np.arange(len(table))[::-1]):
        summary = Summary(160, most=300)
        for part in np.array_split(order, 7):
            nothing = np.ones(len(part))
            summary.seen(
                PointPart(
                    table.take(part),
                    DisplacementSeries(np.ones((30, len(part))), np.ones((30, len(part))), *[nothing] * 6),
                    rows[part],
                    columns[part],
                )
            )
        made.append(summary)
    one, other = (set(each.sample()["pid"].to_pylist()) for each in made)
    assert one == other
    assert len(one) == 300
    assert made[0].report()["points"] == len(table) == made[0].report()["clusters"].sum()
    there = np.isin(table["pid"].to_numpy(), list(one))
    share = [there[line < rows].mean() for line in (-1, 80)]
    assert share[1] == pytest.approx(share[0], rel=0.3)  # as many of the lower half


def test_geometry():
    look = np.array([[-0.6], [0.0], [0.8]])
    latitude, longitude = geolocate(np.array([45.0]), np.array([10.0]), look, np.array([30.0]))
    assert (longitude[0] - 10) * 111_320 * np.cos(np.radians(45)) == pytest.approx(
        40, rel=0.01
    )  # away, by 30 · 0.8/0.6
    assert latitude[0] == pytest.approx(45, abs=1e-6)
    assert track_angle(np.array([-0.62, 0.59]), np.array([-0.10, -0.12])) == pytest.approx([-9.2, 191.5], abs=0.1)


def test_the_reference_image_is_chosen(town):
    stack = open_simulation(town).stack
    geometry, reference = stack_geometry(stack, ReferenceConfig())
    assert geometry.baselines[reference] == 0
    assert geometry.wavelength == pytest.approx(55.465763)
    middle = range_sine(stack, np.nanmedian(stack["incidence"].values))
    assert middle == pytest.approx(geometry.range_sine, rel=1e-4)


def test_a_stack_without_scatterers_is_refused(town):
    stack = open_simulation(town).stack
    with pytest.raises(InputError, match="of 25600 pixels are candidates"):
        measure_points(stack, BasicConfig(network_dispersion=0.001, distributed=None))


def test_errors_are_one_line(tmp_path):
    failed = subprocess.run(
        [*COMMAND, tmp_path / "none", "-o", tmp_path / "out"], capture_output=True, text=True, check=False
    )
    assert failed.returncode == 1
    assert "does not exist" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (tmp_path / "out").exists()
