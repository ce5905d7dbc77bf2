"""Columns of the tables of EGMS: their names in the two dialects, their order, and their decimals."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from groundshift.errors import InputError
from groundshift.kernels.decimal_text import NO_DECIMALS, Rows
from groundshift.model.points import COLUMNS, NOT_OF_EGMS, OPTIONAL_COLUMNS

_NEWER = {"height": "height_ortho", "height_wgs84": "height_ellipse", "rmse": "rmse_ts"}
_OLDER = {newer: name for name, newer in _NEWER.items()}
_ALL = 18  # decimals: none is left off
_ENDS_IN_ZERO = re.compile(rb"\.\d+0[,\r\n]")  # more than one decimal
_SAMPLE = 2**16  # bytes
_DATE = re.compile(r"\d{8}")
# fmt: off
_DECIMALS = {
    **dict.fromkeys(("cluster_label", "mp_type", "line", "pixel"), 0),
    **dict.fromkeys(("latitude", "longitude"), 6),
    **dict.fromkeys(("los_east", "los_north", "los_up"), 3),
    **dict.fromkeys(("easting", "northing", "temporal_coherence", "amplitude_dispersion", "incidence_angle",
                     "track_angle", "acceleration", "acceleration_std"), 2),
}
# fmt: on


class Layout(NamedTuple):
    """The columns of one table."""

    level: str  # L2a, L2b or L3
    columns: tuple[str, ...]  # as the file names them, without the dates; the first is `pid`
    dates: np.ndarray  # datetime64[D] (n,), increasing

    @property
    def names(self) -> tuple[str, ...]:
        """The columns as a point set names them."""
        return tuple(_OLDER.get(name, name) for name in self.columns)


class Style(NamedTuple):
    """How a table is written, so that it can be written again."""

    columns: list[str]  # names in the file, without the dates
    decimals: dict[str, int]  # of the columns of numbers, named as in a point set, and of `displacement`
    least: int  # zeros at the end are left off down to so many decimals
    missing: str  # what stands for no data
    line_end: str

    def counts(self, layout: Layout) -> np.ndarray:
        """Decimals of each column of numbers, int (columns + dates,)."""
        values = [self.decimals[name] for name in layout.names[1:]]
        return np.array(values + [self.decimals["displacement"]] * len(layout.dates))


def documented_style(level: str) -> Style:
    """Columns and decimals of the product description (v2.0, 2023)."""
    return _style(level, COLUMNS[level], {})


def newer_style(level: str, available: Sequence[str]) -> Style:
    """Columns as in files of 2020-2024, with those of :data:`OPTIONAL_COLUMNS` that are available."""
    return _style(level, (*COLUMNS[level], *(name for name in _optional(level) if name in available)), _NEWER)


def _optional(level: str) -> tuple[str, ...]:
    return tuple(name for name in OPTIONAL_COLUMNS[level] if name not in NOT_OF_EGMS)


def _style(level: str, names: Sequence[str], translation: Mapping[str, str]) -> Style:
    counts = {name: decimals_of(name, level) for name in (*names[1:], "displacement")}
    return Style([translation.get(name, name) for name in names], counts, 1 if translation else _ALL, "", "\n")


def decimals_of(name: str, level: str) -> int:
    """How many decimals a column (named as in a point set) is written with; 1 for the series."""
    if level == "L3" and name in ("easting", "northing"):
        return 0
    return _DECIMALS.get(name, 1)


def style_of(rows: Rows, text: bytes | memoryview, layout: Layout) -> Style:
    """The style of some rows.

    Parameters
    ----------
    rows
        As `kernels.decimal_text` reads them.
    text
        What they were read from.
    """
    first = len(layout.columns) - 1
    names = (*layout.names[1:], "displacement")
    usual = np.array([decimals_of(name, layout.level) for name in names])
    low, high = (
        np.append(each[:first], pick(each[first:])) for each, pick in zip(rows.decimals, (np.min, np.max), strict=True)
    )
    uneven, short = low < high, (low != NO_DECIMALS) & (high > 0) & (high < usual)
    least = _ALL
    if uneven.any():
        least = int(low[uneven].min())
    elif short.any() and not _ENDS_IN_ZERO.search(text, 0, _SAMPLE):
        least = int(high[short].min())  # too few rows to be uneven
    counts = np.where(
        low == NO_DECIMALS, usual, high if least == _ALL else np.where(high == 0, 0, np.maximum(usual, high))
    )
    gaps = np.isnan(rows.values).any() or np.isnan(rows.series).any()
    words = (word for word in ("nan", "NaN", "NAN") if gaps and f",{word}".encode() in bytes(text))
    decided = dict(zip(names, counts.tolist(), strict=True))
    return Style(list(layout.columns), decided, least, next(words, ""), "\r\n" if text[-2:-1] == b"\r" else "\n")


def parse_columns(line: str, title: str) -> Layout:
    """The layout from the first line of a table, in either dialect.

    Raises
    ------
    InputError
        If columns are missing, unknown or twice there, if dates come before other columns, are none of the calendar,
        are twice there or not in order.
    """
    fields = [field.strip().strip('"') for field in line.split(",")]
    split = next((i for i, field in enumerate(fields) if _DATE.fullmatch(field)), len(fields))
    columns = tuple(fields[:split])
    names = [_OLDER.get(name, name) for name in columns]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"{title}: line 1 has columns twice: {', '.join(twice)}; expected each once")
    level = "L3" if "los_east" not in names else "L2a" if "cluster_label" in names else "L2b"
    if missing := [name for name in COLUMNS[level] if name not in names]:
        raise InputError(f"{title}: line 1 lacks columns of {level}: {', '.join(missing)}; is it a table of EGMS?")
    if unknown := [name for name in names if name not in (*COLUMNS[level], *_optional(level))]:
        raise InputError(f"{title}: line 1 has columns that {level} does not have: {', '.join(unknown)}; remove them")
    if names[0] != "pid":
        raise InputError(f"{title}: line 1 starts with {names[0]!r}; expected the column 'pid'")
    return Layout(level, columns, _parse_dates(fields[split:], title))


def resaved(line: bytes) -> Callable[[bytes | memoryview], bytes] | None:
    """What turns the text of a table that another program saved into that of EGMS; None if it is as delivered.

    Parameters
    ----------
    line
        The first line. If there are semicolons or tabs in it, and no commas, they separate fields, and commas below it
        are decimal points. Quotes are left out.
    """
    separator = next((each for each in (b";", b"\t") if each in line and b"," not in line), None)
    if separator is None and b'"' not in line:
        return None
    table = bytes.maketrans(b"", b"") if separator is None else bytes.maketrans(separator + b",", b",.")
    return lambda text: bytes(text).translate(table, b'"')


def _parse_dates(fields: list[str], title: str) -> np.ndarray:
    if not fields:
        raise InputError(f"{title}: line 1 has no dates; expected columns such as 20200103 after the others")
    try:
        if wrong := [field for field in fields if not _DATE.fullmatch(field)]:
            raise ValueError(f"{wrong[0]!r} stands among the dates")
        dates = np.array([f"{each[:4]}-{each[4:6]}-{each[6:]}" for each in fields], "datetime64[D]")
    except ValueError as error:
        raise InputError(f"{title}: line 1: {error}; expected dates as YYYYMMDD to the end of the line") from error
    steps = np.diff(dates).astype(int)
    if (steps <= 0).any():
        i = int(np.argmax(steps <= 0))
        what = "is there twice" if fields[i + 1] in fields[: i + 1] else f"comes after {fields[i]}"
        raise InputError(f"{title}: line 1: the date {fields[i + 1]} {what}; expected dates in order, each once")
    return dates
