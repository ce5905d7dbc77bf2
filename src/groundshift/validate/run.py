"""From files to a report: every check whose data are given."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from pydantic import BaseModel, ConfigDict, Field

from groundshift.engine.progress import reporting
from groundshift.errors import ConfigurationError, InputError
from groundshift.io import read_line, read_map, read_mask
from groundshift.io.features import read_features
from groundshift.io.files import write_json, write_text
from groundshift.io.gnss.files import read_gnss
from groundshift.io.point_batches import read_any_points
from groundshift.model.points import header
from groundshift.model.stations import StationSeries, StationVelocities
from groundshift.validate import checks
from groundshift.validate.record import Check
from groundshift.validate.report import report_html, report_record

log = logging.getLogger(__name__)

REPORT_NAME, PAGE_NAME = "report.json", "report.html"


class ValidationConfig(BaseModel):
    """What is checked against what. Every file is optional but the points or the map."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    points: tuple[Path, ...] = Field((), description="point sets to check, one a track or burst: GeoParquet or EGMS")
    map: Path | None = Field(None, description="displacement map to check, GeoTIFF")
    stations: Path | None = Field(None, description="velocities of GNSS stations that had no part in the points")
    station_series: tuple[Path, ...] = Field((), description="daily series of GNSS stations")
    levelling: Path | None = Field(
        None, description="vertical velocities of levelled benchmarks, as a table of stations"
    )
    other: Path | None = Field(None, description="another point set of the same ground")
    land_cover: Path | None = Field(None, description="polygons with a class or a CORINE code")
    inventory: Path | None = Field(None, description="outlines of ground that is known to move")
    offsets: Path | None = Field(None, description="points with offsets of stations: east, north, up and sigmas, m")
    trace: Path | None = Field(None, description="the line of a fault")
    field: Path | None = Field(None, description="points with offsets measured on the fault: right_lateral, sigma, m")
    stable: Path | None = Field(None, description="polygons or raster of stable ground")
    frame: str | None = Field(None, description="frame of station files that do not name theirs")
    radius: float = Field(250.0, gt=0, description="around a station, within which points count for it, m")
    least_points: int = Field(3, ge=1, description="around a station, for it to count")
    cell: float = Field(100.0, gt=0, description="side of the cells that tracks and products are compared in, m")
    swath_length: float = Field(3000.0, gt=0, description="of the swath across a fault, m")
    swath_width: float = Field(500.0, gt=0, description="of the swath along a fault, m")
    detection_rate: float | None = Field(None, ge=0, le=1, description="required of the inventory; none by default")
    map_error: float | None = Field(None, gt=0, description="required of the map, m; none by default")
    title: str = Field("Validation", description="of the report")


def validate(config: ValidationConfig, out: str | Path) -> list[Check]:
    """Make every check whose data are given, and write `report.json` and `report.html` into a folder.

    A check that cannot be made with the data at hand is named in the report with the reason.

    Raises
    ------
    ConfigurationError
        If neither points nor a map are given.
    InputError
        If a file cannot be read.
    """
    if not config.points and config.map is None:
        raise ConfigurationError("there is nothing to check; give points, or a displacement map with --map")
    tables = [read_any_points(path) for path in config.points]
    planned = [*_point_checks(config, tables), *_map_checks(config)]
    made: list[Check] = []
    missing: list[str] = []
    with reporting("checking", None, done=0, total=len(planned), units="checks") as report:
        for number, (name, needs, check) in enumerate(planned, 1):
            if not check:
                missing.append(f"{name}: needs {needs}")
            else:
                try:
                    made.append(check())
                except InputError as error:
                    log.warning("%s: %s", name, error)
                    missing.append(f"{name}: {error}")
            report(number, len(planned))
    said = {"title": config.title, "inputs": _inputs(config, tables), "missing": missing}
    out = Path(out)
    write_json(out / REPORT_NAME, report_record(made, **said))
    write_text(out / PAGE_NAME, report_html(made, **said))
    return made


def summary(made: Sequence[Check]) -> str:
    """A line a check: its verdict and its numbers with requirements."""
    lines = []
    for check in made:
        asked = [each for each in check.numbers if each.requirement is not None] or check.numbers[:1]
        numbers = "; ".join(
            f"{n.name} {n.value:.3g} ({n.low:.3g} to {n.high:.3g}) {n.unit}".rstrip()
            + (f", required {n.requirement}" if n.requirement else "")
            for n in asked
        )
        lines.append(f"{check.verdict:<12} {check.title}: {numbers}")
    return "\n".join(lines)


Planned = tuple[str, str, Any]  # its name, what it needs, and the check, or something false


