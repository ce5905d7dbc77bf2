"""Noise of a point set by itself: residuals, coherence, and how unlike the velocities of two points are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from groundshift.figures.validation import noise_figure
from groundshift.kernels.point_noise import PairSpread, pair_spread
from groundshift.model.points import header
from groundshift.validate.checks.stations import definition_of
from groundshift.validate.intervals import block_size, blocks, bootstrap_number
from groundshift.validate.record import (
    COHERENCE,
    DISPLACEMENT,
    PAIR_SPREAD,
    SERVICE,
    VELOCITY,
    Check,
    Number,
    Requirement,
)

_EDGES = np.array([25, 50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 50_000], float)  # m
_DRAWN = 40_000  # points that bootstraps look at


def check_noise(table: pa.Table, *, seed: int = 0) -> Check:
    """What the residuals of the series say, and the spread of velocities over distance.

    The error of a displacement is sqrt(mean(rmse²)), rmse being the root mean square residual of a point's cubic and
    seasonal fit. The error of a velocity is sqrt(mean(σ_v²)) at points of coherence above 0.7. The spread at distance h
    is sqrt(mean((v_i − v_j)²)) over random pairs of points h apart, motion of the ground included; it should stay below
    5 mm/yr from 0.1 to 50 km.

    Parameters
    ----------
    table
        Point set of any level.
    seed
        Of the pairs.
    """
    level = header(table).level
    random = np.random.default_rng(seed)
    some = np.sort(random.permutation(len(table))[:_DRAWN])
    positions = np.column_stack([table[name].to_numpy() for name in ("easting", "northing")])
    group = blocks(positions[some], block_size(positions[some]))
    rmse = table["rmse"].to_numpy().astype(float)[some]
    limit = Requirement.at_most(DISPLACEMENT[level], f"{SERVICE}, displacement of {level}")
    numbers = [_root("error of a displacement", rmse, group, "mm", limit)]
    details: dict[str, np.ndarray] = {"rmse": rmse}
    sigma = table["mean_velocity_std"].to_numpy().astype(float)[some]
    asked = Requirement.at_most(VELOCITY, f"{SERVICE}, mean velocity")
    if "temporal_coherence" in table.column_names:
        coherence = table["temporal_coherence"].to_numpy().astype(float)[some]
        details["coherence"] = coherence
        high = coherence > COHERENCE
        numbers.append(
            bootstrap_number(f"points of coherence above {COHERENCE:g}", lambda r: float(np.nanmean(high[r])), group,
                             "", kind="blocks of the ground")
        )  # fmt: skip
        numbers.append(_root("error of a velocity", sigma[high], group[high], "mm/yr", asked))
    else:
        numbers.append(_root("error of a velocity", sigma, group, "mm/yr", asked))
    velocity = table["mean_velocity"].to_numpy().astype(float)
    good = np.isfinite(velocity)
    spread = pair_spread(positions[good], velocity[good], _EDGES, random)
    details |= spread._asdict()
    numbers += _pairs(spread)
    notes = (
        "The pair spread holds the motion of the ground: where it is large, look whether the ground really moves.",
        "Residuals say nothing of errors that grow steadily with time; those are seen against stations and tracks.",
    )
    return Check("noise", "Noise of points", definition_of(check_noise), tuple(numbers), noise_figure(details),
                 notes, details)  # fmt: skip


def _root(name: str, values: np.ndarray, group: np.ndarray, unit: str, limit: Requirement) -> Number:
    good = np.isfinite(values)
    square = values[good] ** 2
    return bootstrap_number(name, lambda r: float(np.sqrt(square[r].mean())), group[good], unit, limit,
                            kind="blocks of the ground")  # fmt: skip


def _pairs(spread: PairSpread) -> list[Number]:
    within = np.flatnonzero((spread.distance >= 100) & (spread.distance <= 50_000) & np.isfinite(spread.spread))
    asked = Requirement.at_most(PAIR_SPREAD, "design target")
    said = "bootstrap of points, percentile, 200 draws"
    if not len(within):
        return []
    worst = within[spread.spread[within].argmax()]
    near, far = within[0], within[-1]
    rows = {
        f"spread of pairs {spread.distance[near] / 1000:.2g} km apart": (near, None),
        f"spread of pairs {spread.distance[far] / 1000:.2g} km apart": (far, None),
        f"largest spread, {spread.distance[worst] / 1000:.2g} km apart": (worst, asked),
    }
    return [
        Number(name, float(spread.spread[k]), float(spread.low[k]), float(spread.high[k]), "mm/yr",
               int(spread.pairs[k]), said, limit)
        for name, (k, limit) in rows.items()
    ]  # fmt: skip
