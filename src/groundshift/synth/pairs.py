"""Simulated pairs of images with known displacement: samples to train and test on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numba
import numpy as np

from groundshift.errors import ConfigurationError
from groundshift.grid.tiles import Box
from groundshift.io.samples import Sample
from groundshift.synth.changes import Changes, Strength, on_ground, random_changes
from groundshift.synth.motions import GroundMotion
from groundshift.synth.options import MARGIN, PairOptions
from groundshift.synth.real_pairs import ImagePair, read_pair
from groundshift.synth.scenes import Scene, Sun, procedural_ground, procedural_scene
from groundshift.synth.sensor import Geometry, Look, Sensor, look, random_sensor
from groundshift.synth.shared import MotionSource, drawn, own_motion
from groundshift.synth.warp import Inverse, inverse

_SCENE = 2.5  # sides of a view: side of the procedural scene that views are cut out of
_TRIES = 8  # places of a real pair that are looked at for one with data
_FLOW_STEP = 2.0**-13  # pixels to which the truth is rounded, so that it packs well
_DISTANCE_STEP = 2.0**-4  # the same for the distance to a trace
_SAME = 0.5  # pixels by which the way there and back may differ


class View(NamedTuple):
    """Ground that a sample is made of: its own, and a margin of :data:`MARGIN` pixels all around."""

    before: np.ndarray  # float32 (side, side): NaN is no data
    after: np.ndarray | None  # the same ground at another date, where there is one
    shift: tuple[float, float]  # (dx, dy) by which `after` lies off `before`, pixels of the view
    field: np.ndarray | None  # int (side, side), see `Scene`
    relief: np.ndarray | None  # float32 (side, side)
    sun: Sun | None
    record: dict[str, Any]  # where it is from, fit for JSON


SceneSource = Callable[[np.random.Generator, PairOptions], View]
"""Draws ground for a sample; the same state of the generator gives the same ground."""


@dataclass(frozen=True)
class ProceduralScenes:
    """Views cut out of one procedural scene, which is made once and kept while samples are made of it."""

    seed: int
    spawn_key: tuple[int, ...] = ()

    def __call__(self, random: np.random.Generator, options: PairOptions) -> View:
        side = round(_SCENE * options.side)
        scene = _scene(self.seed, self.spawn_key, side, options.pixel, options.ratio)
        top, left = (int(each) for each in random.integers(0, side - options.side + 1, 2))
        cut = np.s_[top : top + options.side, left : left + options.side]
        record = {"source": "procedural", "seed": [self.seed, *self.spawn_key], "top": top, "left": left, "side": side,
                  "pixel": options.pixel / options.ratio}  # fmt: skip
        return View(scene.reflectance[cut], None, (0.0, 0.0), scene.field[cut], scene.relief[cut], scene.sun, record)


@lru_cache(maxsize=2)
def _scene(seed: int, spawn_key: tuple[int, ...], side: int, pixel: float, ratio: float) -> Scene:
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn_key))
    sun = Sun(azimuth=float(random.uniform(110, 170)), elevation=float(random.uniform(30, 65)))
    if ratio == 1:  # as a sensor has seen it already
        return procedural_scene((side, side), random, pixel=pixel, sun=sun)
    return procedural_ground((side, side), random, pixel=pixel / ratio, sun=sun)


@dataclass(frozen=True)
class RealPairs:
    """Views cut out of real pairs, see :mod:`groundshift.synth.real_pairs`."""

    pairs: tuple[ImagePair, ...]

    def __call__(self, random: np.random.Generator, options: PairOptions) -> View:
        if not self.pairs:
            raise ConfigurationError("there is no pair of real images to cut samples out of; give one or more")
        pair = self.pairs[random.integers(len(self.pairs))]
        best, most = None, -1.0
        for _ in range(_TRIES):
            reach = [max(size - options.side, 0) for size in pair.shape]
            top, left = (int(random.integers(0, each + 1)) for each in reach)
            pixels = read_pair(pair, Box(top, left, top + options.side, left + options.side))
            share = float((np.isfinite(pixels.pre) & np.isfinite(pixels.post)).mean())
            if share > most:
                best, most = (pixels, top, left), share
            if share > 0.95:
                break
        (pre, post, dx, dy), top, left = best
        if not np.isfinite(pre).any():
            raise ConfigurationError(f"pair {pair.name} has no data in {_TRIES} places; select pairs with more")
        record = {"source": "real", "pair": pair.model_dump(mode="json"), "top": top, "left": left}
        return View(pre, post, (dx, dy), None, None, None, record)


def make_sample(
    options: PairOptions, source: SceneSource, seed: np.random.SeedSequence, *, traces: Sequence[np.ndarray] = (),
    motions: MotionSource = own_motion,
) -> Sample:  # fmt: skip
    """Two images between which the ground moved, and by how much; nothing but the arguments decides on them.

    The truth, `flow`, is the sum of the motion of the ground, the geometry of the second image, and the
    misregistration of a real pair, on the pixels of the first image. Both images are of one sensor. The record has all
    of that apart. `valid` is False where either image has no data or a cloud, where ground has left the second image,
    or where other ground has come over it.

    A second image of another date is not changed, nor is noise added: its season, light and noise are real.

    Parameters
    ----------
    source
        :class:`ProceduralScenes`, :class:`RealPairs`, or any other.
    seed
        Spawned from for each part of the sample, so that no part alters another; it is not changed.
    traces
        Shapes of real faults, see :func:`groundshift.synth.earthquakes.random_faults`.
    motions
        :func:`groundshift.synth.shared.own_motion`, a :class:`groundshift.synth.shared.SharedMotion`, or any other.
    """
    choice, ground, moving, changing, sensing, first, second, altering = (
        np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, k))) for k in range(8)
    )
    scale, strength = (drawn(choice, each) for each in (options.scales, options.strengths))
    view = source(ground, options)
    other_date = view.after is not None and choice.random() < options.other_date
    unmoved = options.added_geometry < 1 and choice.random() >= options.added_geometry
    shape = (options.size, options.size)
    motion, distance = motions(moving, options, scale, traces)
    level = max(float(np.nanmedian(view.before)), 1e-6)
    sensor = _sensor(random_sensor(sensing, strength, shape=shape, level=level, ratio=options.ratio), other_date)
    if unmoved:
        sensor = sensor.model_copy(update={"geometry": Geometry()})
    changes = Changes() if other_date else _changes(changing, strength, view)
    later = view.after if other_date else _later(view, changes, altering)
    shift = tuple(each / options.ratio for each in view.shift) if other_date else (0.0, 0.0)

    total = _Total(motion, sensor, shift, shape)
    back = inverse(total, shape, known=total.known)
    offset = np.float32(MARGIN)
    way = Inverse(back.dx + (offset + np.float32(shift[0])), back.dy + (offset + np.float32(shift[1])), back.found)
    before = _inner(look(view.before, sensor.model_copy(update={"geometry": Geometry()}), first))
    after = look(later, sensor, second, back=way, air=changes)

    flow = (np.rint(total.known / _FLOW_STEP) * _FLOW_STEP).astype(np.float32)
    valid = before.valid & _arrived(flow[0], flow[1], back, after.valid & ~after.clouded)
    record = {
        "seed": [seed.entropy, *seed.spawn_key], "scale": scale, "kind": motion.kind, "strength": strength,
        "motion": motion.record, "changes": changes.model_dump(), "sensor": sensor.model_dump(),
        "scene": view.record, "other_date": bool(other_date), "misregistration": list(shift),
    }  # fmt: skip
    distance = np.rint(distance / _DISTANCE_STEP) * np.float32(_DISTANCE_STEP)
    return Sample(
        _counts(before.image, sensor), _counts(after.image, sensor), flow, valid, distance.astype(np.float32), record
    )


class _Total:
    """All that moves the second image against the first."""

    def __init__(self, motion: GroundMotion, sensor: Sensor, shift: tuple[float, float], shape: tuple[int, int]):
        self.motion, self.geometry, self.shift = motion, sensor.geometry, shift
        geometry = np.stack(self.geometry(*np.indices(shape, dtype=float)))
        self.known = motion.on_grid(shape) + geometry + np.reshape(shift, (2, 1, 1))  # at the centres of pixels

    def __call__(self, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        motion, geometry = self.motion.flow(rows, cols), self.geometry(rows, cols)
        return tuple(sum(each) for each in zip(motion, geometry, self.shift, strict=True))


def _changes(random: np.random.Generator, strength: Strength, view: View) -> Changes:
    """Changes of a scene; the sun starts where it stands in the scene, if that is known."""
    changes = random_changes(random, strength)
    if view.sun is None:
        return changes
    before, after = changes.sun_before, changes.sun_after
    moved = Sun(
        azimuth=view.sun.azimuth + after.azimuth - before.azimuth,
        elevation=float(np.clip(view.sun.elevation + after.elevation - before.elevation, 12, 80)),
    )
    return changes.model_copy(update={"sun_before": view.sun, "sun_after": moved})


def _later(view: View, changes: Changes, random: np.random.Generator) -> np.ndarray:
    return on_ground(view.before, changes, random, field=view.field, relief=view.relief).image


def _sensor(sensor: Sensor, other_date: bool) -> Sensor:
    """Without the interpolation that moves pixels by its rounding, which is no displacement one can measure."""
    update: dict[str, Any] = {}
    if sensor.resampling is not None and sensor.resampling.kind == "nearest":
        update["resampling"] = None
    if other_date:
        update |= {"read_noise": 0.0, "shot_noise": 0.0, "column_gain": 0.0, "row_gain": 0.0}
    return sensor.model_copy(update=update)


def _inner(seen: Look) -> Look:
    """Without the margin."""
    return Look(*(each[MARGIN:-MARGIN, MARGIN:-MARGIN] for each in seen))


def _counts(image: np.ndarray, sensor: Sensor) -> np.ndarray:
    """Counts of the sensor, uint16; 0 is no data, or dark."""
    counts = np.rint(image * ((2**sensor.bits - 1) / sensor.full_scale))
    return np.where(np.isfinite(counts), np.clip(counts, 0, 65535), 0).astype(np.uint16)


@numba.njit(cache=True, nogil=True)
def _arrived(dx, dy, back, usable):
    """Whether ground of the first image is on the second: all where it went is usable, and one comes back from it."""
    height, width = dx.shape
    out = np.zeros(dx.shape, np.bool_)
    for i in range(height):
        for j in range(width):
            y, x = i + dy[i, j], j + dx[i, j]
            if not (0 <= y <= height - 1 and 0 <= x <= width - 1):
                continue
            same, good = False, True
            for a in range(int(y), min(int(y) + 2, height)):
                for b in range(int(x), min(int(x) + 2, width)):
                    good = good and usable[a, b]
                    off = np.hypot(back.dx[a, b] + dx[i, j], back.dy[a, b] + dy[i, j])
                    same = same or (back.found[a, b] and off < _SAME)
            out[i, j] = same and good
    return out
