"""The truth of a simulated stack as a data set."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from groundshift.io.radar_stack import CHUNK
from groundshift.model.radar_stack import SENTINEL1_WAVELENGTH
from groundshift.synth.radar.atmosphere import between
from groundshift.synth.radar.motion import MOTIONS
from groundshift.synth.radar.options import COVERS, REGIONS
from groundshift.synth.radar.scene import KINDS, Scene

IMAGES = {
    "region": np.uint8, "cover": np.uint8, "kind": np.uint8, "scr": np.float32, "offset_y": np.float32,
    "offset_x": np.float32, "velocity": np.float32, "height_error": np.float32, "height": np.float32,
    "building": np.int32, "scatterer_latitude": np.float64, "scatterer_longitude": np.float64,
}  # fmt: skip
"""Types of what a window has on (y, x), but for its motion."""


def make_truth(scene: Scene, images: dict[str, Any]) -> xr.Dataset:
    """The truth but for its series, from arrays on (y, x) and `motion_field` on (motion, y, x)."""
    atmosphere, dates = scene.atmosphere, scene.dates.astype("datetime64[ns]")
    along_time = {
        "perpendicular_baseline": scene.baseline, "gain": scene.gain, "stratified_slope": atmosphere.stratified,
        "ramp_y": atmosphere.ramp[:, 0], "ramp_x": atmosphere.ramp[:, 1],
    }  # fmt: skip
    return xr.Dataset(
        {
            **{name: (("y", "x"), images[name]) for name in IMAGES},
            "motion_field": (("motion", "y", "x"), images["motion_field"]),
            **{name: ("time", values) for name, values in along_time.items()},
            "course": (("time", "motion"), scene.course.astype(np.float32)),
            "turbulent_nodes": (("time", "node_y", "node_x"), atmosphere.turbulent),
            "coherence": (("cover_code", "time", "other_time"), scene.coherence),
        },
        coords={
            "time": dates, "y": np.arange(scene.options.lines), "x": np.arange(scene.options.pixels),
            "node_y": atmosphere.rows, "node_x": atmosphere.columns,
        },
        attrs={
            "regions": list(REGIONS), "covers": list(COVERS), "kinds": list(KINDS), "motions": list(MOTIONS),
            "reference_date": str(scene.dates[scene.reference]), "mean_height": scene.options.ground.height,
            "wavelength": SENTINEL1_WAVELENGTH, "options": scene.options.model_dump_json(),
        },
    )  # fmt: skip


def with_series(truth: xr.Dataset) -> xr.Dataset:
    """The truth with its series, which are computed where they are used."""
    chunks = {"y": CHUNK, "x": CHUNK}
    lazy = truth.chunk(chunks)
    y, x = (da.from_array(truth[name].values, chunks=CHUNK) for name in ("y", "x"))
    nodes = [truth[name].values for name in ("turbulent_nodes", "node_y", "node_x")]
    middle = [each - (each.size - 1) / 2 for each in (y, x)]
    slope, ramp_y, ramp_x, course = (truth[name].values for name in ("stratified_slope", "ramp_y", "ramp_x", "course"))
    size, field = (slope.size,), lazy["motion_field"].data
    series = {
        "displacement": field.map_blocks(_of_motions, course, chunks=(size, *field.chunks[1:]), dtype=np.float32),
        "turbulent": da.map_blocks(
            _of_nodes, y[:, None], x, *nodes, new_axis=0, chunks=(size, *field.chunks[1:]), dtype=np.float32
        ),
        "stratified": slope[:, None, None] * (lazy["height"].data - truth.attrs["mean_height"]),
        "ramp": ramp_y[:, None, None] * middle[0][:, None] + ramp_x[:, None, None] * middle[1],
    }
    return truth.assign({name: (("time", "y", "x"), each.astype(np.float32)) for name, each in series.items()})


def _of_motions(field: np.ndarray, course: np.ndarray) -> np.ndarray:
    return np.tensordot(course, field, 1)


def _of_nodes(y: np.ndarray, x: np.ndarray, nodes: np.ndarray, node_y: np.ndarray, node_x: np.ndarray) -> np.ndarray:
    return between(nodes, node_y, node_x, y[:, 0], x)
