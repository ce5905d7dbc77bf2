"""What the network is shown, and how well it answers: samples as it takes them, and its error on some of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from groundshift.io.samples import Sample, SampleFolder, images_of
from groundshift.kernels.network_inputs import network_inputs
from groundshift.optical.network import load
from groundshift.optical.refinement import CHANNELS, prepared, refined, variance, warped
from groundshift.optical.sharp import once_sharp, told_of
from groundshift.train.data import Prepared
from groundshift.train.model import Refiner
from groundshift.train.recipe import Recipe, folder_of
from groundshift.train.resample import warp

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
        start = pair.start + _wobble(pair.start.shape, random, self.jitter)
        return {
            "first": pair.first[None],
            "second": pair.second[None],
            "first_weight": pair.first_weight[None],
            "second_weight": pair.second_weight[None],
            "start": start.astype(np.float32),
            **_truth(sample),
        }


@dataclass(frozen=True)
class LastInput:
    """Samples as the network of the last step takes them: with the field of another, made sharp once.

    See :func:`groundshift.optical.sharp.sharp`.
    """

    max_displacement: float
    after: str  # of a recipe

    def __call__(self, sample: Sample, random: np.random.Generator) -> dict[str, np.ndarray]:
        """Images, the second brought onto the first; weight; field; and what is told, with the truth beside them.

        The truth has the median of the field: how two real images lie to each other is not known better. Nothing here
        is drawn from `random`.
        """
        network = load(folder_of(self.after))
        pair = prepared(*images_of(sample), max_displacement=self.max_displacement)
        answer = refined(pair, network.refine, iterations=network.iterations)
        start, truth = once_sharp(pair, answer), _truth(sample)
        if (valid := truth["valid"]).any():
            truth["flow"] += np.median((start - truth["flow"])[:, valid], axis=1)[:, None, None]
        second, weight = warped(pair, start)
        told = told_of(answer, start)
        return {
            "first": pair.first[None],
            "second": second[None],
            "weight": weight[None],
            "start": start,
            "told": told,
        } | truth


def _truth(sample: Sample) -> dict[str, np.ndarray]:
    valid = sample.valid & np.isfinite(sample.flow).all(axis=0)
    return {
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
    told = batch.get("told")
    if told is None:
        dx, dy = flow.unbind(1)
        second = warp(batch["second"][:, 0], dx, dy).unsqueeze(1)
        weight = batch["first_weight"] * _there(batch["second_weight"], dx, dy)
    else:  # the last step, and its only one
        second, weight = batch["second"], batch["weight"]
    if flow.device.type != "cpu":
        return model.seen(batch["first"], second, weight, flow, told)
    looks = {"windows": model.options.windows, "reaches": model.options.reaches}
    images = (each[:, 0].numpy() for each in (batch["first"], second, weight))
    more = [None] * len(flow) if told is None else told.numpy()
    given = zip(*images, flow.contiguous().numpy(), more, strict=True)
    return torch.from_numpy(np.stack([network_inputs(*each, **looks, told=last) for *each, last in given]))


def _there(weight: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """The weight (b, 1, y, x) of the nearest pixel at the end of a displacement; 0 beyond the image."""
    height, width = weight.shape[-2:]
    rows, cols = torch.arange(height, device=dx.device), torch.arange(width, device=dx.device)
    y, x = (dy + rows[:, None]).round().long(), (dx + cols).round().long()
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    flat = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    return (weight.flatten(2).gather(2, flat.flatten(1).unsqueeze(1)).view_as(weight)) * inside.unsqueeze(1)


def input_of(recipe: Recipe, *, jitter: float = 0.0) -> NetworkInput | LastInput:
    """What makes samples as the network of a recipe takes them."""
    if recipe.after is not None:
        return LastInput(recipe.max_displacement, recipe.after)
    return NetworkInput(recipe.max_displacement, jitter)


def examples_of(recipe: Recipe) -> list[dict[str, np.ndarray]]:
    """Samples of the validation folders, whole and not turned, evenly spread over each."""
    examples, arrays = [], input_of(recipe)
    for folder in map(SampleFolder, recipe.validation):
        data = Prepared(folder, symmetries=False, seed=recipe.seed, arrays=arrays)
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
