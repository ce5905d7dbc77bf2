"""Compiled kernels side by side: they let go of the interpreter while they run.

There are as many threads as `NUMBA_NUM_THREADS` says: one for each core if it says nothing, and one in worker
processes, which share the cores among themselves. Results never depend on their number.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache, partial
from typing import TypeVar

T = TypeVar("T")


def thread_count() -> int:
    """Threads that kernels may use."""
    return int(os.environ.get("NUMBA_NUM_THREADS") or available_cores())


def available_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(calls: Iterable[Callable[[], T]]) -> list[T]:
    """Results of independent calls, in order."""
    calls = list(calls)
    threads = min(len(calls), thread_count())
    if threads < 2:
        return [call() for call in calls]
    found: dict[int, T] = {}
    left = deque(enumerate(calls))

    def work() -> None:
        while left:
            try:
                number, call = left.popleft()
            except IndexError:  # another thread was faster
                return
            found[number] = call()

    helpers = [_pool(threads - 1).submit(work) for _ in range(threads - 1)]
    try:
        work()  # all of it, if the others are busy: calls may hold calls
    finally:
        left.clear()
        begun = [each for each in helpers if not each.cancel()]
        wait(begun)
    for each in begun:
        each.result()  # raises what it raised
    return [found[number] for number in range(len(calls))]


@lru_cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """The same threads each time: to start some takes as long as many a call."""
    return ThreadPoolExecutor(threads, "kernels")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads stay with the parent


def over_bands(work: Callable[[int, int], T], rows: int, *, multiple: int = 1, each: int = 1) -> list[T]:
    """Results of `work(top, bottom)` for bands of rows that together cover all of them.

    Parameters
    ----------
    multiple
        Bands begin at multiples of this.
    each
        Bands a thread; more than one where some take longer than others.
    """
    units = -(-rows // multiple)
    bands = max(1, min(units, each * thread_count()))
    edges = [units * band // bands * multiple for band in range(bands)] + [rows]
    return side_by_side(partial(work, top, bottom) for top, bottom in itertools.pairwise(edges))
