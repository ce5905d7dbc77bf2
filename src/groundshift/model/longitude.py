"""Longitudes, which go on at 180 degrees where they began."""

from __future__ import annotations

from typing import Any

import numpy as np


def within_180(longitude: Any) -> np.ndarray:
    """The same places from -180 to 180 degrees, float64; those that are there already are not touched."""
    degrees = np.asarray(longitude, float)
    return np.where(np.abs(degrees) > 180, (degrees + 180) % 360 - 180, degrees)


def beside(longitude: Any, other: float) -> np.ndarray:
    """The same places, each at the longitude that is nearest to another, degrees, float64."""
    return other + (np.asarray(longitude, float) - other + 180) % 360 - 180
