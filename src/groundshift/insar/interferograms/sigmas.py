"""Standard deviations of what is inverted from interferograms, all their errors together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from groundshift.insar.interferograms.inversion import Inversion
from groundshift.insar.interferograms.survey import motion_residual, velocity_row


class Sigmas(NamedTuple):
    """Of n series against the reference."""

    velocity: np.ndarray  # float64 (n,), mm/yr
    displacement: np.ndarray  # float64 (time, n), mm, since the first date; NaN where unknown


def total_sigmas(
    series: np.ndarray,
    days: np.ndarray,
    found: Inversion,
    *,
    scatter: np.ndarray | None,
    of_line: np.ndarray,
    air_velocity: float = 0.0,
    air: np.ndarray | float = 0.0,
) -> Sigmas:
    """Errors of interferograms; what else series scatter about their model; and the air that was left.

    The second is taken for noise of single dates that does not depend on that of others: height errors, weather.

    Parameters
    ----------
    series, days
        mm, float (n, time); the days of the dates.
    found
        The inversion that they come from.
    scatter
        Sum of squares about the model of motion that errors of interferograms make, mm², float (n,). None if these are
        not known by their looks.
    of_line
        Standard deviation of velocities by all scatter, mm/yr, float (n,), which stands for the second then.
    air_velocity, air
        Standard deviations by the air that was left, of velocities and displacements (time,).
    """
    velocity = np.nan_to_num(found.velocity_sigma) ** 2 + air_velocity**2
    dates = found.sigma.astype(np.float64) ** 2 + np.broadcast_to(np.square(air), len(days))[:, None]
    if scatter is None:
        return Sigmas(np.sqrt(velocity + of_line**2), np.sqrt(dates))
    row, left = velocity_row(days), motion_residual(days)
    more = ((series @ left) ** 2).sum(axis=1) - np.nan_to_num(scatter)
    noise = np.maximum(more, 0) / max(round(np.trace(left)), 1)
    dates[1:] += 2 * noise  # of the date and of the first
    return Sigmas(np.sqrt(velocity + noise * (row @ row)), np.sqrt(dates))
