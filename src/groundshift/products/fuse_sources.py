"""What can be fused: optical maps, points of radar, stations, levelling; each as measurements on cells.

All are translated into one dialect: on each cell of a grid, a value and its variance in metres, and the unit vector
(east, north, up) that says what of the motion it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import xarray as xr
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from groundshift.errors import InputError
from groundshift.geodesy.velocity_model import VelocityField
from groundshift.grid.tiles import Box
from groundshift.io.maps import read_map
from groundshift.io.point_batches import PointParts, point_batches, point_parts
from groundshift.kernels.elimination import median_residual
from groundshift.model.displacement import COMPONENTS
from groundshift.model.points import series
from groundshift.model.stations import StationSeries, StationVelocities
from groundshift.products.fuse_config import LEVELLING, OPTICAL, RADAR, RADAR_VELOCITY, Quantity, SourceErrors

_YEAR = 365.25
_LOOK = ("los_east", "los_north", "los_up")


class Interval(NamedTuple):
    """What is measured: displacement between two days, or velocity."""

    quantity: Quantity
    start: np.datetime64 | None = None
    end: np.datetime64 | None = None


class Channel(NamedTuple):
    """One number measured on cells (y, x); NaN where it is not."""

    value: np.ndarray  # m, or m/yr
    variance: np.ndarray
    look: np.ndarray  # (3, y, x): east, north, up
    group: str | None  # which errors it shares with others of its source; None for errors of its own


class Fusible(Protocol):
    """A source."""

    name: str
    errors: SourceErrors

    def groups(self) -> tuple[str, ...]:
        """Names of what has errors that are alike nearby."""
        ...

    def channels(self, grid: GeoBox, box: Box, interval: Interval) -> list[Channel]:
        """What it measured on the cells of a box of a grid."""
        ...


@dataclass(frozen=True, eq=False)
class OpticalMap:
    """A displacement map, usually of two images: east and north, and up if it has it."""

    source: str | Path | xr.Dataset
    errors: SourceErrors = OPTICAL
    alike: float = (
        1.0  # pixels whose noise is alike, as of overlapping windows: an average of n has the noise of n/alike
    )
    outlier: float = 4.0  # standardised difference from the median of its neighbours from which a pixel counts for less

    @property
    def name(self) -> str:
        """Of the file, or of its images."""
        return "optical map" if isinstance(self.source, xr.Dataset) else Path(self.source).name

    def dataset(self) -> xr.Dataset:
        """The map; a large one is lazy."""
        return self.source if isinstance(self.source, xr.Dataset) else read_map(self.source)

    def groups(self) -> tuple[str, ...]:
        """Its components."""
        return tuple(each for each in COMPONENTS if each in self.dataset())

    def channels(self, grid: GeoBox, box: Box, interval: Interval) -> list[Channel]:
        """Weighted averages of the pixels in each cell; of larger pixels the one that the cell lies in."""
        data = self.dataset()
        factor = _factor(data, interval, self.name)
        part, cells = _window(data, grid, box)
        out = []
        for number, component in enumerate(COMPONENTS):
            if component not in data:
                continue
            value, sigma = (part[name].values.astype(float) for name in (component, f"{component}_sigma"))
            apart = np.abs(np.nan_to_num(median_residual(value, sigma)))
            sigma = sigma * np.where(apart > self.outlier, apart, 1)
            if cells is None:
                mean, variance = _nearest(part, grid, box, value, sigma)
            else:
                mean, variance = _average(cells, box.shape, value, sigma, self.alike)
            look = np.zeros((3, *box.shape))
            look[number] = 1
            out.append(Channel(mean * factor, variance * factor**2, look, component))
        return out


@dataclass(frozen=True, eq=False)
class RadarPoints:
    """Lines of sight of one track: a point set of level L2a or L2b."""

    source: str | Path | pa.Table
    errors: SourceErrors | None = None  # None for the usual ones of the quantity
    average: int = 1  # dates before and after that are averaged for a displacement

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", point_parts(self.source))
        if self.parts.header.level not in ("L2a", "L2b"):
            raise InputError(f"{self.name} is of level {self.parts.header.level}; expected lines of sight, L2a or L2b")

    parts: PointParts = None  # type: ignore[assignment]

    @property
    def name(self) -> str:
        """Of the file, or of the track."""
        return self.parts.name

    def groups(self) -> tuple[str, ...]:
        """One: the line of sight."""
        return ("los",)

    def channels(self, grid: GeoBox, box: Box, interval: Interval) -> list[Channel]:
        """Averages of the points in each cell."""
        count, cells = np.zeros(box.shape[0] * box.shape[1]), box.shape[0] * box.shape[1]
        sums, look = np.zeros((2, cells)), np.zeros((3, cells))
        names = (
            ("displacement", "rmse") if interval.quantity == "displacement" else ("mean_velocity", "mean_velocity_std")
        )
        crs = self.parts.header.crs
        bounds = _bounds(grid, box)
        if str(grid.crs) != crs.to_string():
            bounds = Transformer.from_crs(str(grid.crs), crs, always_xy=True).transform_bounds(*bounds)
        for table in point_batches(self.parts, bounds, ("easting", "northing", *_LOOK, *names)):
            at = _cells(grid, box, crs, table["easting"].to_numpy(), table["northing"].to_numpy())
            value, variance = self._measured(table, interval)
            use = (at >= 0) & np.isfinite(value)
            at = at[use]
            count += np.bincount(at, minlength=cells)
            for total, each in zip(sums, (value, variance), strict=True):
                total += np.bincount(at, each[use], cells)
            for total, name in zip(look, _LOOK, strict=True):
                total += np.bincount(at, table[name].to_numpy()[use], cells)
        with np.errstate(divide="ignore", invalid="ignore"):
            value, variance, look = sums[0] / count, sums[1] / count**2, np.nan_to_num(look / count)
        return [Channel(value.reshape(box.shape), variance.reshape(box.shape), look.reshape(3, *box.shape), "los")]

    def _measured(self, table: pa.Table, interval: Interval) -> tuple[np.ndarray, np.ndarray]:
        """Value and variance of each point, m."""
        if interval.quantity == "velocity":
            value, sigma = (table[name].to_numpy() / 1000.0 for name in ("mean_velocity", "mean_velocity_std"))
            return value, np.nan_to_num(sigma) ** 2
        days = self.parts.header.dates
        before = np.flatnonzero(days <= interval.start)[-self.average :]
        after = np.flatnonzero(days >= interval.end)[: self.average]
        if not before.size or not after.size:
            raise InputError(
                f"{self.name} has dates from {days[0]} to {days[-1]}; expected some until {interval.start} and from "
                f"{interval.end}"
            )
        values = series(table).astype(float) / 1000
        rmse = np.nan_to_num(table["rmse"].to_numpy() / 1000.0)
        return (
            values[:, after].mean(axis=1) - values[:, before].mean(axis=1),
            rmse**2 * (1 / before.size + 1 / after.size),
        )


class Places(NamedTuple):
    """Motion of places in metres, or metres a year; NaN where it was not measured."""

    longitude: np.ndarray
    latitude: np.ndarray
    motion: np.ndarray  # (n, 3): east, north, up
    covariance: np.ndarray  # (n, 3, 3)


@dataclass(frozen=True, eq=False)
class Stations:
    """Stations of satellite navigation.

    `record` is a table of velocities (mm/yr), which in a fusion of displacements are taken for displacements (mm), or
    series, whose means over `average` days before and after the interval are compared.
    """

    record: StationVelocities | Sequence[StationSeries]
    errors: SourceErrors = SourceErrors()  # noqa: RUF009
    average: int = 10

    @property
    def name(self) -> str:
        """Where they come from."""
        return self.record.source if isinstance(self.record, StationVelocities) else "series of stations"

    def groups(self) -> tuple[str, ...]:
        """None: errors of stations are their own."""
        return ()

    def places(self, interval: Interval) -> Places:
        """Where they are and how they moved."""
        if isinstance(self.record, StationVelocities):
            one = self.record
            return Places(one.longitude, one.latitude, one.velocity / 1e3, one.covariance / 1e6)
        return _steps(self.record, interval, self.average)

    def channels(self, grid: GeoBox, box: Box, interval: Interval) -> list[Channel]:
        """Three independent numbers for each cell with a station, which together hold its full covariance."""
        places, size = self.places(interval), box.shape[0] * box.shape[1]
        at = _cells(grid, box, "EPSG:4326", places.longitude, places.latitude)
        information, right = np.zeros((size, 3, 3)), np.zeros((size, 3))
        for row in np.flatnonzero((at >= 0) & np.isfinite(places.motion).any(axis=1)):
            there = np.flatnonzero(np.isfinite(places.motion[row]))
            more = self.errors.noise**2 * np.eye(len(there))
            inverse = np.linalg.inv(places.covariance[row][np.ix_(there, there)] + more)
            information[at[row]][np.ix_(there, there)] += inverse
            right[at[row], there] += inverse @ places.motion[row, there]
        values, vectors = np.linalg.eigh(information)
        out = []
        for k in range(3):
            known = values[:, k] > 1e-12 * np.maximum(values[:, 2], 1e-30)
            with np.errstate(divide="ignore", invalid="ignore"):
                value = np.where(known, (vectors[:, :, k] * right).sum(axis=1) / values[:, k], np.nan)
                variance = np.where(known, 1 / values[:, k], np.nan)
            look = vectors[:, :, k].T.reshape(3, *box.shape)
            out.append(Channel(value.reshape(box.shape), variance.reshape(box.shape), look, None))
        return out


@dataclass(frozen=True, eq=False)
class Levelling:
    """Levelled places: up alone, against a benchmark that may have moved. `record` as for :class:`Stations`."""

    record: StationVelocities
    errors: SourceErrors = LEVELLING

    @property
    def name(self) -> str:
        """Where it comes from."""
        return self.record.source

    def groups(self) -> tuple[str, ...]:
        """One: all heights share the benchmark."""
        return ("up",)

    def channels(self, grid: GeoBox, box: Box, interval: Interval) -> list[Channel]:
        """Up at each cell with a place."""
        size = box.shape[0] * box.shape[1]
        at = _cells(grid, box, "EPSG:4326", self.record.longitude, self.record.latitude)
        up, sigma = self.record.velocity[:, 2] / 1000, self.record.sigma[:, 2] / 1000
        use = (at >= 0) & np.isfinite(up)
        weight = np.bincount(at[use], 1 / sigma[use] ** 2, size)
        total = np.bincount(at[use], (up / sigma**2)[use], size)
        look = np.zeros((3, *box.shape))
        look[2] = 1
        with np.errstate(divide="ignore", invalid="ignore"):
            value, variance = total / weight, np.where(weight > 0, 1 / weight, np.nan)
        return [Channel(value.reshape(box.shape), variance.reshape(box.shape), look, "up")]


@dataclass(frozen=True, eq=False)
class ModelField:
    """A velocity model as a source: its errors are alike over long distances. Only for velocities.

    With two tracks of radar and stations this is the way of Ortho, with the uncertainty of the model carried along.
    """

    model: VelocityField
    sigma: float = 0.0005  # m/yr, typical of the model
    length: float = 100_000.0  # m, over which its errors are alike

    @property
    def name(self) -> str:
        """Where it comes from."""
        return self.model.source

    @property
    def errors(self) -> SourceErrors:
        """All of them are alike nearby, but for a tenth."""
        return SourceErrors(offset=self.sigma, correlated=self.sigma, length=self.length, noise=self.sigma / 10)

    def groups(self) -> tuple[str, ...]:
        """Its components."""
        return COMPONENTS

    def channels(self, grid: GeoBox, box: Box, interval: Interval) -> list[Channel]:
        """Its velocities at the centres of cells."""
        if interval.quantity != "velocity":
            raise InputError(f"{self.name} is a velocity model; expected a fusion of velocities: quantity='velocity'")
        rows, columns = np.mgrid[box.slices] + 0.5
        x, y = grid.affine @ (columns.ravel(), rows.ravel())
        longitude, latitude = Transformer.from_crs(str(grid.crs), "EPSG:4326", always_xy=True).transform(x, y)
        velocity = self.model.at(latitude, longitude).velocity.T.reshape(3, *box.shape) / 1000
        looks = np.broadcast_to(np.eye(3)[:, :, None, None], (3, 3, *box.shape))
        return [
            Channel(each, np.zeros(box.shape), look, name)
            for each, look, name in zip(velocity, looks, COMPONENTS, strict=True)
        ]


def usual_errors(source: Fusible, quantity: Quantity) -> SourceErrors:
    """Errors of a source, or those that sources of its kind usually have."""
    if source.errors is not None:
        return source.errors
    return RADAR if quantity == "displacement" else RADAR_VELOCITY


def _steps(record: Sequence[StationSeries], interval: Interval, average: int) -> Places:
    """Differences of means after and before an interval; stations without both are NaN."""
    motion, covariance = np.full((len(record), 3), np.nan), np.full((len(record), 3, 3), np.nan)
    if interval.quantity != "displacement":
        raise InputError("series of stations came for a fusion of velocities; give a table of station velocities")
    for row, each in enumerate(record):
        means = []
        for use in (
            np.flatnonzero(each.days <= interval.start)[-average:],
            np.flatnonzero(each.days >= interval.end)[:average],
        ):
            good = use[np.isfinite(each.displacement[use]).all(axis=1)]
            if good.size:
                means.append((each.displacement[good].mean(axis=0), (each.sigma[good] ** 2).mean(axis=0) / good.size))
        if len(means) == 2:
            motion[row] = (means[1][0] - means[0][0]) / 1000
            covariance[row] = np.diag(means[0][1] + means[1][1]) / 1e6
    return Places(np.array([s.longitude for s in record]), np.array([s.latitude for s in record]), motion, covariance)


def _factor(data: xr.Dataset, interval: Interval, name: str) -> float:
    """What turns the numbers of a map into those of the interval."""
    have = data.attrs.get("quantity", "displacement")
    if have == interval.quantity:
        return 1.0
    if have == "velocity":
        return float((interval.end - interval.start) / np.timedelta64(1, "D") / _YEAR)
    first, last = data.attrs["date_pre"], data.attrs["date_post"]
    if not first or not last:
        raise InputError(
            f"{name} does not say its dates, which a velocity needs; write them into date_pre and date_post"
        )
    return _YEAR / float((np.datetime64(last, "D") - np.datetime64(first, "D")) / np.timedelta64(1, "D"))


def _bounds(grid: GeoBox, box: Box) -> tuple[float, float, float, float]:
    """West, south, east, north of a box."""
    corners = [grid.affine @ corner for corner in ((box.left, box.top), (box.right, box.bottom))]
    (x0, y0), (x1, y1) = corners
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _cells(grid: GeoBox, box: Box, crs: object, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Number of the cell of each place in a box, row by row; -1 outside."""
    x, y = Transformer.from_crs(crs, str(grid.crs), always_xy=True).transform(x, y)
    column, row = ~grid.affine @ (np.asarray(x), np.asarray(y))
    with np.errstate(invalid="ignore"):
        column, row = (np.floor(each) for each in (column, row))
        inside = (column >= box.left) & (column < box.right) & (row >= box.top) & (row < box.bottom)
    width = box.right - box.left
    return np.where(inside, (row - box.top) * width + column - box.left, -1).astype(np.int64)


def _window(data: xr.Dataset, grid: GeoBox, box: Box) -> tuple[xr.Dataset, np.ndarray | None]:
    """The part of a map around a box, and the cells of its pixels; None for pixels larger than cells."""
    crs, bounds = str(data.rio.crs), _bounds(grid, box)
    if crs != str(grid.crs):
        bounds = Transformer.from_crs(str(grid.crs), crs, always_xy=True).transform_bounds(*bounds)
    step_x, step_y = (abs(float(each)) for each in data.rio.resolution())
    x, y = data["x"].values, data["y"].values
    part = data.isel(
        x=np.flatnonzero((x > bounds[0] - 2 * step_x) & (x < bounds[2] + 2 * step_x)),
        y=np.flatnonzero((y > bounds[1] - 2 * step_y) & (y < bounds[3] + 2 * step_y)),
    )
    if step_x * step_y > 1.01 * abs(grid.affine.a * grid.affine.e):
        return part, None
    x, y = np.meshgrid(part["x"].values, part["y"].values)
    return part, _cells(grid, box, crs, x.ravel(), y.ravel())


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
