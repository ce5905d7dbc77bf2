"""`groundshift validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app
from groundshift.cli.options import Out


@app.command(
    name="validate", epilog="Example: groundshift validate calibrated/*.parquet --stations stations.csv -o report"
)
def validate(
    out: Out,
    points: Annotated[
        list[Path] | None,
        typer.Argument(help="Point sets to check, one a track or burst: GeoParquet, or zip or CSV of EGMS."),
    ] = None,
    map_file: Annotated[
        Path | None, typer.Option("--map", help="Displacement map to check.", show_default=False)
    ] = None,
    stations: Annotated[
        Path | None,
        typer.Option(help="Velocities of GNSS stations that had no part in the points.", show_default=False),
    ] = None,
    station_series: Annotated[
        list[Path] | None, typer.Option(help="Daily series of a GNSS station; may be repeated.", show_default=False)
    ] = None,
    levelling: Annotated[
        Path | None, typer.Option(help="Vertical velocities of levelled benchmarks.", show_default=False)
    ] = None,
    other: Annotated[
        Path | None, typer.Option(help="Another point set of the same ground.", show_default=False)
    ] = None,
    land_cover: Annotated[
        Path | None, typer.Option(help="Polygons with a class or a CORINE code.", show_default=False)
    ] = None,
    inventory: Annotated[
        Path | None, typer.Option(help="Outlines of landslides or subsidence.", show_default=False)
    ] = None,
    offsets: Annotated[
        Path | None, typer.Option(help="Points with offsets of GNSS stations, metres.", show_default=False)
    ] = None,
    trace: Annotated[Path | None, typer.Option(help="The line of a fault.", show_default=False)] = None,
    field: Annotated[
        Path | None, typer.Option(help="Points with offsets measured on the fault, metres.", show_default=False)
    ] = None,
    stable: Annotated[
        Path | None, typer.Option(help="Polygons or raster of stable ground.", show_default=False)
    ] = None,
    frame: Annotated[
        str | None, typer.Option(help="Frame of station files that do not name theirs.", show_default=False)
    ] = None,
    radius: Annotated[float, typer.Option(help="Around a station, within which points count, m.")] = 250.0,
    detection_rate: Annotated[
        float | None, typer.Option(help="Required of the inventory, 0 to 1.", show_default=False)
    ] = None,
    map_error: Annotated[float | None, typer.Option(help="Required of the map, m.", show_default=False)] = None,
    title: Annotated[str, typer.Option(help="Of the report.")] = "Validation",
) -> None:
    """Check points or a displacement map against stations, levelling, each other, and what the service promises."""
    from groundshift.validate.run import PAGE_NAME, REPORT_NAME, ValidationConfig, summary
    from groundshift.validate.run import validate as run

    config = ValidationConfig(
        points=tuple(points or ()),
        map=map_file,
        stations=stations,
        station_series=tuple(station_series or ()),
        levelling=levelling,
        other=other,
        land_cover=land_cover,
        inventory=inventory,
        offsets=offsets,
        trace=trace,
        field=field,
        stable=stable,
        frame=frame,
        radius=radius,
        detection_rate=detection_rate,
        map_error=map_error,
        title=title,
    )
    typer.echo(summary(run(config, out)))
    typer.echo(f"{REPORT_NAME} and {PAGE_NAME} are in {out}")
