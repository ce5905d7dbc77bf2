"""A solved series as a displacement map in time, its mean velocity, and a record of what was shared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import dask
import dask.array as da
import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from groundshift.engine import TileStore
from groundshift.errors import InputError
from groundshift.grid.tiles import Box, Tile
from groundshift.model.displacement import COMPONENTS, covariances, layer_attributes
from groundshift.model.reason import Reason
from groundshift.products.fuse.record import map_layers
from groundshift.products.fuse.series.cells import Common
from groundshift.products.fuse.series.design import Design

_FIXED = ("quality", "reason")  # layers that do not change with time


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


def series_dataset(
    store: TileStore, tiles: Sequence[Tile], names: Sequence[str], design: Design, grid: GeoBox, dates: np.ndarray,
    attributes: dict[str, Any],
) -> xr.Dataset:  # fmt: skip
    """A displacement map on (time, y, x) of `dates`, datetime64[D] among those solved for; lazy, by tiles."""
    chosen = np.searchsorted(design.nodes[1:], dates)
    timed = [*names, *(f"{name}_sigma" for name in names), *covariances(names)]
    rows: dict[int, list[dict[str, da.Array]]] = {}
    for tile in tiles:
        parts = dask.delayed(_tile_layers, pure=True)(store, tile, names, chosen)
        row = {}
        for name in (*timed, *_FIXED, "walk"):
            shape = (len(chosen), *tile.box.shape) if name in timed else tile.box.shape
            row[name] = da.from_delayed(parts[name], shape, np.uint8 if name == "reason" else np.float32)
        rows.setdefault(tile.box.top, []).append(row)
    layers = {
        name: da.concatenate([da.concatenate([each[name] for each in row], -1) for row in rows.values()], -2)
        for name in (*timed, *_FIXED, "walk")
    }
    layers["valid"] = layers["reason"] == Reason.VALID
    variables = {
        name: (
            ("time", "y", "x") if name in timed else ("y", "x"), layer,
            {**_layer_attributes(name), "grid_mapping": "spatial_ref"},
        )
        for name, layer in layers.items()
    }  # fmt: skip
    times = {"time": ("time", dates.astype("datetime64[ns]"))}
    return xr.Dataset(variables, coords={**times, **xr_coords(grid)}, attrs=attributes)


def velocity_blocks(
    store: TileStore, tiles: Sequence[Tile], names: Sequence[str], span: float
) -> Iterator[tuple[Box, dict[str, np.ndarray]]]:
    """The mean velocity over `span` years, block by block, as :func:`groundshift.io.write_map` takes it."""
    for tile in tiles:
        solved = store.read(tile.index)
        motion, covariance = solved["motion"][-1] / span, solved["covariance"][-1] / span**2
        yield tile.box, map_layers(motion, covariance, solved["there"], solved["misfit"], names)


def shared_report(design: Design, common: Common) -> dict[str, Any]:
    """Offsets and ramps that were found on each date, and how large the fields of each strand are."""
    sigma = np.sqrt((common.directions**2).sum(axis=2))
    dates = [
        {
            "source": design.strands[each.strand].name, "component": design.strands[each.strand].component,
            "date": each.name, "offset": value[0], "ramp": value[1:],
            "offset_sigma": float(np.hypot(spread[0], np.sqrt(common.white[each.strand, 0]))),
        }
        for each, value, spread in zip(design.epochs, common.value, sigma, strict=True)
    ]  # fmt: skip
    fields = [
        {"source": each.name, "component": each.component, "correlated": size}
        for each, size in zip(design.strands, common.fields, strict=True)
    ]
    return {"dates": dates, "fields": fields, "rate": common.rate}


def _tile_layers(store: TileStore, tile: Tile, names: Sequence[str], chosen: np.ndarray) -> dict[str, np.ndarray]:
    solved = store.read(tile.index)
    dates = [
        map_layers(solved["motion"][k], solved["covariance"][k], solved["there"], solved["misfit"], names)
        for k in chosen
    ]
    out = {name: dates[0][name] if name in _FIXED else np.stack([each[name] for each in dates]) for name in dates[0]}
    return {**out, "walk": np.where(solved["there"].any(axis=0), solved["size"], np.nan).astype(np.float32)}


def _layer_attributes(name: str) -> dict[str, Any]:
    if name == "walk":
        return {"long_name": "size of the walk at random, of the rate in a year", "units": "m yr-1.5"}
    return layer_attributes(name)
