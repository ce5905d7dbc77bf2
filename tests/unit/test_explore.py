"""The explorer's server: what it answers is what is in the data, and it answers nothing else."""

import base64
import hashlib
import io
import json
import os
import re
import shutil
import socket
import struct
from pathlib import Path

import httpx
import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
from matplotlib.image import imread
from odc.geo.geobox import GeoBox
from reference.explorer import DATES, MIDDLE, SOURCES, village, write_sources

from groundshift.errors import ConfigurationError, InputError
from groundshift.explore.catalog import open_catalog
from groundshift.explore.export import export_page
from groundshift.explore.ingestion import ingest
from groundshift.explore.mercator import morton, tile_bounds, to_centimetres, to_degrees
from groundshift.explore.questions import MAX_BODY
from groundshift.explore.serve import serve
from groundshift.explore.server import PAGE, create_app
from groundshift.grid.metric import crs_name
from groundshift.grid.tiles import Box
from groundshift.io.egms import write_egms
from groundshift.io.maps import write_map
from groundshift.io.points import write_points
from groundshift.io.store import commit, write_parts
from groundshift.io.store.manifest import set_name, set_record
from groundshift.io.write import write_image
from groundshift.kernels.series_fields import seasonal_design
from groundshift.model.displacement import REQUIRED_ATTRIBUTES
from groundshift.model.points import series

LAYER = "ground-L2b-LOS-44"
AROUND = [[9.98, 51.98], [10.02, 51.98], [10.02, 52.02], [9.98, 52.02]]


@pytest.fixture(scope="module")
def table():
    return village()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, table):
    """A store, a displacement map, two images, a fault and stations."""
    root = tmp_path_factory.mktemp("sources")
    write_sources(root, table)
    return root


@pytest.fixture(scope="module")
def client(folder):
    """Asks the application without a network."""
    return Client(create_app([folder / name for name in SOURCES]))


class Client:
    """A plain way to ask an application that answers asynchronously."""

    def __init__(self, app):
        self.app = app

    def __call__(self, method, path, *, host="127.0.0.1", **options):
        import asyncio

        async def ask():
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())

    def get(self, path, **options):
        return self("GET", path, **options)

    def post(self, path, body, **options):
        return self("POST", path, json=body, **options)


def tile_of(z, longitude=10.0, latitude=52.0):
    """Column and row of the tile with a place."""
    x, y = to_centimetres(longitude, latitude)
    west, _, east, north = tile_bounds(0, 0, 0)
    return int((x - west) / (east - west) * 2**z), int((north - y) / (east - west) * 2**z)


