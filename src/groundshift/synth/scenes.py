"""Procedural scenes with the spectrum and the edges of real ones; nothing is downloaded."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numba
import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import fft

from groundshift.kernels.gaussian import smoothed

_FINE = 2  # sub-pixels a pixel
_FIELD = 280.0  # metres: length of fields; they are half as wide
_DIFFUSE = 0.15  # light of the sky, share of that of the sun from straight above


class Sun(BaseModel):
    """Where the sun stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    azimuth: float = Field(description="degrees clockwise from up in the image")
    elevation: float = Field(gt=0, le=90, description="degrees above the horizon")


MORNING = Sun(azimuth=150, elevation=50)
"""The sun of a satellite that passes at half past ten, in spring."""


class Scene(NamedTuple):
    """A scene, and what it is made of."""

    reflectance: np.ndarray  # float32 (y, x), 0 to 10000
    field: np.ndarray  # int32 (y, x): number of the field that a pixel belongs to
    relief: np.ndarray | None = None  # float32 (y, x): heights, pixels
    sun: Sun = MORNING


def procedural_scene(
    shape: tuple[int, int], random: np.random.Generator, *, pixel: float = 10.0, sun: Sun = MORNING
) -> Scene:
    """Fields, roads and buildings on hilly ground, seen by a sensor.

    Made at twice the resolution, blurred by a point spread function of 0.4 pixels, and averaged to pixels, so that
    edges and aliasing are those of a real sensor. For another sensor, look at :func:`procedural_ground`.

    Parameters
    ----------
    pixel
        Side of a pixel, metres.
    """
    ground = procedural_ground((shape[0] * _FINE, shape[1] * _FINE), random, pixel=pixel / _FINE, sun=sun)
    seen = _averaged(smoothed(ground.reflectance, 0.4 * _FINE))
    return Scene(seen, ground.field[::_FINE, ::_FINE], _averaged(ground.relief) / _FINE, sun)


def procedural_ground(
    shape: tuple[int, int], random: np.random.Generator, *, pixel: float = 5.0, sun: Sun = MORNING, slope: float = 7.0
) -> Scene:
    """The ground of :func:`procedural_scene` as it is, before any sensor: sharp to its pixels.

    Parameters
    ----------
    pixel
        Side of a pixel, metres; sets how many fields, roads and buildings there are.
    slope
        Rms slope of the hills, degrees.
    """
    field = _fields(shape, random, _FIELD / pixel)
    count = int(field.max()) + 1
    level = random.gamma(6, 1 / 6, count).astype(np.float32)
    rough = random.gamma(2, 0.5, count).astype(np.float32)
    angle, period = random.uniform(0, np.pi, count), random.uniform(20, 60, count) / pixel
    ground = furrowed(
        field, 1200 * level, 40 * rough, *(2 * np.pi / period * t for t in (np.cos(angle), np.sin(angle)))
    )
    ground += 130 * rough[field] * power_law(shape, random, slope=1.0)
    ground += 70 * random.standard_normal(shape, dtype=np.float32)
    _add_roads(ground, random, pixel)
    _add_buildings(ground, random, pixel)
    hills = hilly(shape, random, slope=slope)
    light = illuminated(hills, sun)
    return Scene((np.clip(ground, 50, 9000) * light).astype(np.float32), field, hills, sun)


def power_law(
    shape: tuple[int, int], random: np.random.Generator, *, slope: float = 1.2, blur: float = 0.0
) -> np.ndarray:
    """A random periodic texture whose amplitude falls with frequency to the power `slope`; mean 0, variance 1; float32.

    Parameters
    ----------
    blur
        Standard deviation of a Gaussian that it is smoothed with, pixels.
    """
    noise = random.standard_normal(shape, dtype=np.float32)
    texture = fft.irfft2(fft.rfft2(noise) * _amplitude(tuple(shape), slope, blur), s=shape)
    return texture / texture.std()


@lru_cache(maxsize=16)
def _amplitude(shape: tuple[int, int], slope: float, blur: float) -> np.ndarray:
    y, x = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])
    square = y * y + x * x
    square[0, 0] = 1
    amplitude = (square ** (-slope / 2) * np.exp(-2 * (np.pi * blur) ** 2 * square)).astype(np.float32)
    amplitude[0, 0] = 0
    amplitude.flags.writeable = False
    return amplitude


