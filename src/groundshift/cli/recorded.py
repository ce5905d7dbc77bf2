"""Commands that leave a record of themselves in the folder of their results."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints

from groundshift.errors import ConfigurationError

_OPEN_TO_OTHERS = ("ingest",)  # several may bring files into one store at the same time
# fmt: off
_OF_FILES = frozenset((
    ".tif", ".tiff", ".vrt", ".nc", ".h5", ".zarr", ".parquet", ".geoparquet", ".csv", ".json", ".geojson", ".gpkg",
    ".shp", ".kml", ".zip", ".tar", ".gz", ".npz", ".npy", ".png", ".jpg", ".jpeg", ".webp", ".svg", ".pdf", ".html",
    ".xml", ".txt", ".md", ".mp4", ".gif",
))
# fmt: on


def recorded_command(name: str, command: Callable[..., None]) -> Callable[..., None]:
    """A command whose folder of results, the option `out`, gets a record, and is its own while it runs; see
    :func:`groundshift.engine.journal.recorded`."""
    said = getattr(get_type_hints(command, include_extras=True).get("out"), "__metadata__", ())
    into_folder = any(not getattr(each, "file_okay", True) for each in said)

    @functools.wraps(command)
    def run(**options: Any) -> None:
        from groundshift.engine.compiling import compilation_told
        from groundshift.engine.journal import recorded

        given = {name: value for name, value in options.items() if value is not None}
        inputs = [each for option, value in given.items() if option != "out" for each in _files(value)]
        out = folder_for(Path(given["out"])) if into_folder else None
        with recorded(name, given, inputs=inputs, out=out, alone=name not in _OPEN_TO_OTHERS), compilation_told():
            command(**options)

    return run


def folder_for(path: Path, *, suffix: str = "") -> Path:
    """The path, if it is a name for a folder: one that is there, or no name of a file but those of `suffix`.

    Raises
    ------
    ConfigurationError
        If it is the name of a file.
    """
    ending = path.suffix.lower()
    if ending == suffix or ending not in _OF_FILES or path.is_dir():
        return path
    raise ConfigurationError(
        f"{path} is the name of a file, and the results go into a folder; give one, such as {path.with_suffix(suffix)}"
    )


def _files(value: Any) -> Iterator[str | Path]:
    """What of an option is on the disk, or an address."""
    if isinstance(value, list | tuple):
        for each in value:
            yield from _files(each)
    elif isinstance(value, str | Path) and not isinstance(value, Enum):
        text = str(value)
        on_disk = (os.sep in text or "." in text) and Path(text).exists()
        if on_disk or "://" in text or text.startswith("/vsi"):
            yield value
