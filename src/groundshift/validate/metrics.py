"""Errors of a measured displacement against the truth, in pixels."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import astuple, dataclass

import numpy as np

MARGIN = 48  # pixels at the border that do not count
NEAR, FAR = 16.0, 32.0  # pixels from the trace


@dataclass(frozen=True)
class Scores:
    """Errors over the inner part of a case: end-point errors (length of the error vector), pixels.

    All but `epe_raw` are after removal of the median error of each component, the pair's misregistration.
    """

    epe_raw: float
    epe: float
    near: float  # within 16 pixels of the trace
    far: float  # beyond 32 pixels
    median: float
    p95: float
    coverage: float  # share of pixels that were measured
    variance_x: float  # mean square of standardised errors; 1 if sigmas are right
    variance_y: float


def score(
    measured: np.ndarray, truth: np.ndarray, distance: np.ndarray, sigma: np.ndarray, *, margin: int = MARGIN
) -> Scores:
    """Score a dense measurement.

    Parameters
    ----------
    measured, truth, sigma
        (2, y, x): dx right, dy down, pixels; NaN where not measured.
    distance
        (y, x): pixels to the trace.
    margin
        Border that does not count, pixels.
    """
    inner = np.zeros(distance.shape, bool)
    inner[margin : distance.shape[0] - margin, margin : distance.shape[1] - margin] = True
    ok = inner & np.isfinite(measured).all(axis=0)
    if not ok.any():
        return Scores(*[np.nan] * 6, 0.0, np.nan, np.nan)
    error = measured - truth
    raw = np.hypot(*error)
    error = error - np.median(error[:, ok], axis=1)[:, None, None]
    length = np.hypot(*error)
    near, far = ok & (distance <= NEAR), ok & (distance > FAR)
    standardised = (error / sigma)[:, ok]
    return Scores(
        float(raw[ok].mean()), float(length[ok].mean()), _mean(length[near]), _mean(length[far]),
        float(np.median(length[ok])), float(np.percentile(length[ok], 95)), float(ok.sum() / inner.sum()),
        *(float(np.mean(each**2)) for each in standardised),
    )  # fmt: skip


def mean(scores: Iterable[Scores]) -> Scores:
    """Means over the cases that have a value; NaN where none has: a case has no *near* if no pixel is near its trace.

    Raises
    ------
    ValueError
        If there are no cases.
    """
    rows = [astuple(each) for each in scores]
    if not rows:
        raise ValueError("no scores; expected those of one case at least")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of columns that are NaN all over
        return Scores(*np.nanmean(rows, axis=0).tolist())


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else np.nan


def sparsification(length: np.ndarray, quality: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Mean error of what is left when the given shares of measurements, those of lowest quality, are left out.

    Parameters
    ----------
    length, quality
        1-D: end-point error, and quality or 1 / sigma.
    shares
        Shares left out, 0 to below 1.
    """
    ordered = length[np.argsort(-quality, kind="stable")]
    kept = np.maximum(1, np.round(len(ordered) * (1 - shares)).astype(int))
    return np.cumsum(ordered)[kept - 1] / kept
