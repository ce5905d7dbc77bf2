"""Random numbers that belong to a place, whatever window of the image is made, and in whatever order.

Places are mixed into a key by the finaliser of SplitMix64 (G. L. Steele, D. Lea and C. H. Flood 2014, Fast splittable
pseudorandom number generators, OOPSLA, doi:10.1145/2660193.2660195), and a key begins a stream of that generator.
"""

from __future__ import annotations

import zlib

import numba
import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""From one state of SplitMix64 to the next."""

_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = (np.uint64(each) for each in (30, 27, 31, 11))


def key_of(seed: int, *names: str) -> np.uint64:
    """A key of its own for each seed and names."""
    entropy = [seed, *(zlib.crc32(each.encode()) for each in names)]
    return np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]


def generator_of(seed: int, *names: str) -> np.random.Generator:
    """An ordinary generator of its own for each seed and names."""
    return np.random.default_rng(key_of(seed, *names))


@numba.njit(cache=True, nogil=True, inline="always")
def mixed(state):
    """The output of SplitMix64 for a state, uint64."""
    state = (state ^ (state >> _30)) * _FIRST
    state = (state ^ (state >> _27)) * _SECOND
    return state ^ (state >> _31)


@numba.njit(cache=True, nogil=True, inline="always")
def place_key(key, row, column):
    """The key of a place, whose numbers may be negative; uint64."""
    return mixed(mixed(key + GOLDEN * np.uint64(row)) + GOLDEN * np.uint64(column))


def uniform(key: np.uint64, rows: np.ndarray, columns: np.ndarray, number: int = 0) -> np.ndarray:
    """Numbers from 0 to below 1 at places, float64 of the broadcast shape; `number` counts those of one place."""
    rows, columns = np.broadcast_arrays(np.asarray(rows, np.int64), np.asarray(columns, np.int64))
    return _uniform(key, rows.ravel(), columns.ravel(), np.uint64(number + 1)).reshape(rows.shape)


@numba.njit(cache=True, nogil=True)
def _uniform(key, rows, columns, number):
    out = np.empty(rows.size)
    for i in range(rows.size):
        out[i] = (mixed(place_key(key, rows[i], columns[i]) + GOLDEN * number) >> _11) * 2.0**-53
    return out
