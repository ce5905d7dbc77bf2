"""Rows of decimal numbers as text."""

import numpy as np
import pytest

from groundshift.kernels.decimal_text import (
    BAD_NAME,
    FINE,
    NO_DECIMALS,
    NO_NUMBER,
    TOO_FEW,
    TOO_MANY,
    read_rows,
    write_rows,
)  # fmt: skip


def read(text, values=2, dates=1):
    return read_rows(np.frombuffer(text.encode(), np.uint8), values, dates)


def test_rows_are_read():
    rows, fault = read("ab,1,-0.50,3.25\nc,,nan,1e2\r\nd,+.5,5.,-0\n")
    assert fault.kind == FINE
    assert rows.names.tobytes() == b"abcd"
    assert rows.name_ends.tolist() == [0, 2, 3, 4]
    np.testing.assert_array_equal(rows.values, [[1, -0.5], [np.nan, np.nan], [0.5, 5]])
    np.testing.assert_array_equal(rows.series, np.array([[3.25], [100], [-0.0]], np.float32))
    assert np.signbit(rows.series[2, 0])
    assert rows.decimals.tolist() == [[0, 0, 0], [1, 2, 2]]
    assert read("a,,,\n")[0].decimals.tolist() == [[NO_DECIMALS] * 3, [0] * 3]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a,1,2,3\nb,1,2\n", (TOO_FEW, 1, 2)),
        ("a,1,2,3,4\n", (TOO_MANY, 0, 3)),
        ("a,1,2,3\n\n", (TOO_FEW, 1, 0)),
        ("a\n", (TOO_FEW, 0, 0)),
        (",1,2,3\n", (BAD_NAME, 0, 0)),
        ("a b,1,2,3\n", (BAD_NAME, 0, 0)),
        ("a,1,x,3\n", (NO_NUMBER, 0, 2)),
        ("a,1,2.3.4,3\n", (NO_NUMBER, 0, 2)),
        ("a,1,-,3\n", (NO_NUMBER, 0, 2)),
        ("a,1,inf,3\n", (NO_NUMBER, 0, 2)),
        ("a,1,1e,3\n", (NO_NUMBER, 0, 2)),
        ("a,1,1e99,3\n", (NO_NUMBER, 0, 2)),
        ("a,1,1 ,3\n", (NO_NUMBER, 0, 2)),
        ("a,1,2,3\r4\n", (NO_NUMBER, 0, 3)),
        ("a,1,0000000000000000001,3\n", (NO_NUMBER, 0, 2)),
    ],
)
def test_faults_are_found_where_they_are(text, fault):
    assert read(text)[1] == fault


def test_rows_are_written():
    names, ends = np.frombuffer(b"abc", np.uint8), np.array([0, 2, 3], np.int32)
    values, series = np.array([[1.25, -0.04], [np.nan, 7]]), np.array([[0.1], [-12.0]], np.float32)
    fixed = write_rows(names, ends, values, series, np.array([3, 1, 2]), missing=b"nan", line_end=b"\r\n")
    assert fixed.tobytes() == b"ab,1.250,-0.0,0.10\r\nc,nan,7.0,-12.00\r\n"
    short = write_rows(names, ends, values, series, np.array([3, 0, 2]), least=1)
    assert short.tobytes() == b"ab,1.25,-0,0.1\nc,,7,-12.0\n"
    least = write_rows(names, ends, values, series, np.array([3, 1, 2]), least=0)
    assert least.tobytes() == b"ab,1.25,-0,0.1\nc,,7,-12\n"


def test_numbers_of_too_many_digits_are_refused():
    with pytest.raises(ValueError, match="too many digits"):
        write_rows(np.zeros(1, np.uint8), np.array([0, 1]), np.array([[1e17]]), np.empty((1, 0)), np.array([3]))
