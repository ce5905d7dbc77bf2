"""What the explorer shows: sources on disk, opened as layers."""

from __future__ import annotations

import logging
import re
import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from groundshift.errors import GroundshiftError, InputError
from groundshift.explore.assets import assess_tracks
from groundshift.explore.ingestion import ingest
from groundshift.explore.points import PointLayer, open_layers
from groundshift.explore.rasters import ImageLayer, MapLayer
from groundshift.explore.relief import ReliefLayer
from groundshift.explore.vectors import FeatureLayer, StationLayer
from groundshift.io.egms import holds_table
from groundshift.io.store import without_copies
from groundshift.io.store.manifest import NAME
from groundshift.io.web import open_web_raster
from groundshift.products.assets.assess import MAP_NAME, SPANS_NAME

log = logging.getLogger(__name__)

Layer = PointLayer | MapLayer | ImageLayer | FeatureLayer | StationLayer | ReliefLayer

_RASTERS = (".tif", ".tiff", ".vrt", ".jp2")
_VECTORS = (".geojson", ".json", ".gpkg", ".fgb", ".shp")
_ASSESSED = MAP_NAME, SPANS_NAME  # what a folder of `groundshift assets` shows
_GEOJSON, _HEAD = re.compile(rb'"(Feature|FeatureCollection|coordinates)"'), 4096  # bytes
_TABLES = (".csv", ".gz", ".xz")


@dataclass(frozen=True)
class Catalog:
    """Layers by name, in the order of drawing."""

    layers: dict[str, Layer]
    titles: dict[str, str]
    scratch: tempfile.TemporaryDirectory | None = field(default=None, repr=False)  # goes with the catalog
    said: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)  # of each layer, when it was last read

    def describe(self) -> list[dict[str, Any]]:
        """What the page needs to know of all layers; stores and files that have changed are looked at again.

        What cannot be read any more is told as it was, with a warning.
        """
        for store in {
            id(each.store): each.store for each in self.layers.values() if isinstance(each, PointLayer)
        }.values():
            try:
                store.refresh()
            except GroundshiftError as error:
                log.warning("%s is shown as it was: %s", store.root, error)
        for name, layer in self.layers.items():
            try:
                self.said[name] = layer.describe() | {"title": self.titles[name]}
            except (GroundshiftError, OSError) as error:
                if name not in self.said:
                    raise
                log.warning("layer %s is told as it was: %s", name, error)
        return [self.said[name] for name in self.layers]

    def close(self) -> None:
        """Remove what was written for it."""
        if self.scratch is not None:
            self.scratch.cleanup()


