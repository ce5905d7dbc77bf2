"""`groundshift info`."""

from __future__ import annotations

from typing import Annotated

import typer

from groundshift.cli.app import app


@app.command(name="info", epilog="Example: groundshift info EGMS_L3_E45N17_100km_U_2020_2024_1.zip")
def info(
    file: Annotated[
        str,
        typer.Argument(
            help="Points or a store, a radar stack, stations, a displacement map, or an image as of `pair`."
        ),
    ],
    band: Annotated[str | None, typer.Option(help="Band of an image.", show_default=False)] = None,
    crs: Annotated[str | None, typer.Option(help="CRS of an image without one.", show_default=False)] = None,
    frame: Annotated[
        str | None, typer.Option(help="Frame of stations whose file does not say it.", show_default=False)
    ] = None,
) -> None:
    """Say how a file is understood: an image, a displacement map, a radar stack, points, stations."""
    from groundshift.io.describe import describe_file

    typer.echo(describe_file(file, band=band, crs=crs, frame=frame))
