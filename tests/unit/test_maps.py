"""Displacement maps on disk."""

import datetime
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from groundshift.errors import ContractError, InputError
from groundshift.grid.common import LOCAL_CRS
from groundshift.grid.tiles import tile_plan
from groundshift.io import maps, read_map, write_dataset, write_json, write_map, write_text
from groundshift.model.displacement import check, displacement_map

pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")

ATTRIBUTES = {
    "date_pre": "2016-07-18", "date_post": "", "method": "frequency", "source_pre": "a.tif", "source_post": "0123",
    "software": "groundshift 0.1.0", "configuration_hash": "00ff", "window": 32, "offset": [0.125, -3.5],
    "note": 'σ ≤ "0.1" px\nand <more> & more', "ramp": None, "seeded": True, "padded": " x ", "settings": {"step": 8},
}  # fmt: skip


def make_map(shape=(700, 610), crs="EPSG:32611", *, up=False):
    generator = np.random.default_rng(7)
    reason = np.where(generator.random(shape) < 0.3, generator.integers(1, 11, shape), 0).astype(np.uint8)
    layers = {"reason": reason}
    for name in ("east", "north", *(("up",) if up else ())):
        layers[name] = generator.normal(size=shape).astype(np.float32)
        layers[f"{name}_sigma"] = generator.uniform(0.01, 1, shape).astype(np.float32)
    layers["quality"] = generator.random(shape).astype(np.float32)
    for name in set(layers) - {"reason"}:
        layers[name][reason != 0] = np.nan
    grid = GeoBox(shape, Affine(80, 0, 500000, 0, -80, 4600000), crs)
    return grid, layers


def names(folder):
    return [path.name for path in folder.iterdir()]


def tiles(grid, layers, size=256):
    return [
        (tile.box, {name: a[tile.box.slices] for name, a in layers.items()}) for tile in tile_plan(grid.shape, size)
    ]


@pytest.mark.parametrize(("crs", "up"), [("EPSG:32611", False), (LOCAL_CRS, True)])
def test_there_and_back_without_loss(tmp_path, crs, up):
    grid, layers = make_map(crs=crs, up=up)
    write_map(tmp_path / "map.tif", grid, tiles(grid, layers), attributes=ATTRIBUTES)
    found = read_map(tmp_path / "map.tif")
    check(found)
    expected = displacement_map(layers, grid, ATTRIBUTES)
    assert found.attrs == ATTRIBUTES
    assert found.odc.geobox == grid
    assert set(found) == set(expected)
    for name in expected:
        assert found[name].dtype == expected[name].dtype
        assert found[name].attrs == expected[name].attrs
        np.testing.assert_array_equal(found[name].values, expected[name].values)
    np.testing.assert_array_equal(found.x, expected.x)
    np.testing.assert_array_equal(found.y, expected.y)
    assert names(tmp_path) == ["map.tif"]


def test_same_map_same_bytes_however_it_is_cut(tmp_path):
    grid, layers = make_map()
    write_map(tmp_path / "a.tif", grid, tiles(grid, layers), attributes=ATTRIBUTES)
    write_map(tmp_path / "b.tif", grid, reversed(tiles(grid, layers, 300)), attributes=ATTRIBUTES)
    write_dataset(tmp_path / "c.tif", displacement_map(layers, grid, ATTRIBUTES))
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes() == (tmp_path / "c.tif").read_bytes()


def test_what_other_programs_see(tmp_path):
    grid, layers = make_map()
    write_map(tmp_path / "map.tif", grid, tiles(grid, layers), attributes=ATTRIBUTES)
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert dataset.descriptions == ("east", "north", "east_sigma", "north_sigma", "quality", "reason")
        assert dataset.units == ("m", "m", "m", "m", "1", "1")
        assert np.isnan(dataset.nodata)
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.overviews(1) == [2]
        assert dataset.tags()["method"] == "frequency"
        assert dataset.tags(1)["long_name"] == "displacement to the east"
        assert "no_texture" in dataset.tags(6)["flag_meanings"]


def test_large_map_is_lazy_and_the_same(tmp_path, monkeypatch):
    grid, layers = make_map()
    write_map(tmp_path / "map.tif", grid, tiles(grid, layers), attributes=ATTRIBUTES)
    eager = read_map(tmp_path / "map.tif")
    monkeypatch.setattr(maps, "_LAZY", 1)
    lazy = read_map(tmp_path / "map.tif")
    assert all(lazy[name].chunks for name in lazy)
    assert lazy.compute().identical(eager)
    write_dataset(tmp_path / "again.tif", lazy)
    assert (tmp_path / "again.tif").read_bytes() == (tmp_path / "map.tif").read_bytes()


def broken(grid, layers):
    blocks = tiles(grid, layers)
    yield from blocks[:3]
    raise RuntimeError("power cut")


def test_nothing_is_left_when_it_fails_and_the_old_map_stays(tmp_path):
    grid, layers = make_map()
    with pytest.raises(RuntimeError, match="power cut"):
        write_map(tmp_path / "map.tif", grid, broken(grid, layers), attributes=ATTRIBUTES)
    assert names(tmp_path) == []
    (tmp_path / "map.tif").write_text("old")
    with pytest.raises(RuntimeError):
        write_map(tmp_path / "map.tif", grid, broken(grid, layers), attributes=ATTRIBUTES)
    assert (tmp_path / "map.tif").read_text() == "old"
    assert names(tmp_path) == ["map.tif"]


