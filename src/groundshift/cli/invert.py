"""`groundshift invert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app
from groundshift.cli.options import Out


def _numbers(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        longitude, latitude, radius = map(float, text.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not LON,LAT,RADIUS: degrees, degrees, metres") from error
    return longitude, latitude, radius


@app.command(name="invert", epilog="Example: groundshift invert interferograms/ --reference -99.10,19.40,500 -o points")
def invert(
    folder: Annotated[Path, typer.Argument(help="Folder of unwrapped interferograms, YYYYMMDD_YYYYMMDD...unw.tif.")],
    out: Out,
    min_coherence: Annotated[float, typer.Option(help="Pixels of smaller mean coherence are left out.")] = 0.3,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="LON,LAT,RADIUS", help="Ground that is still: degrees, metres; all ground if not given.",
            show_default=False,
        ),
    ] = None,
    max_open: Annotated[float, typer.Option(help="Largest share of a pixel's triplets that may not close.")] = 0.2,
    looks: Annotated[
        float | None,
        typer.Option(
            help="Independent looks of phases and coherences; told by closure if not given.", show_default=False
        ),
    ] = None,
    atmosphere: Annotated[
        bool, typer.Option("--atmosphere/--no-atmosphere", help="Estimate the atmosphere of each date and take it off.")
    ] = False,
    incidence: Annotated[
        float | None, typer.Option(help="Degrees, where there are no look vectors.", show_default=False)
    ] = None,
    heading: Annotated[
        float | None,
        typer.Option(
            help="Flight of the satellite, degrees from north, where there are no look vectors.", show_default=False
        ),
    ] = None,
    wavelength: Annotated[
        float | None, typer.Option(help="m; of the files, or of Sentinel-1, if not given.", show_default=False)
    ] = None,
    track: Annotated[int | None, typer.Option(help="Relative orbit.", show_default=False)] = None,
    crs: Annotated[
        str | None, typer.Option(help="CRS of eastings and northings; UTM if not given.", show_default=False)
    ] = None,
) -> None:  # fmt: skip
    """Invert a network of unwrapped interferograms: points with displacement series, closure and residuals checked."""
    from groundshift.insar.interferograms.survey import InvertConfig
    from groundshift.insar.invert import PICTURE_NAME, POINTS_NAME, REPORT_NAME, invert_interferograms

    config = InvertConfig(
        min_coherence=min_coherence, reference=_numbers(reference), max_open=max_open, looks=looks,
        atmosphere=atmosphere, incidence=incidence, heading=heading, wavelength=wavelength, track=track, crs=crs,
    )  # fmt: skip
    numbers = invert_interferograms(folder, out, config).report
    velocity, closed, rest = numbers["velocity_mm_per_year"], numbers["closure"], numbers["residual_rms_mm"]
    air = ""
    if (found := numbers["atmosphere"]) is not None:
        rmse = found["series_rmse_mm"]
        air = (
            f"atmosphere: {found['scale_mm']:.1f} mm root mean square; series are {rmse['after']:.2f} mm off their "
            f"model, before {rmse['before']:.2f} mm\n"
        )
    typer.echo(
        f"{numbers['points']} points of {numbers['interferograms']} interferograms and {numbers['dates']} dates\n"
        f"velocity: median {velocity['median']:.1f} mm/yr, "
        f"98 % between {velocity['p1']:.1f} and {velocity['p99']:.1f} mm/yr\n"
        f"closure: {closed['open_share']:.3%} of sums open, {closed['misclosure_rms_radians']:.3f} radians besides; "
        f"residuals {rest['all']:.2f} mm\n{air}"
        f"{POINTS_NAME}, {PICTURE_NAME} and {REPORT_NAME} are in {out}"
    )