def unpacked(content):
    """Header and arrays of a tile, read as the page does."""
    size = struct.unpack("<I", content[:4])[0]
    header = json.loads(content[4 : 4 + size])
    offset, arrays = 4 + -(-size // 4) * 4, {}
    for name, kind in header["arrays"]:
        arrays[name] = np.frombuffer(content, np.dtype(kind).newbyteorder("<"), header["count"], offset)
        offset += -(-arrays[name].nbytes // 4) * 4
    assert offset == len(content)
    return header, arrays


def test_the_catalog_says_what_there_is(client, table):
    record = client.get("/api/catalog.json").json()
    layers = {each["id"]: each for each in record["layers"]}
    assert {each["kind"] for each in layers.values()} == {"points", "map", "image", "features", "stations"}
    found = layers[LAYER]
    assert (found["points"], found["orbit"], found["track"]) == (len(table), "ascending", 44)
    assert (found["first"], found["last"]) == (str(DATES[0]), str(DATES[-1]))
    assert found["fields"]["mean_velocity"] == [-10, 10]
    assert found["bounds"][0] < 10.0 < found["bounds"][2]
    assert all(len(stops) == 32 for stops in record["palettes"].values())


def test_a_tile_holds_the_points_where_they_are(client, table):
    x, y = tile_of(12)
    header, arrays = unpacked(client.get(f"/api/layers/{LAYER}/tiles/12/{x}/{y}.bin?field=rmse").content)
    assert header["kind"] == "points"
    assert 500 < header["count"] <= len(table)
    west, _, east, north = tile_bounds(12, x, y)
    side = east - west
    index = 17
    found = client.get(
        f"/api/layers/{LAYER}/point?part={header['parts'][arrays['part'][index]]}&row={arrays['row'][index]}"
    ).json()
    place = to_degrees(west + arrays["x"][index] / 65536 * side, north - arrays["y"][index] / 65536 * side)
    assert place == pytest.approx((found["longitude"], found["latitude"]), abs=2e-6)
    assert arrays["by"][index] == pytest.approx(found["attributes"]["mean_velocity"])
    assert arrays["value"][index] == 1.0


def test_a_tile_holds_heights_where_they_are_asked_for(client, table):
    x, y = tile_of(14)
    assert "height" not in unpacked(client.get(f"/api/layers/{LAYER}/tiles/14/{x}/{y}.bin").content)[1]
    known = dict(zip(table["pid"].to_pylist(), table["height"].to_pylist(), strict=True))
    header, arrays = unpacked(client.get(f"/api/layers/{LAYER}/tiles/14/{x}/{y}.bin?heights=true&by=rmse").content)
    assert (header["kind"], set(arrays)) == ("points", {"x", "y", "value", "by", "height", "row", "part"})
    for index in (0, 5, header["count"] - 1):
        part = header["parts"][arrays["part"][index]]
        found = client.get(f"/api/layers/{LAYER}/point?part={part}&row={arrays['row'][index]}").json()
        assert arrays["height"][index] == pytest.approx(known[found["attributes"]["pid"]], abs=0.05)
    lowest = next(each["lowest"] for each in client.get("/api/catalog.json").json()["layers"] if each["id"] == LAYER)
    heights = table["height"].to_numpy()
    assert lowest == np.floor(lowest) < np.median(heights)
    assert 0.005 < (heights < lowest + 1).mean() < 0.05


def test_tiles_of_one_zoom_hold_every_point_once(client, table):
    x, y = tile_of(14)
    rows = []
    for i in range(x - 3, x + 4):
        for j in range(y - 3, y + 4):
            _, arrays = unpacked(client.get(f"/api/layers/{LAYER}/tiles/14/{i}/{j}.bin").content)
            rows += arrays["row"].tolist()
    assert sorted(rows) == list(range(len(table)))


def test_many_points_become_cells_with_the_same_mean(tmp_path, monkeypatch, table, client):
    for limit, zoom in ((1000, 9), (1000, 13)):  # cells made at ingest, and cells made from the points of a tile
        monkeypatch.setattr("groundshift.explore.tiles.TILE_POINTS", limit)
        x, y = tile_of(zoom)
        header, arrays = unpacked(
            client.get(f"/api/layers/{LAYER}/tiles/{zoom}/{x}/{y}.bin?field=temporal_coherence").content
        )
        assert header["kind"] == "cells"
        easting, northing = (table[n].to_numpy() for n in ("easting", "northing"))
        import pyproj

        mx, my = pyproj.Transformer.from_crs(3035, 3857, always_xy=True).transform(easting, northing)
        west, south, east, north = (v / 100 for v in tile_bounds(zoom, x, y))
        inside = (mx >= west) & (mx < east) & (my > south) & (my <= north)
        assert arrays["count"].sum() == inside.sum()
        for name, column in (("value", "temporal_coherence"), ("by", "mean_velocity")):
            mean = np.average(arrays[name], weights=arrays["count"])
            assert mean == pytest.approx(table[column].to_numpy()[inside].mean(), abs=1e-4)


def test_a_point_comes_with_its_series_and_a_fit_that_fits(client, table):
    found = client.get(f"/api/layers/{LAYER}/nearest?longitude=10.0&latitude=52.0&radius=2000").json()
    row = table["pid"].to_pylist().index(found["attributes"]["pid"])
    np.testing.assert_allclose(found["displacement"], series(table)[row], atol=1e-3)
    years = (DATES - DATES[0]).astype(float) / 365
    model = seasonal_design(years) @ found["fit"]["coefficients"]
    residual = series(table)[row] - model
    assert found["fit"]["rmse"] == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-3)
    assert np.abs(seasonal_design(years).T @ residual).max() < 0.2  # nothing of the model is left in the residuals
    distance = np.hypot(*(table[n].to_numpy() - v for n, v in zip(("easting", "northing"), MIDDLE, strict=True)))
    assert distance[row] < np.partition(distance, 3)[3] + 30
    assert client.get(f"/api/layers/{LAYER}/nearest?longitude=11&latitude=52&radius=10").status_code == 404


def test_statistics_of_an_area(client, table):
    body = {"polygon": AROUND, "field": "mean_velocity", "largest": -1.0}
    found = client.post(f"/api/layers/{LAYER}/statistics", body).json()
    velocity = table["mean_velocity"].to_numpy()
    kept = velocity[velocity <= -1.0]
    assert found["points"] == len(kept)
    assert found["mean"] == pytest.approx(kept.mean(), abs=1e-4)
    assert sum(found["histogram"]["counts"]) == len(kept)
    mean = series(table)[velocity <= -1.0].mean(axis=0)
    np.testing.assert_allclose(found["series"]["mean"], mean, atol=0.02)
    empty = client.post(f"/api/layers/{LAYER}/statistics", {"polygon": [[1, 1], [1, 2], [2, 2]]}).json()
    assert empty["points"] == 0
    assert empty["mean"] is None


def test_any_field_can_be_filtered_by(client, table):
    coherence = table["temporal_coherence"].to_numpy()
    least = float(np.median(coherence))
    asked = {"by": "temporal_coherence", "least": least}
    found = client.post(f"/api/layers/{LAYER}/statistics", {"polygon": AROUND, **asked}).json()
    assert found["points"] == (coherence >= least).sum() < len(table)
    file = client.post(f"/api/layers/{LAYER}/selection", {"polygon": AROUND, **asked}).content
    assert min(pyarrow.csv.read_csv(io.BytesIO(file))["temporal_coherence"].to_pylist()) >= least - 1e-6
    x, y = tile_of(12)
    header, arrays = unpacked(client.get(f"/api/layers/{LAYER}/tiles/12/{x}/{y}.bin?by=temporal_coherence").content)
    part, row = header["parts"][arrays["part"][5]], arrays["row"][5]
    attributes = client.get(f"/api/layers/{LAYER}/point?part={part}&row={row}").json()["attributes"]
    assert arrays["by"][5] == pytest.approx(attributes["temporal_coherence"])
    assert arrays["value"][5] == pytest.approx(attributes["mean_velocity"])
    line = {"line": [[9.985, 52.0], [10.015, 52.0]], "width": 300}
    every, some = (client.post(f"/api/layers/{LAYER}/profile", line | ask).json()["points"] for ask in ({}, asked))
    assert 0 < some < every


def test_a_profile_lies_along_the_line(client, table):
    line = [[9.985, 52.0], [10.015, 52.0]]
    found = client.post(f"/api/layers/{LAYER}/profile", {"line": line, "width": 300}).json()
    assert found["length"] == pytest.approx(2060, rel=0.01)
    assert found["distance"] == sorted(found["distance"])
    assert 300 < found["points"] < 1000
    middle = np.array(found["value"])[np.abs(np.array(found["distance"]) - found["length"] / 2) < 150]
    assert np.mean(middle) < -6
    assert found["sigma"] == pytest.approx([0.2] * len(found["value"]))
    bare = client.post(f"/api/layers/{LAYER}/profile", {"line": line, "width": 300, "field": "height"}).json()
    assert "sigma" not in bare
    along = client.post("/api/layers/quake/profile", {"line": [[10.46, 52.0], [10.475, 51.995]]}).json()
    assert set(along["values"]) == {"east", "east_sigma", "north", "north_sigma"}
    assert {v for v in along["values"]["north"] if v is not None} == {-2.0}


def test_a_selection_can_be_taken_away(client, table):
    ask = {"polygon": AROUND, "largest": -5.0}
    names = {n for n, v in zip(table["pid"].to_pylist(), table["mean_velocity"].to_pylist(), strict=True) if v <= -5}
    answers = {
        kind: client.post(f"/api/layers/{LAYER}/selection", ask | {"format": kind})
        for kind in ("csv", "geojson", "parquet")
    }
    text = pyarrow.csv.read_csv(io.BytesIO(answers["csv"].content))
    options = {"column_types": {"pid": "string"}}
    text = pyarrow.csv.read_csv(
        io.BytesIO(answers["csv"].content), convert_options=pyarrow.csv.ConvertOptions(**options)
    )
    assert set(text["pid"].to_pylist()) == names
    features = answers["geojson"].json()["features"]
    assert {each["properties"]["pid"] for each in features} == names
    assert features[0]["geometry"]["coordinates"] == pytest.approx([10, 52], abs=0.02)
    parquet = pq.read_table(io.BytesIO(answers["parquet"].content))
    assert set(parquet["pid"].to_pylist()) == names
    assert shapely.from_wkb(parquet["geometry"][0].as_py()).x == pytest.approx(parquet["longitude"][0].as_py())
    assert b"geo" in parquet.schema.metadata
    assert "attachment" in answers["csv"].headers["content-disposition"]


def test_pictures_have_the_colours_of_the_data(client):
    x, y = tile_of(13, 10.465, 51.995)
    made = client.get(f"/api/layers/quake/tiles/13/{x}/{y}.png?field=north&low=-2&high=2&palette=motion")
    pixels = (imread(io.BytesIO(made.content)) * 255).round()
    shown = pixels[pixels[..., 3] > 0]
    assert len(shown) > 1000
    assert (shown == [165, 0, 38, 255]).all()  # the red end of the scale
    x, y = tile_of(12)
    points = client.get(f"/api/layers/{LAYER}/tiles/12/{x}/{y}.png")
    assert points.headers["content-type"] == "image/png"
    assert client.get(f"/api/layers/before/tiles/12/{x}/{y}.png").status_code == 200
    assert client.get(f"/api/layers/quake/tiles/12/{x}/{y}.png?field=up").status_code == 422


def test_a_map_tells_its_values(client):
    found = client.get("/api/layers/quake/value?longitude=10.465&latitude=51.995").json()
    assert found["east"] == {"value": 1.5, "unit": "m"}
    assert found["north_sigma"]["value"] == pytest.approx(0.2, abs=1e-3)
    assert found["quality"]["unit"] == ""
    assert client.get("/api/layers/quake/value?longitude=0&latitude=0").json()["east"]["value"] is None
    arrows = client.get("/api/layers/quake/arrows.geojson").json()["features"]
    assert {each["properties"]["east"] for each in arrows} == {1.5}


def test_lines_and_stations_are_sent_whole(client):
    fault = client.get("/api/layers/faults/features.geojson").json()["features"][0]
    assert fault["properties"] == {"name": "Fault"}
    assert fault["geometry"]["coordinates"][1] == [10.1, 52.1]
    station = client.get("/api/layers/stations/features.geojson").json()["features"][0]["properties"]
    assert (station["name"], station["up"], station["up_sigma"]) == ("ABCD", 3.0, pytest.approx(0.3))


@pytest.mark.parametrize(
    "path",
    ["/../server.py", "/%2e%2e/server.py", "/..%2fserver.py", "/api/layers/..%2f..%2fetc/point?part=x&row=0",
     "/assets/..%2f..%2f..%2fserver.py", "/etc/passwd", "//etc/passwd"],
)  # fmt: skip
def test_no_path_leads_out(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("part", ["../../manifest", "L2b/../../x", "/etc/passwd", "L2b/E43N32/L2b_044_0001_IW1_VV\x00"])
def test_a_part_is_one_of_the_store(client, part):
    answer = client.get(f"/api/layers/{LAYER}/point", params={"part": part, "row": 0})
    assert answer.status_code == 422
    assert "has no part" in answer.json()["detail"]


def test_limits_hold(client, monkeypatch):
    url = f"/api/layers/{LAYER}/statistics"
    circle = [[10 + 0.01 * np.cos(a), 52 + 0.01 * np.sin(a)] for a in np.linspace(0, 6, 501)]
    assert client.post(url, {"polygon": circle}).status_code == 422
    assert client.post(url, {"polygon": circle[:500]}).status_code == 200
    assert (
        client.post(url, {"polygon": [[10, 52], [11, 53], [11, 52], [10, 53]]})
        .json()["detail"]
        .startswith("the outline crosses")
    )
    assert client("POST", url, content=b"x" * (MAX_BODY + 1)).status_code == 413
    assert client.post(url, {"polygon": AROUND, "other": 1}).status_code == 422
    monkeypatch.setattr("groundshift.explore.areas.AREA_POINTS", 1000)
    assert "about 4000 points around" in client.post(url, {"polygon": AROUND}).json()["detail"]
    monkeypatch.setattr("groundshift.explore.routes.MAX_ROWS", 10)
    monkeypatch.setattr("groundshift.explore.areas.AREA_POINTS", 10_000)
    assert client.post(f"/api/layers/{LAYER}/selection", {"polygon": AROUND}).status_code == 422


@pytest.mark.parametrize(
    "body",
    [b'{"polygon": [[NaN, 0], [1, 1], [2, 0]]}', b'{"polygon": [[1e999, 0], [1, 1], [2, 0]]}', b"\xff\xfe",
     b'{"polygon": [["\\ud800", 0], [1, 1], [2, 0]]}', b'{"polygon": ' + 30_000 * b"[" + 30_000 * b"]" + b"}",
     b"[" * 60_000, b"null", b""],
)  # fmt: skip
def test_what_is_no_question_is_refused_as_json(client, body):
    headers = {"Content-Type": "application/json"}
    answer = client("POST", f"/api/layers/{LAYER}/statistics", content=body, headers=headers)
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]


@pytest.mark.parametrize("length", ["\u00b2", "-1", "1e3", "9" * 30])
def test_a_length_that_is_no_number_is_refused(client, length):
    answer = client("GET", "/api/catalog.json", headers={"Content-Length": length.encode("latin-1")})
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/", "/api/catalog.json", "/assets/page.js", f"/api/layers/{LAYER}/tiles/0/0/0.bin"])
def test_head_says_what_get_would_without_the_content(client, path):
    full, head = client.get(path), client("HEAD", path)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(full.content))
    assert client("HEAD", "/api/nothing").status_code == 404


