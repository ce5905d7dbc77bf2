"""Made-up ground for tests of the explorer, and its server on a free port."""

import contextlib
import json
import socket
import threading
import time

import numpy as np
import rasterio
import uvicorn
from odc.geo.geobox import GeoBox

from groundshift.explore.server import create_app
from groundshift.grid.metric import crs_name
from groundshift.grid.tiles import Box
from groundshift.io.maps import write_map
from groundshift.io.store import commit, write_parts
from groundshift.io.store.manifest import set_name, set_record
from groundshift.io.write import write_image
from groundshift.model.points import point_set

DATES = np.datetime64("2020-01-03") + 12 * np.arange(60)
MIDDLE = (4_321_000.0, 3_210_000.0)  # EPSG:3035: on the edge of no tile
PLACE = (10.0, 52.0)  # degrees, there


def village(count=4000, *, frame="0001_IW1_VV", track=44, seed=0, angle=-9.0, where=None, height=None):
    """A village of 2 km that sinks at 10 mm/yr in its middle; L2b, ascending where the track's angle is.

    Its points lie anywhere, 50 m high, or at places (EPSG:3035) and heights that are given.
    """
    rng = np.random.default_rng(seed)
    place = MIDDLE + rng.uniform(-1000, 1000, (count, 2)) if where is None else np.asarray(where, float)
    velocity = -10 * np.exp(-((place - MIDDLE) ** 2).sum(axis=1) / 2 / 300**2) + rng.normal(0, 0.3, count)
    years = (DATES - DATES[0]).astype(float) / 365
    series = velocity[:, None] * years + 2 * np.cos(2 * np.pi * years) + rng.normal(0, 1, (count, len(years)))
    high = rng.normal(50, 3, count).round(1) if height is None else np.asarray(height, float)
    columns = {
        "pid": [f"{seed}{i:07d}" for i in range(count)],
        "easting": place[:, 0].round(2), "northing": place[:, 1].round(2), "height": high,
        "los_east": np.full(count, -0.62), "los_north": np.full(count, -0.10), "los_up": np.full(count, 0.778),
        "track_angle": np.full(count, angle), "mean_velocity": velocity.round(1),
        "mean_velocity_std": np.full(count, 0.2), "rmse": np.full(count, 1.0),
        "temporal_coherence": rng.uniform(0.7, 1, count).round(2), "seasonality": np.full(count, 2.0),
        "displacement": series.round(1),
    }  # fmt: skip
    return point_set(columns, level="L2b", dates=DATES, crs="EPSG:3035", track=track, frame=frame)


SOURCES = ("ground", "quake.tif", "before.tif", "after.tif", "faults.geojson", "stations.csv")


def write_sources(root, table):
    """A store, a displacement map, two images, a fault and stations, in a folder."""
    record, parts = write_parts([table], root / "staged", key="a")
    commit(root / "ground", root / "staged", {set_name(record): set_record(record)}, parts, crs=crs_name(record.crs))
    grid = GeoBox((40, 50), rasterio.Affine(30, 0, 600_000, 0, -30, 5_762_000), "EPSG:32632")
    rng = np.random.default_rng(0)
    layers = {"east": np.full((40, 50), 1.5), "north": np.full((40, 50), -2.0), "quality": np.ones((40, 50))}
    layers |= {"east_sigma": np.full((40, 50), 0.1), "north_sigma": np.full((40, 50), 0.2)}
    layers = {name: values.astype(np.float32) for name, values in layers.items()} | {
        "reason": np.zeros((40, 50), np.uint8)
    }
    named = ("date_pre", "date_post", "method", "source_pre", "source_post", "software", "configuration_hash")
    write_map(root / "quake.tif", grid, [(Box(0, 0, 40, 50), layers)], attributes=dict.fromkeys(named, "2020-01-01"))
    for name in ("before", "after"):
        write_image(root / f"{name}.tif", rng.integers(100, 200, (40, 50)).astype(np.uint16), grid)
    fault = {"type": "LineString", "coordinates": [[10.0, 52.0], [10.1, 52.1]]}
    feature = {"type": "Feature", "geometry": fault, "properties": {"name": "Fault"}}
    (root / "faults.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    (root / "stations.csv").write_text(
        "# frame: ETRF2000\nname,latitude,longitude,east,north,up,sigma_east,sigma_north,sigma_up\n"
        "ABCD,52.0,10.0,1.0,2.0,3.0,0.1,0.1,0.3\n"
    )


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
