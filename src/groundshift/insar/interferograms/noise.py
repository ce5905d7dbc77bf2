"""How noisy the interferograms of each pixel are, and what of it their residuals cannot show.

Interferograms share images, so most of what decorrelation does to them agrees around triplets of dates: no residual
shows it, and it adds up from date to date. It follows from the coherence between all dates, of which a network knows a
few, with much noise in a single pixel. So kinds of ground are learned from the pixels of the network, each with its
coherence in time; a pixel is of these kinds as likely as its own coherences say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from groundshift.insar.interferograms.closure import find_triplets
from groundshift.insar.interferograms.decorrelation import (
    PhaseVariance,
    fit_coherence,
    phase_covariance,
    squares_variance,
    unbiased_squares,
)

_KINDS = 16
_PIXELS_A_KIND = 20  # at least
_ROUNDS = 25
_FIRST_LOOKS = 20.0
_LOOKS_ROUNDS = 3
_LOOKS = 2.0, 2000.0
_COHERENT = 0.3  # that phases are nearly linear in the noise; triplets of such tell the looks
_MANY = 50  # pixels that tell them


@dataclass(frozen=True, eq=False)
class Noise:
    """Kinds of ground of a network of interferograms, k of them.

    Attributes
    ----------
    looks
        Independent looks of phases and coherences.
    share
        Of the pixels, float64 (k,).
    squares
        Mean squares of true coherences, float64 (k, m); NaN where no coherence is known.
    coherence
        Between all dates, float64 (k, time, time).
    variance
        Of phases, radians², float64 (k, m).
    more_velocity, more_dates
        Variance of velocities (k,) and displacements (k, time) over that of independent errors of interferograms.
    velocity
        Variance of velocities, (radians a year)², float64 (k,), for errors that are independent.
    scatter, scatter_alone
        Sum of squares that the model of motion leaves of series, radians², float64 (k,), and for errors that are
        independent.
    contradiction
        Weighted sum of squares of the residuals of interferograms over those that are to spare, float64 (k,); 1 for
        errors that are independent.
    """

    looks: float
    share: np.ndarray
    squares: np.ndarray
    coherence: np.ndarray
    variance: np.ndarray
    more_velocity: np.ndarray
    more_dates: np.ndarray
    velocity: np.ndarray
    scatter: np.ndarray
    scatter_alone: np.ndarray
    contradiction: np.ndarray

    def of(self, coherence: np.ndarray) -> PixelNoise:
        """Noise of pixels from their coherences, float (m, n), NaN where not known."""
        likely = _likely(unbiased_squares(coherence, self.looks), self.squares, self.share, self.looks)
        return PixelNoise(
            self.variance.T @ likely, self.more_velocity @ likely, self.more_dates.T @ likely, self.velocity @ likely,
            self.scatter @ likely, self.scatter_alone @ likely, self.contradiction @ likely,
        )  # fmt: skip


class PixelNoise(NamedTuple):
    """What :class:`Noise` says of n pixels, of the same names."""

    variance: np.ndarray  # float64 (m, n), radians²
    more_velocity: np.ndarray  # float64 (n,)
    more_dates: np.ndarray  # float64 (time, n)
    velocity: np.ndarray  # float64 (n,), (radians a year)²
    scatter: np.ndarray  # float64 (n,), radians²
    scatter_alone: np.ndarray  # float64 (n,), radians²
    contradiction: np.ndarray  # float64 (n,)


def learn_noise(
    coherence: np.ndarray,
    misclosure: np.ndarray,
    pairs: np.ndarray,
    days: np.ndarray,
    *,
    row: np.ndarray,
    residual: np.ndarray,
    looks: float | None = None,
) -> Noise | None:
    """Learn the kinds of ground of a network from some of its pixels, of any coherence.

    Squares of coherences are a mixture of Gaussian kinds, which expectation and maximisation find (Dempster, Laird &
    Rubin 1977), each with the variance that estimates of so many looks have. Looks are what makes sums around triplets
    of dates as large as they should be.

    Parameters
    ----------
    coherence
        Of n pixels, float (m, n); NaN is not known.
    misclosure
        Sums of phases around the triplets of :func:`~groundshift.insar.interferograms.closure.find_triplets`, without
        whole cycles, radians, float (triplets, n); NaN is not known.
    pairs, days
        Numbers of dates, int (m, 2), and their days, float (time,).
    row
        Factors of the dates that make the velocity of a series, float (time,).
    residual
        Matrix that leaves of a series what the model of motion does not explain, float (time, time).
    looks
        Independent looks, if they are known.

    Returns
    -------
    None where looks are not given and too few coherent triplets tell them.
    """
    if not coherence.shape[1] or not np.isfinite(coherence).any():
        return None
    triplets = find_triplets(pairs, len(days))
    at = looks or _FIRST_LOOKS
    for _ in range(1 if looks else _LOOKS_ROUNDS):
        share, squares, likely = _kinds(unbiased_squares(coherence, at), at)
        gamma = np.stack([
            fit_coherence(each, pairs, days, at, part * coherence.shape[1])
            for part, each in zip(share, squares, strict=True)
        ])  # fmt: skip
        if looks is None:
            found = _looks(misclosure, triplets, pairs, gamma, likely.argmax(axis=0))
            if found is None:
                return None
            at = found
    variance = PhaseVariance(at)
    parts = [_effects(each, pairs, days, variance, row, residual) for each in gamma]
    return Noise(at, share, squares, gamma, *(np.array(each) for each in zip(*parts, strict=True)))


def _kinds(values: np.ndarray, looks: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares (k,), mean squares of coherences (k, m), and how likely each pixel is of which kind (k, n)."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0)
    level = filled.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    kinds = max(1, min(_KINDS, values.shape[1] // _PIXELS_A_KIND))
    likely = np.zeros((kinds, values.shape[1]))
    for kind, some in enumerate(np.array_split(np.argsort(level, kind="stable"), kinds)):
        likely[kind, some] = 1
    for _ in range(_ROUNDS):
        share = np.maximum(likely.mean(axis=1), 1e-9)
        seen = likely @ known.T
        squares = np.where(seen > 1e-9, likely @ filled.T / np.maximum(seen, 1e-9), np.nan)
        likely = _likely(values, squares, share, looks)
    return share / share.sum(), squares, likely


def _likely(values: np.ndarray, squares: np.ndarray, share: np.ndarray, looks: float) -> np.ndarray:
    """Probabilities of kinds for pixels (m, n), (k, n)."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0)
    spread = squares_variance(squares, looks)
    precise = np.nan_to_num(1 / spread)
    mean = np.nan_to_num(squares)
    ways = precise @ filled**2 - 2 * (precise * mean) @ filled
    ways += (precise * mean**2 + np.nan_to_num(np.log(spread))) @ known.astype(np.float64)
    log = np.log(share)[:, None] - 0.5 * ways
    out = np.exp(log - log.max(axis=0))
    return out / out.sum(axis=0)


