"""Pictures of the explorer for the documentation: its pages in a real browser.

    python -m benchmarks.screenshots DATA GLACIER OUT

DATA is the folder of shared data, GLACIER the displacement map of `benchmarks gallery yahtse`. Chromium as
/usr/bin/chromium, WebGL in software. A railway and bridges are of a simulated town.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import httpx
import pyarrow as pa
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from groundshift.io.features import write_features
from groundshift.io.points import write_points
from groundshift.synth.structures import Errors, simulate_town

CREDIT = "European Union's Copernicus Land Monitoring Service information"
_POINTS = ((13.165075, 38.697166), (13.168574, 38.699993), (13.163632, 38.698006))  # on Ustica
_GLACIER = ((-141.4894, 60.2568), (-141.4235, 60.2512), (-141.3695, 60.2242), (-141.3497, 60.1973))
_GROUND = 45_000  # ms until the ground stands, in software
_WAIT = 300.0  # s that a server takes to start, at most


@contextlib.contextmanager
def served(*arguments: object) -> Iterator[str]:
    """The address of `groundshift explore` with arguments."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "groundshift", "explore", *map(str, arguments), "--port", str(port)]
    server = subprocess.Popen(command)
    try:
        address, until = f"http://127.0.0.1:{port}", time.monotonic() + _WAIT
        while True:
            try:
                httpx.get(address)
                break
            except httpx.TransportError:
                if server.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait()


def opened(browser: Browser, address: str, *, dark: bool = False) -> Page:
    """A page whose map is drawn."""
    page = browser.new_page(
        viewport={"width": 1360, "height": 850}, device_scale_factor=1.5, color_scheme="dark" if dark else "light"
    )
    page.set_default_timeout(120_000)
    page.goto(address)
    page.wait_for_selector("body[data-ready=true][data-waiting=false]")
    page.wait_for_timeout(1500)
    return page


def saved(page: Page, out: Path) -> None:
    """Write what is on the page."""
    raw = out.with_suffix(".png")
    page.screenshot(path=str(raw))
    Image.open(raw).convert("RGB").save(out, quality=86, method=6)
    raw.unlink()
    page.close()


def ustica(browser: Browser, data: Path, out: Path) -> None:
    """Three points compared; displacement between two months; and heights, in dark colours."""
    files = sorted((data / "egms_ustica").glob("*.zip"))
    with served(*files, "--title", "Ustica 2020–2024", "--credit", CREDIT) as address:
        layer = "points-L2b-LOS-22"
        picked = []
        for longitude, latitude in _POINTS:
            where = {"longitude": longitude, "latitude": latitude, "radius": 5}
            found = httpx.get(f"{address}/api/layers/{layer}/nearest", params=where).json()
            picked.append(f"{layer}~{quote(found['part'], safe='')}~{found['row']}")
        view = f"{address}/#lang=en&l={layer}&m=14.5/38.6955/13.1658"
        saved(opened(browser, f"{view}&p={','.join(picked)}"), out / "explorer.webp")
        view = f"{address}/#lang=en&l={layer}&m=14.4/{_POINTS[0][1]}/{_POINTS[0][0]}"
        page = opened(browser, f"{view}&f=displacement&r=-20,20&t=2021-06,2024-06")
        box = page.locator("#map").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.wait_for_timeout(400)
        saved(page, out / "explorer-film.webp")
        view = f"{address}/#lang=en&l={layer}&m=14.0/38.7020/13.1720/58/-35&e=2"
        saved(opened(browser, view, dark=True), out / "explorer-tilted.webp")


def glacier(browser: Browser, data: Path, displacement: Path, out: Path) -> None:
    """A profile along a displacement map."""
    images = sorted((data / "l8_yahtse_glacier").glob("*_yahtse.TIF"))
    with served(displacement, *images, "--title", "Yahtse glacier, 2016") as address:
        line = "~".join(f"{value:.6f}" for place in _GLACIER for value in place)
        page = opened(browser, f"{address}/#lang=en&l=displacement&m=10.5/60.2080/-141.4009&g=profile~{line}")
        box = page.locator(".plot .u-over").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 60)
        page.wait_for_timeout(400)
        saved(page, out / "explorer-glacier.webp")


def hills(browser: Browser, data: Path, displacement: Path, out: Path) -> None:
    """An image on the relief of the glacier's valley."""
    folder = data / "l8_yahtse_glacier"
    image = min(folder.glob("*_yahtse.TIF"))
    heights = folder / "yahtse_srtm_dem.tif"
    with served(displacement, image, "--relief", heights, "--title", "Yahtse glacier") as address:
        shown = f"{image.stem},{heights.stem}"
        page = opened(browser, f"{address}/#lang=en&l={shown}&m=11.2/60.1750/-141.4200/60/-20&e=2")
        page.wait_for_timeout(_GROUND)
        saved(page, out / "explorer-relief.webp")


def railway(browser: Browser, out: Path) -> None:
    """What a railway of a simulated town does along it."""
    town = simulate_town(seed=5, blocks=6, faults=True, errors=Errors.hard())
    kinds = town.assets.attributes["kind"].to_pylist()
    spans = pa.array(["4" if kind == "bridge" else "" for kind in kinds])
    with tempfile.TemporaryDirectory() as folder:
        points, assets = Path(folder) / "points.parquet", Path(folder) / "assets.geojson"
        write_points(points, town.table)
        write_features(assets, replace(town.assets, attributes=town.assets.attributes.append_column("spans", spans)))
        with served(points, "--assets", assets, "--title", "Simulated town") as address:
            page = opened(browser, f"{address}/#lang=en")
            page.click(".span")
            page.mouse.move(1, 1)
            page.wait_for_timeout(1500)
            saved(page, out / "explorer-railway.webp")


def main() -> None:
    """Make them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("data", "glacier", "out"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args()
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        ustica(browser, options.data, options.out)
        glacier(browser, options.data, options.glacier, options.out)
        hills(browser, options.data, options.glacier, options.out)
        railway(browser, options.out)
        browser.close()


if __name__ == "__main__":
    main()
