"""What can be fused and has an image or points: optical maps, lines of sight of radar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import xarray as xr
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from groundshift.errors import InputError
from groundshift.grid.axes import Turn, axes_turn
from groundshift.grid.tiles import Box
from groundshift.io.maps import read_map
from groundshift.io.point_batches import PointParts, point_batches, point_parts
from groundshift.kernels.elimination import lone_residual
from groundshift.model.displacement import COMPONENTS
from groundshift.model.points import series
from groundshift.model.units import YEAR
from groundshift.products.fuse.channels import (
    CellEpochs,
    Channel,
    Interval,
    bounds_in,
    cell_numbers,
    grid_places,
    numbers_in,
    true_turn,
)
from groundshift.products.fuse.config import OPTICAL, SourceErrors

_LOOK = ("los_east", "los_north", "los_up")
_SQUARE = 6.0  # 1 / variance of places all over a square of side 1, of both coordinates together


@dataclass(frozen=True, eq=False)
class OpticalMap:
    """A displacement map, usually of two images: east and north, and up if it has it."""

    source: str | Path | xr.Dataset
    errors: SourceErrors = OPTICAL
    alike: float = 1.0  # pixels whose noise is alike, as of overlapping windows: of n the mean has that of n / alike
    outlier: float = 4.0  # standardised difference from the nearest of those around from which a pixel counts for less

    @property
    def name(self) -> str:
        """Of the file, or of its images."""
        return "optical map" if isinstance(self.source, xr.Dataset) else Path(self.source).name

    def dataset(self) -> xr.Dataset:
        """The map; a large one is lazy. One on disk is read once a process."""
        if isinstance(self.source, xr.Dataset):
            return self.source
        path = Path(self.source)
        return _read_once(str(path), path.stat().st_mtime_ns if path.is_file() else 0)

    def groups(self) -> tuple[str, ...]:
        """Its components."""
        return tuple(each for each in COMPONENTS if each in self.dataset())

    def channels(self, grid: GeoBox, box: Box, interval: Interval) -> list[Channel]:
        """Weighted averages of the pixels in each cell; of larger pixels the one that the cell lies in.

        What a map in another projection measures is turned: its look says how its axes lie in those of the grid.
        """
        data = self.dataset()
        factor = _factor(data, interval, self.name)
        part, cells = _window(data, grid, box)
        looks = axes_turn(data.rio.crs, grid, box).looks()
        out = []
        for number, component in enumerate(COMPONENTS):
            if component not in data:
                continue
            value, sigma = (part[name].values.astype(float) for name in (component, f"{component}_sigma"))
            apart = np.nan_to_num(lone_residual(value, sigma))
            sigma = sigma * np.where(apart > self.outlier, apart, 1)
            if cells is None:
                mean, variance = _nearest(part, grid, box, value, sigma)
            else:
                mean, variance = _average(cells, box.shape, value, sigma, self.alike)
            out.append(Channel(mean * factor, variance * factor**2, looks[number], component))
        return out

    def along_axes(self, grid: GeoBox, box: Box, interval: Interval) -> list[Channel]:
        """The same with east and north in the axes of the grid. What turning makes of differences between their
        variances, a covariance of a few per cent of these, is left out."""
        found, crs = self.channels(grid, box, interval), self.dataset().rio.crs
        if str(crs) == str(grid.crs):
            return found
        by_name = {each.group: each for each in found}
        if not {"east", "north"} <= set(by_name):
            raise InputError(
                f"{self.name} is in {crs} and has not both east and north, which are turned together; give it in "
                f"{grid.crs}, the projection of the fusion"
            )
        pair = by_name["east"], by_name["north"]
        turn = Turn(*(each.look[0] for each in pair))
        values, variances = (
            turn.vector(*(each.value for each in pair)),
            turn.variance(*(each.variance for each in pair)),
        )
        looks = np.broadcast_to(np.eye(3)[:, :, None, None], (3, 3, *box.shape))
        turned = [
            Channel(value, variance, look, each.group)
            for value, variance, look, each in zip(values, variances, looks, pair, strict=False)
        ]
        return [*turned, *(each for each in found if each.group == "up")]


@dataclass(frozen=True, eq=False)
class RadarPoints:
    """Lines of sight of one track: a point set of level L2a or L2b."""

    source: str | Path | pa.Table
    errors: SourceErrors | None = None  # None for the usual ones of the quantity
    average: int = 1  # dates before and after that are averaged for a displacement
    parts: PointParts = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", point_parts(self.source))
        if self.parts.header.level not in ("L2a", "L2b"):
            raise InputError(f"{self.name} is of level {self.parts.header.level}; expected lines of sight, L2a or L2b")

    @property
    def name(self) -> str:
        """Of the file, or of the track."""
        return self.parts.name

    def groups(self) -> tuple[str, ...]:
        """One: the line of sight."""
        return ("los",)

    def channels(self, grid: GeoBox, box: Box, interval: Interval) -> list[Channel]:
        """Averages of the points in each cell."""
        names = (
            ("displacement", "rmse") if interval.quantity == "displacement" else ("mean_velocity", "mean_velocity_std")
        )
        found = self._cells(grid, box, names, lambda table: [each[None] for each in self._measured(table, interval)])
        return [Channel(found.value[0], found.variance[0], found.look, "los", found.spread)]

    def over_time(self, grid: GeoBox, box: Box, days: np.ndarray) -> CellEpochs:
        """The same on some of its dates, datetime64[D]; noise is `rmse`, alike on all of them."""
        chosen = np.flatnonzero(np.isin(self.parts.header.dates.astype("datetime64[D]"), days))

        def measured(table: pa.Table) -> list[np.ndarray]:
            values = series(table)[:, chosen].T.astype(float) / 1000
            noise = np.nan_to_num(table["rmse"].to_numpy() / 1000.0) ** 2
            return [values, np.broadcast_to(noise, values.shape)]

        return self._cells(grid, box, ("displacement", "rmse"), measured, len(chosen))

    def _cells(
        self,
        grid: GeoBox,
        box: Box,
        names: tuple[str, ...],
        measured: Callable[[pa.Table], list[np.ndarray]],
        rows: int = 1,
    ) -> CellEpochs:
        """Averages in each cell of what points measured: values and variances, float64 (rows, points)."""
        cells = box.shape[0] * box.shape[1]
        count, total, square = np.zeros((3, rows, cells))
        look, points, moments = np.zeros((3, cells)), np.zeros(cells), np.zeros((4, cells))
        crs = self.parts.header.crs
        bounds = bounds_in(grid, box, crs.to_string())
        for table in point_batches(self.parts, bounds, ("easting", "northing", *_LOOK, *names)):
            places = grid_places(grid, crs, table["easting"].to_numpy(), table["northing"].to_numpy())
            at = numbers_in(box, *places)
            value, variance = measured(table)
            there = np.isfinite(value) & (at >= 0)
            for row, use in enumerate(there):
                count[row] += np.bincount(at[use], minlength=cells)
                total[row] += np.bincount(at[use], value[row, use], cells)
                square[row] += np.bincount(at[use], variance[row, use], cells)
            use = there.any(axis=0)
            points += np.bincount(at[use], minlength=cells)
            for sums, name in zip(look, _LOOK, strict=True):
                sums += np.bincount(at[use], table[name].to_numpy()[use], cells)
            inside = [each[use] - np.floor(each[use]) for each in places]
            for sums, each in zip(moments, (*inside, *np.square(inside)), strict=True):
                sums += np.bincount(at[use], each, cells)
        with np.errstate(divide="ignore", invalid="ignore"):
            value, variance, look = total / count, square / count**2, np.nan_to_num(look / points)
            x, y, xx, yy = moments / points
        shape = box.shape
        look = true_turn(grid, box).look(look.reshape(3, *shape))
        spread = np.clip(np.nan_to_num((xx - x**2 + yy - y**2) * _SQUARE), 0, 1).reshape(shape)
        return CellEpochs(value.reshape(-1, *shape), variance.reshape(-1, *shape), look, spread)

    def sides(self, interval: Interval) -> tuple[np.ndarray, np.ndarray]:
        """Which of its dates are averaged before and after an interval; InputError if there are none."""
        days = self.parts.header.dates
        before = np.flatnonzero(days <= interval.start)[-self.average :]
        after = np.flatnonzero(days >= interval.end)[: self.average]
        if not before.size or not after.size:
            raise InputError(
                f"{self.name} has dates from {days[0]} to {days[-1]}; expected some until {interval.start} and from "
                f"{interval.end}: give other days for start and end, or leave it out"
            )
        return before, after

    def _measured(self, table: pa.Table, interval: Interval) -> tuple[np.ndarray, np.ndarray]:
        """Value and variance of each point, m."""
        if interval.quantity == "velocity":
            value, sigma = (table[name].to_numpy() / 1000.0 for name in ("mean_velocity", "mean_velocity_std"))
            return value, np.nan_to_num(sigma) ** 2
        before, after = self.sides(interval)
        values = series(table).astype(float) / 1000
        rmse = np.nan_to_num(table["rmse"].to_numpy() / 1000.0)
        return (
            values[:, after].mean(axis=1) - values[:, before].mean(axis=1),
            rmse**2 * (1 / before.size + 1 / after.size),
        )


@lru_cache(maxsize=4)
def _read_once(path: str, _changed: int) -> xr.Dataset:
    return read_map(path)


def _factor(data: xr.Dataset, interval: Interval, name: str) -> float:
    """What turns the numbers of a map into those of the interval."""
    have = data.attrs.get("quantity", "displacement")
    if have == interval.quantity:
        return 1.0
    if have == "velocity":
        return float((interval.end - interval.start) / np.timedelta64(1, "D") / YEAR)
    first, last = data.attrs["date_pre"], data.attrs["date_post"]
    if not first or not last:
        raise InputError(
            f"{name} does not say its dates, which a velocity needs; write them into date_pre and date_post"
        )
    days = (np.datetime64(last, "D") - np.datetime64(first, "D")).astype(int)
    if days <= 0:
        raise InputError(f"{name} is of {first} to {last}, which is no time; a velocity needs two dates in order")
    return float(YEAR / days)


def _window(data: xr.Dataset, grid: GeoBox, box: Box) -> tuple[xr.Dataset, np.ndarray | None]:
    """The part of a map around a box, and the cells of its pixels; None for pixels larger than cells."""
    crs = str(data.rio.crs)
    bounds = bounds_in(grid, box, crs)
    step_x, step_y = (abs(float(each)) for each in data.rio.resolution())
    x, y = data["x"].values, data["y"].values
    part = data.isel(
        x=np.flatnonzero((x > bounds[0] - 2 * step_x) & (x < bounds[2] + 2 * step_x)),
        y=np.flatnonzero((y > bounds[1] - 2 * step_y) & (y < bounds[3] + 2 * step_y)),
    )
    if step_x * step_y > 1.01 * abs(grid.affine.a * grid.affine.e):
        return part, None
    x, y = np.meshgrid(part["x"].values, part["y"].values)
    return part, cell_numbers(grid, box, crs, x.ravel(), y.ravel())


def _average(
    cells: np.ndarray, shape: tuple[int, int], value: np.ndarray, sigma: np.ndarray, alike: float
) -> tuple[np.ndarray, np.ndarray]:
    use = (cells >= 0) & np.isfinite(value.ravel())
    at, size = cells[use], shape[0] * shape[1]
    weight = 1 / sigma.ravel()[use] ** 2
    count, total, sums = (
        np.bincount(at, each, size) for each in (np.ones(len(at)), weight, weight * value.ravel()[use])
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return (sums / total).reshape(shape), (np.minimum(count, alike) / total).reshape(shape)


def _nearest(
    part: xr.Dataset, grid: GeoBox, box: Box, value: np.ndarray, sigma: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[box.top : box.bottom, box.left : box.right] + 0.5
    x, y = grid.affine @ (columns.ravel(), rows.ravel())
    x, y = Transformer.from_crs(str(grid.crs), str(part.rio.crs), always_xy=True).transform(x, y)
    step_x, step_y = part.rio.resolution()
    mean, variance = np.full(x.shape, np.nan), np.full(x.shape, np.nan)
    if part.sizes["x"] and part.sizes["y"]:
        j, i = (
            np.rint((at - part[name].values[0]) / step).astype(int)
            for at, name, step in ((x, "x", step_x), (y, "y", step_y))
        )
        use = (j >= 0) & (j < part.sizes["x"]) & (i >= 0) & (i < part.sizes["y"])
        mean[use], variance[use] = value[i[use], j[use]], sigma[i[use], j[use]] ** 2
    return mean.reshape(box.shape), variance.reshape(box.shape)
