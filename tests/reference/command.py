"""The command line in the process of the tests: what it says, and how it ends, without the seconds of a start."""

import contextlib
import io
import logging
import signal
import subprocess
import sys
from unittest import mock

from groundshift.cli.app import app


def run(*words, check=False):
    """Run `groundshift WORDS…`; what came of it is told as `subprocess.run` tells it."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    terminated, handlers, level = signal.getsignal(signal.SIGTERM), logging.root.handlers[:], logging.root.level
    try:
        with (
            mock.patch.multiple(sys, argv=["groundshift", *map(str, words)], excepthook=sys.excepthook),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            app()
    except SystemExit as end:
        code = end.code or 0
    finally:
        signal.signal(signal.SIGTERM, terminated)
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
    assert not check or code == 0, err.getvalue()
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())
