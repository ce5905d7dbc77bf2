"""Windows a second of `frequency`, 64 then 32 pixels with default iterations: one thread, then two."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from groundshift.optical.config import PairConfig
from groundshift.optical.frequency import FREQUENCY
from groundshift.optical.methods import Nodes
from groundshift.synth.textures import shifted_pair

SIZE, STEP, RUNS = 512, 8, 7


def main() -> None:
    pre, post, _ = shifted_pair(SIZE, dx=1.3, dy=-0.6, noise=0.02, seed=0)
    centres = np.arange(STEP / 2 - 0.5, SIZE, STEP)
    nodes, config = Nodes(centres, centres), PairConfig(method="frequency")
    FREQUENCY.measure(pre, post, Nodes(centres[:2], centres[:2]), config)  # compiles
    for threads in (1, 2):
        speeds = []
        with ThreadPoolExecutor(threads) as pool:
            for _ in range(RUNS):
                start = time.perf_counter()
                list(pool.map(lambda _: FREQUENCY.measure(pre, post, nodes, config), range(threads)))
                speeds.append(threads * centres.size**2 / (time.perf_counter() - start))
        print(f"{threads} thread(s): {np.median(speeds):.0f} windows/s, {min(speeds):.0f} to {max(speeds):.0f}")
