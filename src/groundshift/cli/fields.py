"""`groundshift fields`."""

from __future__ import annotations

import typer

from groundshift.cli.app import app
from groundshift.cli.convert import Component, Dialect, OutFile, Source, To


@app.command(name="fields", epilog="Example: groundshift fields points.parquet -o again.parquet")
def fields(points: Source, out: OutFile, to: To = None, component: Component = None, dialect: Dialect = None) -> None:
    """Compute velocity, acceleration, seasonality and quality of points again, from their series."""
    from groundshift.io.convert import convert
    from groundshift.products.fields import recomputed

    done = convert(points, out, to=to, component=component, dialect=dialect, change=recomputed)
    typer.echo(f"{done} is written")
