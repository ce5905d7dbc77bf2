"""What an Ortho leaves behind: point sets of tiles, their velocities as GeoTIFF, a map of velocities, a picture."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from affine import Affine
from odc.geo.geobox import GeoBox

from groundshift.engine import TileStore
from groundshift.figures.ortho import Example
from groundshift.grid.tiles import Box, Tile
from groundshift.io.convert.raster import write_egms_tile
from groundshift.io.egms import write_zip_of
from groundshift.io.maps import write_map
from groundshift.io.points import write_points
from groundshift.kernels.point_codes import cell_codes
from groundshift.kernels.series_fields import series_fields
from groundshift.model.points import point_set
from groundshift.model.reason import Reason
from groundshift.products.ortho.plan import OrthoPlan, frame_of
from groundshift.products.ortho.tile import FIELDS

COMPONENTS = ("E", "U")
_CELL, _TILE = 100.0, 100_000.0  # m, of EGMS
_NO_CELLS = {
    "east": np.empty(0), "north": np.empty(0), "velocity": np.empty((0, 2)), "velocity_covariance": np.empty((0, 3))
}  # fmt: skip


def frames(plan: OrthoPlan) -> Iterator[tuple[str, list[Tile]]]:
    """Names of the tiles of 100 km, and the bands that each is made of, from south to north."""
    for name, bands in itertools.groupby(plan.tiles, lambda tile: frame_of(tile, plan.step.config)):
        yield name, list(bands)


def band_table(
    plan: OrthoPlan, cells: Mapping[str, np.ndarray], frame: str, component: str, producer: str = "undefined"
) -> pa.Table:
    """The L3 point set of one component of the cells of a band."""
    step, number = plan.step, COMPONENTS.index(component)
    displacement = cells["displacement"][number]
    fields = series_fields(displacement, step.dates.astype(float))
    columns = {
        "pid": cell_codes(cells["east"], cells["north"], producer=producer),
        "easting": cells["east"], "northing": cells["north"], "height": cells["height"],
        **{name: getattr(fields, name) for name in FIELDS}, "displacement": displacement,
    }  # fmt: skip
    if step.model is not None:
        columns |= {f"gnss_velocity_{letter}": cells["gnss"][:, k] for k, letter in enumerate("enu")}
    return point_set(
        columns, level="L3", component=component, dates=step.dates, crs=step.crs, frame=frame,
        provenance=plan.provenance,
    )  # fmt: skip


@dataclass
class Seen:
    """What is drawn of a tile: the velocities of all cells, and the series of those that move most and least."""

    frame: str
    places: list[np.ndarray] = field(default_factory=list)  # (2, n): east and north, m
    velocities: dict[str, list[np.ndarray]] = field(default_factory=lambda: {name: [] for name in COMPONENTS})
    examples: dict[str, Example] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Cells."""
        return sum(each.shape[1] for each in self.places)

    def look(self, plan: OrthoPlan, cells: Mapping[str, np.ndarray], table: pa.Table, component: str) -> None:
        """Take note of a band."""
        values = table["mean_velocity"].to_numpy()
        self.velocities[component].append(values)
        if component == COMPONENTS[0]:
            self.places.append(np.stack([cells["east"], cells["north"]]))
        finite = np.flatnonzero(np.isfinite(values))
        for way, sign in (("least", -1), ("most", 1)):
            if finite.size:
                row = finite[np.argmax(sign * values[finite])]
                name, value = f"{way} {'east' if component == 'E' else 'up'}", float(values[row])
                if name not in self.examples or sign * value > sign * self.examples[name].velocity:
                    self.examples[name] = Example(
                        table["pid"][int(row)].as_py(), value, cells["displacement"][:, row].copy(), plan.step.dates
                    )


def write_frame(
    out: Path, plan: OrthoPlan, store: TileStore, frame: str, bands: Sequence[Tile], producer: str
) -> tuple[dict[str, Path], list[Path], Seen]:
    """Write the point sets, velocities and zips of EGMS of a tile, band by band; nothing if it has no cells."""
    seen, written, zips = Seen(frame), {}, []

    def tables(component: str) -> Iterator[pa.Table]:
        for band in bands:
            cells = store.read(band.index)
            if len(cells["east"]):
                table = band_table(plan, cells, frame, component, producer)
                seen.look(plan, cells, table, component)
                yield table

    for component in COMPONENTS:
        parts = tables(component)
        first = next(parts, None)
        if first is None:
            break
        written[component] = out / f"L3_{frame}_{component}.parquet"
        write_points(written[component], itertools.chain([first], parts))
        config = plan.step.config
        if (config.cell, config.tile) == (_CELL, _TILE) and (made := write_zip_of(written[component], out)):
            zips.append(made)
        write_egms_tile(
            written[component].with_suffix(".tiff"), *np.concatenate(seen.places, axis=1),
            np.concatenate(seen.velocities[component]), crs=plan.step.crs, cell=config.cell, tile=config.tile,
        )  # fmt: skip
    return written, zips, seen