def test_only_what_is_asked_for_with_its_version_is_kept_by_browsers(client):
    x, y = tile_of(12)
    tile = client.get(f"/api/layers/{LAYER}/tiles/12/{x}/{y}.bin")
    assert tile.headers["cache-control"] == "private, max-age=3600"
    for path in ("/", "/api/catalog.json", "/api/layers/faults/features.geojson"):
        assert client.get(path).headers["cache-control"] == "no-cache"
    page = client.get("/assets/page.js")
    again = client.get("/assets/page.js", headers={"If-None-Match": page.headers["etag"]})
    assert again.status_code == 304
    part = client.get("/assets/page.js", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, page.content[10:20])


def replaced(folder, table):
    """The store of a folder with other points of the same set, as `groundshift ingest` leaves it."""
    record, parts = write_parts([table], folder / "staged", key="b")
    commit(
        folder / "ground", folder / "staged", {set_name(record): set_record(record)}, parts, crs=crs_name(record.crs)
    )


def test_a_store_that_changes_is_shown_as_it_is_and_rows_are_never_taken_for_others(tmp_path, table):
    write_sources(tmp_path, table)
    client = Client(create_app([tmp_path / "ground"]))
    x, y = tile_of(12)
    url = f"/api/layers/{LAYER}/tiles/12/{x}/{y}.bin"
    version = client.get("/api/catalog.json").json()["layers"][0]["version"]
    header, arrays = unpacked(client.get(url).content)
    place = {"part": header["parts"][0], "row": int(arrays["row"][0])}
    assert client.get(f"/api/layers/{LAYER}/point", params=place).status_code == 200
    replaced(tmp_path, village(1000, seed=5))
    area = client.post(f"/api/layers/{LAYER}/statistics", {"polygon": AROUND}).json()  # files of before are gone
    assert area["points"] == 1000
    assert unpacked(client.get(url).content)[0]["count"] <= 1000
    stale = client.get(f"/api/layers/{LAYER}/point", params=place)
    assert stale.status_code == 422
    assert "load the page again" in stale.json()["detail"]
    assert client.get("/api/catalog.json").json()["layers"][0]["version"] != version


