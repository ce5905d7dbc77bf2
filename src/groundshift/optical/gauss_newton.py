"""`gauss-newton`: symmetric least-squares matching of windows, the most precise where ground is unchanged.

Each window starts from what `frequency` finds there. See `groundshift.kernels.least_squares_matching`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from groundshift.kernels.least_squares_matching import match_windows
from groundshift.kernels.spline import REACH
from groundshift.model.reason import Reason
from groundshift.optical.frequency import FREQUENCY
from groundshift.optical.methods import Method, Nodes, PixelFlow, flow_where_valid

if TYPE_CHECKING:
    from groundshift.optical.config import PairConfig

_MOVE = 2.0  # pixels that a window may move away from its start
_SIGMA_FACTOR = 0.92  # of the formal standard deviation
_LEAST_SIGNIFICANCE = 4.5
"""Standard deviations by which the gradients of two windows must agree better than those of unlike windows do.

A search among hundreds of places finds four by chance, also where unlike windows are smooth.
"""


def window_weights(size: int, shape: str) -> np.ndarray:
    """Weights of a window, float32 (size, size): 1 (`box`), or a Gaussian with sigma = size / 4 (`gauss`)."""
    if shape == "box":
        return np.ones((size, size), np.float32)
    offset = np.arange(size) - (size - 1) / 2
    row = np.exp(-0.5 * (offset / (size / 4)) ** 2)
    return np.outer(row, row).astype(np.float32)


def _measure(pre: np.ndarray, post: np.ndarray, nodes: Nodes, config: PairConfig) -> PixelFlow:
    start = FREQUENCY.measure(pre, post, nodes, config)
    found = match_windows(
        pre, post, nodes.rows, nodes.cols, start.dx, start.dy,
        window_weight=window_weights(config.window, config.window_shape), reach=_MOVE,
    )  # fmt: skip
    reason = start.reason.copy()
    failed = ~np.isfinite(found.dx + found.dx_sigma + found.dy_sigma) | (found.significance < _LEAST_SIGNIFICANCE)
    reason[(reason == Reason.VALID) & failed] = Reason.NO_MATCH
    layers = (
        found.dx, found.dy, _SIGMA_FACTOR * found.dx_sigma, _SIGMA_FACTOR * found.dy_sigma,
        np.clip(found.correlation, 0, 1) * found.used,
    )  # fmt: skip
    return flow_where_valid(layers, reason)


def _reach(config: PairConfig) -> int:
    return FREQUENCY.reach(config) + int(np.ceil(_MOVE)) + REACH


GAUSS_NEWTON = Method(
    name="gauss-newton",
    summary="windows, symmetric least squares; reaches the Cramér-Rao bound on unchanged ground",
    source="Förstner 1982; Gruen 1985; Unser 1999",
    dense=False,
    reach=_reach,
    measure=_measure,
    jump=0.25,
)
