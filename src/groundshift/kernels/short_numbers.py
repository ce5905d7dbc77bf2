"""Short decimal numbers as text, eight bytes at once: read without a loop over digits, written from a table.

Most numbers of a table of measurements have, with a sign and the comma beside them, at most eight characters: one word
of memory, little-endian. Source of how digits become a number: D. Lemire, "Quickly parsing eight digits" (2018).
"""

from __future__ import annotations

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

TABLED = 10_000  # numbers of up to four digits are in the tables
TABLED_DECIMALS = 3  # at most, so that comma, sign, point and four digits are seven bytes

_MINUS, _POINT, _COMMA, _NEWLINE, _RETURN = (np.uint64(ord(each)) for each in "-.,\n\r")
_BYTE = np.uint64(0xFF)
_ONE, _EIGHT, _SIXTEEN, _TOP = (np.uint64(bits) for bits in (1, 8, 16, 64))
_WHOLE_BYTES = np.uint64(0x38)  # of a count of bits
_NO_DIGIT = np.uint64(0x1010101010101010)  # this bit is set in digits, and not in sign, point, comma, line end
_ZEROS = np.uint64(0x3030303030303030)
_SIXES = np.uint64(0x0606060606060606)
_HIGH_HALVES = np.uint64(0xF0F0F0F0F0F0F0F0)
_PAIRS = np.uint64(0x000000FF000000FF)
_TEN, _LOW_PAIRS, _HIGH_PAIRS = np.uint64(10), np.uint64((1000000 << 32) + 100), np.uint64((10000 << 32) + 1)
_HALF, _LENGTH = np.uint64(32), np.uint64(56)


@intrinsic
def _load(_context, array, position):
    """Eight bytes at any position."""

    def generate(context, builder, signature, values):
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.load(builder.bitcast(builder.gep(data, [values[1]]), ir.IntType(64).as_pointer()), align=1)

    return types.uint64(array, position), generate


@intrinsic
def _store(_context, array, position, word):
    """Put eight bytes at any position."""

    def generate(context, builder, signature, values):
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        place = builder.bitcast(builder.gep(data, [values[1]]), ir.IntType(64).as_pointer())
        builder.store(values[2], place, align=1)
        return context.get_dummy_value()

    return types.void(array, position, word), generate


@intrinsic
def _zeros_below(_context, word):
    """How many bits below the lowest that is set are not; the word is not 0."""

    def generate(_context, builder, _signature, values):
        return builder.cttz(values[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@numba.njit(cache=True, nogil=True)
def short_number(text, position, scales) -> tuple[float, int, int]:
    """The number at a position at which eight bytes or more are left, if it and the mark after it are within these.

    Returns
    -------
    Value, position after it, and decimals; decimals of -1 if it is longer, no plain number, or nothing.
    """
    word = _load(text, position)  # pyright: ignore[reportCallIssue]
    sign = np.uint64(8) if word & _BYTE == _MINUS else np.uint64(0)
    word >>= sign
    marks = ~word & _NO_DIGIT  # behind a sign the word ends in zero, which is a mark, but none that ends a number
    if marks == 0:
        return np.nan, position, -1
    whole = _zeros_below(marks) & _WHOLE_BYTES
    end, digits, length = whole, word, whole
    if word >> whole & _BYTE == _POINT:
        marks &= marks - _ONE
        if marks == 0:
            return np.nan, position, -1
        end = _zeros_below(marks) & _WHOLE_BYTES
        length = end - _EIGHT
        low = (_ONE << whole) - _ONE
        digits = (word & low) | (word >> _EIGHT & ~low)
    stop = word >> end & _BYTE
    if length == 0 or stop not in (_COMMA, _NEWLINE, _RETURN):
        return np.nan, position, -1
    free = _TOP - length  # length is 8 to 56
    digits = (digits << free) | (_ZEROS & ((_ONE << free) - _ONE))
    if ((digits + _SIXES) | digits) & _HIGH_HALVES != _ZEROS:
        return np.nan, position, -1
    digits -= _ZEROS
    digits = digits * _TEN + (digits >> _EIGHT)
    digits = ((digits & _PAIRS) * _LOW_PAIRS + (digits >> _SIXTEEN & _PAIRS) * _HIGH_PAIRS) >> _HALF
    decimals = np.int64(length - whole) >> 3
    value = np.float64(np.int64(digits)) / scales[decimals]
    return -value if sign else value, position + (np.int64(end + sign) >> 3), decimals


@numba.njit(cache=True, nogil=True)
def put_tabled(tables, decimals, limit, scale, value, out, size) -> int:
    """Write a comma and a number from the tables at `size`, where eight bytes or more are free.

    Returns
    -------
    The position after it; `size` itself if the number is not in the tables.
    """
    rest = np.abs(value) * scale
    if not rest < limit:
        return size
    word = tables[decimals, np.int64(np.rint(rest)) + (TABLED if np.signbit(value) else 0)]
    _store(out, size, word)  # pyright: ignore[reportCallIssue]
    return size + np.int64(word >> _LENGTH)
