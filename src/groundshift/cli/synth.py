"""`groundshift synth`: sets of simulated pairs, radar stacks, and point sets."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from groundshift.cli.app import app
from groundshift.cli.options import Executor, Out, Workers
from groundshift.cli.stack import LayoutName

synth = typer.Typer(
    no_args_is_help=True, help="Simulated pairs of images, radar stacks and point sets with known motion."
)
app.add_typer(synth, name="synth")


class ScaleName(StrEnum):
    """What `--scale` takes."""

    VERY_SMALL = "very_small"
    SMALL = "small"
    LARGE = "large"
    VERY_LARGE = "very_large"


class OrbitName(StrEnum):
    """What `--orbit` takes."""

    ASCENDING = "ascending"
    DESCENDING = "descending"


@synth.command(name="pairs", epilog="Example: groundshift synth pairs --count 500 -o samples")
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


@synth.command(name="show", epilog="Example: groundshift synth show samples")
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


@synth.command(name="stack", epilog="Example: groundshift synth stack town --size 400 --dates 60")
def stack(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", file_okay=False, help="Folder for stack.zarr, truth.zarr and stack.png.")
    ],
    size: Annotated[
        int | None, typer.Option(help="Lines and pixels; 500 if not given.", min=8, max=20_000, show_default=False)
    ] = None,
    dates: Annotated[int | None, typer.Option(help="Images; 30 if not given.", show_default=False)] = None,
    interval: Annotated[
        int | None, typer.Option(help="Days between images, 6 or 12; 12 if not given.", show_default=False)
    ] = None,
    missing: Annotated[
        float | None, typer.Option(help="Share of the dates without an image; 0.1 if not given.", show_default=False)
    ] = None,
    orbit: Annotated[
        OrbitName | None, typer.Option(help="Both see the same ground; ascending if not given.", show_default=False)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of everything that is drawn; 0 if not given.", show_default=False)
    ] = None,
    layout: Annotated[
        list[LayoutName] | None,
        typer.Option(help="Also write the stack as another program would; may be given often.", show_default=False),
    ] = None,
    interferograms: Annotated[
        int | None,
        typer.Option(
            help="Also write unwrapped interferograms as LiCSAR would, of each date with so many next ones.",
            min=1,
            show_default=False,
        ),
    ] = None,
    options: Annotated[
        Path | None,
        typer.Option(help="JSON file of more options (see the documentation); those above win.", show_default=False),
    ] = None,
) -> None:
    """Make a Sentinel-1 stack with its truth: persistent and distributed scatterers, motion, atmosphere, heights."""
    from groundshift.io.given import options_from
    from groundshift.synth.radar.interferograms import simulate_interferograms
    from groundshift.synth.radar.options import StackOptions
    from groundshift.synth.radar.picture import draw_stack
    from groundshift.synth.radar.scene import KINDS
    from groundshift.synth.radar.stack import write_layout, write_simulation

    chosen = options_from(
        StackOptions,
        options,
        lines=size,
        pixels=size,
        dates=dates,
        interval=interval,
        missing=missing,
        orbit=orbit,
        seed=seed,
    )
    simulation = write_simulation(out, chosen)
    others = dict.fromkeys(each.value for each in layout or () if each is not LayoutName.ZARR)
    written = [write_layout(out, each) for each in others]
    network = None if interferograms is None else simulate_interferograms(out, simulation, following=interferograms)
    draw_stack(out / "stack.png", simulation)
    days = simulation.stack["time"].values.astype("datetime64[D]")
    kind = simulation.truth["kind"].values
    persistent, distributed = ((kind == KINDS.index(name)).sum() for name in KINDS[1:])
    typer.echo(
        f"{chosen.dates} {chosen.orbit} images of {chosen.lines} x {chosen.pixels} pixels, {days[0]} to {days[-1]}\n"
        f"{persistent} persistent scatterers, {distributed} pixels of distributed scatterers\n"
        f"stack.zarr, truth.zarr and stack.png in {out}"
        + "".join(f"; the same stack as {name} in {path}" for name, path in zip(others, written, strict=True))
        + ("" if network is None else f"; its interferograms, unwrapped, in {network}")
    )


@synth.command(name="points", epilog="Example: groundshift synth points strip --tracks 2 --bursts 3")
def points(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", file_okay=False, help="Folder for the point sets, stations and picture.")
    ],
    tracks: Annotated[
        int | None, typer.Option(help="Ascending, and as many descending; 3 if not given.", show_default=False)
    ] = None,
    bursts: Annotated[int | None, typer.Option(help="Of each track; 10 if not given.", show_default=False)] = None,
    density: Annotated[
        float | None, typer.Option(help="Points of a track on a square km; 1 if not given.", show_default=False)
    ] = None,
    dates: Annotated[int | None, typer.Option(help="Of each track; 100 if not given.", show_default=False)] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of everything that is drawn; 0 if not given.", show_default=False)
    ] = None,
    options: Annotated[
        Path | None,
        typer.Option(help="JSON file of more options (see the documentation); those above win.", show_default=False),
    ] = None,
) -> None:
    """Make a strip of a continent: points of ascending and descending tracks (L2a), GNSS stations, and the truth."""
    from groundshift.io.given import options_from
    from groundshift.synth.points.options import StripOptions
    from groundshift.synth.points.write import write_strip

    chosen = options_from(StripOptions, options, tracks=tracks, bursts=bursts, density=density, dates=dates, seed=seed)
    paths = write_strip(out, chosen)
    typer.echo(
        f"{len(paths)} point sets of level L2a, {chosen.stations.count} stations, strip.json and strip.png in {out}"
    )


@synth.command(name="earthquake", epilog="Example: groundshift synth earthquake quake --slip 3")
def earthquake(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", file_okay=False, help="Folder for what is seen, and the truth.")
    ],
    strike: Annotated[float, typer.Option(help="Of the fault, degrees from north; it dips to the right.")] = 20.0,
    dip: Annotated[float, typer.Option(help="Degrees.")] = 65.0,
    rake: Annotated[float, typer.Option(help="Degrees: 0 left-lateral, 90 reverse, 180 right-lateral.")] = 40.0,
    slip: Annotated[float, typer.Option(help="Largest slip, metres.")] = 5.0,
    seed: Annotated[int, typer.Option(help="Of all errors.")] = 0,
) -> None:
    """Make an earthquake as optical images, two tracks of radar and stations see it, with the true motion in 3-D."""
    from groundshift.synth.three_dimensions import EarthquakeOptions, write_earthquake

    options = EarthquakeOptions(strike=strike, dip=dip, rake=rake, slip=slip, seed=seed)
    made = write_earthquake(out, options)
    typer.echo(
        f"optical.tif, ascending.parquet, descending.parquet ({' and '.join(str(len(t)) for t in made.radar)} points), "
        f"stations.csv ({len(made.stations)} stations), truth.tif and record.json are in {out}"
    )
