"""Days on which positions of stations jumped: equipment that was changed, earthquakes."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

import numpy as np

from groundshift.errors import InputError
from groundshift.io.gnss.sinex import block, day_of, is_sinex
from groundshift.io.gnss.text import read_lines

Steps = dict[str, tuple[np.datetime64, ...]]
"""Days, datetime64[D], increasing, by the name of the station."""


def read_steps(path: str | Path) -> Steps:
    """Read the days of steps of many stations.

    Known are the table of the Nevada Geodetic Laboratory (steps.txt: station, day as 10JUL28, code 1 for equipment or
    2 for an earthquake nearby, and more), SINEX with a block SOLUTION/DISCONTINUITY, as the International GNSS Service
    and the ITRF hand on (the first day of each solution but the first, of positions and velocities), and CSV of two
    columns: station and day as 2009-04-06.

    Raises
    ------
    InputError
        If the file is missing, or a line is none of these.
    """
    lines = read_lines(path)
    if lines and is_sinex(lines[0]):
        found = _of_sinex(path, lines)
    else:
        found = [
            _of_line(path, number, line)
            for number, line in enumerate(lines, start=1)
            if line.strip() and not line.startswith("#") and not (number == 1 and _is_head(line))
        ]
    out: dict[str, set[np.datetime64]] = {}
    for name, day in found:
        out.setdefault(name, set()).add(day)
    if not out:
        raise InputError(f"{path} has no step; expected lines such as ABCD,2009-04-06")
    return {name: tuple(sorted(days)) for name, days in out.items()}


def _is_head(line: str) -> bool:
    return line.lower().startswith(("station", "name", "site")) and not any(each.isdigit() for each in line)


def _of_line(path: str | Path, number: int, line: str) -> tuple[str, np.datetime64]:
    words = [each.strip() for each in next(csv.reader([line]))] if "," in line.split("#")[0] else line.split()
    try:
        name, day = words[:2]
        form = "%Y-%m-%d" if "-" in day else "%y%b%d"
        return name, np.datetime64(datetime.strptime(day.title(), form).date())
    except ValueError as error:
        raise InputError(
            f"{path}, line {number}: {line[:40]!r} is no step; expected a station and a day, as 'ABCD,2009-04-06' or "
            "'ABCD 09APR06'"
        ) from error


def _of_sinex(path: str | Path, lines: list[str]) -> list[tuple[str, np.datetime64]]:
    """Columns are site, point, solution, technique, first and last epoch, P or V; 00:000:00000 is the beginning."""
    out = []
    for number, line in block(lines, "SOLUTION/DISCONTINUITY"):
        words = line.split()
        if len(words) < 6:
            raise InputError(f"{path}, line {number} has {len(words)} columns; expected site, point, solution, ... ")
        if (day := day_of(words[4])) is not None:
            out.append((words[0], day))
    return out
