"""From the state of a training run to the network that is used: ONNX weights and their card."""

from __future__ import annotations

import hashlib
import io
import logging
import warnings
from collections.abc import Mapping, Sequence
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
from groundshift.train.recipe import folder_of
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

    Its variances are made right by :func:`calibrate` on what the recipe names for that, its scores are those on the
    validation samples.
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
    rows = _scores(network, recipe.validation, recipe.validation_samples, recipe.max_displacement)
    card |= {"validation": means(rows), "samples": len(rows)}
    if recipe.calibration:
        rows = _scores(network, recipe.calibration, None, recipe.max_displacement)
    return _written(Path(out), files, card | _calibration(rows))


def calibrate(
    weights: str | None, folders: Sequence[str | Path], out: str | Path, *, max_displacement: float = 12.0
) -> dict[str, Any]:
    """Make the variances of a network right on samples, and write it with its card into a folder; returns the card.

    Nothing else of it changes: so the sigmas of a trained network can be fitted to other images.

    Parameters
    ----------
    weights
        Folder of the network; the one that comes with the package if None.
    folders
        Of samples, as :func:`groundshift.synth.dataset.build_dataset` leaves them. All of them count.

    Raises
    ------
    InputError
        If there is no such network, or a folder holds no samples.
    """
    card, steps, last = read_weights(weights)
    network = load(weights)._replace(variance_factor=1.0)
    rows = _scores(network, folders, None, max_displacement)
    return _written(Path(out), {WEIGHTS: steps} | ({LAST: last} if last else {}), card | _calibration(rows))


def _calibration(rows: list[dict[str, float]]) -> dict[str, Any]:
    """The factor by which variances are too small: the mean over samples of the mean square of standardised errors.

    Errors within a sample are alike, so the mean square of a sample is skewed, and the median over samples would be
    too small.
    """
    factor = float(np.nanmean([(row["variance_x"] + row["variance_y"]) / 2 for row in rows]))
    return {"variance_factor": factor, "calibration_samples": len(rows)}


def _written(out: Path, files: Mapping[str, bytes], card: dict[str, Any]) -> dict[str, Any]:
    """Write the files of a network and its card; returns the card."""
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with atomic_path(out / name) as temporary:
            temporary.write_bytes(content)
    write_json(out / CARD, card)
    return card


def _scores(
    network: Network, folders: Sequence[str | Path], samples: int | None, max_displacement: float
) -> list[dict[str, float]]:
    """Scores of the method with a network on so many samples of each folder, or all of them.

    See :func:`groundshift.validate.metrics.score`.
    """
    rows = []
    for folder in map(SampleFolder, folders):
        for index in spread(len(folder), samples or len(folder)):
            sample = folder[index]
            pre, post = images_of(sample)
            nodes = Nodes(*(np.arange(side, dtype=float) for side in pre.shape))
            flow = measured(network, pre, post, nodes, max_displacement=max_displacement)
            found, sigma = np.stack([flow.dx, flow.dy]), np.stack([flow.dx_sigma, flow.dy_sigma])
            found[:, ~sample.valid] = np.nan
            margin = min(MARGIN, min(pre.shape) // _BORDER)
            rows.append(asdict(score(found, sample.flow, sample.distance, sigma, margin=margin)))
    return rows
