"""Noise of daily positions: white, and noise whose power grows toward long periods; what it means for a rate.

Power-law noise of spectral index κ is white noise, fractionally integrated from the first epoch on (Hosking 1981,
doi:10.1093/biomet/68.1.165). Amplitudes and index maximise the restricted likelihood (Patterson & Thompson 1971),
which, unlike the plain one, does not take what a trajectory model absorbs for an absence of noise. The series is
averaged to a few hundred epochs first: the slow part is what matters for a rate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize

_EPOCHS = 500  # at most
_INDEX = (-2.0, 0.0)


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
    model = np.add.reduceat(design, starts) / count[:, None]
    mean = np.add.reduceat(values, starts) / count
    fewer = np.median(count) / count  # variance of white noise against a usual epoch
    memory: dict[float, np.ndarray] = {}

    def covariance(share: float, kappa: float) -> np.ndarray:
        if kappa not in memory:
            column = power_law(kept[-1] + 1, kappa)
            lower = np.zeros((len(kept), len(column)))
            for row, number in enumerate(kept):
                lower[row, : number + 1] = column[number::-1]
            memory.clear()
            memory[kappa] = lower @ lower.T
        return share * memory[kappa] + (1 - share) * np.diag(fewer)

    def pieces(share: float, kappa: float) -> tuple[np.ndarray, np.ndarray, float, float]:
        factor = cholesky(covariance(share, kappa) + 1e-9 * np.eye(len(kept)), lower=True)
        a, b = (solve_triangular(factor, each, lower=True) for each in (model, mean))
        q, r = np.linalg.qr(a)
        rest = b - q @ (q.T @ b)
        logs = 2 * np.log(np.diag(factor)).sum() + 2 * np.log(np.abs(np.diag(r))).sum()
        return r, q.T @ b, float(rest @ rest), float(logs)

    free = len(kept) - design.shape[1]

    def badness(x: np.ndarray) -> float:
        kappa = index if index is not None else float(np.clip(x[1], *_INDEX))
        _, _, squares, logs = pieces(1 / (1 + np.exp(-x[0])), kappa)
        return (
            logs + free * np.log(squares) + 0.02 * max(abs(x[0]) - 6, 0) ** 2
        )  # all of one kind is no nearer than e⁻⁶

    simplex = [[0.0], [2.0]] if index is not None else [[0.0, -1.0], [2.0, -1.0], [0.0, -1.4]]
    options = {"initial_simplex": simplex, "xatol": 0.03, "fatol": 0.01, "maxiter": 120}
    found = minimize(badness, simplex[0], method="Nelder-Mead", options=options)
    share = float(1 / (1 + np.exp(-found.x[0])))
    kappa = index if index is not None else float(np.clip(found.x[1], *_INDEX))
    r, projected, squares, _ = pieces(share, kappa)
    inverse = np.linalg.inv(r)
    variance = squares / free
    return ColouredFit(
        inverse @ projected, variance * inverse @ inverse.T, Noise(kappa, share, float(np.sqrt(variance)), float(step))
    )
