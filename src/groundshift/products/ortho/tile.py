"""One tile of the *Ortho* product: points of several tracks to east and up motion of cells."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field
from pyproj import Transformer
from scipy.interpolate import interpn

from groundshift.geodesy.velocity_model import Velocity, VelocityField
from groundshift.grid.tiles import Tile
from groundshift.io.point_batches import PointParts, point_batches
from groundshift.kernels.cell_series import add_series, bridged, combine_looks, level_series, solve_looks
from groundshift.kernels.series_fields import SeriesFields, series_fields
from groundshift.model.points import series
from groundshift.model.units import YEAR

FIELDS = tuple(each for each in SeriesFields._fields if each not in ("temporal_coherence", "first"))
"""Fields of series that an L3 point set has."""

_LOOK = ("los_east", "los_north", "los_up")
_NODE = 5_000.0  # m between nodes of the velocity model
_BLOCK = 8192  # cells that are solved together
STATED = ("absolute_velocity_std", "mean_velocity_std")  # what the one has beside the other is alike in a cell
_USUAL_RATE = 0.3  # mm/yr: standard deviation of a calibration that says nothing
_LEAST_NOISE = 0.1  # mm, of the mean of a cell, which weights are made from


class OrthoConfig(BaseModel):
    """How cells are made and solved."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    crs: str | None = Field(None, description="projected CRS; EPSG:3035 in Europe and a UTM zone elsewhere if null")
    cell: float = Field(100.0, gt=0, description="side of a cell, m")
    tile: float = Field(100_000.0, gt=0, description="side of a tile, m; a whole number of cells")
    origin: datetime.date = Field(datetime.date(2014, 4, 3), description="a date of the common grid of dates")
    step: int = Field(6, ge=1, description="days between its dates")
    longest_gap: int = Field(90, ge=1, description="days between two dates of a track that are bridged")
    least_angle: float = Field(
        20.0, gt=0, lt=90, description="least angle between looks, in the plane of east and up, degrees"
    )
    rate_sigma: float | None = Field(
        None,
        ge=0,
        description="standard deviation of the calibration of a track, mm/yr, to which the noise of its series is "
        "added; if null, what its points say, or 0.3 if they do not",
    )
    reference_sigma: tuple[float, float] | None = Field(
        None,
        description="standard deviation, east and up, of the reference that all tracks share, mm/yr; if null, what the "
        "point sets say, or 0.1 and 0.25 if they do not",
    )


class Track(NamedTuple):
    """Point sets with one look and the same dates."""

    parts: tuple[PointParts, ...]
    days: np.ndarray  # datetime64[D] (time,)
    north: bool  # whether the north motion is still in it
    stated: bool = False  # whether its points say how well their calibration is known, and it is to be read


