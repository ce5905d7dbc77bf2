"""From relative points to absolute ones: the *Calibrated* product, tied to satellite navigation (GNSS).

The points of each burst are put together in cells of a few kilometres; surfaces of all bursts are estimated from
these together, against a velocity model of the stations; then every burst goes through memory batch by batch once
more, and its surface, as a rate, is taken off all series. Memory holds cells, and a batch of points a worker.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyproj import CRS

from groundshift.engine import FolderStore, one_thread, run, run_key, run_record
from groundshift.engine.progress import reporting
from groundshift.errors import ConfigurationError, InputError
from groundshift.figures.calibrate import calibrate_figure
from groundshift.figures.style import save_figure
from groundshift.geodesy.frames import to_frame
from groundshift.geodesy.velocity_field import GridField, grid_to_frame, interpolate, sample_field
from groundshift.geodesy.velocity_model import VelocityField, VelocityModel
from groundshift.io.egms import write_egms, zip_name
from groundshift.io.files import write_json
from groundshift.io.point_batches import point_parts, read_any_batches
from groundshift.io.points import read_point_batches, write_points
from groundshift.model.stations import StationVelocities
from groundshift.model.velocity_grid import VelocityGrid
from groundshift.products.calibrate.apply import apply_surface
from groundshift.products.calibrate.cells import BurstSummary, read_summary
from groundshift.products.calibrate.config import CalibrateConfig
from groundshift.products.calibrate.overlap import Places, overlaps, places_of
from groundshift.products.calibrate.report import compare_with_stations, cross_validate, summary_report
from groundshift.products.calibrate.shared_error import reference_sigma
from groundshift.products.calibrate.solve import Solution, solve
from groundshift.products.calibrate.surface import Nodes, Surfaces, interpolated, node_places
from groundshift.products.calibrate.tie import tie_to_stations

log = logging.getLogger(__name__)

REPORT_NAME, PICTURE_NAME = "report.json", "calibrate.png"
_TILES = ".tiles"
_SIGMA_SPACING = 2  # cells between the nodes from which the sigma of a surface is interpolated


class CalibrateResult(NamedTuple):
    """What was made."""

    paths: tuple[Path, ...]  # a point set of level L2b for each input, in their order
    zips: tuple[Path | None, ...]  # the same as EGMS delivers it
    report: dict[str, Any]
    solution: Solution
    bursts: tuple[BurstSummary, ...]


def calibrate_points(
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    gnss: StationVelocities | VelocityGrid | None = None,
    held_out: Sequence[str] = (),
    config: CalibrateConfig | None = None,
    executor: Any = "processes",
    workers: int | None = None,
) -> CalibrateResult:
    """Calibrate point sets; writes one of level L2b for each, `report.json` and `calibrate.png` to the folder `out`.

    Each is written as GeoParquet, and, where eastings and northings are in EPSG:3035, as a zip of EGMS under its own
    name.

    Parameters
    ----------
    paths
        Point sets of level L2a (or L2b), one a burst: GeoParquet, or files of EGMS (.zip, .csv).
    out
        Folder of the results; started again, the same command goes on where it was stopped.
    gnss
        Stations, of which a velocity model is made, or a model on a grid. Without it, the bursts are harmonised:
        offsets and tilts make neighbours agree, and the mean velocity of each orbit is zero.
    held_out
        Names of stations that the model must not see, to compare with.
    config
        The options.
    executor, workers
        As of :func:`~groundshift.engine.run.run`.

    Raises
    ------
    InputError
        If a file cannot be used, a name is no station's, or two inputs would have the same output.
    """
    config, out = config or CalibrateConfig(), Path(out)
    targets = _targets(paths, out)
    zips = _zips(paths, out)
    stations = to_frame(gnss, config.frame or gnss.frame) if isinstance(gnss, StationVelocities) else None
    crs = point_parts(paths[0]).header.crs
    bursts = _summaries(paths, stations, crs, config)
    used, rest = _parted(stations, held_out)
    with one_thread():
        field, solution, local = _tied(bursts, gnss if stations is None else stations, used, crs, config)
        grid = None if field is None else sample_field(field, crs, _box(bursts), 1000 * config.model_spacing)
        report = summary_report(bursts, solution, field, config) | {"reference_sigma": reference_sigma(solution)}
        if stations is not None:
            report["stations_on_moving_ground"] = stations.name[local].tolist()
            report["held_out_stations"] = compare_with_stations(bursts, solution, stations, rest)
            report["cross_validation"] = cross_validate(bursts, stations, used, crs, config)
        sigmas = tuple(_sigma(solution, number, burst, config) for number, burst in enumerate(bursts))
    given = {"inputs": [str(path) for path in paths], "solution": solution.unknowns, "config": config,
             "model": None if grid is None else grid.velocity, "sigmas": [each[1] for each in sigmas]}  # fmt: skip
    key = run_key(list(paths), given, version("groundshift"))
    store = FolderStore(out / _TILES, key, record=run_record(list(paths), given, version("groundshift")))
    tiles = [_Tile(index) for index in range(len(paths))]
    made = [[each for each in pair if each] for pair in zip(targets, zips, strict=True)]
    if any(tile.index in store and not all(each.is_file() for each in made[tile.index]) for tile in tiles):
        store.clear()
    step = ApplySurface(
        tuple(map(str, paths)), tuple(map(str, targets)), zips, solution.surfaces, solution.unknowns, sigmas,
        grid, _said(field, config) | {"reference_sigma": report["reference_sigma"]}, solution.noise.burst,
    )  # fmt: skip
    run(step, tiles, store=store, executor=executor, workers=workers, label="calibrating", units="bursts")
    for tile, record in zip(tiles, report["bursts"], strict=True):
        record |= {name: float(value) for name, value in store.read(tile.index).items() if name not in Places._fields}
    report["overlaps"] = overlaps(
        bursts, lambda burst: Places(*(store.read(burst)[name] for name in Places._fields)), cell=1000 * config.cell,
        least=config.least,
    )  # fmt: skip
    store.clear()
    for leftover in (each for written in made for target in written for each in out.glob(f".{target.name}.*")):
        shutil.rmtree(leftover, ignore_errors=True)  # of a run that was killed while it wrote
    write_json(out / REPORT_NAME, report)
    save_figure(calibrate_figure(*_drawn(bursts, solution), report), out / PICTURE_NAME)
    return CalibrateResult(tuple(targets), zips, report, solution, tuple(bursts))


@dataclass(frozen=True)
class _Tile:
    index: int


@dataclass(frozen=True, eq=False)
class ApplySurface:
    """Takes the surface off all points of a burst, batch by batch; a step of the engine."""

    paths: tuple[str, ...]
    targets: tuple[str, ...]
    zips: tuple[Path | None, ...]
    surfaces: Surfaces
    unknowns: np.ndarray
    sigmas: tuple[tuple[Nodes, np.ndarray], ...]
    grid: VelocityGrid | None
    said: dict[str, Any]
    left: float  # mm/yr: standard deviation of what is left of the atmosphere

    def __call__(self, tile: Any) -> dict[str, np.ndarray]:
        """Write the point set of a burst, and its zip of EGMS; returns numbers for the report."""
        seen: list[np.ndarray] = [np.empty((0, 5))]
        target, archive = self.targets[tile.index], self.zips[tile.index]
        write_points(target, self._calibrated(tile.index, seen))
        if archive is not None:
            write_egms(archive, read_point_batches(target))
        east, north, before, after, model = np.concatenate(seen).T
        means = {"mean_before": before, "mean_after": after}
        places = places_of(np.stack([east, north], 1), before - model, after - model)
        return {name: np.array(np.nansum(each) / max(len(each), 1)) for name, each in means.items()} | places._asdict()

    def _calibrated(self, burst: int, seen: list[np.ndarray]) -> Iterator[pa.Table]:
        for table in read_any_batches(self.paths[burst]):
            places = np.column_stack([table["easting"].to_numpy(), table["northing"].to_numpy()])
            model = _projected(table, places, self.grid)
            surface, std = self.surfaces.at(burst, places, self.unknowns), interpolated(*self.sigmas[burst], places)
            after = apply_surface(table, surface, model, self.said, std=std, left=self.left)
            velocities = [each["mean_velocity"].to_numpy() for each in (table, after)]
            seen.append(np.column_stack([places, *velocities, np.zeros(len(table)) if model is None else model]))
            yield after


def _sigma(solution: Solution, number: int, burst: BurstSummary, config: CalibrateConfig) -> tuple[Nodes, np.ndarray]:
    """Nodes over a burst, and the sigma of its surface there."""
    nodes = Nodes.over(burst.box, 1000 * config.cell * _SIGMA_SPACING)
    return nodes, solution.sigma(number, node_places(nodes))


def _projected(table: pa.Table, places: np.ndarray, grid: VelocityGrid | None) -> np.ndarray | None:
    if grid is None:
        return None
    look = np.stack([table[name].to_numpy() for name in ("los_east", "los_north", "los_up")], 1)
    return (interpolate(grid, places) * look).sum(axis=1)


def _targets(paths: Sequence[str | Path], out: Path) -> list[Path]:
    if not paths:
        raise ConfigurationError("no point set was given; expected files of level L2a, one a burst")
    names = [Path(path).stem for path in paths]
    targets = [out / f"{name.replace('L2a', 'L2b') if 'L2a' in name else f'{name}_L2b'}.parquet" for name in names]
    if len(set(targets)) < len(targets) or {each.resolve() for each in targets} & {Path(p).resolve() for p in paths}:
        raise InputError("two inputs have the same name, or an output would replace an input; choose another folder")
    return targets


def _zips(paths: Sequence[str | Path], out: Path) -> tuple[Path | None, ...]:
    """Zips of EGMS for the point sets that have a name of their own there."""
    names = [zip_name(point_parts(path).header._replace(level="L2b")) for path in paths]
    given, twice = {Path(path).resolve() for path in paths}, {name for name in names if name and names.count(name) > 1}
    if twice:
        log.warning("no zip of EGMS is written of point sets that would have one name: %s", ", ".join(sorted(twice)))
    zips = tuple(None if name is None or name in twice else out / name for name in names)
    if given & {each.resolve() for each in zips if each}:
        raise InputError("an output would replace an input; choose another folder")
    return zips


def _summaries(
    paths: Sequence[str | Path], stations: StationVelocities | None, crs: CRS, config: CalibrateConfig
) -> list[BurstSummary]:
    out: list[BurstSummary] = []
    with reporting("reading velocities", None, done=0, total=len(paths), units="bursts") as report:
        for path in paths:
            out.append(
                read_summary(
                    path, stations, crs=crs, cell=1000 * config.cell, radius=1000 * config.radius, least=config.least
                )
            )
            report(len(out), len(paths))
    return out


def _parted(stations: StationVelocities | None, held_out: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the stations that make the model, and of those that do not."""
    if stations is None:
        if held_out:
            raise ConfigurationError("stations can be held out of a table of stations only, not of a grid")
        return np.zeros(0, int), np.zeros(0, int)
    if unknown := sorted(set(held_out) - set(stations.name.tolist())):
        raise InputError(f"{unknown} are no stations of {stations.source}; it has {', '.join(stations.name[:5])}, ...")
    out = np.isin(stations.name, list(held_out))
    return np.flatnonzero(~out), np.flatnonzero(out)


