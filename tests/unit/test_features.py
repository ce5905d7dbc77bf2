"""Features are read and written in every format, and refused with a reason."""

import struct
import zlib

import numpy as np
import pyarrow as pa
import pyogrio
import pytest
import shapely
from pyproj import CRS

from groundshift.errors import InputError
from groundshift.io.features import Features, read_features, write_features
from groundshift.products.assets import AssetConfig
from groundshift.products.assets.geometry import prepare_assets

OSM = """<?xml version="1.0" encoding="UTF-8"?>
<osm version="0.6" generator="by hand">
 <node id="1" lat="52.00" lon="10.00"/><node id="2" lat="52.00" lon="10.01"/><node id="3" lat="52.001" lon="10.01"/>
 <way id="10"><nd ref="1"/><nd ref="2"/><tag k="highway" v="primary"/><tag k="bridge" v="yes"/>
  <tag k="name" v="Long bridge"/><tag k="width" v="14.5"/></way>
 <way id="11"><nd ref="1"/><nd ref="2"/><nd ref="3"/><nd ref="1"/><tag k="building" v="yes"/></way>
</osm>
"""


@pytest.fixture
def features():
    geometry = np.array(
        [shapely.LineString([(4.32e6, 3.2e6), (4.33e6, 3.21e6)]), shapely.box(4.32e6, 3.2e6, 4.321e6, 3.201e6)]
    )
    attributes = pa.table({"id": ["a", "b"], "size": [1.5, float("nan")], "count": [1, 2]})
    return Features(geometry, attributes, CRS("EPSG:3035"))


@pytest.mark.parametrize("suffix", ["geojson", "gpkg", "fgb", "parquet"])
def test_what_is_written_is_read(features, tmp_path, suffix):
    path = tmp_path / f"some.{suffix}"
    write_features(path, features)
    found = read_features(path)
    order = np.argsort(found.attributes["id"].to_pylist())  # FlatGeobuf sorts by place
    found = found.take(order)
    assert found.crs.to_epsg() == (4326 if suffix == "geojson" else 3035)
    back = found.to_crs(features.crs)
    for one, other in zip(back.geometry, features.geometry, strict=True):
        assert shapely.hausdorff_distance(one, other) < 0.02
    assert found.attributes["count"].to_pylist() == [1, 2]
    size = found.attributes["size"].to_numpy()
    assert size[0] == 1.5
    assert np.isnan(size[1])
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_table_has_no_number_where_there_is_none(features, tmp_path):
    write_features(tmp_path / "some.csv", features)
    assert (tmp_path / "some.csv").read_text().splitlines()[2] == '"b",,2'


def test_an_extract_of_openstreetmap_keeps_the_tags_that_matter(tmp_path):
    path = tmp_path / "some.osm"
    path.write_text(OSM)
    found = read_features(path)
    rows = found.attributes.to_pylist()
    bridge = next(row for row in rows if row["highway"] == "primary")
    assert (bridge["bridge"], bridge["width"], bridge["name"]) == ("yes", "14.5", "Long bridge")
    assert any(row.get("building") == "yes" for row in rows)
    assert "other_tags" not in found.attributes.column_names


def test_files_that_cannot_be_used_are_refused(features, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_features(tmp_path / "none.gpkg")
    (tmp_path / "bad.geojson").write_text("{}")
    with pytest.raises(InputError, match=r"cannot be read|no geometry"):
        read_features(tmp_path / "bad.geojson")
    with pytest.raises(InputError, match=r"ends in '\.txt'"):
        write_features(tmp_path / "some.txt", features)


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def signed(number: int) -> bytes:
    return varint(2 * number if number >= 0 else -2 * number - 1)


def field(number: int, value: bytes | int) -> bytes:
    """Of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def coordinate(number: int, degrees: float) -> bytes:
    return varint(number << 3) + signed(round(degrees * 1e7))


def block(kind: bytes, content: bytes) -> bytes:
    blob = field(2, len(content)) + field(3, zlib.compress(content))
    header = field(1, kind) + field(3, len(blob))
    return struct.pack(">I", len(header)) + header + blob


def pbf() -> bytes:
    """A bridge and a building as a binary extract (wiki.openstreetmap.org/wiki/PBF_Format)."""
    texts = [b"", b"railway", b"rail", b"bridge", b"yes", b"name", b"Viaduct", b"building"]
    places = [(52.0, 10.0), (52.0, 10.01), (52.001, 10.01)]
    nodes = b"".join(
        field(1, varint(8) + signed(k + 1) + coordinate(8, lat) + coordinate(9, lon))
        for k, (lat, lon) in enumerate(places)
    )

    def way(identity: int, keys: list[int], values: list[int], refs: list[int]) -> bytes:
        steps = b"".join(signed(b - a) for a, b in zip([0, *refs], refs, strict=False))
        return field(3, field(1, identity) + field(2, bytes(keys)) + field(3, bytes(values)) + field(8, steps))

    ways = way(10, [1, 3, 5], [2, 4, 6], [1, 2]) + way(11, [7], [4], [1, 2, 3, 1])
    table = field(1, b"".join(field(1, text) for text in texts))
    data = table + field(2, nodes) + field(2, ways)
    return block(b"OSMHeader", field(4, b"OsmSchema-V0.6")) + block(b"OSMData", data)


@pytest.mark.skipif("OSM" not in pyogrio.list_drivers(), reason="GDAL has no driver for OpenStreetMap")
def test_a_binary_extract_of_openstreetmap_gives_assets(tmp_path):
    path = tmp_path / "some.osm.pbf"
    path.write_bytes(pbf())
    assets = prepare_assets(read_features(path), CRS("EPSG:3035"), AssetConfig())
    by_kind = dict(zip(assets.kind.tolist(), range(len(assets)), strict=True))
    assert sorted(by_kind) == ["bridge", "building"]
    bridge = by_kind["bridge"]
    assert assets.name[bridge] == "Viaduct"
    assert assets.identity[bridge] == "10"
    assert assets.length[bridge] == pytest.approx(686, rel=0.01)  # 0.01 degrees at 52 north
    assert assets.width[by_kind["building"]] == 0
