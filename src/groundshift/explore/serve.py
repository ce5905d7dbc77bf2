"""The explorer as a process: until it is stopped."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import uvicorn

from groundshift.errors import ConfigurationError
from groundshift.explore.points import PointLayer
from groundshift.explore.server import LOCAL, create_app

log = logging.getLogger(__name__)

_LAST_PORT = 65_535


def serve(
    sources: Iterable[str | Path],
    *,
    host: str = LOCAL[0],
    port: int = 8520,
    names: Sequence[str] = (),
    title: str = "groundshift",
    basemap: str | None = None,
    credit: str | None = None,
    frame: str | None = None,
    assets: str | Path | None = None,
    vertical: bool = False,
    relief: str | Path | None = None,
    say: Callable[[str], object] = lambda text: None,
) -> None:
    """Serve the explorer until the process is interrupted.

    Parameters
    ----------
    host
        Address to listen on; by default this machine alone can ask.
    port
        0 for one that is free.
    names
        Other names under which the server may be asked.
    say
        Called with a line that tells the address.
    sources, title, basemap, credit, frame, assets, vertical, relief
        See :func:`groundshift.explore.server.create_app`.

    Raises
    ------
    InputError
        If a source cannot be opened.
    ConfigurationError
        If the port is taken, or none.
    """
    if not 0 <= port <= _LAST_PORT:
        raise ConfigurationError(f"port {port} is none; expected 0 to {_LAST_PORT}: choose another with --port")
    app = create_app(
        sources, hosts=[*LOCAL, host, *names], title=title, basemap=basemap, credit=credit, frame=frame, assets=assets,
        vertical=vertical, relief=relief,
    )  # fmt: skip
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}:{port} ({error}); choose another with --port") from error
    with listening:
        for layer in app.state.catalog.layers.values():
            if isinstance(layer, PointLayer):
                layer.warm_up()
        if not _is_local(host):
            log.warning(
                "whoever reaches this machine can see all of it, and no password is asked; it answers to %s",
                ", ".join((host, *names)) + ("" if names else " (--name NAME for more)"),
            )
        say(f"http://{host}:{listening.getsockname()[1]}/ (Ctrl-C ends it)")
        uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none")).run(sockets=[listening])


def _is_local(host: str) -> bool:
    """Whether this machine alone reaches an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
