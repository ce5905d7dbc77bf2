"""Procedural scenes with the spectrum and the edges of real ones; nothing is downloaded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

_FINE = 2  # sub-pixels a pixel


class Scene(NamedTuple):
    """A scene, and what it is made of."""

    reflectance: np.ndarray  # float32 (y, x), 0 to 10000
    field: np.ndarray  # int32 (y, x): number of the field that a pixel belongs to


def power_law(shape: tuple[int, int], random: np.random.Generator, *, slope: float = 1.2) -> np.ndarray:
    """A random texture whose amplitude falls with frequency to the power `slope`; mean 0, variance 1."""
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :])
    frequency[0, 0] = np.inf
    texture = np.fft.irfft2(np.fft.rfft2(random.normal(size=shape)) * frequency**-slope, s=shape)
    return texture / texture.std()


def procedural_scene(shape: tuple[int, int], random: np.random.Generator) -> Scene:
    """Fields, roads and buildings on hilly ground, seen by a sensor.

    Made at twice the resolution, blurred by a point spread function of 0.45 pixels, and averaged to pixels, so that
    edges and aliasing are those of a real sensor.
    """
    fine = (shape[0] * _FINE, shape[1] * _FINE)
    y, x = np.indices(fine, dtype=np.float32)
    field = _fields(fine, random)
    level = random.gamma(4, 0.25, field.max() + 1)[field]
    furrow = random.uniform(0, np.pi, field.max() + 1)[field]
    period = random.uniform(4, 12, field.max() + 1)[field]
    rows = np.sin(2 * np.pi * (x * np.cos(furrow) + y * np.sin(furrow)) / period)
    ground = 1200 * level + 40 * rows + 130 * power_law(fine, random, slope=1.0) + 60 * random.normal(size=fine)
    ground = _with_roads(ground, random)
    ground = _with_buildings(ground, random)
    relief = power_law(fine, random, slope=2.2)
    shade = 1 + 0.25 * np.clip(_FINE * 12 * ndimage.sobel(relief, axis=1), -1.5, 1.5)
    seen = ndimage.gaussian_filter(np.clip(ground * shade, 50, 9000), 0.45 * _FINE)
    pixels = seen.reshape(shape[0], _FINE, shape[1], _FINE).mean(axis=(1, 3))
    return Scene(pixels.astype(np.float32), field[::_FINE, ::_FINE])


def _fields(shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Numbers of fields: cells around random seeds, stretched along a common direction."""
    count = max(4, shape[0] * shape[1] // 2500)
    angle = random.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-2 * np.sin(angle), 2 * np.cos(angle)]])
    seeds = random.uniform(0, 1, (count, 2)) * shape
    nodes = np.indices(shape).reshape(2, -1).T
    # the city-block distance makes cells with straight, mostly parallel sides
    return cKDTree(seeds @ turn.T).query(nodes @ turn.T, p=1)[1].reshape(shape).astype(np.int32)


def _with_roads(ground: np.ndarray, random: np.random.Generator) -> np.ndarray:
    y, x = np.indices(ground.shape, dtype=np.float32)
    for _ in range(max(3, round(np.sqrt(ground.size) / 60))):
        angle, bend = random.uniform(0, np.pi), random.uniform(-20, 20)
        offset = random.uniform(0, 1, 2) * ground.shape
        across = (x - offset[1]) * np.sin(angle) - (y - offset[0]) * np.cos(angle)
        along = (x - offset[1]) * np.cos(angle) + (y - offset[0]) * np.sin(angle)
        half = random.uniform(1, 2.5)
        road = np.abs(across + bend * np.sin(along / 150)) < half
        ground = np.where(road, random.uniform(1500, 2600), ground)
    return ground


def _with_buildings(ground: np.ndarray, random: np.random.Generator) -> np.ndarray:
    ground = ground.copy()
    for _ in range(max(3, ground.size // 60_000)):
        town = random.uniform(0, 1, 2) * ground.shape
        for _ in range(120):
            top, left = (town + random.normal(0, 35, 2)).astype(int)
            height, width = random.integers(2, 9, 2)
            if top < 0 or left < 0:
                continue
            ground[top : top + height, left : left + width] = random.gamma(5, 550)
            ground[top : top + height, max(left - 2, 0) : left] *= 0.5
    return ground
