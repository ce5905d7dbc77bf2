"""What holds at places or everywhere, for a fusion: stations, levelling, a velocity model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from groundshift.errors import InputError
from groundshift.geodesy.velocity_model import VelocityField
from groundshift.grid.tiles import Box
from groundshift.model.displacement import COMPONENTS
from groundshift.model.stations import StationSeries, StationVelocities
from groundshift.products.fuse.channels import CellEpochs, Channel, Interval, cell_numbers, true_turn
from groundshift.products.fuse.config import LEVELLING, SourceErrors

StationsOverTime = Sequence[StationSeries]


class Places(NamedTuple):
    """Motion of places in metres, or metres a year; NaN where it was not measured."""

    longitude: np.ndarray
    latitude: np.ndarray
    motion: np.ndarray  # (n, 3): east and north of the ellipsoid, up
    covariance: np.ndarray  # (n, 3, 3)


@dataclass(frozen=True, eq=False)
class Stations:
    """Stations of satellite navigation.

    `record` is a table of velocities (mm/yr), which in a fusion of displacements are taken for displacements (mm), or
    series, whose means over `average` days before and after the interval are compared.
    """

    record: StationVelocities | StationsOverTime
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
            if (one.quantity, interval.quantity) == ("displacement", "velocity"):
                raise InputError(
                    f"{self.name} holds displacements of stations; a fusion of velocities needs velocities"
                )
            return Places(one.longitude, one.latitude, one.velocity / 1e3, one.covariance / 1e6)
        return _steps(self.record, interval, self.average)

    def channels(self, grid: GeoBox, box: Box, interval: Interval) -> list[Channel]:
        """Three independent numbers for each cell with a station, which together hold its full covariance."""
        places = self.places(interval)
        at = cell_numbers(grid, box, "EPSG:4326", places.longitude, places.latitude)
        rows = np.flatnonzero((at >= 0) & np.isfinite(places.motion).any(axis=1))
        cells, which = np.unique(at[rows], return_inverse=True)
        information, right = np.zeros((len(cells), 3, 3)), np.zeros((len(cells), 3))
        for row, cell in zip(rows, which, strict=True):
            there = np.flatnonzero(np.isfinite(places.motion[row]))
            more = self.errors.noise**2 * np.eye(len(there))
            inverse = np.linalg.inv(places.covariance[row][np.ix_(there, there)] + more)
            information[cell][np.ix_(there, there)] += inverse
            right[cell, there] += inverse @ places.motion[row, there]
        values, vectors = np.linalg.eigh(information)
        turn, out = true_turn(grid, box), []
        for k in range(3):
            value, variance = np.full((2, *box.shape), np.nan)
            look = np.zeros((3, *box.shape))
            known = values[:, k] > 1e-12 * values[:, 2]
            held = cells[known]
            value.flat[held] = (vectors[known, :, k] * right[known]).sum(axis=1) / values[known, k]
            variance.flat[held] = 1 / values[known, k]
            look.reshape(3, -1)[:, held] = vectors[known, :, k].T
            out.append(Channel(value, variance, turn.look(look), None))
        return out

    def over_time(self, grid: GeoBox, box: Box, days: np.ndarray) -> CellEpochs:
        """Place of the station of each cell on each of some days, (time, 3, y, x); of several the one with most days.

        East and north are those of the grid. A line through the measurements of the days that are nearest to a date
        tells where the station was on it.
        """
        record = [each for each in self.record if len(each)]
        at = cell_numbers(
            grid, box, "EPSG:4326", np.array([each.longitude for each in record]),
            np.array([each.latitude for each in record]),
        )  # fmt: skip
        value, variance = np.full((2, len(days), 3, box.shape[0] * box.shape[1]), np.nan)
        for number in sorted(np.flatnonzero(at >= 0), key=lambda number: len(record[number])):
            value[:, :, at[number]], variance[:, :, at[number]] = _on_dates(record[number], days)
        value, variance = (each.reshape(len(days), 3, *box.shape) for each in (value, variance))
        turn = true_turn(grid, box)
        for of, turned in ((value, turn.vector), (variance, turn.variance)):
            of[:, 0], of[:, 1] = turned(of[:, 0], of[:, 1])
        return CellEpochs(value, variance, np.zeros((3, *box.shape)))


@dataclass(frozen=True, eq=False)
class Levelling:
    """Levelled places: up alone, against a benchmark that may have moved. `record` as for :class:`Stations`."""

    record: StationVelocities
    errors: SourceErrors = LEVELLING
    start: Any = None  # the days between which was levelled; a series needs them
    end: Any = None

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
        at = cell_numbers(grid, box, "EPSG:4326", self.record.longitude, self.record.latitude)
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
        looks = true_turn(grid, box).looks()
        return [
            Channel(each, np.zeros(box.shape), look, name, 0.0)
            for each, look, name in zip(velocity, looks, COMPONENTS, strict=True)
        ]


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


def _on_dates(station: StationSeries, days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Displacement and variance on dates, float64 (time, 3), m: of each date from the days nearest to it, by a line."""
    nearest = np.abs(station.days[:, None] - days).argmin(axis=1)
    value, variance = np.full((2, len(days), 3), np.nan)
    for row, column in np.ndindex(len(days), 3):
        use = (nearest == row) & np.isfinite(station.displacement[:, column])
        apart = (station.days[use] - days[row]).astype(float)
        if not apart.size or apart.min() > 0 or apart.max() < 0:
            continue
        weight = (station.sigma[use, column] / 1000) ** -2.0
        centre = (weight * apart).sum() / weight.sum()
        moment = (weight * (apart - centre) ** 2).sum()
        share = weight / weight.sum() - (weight * (apart - centre) * centre / moment if moment > 0 else 0)
        value[row, column] = (share * station.displacement[use, column]).sum() / 1000
        variance[row, column] = (share**2 / weight).sum()
    return value, variance
