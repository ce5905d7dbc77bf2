"""Lengths are metres on the ground, whatever CRS comes."""

import odc.geo.crs
import pytest
from pyproj import CRS, Geod, Transformer

from groundshift.grid.metric import crs_name, metric_crs


@pytest.mark.parametrize(
    ("given", "place", "expected"),
    [
        (4326, (2.35, 48.85), 32631),
        (4326, (-70.7, -33.4), 32719),
        (4326, (179.99, 10.0), 32660),
        (4326, (180.0, 10.0), 32601),
        (4326, (10.0, 88.0), 32661),
        (4326, (10.0, -85.0), 32761),
        (3857, (1e6, 6e6), 32632),  # a metre of Web Mercator is 0.67 m there
        (2263, (1e6, 2e5), 32618),  # feet
        (3035, (4_321_000, 3_210_000), 3035),
        (32633, (5e5, 5e6), 32633),
    ],
)
def test_the_crs_is_kept_if_it_is_metric_and_else_a_zone_is_taken(given, place, expected):
    found = metric_crs(CRS(given), *place)
    assert found == CRS(expected)
    move = Transformer.from_crs(CRS(given), 4326, always_xy=True)
    longitude, latitude = move.transform(*place)
    back = Transformer.from_crs(4326, found, always_xy=True)
    x, y = back.transform([longitude, longitude], [latitude, latitude + 0.001])
    true = Geod(ellps="WGS84").inv(longitude, latitude, longitude, latitude + 0.001)[2]
    assert ((x[1] - x[0]) ** 2 + (y[1] - y[0]) ** 2) ** 0.5 == pytest.approx(true, rel=0.02)


def test_the_name_of_a_crs_does_not_depend_on_what_it_was_made_from():
    made = [odc.geo.crs.CRS(each) for each in (CRS(32633).to_wkt(), "EPSG:32633", CRS(32633))]
    assert {crs_name(each) for each in made} == {"EPSG:32633"}
    assert crs_name(CRS("+proj=laea +lat_0=45 +lon_0=7")).startswith("PROJCRS")
    assert crs_name(CRS("ESRI:102014")) == crs_name(odc.geo.crs.CRS("ESRI:102014")) == "ESRI:102014"
    assert crs_name(None) is None
