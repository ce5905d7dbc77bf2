"""Work that is done ahead comes in order, and its errors where it is asked for."""

import threading

import pytest

from groundshift.io.ahead import mapped


def test_results_come_in_order_from_several_threads():
    both = threading.Barrier(2, timeout=60)  # passed only if two items are worked on at once

    def work(item):
        both.wait()
        return 2 * item, threading.get_ident()

    found = list(mapped(work, range(6)))
    assert [each for each, _ in found] == [0, 2, 4, 6, 8, 10]
    assert len({thread for _, thread in found}) == 2


def test_no_more_is_taken_than_is_needed_soon():
    taken = []
    results = mapped(lambda item: item, (taken.append(k) or k for k in range(100)), workers=2)
    assert [next(results), next(results)] == [0, 1]
    assert len(taken) <= 4
    results.close()
    assert len(taken) <= 4


def test_errors_are_raised_where_the_result_is_asked_for():
    results = mapped(lambda item: 1 // item, [1, 1, 0, 1])
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
