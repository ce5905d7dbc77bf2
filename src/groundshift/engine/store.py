"""Where finished tiles are kept until a run is complete."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from groundshift.engine.lock import FolderLock
from groundshift.errors import RunError


class TileStore(Protocol):
    """Finished tiles by their index; each is a few named arrays.

    `shared` says that a worker in another process can write into the store itself, so that arrays do not travel
    through the process that coordinates; `lasting` that tiles are there after this process.
    """

    shared: bool
    lasting: bool

    def __contains__(self, index: int) -> bool:
        """Whether the tile is there, whole and sound."""
        ...

    def write(self, index: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep a finished tile, in place of an earlier one; inside `lock()`."""
        ...

    def read(self, index: int) -> dict[str, np.ndarray]:
        """The arrays of a finished tile; RunError if it is not there."""
        ...

    def clear(self) -> None:
        """Forget everything."""
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Keep other runs out while the context lasts; it may be entered again inside itself."""
        ...


class MemoryStore:
    """Tiles in the memory of this process."""

    shared = lasting = False

    def __init__(self) -> None:
        self._tiles: dict[int, dict[str, np.ndarray]] = {}

    def __contains__(self, index: int) -> bool:
        return index in self._tiles

    def write(self, index: int, arrays: Mapping[str, np.ndarray]) -> None:
        # arrays that came over a network can be read-only, or at an odd address, which changes later last digits
        self._tiles[index] = {name: np.require(values, requirements="AW") for name, values in arrays.items()}

    def read(self, index: int) -> dict[str, np.ndarray]:
        if index not in self:
            raise RunError(f"tile {index} is not in memory; run the step over it first")
        return dict(self._tiles[index])

    def clear(self) -> None:
        self._tiles.clear()

    def lock(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()


class FolderStore:
    """Tiles as uncompressed `.npz` files in `folder/key`, which survive the end of the process.

    A tile is written under a temporary name, flushed to the disk, and renamed: a reader sees all of it or nothing.
    Each array carries a checksum, and a tile that fails it counts as not done. The same arrays make the same bytes.

    Parameters
    ----------
    folder
        Where runs are kept; on a cluster, a folder that every worker sees under the same path. It is made, and removed
        when the last run that it holds is cleared.
    key
        Name of the run, see :func:`groundshift.engine.key.run_key`.
    record
        What the run is made from, see :func:`groundshift.engine.key.run_record`; written to `manifest.json` for
        whoever finds the folder.
    """

    shared = lasting = True

    def __init__(self, folder: str | Path, key: str, *, record: Mapping[str, Any] | None = None) -> None:
        self.path = Path(folder).resolve() / key
        self._manifest = {"key": key, **(record or {})}
        self._lock = FolderLock(self.path)

    def __contains__(self, index: int) -> bool:
        try:
            with zipfile.ZipFile(self._file(index)) as archive:
                return archive.testzip() is None
        except (OSError, EOFError, ValueError, zipfile.BadZipFile):
            return False

    def write(self, index: int, arrays: Mapping[str, np.ndarray]) -> None:
        if not self.path.is_dir():
            raise RunError(
                f"{self.path} is not there on {platform.node()}; keep tiles in a folder that all workers see"
            )
        with written_whole(self._file(index)) as stream, zipfile.ZipFile(stream, "w") as archive:
            for name, values in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asarray(values), allow_pickle=False)

    def read(self, index: int) -> dict[str, np.ndarray]:
        try:
            with self._file(index).open("rb") as stream, np.load(stream, allow_pickle=False) as tile:
                return dict(tile)
        except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
            raise RunError(
                f"tile {index} in {self.path} cannot be read ({error}); start the same command again to mend it"
            ) from error

    def clear(self) -> None:
        with self.lock():
            shutil.rmtree(self.path)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        try:
            with self._lock.hold(self._prepare):
                yield
        finally:
            with contextlib.suppress(OSError):  # tiles, or another run, are in it
                self.path.parent.rmdir()

    def _prepare(self) -> None:
        """Remove what killed workers left half written, and say what the run is made from."""
        self.path.mkdir(exist_ok=True)
        for leftover in self.path.glob("*.part"):
            leftover.unlink(missing_ok=True)
        with written_whole(self.path / "manifest.json") as stream:
            stream.write(json.dumps(self._manifest, indent=2).encode())

    def _file(self, index: int) -> Path:
        return self.path / f"{index:06d}.npz"


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Any]:
    """A stream into a temporary file that takes the name `path` when all of it is on the disk."""
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # as of a full disk
            error.filename = str(path)
        raise
