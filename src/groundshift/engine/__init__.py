"""One way to run a step over tiles: here or on a cluster, with progress, bounded memory and resume.

:func:`~groundshift.engine.key.run_key` names a run by what goes into it, a
:class:`~groundshift.engine.store.TileStore` keeps its finished tiles, and :func:`~groundshift.engine.run.run`
computes the ones that are missing.
"""

from groundshift.engine.key import run_key, run_record
from groundshift.engine.mosaic import read_box
from groundshift.engine.run import run
from groundshift.engine.store import FolderStore, MemoryStore, TileStore
from groundshift.engine.task import one_thread

__all__ = ["FolderStore", "MemoryStore", "TileStore", "one_thread", "read_box", "run", "run_key", "run_record"]
