"""`groundshift bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app
from groundshift.cli.options import MaxDisplacement, Method, MethodName, Step, Weights, Window

bench_app = typer.Typer(help="Measure how good a method is on cases with known truth.", no_args_is_help=True)
app.add_typer(bench_app, name="bench")


@bench_app.callback()
def bench() -> None:
    """Measure how good a method is on cases with known truth."""


@bench_app.command(name="optical", epilog="Example: groundshift bench optical cases/ --method dense")
def optical(
    folder: Annotated[Path, typer.Argument(help="Folder of cases, each with pre.tif, post.tif and truth.npz.")],
    method: Method = MethodName.AUTO,
    window: Window = 32,
    step: Step = None,
    max_displacement: MaxDisplacement = 10.0,
    weights: Weights = None,
) -> None:
    """Run a method over a folder of benchmark cases and print the table of its errors."""
    from groundshift.optical.config import PairConfig
    from groundshift.optical.pair import measure_pair
    from groundshift.validate.bench import run_bench

    # the score removes the misregistration of a case itself
    config = PairConfig(
        method=method, window=window, step=step, max_displacement=max_displacement, registration="none",
        weights=None if weights is None else str(weights),
    )  # fmt: skip
    table = run_bench(folder, lambda pre, post: measure_pair(pre, post, config=config, executor="serial"))
    typer.echo(table.text())
