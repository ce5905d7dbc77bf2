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
    days: np.ndarray,
    design: np.ndarray,
    values: np.ndarray,
    *,
    sigma: np.ndarray | None = None,
    index: float | None = None,
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
    sigma
        Standard deviation of each value, up to a factor, float (n,): of the white noise only. Nothing counts as better
        than half the median.
    index
        Spectral index; estimated if None. Flicker noise, -1, is usual for positions (Williams et al. 2004,
        doi:10.1029/2003JB002741).
    """
    averaged = Averaged.of(days, design, values, sigma)
    tried = _INDICES if index is None else (index,)
    likely = [Likelihood(averaged, each) for each in tried]
    best = min(likely, key=lambda each: each.badness)
    if index is None:
        middle = tried.index(best.index)
        if 0 < middle < len(tried) - 1:
            below, at, above = (likely[middle + k].badness for k in (-1, 0, 1))
            shift = 0.5 * (below - above) / max(below - 2 * at + above, 1e-9) * (tried[middle + 1] - tried[middle])
            refined = Likelihood(averaged, best.index + float(shift))
            best = min(best, refined, key=lambda each: each.badness)
    coefficients, covariance, scale = best.solution()
    return ColouredFit(coefficients, covariance, Noise(best.index, best.share, scale, averaged.step))


class Averaged(NamedTuple):
    """A series and its model in epochs, of which each is divided by the square root of its white variance."""

    step: float  # days of an epoch
    number: np.ndarray  # int64 (m,): of each epoch that has a value, from 0
    first: np.ndarray  # int64 (m,): row of its first value
    root: np.ndarray  # float64 (m,): of its white variance, 1 for a usual epoch
    model: np.ndarray  # float64 (m, p)
    mean: np.ndarray  # float64 (m,)

    @classmethod
    def of(cls, days: np.ndarray, design: np.ndarray, values: np.ndarray, sigma: np.ndarray | None) -> Averaged:
        """Average a series; see :func:`coloured_fit`."""
        step = max(1.0, np.ceil((days[-1] - days[0] + 1) / _EPOCHS))
        number, first = np.unique(((days - days[0]) // step).astype(int), return_index=True)
        usual = 1.0 if sigma is None else float(np.median(sigma))
        weight = np.ones(len(days)) if sigma is None else (usual / np.maximum(sigma, usual / 2)) ** 2
        total = np.add.reduceat(weight, first)
        root = np.sqrt(np.median(total) / total)
        model = np.add.reduceat(design * weight[:, None], first) / (total * root)[:, None]
        return cls(float(step), number, first, root, model, np.add.reduceat(values * weight, first) / (total * root))


class More(NamedTuple):
    """What more columns would do to a model and to one of its coefficients; where the noise has the scale 1."""

    coefficient: float  # without any
    variance: float  # of it
    pull: np.ndarray  # float64 (k,): what a column takes off the coefficient, for one unit of its own
    gram: np.ndarray  # float64 (k, k): of the columns, less what the model explains of them
    product: np.ndarray  # float64 (k,): of these with the residual of the model
    squares: float  # of the residual
    free: int  # degrees of freedom of it


class Likelihood:
    """Restricted likelihood for one spectral index; noise is made independent once, for all shares."""

    def __init__(self, averaged: Averaged, index: float) -> None:
        self.index = index
        column = power_law(averaged.number[-1] + 1, index)
        lower = np.zeros((len(averaged.number), len(column)))
        for row, number in enumerate(averaged.number):
            lower[row, : number + 1] = column[number::-1] / averaged.root[row]
        self._power, self._axes = np.linalg.eigh(lower @ lower.T)
        self._model, self._mean = self._axes.T @ averaged.model, self._axes.T @ averaged.mean
        self._free = len(averaged.number) - averaged.model.shape[1]
        found = minimize_scalar(self._badness, bounds=(-8, 8), method="bounded", options={"xatol": 0.02})
        self.badness, self.share = float(found.fun), float(1 / (1 + np.exp(-found.x)))

    def solution(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Coefficients, their covariance, and the scale of the noise."""
        r, projected, squares, _ = self._pieces(self.share)
        inverse, variance = np.linalg.inv(r), squares / self._free
        return inverse @ projected, variance * inverse @ inverse.T, float(np.sqrt(variance))

    def significance(self, columns: np.ndarray) -> np.ndarray:
        """What each of some more columns (m, k) would be over its sigma, were it the only one added; float64 (k,)."""
        *_, rest, apart = self._beside(columns)
        part = apart.T @ rest / np.sqrt(np.maximum((apart**2).sum(axis=0), 1e-12))
        return part / np.sqrt(np.maximum(rest @ rest - part**2, 1e-12) / max(self._free - 1, 1))

    def more(self, columns: np.ndarray, row: int = 0) -> More:
        """What some more columns (m, k) would do to the model, and to one of its coefficients, by its row."""
        r, known, shared, rest, apart = self._beside(columns)
        inverse = np.linalg.inv(r)[row]
        return More(
            float(inverse @ known), float(inverse @ inverse), inverse @ shared, apart.T @ apart, apart.T @ rest,
            float(rest @ rest), self._free,
        )  # fmt: skip

    def _beside(self, columns: np.ndarray) -> tuple[np.ndarray, ...]:
        """A triangle (p, p) of the model; data and columns on its axes, (p,), (p, k), and beside it, (m,), (m, k)."""
        root = np.sqrt(self._variance(self.share))[:, None]
        q, r = np.linalg.qr(self._model / root)
        data, more = self._mean / root[:, 0], self._axes.T @ columns / root
        known, shared = q.T @ data, q.T @ more
        return r, known, shared, data - q @ known, more - q @ shared

    def _variance(self, share: float) -> np.ndarray:
        return share * np.maximum(self._power, 0) + (1 - share) + 1e-12

    def _pieces(self, share: float) -> tuple[np.ndarray, np.ndarray, float, float]:
        variance = self._variance(share)
        a, b = self._model / np.sqrt(variance)[:, None], self._mean / np.sqrt(variance)
        q, r = np.linalg.qr(a)
        rest = b - q @ (q.T @ b)
        return r, q.T @ b, float(rest @ rest), float(np.log(variance).sum() + 2 * np.log(np.abs(np.diag(r))).sum())

    def _badness(self, logit: float) -> float:
        _, _, squares, logs = self._pieces(float(1 / (1 + np.exp(-logit))))
        return logs + self._free * np.log(squares)