def test_blocks_must_fit(tmp_path):
    grid, layers = make_map()
    path = tmp_path / "map.tif"
    blocks = tiles(grid, layers)
    with pytest.raises(ContractError, match="the blocks cover 361464 pixels of 427000"):
        write_map(path, grid, blocks[1:], attributes=ATTRIBUTES)
    with pytest.raises(ContractError, match="at least one block"):
        write_map(path, grid, [], attributes=ATTRIBUTES)
    with pytest.raises(ContractError, match=r"layers \['quality'\] are missing"):
        write_map(
            path, grid, [(box, {n: a for n, a in b.items() if n != "quality"}) for box, b in blocks], attributes={}
        )
    with pytest.raises(ContractError, match=r"no layers \['valid'\]"):
        write_map(path, grid, [(box, {**b, "valid": b["reason"]}) for box, b in blocks], attributes={})
    with pytest.raises(ContractError, match="has shapes"):
        write_map(path, grid, [(blocks[0][0].shifted(0, 500), blocks[0][1])], attributes={})
    assert names(tmp_path) == []


def test_what_is_no_map(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_map(tmp_path / "map.tif")
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", count=1, height=4, width=4, dtype="uint8",
                       crs="EPSG:32611", transform=Affine(1, 0, 5, 0, -1, 5)) as dataset:  # fmt: skip
        dataset.write(np.ones((1, 4, 4), np.uint8))
    with pytest.raises(InputError, match=r"a\.tif is no displacement map: its 1 bands have no names"):
        read_map(tmp_path / "a.tif")
    grid, layers = make_map((8, 8))
    with pytest.raises(InputError, match="2 times; expected one"):
        write_dataset(tmp_path / "b.tif", displacement_map(layers, grid, ATTRIBUTES).expand_dims(time=2))


@pytest.mark.parametrize("value", [np.nan, 300.0])
def test_a_map_that_breaks_the_contract_is_named(tmp_path, value):
    grid, layers = make_map((40, 30))
    write_map(tmp_path / "map.tif", grid, tiles(grid, layers), attributes=ATTRIBUTES)
    with rasterio.open(tmp_path / "map.tif", "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        band = dataset.descriptions.index("east" if np.isnan(value) else "reason") + 1
        pixels = dataset.read(band)
        pixels[layers["reason"] == 0] = value
        dataset.write(pixels, band)
    with pytest.raises(ContractError, match=r"map\.tif: layer 'east' must be finite exactly where"):
        read_map(tmp_path / "map.tif")


def test_json_record(tmp_path):
    record = {
        "day": np.datetime64("2016-07-18"), "no day": np.datetime64("NaT"), "path": Path("a/b"), "none": float("nan"),
        "values": np.arange(3, dtype=np.float32), "number": np.float64(0.5), "date": datetime.date(2016, 7, 18),
        3: (1, 2),
    }  # fmt: skip
    write_json(tmp_path / "new" / "record.json", record)
    assert json.loads((tmp_path / "new" / "record.json").read_text()) == {
        "day": "2016-07-18", "no day": None, "path": "a/b", "none": None, "values": [0, 1, 2], "number": 0.5,
        "date": "2016-07-18", "3": [1, 2],
    }  # fmt: skip
    with pytest.raises(TypeError):
        write_json(tmp_path / "new" / "record.json", {"what": object()})
    assert json.loads((tmp_path / "new" / "record.json").read_text())["number"] == 0.5


def test_text_is_written_whole(tmp_path):
    write_text(tmp_path / "a.csv", "x,y\n1,2 m²\n")
    assert (tmp_path / "a.csv").read_bytes() == "x,y\n1,2 m²\n".encode()
    assert names(tmp_path) == ["a.csv"]


def test_covariances_and_velocities_there_and_back(tmp_path):
    grid, layers = make_map((40, 30), up=True)
    layers |= dict.fromkeys(
        ("east_north_covariance", "east_up_covariance", "north_up_covariance"), layers["east"] * 0.01
    )
    lacking = layers["up"] > 1
    for name in ("up", "up_sigma", "east_up_covariance", "north_up_covariance"):
        layers[name] = np.where(lacking, np.nan, layers[name]).astype(np.float32)
    write_map(tmp_path / "map.tif", grid, tiles(grid, layers), attributes={**ATTRIBUTES, "quantity": "velocity"})
    found = read_map(tmp_path / "map.tif")
    for name, values in layers.items():
        np.testing.assert_array_equal(found[name], values)
    assert found["up_sigma"].attrs["units"] == "m/yr"
    assert found["east_up_covariance"].attrs["units"] == "m2/yr2"
    two = {name: values for name, values in layers.items() if "north" not in name}
    with pytest.raises(ContractError, match="'up' must be finite exactly"):
        displacement_map(two, grid, ATTRIBUTES)
    for name in ("east", "east_sigma"):
        layers[name] = layers["up"]
    with pytest.raises(ContractError, match="less than two components"):
        displacement_map(layers, grid, ATTRIBUTES)
    grid, layers = make_map((9, 9), up=True)
    layers |= {"east_up_covariance": layers["east"], "east_north_covariance": layers["east"]}
    with pytest.raises(ContractError, match="'north_up_covariance' is missing"):
        displacement_map(layers, grid, ATTRIBUTES)
