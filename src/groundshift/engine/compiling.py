"""The first run compiles the kernels, which takes a while without a word otherwise."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator

from numba.core import event

log = logging.getLogger(__name__)

_QUIET_SECONDS = 2.0


@contextlib.contextmanager
def compilation_told(quiet: float = _QUIET_SECONDS) -> Iterator[None]:
    """Say once, at INFO, that kernels are compiled, when that has taken some seconds in all.

    Kernels that come out of the cache are not compiled. Nested events are of one compilation, as one thread at a time
    compiles.

    Parameters
    ----------
    quiet
        Seconds without a word.
    """
    told = _Told(quiet)
    with event.install_listener("numba:compile", told):
        try:
            yield
        finally:
            told.stop()


class _Told(event.Listener):
    def __init__(self, quiet: float) -> None:
        self.left, self.depth, self.begun = quiet, 0, 0.0
        self.timer: threading.Timer | None = None
        self.said = False

    def on_start(self, event: event.Event) -> None:
        self.depth += 1
        if self.depth == 1 and not self.said:
            self.begun = time.monotonic()
            self.timer = threading.Timer(self.left, self._say)
            self.timer.daemon = True
            self.timer.start()

    def on_end(self, event: event.Event) -> None:
        self.depth = max(self.depth - 1, 0)
        if self.depth == 0 and self.timer is not None:
            self.stop()
            self.left = max(self.left - (time.monotonic() - self.begun), 0.0)

    def stop(self) -> None:
        """Say nothing more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _say(self) -> None:
        if not self.said:
            self.said = True
            log.info("compiling the numerical kernels, as on the first run after an installation; later runs find them")
