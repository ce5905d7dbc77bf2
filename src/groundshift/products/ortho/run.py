"""From points of several tracks to cells that move east and up: the *Ortho* product (L3)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from groundshift.engine import FolderStore, MemoryStore, TileStore, run
from groundshift.errors import InputError
from groundshift.figures.ortho import ortho_figure
from groundshift.figures.style import save_figure
from groundshift.geodesy.velocity_field import GridField
from groundshift.geodesy.velocity_model import VelocityField, fit_velocity_model
from groundshift.io.files import write_json
from groundshift.model.stations import StationSeries, StationVelocities
from groundshift.model.velocity_grid import VelocityGrid
from groundshift.products.ortho.plan import OrthoPlan, plan_ortho
from groundshift.products.ortho.tile import OrthoConfig
from groundshift.products.ortho.write import COMPONENTS, band_table, frames, write_frame, write_velocity

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

MAP_NAME, PICTURE_NAME, RECORD_NAME = "velocity.tif", "quicklook.png", "record.json"


class OrthoResult(NamedTuple):
    """What :func:`make_ortho` wrote."""

    up: list[Path]  # L3 point sets, one a tile
    east: list[Path]
    zips: list[Path]  # of U and E of each tile, as EGMS delivers them
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
    (`.tiff`, mm/yr, -9999 without data); of cells of 100 m in EPSG:3035 also the zips of EGMS under their own names;
    of all `velocity.tif` (displacement map, m/yr, with the covariance), `quicklook.png` and `record.json`.

    Parameters are those of :func:`ortho_tables`, and

    producer
        Who makes it, in the names of cells; see :data:`groundshift.kernels.point_codes.PRODUCERS`.

    Tiles are made in bands, which are kept in `out` until all are finished: memory does not grow with the cells of a
    tile, and a run that was interrupted goes on.
    """
    out = Path(out)
    plan = plan_ortho(sources, config or OrthoConfig(), north_removed, model)
    store = FolderStore(out / ".tiles", plan.key, record=plan.record)
    with store.lock():
        _run(plan, store, executor, workers)
        written: dict[str, list[Path]] = {"U": [], "E": []}
        zips: list[Path] = []
        largest = None
        for frame, bands in frames(plan):
            paths, packed, seen = write_frame(out, plan, store, frame, bands, producer)
            zips += packed
            for component, path in paths.items():
                written[component].append(path)
            if seen.count and (largest is None or seen.count >= largest.count):
                largest = seen
        if largest is None:
            raise InputError(
                "no cell is seen by two tracks of different look; give at least one ascending and one descending track "
                "of the same ground"
            )
        report = {**plan.record, "north": plan.provenance["north"], **write_velocity(out / MAP_NAME, plan, store)}
        velocities = [np.concatenate(largest.velocities[component]) for component in COMPONENTS]
        figure = ortho_figure(largest.frame, *np.concatenate(largest.places, axis=1), velocities, largest.examples)
        save_figure(figure, out / PICTURE_NAME)
        write_json(out / RECORD_NAME, report)
        store.clear()
    return OrthoResult(written["U"], written["E"], zips, out / MAP_NAME, report)


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
    for frame, bands in frames(plan):
        parts = [cells for cells in (store.read(band.index) for band in bands) if len(cells["east"])]
        if parts:
            east, up = (
                pa.concat_tables([band_table(plan, cells, frame, component) for cells in parts])
                for component in COMPONENTS
            )
            yield east, up


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
