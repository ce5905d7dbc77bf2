"""Method `frequency`: phase correlation in two windows with a robust fit of the phase plane."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from groundshift.errors import ConfigurationError
from groundshift.kernels.fourier import SIZES
from groundshift.kernels.phase_correlation import phase_correlation
from groundshift.model.reason import Reason
from groundshift.optical.methods import Method, Nodes, PixelFlow

if TYPE_CHECKING:
    from groundshift.optical.config import PairConfig

_INFLATION = 1.5


def _windows(config: PairConfig) -> tuple[int, int]:
    """First and second window, pixels."""
    first = min(2 * config.window, SIZES[-1]) if config.first_window is None else config.first_window
    for name, size in (("window", config.window), ("first_window", first)):
        if size not in SIZES:
            below, above = max(s for s in SIZES if s < size), min(s for s in SIZES if s > size)
            raise ConfigurationError(
                f"{name} is {size}, but `frequency` needs a power of two; choose {below} or {above}"
            )
    return first, config.window


def _search(config: PairConfig) -> int:
    """Pixels up to which the first window looks: one more than asked for, so that what lies beyond is seen."""
    return math.ceil(config.max_displacement) + 1


def reach(config: PairConfig) -> int:
    """How far from a node its flow depends on pixels, pixels."""
    first, second = _windows(config)
    return max(first // 2, second // 2 + min(_search(config), first // 2 - 1)) + 1


def measure(pre: np.ndarray, post: np.ndarray, nodes: Nodes, config: PairConfig) -> PixelFlow:
    """Pixel flow of a window around each node by phase correlation.

    Parameters
    ----------
    pre, post
        Images float32 (y, x), NaN where a pixel cannot be used.
    nodes
        Window centres.
    config
        Uses `window`, `first_window`, `max_displacement` and `iterations`.

    Returns
    -------
    PixelFlow
        On the nodes; see :func:`groundshift.kernels.phase_correlation.phase_correlation`.

    Raises
    ------
    ConfigurationError
        If a window is not a power of two.
    """
    first, window = _windows(config)
    found = phase_correlation(
        pre, post, nodes.rows, nodes.cols, window=window, first_window=first, reach=_search(config),
        iterations=config.iterations,
    )  # fmt: skip
    reason = np.full(found.dx.shape, Reason.VALID, np.uint8)
    reason[np.hypot(found.dx, found.dy) > config.max_displacement] = Reason.OUT_OF_RANGE
    reason[~(np.isfinite(found.dx_sigma) & np.isfinite(found.dy_sigma))] = Reason.NO_MATCH
    reason[found.textured == 0] = Reason.NO_TEXTURE
    reason[found.used < 0.5] = Reason.NO_DATA
    valid = reason == Reason.VALID
    sigma = [np.where(valid, _INFLATION * s, np.nan) for s in (found.dx_sigma, found.dy_sigma)]
    quality = np.where(valid, np.exp(-np.hypot(*sigma)), 0)
    layers = (np.where(valid, found.dx, np.nan), np.where(valid, found.dy, np.nan), *sigma, quality)
    return PixelFlow(*(layer.astype(np.float32) for layer in layers), reason)


FREQUENCY = Method(
    name="frequency",
    summary="phase correlation in two windows, with a robust fit of the phase plane",
    source="Leprince, Barbot, Ayoub & Avouac (2007), doi:10.1109/TGRS.2006.888937",
    dense=False,
    reach=reach,
    measure=measure,
)
