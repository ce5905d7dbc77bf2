"""How a station moved: rate, seasons, steps, relaxation after earthquakes; with a sigma that holds in coloured noise.

Sources: Bevis & Brown (2014), trajectory models, doi:10.1007/s00190-013-0685-5; for the noise see
:mod:`groundshift.geodesy.noise`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from groundshift.errors import InputError
from groundshift.geodesy.midas import midas_rate
from groundshift.geodesy.noise import Noise, coloured_fit
from groundshift.geodesy.steps import find_step, rate_with_doubtful_steps
from groundshift.kernels.robust import nmad, robust_fit
from groundshift.model.stations import COMPONENTS, StationSeries, StationVelocities, build_velocities
from groundshift.model.units import YEAR

log = logging.getLogger(__name__)

_DECAYS = np.geomspace(5, 1000, 12)  # days that are tried
_MOST_STEPS = 10
_MANY = 0.1  # of the days: more outliers than that are told


class Relaxation(BaseModel):
    """Motion after an earthquake: a log(1 + Δt/τ), or a (1 − exp(−Δt/τ))."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: date = Field(description="of the earthquake, as 2009-04-06")
    kind: Literal["log", "exp"] = Field("log", description="its course")
    decay: float | None = Field(None, gt=0, description="τ in days; estimated if null")

    @classmethod
    def of(cls, text: str) -> Relaxation:
        """Of a day, or a day and a kind: 2009-04-06, 2009-04-06:exp."""
        day, _, kind = text.partition(":")
        return cls.model_validate({"day": day, "kind": kind or "log"})


class TrajectoryConfig(BaseModel):
    """What a trajectory has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    annual: bool = Field(True, description="a yearly season")
    semiannual: bool = Field(True, description="a half-yearly season")
    steps: tuple[date, ...] = Field((), description="days of steps, as 2009-04-06: of equipment or earthquakes")
    detect: float | None = Field(None, gt=3, description="find more steps, this many sigmas large; null for none")
    relaxation: tuple[Relaxation, ...] = Field((), description="motion after earthquakes")
    index: float | None = Field(None, ge=-2, le=0, description="spectral index of the noise; estimated if null")
    least_years: float = Field(1.0, gt=0, description="shortest series that is fitted, years")


class Trajectory(NamedTuple):
    """The trajectory of one component."""

    rate: float  # mm/yr; where steps are looked for, over those that might be there but are not significant
    sigma: float  # mm/yr, in the noise that was found; likewise
    names: tuple[str, ...]  # of the coefficients
    coefficients: np.ndarray  # float64 (p,): mm, mm/yr for the rate
    covariance: np.ndarray  # float64 (p, p)
    model: np.ndarray  # float64 (t,), mm: at the days of the series
    weight: np.ndarray  # float64 (t,): 0 for outliers to 1; 0 where there is no value
    noise: Noise
    steps: tuple[np.datetime64, ...]  # given and found
    decays: tuple[float, ...]  # days, of each relaxation


def fit_trajectory(series: StationSeries, component: str, config: TrajectoryConfig | None = None) -> Trajectory:
    """Fit a trajectory to one component of a series.

    Outliers are found by a robust fit and left out. Of the steps that might be (:mod:`~groundshift.geodesy.steps`) the
    most significant is added, and all is fitted again, until none is left; rate and sigma know that there may be more,
    which coefficients and covariance do not. Decays of relaxations that are not given are
    those of twelve that fit best. Steps and relaxations outside the series are left out; of steps without a day between
    them, the first stands for all.

    Raises
    ------
    InputError
        If the series is too short for its model, or cannot tell parts of it apart.
    """
    config = config or TrajectoryConfig()
    values, sigma = (each[:, COMPONENTS.index(component)] for each in (series.displacement, series.sigma))
    there = np.isfinite(values)
    days = (series.days - np.datetime64(0, "D")).astype(float)
    if there.sum() < 30 or np.ptp(days[there]) < config.least_years * YEAR:
        raise InputError(
            f"series of station {series.name} has {there.sum()} days over "
            f"{np.ptp(days[there]) / YEAR if there.any() else 0:.1f} years of {component}; a trajectory needs "
            f"{config.least_years:g} years"
        )
    begun = tuple(each for each in config.relaxation if _day(each.day) < days[there][-1])
    config = config.model_copy(update={"relaxation": begun})
    given = sorted({_day(each) for each in config.steps} | {_day(each.day) for each in begun})
    before, rows = np.unique(np.searchsorted(days[there], given), return_index=True)
    given = [given[row] for row in rows[(before > 0) & (before < there.sum())]]
    steps = given
    weights = 1 / (sigma[there] ** 2 + np.median(sigma[there]) ** 2)
    while True:
        decays = _decays(days[there], values[there], weights, steps, config)
        names, design = trajectory_design(days, days[there].mean(), steps, decays, config)
        fit = robust_fit(design[there], values[there], weights)
        more = None
        if config.detect and len(steps) - len(given) < _MOST_STEPS:
            more = find_step(
                days[there], design[there], values[there], sigma[there], steps, config.detect, config.index
            )
        if more is None:
            break
        steps = sorted([*steps, more])
    good = fit.weights > 0.1
    if (lost := 1 - good.mean()) > _MANY:
        log.warning(
            "%s, %s: %.0f %% of the days do not fit and are left out; if the station jumped, name the day as a step, "
            "or have steps found", series.name, component, 100 * lost,
        )  # fmt: skip
    rows = np.flatnonzero(there)[good]
    if np.linalg.matrix_rank(design[rows]) < len(names):
        raise InputError(
            f"series of station {series.name} cannot tell {', '.join(names)} apart in {component}; leave out steps or "
            "relaxations without days before and after"
        )
    found = coloured_fit(days[rows], design[rows], values[rows], sigma=sigma[rows], index=config.index)
    weight = np.zeros(len(days))
    weight[there] = fit.weights
    row = names.index("rate")
    rate, spread = float(found.coefficients[row]), float(np.sqrt(found.covariance[row, row]))
    if config.detect:
        rate, spread = rate_with_doubtful_steps(
            days[rows], design[rows], values[rows], sigma[rows], steps, config.detect, found.noise.index, row
        )
    return Trajectory(
        rate, spread, names, found.coefficients,
        found.covariance, design @ found.coefficients, weight, found.noise,
        tuple(np.datetime64(int(each), "D") for each in steps), tuple(decays),
    )  # fmt: skip


def trajectory_design(
    days: np.ndarray, middle: float, steps: Sequence[float], decays: Sequence[float], config: TrajectoryConfig
) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and columns of a trajectory at days since 1970, float64 (t, p)."""
    years = (days - middle) / YEAR
    angle = 2 * np.pi * days / YEAR
    columns: dict[str, Any] = {"offset": np.ones_like(years), "rate": years}
    if config.annual:
        columns |= {"annual_cos": np.cos(angle), "annual_sin": np.sin(angle)}
    if config.semiannual:
        columns |= {"semiannual_cos": np.cos(2 * angle), "semiannual_sin": np.sin(2 * angle)}
    for step in steps:
        columns[f"step_{np.datetime64(int(step), 'D')}"] = (days >= step).astype(float)
    for each, decay in zip(config.relaxation, decays, strict=True):
        since = np.maximum(days - _day(each.day), 0) / decay
        columns[f"{each.kind}_{each.day}"] = np.log1p(since) if each.kind == "log" else 1 - np.exp(-since)
    return tuple(columns), np.stack(list(columns.values()), 1)


