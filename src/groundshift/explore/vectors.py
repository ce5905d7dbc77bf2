"""Layers that are sent to the page whole: lines, areas, stations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import CRS

from groundshift.errors import InputError
from groundshift.explore.files import Watched
from groundshift.io.features import Features, read_features
from groundshift.io.gnss.table import read_station_table

MAX_VERTICES = 400_000


class FeatureLayer:
    """Lines and areas with their attributes: faults, assets, outlines."""

    kind = "features"

    def __init__(self, name: str, source: Path | Features) -> None:
        self.name, self._source = name, source
        self._read()
        self._file = Watched(source if isinstance(source, Path) else None, self._read)

    def _read(self) -> None:
        source = self._source
        given = source if isinstance(source, Features) else read_features(source)
        features = given.to_crs(CRS("EPSG:4326"))
        vertices = int(shapely.get_num_coordinates(features.geometry).sum())
        if vertices > MAX_VERTICES:
            what = source if isinstance(source, Path) else self.name
            raise InputError(f"{what} has {vertices} vertices; a page draws at most {MAX_VERTICES}: simplify or cut it")
        self._bounds = shapely.total_bounds(features.geometry)
        shapes = shapely.to_geojson(shapely.set_precision(features.geometry, 1e-6, mode="pointwise"))
        rows = features.attributes.to_pylist() if features.attributes.num_columns else [{}] * len(features)
        self._json = json.dumps(
            {
                "type": "FeatureCollection",
                "features": [
                    {"type": "Feature", "geometry": json.loads(shape), "properties": _plain(row)}
                    for shape, row in zip(shapes, rows, strict=True)
                ],
            },
            allow_nan=False,
        ).encode()
        self._count = len(features)

    def describe(self) -> dict[str, Any]:
        """What the page needs to know of the layer; of a file that has changed, as it is now."""
        version = self._file.refresh()
        return {
            "id": self.name, "kind": self.kind, "bounds": self._bounds.tolist(), "count": self._count,
            "version": version,
        }  # fmt: skip

    def geojson(self) -> bytes:
        """All features, degrees."""
        return self._json


class StationLayer:
    """Velocities of GNSS stations: arrows on the map."""

    kind = "stations"

    def __init__(self, name: str, path: Path, frame: str | None) -> None:
        self.name, self._path, self._frame = name, path, frame
        self._read()
        self._file = Watched(path, self._read)

    def _read(self) -> None:
        self._stations = read_station_table(self._path, frame=self._frame)

    def describe(self) -> dict[str, Any]:
        """What the page needs to know of the layer; of a file that has changed, as it is now."""
        version = self._file.refresh()
        s = self._stations
        bounds = [s.longitude.min(), s.latitude.min(), s.longitude.max(), s.latitude.max()]
        return {
            "id": self.name, "kind": self.kind, "bounds": [float(v) for v in bounds], "count": len(s),
            "frame": s.frame, "version": version,
        }  # fmt: skip

    def geojson(self) -> bytes:
        """Stations with velocities and their sigma, mm/yr, in the frame that the description names."""
        s, names = self._stations, ("east", "north", "up")
        features = []
        for i in range(len(s)):
            values = {
                **dict(zip(names, s.velocity[i].tolist(), strict=True)),
                **dict(zip((f"{n}_sigma" for n in names), s.sigma[i].tolist(), strict=True)),
            }
            place = [float(s.longitude[i]), float(s.latitude[i])]
            features.append(
                {"type": "Feature", "geometry": {"type": "Point", "coordinates": place},
                 "properties": {"name": str(s.name[i]), **_plain(values)}}
            )  # fmt: skip
        return json.dumps({"type": "FeatureCollection", "features": features}, allow_nan=False).encode()


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """What JSON can hold, without what is empty."""
    kept = {}
    for key, value in row.items():
        if value is None or (isinstance(value, float) and not np.isfinite(value)):
            continue
        kept[key] = value if isinstance(value, str | int | float | bool) else str(value)
    return kept
