"""Training the network: samples in, weights out, with curves to look at and a state to go on from."""

from __future__ import annotations

import csv
import itertools
import logging
import math
import pickle
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from scipy import ndimage
from torch import Tensor

from groundshift.errors import InputError
from groundshift.figures.style import save_figure
from groundshift.figures.training import curves
from groundshift.io.files import atomic_path
from groundshift.io.samples import Sample, SampleFolder, images_of
from groundshift.kernels.network_inputs import network_inputs
from groundshift.optical.network import read_weights
from groundshift.optical.refinement import CHANNELS, prepared, variance
from groundshift.train.data import Joined, Order, Prepared, made
from groundshift.train.loss import loss
from groundshift.train.model import Refiner
from groundshift.train.optimise import Optimiser
from groundshift.train.recipe import SHIPPED, Recipe
from groundshift.train.resample import warp

log = logging.getLogger(__name__)

STATE, CURVES, TABLE = "state.pt", "curves.png", "log.csv"
_FADES = 8.0  # pixels from a trace
_NEAR = 16.0  # pixels from the trace, as in the benchmark


@dataclass(frozen=True)
class NetworkInput:
    """Samples as the network takes them, see :func:`groundshift.optical.refinement.prepared`."""

    max_displacement: float
    jitter: float = 0.0

    def __call__(self, sample: Sample, random: np.random.Generator) -> dict[str, np.ndarray]:
        """Images, weights and first field, with the truth beside them."""
        pre, post = images_of(sample)
        pair = prepared(pre, post, max_displacement=self.max_displacement)
        valid = sample.valid & np.isfinite(sample.flow).all(axis=0)
        start = pair.start + _wobble(pair.start.shape, random, self.jitter)
        return {
            "first": pair.first[None],
            "second": pair.second[None],
            "first_weight": pair.first_weight[None],
            "second_weight": pair.second_weight[None],
            "start": start.astype(np.float32),
            "flow": np.where(valid, sample.flow, 0).astype(np.float32),
            "valid": valid,
            "distance": sample.distance.astype(np.float32),
        }


def _wobble(shape: tuple[int, ...], random: np.random.Generator, largest: float) -> np.ndarray:
    """A smooth random field, so that steps learn to mend what steps before them leave."""
    if largest == 0:
        return np.zeros(shape, np.float32)
    width, size = random.uniform(4, 24), random.uniform(0, largest)
    field = np.stack([ndimage.gaussian_filter(random.standard_normal(shape[1:]), width) for _ in range(2)])
    return (size * field / max(np.abs(field).max(), 1e-9)).astype(np.float32)


def run_model(
    model: Refiner, batch: dict[str, Tensor], *, iterations: int, precision: torch.dtype = torch.float32
) -> list[Tensor]:
    """The answers of all steps, (b, 7, y, x) each; no step sees through the warp of the one before.

    Parameters
    ----------
    precision
        Of the convolutions. What they are given is always float32: products of gradients need it.
    """
    flow, answers = batch["start"], []
    for _ in range(iterations):
        flow = flow.detach()
        seen = _seen(model, batch, flow).contiguous(memory_format=torch.channels_last)
        answers.append(model.answer(seen, flow, precision=precision))
        flow = answers[-1][:, :2]
    return answers


@torch.no_grad()
def _seen(model: Refiner, batch: dict[str, Tensor], flow: Tensor) -> Tensor:
    """What the convolutions are given, (b, c, y, x); compiled on a processor, four times as fast there."""
    dx, dy = flow.unbind(1)
    second = warp(batch["second"][:, 0], dx, dy).unsqueeze(1)
    weight = batch["first_weight"] * _there(batch["second_weight"], dx, dy)
    if flow.device.type != "cpu":
        return model.seen(batch["first"], second, weight, flow)
    looks = {"windows": model.options.windows, "reaches": model.options.reaches}
    images = (each[:, 0].numpy() for each in (batch["first"], second, weight))
    given = zip(*images, flow.contiguous().numpy(), strict=True)
    return torch.from_numpy(np.stack([network_inputs(*each, **looks) for each in given]))


