"""The geoid: from a raster, from PROJ's grids, or not at all."""

import subprocess
import sys

import numpy as np
import pytest
import rasterio

from groundshift.errors import InputError
from groundshift.io.geoid import check_geoid, open_geoid


def write(path, **tags):
    """Undulations 40 + latitude / 10 − longitude / 5 m, from 5 to 15 degrees east, 40 to 50 north."""
    longitude, latitude = np.meshgrid(np.arange(5, 15.01, 0.25), np.arange(50, 39.99, -0.25))
    values = (40 + latitude / 10 - longitude / 5).astype(np.float32)
    transform = rasterio.Affine(0.25, 0, 4.875, 0, -0.25, 50.125)
    height, width = values.shape
    with rasterio.open(
        path, "w", "GTiff", width, height, 1, "EPSG:4326", transform, "float32", AREA_OR_POINT="Point"
    ) as file:
        file.write(values, 1)
        file.update_tags(**tags)
        file.set_band_description(1, "geoid_undulation")


def test_a_raster_is_interpolated_and_ends(tmp_path):
    write(tmp_path / "geoid.tif")
    geoid = open_geoid(tmp_path / "geoid.tif")
    assert geoid.name == "geoid.tif"
    latitude, longitude = np.array([45.1, 41.33, 60.0]), np.array([9.7, 14.2, 10.0])
    found = geoid.at(latitude, longitude)
    assert found[:2] == pytest.approx((40 + latitude / 10 - longitude / 5)[:2], abs=1e-4)
    assert np.isnan(found[2])
    check_geoid(geoid, latitude[:2], longitude[:2])
    with pytest.raises(InputError, match=r"geoid\.tif knows the geoid at 67% of the stack"):
        check_geoid(geoid, latitude, longitude)
    with pytest.raises(InputError, match="does not exist"):
        open_geoid(tmp_path / "none.tif")


PROJ = """
import sys
import numpy as np
from pyproj.datadir import append_data_dir
append_data_dir(sys.argv[1])
from groundshift.io.geoid import open_geoid
geoid = open_geoid()
print(geoid and (geoid.name, float(geoid.at(np.array([45.1]), np.array([9.7]))[0])))
"""


def test_grids_of_proj_are_used_where_they_are(tmp_path):
    def found():
        command = [sys.executable, "-W", "error", "-c", PROJ, tmp_path]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    if found() != "None":
        pytest.skip("PROJ has grids of the geoid here")
    write(tmp_path / "us_nga_egm96_15.tif", TYPE="VERTICAL_OFFSET_GEOGRAPHIC_TO_VERTICAL", target_crs_epsg_code="5773")
    name, value = found().strip("()").split(", ")
    assert name == "'EGM96'"
    assert float(value) == pytest.approx(40 + 4.51 - 1.94, abs=1e-3)
