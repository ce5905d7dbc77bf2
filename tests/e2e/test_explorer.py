"""The explorer in a real browser, Debian's Chromium with WebGL in software: few points, few pages, long waits."""

import io
import json
import re

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from reference.browser import CHROMIUM, draw, middle, number, taken, until
from reference.explorer import served, village

from groundshift.explore.export import export_page
from groundshift.io.points import write_points
from groundshift.io.write import write_image

POINTS = 600

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium as /usr/bin/chromium")
pytest.importorskip("playwright.sync_api", reason="needs playwright")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A village from two sides, and two images of it."""
    folder = tmp_path_factory.mktemp("explorer")
    write_points(folder / "up.parquet", village(POINTS))
    write_points(folder / "down.parquet", village(POINTS // 2, frame="0002_IW1_VV", track=66, seed=1, angle=191.0))
    grid = GeoBox((60, 60), rasterio.Affine(40, 0, 4_319_800, 0, -40, 3_211_200), "EPSG:3035")
    for name, light in (("before", 60), ("after", 200)):
        pixels = np.full((60, 60), light, np.uint16)
        pixels[::2] = 130  # an image is stretched to its own range
        write_image(folder / f"{name}.tif", pixels, grid)
    return folder


@pytest.fixture(scope="module")
def address(folder):
    names = ("up.parquet", "down.parquet", "before.tif", "after.tif")
    with served([folder / name for name in names], credit="Nobody & <b>sons</b>") as address:
        yield address


def told(page, x, y):
    """Whether there is a point under the mouse."""
    page.mouse.move(x, y)
    page.wait_for_timeout(50)
    if page.locator("#tip").is_visible():
        page.wait_for_timeout(500)  # it may have been of a place before
    return page.locator("#tip").is_visible()


def number_pair(text):
    """A value and its sigma."""
    return [number(each) for each in text.replace("mm/yr", "").split("±")]


def marks(page):
    return page.locator(".pins .mark")


def test_points_are_asked_compared_filtered_and_taken_away(chromium, address):
    page, wrong = chromium(f"{address}/#lang=en")
    assert page.locator("body").get_attribute("data-drawn") == str(POINTS)
    assert page.evaluate("performance.getEntriesByName('first-picture').length") == 1
    assert page.locator(".sheet.flat").count() == 0  # the map in WebGL took over
    assert page.locator("#layers li").count() == 4
    assert "Velocity mm/yr" in page.locator("#legend").inner_text()
    assert "Nobody & <b>sons</b>" in page.locator(".maplibregl-ctrl-attrib").inner_text()
    colours = page.evaluate("[...new Set(document.getElementById('histogram').getContext('2d')"
                            ".getImageData(0, 0, 592, 128).data)].length")  # fmt: skip
    assert colours > 10  # the histogram is painted

    page.mouse.click(*middle(page))  # a point at the middle of the village, which sinks
    page.wait_for_selector("#series canvas")
    velocity, uncertainty = page.locator(".facts .big").inner_text().split("±")
    assert number(velocity) < -5
    assert number(uncertainty.replace("mm/yr", "")) == 0.2
    facts = page.locator(".facts dl").inner_text()
    assert all(name in facts for name in ("Temporal coherence", "rmse", "Height", "Line of sight, up part"))
    low, high = number_pair(page.locator(".trends").inner_text())
    assert abs(low - number(velocity)) < 3 * high  # the straight line through the whole series
    assert "mm/yr" in page.locator("#series").get_attribute("aria-label")
    inks = page.evaluate(INKS)
    assert inks["band"] > 100  # one standard deviation of the residuals, around the fit
    assert inks["line"] > 100

    assert taken(page, "values").splitlines()[1] == b"date,displacement_mm,model_mm"
    assert taken(page, "picture").startswith(b"\x89PNG")

    x, y = middle(page)
    near = next((dx, dy) for dy in range(-150, -50, 9) for dx in range(60, 200, 9) if told(page, x + dx, y + dy))
    with page.expect_response(lambda answer: "/point?" in answer.url):
        page.keyboard.down("Shift")
        page.mouse.click(x + near[0], y + near[1])
        page.keyboard.up("Shift")
    until(page, "document.querySelectorAll('.pins .mark').length === 2")
    page.click("#difference")
    assert page.locator("#drawer-title").inner_text().startswith("A − B: ")
    lines = taken(page, "values").decode().splitlines()
    assert [line.split(":")[0] for line in lines[1:3]] == ["# A", "# B"]
    assert lines[3] == "date,displacement_mm"
    page.click("#difference")
    page.click("#compare")
    page.locator(".maplibregl-canvas").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(600)
    page.keyboard.press("Enter")  # the point that is in the middle now
    page.wait_for_selector(".facts table")
    page.wait_for_timeout(1000)  # the table was there before the third
    compared = marks(page).count()
    assert compared == page.locator(".facts tbody tr").count() >= 2
    until(page, f"(location.hash.match(/p=([^&]*)/) || ['', ''])[1].split(',').length === {compared}")
    link = page.url
    page.keyboard.press("c")
    page.keyboard.press("Escape")
    assert page.locator("#drawer").is_hidden()

    page.locator("#largest").focus()
    page.keyboard.press("Home")
    for _ in range(4):
        page.keyboard.press("PageUp")
    until(page, "/^[1-9].* [/] /.test(document.getElementById('shown').textContent)")  # after the last of the keys
    kept, total = (number(part) for part in page.locator("#shown").inner_text().split("/"))
    assert 0 < kept < total <= POINTS

    page.select_option("#by", "temporal_coherence")
    until(page, "!document.getElementById('shown').textContent.includes('/')")
    page.locator("#least").focus()
    for _ in range(6):
        page.keyboard.press("PageUp")
    until(page, "document.getElementById('shown').textContent.includes('/')")
    assert "b=temporal_coherence" in page.evaluate("new Promise((go) => setTimeout(() => go(location.hash), 600))")

    page.click("#area")
    draw(page, (-160, -160), (160, -160), (160, 160), (-160, 160))
    page.wait_for_selector("#take-csv")
    few = number(page.locator("dl.wide dd").first.inner_text())
    page.click("#reset")
    page.click("#area")
    draw(page, (-160, -160), (160, -160), (160, 160), (-160, 160))
    until(page, f"document.querySelector('dl.wide dd')?.textContent !== '{few:.0f}'")
    count = number(page.locator("dl.wide dd").first.inner_text())
    assert 0 < few < count < POINTS
    assert len(json.loads(taken(page, "geojson"))["features"]) == count
    assert len(pyarrow.csv.read_csv(io.BytesIO(taken(page, "csv")))) == count
    assert b"geo" in pq.read_schema(io.BytesIO(taken(page, "parquet"))).metadata

    page.keyboard.press("p")
    draw(page, (-200, -148), (200, -148))  # in the middle of what the drawer of the area left
    until(page, "document.getElementById('drawer-title').textContent.startsWith('Profile')")
    assert number(page.locator("#drawer-actions").inner_text().split("m")[0]) > 300
    assert page.locator("#drawer-body canvas").count() == 1
    profile = taken(page, "values").decode().splitlines()
    assert profile[1] == "distance_m,value,sigma"
    assert {line.split(",")[2] for line in profile[2:]} == {"0.2"}
    page.keyboard.press("Escape")

    page.fill("#sought", "52°00'36\"N 10.01 E")
    page.keyboard.press("Enter")
    until(page, "location.hash.includes('/52.01000/10.01000')")
    assert marks(page).count() == 1

    zoom = number(re.search(r"m=([^/]*)", page.url).group(1))
    page.locator(".maplibregl-canvas").focus()
    page.keyboard.press("+")
    until(page, f"Number(location.hash.match(/m=([^/]*)/)[1]) > {zoom} + 0.5")
    assert not wrong

    page.close()
    again, wrong = chromium(link)
    until(again, f"document.querySelectorAll('.pins .mark').length === {compared}")
    before_and_after(again)
    assert not wrong
    again.close()


INKS = """() => {
  const canvas = document.querySelector('#series canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const found = { band: 0, line: 0 };
  for (let i = 0; i < data.length; i += 4) {
    const of = [15, 95, 115].every((ink, k) => Math.abs(data[i + k] - ink) < 10);
    if (of && data[i + 3] > 200) found.line++;
    else if (of && data[i + 3] > 20 && data[i + 3] < 60) found.band++;
  }
  return found;
}"""


def before_and_after(page):
    page.click("#swipe")
    page.wait_for_selector("#after canvas")
    assert [page.locator(f"#{name}-name").inner_text() for name in ("before", "after")] == ["before", "after"]
    page.locator("#divider").focus()
    page.keyboard.press("Home")
    assert page.evaluate("getComputedStyle(document.getElementById('after')).clipPath") == "inset(0px 0px 0px 0%)"
    page.keyboard.press("End")
    assert page.evaluate("getComputedStyle(document.getElementById('after')).clipPath") == "inset(0px 0px 0px 100%)"
    page.click("#swipe")
    assert page.locator("#after").is_hidden()


def test_a_link_brings_the_view_back_in_french_on_a_phone(chromium, address):
    part = "L2b/E43N32/L2b_044_0001_IW1_VV"
    link = f"{address}/#lang=fr&p=points-L2b-LOS-44~{part.replace('/', '%2F')}~7&k=-4,1e6"
    page, wrong = chromium(link, viewport={"width": 390, "height": 760})
    page.wait_for_selector("#series canvas")
    assert "Vitesse mm/an" in page.locator("#legend").text_content()
    assert page.locator("html").get_attribute("lang") == "fr"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#drawer").bounding_box()["width"] <= 390
    assert page.locator("#controls").is_hidden()  # the map comes first
    assert page.locator("#map").bounding_box()["height"] > 600
    page.click("#fold")
    assert page.locator("#controls").is_visible()
    unnamed = "[...document.querySelectorAll('button, input, select')].filter((e) => e.offsetParent && "
    unnamed += "!(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML)"
    assert page.evaluate(unnamed) == []
    page.click("#area")  # and with a tool again
    assert page.locator("#controls").is_hidden()
    page.click("#draw-cancel")
    assert page.locator("#hint").is_hidden()
    page.click("#language")
    assert "Velocity mm/yr" in page.locator("#legend").text_content()
    assert not wrong
    page.close()


def test_a_finger_leaves_no_tip_over_the_series(chromium, address):
    part = "L2b/E43N32/L2b_044_0001_IW1_VV"
    link = f"{address}/#lang=en&p=points-L2b-LOS-44~{part.replace('/', '%2F')}~7"
    page, wrong = chromium(link, viewport={"width": 390, "height": 760}, has_touch=True, is_mobile=True)
    page.wait_for_selector("#series canvas")
    box = marks(page).bounding_box()
    page.click("#close")
    page.wait_for_selector("#series canvas", state="detached")
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#series canvas")
    assert page.locator("#tip").is_hidden()
    assert not wrong
    page.close()


def test_without_webgl_the_server_draws(chromium, address):
    page, wrong = chromium(f"{address}/#lang=en", "--disable-3d-apis")
    assert "no WebGL" in page.locator("#notice").inner_text()
    until(page, "[...document.querySelectorAll('#map img')].some((image) => image.naturalWidth === 512)")
    page.locator(".flat").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#series canvas")
    assert page.locator("#shown").inner_text() == f"{POINTS} points"
    page.keyboard.press("Escape")
    page.click("#area")
    draw(page, (-120, -120), (120, -120), (0, 120))
    page.wait_for_selector("#take-csv")
    assert not wrong
    page.close()


@pytest.mark.parametrize("flags", [(), ("--disable-3d-apis",)], ids=["webgl", "plain"])
def test_an_exported_folder_opens_from_disk(chromium, folder, tmp_path, flags):
    export_page([folder / "up.parquet", folder / "before.tif"], tmp_path / "site")
    page, wrong = chromium((tmp_path / "site/index.html").as_uri() + "#lang=en", *flags)
    assert page.locator("body").get_attribute("data-drawn") == str(POINTS)
    page.mouse.click(*middle(page))
    page.wait_for_selector("#series canvas")
    assert number(page.locator(".facts .big strong").inner_text()) < -5
    assert [line for line in wrong if "ERR_FILE_NOT_FOUND" not in line] == []  # tiles without points have no file
    page.close()
