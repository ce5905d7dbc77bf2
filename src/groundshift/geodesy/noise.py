"""Noise of daily positions: white, and noise whose power grows toward long periods; what it means for a rate.

Power-law noise of spectral index κ is white noise, fractionally integrated from the first epoch on (Hosking 1981,
doi:10.1093/biomet/68.1.165). Amplitudes and index maximise the restricted likelihood (Patterson & Thompson 1971),
which, unlike the plain one, does not take what a trajectory model absorbs for an absence of noise. The series is
averaged to a few hundred epochs first: the slow part is what matters for a rate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

_EPOCHS = 300  # at most
_INDICES = (-0.2, -0.5, -0.8, -1.1, -1.4, -1.7, -2.0)


class Noise(NamedTuple):
    """White and power-law noise of an averaged series."""

    index: float  # κ: 0 is white, -1 flicker, -2 a random walk
    share: float  # of the variance of an epoch's innovation that is power-law, 0 to 1
    scale: float  # standard deviation of that innovation, mm
    step: float  # days of an epoch


class ColouredFit(NamedTuple):
    """Generalised least squares with the noise that was found."""

    coefficients: np.ndarray  # float64 (p,)
    covariance: np.ndarray  # float64 (p, p)
    noise: Noise


def power_law(count: int, index: float) -> np.ndarray:
    """What integrates white noise of `count` epochs to power-law noise: the first column of a Toeplitz matrix."""
    k = np.arange(1, count)
    return np.append(1.0, np.cumprod((k - 1 - index / 2) / k))


def coloured_fit(
    days: np.ndarray, design: np.ndarray, values: np.ndarray, *, index: float | None = None
) -> ColouredFit:
    """Fit a linear model to a series with white and power-law noise.

    Parameters
    ----------
    days
        float (n,), increasing.
    design
        float (n, p), full rank.
    values
        float (n,), without outliers.
    index
        Spectral index; estimated if None. Flicker noise, -1, is usual for positions (Williams et al. 2004,
        doi:10.1029/2003JB002741).
    """
    step = max(1.0, np.ceil((days[-1] - days[0] + 1) / _EPOCHS))
    epoch = ((days - days[0]) // step).astype(int)
    kept, starts, count = np.unique(epoch, return_index=True, return_counts=True)
    root = np.sqrt(np.median(count) / count)  # of the variance of white noise against a usual epoch
    model = np.add.reduceat(design, starts) / count[:, None] / root[:, None]
    mean = np.add.reduceat(values, starts) / count / root
    tried = _INDICES if index is None else (index,)
    likely = [_Likelihood(kept, root, model, mean, each) for each in tried]
    best = min(likely, key=lambda each: each.badness)
    if index is None:
        middle = tried.index(best.index)
        if 0 < middle < len(tried) - 1:
            below, at, above = (likely[middle + k].badness for k in (-1, 0, 1))
            shift = 0.5 * (below - above) / max(below - 2 * at + above, 1e-9) * (tried[middle + 1] - tried[middle])
            refined = _Likelihood(kept, root, model, mean, best.index + float(shift))
            best = min(best, refined, key=lambda each: each.badness)
    coefficients, covariance, scale = best.solution()
    return ColouredFit(coefficients, covariance, Noise(best.index, best.share, scale, float(step)))


class _Likelihood:
    """Restricted likelihood for one spectral index; noise is made independent once, for all shares."""

    def __init__(self, kept: np.ndarray, root: np.ndarray, model: np.ndarray, mean: np.ndarray, index: float) -> None:
        self.index = index
        column = power_law(kept[-1] + 1, index)
        lower = np.zeros((len(kept), len(column)))
        for row, number in enumerate(kept):
            lower[row, : number + 1] = column[number::-1] / root[row]
        self._power, axes = np.linalg.eigh(lower @ lower.T)
        self._model, self._mean = axes.T @ model, axes.T @ mean
        self._free = len(kept) - model.shape[1]
        found = minimize_scalar(self._badness, bounds=(-8, 8), method="bounded", options={"xatol": 0.02})
        self.badness, self.share = float(found.fun), float(1 / (1 + np.exp(-found.x)))

    def solution(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Coefficients, their covariance, and the scale of the noise."""
        r, projected, squares, _ = self._pieces(self.share)
        inverse, variance = np.linalg.inv(r), squares / self._free
        return inverse @ projected, variance * inverse @ inverse.T, float(np.sqrt(variance))

    def _pieces(self, share: float) -> tuple[np.ndarray, np.ndarray, float, float]:
        variance = share * np.maximum(self._power, 0) + (1 - share) + 1e-12
        a, b = self._model / np.sqrt(variance)[:, None], self._mean / np.sqrt(variance)
        q, r = np.linalg.qr(a)
        rest = b - q @ (q.T @ b)
        return r, q.T @ b, float(rest @ rest), float(np.log(variance).sum() + 2 * np.log(np.abs(np.diag(r))).sum())

    def _badness(self, logit: float) -> float:
        _, _, squares, logs = self._pieces(float(1 / (1 + np.exp(-logit))))
        return logs + self._free * np.log(squares)
