"""Options that several commands take."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class MethodName(StrEnum):
    """What `--method` takes."""

    AUTO = "auto"
    NETWORK = "network"
    DENSE = "dense"
    GAUSS_NEWTON = "gauss-newton"
    FREQUENCY = "frequency"


class RegistrationKind(StrEnum):
    """What `--registration` takes."""

    NONE = "none"
    OFFSET = "offset"
    RAMP = "ramp"


Out = Annotated[
    Path, typer.Option("--out", "-o", file_okay=False, help="Folder for the results; made if it is not there.")
]
Method = Annotated[MethodName, typer.Option(help="How to measure; auto takes the most accurate.")]
Weights = Annotated[
    Path | None,
    typer.Option(help="Folder of a network trained elsewhere, for the method network.", show_default=False),
]
Window = Annotated[int, typer.Option(help="Final window of a window method, pixels.")]
Step = Annotated[
    int | None,
    typer.Option(help="Pixels between measurements; 1 for a dense method, 8 for windows.", show_default=False),
]
MaxDisplacement = Annotated[float, typer.Option(help="Largest displacement looked for, pixels.")]
Executor = Annotated[
    str | None,
    typer.Option(
        "--scheduler", help="serial, threads, processes, or a Dask scheduler (tcp://...).", show_default=False
    ),
]
Workers = Annotated[int | None, typer.Option(help="How many workers; all cores if not given.", show_default=False)]