def hilly(shape: tuple[int, int], random: np.random.Generator, *, slope: float) -> np.ndarray:
    """Heights of hills, pixels, with an rms slope in degrees; float32 (y, x)."""
    hills = power_law(shape, random, slope=2.0, blur=1.0)
    rms = np.sqrt(sum((each**2).mean() for each in np.gradient(hills)))
    return hills * np.float32(np.tan(np.radians(slope)) / rms)


def illuminated(relief: np.ndarray, sun: Sun) -> np.ndarray:
    """Light on a relief, 1 on level ground: direct light by the cosine law where no shadow is cast, and the sky's.

    Parameters
    ----------
    relief
        Heights in pixels, (y, x).
    """
    relief = np.ascontiguousarray(relief, dtype=np.float32)
    azimuth, elevation = np.radians(sun.azimuth), np.radians(sun.elevation)
    step_x, step_y, rise = np.sin(azimuth), -np.cos(azimuth), np.tan(elevation)
    if abs(step_y) >= abs(step_x):
        lit = _lit(relief, step_x, step_y, rise)
    else:
        lit = _lit(np.ascontiguousarray(relief.T), step_y, step_x, rise).T
    soft = smoothed(lit, 0.7) if not lit.all() else lit
    return _shaded(relief, soft, *(np.float32(each) for each in (step_x, step_y, np.cos(elevation), np.sin(elevation))))


@numba.njit(cache=True, nogil=True)
def _lit(relief, step_x, step_y, rise):
    """1 where the way toward the sun, (step_x, step_y) and `rise` a pixel, is free; 0 in a cast shadow.

    Row by row away from the sun, the upper side of the shadow is handed on; |step_y| is not below |step_x|.
    """
    height, width = relief.shape
    out = np.ones(relief.shape, np.float32)
    toward = 1 if step_y > 0 else -1
    aside, fall = np.float32(step_x / abs(step_y)), np.float32(rise / abs(step_y))
    whole = int(np.floor(aside))
    part = aside - whole
    shadow = np.full(width + 2, -np.inf, np.float32)  # of the row before, with one more on either side
    for k in range(height):
        i = height - 1 - k if toward > 0 else k
        above = shadow.copy()
        for j in range(width):
            left, right = above[j + 1 + whole], above[min(j + 2 + whole, width + 1)]
            level = (left if part == 0 else (1 - part) * left + part * right) - fall
            if level > relief[i, j]:
                out[i, j] = 0
                shadow[j + 1] = level
            else:
                shadow[j + 1] = relief[i, j]
    return out


@numba.njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc", "arcp"})
def _shaded(relief, lit, toward_x, toward_y, level, up):
    """Light by the cosine law, float32; the sun is toward (toward_x, toward_y) with cosine `level` and sine `up`."""
    height, width = relief.shape
    out = np.empty(relief.shape, np.float32)
    one, sky = np.float32(1), np.float32(_DIFFUSE)
    for i in range(height):
        above, below = max(i - 1, 0), min(i + 1, height - 1)
        across = one / max(below - above, 1)
        for j in range(width):
            left, right = max(j - 1, 0), min(j + 1, width - 1)
            slope_x = (relief[i, right] - relief[i, left]) / np.float32(max(right - left, 1))
            slope_y = (relief[below, j] - relief[above, j]) * np.float32(across)
            facing = up - level * (slope_x * toward_x + slope_y * toward_y)
            facing = max(facing, np.float32(0)) / np.sqrt(one + slope_x * slope_x + slope_y * slope_y)
            out[i, j] = (facing * lit[i, j] + sky) / (up + sky)
    return out


