"""The explorer in dark colours: followed, switched, remembered, and never taken away."""

import io

import numpy as np
import pytest
from PIL import Image
from reference.browser import CHROMIUM, map_picture, middle, taken, until
from reference.explorer import served, village

from groundshift.explore.colors import DARK_PALETTES
from groundshift.io.points import write_points

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium as /usr/bin/chromium")
pytest.importorskip("playwright.sync_api", reason="needs playwright")

THEME = "document.documentElement.dataset.theme"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dark")
    write_points(folder / "points.parquet", village(600))
    with served([folder / "points.parquet"]) as address:
        yield address


def seen(page):
    """Colours of the map on the screen, without what lies over it."""
    return np.asarray(map_picture(page, 300, 100, 280, 260)).reshape(-1, 3).astype(int)


def settled(page):
    """When the map has drawn what it was given."""
    page.wait_for_timeout(1500)


def shares(pixels, colour, reach=12):
    """Part of the pixels that are nearly of a colour."""
    return (np.abs(pixels - np.array(colour)).max(axis=1) < reach).mean()


def hexed(text):
    return [int(text[i : i + 2], 16) for i in (1, 3, 5)]


@pytest.mark.parametrize("flags", [(), ("--disable-3d-apis",)], ids=["webgl", "plain"])
def test_the_page_is_as_dark_as_the_system_until_it_is_switched(chromium, address, flags):
    page, wrong = chromium(f"{address}/#lang=en", *flags, color_scheme="dark")
    assert page.evaluate(THEME) == "dark"
    paper = "getComputedStyle(document.getElementById('panel')).backgroundColor"
    assert page.evaluate(paper) == "rgb(24, 32, 38)"
    settled(page)
    land = hexed(page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--land')"))
    assert max(land) < 40
    assert shares(seen(page), land) > 0.2

    page.emulate_media(color_scheme="light")  # the system goes over to the day
    until(page, f"{THEME} === 'light'")
    settled(page)
    assert shares(seen(page), (235, 233, 228)) > 0.2
    page.click("#theme")
    assert page.evaluate(THEME) == "dark"
    page.reload()
    page.wait_for_selector("body[data-ready=true][data-waiting=false]")
    assert page.evaluate(THEME) == "dark"  # remembered
    page.click("#theme")  # as the system wants it: nothing to remember, and followed again
    assert page.evaluate(THEME) == "light"
    page.emulate_media(color_scheme="dark")
    until(page, f"{THEME} === 'dark'")
    assert not wrong
    page.close()


def test_points_and_legend_wear_the_scale_for_dark_ground(chromium, address):
    page, wrong = chromium(f"{address}/#lang=en&s=3", color_scheme="dark")
    settled(page)
    bar = page.evaluate("document.querySelector('#legend .bar').style.background")
    first, last = DARK_PALETTES["motion"][[0, -1]].tolist()
    for colour in (first, last):
        assert f"rgb({', '.join(map(str, colour))})" in bar
    assert shares(seen(page), first, 20) > 0.005  # the middle of the village sinks
    page.select_option("#palette", "red-white-blue")
    assert page.locator("#palette option:checked").inner_text() == "red-grey-blue"
    page.click("#theme")
    assert page.locator("#palette option:checked").inner_text() == "red-white-blue"
    settled(page)
    assert shares(seen(page), DARK_PALETTES["red-white-blue"][0], 20) < 0.001
    assert not wrong
    page.close()


def test_a_picture_that_is_taken_away_is_light(chromium, address):
    pictures = {}
    for scheme in ("light", "dark"):
        page, wrong = chromium(f"{address}/#lang=en", color_scheme=scheme)
        page.mouse.click(*middle(page))
        page.wait_for_selector("#series canvas")
        page.wait_for_timeout(300)
        pictures[scheme] = Image.open(io.BytesIO(taken(page, "picture"))).convert("RGB")
        page.wait_for_timeout(300)
        ink = page.evaluate("[...document.querySelector('#series canvas').getContext('2d')"
                            ".getImageData(0, 0, 900, 200).data]")  # fmt: skip
        opaque = np.array(ink).reshape(-1, 4)
        found = {tuple(each) for each in opaque[opaque[:, 3] == 255][:, :3].tolist()}
        assert ((86, 185, 207) in found) == (scheme == "dark")  # what is on the page is as dark as before
        assert ((15, 95, 115) in found) == (scheme == "light")
        assert not wrong
        page.close()
    assert pictures["dark"].size == pictures["light"].size
    assert pictures["dark"].getpixel((2, 2)) == (255, 255, 255)
    assert np.array_equal(np.asarray(pictures["dark"]), np.asarray(pictures["light"]))
