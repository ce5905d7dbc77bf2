"""From points and assets to a ranked table, a map layer and a page for each of the worst."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from pyproj import Transformer

from groundshift.engine.progress import reporting
from groundshift.figures.assets import overview_figure, sheet_figure
from groundshift.figures.style import save_figure
from groundshift.io.features import Features, read_features, write_features
from groundshift.io.files import write_json
from groundshift.io.point_batches import point_batches, point_parts
from groundshift.model.points import TOWARD, header
from groundshift.model.units import YEAR
from groundshift.products.assets.collect import Collected, collect_points
from groundshift.products.assets.config import AssetConfig
from groundshift.products.assets.geometry import Assets, metric_of, prepare_assets
from groundshift.products.assets.judge import LEVEL_NAMES, NOT_SEEN, QUANTITIES, Judgement, judge, unit_of
from groundshift.products.assets.record import Assessment
from groundshift.products.assets.sheet import sheet_content
from groundshift.products.assets.spans import CHANGES, MOVING, judge_spans, segment_table, span_name
from groundshift.products.assets.units import AllUnits, make_units

log = logging.getLogger(__name__)

TABLE_NAME, LAYER_NAME, SEGMENTS_NAME = "assets.csv", "assets.parquet", "segments.parquet"
MAP_NAME, SPANS_NAME, REPORT_NAME = "assets.geojson", "segments.geojson", "report.json"
PICTURE_NAME, SHEETS_NAME = "overview.png", "sheets"


_NEEDED = ("easting", "northing", "mean_velocity", "mean_velocity_std", "displacement")
_AROUND = 2000.0  # m
_TOLD = 5  # assets, and segments of each, that the text names


def assess_assets(
    points: pa.Table | Iterable[pa.Table], features: Features, config: AssetConfig | None = None
) -> Assessment:
    """Assess roads, railways, bridges, buildings and dams.

    Parameters
    ----------
    points
        A point set of :mod:`groundshift.model.points`, or several of the same level and dates, one after the
        other. Memory is that of one of them and of the points near assets.
    features
        Lines and polygons; see :func:`~groundshift.products.assets.geometry.prepare_assets` for their attributes.
    config
        The options.

    Raises
    ------
    InputError
        If there is no point or no asset, or point sets do not belong together.
    """
    config = config or AssetConfig()
    tables = iter([points] if isinstance(points, pa.Table) else points)
    head = next(tables, None)
    crs = features.crs if head is None else header(head).crs
    assets = prepare_assets(features, crs, config)
    collected = collect_points(_chain(head, tables), assets, config)
    dates = collected.header.dates
    units = make_units(collected, assets, config)
    verdict = judge(units, dates, config)
    table = _table(assets, units, verdict, collected)
    report = _report(assets, collected, units, verdict, config)
    spans = judge_spans(units, assets, report["measures"], config)
    segments = segment_table(assets, units, spans, dates)
    report["segment_verdicts"] = dict(Counter(spans.verdict.tolist()))
    return Assessment(table, segments, spans, assets, collected, units, verdict, config, report)


def assess_files(
    points: Sequence[str | Path], assets: str | Path, out: str | Path, config: AssetConfig | None = None
) -> str:
    """Assess assets of a vector file with points on disk, and write what is found into a folder.

    Parameters
    ----------
    points
        GeoParquet, or products of EGMS (.zip, .csv): one track, or neighbouring parts of it with the same dates. Of
        GeoParquet only what lies within 2 km of the box around the assets is read.
    assets, out, config
        As of :func:`~groundshift.io.features.read_features`, :func:`write_assessment` and :func:`assess_assets`.

    Returns
    -------
    What was found, in plain text.
    """
    return write_assessment(assess_from_files(points, assets, config), out)


def assess_from_files(
    points: Sequence[str | Path], assets: str | Path, config: AssetConfig | None = None
) -> Assessment:
    """The same without writing anything."""
    features = read_features(assets)
    parts = [point_parts(each) for each in points]
    columns = [*_NEEDED, *(("los_up",) if parts and parts[0].header.level != "L3" else ())]

    def tables() -> Iterator[pa.Table]:
        for part in parts:
            crs = part.header.crs
            metric = metric_of(features, crs)
            west, south, east, north = shapely.total_bounds(features.to_crs(metric).geometry)
            box = west - _AROUND, south - _AROUND, east + _AROUND, north + _AROUND
            own = Transformer.from_crs(metric, crs, always_xy=True).transform_bounds(*box)
            yield from point_batches(part, own, columns)

    return assess_assets(tables(), features, config)


def write_assessment(assessment: Assessment, out: str | Path) -> str:
    """Write the table, the map layers, an overview and the sheets into a folder.

    Returns
    -------
    What was found, in plain text.
    """
    out = Path(out)
    write_features(out / TABLE_NAME, assessment.table)
    write_features(out / LAYER_NAME, assessment.table)
    write_features(out / MAP_NAME, assessment.table)
    write_features(out / SEGMENTS_NAME, assessment.segments)
    write_features(out / SPANS_NAME, assessment.segments)
    write_json(out / REPORT_NAME, assessment.report)
    save_figure(overview_figure(assessment.table, assessment.report), out / PICTURE_NAME)
    for old in (out / SHEETS_NAME).glob("[0-9][0-9][0-9]_*.p[dn][fg]"):
        old.unlink()
    worst = min(assessment.config.sheets, len(assessment.units.assets))
    with reporting("sheets", None, done=0, total=worst, units="sheets") as report:
        for rank in range(worst):
            content = sheet_content(assessment, rank)
            name = "".join(c if c.isalnum() or c in "-_" else "_" for c in content.identity)
            path = out / SHEETS_NAME / f"{rank + 1:03d}_{name}.{assessment.config.sheet_format}"
            save_figure(sheet_figure(content), path)
            report(rank + 1, worst)
    return _said(assessment, out)


def _chain(head: pa.Table | None, rest: Iterable[pa.Table]) -> Iterable[pa.Table]:
    if head is not None:
        yield head
    yield from rest


def _table(assets: Assets, units: AllUnits, verdict: Judgement, collected: Collected) -> Features:
    every, dates = units.assets, collected.header.dates
    count, seen = len(assets), every.asset
    years = (dates[-1] - dates[0]).astype(int) / YEAR

    def spread(values: Any, *, empty: Any = np.nan) -> np.ndarray:
        values = np.asarray(values)
        out = np.full(count, empty, values.dtype if values.dtype.kind in "US" else None)
        if values.dtype.kind in "iu":
            out = out.astype(values.dtype)
        out[seen] = values
        return out

    level = spread(verdict.level.astype(int), empty=NOT_SEEN)
    twist = verdict.distortion.row
    there = twist >= 0
    row = np.where(there, twist, 0)
    between = units.differences
    apart = between.apart[row] if len(between) else np.ones(len(row))
    rate, rate_sigma, along = (
        np.where(there, values[row], np.nan) if len(between) else np.full(len(row), np.nan)
        for values in (between.velocity, between.sigma, between.along)
    )
    change = [unit_of(units, r) for r in verdict.change.row]
    tests = [(unit.tests, k) for unit, k, _ in change]
    columns = {
        "id": assets.identity, "name": assets.name, "kind": assets.kind,
        "level": np.array([LEVEL_NAMES[each] for each in level]),
        "reasons": spread(np.array(_reasons(verdict), str), empty=""),
        "chance": spread(verdict.chance), "false_share": spread(verdict.false_share),
        "points": np.bincount(collected.near.members.asset, minlength=count),
        "length": assets.length,
        "velocity": spread(every.velocity), "velocity_sigma": spread(every.sigma),
        "reference": spread(units.reference), "velocity_detectable": spread(every.sigma * verdict.velocity.least),
        "velocity_chance": spread(verdict.velocity.chance),
        "differential": spread(_differential(units)),
        "distortion_rate": spread(rate / apart), "distortion_rate_sigma": spread(rate_sigma / apart),
        "distortion": spread(rate / apart * years), "distortion_sigma": spread(rate_sigma / apart * years),
        "distortion_detectable": spread(rate_sigma / apart * years * verdict.distortion.least),
        "distortion_chance": spread(verdict.distortion.chance), "distortion_along": spread(along),
        "acceleration": spread(every.tests.acceleration), "acceleration_sigma": spread(every.tests.acceleration_sigma),
        "acceleration_detectable": spread(every.tests.acceleration_sigma * verdict.acceleration.least),
        "acceleration_chance": spread(verdict.acceleration.chance),
        "seasonality": spread(every.tests.seasonality), "seasonality_sigma": spread(every.tests.seasonality_sigma),
        "season_peak_day": spread(every.tests.season_peak),
        "change_chance": spread(verdict.change.chance),
        "change_kind": spread(np.array([CHANGES[t.change_kind[k]] for t, k in tests], str), empty=""),
        "change_date": spread(np.array([str(dates[t.change_date[k]]) for t, k in tests], str), empty=""),
        "change_size": spread(np.array([t.change_size[k] for t, k in tests], float)),
        "change_sigma": spread(np.array([t.change_sigma[k] for t, k in tests], float)),
        "change_where": spread(np.array([name for *_, name in change], str), empty=""),
        "change_along": spread(np.array([unit.along[k] for unit, k, _ in change], float)),
    }  # fmt: skip
    order = np.lexsort((np.nan_to_num(columns["chance"], nan=2.0), -level))
    table = pa.table({"rank": np.arange(1, count + 1), **{name: values[order] for name, values in columns.items()}})
    return Features(assets.geometry[order], table, assets.crs)


def _reasons(verdict: Judgement) -> list[str]:
    """Which quantities reached the level of each asset."""
    levels = np.stack([getattr(verdict, name).level for name in QUANTITIES])
    top = (levels == verdict.level) & (verdict.level > 0)
    return [" ".join(name for name, hit in zip(QUANTITIES, column, strict=True) if hit) for column in top.T]


def _differential(units: AllUnits) -> np.ndarray:
    """Largest less smallest velocity of the segments of each asset that is seen, mm/yr."""
    row = np.searchsorted(units.assets.asset, units.segments.asset)
    highest, lowest = np.full(len(units.assets), -np.inf), np.full(len(units.assets), np.inf)
    np.maximum.at(highest, row, units.segments.velocity)
    np.minimum.at(lowest, row, units.segments.velocity)
    return np.where(highest >= lowest, highest - lowest, np.nan)


def _report(
    assets: Assets, collected: Collected, units: AllUnits, verdict: Judgement, config: AssetConfig
) -> dict[str, Any]:
    record = collected.header
    levels = {name: int((verdict.level == level).sum()) for level, name in LEVEL_NAMES.items() if level >= 0}
    return {
        "software": f"groundshift {version('groundshift')}",
        "level": record.level, "component": record.component, "track": record.track,
        "first_date": record.dates[0], "last_date": record.dates[-1], "dates": len(record.dates),
        "measures": _measures(record.component, config),
        "points": collected.points, "points_on_assets": collected.reached,
        "points_with_slips": collected.slipped,
        "assets": len(assets), "assets_seen": len(units.assets), "segments_seen": len(units.segments),
        "neighbours_compared": len(units.differences), "levels": levels,
        "false_alarms_expected": {
            name: share * len(units.assets)
            for name, share in zip(("notice", "watch", "alert"), config.levels.false_alarms, strict=True)
        },
        "noise": collected.noise._asdict(), "noise_in_time": units.noise._asdict(),
        "nulls": {name: null._asdict() for name, null in units.nulls.items()},
        "configuration": config.model_dump(),
    }  # fmt: skip


def _measures(component: str, config: AssetConfig) -> str:
    return "up, if the motion is vertical" if config.vertical and component == "LOS" else TOWARD[component]


def _said(assessment: Assessment, out: Path) -> str:
    report = assessment.report
    found = ", ".join(f"{count} {name}" for name, count in reversed(report["levels"].items()))
    expected = report["false_alarms_expected"]
    lines = [
        f"{report['assets_seen']} of {report['assets']} assets have points enough ({report['points_on_assets']} of "
        f"{report['points']} points are on assets): {found}",
    ]
    if report["assets_seen"]:
        lines.append(
            f"without any motion, fewer than {expected['notice']:.2g} would reach notice or above, "
            f"{expected['watch']:.2g} watch or above, {expected['alert']:.2g} alert"
        )
    segments = assessment.segments.attributes.to_pylist()
    for row in assessment.table.attributes.slice(0, _TOLD).to_pylist():
        if row["level"] in ("notice", "watch", "alert"):
            lines.append(
                f"{row['rank']}. {row['level']}: {row['kind']} {row['id']} {row['name']}, {row['velocity']:+.1f} ± "
                f"{row['velocity_sigma']:.1f} mm/yr ({row['reasons']})"
            )
            moving = [each for each in segments if each["id"] == row["id"] and each["verdict"] in MOVING]
            lines += [f"   {span_name(each)}: {each['said']}" for each in moving[:_TOLD]]
    return "\n".join([*lines, f"{TABLE_NAME}, {MAP_NAME}, {PICTURE_NAME} and {SHEETS_NAME} are in {out}"])
