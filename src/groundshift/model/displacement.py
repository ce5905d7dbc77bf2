"""The displacement map: build, check, describe.

A displacement map is an `xarray.Dataset` on (y, x) or (time, y, x) with a CRS. It holds `east`, `north` and,
where measured, `up` in metres (positive east, north, up: where the ground went from the first image to the
second), one `_sigma` (one standard deviation, metres) for each, `quality` from 0 to 1, `valid` (bool), and
`reason` (uint8, see :class:`~groundshift.model.reason.Reason`). A pixel that is not valid is NaN in every
float layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import rioxarray  # noqa: F401  (registers the .rio accessor)
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from groundshift.errors import ContractError
from groundshift.model.reason import Reason

COMPONENTS = ("east", "north", "up")
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


def layer_attributes(name: str) -> dict[str, Any]:
    """CF-style attributes (`long_name`, `units`, flags) of one layer of a displacement map."""
    if name.endswith("_sigma"):
        component = name.removesuffix("_sigma")
        return {"long_name": f"one standard deviation of the {_LONG_NAME[component]}", "units": "m"}
    attributes: dict[str, Any] = {"long_name": _LONG_NAME[name], "units": "m" if name in COMPONENTS else "1"}
    if name == "reason":
        attributes["flag_values"] = [int(reason) for reason in Reason]
        attributes["flag_meanings"] = " ".join(reason.name.lower() for reason in Reason)
    return attributes


def displacement_map(layers: Mapping[str, np.ndarray], grid: GeoBox, attributes: Mapping[str, Any]) -> xr.Dataset:
    """Build a displacement map from arrays, and check it.

    Parameters
    ----------
    layers
        Arrays of shape (y, x), at least `east`, `north`, `east_sigma`, `north_sigma` (m), `quality` and
        `reason`; `valid` is derived from `reason` and must not be given.
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
    variables = {
        name: (dims, values, {**layer_attributes(name), "grid_mapping": "spatial_ref"})
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


def check(dataset: xr.Dataset) -> None:
    """Raise ContractError, naming the first rule that the data set breaks; return None if it keeps them all."""
    for name in ("east", "north"):
        if name not in dataset:
            raise ContractError(f"a displacement map needs {name!r}; this one has {sorted(map(str, dataset))}")
    expected = [*components(dataset), *(f"{name}_sigma" for name in components(dataset)), "quality"]
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
    valid = dataset["valid"]
    for name in expected:
        finite = np.isfinite(dataset[name])
        if bool((finite & ~valid).any()) or bool((~finite & valid).any()):
            raise ContractError(f"layer {name!r} must be finite exactly where 'valid' is true")
    for name in expected:
        if name.endswith("_sigma") and bool((dataset[name] <= 0).any()):
            raise ContractError(f"layer {name!r} has values <= 0 m; a standard deviation is positive")


_DESCRIBED = 4_000_000  # pixels, about, that a description looks at


def describe(dataset: xr.Dataset) -> str:
    """A few lines of plain text: size, CRS, dates, method, coverage, median and spread of each component.

    Of a large map, the numbers are those of every second, third, … row and column, so that memory stays bounded.
    """
    stride = max(1, round((dataset.sizes["y"] * dataset.sizes["x"] / _DESCRIBED) ** 0.5))
    some = dataset.isel(y=slice(None, None, stride), x=slice(None, None, stride))
    valid = some["valid"].values
    lines = [
        f"displacement map, {dataset.sizes['y']} x {dataset.sizes['x']} pixels of "
        f"{abs(dataset.rio.resolution()[0]):g} m, {dataset.rio.crs}",
        f"from {dataset.attrs['date_pre'] or 'unknown date'} to {dataset.attrs['date_post'] or 'unknown date'}, "
        f"method {dataset.attrs['method']}",
        f"valid: {100 * valid.mean():.1f} % of pixels",
    ]
    for name in components(dataset) if valid.any() else ():
        values, sigma = some[name].values[valid], some[f"{name}_sigma"].values[valid]
        low, middle, high = np.percentile(values, [2.5, 50, 97.5])
        lines.append(
            f"{name}: median {middle:+.3f} m, 95 % between {low:+.3f} and {high:+.3f} m, "
            f"median sigma {np.median(sigma):.3f} m"
        )
    return "\n".join(lines)
