"""What a fusion is made from, where its tiles are kept, and what it gives as layers of a displacement map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xarray as xr
from odc.geo.geobox import GeoBox

from groundshift import __version__
from groundshift.engine import FolderStore, MemoryStore, TileStore, run_key, run_record
from groundshift.errors import InputError
from groundshift.grid.metric import grid_record
from groundshift.grid.tiles import Tile
from groundshift.model.displacement import COMPONENTS, COVARIANCES
from groundshift.model.reason import Reason
from groundshift.model.stations import StationVelocities
from groundshift.products.fuse.channels import Fusible
from groundshift.products.fuse.stations import Levelling, ModelField
from groundshift.products.ortho.plan import content_of, model_record


def identity(sources: Sequence[Fusible], grid: GeoBox, decided: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Key and record of a run."""
    inputs, described = [], []
    for source in sources:
        inputs += _content(source)
        options = {each.name: getattr(source, each.name) for each in fields(source)} if is_dataclass(source) else {}
        plain = {name: value for name, value in options.items() if isinstance(value, int | float | str)}
        described.append({"kind": type(source).__name__, "name": source.name, "errors": source.errors, **plain})
        if isinstance(source, Levelling):
            described[-1]["days"] = [str(source.start), str(source.end)]
        if isinstance(source, ModelField):
            described[-1]["model"] = model_record(source.model)
    decided = {
        **decided, "sources": described, "grid": grid_record(grid),
    }  # fmt: skip
    return run_key(inputs, decided, __version__), run_record(inputs, decided, __version__)


class Stores:
    """The stores of the steps of a run, in the order they were asked for: in `out/.tiles`, or in memory."""

    def __init__(self, out: str | Path | None, key: str, record: dict[str, Any]) -> None:
        self._folder, self._key, self._record = None if out is None else Path(out) / ".tiles", key, record
        self._made: list[TileStore] = []

    def __call__(self, name: str) -> TileStore:
        """That of one step."""
        named = f"{self._key}-{name}"
        made = MemoryStore() if self._folder is None else FolderStore(self._folder, named, record=self._record)
        self._made.append(made)
        return made

    def clear(self) -> None:
        """Remove the tiles of all steps."""
        for each in self._made:
            each.clear()


def found_components(store: TileStore, tiles: Sequence[Tile]) -> tuple[str, ...]:
    """Components that some cell has.

    Raises
    ------
    InputError
        If no cell has two.
    """
    found = np.zeros(3, bool)
    for tile in tiles:
        found |= store.read(tile.index)["there"].any(axis=(1, 2))
    if found.sum() < 2:
        raise InputError("the sources determine less than two components of every cell; give another look, or maps")
    return tuple(name for name, there in zip(COMPONENTS, found, strict=True) if there)


def map_layers(
    motion: np.ndarray, covariance: np.ndarray, there: np.ndarray, misfit: np.ndarray, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Layers of a displacement map with the components `names`.

    Parameters
    ----------
    motion, covariance
        (3, y, x) in m, and (6, y, x): ee, nn, uu, en, eu, nu.
    there
        bool (3, y, x): which components something measured.
    misfit
        (y, x): 1 where measurements agree as they should.
    """
    known, layers = dict(zip(COMPONENTS, there, strict=True)), {}
    for number, name in enumerate(COMPONENTS):
        if name in names:
            layers[name] = np.where(known[name], motion[number], np.nan)
            layers[f"{name}_sigma"] = np.where(known[name], np.sqrt(covariance[number]), np.nan)
    for number, name in enumerate(COVARIANCES, start=3):
        one, other = name.split("_")[:2]
        if {one, other} <= set(names):
            layers[name] = np.where(known[one] & known[other], covariance[number], np.nan)
    valid = there.any(axis=0)
    layers["quality"] = np.where(valid, 1 / np.maximum(np.nan_to_num(misfit, nan=1.0), 1.0), np.nan)
    layers = {name: values.astype(np.float32) for name, values in layers.items()}
    layers["reason"] = np.where(valid, Reason.VALID, Reason.NO_DATA).astype(np.uint8)
    return layers


def _content(source: Fusible) -> list[Any]:
    """What the result depends on: a path, or arrays."""
    held = getattr(source, "source", None)
    if isinstance(held, str):
        return [held]
    if isinstance(held, Path | pa.Table):
        return content_of(held)
    if isinstance(held, xr.Dataset):
        names = [name for name in held.data_vars if name.partition("_")[0] in COMPONENTS]
        said = " ".join(str(held.attrs.get(name)) for name in ("quantity", "date_pre", "date_post"))
        return [np.frombuffer(said.encode(), np.uint8), *(held[name].values for name in ("x", "y", *names))]
    record = getattr(source, "record", [])
    if isinstance(record, StationVelocities):
        return [record.velocity, record.covariance, record.latitude, record.longitude]
    return [
        each for one in record
        for each in (np.array([one.longitude, one.latitude]), one.days.astype(int), one.displacement, one.sigma)
    ]  # fmt: skip
