"""From the state of a training run to the network that is used: ONNX weights and their card."""

from __future__ import annotations

import hashlib
import io
import logging
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from groundshift.errors import InputError
from groundshift.io.files import atomic_path, write_json
from groundshift.io.samples import SampleFolder, images_of
from groundshift.optical.methods import Nodes
from groundshift.optical.network import CARD, LAST, MULTIPLE, WEIGHTS, Network, load, measured, read_weights, runner
from groundshift.train.examples import means, spread
from groundshift.train.model import Refiner
from groundshift.train.recipe import Recipe, folder_of
from groundshift.train.state import load_state
from groundshift.validate.metrics import MARGIN, score

log = logging.getLogger(__name__)

OPSET = 17
_BORDER = 5  # no more than this part of a side is left out at the border of small samples
_AGREE = 1e-4  # pixels by which onnxruntime may differ from torch


def to_onnx(model: Refiner) -> bytes:
    """The convolutions of the network as an ONNX file, for any sides that are multiples of :data:`MULTIPLE`.

    Raises
    ------
    InputError
        If a step in onnxruntime answers otherwise than in torch, by more than 1e-4.
    """
    stream = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # the newer exporter, of torch 2.13, answers wrongly at sides other than those of the example
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.body, (model.seen(*_example(4 * MULTIPLE, 6 * MULTIPLE, model.options.told)),), stream, dynamo=False,
            opset_version=OPSET, input_names=["seen"], output_names=["found"],
            dynamic_axes={name: {2: "y", 3: "x"} for name in ("seen", "found")},
        )  # fmt: skip
    weights = stream.getvalue()
    refine = runner(weights, windows=model.options.windows, reaches=model.options.reaches)
    for sides in ((4, 6), (7, 3)):
        given = _example(*(MULTIPLE * side for side in sides), model.options.told)
        with torch.no_grad():
            expected = model(*given)[0].numpy()
        first, second, weight, *rest = (each[0].numpy() for each in given)
        worst = float(np.abs(refine(first[0], second[0], weight[0], *rest) - expected).max())
        if worst > _AGREE:
            raise InputError(f"onnxruntime and torch differ by {worst:.2g}; expected {_AGREE:g} at most")
    return weights


def _example(height: int, width: int, told: int) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    first, second = (torch.randn(1, 1, height, width, generator=random) for _ in range(2))
    rest = [torch.randn(1, each, height, width, generator=random) for each in (2, told) if each]
    return [first, second, torch.ones_like(first), *rest]


def export(state: str | Path, out: str | Path, *, licence: str = "Apache-2.0") -> dict[str, Any]:
    """Write the network of a training run, and its card, into a folder; returns the card.

    After a run for the last step, that is the network whose field it mends, with it.

    The factor by which variances are too small is the mean over the validation samples of the recipe. Errors within a
    sample are alike, so the mean square of a sample is skewed, and the median over samples would be too small. The
    scores on the card are means over the same samples, of the whole method, with what comes before and after the
    network.
    """
    model, recipe, kept = load_state(state)
    weights, looks = to_onnx(model), {"windows": model.options.windows, "reaches": model.options.reaches}
    files, trained = {WEIGHTS: weights}, {
        "sha256": hashlib.sha256(weights).hexdigest(), **looks, "steps": kept["step"], "recipe": kept["recipe"],
        "parameters": sum(each.numel() for each in model.parameters()),
    }  # fmt: skip
    network = Network(runner(weights, **looks), recipe.iterations, 1.0)
    if recipe.after is None:
        card = {"licence": licence, "iterations": recipe.iterations, **trained, "last": None}
    else:
        before, steps, _ = read_weights(folder_of(recipe.after))
        network = load(folder_of(recipe.after))._replace(variance_factor=1.0, last=network.refine)
        files, card = {WEIGHTS: steps, LAST: weights}, {**before, "last": trained}
    rows = _scores(network, recipe)
    card |= {
        "variance_factor": float(np.nanmean([(row["variance_x"] + row["variance_y"]) / 2 for row in rows])),
        "validation": means(rows), "samples": len(rows),
    }  # fmt: skip
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with atomic_path(out / name) as temporary:
            temporary.write_bytes(content)
    write_json(out / CARD, card)
    return card


def _scores(network: Network, recipe: Recipe) -> list[dict[str, float]]:
    """Scores of the method with a network on validation samples, see :func:`groundshift.validate.metrics.score`."""
    rows = []
    for folder in map(SampleFolder, recipe.validation):
        for index in spread(len(folder), recipe.validation_samples):
            sample = folder[index]
            pre, post = images_of(sample)
            nodes = Nodes(*(np.arange(side, dtype=float) for side in pre.shape))
            flow = measured(network, pre, post, nodes, max_displacement=recipe.max_displacement)
            found, sigma = np.stack([flow.dx, flow.dy]), np.stack([flow.dx_sigma, flow.dy_sigma])
            found[:, ~sample.valid] = np.nan
            margin = min(MARGIN, min(pre.shape) // _BORDER)
            rows.append(asdict(score(found, sample.flow, sample.distance, sigma, margin=margin)))
    return rows
