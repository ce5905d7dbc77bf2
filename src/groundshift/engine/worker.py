"""A worker process: tiles come in through its standard input, results go out through its standard output.

It is a fresh Python interpreter started by `subprocess`, not by `multiprocessing`, for four reasons: it is safe
beside threads (nothing is forked); it does not import the caller's main script again, which then needs no
`if __name__ == "__main__"`; the thread limits are in its environment before any library loads; and it ends with
its parent, even one that was killed.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from typing import Any, BinaryIO, NamedTuple

import cloudpickle

from groundshift.engine.task import Indexed, Task
from groundshift.errors import GroundshiftError

_THREAD_LIMITS = {
    f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "NUMBA")
} | {"VECLIB_MAXIMUM_THREADS": "1"}
_LARGE = 1 << 20  # bytes; arrays from here on are shared through a file instead of copied into each worker
_PAGE = mmap.ALLOCATIONGRANULARITY


class WorkerDiedError(Exception):
    """A worker process ended without an answer; the argument is its exit status, negative for a signal."""


class Answer(NamedTuple):
    """What a worker says about a tile: the value of the task, or the error that it raised."""

    value: Any
    error: Exception | None


class Shipment:
    """A task packed once for any number of workers.

    The pickle of the task goes to each of them. Large arrays in it go into one unnamed temporary file, which each
    worker maps privately: it can change its arrays, and as long as it does not, all workers share one copy.
    """

    def __init__(self, task: Task) -> None:
        large: list[memoryview] = []

        def set_aside(buffer: pickle.PickleBuffer) -> bool:
            """Take a large buffer out; true if it stays in the pickle (always where no file can be handed on)."""
            raw = buffer.raw()
            if raw.nbytes < _LARGE or os.name != "posix":
                return True
            large.append(raw)
            return False

        self.head = cloudpickle.dumps((task.step, task.store), protocol=5, buffer_callback=set_aside)
        self.file = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)
        self.spans: list[tuple[int, int]] = []
        for raw in large:
            start = -(-self.file.tell() // _PAGE) * _PAGE
            self.file.seek(start)
            self.file.write(raw)
            self.spans.append((start, raw.nbytes))
        self.file.flush()

    def close(self) -> None:
        self.file.close()


class Worker:
    """The parent's end of one worker process, used by one thread at a time."""

    def __init__(self, shipment: Shipment) -> None:
        start = (
            "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "  # before all that takes time
            f"sys.path[:] = {sys.path!r}; from groundshift.engine.worker import main; main()"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", start],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_THREAD_LIMITS},
            pass_fds=(shipment.file.fileno(),) if shipment.spans else (),
        )
        self._first = (shipment.head, shipment.file.fileno(), shipment.spans)

    def ask(self, tile: Indexed) -> Answer:
        """Send a tile, and wait for the answer; WorkerDiedError if none comes."""
        try:
            if self._first:
                _send(self.process.stdin, self._first)
                self._first = None
            _send(self.process.stdin, cloudpickle.dumps(tile))
            return pickle.load(self.process.stdout)
        except (BrokenPipeError, EOFError, pickle.UnpicklingError) as error:
            raise WorkerDiedError(self.process.wait()) from error

    def kill(self) -> None:
        """End the process now."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Free the pipes of a process that has ended."""
        self.process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()


def main() -> None:
    """Answer tiles until the parent closes the pipe or ends."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent's to handle, who ends its workers
        signal.signal(number, signal.SIG_IGN)
    requests = sys.stdin.buffer
    with os.fdopen(os.dup(1), "wb") as replies:
        os.dup2(2, 1)  # what a library prints must not get among the answers
        head, file, spans = pickle.load(requests)
        tiles: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(requests, tiles), daemon=True).start()
        task: Task | None = None
        while True:
            tile = tiles.get()
            try:
                task = task or _unpack(head, file, spans)
                answer = cloudpickle.dumps(Answer(task(pickle.loads(tile)), None))
            except Exception as error:  # noqa: BLE001  (the parent raises it)
                answer = cloudpickle.dumps(Answer(None, _portable(error)))
            replies.write(answer)
            replies.flush()


def _listen(requests: BinaryIO, tiles: queue.SimpleQueue[bytes]) -> None:
    """Pass tiles on as they come; end the process at once when there is nobody left to work for."""
    try:
        while True:
            tiles.put(pickle.load(requests))
    except (EOFError, pickle.UnpicklingError):
        os._exit(0)


def _unpack(head: bytes, file: int, spans: list[tuple[int, int]]) -> Task:
    content = memoryview(mmap.mmap(file, 0, access=mmap.ACCESS_COPY)) if spans else b""
    return Task(*pickle.loads(head, buffers=[content[start : start + size] for start, size in spans]))


def _portable(error: Exception) -> Exception:
    """The error with the worker's traceback as a note (one of ours needs none), of another type if it has to be."""
    if not isinstance(error, GroundshiftError):
        error.add_note("In the worker process:\n" + "".join(traceback.format_exception(error)))
    try:
        return pickle.loads(cloudpickle.dumps(error))
    except Exception:  # noqa: BLE001  (an error that cannot be pickled can fail in any way)
        plain = RuntimeError(f"{type(error).__name__}: {error}")
        for note in getattr(error, "__notes__", ()):
            plain.add_note(note)
        return plain


def _send(stream: BinaryIO, message: Any) -> None:
    cloudpickle.dump(message, stream, protocol=5)
    stream.flush()
