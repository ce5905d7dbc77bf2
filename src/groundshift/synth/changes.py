"""What else differs between two images of the same ground: on the ground, in the light, and in the air."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numba
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from groundshift.kernels.gaussian import smoothed
from groundshift.kernels.spline import fill_holes
from groundshift.synth.scenes import MORNING, Sun, furrowed, hilly, illuminated, power_law

SHADOW = 0.6  # darkening below a cloud
_SEGMENT = 18  # pixels between the seeds of segments
_ALIKE = 0.05  # difference of segments that become one, share of the contrast of the image
_LARGEST = 12_000  # pixels of a segment that was made so
_EDGE = 6.0  # steps between seeds that the whole contrast of an image counts as, when it is cut into segments
VISIBLE = 0.005  # opacity from which a pixel counts as clouded

Strength = Literal["easy", "typical", "hard"]


class Changes(BaseModel):
    """Changes of the second image of a simulated pair; each is off at 0, those of the sun at None.

    A segment is a field of the scene where those are known, and otherwise a piece that follows the edges of the image.
    Segments with little contrast inside, as fields have, change most, and towns little.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: float = Field(
        0.0, ge=0, le=1, description="share of the segments whose brightness changed, by up to 0.5 to 1.8"
    )
    vegetation: float = Field(
        0.0, ge=0, le=1, description="standard deviation among segments of the change of canopy cover, share of area"
    )
    texture: float = Field(
        0.0, ge=0, le=1, description="share of the contrast inside segments that is replaced by another, on average"
    )
    harvest: float = Field(0.0, ge=0, le=1, description="share of the segments that became bare, with furrows")
    construction: float = Field(0.0, ge=0, le=1, description="share of the area that was built over")
    illumination: float = Field(0.0, ge=0, le=1, description="relative amplitude of a broad change of brightness")
    sun_before: Sun | None = Field(None, description="sun of the image as it is given")
    sun_after: Sun | None = Field(None, description="sun of the image as it looks later")
    slope: float = Field(0.0, ge=0, lt=90, description="rms slope of the relief made where none is given, degrees")
    haze: float = Field(0.0, ge=0, lt=1, description="mean share of the light that comes from haze")
    cloud: float = Field(0.0, ge=0, le=1, description="share of the area below clouds")
    cloud_height: float = Field(60.0, ge=0, description="of the clouds above ground, pixels; sets where shadows fall")
    gain: float = Field(0.0, gt=-1, description="relative change of gain")
    offset: float = Field(0.0, description="added to all values, units of the image")


class Ground(NamedTuple):
    """The ground as it is later."""

    image: np.ndarray  # float32 (y, x)
    replaced: np.ndarray  # bool (y, x): harvested or built over, so that nothing of the texture before is left


class Air(NamedTuple):
    """The ground as it is seen through the air."""

    image: np.ndarray  # float32 (y, x)
    clouded: np.ndarray  # bool (y, x): cloud or the shadow of one; displacement cannot be measured here


