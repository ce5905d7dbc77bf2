"""Steps of a series that nobody has noted: of equipment, earthquakes, a fallen mast.

Each epoch might begin a step. What that step would be over its sigma, in the noise of the series, white and power-law,
is the generalised likelihood ratio of the model with it against the one without it (Gazeaux et al. 2013,
doi:10.1002/jgrb.50152, compare such methods). Slow noise makes medians before and after differ without any step; here
it is in the sigma.

Steps that are just not significant are there too, and pull a rate by more than its sigma. It is averaged over what they
might be.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import median_filter

from groundshift.geodesy.noise import Averaged, Likelihood
from groundshift.kernels.robust import nmad
from groundshift.model.units import YEAR

FLICKER = -1.0
LEAST_VALUES = 40  # on each side of a step, up to the next one
YEARS_BETWEEN = 10.0  # of two steps that nobody has noted, beforehand
_INDEPENDENT = 1e-6  # share of a column that others leave of it, below which it tells nothing
_AROUND = 21  # values whose median tells outliers
_OUTLIER = 5.0  # sigmas
_NEAR = 60  # values to each side that tell the day of a step


def find_step(
    days: np.ndarray,
    design: np.ndarray,
    values: np.ndarray,
    sigma: np.ndarray,
    steps: Sequence[float],
    sigmas: float,
    index: float | None,
) -> float | None:
    """The first day after the most significant step that a model does not have yet; None if none is significant.

    Parameters
    ----------
    days
        Since 1970, float (n,), increasing.
    design, values, sigma
        The model so far (n, p), the series (n,) and its sigmas (n,).
    steps
        Days of steps that the model has.
    sigmas
        How many a step must have.
    index
        Spectral index of the noise; flicker noise if None.
    """
    local = values - median_filter(values, size=_AROUND, mode="nearest")
    good = np.abs(local) <= _OUTLIER * max(nmad(local), 1e-9)
    days, design, values = days[good], design[good], values[good]
    averaged = Averaged.of(days, design, values, sigma[good])
    first = averaged.first
    far = _far(first, _borders(days, steps))
    if not far.any() or np.linalg.matrix_rank(averaged.model) < design.shape[1]:
        return None
    columns = (first[:, None] >= first[far]) / averaged.root[:, None]
    found = np.abs(Likelihood(averaged, FLICKER if index is None else index).significance(columns))
    if found.max() < sigmas:
        return None
    row = int(first[far][np.argmax(found)])
    return float(days[_first_after(values, row, int(np.diff(np.append(first, len(days))).max()))])


def _first_after(values: np.ndarray, row: int, reach: int) -> int:
    """Of rows within reach, the one from which on values are a constant higher or lower, by absolute deviations."""
    around = range(max(2, row - reach), min(len(values) - 2, row + reach + 1))
    begin, end = max(0, row - reach - _NEAR), min(len(values), row + reach + _NEAR)
    misfit = [
        sum(np.abs(part - np.median(part)).sum() for part in (values[begin:each], values[each:end])) for each in around
    ]
    return around[int(np.argmin(misfit))]


def rate_with_doubtful_steps(
    days: np.ndarray,
    design: np.ndarray,
    values: np.ndarray,
    sigma: np.ndarray,
    steps: Sequence[float],
    sigmas: float,
    index: float,
    row: int,
) -> tuple[float, float]:
    """A rate and its sigma where there may be up to two more steps, on any day, which are not significant enough.

    Mean and spread are over the models without, with one, and with two such steps, each by its probability. Beforehand,
    one comes in :data:`YEARS_BETWEEN` years, and is about as large as one that would just be found: Zellner's prior,
    under which the likelihood of a model has a closed form, whatever the scale of the noise is.

    Parameters
    ----------
    days, design, values, sigma, steps, sigmas
        As of :func:`find_step`; values without outliers.
    index
        Spectral index of the noise.
    row
        Of the rate in the design.

    Source: Hoeting et al. (1999), Bayesian model averaging, doi:10.1214/ss/1009212519; Liang et al. (2008), mixtures of
    g priors, doi:10.1198/016214507000001337, section 2 (a fixed g).
    """
    averaged = Averaged.of(days, design, values, sigma)
    rows = averaged.first[_far(averaged.first, _borders(days, steps))]
    more = Likelihood(averaged, index).more((averaged.first[:, None] >= rows) / averaged.root[:, None], row)
    pull, gram, product = more.pull, more.gram, more.product
    own = np.diag(gram)
    one = np.flatnonzero(own > _INDEPENDENT * own.max(initial=0))
    i, j = np.nonzero(rows - rows[:, None] >= LEAST_VALUES)
    apart = own[i] * own[j] - gram[i, j] ** 2
    whole = apart > _INDEPENDENT * own[i] * own[j]
    i, j, apart = i[whole], j[whole], apart[whole]
    first = (own[j] * product[i] - gram[i, j] * product[j]) / apart  # the sizes of two steps
    second = (own[i] * product[j] - gram[i, j] * product[i]) / apart
    wider = (own[j] * pull[i] ** 2 - 2 * gram[i, j] * pull[i] * pull[j] + own[i] * pull[j] ** 2) / apart
    shrunk = sigmas**2 / (1 + sigmas**2)
    taken, moved, wider = (
        shrunk * np.concatenate([np.zeros(1), *each])
        for each in (
            (product[one] ** 2 / own[one], product[i] * first + product[j] * second),  # off the squares of the residual
            (pull[one] * product[one] / own[one], pull[i] * first + pull[j] * second),  # off the rate
            (pull[one] ** 2 / own[one], wider),  # what the variance of the rate gains
        )
    )
    number = np.repeat([0, 1, 2], [1, len(one), len(i)])
    chance = averaged.step / (YEARS_BETWEEN * YEAR) / np.sqrt(1 + sigmas**2)
    left = 1 - taken / more.squares
    weight = number * np.log(chance) - 0.5 * more.free * np.log(left)
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    mean = float(weight @ moved)
    variance = weight @ (more.squares / more.free * left * (more.variance + wider) + (moved - mean) ** 2)
    return more.coefficient - mean, float(np.sqrt(variance))


def _borders(days: np.ndarray, steps: Sequence[float]) -> np.ndarray:
    """Rows of the first day, of steps, and behind the last day."""
    return np.searchsorted(days, [days[0], *sorted(steps), days[-1] + 1])


def _far(first: np.ndarray, borders: np.ndarray) -> np.ndarray:
    """Which epochs have enough values to both sides, up to the next step or end."""
    behind = np.searchsorted(borders, first, side="right")
    return (
        np.minimum(first - borders[behind - 1], borders[np.minimum(behind, len(borders) - 1)] - first) >= LEAST_VALUES
    )