def _there(weight: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """The weight (b, 1, y, x) of the nearest pixel at the end of a displacement; 0 beyond the image."""
    height, width = weight.shape[-2:]
    rows, cols = torch.arange(height, device=dx.device), torch.arange(width, device=dx.device)
    y, x = (dy + rows[:, None]).round().long(), (dx + cols).round().long()
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    flat = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    return (weight.flatten(2).gather(2, flat.flatten(1).unsqueeze(1)).view_as(weight)) * inside.unsqueeze(1)


def train(recipe: Recipe, out: str | Path, *, device: str | None = None) -> Path:
    """Train a network, or go on where an earlier run in the same folder was stopped.

    Parameters
    ----------
    out
        Folder for the state (weights, their moving average, the optimiser), a table of progress and its picture.
    device
        `cpu`, `cuda`, …; a GPU if there is one.

    Returns
    -------
    The file with the state: weights, their moving average, the optimiser, the recipe and the table.

    Raises
    ------
    InputError
        If the folder holds the run of another recipe, or there are no samples.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(recipe.seed)
    model = Refiner(recipe.model)
    if recipe.start is not None:
        model.adopt(load_weights(recipe.start))
    model = model.to(device, memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.average)
    )
    optimiser = Optimiser(model, recipe)
    first, table = _restored(out / STATE, recipe, model, average, optimiser)
    log.info("%s parameters on %s, from step %d", f"{sum(p.numel() for p in model.parameters()):,}", device, first)

    examples = examples_of(recipe)
    began, total = time.monotonic(), 0.0
    for step, batch in enumerate(_batches(recipe, first), first + 1):
        batch = {name: each.to(device, non_blocking=True) for name, each in batch.items()}
        answers = run_model(model, batch, iterations=recipe.iterations, precision=getattr(torch, recipe.precision))
        weight = batch["valid"] * (1 + recipe.near * torch.exp(-batch["distance"] / _FADES))
        value = loss(
            answers, batch["flow"], weight,
            decay=recipe.decay, absolute=recipe.absolute, likelihood=recipe.likelihood,
        )  # fmt: skip
        optimiser.step(value, rate=_rate(recipe, step))
        average.update_parameters(model)
        total += float(value.detach())
        if step % recipe.every == 0 or step == recipe.steps:
            scores = evaluate(average.module, examples, iterations=recipe.iterations, device=device)
            since = (step - first - 1) % recipe.every + 1
            table.append({"step": step, "seconds": round(time.monotonic() - began, 1), "loss": total / since, **scores})
            total = 0.0
            log.info("%s", ", ".join(f"{name} {each:.4g}" for name, each in table[-1].items()))
            _save(out, recipe, step, model, average, optimiser, table)
    return out / STATE


def load_state(path: str | Path) -> tuple[Refiner, Recipe, dict[str, Any]]:
    """The network of a state, with the moving average of its weights; its recipe; and the state itself.

    Raises
    ------
    InputError
        If the file is no state of a training run.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        recipe = Recipe(**state["recipe"])
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
        why = str(error).partition("\n")[0]
        raise InputError(f"{path} is no state of a training run ({why}); give the state.pt that one left") from error
    model = Refiner(recipe.model)
    weights = {name.removeprefix("module."): each for name, each in state["average"].items() if name != "n_averaged"}
    model.load_state_dict(weights)
    return model.eval(), recipe, state


def load_weights(start: str) -> Refiner:
    """A network to begin with: of the state of a run, of a folder with weights and card, or `shipped`, the package's.

    Raises
    ------
    InputError
        If it is none of these.
    """
    if start != SHIPPED and not Path(start).is_dir():
        return load_state(start)[0]
    weights, card = read_weights(None if start == SHIPPED else start)
    options = Recipe(**card["recipe"]).model
    model = Refiner(options)
    held = {each.name: numpy_helper.to_array(each) for each in onnx.load_from_string(weights).graph.initializer}
    model.body.load_state_dict({name: torch.from_numpy(held[name].copy()) for name in model.body.state_dict()})
    return model.eval()


def _rate(recipe: Recipe, step: int) -> float:
    """Linear rise over a twentieth of the steps, then half a cosine down to 0."""
    rise = max(recipe.steps // 20, 1)
    if step <= rise:
        return recipe.rate * step / rise
    return recipe.rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(recipe.steps - rise, 1)))


class _Batches:
    """The samples of each batch from a step onward; the epochs follow from the step."""

    def __init__(self, length: int, recipe: Recipe, first: int):
        self.length, self.recipe, self.first = length, recipe, first

    def __len__(self) -> int:
        return self.recipe.steps - self.first

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        keys = itertools.islice(self._keys(), self.first * self.recipe.batch, self.recipe.steps * self.recipe.batch)
        while some := list(itertools.islice(keys, self.recipe.batch)):
            yield some

    def _keys(self) -> Iterator[tuple[int, int]]:
        order = Order(self.length, seed=self.recipe.seed)
        for epoch in itertools.count():
            order.set_epoch(epoch)
            yield from order


