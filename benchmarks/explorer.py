"""The explorer's server under load: time to the first tile, and tiles asked by clients that pan and zoom.

    python -m benchmarks.explorer STORE [--clients 8] [--seconds 20]

The server is a process of its own. Each client walks over the map by itself: it looks at a random place at a random
zoom between 4 and 15 and asks for the tiles around it, one after the other. Wall time is what a client waits; CPU time
is that of the server a tile.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import socket
import subprocess
import sys
import threading
import time

import httpx
import psutil


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


def main() -> None:
    """Run it, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20)
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
