"""Phases of multilooked interferograms: their variance, how errors of a network go together, and coherence in time."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, hyp2f1

_ANGLES = np.pi * np.linspace(-1, 1, 801) ** 3  # dense around 0, where coherent phases are
_COHERENCES = np.sin(np.linspace(0, np.pi / 2, 400)) * 0.9999
_EXACT = 80.0  # looks beyond which hypergeometric functions overflow
_TIMES = np.geomspace(5, 2000, 20)  # days until coherence is down to 1/e, of models of it
_LASTING = np.linspace(0, 1, 11)  # share of coherence that never goes, of models of it
_ROUNDS, _SWEEPS = 6, 5
_MOST = 0.995  # coherence of two dates


class PhaseVariance:
    """Variance of the phase of an interferogram, radians², by its coherence.

    Parameters
    ----------
    looks
        Independent ones, above 0.

    Notes
    -----
    From the probability density of the phase (Lee, Hoppel, Mango & Miller 1994, doi:10.1109/36.312890, equation 12),
    which goes to that of no information, π²/3, where coherence is lost. For many looks, that of fewer looks with the
    same ratio of signal to noise, L γ² / (1 − γ²).
    """

    def __init__(self, looks: float) -> None:
        self.looks, self._exact = looks, min(looks, _EXACT)
        gamma, cosine = _COHERENCES[:, None], np.cos(_ANGLES)
        beta, rest = gamma * cosine, (1 - gamma**2) ** self._exact
        scale = np.exp(gammaln(self._exact + 0.5) - gammaln(self._exact)) / (2 * np.sqrt(np.pi))
        density = rest * (
            scale * beta * (1 - beta**2) ** -(self._exact + 0.5)
            + hyp2f1(self._exact, 1, 0.5, beta**2) / (2 * np.pi)
        )  # fmt: skip
        total = np.trapezoid(density, _ANGLES, axis=1)
        self._table = np.trapezoid(density * _ANGLES**2, _ANGLES, axis=1) / total

    def __call__(self, coherence: np.ndarray) -> np.ndarray:
        """Of coherences from 0 to 1, float64 of any shape."""
        square = np.clip(coherence, 0, _COHERENCES[-1]) ** 2
        ratio = self.looks / self._exact * square / (1 - square)
        alike = np.sqrt(ratio / (1 + ratio))
        return np.interp(alike, _COHERENCES, self._table)


def phase_covariance(coherence: np.ndarray, pairs: np.ndarray, variance: PhaseVariance) -> np.ndarray:
    """Covariance of the phase errors of interferograms, radians², float64 (m, m).

    Of circular Gaussian echoes with real coherences γ, errors of first order have the covariance
    (γ_ik γ_jl − γ_il γ_jk) / (2 L γ_ij γ_kl): interferograms share images, or images that are alike. Correlations are
    these; variances are those of any coherence.

    Parameters
    ----------
    coherence
        Between all dates, float64 (time, time).
    pairs
        Numbers of dates, int (m, 2).
    variance
        Of single phases.

    Notes
    -----
    Sources: Guarnieri & Tebaldini (2008), doi:10.1109/TGRS.2008.2001756, for the covariance; Agram & Simons (2015),
    doi:10.1002/2014JB011271, for its use in networks of interferograms.
    """
    i, j = pairs.T
    own = np.clip(coherence[i, j], 0, _COHERENCES[-1])
    joint = coherence[np.ix_(i, i)] * coherence[np.ix_(j, j)] - coherence[np.ix_(i, j)] * coherence[np.ix_(j, i)]
    scale = np.sqrt(variance(own) / (1 - own**2))
    return joint * np.outer(scale, scale)


def unbiased_squares(coherence: np.ndarray, looks: float) -> np.ndarray:
    """Squares γ² of coherences from estimates of a number of looks, which are too large where coherence is small.

    Squares of estimates are γ² + (1 − γ²)² / L in the mean, up to a part of 1 / L², which is solved for γ²; negative
    where an estimate is smaller than that of no coherence mostly is. Source: Touzi, Lopes, Bruniquel & Vachon (1999),
    doi:10.1109/36.739146, for the bias.
    """
    square = np.square(coherence, dtype=np.float64)
    return 1 - looks / 2 * (1 - np.sqrt(np.maximum(1 - 4 * (1 - square) / looks, 0)))


def squares_variance(squares: np.ndarray, looks: float) -> np.ndarray:
    """Variance of :func:`unbiased_squares` about the true squares γ², by these: (1 − γ²)² (2 γ² / L + 1 / L²)."""
    squares = np.clip(squares, 0, 0.999)
    return (1 - squares) ** 2 * (2 * squares / looks + looks**-2) + 1e-6


def fit_coherence(
    squares: np.ndarray, pairs: np.ndarray, days: np.ndarray, looks: float, count: float
) -> np.ndarray:  # fmt: skip
    """Coherence between all dates from that of some pairs, float64 (time, time).

    The model is g_i g_j γ₀ (q + (1 − q) exp(−Δ/τ)) with Δ the days between two dates: decay, what lasts, and how much
    each date has lost (snow, crops). Interferograms of neighbours hardly tell whether coherence lasts; so the result is
    the mean over all q and τ by how well they fit.

    Parameters
    ----------
    squares
        Squares of coherences, means of many pixels, float (m,); NaN is not known.
    pairs, days
        Numbers of dates, int (m, 2), and the days of all dates, float (time,).
    looks
        Of one pixel.
    count
        Pixels that the means are of.

    Notes
    -----
    Sources: Rocca (2007), doi:10.1109/TGRS.2007.894440, for exponential decay; Morishita & Hanssen (2015),
    doi:10.1109/TGRS.2014.2352853, for what lasts.
    """
    known = np.isfinite(squares)
    i, j = pairs[known].T
    values = np.clip(squares[known], 0, _MOST**2)
    weight = count / squares_variance(values, looks)
    lasting, time = (each.ravel() for each in np.meshgrid(_LASTING, _TIMES, indexing="ij"))
    apart = (days[j] - days[i])[:, None]
    shapes = (lasting + (1 - lasting) * np.exp(-apart / time)) ** 2  # (m, models)
    dates = np.ones(len(days))  # squares of g
    for _ in range(_ROUNDS):
        misfit, height = _misfit(shapes * (dates[i] * dates[j])[:, None], values, weight)
        best = misfit.argmin()
        dates = _each_date(dates, height[best] * shapes[:, best], values, weight, i, j)
    misfit, height = _misfit(shapes * (dates[i] * dates[j])[:, None], values, weight)
    unexplained = max(misfit.min() / max(len(values) - len(days) - 2, 1), 1.0)
    share = np.exp(-0.5 * (misfit - misfit.min()) / unexplained)
    share *= np.sqrt(height) / share.sum()
    away = np.abs(days[:, None] - days)
    lost = np.zeros(away.shape)
    for part, last, days_down in zip(share, lasting, time, strict=True):
        if part > 1e-6 * share.max():
            lost += part * (last + (1 - last) * np.exp(-away / days_down))
    gamma = np.minimum(lost * np.sqrt(np.outer(dates, dates)), _MOST)
    np.fill_diagonal(gamma, 1)
    return gamma


def _misfit(shapes: np.ndarray, values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted squares that each model leaves, and its best height (γ₀²), both (models,)."""
    height = np.maximum((weight * values) @ shapes / (weight @ shapes**2), 1e-6)
    return weight @ (values[:, None] - height * shapes) ** 2, height


def _each_date(
    dates: np.ndarray, shape: np.ndarray, values: np.ndarray, weight: np.ndarray, i: np.ndarray, j: np.ndarray
) -> np.ndarray:
    """Factors of dates by alternating least squares, of mean 1, (time,)."""
    dates = dates.copy()
    for _ in range(_SWEEPS):
        for date in range(len(dates)):
            mine = np.flatnonzero((i == date) | (j == date))
            if len(mine):
                model = shape[mine] * dates[np.where(i[mine] == date, j[mine], i[mine])]
                fitted = (weight[mine] * model) @ values[mine] / max((weight[mine] * model) @ model, 1e-12)
                dates[date] = np.clip(fitted, 1e-3, 3)
        dates /= dates.mean()
    return dates
