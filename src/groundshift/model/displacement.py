"""The displacement map: build, check, describe.

A displacement map is an `xarray.Dataset` on (y, x) or (time, y, x) with a CRS. It holds two or three of `east`,
`north` and `up` in metres (positive east, north, up: where the ground went from the first date to the
second), one `_sigma` (one standard deviation, metres) for each, `quality` from 0 to 1, `valid` (bool), and
`reason` (uint8, see :class:`~groundshift.model.reason.Reason`). A pixel that is not valid is NaN in every
float layer.

Errors of components that were estimated together are correlated: `east_north_covariance`, `east_up_covariance` and
`north_up_covariance` (m²), all those of the components or none, together with the sigmas are their full covariance.
In a map of three components one of them may be NaN at a valid pixel, with its sigma and covariances, where nothing
measured it.

The attribute `quantity` is `displacement`, also if it is not there, or `velocity`: then metres are metres a year.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import rioxarray  # noqa: F401  (registers the .rio accessor)
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from groundshift.errors import ContractError
from groundshift.model.reason import Reason

COMPONENTS = ("east", "north", "up")
COVARIANCES = ("east_north_covariance", "east_up_covariance", "north_up_covariance")
QUANTITIES = ("displacement", "velocity")
REQUIRED_ATTRIBUTES = (
    "date_pre",
    "date_post",
    "method",
    "source_pre",
    "source_post",
    "software",
    "configuration_hash",
)

_LONG_NAME = {
    "east": "displacement to the east",
    "north": "displacement to the north",
    "up": "displacement upward",
    "quality": "quality of the measurement, 0 (none) to 1 (best)",
    "valid": "the measurement can be used",
    "reason": "why a pixel is not valid",
}


def layer_attributes(name: str, quantity: str = "displacement") -> dict[str, Any]:
    """CF-style attributes (`long_name`, `units`, flags) of one layer of a displacement map."""
    if quantity not in QUANTITIES:
        raise ContractError(f"quantity {quantity!r} is none of {', '.join(QUANTITIES)}")
    unit = "m" if quantity == "displacement" else "m/yr"
    if name.endswith("_sigma"):
        component = name.removesuffix("_sigma")
        said = _LONG_NAME[component].replace("displacement", quantity)
        return {"long_name": f"one standard deviation of the {said}", "units": unit}
    if name in COVARIANCES:
        one, other = name.split("_")[:2]
        square = "m2" if quantity == "displacement" else "m2/yr2"
        return {"long_name": f"covariance of the errors of {quantity} {one} and {other}", "units": square}
    said = _LONG_NAME[name].replace("displacement", quantity)
    attributes: dict[str, Any] = {"long_name": said, "units": unit if name in COMPONENTS else "1"}
    if name == "reason":
        attributes["flag_values"] = [int(reason) for reason in Reason]
        attributes["flag_meanings"] = " ".join(reason.name.lower() for reason in Reason)
    return attributes


def displacement_map(layers: Mapping[str, np.ndarray], grid: GeoBox, attributes: Mapping[str, Any]) -> xr.Dataset:
    """Build a displacement map from arrays, and check it.

    Parameters
    ----------
    layers
        Arrays of shape (y, x): two or three components and their sigmas (m), `quality` and `reason`, and maybe
        covariances (m²); `valid` is derived from `reason` and must not be given.
    grid
        Shape, affine and CRS of the arrays.
    attributes
        Provenance, at least :data:`REQUIRED_ATTRIBUTES`.

    Raises
    ------
    ContractError
        If a layer is missing, has another shape than the grid, or the result fails :func:`check`.
    """
    shape = (grid.shape.y, grid.shape.x)
    for name, values in layers.items():
        if values.shape != shape:
            raise ContractError(f"layer {name!r} has shape {values.shape}; the grid is {shape}")
    if "reason" not in layers:
        raise ContractError("layer 'reason' is missing; give uint8 codes, 0 where the pixel is valid")
    coordinates = xr_coords(grid)
    dims = tuple(grid.dimensions)
    quantity = attributes.get("quantity", "displacement")
    variables = {
        name: (dims, values, {**layer_attributes(name, quantity), "grid_mapping": "spatial_ref"})
        for name, values in {**layers, "valid": layers["reason"] == Reason.VALID}.items()
    }
    dataset = xr.Dataset(variables, coords=coordinates, attrs=dict(attributes))
    if dims != ("y", "x"):
        dataset = dataset.rename(dict(zip(dims, ("y", "x"), strict=True)))
    check(dataset)
    return dataset


def components(dataset: xr.Dataset) -> tuple[str, ...]:
    """The displacement components that a map holds, in the order east, north, up."""
    return tuple(name for name in COMPONENTS if name in dataset)


def covariances(names: Iterable[str]) -> tuple[str, ...]:
    """Names of the covariances between components, in the order of :data:`COVARIANCES`."""
    there = set(names)
    return tuple(name for name in COVARIANCES if set(name.split("_")[:2]) <= there)


def needed_layers(names: Iterable[str]) -> tuple[str, ...]:
    """Float layers that a map with these layers must have.

    Raises
    ------
    ContractError
        If there are less than two components.
    """
    names = set(map(str, names))
    there = tuple(name for name in COMPONENTS if name in names)
    if len(there) < 2:
        raise ContractError(
            f"a displacement map needs 'east' and 'north', or 'up' and one of them; this one has {sorted(names)}"
        )
    between = covariances(there) if names & set(COVARIANCES) else ()
    return (*there, *(f"{name}_sigma" for name in there), *between, "quality")


def check(dataset: xr.Dataset) -> None:
    """Raise ContractError, naming the first rule that the data set breaks; return None if it keeps them all."""
    expected = needed_layers(map(str, dataset))
    for name in [*expected, "valid", "reason"]:
        if name not in dataset:
            raise ContractError(f"layer {name!r} is missing; a displacement map has {[*expected, 'valid', 'reason']}")
        if dataset[name].dims not in (("y", "x"), ("time", "y", "x")):
            raise ContractError(f"layer {name!r} is on {dataset[name].dims}; expected (y, x) or (time, y, x)")
    if dataset["valid"].dtype != bool:
        raise ContractError(f"'valid' is {dataset['valid'].dtype}; expected bool")
    if dataset.rio.crs is None:
        raise ContractError("the map has no CRS; write one with dataset.rio.write_crs(...)")
    missing = [name for name in REQUIRED_ATTRIBUTES if name not in dataset.attrs]
    if missing:
        raise ContractError(f"attributes {missing} are missing; a displacement map says where it comes from")
    if (quantity := dataset.attrs.get("quantity", "displacement")) not in QUANTITIES:
        raise ContractError(f"attribute 'quantity' is {quantity!r}; expected one of {', '.join(QUANTITIES)}")
    _check_finite(dataset, expected)
    for name in expected:
        if name.endswith("_sigma") and bool((dataset[name] <= 0).any()):
            raise ContractError(f"layer {name!r} has values <= 0 m; a standard deviation is positive")


def _check_finite(dataset: xr.Dataset, expected: Iterable[str]) -> None:
    """Floats are finite where the map is valid, and NaN elsewhere; one component of three may be missing."""
    there = components(dataset)
    lacking = {name: dataset[name].isnull() for name in there} if len(there) == 3 else {}
    absent_count = sum(each.astype(int) for each in lacking.values())
    if lacking and bool(((absent_count > 1) & dataset["valid"]).any()):  # pyright: ignore
        raise ContractError("a pixel has less than two components; expected two or three where 'valid' is true")
    for name in expected:
        finite = np.isfinite(dataset[name])
        wanted = dataset["valid"]
        for component, absent in lacking.items():
            if component in name.split("_"):
                wanted = wanted & ~absent
        if bool((finite != wanted).any()):
            raise ContractError(f"layer {name!r} must be finite exactly where 'valid' is true")


def period(attributes: Mapping[str, Any]) -> str:
    """From when to when, in words; an image whose day is not known goes by its name, if that is not the other's too."""
    names = [_cut(attributes.get(f"source_{which}", "")) for which in ("pre", "post")]
    known = names if names[0] != names[1] else ["", ""]
    first, last = (
        attributes.get(f"date_{which}") or name or "unknown date"
        for which, name in zip(("pre", "post"), known, strict=True)
    )
    return f"from {first} to {last}"


