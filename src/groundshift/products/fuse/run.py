"""Displacement in three dimensions from whatever measured it: optical maps, radar, stations, levelling."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from groundshift import __version__
from groundshift.engine import TileStore, one_thread, run
from groundshift.errors import ConfigurationError, InputError
from groundshift.figures.fusion import fusion_figure
from groundshift.figures.style import save_figure
from groundshift.grid.tiles import Box, Tile, tile_plan
from groundshift.io import read_map, write_json, write_map
from groundshift.model.displacement import displacement_map
from groundshift.products.fuse.channels import Fusible, Interval
from groundshift.products.fuse.config import FuseConfig
from groundshift.products.fuse.fit import check_days, check_places
from groundshift.products.fuse.grid import fuse_grid, metric_grid
from groundshift.products.fuse.groups import make_groups
from groundshift.products.fuse.record import Stores, found_components, identity, map_layers
from groundshift.products.fuse.shared import Shared, solve_shared
from groundshift.products.fuse.solve import Problem, ReduceTile, SolveTile
from groundshift.products.fuse.sources import OpticalMap, RadarPoints
from groundshift.products.fuse.stated import common_reference
from groundshift.products.fuse.stations import ModelField, Stations

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

MAP_NAME, PICTURE_NAME, RECORD_NAME = "displacement.tif", "quicklook.png", "record.json"


def fuse(
    sources: Sequence[Fusible],
    *,
    start: Any = None,
    end: Any = None,
    config: FuseConfig | None = None,
    grid: GeoBox | None = None,
    out: str | Path | None = None,
    executor: str | Client | None = None,
    workers: int | None = None,
) -> xr.Dataset:
    """Fuse sources into one map of motion with its full covariance.

    Each measurement is its part of the motion of its cell (east, north, up), plus errors that its source has in
    common (an offset, a ramp, and a field that is alike nearby, each with a standard deviation beforehand), plus
    noise. All are estimated together by Bayesian least squares; what a cell has for itself is eliminated cell by cell,
    so that memory is bounded by a tile and by the nodes of the fields. Measurements that contradict the others of
    their cell or their neighbours count for less. A component that nothing measured is left out: two tracks of radar
    alone give east and up, as Ortho does, optical maps alone east and north.

    Parameters
    ----------
    sources
        :class:`~groundshift.products.fuse.sources.OpticalMap`, :class:`~groundshift.products.fuse.sources.RadarPoints`,
        :class:`~groundshift.products.fuse.stations.Stations`, `Levelling` and `ModelField`, any number.
    start, end
        Days between which the ground moved, such as those around an earthquake; needed for radar series and for series
        of stations. Not for velocities.
    config
        How to fuse; `quantity` says whether displacement or velocity is wanted.
    grid
        Cells of the result; the grid of the first optical map if not given, or cells of 100 m around the points.
    out
        Folder for `displacement.tif`, `quicklook.png` and `record.json`.
    executor, workers
        As for :func:`groundshift.engine.run`.

    Returns
    -------
    A displacement map (see :mod:`groundshift.model.displacement`), with the covariances between its components.

    Raises
    ------
    InputError
        If one of the sources has nothing in the area or in that time, or cannot be used, or the grid is not in metres.
    ConfigurationError
        If options make no sense together.

    Sources: Tarantola (2005), Inverse Problem Theory, section 3.2; Golub & Van Loan (2013), section 3.2 (elimination).
    """
    config = config or FuseConfig()
    interval = Interval(config.quantity, *(None if day is None else np.datetime64(day, "D") for day in (start, end)))
    _check(sources, interval)
    check_days(sources, interval)
    grid = metric_grid(grid or fuse_grid(sources))
    check_places(sources, grid)
    north_known = not any(isinstance(each, OpticalMap | Stations | ModelField) for each in sources)
    reference = common_reference(sources, config.quantity)
    groups = make_groups(sources, grid, config, reference)
    problem = Problem(tuple(sources), grid, groups, config, interval, north_known, reference)
    tiles = tile_plan(tuple(grid.shape), config.tile)
    key, record = identity(problem.sources, grid, {"config": config, "start": str(start), "end": str(end)})
    how = {"executor": executor or ("threads" if len(tiles) > 1 else "serial"), "workers": workers}
    log.info("fusing %s on %d x %d cells", ", ".join(each.name for each in sources), *grid.shape)
    stores = Stores(out, key, record)
    shared: Shared | None = None
    for number in range(config.rounds):
        reduced = stores(f"shared-{number}")
        run(ReduceTile(problem, shared), tiles, store=reduced, label=f"shared errors, round {number + 1}", **how)
        parts = [reduced.read(tile.index) for tile in tiles]
        with one_thread():
            shared = solve_shared(shared.groups if shared else problem.groups, config, parts)
    solved = stores("solved")
    run(SolveTile(problem, shared), tiles, store=solved, label="fusing", **how)
    names = found_components(solved, tiles)
    attributes = {
        "date_pre": "" if start is None else str(interval.start), "date_post": "" if end is None else str(interval.end),
        "method": "fusion", "source_pre": ", ".join(each.name for each in sources), "quantity": config.quantity,
        "source_post": ", ".join(each.name for each in sources), "software": f"groundshift {__version__}",
        "configuration_hash": key, **({"assumed": "north = 0"} if north_known else {}),
    }  # fmt: skip
    blocks = _blocks(solved, tiles, names)
    if out is None:
        return _in_memory(grid, blocks, attributes)
    write_map(Path(out) / MAP_NAME, grid, blocks, attributes=attributes)
    dataset = read_map(Path(out) / MAP_NAME)
    save_figure(fusion_figure(dataset), Path(out) / PICTURE_NAME)
    write_json(Path(out) / RECORD_NAME, {**attributes, "made_from": record, "shared": _report(problem, shared)})
    stores.clear()
    return dataset


def _check(sources: Sequence[Fusible], interval: Interval) -> None:
    if not sources:
        raise InputError("no source came; give optical maps, radar points, stations")
    timed = [each for each in sources if isinstance(each, RadarPoints)]
    timed += [each for each in sources if isinstance(each, Stations) and isinstance(each.record, Sequence)]
    if interval.quantity == "displacement":
        if timed and (interval.start is None or interval.end is None):
            raise ConfigurationError(f"{timed[0].name} is a series; give the start and end of the displacement")
        if interval.start is not None and interval.end is not None and interval.end <= interval.start:
            raise ConfigurationError(f"the displacement ends on {interval.end}, before its start {interval.start}")


def _blocks(
    store: TileStore, tiles: Sequence[Tile], names: tuple[str, ...]
) -> Iterator[tuple[Box, dict[str, np.ndarray]]]:
    for tile in tiles:
        solved = store.read(tile.index)
        yield tile.box, map_layers(solved["motion"], solved["covariance"], solved["there"], solved["misfit"], names)


def _in_memory(
    grid: GeoBox, blocks: Iterator[tuple[Box, dict[str, np.ndarray]]], attributes: dict[str, Any]
) -> xr.Dataset:
    layers: dict[str, np.ndarray] = {}
    for box, block in blocks:
        for name, values in block.items():
            layers.setdefault(name, np.empty(tuple(grid.shape), values.dtype))[box.slices] = values
    return displacement_map(layers, grid, attributes)


def _report(problem: Problem, shared: Shared) -> list[dict[str, Any]]:
    """Offset and ramps of each group with their sigmas, and how large its field is."""
    sigma = np.sqrt(np.diag(shared.covariance))
    out = []
    for group in shared.groups:
        part = slice(group.start, group.start + group.size)
        value, spread = shared.value[part], sigma[part]
        out.append(
            {
                "source": problem.sources[group.source].name, "component": group.name,
                "offset": value[0], "offset_sigma": spread[0], "ramp": value[1:3], "ramp_sigma": spread[1:3],
                "correlated": group.correlated,
                "correlated_rms": float(np.sqrt(np.mean(value[3:] ** 2))) if group.size > 3 else 0.0,
            }
        )  # fmt: skip
    return out