def test_a_store_that_is_made_anew_is_not_taken_for_the_one_before(tmp_path, table):
    write_sources(tmp_path, table)
    client = Client(create_app([tmp_path / "ground"]))
    before = client.get("/api/catalog.json").json()["layers"][0]
    shutil.rmtree(tmp_path / "ground")
    replaced(tmp_path, village(1000, seed=5))  # of generation 1 again
    after = client.get("/api/catalog.json").json()["layers"][0]
    assert (before["points"], after["points"]) == (4000, 1000)
    assert after["version"] != before["version"]
    x, y = tile_of(5)
    assert unpacked(client.get(f"/api/layers/{LAYER}/tiles/5/{x}/{y}.bin").content)[0]["count"] <= 1000


@pytest.mark.parametrize("harm", ["gone", "cut", "none"])
def test_a_map_that_is_harmed_while_it_is_shown_is_told(tmp_path, table, harm):
    write_sources(tmp_path, table)
    client = Client(create_app([tmp_path / "quake.tif", tmp_path / "before.tif"]))
    quake = tmp_path / "quake.tif"
    if harm == "gone":
        quake.unlink()
    elif harm == "cut":
        quake.write_bytes(quake.read_bytes()[:-2000])
    else:
        quake.write_bytes((tmp_path / "before.tif").read_bytes())
    x, y = tile_of(12, 10.465, 51.995)
    answer = client.get(f"/api/layers/quake/tiles/12/{x}/{y}.png?field=east")
    assert answer.status_code == 422
    assert "quake.tif" in answer.json()["detail"]
    assert client.get(f"/api/layers/before/tiles/12/{x}/{y}.png").status_code == 200


