"""From a co-registered stack to measurement points: persistent and distributed scatterers, the *Basic* product.

Pixels of steady amplitude and linked phases of homogeneous ground are found tile by tile, in one pass over the images.
The steadiest make a network, which is unwrapped in blocks and shows the atmosphere. Tile by tile, all others are held
against it; those whose temporal coherence noise would not reach are measurement points. They are written tile by tile:
phases and series are in memory for one tile or block at a time, and for a sample of the points.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import xarray as xr

from groundshift.engine import FolderStore, MemoryStore, TileStore, one_thread, run, run_key, run_record
from groundshift.figures.points import points_figure
from groundshift.figures.style import save_figure
from groundshift.grid.tiles import tile_plan
from groundshift.insar.basic_config import BasicConfig
from groundshift.insar.frame import frame_network
from groundshift.insar.level_heights import Leveller, LevelTile
from groundshift.insar.motion.series import DisplacementSeries
from groundshift.insar.parts import Measured, Summary
from groundshift.insar.scan import ScanTile, gather_network, stack_gains
from groundshift.insar.second_pass import PointTile
from groundshift.insar.stack.places import local_plane, stack_geometry
from groundshift.io.egms import write_zip_of
from groundshift.io.files import write_json
from groundshift.io.geoid import Geoid, check_geoid, open_geoid
from groundshift.io.points import write_points
from groundshift.io.stacks import files_of, open_any_stack

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

POINTS_NAME, PICTURE_NAME, REPORT_NAME = "points.parquet", "quicklook.png", "report.json"

_PROBES = 64  # lines and columns, about, at which the geoid is looked for
_STEPS = ("pixels", "blocks", "held", "points", "heights")


class BasicResult(NamedTuple):
    """Measurement points, tile by tile, in each by their lines and pixels."""

    table: pa.Table  # level L2a, as :mod:`groundshift.model.points`
    series: DisplacementSeries  # the same series with the sigmas that hold
    rows: np.ndarray  # int (n,): place in the arrays of the stack
    columns: np.ndarray
    report: dict[str, Any]  # numbers of the run


def make_basic(
    path: str | Path,
    out: str | Path,
    config: BasicConfig | None = None,
    *,
    executor: str | Client = "threads",
    workers: int | None = None,
    geoid: str | Path | None = None,
) -> dict[str, Any]:
    """Measure a stack on disk; writes points, picture and report to the folder `out`.

    These are `points.parquet`, `quicklook.png`, `report.json`, and, where eastings and northings are in EPSG:3035, the
    zip of EGMS under its own name. Points are in the order of tiles, row by row, and in each of their lines and pixels.
    Finished tiles are kept in `out/.tiles` until all is written: the same call goes on where an earlier one ended.

    Parameters
    ----------
    path
        As of :func:`~groundshift.io.stacks.open_any_stack`.
    out
        Folder for the results.
    config, executor, workers
        As of :func:`measure_points`.
    geoid
        Raster of its height above the ellipsoid, m; if not given, EGM2008 or EGM96 where PROJ has their grids.

    Returns
    -------
    What the report says.

    Raises
    ------
    InputError, RunError
        As of :func:`measure_points`; InputError if the geoid does not cover the stack.
    """
    out, config = Path(out), config or BasicConfig()
    stack = open_any_stack(path)
    model = _geoid(stack, geoid)
    key, record = (each(files_of(path), config, _software()) for each in (run_key, run_record))
    stores = {name: FolderStore(out / ".tiles", f"{key}-{name}", record=record) for name in _STEPS}
    measured = _measure(stack, config, {"executor": executor, "workers": workers}, stores.__getitem__, model)
    for half in (*out.glob(f".{POINTS_NAME}.*"), *out.glob(".EGMS_*.zip.*")):
        shutil.rmtree(half)  # what a killed run was writing
    summary = Summary(stack.sizes["x"])
    write_points(out / POINTS_NAME, map(summary.seen, measured.parts()))
    write_zip_of(out / POINTS_NAME, out)
    save_figure(points_figure(summary.sample(), of=summary.points), out / PICTURE_NAME)
    report = {"stack": Path(path).name, **_joined_report(measured, summary)}
    write_json(out / REPORT_NAME, report)
    for store in stores.values():
        store.clear()
    with contextlib.suppress(OSError):  # tiles of another run are in it
        (out / ".tiles").rmdir()
    return report


def measure_points(
    stack: xr.Dataset,
    config: BasicConfig | None = None,
    *,
    executor: str | Client = "threads",
    workers: int | None = None,
) -> BasicResult:
    """Find persistent and distributed scatterers and measure how they moved; all in memory, for stacks that are small.

    Parameters
    ----------
    stack
        As of :mod:`groundshift.model.radar_stack`; eight images or more, twenty for amplitude dispersion to mean much.
    config
        The options.
    executor, workers
        Where tiles and blocks are computed, as in :func:`groundshift.engine.run`.

    Raises
    ------
    InputError
        If there are fewer than ten candidates for the network.
    RunError
        If no cluster of points holds together.

    Sources: Ferretti, Prati & Rocca (2001), doi:10.1109/36.898661; Ferretti et al. (2011),
    doi:10.1109/TGRS.2011.2124465; EGMS algorithm theoretical basis document v4.0.
    """
    stores = {name: MemoryStore() for name in _STEPS}
    where = {"executor": executor, "workers": workers}
    measured = _measure(stack, config or BasicConfig(), where, stores.__getitem__, None)
    summary = Summary(stack.sizes["x"])
    parts = list(measured.parts())
    table = pa.concat_tables([summary.seen(part) for part in parts]).combine_chunks()
    series = DisplacementSeries(
        *(np.concatenate(each, axis=-1) for each in zip(*(part.series for part in parts), strict=True))
    )
    rows, columns = (np.concatenate(each) for each in zip(*((part.rows, part.columns) for part in parts), strict=True))
    return BasicResult(table, series, rows, columns, _joined_report(measured, summary))


def _measure(
    stack: xr.Dataset,
    config: BasicConfig,
    where: dict[str, Any],
    stores: Callable[[str], TileStore],
    geoid: Geoid | None,
) -> Measured:
    """Run the steps over tiles and blocks; `stores` gives the store of each by its name."""
    geometry, reference = stack_geometry(stack, config.reference)
    tiles = tile_plan((stack.sizes["y"], stack.sizes["x"]), config.tile)
    pixels, points, heights = (stores(name) for name in ("pixels", "points", "heights"))
    gains, plane = stack_gains(stack), local_plane(stack)
    run(ScanTile(stack, gains, geometry.days, reference, config), tiles, store=pixels, label="scanning", **where)
    with one_thread():
        frame = frame_network(stack, gather_network(pixels, tiles), plane, geometry, config, stores, where)
    run(PointTile(stack, pixels, plane, geometry, frame.solved, frame.frames, config.network.search, frame.threshold,
                  config.network.max_length), tiles, store=points, label="measuring", **where)  # fmt: skip
    window = (1, 1) if config.distributed is None else config.distributed.link.window
    leveller = Leveller(geometry, frame.frames, window)
    with one_thread():
        ground = leveller.ground_models(points, tiles)
    run(LevelTile(stack, points, tiles, leveller, ground), tiles, store=heights, label="levelling", **where)
    report = {
        "dates": len(geometry.days),
        "first_date": stack["time"].values[0].astype("datetime64[D]"),
        "last_date": stack["time"].values[-1].astype("datetime64[D]"),
        "reference_date": stack["time"].values[reference].astype("datetime64[D]"),
        "pixels": stack.sizes["y"] * stack.sizes["x"],
        "gains_db": 20 * np.log10(gains),
        **frame.report,
        "ground_m": [None if each is None else each._asdict() for each in ground],
    }
    return Measured(stack, config, geometry, tiles, (points, heights), _software(), geoid, report)


def _joined_report(measured: Measured, summary: Summary) -> dict[str, Any]:
    """What is said of a run."""
    log.info("%d points", summary.points)
    config = measured.config.model_dump(mode="json")
    return {**measured.report, **summary.report(), "config": config, "software": measured.software}


def _geoid(stack: xr.Dataset, path: str | Path | None) -> Geoid | None:
    """The model of the geoid, which covers the stack."""
    geoid = open_geoid(path)
    if geoid is None:
        log.info("heights above the geoid are left out: PROJ has no grid of EGM2008 or EGM96, and none was given")
        return None
    some = {name: slice(None, None, max(1, stack.sizes[name] // _PROBES)) for name in ("y", "x")}
    latitude, longitude = (stack[name].isel(some).values for name in ("latitude", "longitude"))
    known = np.isfinite(latitude)
    check_geoid(geoid, latitude[known], longitude[known])
    return geoid


def _software() -> str:
    return f"groundshift {version('groundshift')}"
