"""Working ahead: iterators that work in threads of their own while their items are used."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item, _Result = TypeVar("_Item"), TypeVar("_Result")
_END = object()
_PATIENCE = 0.1  # seconds between looks whether the items are still wanted


def ahead(items: Iterable[_Item], *, depth: int = 2) -> Iterator[_Item]:
    """The same items in the same order, at most `depth` of them made before they are asked for.

    What making an item raises is raised where the item is asked for. The thread ends when the iterator is closed.
    """
    made: queue.Queue = queue.Queue(maxsize=depth)
    wanted = threading.Event()
    wanted.set()

    def put(item: object, error: BaseException | None = None) -> None:
        while wanted.is_set():
            try:
                return made.put((item, error), timeout=_PATIENCE)
            except queue.Full:
                continue
        return None

    def work() -> None:
        try:
            for item in items:
                put(item)
                if not wanted.is_set():
                    return
            put(_END)
        except BaseException as error:  # noqa: BLE001  (raised again by the reader)
            put(_END, error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        wanted.clear()
        thread.join()
        if hasattr(items, "close"):
            items.close()


def mapped(function: Callable[[_Item], _Result], items: Iterable[_Item], *, workers: int = 2) -> Iterator[_Result]:
    """`function` of each item in threads, several at a time; results in the order of the items.

    At most `workers` and one more are made before they are asked for. What the function raises is raised where the
    result is asked for.
    """
    waiting: deque[Future[_Result]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