def test_files_that_change_are_shown_as_they_are_or_as_they_were(tmp_path, table, caplog):
    write_sources(tmp_path, table)
    client = Client(
        create_app([tmp_path / name for name in ("quake.tif", "before.tif", "faults.geojson", "stations.csv")])
    )

    def layers():
        return {each["id"]: each for each in client.get("/api/catalog.json").json()["layers"]}

    def write(name, content):
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, (2e9 + len(content), 2e9 + len(content)))  # not in the same millisecond

    first = layers()
    assert layers() == first
    east = (tmp_path / "stations.csv").read_bytes().replace(b",10.0,", b",11.0,")
    write("stations.csv", east)
    fault = (tmp_path / "faults.geojson").read_bytes().replace(b"52.1", b"52.5")
    write("faults.geojson", fault)
    grid = GeoBox((40, 50), rasterio.Affine(30, 0, 610_000, 0, -30, 5_762_000), "EPSG:32632")
    write_image(tmp_path / "before.tif", np.ones((40, 50), np.uint16), grid)
    write("before.tif", (tmp_path / "before.tif").read_bytes())
    write("quake.tif", (tmp_path / "before.tif").read_bytes())  # no displacement map
    second = layers()
    assert second["stations"]["bounds"][0] == 11.0
    assert second["faults"]["bounds"][3] == 52.5
    assert second["before"]["bounds"][0] > first["before"]["bounds"][0] + 0.1
    assert second["quake"]["bounds"] == first["quake"]["bounds"]
    assert "quake.tif has changed, and is shown as it was" in caplog.text
    assert all(second[name]["version"] != first[name]["version"] for name in ("before", "faults", "stations"))
    write("faults.geojson", b"{")
    assert layers()["faults"]["bounds"] == second["faults"]["bounds"]
    assert "faults.geojson has changed, and is shown as it was" in caplog.text


