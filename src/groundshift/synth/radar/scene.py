"""What a simulated stack is made of, and one window of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from groundshift.model.radar_stack import LAYERS, SENTINEL1_WAVELENGTH
from groundshift.model.units import YEAR
from groundshift.synth.radar.atmosphere import Atmosphere, between, make_atmosphere
from groundshift.synth.radar.geometry import AZIMUTH_SPACING, Geometry
from groundshift.synth.radar.ground import Buildings, Ground, make_ground
from groundshift.synth.radar.hashing import generator_of, key_of, uniform
from groundshift.synth.radar.motion import Motions, course, make_motions
from groundshift.synth.radar.options import COVERS, REGIONS, StackOptions
from groundshift.synth.radar.scatterers import add_points, clutter, coherence_matrix, response, seen

KINDS = ("none", "persistent", "distributed")
"""Kinds of scatterers, in the order of their codes, from 0 on."""

_SCALE = 4e-3 * np.pi / SENTINEL1_WAVELENGTH  # radians a mm
_TUBE = 150.0  # m
_DISTRIBUTED = 0.3  # coherence between neighbouring dates from which on a scatterer counts as distributed


@dataclass(frozen=True)
class Scene:
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


def make_scene(options: StackOptions) -> Scene:
    """Draw everything that is no matter of single pixels."""
    random = generator_of(options.seed, options.orbit)
    geometry, ground = Geometry.of(options), make_ground(options)
    dates = _dates(options, random)
    days = dates.astype(float)
    reference = len(dates) // 2
    tube = np.clip(options.baseline * random.standard_normal(len(dates)), -_TUBE, _TUBE)
    courses = course(days, options.motion)
    return Scene(
        options, geometry, dates, reference,
        baseline=tube - tube[reference],
        gain=options.gain * random.standard_normal(len(dates)),
        ground=ground,
        motions=make_motions(options, ground),
        course=courses - courses[reference],
        atmosphere=make_atmosphere(options.atmosphere, geometry, days, random),
        coherence=np.stack([coherence_matrix(getattr(options.scatterers.coherence, name), days) for name in COVERS]),
    )  # fmt: skip


def ground_velocity(options: StackOptions, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """True velocity of open ground at places in degrees (n,), float64 (n, 3): east, north, up, mm/yr of 365.25 days.

    The least-squares fit of 1, t, cos 2πt, sin 2πt to the true series on the dates of the stack.
    """
    scene = make_scene(options)
    east, north = scene.geometry.metres(latitude, longitude)
    nothing = np.zeros(np.shape(east))
    motion = scene.motions.fields(east, north, Buildings(nothing.astype(np.int32), nothing, nothing))
    return np.einsum("m,mcn->nc", _rates(scene), motion)


def _dates(options: StackOptions, random: np.random.Generator) -> np.ndarray:
    """The first of the dates at even intervals that are not missing."""
    steps = np.cumsum(random.geometric(1 - options.missing, options.dates - 1))
    return np.datetime64(options.start, "D") + options.interval * np.append(0, steps)


class Window(NamedTuple):
    """A part of a stack and of its truth."""

    slc: np.ndarray  # complex64 (time, y, x)
    layers: dict[str, np.ndarray]  # of the stack
    images: dict[str, np.ndarray]  # of the truth


class _Points(NamedTuple):
    """Persistent scatterers: one or none in a pixel."""

    present: np.ndarray  # bool (y, x)
    scr: np.ndarray  # float64: dB
    offset_y: np.ndarray  # float64: pixels
    offset_x: np.ndarray


def make_window(scene: Scene, rows: slice, columns: slice) -> Window:
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
    place = geometry.degrees(*_places(geometry, east, north, (offset_y, offset_x), error))
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
    return Window(slc, layers, {name: each[inner] for name, each in images.items()})


def _places(geometry: Geometry, east, north, offsets, error) -> tuple[np.ndarray, np.ndarray]:
    """Where scatterers are, metres to the east and north: off the middle of their pixel, and farther if higher."""
    along, across = np.nan_to_num(offsets[0]) * AZIMUTH_SPACING, np.nan_to_num(offsets[1]) * geometry.ground_spacing
    farther = across + geometry.raised * error
    right, ahead = geometry.away
    return east + farther * right - along * ahead, north + farther * ahead + along * right


def _points(options: StackOptions, region: np.ndarray, built: np.ndarray, drawn: list[np.ndarray]) -> _Points:
    scatterers = options.scatterers
    density = np.array([scatterers.density.get(name, 0.0) for name in REGIONS])[region]
    density = np.where(built, scatterers.on_buildings, density)
    low, high = scatterers.scr_range
    scr = np.clip(scatterers.scr + scatterers.scr_spread * ndtri(np.maximum(drawn[1], 1e-12)), low, high)
    return _Points(drawn[0] < density, scr, drawn[2] - 0.5, drawn[3] - 0.5)


def _moved(scene: Scene, i, j, field, error, height, incidence) -> np.ndarray:
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
    moved -= between(atmosphere.turbulent, atmosphere.rows, atmosphere.columns, i, j)
    return moved


def _echo(scene: Scene, i, j, cover, points: _Points, moved) -> np.ndarray:
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


def _rates(scene: Scene) -> np.ndarray:
    """Velocity of each motion, a year: the linear part of its least-squares fit with an annual cycle."""
    years = (scene.dates - scene.dates[0]).astype(float) / YEAR
    turn = 2 * np.pi * years
    design = np.stack([np.ones_like(years), years, np.cos(turn), np.sin(turn)], axis=1)
    return (np.linalg.pinv(design) @ scene.course)[1]
