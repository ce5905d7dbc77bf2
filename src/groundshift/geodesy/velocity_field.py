"""Velocity models on grids: to interpolate in, and made from another model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from pyproj import CRS, Transformer

from groundshift.geodesy.frames import to_frame
from groundshift.geodesy.velocity_model import Velocity, VelocityField
from groundshift.kernels.rotation import geocentric
from groundshift.model.stations import build_velocities
from groundshift.model.velocity_grid import VelocityGrid, build_grid

_ALIKE = 100.0  # km over which errors of a grid are taken to be alike (Gaussian): grids come with no correlations
_SIGMA = (0.3, 0.3, 0.8)  # mm/yr: of a grid that states none


@dataclass(frozen=True, eq=False)
class GridField:
    """A grid as a :class:`~groundshift.geodesy.velocity_model.VelocityField`: linear between nodes."""

    grid: VelocityGrid

    @property
    def frame(self) -> str:
        """Of the velocities."""
        return self.grid.frame

    @property
    def source(self) -> str:
        """Where they come from."""
        return self.grid.source

    def at(self, latitude: np.ndarray, longitude: np.ndarray) -> Velocity:
        """Velocities interpolated from the nodes that have one; NaN where none of the four around has."""
        velocity, sigma = self._at(latitude, longitude)
        return Velocity(velocity, sigma[:, :, None] ** 2 * np.eye(3))

    def joint_covariance(self, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
        """Sigmas of the nodes, errors alike over 100 km; where the grid ends, its largest sigma."""
        sigma = self._at(latitude, longitude)[1]
        sigma = np.where(np.isfinite(sigma), sigma, np.nanmax(sigma, axis=0, initial=max(_SIGMA)))
        places = geocentric(np.asarray(latitude), np.asarray(longitude)) / 1000
        alike = np.exp(-0.5 * ((places[:, None] - places) ** 2).sum(axis=-1) / _ALIKE**2)
        return np.kron(alike, np.eye(3)) * np.outer(sigma.ravel(), sigma.ravel())

    def _at(self, latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = Transformer.from_crs("EPSG:4326", self.grid.crs, always_xy=True).transform(longitude, latitude)
        if self.grid.crs.is_geographic:  # a grid may cross 180 degrees, or count from 0 to 360
            x = np.asarray(x) - 360 * np.rint((np.asarray(x) - self.grid.x.mean()) / 360)
        sigma = np.where(np.isfinite(self.grid.sigma), self.grid.sigma, _SIGMA)
        both = interpolate(self.grid, np.column_stack([x, y]), np.concatenate([self.grid.velocity, sigma], axis=-1))
        return both[:, :3], both[:, 3:]


def interpolate(grid: VelocityGrid, places: np.ndarray, values: np.ndarray | None = None) -> np.ndarray:
    """Linear interpolation at places (n, 2) in the CRS of a grid, float64 (n, k).

    Nodes without a velocity take no part; NaN where none of the four around has one, outside by more than a node, and
    where a place is not finite.

    Parameters
    ----------
    values
        At the nodes, (rows, columns, k); the velocities if not given.
    """
    values = grid.velocity if values is None else values
    there = np.isfinite(grid.velocity).all(axis=-1)
    spacing = np.array([grid.x[1] - grid.x[0], grid.y[1] - grid.y[0]])
    size = np.array([len(grid.x), len(grid.y)])
    position = (places - [grid.x[0], grid.y[0]]) / spacing
    inside = ((position >= -1) & (position <= size)).all(axis=1)
    position = np.clip(np.where(inside[:, None], position, 0), 0, size - 1.000001)
    column, row = np.floor(position).astype(np.int64).T
    right, up = (position - np.floor(position)).T
    total, weights = np.zeros((len(places), values.shape[-1])), np.zeros(len(places))
    for step_up, share_up in ((0, 1 - up), (1, up)):
        for step_right, share_right in ((0, 1 - right), (1, right)):
            nodes = row + step_up, column + step_right
            weight = share_up * share_right * there[nodes]
            total += weight[:, None] * np.where(weight[:, None] > 0, values[nodes], 0)
            weights += weight
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((weights > 1e-9) & inside, total.T / weights, np.nan).T


def sample_field(field: VelocityField, crs: CRS, box: np.ndarray, spacing: float) -> VelocityGrid:
    """A model at the nodes of a grid that covers a box (west, south, east, north), in units of the CRS."""
    first, last = np.floor(box[:2] / spacing), np.ceil(box[2:] / spacing)
    x, y = (np.arange(first[k], max(last[k], first[k] + 1) + 1) * spacing for k in (0, 1))
    east, north = (each.ravel() for each in np.meshgrid(x, y))
    longitude, latitude = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(east, north)
    found = field.at(latitude, longitude)
    shape = (len(y), len(x), 3)
    sigma = np.sqrt(np.diagonal(found.covariance, axis1=1, axis2=2))
    return build_grid(
        crs, x, y, found.velocity.reshape(shape), sigma=np.maximum(sigma, 1e-6).reshape(shape), frame=field.frame,
        source=field.source,
    )  # fmt: skip


def grid_to_frame(grid: VelocityGrid, frame: str) -> VelocityGrid:
    """The same grid with velocities in another frame; see :func:`~groundshift.geodesy.frames.to_frame`."""
    if frame == grid.frame:
        return grid
    there = np.isfinite(grid.velocity).all(axis=-1)
    x, y = np.meshgrid(grid.x, grid.y)
    longitude, latitude = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(x[there], y[there])
    nodes = build_velocities(
        np.arange(there.sum()).astype(str), latitude, longitude, grid.velocity[there], frame=grid.frame,
        sigma=np.ones((there.sum(), 3)), source=grid.source,
    )  # fmt: skip
    velocity = grid.velocity.copy()
    velocity[there] = to_frame(nodes, frame).velocity
    return replace(grid, velocity=velocity, frame=frame)
