"""`groundshift compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app
from groundshift.cli.options import Out


@app.command(name="compare", epilog="Example: groundshift compare result/displacement.tif its_live.tif -o comparison")
def compare(
    first: Annotated[Path, typer.Argument(help="Displacement map (GeoTIFF or NetCDF).")],
    second: Annotated[
        Path, typer.Argument(help="Another one; a map of another program is made one by `convert --from`.")
    ],
    out: Out,
    where: Annotated[
        Path | None, typer.Option(help="Compare only here: raster or polygons.", show_default=False)
    ] = None,
    ramp: Annotated[
        bool, typer.Option("--ramp", help="Take a plane from the difference, not an offset alone.")
    ] = False,
) -> None:
    """Compare two displacement maps: what they differ by, and whether their uncertainties allow it."""
    from groundshift.optical.compare import write_comparison

    typer.echo(write_comparison(first, second, out, where=where, ramp=ramp))
