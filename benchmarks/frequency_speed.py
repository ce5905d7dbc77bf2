"""Windows a second of `frequency`, 64 then 32 pixels with default iterations: one thread, then two.

Run as `python benchmarks/frequency_speed.py [runs]`; prints the median of the runs.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import ndimage

from groundshift.optical.config import PairConfig
from groundshift.optical.frequency import FREQUENCY
from groundshift.optical.methods import Nodes

SIZE, STEP = 512, 8


def main(runs: int) -> None:
    rng = np.random.default_rng(0)
    ground = ndimage.gaussian_filter(rng.normal(size=(SIZE, SIZE)), 1)
    pre, post = (
        (ndimage.shift(ground, shift, order=5) + 0.01 * rng.normal(size=ground.shape)).astype(np.float32)
        for shift in (0, (1.3, -0.6))
    )
    centres = np.arange(STEP / 2 - 0.5, SIZE, STEP)
    nodes, config = Nodes(centres, centres), PairConfig(method="frequency")
    FREQUENCY.measure(pre, post, Nodes(centres[:2], centres[:2]), config)  # compiles
    for threads in (1, 2):
        speeds = []
        with ThreadPoolExecutor(threads) as pool:
            for _ in range(runs):
                start = time.perf_counter()
                list(pool.map(lambda _: FREQUENCY.measure(pre, post, nodes, config), range(threads)))
                speeds.append(threads * centres.size**2 / (time.perf_counter() - start))
        print(f"{threads} thread(s): {np.median(speeds):.0f} windows/s, {min(speeds):.0f} to {max(speeds):.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
