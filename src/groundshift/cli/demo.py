"""`groundshift demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app
from groundshift.cli.options import Method, MethodName, Out


@app.command(name="demo", epilog="Example: groundshift demo -o demo-output")
def demo(
    out: Out = Path("demo-output"),
    method: Method = MethodName.AUTO,
    seed: Annotated[int, typer.Option(help="Of everything that is simulated.")] = 1,
) -> None:
    """Simulate an earthquake and a sinking town, measure them, and compare with the truth."""
    from groundshift.demo.story import run_demo

    typer.echo(run_demo(out, method=method, seed=seed))
