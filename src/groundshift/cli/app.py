"""The `groundshift` command: options that all commands share, and how errors are shown."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn, TextIO

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

import groundshift
from groundshift.cli.recorded import recorded_command
from groundshift.errors import ConfigurationError, GroundshiftError, refused_fields

log = logging.getLogger(__name__)


class _Commands(typer.core.TyperGroup):
    """Shows our errors, and what the machine refuses, as one line, without a traceback; ends well when told to."""

    def __call__(self, *args: object, **kwargs: object) -> object:
        signal.signal(signal.SIGTERM, _terminated)
        _open_standard_streams()
        try:
            return super().__call__(*args, **kwargs)
        except GroundshiftError as error:
            _fail(str(error), error)
        except ValidationError as error:
            _fail(refused_fields(error, as_options=True), error)
        except MemoryError as error:
            _fail("there is not enough memory; use fewer workers, or give a part of the data", error)
        except OSError as error:
            _fail(f"{error or type(error).__name__}; mend it, then start the same command again", error)


def _open_standard_streams() -> None:
    """Put nothing in the place of standard streams that whoever started this closed, before a file takes their numbers:
    what is said would be written into it."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            nothing = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            os.set_inheritable(nothing, nothing == number)
            setattr(sys, name, os.fdopen(nothing, mode))


def _terminated(number: int, _: object) -> NoReturn:
    """End as if interrupted: workers are ended, temporary files removed, finished tiles kept."""
    raise SystemExit(128 + number)


def _fail(message: str, error: Exception) -> NoReturn:
    from groundshift.engine.journal import exit_code

    Console(stderr=True).print(f"[bold red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)
    log.debug("where it was raised", exc_info=error)
    sys.exit(exit_code(error))


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Satellite images in, ground displacement with its uncertainty out.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"groundshift {groundshift.__version__}")
        raise typer.Exit


@app.callback()
def main(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but warnings and errors.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Say more, and where errors were raised.")] = False,
    log_file: Annotated[
        Path | None,
        typer.Option(
            "--log", dir_okay=False, show_default=False, help="Also write all that is said here, a line of JSON each."
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Set up the log."""
    console = _console()
    console.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)
    console.addFilter(lambda record: verbose or "outputs" in getattr(record, "run", {"outputs": None}))
    logging.basicConfig(level=logging.WARNING, handlers=[console, *_lines(log_file)], force=True)
    logging.getLogger("groundshift").setLevel(logging.DEBUG if verbose else logging.INFO)


def _console() -> logging.Handler:
    """What a person sees; where standard error is no terminal, a line a message, with its time and level."""
    if sys.stderr.isatty():
        handler = RichHandler(console=Console(stderr=True), show_path=False, show_time=False, show_level=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
        return handler
    handler = _ToStandardError()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    return handler


class _ToStandardError(logging.StreamHandler):
    """Lines on standard error as it is when they are said: a program that runs commands may put another in its place,
    and close that, before Dask has said its last."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """Standard error."""
        return sys.stderr


class _LogFile(logging.FileHandler):
    """A log that says once, on standard error, that it cannot be written; the run goes on without it."""

    told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (the name that logging calls)
        """Say it, the first time."""
        if not self.told:
            self.told = True
            said = (
                f"warning: {self.baseFilename} cannot be written ({sys.exc_info()[1]}); the run goes on without a log"
            )
            typer.echo(said, err=True)


def _lines(path: Path | None) -> list[logging.Handler]:
    if path is None:
        return []
    from groundshift.engine.journal import JsonLines

    try:
        handler = _LogFile(path, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written ({error}); give another file for the log") from error
    handler.setFormatter(JsonLines())
    return [handler]


_PANELS = {
    "Images": ("pair", "profile", "compare"),
    "Radar": ("stack", "basic", "invert"),
    "Stations and products": ("gnss", "calibrate", "ortho", "fuse"),
    "Points and maps": ("info", "fields", "convert", "ingest", "assets", "validate", "explore"),
    "Truth and training": ("demo", "bench", "synth", "train"),
}
for _panel, _names in _PANELS.items():
    for _name in _names:
        _before = len(app.registered_commands), len(app.registered_groups)
        importlib.import_module(f"groundshift.cli.{_name}")
        for _new in (*app.registered_commands[_before[0] :], *app.registered_groups[_before[1] :]):
            _new.rich_help_panel = _panel
for _prefix, _typer in (("", app), *((f"{group.name} ", group.typer_instance) for group in app.registered_groups)):
    for _each in _typer.registered_commands:
        _each.callback = recorded_command(f"{_prefix}{_each.name}", _each.callback)