@dataclass(frozen=True)
class OrthoTile:
    """The step that the engine runs over tiles; a tile's box is in cells from the origin of the CRS, rows northward.

    It returns `east`, `north` (m, of cell centres), `height` (m), `displacement` (2, n, time) in mm, east and up,
    `velocity`, `velocity_covariance` (n, 3) in mm/yr: of east, of up, between; `displacement_covariance` in mm² of one
    date, `points` (n,) and `gnss` (n, 3), mm/yr.
    """

    tracks: tuple[Track, ...]
    dates: np.ndarray  # datetime64[D] (time,), the common grid
    crs: str
    config: OrthoConfig
    model: VelocityField | None
    reference: tuple[float, float] = (0.0, 0.0)  # mm/yr: standard deviation, east and up, of what all tracks share

    def __call__(self, tile: Tile) -> dict[str, np.ndarray]:
        """Solve one tile."""
        shape = tile.box.shape
        counts, looks, heights, calibration = self._geometry(tile)
        apart = np.zeros(counts.shape[1])
        for one in range(len(looks)):
            for other in range(one):
                cross = looks[one, 0] * looks[other, 2] - looks[one, 2] * looks[other, 0]
                apart += np.where((counts[one] > 0) & (counts[other] > 0), cross**2, 0)
        kept = np.flatnonzero(apart >= self._least)
        rows = np.full(counts.shape[1], -1, np.int32)
        rows[kept] = np.arange(len(kept))
        east = (tile.box.left + kept % shape[1] + 0.5) * self.config.cell
        north = (tile.box.top + kept // shape[1] + 0.5) * self.config.cell
        gnss = self._gnss(east, north)
        means = [
            self._means(track, tile, rows, points[kept]) for track, points in zip(self.tracks, counts, strict=True)
        ]
        solved = self._solve(means, counts[:, kept], looks[:, :, kept], calibration[:, kept], gnss)
        with np.errstate(invalid="ignore"):
            height = heights[kept] / counts[:, kept].sum(axis=0)
        return {
            "east": east, "north": north, "height": height, "points": counts[:, kept].sum(axis=0).astype(np.int32),
            "gnss": gnss.velocity, **solved,
        }  # fmt: skip

    @property
    def _least(self) -> float:
        return float(np.sin(np.radians(self.config.least_angle)) ** 2)

    def _geometry(self, tile: Tile) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Of all cells points (tracks, cells), mean looks (tracks, 3, cells), sums of heights (cells,) and the variance
        of the calibration of each track beside what all share (tracks, cells), (mm/yr)²."""
        cells = tile.box.shape[0] * tile.box.shape[1]
        counts, looks, heights = np.zeros((len(self.tracks), cells)), np.zeros((len(self.tracks), 3, cells)), 0.0
        usual = _USUAL_RATE if self.config.rate_sigma is None else self.config.rate_sigma
        calibration = np.full((len(self.tracks), cells), usual**2)
        for number, track in enumerate(self.tracks):
            sums, known = np.zeros((2, cells))
            for table, at in self._batches(track, tile, (*_LOOK, "height", *(STATED if track.stated else ()))):
                inside = at >= 0
                counts[number] += np.bincount(at[inside], minlength=cells)
                for part, name in enumerate(_LOOK):
                    looks[number, part] += np.bincount(at[inside], table[name].to_numpy()[inside], cells)
                heights = heights + np.bincount(at[inside], table["height"].to_numpy()[inside], cells)
                if track.stated:
                    absolute, noise = (table[name].to_numpy() for name in STATED)
                    inside &= np.isfinite(absolute)
                    known += np.bincount(at[inside], minlength=cells)
                    sums += np.bincount(at[inside], (absolute**2 - noise**2)[inside], cells)
            if track.stated:
                look = looks[number, [0, 2]] / np.maximum(counts[number], 1)
                own = sums / np.maximum(known, 1) - np.square(self.reference) @ look**2
                calibration[number] = np.where(known > 0, np.maximum(own, 0), calibration[number])
        return counts, looks / np.maximum(counts, 1)[:, None], heights + np.zeros(cells), calibration

    def _batches(self, track: Track, tile: Tile, columns: tuple[str, ...]) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Tables of points, and the number of each one's cell in the tile, row by row; -1 outside."""
        size, box = self.config.cell, tile.box
        bounds = tuple(each * size for each in (box.left, box.top, box.right, box.bottom))
        for parts in track.parts:
            to_source, to_cells = _transforms(self.crs, parts)
            around = bounds if to_source is None else to_source.transform_bounds(*bounds)
            for table in point_batches(parts, around, ("easting", "northing", *columns)):
                x, y = table["easting"].to_numpy(), table["northing"].to_numpy()
                if to_cells is not None:
                    x, y = to_cells.transform(x, y)
                column, row = (
                    np.floor(each / size).astype(np.int64) - start for each, start in ((x, box.left), (y, box.top))
                )
                inside = (column >= 0) & (column < box.shape[1]) & (row >= 0) & (row < box.shape[0])
                yield table, np.where(inside, row * box.shape[1] + column, -1)

    def _gnss(self, east: np.ndarray, north: np.ndarray) -> Velocity:
        """The model at cells: linear between nodes 5 km apart, which are the same whatever the tile."""
        if self.model is None or not len(east):
            return Velocity(np.full((len(east), 3), np.nan), np.zeros((len(east), 3, 3)))
        axes = [
            np.arange(np.floor(each.min() / _NODE), np.ceil(each.max() / _NODE) + 1) * _NODE for each in (east, north)
        ]
        x, y = (each.ravel() for each in np.meshgrid(*axes, indexing="ij"))
        longitude, latitude = Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True).transform(x, y)
        found = self.model.at(latitude, longitude)
        both = np.column_stack([found.velocity, found.covariance.reshape(-1, 9)])
        at = interpn(axes, both.reshape(*map(len, axes), 12), np.column_stack([east, north]))
        return Velocity(at[:, :3], at[:, 3:].reshape(-1, 3, 3))

    def _means(self, track: Track, tile: Tile, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Mean series of a track in each kept cell, which has so many `points`, float32 (cells, time)."""
        sums = np.zeros((len(points), len(track.days)), np.float32)
        counts = np.zeros(sums.shape, np.uint16 if points.max(initial=0) < 2**16 else np.uint32)
        for table, at in self._batches(track, tile, ("displacement",)):
            cells = np.where(at >= 0, rows[at], -1).astype(np.int32)
            if (cells >= 0).any():
                add_series(series(table), cells, sums, counts)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.divide(sums, counts, out=sums)

    def _solve(
        self, means: list[np.ndarray], counts: np.ndarray, looks: np.ndarray, calibration: np.ndarray, gnss: Velocity
    ) -> dict[str, np.ndarray]:
        """East and up of all kept cells, block by block."""
        count = counts.shape[1]
        out = {
            "displacement": np.full((2, count, len(self.dates)), np.nan, np.float32),
            "velocity": np.full((count, 2), np.nan),
            "velocity_covariance": np.full((count, 3), np.nan),
            "displacement_covariance": np.full((count, 3), np.nan),
        }
        wanted, reference = self.dates.astype(float), np.square(self.reference)
        for start in range(0, count, _BLOCK):
            part = slice(start, start + _BLOCK)
            noise, rate = self._noise([each[part] for each in means], counts[:, part])
            across, up = looks[:, 0, part], looks[:, 2, part]
            solution = solve_looks(across, up, noise**2)
            raster = np.stack(
                [
                    bridged(mean[part], track.days.astype(float), wanted, float(self.config.longest_gap))
                    for mean, track in zip(means, self.tracks, strict=True)
                ]
            )
            weight = np.where(np.isfinite(noise), 1 / np.where(np.isfinite(noise), noise, 1) ** 2, 0.0)
            self._take_off_north(raster, looks[:, 1, part], gnss.velocity[part])
            level_series(raster, weight > 0)
            block = np.empty((2, raster.shape[1], len(wanted)), np.float32)
            combine_looks(raster, across, up, weight, solution.gain, self._least, block)
            fields = [series_fields(each, wanted) for each in block]
            out["displacement"][:, part] = block - np.stack([each.first for each in fields])[..., None]
            out["velocity"][part] = np.stack([each.mean_velocity for each in fields], axis=1)
            out["displacement_covariance"][part] = solution.covariance.T
            spread = np.where(weight > 0, rate**2 + calibration[:, part], 0.0)
            gain = np.nan_to_num(solution.gain)
            north = np.array([[track.north] for track in self.tracks]) * looks[:, 1, part]
            common = (gain * north).sum(axis=1) * np.sqrt(gnss.covariance[part, 1, 1])
            out["velocity_covariance"][part] = np.stack(
                [
                    (gain[i] * gain[j] * spread).sum(axis=0) + common[i] * common[j] + shared
                    for i, j, shared in ((0, 0, reference[0]), (1, 1, reference[1]), (0, 1, 0.0))
                ],
                axis=1,
            )
        return out

    def _noise(self, means: list[np.ndarray], counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Standard deviation of one date of the mean series (mm) and of its rate (mm/yr), (tracks, n); NaN unseen.

        Series too short for it get what the others of their track have.
        """
        fields = [series_fields(mean, track.days.astype(float)) for mean, track in zip(means, self.tracks, strict=True)]
        found = []
        for name, least in (("rmse", _LEAST_NOISE), ("mean_velocity_std", 0.0)):
            values = np.stack([getattr(each, name) for each in fields])
            typical = [np.median(each[np.isfinite(each)]) if np.isfinite(each).any() else 1.0 for each in values]
            values = np.where(np.isfinite(values), np.maximum(values, least), np.reshape(typical, (-1, 1)))
            found.append(np.where(counts > 0, values, np.nan))
        return found[0], found[1]

    def _take_off_north(self, raster: np.ndarray, look: np.ndarray, gnss: np.ndarray) -> None:
        """Subtract the model's north motion along the looks (tracks, n), in place."""
        years = ((self.dates - self.dates[0]) / np.timedelta64(1, "D") / YEAR).astype(np.float32)
        for number, track in enumerate(self.tracks):
            if track.north:
                raster[number] -= (look[number] * gnss[:, 1]).astype(np.float32)[:, None] * years


def _transforms(crs: str, parts: PointParts) -> tuple[Transformer | None, Transformer | None]:
    if parts.header.crs.equals(crs, ignore_axis_order=True):
        return None, None
    return tuple(
        Transformer.from_crs(*pair, always_xy=True) for pair in ((crs, parts.header.crs), (parts.header.crs, crs))
    )
