"""The pair of the demo: two images of an earthquake, and how the ground moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from groundshift.synth.changes import Changes, on_ground
from groundshift.synth.faults import Fault, fault_motion
from groundshift.synth.motions import GroundMotion, self_affine
from groundshift.synth.scenes import procedural_scene
from groundshift.synth.sensor import Geometry, Sensor, look
from groundshift.synth.warp import Inverse, inverse

PIXEL = 10.0
"""Metres."""

_MARGIN = 8  # pixels of ground around the images, which may move into the second
_CHANGES = Changes(fields=0.25, gain=0.15, offset=80, illumination=0.1)
_SENSOR = Sensor(read_noise=15)
_GEOMETRY = Geometry(shift_x=0.35, shift_y=-0.2)  # of the second image
_LEFT, _TOP, _CRS = 440_000, 3_960_000, "EPSG:32611"
_SLIP, _RAKE, _DIP = 12.0, -170.0, 80.0  # metres, degrees: right-lateral, and somewhat normal


@dataclass(frozen=True)
class SimulatedPair:
    """Two images of one piece of ground, and how it moved between them; misregistration is in the images alone."""

    pre: np.ndarray  # uint16 (y, x)
    post: np.ndarray
    grid: GeoBox
    date_pre: str
    date_post: str
    east: np.ndarray  # float32 (y, x): displacement of the ground at the pixels of the first image, metres
    north: np.ndarray
    distance: np.ndarray  # float32 (y, x): to the trace, pixels
    trace: np.ndarray  # float64 (n, 2): in the CRS of the grid


def demo_pair(*, seed: int = 1, size: int = 512) -> SimulatedPair:
    """An earthquake that breaks the surface across the image: right-lateral slip of 12 m with some normal slip.

    Parameters
    ----------
    size
        Side of the images, pixels of 10 m.
    """
    ground, moving, changing, first, second = (
        np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(5)
    )
    shape = (size, size)
    grid = GeoBox(shape, Affine(PIXEL, 0, _LEFT, 0, -PIXEL, _TOP), _CRS)
    motion = _earthquake(moving, size)
    scene = procedural_scene((size + 2 * _MARGIN, size + 2 * _MARGIN), ground, pixel=PIXEL)
    later = on_ground(scene.reflectance, _CHANGES, changing, field=scene.field).image
    back = inverse(lambda *at: tuple(map(sum, zip(motion.flow(*at), _GEOMETRY(*at), strict=True))), shape)
    back = Inverse(back.dx + np.float32(_MARGIN), back.dy + np.float32(_MARGIN), back.found)
    pre = look(scene.reflectance[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN], _SENSOR, first)
    post = look(later, _SENSOR, second, back=back, air=_CHANGES)
    dx, dy = motion.on_grid(shape)
    (trace,) = motion.traces
    x, y = grid.affine @ (trace[:, 1] + 0.5, trace[:, 0] + 0.5)
    return SimulatedPair(
        _counts(pre.image), _counts(post.image), grid, "2019-06-28", "2019-07-13", dx * np.float32(PIXEL),
        dy * np.float32(-PIXEL), motion.distance(shape), np.column_stack([x, y]),
    )  # fmt: skip


def _earthquake(random: np.random.Generator, size: int) -> GroundMotion:
    """Elliptic slip below a rough trace 1.1 sizes long, down to 0.4 sizes."""
    columns, rows = size // 8, 4
    t = np.linspace(-0.5, 0.5, columns + 1)
    strike, length = np.radians(random.uniform(300, 340)), 1.1 * size
    along, right = np.array([-np.cos(strike), np.sin(strike)]), np.array([np.sin(strike), np.cos(strike)])
    rough = 0.004 * length * self_affine(random, columns + 1, 0.8)
    trace = (size - 1) / 2 + np.outer(length * t, along) + np.outer(rough, right)
    depths = np.append(0, np.geomspace(8, 0.4 * size, rows))
    down = np.append(0, (depths[1:-1] + depths[2:]) / 2) / depths[-1]
    amount = _SLIP / PIXEL * np.outer(np.sqrt(1 - down**2), np.sqrt(1 - (t[1:] + t[:-1]) ** 2))
    rake = np.radians(_RAKE)
    return fault_motion([Fault(trace, depths, _DIP, amount * np.cos(rake), amount * np.sin(rake))], (size, size))


def _counts(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 1, 65535).astype(np.uint16)
