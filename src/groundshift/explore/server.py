"""The explorer's server: read-only, and nothing but what it was started with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware.trustedhost import TrustedHostMiddleware

import groundshift
from groundshift.explore.catalog import Catalog, open_catalog
from groundshift.explore.colors import DARK_PALETTES, PALETTES, stops
from groundshift.explore.fields import DISPLACEMENT, FIELDS
from groundshift.explore.guard import add_guard
from groundshift.explore.questions import MAX_ROWS, MAX_VERTICES, Refusal
from groundshift.explore.routes import add_questions, add_tiles

PAGE = Path(__file__).parent / "page"
LOCAL = ("127.0.0.1", "localhost")

_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "the question is no JSON"},
    404: {"model": Refusal, "description": "there is no such layer, tile or point"},
    413: {"model": Refusal, "description": "the question is too long"},
    422: {"model": Refusal, "description": "the question cannot be answered, and why"},
    503: {"model": Refusal, "description": "the data cannot be read now"},
}


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
    relief: str | Path | None = None,
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
    assets, vertical, relief
        See :func:`groundshift.explore.catalog.open_catalog`.

    Raises
    ------
    InputError
        If a source cannot be opened.
    """
    catalog = open_catalog(sources, frame=frame, assets=assets, vertical=vertical, relief=relief)
    app = FastAPI(
        title="groundshift explorer", version=groundshift.__version__, docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json", description="Layers of ground motion: tiles, points, areas and profiles.",
        responses=_REFUSALS,
    )  # fmt: skip
    app.state.catalog = catalog
    _add_catalog(app, catalog, {"basemap": basemap, "title": title, "credit": credit})
    add_tiles(app, catalog)
    add_questions(app, catalog)
    app.mount("/", StaticFiles(directory=PAGE, html=True), name="page")
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    add_guard(app, basemap)
    return app


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
        "fields": {name: field._asdict() for name, field in {**FIELDS, "displacement": DISPLACEMENT}.items()},
        "palettes": {name: stops(table) for name, table in PALETTES.items()},
        "dark": {name: stops(table) for name, table in DARK_PALETTES.items()},
        "limits": {"vertices": MAX_VERTICES, "rows": MAX_ROWS},
    }
