"""What the page of one asset says."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from groundshift.figures.assets import Curve, Segment, SheetContent
from groundshift.kernels.series_fields import YEAR, seasonal_design
from groundshift.kernels.series_tests import BEND
from groundshift.model.units import YEAR as JULIAN
from groundshift.products.assets.judge import LEVEL_NAMES, QUANTITIES, unit_of
from groundshift.products.assets.record import Assessment
from groundshift.products.assets.spans import MOVING, STILL, UNCLEAR, UNSEEN, span_name
from groundshift.products.assets.units import Units

_NAMED = 2  # segments that move which the sentence names at most
_LINE = 126  # characters
_MARGIN = 60.0  # m: around the asset, on the map


def sheet_content(assessment: Assessment, rank: int) -> SheetContent:
    """The page of one asset.

    Parameters
    ----------
    assessment
        Of all assets.
    rank
        Row of its table; of an asset that is seen.
    """
    row = assessment.table.attributes.slice(rank, 1).to_pylist()[0]
    asset = int(np.flatnonzero(assessment.assets.identity == row["id"])[0])
    units, verdict, near = assessment.units, assessment.judgement, assessment.collected.near
    seen = int(np.searchsorted(units.assets.asset, asset))
    dates = assessment.collected.header.dates
    years = (dates[-1] - dates[0]).astype(int) / JULIAN
    mine = near.members.asset == asset
    own = near.members.point[mine]
    geometry = assessment.assets.geometry[asset]
    left, bottom, right, top = shapely.bounds(geometry) + np.array([-1, -1, 1, 1]) * _MARGIN
    x, y = near.positions.T
    around = np.flatnonzero((x > left) & (x < right) & (y > bottom) & (y < top))
    parts = np.arange(*assessment.assets.first[[asset, asset + 1]])
    segments = assessment.segments.attributes.take(parts).to_pylist()
    axes = assessment.segments.geometry[parts]
    pairs = np.flatnonzero(units.differences.asset == asset)
    between = units.differences
    scale = years / between.apart[pairs]
    return SheetContent(
        identity=row["id"],
        title=f"{row['name'] or row['id']}",
        subtitle=f"{row['kind']} {row['id']}   ·   rank {row['rank']} of {len(assessment.units.assets)}   ·   "
        f"{row['points']} points   ·   {dates[0]} to {dates[-1]}, {len(dates)} dates",
        level=LEVEL_NAMES[int(verdict.level[seen])],
        facts=_facts(row, years),
        geometry=geometry,
        positions=near.positions[around],
        velocity=near.velocity[around] - row["reference"],
        mine=np.isin(around, own),
        along=near.members.along[mine],
        own_velocity=near.velocity[own] - row["reference"],
        own_sigma=np.hypot(near.sigma[own], assessment.collected.noise.scatter),
        segments=[_segment(each, axis) for each, axis in zip(segments, axes, strict=True)],
        said=_said(segments, row),
        distortion=np.column_stack(
            [between.along[pairs], between.velocity[pairs] * scale, between.sigma[pairs] * scale]
        ),
        limits=assessment.config.levels.distortion,
        curves=_curves(assessment, seen, dates),
        measures=assessment.report["measures"],
        note=_note(assessment, row),
    )


def _segment(row: dict[str, Any], axis: Any) -> Segment:
    direction = row["motion"] if row["verdict"] in MOVING else 0.0
    return Segment(span_name(row), row["from"], row["to"], axis, row["motion"], row["motion_sigma"], row["verdict"],
                   row["said"], int(np.sign(direction)))  # fmt: skip


def _said(segments: list[dict[str, Any]], asset: dict[str, Any]) -> str:
    """The spans or segments of an asset in one sentence, as long as a line; if none moves, first what raised it."""
    what = "span" if segments[0]["span"] else "segment"
    moving = sorted((each for each in segments if each["verdict"] in MOVING), key=lambda each: -abs(each["motion"]))
    bounds = [each["motion_bound"] for each in segments if each["verdict"] == STILL]
    rest = []
    if not moving and asset["reasons"]:
        at = f" at {asset['change_along']:.0f} m" if asset["change_where"] != "whole" else ""
        named = {"change": f"change{at} on {asset['change_date']}"}
        reasons = (named.get(each, each) for each in asset["reasons"].split())
        rest.append(f"{asset['level']} for its {' and '.join(reasons)}")
    if bounds:
        some = f"of {len(segments)} {what}s" if len(segments) > 1 else what
        verb = "do" if len(bounds) > 1 else "does"
        rest.append(f"{len(bounds)} {some} {verb} not move by more than {max(bounds):.1f} mm/yr")
    for verdict, words in ((UNCLEAR, "unclear"), (UNSEEN, "with too few points to say")):
        if count := sum(each["verdict"] == verdict for each in segments):
            rest.append(f"{count} {words}")
    for many in range(_NAMED, 0, -1):
        told = [f"{span_name(each)}, {each['said']}" for each in moving[:many]]
        if more := len(moving) - len(told):
            told.append(f"{more} {'more ' if told else ''}{'move' if more > 1 else 'moves'}")
        text = "; ".join([*told, *rest])
        if len(text) <= _LINE:
            break
    return text[:1].upper() + text[1:]


def _facts(row: dict[str, Any], years: float) -> list[tuple[str, str, str, str]]:
    facts = [
        (
            "velocity",
            f"at rest {row['reference']:.1f}, found from ±{row['velocity_detectable']:.1f}".replace("-", "−"),
            _value(row["velocity"], row["velocity_sigma"], "mm/yr"),
            _chance(row["velocity_chance"]),
        ),
        ("differential velocity", "largest less smallest of segments", _value(row["differential"], None, "mm/yr"), ""),
    ]
    if np.isfinite(row["distortion"]):
        facts.append(
            ("angular distortion", f"at {row['distortion_along']:.0f} m, over {years:.1f} years",
             _value(row["distortion"], row["distortion_sigma"], "mrad", decimals=2), _chance(row["distortion_chance"]))
        )  # fmt: skip
    facts += [
        ("acceleration", "", _value(row["acceleration"], row["acceleration_sigma"], "mm/yr²", decimals=2),
         _chance(row["acceleration_chance"])),
        ("seasonal amplitude", f"peak on day {row['season_peak_day']:.0f} of the year",
         _value(row["seasonality"], row["seasonality_sigma"], "mm", sign=""), ""),
    ]  # fmt: skip
    if row["change_chance"] < 0.05:
        name, unit = ("change of velocity", "mm/yr") if row["change_kind"] == "bend" else ("step", "mm")
        where = row["change_date"] + ("" if row["change_where"] == "whole" else f", at {row['change_along']:.0f} m")
        value = _value(row["change_size"], row["change_sigma"], unit)
        facts.append((name, where, value, _chance(row["change_chance"])))
    else:
        facts.append(("change of velocity, or step", "", "none found", _chance(row["change_chance"])))
    return [*facts, ("all of these together", "", "", _chance(row["chance"]))]


def _value(value: float, sigma: float | None, unit: str, *, decimals: int = 1, sign: str = "+") -> str:
    if value is None or not np.isfinite(value):
        return "not known"
    spread = "" if sigma is None else f" ± {sigma:.{decimals}f}"
    return f"{value:{sign}.{decimals}f}{spread} {unit}".replace("-", "−")


def _chance(chance: float) -> str:
    if chance < 1e-6:
        return "< 1 in a million"
    return f"1 in {1 / chance:,.0f}" if chance < 0.05 else f"{100 * min(chance, 1):.0f} %"


def _curves(assessment: Assessment, seen: int, dates: np.ndarray) -> list[Curve]:
    units, verdict = assessment.units, assessment.judgement
    limit = assessment.config.levels.false_alarms[0] / len(QUANTITIES)
    changed = verdict.change.chance[seen] <= limit
    kind, row, name = unit_of(units, int(verdict.change.row[seen]))
    whole = _curve(units.assets, seen, dates, "Whole asset", changed=changed and name == "whole")
    if changed and name != "whole":
        title = {"segment": "Segment", "between segments": "Neighbours, later less earlier,"}[name]
        return [whole, _curve(kind, row, dates, f"{title} at {kind.along[row]:.0f} m", changed=True)]
    twist = int(verdict.distortion.row[seen])
    if verdict.distortion.chance[seen] <= limit and twist >= 0:
        title = f"Neighbours, later less earlier, at {units.differences.along[twist]:.0f} m"
        return [whole, _curve(units.differences, twist, dates, title, changed=False)]
    return [whole]


def _curve(units: Units, row: int, dates: np.ndarray, title: str, *, changed: bool) -> Curve:
    years = (dates - dates[0]).astype(float) / YEAR
    design = seasonal_design(years)[:, :4]
    date = int(units.tests.change_date[row])
    if changed:
        bent = np.maximum(years - years[date], 0) if units.tests.change_kind[row] == BEND else years >= years[date]
        design = np.column_stack([design, bent])
    values = units.series[row]
    fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return Curve(title, dates, values - fitted[0], fitted - fitted[0], dates[date] if changed else None)


def _note(assessment: Assessment, row: dict[str, Any]) -> list[str]:
    levels, noise = assessment.config.levels, assessment.collected.noise
    chances = ", ".join(f"1 in {1 / share:,.0f}" for share in levels.false_alarms)
    return [
        f"Levels: notice, watch and alert are reached by assets without motion in no more than {chances} cases; watch "
        "and alert also need a size. Share of false alarms among assets at least as unlikely: "
        f"{max(row['false_share'], 1e-6):.2g}{' or less' * (row['false_share'] < 1e-6)}.",
        "Angular distortion is the difference of velocity of neighbouring segments over their distance, times the time "
        f"of the series; 1 mrad is 1 mm in 1 m. Sigmas hold {noise.scatter:.2f} mm/yr of scatter between points and "
        f"{np.sqrt(noise.apart(np.array(1000.0))):.2f} mm/yr by which places 1 km apart differ.",
        f"Points count by their chance of being on the asset, given {assessment.config.location_sigma:g} m of error of "
        "place. A radar does not see motion across its line of sight. Chances are corrected for the number of tests.",
    ]
