"""The command line: one module a command, and no logic."""

from groundshift.cli.app import app

__all__ = ["app"]