def _batches(recipe: Recipe, first: int) -> Any:
    samples = Joined((*map(SampleFolder, recipe.train), *map(made, recipe.made)))
    arrays = NetworkInput(recipe.max_displacement, recipe.jitter)
    data = Prepared(samples, crop=recipe.crop, symmetries=recipe.symmetries, seed=recipe.seed, arrays=arrays)
    return torch.utils.data.DataLoader(
        data, batch_sampler=_Batches(len(data), recipe, first), num_workers=recipe.workers,
        prefetch_factor=4 if recipe.workers else None, pin_memory=torch.cuda.is_available(),
    )  # fmt: skip


def examples_of(recipe: Recipe) -> list[dict[str, np.ndarray]]:
    """Samples of the validation folders, whole and not turned, evenly spread over each."""
    examples = []
    for folder in map(SampleFolder, recipe.validation):
        data = Prepared(folder, symmetries=False, seed=recipe.seed, arrays=NetworkInput(recipe.max_displacement))
        examples += [data[index] for index in spread(len(folder), recipe.validation_samples)]
    return examples


def spread(length: int, count: int) -> list[int]:
    """As many of the numbers below `length`, evenly spread."""
    return [int(each) for each in np.unique(np.linspace(0, length - 1, min(count, length)).astype(int))]


@torch.no_grad()
def evaluate(
    model: Refiner, examples: list[dict[str, np.ndarray]], *, iterations: int, device: str
) -> dict[str, float]:
    """Mean end-point error over samples, pixels: before the first step (`start`), after the last (`epe`) and, of that,
    near the trace (`near`); mean square of standardised errors, east and north (`variance_x`, `variance_y`), once the
    median error of the sample is removed: how two real images lie to each other is not known well enough for them."""
    rows = []
    for example in examples:
        batch = {name: torch.from_numpy(np.ascontiguousarray(each))[None].to(device) for name, each in example.items()}
        answer = run_model(model, batch, iterations=iterations)[-1][0].cpu().numpy()
        assert answer.shape[0] == CHANNELS
        valid = example["valid"]
        if not valid.any():
            continue
        error = answer[:2] - example["flow"]
        size = np.hypot(*error)
        near = valid & (example["distance"] <= _NEAR)
        relative = error - np.median(error[:, valid], axis=1)[:, None, None]
        standard = (relative**2 / variance(answer))[:, valid].mean(axis=1)
        rows.append(
            {
                "start": np.hypot(*(example["start"] - example["flow"]))[valid].mean(),
                "epe": size[valid].mean(),
                "near": size[near].mean() if near.any() else np.nan,
                "variance_x": standard[0],
                "variance_y": standard[1],
            }
        )
    return means(rows)


def means(rows: list[dict[str, float]]) -> dict[str, float]:
    """Mean of each column over the rows that have a value; NaN if none has."""
    columns = {name: [row[name] for row in rows if math.isfinite(row[name])] for name in rows[0]}
    return {name: float(np.mean(each)) if each else math.nan for name, each in columns.items()}


def _save(
    out: Path,
    recipe: Recipe,
    step: int,
    model: torch.nn.Module,
    average: torch.nn.Module,
    optimiser: Optimiser,
    table: list[dict[str, float]],
) -> None:
    state = {
        "recipe": recipe.model_dump(mode="json"), "step": step, "model": model.state_dict(),
        "average": average.state_dict(), "optimiser": optimiser.state_dict(), "table": table,
    }  # fmt: skip
    with atomic_path(out / STATE) as temporary:
        torch.save(state, temporary)
    with atomic_path(out / TABLE) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    save_figure(curves(table), out / CURVES)


def _restored(
    path: Path,
    recipe: Recipe,
    model: torch.nn.Module,
    average: torch.nn.Module,
    optimiser: Optimiser,
) -> tuple[int, list[dict[str, float]]]:
    if not path.exists():
        return 0, []
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["recipe"] != recipe.model_dump(mode="json"):
        raise InputError(f"{path} is of another recipe; give the recipe it began with, or another folder")
    model.load_state_dict(state["model"])
    average.load_state_dict(state["average"])
    optimiser.load_state_dict(state["optimiser"])
    return state["step"], state["table"]
