"""Points of finished tiles: one tile at a time as a table, and what is said of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import xarray as xr

from groundshift.engine import TileStore
from groundshift.errors import RunError
from groundshift.grid.tiles import Tile
from groundshift.insar.basic_config import BasicConfig
from groundshift.insar.motion.series import DisplacementSeries
from groundshift.insar.points import basic_points
from groundshift.insar.stack.geometry import StackGeometry
from groundshift.insar.stack.places import pixel_area
from groundshift.io.geoid import Geoid
from groundshift.model.radar_stack import LAYERS

SAMPLE = 100_000
"""Points, at most, that medians and pictures are of."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio


class PointPart(NamedTuple):
    """Points of one tile, by their lines and pixels."""

    table: pa.Table  # level L2a, as :mod:`groundshift.model.points`
    series: DisplacementSeries  # the same series with the sigmas that hold
    rows: np.ndarray  # int (n,): place in the arrays of the stack
    columns: np.ndarray


@dataclass(frozen=True)
class Measured:
    """A stack that was measured, whose points lie in stores of finished tiles."""

    stack: xr.Dataset
    config: BasicConfig
    geometry: StackGeometry
    tiles: Sequence[Tile]
    stores: Sequence[TileStore]  # what a later one has replaces what an earlier one has
    software: str
    geoid: Geoid | None
    report: dict[str, Any]  # numbers of the run, but for those of its points

    def parts(self) -> Iterator[PointPart]:
        """Points of one tile after the other; a tile without points is left out. RunError if all are."""
        area = pixel_area(self.stack)
        provenance = {
            "source": self.stack.attrs["source"], "software": self.software,
            "config": self.config.model_dump(mode="json"),
            "reference_date": str(self.report["reference_date"]),
            **({} if self.geoid is None else {"geoid": self.geoid.name}),
        }  # fmt: skip
        empty = True
        for tile in self.tiles:
            found = {name: each for store in self.stores for name, each in store.read(tile.index).items()}
            if not len(found["rows"]):
                continue
            empty = False
            order = np.lexsort((found["columns"], found["rows"]))
            found = {name: each[..., order] for name, each in found.items()}
            table = basic_points(
                self.stack, {name: found[f"layer_{name}"] for name in LAYERS}, self.geometry, rows=found["rows"],
                columns=found["columns"], displacement=found["displacement"], height_error=found["height"],
                dispersion=found["dispersion"], cluster=found["cluster"], area=found["neighbours"] * area,
                crs=self.config.crs, producer=self.config.producer, geoid=self.geoid, provenance=provenance,
            )  # fmt: skip
            series = DisplacementSeries(*(found[name] for name in DisplacementSeries._fields))
            yield PointPart(table, series, found["rows"], found["columns"])
        if empty:
            raise RunError("no pixel holds against the network as noise would not; give more images")


class Summary:
    """Counts of all points that pass by, and a sample of them that does not depend on their order.

    Parameters
    ----------
    width
        Columns of the stack.
    most
        Points that are kept. Each pixel has a number of its own, as good as random; those with the smallest are kept.
    """

    def __init__(self, width: int, *, most: int = SAMPLE) -> None:
        self.points = self.distributed = 0
        self._width, self._most = width, most
        self._clusters = np.zeros(0, int)
        self._tables: list[pa.Table] = []
        self._numbers, self._sigmas = np.zeros(0, np.int64), np.zeros((0, 3))

    def seen(self, part: PointPart) -> pa.Table:
        """Count a part; gives its table."""
        table, series = part.table, part.series
        self.points += len(table)
        self.distributed += int(np.count_nonzero(table["mp_type"].to_numpy()))
        clusters = np.bincount(table["cluster_label"].to_numpy(), minlength=len(self._clusters))
        clusters[: len(self._clusters)] += self._clusters
        self._clusters = clusters
        sigmas = np.nanmedian(series.displacement_sigma, axis=0), series.velocity_sigma, series.height_sigma
        self._tables.append(table)
        self._numbers = np.append(self._numbers, part.rows * self._width + part.columns)
        self._sigmas = np.vstack([self._sigmas, np.column_stack(sigmas)])
        if len(self._numbers) > 2 * self._most:
            self._thin()
        return table

    def sample(self) -> pa.Table:
        """The points that are kept."""
        self._thin()
        return self._tables[0]

    def report(self) -> dict[str, Any]:
        """What is said of the points; medians and percentiles are those of the sample."""
        velocity = self.sample()["mean_velocity"].to_numpy()
        places = 2.5, 50, 97.5
        return {
            "points": self.points,
            "points_distributed": self.distributed,
            "clusters": self._clusters,
            "sample": len(velocity),
            "velocity_mm_per_year": dict(
                zip(("p2.5", "median", "p97.5"), np.percentile(velocity, places), strict=True)
            ),
            "median_sigma": dict(
                zip(("displacement_mm", "velocity_mm_per_year", "height_m"), np.median(self._sigmas, 0), strict=True)
            ),
        }

    def _thin(self) -> None:
        """Only the sample of the points so far, in the order in which they came."""
        table = pa.concat_tables(self._tables)
        if len(table) > self._most:
            kept = thinned(self._numbers, self._most)
            table, self._numbers, self._sigmas = table.take(kept), self._numbers[kept], self._sigmas[kept]
        self._tables = [table.combine_chunks()]


def said_of(report: dict[str, Any]) -> str:
    """A few lines of plain text of what :func:`~groundshift.insar.basic.make_basic` found."""
    velocity, sigma = report["velocity_mm_per_year"], report["median_sigma"]
    return (
        f"point set L2a (Basic), LOS, {report['points']} points, {report['points_distributed']} of them distributed, "
        f"{report['dates']} dates from {report['first_date']} to {report['last_date']}\n"
        f"mean velocity: median {velocity['median']:.2f} mm/yr, 95 % between {velocity['p2.5']:.2f} and "
        f"{velocity['p97.5']:.2f} mm/yr\n"
        f"median sigma: velocity {sigma['velocity_mm_per_year']:.2f} mm/yr, displacement "
        f"{sigma['displacement_mm']:.2f} mm, height {sigma['height_m']:.2f} m"
    )


def thinned(numbers: np.ndarray, most: int) -> np.ndarray:
    """Places, ascending, of a sample of whole numbers that does not depend on their order; all if there are no more."""
    if len(numbers) <= most:
        return np.arange(len(numbers))
    return np.sort(np.argpartition(_lots(numbers), most)[:most])


def _lots(numbers: np.ndarray) -> np.ndarray:
    """A number of 64 bits for each whole number, no two the same, by multiplying and shifting (Knuth, volume 3)."""
    lots = numbers.astype(np.uint64) * _GOLDEN
    return (lots ^ (lots >> np.uint64(32))) * _GOLDEN