def _cut(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


_NAME = 40  # characters of an image's name
_DESCRIBED = 4_000_000  # pixels, about, that a description looks at


def describe(dataset: xr.Dataset) -> str:
    """A few lines of plain text: size, CRS, dates, method, coverage, median and spread of each component.

    Of a large map, the numbers are those of every second, third, … row and column, so that memory stays bounded.
    """
    scale, unit = (1000, "mm/yr") if dataset.attrs.get("quantity") == "velocity" else (1, "m")
    stride = max(1, round((dataset.sizes["y"] * dataset.sizes["x"] / _DESCRIBED) ** 0.5))
    some = dataset.isel(y=slice(None, None, stride), x=slice(None, None, stride))
    valid, side = some["valid"].values, "degrees" if dataset.rio.crs.is_geographic else "m"
    lines = [
        f"{dataset.attrs.get('quantity', 'displacement')} map, {dataset.sizes['y']} x {dataset.sizes['x']} pixels of "
        f"{abs(dataset.rio.resolution()[0]):g} {side}, {_short(str(dataset.rio.crs))}",
        f"{period(dataset.attrs)}, method {dataset.attrs['method']}{_of_bands(dataset.attrs)}",
        f"valid: {100 * valid.mean():.1f} % of pixels{_why_empty(some['reason'].values)}",
    ]
    for name in components(dataset) if valid.any() else ():
        there = valid & np.isfinite(some[name].values)
        values, sigma = some[name].values[there], some[f"{name}_sigma"].values[there]
        if not there.any():
            continue
        low, middle, high = scale * np.percentile(values, [2.5, 50, 97.5])
        common = float(scale * np.median(sigma))
        digits = decimals(common)
        lines.append(
            f"{name}: median {middle:+.{digits}f} {unit}, 95 % between {low:+.{digits}f} and {high:+.{digits}f} "
            f"{unit}, median sigma {common:.{digits}f} {unit}"
        )
    return "\n".join(lines)


def _of_bands(attributes: Mapping[str, Any]) -> str:
    return f", bands {attributes['bands']}" if "bands" in attributes else ""


def decimals(sigma: float) -> int:
    """Digits after the point to tell a value with: three, or as many as show two digits of its standard deviation."""
    return max(3, 1 - math.floor(math.log10(sigma))) if 0 < sigma < np.inf else 3


def _why_empty(reason: np.ndarray) -> str:
    """Shares of the reasons for which pixels are not valid, the largest first; those that round to nothing are left."""
    codes, counts = np.unique(reason[reason != Reason.VALID], return_counts=True)
    shares = [(100 * count / reason.size, Reason(code).meaning) for code, count in zip(codes, counts, strict=True)]
    told = [f"{meaning} {share:.1f} %" for share, meaning in sorted(shares, reverse=True) if share >= 0.05]
    return f"; {', '.join(told)}" if told else ""


def _short(crs: str) -> str:
    """A code as it is; of a CRS that is spelled out, the name."""
    return crs.split('"')[1] if '"' in crs else crs
