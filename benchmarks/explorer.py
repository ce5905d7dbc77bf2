"""The explorer: time to the first picture in a browser, and tiles asked by clients that pan and zoom.

    python -m benchmarks.explorer STORE [--clients 8] [--seconds 20] [--looks 5]

The server is a process of its own. Each client walks over the map by itself: it looks at a random place at a random
zoom between 4 and 15 and asks for the tiles around it, one after the other. Wall time is what a client waits; CPU time
is that of the server a tile.

A look is a new Chromium (WebGL in software, no cache) that opens the page. Its first picture is there when all points
in view and the land below them are on the screen: told by the page, and by the first frame that a screencast has with
300 pixels in the colours of points. How long the map in WebGL takes to replace it is told too.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import math
import random
import socket
import subprocess
import sys
import threading
import time

import httpx
import numpy as np
import psutil
from PIL import Image
from playwright.sync_api import sync_playwright


def walk(address: str, layer: dict, seed: int, until: float, waits: list[tuple[int, float, int]]) -> None:
    """Ask for tiles until the time is over; keep zoom, seconds and bytes of each."""
    chance = random.Random(seed)
    west, south, east, north = layer["bounds"]
    with httpx.Client(base_url=address, timeout=60) as client:
        while time.time() < until:
            zoom = chance.randint(4, 15)
            longitude, latitude = chance.uniform(west, east), chance.uniform(south, north)
            x = int((longitude + 180) / 360 * 2**zoom)
            y = int((1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2 * 2**zoom)
            for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
                start = time.perf_counter()
                answer = client.get(f"/api/layers/{layer['id']}/tiles/{zoom}/{x + dx}/{y + dy}.bin")
                waits.append((zoom, time.perf_counter() - start, len(answer.content)))


def look(address: str) -> dict[str, float]:
    """Open the page in a new browser: seconds from the address to the first picture, and to the map in WebGL."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    frames: list[tuple[float, str]] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        cast = page.context.new_cdp_session(page)

        def take(frame: dict) -> None:
            frames.append((frame["metadata"]["timestamp"], frame["data"]))
            cast.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

        cast.on("Page.screencastFrame", take)
        cast.send("Page.startScreencast", {"format": "png"})
        page.goto(address, wait_until="commit")
        page.wait_for_selector("body[data-ready=true]", timeout=120_000)
        origin, told, ready = page.evaluate(
            "[performance.timeOrigin, performance.getEntriesByName('first-picture')[0].startTime, performance.now()]"
        )
        browser.close()
    seen = (when - origin / 1000 for when, data in frames if _coloured(base64.b64decode(data)) > 300)
    return {"told_s": told / 1000, "frame_s": next(seen, math.nan), "webgl_s": ready / 1000}


def _coloured(picture: bytes) -> int:
    """Pixels of the map, apart from its controls, that are neither land nor sea."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)[:690, 340:1220]
    return int((np.ptp(pixels, axis=-1) > 60).sum())


def main() -> None:
    """Run it, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--looks", type=int, default=5)
    options = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "groundshift", "explore", options.store, "--port", str(port)])
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                httpx.get(f"{address}/")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        start = time.perf_counter()
        layer = httpx.get(f"{address}/api/catalog.json", timeout=60).json()["layers"][0]
        catalog = time.perf_counter() - start
        httpx.get(f"{address}/api/layers/{layer['id']}/tiles/4/8/5.bin", timeout=60)
        first = time.perf_counter() - start
        for _ in range(options.looks):
            load = round(psutil.getloadavg()[0], 1)
            print(json.dumps({name: round(v, 2) for name, v in look(address).items()} | {"load": load}), flush=True)
        process, waits = psutil.Process(server.pid), []
        before = sum(process.cpu_times()[:2])
        until = time.time() + options.seconds
        threads = [
            threading.Thread(target=walk, args=(address, layer, i, until, waits)) for i in range(options.clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spent = sum(process.cpu_times()[:2]) - before
        seconds = sorted(wait for _, wait, _ in waits)
        print(
            json.dumps(
                {
                    "points": layer["points"],
                    "catalog_s": round(catalog, 3),
                    "first_tile_s": round(first, 3),
                    "clients": options.clients,
                    "tiles": len(waits),
                    "p50_ms": round(1000 * seconds[len(seconds) // 2]),
                    "p95_ms": round(1000 * seconds[int(0.95 * len(seconds))]),
                    "server_cpu_ms_a_tile": round(1000 * spent / len(waits), 1),
                    "largest_tile_kb": max(size for *_, size in waits) // 1000,
                    "memory_mb": process.memory_info().rss // 2**20,
                    "load_before": round(psutil.getloadavg()[0], 1),
                }
            )
        )
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
