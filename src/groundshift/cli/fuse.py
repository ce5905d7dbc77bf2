"""`groundshift fuse`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app
from groundshift.cli.options import Executor, Out, Workers


class QuantityName(StrEnum):
    """What `--quantity` takes."""

    DISPLACEMENT = "displacement"
    VELOCITY = "velocity"


@app.command(
    name="fuse",
    epilog="Example: groundshift fuse --optical displacement.tif --radar ascending.parquet --radar descending.parquet "
    "--stations gnss.csv -o fused",
)
def fuse(
    out: Out,
    optical: Annotated[
        list[Path] | None, typer.Option(help="Displacement map (.tif); may be given often.", show_default=False)
    ] = None,
    radar: Annotated[
        list[Path] | None,
        typer.Option(help="Points of a track, L2a or L2b (.parquet, .zip); may be given often.", show_default=False),
    ] = None,
    stations: Annotated[
        list[Path] | None,
        typer.Option(
            help="CSV of stations: mm/yr, or with displacements mm; or files of series, given often.",
            show_default=False,
        ),
    ] = None,
    levelling: Annotated[
        Path | None,
        typer.Option(help="CSV of levelled places: up and sigma_up, units as stations.", show_default=False),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="Station velocities or a velocity grid that hold everywhere.", show_default=False),
    ] = None,
    start: Annotated[str | None, typer.Option(help="Last day before, YYYY-MM-DD.", show_default=False)] = None,
    end: Annotated[str | None, typer.Option(help="First day after.", show_default=False)] = None,
    average: Annotated[int, typer.Option(help="Dates of radar that are averaged, before and after.")] = 1,
    quantity: Annotated[QuantityName, typer.Option(help="What is wanted.")] = QuantityName.DISPLACEMENT,
    cell: Annotated[
        float | None, typer.Option(help="Side of a cell, metres; of the first map, or 100.", show_default=False)
    ] = None,
    every: Annotated[
        int | None, typer.Option(help="A series: days from one date to the next.", min=1, show_default=False)
    ] = None,
    dates: Annotated[
        str | None,
        typer.Option(metavar="DATE,DATE,…", help="A series on these dates, since the first.", show_default=False),
    ] = None,
    step: Annotated[
        list[str] | None,
        typer.Option(help="Day on which the ground jumped, of a series; may be given often.", show_default=False),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="west,south,east,north: ends of a line to draw a profile along, m.", show_default=False),
    ] = None,
    width: Annotated[float, typer.Option(help="Of the profile, metres.")] = 2_000.0,
    config: Annotated[
        Path | None,
        typer.Option(help="JSON of more options, and of the errors of sources (see the documentation)."),
    ] = None,
    scheduler: Executor = None,
    workers: Workers = None,
) -> None:
    """Fuse optical maps, radar, stations and levelling into motion east, north and up, with its full covariance."""
    from groundshift.model.displacement import describe
    from groundshift.products.fuse.files import fuse_files

    dataset = fuse_files(
        out, optical=optical or (), radar=radar or (), stations=stations or (), levelling=levelling, model=model,
        start=start, end=end, average=average, quantity=quantity.value, cell=cell, profile=profile, width=width,
        every=every, dates=dates.split(",") if dates else (), steps=step or (), config=config, executor=scheduler,
        workers=workers,
    )  # fmt: skip
    typer.echo(describe(dataset))
    typer.echo(f"map, pictures and record are in {out}")
