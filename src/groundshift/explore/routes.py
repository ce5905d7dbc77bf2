"""The paths under which the server answers: tiles and features, and questions about points, areas and lines."""

from __future__ import annotations

from threading import Semaphore
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import FastAPI, HTTPException, Query, Response
from fastapi.responses import JSONResponse

from groundshift.explore.areas import area_statistics, line_profile
from groundshift.explore.areas import selection as selected
from groundshift.explore.catalog import Catalog, Layer
from groundshift.explore.fields import FIELDS
from groundshift.explore.points import PointLayer
from groundshift.explore.questions import (
    MAX_ROWS,
    Area,
    At,
    FieldName,
    Latitude,
    Line,
    Longitude,
    Number,
    Palette,
    Selection,
)
from groundshift.explore.rasters import ImageLayer, MapLayer
from groundshift.explore.relief import ReliefLayer
from groundshift.explore.vectors import FeatureLayer, StationLayer
from groundshift.io.store.export import FORMATS, table_bytes

AT_ONCE = 2
"""Questions about many points that are answered at the same time; the others wait, so that memory is bounded."""

_GEOJSON: dict[int | str, dict[str, Any]] = {200: {"content": {"application/geo+json": {}}}}
_CACHED = {"Cache-Control": "private, max-age=3600"}  # the page asks with the version of the layer


def add_tiles(app: FastAPI, catalog: Catalog) -> None:
    """Add what the map draws: tiles, pictures, features, arrows."""

    @app.get(
        "/api/layers/{layer}/tiles/{z}/{x}/{y}.bin", summary="Points or cells of a tile", response_class=Response,
        responses={200: {"content": {"application/octet-stream": {}}}},
    )  # fmt: skip
    def points(
        layer: str, tile: At, field: FieldName = "mean_velocity", by: FieldName = "mean_velocity", heights: bool = False
    ) -> Response:
        found = _layer(catalog, layer, PointLayer)
        return Response(
            found.tile(tile.z, tile.x, tile.y, field, by, heights=heights),
            media_type="application/octet-stream", headers=_CACHED,
        )  # fmt: skip

    @app.get(
        "/api/layers/{layer}/film/{z}/{x}/{y}.bin", summary="Points of a tile with their displacement, month by month",
        response_class=Response, responses={200: {"content": {"application/octet-stream": {}}}},
    )  # fmt: skip
    def film(layer: str, tile: At, by: FieldName = "mean_velocity", heights: bool = False) -> Response:
        found = _layer(catalog, layer, PointLayer)
        made = found.film(tile.z, tile.x, tile.y, by, heights=heights)
        return Response(made, media_type="application/octet-stream", headers=_CACHED)

    @app.get(
        "/api/layers/{layer}/tiles/{z}/{x}/{y}.png", summary="A picture of a tile", response_class=Response,
        responses={200: {"content": {"image/png": {}}}},
    )  # fmt: skip
    def picture(
        layer: str,
        tile: At,
        field: FieldName | Literal["east", "north", "up", "magnitude"] = "mean_velocity",
        palette: Palette = "motion",
        low: Number = -10.0,
        high: Number = 10.0,
        least: Number = -1e6,
        largest: Number = 1e6,
        by: FieldName = "mean_velocity",
    ) -> Response:
        found, at = _layer(catalog, layer, PointLayer, MapLayer, ImageLayer, ReliefLayer), (tile.z, tile.x, tile.y)
        if isinstance(found, ReliefLayer):
            made = found.heights(*at) if field == "height" else found.picture(*at)
        elif isinstance(found, ImageLayer):
            made = found.picture(*at)
        elif isinstance(found, MapLayer):
            if field not in (*found.components, "magnitude"):
                raise HTTPException(
                    422, f"layer {layer} has {', '.join(found.components)} and magnitude, not {field!r}"
                )
            made = found.picture(*at, field, palette=palette, limits=(low, high))
        elif field not in FIELDS:
            raise HTTPException(422, f"points have {', '.join(FIELDS)}, not {field!r}")
        else:
            made = found.picture(*at, field, palette=palette, limits=(low, high), keep=(least, largest), by=by)
        return Response(made, media_type="image/png", headers=_CACHED)

    @app.get(
        "/api/layers/{layer}/features.geojson", summary="Features of a layer", response_class=Response,
        responses=_GEOJSON,
    )  # fmt: skip
    def features(layer: str) -> Response:
        made = _layer(catalog, layer, FeatureLayer, StationLayer).geojson()
        return Response(made, media_type="application/geo+json")

    @app.get("/api/layers/{layer}/arrows.geojson", summary="Horizontal motion on a grid")
    def arrows(layer: str) -> dict[str, Any]:
        return _layer(catalog, layer, MapLayer).arrows()


