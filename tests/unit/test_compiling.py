"""That kernels are compiled is said once, if it takes long, and never when they come out of the cache."""

import logging
from types import SimpleNamespace

import numba
import pytest
from numba.core import event

from groundshift.engine import compiling
from groundshift.engine.compiling import compilation_told


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="groundshift")
    return lambda: [each for each in caplog.messages if "compiling" in each]


@pytest.fixture
def passes(monkeypatch):
    """Lets seconds pass, on a clock of its own."""
    now, timers = [0.0], []

    class Timer:
        def __init__(self, seconds, call):
            self.at, self.call = now[0] + seconds, call

        def start(self):
            timers.append(self)

        def cancel(self):
            if self in timers:
                timers.remove(self)

    def let(seconds):
        now[0] += seconds
        for each in [each for each in timers if each.at <= now[0]]:
            timers.remove(each)
            each.call()

    monkeypatch.setattr(compiling, "threading", SimpleNamespace(Timer=Timer))
    monkeypatch.setattr(compiling, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return let


def test_a_long_compilation_is_told_once_while_it_lasts(said, passes):
    with compilation_told():
        with event.trigger_event("numba:compile"):
            with event.trigger_event("numba:compile"):
                passes(1.9)
                assert not said()
            passes(0.2)
            assert len(said()) == 1
        with event.trigger_event("numba:compile"):
            passes(10)
    assert len(said()) == 1


def test_short_ones_count_together_and_other_work_does_not(said, passes):
    with compilation_told():
        with event.trigger_event("numba:compile"):
            passes(1.5)
        passes(100)
        assert not said()
        with event.trigger_event("numba:compile"):
            passes(0.4)
            assert not said()
            passes(0.2)
            assert len(said()) == 1


def test_nothing_is_said_outside_a_command(said, passes):
    with compilation_told(), event.trigger_event("numba:compile"):
        pass
    with event.trigger_event("numba:compile"):
        passes(10)
    assert not said()


def test_numba_compiles_with_that_event_and_not_what_it_has():
    seen = []

    class Seen(event.Listener):
        def on_start(self, event):
            seen.append(event)

        def on_end(self, event):
            pass

    with event.install_listener("numba:compile", Seen()):
        one_more = numba.njit(lambda x: x + 1)
        one_more(1)
        assert len(seen) == 1
        one_more(2)
        assert len(seen) == 1