def test_what_the_machine_refuses_is_told_as_json(client, monkeypatch, caplog):
    def refuses(*_):
        raise OSError("disk on fire at /secret")

    monkeypatch.setattr("groundshift.explore.rasters.MapLayer.value", refuses)
    answer = client.get("/api/layers/quake/value?longitude=10&latitude=52")
    assert answer.status_code == 503
    assert "secret" not in answer.text
    assert "disk on fire" in caplog.text


def test_a_store_whose_bytes_changed_is_told_in_the_log(folder, tmp_path, caplog):
    root = Path(shutil.copytree(folder / "ground", tmp_path / "ground"))
    client = Client(create_app([root]))
    for path in root.rglob("*.parquet"):
        content = bytearray(path.read_bytes())
        for at in range(100, len(content) // 2, 50):
            content[at] ^= 1
        path.write_bytes(content)
    answer = client.get(f"/api/layers/{LAYER}/tiles/12/{tile_of(12)[0]}/{tile_of(12)[1]}.bin?field=mean_velocity")
    assert answer.status_code == 503
    assert "cannot be read as Parquet" in caplog.text


def test_tiles_in_memory_are_bounded(folder, monkeypatch):
    layer = create_app([folder / "ground"]).state.catalog.layers[LAYER]
    monkeypatch.setattr("groundshift.explore.points._KEPT", 100_000)
    for z in range(8, 14):
        layer.tile(z, *tile_of(z), "mean_velocity")
        assert sum(map(len, layer._tiles.values())) == layer._bytes <= 100_000
    assert layer._tiles


def test_the_server_is_read_only_and_closed(client):
    answer = client.get("/api/catalog.json", headers={"Origin": "http://elsewhere"})
    assert not any(name.startswith("access-control") for name in answer.headers)
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "http" not in answer.headers["content-security-policy"]
    assert client.get("/api/catalog.json", host="elsewhere.example").status_code == 400
    for method in ("PUT", "DELETE", "PATCH", "POST"):
        assert client(method, "/api/catalog.json").status_code == 405
        assert client(method, "/index.html").status_code in (404, 405)


def test_sources_must_be_there_and_known(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        create_app([tmp_path / "nothing"])
    with pytest.raises(InputError, match="neither a store nor a folder"):
        create_app([tmp_path])
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match="of no known kind"):
        create_app([tmp_path / "a.txt"])
    with pytest.raises(InputError, match="nothing to show"):
        create_app([])


def test_a_port_that_is_taken_is_told(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigurationError, match="--port"):
        serve([folder / "faults.geojson"], port=taken.getsockname()[1])


@pytest.mark.parametrize("port", [70_000, -1])
def test_a_port_that_is_none_is_told(folder, port):
    with pytest.raises(ConfigurationError, match="--port"):
        serve([folder / "faults.geojson"], port=port)


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)])
def test_a_server_that_others_reach_says_so(folder, monkeypatch, caplog, host, warned):
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: None)
    serve([folder / "faults.geojson"], host=host, port=0)
    assert ("no password" in caplog.text) is warned


