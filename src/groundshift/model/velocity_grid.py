"""A velocity model on a grid: build, check, describe.

As velocity models are handed on: east, north and up in mm/yr at the nodes of a regular grid in any CRS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pyproj import CRS
from pyproj.exceptions import CRSError

from groundshift.errors import ContractError
from groundshift.model.stations import COMPONENTS


@dataclass(frozen=True, eq=False)
class VelocityGrid:
    """Velocities at nodes."""

    crs: CRS  # of x and y
    x: np.ndarray  # float64 (columns,), increasing, evenly spaced: easting (m) or longitude (degrees)
    y: np.ndarray  # float64 (rows,), increasing, evenly spaced: northing or latitude
    velocity: np.ndarray  # float64 (rows, columns, 3), mm/yr: east, north, up; NaN where there is none
    sigma: np.ndarray  # float64 (rows, columns, 3), mm/yr; NaN where not known
    frame: str  # of the velocities
    source: str


def build_grid(crs: Any, x: Any, y: Any, velocity: Any, *, frame: str, source: str, sigma: Any = None) -> VelocityGrid:
    """A velocity grid from arrays, checked; see :class:`VelocityGrid` for shapes and units.

    Raises
    ------
    ContractError
        If the CRS is none, or the result fails :func:`check_grid`.
    """
    values = np.asarray(velocity, float)
    try:
        known = CRS.from_user_input(crs)
    except CRSError as error:
        raise ContractError(f"{crs!r} is not a CRS; pass one such as crs='EPSG:3035'") from error
    grid = VelocityGrid(
        known, np.asarray(x, float), np.asarray(y, float), values,
        np.full(values.shape, np.nan) if sigma is None else np.asarray(sigma, float), frame, source,
    )  # fmt: skip
    check_grid(grid)
    return grid


def check_grid(grid: VelocityGrid) -> None:
    """Raise ContractError, naming the first rule that a grid breaks; return None if it keeps them all."""
    shape = (len(grid.y), len(grid.x), 3)
    if grid.velocity.shape != shape or grid.sigma.shape != shape:
        raise ContractError(f"velocity is {grid.velocity.shape} and sigma {grid.sigma.shape}; expected {shape}")
    for name, values in (("x", grid.x), ("y", grid.y)):
        steps = np.diff(values)
        if len(values) < 2 or (steps <= 0).any() or np.ptp(steps) > 1e-6 * abs(steps).max() + 1e-9:
            raise ContractError(f"{name} has {len(values)} values that do not grow evenly; expected a regular grid")
    if not np.isfinite(grid.velocity).all(axis=-1).any():
        raise ContractError("no node has a velocity; expected east, north and up at some")
    if (grid.sigma <= 0).any():
        raise ContractError("a sigma is not above 0; write NaN where it is not known")
    for name in ("frame", "source"):
        if not getattr(grid, name).strip():
            raise ContractError(f"{name} is empty; expected text, such as frame='ETRF2000'")


def describe_grid(grid: VelocityGrid) -> str:
    """A few lines of plain text: size, place, frame, and the spread of the velocities."""
    there = np.isfinite(grid.velocity).all(axis=-1)
    lines = [
        f"velocity grid of {len(grid.y)} x {len(grid.x)} nodes, {there.sum()} with a velocity, frame {grid.frame}",
        f"{grid.crs.name}, x {grid.x[0]:g} to {grid.x[-1]:g}, y {grid.y[0]:g} to {grid.y[-1]:g}",
    ]
    for number, name in enumerate(COMPONENTS):
        values, sigma = grid.velocity[there, number], grid.sigma[there, number]
        known = f", median sigma {np.nanmedian(sigma):.2f} mm/yr" if np.isfinite(sigma).any() else ", sigma not known"
        lines.append(f"{name}: median {np.median(values):.2f}, {values.min():.2f} to {values.max():.2f} mm/yr{known}")
    return "\n".join([*lines, grid.source])