def velocities_of(
    series: Sequence[StationSeries],
    *,
    method: Literal["trajectory", "midas"] = "trajectory",
    config: TrajectoryConfig | None = None,
    steps: Mapping[str, Sequence[np.datetime64]] | None = None,
) -> StationVelocities:
    """Velocities of stations from their series, all in one frame.

    Parameters
    ----------
    method
        `trajectory`, or `midas` (see :mod:`groundshift.geodesy.midas`), which needs no steps; with those given, no pair
        spans them.
    config
        What all trajectories have.
    steps
        Days of steps of single stations, by name, beside those of `config`; see
        :func:`~groundshift.io.gnss.steps.read_steps`.

    Raises
    ------
    InputError
        If there is no series, their frames differ, or one is too short.
    """
    config = config or TrajectoryConfig()
    if not series or len({each.frame for each in series}) > 1:
        raise InputError(f"{len(series)} series in the frames {sorted({e.frame for e in series})}; expected one frame")
    rates = np.empty((len(series), 3, 2))
    for number, each in enumerate(series):
        own = config.model_copy(update={"steps": (*config.steps, *((steps or {}).get(each.name) or ()))})
        for k, component in enumerate(COMPONENTS):
            if method == "midas":
                years = (each.days - np.datetime64(0, "D")).astype(float) / YEAR
                found = midas_rate(years, each.displacement[:, k], [_day(day) / YEAR for day in own.steps])
            else:
                found = fit_trajectory(each, component, own)
            rates[number, k] = found.rate, found.sigma
    if not np.isfinite(rates).all():
        short = [each.name for each, rate in zip(series, rates, strict=True) if not np.isfinite(rate).all()]
        raise InputError(f"series of stations {short} are too short for a rate; leave them out")
    return build_velocities(
        [each.name for each in series], [each.latitude for each in series], [each.longitude for each in series],
        rates[..., 0], sigma=rates[..., 1], height=[each.height for each in series], frame=series[0].frame,
        source=f"{method} rates of {len(series)} series",
    )  # fmt: skip


def _day(day: date | np.datetime64) -> float:
    """Days since 1970."""
    return float(np.datetime64(day, "D").astype(int))


def _decays(
    days: np.ndarray, values: np.ndarray, weights: np.ndarray, steps: Sequence[float], config: TrajectoryConfig
) -> list[float]:
    """Decays in days: those given, and of the others, one after the other, those that fit best."""
    out = [each.decay or 30.0 for each in config.relaxation]
    for number, each in enumerate(config.relaxation):
        if each.decay is not None:
            continue
        misfit = []
        for decay in _DECAYS:
            tried = [*out[:number], float(decay), *out[number + 1 :]]
            design = trajectory_design(days, days.mean(), steps, tried, config)[1]
            root = np.sqrt(weights)
            rest = values - design @ np.linalg.lstsq(design * root[:, None], values * root, rcond=None)[0]
            misfit.append(nmad(rest * root))
        out[number] = float(_DECAYS[int(np.argmin(misfit))])
    return out
