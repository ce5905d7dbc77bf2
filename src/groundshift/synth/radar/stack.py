"""Simulated radar stacks: the stack, and the truth it was made from.

A stack is made in windows, each from the options and its place alone, so that a large one never is in memory, and the
same options give the same pixels whatever the windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr
from scipy.special import ndtri

from groundshift.io.radar_stack import CHUNK, cube_writer, open_cube
from groundshift.model.radar_stack import LAYERS, SENTINEL1_WAVELENGTH, build_stack
from groundshift.synth.radar.atmosphere import Atmosphere, between, make_atmosphere
from groundshift.synth.radar.geometry import AZIMUTH_SPACING, RANGE_SPACING, Geometry
from groundshift.synth.radar.ground import Ground, make_ground
from groundshift.synth.radar.hashing import generator_of, key_of, uniform
from groundshift.synth.radar.motion import MOTIONS, Motions, course, make_motions
from groundshift.synth.radar.options import COVERS, REGIONS, YEAR, StackOptions
from groundshift.synth.radar.scatterers import add_points, clutter, coherence_matrix, response, seen

KINDS = ("none", "persistent", "distributed")
"""Kinds of scatterers, in the order of their codes, from 0 on."""

STACK, TRUTH = "stack.zarr", "truth.zarr"
"""What a simulation is called in its folder."""

_SCALE = 4e-3 * np.pi / SENTINEL1_WAVELENGTH  # radians a mm
_TUBE = 150.0  # m
_TRACK = {"ascending": 15, "descending": 66}
_DISTRIBUTED = 0.3  # coherence between neighbouring dates from which on a scatterer counts as distributed
_IMAGES = {  # of the truth, on (y, x)
    "region": np.uint8, "cover": np.uint8, "kind": np.uint8, "scr": np.float32, "offset_y": np.float32,
    "offset_x": np.float32, "velocity": np.float32, "height_error": np.float32, "height": np.float32,
    "building": np.int32, "scatterer_latitude": np.float64, "scatterer_longitude": np.float64,
}  # fmt: skip


class Simulation(NamedTuple):
    """A stack as of :mod:`groundshift.model.radar_stack`, and its truth as of :func:`simulate_stack`."""

    stack: xr.Dataset
    truth: xr.Dataset


@dataclass(frozen=True)
class _Scene:
    """All that windows share."""

    options: StackOptions
    geometry: Geometry
    dates: np.ndarray  # datetime64[D] (time,)
    reference: int
    baseline: np.ndarray  # float64 (time,): m, against the reference
    gain: np.ndarray  # float64 (time,): dB
    ground: Ground
    motions: Motions
    course: np.ndarray  # float64 (time, motion): 0 at the reference
    atmosphere: Atmosphere
    coherence: np.ndarray  # float64 (cover, time, time)


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
    scene = _scene(options)
    slc, layers, images = _blank(options, len(scene.dates), np.full)
    for rows, columns in _windows(options):
        window = _window(scene, rows, columns)
        slc[:, rows, columns] = window.slc
        for arrays, made in ((layers, window.layers), (images, window.images)):
            for name, values in made.items():
                arrays[name][..., rows, columns] = values
    return Simulation(_stack(scene, slc, layers), _with_series(_truth(scene, images)))


def write_simulation(folder: str | Path, options: StackOptions) -> Simulation:
    """Make a stack on disk, `stack.zarr` and `truth.zarr` in a folder, one window at a time; opens both.

    Each appears when it is whole, and replaces what was there. The same pixels as of :func:`simulate_stack`.
    """
    folder, scene = Path(folder), _scene(options)
    slc, layers, images = _blank(options, len(scene.dates), da.full)
    stack, truth = _stack(scene, slc, layers), _truth(scene, images)
    with cube_writer(folder / STACK, stack) as to_stack, cube_writer(folder / TRUTH, truth) as to_truth:
        for rows, columns in _windows(options):
            window = _window(scene, rows, columns)
            to_stack({"slc": window.slc, **window.layers}, rows, columns)
            to_truth(window.images, rows, columns)
    return open_simulation(folder)


def open_simulation(folder: str | Path) -> Simulation:
    """Open what :func:`write_simulation` wrote, lazily."""
    stack, truth = (open_cube(Path(folder) / name) for name in (STACK, TRUTH))
    return Simulation(stack, _with_series(truth))


def _scene(options: StackOptions) -> _Scene:
    random = generator_of(options.seed, options.orbit)
    geometry, ground = Geometry.of(options), make_ground(options)
    dates = _dates(options, random)
    days = dates.astype(float)
    reference = len(dates) // 2
    tube = np.clip(options.baseline * random.standard_normal(len(dates)), -_TUBE, _TUBE)
    courses = course(days, options.motion)
    return _Scene(
        options, geometry, dates, reference,
        baseline=tube - tube[reference],
        gain=options.gain * random.standard_normal(len(dates)),
        ground=ground,
        motions=make_motions(options, ground),
        course=courses - courses[reference],
        atmosphere=make_atmosphere(options.atmosphere, geometry, days, random),
        coherence=np.stack([coherence_matrix(getattr(options.scatterers.coherence, name), days) for name in COVERS]),
    )  # fmt: skip


def _dates(options: StackOptions, random: np.random.Generator) -> np.ndarray:
    """The first of the dates at even intervals that are not missing."""
    steps = np.cumsum(random.geometric(1 - options.missing, options.dates - 1))
    return np.datetime64(options.start, "D") + options.interval * np.append(0, steps)


class _Window(NamedTuple):
    slc: np.ndarray  # complex64 (time, y, x)
    layers: dict[str, np.ndarray]  # of the stack
    images: dict[str, np.ndarray]  # of the truth


class _Points(NamedTuple):
    """Persistent scatterers: one or none in a pixel."""

    present: np.ndarray  # bool (y, x)
    scr: np.ndarray  # float64: dB
    offset_y: np.ndarray  # float64: pixels
    offset_x: np.ndarray


def _window(scene: _Scene, rows: slice, columns: slice) -> _Window:
    """A window of the stack and its truth, made with a border as wide as side lobes reach."""
    options, geometry, reach = scene.options, scene.geometry, scene.options.sensor.reach
    i, j = np.arange(rows.start - reach, rows.stop + reach), np.arange(columns.start - reach, columns.stop + reach)
    east, north = geometry.ground(i[:, None], j)
    look = [np.broadcast_to(each, east.shape) for each in geometry.look(j)]
    lean = tuple(each * geometry.raised for each in geometry.away)
    buildings = scene.ground.building(east, north, lean)
    key = key_of(options.seed, options.orbit, "pixels")
    drawn = [uniform(key, i[:, None], j, number) for number in range(6)]
    raised = buildings.height * np.where(drawn[0] < 0.7, 1, 0.1 + 0.9 * drawn[1])
    standing = east + lean[0] * raised, north + lean[1] * raised
    error = np.where(buildings.number > 0, raised, scene.ground.error(east, north)).astype(np.float32)
    height = scene.ground.height(east, north)
    region, cover = scene.ground.region(east, north), scene.ground.cover(east, north)
    points = _points(options, region, buildings.number > 0, drawn[2:])

    motion = scene.motions.fields(*standing, buildings, raised)
    field = np.einsum("mcyx,cyx->myx", motion, np.stack(look[:3]), optimize=True).astype(np.float32)
    moved = _moved(scene, i, j, field, error, height, look[3])
    slc = _echo(scene, i, j, cover, points, moved)

    offset_y, offset_x = (np.where(points.present, each, np.nan) for each in (points.offset_y, points.offset_x))
    away = np.nan_to_num(offset_x) * geometry.ground_spacing, np.nan_to_num(offset_y) * AZIMUTH_SPACING
    right, ahead = geometry.away
    farther = away[0] + geometry.raised * error
    place = geometry.degrees(east + farther * right - away[1] * ahead, north + farther * ahead + away[1] * right)
    inner = (..., slice(reach, -reach), slice(reach, -reach))
    latitude, longitude = geometry.degrees(east[inner], north[inner])
    neighbour = np.array([np.diagonal(each, 1).mean() for each in scene.coherence])
    kind = np.where(points.present, KINDS.index("persistent"),
                    np.where(neighbour[cover] >= _DISTRIBUTED, KINDS.index("distributed"), 0))  # fmt: skip
    layers = dict(zip(LAYERS, [*(each[inner] for each in (*look, height)), latitude, longitude], strict=True))
    images = {
        "region": region, "cover": cover, "kind": kind, "scr": np.where(points.present, points.scr, np.nan),
        "offset_y": offset_y, "offset_x": offset_x, "velocity": np.tensordot(_rates(scene), field, 1),
        "height_error": error, "height": height, "building": buildings.number, "scatterer_latitude": place[0],
        "scatterer_longitude": place[1], "motion_field": field,
    }  # fmt: skip
    return _Window(slc, layers, {name: each[inner] for name, each in images.items()})


def _points(options: StackOptions, region: np.ndarray, built: np.ndarray, drawn: list[np.ndarray]) -> _Points:
    scatterers = options.scatterers
    density = np.array([scatterers.density.get(name, 0.0) for name in REGIONS])[region]
    density = np.where(built, scatterers.on_buildings, density)
    low, high = scatterers.scr_range
    scr = np.clip(scatterers.scr + scatterers.scr_spread * ndtri(np.maximum(drawn[1], 1e-12)), low, high)
    return _Points(drawn[0] < density, scr, drawn[2] - 0.5, drawn[3] - 0.5)


def _moved(scene: _Scene, i, j, field, error, height, incidence) -> np.ndarray:
    """Way toward the satellite as the phase shows it: displacement, height error and all delays; mm, (time, y, x)."""
    atmosphere, options = scene.atmosphere, scene.options
    parallax = 1e3 * error / (scene.geometry.slant_range * np.sin(np.radians(incidence)))
    shape = error.shape
    maps = np.stack(
        [
            *field, parallax, height - options.ground.height,
            np.broadcast_to((i - (options.lines - 1) / 2)[:, None], shape),
            np.broadcast_to(j - (options.pixels - 1) / 2, shape),
        ]
    ).astype(np.float32)  # fmt: skip
    courses = np.column_stack([scene.course, -scene.baseline, -atmosphere.stratified, -atmosphere.ramp])
    moved = (courses.astype(np.float32) @ maps.reshape(len(maps), -1)).reshape(len(courses), *shape)
    along, across = between(atmosphere.rows, i), between(atmosphere.columns, j)
    for each, nodes in zip(moved, atmosphere.turbulent, strict=True):
        each -= along @ nodes @ across.T
    return moved


def _echo(scene: _Scene, i, j, cover, points: _Points, moved) -> np.ndarray:
    """What the sensor sees of scatterers, complex64 (time, y, x), without the border."""
    options, sensor = scene.options, scene.options.sensor
    key = key_of(options.seed, options.orbit, "clutter")
    power = 10 ** (np.array([getattr(options.scatterers.coherence, name).power for name in COVERS]) / 10)
    factors = np.linalg.cholesky(scene.coherence) * np.sqrt(power)[:, None, None] * options.scatterers.clutter
    taps = np.arange(-sensor.reach, sensor.reach + 1)
    shapes = (sensor.azimuth_bandwidth, sensor.azimuth_window), (sensor.range_bandwidth, sensor.range_window)
    whole = [response(taps, *shape) for shape in shapes]
    echo = clutter(key, i[0], j[0], cover, factors.astype(np.float32), moved, _SCALE)
    image = seen(echo, *((each / np.linalg.norm(each)).astype(np.float32) for each in whole))
    row, column = np.nonzero(points.present)
    amplitude = np.sqrt(power[cover[row, column]] * 10 ** (points.scr[row, column] / 10)).astype(np.float32)
    around = [
        response(taps - offset[row, column][:, None], *shape).astype(np.float32)
        for offset, shape in zip((points.offset_y, points.offset_x), shapes, strict=True)
    ]
    add_points(image, row, column, amplitude, *around, np.ascontiguousarray(moved[:, row, column]), _SCALE)
    image *= (10 ** (scene.gain / 20)).astype(np.float32)[:, None, None]
    return image


def _rates(scene: _Scene) -> np.ndarray:
    """Velocity of each motion, a year: the linear part of its least-squares fit with an annual cycle."""
    years = (scene.dates - scene.dates[0]).astype(float) / YEAR
    turn = 2 * np.pi * years
    design = np.stack([np.ones_like(years), years, np.cos(turn), np.sin(turn)], axis=1)
    return (np.linalg.pinv(design) @ scene.course)[1]


def _windows(options: StackOptions) -> Iterator[tuple[slice, slice]]:
    for top in range(0, options.lines, CHUNK):
        for left in range(0, options.pixels, CHUNK):
            yield slice(top, min(top + CHUNK, options.lines)), slice(left, min(left + CHUNK, options.pixels))


def _blank(options: StackOptions, count: int, make: Any) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Arrays to fill, made by a function like :func:`numpy.full`: pixels, layers (looking up), images of the truth."""
    shape = options.lines, options.pixels
    slc = make((count, *shape), 0, dtype=np.complex64)
    layers = {name: make(shape, name == "los_up", dtype=dtype) for name, (dtype, *_) in LAYERS.items()}
    images = {name: make(shape, 0, dtype=dtype) for name, dtype in _IMAGES.items()}
    return slc, layers, images | {"motion_field": make((len(MOTIONS), *shape), 0, dtype=np.float32)}