def _looks(
    misclosure: np.ndarray, triplets: np.ndarray, pairs: np.ndarray, gamma: np.ndarray, kind: np.ndarray
) -> float | None:
    """Looks by which sums around triplets are as large as their first-order covariance says; None of too few.

    Parameters
    ----------
    gamma
        Coherence between all dates of each kind, (k, time, time).
    kind
        Of each pixel, int (n,).
    """
    a, b, c = pairs[triplets[:, 0], 0], pairs[triplets[:, 0], 1], pairs[triplets[:, 1], 1]
    ab, bc, ac = (np.maximum(gamma[:, i, j], 1e-3) for i, j in ((a, b), (b, c), (a, c)))
    alone = (1 - ab**2) / ab**2 + (1 - bc**2) / bc**2 + (1 - ac**2) / ac**2
    shared = (ab * bc - ac) / (ab * bc) - (bc - ac * ab) / (ab * ac) - (ab - bc * ac) / (bc * ac)
    expected = alone / 2 + shared  # of one look, (k, triplets)
    clear = (np.minimum(np.minimum(ab, bc), ac) > _COHERENT) & (expected > 1e-9)
    use = np.isfinite(misclosure) & clear[kind].T
    ratio = np.where(use, misclosure, 0) ** 2 / np.where(clear, expected, 1)[kind].T
    count = use.sum(axis=0)
    told = count > 0
    if told.sum() < _MANY:
        return None
    middle = np.median(ratio.sum(axis=0)[told] / count[told])
    return float(np.clip(1 / middle, *_LOOKS)) if middle > 0 else None


def _effects(
    gamma: np.ndarray, pairs: np.ndarray, days: np.ndarray, variance: PhaseVariance, row: np.ndarray,
    residual: np.ndarray,
) -> tuple[np.ndarray, float, np.ndarray, float, float, float, float]:  # fmt: skip
    """What :class:`Noise` has of one kind, from its `variance` on."""
    covariance = phase_covariance(gamma, pairs, variance)
    alone = np.diag(covariance)
    root = np.sqrt(1 / alone)
    steps = np.diff(days)
    between = np.array([(np.arange(len(steps)) >= a) & (np.arange(len(steps)) < b) for a, b in pairs]) * steps
    solve = steps[:, None] * np.linalg.pinv(between * root[:, None]) * root
    series = np.vstack([np.zeros(len(pairs)), np.cumsum(solve, axis=0)])
    joint, single = series @ covariance @ series.T, (series * alone) @ series.T
    velocity = float(row @ single @ row)
    dates = np.maximum(np.diag(joint), 0) / np.maximum(np.diag(single), 1e-300)
    dates[0] = 1
    scatters = [float(np.trace(residual @ each @ residual.T)) for each in (joint, single)]
    rest = np.eye(len(pairs)) - (series[pairs[:, 1]] - series[pairs[:, 0]])
    spare = max(round(np.trace(rest)), 1)
    contradiction = float(np.einsum("pq,qr,pr,p->", rest, covariance, rest, 1 / alone, optimize=True)) / spare
    return alone, max(float(row @ joint @ row), 0) / velocity, dates, velocity, *scatters, contradiction
