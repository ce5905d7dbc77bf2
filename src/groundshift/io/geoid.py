"""Heights of the geoid above the ellipsoid: from a raster that is given, or from a grid that PROJ has."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pyproj import Transformer
from pyproj.transformer import TransformerGroup

from groundshift.errors import InputError
from groundshift.io.places import values_at

_MODELS = {"EGM2008": "EPSG:4326+3855", "EGM96": "EPSG:4326+5773"}


class Geoid(NamedTuple):
    """A model of the geoid."""

    name: str
    at: Callable[[np.ndarray, np.ndarray], np.ndarray]  # of latitude and longitude (degrees): undulation, m; NaN beyond


def open_geoid(path: str | Path | None = None) -> Geoid | None:
    """The geoid of a raster of undulations in metres (any CRS), or of EGM2008 or EGM96 where PROJ has their grids.

    Nothing is fetched. None if neither is there.

    Raises
    ------
    InputError
        If there is no raster at `path`, or one without a place on the ground.
    """
    if path is not None:
        values_at(path, np.zeros(0), np.zeros(0))
        return Geoid(Path(path).name, partial(values_at, path))
    for name, crs in _MODELS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # pyproj says that a grid is missing
            found = TransformerGroup("EPSG:4979", crs, always_xy=True)
        if found.best_available and found.transformers:
            return Geoid(name, partial(_undulation, found.transformers[0]))
    return None


def check_geoid(geoid: Geoid, latitude: np.ndarray, longitude: np.ndarray) -> None:
    """Raise InputError if the geoid is not known at all of some places."""
    known = np.isfinite(geoid.at(latitude, longitude))
    if not known.all():
        raise InputError(
            f"{geoid.name} knows the geoid at {known.mean():.0%} of the stack; expected all of it: give a larger "
            "raster, with longitudes from -180 to 180"
        )


def _undulation(transformer: Transformer, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Of the height 0 above the ellipsoid, the height above the geoid, turned around."""
    height = -np.asarray(transformer.transform(longitude, latitude, np.zeros(np.shape(latitude)))[2])
    return np.where(np.isfinite(height), height, np.nan)
