"""The explorer in three dimensions: points are where they must be on the screen, and are asked there."""

import re

import numpy as np
import pyproj
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from reference.browser import CHROMIUM, map_picture, middle, number, until
from reference.explorer import MIDDLE, served, village

from groundshift.io.points import write_points
from groundshift.io.write import write_image

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium as /usr/bin/chromium")
pytest.importorskip("playwright.sync_api", reason="needs playwright")

COLOUR = (255, 0, 255)  # of nothing else on the page
HEIGHTS = (20.0, 50.0)  # of two points, m


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two points 2 km apart, and ground of 20 m around both, and of nought further away."""
    folder = tmp_path_factory.mktemp("tilted")
    where = [MIDDLE, (MIDDLE[0] + 2000, MIDDLE[1])]
    write_points(folder / "points.parquet", village(2, where=where, height=HEIGHTS))
    heights = np.full((300, 300), HEIGHTS[0], np.float32)
    heights[:20] = 0
    grid = GeoBox((300, 300), rasterio.Affine(30, 0, MIDDLE[0] - 4500, 0, -30, MIDDLE[1] + 4500), "EPSG:3035")
    write_image(folder / "dem.tif", heights, grid)
    return folder


def place(number):
    """Degrees of a point."""
    to_degrees = pyproj.Transformer.from_crs(3035, 4326, always_xy=True)
    return to_degrees.transform(MIDDLE[0] + 2000 * number, MIDDLE[1])


def spot(page):
    """Pixels of the page where the only point in view is; None if there is none."""
    box = page.locator("#map").bounding_box()
    shown = np.asarray(map_picture(page)).astype(int)
    shown[:, :280] = 0  # the legend
    rows, columns = np.nonzero(np.abs(shown - COLOUR).max(axis=2) < 60)
    return None if len(rows) < 40 else (box["x"] + columns.mean() + 0.5, box["y"] + rows.mean() + 0.5)


def opened(chromium, address, tilt, number):
    longitude, latitude = place(number)
    link = f"{address}/#lang=en&s=3&m=16/{latitude:.6f}/{longitude:.6f}/{tilt}"
    page, wrong = chromium(link, color_scheme="light")
    page.wait_for_timeout(1500)
    return page, wrong


@pytest.fixture(autouse=True)
def painted(monkeypatch):
    """Every point in one colour."""
    table = np.tile(np.array(COLOUR, np.uint8), (256, 1))
    monkeypatch.setattr("groundshift.explore.server.PALETTES", {"motion": table, "viridis": table})
    monkeypatch.setattr("groundshift.explore.server.DARK_PALETTES", {"motion": table, "viridis": table})


def test_points_are_raised_and_asked_where_they_are_seen(chromium, folder):
    with served([folder / "points.parquet"]) as address:
        page, wrong = opened(chromium, address, "0/0", 1)
        ground = spot(page)
        assert np.hypot(*np.subtract(ground, middle(page))) < 2
        assert page.locator("#heights").is_hidden()
        page.keyboard.press("t")
        until(page, "location.hash.includes('e=2') && location.hash.includes('/55.0/0.0')")
        assert "above 20 m" in page.locator("#heights").inner_text()
        page.wait_for_timeout(2000)
        lifts = {}
        for times in (2, 5):
            page.select_option("#times", str(times))
            page.wait_for_timeout(1500)
            seen = spot(page)
            assert abs(seen[0] - ground[0]) < 2
            lifts[times] = ground[1] - seen[1]
            page.mouse.move(*ground)
            page.wait_for_timeout(300)
            assert page.locator("#tip").is_hidden()  # nothing on the ground below it
            page.mouse.move(*seen)
            page.wait_for_timeout(300)
            assert "mm/yr" in page.locator("#tip").inner_text()
        metres = 40_075_017 * np.cos(np.radians(52)) / 512 / 2**16
        height = 5 * (HEIGHTS[1] - HEIGHTS[0]) / metres  # pixels, if it were as far away as the ground in the middle
        away = 1.5 * page.locator("#map").bounding_box()["height"]
        tilt = np.radians(55)
        assert lifts[5] == pytest.approx(away * height * np.sin(tilt) / (away - height * np.cos(tilt)), rel=0.03)
        assert 2.3 < lifts[5] / lifts[2] < 2.9
        page.mouse.click(*seen)
        page.wait_for_selector("#series canvas")
        page.wait_for_timeout(1500)
        pin = page.locator(".pins .mark").bounding_box()
        page.keyboard.press("Escape")
        page.wait_for_timeout(500)
        assert np.hypot(*np.subtract(spot(page), (pin["x"] + pin["width"] / 2, pin["y"] + pin["height"] / 2))) < 3

        x, y = middle(page)
        page.mouse.move(x, y)
        page.mouse.down(button="right")
        page.mouse.move(x + 80, y - 20, steps=4)
        page.mouse.up(button="right")
        until(page, "Math.abs(Number(location.hash.match(/m=([^&]*)/)[1].split('/')[4])) > 10")
        pitch = number(re.search(r"m=([^&]*)", page.url).group(1).split("/")[3])
        page.locator(".maplibregl-canvas").focus()
        page.keyboard.press("Shift+ArrowDown")
        until(page, f"Number(location.hash.match(/m=([^&]*)/)[1].split('/')[3]) < {pitch} - 3")
        page.click("#tilt")
        until(page, "!location.hash.includes('e=')")
        page.wait_for_timeout(1500)
        assert page.locator("#heights").is_hidden()
        page.mouse.move(*spot(page))
        page.wait_for_timeout(300)
        assert "mm/yr" in page.locator("#tip").inner_text()
        assert not wrong
        page.close()


def test_points_lie_on_the_relief(chromium, folder):
    """The ground and the points are drawn by two libraries: a point as high as the ground is where the ground is."""
    with served([folder / "points.parquet"], relief=folder / "dem.tif") as address:
        page, wrong = opened(chromium, address, "50/30&e=10&l=points-L2b-LOS-44,dem", 0)
        assert "above 0 m" in page.locator("#heights").inner_text()
        for _ in range(60):  # until the ground has come
            page.wait_for_timeout(1000)
            seen = spot(page)
            if seen and np.hypot(*np.subtract(seen, middle(page))) < 3:
                break
        assert np.hypot(*np.subtract(seen, middle(page))) < 3
        page.mouse.move(*seen)
        page.wait_for_timeout(500)
        assert "mm/yr" in page.locator("#tip").inner_text()
        assert not wrong
        page.close()
