"""`groundshift profile`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app
from groundshift.cli.options import Out


@app.command(
    name="profile", epilog="Example: groundshift profile result/displacement.tif fault.geojson --width 500 -o profile"
)
def profile(
    map_file: Annotated[Path, typer.Argument(metavar="MAP", help="Displacement map.")],
    trace: Annotated[
        str, typer.Argument(help="Trace of the fault: a GeoJSON line, or points 'x,y x,y ...' in the CRS of the map.")
    ],
    out: Out,
    length: Annotated[
        float | None,
        typer.Option(
            help="Length of the profile across the trace, metres; 400 map pixels if not given.", show_default=False
        ),
    ] = None,
    width: Annotated[
        float | None,
        typer.Option(
            help="Width of the swath along the trace, metres; a fifth of the trace if not given.", show_default=False
        ),
    ] = None,
    gap: Annotated[
        float | None,
        typer.Option(
            help="Left out on each side of the trace, metres; four map pixels if not given.", show_default=False
        ),
    ] = None,
    spacing: Annotated[
        float | None,
        typer.Option(
            help="Distance of the offsets along the trace, metres; a twentieth of it if not given.", show_default=False
        ),
    ] = None,
) -> None:
    """Stack the displacement across a fault and read its offset, with error bars."""
    from groundshift.optical.profile import write_profiles

    typer.echo(write_profiles(map_file, trace, out, length=length, width=width, gap=gap, spacing=spacing))
