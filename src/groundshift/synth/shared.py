"""The motion of a sample: one of its own, or one that several samples share, turned, mirrored and scaled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from groundshift.synth.earthquakes import SCALES, FaultOptions, random_faults, random_peak
from groundshift.synth.motions import GroundMotion, no_motion, random_bowl, random_glacier, random_landslide
from groundshift.synth.options import Kind, PairOptions, Scale

_MOTIONS = {"landslide": random_landslide, "glacier": random_glacier, "bowl": random_bowl, "none": no_motion}
_KEPT = 32  # motions that are kept in memory


class Moving(NamedTuple):
    """How the ground of a sample moves."""

    motion: GroundMotion
    distance: np.ndarray  # float32 (y, x): of pixels to the nearest trace, pixels


MotionSource = Callable[[np.random.Generator, "PairOptions", "Scale", Sequence[np.ndarray]], Moving]
"""Draws the motion of a sample of a class, with these traces; the same state of the generator gives the same."""


def own_motion(
    random: np.random.Generator, options: PairOptions, scale: Scale, traces: Sequence[np.ndarray] = ()
) -> Moving:
    """A motion that no other sample has."""
    shape = (options.size, options.size)
    kind = drawn(random, options.kinds)
    motion = _motion(random, kind, random_peak(random, scale), shape, options.faults, traces)
    return Moving(motion, motion.distance(shape))


@dataclass(frozen=True)
class SharedMotion:
    """One of up to eight samples of one motion: each has it under another symmetry of the square and with a peak of
    its own. The motion, which is most of the work, is kept while samples are made of it.

    The record of the motion is that of the motion before it was turned, but for its peak and largest slip; `symmetry`
    is that of :func:`turned`.
    """

    seed: int
    spawn_key: tuple[int, ...]  # of the motion
    place: int  # of the sample among those that share it, 0 to 7

    def __call__(
        self, random: np.random.Generator, options: PairOptions, scale: Scale, traces: Sequence[np.ndarray] = ()
    ) -> Moving:
        """See :data:`MotionSource`."""
        kept, symmetries = self._kept(options, scale, traces)
        return turned(kept, int(symmetries[self.place]), random_peak(random, scale))

    def largest(self, options: PairOptions, scale: Scale, traces: Sequence[np.ndarray] = ()) -> Moving:
        """The motion as it is before it is turned and scaled: with the largest peak of its class."""
        return self._kept(options, scale, traces)[0]

    def _kept(self, options: PairOptions, scale: Scale, traces: Sequence[np.ndarray]) -> tuple[Moving, np.ndarray]:
        kinds, faults = tuple(options.kinds.items()), options.faults.model_dump_json()
        return _kept(self.seed, self.spawn_key, scale, options.size, kinds, faults, _Held(traces))


class _Held:
    """A key for a cache: equal for the same object, which it keeps alive."""

    def __init__(self, it: Any):
        self.it = it

    def __hash__(self) -> int:
        return id(self.it)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and self.it is other.it


@lru_cache(maxsize=_KEPT)
def _kept(
    seed: int, spawn_key: tuple[int, ...], scale: Scale, size: int, kinds: tuple[tuple[Kind, float], ...],
    faults: str, traces: _Held,
) -> tuple[Moving, np.ndarray]:  # fmt: skip
    """A motion with the largest peak of its class, and symmetries in random order."""
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn_key))
    kind = drawn(random, dict(kinds))
    options = FaultOptions.model_validate_json(faults)
    motion = _motion(random, kind, SCALES[scale][1], (size, size), options, traces.it)
    return Moving(motion, motion.distance((size, size))), random.permutation(8)


def turned(moving: Moving, k: int, peak: float) -> Moving:
    """A motion of a square under one of its 8 symmetries, and scaled to a peak.

    Parameters
    ----------
    k
        `k % 4` quarter turns counter-clockwise, then mirrored left to right if `k` is 4 to 7.
    peak
        Largest displacement, pixels; that of no motion stays 0.
    """
    motion, size = moving.motion, len(moving.distance)
    matrix = np.linalg.matrix_power([[0, 1], [-1, 0]], k % 4)  # of (x, y), down
    if k >= 4:
        matrix = np.array([[-1, 0], [0, 1]]) @ matrix
    before = motion.record["peak"]
    factor, middle = (peak / before if before else 0.0), (size - 1) / 2
    known = factor * np.tensordot(matrix, _turned(motion.on_grid((size, size)), k), 1)
    traces = tuple((each[:, ::-1] - middle) @ matrix.T[:, ::-1] + middle for each in motion.traces)
    record = {**motion.record, "peak": factor * before, "symmetry": k}
    if "largest_slip" in record:
        record["largest_slip"] *= factor
    flow = partial(_flow, motion.flow, factor, matrix, middle)
    moved = replace(motion, flow=flow, traces=traces, record=record, known=known.astype(np.float32))
    return Moving(moved, _turned(moving.distance, k))


def _turned(array: np.ndarray, k: int) -> np.ndarray:
    array = np.rot90(array, k % 4, axes=(-2, -1))
    return np.ascontiguousarray(array[..., ::-1] if k >= 4 else array)


def _flow(flow, factor, matrix, middle, rows, cols):
    x, y = cols - middle, rows - middle
    dx, dy = flow(middle + matrix[0, 1] * x + matrix[1, 1] * y, middle + matrix[0, 0] * x + matrix[1, 0] * y)
    return factor * (matrix[0, 0] * dx + matrix[0, 1] * dy), factor * (matrix[1, 0] * dx + matrix[1, 1] * dy)


def _motion(
    random: np.random.Generator, kind: Kind, peak: float, shape: tuple[int, int], faults: FaultOptions,
    traces: Sequence[np.ndarray],
) -> GroundMotion:  # fmt: skip
    if kind == "earthquake":
        return random_faults(random, shape, peak, faults, traces=traces)
    return _MOTIONS[kind](random, shape, peak)


def drawn(random: np.random.Generator, weights: Mapping[Any, float]) -> Any:
    """A key, with its weight."""
    shares = np.array(list(weights.values()), float)
    return list(weights)[random.choice(len(shares), p=shares / shares.sum())]
