"""What batches are made of on a device (:mod:`groundshift.train.generate`): drawn once with numpy, then used again.

Ground, motions, and settings of what changes and of sensors are drawn by the code that makes single samples, so that
their distributions are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from groundshift.errors import ConfigurationError
from groundshift.kernels.spline import fill_holes
from groundshift.synth.changes import Changes, random_changes, segments
from groundshift.synth.earthquakes import SCALES
from groundshift.synth.options import PairOptions
from groundshift.synth.pairs import ProceduralScenes, SceneSource
from groundshift.synth.scenes import hilly
from groundshift.synth.sensor import Sensor, random_sensor
from groundshift.synth.shared import SharedMotion, drawn

_WAVES = 3  # most of a geometry
_VIEWS = 16  # of one procedural scene


@dataclass(frozen=True)
class Bank:
    """Views of the ground (m), motions (n) and settings (p) that batches draw from."""

    options: PairOptions
    before: np.ndarray  # float32 (m, side, side), without NaN
    known: np.ndarray  # bool (m, side, side): it has data there, and so has `after`
    after: np.ndarray | None  # float32 (m, side, side): the same ground at another date
    shift: np.ndarray  # float32 (m, 2): by which `after` lies off `before`, pixels
    field: np.ndarray  # int16 (m, side, side): number of a segment, from 0
    relief: np.ndarray  # float32 (m, side, side): heights, pixels
    sun: np.ndarray  # float32 (m, 2): azimuth, elevation, degrees; NaN is not known
    flow: np.ndarray  # float32 (n, 2, y, x): with the largest peak of the class
    distance: np.ndarray  # float32 (n, y, x): pixels to the nearest trace
    factor: np.ndarray  # float32 (n,): least that a motion is scaled by within its class
    settings: dict[str, np.ndarray]  # (p, ...): see :func:`_setting`


def make_bank(
    options: PairOptions, source: SceneSource | None = None, *, views: int, motions: int, settings: int = 4096,
    seed: int = 0,
) -> Bank:  # fmt: skip
    """Draw a bank; the same arguments give the same. A view takes 1.5 MB and a motion 0.8 MB at 256 pixels.

    Parameters
    ----------
    source
        Of the ground; procedural scenes, 16 views of each, if none.

    Raises
    ------
    ConfigurationError
        If the options ask for scenes finer than the samples, which batches cannot be made of.
    """
    if options.ratio != 1:
        raise ConfigurationError(f"batches are made at ratio 1, not {options.ratio:g}; make single samples instead")
    grounds, paired = [], []
    for k in range(views):
        random = _random(seed, 0, k)
        view = (source or ProceduralScenes(seed, (4, k // _VIEWS)))(random, options)
        filled, ok = fill_holes(view.before)
        paired.append(view.after is not None)
        after, seen = fill_holes(view.after) if view.after is not None else (filled, ok)
        field = segments(filled) if view.field is None else view.field
        field = np.unique(field, return_inverse=True)[1].reshape(field.shape).astype(np.int16)
        relief = hilly(view.before.shape, random, slope=4.0) if view.relief is None else view.relief
        sun = (np.nan, np.nan) if view.sun is None else (view.sun.azimuth, view.sun.elevation)
        grounds.append((filled, ok & seen, after, view.shift, field, relief, sun))
    if any(paired) and not all(paired):
        raise ConfigurationError("some views have another date and some have none; give one kind of scene")
    before, known, after, shift, field, relief, sun = (np.stack(each) for each in zip(*grounds, strict=True))
    flows, distances, factors = [], [], []
    for k in range(motions):
        scale = drawn(_random(seed, 1, k), options.scales)
        flow, distance = SharedMotion(seed, (2, k), 0).largest(options, scale)
        flows.append(flow.on_grid((options.size, options.size)))
        distances.append(distance)
        factors.append(SCALES[scale][0] / SCALES[scale][1])
    rows = [_setting(_random(seed, 3, k), options) for k in range(settings)]
    return Bank(
        options, before.astype(np.float32), known, after.astype(np.float32) if all(paired) else None,
        shift.astype(np.float32), field, relief.astype(np.float32), sun.astype(np.float32), np.stack(flows),
        np.stack(distances), np.array(factors, np.float32),
        {name: np.array([row[name] for row in rows], np.float32) for name in rows[0]},
    )  # fmt: skip


def _random(seed: int, *spawn_key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn_key))


def _setting(random: np.random.Generator, options: PairOptions) -> dict[str, Any]:
    """Changes and a sensor as numbers; noise and full scale are for an image of level 1."""
    strength = drawn(random, options.strengths)
    changes = random_changes(random, strength)
    sensor = random_sensor(random, strength, shape=(options.size, options.size), level=1.0)
    return {**_of_changes(changes), **_of_sensor(sensor)}


def _of_changes(changes: Changes) -> dict[str, Any]:
    names = ("fields", "vegetation", "texture", "harvest", "illumination", "haze", "cloud", "cloud_height", "gain")
    suns = [(each.azimuth, each.elevation) for each in (changes.sun_before, changes.sun_after) if each is not None]
    return {**{name: getattr(changes, name) for name in names}, "sun_before": suns[0], "sun_after": suns[1]}


def _of_sensor(sensor: Sensor) -> dict[str, Any]:
    geometry = sensor.geometry
    waves = [(each.amplitude_x, each.amplitude_y, each.period, each.phase) for each in geometry.waves]
    waves += [(0.0, 0.0, 1.0, 0.0)] * (_WAVES - len(waves))
    jumps = [(each[0].at, each[0].dx, each[0].dy) if each else (0.0, 0.0, 0.0)
             for each in (geometry.steps, geometry.seams)]  # fmt: skip
    resampling = sensor.resampling if sensor.resampling and sensor.resampling.kind != "nearest" else None
    return {
        "offset": (geometry.shift_x, geometry.shift_y), "ramp": geometry.ramp, "track": geometry.track,
        "waves": waves, "step": jumps[0], "seam": jumps[1],
        "read_noise": sensor.read_noise, "shot_noise": sensor.shot_noise, "column_gain": sensor.column_gain,
        "row_gain": sensor.row_gain, "top": 2.0 ** (sensor.bits or 16) - 1, "full_scale": sensor.full_scale,
        "resampled": (resampling.shift_x, resampling.shift_y) if resampling else (0.0, 0.0),
        "cubic": bool(resampling and resampling.kind == "cubic"),
    }  # fmt: skip
