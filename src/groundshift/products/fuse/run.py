"""Displacement in three dimensions from whatever measured it: optical maps, radar, stations, levelling."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import xarray as xr
from odc.geo.geobox import GeoBox

from groundshift import __version__
from groundshift.engine import FolderStore, MemoryStore, TileStore, one_thread, run, run_key, run_record
from groundshift.errors import ConfigurationError, InputError
from groundshift.figures.fusion import fusion_figure
from groundshift.figures.style import save_figure
from groundshift.grid.tiles import Box, Tile, tile_plan
from groundshift.io import read_map, write_json, write_map
from groundshift.model.displacement import COMPONENTS, COVARIANCES, displacement_map
from groundshift.model.points import series
from groundshift.model.reason import Reason
from groundshift.model.stations import StationVelocities
from groundshift.products.fuse.channels import Fusible, Interval
from groundshift.products.fuse.config import FuseConfig
from groundshift.products.fuse.grid import fuse_grid
from groundshift.products.fuse.groups import make_groups
from groundshift.products.fuse.shared import Shared, solve_shared
from groundshift.products.fuse.solve import Problem, ReduceTile, SolveTile
from groundshift.products.fuse.sources import OpticalMap, RadarPoints
from groundshift.products.fuse.stations import ModelField, Stations
from groundshift.products.ortho.plan import model_record

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
        If no source measures the area, or one cannot be used.
    ConfigurationError
        If options make no sense together.

    Sources: Tarantola (2005), Inverse Problem Theory, section 3.2; Golub & Van Loan (2013), section 3.2 (elimination).
    """
    config = config or FuseConfig()
    interval = Interval(config.quantity, *(None if day is None else np.datetime64(day, "D") for day in (start, end)))
    _check(sources, interval)
    grid = grid or fuse_grid(sources)
    north_known = not any(isinstance(each, OpticalMap | Stations | ModelField) for each in sources)
    problem = Problem(tuple(sources), grid, make_groups(sources, grid, config), config, interval, north_known)
    tiles = tile_plan(tuple(grid.shape), config.tile)
    key, record = _identity(problem, start, end)
    how = {"executor": executor or ("threads" if len(tiles) > 1 else "serial"), "workers": workers}
    log.info("fusing %s on %d x %d cells", ", ".join(each.name for each in sources), *grid.shape)
    stores: list[TileStore] = []

    def store(name: str) -> TileStore:
        folder = None if out is None else Path(out) / ".tiles"
        stores.append(MemoryStore() if folder is None else FolderStore(folder, f"{key}-{name}", record=record))
        return stores[-1]

    shared: Shared | None = None
    for number in range(config.rounds):
        reduced = store(f"shared-{number}")
        run(ReduceTile(problem, shared), tiles, store=reduced, label=f"shared errors, round {number + 1}", **how)
        parts = [reduced.read(tile.index) for tile in tiles]
        with one_thread():
            shared = solve_shared(shared.groups if shared else problem.groups, config, parts)
    solved = store("solved")
    run(SolveTile(problem, shared), tiles, store=solved, label="fusing", **how)
    names = _components(solved, tiles)
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
    for each in stores:
        each.clear()
    return dataset


def fuse_series(
    sources: Sequence[Fusible],
    dates: Sequence[Any],
    *,
    match: int = 30,
    config: FuseConfig | None = None,
    **options: Any,
) -> xr.Dataset:
    """Displacement since the first of several dates: one fusion each, on one grid.

    Radar and stations are taken between the dates; an optical map takes part where both its dates are within `match`
    days of those of the interval.

    Parameters
    ----------
    dates
        Increasing, two or more.
    match
        Days.
    config, options
        As for :func:`fuse`, without `start`, `end` and `out`.

    Returns
    -------
    A displacement map on (time, y, x), one time for each date but the first. A component that is not there on all of
    them is left out.
    """
    days = np.asarray(dates, "datetime64[D]")
    if days.size < 2 or (np.diff(days) <= np.timedelta64(0, "D")).any():
        raise ConfigurationError(f"dates {days.tolist()} came; expected two or more, increasing")
    if (config or FuseConfig()).quantity != "displacement":
        raise ConfigurationError("a series is of displacement; fuse velocities once, by fuse(...)")
    options.setdefault("grid", fuse_grid(sources))
    maps = []
    for day in days[1:]:
        there = [each for each in sources if not isinstance(each, OpticalMap) or _matches(each, days[0], day, match)]
        maps.append(fuse(there, start=days[0], end=day, config=config, **options))
    common = [name for name in maps[0].data_vars if all(name in each for each in maps)]
    times = xr.DataArray(days[1:].astype("datetime64[ns]"), dims="time", name="time")
    return xr.concat([each[common] for each in maps], times, combine_attrs="override")


