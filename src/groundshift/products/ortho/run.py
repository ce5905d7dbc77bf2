"""From points of several tracks to cells that move east and up: the *Ortho* product (L3)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from affine import Affine
from odc.geo.geobox import GeoBox

from groundshift.engine import FolderStore, MemoryStore, TileStore, run
from groundshift.errors import InputError
from groundshift.figures.ortho import ortho_figure
from groundshift.figures.style import save_figure
from groundshift.geodesy.velocity_field import GridField
from groundshift.geodesy.velocity_model import VelocityField, fit_velocity_model
from groundshift.grid.tiles import Box, Tile
from groundshift.io.files import write_json
from groundshift.io.maps import write_map
from groundshift.io.points import write_points
from groundshift.io.write import write_image
from groundshift.kernels.point_codes import cell_codes
from groundshift.kernels.series_fields import series_fields
from groundshift.model.points import point_set
from groundshift.model.reason import Reason
from groundshift.model.stations import StationSeries, StationVelocities
from groundshift.model.velocity_grid import VelocityGrid
from groundshift.products.ortho.plan import OrthoPlan, plan_ortho
from groundshift.products.ortho.tile import FIELDS, OrthoConfig, OrthoTile

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

MAP_NAME, PICTURE_NAME, RECORD_NAME = "velocity.tif", "quicklook.png", "record.json"
_NO_DATA = -9999.0  # of GeoTIFFs of EGMS
_NO_CELLS = {
    "east": np.empty(0), "north": np.empty(0), "velocity": np.empty((0, 2)), "velocity_covariance": np.empty((0, 3))
}  # fmt: skip


class OrthoResult(NamedTuple):
    """What :func:`make_ortho` wrote."""

    up: list[Path]  # L3 point sets, one a tile
    east: list[Path]
    velocity: Path  # displacement map of velocities, m/yr
    report: dict[str, Any]


def make_ortho(
    sources: Sequence[str | Path | pa.Table],
    out: str | Path,
    config: OrthoConfig | None = None,
    *,
    north_removed: bool = False,
    model: VelocityField | None = None,
    producer: str = "undefined",
    executor: str | Client | None = None,
    workers: int | None = None,
) -> OrthoResult:
    """Ortho of calibrated point sets, written to a folder.

    Of each tile `L3_<tile>_U.parquet` and `L3_<tile>_E.parquet` (point sets) and their velocities as EGMS has them
    (`.tiff`, mm/yr, -9999 without data), of all `velocity.tif` (displacement map, m/yr, with the covariance),
    `quicklook.png` and `record.json`.

    Parameters are those of :func:`ortho_tables`, and

    producer
        Who makes it, in the names of cells; see :data:`groundshift.kernels.point_codes.PRODUCERS`.

    Tiles are kept in `out` until all are finished, so that a run that was interrupted goes on.
    """
    out = Path(out)
    plan = plan_ortho(sources, config or OrthoConfig(), north_removed, model)
    store = FolderStore(out / ".tiles", plan.key, record=plan.record)
    with store.lock():
        _run(plan, store, executor, workers)
        written: dict[str, list[Path]] = {"U": [], "E": []}
        cells, last = 0, None
        for tile in plan.tiles:
            tables = _tables(plan, store.read(tile.index), tile, producer)
            for component, table in tables.items():
                path = out / f"L3_{_frame(tile, plan.step.config)}_{component}.parquet"
                write_points(path, table)
                _write_tiff(path.with_suffix(".tiff"), table, tile, plan.step)
                written[component].append(path)
            if tables and len(tables["U"]) >= cells:
                cells, last = len(tables["U"]), tables
        if last is None:
            raise InputError(
                "no cell is seen by two tracks of different look; give at least one ascending and one descending track "
                "of the same ground"
            )
        report = {**plan.record, "north": plan.provenance["north"], **_write_velocity(out / MAP_NAME, plan, store)}
        save_figure(ortho_figure(last["E"], last["U"]), out / PICTURE_NAME)
        write_json(out / RECORD_NAME, report)
        store.clear()
    return OrthoResult(written["U"], written["E"], out / MAP_NAME, report)


def ortho_tables(
    sources: Sequence[str | Path | pa.Table],
    config: OrthoConfig | None = None,
    *,
    north_removed: bool = False,
    model: VelocityField | None = None,
    executor: str | Client | None = None,
    workers: int | None = None,
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """East and up of each tile, in memory: two point sets of level L3 and component E and U, cells in the same order.

    The series of each track are averaged in each cell, freed of the north motion of the model, and interpolated to the
    common dates. In each cell, d = E los_east + U los_up is solved by least squares, weighted by the noise of the
    averages. Series of a cell have a common origin: their mean over the dates that all its tracks have.

    Parameters
    ----------
    sources
        Point sets of level L2b (or L2a, for relative motion) of two tracks or more: GeoParquet, products of EGMS, or
        tables.
    config
        How cells are made and solved.
    north_removed
        The series are already free of the north motion. Those whose provenance says so need not be named; from those
        it is not taken off again.
    model
        Velocity of the ground, such as :func:`groundshift.geodesy.velocity_model.fit_velocity_model` makes it, whose
        north part is taken off the others; its uncertainty goes into that of the velocities.
    executor, workers
        As for :func:`groundshift.engine.run`.

    Raises
    ------
    InputError
        If a source is no L2 point set.
    ConfigurationError
        If the north motion is still in a source and no model is given, or the CRS is not projected.

    Source: EGMS algorithm theoretical basis document v4.0 (2025).
    """
    plan, store = plan_ortho(sources, config or OrthoConfig(), north_removed, model), MemoryStore()
    _run(plan, store, executor, workers)
    for tile in plan.tiles:
        if tables := _tables(plan, store.read(tile.index), tile, "undefined"):
            yield tables["E"], tables["U"]


def velocity_field(gnss: StationVelocities | VelocityGrid | StationSeries) -> VelocityField:
    """What gives the velocity everywhere: a model of stations, or a grid, as files of GNSS are read."""
    if isinstance(gnss, StationSeries):
        raise InputError(
            f"{gnss.name} is the series of one station; make velocities of all with groundshift gnss first"
        )
    return GridField(gnss) if isinstance(gnss, VelocityGrid) else fit_velocity_model(gnss)


def _run(plan: OrthoPlan, store: TileStore, executor: str | Client | None, workers: int | None) -> None:
    executor = executor or ("threads" if len(plan.tiles) > 1 else "serial")
    run(plan.step, plan.tiles, store=store, executor=executor, workers=workers, label="ortho")


def _tables(plan: OrthoPlan, cells: Mapping[str, np.ndarray], tile: Tile, producer: str) -> dict[str, pa.Table]:
    """L3 point sets of the components U and E; none without cells."""
    if not len(cells["east"]):
        return {}
    step, tables = plan.step, {}
    names = cell_codes(cells["east"], cells["north"], producer=producer)
    for component, displacement in zip(("E", "U"), cells["displacement"], strict=True):
        fields = series_fields(displacement, step.dates.astype(float))
        columns = {
            "pid": names, "easting": cells["east"], "northing": cells["north"], "height": cells["height"],
            **{name: getattr(fields, name) for name in FIELDS}, "displacement": displacement,
        }  # fmt: skip
        if step.model is not None:
            columns |= {f"gnss_velocity_{letter}": cells["gnss"][:, k] for k, letter in enumerate("enu")}
        tables[component] = point_set(
            columns, level="L3", component=component, dates=step.dates, crs=step.crs,
            frame=_frame(tile, step.config), provenance=plan.provenance,
        )  # fmt: skip
    return tables


def _frame(tile: Tile, config: OrthoConfig) -> str:
    """Name of a tile by its south-west corner, in tiles."""
    column, row = (round(start * config.cell / config.tile) for start in (tile.box.left, tile.box.top))
    return f"E{column:02d}N{row:02d}"


def _write_tiff(path: Path, table: pa.Table, tile: Tile, step: OrthoTile) -> None:
    """Velocities of a tile as EGMS has them: float32, mm/yr, -9999 without data, rows from the north-west."""
    box, size = tile.box, step.config.cell
    image = np.full(box.shape, _NO_DATA, np.float32)
    row = box.bottom - 1 - np.floor(table["northing"].to_numpy() / size).astype(int)
    column = np.floor(table["easting"].to_numpy() / size).astype(int) - box.left
    image[row, column] = np.nan_to_num(table["mean_velocity"].to_numpy(), nan=_NO_DATA)
    grid = GeoBox(box.shape, Affine(size, 0, box.left * size, 0, -size, box.bottom * size), step.crs)
    write_image(path, image, grid, nodata=_NO_DATA)


def _write_velocity(path: Path, plan: OrthoPlan, store: TileStore) -> dict[str, Any]:
    """Write the map of velocities, of the extent of the cells; returns numbers for the report."""
    config, numbers = plan.step.config, []
    extent = np.array([np.inf, np.inf, -np.inf, -np.inf])
    for tile in plan.tiles:
        cells = store.read(tile.index)
        if len(cells["east"]):
            places = np.stack([cells["east"], cells["north"]])
            extent = np.concatenate([np.minimum(extent[:2], places.min(1)), np.maximum(extent[2:], places.max(1))])
            numbers.append([len(places.T), cells["points"].sum()])
    west, south, east, north = (np.floor(extent / config.cell)).astype(int)
    size = config.cell
    grid = GeoBox(
        (int(north - south + 1), int(east - west + 1)),
        Affine(size, 0, west * size, 0, -size, (north + 1) * size),
        plan.step.crs,
    )
    attributes = {
        "date_pre": str(plan.step.dates[0]), "date_post": str(plan.step.dates[-1]), "method": "ortho",
        "source_pre": ", ".join(plan.provenance["sources"]), "source_post": ", ".join(plan.provenance["sources"]),
        "quantity": "velocity", "north": plan.provenance["north"],
        "software": plan.provenance["software"], "configuration_hash": plan.key,
    }  # fmt: skip
    blocks = (_velocity_block(plan, store, tile, grid, int(north), int(west)) for tile in _covering(plan, grid, extent))
    write_map(path, grid, blocks, attributes=attributes)
    cells, points = np.sum(numbers, axis=0)
    return {"cells": int(cells), "points": int(points), "dates": len(plan.step.dates)}


def _covering(plan: OrthoPlan, grid: GeoBox, extent: np.ndarray) -> Iterator[Tile]:
    """All tiles within an extent, row by row; those without points have the index -1."""
    config = plan.step.config
    side = round(config.tile / config.cell)
    known = {tile.box[:2]: tile for tile in plan.tiles}
    west, south, east, north = np.floor(extent / config.tile).astype(int) * side
    for bottom in range(south, north + 1, side):
        for left in range(west, east + 1, side):
            yield known.get((bottom, left), Tile(-1, Box(bottom, left, bottom + side, left + side)))


def _velocity_block(
    plan: OrthoPlan, store: TileStore, tile: Tile, grid: GeoBox, north: int, west: int
) -> tuple[Box, dict[str, np.ndarray]]:
    """The part of the map in one tile, m/yr; rows of the map run south."""
    own = tile.box
    box = Box(north + 1 - own.bottom, own.left - west, north + 1 - own.top, own.right - west).clipped(tuple(grid.shape))
    cells = store.read(tile.index) if tile.index >= 0 else _NO_CELLS
    row = north - np.floor(cells["north"] / plan.step.config.cell).astype(int) - box.top
    column = np.floor(cells["east"] / plan.step.config.cell).astype(int) - west - box.left
    covariance = cells["velocity_covariance"]
    with np.errstate(invalid="ignore"):
        values = {
            "east": cells["velocity"][:, 0], "up": cells["velocity"][:, 1],
            "east_sigma": np.sqrt(covariance[:, 0]), "up_sigma": np.sqrt(covariance[:, 1]),
        }  # fmt: skip
    known = np.isfinite(np.stack(list(values.values()))).all(axis=0)
    layers = {name: np.full(box.shape, np.nan, np.float32) for name in (*values, "east_up_covariance", "quality")}
    row, column = row[known], column[known]
    for name, each in values.items():
        layers[name][row, column] = each[known] / 1000
    layers["east_up_covariance"][row, column] = covariance[known, 2] / 1e6
    layers["quality"][row, column] = 1.0
    layers["reason"] = np.full(box.shape, Reason.NO_DATA, np.uint8)
    layers["reason"][row, column] = Reason.VALID
    return box, layers
