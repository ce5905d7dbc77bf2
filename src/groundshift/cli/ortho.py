"""`groundshift ortho`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app
from groundshift.cli.options import Executor, Out, Workers


@app.command(name="ortho", epilog="Example: groundshift ortho calibrated/*.parquet --gnss stations.csv -o ortho")
def ortho(
    sources: Annotated[
        list[Path], typer.Argument(metavar="L2B...", help="Calibrated point sets (GeoParquet) of two tracks or more.")
    ],
    out: Out,
    north_removed: Annotated[
        bool, typer.Option("--north-removed", help="The series are already free of the GNSS north motion.")
    ] = False,
    gnss: Annotated[
        Path | None,
        typer.Option(
            help="Station velocities or a velocity grid, as for calibrate: its north part is taken off.",
            show_default=False,
        ),
    ] = None,
    frame: Annotated[
        str | None, typer.Option(help="Frame of the stations, if their file does not say.", show_default=False)
    ] = None,
    crs: Annotated[
        str | None,
        typer.Option(
            help="Projected CRS; EPSG:3035 in Europe, else a UTM zone, if not given; zips of EGMS in EPSG:3035 only.",
            show_default=False,
        ),
    ] = None,
    cell: Annotated[float, typer.Option(help="Side of a cell, metres.")] = 100.0,
    origin: Annotated[str, typer.Option(help="A date of the six-day grid, YYYY-MM-DD.")] = "2014-04-03",
    longest_gap: Annotated[int, typer.Option(help="Longest gap in a track that is bridged, days.")] = 90,
    scheduler: Executor = None,
    workers: Workers = None,
) -> None:
    """Solve tracks that look east and west for motion east and up, on a grid."""
    from groundshift.io.gnss.files import read_gnss
    from groundshift.products.ortho import OrthoConfig, make_ortho, velocity_field

    model = None if gnss is None else velocity_field(read_gnss(gnss, frame=frame))
    config = OrthoConfig(crs=crs, cell=cell, origin=origin, longest_gap=longest_gap)
    result = make_ortho(
        sources, out, config, north_removed=north_removed, model=model, executor=scheduler, workers=workers
    )
    report = result.report
    typer.echo(
        f"{report['cells']} cells from {report['points']} points, {report['dates']} dates; north motion: "
        f"{report['north']}\n{len(result.up)} tiles of U and E{' (also as zips of EGMS)' if result.zips else ''}, "
        f"velocity.tif, quicklook.png and record.json in {out}"
    )
