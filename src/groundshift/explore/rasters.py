"""Layers of pixels: displacement maps and images, drawn by the server."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyproj

from groundshift.errors import InputError
from groundshift.explore.colors import paint, png
from groundshift.explore.files import Watched
from groundshift.explore.records import listed
from groundshift.figures.style import nice
from groundshift.io.web import WebRaster, open_web_raster

_SAMPLES = 400  # along a profile
_ARROWS = 24  # a side of the map


class MapLayer:
    """A displacement map: east, north, and up where it was measured, in metres, or of velocities in metres a year."""

    kind = "map"

    def __init__(self, name: str, raster: WebRaster) -> None:
        self.name, self.raster = name, raster
        self.unit = raster.units[raster.bands.index("east")]
        self.components = [each for each in ("east", "north", "up") if each in raster.bands]
        self._file = Watched(raster.path, self._renew)

    def describe(self) -> dict[str, Any]:
        """What the page needs to know of the layer; of a file that has changed, as it is now."""
        version = self._file.refresh()
        fields = {}
        for component in self.components:
            reach = nice(max(map(abs, self.raster.spread(component))))
            fields[component] = [-reach, reach]
        fields["magnitude"] = [0.0, nice(max(fields[each][1] for each in self.components))]
        return {
            "id": self.name, "kind": self.kind, "bounds": list(self.raster.bounds), "fields": fields, "unit": self.unit,
            "components": self.components, "first": _day(self.raster.tags.get("date_pre")),
            "last": _day(self.raster.tags.get("date_post")), "method": self.raster.tags.get("method"),
            "version": version,
        }  # fmt: skip

    def picture(self, z: int, x: int, y: int, field: str, *, palette: str, limits: tuple[float, float]) -> bytes:
        """A tile as a PNG of 256 pixels."""
        return png(paint(self._values(self.raster.tile(z, x, y, self._bands(field)), field), palette, *limits))

    def value(self, longitude: float, latitude: float) -> dict[str, dict[str, float | str | None]]:
        """Value and unit of all layers of the map at a place, null where there is no measurement."""
        names = tuple(name for name in self.raster.bands if name != "reason")
        found = self.raster.sample(np.array([longitude]), np.array([latitude]), names)[0].tolist()
        units = dict(zip(self.raster.bands, self.raster.units, strict=True))
        return {
            name: {"value": float(f"{value:.5g}") if np.isfinite(value) else None, "unit": units[name]}
            for name, value in zip(names, found, strict=True)
        }

    def profile(self, line: list[tuple[float, float]]) -> dict[str, Any]:
        """The components along a line of degrees, at 400 places evenly apart."""
        corners = np.array(line, float)
        geod = pyproj.Geod(ellps="WGS84")
        azimuth, _, lengths = geod.inv(*corners[:-1].T, *corners[1:].T)
        ends = np.concatenate([[0], np.cumsum(lengths)])
        if ends[-1] == 0:
            raise InputError("the line has no length; draw it again")
        along = np.linspace(0, ends[-1], _SAMPLES)
        leg = np.clip(np.searchsorted(ends, along, "right") - 1, 0, len(lengths) - 1)
        longitude, latitude, _ = geod.fwd(*corners[leg].T, np.asarray(azimuth)[leg], along - ends[leg])
        names = tuple(n for each in self.components for n in (each, f"{each}_sigma") if n in self.raster.bands)
        values = self.raster.sample(np.asarray(longitude), np.asarray(latitude), names)
        columns = {name: listed(values[:, i]) for i, name in enumerate(names)}
        return {"length": float(ends[-1]), "distance": along.round(2).tolist(), "values": columns, "unit": self.unit}

    def arrows(self) -> dict[str, Any]:
        """Horizontal motion at places of an even grid, as GeoJSON points with `east`, `north` (m)."""
        west, south, east, north = self.raster.bounds
        x, y = (
            v.ravel()
            for v in np.meshgrid(*(np.linspace(a, b, 2 * _ARROWS + 1)[1::2] for a, b in ((west, east), (south, north))))
        )
        values = self.raster.sample(x, y, ("east", "north"))
        features = [
            {"type": "Feature", "geometry": {"type": "Point", "coordinates": [float(a), float(b)]},
             "properties": {"east": float(e), "north": float(n)}}
            for a, b, (e, n) in zip(x, y, values, strict=True) if np.isfinite(e + n)
        ]  # fmt: skip
        return {"type": "FeatureCollection", "features": features}

    def _renew(self) -> None:
        self.raster = _renewed(self.raster)

    def _bands(self, field: str) -> tuple[str, ...]:
        return tuple(self.components) if field == "magnitude" else (field,)

    def _values(self, bands: np.ndarray, field: str) -> np.ndarray:
        return np.sqrt((bands**2).sum(axis=0)) if field == "magnitude" else bands[0]


class ImageLayer:
    """An image, grey or in colours: what the ground looked like."""

    kind = "image"

    def __init__(self, name: str, raster: WebRaster) -> None:
        self.name, self.raster = name, raster
        self._bands = raster.bands[:3] if len(raster.bands) >= 3 else raster.bands[:1]
        self._limits = [raster.spread(band, (1, 99)) for band in self._bands]
        self._file = Watched(raster.path, self._renew)

    def describe(self) -> dict[str, Any]:
        """What the page needs to know of the layer; of a file that has changed, as it is now."""
        version = self._file.refresh()
        return {"id": self.name, "kind": self.kind, "bounds": list(self.raster.bounds), "version": version}

    def picture(self, z: int, x: int, y: int) -> bytes:
        """A tile as a PNG of 256 pixels, stretched to the middle 98 % of the image."""
        values = self.raster.tile(z, x, y, self._bands)
        scaled = [
            np.clip((v - low) / max(high - low, 1e-9), 0, 1)
            for v, (low, high) in zip(values, self._limits, strict=True)
        ]
        grey = np.stack(scaled if len(scaled) == 3 else scaled * 3, axis=-1)
        there = np.isfinite(grey).all(axis=-1)
        pixels = np.concatenate([np.nan_to_num(grey), there[..., None]], axis=-1)
        return png((pixels * 255).astype(np.uint8))

    def _renew(self) -> None:
        raster = _renewed(self.raster)
        self._limits = [raster.spread(band, (1, 99)) for band in self._bands]
        self.raster = raster


def _renewed(raster: WebRaster) -> WebRaster:
    """A raster whose file has changed; InputError if it has other bands than before."""
    now = open_web_raster(raster.path)
    if now.bands != raster.bands:
        raise InputError(f"its bands are {', '.join(now.bands)[:200]} now; start the explorer again to see it")
    return now


def _day(tag: str | None) -> str | None:
    """The day that a tag says; what is not known is an empty text in quotes there."""
    return (tag or "").strip('"') or None
