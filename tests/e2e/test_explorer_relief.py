"""Relief below the points, in a real browser: drawn, dimmed, switched off; also from disk and without WebGL."""

import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from reference.browser import CHROMIUM, map_picture, until
from reference.explorer import served, village

from groundshift.explore.export import export_page
from groundshift.io.points import write_points
from groundshift.io.write import write_image

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium as /usr/bin/chromium")
pytest.importorskip("playwright.sync_api", reason="needs playwright")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A village on ground in waves."""
    folder = tmp_path_factory.mktemp("relief")
    write_points(folder / "points.parquet", village(200))
    column = np.tile(np.arange(200), (200, 1))
    grid = GeoBox((200, 200), rasterio.Affine(20, 0, 4_319_000, 0, -20, 3_212_000), "EPSG:3035")
    write_image(folder / "dem.tif", (100 + 40 * np.sin(column / 5)).astype(np.float32), grid)
    return folder


def greys(page):
    """Spread of the light of the map, and what is its middle."""
    page.wait_for_timeout(1500)
    light = np.asarray(map_picture(page, 300, 100, 280, 300).convert("L")).astype(float)
    return np.percentile(light, 90) - np.percentile(light, 10), np.median(light)


def look(page):
    """Drawn, fainter, off and on again."""
    full, middle = greys(page)
    assert full > 40
    slider = page.locator("#layers li[data-kind=relief] input[type=range]")
    slider.focus()
    page.keyboard.press("Home")
    until(page, "location.hash.includes('h=0.1')")
    faint, paler = greys(page)
    assert faint < full / 3
    assert paler > middle  # the land is lighter
    box = page.locator("#layers li[data-kind=relief] input[type=checkbox]")
    box.uncheck()
    assert greys(page)[0] < 10
    box.check()
    slider = page.locator("#layers li[data-kind=relief] input[type=range]")
    slider.focus()
    page.keyboard.press("End")
    assert greys(page)[0] > full


@pytest.mark.parametrize("flags", [(), ("--disable-3d-apis",)], ids=["webgl", "plain"])
def test_relief_is_drawn_below_the_points(chromium, folder, flags):
    with served([folder / "points.parquet"], relief=folder / "dem.tif") as address:
        page, wrong = chromium(f"{address}/#lang=en", *flags, color_scheme="light")
        look(page)
        page.click("#theme")
        spread, middle = greys(page)
        assert middle < 80  # the same hills by night
        assert spread > 12
        assert not wrong
        page.close()


@pytest.mark.parametrize("flags", [(), ("--disable-3d-apis",)], ids=["webgl", "plain"])
def test_an_exported_folder_has_the_relief(chromium, folder, tmp_path, flags):
    export_page([folder / "points.parquet"], tmp_path / "site", relief=folder / "dem.tif")
    page, wrong = chromium((tmp_path / "site/index.html").as_uri() + "#lang=en", *flags, color_scheme="light")
    assert greys(page)[0] > 40
    assert page.locator("#tilt").is_hidden() == bool(flags)
    if not flags:
        page.click("#tilt")
        until(page, "location.hash.includes('/55.0/0.0') && !document.getElementById('heights').hidden")
        assert greys(page)[0] > 20
    assert [line for line in wrong if "ERR_FILE_NOT_FOUND" not in line] == []
    page.close()
