"""Steps of a series that nobody has noted: of equipment, earthquakes, a fallen mast.

Each epoch might begin a step. What that step would be over its sigma, in the noise of the series, white and power-law,
is the generalised likelihood ratio of the model with it against the one without it (Gazeaux et al. 2013,
doi:10.1002/jgrb.50152, compare such methods). Slow noise makes medians before and after differ without any step; here
it is in the sigma.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import median_filter

from groundshift.geodesy.noise import Averaged, Likelihood
from groundshift.kernels.robust import nmad

FLICKER = -1.0
LEAST_VALUES = 40  # on each side of a step, up to the next one
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
    borders = np.searchsorted(days, [days[0], *sorted(steps), days[-1] + 1])
    behind = np.searchsorted(borders, first, side="right")
    far = np.minimum(first - borders[behind - 1], borders[np.minimum(behind, len(borders) - 1)] - first) >= LEAST_VALUES
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