def _averaged(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[0] // _FINE, image.shape[1] // _FINE
    return image.reshape(height, _FINE, width, _FINE).mean(axis=(1, 3)).astype(np.float32)


def _fields(shape: tuple[int, int], random: np.random.Generator, length: float) -> np.ndarray:
    """Numbers of fields: cells around seeds on a jittered, thinned grid along a common direction, int32 (y, x)."""
    angle = random.uniform(0, np.pi)
    count = 2 * int(np.hypot(*shape) / length * 2 + 4)
    seeds = random.uniform(0, 1, (count, count, 2))
    seeds[random.uniform(size=(count, count)) < 0.3] = np.nan
    field = _nearest_seed(shape, seeds, np.cos(angle) / length, np.sin(angle) / length)
    used = np.bincount(field.ravel()) > 0
    return (np.cumsum(used) - 1).astype(np.int32)[field]


@numba.njit(cache=True, nogil=True)
def _nearest_seed(shape, seeds, step_u, step_v):
    """Number of the nearest seed, by the city-block distance, which makes straight and mostly parallel sides."""
    count = seeds.shape[0]
    out = np.empty(shape, np.int32)
    for i in range(shape[0]):
        for j in range(shape[1]):
            x, y = j - shape[1] / 2, i - shape[0] / 2
            u, v = x * step_u + y * step_v + count / 2, 2 * (y * step_u - x * step_v) + count / 2
            least = np.inf
            for a in range(max(int(u) - 2, 0), min(int(u) + 3, count)):
                for b in range(max(int(v) - 2, 0), min(int(v) + 3, count)):
                    distance = abs(a + seeds[a, b, 0] - u) + abs(b + seeds[a, b, 1] - v)
                    if distance < least:
                        least, out[i, j] = distance, a * count + b
            if least == np.inf:
                out[i, j] = 0
    return out


@numba.njit(cache=True, nogil=True)
def furrowed(field, level, amplitude, along_x, along_y):
    """Levels of fields with the sine of their furrows of that wave vector, radians a pixel; float32 (y, x)."""
    out = np.empty(field.shape, np.float32)
    for i in range(field.shape[0]):
        for j in range(field.shape[1]):
            k = field[i, j]
            out[i, j] = level[k] + amplitude[k] * np.sin(along_x[k] * j + along_y[k] * i)
    return out


def _add_roads(ground: np.ndarray, random: np.random.Generator, pixel: float) -> None:
    """Draw roads over the ground, in place: long, slightly bent, 6 to 20 metres wide, some brighter, some darker."""
    for _ in range(max(2, round(np.sqrt(ground.size) * pixel / 300))):
        angle, bend = random.uniform(0, np.pi), random.uniform(-100, 100) / pixel
        y, x = random.uniform(0, 1, 2) * ground.shape
        half = random.uniform(3, 10) / pixel
        _draw_road(ground, x, y, np.cos(angle), np.sin(angle), bend, 750 / pixel, half, random.uniform(700, 2200))


@numba.njit(cache=True, nogil=True)
def _draw_road(ground, x, y, cos, sin, bend, wave, half, value):
    width = ground.shape[1]
    reach = half + 0.5 + abs(bend)
    for i in range(ground.shape[0]):
        first, last = 0, width
        if abs(sin) > 1e-6:
            middle, away = x + (i - y) * cos / sin, reach / abs(sin)
            first = int(min(max(middle - away, 0.0), width))
            last = int(min(max(middle + away + 2, 0.0), width))
        for j in range(first, last):
            across = (j - x) * sin - (i - y) * cos
            if abs(across) < reach:
                along = (j - x) * cos + (i - y) * sin
                share = half + 0.5 - abs(across + bend * np.sin(along / wave))
                if share > 0:
                    ground[i, j] += min(share, 1.0) * (value - ground[i, j])


def _add_buildings(ground: np.ndarray, random: np.random.Generator, pixel: float) -> None:
    """Draw towns over the ground, in place: houses of 10 to 45 metres on streets, with shadows to their left."""
    for _ in range(max(1, round(ground.size * pixel**2 / 1_500_000))):
        town = random.uniform(0, 1, 2) * ground.shape
        angle, street = random.uniform(0, np.pi), random.uniform(50, 90)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        for _ in range(160):
            place = random.normal(0, 175, 2)
            place[0] = np.rint(place[0] / street) * street + random.normal(0, 4)
            top, left = (town + turn @ place / pixel).astype(int)
            height, width = np.maximum(random.uniform(10, 45, 2) / pixel, 1).astype(int)
            shade = max(round(10 / pixel), 1)
            if top < 0 or left < 0:
                continue
            ground[top : top + height, max(left - shade, 0) : left] *= 0.55
            ground[top : top + height, left : left + width] = random.gamma(6, 270)
