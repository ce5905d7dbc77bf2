"""Tables of decimal numbers as text: rows that start with a name, then numbers, separated by commas.

Numbers are those that tables of measurements hold: sign, digits, point, digits, rarely an exponent. An empty field or
`nan` is no data. Other text is a fault, which is returned with its row and column, not raised.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

FINE, TOO_FEW, TOO_MANY, NO_NUMBER, BAD_NAME = range(5)
NO_DECIMALS = 99  # of a column without a number

_MINUS, _PLUS, _POINT, _COMMA, _NEWLINE, _RETURN = (ord(each) for each in "-+.,\n\r")
_DIGITS = 18  # that fit int64
_EXPONENT = 19


class Rows(NamedTuple):
    """Rows of text as arrays."""

    names: np.ndarray  # uint8: the names, one after the other
    name_ends: np.ndarray  # int32 (rows + 1): where they begin and end
    values: np.ndarray  # float64 (rows, values), NaN is no data
    series: np.ndarray  # float32 (rows, dates), NaN is no data
    decimals: np.ndarray  # int64 (2, columns): fewest and most decimals of each column; NO_DECIMALS and 0 if none


class Fault(NamedTuple):
    """Where text is not as expected."""

    kind: int  # FINE, or what is wrong
    row: int  # counted from 0
    column: int  # counted from 0


def read_rows(text: np.ndarray, values: int, dates: int) -> tuple[Rows, Fault]:
    """Read rows of a name, `values` numbers and `dates` numbers.

    Parameters
    ----------
    text
        uint8 (n,): whole rows, each with a line feed at its end (and perhaps a carriage return before it).
    values, dates
        How many numbers are kept as float64, and how many after them as float32.

    Returns
    -------
    The rows, and the first fault; rows after it are not filled.
    """
    count = int(np.count_nonzero(text == _NEWLINE))
    rows = Rows(
        np.empty(len(text), np.uint8),
        np.zeros(count + 1, np.int32),
        np.full((count, values), np.nan),
        np.full((count, dates), np.nan, np.float32),
        np.vstack([np.full(values + dates, NO_DECIMALS), np.zeros(values + dates, np.int64)]),
    )
    fault = Fault(*_read(text, *rows))
    return rows._replace(names=rows.names[: rows.name_ends[-1]]), fault


def write_rows(
    names: np.ndarray,
    name_ends: np.ndarray,
    values: np.ndarray,
    series: np.ndarray,
    decimals: np.ndarray,
    *,
    least: int = _DIGITS,
    missing: bytes = b"",
    line_end: bytes = b"\n",
) -> np.ndarray:
    """Write what :func:`read_rows` reads, rounded to the nearest decimal.

    Parameters
    ----------
    names, name_ends, values, series
        As in :class:`Rows`.
    decimals
        How many each column of numbers gets, int (values + dates,), up to 15.
    least
        Zeros at the end are left off down to this many decimals; all are kept if it is large.
    missing
        What stands for no data.
    line_end
        After each row.

    Returns
    -------
    uint8 (n,).
    """
    both = [np.abs(each) for each in (values, series) if each.size]
    largest = max((float(np.nanmax(each, initial=0)) for each in both), default=0.0)
    if not largest < 10.0 ** (_DIGITS - int(np.max(decimals, initial=0))):
        raise ValueError(f"numbers up to {largest:g} have too many digits for text of {np.max(decimals)} decimals")
    width = max(len(str(int(largest))) + int(np.max(decimals, initial=0)) + 4, len(missing) + 1)
    columns = values.shape[1] + series.shape[1]
    out = np.empty(len(names) + len(values) * (columns * width + len(line_end)), np.uint8)
    scales = 10.0 ** np.asarray(decimals, np.float64)
    lone, end = np.frombuffer(missing, np.uint8), np.frombuffer(line_end, np.uint8)
    size = _write(names, name_ends, values, series, np.asarray(decimals, np.int64), scales, least, lone, end, out)
    return out[:size]


@numba.njit(cache=True, nogil=True)
def _is_nan(text, start, stop):
    return stop - start == 3 and (text[start] | 32) == 110 and (text[start + 1] | 32) == 97 and (
        text[start + 2] | 32
    ) == 110  # fmt: skip


@numba.njit(cache=True, nogil=True)
def _number(text, position, scales):
    """Value, position after it, decimals (-1: none there), and whether it is a number or no data."""
    start = position
    negative = text[position] == _MINUS
    if negative or text[position] == _PLUS:
        position += 1
    whole, digits, point = 0, 0, -1
    while True:
        digit = np.int64(text[position]) - 48
        if 0 <= digit <= 9:
            whole = whole * 10 + digit
            digits += 1
        elif text[position] == _POINT and point < 0:
            point = digits
        else:
            break
        position += 1
        if digits > _DIGITS:
            return np.nan, position, -1, False
    if digits == 0:
        while text[position] != _COMMA and text[position] != _NEWLINE and text[position] != _RETURN:
            position += 1
        return np.nan, position, -1, position == start or _is_nan(text, start, position)
    decimals = 0 if point < 0 else digits - point
    value = whole / scales[decimals]
    if text[position] | 32 == 101:  # e
        position += 1
        down = text[position] == _MINUS
        if down or text[position] == _PLUS:
            position += 1
        power, seen = 0, 0
        while 48 <= text[position] <= 57 and seen < 3:
            power = power * 10 + np.int64(text[position]) - 48
            position += 1
            seen += 1
        if seen == 0 or power > _EXPONENT:
            return np.nan, position, -1, False
        value = value / scales[power] if down else value * scales[power]
        decimals = max(decimals + (power if down else -power), 0)
    return -value if negative else value, position, decimals, True


_SCALES = 10.0 ** np.arange(_EXPONENT + 1)


@numba.njit(cache=True, nogil=True)
def _read(text, names, name_ends, values, series, decimals):
    scales = _SCALES
    position, size = 0, 0
    first = values.shape[1]
    columns = first + series.shape[1]
    for row in range(values.shape[0]):
        while text[position] != _COMMA:
            if text[position] == _NEWLINE:
                return TOO_FEW, row, 0
            if not 33 <= text[position] <= 126:
                return BAD_NAME, row, 0
            names[size] = text[position]
            size += 1
            position += 1
        if size == name_ends[row]:
            return BAD_NAME, row, 0
        name_ends[row + 1] = size
        for column in range(columns):
            position += 1
            value, position, count, good = _number(text, position, scales)
            stop = text[position]
            last = stop == _NEWLINE or (stop == _RETURN and text[position + 1] == _NEWLINE)
            if not good or not (last or stop == _COMMA):
                return NO_NUMBER, row, column + 1
            if last != (column == columns - 1):
                return TOO_FEW if last else TOO_MANY, row, column + 1
            if column < first:
                values[row, column] = value
            else:
                series[row, column - first] = value
            if count >= 0:
                decimals[0, column] = min(decimals[0, column], count)
                decimals[1, column] = max(decimals[1, column], count)
        position += 1 if text[position] == _NEWLINE else 2
    return FINE, -1, -1


@numba.njit(cache=True, nogil=True)
def _put(value, decimals, scale, least, missing, out, size):
    """Write one number at `size`; the position after it."""
    if np.isnan(value):
        for each in missing:
            out[size] = each
            size += 1
        return size
    if np.signbit(value):
        out[size] = _MINUS
        size += 1
        value = -value
    rest = np.int64(np.rint(value * scale))
    while decimals > least and rest % 10 == 0:
        rest //= 10
        decimals -= 1
    length, left = 1, rest // 10
    while left > 0:
        length += 1
        left //= 10
    length = max(length, decimals + 1)
    position = size + length + (1 if decimals > 0 else 0)
    end = position
    for place in range(length):
        if place == decimals and decimals > 0:
            position -= 1
            out[position] = _POINT
        position -= 1
        out[position] = 48 + rest % 10
        rest //= 10
    return end


@numba.njit(cache=True, nogil=True)
def _write(names, name_ends, values, series, decimals, scales, least, missing, line_end, out):
    size = 0
    first = values.shape[1]
    for row in range(values.shape[0]):
        for each in names[name_ends[row] : name_ends[row + 1]]:
            out[size] = each
            size += 1
        for column in range(first):
            out[size] = _COMMA
            value = values[row, column]
            size = _put(value, decimals[column], scales[column], least, missing, out, size + 1)
        for date in range(series.shape[1]):
            out[size] = _COMMA
            column, value = first + date, np.float64(series[row, date])
            size = _put(value, decimals[column], scales[column], least, missing, out, size + 1)
        for each in line_end:
            out[size] = each
            size += 1
    return size
