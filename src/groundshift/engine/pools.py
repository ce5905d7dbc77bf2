"""The four places where tiles can be computed, behind one small interface."""

from __future__ import annotations

import contextlib
import logging
import platform
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from concurrent import futures
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

from groundshift.engine.task import Indexed, Task
from groundshift.engine.worker import Shipment, Worker, WorkerDiedError
from groundshift.errors import ConfigurationError, RunError
from groundshift.kernels.threads import available_cores

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

_PATIENCE = 10.0  # seconds without a finished tile, after which it is asked whether there are workers
_NO_WORKERS = 1800.0  # seconds without any worker, after which a run on a Dask scheduler ends


class Pool(NamedTuple):
    """A way to get tiles computed."""

    submit: Callable[[Indexed], Any]  # gives a future with result(), exception() and cancel()
    wait: Callable[..., Any]  # as concurrent.futures.wait
    limit: Callable[[], int]  # tiles to keep in flight, now
    description: str


def open_pool(executor: str | Client, task: Task, workers: int | None) -> contextlib.AbstractContextManager[Pool]:
    """The pool that `executor` names (see :func:`groundshift.engine.run.run`); leaving it abandons what still runs."""
    if workers is not None and workers < 1:
        raise ConfigurationError(f"{workers} workers were asked for; give 1 or more")
    match executor:
        case "serial":
            return _serial(task)
        case "threads":
            return _threads(task, workers or available_cores())
        case "processes":
            return _processes(task, workers or available_cores())
        case str() if "://" not in executor:
            raise ConfigurationError(
                f"executor {executor!r} is unknown; give serial, threads, processes or the address of a Dask "
                "scheduler, such as tcp://localhost:8786"
            )
    return _dask(task, executor, workers)


@contextlib.contextmanager
def _serial(task: Task) -> Iterator[Pool]:
    def submit(tile: Indexed) -> futures.Future:
        future = futures.Future()
        try:
            future.set_result(task(tile))
        except Exception as error:  # noqa: BLE001  (kept in the future, as every executor does)
            future.set_exception(error)
        return future

    yield Pool(submit, futures.wait, lambda: 1, "in this thread")


@contextlib.contextmanager
def _threads(task: Task, workers: int) -> Iterator[Pool]:
    threads = futures.ThreadPoolExecutor(workers, thread_name_prefix="tile")
    try:
        yield Pool(lambda tile: threads.submit(task, tile), futures.wait, lambda: 2 * workers, f"in {workers} threads")
    finally:
        threads.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _processes(task: Task, workers: int) -> Iterator[Pool]:
    """Threads that each hand their tiles to a worker process."""
    crew = _Crew(task)
    threads = futures.ThreadPoolExecutor(workers, thread_name_prefix="tile")
    try:
        yield Pool(
            lambda tile: threads.submit(crew, tile), futures.wait, lambda: 2 * workers, f"in {workers} processes"
        )
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        crew.dismiss()
        threads.shutdown()
        crew.close()


class _Crew:
    """Worker processes, started when needed: as many as there are threads that call at the same time."""

    def __init__(self, task: Task) -> None:
        self._shipment = Shipment(task)
        self._lock = threading.Lock()
        self._all: list[Worker] = []
        self._idle: list[Worker] = []
        self._dismissed = False

    def __call__(self, tile: Indexed) -> Any:
        """The task's result for a tile. If the worker dies of it, a fresh one tries once more."""
        try:
            return self._ask(tile)
        except WorkerDiedError as death:
            if self._dismissed:
                raise
            log.warning("the worker process of tile %d %s; trying once more", tile.index, _end(death))
        try:
            return self._ask(tile)
        except WorkerDiedError as death:
            raise RuntimeError(
                f"its worker process {_end(death)} twice, maybe for lack of memory; use fewer workers or smaller tiles"
            ) from death

    def _ask(self, tile: Indexed) -> Any:
        with self._lock:
            if self._dismissed:
                raise futures.CancelledError
            if not self._idle:
                self._idle.append(Worker(self._shipment))
                self._all.append(self._idle[-1])
            worker = self._idle.pop()
        answer = worker.ask(tile)
        with self._lock:
            self._idle.append(worker)
        if answer.error is not None:
            raise answer.error
        return answer.value

    def dismiss(self) -> None:
        """End all worker processes, at work or not; a tile that is not finished is dropped whole."""
        with self._lock:
            self._dismissed = True
        for worker in self._all:
            worker.kill()

    def close(self) -> None:
        """Free files and pipes, when no thread uses them any more."""
        for worker in self._all:
            worker.close()
        self._shipment.close()


