"""Features are read and written in every format, and refused with a reason."""

import numpy as np
import pyarrow as pa
import pytest
import shapely
from pyproj import CRS

from groundshift.errors import InputError
from groundshift.io.features import Features, read_features, write_features

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
