"""The explorer without a server: a folder that opens by a double click, and that any web server can host.

Data are scripts that hand over what they hold in base 64: a page opened from disk may read nothing else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from groundshift.errors import InputError
from groundshift.explore.catalog import Layer, open_catalog
from groundshift.explore.mercator import to_centimetres
from groundshift.explore.points import PointLayer
from groundshift.explore.rasters import ImageLayer, MapLayer
from groundshift.explore.records import point_record
from groundshift.explore.relief import ReliefLayer
from groundshift.explore.server import PAGE, catalog_record
from groundshift.explore.tiles import TILE_POINTS
from groundshift.io.files import atomic_folder, check_new, jsonable
from groundshift.io.store.encode import CELL_ZOOM, HALF_WORLD
from groundshift.io.store.read import Point

MAX_POINTS = 2_000_000
CHUNK = 256  # points of a file of series
_MAP_ZOOM = 16
_PICTURE = 256  # pixels of a side


def export_page(
    sources: Iterable[str | Path], out: str | Path, *, title: str = "groundshift", basemap: str | None = None,
    credit: str | None = None, frame: str | None = None, assets: str | Path | None = None, vertical: bool = False,
    relief: str | Path | None = None,
) -> int:  # fmt: skip
    """Write the page with all that it asks for: the whole folder or none. Areas, profiles and downloads need a server.

    Points are coloured by velocity, or by displacement between two months. Tiles go to the zoom at which each point is
    drawn. `index.html` in the folder opens in a browser by itself, or from any web server.

    Parameters
    ----------
    out
        A folder that is not there yet.
    sources, title, basemap, credit, frame, assets, vertical, relief
        See :func:`groundshift.explore.server.create_app`.

    Returns
    -------
    How many files were written.

    Raises
    ------
    InputError
        If a source cannot be opened, the folder is there already, or there are more than two million points.
    """
    check_new(out := Path(out))
    with closing(open_catalog(sources, frame=frame, assets=assets, vertical=vertical, relief=relief)) as catalog:
        record = catalog_record(catalog, {"basemap": basemap, "title": title, "credit": credit}, static=True)
        points = sum(layer.get("points", 0) for layer in record["layers"])
        if points > MAX_POINTS:
            raise InputError(f"the sources hold {points} points; an export takes {MAX_POINTS}: use groundshift explore")
        with atomic_folder(out) as folder:
            page = Writer(folder)
            page.copy()
            for entry in record["layers"]:
                _layer(catalog.layers[entry["id"]], entry, page)
            record["limits"]["chunk"] = CHUNK
            page.write("api/catalog.json", json.dumps(jsonable(record)).encode())
            return sum(each.is_file() for each in folder.rglob("*"))


@dataclass(frozen=True)
class Writer:
    """Files of an exported page, below its folder."""

    root: Path

    def copy(self) -> None:
        """Write the page itself, and its outlines of land."""
        for file in PAGE.rglob("*"):
            name = file.relative_to(PAGE).as_posix()
            if file.suffix == ".bin":
                self.write(name, file.read_bytes())
            elif file.is_file() and name != "source.sha256":
                content = file.read_bytes()
                new = self.root / name
                new.parent.mkdir(parents=True, exist_ok=True)
                new.write_bytes(
                    content.replace(b"<html", b"<html data-exported", 1) if name == "index.html" else content
                )

    def write(self, path: str, content: bytes) -> None:
        """Write what the page asks for at a path, in the way of `web/src/files.ts`."""
        file = self.root / f"{path}.js"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b'groundshift("%s","%s")' % (path.encode(), base64.b64encode(content)))


def _layer(layer: Layer, entry: dict, page: Writer) -> None:
    """Write a layer, and put into its entry of the catalog what a page without a server needs to know."""
    at = f"api/layers/{entry['id']}"
    if isinstance(layer, PointLayer):
        kept = ("mean_velocity", "displacement")
        entry["fields"] = {name: entry["fields"][name] for name in kept if name in entry["fields"]}
        entry["max_zoom"] = _point_tiles(layer, at, page)
        entry["parts"] = _series(layer, at, page)
    elif isinstance(layer, MapLayer | ImageLayer | ReliefLayer):
        entry["max_zoom"] = _pictures(layer, entry, at, page)
    else:
        page.write(f"{at}/features.geojson", layer.geojson())


def _point_tiles(layer: PointLayer, at: str, page: Writer) -> int:
    """Write the tiles that have points; return the zoom of the finest."""
    for z in range(CELL_ZOOM + 1):
        fullest = 0
        for x, y in layer.tiles_of(z):
            page.write(f"{at}/tiles/{z}/{x}/{y}.bin", layer.tile(z, x, y, "mean_velocity", heights=True))
            page.write(f"{at}/film/{z}/{x}/{y}.bin", layer.film(z, x, y, heights=True))
            fullest = max(fullest, layer.points_in(z, x, y))
        if fullest <= TILE_POINTS and z >= 8:
            return z
    return CELL_ZOOM


def _series(layer: PointLayer, at: str, page: Writer) -> list[str]:
    """Write the points with their series, some to a file; return the names of the parts."""
    names = []
    parts = [part for part in layer.store.manifest.parts if part.set in layer.sets]
    for number, part in enumerate(parts):
        names.append(part.writing)
        attributes, record = layer.store.attributes(part.name), layer.store.manifest.sets[part.set]
        for start in range(0, part.points, CHUNK):
            rows = np.arange(start, min(start + CHUNK, part.points))
            series = layer.store.series(part.name, rows)
            chosen = attributes.slice(start, len(rows)).to_pylist()
            found = [
                point_record(Point(part, int(row), each, record, values))
                for row, each, values in zip(rows, chosen, series, strict=True)
            ]
            for each in found:
                del each["dates"]
            block = {"dates": list(record.dates), "points": found}
            text = json.dumps(block, separators=(",", ":"))
            page.write(f"{at}/points/{number}-{start // CHUNK}.json", text.encode())
    return names


def _pictures(layer: MapLayer | ImageLayer | ReliefLayer, entry: dict, at: str, page: Writer) -> int:
    """Write pictures to the zoom at which they show every pixel, at most five beyond the layer as one; return it."""
    west, _, east, _ = entry["bounds"]
    whole = np.log2(360 / max(east - west, 1e-6))  # zoom of a tile as wide as the layer
    sharp = whole + np.log2(layer.raster.shape[1] / _PICTURE)
    last = int(np.clip(np.ceil(sharp), 0, min(_MAP_ZOOM, np.floor(whole) + 5)))
    for z in range(last + 1):
        for x, y in _covering(entry["bounds"], z):
            if not isinstance(layer, MapLayer):
                page.write(f"{at}/tiles/image/{z}/{x}/{y}.png", layer.picture(z, x, y))
                if isinstance(layer, ReliefLayer):
                    page.write(f"{at}/tiles/height/{z}/{x}/{y}.png", layer.heights(z, x, y))
                continue
            for field, (low, high) in entry["fields"].items():
                palette = "viridis" if field == "magnitude" else "motion"
                made = layer.picture(z, x, y, field, palette=palette, limits=(low, high))
                page.write(f"{at}/tiles/{field}/{z}/{x}/{y}.png", made)
    if isinstance(layer, MapLayer):
        page.write(f"{at}/arrows.geojson", json.dumps(layer.arrows()).encode())
    return last


def _covering(bounds: list[float], z: int) -> Iterator[tuple[int, int]]:
    west, south, east, north = bounds
    x, y = to_centimetres(np.array([west, east]), np.array([south, north]))
    size = 2**z / (2 * HALF_WORLD)
    left, right = (int(np.clip((v + HALF_WORLD) * size, 0, 2**z - 1)) for v in x)
    bottom, top = (int(np.clip((HALF_WORLD - v) * size, 0, 2**z - 1)) for v in y)
    yield from ((i, j) for i in range(left, right + 1) for j in range(top, bottom + 1))
