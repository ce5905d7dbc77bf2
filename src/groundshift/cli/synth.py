"""`groundshift synth`: sets of simulated pairs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app
from groundshift.cli.options import Executor, Out, Workers

synth = typer.Typer(no_args_is_help=True, help="Simulated pairs of images with known displacement.")
app.add_typer(synth, name="synth")


class ScaleName(StrEnum):
    """What `--scale` takes."""

    VERY_SMALL = "very_small"
    SMALL = "small"
    LARGE = "large"
    VERY_LARGE = "very_large"


@synth.command(name="pairs")
def pairs(
    out: Out,
    count: Annotated[
        int, typer.Option("--count", "-n", help="Training samples a class; validation and test get a fifth each.")
    ] = 90_000,
    scale: Annotated[
        list[ScaleName] | None, typer.Option(help="Class of displacement; all if not given.", show_default=False)
    ] = None,
    size: Annotated[int, typer.Option(help="Rows and columns of a sample, pixels.")] = 256,
    pixel: Annotated[float, typer.Option(help="Pixel of procedural scenes, metres.")] = 10.0,
    images: Annotated[
        Path | None, typer.Option(help="Folder of images to build on; procedural scenes if none.", show_default=False)
    ] = None,
    traces: Annotated[
        Path | None,
        typer.Option(help="Vector file of fault traces, whose shapes half of the faults take.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    shard: Annotated[int, typer.Option(help="Samples in a file.")] = 256,
    scheduler: Executor = None,
    workers: Workers = None,
) -> None:
    """Make a set to train, validate and test on; the same command again goes on where it was stopped."""
    from groundshift.synth.card import CARD
    from groundshift.synth.dataset import DatasetOptions, build_dataset
    from groundshift.synth.options import PairOptions

    fifth = -(-count // 5)
    chosen = {"scales": tuple(each.value for each in scale)} if scale else {}
    options = DatasetOptions(
        train=count, validation=fifth, test=fifth, pair=PairOptions(size=size, pixel=pixel), seed=seed, shard=shard,
        images=None if images is None else str(images), traces=None if traces is None else str(traces), **chosen,
    )  # fmt: skip
    built = build_dataset(out, options, executor=scheduler or "processes", workers=workers)
    samples = {split: sum(each.values()) for split, each in built.card["samples"].items()}
    typer.echo(
        f"{', '.join(f'{count} {split}' for split, count in samples.items())} samples of {size} x {size} pixels in "
        f"{built.card['shards']} shards, {built.card['bytes'] / 1e6:.1f} MB\n"
        f"card and pictures in {out}: {', '.join(CARD)}"
    )


@synth.command(name="show")
def show(
    folder: Annotated[Path, typer.Argument(metavar="SET", help="Folder of samples.")],
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=50, help="How many.")] = 8,
    picture: Annotated[
        Path | None, typer.Option("--out", "-o", help="Picture; SET/examples.png if not given.", show_default=False)
    ] = None,
) -> None:
    """Draw a sheet of examples, evenly spread over the samples."""
    from groundshift.synth.card import draw_examples

    path = picture or folder / "examples.png"
    typer.echo(f"{draw_examples(folder, path, count=count)} examples in {path}")