def _stack(scene: _Scene, slc: Any, layers: dict[str, Any]) -> xr.Dataset:
    options = scene.options
    attributes = {
        "wavelength": SENTINEL1_WAVELENGTH, "slant_range": scene.geometry.slant_range, "range_spacing": RANGE_SPACING,
        "azimuth_spacing": AZIMUTH_SPACING, "reference_date": str(scene.dates[scene.reference]),
        "track": _TRACK[options.orbit], "burst": 1, "swath": "IW2", "polarisation": "VV", "orbit": options.orbit,
        "source": f"simulated by groundshift, seed {options.seed}",
    }  # fmt: skip
    return build_stack(
        slc, scene.dates, layers=layers, perpendicular_baseline=scene.baseline, attributes=attributes
    )  # fmt: skip


def _truth(scene: _Scene, images: dict[str, Any]) -> xr.Dataset:
    atmosphere, dates = scene.atmosphere, scene.dates.astype("datetime64[ns]")
    fields = {"motion_field": (("motion", "y", "x"), images.pop("motion_field"))}
    along_time = {
        "perpendicular_baseline": scene.baseline, "gain": scene.gain, "stratified_slope": atmosphere.stratified,
        "ramp_y": atmosphere.ramp[:, 0], "ramp_x": atmosphere.ramp[:, 1],
    }  # fmt: skip
    return xr.Dataset(
        {
            **{name: (("y", "x"), values) for name, values in images.items()},
            **fields,
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


def _with_series(truth: xr.Dataset) -> xr.Dataset:
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
    return between(node_y, y[:, 0]) @ nodes @ between(node_x, x).T
