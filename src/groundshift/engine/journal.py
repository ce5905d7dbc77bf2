"""The record of a run: what was asked, of which inputs, by which software, how it went and how it ended."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import os
import platform
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from importlib.metadata import version
from pathlib import Path
from typing import Any

from groundshift.engine.fingerprint import Fingerprints
from groundshift.engine.lock import exclusive, lock_open
from groundshift.engine.store import written_whole
from groundshift.errors import GroundshiftError, RunError

try:
    import resource
except ImportError:  # Windows counts otherwise; CPU time is of this process alone there, and memory is not told
    resource = None

log = logging.getLogger(__name__)

RECORD_NAME, LOCK_NAME = "run.json", ".run.lock"
LIBRARIES = ("numpy", "scipy", "numba", "pyarrow", "xarray", "rasterio", "pyproj")
_MOST_WARNINGS = 1000
_TILES = (".tiles", ".ingest")

_journal: ContextVar[Journal | None] = ContextVar("journal", default=None)


class Journal(logging.Handler):
    """Gathers what is said of one run; as a handler of the log, its warnings."""

    def __init__(self, command: str, options: Mapping[str, Any]) -> None:
        super().__init__(logging.WARNING)
        self._started, self._clock = time.time(), time.monotonic()
        self.warnings: list[str] = []
        self.steps: list[dict[str, Any]] = []
        self.record: dict[str, Any] = {
            "status": "running",
            "command": command,
            "options": _plain(options),
            "software": f"groundshift {version('groundshift')}",
            "python": platform.python_version(),
            "libraries": {name: version(name) for name in LIBRARIES},
            "platform": platform.platform(),
            "host": platform.node(),
            "process": os.getpid(),
            "arguments": sys.argv[1:],
            "folder": str(Path.cwd()),
            "started": _moment(self._started),
        }

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a warning."""
        if len(self.warnings) < _MOST_WARNINGS:
            self.warnings.append(record.getMessage())

    def end(self, error: BaseException | None) -> None:
        """Note how the run ended, and what it took."""
        status, code = _ending(error)
        said = None if status == "finished" else str(error) or type(error).__name__
        self.record |= {
            "status": status,
            "exit_code": code,
            "error": said
            if error is None or isinstance(error, GroundshiftError)
            else f"{type(error).__name__}: {said}",
            "ended": _moment(time.time()),
            "wall_seconds": round(time.monotonic() - self._clock, 3),
            **_used(),
            "steps": self.steps,
            "warnings": self.warnings,
        }

    def outputs(self, out: Path) -> list[dict[str, Any]]:
        """Files and folders in a folder that this run wrote."""
        found = []
        for each in sorted(out.iterdir()):
            if each.name.startswith(".") or each.name == RECORD_NAME:
                continue
            states = [file.stat() for file in (each.rglob("*") if each.is_dir() else [each]) if file.is_file()]
            if any(state.st_mtime > self._started - 1 for state in states):
                found.append({"name": each.name, "files": len(states), "bytes": sum(one.st_size for one in states)})
        return found


def note_step(label: str, units: str, *, total: int, done_before: int, done: int, seconds: float) -> None:
    """Tell the journal of the run, if it has one, of a step: how many units there are, were there, and are there."""
    if (journal := _journal.get()) is not None:
        journal.steps.append(
            {"step": label, "units": units, "total": total, "there_before": done_before, "done": done,
             "seconds": round(seconds, 3)}
        )  # fmt: skip


@contextlib.contextmanager
def recorded(
    command: str, options: Mapping[str, Any], *, inputs: Iterable[str | Path], out: Path | None, alone: bool = True
) -> Iterator[Journal]:
    """Keep the record of what is done in the block, as `run.json` in the folder `out`, and tell the log of its end.

    The record is there from the beginning, with the status `running`; a run that is killed leaves it so. A run that
    does not finish keeps, as `previous`, the record of the run whose results may still lie in the folder. Where
    nothing was written, nothing is left. Meanwhile no other run may write into the folder.

    Parameters
    ----------
    command, options
        What runs, with plain values, paths and enumerations.
    inputs
        Files and folders, of which the record has size, time and SHA-256, and addresses.
    out
        Folder of the results; made if it is not there. None: the record goes to the log only.
    alone
        Whether others are kept out of the folder.

    Raises
    ------
    RunError
        If another run writes into the folder, or it cannot be written.
    """
    journal, inputs = Journal(command, options), Fingerprints(inputs)
    with contextlib.ExitStack() as ends:
        if out is not None:
            ends.callback(_tidied, out, journal, made=not out.exists())
            ends.enter_context(exclusive(out / LOCK_NAME, f"in {out}") if alone else _there(out))
            previous = _finished(out / RECORD_NAME)
            journal.record |= {"inputs": inputs.known(), "previous": previous}
            _write(out / RECORD_NAME, journal.record)
        logging.getLogger("groundshift").addHandler(journal)
        ends.callback(logging.getLogger("groundshift").removeHandler, journal)
        token = _journal.set(journal)
        ends.callback(_journal.reset, token)
        if out is not None:
            inputs.begin()
        try:
            yield journal
        except BaseException as error:
            journal.end(error)
            inputs.stop()
            _close(journal, inputs, out)
            raise
        journal.end(None)
        inputs.finish()
        _close(journal, inputs, out)


