"""Unwrapped interferograms of a simulated stack: what is written is read, closes, and gives the true motion back."""

import numpy as np
import pytest
from pyproj import Transformer

from groundshift.errors import InputError
from groundshift.grid.tiles import Box
from groundshift.io.interferograms import open_interferograms
from groundshift.io.points import read_points
from groundshift.model.points import header, series
from groundshift.synth.radar.interferograms import date_pairs, simulate_interferograms
from groundshift.synth.radar.options import AtmosphereOptions, StackOptions
from groundshift.synth.radar.stack import open_simulation, simulate_stack
from tests.reference.command import run

CALM = AtmosphereOptions(turbulence=0, stratified=0, stratified_seasonal=0, ramp=0)
RADIANS = -4 * np.pi / 55.465763  # a millimetre toward the satellite


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folder, simulation, network, and the box of all of it."""
    folder = tmp_path_factory.mktemp("made")
    options = StackOptions(lines=60, pixels=200, dates=6, missing=0, orbit="descending", atmosphere=CALM, seed=3)
    simulation = simulate_stack(options)
    simulate_interferograms(folder, simulation, following=2, spacing=60)
    network = open_interferograms(folder / "interferograms")
    return folder, simulation, network, Box(0, 0, *network.grid.shape)


def test_each_date_is_joined_with_the_next():
    assert date_pairs(4, 2).tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]


def test_what_is_written_is_read(made):
    _, simulation, network, box = made
    assert (network.dates == simulation.stack["time"].values.astype("datetime64[D]")).all()
    assert network.pairs.tolist() == date_pairs(6, 2).tolist()
    assert network.track == simulation.stack.attrs["track"]
    look, stack = network.read_look(box), simulation.stack
    for part, name in zip(look, ("los_east", "los_north", "los_up"), strict=True):
        assert np.nanmean(part) == pytest.approx(float(stack[name].mean()), abs=2e-3)
    heights = network.read_height(box)
    assert (
        float(stack["height"].min()) - 1 < np.nanmin(heights) <= np.nanmax(heights) < float(stack["height"].max()) + 1
    )


def test_phases_are_the_true_ones_within_half_a_cycle_and_coherent_ones_are_near(made):
    _, simulation, network, box = made
    phase, coherence = network.read(box)
    motion = cell_means(simulation, network, simulation.truth["displacement"].values)
    height = cell_means(simulation, network, simulation.truth["height_error"].values[None])[0]
    baseline = simulation.stack["perpendicular_baseline"].values
    sine = simulation.stack.attrs["slant_range"] * np.sin(np.radians(float(simulation.stack["incidence"].mean())))
    off = []
    for number, (first, second) in enumerate(network.pairs):
        moved = motion[second] - motion[first] - 1000 * (baseline[second] - baseline[first]) / sine * height
        error = phase[number] - RADIANS * moved
        known = np.isfinite(error)
        assert known.sum() > 0.5 * known.size  # the stack is turned on the map
        assert np.abs(error[known]).max() < np.pi + 0.1  # the range of a cell is not that of the middle
        good = known & (coherence[number] > 0.6)
        assert good.sum() > 30
        off.append(error[good])
    off = np.concatenate(off)
    assert 1.4826 * np.median(np.abs(off)) < 0.35  # some 23 looks: 0.2, and bright scatterers that stand on roofs
    assert abs(np.median(off)) < 0.1
    water = cell_means(simulation, network, (simulation.truth["region"].values == 0)[None].astype(float))[0] > 0.99
    assert np.nanmean(coherence[:, water]) < 0.4 < 0.6 < np.nanmean(coherence[:, ~water & known])


def test_a_folder_that_is_there_is_not_overwritten(made):
    with pytest.raises(InputError, match="is there already"):
        simulate_interferograms(made[0], made[1])


def test_the_command_makes_interferograms_that_invert_to_the_truth(tmp_path):
    (tmp_path / "calm.json").write_text('{"atmosphere": ' + CALM.model_dump_json() + ', "lines": 80, "pixels": 240}')
    out = tmp_path / "town"
    words = ("--dates", 32, "--missing", 0.2, "--seed", 3, "--interferograms", 4, "--options", tmp_path / "calm.json")
    done = run("synth", "stack", out, *words, check=True)
    assert f"its interferograms, unwrapped, in {out / 'interferograms'}" in done.stdout
    run("invert", out / "interferograms", "-o", tmp_path / "inverted", "--min-coherence", 0.6, check=True)
    table, simulation = read_points(tmp_path / "inverted" / "points.parquet"), open_simulation(out)
    network = open_interferograms(out / "interferograms")
    rows, columns = table["line"].to_numpy(), table["pixel"].to_numpy()
    assert len(rows) > 50
    truth = cell_means(simulation, network, simulation.truth["displacement"].values)[:, rows, columns]
    error = series(table).T - truth
    error -= np.median(error, axis=1, keepdims=True)
    error -= error.mean(axis=0)
    assert np.sqrt(np.mean(error**2)) < 1.5
    rate = cell_means(simulation, network, simulation.truth["velocity"].values[None])[0, rows, columns]
    wrong = table["mean_velocity"].to_numpy() - rate
    assert np.std(wrong - np.median(wrong)) < 0.6 * np.std(rate)
    # interferograms share the errors of images, which no residual shows: with sigmas by residuals alone it was 15, and
    # what is left is that cells do not move as their brightest scatterer does
    assert np.mean(((wrong - np.median(wrong)) / table["mean_velocity_std"].to_numpy()) ** 2) < 5
    assert header(table).track == simulation.stack.attrs["track"]


def cell_means(simulation, network, layers):
    """Means (k, y, x) of layers (k, lines, pixels) in the cells of a network."""
    stack, grid = simulation.stack, network.grid
    to_map = Transformer.from_crs("EPSG:4326", grid.crs.proj, always_xy=True)
    x, y = to_map.transform(stack["longitude"].values, stack["latitude"].values)
    column, row = (np.asarray(each).astype(int) for each in ~grid.affine @ np.stack([x.ravel(), y.ravel()]))
    cell = row * grid.shape.x + column
    size = grid.shape.y * grid.shape.x
    count = np.maximum(np.bincount(cell, minlength=size), 1)
    return np.stack([np.bincount(cell, each.ravel(), size) / count for each in layers]).reshape(-1, *grid.shape)
