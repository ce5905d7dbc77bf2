"""Text of station files: plain or compressed, with clear errors."""

from __future__ import annotations

import gzip
import lzma
import math
from pathlib import Path

from groundshift.errors import InputError

_LARGEST = 1e9  # of any number in files of stations, whatever its unit
_OPEN = {".gz": gzip.open, ".xz": lzma.open}


def read_lines(path: str | Path) -> list[str]:
    """The lines of a text file, plain, .gz or .xz, without line ends.

    Raises
    ------
    InputError
        If it is missing or is no text.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is no file; expected stations of satellite navigation as text: check the path")
    try:
        with _OPEN.get(path.suffix.lower(), open)(path, "rt", encoding="utf-8-sig") as stream:
            return stream.read().splitlines()
    except (OSError, UnicodeDecodeError, lzma.LZMAError, EOFError) as error:
        raise InputError(f"{path} cannot be read as text ({error}); it may be truncated: fetch it again") from error


def numbers(path: str | Path, line: int, words: list[str]) -> list[float]:
    """Words as numbers, which may be NaN; InputError that names the line if one is none, or is beyond 1e9."""
    return [_number(path, line, word) for word in words]


def _number(path: str | Path, line: int, word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.inf
    if abs(value) > _LARGEST:
        raise InputError(f"{path}, line {line}: {word[:40]!r} is no number up to {_LARGEST:.0e}; mend the line")
    return value
