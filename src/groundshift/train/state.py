"""What a training run leaves: weights, their moving average, the optimiser, the recipe and the table of progress."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper

from groundshift.errors import InputError
from groundshift.figures.style import save_figure
from groundshift.figures.training import curves
from groundshift.io.files import atomic_path
from groundshift.optical.network import read_weights
from groundshift.train.model import Refiner
from groundshift.train.optimise import Optimiser
from groundshift.train.recipe import SHIPPED, Recipe

STATE, CURVES, TABLE = "state.pt", "curves.png", "log.csv"


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


def save(
    out: Path,
    recipe: Recipe,
    step: int,
    model: torch.nn.Module,
    average: torch.nn.Module,
    optimiser: Optimiser,
    table: list[dict[str, float]],
) -> None:
    """Write the state into a folder, with the table of progress and its picture."""
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


def restored(
    path: Path,
    recipe: Recipe,
    model: torch.nn.Module,
    average: torch.nn.Module,
    optimiser: Optimiser,
) -> tuple[int, list[dict[str, float]]]:
    """Go on from a state, if there is one: its step, 0 if none, and the table of progress until there.

    Raises
    ------
    InputError
        If it is of another recipe.
    """
    if not path.exists():
        return 0, []
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["recipe"] != recipe.model_dump(mode="json"):
        raise InputError(f"{path} is of another recipe; give the recipe it began with, or another folder")
    model.load_state_dict(state["model"])
    average.load_state_dict(state["average"])
    optimiser.load_state_dict(state["optimiser"])
    return state["step"], state["table"]
