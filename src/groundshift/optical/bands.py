"""Several bands of a pair as one map: the mean of what each of them measured, weighed by its sigma.

Each band is measured, cleaned and freed of its own misregistration before: it was seen by other detectors a moment
apart, so that its misregistration is another (on Sentinel-2 pairs by up to 0.1 pixel).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from groundshift.model.reason import Reason

Layers = dict[str, np.ndarray]

_ALIKE = 0.6
"""Correlation of the errors of two bands: light and ground that changed look alike in both. With it the mean square of
the standardised errors of two bands is that of one, on 126 simulated ruptures of Sentinel-2 pairs of nine sites."""


def together(bands: Sequence[Layers]) -> Layers:
    """One block of a map from those of its bands.

    Parameters
    ----------
    bands
        Of each: `east`, `north`, their sigmas (m), `quality` and `reason`, all (y, x).

    Returns
    -------
    The same layers. A pixel is valid where any band is; where none is, the first band says why. Its quality is that of
    the best band. Sigmas allow for errors that bands share.
    """
    first, *others = bands
    if not others:
        return first
    valid = np.stack([each["reason"] == Reason.VALID for each in bands])
    some = valid.any(axis=0)
    found: Layers = {}
    for name in ("east", "north"):
        values, sigmas = (np.stack([each[key] for each in bands]).astype(float) for key in (name, f"{name}_sigma"))
        certainty = np.where(valid, 1 / np.where(valid, sigmas, 1), 0)
        weight = certainty**2
        total = np.where(some, weight.sum(axis=0), np.nan)
        shared = certainty.sum(axis=0) ** 2
        found[name] = (np.where(valid, weight * values, 0).sum(axis=0) / total).astype(np.float32)
        variance = ((1 - _ALIKE) * total + _ALIKE * shared) / total**2
        found[f"{name}_sigma"] = np.sqrt(variance).astype(np.float32)
    quality = np.where(valid, np.stack([each["quality"] for each in bands]), -np.inf).max(axis=0)
    found["quality"] = np.where(some, quality, np.nan).astype(np.float32)
    found["reason"] = np.where(some, Reason.VALID, first["reason"]).astype(np.uint8)
    return found
