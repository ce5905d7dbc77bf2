"""A solved series as a displacement map in time, its mean velocity, and a record of what was shared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from groundshift.engine import TileStore
from groundshift.grid.tiles import Box, Tile
from groundshift.model.displacement import covariances, layer_attributes
from groundshift.model.reason import Reason
from groundshift.products.fuse.record import map_layers
from groundshift.products.fuse.series.cells import Common
from groundshift.products.fuse.series.design import Design

_FIXED = ("quality", "reason")  # layers that do not change with time


def series_layers(
    names: Sequence[str], grid: GeoBox, dates: np.ndarray, attributes: dict[str, Any], *, empty: bool = True
) -> xr.Dataset:
    """A displacement map on (time, y, x) of `dates`, without its numbers; `empty` without memory for them."""
    timed = (*names, *(f"{name}_sigma" for name in names), *covariances(names))
    shape, variables = (len(dates), *grid.shape), {}
    for name in (*timed, "quality", "reason", "walk", "valid"):
        dims = ("time", "y", "x") if name in timed else ("y", "x")
        kind = {"reason": np.uint8, "valid": np.bool_}.get(name, np.float32)
        size = shape[3 - len(dims) :]
        layer = np.broadcast_to(np.zeros((), kind), size) if empty else np.zeros(size, kind)
        variables[name] = (dims, layer, {**_layer_attributes(name), "grid_mapping": "spatial_ref"})
    times = {"time": ("time", dates.astype("datetime64[ns]"))}
    return xr.Dataset(variables, coords={**times, **xr_coords(grid)}, attrs=attributes)


def series_blocks(
    store: TileStore, tiles: Sequence[Tile], names: Sequence[str], design: Design, dates: np.ndarray
) -> Iterator[tuple[Box, dict[str, np.ndarray]]]:
    """Its numbers, tile by tile; `dates`, datetime64[D], are among those solved for."""
    for tile in tiles:
        solved = store.read(tile.index)
        each = [
            map_layers(solved["motion"][k], solved["covariance"][k], solved["there"], solved["misfit"], names)
            for k in np.searchsorted(design.nodes[1:], dates)
        ]
        layers = {name: each[0][name] if name in _FIXED else np.stack([one[name] for one in each]) for name in each[0]}
        layers["walk"] = np.where(solved["there"].any(axis=0), solved["size"], np.nan).astype(np.float32)
        yield tile.box, layers | {"valid": layers["reason"] == Reason.VALID}


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


def _layer_attributes(name: str) -> dict[str, Any]:
    if name == "walk":
        return {"long_name": "size of the walk at random, of the rate in a year", "units": "m yr-1.5"}
    return layer_attributes(name)
