"""`groundshift pair`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app
from groundshift.cli.options import (
    Executor,
    MaxDisplacement,
    Method,
    MethodName,
    Out,
    RegistrationKind,
    Step,
    Weights,
    Window,
    Workers,
)


@app.command(name="pair", epilog="Example: groundshift pair before.tif after.tif -o result")
def pair(
    pre: Annotated[str, typer.Argument(help="Image before: a raster, .SAFE folder or zip, Landsat folder or tar.")],
    post: Annotated[str, typer.Argument(help="Image after.")],
    out: Out,
    method: Method = MethodName.AUTO,
    window: Window = 32,
    step: Step = None,
    max_displacement: MaxDisplacement = 10.0,
    weights: Weights = None,
    area: Annotated[
        str | None, typer.Option(help="Only this part: west,south,east,north, or a vector file.", show_default=False)
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Ground not to measure: raster or polygons.", show_default=False)
    ] = None,
    stable: Annotated[
        Path | None,
        typer.Option(help="Ground that did not move, to align the pair on: raster or polygons.", show_default=False),
    ] = None,
    registration: Annotated[
        RegistrationKind, typer.Option(help="Misregistration that is estimated and removed.")
    ] = RegistrationKind.OFFSET,
    min_quality: Annotated[float, typer.Option(help="Remove measurements of lower quality, 0 to 1.")] = 0.0,
    outliers: Annotated[bool, typer.Option("--outliers", help="Remove outliers (multi-scale vector median).")] = False,
    destripe: Annotated[bool, typer.Option("--destripe", help="Remove stripes along and across the track.")] = False,
    track_angle: Annotated[
        float, typer.Option(help="With --destripe: the sensor's track, degrees clockwise from grid north.")
    ] = 0.0,
    smooth: Annotated[float, typer.Option(help="Edge-preserving smoothing, map pixels; 0 is none.")] = 0.0,
    dates: Annotated[
        str | None,
        typer.Option(help="Days of both images, if they do not say: 2003-09-01,2023-08-20.", show_default=False),
    ] = None,
    band: Annotated[
        list[str] | None,
        typer.Option(help="Band, by number or name; once for each of several to be used together.", show_default=False),
    ] = None,
    crs: Annotated[str | None, typer.Option(help="CRS of images without one: EPSG:...", show_default=False)] = None,
    nodata: Annotated[float | None, typer.Option(help="Value of pixels without data.", show_default=False)] = None,
    resolution: Annotated[
        float | None, typer.Option(help="Pixel size of pictures on no map grid, metres.", show_default=False)
    ] = None,
    scheduler: Executor = None,
    workers: Workers = None,
) -> None:
    """Measure where the ground went between two images."""
    from groundshift.model.displacement import describe
    from groundshift.optical.config import CleanConfig, PairConfig
    from groundshift.optical.pair import measure_pair

    clean = CleanConfig(
        min_quality=min_quality, outliers=outliers, destripe=destripe, track_angle=track_angle, smooth=smooth
    )
    config = PairConfig(
        method=method,
        window=window,
        step=step,
        max_displacement=max_displacement,
        weights=None if weights is None else str(weights),
        registration=registration,
        clean=clean,
    )
    dataset = measure_pair(
        pre, post, config=config, out=out, band=band or None, crs=crs, nodata=nodata, resolution=resolution, area=area,
        mask=mask, stable=stable, dates=dates, executor=scheduler, workers=workers,
    )  # fmt: skip
    typer.echo(describe(dataset))
    typer.echo(f"map, picture and record are in {out}")
