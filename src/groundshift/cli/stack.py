"""`groundshift stack`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app


class LayoutName(StrEnum):
    """What `--layout` takes: the names of `groundshift.io.stacks.LAYOUTS`."""

    ZARR = "zarr"
    OPERA = "opera"
    NISAR = "nisar"
    ISCE2 = "isce2"
    SNAP = "snap"
    ZNAP = "znap"
    GEOTIFF = "geotiff"


@app.command(name="stack", epilog="Example: groundshift stack merged/ --layout isce2 -o stack.zarr")
def stack(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder or file of a co-registered radar stack.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Zarr folder to write; one that is there is replaced.")],
    layout: Annotated[
        LayoutName | None, typer.Option(help="Of IN; found out if not given.", show_default=False)
    ] = None,
    baselines: Annotated[
        Path | None,
        typer.Option(help="Text file: a date and a perpendicular baseline in metres a line.", show_default=False),
    ] = None,
    geometry: Annotated[
        Path | None,
        typer.Option(help="Folder of latitude.tif, height.tif, los_east.tif and others.", show_default=False),
    ] = None,
    height: Annotated[
        Path | None, typer.Option(help="Height model, metres above the ellipsoid, any CRS.", show_default=False)
    ] = None,
    attributes: Annotated[
        Path | None, typer.Option(help="JSON file of attributes: wavelength, track, swath, ...", show_default=False)
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference", "--reference-date", help="Day of the reference image, YYYY-MM-DD.", show_default=False
        ),
    ] = None,
    burst: Annotated[
        str | None, typer.Option(help="Which of several, such as T064-135518-IW1.", show_default=False)
    ] = None,
    polarisation: Annotated[str | None, typer.Option(help="Which of several: VV, HH.", show_default=False)] = None,
    flattened: Annotated[
        bool | None,
        typer.Option(
            "--flattened/--not-flattened",
            help="Whether the topographic phase is gone from the images; as the layout has it if not given.",
            show_default=False,
        ),
    ] = None,
    conjugate: Annotated[bool, typer.Option(help="Images have the opposite sign of phase.")] = False,
    picture: Annotated[
        Path | None, typer.Option(help="PNG of one interferogram and its coherence.", show_default=False)
    ] = None,
) -> None:
    """Write a stack of another program (OPERA, ISCE2, SNAP, GeoTIFF) as the stack that other commands take."""
    from groundshift.cli.recorded import folder_for
    from groundshift.insar.convert import convert_stack
    from groundshift.io.stacks import Supplement, read_attributes

    supplement = Supplement(
        baselines=baselines,
        geometry=geometry,
        height=height,
        attributes=read_attributes(attributes),
        reference_date=reference,
        burst=burst,
        polarisation=polarisation,
        flattened=flattened,
        conjugate=conjugate,
    )
    made = convert_stack(source, folder_for(out, suffix=".zarr"), supplement=supplement, layout=layout)
    days = made["time"].values.astype("datetime64[D]")
    typer.echo(
        f"{made.sizes['time']} images of {made.sizes['y']} x {made.sizes['x']} pixels, {days[0]} to {days[-1]}, "
        f"{made.attrs['orbit']}, track {made.attrs['track']}, {made.attrs['swath']} {made.attrs['polarisation']}\n"
        f"{out}"
    )
    if picture is not None:
        from groundshift.insar.pair_picture import draw_pair

        typer.echo(f"mean coherence of a pair {draw_pair(picture, made):.2f}; {picture}")
