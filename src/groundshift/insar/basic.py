"""From a co-registered stack to measurement points: persistent and distributed scatterers, the *Basic* product.

Pixels of steady amplitude and linked phases of homogeneous ground are found tile by tile, in one pass over the images.
The steadiest make a network, which is unwrapped in blocks and shows the atmosphere. Tile by tile, all others are held
against it; those whose temporal coherence noise would not reach are measurement points. In memory are phases of the
network, and at the end the points.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import xarray as xr

from groundshift.engine import FolderStore, MemoryStore, TileStore, run, run_key, run_record
from groundshift.errors import InputError, RunError
from groundshift.figures.points import points_figure
from groundshift.figures.style import save_figure
from groundshift.grid.tiles import Tile, tile_plan
from groundshift.insar.basic_config import BasicConfig
from groundshift.insar.motion.clusters import Frame, cluster_frames
from groundshift.insar.motion.series import DisplacementSeries
from groundshift.insar.network.acceptance import acceptance_threshold
from groundshift.insar.network.blocks import SolveBlock, Tied, block_plan, tie_blocks
from groundshift.insar.points import basic_points
from groundshift.insar.scan import Pixels, ScanTile, gather_network, stack_gains
from groundshift.insar.second_pass import PointTile, SolvedNetwork, held_against_others
from groundshift.insar.stack.geometry import StackGeometry
from groundshift.insar.stack.places import layers_at, local_plane, local_positions, pixel_area, stack_geometry
from groundshift.io.egms import write_egms
from groundshift.io.files import write_json
from groundshift.io.points import write_points
from groundshift.io.stacks import open_any_stack
from groundshift.model.points import header
from groundshift.model.radar_stack import LAYERS

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

POINTS_NAME, PICTURE_NAME, REPORT_NAME = "points.parquet", "quicklook.png", "report.json"

_EGMS_CRS = 3035
_LEAST_POINTS = 10
_STEPS = ("pixels", "blocks", "points")


class BasicResult(NamedTuple):
    """Measurement points, in the order of their lines and pixels."""

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
) -> BasicResult:
    """Measure a stack on disk; writes points, picture and report to the folder `out`.

    These are `points.parquet`, `quicklook.png`, `report.json`, and, where eastings and northings are in EPSG:3035, the
    zip of EGMS under its own name. Finished tiles are kept in `out/.tiles` until all is written: the same call goes on
    where an earlier one ended. Parameters are those of :func:`measure_points`, and
    :func:`~groundshift.io.stacks.open_any_stack` reads `path`.
    """
    out, config = Path(out), config or BasicConfig()
    stack = open_any_stack(path)
    key, record = run_key([path], config, _software()), run_record([path], config, _software())
    stores = {name: FolderStore(out / ".tiles", f"{key}-{name}", record=record) for name in _STEPS}
    result = measure_points(stack, config, executor=executor, workers=workers, stores=stores.__getitem__)
    write_points(out / POINTS_NAME, result.table)
    if header(result.table).crs.to_epsg() == _EGMS_CRS:
        write_egms(out, result.table, version=1)
    save_figure(points_figure(result.table), out / PICTURE_NAME)
    write_json(out / REPORT_NAME, {"stack": Path(path).name, **result.report})
    for store in stores.values():
        store.clear()
    with contextlib.suppress(OSError):  # tiles of another run are in it
        (out / ".tiles").rmdir()
    return result


def measure_points(
    stack: xr.Dataset,
    config: BasicConfig | None = None,
    *,
    executor: str | Client = "threads",
    workers: int | None = None,
    stores: Callable[[str], TileStore] = lambda _: MemoryStore(),
) -> BasicResult:
    """Find persistent and distributed scatterers and measure how they moved.

    Parameters
    ----------
    stack
        As of :mod:`groundshift.model.radar_stack`; five images or more, twenty for amplitude dispersion to mean much.
    config
        The options.
    executor, workers
        Where tiles and blocks are computed, as in :func:`groundshift.engine.run`.
    stores
        Gives the store of each step, by its name: `pixels`, `blocks`, `points`.

    Raises
    ------
    InputError
        If there are fewer than ten candidates for the network.
    RunError
        If no cluster of points holds together.

    Sources: Ferretti, Prati & Rocca (2001), doi:10.1109/36.898661; Ferretti et al. (2011),
    doi:10.1109/TGRS.2011.2124465; EGMS algorithm theoretical basis document v4.0.
    """
    config = config or BasicConfig()
    geometry, reference = stack_geometry(stack, config.reference)
    where = {"executor": executor, "workers": workers}
    tiles = tile_plan((stack.sizes["y"], stack.sizes["x"]), config.tile)
    pixels, points = stores("pixels"), stores("points")
    gains, plane = stack_gains(stack), local_plane(stack)
    run(ScanTile(stack, gains, geometry.days, reference, config), tiles, store=pixels, label="scanning", **where)
    candidates = gather_network(pixels, tiles)
    if len(candidates.rows) < _LEAST_POINTS:
        raise InputError(
            f"{len(candidates.rows)} of {stack.sizes['y'] * stack.sizes['x']} pixels are candidates; give an area with "
            "buildings or rocks, or a larger network_dispersion"
        )
    positions = local_positions(stack, plane, candidates.rows, candidates.columns)
    tied = _solved(positions, candidates.phases, geometry, config, stores("blocks"), where)
    search, reach = config.network.search, config.network.max_length
    threshold = acceptance_threshold(geometry, search, probability=config.false_alarms, seed=config.seed)
    coherence = held_against_others(positions, candidates.phases, geometry, tied.network, tied.unwrapped, search)
    kept = coherence > threshold.coherence
    log.info("%d points of the network have a coherence above %.3f", kept.sum(), threshold.coherence)
    heights = layers_at(stack, ("height",), candidates.rows, candidates.columns)["height"]
    frames = cluster_frames(
        positions[kept], heights[kept], tied.unwrapped.phase[:, kept], tied.network.cluster[kept], geometry,
        atmosphere=config.atmosphere, reference=config.virtual_reference,
    )  # fmt: skip
    numbers = candidates.rows * stack.sizes["x"] + candidates.columns
    solved = SolvedNetwork(numbers, positions, tied.network, tied.unwrapped, coherence)
    step = PointTile(stack, pixels, plane, geometry, solved, frames, search, threshold.coherence, reach)
    run(step, tiles, store=points, label="measuring", **where)
    found = _all_points(points, tiles)
    log.info("%d points", len(found["rows"]))
    report = {
        "dates": len(geometry.days),
        "reference_date": str(stack["time"].values[reference].astype("datetime64[D]")),
        "pixels": stack.sizes["y"] * stack.sizes["x"],
        "gains_db": 20 * np.log10(gains),
        "acceptance": threshold._asdict(),
        **_of_network(candidates, tied, kept, frames),
        **_of_points(found),
        "config": config.model_dump(mode="json"),
        "software": _software(),
    }
    series = DisplacementSeries(*(found[name] for name in DisplacementSeries._fields))
    return BasicResult(_table(stack, geometry, found, config, report), series, found["rows"], found["columns"], report)


def _solved(
    positions: np.ndarray,
    phases: np.ndarray,
    geometry: StackGeometry,
    config: BasicConfig,
    store: TileStore,
    where: dict[str, Any],
) -> Tied:
    """The network of the candidates, solved in blocks and tied."""
    blocks = block_plan(positions, most=config.block, overlap=config.overlap)
    step = SolveBlock(positions, phases, geometry, config.network)
    run(step, blocks, store=store, label="unwrapping", units="blocks", **where)
    tied = tie_blocks(blocks, [store.read(block.index) for block in blocks], geometry, config.network)
    if (tied.network.cluster < 0).all():
        raise RunError("no cluster of points holds together; give more images, or a lower min_coherence of arcs")
    return tied


def _all_points(store: TileStore, tiles: list[Tile]) -> dict[str, np.ndarray]:
    """Points of all tiles in the order of their lines and pixels, by name."""
    parts = [store.read(tile.index) for tile in tiles]
    order = np.lexsort(tuple(np.concatenate([part[name] for part in parts]) for name in ("columns", "rows")))
    return {name: np.concatenate([part.pop(name) for part in parts], axis=-1)[..., order] for name in list(parts[0])}


def _of_network(candidates: Pixels, tied: Tied, kept: np.ndarray, frames: list[Frame | None]) -> dict[str, Any]:
    """What is reported of the network."""
    return {
        "candidates": len(kept),
        "candidates_distributed": int(np.count_nonzero(candidates.neighbours)),
        "arcs": len(tied.network.arcs.ends),
        "arcs_accepted": tied.network.accepted.sum(),
        "open_triangles": tied.network.open_triangles,
        "arcs_with_a_cycle": tied.unwrapped.corrected.mean(),
        "disagreeing_overlaps": tied.disagreeing,
        "open_loops": tied.open_loops,
        "points_of_network": int(kept.sum()),
        "atmosphere_mm": [
            None if each is None or each.atmosphere is None else np.sqrt(np.mean(each.atmosphere.scale**2))
            for each in frames
        ],
    }


def _of_points(found: dict[str, np.ndarray]) -> dict[str, Any]:
    """What is reported of the points."""
    return {
        "points": len(found["rows"]),
        "points_distributed": int(np.count_nonzero(found["neighbours"])),
        "clusters": np.bincount(found["cluster"]),
        "median_sigma": {
            "displacement_mm": np.median(found["displacement_sigma"]),
            "velocity_mm_per_year": np.median(found["velocity_sigma"]),
            "height_m": np.median(found["height_sigma"]),
        },
    }


def _table(
    stack: xr.Dataset,
    geometry: StackGeometry,
    found: dict[str, np.ndarray],
    config: BasicConfig,
    report: dict[str, Any],
) -> pa.Table:
    """The point set."""
    return basic_points(
        stack, {name: found[f"layer_{name}"] for name in LAYERS}, geometry, rows=found["rows"],
        columns=found["columns"], displacement=found["displacement"], height_error=found["height"],
        dispersion=found["dispersion"], cluster=found["cluster"], area=found["neighbours"] * pixel_area(stack),
        crs=config.crs, producer=config.producer,
        provenance={"source": stack.attrs["source"], "software": report["software"], "config": report["config"]},
    )  # fmt: skip


def _software() -> str:
    return f"groundshift {version('groundshift')}"
