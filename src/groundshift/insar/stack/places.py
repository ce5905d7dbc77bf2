"""Where the pixels of a stack are, how they were seen, and their phases: between the stack and plain arrays."""

from __future__ import annotations

import numpy as np
import xarray as xr
from pyproj import Transformer

from groundshift.errors import InputError
from groundshift.insar.config import ReferenceConfig
from groundshift.insar.stack.geometry import StackGeometry
from groundshift.insar.stack.reference import choose_reference
from groundshift.model.longitude import beside

_EVERY = 16  # lines and pixels, to find the middle
_LEAST_DATES = 8  # one more than parameters of a series
_EARTH = 6_371e3  # m: its radius


def stack_geometry(stack: xr.Dataset, config: ReferenceConfig) -> tuple[StackGeometry, int]:
    """Geometry against the reference image with the highest expected coherence, and the index of that image.

    Raises
    ------
    InputError
        If there are too few dates to tell a cubic, a season and a height error from a series, with one to spare.
    """
    if stack.sizes["time"] < _LEAST_DATES:
        raise InputError(
            f"the stack has {stack.sizes['time']} dates; give {_LEAST_DATES} or more, better 20: a series of fewer "
            "does not tell its velocity, acceleration, season and height error"
        )
    days = (stack["time"].values - stack["time"].values[0]) / np.timedelta64(1, "D")
    baselines = stack["perpendicular_baseline"].values.astype(np.float64)
    reference = choose_reference(days, baselines, config=config)
    sine = float(stack.attrs["slant_range"]) * np.sin(np.radians(_incidence(stack)))
    return StackGeometry(days, baselines - baselines[reference], sine, 1000 * stack.attrs["wavelength"]), reference


def range_sine(stack: xr.Dataset, incidence: np.ndarray) -> np.ndarray:
    """Slant range times sine of the incidence (degrees) of points, m; float64 (n,).

    The range follows from the incidence, on a round earth and from the height that the middle of the stack is seen
    from: on a map, columns do not say how far away a point is.
    """
    middle, angle, far = np.radians(_incidence(stack)), np.radians(incidence), stack.attrs["slant_range"]
    orbit = _EARTH**2 + far**2 + 2 * _EARTH * far * np.cos(middle)  # its radius, squared
    away = np.sqrt(orbit - (_EARTH * np.sin(angle)) ** 2) - _EARTH * np.cos(angle)
    return away * np.sin(angle)


def pixel_area(stack: xr.Dataset) -> float:
    """Ground that a pixel in the middle of the stack covers, m²."""
    middle = np.radians(_incidence(stack))
    return float(stack.attrs["range_spacing"] * stack.attrs["azimuth_spacing"] / np.sin(middle))


def local_plane(stack: xr.Dataset) -> Transformer:
    """From longitude and latitude to metres east and north of the middle of the stack."""
    latitude, longitude = (stack[name].isel(_thin(stack)).values for name in ("latitude", "longitude"))
    known = longitude[np.isfinite(longitude)]
    if not known.size:
        raise InputError("the stack does not say where its pixels are; give it latitudes and longitudes")
    middle = np.median(beside(known, known[0]))  # a stack may cross 180 degrees
    plane = f"+proj=aeqd +lat_0={np.nanmedian(latitude):.6f} +lon_0={middle:.6f} +ellps=WGS84"
    return Transformer.from_crs("EPSG:4326", plane, always_xy=True)


def local_positions(stack: xr.Dataset, plane: Transformer, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Positions of pixels by the height model, metres on a local plane, float64 (n, 2)."""
    place = layers_at(stack, ("longitude", "latitude"), rows, columns)
    return np.column_stack(plane.transform(place["longitude"], place["latitude"]))


def layers_at(
    stack: xr.Dataset, names: tuple[str, ...], rows: np.ndarray, columns: np.ndarray
) -> dict[str, np.ndarray]:
    """Layers of the stack at points, each (n,)."""
    place = {"y": xr.DataArray(rows, dims="point"), "x": xr.DataArray(columns, dims="point")}
    return {name: stack[name].isel(place).values for name in names}


def phasors(slc: np.ndarray, reference: int) -> np.ndarray:
    """Phasors of reference × conj(secondary), complex64 (time, n); 0 without data."""
    product = np.nan_to_num(slc[reference] * slc.conj())
    return (product / np.maximum(np.abs(product), 1e-30)).astype(np.complex64)


def _incidence(stack: xr.Dataset) -> float:
    """In the middle, degrees."""
    return float(np.nanmedian(stack["incidence"].isel(_thin(stack)).values))


def _thin(stack: xr.Dataset) -> dict[str, slice]:
    return {"y": slice(None, None, _EVERY), "x": slice(None, None, _EVERY)}
