"""How a file is understood, in a few lines of plain text."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from groundshift.errors import ContractError, InputError
from groundshift.grid.tiles import tile_plan
from groundshift.io.convert import read_parts
from groundshift.io.egms import holds_table, read_egms
from groundshift.io.features import read_features
from groundshift.io.gnss.files import read_gnss
from groundshift.io.images.open import open_image
from groundshift.io.images.pixels import Image
from groundshift.io.maps import read_map
from groundshift.io.points import read_points
from groundshift.io.rasters import open_raster
from groundshift.io.stacks import LAYOUTS, open_any_stack
from groundshift.io.store import PointStore
from groundshift.io.store.manifest import NAME as MANIFEST
from groundshift.model import points, stations
from groundshift.model.displacement import describe
from groundshift.model.radar_stack import describe_stack
from groundshift.model.reason import Reason
from groundshift.model.velocity_grid import VelocityGrid, describe_grid

_STATIONS = (".csv", ".tenv3", ".pos", ".snx", ".txt", ".xz", ".gz")

_VECTORS = (".gpkg", ".geojson", ".json", ".shp", ".fgb", ".osm", ".pbf", ".kml")

_BLOCK = 2048  # pixels


def describe_file(
    path: str | Path, *, band: int | str | None = None, crs: str | None = None, frame: str | None = None
) -> str:
    """Points, a store of them, a radar stack, stations, a displacement map that groundshift wrote, features, or one
    band of an image, described.

    Raises
    ------
    InputError
        As whatever opens such a file.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".parquet":
        return points.describe(read_points(path))
    if holds_table(Path(path)):
        return points.describe(read_egms(path))
    if suffix in _VECTORS and Path(path).is_file():
        return _describe_vectors(Path(path))
    if suffix in _STATIONS:
        found = read_gnss(path, frame=frame)
        return describe_grid(found) if isinstance(found, VelocityGrid) else stations.describe(found)
    if (Path(path) / MANIFEST).is_file():
        return _describe_store(PointStore(path))
    if any(layout.matches(Path(path)) for name, layout in LAYOUTS.items() if name != "geotiff"):
        return describe_stack(open_any_stack(path))
    if Path(path).is_file() and Path(path).suffix.lower() in (".tif", ".tiff"):
        with open_raster(str(path)) as dataset:
            is_map = "reason" in dataset.descriptions
        if is_map:
            return describe(read_map(path))
    try:
        return _describe_image(open_image(str(path), band=band, crs=crs))
    except InputError as error:
        if not Path(path).is_dir():
            raise
        raise InputError(f"{path} is a folder of no known kind; give one of its files, a stack or a product") from error


def _describe_store(store: PointStore) -> str:
    """What is in a store of points whose files are all there and whole."""
    manifest, count = store.manifest, store.check()
    lines = [
        f"store of {count} points in {len({part.tile for part in manifest.parts})} tiles of 100 km, "
        f"{manifest.crs or 'no CRS yet'}, change {manifest.generation}; its files are whole"
    ]
    for name, record in sorted(manifest.sets.items()):
        points = sum(part.points for part in manifest.parts if part.set == name)
        when = f"{len(record.dates)} dates from {record.dates[0]} to {record.dates[-1]}" if record.dates else "no dates"
        lines.append(f"{name}: {record.level}, {record.component}, {points} points, {when}")
    return "\n".join(lines)


def _describe_vectors(path: Path) -> str:
    """Points that `convert` wrote, or other features."""
    try:
        return points.describe(pa.concat_tables(read_parts(path)))
    except (InputError, ContractError):
        found = read_features(path)
    kinds = Counter(each.geom_type for each in found.geometry)
    return "\n".join(
        [
            f"features: {', '.join(f'{count} {kind}' for kind, count in kinds.most_common())}, {found.crs.name}",
            f"attributes: {', '.join(found.attributes.column_names) or 'none'}",
        ]
    )


def _describe_image(image: Image) -> str:
    rows, cols = image.grid.shape
    counts = np.zeros(256, np.int64)
    low, high = np.inf, -np.inf
    side = "degrees" if image.grid.crs.geographic else "m"
    for tile in tile_plan((rows, cols), _BLOCK):
        values, reason = image.read(tile.box)
        counts += np.bincount(reason.ravel(), minlength=256)
        if np.isfinite(values).any():
            low, high = min(low, np.nanmin(values)), max(high, np.nanmax(values))
    shares = [f"{100 * counts[code] / (rows * cols):.1f} % {Reason(code).meaning}" for code in np.flatnonzero(counts)]
    return "\n".join(
        [
            f"image {image.name}, {rows} x {cols} pixels of {abs(image.grid.affine.a):g} {side}, {image.grid.crs}",
            f"date: {'unknown' if np.isnat(image.date) else image.date}",
            f"values from {low:g} to {high:g}",
            f"pixels: {', '.join(shares)}",
        ]
    )
