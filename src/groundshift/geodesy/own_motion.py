"""Stations that move by themselves: how many they are, how much they move, and how likely each is one of them.

The error with which a station is predicted from all others is normal with the variance f² v, where v is what its sigma
and the model let expect, or, for a share ε of the stations, with the variance f² v + τ²: Tukey's model of gross errors.
The three are those of greatest posterior density, given the errors of all stations; which stations move by themselves
follows from Bayes' rule. In a normal model such a station then has a noise of the precision that it has on average over
both cases, as in the expectation-maximisation of Little (1988, doi:10.2307/2347491). The factor f is the variance of
unit weight of a least squares: whether the sigmas that stations come with are too small or too large.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_ndtr, logit, ndtri_exp
from scipy.stats import norm

_LIKELY_SIZE = 5.0  # τ over the median sigma, beforehand
_SIZE_SPREAD = 0.7  # of its logarithm
_FACTOR_SPREAD = 0.1  # of the logarithm of f
_LIKELY_COUNT = 2.0  # the share beforehand is that of this many in as many stations as have so many on average
_FEW = 1e-12  # a chance below which nothing is told


class OwnMotion(NamedTuple):
    """What some stations do in one component, beside what all do."""

    share: float  # ε: of the stations
    size: float  # τ, mm/yr: standard deviation of their own motion

    @property
    def variance(self) -> float:
        """That it adds to the error of a station of which nothing is known, (mm/yr)²."""
        return self.share * self.size**2


def estimate_own_motion(
    error: np.ndarray, sigma: np.ndarray, *, share: float, scale: float = 1.0
) -> tuple[OwnMotion, float]:
    """What stations do that move by themselves, and the factor f by which all sigmas are to be multiplied.

    Parameters
    ----------
    error, sigma
        Errors of prediction and what is expected of them without own motion, float (n,), mm/yr.
    share
        Of the stations, expected beforehand.
    scale
        By which the sigmas that stations came with were multiplied already.
    """
    there = np.isfinite(error)
    error, sigma = error[there], sigma[there]
    likely = np.log(_LIKELY_SIZE * np.median(sigma))

    def badness(logs: np.ndarray) -> float:
        own, factor = OwnMotion(float(expit(logs[0])), float(np.exp(logs[1]))), np.exp(logs[2])
        density = np.logaddexp(*_parts(error, sigma * factor, own)).sum()
        many = _LIKELY_COUNT * (np.log(own.share + _FEW) + (1 / share - 1) * np.log1p(-own.share))
        away = (logs[1] - likely) / _SIZE_SPREAD, (logs[2] + np.log(scale)) / _FACTOR_SPREAD
        return -float(density + many - 0.5 * np.dot(away, away))

    start = [logit(share), likely, 0.0]
    found = minimize(badness, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-4}).x
    return OwnMotion(float(expit(found[0])), float(np.exp(found[1]))), float(np.exp(found[2]))


def chance_of_own_motion(error: np.ndarray, sigma: np.ndarray, own: OwnMotion) -> np.ndarray:
    """Probability that each station moves by itself, float64 (n,); NaN where it has no error."""
    usual, moving = _parts(error, sigma, own)
    return expit(moving - usual)


def own_variance(chance: np.ndarray, noise: np.ndarray, own: OwnMotion) -> np.ndarray:
    """What is to be added to the variance `noise` of a station so that it counts as much as both cases together."""
    return 1 / ((1 - chance) / noise + chance / (noise + own.size**2)) - noise


def normal_score(error: np.ndarray, sigma: np.ndarray, own: OwnMotion) -> np.ndarray:
    """Errors as quantiles of the standard normal distribution, float64 (n,).

    If the prediction is right, with its heavy tails, these are standard normal: no single one decides their variance.
    """
    both = np.stack([np.abs(error) / sigma, np.abs(error) / np.sqrt(sigma**2 + own.size**2)])
    with np.errstate(invalid="ignore"):  # NaN
        tail = np.logaddexp(np.log1p(-own.share) + log_ndtr(-both[0]), np.log(own.share + _FEW) + log_ndtr(-both[1]))
    return -np.sign(error) * ndtri_exp(tail)


def _parts(error: np.ndarray, sigma: np.ndarray, own: OwnMotion) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of both densities, with their shares."""
    wide = np.sqrt(sigma**2 + own.size**2)
    return (
        np.log1p(-own.share) + norm.logpdf(error, scale=sigma),
        np.log(own.share + _FEW) + norm.logpdf(error, scale=wide),
    )
