"""Run any step over tiles, anywhere, and go on where an earlier run ended."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Generator, Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from groundshift.engine.journal import note_step
from groundshift.engine.pools import Pool, open_pool
from groundshift.engine.progress import Report, reporting
from groundshift.engine.store import TileStore
from groundshift.engine.task import Indexed, Step, Task, one_thread
from groundshift.errors import ConfigurationError, GroundshiftError, RunError, one_line
from groundshift.grid.tiles import Box

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)


def run(
    step: Step,
    tiles: Iterable[Indexed],
    *,
    store: TileStore,
    executor: str | Client = "processes",
    workers: int | None = None,
    label: str = "measuring",
    units: str = "tiles",
    progress: Report | None = None,
) -> None:
    """Compute the tiles that the store does not have yet, and keep each as soon as it is finished.

    The result is the same, byte for byte, whatever the executor and the number of workers: a step sees nothing
    but its tile, and runs with one BLAS and OpenMP thread everywhere. Memory is bounded: at most two tiles a worker
    are in flight, and with a shared store their arrays stay in the workers.

    Parameters
    ----------
    step
        Called as `step(tile)`; returns named arrays. It may hold large arrays: all worker processes of one machine
        share them, and a cluster gets them once. With threads it must be safe to call from several at once.
    tiles
        Anything with an `index` of its own, such as :class:`groundshift.grid.tiles.Tile`.
    store
        Where finished tiles go; it is locked against other runs meanwhile.
    executor
        `serial` (in the calling thread, for debugging), `threads` (for a step that releases the GIL), `processes`,
        the address of a Dask scheduler (`tcp://…`, `tls://…`), or a `distributed.Client`.
    workers
        Threads or processes; all available cores if None. On a cluster, half the number of tiles in flight.
    label
        What the step does, for the progress bar, the log and errors.
    units
        What `tiles` are called there, in the plural.
    progress
        Called with (done, total) after each tile, instead of a bar or lines in the log.

    Raises
    ------
    GroundshiftError
        As raised by the step, unchanged.
    RunError
        If a tile fails in any other way, a worker dies twice on the same tile, a Dask scheduler has no workers for
        half an hour, or another run holds the store. The cause is chained; no further tile is started, and finished
        tiles are kept.
    ConfigurationError
        If the executor is unknown, `workers` is below 1, or two tiles have the same index.
    """
    tiles = list(tiles)
    if len({tile.index for tile in tiles}) < len(tiles):
        raise ConfigurationError("two tiles have the same index; number them from 0")
    with store.lock():
        missing = [tile for tile in tiles if tile.index not in store]
        done = len(tiles) - len(missing)
        if not missing:
            log.info("%s: all %d %s are there already", label, done, units)
            note_step(label, units, total=done, done_before=done, done=done, seconds=0.0)
            return
        task = Task(step, store if store.shared else None)
        try:
            with (
                one_thread(),
                open_pool(executor, task, workers) as pool,
                reporting(label, progress, done=done, total=len(tiles), units=units) as report,
                closing(_as_they_end(pool, missing)) as ended,
            ):
                log.info("%s: %d of %d %s to go, %s", label, len(missing), len(tiles), units, pool.description)
                for tile, future in ended:
                    _keep(tile, future, store, units)
                    done += 1
                    report(done, len(tiles))
        except _TileError as failure:
            finished = sum(tile.index in store for tile in tiles)
            raise RunError(f"{label} failed on {failure}; {_advice(store, finished, units)}") from failure.__cause__


def _as_they_end(pool: Pool, tiles: list[Indexed]) -> Generator[tuple[Indexed, Any], None, None]:
    """Tiles and their ended futures, those that succeeded first; never more in flight than the pool's limit."""
    waiting, flying = iter(tiles), {}
    try:
        while True:
            for tile in itertools.islice(waiting, max(0, pool.limit() - len(flying))):
                flying[pool.submit(tile)] = tile
            if not flying:
                return
            ended, _ = pool.wait(flying, return_when="FIRST_COMPLETED")
            for future in sorted(ended, key=lambda future: future.exception() is not None):
                yield flying.pop(future), future
    finally:
        for future in flying:
            future.cancel()


def _keep(tile: Indexed, future: Any, store: TileStore, units: str) -> None:
    try:
        arrays = future.result()
        if arrays is not None:
            store.write(tile.index, arrays)
    except GroundshiftError:
        raise
    except Exception as error:
        raise _TileError(f"{_named(tile, units)}: {type(error).__name__}: {one_line(error)}") from error


def _named(tile: Indexed, units: str) -> str:
    """What a person calls a tile: its file, or its number and pixels."""
    if (path := getattr(tile, "path", None)) is not None:
        return str(path)
    box = getattr(tile, "box", None)
    where = f" (rows {box.top} to {box.bottom}, columns {box.left} to {box.right})" if isinstance(box, Box) else ""
    return f"{units.removesuffix('s')} {tile.index}{where}"


class _TileError(Exception):
    """A tile failed; the argument says which and why, the cause is the step's own error."""


def _advice(store: TileStore, finished: int, units: str) -> str:
    if store.lasting:
        return f"start the same command again to go on from the {finished} finished {units}"
    return f"the {finished} finished {units} are in memory only, and go with this process"
