"""A lock on a folder's work that dies with its process."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from groundshift.errors import RunError

try:
    import fcntl
except ImportError:  # no such locks on Windows; tiles are still written whole or not at all
    fcntl = None

log = logging.getLogger(__name__)


class FolderLock:
    """Keeps other runs out of the work in a folder; its holder may enter again. Copies that travel to other processes
    do not hold it.

    Parameters
    ----------
    folder
        The lock file is beside it, with the suffix `.lock`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._held = folder, False

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": False}

    @contextlib.contextmanager
    def hold(self, begin: Callable[[], None]) -> Iterator[None]:
        """Hold the lock, see :func:`exclusive`; `begin` is called when it was not held before."""
        if self._held:
            yield
            return
        with exclusive(self._folder.with_name(f"{self._folder.name}.lock"), f"on the same run ({self._folder})"):
            self._held = True
            try:
                begin()
                yield
            finally:
                self._held = False


@contextlib.contextmanager
def exclusive(path: Path, work: str) -> Iterator[None]:
    """Hold the lock file `path`, whose folder is made if it does not exist, and remove it afterwards.

    `work` says, in the error that another run gets, what its holder is at work on.

    The operating system frees the lock when its holder ends, however it ends, so that a file left by a killed
    process is no hindrance (`flock`, which Linux also passes on to NFS servers).

    Raises
    ------
    RunError
        If another run holds the lock, or it cannot be made.
    """
    descriptor = _locked(path, work)
    try:
        with contextlib.suppress(OSError):  # of a full disk: the name of the holder is for people, and the lock holds
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def lock_open(file: BinaryIO) -> None:
    """Lock a file until it is closed, or its process ends; OSError if another holds it, or nobody can."""
    if fcntl is None:
        raise OSError("no locks on this system")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _locked(path: Path, work: str) -> int:
    """Open and lock the file; again if its last holder removed it in between."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            except FileNotFoundError:
                if path.parent.is_dir():
                    raise
                continue  # another run removed the folder in between, as it was empty
        except OSError as error:
            raise RunError(f"{path.parent} cannot be written ({error}); choose another folder") from error
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 200).decode(errors="replace") or "another process"
            os.close(descriptor)
            raise RunError(f"{holder} is at work {work}; wait for it, or end it first") from None
        except OSError as error:  # a file system without locks
            log.warning("no lock on %s (%s); do not start the same run twice", path, error)
            return descriptor
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)
