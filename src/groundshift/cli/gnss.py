"""`groundshift gnss`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app
from groundshift.cli.options import Out


class RateName(StrEnum):
    """What `--rates` takes."""

    TRAJECTORY = "trajectory"
    MIDAS = "midas"


@app.command(name="gnss", epilog="Example: groundshift gnss stations.csv --frame ETRF2000 -o model")
def gnss(
    files: Annotated[
        list[Path],
        typer.Argument(help="Velocities (CSV, MIDAS, SINEX), a velocity grid, or series of stations (tenv3, pos)."),
    ],
    out: Out,
    frame: Annotated[
        str | None, typer.Option(help="Frame of the files, if they do not say.", show_default=False)
    ] = None,
    to_frame: Annotated[
        str | None, typer.Option(help="Frame of the model; that of the files if not given.", show_default=False)
    ] = None,
    rates: Annotated[RateName, typer.Option(help="How series become rates.")] = RateName.TRAJECTORY,
    step: Annotated[
        list[str] | None,
        typer.Option(
            "--step",
            "--steps",
            help="Day of a step in all series, as 2009-04-06; may be given often.",
            show_default=False,
        ),
    ] = None,
    step_file: Annotated[
        Path | None,
        typer.Option(
            help="Steps of each station: steps.txt of NGL, SINEX discontinuities, or CSV 'station,day'.",
            show_default=False,
        ),
    ] = None,
    relaxation: Annotated[
        list[str] | None,
        typer.Option(
            help="Day of an earthquake after which series relax, as 2009-04-06 (logarithm) or 2009-04-06:exp.",
            show_default=False,
        ),
    ] = None,
    detect: Annotated[
        float | None, typer.Option(help="Find steps this many sigmas large in series.", show_default=False)
    ] = None,
    spacing: Annotated[float, typer.Option(help="Spacing of the grid of the model, km.")] = 50.0,
    crs: Annotated[str, typer.Option(help="CRS of that grid.")] = "EPSG:3035",
) -> None:
    """Make a velocity model of stations, and check it: leave-one-out errors, a grid, a map."""
    from groundshift.geodesy.report import make_velocity_model
    from groundshift.geodesy.trajectory import Relaxation, TrajectoryConfig
    from groundshift.io.gnss.files import read_gnss
    from groundshift.io.gnss.steps import read_steps

    relaxing = [Relaxation.of(each) for each in relaxation or ()]
    config = TrajectoryConfig(steps=tuple(step or ()), detect=detect, relaxation=tuple(relaxing))
    steps = None if step_file is None else read_steps(step_file)
    read = [read_gnss(path, frame=frame) for path in files]
    typer.echo(
        make_velocity_model(
            read, out, frame=to_frame, method=rates.value, trajectory=config, steps=steps, spacing=spacing, crs=crs
        )
    )
