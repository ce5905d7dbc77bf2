"""The radar stack: co-registered complex images of one burst or crop, with dates and geometry; build, check.

A stack is an `xarray.Dataset` with `slc` (time, y, x), complex64, where 0 or NaN is no data, and with the coordinates
`time` (whole UTC days, ascending) and `y`, `x` (integer line and pixel of the reference image).

Signs: the phase of an interferogram is that of reference times conjugate of secondary, and displacement toward the
satellite is −λ/4π times it. With d(t) the displacement toward the satellite since the reference date, Δh the height
error (true minus `height`), B(t) `perpendicular_baseline`, R `slant_range`, θ `incidence` and τ(t) the one-way delay,

    arg(slc(reference) · conj(slc(t))) = 4π/λ · (−d(t) + B(t) / (R sin θ) · Δh + τ(t) − τ(reference)).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from groundshift.errors import ContractError

SENTINEL1_WAVELENGTH = 0.055465763
"""Metres: 5.405 GHz."""

LAYERS: Mapping[str, tuple[str, str, str]] = {
    "los_east": ("float32", "1", "east part of the unit vector from ground to satellite"),
    "los_north": ("float32", "1", "north part of the unit vector from ground to satellite"),
    "los_up": ("float32", "1", "up part of the unit vector from ground to satellite"),
    "incidence": ("float32", "degree", "angle between the line of sight and the vertical"),
    "height": ("float32", "m", "height above the ellipsoid"),
    "latitude": ("float64", "degree", "latitude"),
    "longitude": ("float64", "degree", "longitude"),
}
"""Type, unit and meaning of what a stack has at each (y, x)."""

ATTRIBUTES: Mapping[str, type | tuple[str, ...]] = {
    "wavelength": float,  # m
    "slant_range": float,  # m, to the middle
    "range_spacing": float,  # m, in slant range
    "azimuth_spacing": float,  # m, on the ground
    "reference_date": str,  # ISO, one of the dates
    "track": int,
    "burst": int,  # number in the cycle
    "swath": ("IW1", "IW2", "IW3"),
    "polarisation": ("HH", "HV", "VH", "VV"),
    "orbit": ("ascending", "descending"),
    "source": str,
}
"""What a stack says of itself: positive numbers, whole numbers, text, or one of a few words."""

_PROBES = 64  # rows and columns, about, on which values are looked at
_UNIT = 1e-3  # a look vector may be longer or shorter than 1 by this
_APART = 1.0  # degrees by which incidence and look vectors may differ in the median


def build_stack(
    slc: Any,
    dates: Any,
    *,
    layers: Mapping[str, Any],
    perpendicular_baseline: Any,
    attributes: Mapping[str, Any],
    lines: Any = None,
    pixels: Any = None,
) -> xr.Dataset:
    """Build a stack from arrays, and check it; layers are cast to the types that a stack has.

    Parameters
    ----------
    slc
        (time, y, x), complex64, numpy or dask; dask stays lazy.
    dates
        As many days: datetime64 or ISO text.
    layers
        Everything in :data:`LAYERS`, each (y, x), numpy or dask.
    perpendicular_baseline
        (time,), metres, against the reference image; 0 at the reference date.
    attributes
        Everything in :data:`ATTRIBUTES`.
    lines, pixels
        Numbers of the rows and columns in the reference image; from 0 on if not given.

    Raises
    ------
    ContractError
        If sizes differ, or the result fails :func:`check_stack`.
    """
    if getattr(slc, "ndim", 0) != 3:
        raise ContractError(f"slc has shape {np.shape(slc)}; expected (time, y, x)")
    count, *shape = slc.shape
    lines, pixels = (
        np.arange(size) if given is None else np.asarray(given)
        for size, given in zip(shape, (lines, pixels), strict=True)
    )
    dates = np.asarray(dates, "datetime64[D]")
    baseline = np.asarray(perpendicular_baseline, np.float32)
    sizes = {"dates": (dates.shape, (count,)), "perpendicular_baseline": (baseline.shape, (count,)),
             "lines": (lines.shape, (shape[0],)), "pixels": (pixels.shape, (shape[1],))}  # fmt: skip
    sizes |= {name: (tuple(np.shape(each)), tuple(shape)) for name, each in layers.items()}
    if wrong := [f"{name} {came} instead of {wanted}" for name, (came, wanted) in sizes.items() if came != wanted]:
        raise ContractError(f"sizes differ: slc is {slc.shape}, but {', '.join(wrong)}")
    if unknown := sorted(set(layers) - set(LAYERS)):
        raise ContractError(f"layers {unknown} are not of a stack; it has {list(LAYERS)}")
    variables = {name: _layer(name, values) for name, values in layers.items()}
    stack = xr.Dataset(
        {
            "slc": (("time", "y", "x"), slc),
            "perpendicular_baseline": ("time", baseline, {"units": "m"}),
            **variables,
        },
        coords={"time": dates.astype("datetime64[ns]"), "y": lines, "x": pixels},
        attrs=dict(attributes),
    )
    check_stack(stack)
    return stack


def check_stack(stack: xr.Dataset) -> None:
    """Raise ContractError, naming the first rule that the stack breaks; return None if it keeps them all.

    `slc` is not read; of the layers, some rows and columns are.
    """
    _check_shape(stack)
    _check_dates(stack)
    _check_attributes(stack)
    _check_geometry(stack)


def reference_index(stack: xr.Dataset) -> int:
    """Index of the reference image along `time`."""
    return int(np.flatnonzero(stack["time"].values == np.datetime64(stack.attrs["reference_date"], "ns"))[0])


def describe_stack(stack: xr.Dataset) -> str:
    """A few lines of plain text: size, dates, track, baselines and geometry."""
    said, days = stack.attrs, stack["time"].values.astype("datetime64[D]")
    baseline = stack["perpendicular_baseline"].values
    return "\n".join(
        [
            f"radar stack, {len(days)} dates from {days[0]} to {days[-1]}, "
            f"{stack.sizes['y']} lines x {stack.sizes['x']} pixels of "
            f"{said['azimuth_spacing']:.2f} x {said['range_spacing']:.2f} m",
            f"{said['orbit']} track {said['track']}, burst {said['burst']}, {said['swath']}, {said['polarisation']}, "
            f"wavelength {1000 * said['wavelength']:.2f} mm",
            f"perpendicular baselines {np.nanmin(baseline):.0f} to {np.nanmax(baseline):.0f} m against "
            f"{said['reference_date']}",
        ]
    )


def _layer(name: str, values: Any) -> tuple:
    dtype, unit, meaning = LAYERS[name]
    values = values if hasattr(values, "astype") else np.asarray(values)
    return ("y", "x"), values.astype(dtype), {"units": unit, "long_name": meaning}


def _check_shape(stack: xr.Dataset) -> None:
    needed = {"slc": "complex64", "perpendicular_baseline": "float32"} | {name: LAYERS[name][0] for name in LAYERS}
    if missing := [name for name in needed if name not in stack]:
        raise ContractError(f"a stack needs {missing}; this one has {sorted(map(str, stack.data_vars))}")
    if missing := [name for name in ("time", "y", "x") if name not in stack.coords]:
        raise ContractError(f"a stack needs the coordinates {missing}: dates, line and pixel numbers")
    for name, dtype in needed.items():
        dims = {"slc": ("time", "y", "x"), "perpendicular_baseline": ("time",)}.get(name, ("y", "x"))
        if stack[name].dims != dims:
            raise ContractError(f"{name!r} is on {stack[name].dims}; expected {dims}")
        if stack[name].dtype != dtype:
            raise ContractError(f"{name!r} is {stack[name].dtype}; expected {dtype}: convert it with astype")
    for name in ("y", "x"):
        numbers = stack[name].values
        if not np.issubdtype(numbers.dtype, np.integer) or not (np.diff(numbers) == 1).all() or not numbers.size:
            raise ContractError(f"{name!r} is {_some(numbers)}; expected whole numbers that grow by 1")


def _check_dates(stack: xr.Dataset) -> None:
    times = stack["time"].values
    if not np.issubdtype(times.dtype, np.datetime64) or np.isnat(times).any():
        raise ContractError(f"'time' is {times.dtype}, or has gaps; expected datetime64 of whole days")
    days = times.astype("datetime64[D]")
    if (days != times).any():
        raise ContractError(f"'time' holds {times[days != times][0]}; expected whole days, as 2020-01-31")
    if times.size < 2:
        raise ContractError(f"the stack has {times.size} date; an interferogram needs two")
    steps = np.diff(days).astype(int)
    if (steps == 0).any():
        raise ContractError(f"the date {days[1:][steps == 0][0]} is there twice; keep one image a day")
    if (steps < 0).any():
        raise ContractError(f"{days[1:][steps < 0][0]} comes after a later date; sort the stack with sortby('time')")


def _check_attributes(stack: xr.Dataset) -> None:
    if missing := [name for name in ATTRIBUTES if name not in stack.attrs]:
        raise ContractError(f"attributes {missing} are missing; a stack has {list(ATTRIBUTES)}")
    for name, wanted in ATTRIBUTES.items():
        value = stack.attrs[name]
        if isinstance(wanted, tuple):
            good, said = value in wanted, f"one of {', '.join(wanted)}"
        elif wanted is float:
            good = isinstance(value, int | float | np.floating) and np.isfinite(value) and value > 0
            said = "a number above 0"
        elif wanted is int:
            good, said = isinstance(value, int | np.integer) and value >= 0, "a whole number"
        else:
            good, said = isinstance(value, str), "text"
        if not good:
            raise ContractError(f"attribute {name!r} is {value!r}; expected {said}")
    days = stack["time"].values.astype("datetime64[D]").astype(str)
    if stack.attrs["reference_date"] not in days:
        raise ContractError(
            f"reference_date {stack.attrs['reference_date']!r} is none of the dates, {_some(days)}; choose one of them"
        )


def _check_geometry(stack: xr.Dataset) -> None:
    baseline = stack["perpendicular_baseline"].values
    if not np.isfinite(baseline).all():
        raise ContractError("'perpendicular_baseline' is not finite on all dates; it is needed for the heights")
    if abs(baseline[reference_index(stack)]) > 1e-3:
        raise ContractError(
            f"'perpendicular_baseline' is {baseline[reference_index(stack)]:g} m at the reference date; expected 0: "
            "subtract it from all"
        )
    steps = {name: slice(None, None, -(-stack.sizes[name] // _PROBES)) for name in ("y", "x")}
    some = stack[list(LAYERS)].isel(steps).compute()
    length = np.linalg.norm([some[name].values for name in ("los_east", "los_north", "los_up")], axis=0)
    length = length[np.isfinite(length)]
    if length.size and np.abs(length - 1).max() > _UNIT:
        worst = length[np.abs(length - 1).argmax()]
        raise ContractError(
            f"a look vector has length {worst:.4f}; expected 1: los_east, los_north, los_up divided by it"
        )
    up = some["los_up"].values
    if (up <= 0).any():
        raise ContractError("'los_up' is not above 0; look vectors point from the ground to the satellite")
    limits = {"incidence": (0, 90), "latitude": (-90, 90), "longitude": (-360, 360)}
    for name, (low, high) in limits.items():
        values = some[name].values
        if (values < low).any() or (values > high).any():
            raise ContractError(f"{name!r} is not within {low} to {high} degrees; give it in degrees")
    apart = np.degrees(np.arccos(np.clip(up, -1, 1))) - some["incidence"].values
    if np.isfinite(apart).any() and abs(np.nanmedian(apart)) > _APART:
        raise ContractError(
            f"look vectors are {np.nanmedian(apart):+.1f} degrees off the incidence in the median; expected the angle "
            "between the line of sight and the vertical, in degrees: no elevation, look or local incidence angle"
        )


def _some(values: np.ndarray) -> str:
    return f"{values[0]} to {values[-1]}" if values.size else "empty"
