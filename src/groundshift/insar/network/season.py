"""Yearly seasons that are too large for a periodogram of velocity and height error alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from groundshift.insar.stack.geometry import StackGeometry
from groundshift.kernels.periodogram import maximise_coherence

_AMPLITUDES = (1.0, 2.0, 3.0)  # that are tried, radians
_TURNS = 8  # of the year, for each
_ROUNDS = 4
_BETTER = 0.5  # what a season must leave of the variance, at most

MOST_COHERENCE = 0.85
"""Temporal coherence above which no season is looked for: it would have less than half a radian."""


class Season(NamedTuple):
    """Models of series with a yearly season."""

    better: np.ndarray  # bool (n,): the season leaves less than half of the variance
    parameters: np.ndarray  # float64 (n, 2): velocity and height error
    coherence: np.ndarray  # float64 (n,), of the model with the season
    model: np.ndarray  # float64 (n, time), radians


def fit_season(phasors: np.ndarray, coherence: np.ndarray, geometry: StackGeometry, grid: np.ndarray) -> Season:
    """Fit velocity, height error and a yearly season to series of phases.

    Tall buildings expand with the heat. A season of 2.0 radians, 9 mm, leaves a fifth of the peak of a periodogram, and
    makes another one of 0.58 a cycle a year away (27.7 mm/yr): Bessel functions J0 and J1 of its amplitude.

    Parameters
    ----------
    phasors
        complex64 (n, time); 0 or NaN is no data.
    coherence
        Of the best model without a season, float (n,).
    geometry, grid
        The stack, and nodes of the search, as in :func:`~groundshift.kernels.periodogram.maximise_coherence`.
    """
    phasors = np.nan_to_num(phasors)
    angle = 2 * np.pi * geometry.years
    best = np.zeros(len(phasors))
    parameters, model = np.zeros((len(phasors), 2)), np.zeros(phasors.shape)
    for size in _AMPLITUDES:
        for turn in 2 * np.pi * np.arange(_TURNS) / _TURNS:
            season = size * np.cos(angle - turn)
            found = maximise_coherence(phasors * np.exp(-1j * season), geometry.rates, grid)
            better = found.coherence > best
            best[better], parameters[better] = found.coherence[better], found.parameters[better]
            model[better] = found.parameters[better] @ geometry.rates + found.phase[better, None] + season
    design = np.column_stack([geometry.rates.T, np.ones(len(angle)), np.cos(angle), np.sin(angle)])
    inverse = np.linalg.pinv(design)
    for _ in range(_ROUNDS):
        step = np.angle(phasors * np.exp(-1j * model)) @ inverse.T  # a little short where dates are missing
        parameters += step[:, :2]
        model += step @ design.T
    count = np.maximum((np.abs(phasors) > 0).sum(axis=1), 1)
    fitted = np.abs((phasors * np.exp(-1j * model)).sum(axis=1)) / count
    return Season(1 - fitted < _BETTER * (1 - coherence), parameters, fitted, model)