def test_files_of_points_need_no_store(tmp_path):
    write_points(tmp_path / "points.parquet", village(100))
    (layer,) = Client(create_app([tmp_path / "points.parquet"])).get("/api/catalog.json").json()["layers"]
    assert layer["points"] == 100


def handed(file):
    """What a script of an exported page hands over."""
    path, content = re.fullmatch(r'groundshift\("([^"]+)","([A-Za-z0-9+/=]*)"\)', file.read_text()).groups()
    assert file.as_posix().endswith(f"{path}.js")
    return base64.b64decode(content)


def test_an_export_is_what_the_server_says(folder, tmp_path, client):
    export_page([folder / "ground", folder / "quake.tif", folder / "faults.geojson"], tmp_path / "page")
    api = tmp_path / "page/api"
    record = json.loads(handed(api / "catalog.json.js"))
    entry = next(each for each in record["layers"] if each["kind"] == "points")
    assert record["static"]
    x, y = tile_of(12)
    tile = (api / f"layers/{LAYER}/tiles/{entry['max_zoom']}").rglob("*.bin.js")
    assert sum(unpacked(handed(each))[0]["count"] for each in tile) == 4000
    low = api / f"layers/{LAYER}/tiles/8/{x >> 4}/{y >> 4}.bin.js"
    assert handed(low) == client.get(f"/api/layers/{LAYER}/tiles/8/{x >> 4}/{y >> 4}.bin?heights=true").content
    block = json.loads(handed(api / f"layers/{LAYER}/points/0-1.json.js"))
    asked = client.get(f"/api/layers/{LAYER}/point?part={entry['parts'][0]}&row=256").json()
    assert block["points"][0] | {"dates": block["dates"]} == asked
    quake = next(each for each in record["layers"] if each["id"] == "quake")
    z, (low, high) = quake["max_zoom"], quake["fields"]["north"]
    assert 30 / 2 < 40_075_017 * np.cos(np.radians(52)) / 256 / 2**z < 30  # metres of a pixel of a picture
    x, y = tile_of(z, 10.465, 51.995)
    query = f"field=north&palette=motion&low={low}&high={high}"
    north = client.get(f"/api/layers/quake/tiles/{z}/{x}/{y}.png?{query}").content
    assert handed(api / f"layers/quake/tiles/north/{z}/{x}/{y}.png.js") == north
    page = (tmp_path / "page/index.html").read_text()
    assert page.replace(" data-exported", "") == (PAGE / "index.html").read_text()
    assert handed(tmp_path / "page/assets/land-10m.bin.js") == (PAGE / "assets/land-10m.bin").read_bytes()
    with pytest.raises(InputError, match="is there already"):
        export_page([folder / "ground"], tmp_path / "page")


