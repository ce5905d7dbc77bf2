"""`groundshift calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app
from groundshift.cli.options import Executor, Out, Workers


@app.command(
    name="calibrate", epilog="Example: groundshift calibrate track_*/*.parquet --gnss stations.csv -o calibrated"
)
def calibrate(
    points: Annotated[
        list[Path], typer.Argument(metavar="L2A...", help="Point sets, one a burst: GeoParquet, or EGMS .zip or .csv.")
    ],
    out: Out,
    gnss: Annotated[
        Path | None,
        typer.Option(
            help="Station velocities (CSV, MIDAS, SINEX) or a velocity grid (EGMS CSV, GeoTIFF); harmonise if none.",
            show_default=False,
        ),
    ] = None,
    frame: Annotated[
        str | None, typer.Option(help="Frame of the stations, if their file does not say.", show_default=False)
    ] = None,
    to_frame: Annotated[
        str | None, typer.Option(help="Frame of the result; that of the stations if not given.", show_default=False)
    ] = None,
    hold_out: Annotated[
        list[str] | None, typer.Option(help="A station to check with, not to use; may be given often.")
    ] = None,
    cutoff: Annotated[float, typer.Option(help="Cut-off wavelength of the surfaces, km.")] = 100.0,
    cell: Annotated[float, typer.Option(help="Cells in which points are averaged, km.")] = 5.0,
    scheduler: Executor = None,
    workers: Workers = None,
) -> None:
    """Make relative points absolute: tie tracks and bursts to GNSS and to each other (L2b)."""
    from groundshift.errors import InputError
    from groundshift.io.gnss.files import read_gnss
    from groundshift.model.stations import StationSeries
    from groundshift.products.calibrate import PICTURE_NAME, REPORT_NAME, CalibrateConfig, calibrate_points

    config = CalibrateConfig(cutoff=cutoff, cell=cell, frame=to_frame)
    stations = None if gnss is None else read_gnss(gnss, frame=frame)
    if isinstance(stations, StationSeries):
        raise InputError(f"{gnss} is the series of one station; make velocities of all with groundshift gnss first")
    result = calibrate_points(
        points, out, gnss=stations, held_out=hold_out or (), config=config, executor=scheduler or "processes",
        workers=workers,
    )  # fmt: skip
    report = result.report
    lines = [f"{report['points']} points of {len(result.paths)} bursts"]
    if report["overlaps"]["cells"]:
        before, after = (report["overlaps"][name]["rms"] for name in ("before", "after"))
        lines.append(f"tracks of one orbit differ by {before:.2f} mm/yr before, {after:.2f} mm/yr after")
    for key, name in (("cross_validation", "each station held out in turn"), ("held_out_stations", "held out")):
        found = report.get(key, {"pairs": 0})
        if found["pairs"]:
            lines.append(f"{name}: {found['stations']} stations, rms {found['rms']:.2f} mm/yr on the line of sight")
    zips = f", {count} of them also as zips of EGMS" if (count := sum(each is not None for each in result.zips)) else ""
    typer.echo("\n".join([*lines, f"point sets of level L2b{zips}, {REPORT_NAME} and {PICTURE_NAME} are in {out}"]))
