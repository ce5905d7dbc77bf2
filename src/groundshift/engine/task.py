"""What every worker does with a tile, whatever runs it."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cloudpickle
import numpy as np
from threadpoolctl import threadpool_limits

from groundshift.engine.store import TileStore


class Indexed(Protocol):
    """A tile, as far as the engine cares: it has a number."""

    @property
    def index(self) -> int:
        """Its number, which no other tile of the run has."""
        ...


Step = Callable[[Indexed], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Task:
    """A step, and the store that its result goes into; without one, the result is returned."""

    step: Step
    store: TileStore | None

    def __call__(self, tile: Indexed) -> dict[str, np.ndarray] | None:
        _limit_this_thread()
        arrays = self.step(tile)
        if self.store is None:
            return arrays
        self.store.write(tile.index, arrays)
        return None

    def __reduce__(self) -> tuple:
        """Pickle so that arrays arrive as they left, see :func:`_unpack`."""
        buffers: list[pickle.PickleBuffer] = []
        head = cloudpickle.dumps((self.step, self.store), protocol=5, buffer_callback=buffers.append)
        return _unpack, (head, buffers)


def _unpack(head: bytes, buffers: list) -> Task:
    """A task from its pickle, with its arrays in memory of their own.

    Without the copy they would stay where the network put them: maybe read-only, and maybe at an odd address, where
    numpy takes other routines for linear algebra, and the last digits differ.
    """
    return Task(*pickle.loads(head, buffers=[bytearray(buffer) for buffer in buffers]))


def one_thread() -> threadpool_limits:
    """A context with one thread for BLAS and OpenMP in this process, lifted at its end.

    Tiles use the cores already, small matrices are slower with more threads, and a sum must not depend on how
    many there are.
    """
    return threadpool_limits(1)


_this_thread = threading.local()


def _limit_this_thread() -> None:
    """The same for a thread of a worker, for good: OpenMP counts by thread, and not every worker has a parent here."""
    if not hasattr(_this_thread, "limits"):
        _this_thread.limits = one_thread()
