"""The explorer's server: read-only, and nothing but what it was started with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from starlette.middleware.trustedhost import TrustedHostMiddleware

import groundshift
from groundshift.errors import GroundshiftError
from groundshift.explore.catalog import Catalog, Layer, open_catalog
from groundshift.explore.colors import PALETTES, stops
from groundshift.explore.fields import FIELDS
from groundshift.explore.mercator import MAX_ZOOM, to_degrees
from groundshift.explore.points import PointLayer
from groundshift.explore.rasters import ImageLayer, MapLayer
from groundshift.explore.vectors import FeatureLayer, StationLayer
from groundshift.io.store.export import FORMATS, table_bytes
from groundshift.io.store.read import MERCATOR

PAGE = Path(__file__).parent / "page"
MAX_VERTICES, MAX_ROWS, MAX_BODY = 500, 200_000, 2**17
LOCAL = ("127.0.0.1", "localhost")

FieldName = Literal[
    "mean_velocity", "acceleration", "seasonality", "mean_velocity_std", "rmse", "temporal_coherence", "height"
]
Palette = Literal["motion", "red-white-blue", "cividis", "viridis"]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Latitude = Annotated[float, Field(ge=-85, le=85, allow_inf_nan=False)]
Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Place = tuple[Longitude, Latitude]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    field: FieldName = Field("mean_velocity", description="column of the points")
    by: FieldName = Field("mean_velocity", description="column that least and largest are of")
    least: Number = Field(-1e6, description="points with less are left out, in the unit of that column")
    largest: Number = Field(1e6, description="points with more are left out")

    @property
    def keep(self) -> tuple[float, float]:
        """Values that are kept."""
        return self.least, self.largest


class Area(_Asked):
    """An outline on the map."""

    polygon: Annotated[list[Place], Field(min_length=3, max_length=MAX_VERTICES, description="corners, degrees")]


class Selection(Area):
    """Points to take away."""

    format: Literal["csv", "geojson", "parquet"] = Field("csv", description="of the file")


class Line(_Asked):
    """A line on the map."""

    line: Annotated[list[Place], Field(min_length=2, max_length=MAX_VERTICES, description="vertices, degrees")]
    width: Annotated[float, Field(gt=0, le=100_000)] = Field(200.0, description="of the band around it, m")


class Tile(BaseModel):
    """The number of a tile."""

    z: int
    x: int
    y: int


class Refusal(BaseModel):
    """Why there is no answer."""

    detail: str | list[dict[str, Any]]


_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "the question is no JSON"},
    404: {"model": Refusal, "description": "there is no such layer, tile or point"},
    413: {"model": Refusal, "description": "the question is too long"},
    422: {"model": Refusal, "description": "the question cannot be answered, and why"},
}
_GEOJSON: dict[int | str, dict[str, Any]] = {200: {"content": {"application/geo+json": {}}}}


def create_app(
    sources: Iterable[str | Path],
    *,
    basemap: str | None = None,
    hosts: Sequence[str] = LOCAL,
    title: str = "groundshift",
    credit: str | None = None,
    frame: str | None = None,
    assets: str | Path | None = None,
    vertical: bool = False,
) -> FastAPI:
    """The application that serves the page and its data.

    Parameters
    ----------
    sources
        Stores, files with points, displacement maps, images, stations, lines and areas. Nothing else on disk can be
        reached through the application.
    basemap
        Address of tiles of an online map, with {z}, {x} and {y}; none by default: the page then loads nothing from
        elsewhere.
    hosts
        Names under which the server may be asked; other `Host` headers are refused.
    title
        Shown at the top of the page.
    credit
        Who made the data, shown at the foot of the map.
    frame
        Of the velocities of stations whose file does not say it.
    assets, vertical
        See :func:`groundshift.explore.catalog.open_catalog`.

    Raises
    ------
    InputError
        If a source cannot be opened.
    """
    catalog = open_catalog(sources, frame=frame, assets=assets, vertical=vertical)
    app = FastAPI(
        title="groundshift explorer", version=groundshift.__version__, docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json", description="Layers of ground motion: tiles, points, areas and profiles.",
        responses=_REFUSALS,
    )  # fmt: skip
    app.state.catalog = catalog
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    app.middleware("http")(_guard(basemap))
    app.exception_handler(GroundshiftError)(_refuse)
    _add_catalog(app, catalog, {"basemap": basemap, "title": title, "credit": credit})
    _add_tiles(app, catalog)
    _add_questions(app, catalog)
    app.mount("/", StaticFiles(directory=PAGE, html=True), name="page")
    return app


def _guard(basemap: str | None) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    """Refuse bodies that are too large, and tell the browser what the page may do."""
    parts = urlsplit(basemap or "")
    outside = f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""
    policy = (
        f"default-src 'self'; img-src 'self' data: blob:{outside}; connect-src 'self' blob:{outside}; "
        "style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )

    async def guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "0")
        if "transfer-encoding" in request.headers or not length.isdigit() or int(length) > MAX_BODY:
            return JSONResponse({"detail": f"a question has at most {MAX_BODY} bytes, and says how many"}, 413)
        response = await answer(request)
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return guard


def _refuse(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 422)


def _add_catalog(app: FastAPI, catalog: Catalog, about: dict[str, str | None]) -> None:
    @app.get("/api/catalog.json", summary="Layers, fields and colours")
    def describe() -> dict[str, Any]:
        return catalog_record(catalog, about)


def catalog_record(catalog: Catalog, about: dict[str, str | None], *, static: bool = False) -> dict[str, Any]:
    """What the page asks for first."""
    return {
        **about,
        "version": groundshift.__version__,
        "static": static,
        "layers": catalog.describe(),
        "fields": {name: field._asdict() for name, field in FIELDS.items()},
        "palettes": {name: stops(name) for name in PALETTES},
        "limits": {"vertices": MAX_VERTICES, "rows": MAX_ROWS},
    }


def _tile(
    z: Annotated[int, PathParameter(ge=0, le=MAX_ZOOM)],
    x: Annotated[int, PathParameter(ge=0)],
    y: Annotated[int, PathParameter(ge=0)],
) -> Tile:
    if max(x, y) >= 2**z:
        raise HTTPException(404, f"zoom {z} has tiles 0 to {2**z - 1}")
    return Tile(z=z, x=x, y=y)


At = Annotated[Tile, Depends(_tile)]


def _add_tiles(app: FastAPI, catalog: Catalog) -> None:
    cached = {"Cache-Control": "private, max-age=3600"}

    @app.get(
        "/api/layers/{layer}/tiles/{z}/{x}/{y}.bin", summary="Points or cells of a tile", response_class=Response,
        responses={200: {"content": {"application/octet-stream": {}}}},
    )  # fmt: skip
    def points(layer: str, tile: At, field: FieldName = "mean_velocity", by: FieldName = "mean_velocity") -> Response:
        found = _layer(catalog, layer, PointLayer)
        return Response(
            found.tile(tile.z, tile.x, tile.y, field, by), media_type="application/octet-stream", headers=cached
        )

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
        by: FieldName = "mean_velocity",
        least: Number = -1e6,
        largest: Number = 1e6,
    ) -> Response:
        found, at = _layer(catalog, layer, PointLayer, MapLayer, ImageLayer), (tile.z, tile.x, tile.y)
        if isinstance(found, ImageLayer):
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
        return Response(made, media_type="image/png", headers=cached)

    @app.get(
        "/api/layers/{layer}/features.geojson", summary="Features of a layer", response_class=Response,
        responses=_GEOJSON,
    )  # fmt: skip
    def features(layer: str) -> Response:
        made = _layer(catalog, layer, FeatureLayer, StationLayer).geojson()
        return Response(made, media_type="application/geo+json", headers=cached)

    @app.get("/api/layers/{layer}/arrows.geojson", summary="Horizontal motion on a grid")
    def arrows(layer: str) -> dict[str, Any]:
        return _layer(catalog, layer, MapLayer).arrows()


def _add_questions(app: FastAPI, catalog: Catalog) -> None:
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
        found = _layer(catalog, layer, PointLayer).statistics(area.polygon, area.field, area.keep, area.by)
        return JSONResponse(_finite(found))

    @app.post("/api/layers/{layer}/profile", summary="Values along a line")
    def profile(layer: str, line: Line) -> dict[str, Any]:
        found = _layer(catalog, layer, PointLayer, MapLayer)
        if isinstance(found, MapLayer):
            return found.profile(line.line)
        return found.profile(line.line, line.width, line.field, line.keep, line.by)

    @app.post(
        "/api/layers/{layer}/selection", summary="The points in an area as a file", response_class=Response,
        responses={200: {"content": {kind: {} for kind in FORMATS.values()}}},
    )  # fmt: skip
    def selection(layer: str, asked: Selection) -> Response:
        found = _layer(catalog, layer, PointLayer)
        table = found.area(asked.polygon, asked.keep, found.columns(), asked.by)
        if len(table) > MAX_ROWS:
            raise HTTPException(422, f"{len(table)} points are inside; at most {MAX_ROWS}: draw a smaller area")
        if not len(table):
            raise HTTPException(404, "no points are inside")
        degrees = to_degrees(*(table[name].to_numpy() for name in MERCATOR))
        table = table.drop_columns(
            [n for n in (*MERCATOR, "latitude", "longitude", "row", "part") if n in table.column_names]
        )
        for name, values in zip(("longitude", "latitude"), degrees, strict=True):
            table = table.append_column(name, pa.array(np.round(values, 7)))
        headers = {"Content-Disposition": f'attachment; filename="{found.name}.{asked.format}"'}
        return Response(table_bytes(table, asked.format), media_type=FORMATS[asked.format], headers=headers)


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
