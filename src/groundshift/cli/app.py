"""The `groundshift` command: options that all commands share, and how errors are shown."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

import groundshift
from groundshift.errors import GroundshiftError


class _Commands(typer.core.TyperGroup):
    """Shows our errors as one line, without a traceback."""

    def __call__(self, *args: object, **kwargs: object) -> object:
        try:
            return super().__call__(*args, **kwargs)
        except GroundshiftError as error:
            _fail(str(error))
        except ValidationError as error:
            _fail("; ".join(map(_refused, error.errors())))


def _refused(error: Mapping[str, Any]) -> str:
    """An option that a configuration refuses: its name, what came, what was expected."""
    option = str(error["loc"][0]).replace("_", "-") if error["loc"] else "options"
    came = "" if isinstance(error["input"], dict) else f" {error['input']}"
    message = error["msg"].removeprefix("Value error, ")
    return f"--{option}{came}: {message[0].lower()}{message[1:]}"


def _fail(message: str) -> None:
    Console(stderr=True).print(f"[bold red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)
    sys.exit(1)


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
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Set up the log."""
    handler = RichHandler(console=Console(stderr=True), show_path=False, show_time=False, show_level=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler], force=True)
    logging.getLogger("groundshift").setLevel(logging.WARNING if quiet else logging.INFO)


_PANELS = {
    "Images": ("pair", "profile"),
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
