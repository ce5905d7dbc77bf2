"""The explorer in a real browser, Debian's Chromium with WebGL in software: few points, long waits."""

import json
import re
from pathlib import Path

import pytest
from reference.explorer import served, village

from groundshift.io.points import write_points

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
WAIT = 90_000  # ms

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium as /usr/bin/chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server of 600 points."""
    folder = tmp_path_factory.mktemp("explorer")
    write_points(folder / "up.parquet", village(600))
    write_points(folder / "down.parquet", village(300, frame="0002_IW1_VV", track=66, seed=1, angle=191.0))
    with served([folder], credit="Nobody & <b>sons</b>") as address:
        yield address


def opened(driver, url, *flags, **options):
    """A page whose map is drawn, and what went wrong in it."""
    browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=[*FLAGS, *flags])
    page = browser.new_page(**({"viewport": {"width": 1100, "height": 720}} | options))
    page.set_default_timeout(WAIT)
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(request.url) if "tiles" not in request.url else None)
    page.on(
        "request",
        lambda request: wrong.append(request.url) if not request.url.startswith((url[:21], "blob", "data")) else None,
    )
    page.goto(url)
    page.wait_for_selector("body[data-ready=true][data-waiting=false]")
    return page, wrong


def drawn(page):
    return int(page.locator("body").get_attribute("data-drawn"))


def middle(page):
    box = page.locator("#map").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_load_click_filter_and_download(address):
    with playwright.sync_playwright() as driver:
        page, wrong = opened(driver, f"{address}/#lang=en")
        assert drawn(page) == 600
        assert page.locator("#layers li").count() == 2
        assert "Velocity mm/yr" in page.locator("#legend").inner_text()
        assert "Nobody & <b>sons</b>" in page.locator(".maplibregl-ctrl-attrib").inner_text()

        page.locator(".maplibregl-canvas").focus()
        page.keyboard.press("Enter")  # the point in the middle of the map
        page.wait_for_selector("#series canvas")
        velocity = float(page.locator(".facts .big strong").inner_text().replace("−", "-"))
        assert velocity < -5  # the middle of the village sinks
        page.wait_for_timeout(800)
        picked = re.search(r"p=([^&]*)", page.url).group(1)
        assert picked

        page.locator("#largest").focus()
        page.keyboard.press("Home")
        for _ in range(4):
            page.keyboard.press("PageUp")
        page.wait_for_timeout(500)
        shown = page.locator("#shown").inner_text()
        kept, total = (int(re.sub(r"\D", "", part)) for part in shown.split("/"))
        assert 0 < kept < total == 600

        page.keyboard.press("Escape")
        page.click("#reset")
        page.click("#area")
        x, y = middle(page)
        for dx, dy in ((-120, -120), (120, -120), (120, 120), (-120, 120)):
            page.mouse.click(x + dx, y + dy)
            page.wait_for_timeout(400)  # two clicks at once would be a double click
        page.keyboard.press("Enter")
        page.wait_for_selector("#take-geojson")
        count = int(page.locator("dl.wide dd").first.inner_text())
        with page.expect_download() as taken:
            page.click("#take-geojson")
        features = json.loads(Path(taken.value.path()).read_text())["features"]
        assert len(features) == count > 10
        assert not wrong


def test_a_link_brings_the_view_back_in_french_on_a_phone(address):
    with playwright.sync_playwright() as driver:
        part = "L2b/E43N32/L2b_044_0001_IW1_VV"
        link = f"{address}/#lang=fr&p=points-L2b-LOS-44~{part.replace('/', '%2F')}~7&k=-4,1e6"
        page, wrong = opened(driver, link, viewport={"width": 390, "height": 760})
        page.wait_for_selector("#series canvas")
        assert "Vitesse mm/an" in page.locator("#legend").text_content()
        assert page.locator("html").get_attribute("lang") == "fr"
        assert page.locator("#drawer").bounding_box()["width"] <= 390
        assert not wrong


def test_without_webgl_the_server_draws(address):
    with playwright.sync_playwright() as driver:
        page, wrong = opened(driver, f"{address}/#lang=en", "--disable-3d-apis")
        assert "no WebGL" in page.locator("#notice").inner_text()
        assert page.locator("#map img").count() > 0
        page.locator("#map").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("#series canvas")
        assert page.locator("#shown").inner_text() == "600 points"
        page.keyboard.press("Escape")
        page.click("#area")
        x, y = middle(page)
        for dx, dy in ((-120, -120), (120, -120), (0, 120)):
            page.mouse.click(x + dx, y + dy)
            page.wait_for_timeout(400)
        page.keyboard.press("Enter")
        page.wait_for_selector("#take-csv")
        assert not wrong