def _point_checks(config: ValidationConfig, tables: list[pa.Table]) -> list[Planned]:
    if not tables:
        return []
    tracks = [each for each in tables if header(each).level != "L3"]
    around: dict[str, Any] = {"radius": config.radius, "least_points": config.least_points}
    stations, benchmarks = (_given(_velocities, path, config) for path in (config.stations, config.levelling))
    series = [_series(path, config) for path in config.station_series]
    cover, known = (_given(read_features, path) for path in (config.land_cover, config.inventory))
    other = _given(read_any_points, config.other)
    size, rate = config.cell, config.detection_rate
    return [
        ("Velocity against GNSS", "--stations",
         stations and (lambda: checks.check_stations(tables, stations, **around))),
        ("Displacement series against GNSS", "--station-series",
         series and (lambda: checks.check_series(tables, series, **around))),
        ("Velocity against levelling", "--levelling",
         benchmarks and (lambda: checks.check_levelling(tables, benchmarks, **around))),
        ("Velocity against another product", "--other",
         other and (lambda: checks.check_product(tables[0], other, size=size))),
        ("Tracks against each other", "two point sets of level L2a or L2b",
         len(tracks) > 1 and (lambda: checks.check_tracks(tracks, size=size))),
        ("Density of points by land cover", "--land-cover",
         cover and (lambda: checks.check_density(tables, cover))),
        *((f"Noise of {path.name}", "", lambda table=table, name=path.name: _noise(table, name, len(tables)))
          for path, table in zip(config.points, tables, strict=True)),
        ("Known moving ground", "--inventory",
         known and (lambda: checks.check_inventory(tables[0], known, required=rate))),
    ]  # fmt: skip


def _map_checks(config: ValidationConfig) -> list[Planned]:
    if config.map is None:
        return []
    dataset = read_map(config.map)
    grid = _grid(dataset)
    offsets, field = (_given(read_features, path) for path in (config.offsets, config.field))
    trace, stable = _given(read_line, config.trace, grid), _given(read_mask, config.stable, grid)
    asked = config.map_error
    swath = {"length": config.swath_length, "width": config.swath_width}
    return [
        ("Displacement map against GNSS offsets", "--offsets",
         offsets and (lambda: checks.check_offsets(dataset, offsets, required=asked))),
        ("Fault offsets against the field", "--trace and --field",
         field and trace is not None
         and (lambda: checks.check_field_offsets(dataset, trace, field, required=asked, **swath))),
        ("Displacement map on stable ground", "--stable",
         stable and (lambda: checks.check_stable_ground(dataset, stable, required=asked))),
    ]  # fmt: skip


def _given(read: Callable[..., Any], path: Path | None, *options: Any) -> Any:
    """What is in a file, or None if there is none."""
    return None if path is None else read(path, *options)


def _grid(dataset: xr.Dataset) -> GeoBox:
    x, y = (dataset[name].values for name in ("x", "y"))
    step_x, step_y = x[1] - x[0], y[1] - y[0]
    corner = Affine(step_x, 0, x[0] - step_x / 2, 0, step_y, y[0] - step_y / 2)
    return GeoBox((len(y), len(x)), corner, str(dataset.rio.crs))


def _noise(table: pa.Table, name: str, count: int) -> Check:
    check = checks.check_noise(table)
    if count == 1:
        return check
    key = "noise-" + "".join(c if c.isalnum() else "-" for c in Path(name).stem)
    return replace(check, key=key, title=f"{check.title}, {Path(name).stem}")


def _velocities(path: Path, config: ValidationConfig) -> StationVelocities:
    found = read_gnss(path, frame=config.frame)
    if not isinstance(found, StationVelocities):
        raise InputError(f"{path} holds no table of stations; expected velocities of stations or benchmarks")
    return found


def _series(path: Path, config: ValidationConfig) -> StationSeries:
    found = read_gnss(path, frame=config.frame)
    if not isinstance(found, StationSeries):
        raise InputError(f"{path} holds no series of a station; expected daily positions, such as tenv3 or pos")
    return found


def _inputs(config: ValidationConfig, tables: list[pa.Table]) -> dict[str, str]:
    out = {}
    for path, table in zip(config.points, tables, strict=True):
        record = header(table)
        out[path.name] = (
            f"{record.level} {record.component}, {len(table):,} points, {len(record.dates)} dates from "
            f"{record.dates[0]} to {record.dates[-1]}"
        )
    for name in (
        "map",
        "stations",
        "levelling",
        "other",
        "land_cover",
        "inventory",
        "offsets",
        "trace",
        "field",
        "stable",
    ):
        path = getattr(config, name)
        if path is not None:
            out[name.replace("_", " ")] = path.name
    if config.station_series:
        out["station series"] = f"{len(config.station_series)} files"
    return out
