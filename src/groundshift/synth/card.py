"""What a set of samples says of itself: numbers, a card in JSON and Markdown, and pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from groundshift.io import write_json, write_text
from groundshift.io.samples import Sample, SampleFolder
from groundshift.kernels.spline import coefficients, warp
from groundshift.synth.options import Kind
from groundshift.synth.real_pairs import local_correlation

STATISTICS: Mapping[str, str] = {
    "peak": "largest displacement of the ground, pixels",
    "median": "median length of the flow, with misregistration, pixels",
    "p95": "95 % of the flow is shorter, pixels",
    "gradient": "99 % of the gradient of the flow is less, pixels a pixel",
    "correlation": "mean local correlation of the images after alignment by the flow",
    "valid": "share of pixels that are valid",
}
"""What is measured on samples, by its name."""
CARD = ("README.md", "card.json", "distributions.png", "examples.png")
"""Files of the card."""

_KINDS: tuple[Kind, ...] = get_args(Kind)
_PERCENTILES = (5, 25, 50, 75, 95)


def measured(sample: Sample, *, correlated: bool) -> list[float]:
    """The number of the kind of motion, then the values of :data:`STATISTICS`; NaN is not measured.

    Parameters
    ----------
    correlated
        Whether to measure the correlation, which takes longest.
    """
    valid = sample.valid
    known = [float(_KINDS.index(sample.record["kind"])), float(sample.record["motion"]["peak"])]
    correlation = np.nan
    if correlated:
        post = warp(coefficients(sample.post.astype(np.float32)), *sample.flow)
        pre = np.where(valid, sample.pre, np.nan).astype(np.float32)
        with np.errstate(invalid="ignore"):  # flat windows, which are left out
            together = local_correlation(pre, np.where(valid, post, np.nan))
        correlation = float(together.mean()) if together.size else np.nan
    if not valid.any():
        return [*known, np.nan, np.nan, np.nan, correlation, 0.0]
    length = np.hypot(*sample.flow)[valid]
    right, down = np.diff(sample.flow, axis=2)[:, :-1], np.diff(sample.flow, axis=1)[:, :, :-1]
    gradient = np.sqrt((right**2 + down**2).sum(axis=0))[valid[:-1, :-1]]
    steep = float(np.percentile(gradient, 99)) if gradient.size else np.nan
    return [*known, *map(float, np.percentile(length, (50, 95))), steep, correlation,
            float(valid.mean())]  # fmt: skip


def summary(tables: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Kinds of motion, and percentiles of statistics, of each class of displacement, fit for JSON.

    Parameters
    ----------
    tables
        By class: what :func:`measured` gives for each sample, (sample, value).
    """
    return {
        "kinds": {scale: dict(Counter(_KINDS[int(each)] for each in table[:, 0])) for scale, table in tables.items()},
        "statistics": {
            scale: {name: {f"p{p}": value for p, value in zip(_PERCENTILES, _percentiles(column), strict=True)}
                    for name, column in by_name(table).items()}
            for scale, table in tables.items()
        },
    }  # fmt: skip


def by_name(table: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of a table of :func:`measured` that are :data:`STATISTICS`."""
    return dict(zip(STATISTICS, table[:, 1:].T, strict=True))


def write_card(folder: Path, card: Mapping[str, Any], statistics: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Write all of :data:`CARD` into the folder of a set.

    Parameters
    ----------
    statistics
        By class, then by name (:data:`STATISTICS`).
    """
    from groundshift.figures.samples import distributions_figure  # not above: workers do without matplotlib
    from groundshift.figures.style import save_figure

    write_json(folder / "card.json", card)
    write_text(folder / "README.md", readme(card))
    save_figure(distributions_figure(statistics, STATISTICS), folder / "distributions.png")
    draw_examples(folder, folder / "examples.png")


def draw_examples(folder: Path, path: Path, *, count: int = 8) -> int:
    """Draw a sheet of examples, evenly spread over the samples of a set; returns their number."""
    from groundshift.figures.samples import Example, examples_figure
    from groundshift.figures.style import save_figure

    samples = SampleFolder(folder)
    chosen = np.unique(np.linspace(0, len(samples) - 1, min(count, len(samples))).round().astype(int))
    examples = []
    for index in chosen:
        sample = samples[int(index)]
        said = [str(sample.record[name]) for name in ("kind", "scale", "strength") if name in sample.record]
        title = "\n".join(said).replace("_", " ")
        examples.append(Example(title, sample.pre, sample.post, sample.flow, sample.valid))
    save_figure(examples_figure(examples), path, dpi=90)
    return len(examples)


def readme(card: Mapping[str, Any]) -> str:
    """The card of a set as Markdown."""
    scales = list(card["peaks"])
    lines = [
        "# Pairs of images with known displacement", "",
        f"Made by {card['made_by']}; {card['shards']} shards, {card['bytes'] / 1e6:.1f} MB.", "",
        "Each sample is an .npz file in a .tar shard: `int_array_1` and `int_array_2` (images before and after,",
        "uint16), `float_array_1` and `float_array_2` (displacement toward the east and the north, pixels, on the",
        "first image), `valid`, `distance` (pixels to the nearest trace; 1e6 where there is none) and `record` (JSON:",
        "everything that was drawn). The displacement holds the misregistration of the second image too; the record",
        "has both apart.", "", "![Examples](examples.png)", "", "## Samples", "",
        *_table(["split", *scales], [[split, *each.values()] for split, each in card["samples"].items()]),
        "", "## Statistics", "",
    ]  # fmt: skip
    for name, said in STATISTICS.items():
        rows = [[scale, *(_said(each) for each in card["statistics"][scale][name].values())] for scale in scales]
        lines += [f"{name}: {said}", "", *_table(["class", *(f"{p} %" for p in _PERCENTILES)], rows), ""]
    kinds = [[scale, *(card["kinds"][scale].get(kind, 0) for kind in _KINDS)] for scale in scales]
    lines += ["![Distributions](distributions.png)", ""]
    lines += ["## Kinds of motion", "", *_table(["class", *_KINDS], kinds), "", "## Sources", ""]
    if isinstance(card["sources"], str):
        lines.append(f"{card['sources'].capitalize()}.")
    else:
        rows = [[each["split"], each["site"], each["pre"], each["post"], f"{each['correlation']:.2f}"]
                for each in card["sources"]]  # fmt: skip
        lines += _table(["split", "site", "before", "after", "correlation"], rows)
    if card["traces"]:
        share = card["options"]["pair"]["faults"]["real"]
        lines += ["", f"Shapes of {100 * share:g} % of the faults: {card['traces']['lines']} lines of "
                      f"{Path(card['traces']['file']).name}."]  # fmt: skip
    return "\n".join([*lines, "", f"Licence: {card['licence']}. All options are in card.json.", ""])


def _table(head: list[Any], rows: list[list[Any]]) -> list[str]:
    return [f"| {' | '.join(map(str, each))} |" for each in (head, ["---"] * len(head), *rows)]


def _said(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _percentiles(values: np.ndarray) -> list[float | None]:
    known = values[np.isfinite(values)]
    return [float(each) for each in np.percentile(known, _PERCENTILES)] if known.size else [None] * len(_PERCENTILES)