def add_questions(app: FastAPI, catalog: Catalog) -> None:
    """Add what a person asks: a point, a place, an area, a line."""
    turn = Semaphore(AT_ONCE)

    @app.get("/api/layers/{layer}/point", summary="A point: fields, series, fit")
    def point(
        layer: str, part: Annotated[str, Query(max_length=200)], row: Annotated[int, Query(ge=0, le=2**32 - 1)]
    ) -> dict[str, Any]:
        return _layer(catalog, layer, PointLayer).point(part, row)

    @app.get("/api/layers/{layer}/nearest", summary="The point nearest to a place")
    def nearest(
        layer: str, longitude: Longitude, latitude: Latitude, radius: Annotated[float, Query(gt=0, le=5000)] = 100.0
    ) -> dict[str, Any]:
        found = _layer(catalog, layer, PointLayer)
        place = found.nearest(longitude, latitude, radius)
        if place is None:
            raise HTTPException(404, f"no point within {radius:g} m")
        return found.point(*place)

    @app.get("/api/layers/{layer}/value", summary="A displacement map at a place")
    def value(layer: str, longitude: Longitude, latitude: Latitude) -> dict[str, dict[str, float | str | None]]:
        return _layer(catalog, layer, MapLayer).value(longitude, latitude)

    @app.post("/api/layers/{layer}/statistics", summary="Statistics of the points in an area")
    def statistics(layer: str, area: Area) -> Response:
        found = _layer(catalog, layer, PointLayer)
        with turn:
            return JSONResponse(_finite(area_statistics(found, area.polygon, area.field, area.keep, area.by)))

    @app.post("/api/layers/{layer}/profile", summary="Values along a line")
    def profile(layer: str, line: Line) -> dict[str, Any]:
        found = _layer(catalog, layer, PointLayer, MapLayer)
        if isinstance(found, MapLayer):
            return found.profile(line.line)
        with turn:
            return line_profile(found, line.line, line.width, line.field, line.keep, line.by)

    @app.post(
        "/api/layers/{layer}/selection", summary="The points in an area as a file", response_class=Response,
        responses={200: {"content": {kind: {} for kind in FORMATS.values()}}},
    )  # fmt: skip
    def selection(layer: str, asked: Selection) -> Response:
        found = _layer(catalog, layer, PointLayer)
        with turn:
            table = selected(found, asked.polygon, asked.keep, asked.by, most=MAX_ROWS)
            if not len(table):
                raise HTTPException(404, "no points are inside")
            made = table_bytes(table, asked.format)
        headers = {"Content-Disposition": f'attachment; filename="{found.name}.{asked.format}"'}
        return Response(made, media_type=FORMATS[asked.format], headers=headers)


def _layer(catalog: Catalog, name: str, *kinds: type[Layer]) -> Any:
    """The layer of that name and of one of the kinds; 404 if there is none."""
    found = catalog.layers.get(name)
    if not isinstance(found, kinds):
        raise HTTPException(404, f"no such layer; there are {', '.join(catalog.layers)}"[:500])
    return found


def _finite(value: Any) -> Any:
    """The same with null for what JSON cannot hold."""
    if isinstance(value, dict):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