def on_ground(
    image: np.ndarray, changes: Changes, random: np.random.Generator, *,
    field: np.ndarray | None = None, relief: np.ndarray | None = None,
) -> Ground:  # fmt: skip
    """Season, vegetation, harvest, construction, and the sun on the relief: all that moves with the ground.

    Each change has its own random numbers, so that one does not alter another.

    Parameters
    ----------
    image
        Reflectance or counts, (y, x); NaN is no data and stays.
    field
        Number of the segment that each pixel belongs to, int (y, x); :func:`segments` of the image where none is given.
    relief
        Heights in pixels, (y, x); made, with slope `changes.slope`, where none is given.
    """
    fields, vegetation, texture, harvest, construction, sun = generators(random, 6)
    filled, ok = fill_holes(np.asarray(image, dtype=np.float32))
    out, replaced = filled, np.zeros(image.shape, bool)
    dark, bright = np.percentile(filled[::2, ::2], (3, 97))
    if max(changes.fields, changes.vegetation, changes.texture, changes.harvest) > 0:
        field = segments(filled) if field is None else field
        openness = _openness(filled, field, bright - dark)
    if changes.texture:
        out = _other_texture(out, field, changes.texture, texture)
    if changes.vegetation:
        cover = np.clip(openness * vegetation.normal(0, changes.vegetation, openness.size), -0.9, 0.9)
        soil = vegetation.uniform(0.4, 1, openness.size)
        toward = _soft(np.where(cover > 0, dark, dark + soil * (bright - dark))[field])
        out = out + _soft(np.abs(cover)[field]) * (toward - out)
    if changes.fields:
        changing = fields.uniform(size=openness.size) < changes.fields
        factor = 1 + changing * openness * (fields.uniform(0.5, 1.8, openness.size) - 1)
        out = out * _soft(factor[field])
    if changes.harvest:
        bare = harvest.uniform(size=openness.size) < changes.harvest * openness / openness.mean()
        replaced |= bare[field]
        share = _soft(bare[field])
        out = out + share * (_soil(field, dark, bright, harvest) - out)
    if changes.construction:
        out, built = _built(out, changes.construction, dark, bright, construction)
        replaced |= built
    if changes.sun_before is not None and changes.sun_after is not None:
        relief = hilly(image.shape, sun, slope=changes.slope) if relief is None else relief
        ratio = illuminated(relief, changes.sun_after) / illuminated(relief, changes.sun_before)
        out = out * np.clip(ratio, 0.1, 4)
    return Ground(np.where(ok, out, np.nan).astype(np.float32), replaced)


def in_air(image: np.ndarray, changes: Changes, random: np.random.Generator) -> Air:
    """Broad light, haze, cloud with its shadow, gain and offset: all that stays in place when the ground moves.

    Parameters
    ----------
    image
        Reflectance or counts, (y, x); NaN is no data and stays.
    """
    light, haze, cloud = generators(random, 3)
    out = np.asarray(image, dtype=np.float32)
    clouded = np.zeros(image.shape, bool)
    bright = np.nanpercentile(out[::2, ::2], 97) if changes.haze or changes.cloud else 0.0
    if changes.illumination:
        out = out * (1 + changes.illumination * _broad(image.shape, light))
    if changes.cloud:
        opacity, shadow = _clouds(image.shape, changes, cloud)
        clouded = (opacity > VISIBLE) | (shadow > VISIBLE)
        top = bright * (1.5 + 0.15 * power_law(image.shape, cloud, slope=1.5))
        out = out * (1 - SHADOW * shadow)
        out = out + opacity * (top - out)
    if changes.haze:
        share = np.clip(changes.haze * (1 + 0.5 * _broad(image.shape, haze)), 0, 0.98)
        out = out + share * (bright - out)
    return Air((out * (1 + changes.gain) + changes.offset).astype(np.float32), clouded)


