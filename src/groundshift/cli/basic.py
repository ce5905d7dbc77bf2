"""`groundshift basic`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app
from groundshift.cli.options import Executor, Out, Workers


class ReferenceName(StrEnum):
    """What `--virtual-reference` takes."""

    MEAN = "mean"
    MODE = "mode"


@app.command(name="basic", epilog="Example: groundshift basic stack.zarr -o burst")
def basic(
    stack: Annotated[Path, typer.Argument(help="Co-registered radar stack, of any layout that is known.")],
    out: Out,
    max_velocity: Annotated[float, typer.Option(help="Largest velocity looked for, either sign, mm/yr.")] = 30.0,
    max_height: Annotated[float, typer.Option(help="Largest height error looked for, either sign, m.")] = 60.0,
    network_dispersion: Annotated[
        float, typer.Option(help="Pixels of smaller amplitude dispersion make the network.")
    ] = 0.25,
    distributed: Annotated[
        bool, typer.Option("--distributed/--no-distributed", help="Look at distributed scatterers too.")
    ] = True,
    atmosphere: Annotated[
        bool, typer.Option("--atmosphere/--no-atmosphere", help="Estimate the atmosphere and take it off.")
    ] = True,
    virtual_reference: Annotated[
        ReferenceName, typer.Option(help="Of all series, which is taken off each.")
    ] = ReferenceName.MEAN,
    crs: Annotated[
        str, typer.Option(help="CRS of eastings and northings; the zip of EGMS is written for EPSG:3035 only.")
    ] = "EPSG:3035",
    geoid: Annotated[
        Path | None,
        typer.Option(
            help="Raster of the geoid above the ellipsoid, m, for heights above it; PROJ's EGM if not given.",
            show_default=False,
        ),
    ] = None,
    scheduler: Executor = None,
    workers: Workers = None,
) -> None:
    """Measure how persistent and distributed scatterers moved: a radar stack in, points with series out."""
    from groundshift.insar.basic import PICTURE_NAME, POINTS_NAME, REPORT_NAME, make_basic
    from groundshift.insar.basic_config import BasicConfig, DistributedConfig
    from groundshift.insar.motion.atmosphere import AtmosphereConfig
    from groundshift.insar.network.arcs import NetworkConfig, SearchConfig
    from groundshift.insar.parts import said_of

    config = BasicConfig(
        network=NetworkConfig(search=SearchConfig(max_velocity=max_velocity, max_height=max_height)),
        network_dispersion=network_dispersion,
        distributed=DistributedConfig() if distributed else None,
        atmosphere=AtmosphereConfig() if atmosphere else None,
        virtual_reference=virtual_reference.value,
        crs=crs,
    )
    report = make_basic(stack, out, config, executor=scheduler or "threads", workers=workers, geoid=geoid)
    typer.echo(said_of(report))
    typer.echo(f"{POINTS_NAME}, {PICTURE_NAME} and {REPORT_NAME} are in {out}")
