"""Files that are shown, and may change meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from groundshift.errors import GroundshiftError

log = logging.getLogger(__name__)


class Watched:
    """A file, and when what is shown of it was read.

    Parameters
    ----------
    path
        None for what is in no file, and never changes.
    read
        Reads the file anew, and shows that from then on.
    """

    def __init__(self, path: Path | None, read: Callable[[], object]) -> None:
        self._path, self._read = path, read
        self.version = self._written()

    def refresh(self) -> int:
        """Read the file if it has changed; what cannot be read is left as it was, with a warning. Returns its version,
        the time of its last change, ms."""
        if self.version != (version := self._written()) and version:
            self.version = version
            try:
                self._read()
            except (GroundshiftError, OSError) as error:
                log.warning("%s has changed, and is shown as it was: %s", self._path, error)
        return self.version

    def _written(self) -> int:
        try:
            return 0 if self._path is None else self._path.stat().st_mtime_ns // 1_000_000
        except OSError:
            return 0
