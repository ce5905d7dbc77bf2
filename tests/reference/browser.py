"""Pages in a real browser, Debian's Chromium with WebGL in software."""

import contextlib
import io
import re
from pathlib import Path

from PIL import Image

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
WAIT = 90_000  # ms


@contextlib.contextmanager
def browsers():
    """Opens pages; all that are given the same flags are of one browser."""
    from playwright.sync_api import sync_playwright  # not above: where it is missing the tests are skipped

    with sync_playwright() as driver:
        launched = {}

        def opened(url, *flags, **options):
            """A page whose map is drawn, and what went wrong in it."""
            if flags not in launched:
                launched[flags] = driver.chromium.launch(executable_path=str(CHROMIUM), args=[*FLAGS, *flags])
            page = launched[flags].new_page(**({"viewport": {"width": 1000, "height": 660}} | options))
            page.set_default_timeout(WAIT)
            wrong = []
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
            allowed = (url.split("#")[0].removesuffix("index.html"), "blob:", "data:")
            page.on("request", lambda asked: None if asked.url.startswith(allowed) else wrong.append(asked.url))
            page.goto(url)
            page.wait_for_selector("body[data-ready=true][data-waiting=false]")
            return page, wrong

        yield opened
        for browser in launched.values():
            browser.close()


def until(page, condition):
    """Wait; the page's policy refuses what Playwright would do for it."""
    for _ in range(WAIT // 600):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(200)
    raise AssertionError(f"never came: {condition}")


def map_picture(page, left=0, top=0, width=None, height=None):
    """A part of the map as it is on the screen, in colours."""
    box = page.locator("#map").bounding_box()
    clip = {
        "x": box["x"] + left, "y": box["y"] + top,
        "width": width or box["width"] - left, "height": height or box["height"] - top,
    }  # fmt: skip
    return Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")


def middle(page):
    box = page.locator("#map").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def draw(page, *corners):
    """Click corners, from the middle of the map, and end."""
    x, y = middle(page)
    for dx, dy in corners:
        page.mouse.click(x + dx, y + dy)
        page.wait_for_timeout(350)  # two clicks at once would be a double click
    page.keyboard.press("Enter")


def taken(page, what):
    """The file that a button of the drawer hands over."""
    with page.expect_download() as download:
        page.click(f"#take-{what}")
    return Path(download.value.path()).read_bytes()


def number(text):
    return float(re.sub(r"[^\d.−-]", "", text).replace("−", "-"))
