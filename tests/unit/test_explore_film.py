"""Displacement month by month, as the explorer's server packs it for a tile."""

import base64
import json
import re
import struct

import numpy as np
import pytest
from reference.explorer import DATES, village

from groundshift.explore import tiles
from groundshift.explore.catalog import open_catalog
from groundshift.explore.export import export_page
from groundshift.explore.film import EMPTY, film_of, monthly_means
from groundshift.explore.mercator import tile_bounds, to_centimetres
from groundshift.io.points import write_points
from groundshift.model.points import point_set, series

LAYER = "points-L2b-LOS-44"


@pytest.fixture
def opened(tmp_path):
    """Opens points in a catalog that is closed after the test; returns their layer."""
    catalogs = []

    def layer_of(*tables):
        for number, table in enumerate(tables):
            write_points(tmp_path / f"points{number}.parquet", table)
        catalogs.append(open_catalog([tmp_path / f"points{number}.parquet" for number in range(len(tables))]))
        return catalogs[-1].layers[LAYER]

    yield layer_of
    for catalog in catalogs:
        catalog.close()


def at(layer, z):
    """The tile of a zoom with the middle of a layer."""
    west, south, east, north = layer.describe()["bounds"]
    x, y = to_centimetres((west + east) / 2, (south + north) / 2)
    left, _, right, top = tile_bounds(0, 0, 0)
    return z, int((x - left) / (right - left) * 2**z), int((top - y) / (right - left) * 2**z)


