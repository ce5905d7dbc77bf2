"""Displacement in three dimensions at many dates, from whatever measured it between them."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from groundshift import __version__
from groundshift.engine import one_thread, run
from groundshift.errors import ConfigurationError
from groundshift.figures.fusion_series import series_figure
from groundshift.figures.style import save_figure
from groundshift.grid.tiles import tile_plan
from groundshift.io import write_json, write_map
from groundshift.io.convert.raster import read_raster, write_netcdf_blocks
from groundshift.model.displacement import check
from groundshift.products.fuse.channels import Fusible
from groundshift.products.fuse.fit import check_places, known_days
from groundshift.products.fuse.grid import fuse_grid, metric_grid
from groundshift.products.fuse.record import Stores, found_components, identity
from groundshift.products.fuse.series.common import SampleTile, SeriesProblem, solve_common
from groundshift.products.fuse.series.config import SeriesConfig
from groundshift.products.fuse.series.design import make_design, make_nodes
from groundshift.products.fuse.series.output import (
    series_blocks,
    series_layers,
    shared_report,
    velocity_blocks,
)
from groundshift.products.fuse.series.strands import all_days, make_strands
from groundshift.products.fuse.series.tiles import SolveSeriesTile

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

SERIES_NAME, VELOCITY_NAME = "series.nc", "velocity.tif"
PICTURE_NAME, RECORD_NAME = "quicklook.png", "record.json"


def fuse_series(
    sources: Sequence[Fusible],
    *,
    dates: Sequence[Any] | None = None,
    config: SeriesConfig | None = None,
    grid: GeoBox | None = None,
    out: str | Path | None = None,
    executor: str | Client | None = None,
    workers: int | None = None,
) -> xr.Dataset:
    """Displacement east, north and up since the first of many dates, with its full covariance on each.

    All that was measured is one network in time: an optical map is the difference of displacement between its two days,
    whatever other maps overlap it; radar and stations are displacement against an origin of their own. Errors of a date
    (offset and ramp) are shared by all cells, those of an image by all maps that were made with it, and what is alike
    nearby by all maps of the image at the cell. The rate of a cell is a walk at random, of a size that its own
    measurements tell, with a yearly season, and with jumps on the days of `config.steps`; with that, and that only, is
    bridged what no measurement ties. A component that nothing measured is left out.

    Parameters
    ----------
    sources
        :class:`~groundshift.products.fuse.sources.OpticalMap` (with dates),
        :class:`~groundshift.products.fuse.sources.RadarPoints`, `Stations` of series, `Levelling` with dates; any
        number.
    dates
        Wanted dates, increasing, two or more; each `config.every` days from the first measurement to the last if not
        given.
    config
        How to fuse.
    grid
        As for :func:`groundshift.products.fuse.fuse`.
    out
        Folder for `series.nc`, `velocity.tif`, `quicklook.png` and `record.json`.
    executor, workers
        As for :func:`groundshift.engine.run`.

    Returns
    -------
    A displacement map on (time, y, x) (see :mod:`groundshift.model.displacement`), one time for each date but the
    first, with the covariances between components, and `walk`, the size of the walk of each cell. The mean velocity
    from the first to the last date has the covariance of the last displacement over the square of the time between.

    Raises
    ------
    InputError
        If no source measures in that time, one has nothing in the area or does not say its dates, or the grid is not in
        metres.
    ConfigurationError
        If dates make no sense, or a source cannot be part of a series.

    Sources: Tarantola (2005), Inverse Problem Theory, section 3.2; Rauch, Tung & Striebel (1965), Maximum likelihood
    estimates of linear dynamic systems, doi:10.2514/3.3166 (what a walk at random gives; here solved all at once).
    """
    config = config or SeriesConfig()
    days = all_days(sources)
    wanted = _dates(dates)
    nodes = make_nodes(days, wanted, config)
    if len(nodes) < 3:
        raise ConfigurationError(
            f"a series needs three dates or more; {nodes.astype(str).tolist()} came: a smaller step"
        )
    grid = metric_grid(grid or fuse_grid(sources))
    check_places(sources, grid)
    for each in sources:
        own = known_days(each)
        if own is not None and (own[1] <= nodes[0] or own[0] >= nodes[-1]):
            log.warning("%s is of %s to %s and has no part in %s to %s", each.name, *own, nodes[0], nodes[-1])
    design = make_design(make_strands(sources, nodes), nodes, config)
    seen = {each.component for each in design.strands}
    free = ("east" in seen or "los" in seen, "north" in seen, "up" in seen or "los" in seen)
    problem = SeriesProblem(tuple(sources), grid, design, config, free)
    tiles = tile_plan(tuple(grid.shape), config.tile)
    key, record = identity(sources, grid, {"config": config, "dates": nodes.astype(str).tolist()})
    how = {"executor": executor or ("threads" if len(tiles) > 1 else "serial"), "workers": workers}
    log.info(
        "fusing %d measurements of %d sources on %d dates and %d x %d cells",
        design.measured, len(sources), len(nodes), *grid.shape,
    )  # fmt: skip
    stores = Stores(out, key, record)
    with one_thread():
        common = problem.begin()
    for number in range(config.rounds):
        sampled = stores(f"shared-{number}")
        run(SampleTile(problem, common, not number), tiles, store=sampled, label=f"shared, round {number + 1}", **how)
        with one_thread():
            common = solve_common(problem, common, [sampled.read(tile.index) for tile in tiles])
    solved = stores("solved")
    run(SolveSeriesTile(problem, common), tiles, store=solved, label="fusing", **how)
    attributes = {
        "date_pre": str(nodes[0]), "date_post": str(nodes[-1]), "method": "fusion over time",
        "quantity": "displacement", "source_pre": ", ".join(each.name for each in sources),
        "source_post": ", ".join(each.name for each in sources), "software": f"groundshift {__version__}",
        "configuration_hash": key, **({} if free[1] else {"assumed": "north = 0"}),
    }  # fmt: skip
    names = found_components(solved, tiles)
    shown = nodes[1:] if wanted is None else np.array(wanted[1:])
    blocks = series_blocks(solved, tiles, names, design, shown)
    if out is None:
        series = series_layers(names, grid, shown, attributes, empty=False)
        for box, block in blocks:
            for name, values in block.items():
                series[name].values[(..., *box.slices)] = values
        check(series)
        return series
    write_netcdf_blocks(Path(out) / SERIES_NAME, series_layers(names, grid, shown, attributes), blocks)
    write_map(
        Path(out) / VELOCITY_NAME, grid, velocity_blocks(solved, tiles, names, design.span),
        attributes={**attributes, "quantity": "velocity"},
    )  # fmt: skip
    dataset = read_raster(Path(out) / SERIES_NAME)
    save_figure(series_figure(dataset), Path(out) / PICTURE_NAME)
    write_json(Path(out) / RECORD_NAME, {**attributes, "made_from": record, **shared_report(design, common)})
    stores.clear()
    return dataset


def _dates(dates: Sequence[Any] | None) -> list[np.datetime64] | None:
    if dates is None:
        return None
    days = [np.datetime64(day, "D") for day in dates]
    if len(days) < 2 or any(second <= first for first, second in itertools.pairwise(days)):
        raise ConfigurationError(f"dates {[str(day) for day in days]} came; expected two or more, increasing")
    return days
