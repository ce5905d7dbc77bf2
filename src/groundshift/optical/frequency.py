"""Method `frequency`: phase correlation in two windows with a robust fit of the phase plane."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from groundshift.errors import ConfigurationError
from groundshift.kernels.fourier import SIZES
from groundshift.kernels.phase_correlation import LEAST_USED, phase_correlation
from groundshift.model.reason import Reason
from groundshift.optical.methods import Method, Nodes, PixelFlow

if TYPE_CHECKING:
    from groundshift.optical.config import PairConfig

SPREAD = 1.3
"""Standard deviation over that of independent frequencies: the taper makes neighbours alike.

For a sine taper √(Σt⁴ N² / (Σt²)²) over both axes is 1.5; simulated textures of 2 to 20 % noise ask for 1.4, real
pairs of dates years apart for about 2, because what changes on the ground is not noise that is alike everywhere.
It grows with the loss of coherence u, by 1 + 1.8 u³, and in small windows, by 1 + (10 / window)³.
"""
NOISE_COHERENCE = 4.0
"""Median coherence between windows of white noise, times the window (measured from 16 to 64 pixels)."""
QUALITY_SIGMA = 0.2  # pixels, both components together, at which quality is halved
LEAST_COHERENCE = 1.2  # in units of the noise's median, below which there is no match
_EVEN, _WIDTH = 1.62, 0.42  # where a wrong peak is as likely as the right one, and how fast that changes


def _wrong_peak(coherence: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Probability that the peak is a wrong one: logistic in coherence over noise's, from pairs without motion."""
    contrast = np.arctanh(np.clip(coherence, 0, 0.9999)) * window / NOISE_COHERENCE
    return 1 / (1 + np.exp((contrast - _EVEN) / _WIDTH))


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
    seen = window * np.sqrt(found.apart)  # side of a whole window that tells as many frequencies apart
    coherent = found.coherence * seen > LEAST_COHERENCE * NOISE_COHERENCE
    reason[~(coherent & np.isfinite(found.dx_sigma + found.dy_sigma))] = Reason.NO_MATCH
    reason[found.textured == 0] = Reason.NO_TEXTURE
    reason[found.used < LEAST_USED] = Reason.NO_DATA
    valid = reason == Reason.VALID
    wrong = _wrong_peak(found.coherence, seen)
    spread = SPREAD * (1 + 1.8 * (1 - found.coherence) ** 3) * (1 + (10 / window) ** 3) * window / seen
    far = wrong * config.max_displacement / 2  # expected error of a wrong peak
    sigma = [np.where(valid, np.hypot(spread * s, far), np.nan) for s in (found.dx_sigma, found.dy_sigma)]
    quality = np.where(valid, (1 - wrong) / (1 + np.hypot(*sigma) / QUALITY_SIGMA), np.nan)
    layers = (np.where(valid, found.dx, np.nan), np.where(valid, found.dy, np.nan), *sigma, quality)
    return PixelFlow(*(layer.astype(np.float32) for layer in layers), reason)


FREQUENCY = Method(
    name="frequency",
    summary="phase correlation in two windows, with a robust fit of the phase plane",
    source="Leprince, Barbot, Ayoub & Avouac (2007), doi:10.1109/TGRS.2006.888937",
    dense=False,
    reach=reach,
    measure=measure,
    jump=0.27,
    strain=0.0015,
)