def _tied(
    bursts: Sequence[BurstSummary], gnss: StationVelocities | VelocityGrid | None, used: np.ndarray, crs: CRS,
    config: CalibrateConfig,
) -> tuple[VelocityField | None, Solution, np.ndarray]:  # fmt: skip
    """The model, the surfaces, and rows of stations that took no part."""
    if isinstance(gnss, StationVelocities):
        return tie_to_stations(bursts, gnss, used, crs, config)
    field = None if gnss is None else GridField(grid_to_frame(gnss, config.frame or gnss.frame))
    return field, solve(bursts, field, crs, config), used


def _box(bursts: Sequence[BurstSummary]) -> np.ndarray:
    boxes = np.array([each.box for each in bursts])
    return np.append(boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0))


def _said(field: VelocityField | None, config: CalibrateConfig) -> dict[str, Any]:
    """What is said of the calibration in the provenance of each point set."""
    model = None
    if field is not None:
        names = field.stations.name.tolist() if isinstance(field, VelocityModel) else None
        model = {"frame": field.frame, "source": field.source, "station_names": names}
    return {"model": model, "cutoff_km": config.cutoff, "software": f"groundshift {version('groundshift')}"}


def _drawn(bursts: Sequence[BurstSummary], solution: Solution) -> tuple[np.ndarray, ...]:
    """For the picture: places, whether descending, and velocities of cells before and after."""
    cells = [each.cells for each in bursts]
    after = [each.velocity - solution.at(number, each.places) for number, each in enumerate(cells)]
    return (
        np.concatenate([each.places for each in cells]),
        np.repeat([each.descending for each in bursts], [len(each.key) for each in cells]),
        np.concatenate([each.velocity for each in cells]),
        np.concatenate(after),
    )
