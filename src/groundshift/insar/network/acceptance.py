"""Acceptance: the temporal coherence that noise alone reaches too seldom to matter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ive
from scipy.stats import poisson

from groundshift.errors import ConfigurationError, RunError
from groundshift.insar.network.arcs import SearchConfig
from groundshift.insar.stack.geometry import StackGeometry
from groundshift.kernels.periodogram import maximise_coherence, search_grid

_TAIL = 0.01  # share of samples that the tail is fitted to
_BLOCKS = 20
_CHECKED = 20  # exceedances in three quarters of the samples that a fit to the first quarter must foretell
_LENIENCE = 2.0  # the factor by which a fit to so few may be wrong
_CHUNK = 20_000
_DOUBT = 1e-4  # probability below which a check is failed


class Threshold(NamedTuple):
    """The temporal coherence above which a pixel is not noise."""

    coherence: float
    probability: float  # that noise exceeds it
    standard_error: float  # of the coherence that noise exceeds with that probability; two are added
    expected: float  # exceedances of a high level that a fit to the first quarter of the samples foretells in the rest
    observed: int  # and how many there were


def noise_coherence(
    geometry: StackGeometry, search: SearchConfig, samples: int, random: np.random.Generator
) -> np.ndarray:
    """Largest temporal coherence of series of phases that are noise, uniform and independent; float64 (samples,)."""
    rates = geometry.rates
    grid = search_grid(rates, (search.max_velocity, search.max_height))
    out = np.empty(samples)
    for start in range(0, samples, _CHUNK):
        shape = (min(_CHUNK, samples - start), len(geometry.days))
        phasors = np.exp(2j * np.pi * random.random(shape, np.float32))
        out[start : start + _CHUNK] = maximise_coherence(phasors, rates, grid).coherence
    return out


def acceptance_threshold(
    geometry: StackGeometry,
    search: SearchConfig | None = None,
    *,
    probability: float = 1e-5,
    samples: int = 200_000,
    seed: int = 0,
) -> Threshold:
    """Temporal coherence that a pixel of noise exceeds with at most a given probability, for the stack at hand.

    Noise is simulated with the dates, baselines and search ranges of the stack. The tail of its coherence is
    exponential in the rate y = T (γ κ − log I₀(κ)), I₁(κ) / I₀(κ) = γ, at which T random phasors align (large
    deviations); so an exponential distribution is fitted to the hundredth of samples with the largest y, and
    extrapolated; two standard errors (jackknife over blocks) are added. The extrapolation is checked: a fit to the
    first quarter of the samples must foretell how many of the rest exceed a level that is rarely reached.

    Parameters
    ----------
    geometry, search
        The stack, and the velocities and height errors that are looked for.
    probability
        That a pixel of noise is accepted.
    samples
        Pixels of noise that are simulated.
    seed
        Of the random numbers.

    Returns
    -------
    :class:`Threshold`.

    Raises
    ------
    ConfigurationError
        If samples are too few for the probability.
    RunError
        If the check fails.

    Sources: Cramér's theorem for the rate (e.g. Mardia & Jupp 2000, section 4.8, for the distribution of resultants);
    Pickands (1975), doi:10.1214/aos/1176343003, for fitting exceedances.
    """
    if not 0 < probability < 0.5 or samples < max(20_000, 0.1 / probability):
        raise ConfigurationError(
            f"{samples} samples are too few for a probability of {probability:g}; "
            f"give {max(20_000, round(0.1 / probability))} or more"
        )
    coherence = noise_coherence(geometry, search or SearchConfig(), samples, np.random.default_rng(seed))
    fitted, fresh = coherence[: samples // 4], coherence[samples // 4 :]
    observed = int((fresh > tail_quantile(fitted, len(geometry.days), _CHECKED / len(fresh))).sum())
    low, high = poisson.ppf([_DOUBT, 1 - _DOUBT], [_CHECKED / _LENIENCE, _CHECKED * _LENIENCE])
    if not low <= observed <= high:
        raise RunError(
            f"the tail of noise coherence does not extrapolate: {observed} exceedances, {_CHECKED} expected; "
            "give more samples"
        )
    blocks = np.arange(samples) * _BLOCKS // samples
    without = [tail_quantile(coherence[blocks != block], len(geometry.days), probability) for block in range(_BLOCKS)]
    spread = float(np.std(without) * np.sqrt(_BLOCKS - 1))
    level = tail_quantile(coherence, len(geometry.days), probability) + 2 * spread
    return Threshold(min(level, 1.0), probability, spread, float(_CHECKED), observed)


def tail_quantile(coherence: np.ndarray, dates: int, probability: float) -> float:
    """Coherence that noise exceeds with a small probability, extrapolated from samples of it.

    Parameters
    ----------
    coherence
        Samples, float (n,).
    dates
        Phasors that each was computed of.
    probability
        At most 0.01.
    """
    kappa = np.concatenate([np.linspace(0, 2, 2000, endpoint=False), np.geomspace(2, 1e4, 4000)])
    mean = ive(1, kappa) / ive(0, kappa)
    rate = dates * (mean * kappa - np.log(ive(0, kappa)) - kappa)
    y = np.interp(coherence, mean, rate)
    start = np.quantile(y, 1 - _TAIL)
    scale = (y[y > start] - start).mean()
    return float(np.interp(start + scale * np.log(_TAIL / probability), rate, mean))
