"""Packing tables into zips, and unpacking them, by blocks."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from isal import isal_zlib

ERRORS = (zipfile.BadZipFile, zlib.error, isal_zlib.error, struct.error, EOFError)
"""What reading a broken zip raises."""

_RAW = -15  # deflate without a header of its own
_PACKED = 2**18  # bytes that are unpacked at once
_END = b"\x03\x00"  # an empty last block
_LOCAL = struct.Struct("<4s22xHH")  # what stands before a member: its mark, and how long its name and extra fields are
_MARK = b"PK\x03\x04"


class Block(NamedTuple):
    """Some text, and the same packed: blocks one after the other are one stream."""

    text: memoryview
    packed: bytes


def pack(text: memoryview, level: int) -> Block:
    """Pack some text by itself.

    Parameters
    ----------
    level
        1 by ISA-L, the fastest; 2 to 9 as zlib has them.
    """
    packer = (isal_zlib if level == 1 else zlib).compressobj(level, zlib.DEFLATED, _RAW)
    return Block(text, packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH))


def write_zip(path: Path, table: str, blocks: Iterable[Block], header: str, content: Callable[[], bytes]) -> None:
    """Write a zip of a table that comes in blocks, and a header, which is made when all blocks have been.

    Members have no date: same blocks, same bytes.
    """
    with zipfile.ZipFile(path, "w") as archive:
        file, member = archive.fp, zipfile.ZipInfo(table)
        member.compress_type, member.header_offset, member.CRC = zipfile.ZIP_DEFLATED, 0, 0
        file.write(member.FileHeader(zip64=True))
        begin = file.tell()
        for block in blocks:
            file.write(block.packed)
            member.CRC = isal_zlib.crc32(block.text, member.CRC)
            member.file_size += len(block.text)
        file.write(_END)
        member.compress_size = file.tell() - begin
        file.seek(0)
        file.write(member.FileHeader(zip64=True))
        file.seek(0, io.SEEK_END)
        archive.filelist.append(member)
        archive.NameToInfo[table] = member
        archive.start_dir = file.tell()
        archive.writestr(zipfile.ZipInfo(header), content(), zipfile.ZIP_DEFLATED)


class Unpacked(io.RawIOBase):
    """What a deflated member of a zip holds; at the end its size and check sum are held against those it names.

    Parameters
    ----------
    file
        The zip, which stays open.
    member
        A member of it.
    """

    def __init__(self, file: BinaryIO, member: zipfile.ZipInfo) -> None:
        self._file, self._member = file, member
        file.seek(member.header_offset)
        mark, *lengths = _LOCAL.unpack(file.read(_LOCAL.size))
        if mark != _MARK:
            raise zipfile.BadZipFile("it is not where the list of members says")
        file.seek(sum(lengths), io.SEEK_CUR)
        self._stream = isal_zlib.decompressobj(_RAW)
        self._left = member.compress_size
        self._size = self._sum = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer; less only at the end."""
        view = memoryview(buffer).cast("B")
        size = 0
        while size < len(view) and (text := self._next(len(view) - size)):
            view[size : size + len(text)] = text
            size += len(text)
        return size

    def _next(self, most: int) -> bytes:
        """Some text, `most` bytes of it; nothing at the end."""
        while not self._stream.eof:
            packed = self._stream.unconsumed_tail
            if not packed:
                packed = self._file.read(min(_PACKED, self._left))
                self._left -= len(packed)
            text = self._stream.decompress(packed, most)
            self._sum, self._size = isal_zlib.crc32(text, self._sum), self._size + len(text)
            if self._size > self._member.file_size:
                raise zipfile.BadZipFile("it is larger than it says")
            if text:
                return text
            if not packed and not self._stream.eof:
                raise EOFError("its end is missing")
        if self._size != self._member.file_size or self._sum != self._member.CRC:
            raise zipfile.BadZipFile("its text is not that which was packed")
        return b""