def unpacked(content):
    """Header and arrays of a tile with months, read as the page does."""
    size = struct.unpack("<I", content[:4])[0]
    header = json.loads(content[4 : 4 + size])
    offset, arrays = 4 + -(-size // 4) * 4, {}
    for name, kind, *rows in header["arrays"]:
        shape = (*rows, header["count"])
        arrays[name] = np.frombuffer(content, np.dtype(kind).newbyteorder("<"), int(np.prod(shape)), offset)
        offset += -(-arrays[name].nbytes // 4) * 4
        arrays[name] = arrays[name].reshape(shape)
    assert offset == len(content)
    return header, arrays


def test_a_film_holds_the_means_of_months_of_every_point(opened):
    layer = opened(village(500))
    header, arrays = unpacked(layer.film(*at(layer, 10)))
    assert (header["kind"], header["count"], header["first"], header["quantum"]) == ("points", 500, "2020-01", 0.1)
    (part,) = (part.name for part in layer.store.manifest.parts)
    values = layer.store.series(part, arrays["row"])
    month = DATES.astype("datetime64[M]")
    every = np.arange(month[0], month[-1] + 1)
    expected = np.stack([values[:, month == each].mean(axis=1) for each in every])
    assert arrays["mean"].shape == (24, 500)
    np.testing.assert_allclose(arrays["mean"] * header["quantum"], expected, atol=0.051)
    np.testing.assert_array_equal(arrays["count_of"][:, 0], [(month == each).sum() for each in every])
    np.testing.assert_array_equal(arrays["value"], 1)  # rmse
    assert layer.describe()["fields"]["displacement"] == [-20, 20]  # twice ten, in two years


def test_a_month_without_a_measurement_repeats_the_one_before():
    dates = np.array(["2020-02-03", "2020-02-15", "2020-05-01", "2020-05-31"], "datetime64[D]")
    values = np.array([[1.0, 3.0, 7.0, np.nan], [np.nan, np.nan, 4.0, 6.0]])
    months = np.arange(np.datetime64("2020-01"), np.datetime64("2020-07"))
    mean, count = monthly_means(values, dates, months)
    np.testing.assert_array_equal(mean.T, [[np.nan, 2, 2, 2, 7, 7], [np.nan] * 4 + [5, 5]])
    np.testing.assert_array_equal(count.T, [[0, 2, 2, 2, 1, 1], [0, 0, 0, 0, 2, 2]])


@pytest.mark.parametrize(("first", "last"), [(0, 23), (3, 9), (11, 12)])
def test_the_sigma_of_a_displacement_between_two_months_is_that_of_its_error(opened, first, last):
    """For errors that are independent from date to date; its `rmse` is of the model that EGMS fits."""
    rng = np.random.default_rng(7)
    noise = rng.uniform(1, 4, 800)
    years = (DATES - DATES[0]).astype(float) / 365
    motion = rng.uniform(-20, 20, 800)[:, None] * years
    table = village(800)
    columns = {name: table[name] for name in table.column_names if name not in ("displacement", "geometry", "rmse")}
    columns |= {"rmse": noise, "displacement": motion + noise[:, None] * rng.standard_normal((800, len(years)))}
    layer = opened(point_set(columns, level="L2b", dates=DATES, crs="EPSG:3035", track=44, frame="0001_IW1_VV"))
    header, arrays = unpacked(layer.film(*at(layer, 10)))
    mean, count = arrays["mean"] * header["quantum"], arrays["count_of"].astype(float)
    sigma = arrays["value"] * np.sqrt(1 / count[first] + 1 / count[last])  # as web/src/data/film.ts has it
    month = DATES.astype("datetime64[M]")
    every = np.unique(month)
    true = motion[:, month == every[last]].mean(axis=1) - motion[:, month == every[first]].mean(axis=1)
    (part,) = (part.name for part in layer.store.manifest.parts)
    pids = layer.store.attributes(part)["pid"].to_pylist()
    order = [table["pid"].to_pylist().index(pids[row]) for row in arrays["row"]]
    error = mean[last] - mean[first] - true[order]
    assert 0.8 < np.var(error / sigma) < 1.25


def test_motion_of_metres_is_kept_with_coarser_steps(opened):
    table = village(50)
    columns = {name: table[name] for name in table.column_names if name not in ("displacement", "geometry")}
    columns["displacement"] = np.linspace(0, -9000, len(DATES))[None] * np.ones((50, 1))
    layer = opened(point_set(columns, level="L2b", dates=DATES, crs="EPSG:3035", track=44, frame="0001_IW1_VV"))
    header, arrays = unpacked(layer.film(*at(layer, 10)))
    assert abs(arrays["mean"][-1, 0] * header["quantum"] + 9000) < 100  # the mean of the last month
    assert EMPTY not in arrays["mean"]


def test_cells_have_no_film(opened, monkeypatch):
    monkeypatch.setattr(tiles, "TILE_POINTS", 100)
    layer = opened(village(500))
    header, arrays = unpacked(layer.film(*at(layer, 10)))
    assert header["kind"] == "cells"
    assert "first" not in header
    assert "mean" not in arrays


def test_points_of_several_tracks_are_on_the_months_of_the_layer(opened):
    later = village(40, frame="0002_IW1_VV", seed=1)
    columns = {name: later[name] for name in later.column_names if name not in ("displacement", "geometry")}
    columns["displacement"] = series(later)
    dates = DATES + 100
    other = point_set(columns, level="L2b", dates=dates, crs="EPSG:3035", track=44, frame="0002_IW1_VV")
    layer = opened(village(60), other)
    header, arrays = unpacked(layer.film(*at(layer, 10)))
    late = np.array(["0002" in header["parts"][k] for k in arrays["part"]])
    assert (late.sum(), (~late).sum()) == (40, 60)
    assert (arrays["mean"][:3, late] == EMPTY).all()  # January to March
    assert (arrays["mean"][3:, late] != EMPTY).all()
    assert (arrays["mean"][:, ~late] != EMPTY).all()
    assert len(arrays["mean"]) == len(np.arange(np.datetime64("2020-01"), dates[-1].astype("datetime64[M]") + 1))


def test_an_exported_page_has_the_film_that_the_server_sends(opened, tmp_path):
    layer = opened(village(300))
    export_page([tmp_path / "points0.parquet"], tmp_path / "page")
    z, x, y = at(layer, 8)
    text = (tmp_path / f"page/api/layers/{LAYER}/film/{z}/{x}/{y}.bin.js").read_text()
    assert base64.b64decode(re.fullmatch(r'groundshift\("[^"]+","([^"]*)"\)', text).group(1)) == layer.film(
        z, x, y, heights=True
    )


def test_the_film_of_no_points_has_months_and_nothing_else(opened):
    layer = opened(village(10))
    content = tiles.Content({"row": np.empty(0, np.uint32), "part": np.empty(0, np.uint16)}, [], 0)
    film = film_of(layer.store, content, ("2020-01-03", "2020-03-03"))
    assert (film.first, film.mean.shape) == ("2020-01", (3, 0))
