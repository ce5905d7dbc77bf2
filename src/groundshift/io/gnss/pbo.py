"""Daily positions of one station in the format of the Plate Boundary Observatory (.pos)."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

import numpy as np

from groundshift.errors import InputError
from groundshift.io.gnss.text import numbers, read_lines
from groundshift.model.stations import StationSeries, build_series

_HEAD = "PBO Station Position Time Series"
_COLUMNS = 24  # numbers; then a word that says which orbits were used


def is_pbo(line: str) -> bool:
    """Whether this is the first line of such a file."""
    return line.startswith(_HEAD)


def read_pos(path: str | Path, *, frame: str | None = None) -> StationSeries:
    """Read a file of format version 1.

    Its header gives frame, station and place; a line begins with YYYYMMDD and holds time and modified Julian day, X, Y,
    Z with standard deviations and correlations, latitude, longitude and height, displacements north, east, up with
    standard deviations (m) and correlations, and a word for the orbits. A day that comes twice counts once, the later
    line of it.

    Parameters
    ----------
    frame
        Of the positions; that of the header if not given.

    Raises
    ------
    InputError
        If the file is missing, is another format, says no frame, or a line is not as above.
    """
    lines = read_lines(path)
    if not lines or not is_pbo(lines[0]):
        raise InputError(f"{path} does not begin with {_HEAD!r}; expected positions in this format")
    head = _header(lines)
    if not head.get("format version", "1").startswith("1"):
        raise InputError(f"{path} is of format version {head['format version']}; version 1 can be read")
    found = re.search(r"Reference Frame\s*:\s*(\S+)", lines[0]) or re.search(
        r"\((\w+)", head.get("neu reference position", "")
    )
    known = frame or (found.group(1) if found else None)
    if known is None:
        raise InputError(f"{path} does not say in which frame its positions are; pass --frame IGS14, for example")
    place = numbers(path, 0, head.get("neu reference position", "").split("(")[0].split())
    if len(place) != 3 or "4-character id" not in head:
        raise InputError(f"{path} has no station or no reference position in its header; expected both")
    days: dict[date, list[float]] = {}
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if words and re.fullmatch(r"\d{8}", words[0]):
            if len(words) < _COLUMNS:
                raise InputError(f"{path}, line {number} has {len(words)} columns; expected {_COLUMNS} or more")
            try:
                day = datetime.strptime(words[0], "%Y%m%d").date()
            except ValueError as error:
                raise InputError(f"{path}, line {number}: {words[0]!r} is no day; expected YYYYMMDD") from error
            days[day] = numbers(path, number, words[15:21])
    if not days:
        raise InputError(f"{path} has no day; expected lines that begin with YYYYMMDD")
    order = sorted(days)
    values = np.array([days[day] for day in order])
    return build_series(
        head["4-character id"], place[0], place[1], order,
        1000 * values[:, [1, 0, 2]], 1000 * values[:, [4, 3, 5]], frame=known, source=Path(path).name, height=place[2],
    )  # fmt: skip


def _header(lines: list[str]) -> dict[str, str]:
    out: dict[str, str] = {}
    for line in lines:
        if line.startswith(("*YYYYMMDD", "Start Field")):
            break
        name, found, value = line.partition(":")
        if found:
            out.setdefault(name.strip().lower(), value.strip())
    return out
