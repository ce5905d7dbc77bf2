"""`groundshift explore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app


@app.command(name="explore", epilog="Example: groundshift explore EGMS_L2b_*.zip --assets bridges.geojson")
def explore(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="Stores, points (.zip, .parquet), maps and images (.tif), lines (.geojson), stations (.csv)."
        ),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines ask too.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for a free one.")] = 8520,
    name: Annotated[
        list[str] | None, typer.Option(help="Names under which other machines may ask the server.", show_default=False)
    ] = None,
    title: Annotated[str, typer.Option(help="Shown at the top of the page.")] = "groundshift",
    basemap: Annotated[
        str | None,
        typer.Option(
            help="Address of an online base map with {z}, {x}, {y}; none is asked without.", show_default=False
        ),
    ] = None,
    credit: Annotated[
        str | None, typer.Option(help="Who made the data, shown at the foot of the map.", show_default=False)
    ] = None,
    frame: Annotated[
        str | None, typer.Option(help="Frame of station velocities whose file does not say it.", show_default=False)
    ] = None,
    assets: Annotated[
        Path | None,
        typer.Option(
            help="Bridges, railways, roads, buildings or dams; the map tells which span of them moves.",
            show_default=False,
        ),
    ] = None,
    vertical: Annotated[bool, typer.Option("--vertical", help="Of assets: take the motion for vertical.")] = False,
    relief: Annotated[
        Path | None,
        typer.Option(
            help="Heights in metres (a digital elevation model), drawn as a grey hillshade.", show_default=False
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            help="Write the page and its data into this folder, which needs no server, and stop.", show_default=False
        ),
    ] = None,
) -> None:
    """Open a map of points, displacement maps, images, stations and faults in the browser."""
    if export is not None:
        from groundshift.explore.export import export_page

        files = export_page(
            sources, export, title=title, basemap=basemap, credit=credit, frame=frame, assets=assets,
            vertical=vertical, relief=relief,
        )  # fmt: skip
        typer.echo(f"{files} files are in {export}; any web server can host them, and this opens by itself:")
        typer.echo((export / "index.html").resolve().as_uri())
        return
    from groundshift.explore.serve import serve

    serve(
        sources,
        host=host,
        port=port,
        names=name or [],
        title=title,
        basemap=basemap,
        credit=credit,
        frame=frame,
        assets=assets,
        vertical=vertical,
        relief=relief,
        say=typer.echo,
    )