def open_catalog(
    paths: Iterable[str | Path],
    *,
    frame: str | None = None,
    assets: str | Path | None = None,
    vertical: bool = False,
    relief: str | Path | None = None,
) -> Catalog:
    """Open stores, point files, displacement maps, images, stations, lines and areas.

    Files with points that are in no store are brought into one in a temporary folder first. `frame` is that of the
    velocities of stations whose file does not say it. `assets` are roads, railways, bridges, buildings and dams whose
    every span or segment is assessed with the points in files; `vertical` takes motion along the line of sight for
    vertical then. `relief` is a raster of heights in metres, drawn as a hillshade below everything else.

    Raises
    ------
    InputError
        If a source does not exist or is of no known kind, or there is none.
    """
    found: list[tuple[str, Path]] = [each for path in paths for each in _sorted_out(Path(path))]
    if not found:
        raise InputError(
            "nothing to show was given; pass a store, points, displacement maps, images, stations or lines"
        )
    layers: dict[str, Layer] = {}
    titles: dict[str, str] = {}

    def add(layer: Layer, title: str) -> None:
        layers[layer.name], titles[layer.name] = layer, title

    stems = Counter(path.stem for _, path in found)

    def titled(path: Path) -> str:
        return path.stem if stems[path.stem] == 1 else f"{path.resolve().parent.name} {path.stem}"

    files = [path for kind, path in found if kind == "points"]
    scratch = tempfile.TemporaryDirectory(prefix="groundshift-", ignore_cleanup_errors=True) if files else None
    with ExitStack() as undo:
        if scratch is not None:
            undo.callback(scratch.cleanup)
        stores = [(path.resolve().name, path) for kind, path in found if kind == "store"]
        if scratch is not None:
            ingest(files, Path(scratch.name) / "store", executor="serial" if len(files) < 4 else "processes")
            stores.append(("points", Path(scratch.name) / "store"))
        for kind, path in found:
            name = _free(path.name.split(".")[0], layers)
            if kind == "raster":
                raster = open_web_raster(path)
                add(MapLayer(name, raster) if raster.is_map else ImageLayer(name, raster), titled(path))
            elif kind == "features":
                add(FeatureLayer(name, path), titled(path))
            elif kind == "stations":
                add(StationLayer(name, path, frame), path.name.split(".")[0])
        if assets is not None:
            for title, segments in assess_tracks(files, Path(assets), vertical=vertical).items():
                add(FeatureLayer(_free(title, layers), segments), title)
        for title, root in stores:
            for layer in open_layers(root, _free(title, layers)):
                add(layer, title)
        if not layers:
            raise InputError(
                f"there are no points in {', '.join(path.name for _, path in found)}; nothing can be shown"
            )
        if relief is not None:
            name = _free(Path(relief).name.split(".")[0], layers)
            add(ReliefLayer(name, open_web_raster(relief)), Path(relief).stem)
        catalog = Catalog(layers, titles, scratch)
        catalog.describe()
        undo.pop_all()
    return catalog


def _sorted_out(path: Path) -> list[tuple[str, Path]]:
    """Kind and path of a source, or of the files of a folder."""
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path")
    if path.is_dir():
        if (path / NAME).is_file():
            return [("store", path)]
        if all((path / name).is_file() for name in _ASSESSED):
            return [("features", path / name) for name in _ASSESSED]
        files = without_copies(sorted(each for each in path.iterdir() if each.is_file() and not _aside(each)))
        known = [(kind, each) for each in files if (kind := _kind(each)) is not None]
        if not known:
            raise InputError(f"{path} is neither a store nor a folder with points, maps, images, stations or lines")
        return known
    kind = _kind(path)
    if kind is None:
        raise InputError(f"{path} is of no known kind; expected a store, .zip, .parquet, .tif, .geojson, .gpkg or .csv")
    return [(kind, path)]


def _aside(path: Path) -> bool:
    """Whether a file in a folder is there for another purpose, such as the record of a command."""
    if path.name.startswith("."):
        return True
    if path.suffix.lower() != ".json":
        return False
    with path.open("rb") as text:
        return _GEOJSON.search(text.read(_HEAD)) is None


def _kind(path: Path) -> str | None:
    suffix = path.suffix.lower()
    if suffix in _RASTERS:
        return "raster"
    if suffix in _VECTORS:
        return "features"
    if suffix == ".parquet":
        try:
            return "points" if b"groundshift" in (pq.read_schema(path).metadata or {}) else "features"
        except (OSError, pa.ArrowInvalid) as error:
            raise InputError(f"{path} cannot be read as Parquet ({error}): write it again") from error
    if suffix == ".zip" or (suffix == ".csv" and (path.name.upper().startswith("EGMS") or holds_table(path))):
        return "points"
    return "stations" if suffix in _TABLES and ".csv" in path.name.lower() else None


def _free(text: str, layers: dict[str, Layer]) -> str:
    """A name for a layer: letters, digits, - and _ only, and of no other layer."""
    name = wanted = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-") or "layer"
    number = 1
    while any(each == name or each.startswith(f"{name}-L") for each in layers):
        number += 1
        name = f"{wanted}-{number}"
    return name
