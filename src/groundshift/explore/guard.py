"""What stands between the network and the answers: limits, headers, and errors told as JSON."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundshift.errors import GroundshiftError
from groundshift.explore.questions import MAX_BODY
from groundshift.io.store.read import HarmedError

log = logging.getLogger(__name__)

Answer = Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]


def add_guard(app: FastAPI, basemap: str | None) -> None:
    """Limits, headers and errors; to be called when all paths are added."""
    app.middleware("http")(_guard(basemap))
    app.add_middleware(_Head)
    app.exception_handler(GroundshiftError)(_refuse)
    app.exception_handler(RequestValidationError)(_not_understood)
    for kind in (OSError, pa.ArrowException, MemoryError, HarmedError):
        app.exception_handler(kind)(_not_now)


def _guard(basemap: str | None) -> Answer:
    """Refuse bodies that are too large, and tell the browser what the page may do and keep."""
    parts = urlsplit(basemap or "")
    outside = f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""
    policy = (
        f"default-src 'self'; img-src 'self' data: blob:{outside}; connect-src 'self' blob:{outside}; "
        "style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )

    async def guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "0")
        if "transfer-encoding" in request.headers or not _is_number(length) or int(length) > MAX_BODY:
            return JSONResponse({"detail": f"a question has at most {MAX_BODY} bytes, and says how many"}, 413)
        response = await answer(request)
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers.setdefault("Cache-Control", "no-cache")  # asked for again each time, if only for a 304
        return response

    return guard


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


class _Head:
    """Answers HEAD as GET, without the content."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def without_content(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self.app({**scope, "method": "GET"}, receive, without_content)


async def _refuse(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 422)


async def _not_understood(_: Request, error: Exception) -> JSONResponse:
    """What is wrong with a question, without what came, which JSON may not be able to hold."""
    assert isinstance(error, RequestValidationError)
    found: list[dict[str, Any]] = [
        {"type": each["type"], "loc": [part if isinstance(part, int) else _plain(part) for part in each["loc"]],
         "msg": _plain(each["msg"])}
        for each in error.errors()
    ]  # fmt: skip
    return JSONResponse({"detail": found}, 422)


def _plain(text: Any) -> str:
    return str(text).encode(errors="replace").decode()


async def _not_now(request: Request, error: Exception) -> JSONResponse:
    """A file that cannot be read now, or memory that is short: the log says which."""
    log.warning("%s cannot be answered: %s: %s", request.url.path, type(error).__name__, error)
    return JSONResponse({"detail": "the data cannot be read now; the log of the server says why"}, 503)
