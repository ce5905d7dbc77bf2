"""`groundshift ingest`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app
from groundshift.cli.options import Executor, Workers


class EncodingName(StrEnum):
    """What `--series` takes."""

    AUTO = "auto"
    INT16 = "int16"
    FLOAT32 = "float32"


@app.command(name="ingest", epilog="Example: groundshift ingest EGMS_L2b_*.zip -o store")
def ingest(
    sources: Annotated[
        list[Path], typer.Argument(help="Products of EGMS (.zip, .csv), point sets (.parquet), or folders of them.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", file_okay=False, help="Folder of the store; made if it is not there.")
    ],
    series: Annotated[
        EncodingName,
        typer.Option(help="How series are kept: int16 tenths of a mm, float32 mm, or int16 where they fit."),
    ] = EncodingName.AUTO,
    executor: Executor = None,
    workers: Workers = None,
) -> None:
    """Bring points into a store: a GeoParquet data set that holds from one burst to a continent."""
    from groundshift.explore.ingestion import ingest as bring_in

    manifest = bring_in(sources, out, encoding=series.value, executor=executor or "processes", workers=workers)
    points = sum(part.points for part in manifest.parts)
    tiles = len({part.tile for part in manifest.parts})
    typer.echo(f"{out}: {points} points, {len(manifest.sets)} sets, {tiles} tiles of 100 km, {manifest.crs}")
    typer.echo(f"look at it with: groundshift explore {out}")
