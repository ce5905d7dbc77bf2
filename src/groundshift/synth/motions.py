"""How the ground moved: one contract for all motions, and those that no fault makes.

Lengths and displacements are pixels of the first image; x and columns run to the right, y and rows down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numba
import numpy as np

from groundshift.synth.warp import PixelFlowField

FAR = 1e6
"""Pixels: the distance to the nearest trace where there is none."""

_BLOCK = 16  # pixels a side
_NODES = 160  # of the edges of a channel


@dataclass(frozen=True)
class GroundMotion:
    """Displacement of the ground between two dates, exact at its jumps."""

    flow: PixelFlowField  # of rows and columns on the first image; (dx, dy) float64, pixels
    traces: tuple[np.ndarray, ...]  # float64 (n, 2): rows, columns of the lines where displacement jumps
    kind: str  # "earthquake", "landslide", "glacier", "bowl" or "none"
    record: dict[str, Any]  # what it was made from, fit for JSON
    known: np.ndarray | None = field(default=None, repr=False, compare=False)  # `on_grid` of the shape it was made for

    def on_grid(self, shape: tuple[int, int]) -> np.ndarray:
        """Displacement at the centres of pixels, float32 (2, y, x): dx to the right, dy down, pixels."""
        if self.known is not None and self.known.shape[1:] == tuple(shape):
            return self.known
        return _at_pixels(self.flow, shape).astype(np.float32)

    def distance(self, shape: tuple[int, int]) -> np.ndarray:
        """Distance of pixels to the nearest trace, float32 (y, x), pixels; :data:`FAR` where there is none."""
        segments = [np.hstack([each[:-1], each[1:]]) for each in self.traces if len(each) > 1]
        if not segments:
            return np.full(shape, FAR, np.float32)
        return _distance(np.concatenate(segments).astype(float), shape[0], shape[1])


def no_motion(random: object = None, shape: object = None, peak: float = 0.0) -> GroundMotion:
    """Ground that stays where it is; takes the arguments of the random motions, and needs none."""
    return GroundMotion(_still, (), "none", {"kind": "none", "peak": 0.0})


def random_landslide(random: np.random.Generator, shape: tuple[int, int], peak: float) -> GroundMotion:
    """A landslide: a plug that moves between narrow shear margins, faster from its head to its lobate toe.

    It jumps all around its outline, outside of which nothing moves. Its length is 0.25 to 0.9 of the image.

    Parameters
    ----------
    shape
        Rows and columns of the image.
    peak
        Largest displacement at the centre of a pixel.
    """
    size = min(shape)
    length = float(random.uniform(0.25, 0.9) * size)
    made = {
        "length": length, "width": float(random.uniform(0.15, 0.45) * length), "azimuth": float(random.uniform(0, 360)),
        "bend": float(random.uniform(-0.15, 0.15)), "spread": float(random.uniform(0, 0.5)),
        "margin": float(random.uniform(1, 5)), "edge": float(random.uniform(0.2, 0.9)),
        "head": float(random.uniform(0.2, 0.7)), "power": float(random.uniform(0.5, 2)),
        "centre": _inside(random, shape, 0.25),
    }  # fmt: skip
    t = (1 - np.cos(np.linspace(0, np.pi, _NODES))) / 2
    half = made["width"] / 2 * np.sqrt(1 - np.clip(1 - t / 0.25, 0, 1) ** 2)
    half *= np.sqrt(1 - np.clip((t - 0.85) / 0.15, 0, 1) ** 2) * (1 + made["spread"] * _smooth_step((t - 0.5) / 0.35))
    lobes = [half * np.exp(0.12 * np.interp(t, np.linspace(0, 1, 64), self_affine(random, 64, 0.8))) for _ in "lr"]
    bend = made["bend"] * length * np.sin(np.pi * t)
    slope = made["bend"] * np.pi * np.cos(np.pi * t)
    slide = _Channel(*_upper_end(made), (t - 0.5) * length, bend - lobes[0], bend + lobes[1], slope)
    flow = partial(_landslide, slide, made["edge"], made["margin"], made["head"], made["power"], length)
    outline = np.concatenate([slide.line(slide.low), slide.line(slide.high)[::-1]])
    return _with_peak(flow, shape, peak, (outline,), "landslide", made)


def random_glacier(random: np.random.Generator, shape: tuple[int, int], peak: float) -> GroundMotion:
    """A glacier: a curved trunk between still walls, and up to two tributaries.

    Across, the speed is that of a power-law fluid between parallel walls, 1 - |ξ|^(n + 1) with n = 3 (Nye 1965,
    doi:10.3189/S0022143000018670). The motion of a tributary ends where that of the trunk grows, so that they do not
    add up. One trunk in three slips along its walls too, which then are traces; the others have none. Arguments as for
    :func:`random_landslide`.
    """
    size = max(shape)
    made = {
        "width": float(random.uniform(0.12, 0.45) * min(shape)), "azimuth": float(random.uniform(0, 360)),
        "wavelength": float(random.uniform(1, 3) * size), "slope": float(random.uniform(0, 0.5)),
        "phase": float(random.uniform(0, 2 * np.pi)),
        "wall_slip": float(random.choice([0, 0, random.uniform(0.1, 0.6)])),
        "gain": float(random.uniform(-0.4, 0.4)), "centre": _inside(random, shape, 0.25),
    }  # fmt: skip
    u = np.linspace(-1.5, 1.5, _NODES) * size
    wave = 2 * np.pi / made["wavelength"]
    middle = made["slope"] / wave * (np.sin(wave * u + made["phase"]) - np.sin(made["phase"]))
    half = made["width"] / 2 * (1 + 0.15 * np.sin(2.3 * wave * u + 2 * made["phase"]))
    half += 0.03 * made["width"] * np.interp(u, np.linspace(u[0], u[-1], 128), self_affine(random, 128, 0.8))
    slope = made["slope"] * np.cos(wave * u + made["phase"])
    trunk = _Channel(*_upper_end(made), u, middle - half, middle + half, slope)
    tributaries, made["tributaries"] = [], []
    for _ in range(random.choice([0, 0, 1, 2])):
        side = int(random.choice([-1, 1]))
        each = {
            "side": side, "angle": float(random.uniform(30, 70)),
            "width": made["width"] * float(random.uniform(0.3, 0.7)),
            "speed": float(random.uniform(0.3, 0.9)), "mouth": float(random.uniform(-0.4, 0.4) * size),
            "curve": float(random.uniform(-0.15, 0.15)),
        }  # fmt: skip
        tributaries.append((_tributary(trunk, each, size), side, each["speed"]))
        made["tributaries"].append(each)
    flow = partial(_glacier, trunk, tuple(tributaries), made["wall_slip"], made["gain"], wave)
    walls = (trunk.line(trunk.low), trunk.line(trunk.high)) if made["wall_slip"] else ()
    return _with_peak(flow, shape, peak, walls, "glacier", made)


def random_bowl(random: np.random.Generator, shape: tuple[int, int], peak: float) -> GroundMotion:
    """One to three subsidence bowls: horizontal displacement towards their centres, where it is zero.

    A bowl is that of a source that loses volume at depth d, r / (r² + d²)^(3/2) (Mogi 1958), or the gradient of a
    Gaussian, as above mines (Knothe's influence function); round or elongated. Arguments as for
    :func:`random_landslide`.
    """
    size = min(shape)
    bowls = [
        {
            "form": str(random.choice(["mogi", "gaussian"])), "centre": _inside(random, shape, 0.1),
            "radius": float(size * np.exp(random.uniform(np.log(0.05), np.log(0.4)))),
            "stretch": float(random.uniform(1, 2)), "azimuth": float(random.uniform(0, 180)),
            "strength": float(random.uniform(0.4, 1)),
        }
        for _ in range(random.choice([1, 1, 1, 2, 3]))
    ]  # fmt: skip
    return _with_peak(partial(_bowls, tuple(bowls)), shape, peak, (), "bowl", {"bowls": bowls})


def self_affine(random: np.random.Generator, count: int, hurst: float) -> np.ndarray:
    """A self-affine random profile of rms 1 that is 0 at its ends, float64 (count,).

    Its Fourier amplitude falls with k^-(H + 1/2).
    """
    k = np.arange(1, count + 1)
    spectrum = (random.normal(size=count) + 1j * random.normal(size=count)) * k ** -(hurst + 0.5)
    profile = np.fft.irfft(np.concatenate([[0], spectrum]))[:count]
    profile -= np.linspace(profile[0], profile[-1], count)
    return profile / max(np.sqrt(np.mean(profile**2)), 1e-12)


class _Channel(NamedTuple):
    """A band along an axis; its edges are straight between nodes."""

    origin: tuple[float, float]  # row, column of u = v = 0
    axis: tuple[float, float]  # down (rows), right (columns) of a step along u; v is to its right
    u: np.ndarray  # float64 (n,), rising: along the axis
    low: np.ndarray  # v of the edges
    high: np.ndarray
    slope: np.ndarray  # dv / du of the motion

    def place(self, rows, cols):
        down, right = rows - self.origin[0], cols - self.origin[1]
        return down * self.axis[0] + right * self.axis[1], down * self.axis[1] - right * self.axis[0]

    def across(self, u, v):
        """-1 to 1 from edge to edge, distance to the nearest edge (below 0 outside), and cosine of the slope."""
        low, high = np.interp(u, self.u, self.low), np.interp(u, self.u, self.high)
        cosine = 1 / np.hypot(1, np.interp(u, self.u, self.slope))
        inside = np.minimum(v - low, high - v) * cosine
        inside = np.where((u > self.u[0]) & (u < self.u[-1]), inside, -1.0)
        return (2 * v - low - high) / np.maximum(high - low, 1e-9), inside, cosine

    def towards(self, u, cosine):
        """Unit vector of the motion: right, down."""
        slope = np.interp(u, self.u, self.slope)
        return (self.axis[1] - slope * self.axis[0]) * cosine, (self.axis[0] + slope * self.axis[1]) * cosine

    def line(self, v) -> np.ndarray:
        rows = self.origin[0] + self.u * self.axis[0] + v * self.axis[1]
        return np.column_stack([rows, self.origin[1] + self.u * self.axis[1] - v * self.axis[0]])


def _tributary(trunk: _Channel, made: dict[str, Any], size: int) -> _Channel:
    """A channel that runs into the middle of the trunk, from its side (1: high v), at an angle to the trunk there."""
    at = made["mouth"]
    middle = np.interp(at, trunk.u, (trunk.low + trunk.high) / 2)
    origin = (trunk.origin[0] + at * trunk.axis[0] + middle * trunk.axis[1],
              trunk.origin[1] + at * trunk.axis[1] - middle * trunk.axis[0])  # fmt: skip
    turn = np.arctan(np.interp(at, trunk.u, trunk.slope)) - made["side"] * np.radians(made["angle"])
    cos, sin = np.cos(turn), np.sin(turn)
    axis = (cos * trunk.axis[0] + sin * trunk.axis[1], cos * trunk.axis[1] - sin * trunk.axis[0])
    u = np.linspace(-1.5 * size, made["width"], _NODES)
    curve = made["curve"] / size * u * np.abs(u)
    half = np.full_like(u, made["width"] / 2)
    return _Channel(origin, axis, u, curve - half, curve + half, 2 * made["curve"] / size * np.abs(u))


def _still(rows, cols):
    zero = np.zeros(np.broadcast_shapes(np.shape(rows), np.shape(cols)))
    return zero, zero.copy()


def _landslide(slide, edge, margin, head, power, length, rows, cols):
    u, v = slide.place(rows, cols)
    _, inside, cosine = slide.across(u, v)
    speed = edge + (1 - edge) * -np.expm1(-np.maximum(inside, 0) / margin)
    speed = speed * (head + (1 - head) * np.clip(u / length + 0.5, 0, 1) ** power)
    speed = np.where(inside > 0, speed, 0.0)
    right, down = slide.towards(u, cosine)
    return speed * right, speed * down


def _glacier(trunk, tributaries, wall_slip, gain, wave, rows, cols):
    u, v = trunk.place(rows, cols)
    across, inside, cosine = trunk.across(u, v)
    speed = (1 + gain * np.sin(0.7 * wave * u)) * (1 - (1 - wall_slip) * across**4)
    speed = np.where(inside > 0, speed, 0.0)
    right, down = trunk.towards(u, cosine)
    dx, dy = speed * right, speed * down
    for channel, side, share in tributaries:
        along, off = channel.place(rows, cols)
        own, within, lean = channel.across(along, off)
        speed = np.where(within > 0, share * (1 - own**4), 0.0) * np.clip(side * across, 0, 1) ** 4
        right, down = channel.towards(along, lean)
        dx, dy = dx + speed * right, dy + speed * down
    return dx, dy


def _bowls(bowls, rows, cols):
    dx = dy = 0.0
    for each in bowls:
        turn = np.radians(each["azimuth"])
        down, right = rows - each["centre"][0], cols - each["centre"][1]
        along, across = right * np.sin(turn) - down * np.cos(turn), right * np.cos(turn) + down * np.sin(turn)
        along = along / each["stretch"] ** 2  # of the gradient of an ellipse
        r2 = (along * each["stretch"]) ** 2 + across**2
        scale2 = each["radius"] ** 2
        if each["form"] == "mogi":
            pull = each["strength"] * scale2 / (r2 + scale2) ** 1.5
        else:
            pull = each["strength"] / each["radius"] * np.exp(-r2 / scale2)
        dx = dx - pull * (along * np.sin(turn) + across * np.cos(turn))
        dy = dy + pull * (along * np.cos(turn) - across * np.sin(turn))
    return dx, dy


def _times(flow, factor, rows, cols):
    dx, dy = flow(rows, cols)
    return factor * dx, factor * dy


def _with_peak(
    flow: Callable, shape: tuple[int, int], peak: float, traces: tuple, kind: str, made: dict[str, Any]
) -> GroundMotion:
    known = _at_pixels(flow, shape)
    factor = float(peak / np.hypot(*known).max())
    record = {"kind": kind, "peak": float(peak), **made}
    return GroundMotion(partial(_times, flow, factor), traces, kind, record, (factor * known).astype(np.float32))


def _at_pixels(flow: PixelFlowField, shape: tuple[int, int]) -> np.ndarray:
    return np.stack(flow(*np.indices(shape, dtype=float)))


def _upper_end(made: dict[str, Any]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Origin and axis of a channel from its centre and azimuth, degrees clockwise from up."""
    azimuth = np.radians(made["azimuth"])
    return tuple(made["centre"]), (float(-np.cos(azimuth)), float(np.sin(azimuth)))


def _inside(random: np.random.Generator, shape: tuple[int, int], border: float) -> list[float]:
    """Row, column of a place at least that share of the image away from its border."""
    return [float(random.uniform(border, 1 - border) * (size - 1)) for size in shape]


def _smooth_step(x):
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


@numba.njit(cache=True, nogil=True, inline="always")
def _squared(segment, row, col):
    """Squared distance of a place to a segment (row, column, row, column)."""
    a, b = segment[2] - segment[0], segment[3] - segment[1]
    p, q = row - segment[0], col - segment[1]
    size = a * a + b * b
    t = min(max((p * a + q * b) / size, 0.0), 1.0) if size > 0 else 0.0
    return (p - t * a) ** 2 + (q - t * b) ** 2


@numba.njit(cache=True, nogil=True)
def _distance(segments, height, width):
    """Distance of pixels to the nearest segment; only those that can be it are tried in each block of pixels."""
    out = np.empty((height, width), np.float32)
    away = np.empty(len(segments))
    near = np.empty(len(segments), np.int64)
    for top in range(0, height, _BLOCK):
        for left in range(0, width, _BLOCK):
            row, col = top + (_BLOCK - 1) / 2, left + (_BLOCK - 1) / 2
            for k in range(len(segments)):
                away[k] = np.sqrt(_squared(segments[k], row, col))
            reach, count = away.min() + 1.5 * _BLOCK, 0
            for k in range(len(segments)):
                if away[k] <= reach:
                    near[count] = k
                    count += 1
            for i in range(top, min(top + _BLOCK, height)):
                for j in range(left, min(left + _BLOCK, width)):
                    least = np.inf
                    for k in range(count):
                        least = min(least, _squared(segments[near[k]], float(i), float(j)))
                    out[i, j] = np.sqrt(least)
    return out
