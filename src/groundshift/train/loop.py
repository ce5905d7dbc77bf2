"""Training the network: samples in, weights out, with curves to look at and a state to go on from."""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from groundshift.errors import ConfigurationError, GroundshiftError
from groundshift.io.samples import SampleFolder
from groundshift.train.data import Joined, Order, Prepared, made
from groundshift.train.examples import evaluate, examples_of, input_of, run_model
from groundshift.train.kept import Kept
from groundshift.train.loss import loss
from groundshift.train.model import Refiner
from groundshift.train.optimise import Optimiser
from groundshift.train.recipe import Recipe
from groundshift.train.state import STATE, load_weights, restored, save

log = logging.getLogger(__name__)

KEPT = "samples"
_FADES = 8.0  # pixels from a trace


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
        If the folder holds the run of another recipe, or samples are missing or harmed.
    ConfigurationError
        If there is no such device.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    device = _usable(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    torch.manual_seed(recipe.seed)
    model = Refiner(recipe.model)
    if recipe.start is not None:
        model.adopt(load_weights(recipe.start, last=recipe.after is not None))
    model = model.to(device, memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.average)
    )
    optimiser = Optimiser(model, recipe)
    first, table = restored(out / STATE, recipe, model, average, optimiser)
    log.info("%s parameters on %s, from step %d", f"{sum(p.numel() for p in model.parameters()):,}", device, first)

    examples = examples_of(recipe)
    began, total = time.monotonic(), 0.0
    for step, batch in enumerate(_batches(recipe, out, first), first + 1):
        if isinstance(batch, GroundshiftError):
            raise batch
        batch = {name: each.to(device, non_blocking=True) for name, each in batch.items()}
        answers = run_model(model, batch, iterations=recipe.iterations, precision=getattr(torch, recipe.precision))
        weight = batch["valid"] * (1 + recipe.near * torch.exp(-batch["distance"] / _FADES))
        if recipe.level:
            weight = weight * _levelled(batch, recipe.level)[:, None, None]
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
            save(out, recipe, step, model, average, optimiser, table)
    return out / STATE


def _levelled(batch: dict[str, torch.Tensor], level: float) -> torch.Tensor:
    """How much each sample counts, (b,), by how far off the field is that it begins with."""
    error = torch.linalg.vector_norm(batch["start"] - batch["flow"], dim=1) * batch["valid"]
    mean = error.sum((1, 2)) / batch["valid"].sum((1, 2)).clamp(min=1)
    return (level / (mean + level / 8)).clamp(0.5, 5)


def _usable(device: str) -> str:
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        why = str(error).partition("\n")[0]
        raise ConfigurationError(f"device {device!r} cannot be used ({why}); give cpu, or cuda where it is") from error
    return device


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


def _batches(recipe: Recipe, out: Path, first: int) -> Any:
    samples = Joined((*map(SampleFolder, recipe.train), *map(made, recipe.made)))
    arrays = input_of(recipe, jitter=recipe.jitter)
    given = {"crop": recipe.crop, "symmetries": recipe.symmetries, "seed": recipe.seed, "arrays": arrays}
    data = Prepared(samples, **given) if recipe.after is None else Kept(samples, out / KEPT, **given)
    return torch.utils.data.DataLoader(
        _Told(data), batch_sampler=_Batches(len(data), recipe, first), num_workers=recipe.workers, collate_fn=_collated,
        prefetch_factor=4 if recipe.workers else None, pin_memory=torch.cuda.is_available(),
    )  # fmt: skip


@dataclass(frozen=True)
class _Told:
    """Samples, or the error that one gives: torch would hand it on from its workers with their tracebacks in it."""

    data: Prepared | Kept

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any] | GroundshiftError:
        try:
            return self.data[key]
        except GroundshiftError as error:
            return error


def _collated(samples: list[Any]) -> Any:
    """A batch, or the first error."""
    errors = [each for each in samples if isinstance(each, GroundshiftError)]
    return errors[0] if errors else torch.utils.data.default_collate(samples)
