"""`groundshift assets`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app
from groundshift.cli.options import Out


class SheetFormat(StrEnum):
    """What `--sheet-format` takes."""

    PDF = "pdf"
    PNG = "png"


class ReferenceVelocity(StrEnum):
    """What `--reference` takes."""

    AROUND = "around"
    ZERO = "zero"


@app.command(
    name="assets",
    epilog="Example: groundshift assets EGMS_L3_E45N17_100km_U_2020_2024_1.zip bridges.geojson -o bridges",
)
def assets(
    points: Annotated[
        list[Path],
        typer.Argument(help="Point sets of one track: GeoParquet, or zip or CSV of EGMS.", metavar="POINTS…"),
    ],
    features: Annotated[
        Path,
        typer.Argument(
            metavar="ASSETS", help="Roads, railways, bridges, buildings, dams: GeoJSON, GeoPackage, OpenStreetMap…"
        ),
    ],
    out: Out,
    location_sigma: Annotated[float, typer.Option(help="How well a point's place is known, m, one sigma.")] = 5.0,
    vertical: Annotated[bool, typer.Option("--vertical", help="Take the motion for vertical.")] = False,
    reference: Annotated[
        ReferenceVelocity, typer.Option(help="Velocity of an asset at rest: that of the ground within 5 km, or zero.")
    ] = ReferenceVelocity.AROUND,
    reference_sigma: Annotated[float, typer.Option(help="For zero: how well it is known, mm/yr, one sigma.")] = 0.5,
    sheets: Annotated[int, typer.Option(help="How many assets get a page, the worst first.")] = 12,
    sheet_format: Annotated[SheetFormat, typer.Option(help="Of the pages.")] = SheetFormat.PDF,
    areas: Annotated[bool, typer.Option("--areas/--no-areas", help="Look for active areas too.")] = True,
) -> None:
    """Tell which roads, railways, bridges, buildings and dams move, bend or change, and where the ground is active."""
    from groundshift.products.assets import AssetConfig, assess_files

    config = AssetConfig(
        location_sigma=location_sigma,
        vertical=vertical,
        reference=reference.value,
        reference_sigma=reference_sigma,
        sheets=sheets,
        sheet_format=sheet_format.value,
    )
    typer.echo(assess_files(points, features, out, config))
    if areas:
        from groundshift.products.active_areas import find_areas_in_files

        typer.echo(find_areas_in_files(points, out))