def _close(journal: Journal, inputs: Fingerprints, out: Path | None) -> None:
    """Write the record, and say how the run ended."""
    record = journal.record
    for path in inputs.changed():
        log.warning("%s changed while it was read; start the same command again", path)
    record["inputs"] = inputs.known()
    failed = record["status"] != "finished"
    if out is not None and out.is_dir():
        record["outputs"] = journal.outputs(out)
        record["unfinished"] = [str(path) for name in _TILES for path in sorted((out / name).glob("*/"))]
        if not failed:
            record.pop("previous", None)
            if record["unfinished"]:
                log.warning(
                    "%d unfinished runs with other options or inputs have tiles in %s; delete what is not wanted",
                    len(record["unfinished"]), out,
                )  # fmt: skip
        try:
            _write(out / RECORD_NAME, record)
        except OSError as problem:
            if not failed:
                raise
            log.warning("the record of the run cannot be written: %s", problem)
    log.info(
        "%s %s in %.1f s, %.1f s of CPU", record["command"], record["status"], record["wall_seconds"],
        record["cpu_seconds"], extra={"run": record},
    )  # fmt: skip


def _tidied(out: Path, journal: Journal, *, made: bool) -> None:
    """Leave nothing of a run that did not finish and wrote nothing but its record."""
    with contextlib.suppress(OSError):
        if made and journal.record["status"] != "finished" and {each.name for each in out.iterdir()} == {RECORD_NAME}:
            (out / RECORD_NAME).unlink()
            out.rmdir()


@contextlib.contextmanager
def _there(out: Path) -> Iterator[None]:
    out.mkdir(parents=True, exist_ok=True)
    yield


def _finished(path: Path) -> dict[str, Any] | None:
    """The record of the last run that finished, from the file of the last run."""
    try:
        record = json.loads(path.read_text("utf-8"))
        return record if record["status"] == "finished" else record.get("previous")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _write(path: Path, record: Mapping[str, Any]) -> None:
    """Write the record, the whole file or none; what killed runs left of theirs goes."""
    for leftover in path.parent.glob(f"{path.name}.*.part"):
        with contextlib.suppress(OSError), leftover.open("r+b") as file:
            lock_open(file)  # not while the writer lives, who holds it
            leftover.unlink()
    with written_whole(path) as stream:
        with contextlib.suppress(OSError):
            lock_open(stream)
        stream.write((json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode())


def _ending(error: BaseException | None) -> tuple[str, int]:
    """How a run ended, and the exit code that says so."""
    code = exit_code(error)
    return {0: "finished", 130: "interrupted", 143: "terminated"}.get(code, "failed"), code


def exit_code(error: BaseException | None) -> int:
    """The exit code of a command that raised an error, or none.

    0 is a run that finished, 1 what another start will not mend (an input, an option), 2 a command that is not
    understood, 3 what another start may mend (a full disk, a dead worker, another run at work), 130 Ctrl-C, 143 the
    signal to terminate.
    """
    if error is None:
        return 0
    if isinstance(error, KeyboardInterrupt):
        return 130
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(told := getattr(error, "exit_code", None), int):  # of the command line's own errors
        return told
    return 3 if isinstance(error, RunError | OSError | MemoryError) and not isinstance(error, ValueError) else 1


def _used() -> dict[str, float]:
    if resource is None:
        return {"cpu_seconds": round(time.process_time(), 3)}
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "cpu_seconds": round(sum(each.ru_utime + each.ru_stime for each in used), 3),
        "peak_memory_mb": round(used[0].ru_maxrss * unit / 1e6),
        "peak_memory_of_a_worker_mb": round(used[1].ru_maxrss * unit / 1e6),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, str):
        return str(value)
    return value if isinstance(value, int | float | None) else str(value)


def _moment(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="milliseconds")


class JsonLines(logging.Formatter):
    """A line of JSON a record: time, level, logger, message, thread; the record of a run where one ends."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said = {
            "time": _moment(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        if threading.current_thread() is not threading.main_thread():
            said["thread"] = record.threadName
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        for name in ("run", "progress"):
            if hasattr(record, name):
                said[name] = getattr(record, name)
        return json.dumps(said, ensure_ascii=False, default=str)
