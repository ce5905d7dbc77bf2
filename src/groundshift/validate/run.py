"""From files to a report: every check whose data are given."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import odc.geo.xr  # noqa: F401  (registers the .odc accessor)
import pyarrow as pa
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
        If neither points nor a map are given, or nothing to check them against.
    InputError
        If a file cannot be read.
    """
    if not config.points and config.map is None:
        raise ConfigurationError("there is nothing to check; give points, or a displacement map with --map")
    tables = [read_any_points(path) for path in config.points]
    planned = [*_point_checks(config, tables), *_map_checks(config)]
    if not any(check for *_, check in planned):
        needed = ", ".join(dict.fromkeys(needs for _, needs, _ in planned))
        raise ConfigurationError(f"there is nothing to check against; give at least one of: {needed}")
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
    if not made:
        return "no check could be made; the report says why"
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
    kinds: dict[str, list[pa.Table]] = {}
    for table in tables:
        kinds.setdefault(header(table).component, []).append(table)
    stems = {path.stem for path in config.points}
    labels = [path.stem if len(stems) == len(tables) else str(path) for path in config.points]
    single = dict(zip(labels, tables, strict=True))
    around: dict[str, Any] = {"radius": config.radius, "least_points": config.least_points}
    stations, benchmarks = (_given(_velocities, path, config) for path in (config.stations, config.levelling))
    series = [_series(path, config) for path in config.station_series]
    cover, known = (_given(read_features, path) for path in (config.land_cover, config.inventory))
    other = _given(read_any_points, config.other)
    size, rate = config.cell, config.detection_rate
    return [
        *_of_each(kinds, "Velocity against GNSS", "--stations",
                  stations and (lambda kind: checks.check_stations(kind, stations, **around))),
        *_of_each(kinds, "Displacement series against GNSS", "--station-series",
                  series and (lambda kind: checks.check_series(kind, series, **around))),
        *_of_each(kinds, "Velocity against levelling", "--levelling",
                  benchmarks and (lambda kind: checks.check_levelling(kind, benchmarks, **around))),
        *_of_each(single, "Velocity against another product", "--other",
                  other and (lambda table: checks.check_product(table, other, size=size))),
        ("Tracks against each other", "two point sets of level L2a or L2b",
         len(tracks) > 1 and (lambda: checks.check_tracks(tracks, size=size))),
        ("Density of points by land cover", "--land-cover",
         cover and (lambda: checks.check_density(next(iter(kinds.values())), cover))),
        *_of_each(single, "Noise of points", "", checks.check_noise),
        *_of_each(single, "Known moving ground", "--inventory",
                  known and (lambda table: checks.check_inventory(table, known, required=rate))),
    ]  # fmt: skip


def _of_each(parts: Mapping[str, Any], name: str, needs: str, check: Any) -> list[Planned]:
    """A check of each part of the points, by its name: of a file, or of a component, if there are several."""
    if not check or len(parts) == 1:
        return [(name, needs, check and (lambda: check(*parts.values())))]

    def named(label: str) -> Check:
        made = check(parts[label])
        slug = "".join(c if c.isalnum() else "-" for c in label)
        return replace(made, key=f"{made.key}-{slug}", title=f"{made.title}, {label}")

    return [(f"{name}, {label}", needs, functools.partial(named, label)) for label in parts]


def _map_checks(config: ValidationConfig) -> list[Planned]:
    if config.map is None:
        return []
    dataset = read_map(config.map)
    grid = dataset.odc.geobox
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
    for name, path in config:
        if isinstance(path, Path):
            out[name.replace("_", " ")] = path.name
    if config.station_series:
        out["station series"] = f"{len(config.station_series)} files"
    return out
