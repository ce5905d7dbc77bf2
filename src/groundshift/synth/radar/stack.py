"""Simulated radar stacks: the stack, and the truth it was made from.

A stack is made in windows, each from the options and its place alone, so that a large one never is in memory, and the
same options give the same pixels whatever the windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from groundshift.io.radar_stack import CHUNK, cube_writer, open_cube
from groundshift.io.stacks import write_any_stack
from groundshift.model.radar_stack import LAYERS, SENTINEL1_WAVELENGTH, build_stack
from groundshift.synth.radar.geometry import AZIMUTH_SPACING, RANGE_SPACING
from groundshift.synth.radar.motion import MOTIONS
from groundshift.synth.radar.options import StackOptions
from groundshift.synth.radar.scene import Scene, make_scene, make_window
from groundshift.synth.radar.truth import IMAGES, make_truth, with_series

STACK, TRUTH = "stack.zarr", "truth.zarr"
"""What a simulation is called in its folder."""

_TRACK = {"ascending": 15, "descending": 66}


class Simulation(NamedTuple):
    """A stack as of :mod:`groundshift.model.radar_stack`, and its truth as of :func:`simulate_stack`."""

    stack: xr.Dataset
    truth: xr.Dataset


def simulate_stack(options: StackOptions) -> Simulation:
    """Make a stack in memory.

    The truth is a data set on the dates and pixels of the stack.

    - (y, x): `region`, `cover` and `kind` (codes; attributes `regions`, `covers`, `kinds` name them), `scr` (dB, peak
      of the persistent scatterer over mean power of the clutter; NaN without one), `offset_y` and `offset_x` (pixels
      from the centre of the pixel to the scatterer; NaN without one), `velocity` (mm/yr of 365.25 days, toward the
      satellite: the least-squares fit of 1, t, cos 2πt, sin 2πt to the true series), `height_error` (m, true minus
      `height`), `building` (number, 0 for none), `scatterer_latitude` and `scatterer_longitude` (degrees, true).
    - (time, y, x), lazy: `displacement` (mm toward the satellite since the reference date), and the delays `turbulent`,
      `stratified` and `ramp` (mm, larger is farther).
    - (time): `perpendicular_baseline` (m), `gain` (dB), `stratified_slope` (mm/m), `ramp_y`, `ramp_x` (mm a pixel).
    - `coherence` (cover_code, time, other_time) of the distributed scatterers of each cover.
    - what the lazy ones are made of: `course` (time, motion), `motion_field` (motion, y, x) in mm, mm/yr or mm/yr²
      toward the satellite, `turbulent_nodes` (time, node_y, node_x).
    """
    scene = make_scene(options)
    slc, layers, images = _blank(options, len(scene.dates), np.full)
    for rows, columns in _windows(options):
        window = make_window(scene, rows, columns)
        slc[:, rows, columns] = window.slc
        for arrays, made in ((layers, window.layers), (images, window.images)):
            for name, values in made.items():
                arrays[name][..., rows, columns] = values
    return Simulation(_stack(scene, slc, layers), with_series(make_truth(scene, images)))


def write_simulation(folder: str | Path, options: StackOptions) -> Simulation:
    """Make a stack on disk, `stack.zarr` and `truth.zarr` in a folder, one window at a time; opens both.

    Each appears when it is whole, and replaces what was there. The same pixels as of :func:`simulate_stack`.
    """
    folder, scene = Path(folder), make_scene(options)
    slc, layers, images = _blank(options, len(scene.dates), da.full)
    stack, truth = _stack(scene, slc, layers), make_truth(scene, images)
    with cube_writer(folder / STACK, stack) as to_stack, cube_writer(folder / TRUTH, truth) as to_truth:
        for rows, columns in _windows(options):
            window = make_window(scene, rows, columns)
            to_stack({"slc": window.slc, **window.layers}, rows, columns)
            to_truth(window.images, rows, columns)
    return open_simulation(folder)


def write_layout(folder: str | Path, layout: str) -> Path:
    """Write the stack of a simulation on disk once more, in the layout of another program, beside it.

    Parameters
    ----------
    folder
        Where :func:`write_simulation` wrote.
    layout
        A key of :data:`groundshift.io.stacks.LAYOUTS`; `zarr` is there already.

    Returns
    -------
    The folder, called as the layout is.
    """
    if layout == "zarr":
        return Path(folder) / STACK
    path = Path(folder) / layout
    write_any_stack(path, open_cube(Path(folder) / STACK), layout)
    return path


def open_simulation(folder: str | Path) -> Simulation:
    """Open what :func:`write_simulation` wrote, lazily."""
    stack, truth = (open_cube(Path(folder) / name) for name in (STACK, TRUTH))
    return Simulation(stack, with_series(truth))


def _windows(options: StackOptions) -> Iterator[tuple[slice, slice]]:
    for top in range(0, options.lines, CHUNK):
        for left in range(0, options.pixels, CHUNK):
            yield slice(top, min(top + CHUNK, options.lines)), slice(left, min(left + CHUNK, options.pixels))


def _blank(options: StackOptions, count: int, make: Any) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Arrays to fill, made by a function like :func:`numpy.full`: pixels, layers (looking up), images of the truth."""
    shape = options.lines, options.pixels
    slc = make((count, *shape), 0, dtype=np.complex64)
    layers = {name: make(shape, name == "los_up", dtype=dtype) for name, (dtype, *_) in LAYERS.items()}
    images = {name: make(shape, 0, dtype=dtype) for name, dtype in IMAGES.items()}
    return slc, layers, images | {"motion_field": make((len(MOTIONS), *shape), 0, dtype=np.float32)}


def _stack(scene: Scene, slc: Any, layers: dict[str, Any]) -> xr.Dataset:
    options = scene.options
    attributes = {
        "wavelength": SENTINEL1_WAVELENGTH, "slant_range": scene.geometry.slant_range, "range_spacing": RANGE_SPACING,
        "azimuth_spacing": AZIMUTH_SPACING, "reference_date": str(scene.dates[scene.reference]),
        "track": _TRACK[options.orbit], "burst": 1, "swath": "IW2", "polarisation": "VV", "orbit": options.orbit,
        "source": f"simulated by groundshift, seed {options.seed}",
    }  # fmt: skip
    return build_stack(slc, scene.dates, layers=layers, perpendicular_baseline=scene.baseline, attributes=attributes)