def _matches(source: OpticalMap, start: np.datetime64, end: np.datetime64, match: int) -> bool:
    said = [source.dataset().attrs[name] for name in ("date_pre", "date_post")]
    if not all(said):
        raise InputError(f"{source.name} does not say its dates, which a series needs; write date_pre and date_post")
    apart = [abs(np.datetime64(text, "D") - day).astype(int) for text, day in zip(said, (start, end), strict=True)]
    return max(apart) <= match


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


def _identity(problem: Problem, start: Any, end: Any) -> tuple[str, dict[str, Any]]:
    """Key and record of a run."""
    inputs, described = [], []
    for source in problem.sources:
        inputs += _content(source)
        described.append({"kind": type(source).__name__, "name": source.name, "errors": source.errors})
        if isinstance(source, ModelField):
            described[-1]["model"] = model_record(source.model)
    decided = {
        "config": problem.config, "sources": described, "start": str(start), "end": str(end),
        "grid": [list(problem.grid.shape), list(problem.grid.affine)[:6], str(problem.grid.crs)],
    }  # fmt: skip
    return run_key(inputs, decided, __version__), run_record(inputs, decided, __version__)


def _content(source: Fusible) -> list[Any]:
    """What the result depends on: a path, or arrays."""
    held = getattr(source, "source", None)
    if isinstance(held, str | Path):
        return [held]
    if isinstance(held, xr.Dataset):
        return [held[name].values for name in held.data_vars if name.partition("_")[0] in COMPONENTS]
    if isinstance(held, pa.Table):
        return [series(held)]
    record = getattr(source, "record", [])
    if isinstance(record, StationVelocities):
        return [record.velocity, record.covariance, record.latitude, record.longitude]
    return [each.displacement for each in record]


def _components(store: TileStore, tiles: Sequence[Tile]) -> tuple[str, ...]:
    """Components that some cell has."""
    found = np.zeros(3, bool)
    for tile in tiles:
        found |= store.read(tile.index)["there"].any(axis=(1, 2))
    if found.sum() < 2:
        raise InputError("the sources determine less than two components of every cell; give another look, or maps")
    return tuple(name for name, there in zip(COMPONENTS, found, strict=True) if there)


def _blocks(
    store: TileStore, tiles: Sequence[Tile], names: tuple[str, ...]
) -> Iterator[tuple[Box, dict[str, np.ndarray]]]:
    for tile in tiles:
        solved = store.read(tile.index)
        there = dict(zip(COMPONENTS, solved["there"], strict=True))
        layers = {}
        for number, name in enumerate(COMPONENTS):
            if name in names:
                layers[name] = np.where(there[name], solved["motion"][number], np.nan)
                layers[f"{name}_sigma"] = np.where(there[name], np.sqrt(solved["covariance"][number]), np.nan)
        for number, name in enumerate(COVARIANCES, start=3):
            one, other = name.split("_")[:2]
            if {one, other} <= set(names):
                layers[name] = np.where(there[one] & there[other], solved["covariance"][number], np.nan)
        valid = np.any(list(there.values()), axis=0)
        fit = 1 / np.maximum(np.nan_to_num(solved["misfit"], nan=1.0), 1.0)
        layers["quality"] = np.where(valid, fit, np.nan)
        layers = {name: values.astype(np.float32) for name, values in layers.items()}
        layers["reason"] = np.where(valid, Reason.VALID, Reason.NO_DATA).astype(np.uint8)
        yield tile.box, layers


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
