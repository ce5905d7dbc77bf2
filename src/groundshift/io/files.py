"""Files on disk: products that are folders or archives, and writing that leaves a whole file or none."""

from __future__ import annotations

import datetime
import errno
import glob
import io
import json
import math
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from groundshift.errors import InputError

try:
    import fcntl
except ImportError:  # no such locks on Windows, where leftovers stay
    fcntl = None

_LOCK = ".lock"
_FULL = errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` when the block ends well, else leave nothing.

    The folder of `path` is made if it does not exist. Whatever else the block writes beside the temporary
    path (side-car files of GDAL) is removed, and so is what killed runs left of the same file.

    Raises
    ------
    InputError
        If there is a folder at `path`, before the block.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder, where a file is to be written; remove it, or choose another place")
    with naming(path), temporary_folder(path) as folder:
        temporary = folder / path.name
        yield temporary
        if temporary.is_file():
            _flush(temporary)
        temporary.replace(path)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Give a new folder beside `path`; rename it to `path` when the block ends well, else leave nothing.

    Raises
    ------
    InputError
        If there is something at `path`, before the block or after it.
    """
    check_new(path := Path(path))
    with naming(path), temporary_folder(path) as folder:
        temporary = folder / path.name
        temporary.mkdir()
        yield temporary
        flush_folder(temporary)
        check_new(path)
        temporary.rename(path)


def check_new(path: Path) -> None:
    """InputError if there is something at a path where a new folder is wanted."""
    if path.exists():
        raise InputError(f"{path} is there already; give a new folder")


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """A hidden folder beside `path`, which goes when the block ends; those that killed runs left of it go too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*/{_LOCK}"):
        with suppress(OSError), leftover.open("r+b") as file:
            _lock(file)  # not while the writer lives, who holds it
            shutil.rmtree(leftover.parent)
    with (
        tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder,
        (Path(folder) / _LOCK).open("xb") as file,
    ):
        with suppress(OSError):
            _lock(file)
        yield Path(folder)


def _lock(file: BinaryIO) -> None:
    """Lock a file until it is closed, or its process ends; OSError if another holds it, or nobody can."""
    if fcntl is None:
        raise OSError("no locks on this system")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Say in errors of a disk that takes no more which file or folder was written, where they do not say it."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL and error.filename is None:
            error.filename = str(path)
        raise


def flush_folder(folder: Path) -> None:
    """See that all files in a folder are on the disk before it gets its final name."""
    for file in folder.rglob("*"):
        if file.is_file():
            _flush(file)


def _flush(path: Path) -> None:
    """See that all of a file is on the disk before it takes the place of another."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


class SteadyFile(io.RawIOBase):
    """A new file, for libraries that break down, and the process with them, when the disk takes no more (HDF5).

    It takes all that it is given; the first failure to write is raised by :meth:`check`, and nothing is written after
    it. To be used in a `with`, at whose end it is checked and closed.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self._file = Path(path).open("x+b", buffering=0)  # noqa: SIM115  (closed by `close`)
        self._failure: OSError | None = None

    def check(self) -> None:
        """Raise the first failure to write, if there was one."""
        if self._failure is not None:
            raise self._failure

    def readable(self) -> bool:
        """True."""
        return True

    def writable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, and tell it."""
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; zeros stand for what could not be written."""
        view = memoryview(buffer).cast("B")
        count = self._file.readinto(view) or 0
        if self._failure is not None:
            view[count:] = bytes(len(view) - count)
            return len(view)
        return count

    def write(self, content: Any) -> int:
        """Write all of the content, if nothing failed before."""
        view = memoryview(content).cast("B")
        end, done = self._file.tell() + len(view), 0
        while done < len(view) and self._failure is None:
            try:
                done += self._file.write(view[done:])
            except OSError as error:
                self._failure = error
        self._file.seek(end)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Cut the file, or make it longer with zeros."""
        size = self._file.tell() if size is None else size
        try:
            return self._file.truncate(size)
        except OSError as error:
            self._failure = self._failure or error
            return size

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        super().__exit__(kind, error, trace)
        if kind is None or self._failure is not error:
            self.check()


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text: the whole file or none."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, record: Any) -> None:
    """Write a record as indented JSON: the whole file or none. Same record, same bytes."""
    write_text(path, json.dumps(jsonable(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def jsonable(value: Any) -> Any:
    """The same in what JSON has: numpy values as numbers and lists, dates as ISO text, paths as text, NaN as null."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(each) for each in value]
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value)
    if isinstance(value, np.generic | np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


@dataclass(frozen=True)
class Archive:
    """A product as a folder, a .zip or a .tar: the names in it, their bytes, and their GDAL paths."""

    path: Path  # the folder, or the archive file
    inside: str  # folder inside the archive file that was asked for, "" for all
    names: tuple[str, ...]  # files, relative to `path`, with forward slashes

    @classmethod
    def open(cls, source: Path) -> Archive | None:
        """The archive at `source`, or None if it is neither a folder nor (inside) a .zip or .tar file."""
        if source.is_dir():
            names = sorted(p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file())
            return cls(source, "", tuple(names))
        for path in (source, *source.parents):
            if path.is_file():
                break
        else:
            return None
        if path.suffix.lower() not in (".zip", ".tar"):
            return None
        inside = source.relative_to(path).as_posix().removeprefix(".")
        try:
            names = _list(path)
        except (zipfile.BadZipFile, tarfile.TarError, OSError) as error:
            raise InputError(
                f"{path} cannot be opened as an archive: {error}; it may be truncated: download it again"
            ) from error
        return cls(path, inside, tuple(sorted(name for name in names if name.startswith(inside))))

    @property
    def title(self) -> str:
        """The path that was asked for, for messages."""
        return str(self.path / self.inside)

    def read(self, name: str) -> bytes:
        """The bytes of one file."""
        if self.path.is_dir():
            return (self.path / name).read_bytes()
        if self.path.suffix.lower() == ".zip":
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(name)
        with tarfile.open(self.path) as archive:
            return archive.extractfile(name).read()

    def gdal(self, name: str) -> str:
        """The path under which GDAL opens one file."""
        if self.path.is_dir():
            return str(self.path / name)
        scheme = self.path.suffix.lower().removeprefix(".")
        return f"/vsi{scheme}/{self.path.absolute()}/{name}"

    def disk(self, name: str) -> str:
        """The file on disk that holds `name`: itself, or the archive."""
        return str(self.path / name if self.path.is_dir() else self.path)


def _list(path: Path) -> list[str]:
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            return [name for name in archive.namelist() if not name.endswith("/")]
    with tarfile.open(path) as archive:
        return [member.name.removeprefix("./") for member in archive if member.isfile()]
