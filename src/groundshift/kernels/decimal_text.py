"""Tables of decimal numbers as text: rows that start with a name, then numbers, separated by commas.

Numbers are those that tables of measurements hold: sign, digits, point, digits, rarely an exponent. An empty field or
`nan` is no data. Other text is a fault, which is returned with its row and column, not raised.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numba
import numpy as np

from groundshift.errors import InputError
from groundshift.kernels.short_numbers import TABLED, TABLED_DECIMALS, put_tabled, short_number

FINE, TOO_FEW, TOO_MANY, NO_NUMBER, BAD_NAME = range(5)
NO_DECIMALS = 99  # of a column without a number

_MINUS, _PLUS, _POINT, _COMMA, _NEWLINE, _RETURN = (ord(each) for each in "-+.,\n\r")
_DIGITS = 18  # that fit int64
_WORD = 8  # bytes
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
        np.empty((count, values)),
        np.empty((count, dates), np.float32),
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
    decimals, first = np.asarray(decimals, np.int64), values.shape[1]
    width = _width(values, decimals[:first]) * first + _width(series, decimals[first:]) * series.shape[1]
    width += (len(missing) + 1) * len(decimals) + len(line_end)
    out = np.empty(len(names) + len(values) * width + _WORD, np.uint8)
    limits = np.where(decimals <= TABLED_DECIMALS, TABLED - 1, 0)
    lone, end = np.frombuffer(missing, np.uint8), np.frombuffer(line_end, np.uint8)
    how = decimals, 10.0**decimals, limits, _tables(min(least, _DIGITS)), least, lone, end
    return out[: _write(names, name_ends, values, series, *how, out)]


def _width(numbers: np.ndarray, decimals: np.ndarray) -> int:
    """Characters that a number has at most, with comma, sign and point."""
    largest, most = _largest(numbers), int(np.max(decimals, initial=0))
    if not largest < 10.0 ** (_DIGITS - most):
        raise InputError(f"numbers up to {largest:g} have too many digits for text of {most} decimals")
    return len(str(int(largest))) + most + 4


@functools.cache
def _tables(least: int) -> np.ndarray:
    """Words of :func:`put_tabled`: a comma, the text of a number, and in the last byte how many they are."""
    out = np.zeros((TABLED_DECIMALS + 1, 2 * TABLED, _WORD), np.uint8)
    _fill(least, out)
    return out.view("<u8")[:, :, 0]


@numba.njit(cache=True, nogil=True)
def _fill(least, out):
    none = np.empty(0, np.uint8)
    for decimals in range(out.shape[0]):
        scale = 10.0**decimals
        for whole in range(TABLED):
            for value, place in ((whole / scale, whole), (-(whole / scale), whole + TABLED)):
                word = out[decimals, place]
                word[0] = _COMMA
                word[-1] = _put(value, decimals, scale, least, none, word, 1)


@numba.njit(cache=True, nogil=True)
def _largest(numbers):
    """Absolute value of the largest, 0 without one; NaN is no number."""
    largest = 0.0
    for each in numbers.flat:
        largest = max(largest, abs(each))  # NaN is not larger
    return largest


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
    near_end = text.size - _WORD
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
            count, good = -1, True
            if position <= near_end:
                value, position, count = short_number(text, position, scales)
            if count < 0:
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
                if count < decimals[0, column]:
                    decimals[0, column] = count
                if count > decimals[1, column]:
                    decimals[1, column] = count
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
def _write(names, name_ends, values, series, decimals, scales, limits, tables, least, missing, line_end, out):
    size = 0
    first = values.shape[1]
    columns = first + series.shape[1]
    for row in range(values.shape[0]):
        for each in names[name_ends[row] : name_ends[row + 1]]:
            out[size] = each
            size += 1
        for column in range(columns):
            value = values[row, column] if column < first else np.float64(series[row, column - first])
            after = put_tabled(tables, decimals[column], limits[column], scales[column], value, out, size)
            if after == size:
                out[size] = _COMMA
                after = _put(value, decimals[column], scales[column], least, missing, out, size + 1)
            size = after
        for each in line_end:
            out[size] = each
            size += 1
    return size
