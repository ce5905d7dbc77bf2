"""Where compiled kernels are kept when neither the package nor the user has a folder that can be written."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)

_PACKAGE = Path(__file__).parents[1]


def find_place() -> None:
    """See that numba finds a place for compiled code: it refuses to work without.

    It takes the folder that `NUMBA_CACHE_DIR` names, that of the source, or the user's. Where none can be written, as
    in a container whose user has no home, this process and its workers get a folder of their own, which goes with it;
    it is never shared, because what is in it is run.
    """
    named = os.environ.get("NUMBA_CACHE_DIR")
    places = [Path(named)] if named else []
    if any(map(_writable, (*places, _PACKAGE / "kernels" / "__pycache__", *_users()))):
        return
    try:
        folder = tempfile.mkdtemp(prefix="groundshift-compiled-")
    except OSError as error:
        log.warning("no place for compiled code (%s); set NUMBA_CACHE_DIR to a folder that can be written", error)
        return
    atexit.register(_remove, folder, os.getpid())
    os.environ["NUMBA_CACHE_DIR"] = folder
    if (numba := sys.modules.get("numba")) is not None:  # it has read its environment already
        numba.config.CACHE_DIR = folder
    log.warning(
        "compiled code cannot be kept, and each run compiles anew: %s cannot be written; set NUMBA_CACHE_DIR to a "
        "folder that can", " and ".join(map(str, (_PACKAGE, *_users()))),
    )  # fmt: skip


def _users() -> list[Path]:
    """The user's folder for what can be made again, if the user has one."""
    named = os.environ.get("XDG_CACHE_HOME")
    try:
        return [Path(named) if named else Path.home() / ".cache"]
    except RuntimeError:  # no home at all
        return []


def _writable(folder: Path) -> bool:
    """Whether files can be made in a folder, or in the one that it would be made in."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _remove(folder: str, process: int) -> None:
    if os.getpid() == process:  # not a child that was forked
        shutil.rmtree(folder, ignore_errors=True)
