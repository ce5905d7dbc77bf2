"""Levels of alert: what noise would not do, and is large enough to matter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from groundshift.kernels.empirical_null import Null
from groundshift.kernels.series_tests import BEND
from groundshift.model.units import YEAR
from groundshift.products.assets.config import AssetConfig, Levels
from groundshift.products.assets.units import AllUnits, Units

NOT_SEEN, NONE, NOTICE, WATCH, ALERT = -1, 0, 1, 2, 3
LEVEL_NAMES = {NOT_SEEN: "not seen", NONE: "none", NOTICE: "notice", WATCH: "watch", ALERT: "alert"}
_NINE_OF_TEN = 1.2816  # normal quantile
QUANTITIES = ("velocity", "distortion", "acceleration", "change")


class Worst(NamedTuple):
    """Of each asset the unit with the smallest chance for one quantity; one row an asset that is seen."""

    chance: np.ndarray  # float64: that noise does this anywhere on the asset; 1 where nothing was compared
    level: np.ndarray  # int8: NONE to ALERT, the highest of any unit
    row: np.ndarray  # int: of the unit; −1 where there is none
    least: np.ndarray  # float64: times the sigma of a unit, what reaches notice in nine of ten cases


class Judgement(NamedTuple):
    """What is significant; one row an asset that is seen, in the order of `AllUnits.assets`."""

    chance: np.ndarray  # float64: that noise alone makes any of the four quantities as unlikely
    false_share: np.ndarray  # float64: expected share of assets without motion among all that are as unlikely or more
    level: np.ndarray  # int8
    velocity: Worst
    distortion: Worst  # rows are those of `AllUnits.differences`
    acceleration: Worst
    change: Worst  # rows are those of assets, then segments, then differences


def judge(units: AllUnits, dates: np.ndarray, config: AssetConfig) -> Judgement:
    """Hold every asset against noise.

    Four quantities are tested: velocity of the asset, distortion between neighbouring segments, acceleration, and the
    largest change (step or bend) of the asset, its segments and the differences of neighbours. Within a quantity the
    chances of k units become 1 − (1 − p)^k (Šidák); the four are shared with Bonferroni's factor. So an asset without
    motion reaches a level with no more than the chance stated for it. The false share is that of Benjamini &
    Hochberg over all assets.

    Sources: Šidák (1967), doi:10.1080/01621459.1967.10482935; Benjamini & Hochberg (1995),
    doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    levels = config.levels
    count = len(units.assets)
    years = (dates[-1] - dates[0]).astype(int) / YEAR
    every, between, nulls = units.assets, units.differences, units.nulls
    own = np.arange(count)
    pair = np.searchsorted(every.asset, between.asset)

    velocity = _worst(
        own, every.chance, every.velocity - units.reference, levels.velocity, count, levels, nulls["velocity"]
    )
    distortion = _worst(
        pair,
        between.chance,
        between.velocity / between.apart * years,
        levels.distortion,
        count,
        levels,
        nulls["distortion"],
    )
    curved = every.tests.acceleration_chance
    acceleration = _worst(
        own, curved, every.tests.acceleration, levels.acceleration, count, levels, nulls["acceleration"]
    )
    change = _change(units, own, pair, levels, count)
    chance = np.minimum(1.0, len(QUANTITIES) * np.min([velocity.chance, distortion.chance, acceleration.chance,
                                                       change.chance], axis=0))  # fmt: skip
    level = np.max([velocity.level, distortion.level, acceleration.level, change.level], axis=0)
    return Judgement(chance, _false_share(chance), level, velocity, distortion, acceleration, change)


def _change(units: AllUnits, own: np.ndarray, pair: np.ndarray, levels: Levels, count: int) -> Worst:
    kinds = units.assets, units.segments, units.differences
    owner = np.concatenate([own, np.searchsorted(units.assets.asset, units.segments.asset), pair])
    chance, size, kind = (
        np.concatenate([getattr(k.tests, name) for k in kinds])
        for name in ("change_chance", "change_size", "change_kind")
    )
    sizes = np.where((kind == BEND)[:, None], np.array(levels.bend), np.array(levels.step))
    return _worst(owner, chance, size, sizes, count, levels, units.nulls["change"])


def _worst(
    owner: np.ndarray, chance: np.ndarray, size: np.ndarray, sizes: np.ndarray, count: int, levels: Levels, null: Null
) -> Worst:
    """Of each asset the worst unit; `sizes` are of the three levels, (3,) or (k, 3)."""
    number = np.bincount(owner, minlength=count)
    together = -np.expm1(number[owner] * np.log1p(-np.minimum(chance, 1 - 1e-16)))
    share = np.array(levels.false_alarms) / len(QUANTITIES)
    reached = (together[:, None] <= share) & (np.abs(size)[:, None] >= sizes)
    each = np.where(reached, [NOTICE, WATCH, ALERT], NONE).max(axis=1, initial=NONE)
    level = np.zeros(count, np.int8)
    np.maximum.at(level, owner, each.astype(np.int8))
    order = np.lexsort((-np.abs(size), together, owner))
    first = order[np.flatnonzero(np.diff(owner[order], prepend=-1))]
    row, smallest = np.full(count, -1), np.ones(count)
    row[owner[first]], smallest[owner[first]] = first, together[first]
    single = -np.expm1(np.log1p(-share[0]) / np.maximum(number, 1))
    return Worst(smallest, level, row, null.score(single) + _NINE_OF_TEN)


def _false_share(chance: np.ndarray) -> np.ndarray:
    order = np.argsort(chance)
    share = chance[order] * len(chance) / np.arange(1, len(chance) + 1)
    out = np.empty(len(chance))
    out[order] = np.minimum(np.minimum.accumulate(share[::-1])[::-1], 1.0)
    return out


def unit_of(units: AllUnits, row: int) -> tuple[Units, int, str]:
    """The unit of a row of `Judgement.change`: the kind it is of, its row there, and what it is called."""
    for kind, name in ((units.assets, "whole"), (units.segments, "segment"), (units.differences, "between segments")):
        if row < len(kind):
            return kind, row, name
        row -= len(kind)
    raise IndexError(row)
