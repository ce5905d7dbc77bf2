"""Opening the files of EGMS: a zip with a table and a header, or both as files side by side. Nothing is unpacked."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from groundshift.errors import InputError
from groundshift.io.egms.packing import ERRORS, Unpacked

MAX_BYTES = 2**37  # of a table: 128 GiB
_MAX_HEADER = 2**23  # bytes of an XML header: 8 MiB; those of five years have 0.1
_MAX_RATIO = 150  # of the size of a member to its compressed size: tables have 4, text of one character has 1000
_MAX_MEMBERS = 64
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_OUTSIDE = re.compile(r"(^|/)\.\.(/|$)|^/|^[A-Za-z]:|\\|\x00")
_PID = re.compile(rb'(\xef\xbb\xbf)?"?pid"?[,;\t]')  # the first column, and no other table's
_BROKEN = (*ERRORS, NotImplementedError, RuntimeError, OSError, ValueError)


class Opened(NamedTuple):
    """The table of a product, open, and its header."""

    title: str  # for messages: the file, and the member in it
    member: str  # name of the table in the zip, or of the file
    table: BinaryIO
    header: bytes | None


def holds_table(path: Path) -> bool:
    """Whether a .zip holds a table, or a .csv is one, whatever its name; false for what cannot be opened."""
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                return any(name.lower().endswith(".csv") for name in archive.namelist())
        with path.open("rb") as text:
            return path.suffix.lower() == ".csv" and _PID.match(text.read(16)) is not None
    except _BROKEN:
        return False


@contextmanager
def open_product(path: Path, *, max_bytes: int = MAX_BYTES) -> Iterator[Opened]:
    """Open the table in a .zip, or a .csv; the header is in the zip, or a file of the same name beside, or None.

    Raises
    ------
    InputError
        If there is no such file, if it is no zip, or if a member's name leads out of the folder, or the zip has other
        than one table, a member that is encrypted, larger than `max_bytes`, packed by another method than deflate, or
        packed as no table is (a zip bomb).
    """
    if not path.is_file():
        raise InputError(f"{path} is no file; expected a product of EGMS as .zip or .csv: check the path")
    beside = path.with_suffix(".xml")
    if path.suffix.lower() != ".zip":
        header = _read_beside(beside)
        with path.open("rb") as table:
            yield Opened(str(path), path.name, table, header)
        return
    with _open_zip(path) as archive:
        member = _one(archive, ".csv", path, max_bytes)
        header_member = _one(archive, ".xml", path, _MAX_HEADER)
        if member is None:
            raise InputError(f"{path} holds no .csv; expected one table; it has {archive.namelist()[:8]}")
        title = f"{path}: {member.filename}"
        with refused(title):
            header = _read_beside(beside) if header_member is None else archive.read(header_member)
            packed = member.compress_type == zipfile.ZIP_DEFLATED
            table = Unpacked(archive.fp, member) if packed else archive.open(member)
        with table:
            yield Opened(title, member.filename.rpartition("/")[2], table, header)


@contextmanager
def refused(title: str) -> Iterator[None]:
    """Turn what zipfile raises on a broken archive into one clear error."""
    try:
        yield
    except InputError:
        raise
    except _BROKEN as error:
        raise InputError(f"{title} cannot be unpacked ({error}); it is truncated or corrupt: fetch it again") from error


@contextmanager
def _open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    with refused(str(path)):
        archive = zipfile.ZipFile(path)
    with archive:
        yield archive


def _one(archive: zipfile.ZipFile, suffix: str, path: Path, limit: int) -> zipfile.ZipInfo | None:
    members = archive.infolist()
    if len(members) > _MAX_MEMBERS:
        raise InputError(f"{path} holds {len(members)} members; expected a table and a header")
    for member in members:
        if _OUTSIDE.search(member.orig_filename):
            raise InputError(f"{path}: member {member.orig_filename!r} leads out of the folder; do not trust this file")
    found = [each for each in members if each.filename.lower().endswith(suffix) and not each.is_dir()]
    if len(found) > 1:
        raise InputError(f"{path} holds {[each.filename for each in found]}; expected one {suffix}")
    for member in found:
        title = f"{path}: member {member.filename}"
        if member.flag_bits & 1:
            raise InputError(f"{title} is encrypted; expected an open file")
        if member.compress_type not in _METHODS:
            raise InputError(f"{title} is packed by method {member.compress_type}; expected deflate: pack it again")
        if member.file_size > limit:
            raise InputError(f"{title} has {member.file_size} bytes; expected at most {limit}")
        if member.file_size > _MAX_RATIO * max(member.compress_size, 1) and member.file_size > 2**20:
            raise InputError(
                f"{title} is packed {member.file_size // max(member.compress_size, 1)} to 1, as no table is (a zip "
                f"bomb?); expected less than {_MAX_RATIO} to 1"
            )
    return found[0] if found else None


def _read_beside(path: Path) -> bytes | None:
    if not path.is_file():
        return None
    if path.stat().st_size > _MAX_HEADER:
        raise InputError(f"{path} has {path.stat().st_size} bytes; expected a header of at most {_MAX_HEADER}")
    return path.read_bytes()


def lines(table: BinaryIO, title: str, size: int, *, max_line: int = 2**20) -> Iterator[bytes | memoryview]:
    """Whole lines, about `size` bytes at a time, the first one alone; the last gets a line feed if it has none.

    Raises
    ------
    InputError
        If a line is longer than `max_line`, or the archive is broken.
    """
    rest, first = memoryview(b""), True
    while True:
        block = bytearray(len(rest) + (min(size, max_line) if first else size))
        block[: len(rest)] = rest
        with refused(title):
            stop = _fill(table, block, len(rest))
        if stop == len(rest):
            break
        begin, end = 0, block.rfind(b"\n", 0, stop) + 1
        if first and end:
            begin, first = block.find(b"\n") + 1, False
            yield bytes(block[:begin])
        if end > begin:
            yield memoryview(block)[begin:end]
        rest = memoryview(block)[end:stop]
        if len(rest) > max_line:
            raise InputError(f"{title} has a line of more than {max_line} bytes; expected a table of text")
    if rest:
        yield bytes(rest) + b"\n"


def _fill(table: BinaryIO, block: bytearray, start: int) -> int:
    """Read from `start` on until the block is full or the table ends; where what was read stops."""
    view = memoryview(block)
    while start < len(block) and (count := table.readinto(view[start:])):
        start += count
    return start
