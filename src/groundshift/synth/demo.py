"""The pair of the demo: two images of an earthquake, and how the ground moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from groundshift.synth.changes import Changes, changed, with_noise
from groundshift.synth.rupture import Rupture, random_rupture
from groundshift.synth.scenes import Scene, procedural_scene
from groundshift.synth.warp import warp_forward

DEMO_CHANGES = Changes(
    fields=0.25, gain=0.15, offset=80, illumination=0.1, noise=0.03, shift_x=0.35, shift_y=-0.2
)  # fmt: skip


@dataclass(frozen=True)
class SimulatedPair:
    """Two images of one piece of ground, and how it moved between them."""

    pre: np.ndarray  # uint16 (y, x)
    post: np.ndarray
    grid: GeoBox
    date_pre: str
    date_post: str
    east: np.ndarray  # float32 (y, x): displacement of the ground at the pixels of the first image, metres
    north: np.ndarray
    distance: np.ndarray  # float32 (y, x): to the trace, pixels
    trace: np.ndarray  # float64 (n, 2): in the CRS of the grid
    seed: int
    changes: Changes


def simulate_pair(
    scene: Scene, grid: GeoBox, rupture: Rupture, changes: Changes, random: np.random.Generator, *, seed: int
) -> SimulatedPair:
    """Move the ground of a scene by a rupture, and look at it again.

    The pair's misregistration is in the second image, not in the truth.

    Parameters
    ----------
    scene
        The ground; its arrays have the shape of `grid`.
    rupture
        In the CRS of the grid, which is north-up and in metres.
    random, seed
        Generator of noise and changes, and the seed it was made from, for the record.
    """
    left, top = grid.affine.c, grid.affine.f
    size_x, size_y = grid.affine.a, -grid.affine.e

    def ground(rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return left + (cols + 0.5) * size_x, top - (rows + 0.5) * size_y

    def flow(rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        moved = rupture(*ground(rows, cols))
        return moved.east / size_x + changes.shift_x, -moved.north / size_y + changes.shift_y

    later = changed(scene.reflectance, scene.field, changes, random)
    post = warp_forward(later, flow)
    points = ground(*np.indices(tuple(grid.shape), dtype=float))
    truth = rupture(*points)
    pre, post = (
        np.clip(np.rint(with_noise(each, changes.noise, random)), 1, 65535).astype(np.uint16)
        for each in (scene.reflectance, post)
    )
    return SimulatedPair(
        pre, post, grid, "2019-06-28", "2019-07-13", truth.east.astype(np.float32), truth.north.astype(np.float32),
        (rupture.distance(*points) / size_x).astype(np.float32), rupture.trace, seed, changes,
    )  # fmt: skip


def demo_pair(*, seed: int = 1, size: int = 512) -> SimulatedPair:
    """An earthquake of the built-in demo: right-lateral slip of up to 12 m with some normal slip, on a 10 m scene.

    Parameters
    ----------
    size
        Side of the images, pixels of 10 m.
    """
    random = np.random.default_rng(seed)
    grid = GeoBox((size, size), Affine(10, 0, 440_000, 0, -10, 3_960_000), "EPSG:32611")
    scene = procedural_scene((size, size), random)
    middle = (440_000 + 5 * size, 3_960_000 - 5 * size)
    rupture = random_rupture(
        random, centre=middle, length=11 * size, strike=random.uniform(300, 340), slip=12.0, rake=-170.0, dip=80.0,
        width=4 * size,
    )  # fmt: skip
    return simulate_pair(scene, grid, rupture, DEMO_CHANGES, random, seed=seed)
