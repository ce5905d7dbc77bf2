"""Made-up ground for tests of the explorer, and its server on a free port."""

import contextlib
import socket
import threading
import time

import numpy as np
import uvicorn

from groundshift.explore.server import create_app
from groundshift.model.points import point_set

DATES = np.datetime64("2020-01-03") + 12 * np.arange(60)
MIDDLE = (4_321_000.0, 3_210_000.0)  # EPSG:3035: on the edge of no tile
PLACE = (10.0, 52.0)  # degrees, there


def village(count=4000, *, frame="0001_IW1_VV", track=44, seed=0, angle=-9.0):
    """A village of 2 km that sinks at 10 mm/yr in its middle; L2b, ascending where the track's angle is."""
    rng = np.random.default_rng(seed)
    place = MIDDLE + rng.uniform(-1000, 1000, (count, 2))
    velocity = -10 * np.exp(-((place - MIDDLE) ** 2).sum(axis=1) / 2 / 300**2) + rng.normal(0, 0.3, count)
    years = (DATES - DATES[0]).astype(float) / 365
    series = velocity[:, None] * years + 2 * np.cos(2 * np.pi * years) + rng.normal(0, 1, (count, len(years)))
    columns = {
        "pid": [f"{seed}{i:07d}" for i in range(count)],
        "easting": place[:, 0].round(2), "northing": place[:, 1].round(2), "height": rng.normal(50, 3, count).round(1),
        "los_east": np.full(count, -0.62), "los_north": np.full(count, -0.10), "los_up": np.full(count, 0.778),
        "track_angle": np.full(count, angle), "mean_velocity": velocity.round(1),
        "mean_velocity_std": np.full(count, 0.2), "rmse": np.full(count, 1.0),
        "temporal_coherence": rng.uniform(0.7, 1, count).round(2), "seasonality": np.full(count, 2.0),
        "displacement": series.round(1),
    }  # fmt: skip
    return point_set(columns, level="L2b", dates=DATES, crs="EPSG:3035", track=track, frame=frame)


@contextlib.contextmanager
def served(sources, **options):
    """The address of a server of the sources, in a thread of this process."""
    app = create_app(sources, **options)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