def test_the_same_points_are_the_same_bytes_in_any_store_and_export(tmp_path):
    write_points(tmp_path / "points.parquet", village(300))
    for name in ("first", "second"):
        ingest([tmp_path / "points.parquet"], tmp_path / name / "store", executor="serial")
        export_page([tmp_path / "points.parquet"], tmp_path / name / "page")
    first, second = (
        {
            each.relative_to(tmp_path / name): each.read_bytes()
            for each in (tmp_path / name).rglob("*")
            if each.is_file()
        }
        for name in ("first", "second")
    )
    assert first == second
    assert len(first) > 20


def test_a_store_without_points_is_refused(tmp_path):
    empty = village().slice(0, 0)
    write_points(tmp_path / "empty.parquet", empty)
    with pytest.raises(InputError, match=r"no points in empty\.parquet"):
        export_page([tmp_path / "empty.parquet"], tmp_path / "page")


def test_the_page_was_built_from_its_source():
    """If this fails: cd web && npm ci && npm run build."""
    web = Path(__file__).parents[2] / "web"
    sources = [path.relative_to(web).as_posix() for path in (web / "src").rglob("*") if path.is_file()]
    names = [*sources, "index.html", "package-lock.json", "vite.config.ts"]
    digest = hashlib.sha256(b"".join(name.encode() + (web / name).read_bytes() for name in sorted(names))).hexdigest()
    assert (PAGE / "source.sha256").read_text().strip() == digest


def test_the_page_holds_no_address_but_its_own():
    text = (PAGE / "index.html").read_text()
    assert "http" not in text.replace("http://www.w3.org", "")
    assert "resolved" not in (Path(__file__).parents[2] / "web/package-lock.json").read_text()
    assert sum(file.stat().st_size for file in PAGE.rglob("*") if file.is_file()) < 3.3e6


def test_places_go_there_and_back():
    rng = np.random.default_rng(0)
    longitude, latitude = rng.uniform(-180, 180, 100), rng.uniform(-85, 85, 100)
    np.testing.assert_allclose(to_degrees(*to_centimetres(longitude, latitude)), [longitude, latitude], atol=1e-9)


def test_cells_below_a_tile_follow_each_other():
    x, y = (v.ravel() for v in np.meshgrid(np.arange(64), np.arange(64)))
    code = morton(x, y)
    assert sorted(code) == list(range(64 * 64))
    np.testing.assert_array_equal(code >> 4, morton(x >> 2, y >> 2))


def test_a_folder_of_results_is_shown_without_its_records(tmp_path, table):
    write_sources(tmp_path, table)
    for name in ("record.json", "run.json"):
        (tmp_path / name).write_text(json.dumps({"command": "pair"}))
    (tmp_path / "outline.json").write_text((tmp_path / "faults.geojson").read_text())
    catalog = open_catalog([tmp_path])
    assert set(catalog.layers) == {"quake", "before", "after", "faults", "stations", "outline"}
    catalog.close()


def test_a_table_of_points_is_no_table_of_stations_whatever_it_is_called(tmp_path, table):
    write_egms(tmp_path / "Strecke Süd.csv", table)
    catalog = open_catalog([tmp_path / "Strecke Süd.csv"])
    assert [type(layer).__name__ for layer in catalog.layers.values()] == ["PointLayer"]
    catalog.close()


def test_a_map_whose_days_are_not_known_says_none(tmp_path):
    grid = GeoBox((8, 8), rasterio.Affine(30, 0, 600_000, 0, -30, 5_762_000), "EPSG:32632")
    layers = dict.fromkeys(("east", "north", "east_sigma", "north_sigma", "quality"), np.ones((8, 8), np.float32))
    attributes = dict.fromkeys(REQUIRED_ATTRIBUTES, "") | {"date_post": "2023-08-20"}
    layers["reason"] = np.zeros((8, 8), np.uint8)
    write_map(tmp_path / "a.tif", grid, [(Box(0, 0, 8, 8), layers)], attributes=attributes)
    catalog = open_catalog([tmp_path / "a.tif"])
    (said,) = catalog.describe()
    assert (said["first"], said["last"]) == (None, "2023-08-20")
    catalog.close()
