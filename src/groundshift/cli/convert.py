"""`groundshift convert`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app


class FormatName(StrEnum):
    """What `--to` takes."""

    EGMS = "egms"
    CSV = "csv"
    GEOPARQUET = "geoparquet"
    GEOPACKAGE = "geopackage"
    GEOJSON = "geojson"
    NETCDF = "netcdf"
    COG = "cog"
    EGMS_TIFF = "egms-tiff"


class DialectName(StrEnum):
    """What `--dialect` takes."""

    DOCUMENTED = "documented"
    NEWER = "newer"


class ProgramName(StrEnum):
    """What `--from` takes."""

    COSI_CORR = "cosi-corr"
    AUTORIFT = "autorift"
    MICMAC = "micmac"


class ComponentName(StrEnum):
    """What `--component` takes."""

    UP = "U"
    EAST = "E"


Source = Annotated[
    Path,
    typer.Argument(help="EGMS .zip or .csv, GeoParquet, GeoPackage, GeoJSON, NetCDF, GeoTIFF.", show_default=False),
]
OutFile = Annotated[
    Path, typer.Option("--out", "-o", help="File for the result; a folder for a zip named as EGMS names it.")
]
To = Annotated[FormatName | None, typer.Option(help="Format; by the suffix if not given.", show_default=False)]
Component = Annotated[
    ComponentName | None, typer.Option(help="Of an L3 file that does not say it.", show_default=False)
]
Dialect = Annotated[
    DialectName | None,
    typer.Option(help="Columns of EGMS files; those of the source if not given.", show_default=False),
]


@app.command(
    name="convert", epilog="Example: groundshift convert EGMS_L3_E45N17_100km_U_2020_2024_1.zip -o points.gpkg"
)
def convert(
    source: Source,
    out: OutFile,
    to: To = None,
    component: Component = None,
    dialect: Dialect = None,
    program: Annotated[
        ProgramName | None,
        typer.Option("--from", help="The source is a displacement map of this program.", show_default=False),
    ] = None,
    crs: Annotated[str | None, typer.Option(help="With --from: CRS of a map without one.", show_default=False)] = None,
    sigma: Annotated[
        float | None,
        typer.Option(
            help="With --from: one standard deviation of each component, m (autorift: m/yr).", show_default=False
        ),
    ] = None,
    dates: Annotated[
        str | None, typer.Option(help="With --from: of both images, 2019-07-04,2019-07-06.", show_default=False)
    ] = None,
) -> None:
    """Convert measurement points, grids and displacement maps, also of other programs, to another format."""
    from groundshift.io.convert import convert as convert_file

    done = convert_file(
        source, out, to=to, component=component, dialect=dialect, program=program, crs=crs, sigma=sigma, dates=dates
    )
    typer.echo(f"{done} is written")
