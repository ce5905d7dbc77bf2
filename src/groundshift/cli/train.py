"""`groundshift train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app
from groundshift.cli.options import Out
from groundshift.errors import ConfigurationError


@app.command(name="train", epilog="Example: groundshift train recipe.yaml -o run")
def train(
    recipe: Annotated[Path, typer.Argument(help="YAML file that says what to train, on what, and how.")],
    out: Out,
    profile: Annotated[str | None, typer.Option(help="One of the recipe's profiles.", show_default=False)] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, ...; a GPU if there is one.", show_default=False)
    ] = None,
) -> None:
    """Train the network on sets of samples; the same command again goes on where it was stopped."""
    try:
        from groundshift.train.export import export
        from groundshift.train.loop import train as run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("torch", "yaml", "onnx"):
            raise
        raise ConfigurationError(
            f"training needs {error.name}, which is not installed; pip install 'groundshift[train]'"
        ) from error
    from groundshift.train.recipe import read_recipe

    state = run(read_recipe(recipe, profile=profile), out, device=device)
    scores = export(state, out)["validation"]
    typer.echo(
        f"error on the validation samples: {scores['epe']:.3f} pixels, {scores['near']:.3f} near the trace\n"
        f"network, card, state, table and curves are in {out}"
    )
