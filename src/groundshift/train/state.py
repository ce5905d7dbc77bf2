"""What a training run leaves: weights, their moving average, the optimiser, the recipe and the table of progress."""

from __future__ import annotations

import contextlib
import csv
import io
import pickle
import zipfile
import zlib
from collections.abc import Iterator
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
from groundshift.train.recipe import SHIPPED, Recipe, folder_of

STATE, CURVES, TABLE = "state.pt", "curves.png", "log.csv"
_PARTS = {"recipe", "step", "model", "average", "optimiser", "table"}


def load_state(path: str | Path) -> tuple[Refiner, Recipe, dict[str, Any]]:
    """The network of a state, with the moving average of its weights; its recipe; and the state itself.

    Raises
    ------
    InputError
        If the file is no state of a training run.
    """
    state, recipe = _read(path)
    model = Refiner(recipe.model)
    weights = {name.removeprefix("module."): each for name, each in state["average"].items() if name != "n_averaged"}
    with _fitting(path):
        model.load_state_dict(weights)
    return model.eval(), recipe, state


def _read(path: str | Path) -> tuple[dict[str, Any], Recipe]:
    """A state, all of whose parts are there, and its recipe."""
    try:
        with zipfile.ZipFile(path) as archive:
            if (harmed := archive.testzip()) is not None:  # torch does not look at checksums
                raise ValueError(f"{harmed} has another checksum")
        state = torch.load(path, map_location="cpu", weights_only=True)
        if missing := _PARTS - state.keys():
            raise KeyError(*sorted(missing))
        return state, Recipe(**state["recipe"])
    except (OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError, EOFError,
            pickle.UnpicklingError, zipfile.BadZipFile, zlib.error) as error:  # fmt: skip
        raise InputError(_refused(path, error)) from error


@contextlib.contextmanager
def _fitting(path: str | Path) -> Iterator[None]:
    """What does not fit a network or an optimiser, as InputError that names the state."""
    try:
        yield
    except (RuntimeError, LookupError, TypeError, ValueError) as error:
        raise InputError(_refused(path, error)) from error


def _refused(path: str | Path, error: Exception) -> str:
    why = str(error).partition("\n")[0].rstrip(". ")
    return (
        f"{path} is no state of a training run, or harmed ({why}); give the state.pt that one left, or remove it to "
        "begin anew"
    )


def load_weights(start: str, *, last: bool = False) -> Refiner:
    """A network to begin with: of the state of a run, of a folder with weights and card, or `shipped`, the package's.

    Of a folder, or the package, the network of the last step if `last`, and if there is one.

    Raises
    ------
    InputError
        If it is none of these.
    """
    if start != SHIPPED and not Path(start).is_dir():
        return load_state(start)[0]
    card, weights, of_last_step = read_weights(folder_of(start))
    if last and of_last_step is not None:
        card, weights = card["last"], of_last_step
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
    content = io.BytesIO()
    torch.save(state, content)  # in memory: on a full disk it raises no OSError, and not the same error each time
    with atomic_path(out / STATE) as temporary:
        temporary.write_bytes(content.getbuffer())
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
        If it is of another recipe, or cannot be read.
    """
    if not path.exists():
        return 0, []
    state, _ = _read(path)
    if state["recipe"] != recipe.model_dump(mode="json"):
        raise InputError(f"{path} is of another recipe; give the recipe it began with, or another folder")
    with _fitting(path):
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
    return state["step"], state["table"]
