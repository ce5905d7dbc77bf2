"""Which image all others are compared with."""

from __future__ import annotations

import numpy as np

from groundshift.errors import InputError
from groundshift.insar.config import ReferenceConfig


def expected_coherence(days: np.ndarray, baselines: np.ndarray, *, config: ReferenceConfig | None = None) -> np.ndarray:
    """Coherence that is expected of every two images from their baselines alone.

    (1 − |B| / B_critical) · exp(−|T| / τ), where the first factor is not below zero: spectral shift of the baseline
    (Zebker & Villasenor 1992, doi:10.1109/36.175330) and exponential decay in time.

    Parameters
    ----------
    days
        Acquisition times, float (time,), days from any origin.
    baselines
        Perpendicular baselines against any one image, float (time,), m.
    config
        Critical baseline and decay.

    Returns
    -------
    float64 (time, time), 1 on the diagonal.

    Raises
    ------
    InputError
        Numbers of times and baselines differ, or some are not finite.
    """
    config = config or ReferenceConfig()
    days, baselines = np.asarray(days, np.float64), np.asarray(baselines, np.float64)
    if days.ndim != 1 or days.shape != baselines.shape or days.size == 0:
        raise InputError(f"times have shape {days.shape} and baselines {baselines.shape}; give one of each an image")
    if not (np.isfinite(days).all() and np.isfinite(baselines).all()):
        raise InputError("some times or baselines are not finite; leave out those images")
    spatial = 1 - np.abs(baselines[:, None] - baselines) / config.critical_baseline
    return np.clip(spatial, 0, None) * np.exp(-np.abs(days[:, None] - days) / config.decay)


def choose_reference(days: np.ndarray, baselines: np.ndarray, *, config: ReferenceConfig | None = None) -> int:
    """Index of the image with the highest expected coherence with all others; parameters as above."""
    return int(expected_coherence(days, baselines, config=config).sum(axis=1).argmax())