def segments(image: np.ndarray) -> np.ndarray:
    """Pieces of an image without NaN, from 20 pixels wide, that end at its edges; int32 (y, x), from 0.

    Simple linear iterative clustering (Achanta et al. 2012, doi:10.1109/TPAMI.2012.120) of place and brightness; then
    neighbours of about the same brightness become one.
    """
    smooth = smoothed(image, 1.0)
    low, high = np.percentile(smooth[::2, ::2], (3, 97))
    value = smooth * np.float32(_EDGE / max(high - low, 1e-9))
    clusters = _clusters(value, *(-(-size // _SEGMENT) for size in image.shape))
    size = np.bincount(clusters.ravel()).astype(float)
    mean = np.bincount(clusters.ravel(), value.ravel()) / np.maximum(size, 1)
    whole = np.unique(_merged(clusters, mean, size)[clusters], return_inverse=True)[1]
    return whole.reshape(image.shape).astype(np.int32)


@numba.njit(cache=True, nogil=True)
def _clusters(value, down, right):
    """Clusters around a grid of (down, right) seeds: nearest in place, in grid steps, and value."""
    height, width = value.shape
    step_y, step_x = height / down, width / right
    count = down * right
    centre = np.empty((count, 3), np.float32)  # row and column in grid steps, value
    for k in range(count):
        i, j = int((k // right + 0.5) * step_y), int((k % right + 0.5) * step_x)
        centre[k, 0], centre[k, 1], centre[k, 2] = k // right + 0.5, k % right + 0.5, value[i, j]
    out = np.empty(value.shape, np.int32)
    for _ in range(4):
        total, size = np.zeros((count, 3)), np.zeros(count)
        for i in range(height):
            y = (i + 0.5) / step_y
            for j in range(width):
                x, best, least = (j + 0.5) / step_x, 0, np.inf
                for a in range(max(int(y) - 1, 0), min(int(y) + 2, down)):
                    for b in range(max(int(x) - 1, 0), min(int(x) + 2, right)):
                        seed = centre[a * right + b]
                        distance = (y - seed[0]) ** 2 + (x - seed[1]) ** 2 + (value[i, j] - seed[2]) ** 2
                        if distance < least:
                            best, least = a * right + b, distance
                out[i, j] = best
                total[best, 0] += y
                total[best, 1] += x
                total[best, 2] += value[i, j]
                size[best] += 1
        for k in range(count):
            if size[k] > 0:
                centre[k] = total[k] / size[k]
    return out


@numba.njit(cache=True, nogil=True)
def _merged(clusters, mean, size):
    """For each cluster the one that it is part of, when neighbours of about the same mean are joined."""
    parent = np.arange(mean.size)
    for i in range(clusters.shape[0]):
        for j in range(clusters.shape[1]):
            for down, right in ((0, 1), (1, 0)):
                if i + down < clusters.shape[0] and j + right < clusters.shape[1]:
                    a, b = clusters[i, j], clusters[i + down, j + right]
                    while parent[a] != a:
                        a = parent[a]
                    while parent[b] != b:
                        b = parent[b]
                    whole = size[a] + size[b]
                    if a != b and abs(mean[a] - mean[b]) < _ALIKE * _EDGE and whole < _LARGEST:
                        mean[a] = (mean[a] * size[a] + mean[b] * size[b]) / whole
                        size[a], parent[b] = whole, a
    for k in range(mean.size):
        while parent[k] != parent[parent[k]]:
            parent[k] = parent[parent[k]]
    return parent


def generators(random: np.random.Generator, count: int) -> list[np.random.Generator]:
    """Independent generators, drawn from one: what one of them is asked for does not alter the others."""
    return [np.random.default_rng(int(seed)) for seed in random.integers(2**63, size=count)]


def _soft(values: np.ndarray) -> np.ndarray:
    """Values of segments with edges as wide as those of an image."""
    return smoothed(values, 0.6)


def _broad(shape: tuple[int, int], random: np.random.Generator, modes: int = 4) -> np.ndarray:
    """A smooth random pattern between -1 and 1 from the lowest cosines, float32 (y, x)."""
    order = np.arange(modes)
    amplitude = random.normal(size=(modes, modes)) / (1 + order[:, None] ** 2 + order**2)
    amplitude[0, 0] = 0
    y, x = (np.cos(np.pi * (np.arange(size) + 0.5)[:, None] / size * order) for size in shape)
    pattern = y @ amplitude @ x.T
    return (pattern / np.abs(pattern).max()).astype(np.float32)


def _other_texture(image: np.ndarray, field: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Replace a share of the contrast inside each segment; the standard deviation inside it stays about the same.

    Half of what is new is the contrast itself, times a random pattern of a few pixels (things that became brighter or
    darker); the other half comes from elsewhere in the image, so that it has its edges and its spectrum.
    """
    mean, std = _moments(image, field)
    detail = image - mean[field]
    shares = np.clip(share * random.gamma(5.0, 0.2, mean.size), 0, 1).astype(np.float32)
    kept = _soft(1 - shares[field])
    pattern = smoothed(random.standard_normal(image.shape, dtype=np.float32), 1.2)
    elsewhere = (detail / np.maximum(std, 1e-6)[field])[::-1, ::-1]
    elsewhere = np.roll(elsewhere, tuple(random.integers(0, size) for size in image.shape), (0, 1))
    new = np.sqrt(0.5) * (detail * pattern / pattern.std() + elsewhere * _soft(std[field]))
    return mean[field] + kept * detail + np.sqrt(np.clip(1 - kept**2, 0, 1)) * new


def _moments(image: np.ndarray, field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of an image in each segment, float32."""
    return _sums(image, field, int(field.max()) + 1)


@numba.njit(cache=True, nogil=True)
def _sums(image, field, count):
    size, mean, square = np.zeros(count), np.zeros(count), np.zeros(count)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            size[field[i, j]] += 1
            mean[field[i, j]] += image[i, j]
    for k in range(count):
        size[k] = max(size[k], 1.0)
        mean[k] /= size[k]
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            square[field[i, j]] += (image[i, j] - mean[field[i, j]]) ** 2
    return mean.astype(np.float32), np.sqrt(square / size).astype(np.float32)


def _openness(image: np.ndarray, field: np.ndarray, span: float) -> np.ndarray:
    """How much each segment looks like a field and not like a town: 1 without contrast inside, towards 0 with much."""
    return 1 / (1 + (6 * _moments(image, field)[1] / max(span, 1e-9)) ** 2)


def _soil(field: np.ndarray, dark: float, bright: float, random: np.random.Generator) -> np.ndarray:
    """Bare ground: a level, furrows and a texture for each segment; float32 (y, x)."""
    count = int(field.max()) + 1
    angle, period = random.uniform(0, np.pi, count), random.uniform(2.5, 9, count)
    along = (2 * np.pi / period * turn for turn in (np.cos(angle), np.sin(angle)))
    ground = furrowed(field, random.uniform(0.3, 0.9, count), np.full(count, 0.04), *along)
    return dark + np.float32(bright - dark) * (ground + 0.08 * power_law(field.shape, random, slope=0.9))


def _built(
    image: np.ndarray, share: float, dark: float, bright: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The image with new blocks of buildings, a road to each, and where they are."""
    out, built = image.copy(), np.zeros(image.shape, bool)
    area = share * image.size
    sites = 1 + random.poisson(area / 1200)
    half = max(np.sqrt(area / sites) / 2, 2)
    for _ in range(sites):
        centre, angle = random.uniform(0, 1, 2) * image.shape, random.uniform(0, np.pi)
        road, paved = half + random.uniform(20, 120), random.uniform(0.5, 1.2)
        period = random.uniform(4, 12, 2)
        roofs = np.where(random.uniform(size=(64, 64)) < 0.3, 0.35, random.gamma(4, 0.25, (64, 64)))
        roofs, street, yard = (dark + (bright - dark) * each for each in (roofs, 0.55, 0.35))
        _build(out, built, centre, np.cos(angle), np.sin(angle), half, road, paved, period, roofs, street, yard)
    near = _soft(built)
    return out + near * (smoothed(out, 0.55) - out), built


@numba.njit(cache=True, nogil=True)
def _build(out, built, centre, cos, sin, half, road, paved, period, roofs, street, yard):
    """Draw a square block of buildings of half that side, with a road from its middle, in place."""
    reach = 1.5 * half + road
    for i in range(max(int(centre[0] - reach), 0), min(int(centre[0] + reach) + 1, out.shape[0])):
        for j in range(max(int(centre[1] - reach), 0), min(int(centre[1] + reach) + 1, out.shape[1])):
            y, x = i - centre[0], j - centre[1]
            u, v = x * cos + y * sin, y * cos - x * sin
            if abs(v) < paved and 0 < u < road:
                out[i, j] = street
            elif abs(u) < half and abs(v) < half:
                across, down = u / period[0], v / period[1]
                roof = across % 1 < 0.6 and down % 1 < 0.55
                out[i, j] = roofs[int(np.floor(across)) % 64, int(np.floor(down)) % 64] if roof else yard
            else:
                continue
            built[i, j] = True


def _clouds(shape: tuple[int, int], changes: Changes, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Opacity of clouds, and of their shadows on the ground, 0 to 1, float32 (y, x)."""
    thickness = power_law(shape, random, slope=1.8, blur=1.5)
    above = (thickness - np.quantile(thickness, 1 - changes.cloud)) / (0.35 * thickness.std())
    ramp = np.clip(above, 0, 1)
    opacity = (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
    sun = changes.sun_after or MORNING
    away = changes.cloud_height / np.tan(np.radians(sun.elevation))
    azimuth = np.radians(sun.azimuth)
    # the pattern is periodic, so that rolling it brings in clouds from beyond the image
    shadow = np.roll(opacity, (round(away * np.cos(azimuth)), round(-away * np.sin(azimuth))), (0, 1))
    return opacity, shadow


def random_changes(random: np.random.Generator, strength: Strength = "typical") -> Changes:
    """Draw changes of a pair.

    easy: days apart, same season and sun; typical: as two dates of one site years apart, in a random season;
    hard: other season, low sun, much built, and haze or clouds.

    Distributions: half-normal with the scale of :data:`_SCALES` for shares; haze and cloud are there with a
    probability; the sun's azimuth is uniform in 110 to 170 degrees (hard: to 250), its elevation in 35 to 65
    (hard: 18 to 65), and moves by a normal deviate; gain normal.
    """
    scale = _SCALES[strength]

    def half(name: str, most: float) -> float:
        return float(min(abs(random.normal(0, scale[name])), most))

    def sometimes(name: str, low: float, high: float) -> float:
        drawn, amount = random.uniform(), random.uniform(low, high)
        return float(amount) if drawn < scale[name] else 0.0

    hard = strength == "hard"
    before = random.uniform(110, 250 if hard else 170), random.uniform(18 if hard else 35, 65)
    after = before + random.normal(0, (1.5 * scale["sun"], scale["sun"]))
    suns = [Sun(azimuth=float(each[0]), elevation=float(np.clip(each[1], 12, 80))) for each in (before, after)]
    return Changes(
        fields=half("fields", 0.9), vegetation=half("vegetation", 0.7),
        texture=float(min(random.gamma(4.0, scale["texture"] / 4), 0.9)),
        harvest=half("harvest", 0.5), construction=half("construction", 0.3),
        illumination=half("illumination", 0.5), sun_before=suns[0], sun_after=suns[1],
        slope=float(random.gamma(1.5, scale["slope"])), haze=sometimes("haze", 0.03, 0.35),
        cloud=sometimes("cloud", 0.01, 0.3), cloud_height=float(random.uniform(20, 150)),
        gain=float(np.clip(random.normal(0, scale["gain"]), -0.6, 1)),
    )  # fmt: skip


_SCALES: dict[str, dict[str, float]] = {
    "easy": {
        "fields": 0.03, "vegetation": 0.06, "texture": 0.06, "harvest": 0.003, "construction": 0.001,
        "illumination": 0.03, "sun": 3, "slope": 2, "haze": 0.1, "cloud": 0.0, "gain": 0.05,
    },
    "typical": {
        "fields": 0.30, "vegetation": 0.45, "texture": 0.24, "harvest": 0.06, "construction": 0.01,
        "illumination": 0.06, "sun": 12, "slope": 4, "haze": 0.25, "cloud": 0.05, "gain": 0.1,
    },
    "hard": {
        "fields": 0.50, "vegetation": 0.60, "texture": 0.50, "harvest": 0.12, "construction": 0.04,
        "illumination": 0.15, "sun": 25, "slope": 8, "haze": 0.4, "cloud": 0.25, "gain": 0.2,
    },
}  # fmt: skip