def _end(death: WorkerDiedError) -> str:
    status = death.args[0]
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"


@contextlib.contextmanager
def _dask(task: Task, executor: str | Client, workers: int | None) -> Iterator[Pool]:
    """A Dask scheduler.

    The task goes there once, as the result of a first job on which all tiles depend: workers pass it on to each
    other, and if the last that holds it dies, the scheduler makes it again (scattered data would be lost).
    """
    import dask
    import distributed

    address = executor if isinstance(executor, str) else executor.scheduler.address
    with contextlib.ExitStack() as cleanup:
        client = executor
        with _reaching(address):
            if isinstance(executor, str):
                client = cleanup.enter_context(distributed.Client(executor, set_as_default=False))
            with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
                name = f"groundshift-{uuid.uuid4().hex[:8]}"
                remote = client.submit(_itself, task, key=f"{name}-task", pure=False)

        def submit(tile: Indexed) -> distributed.Future:
            return client.submit(_perform, remote, tile, version("groundshift"), key=f"{name}-{tile.index}", pure=False)

        def wait(pending: Collection[distributed.Future], **options: Any) -> Any:
            watch = _WorkerWatch(address)
            with _reaching(address), client.as_current():
                while True:
                    with contextlib.suppress(TimeoutError):
                        return distributed.wait(list(pending), timeout=_PATIENCE, **options)
                    watch.look(bool(client.nthreads()))

        def limit() -> int:
            with _reaching(address):
                return 2 * (workers or max(1, sum(client.nthreads().values())))

        yield Pool(submit, wait, limit, f"on the Dask scheduler {address}")


class _WorkerWatch:
    """Whether a scheduler has workers; what is said of it, and for how long it is waited for one that has none.

    Parameters
    ----------
    address
        Of the scheduler.
    clock
        Gives seconds.
    """

    def __init__(self, address: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._address, self._clock = address, clock
        self._alone_since: float | None = None

    def look(self, there: bool) -> None:
        """Take note whether there are workers now; say when all are gone and when some are there again.

        Raises
        ------
        RunError
            If there were none for half an hour.
        """
        now = self._clock()
        if there:
            if self._alone_since is not None:
                log.info("the Dask scheduler at %s has workers; the run goes on", self._address)
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now
            log.warning(
                "the Dask scheduler at %s has no workers; waiting %.0f minutes for some: start one with "
                "`dask worker %s`", self._address, _NO_WORKERS / 60, self._address,
            )  # fmt: skip
        elif now - self._alone_since >= _NO_WORKERS:
            raise RunError(
                f"the Dask scheduler at {self._address} had no workers for {_NO_WORKERS / 60:.0f} minutes; start some "
                f"with `dask worker {self._address}`, then the same command again: finished tiles are kept"
            )


@contextlib.contextmanager
def _reaching(address: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, futures.CancelledError) as error:
        raise RunError(
            f"the Dask scheduler at {address} does not answer, or dropped the run ({error}); see that it runs "
            "(`dask scheduler`), then start the same command again"
        ) from error


def _itself(task: Task) -> Task:
    return task


def _perform(task: Task, tile: Indexed, wanted: str) -> Any:
    if (found := version("groundshift")) != wanted:
        raise ConfigurationError(
            f"the Dask worker on {platform.node()} has groundshift {found}, this run is of {wanted}; install the same "
            "version everywhere"
        )
    return task(tile)
