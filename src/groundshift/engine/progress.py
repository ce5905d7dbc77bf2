"""How far a run has come: a bar for a person, the log for all others."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from groundshift.engine.journal import note_step

if TYPE_CHECKING:
    from rich.progress import Progress

log = logging.getLogger(__name__)

Report = Callable[[int, int], None]
_QUIET_SECONDS = 2.0


@contextlib.contextmanager
def reporting(label: str, report: Report | None, *, done: int, total: int, units: str = "tiles") -> Iterator[Report]:
    """Give a function to be called with (done, total) after each tile.

    It calls `report` if that is given. Otherwise it moves a bar, which appears after two seconds, if standard
    error is a terminal; if not, each tenth of the work is logged at INFO. The record of the run, if one is kept, has
    the step in the end, finished or not.
    """
    begun, reached = time.monotonic(), done

    def counting(inner: Report) -> Report:
        def outer(done: int, total: int) -> None:
            nonlocal reached
            reached = done
            inner(done, total)

        return outer

    try:
        if report is not None:
            yield counting(report)
        elif sys.stderr.isatty():
            with _late_bar(units) as bar:
                task = bar.add_task(label, completed=done, total=total)
                yield counting(lambda done, total: bar.update(task, completed=done))
        else:
            yield counting(_TenthsInLog(label, done, units))
    finally:
        note_step(label, units, total=total, done_before=done, done=reached, seconds=time.monotonic() - begun)


class _TenthsInLog:
    def __init__(self, label: str, done: int, units: str) -> None:
        self.label, self.units = label, units
        self.first = self.logged = done
        self.start = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if done < total and 10 * (done - self.logged) < total:
            return
        self.logged = done
        seconds = time.monotonic() - self.start
        left = seconds * (total - done) / (done - self.first)
        log.info(
            "%s: %d of %d %s in %.0f s, about %.0f s to go", self.label, done, total, self.units, seconds, left,
            extra={"progress": {"step": self.label, "done": done, "total": total, "units": self.units}},
        )  # fmt: skip


@contextlib.contextmanager
def _late_bar(units: str) -> Iterator[Progress]:
    """A progress bar that shows itself only if it is still wanted after two seconds."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Task as Row
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Row) -> Text:
            return Text(f"{task.speed:.2g} {units}/s" if task.speed else "")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), speed_estimate_period=600)
    timer = threading.Timer(_QUIET_SECONDS, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield bar
    finally:
        timer.cancel()
        timer.join()
        bar.stop()
