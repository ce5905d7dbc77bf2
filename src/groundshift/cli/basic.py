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
    options: Annotated[
        Path | None,
        typer.Option(help="JSON file of any option (see the documentation); those below win.", show_default=False),
    ] = None,
    max_velocity: Annotated[
        float | None,
        typer.Option(help="Largest velocity looked for, either sign, mm/yr; 30 if not given.", show_default=False),
    ] = None,
    max_height: Annotated[
        float | None,
        typer.Option(help="Largest height error looked for, either sign, m; 60 if not given.", show_default=False),
    ] = None,
    network_dispersion: Annotated[
        float | None,
        typer.Option(
            help="Pixels of smaller amplitude dispersion make the network; 0.25 if not given.", show_default=False
        ),
    ] = None,
    distributed: Annotated[
        bool | None,
        typer.Option(
            "--distributed/--no-distributed",
            help="Look at distributed scatterers too; done if not given.",
            show_default=False,
        ),
    ] = None,
    atmosphere: Annotated[
        bool | None,
        typer.Option(
            "--atmosphere/--no-atmosphere",
            help="Estimate the atmosphere and take it off; done if not given.",
            show_default=False,
        ),
    ] = None,
    virtual_reference: Annotated[
        ReferenceName | None,
        typer.Option(help="Of all series, which is taken off each; mean if not given.", show_default=False),
    ] = None,
    crs: Annotated[
        str | None,
        typer.Option(
            help="CRS of eastings and northings; EPSG:3035 if not given, and only then is the zip of EGMS written.",
            show_default=False,
        ),
    ] = None,
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
    from groundshift.insar.parts import said_of
    from groundshift.io.given import options_from

    config = options_from(
        BasicConfig,
        options,
        network={"search": {"max_velocity": max_velocity, "max_height": max_height}},
        network_dispersion=network_dispersion,
        virtual_reference=None if virtual_reference is None else virtual_reference.value,
        crs=crs,
    )
    chosen = {}
    if distributed is not None:
        chosen["distributed"] = (config.distributed or DistributedConfig()) if distributed else None
    if atmosphere is not None:
        chosen["atmosphere"] = (config.atmosphere or AtmosphereConfig()) if atmosphere else None
    config = BasicConfig.model_validate(dict(config) | chosen)
    report = make_basic(stack, out, config, executor=scheduler or "threads", workers=workers, geoid=geoid)
    typer.echo(said_of(report))
    typer.echo(f"{POINTS_NAME}, {PICTURE_NAME} and {REPORT_NAME} are in {out}")
