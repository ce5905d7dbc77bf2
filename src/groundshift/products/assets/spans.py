"""What every span or segment of an asset does, in plain words, and how sure that is."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from shapely.ops import substring

from groundshift.io.features import Features
from groundshift.kernels.series_tests import BEND, STEP
from groundshift.products.assets.config import AssetConfig
from groundshift.products.assets.geometry import Assets
from groundshift.products.assets.units import AllUnits

STILL, UNCLEAR, UNSEEN = "does not move", "unclear", "too few points"
WORDS = {
    "toward the satellite": ("moves away", "moves toward"), "up": ("settles", "rises"),
    "up, if the motion is vertical": ("settles", "rises"), "east": ("moves west", "moves east"),
}  # fmt: skip
"""Verdicts of negative and of positive motion, by what displacement is positive toward."""
MOVING = {word for words in WORDS.values() for word in words}
CHANGES = {BEND: "bend", STEP: "step"}
_ONE_SIDED = 1.6449  # normal quantile of 95 %


class Spans(NamedTuple):
    """One row a segment, asset by asset, also of assets and segments that are not seen."""

    unit: np.ndarray  # int: row of `AllUnits.segments`; −1 where there are too few points
    points: np.ndarray  # int
    motion: np.ndarray  # float64, mm/yr: velocity less that of an asset at rest; NaN where there are too few points
    sigma: np.ndarray  # float64, mm/yr
    bound: np.ndarray  # float64, mm/yr: that |motion| is below with 95 %
    chance: np.ndarray  # float64: that any segment of an asset at rest is as fast, or faster
    verdict: np.ndarray  # str: a word of `WORDS`, STILL, UNCLEAR or UNSEEN
    said: np.ndarray  # str: the same as a sentence with numbers


def judge_spans(units: AllUnits, assets: Assets, measures: str, config: AssetConfig) -> Spans:
    """Say of every segment whether it moves.

    It moves if noise makes any segment of that asset as fast with no more than the chance of a notice (Šidák's
    correction for their number). Else it does not move by more than a bound, |motion| + 1.645 σ, or, if that is more
    than the velocity of a watch, it is unclear. Source of the correction: Šidák (1967),
    doi:10.1080/01621459.1967.10482935.

    Parameters
    ----------
    measures
        What displacement is positive toward: one of `WORDS`.
    """
    part, owner = units.segments, assets.owner
    unit = np.full(len(owner), -1)
    unit[assets.first[part.asset] + part.number] = np.arange(len(part))
    seen = unit >= 0

    def spread(values: np.ndarray, empty: float) -> np.ndarray:
        out = np.full(len(owner), empty)
        out[seen] = values[unit[seen]]
        return out

    reference = units.reference[np.searchsorted(units.assets.asset, part.asset)]
    motion, sigma = spread(part.velocity - reference, np.nan), spread(part.sigma, np.nan)
    number = np.bincount(owner[seen], minlength=len(assets))[owner]
    chance = -np.expm1(number * np.log1p(-np.minimum(spread(part.chance, 1.0), 1 - 1e-16)))
    chance[~seen] = np.nan
    bound = np.abs(motion) + _ONE_SIDED * sigma
    down, up = WORDS[measures]
    moves = chance <= config.levels.false_alarms[0]
    verdict = np.select(
        [~seen, moves & (motion < 0), moves, bound > config.levels.velocity[1]], [UNSEEN, down, up, UNCLEAR], STILL
    )
    points = units.counts
    said = np.array([_said(*each) for each in zip(verdict, motion, sigma, bound, points, strict=True)], str)
    return Spans(unit, points, motion, sigma, bound, chance, verdict, said)


def span_name(row: dict[str, Any]) -> str:
    """What a row of the table of segments is called."""
    what = "span" if row["span"] else "segment"
    return f"{what} {row['segment']} of {row['segments']}, {row['from']:.0f}–{row['to']:.0f} m"


def _said(verdict: str, motion: float, sigma: float, bound: float, points: int) -> str:
    if verdict == UNSEEN:
        return f"{UNSEEN} to say ({points})"
    if verdict == STILL:
        return f"{STILL} by more than {bound:.1f} mm/yr"
    if verdict == UNCLEAR:
        return f"{UNCLEAR}: {motion:+.1f} ± {sigma:.1f} mm/yr".replace("-", "−")
    return f"{verdict} by {abs(motion):.1f} ± {sigma:.1f} mm/yr"


def segment_table(assets: Assets, units: AllUnits, spans: Spans, dates: np.ndarray) -> Features:
    """A row a segment, with its part of the axis; the columns are those of `docs/assets.md`."""
    owner, number = assets.owner, np.arange(len(assets.owner)) - assets.first[assets.owner]
    geometry = np.empty(len(owner), object)
    geometry[:] = [substring(assets.axis[a], *ends) for a, *ends in zip(owner, assets.starts, assets.ends, strict=True)]
    part, seen = units.segments, spans.unit >= 0

    def spread(values: np.ndarray) -> np.ndarray:
        out = np.full(len(owner), np.nan)
        out[seen] = values[spans.unit[seen]]
        return out

    change, kind = (np.full(len(owner), "", "U10") for _ in range(2))
    change[seen] = [str(dates[k]) for k in part.tests.change_date[spans.unit[seen]]]
    kind[seen] = [CHANGES[k] for k in part.tests.change_kind[spans.unit[seen]]]
    table = pa.table(
        {
            "id": assets.identity[owner], "name": assets.name[owner], "kind": assets.kind[owner],
            "segment": number + 1, "segments": assets.segments[owner], "span": assets.spans[owner],
            "from": assets.starts, "to": assets.ends, "verdict": spans.verdict, "said": spans.said,
            "points": spans.points, "motion": spans.motion, "motion_sigma": spans.sigma, "motion_bound": spans.bound,
            "motion_chance": spans.chance, "velocity": spread(part.velocity), "along": spread(part.along),
            "acceleration": spread(part.tests.acceleration),
            "acceleration_sigma": spread(part.tests.acceleration_sigma),
            "seasonality": spread(part.tests.seasonality), "seasonality_sigma": spread(part.tests.seasonality_sigma),
            "change_chance": spread(part.tests.change_chance), "change_size": spread(part.tests.change_size),
            "change_date": change, "change_kind": kind,
        }
    )  # fmt: skip
    return Features(geometry, table, assets.crs)