def write_velocity(path: Path, plan: OrthoPlan, store: TileStore) -> dict[str, Any]:
    """Write the map of velocities, of the extent of the cells; returns numbers for the report."""
    config, numbers = plan.step.config, []
    extent = np.array([np.inf, np.inf, -np.inf, -np.inf])
    for band in plan.tiles:
        cells = store.read(band.index)
        if len(cells["east"]):
            places = np.stack([cells["east"], cells["north"]])
            extent = np.concatenate([np.minimum(extent[:2], places.min(1)), np.maximum(extent[2:], places.max(1))])
            numbers.append([len(places.T), cells["points"].sum()])
    west, south, east, north = (np.floor(extent / config.cell)).astype(int)
    size = config.cell
    grid = GeoBox(
        (int(north - south + 1), int(east - west + 1)),
        Affine(size, 0, west * size, 0, -size, (north + 1) * size),
        plan.step.crs,
    )
    attributes = {
        "date_pre": str(plan.step.dates[0]), "date_post": str(plan.step.dates[-1]), "method": "ortho",
        "source_pre": ", ".join(plan.provenance["sources"]), "source_post": ", ".join(plan.provenance["sources"]),
        "quantity": "velocity", "north": plan.provenance["north"],
        "software": plan.provenance["software"], "configuration_hash": plan.key,
    }  # fmt: skip
    blocks = (_velocity_block(plan, store, tile, grid, int(north), int(west)) for tile in _covering(plan, extent))
    write_map(path, grid, (each for each in blocks if each is not None), attributes=attributes)
    cells, points = np.sum(numbers, axis=0)
    return {"cells": int(cells), "points": int(points), "dates": len(plan.step.dates)}


def _covering(plan: OrthoPlan, extent: np.ndarray) -> Iterator[Tile]:
    """Bands of all tiles within an extent; tiles without points have the index -1."""
    config = plan.step.config
    side = round(config.tile / config.cell)
    known = {(tile.box.top // side, tile.box.left // side): [] for tile in plan.tiles}
    for tile in plan.tiles:
        known[tile.box.top // side, tile.box.left // side].append(tile)
    west, south, east, north = np.floor(extent / config.tile).astype(int)
    for row, column in itertools.product(range(south, north + 1), range(west, east + 1)):
        empty = Tile(-1, Box(row * side, column * side, (row + 1) * side, (column + 1) * side))
        yield from known.get((row, column), [empty])


def _velocity_block(
    plan: OrthoPlan, store: TileStore, tile: Tile, grid: GeoBox, north: int, west: int
) -> tuple[Box, dict[str, np.ndarray]] | None:
    """The part of the map in one band, m/yr; rows of the map run south. None outside the map."""
    own, (height, width) = tile.box, grid.shape
    box = Box(
        max(north + 1 - own.bottom, 0), max(own.left - west, 0),
        min(north + 1 - own.top, height), min(own.right - west, width),
    )  # fmt: skip
    if box.bottom <= box.top or box.right <= box.left:
        return None
    cells = store.read(tile.index) if tile.index >= 0 else _NO_CELLS
    row = north - np.floor(cells["north"] / plan.step.config.cell).astype(int) - box.top
    column = np.floor(cells["east"] / plan.step.config.cell).astype(int) - west - box.left
    covariance = cells["velocity_covariance"]
    with np.errstate(invalid="ignore"):
        values = {
            "east": cells["velocity"][:, 0], "up": cells["velocity"][:, 1],
            "east_sigma": np.sqrt(covariance[:, 0]), "up_sigma": np.sqrt(covariance[:, 1]),
        }  # fmt: skip
    known = np.isfinite(np.stack(list(values.values()))).all(axis=0)
    layers = {name: np.full(box.shape, np.nan, np.float32) for name in (*values, "east_up_covariance", "quality")}
    row, column = row[known], column[known]
    for name, each in values.items():
        layers[name][row, column] = each[known] / 1000
    layers["east_up_covariance"][row, column] = covariance[known, 2] / 1e6
    layers["quality"][row, column] = 1.0
    layers["reason"] = np.full(box.shape, Reason.NO_DATA, np.uint8)
    layers["reason"][row, column] = Reason.VALID
    return box, layers
