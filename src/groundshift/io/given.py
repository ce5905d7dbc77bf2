"""Options from a file, and from a command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from groundshift.errors import ConfigurationError

Options = TypeVar("Options", bound=BaseModel)


def options_from(kind: type[Options], path: str | Path | None = None, **given: Any) -> Options:
    """Options from a JSON file, if there is one, and from those given that are not None, which win.

    What is given as a mapping changes the fields of an option that it names and leaves the others.

    Raises
    ------
    ConfigurationError
        If the file cannot be read.
    """
    try:
        read = {} if path is None else json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{path} cannot be read as JSON ({error}); expected the fields of {kind.__name__}"
        ) from error
    if not isinstance(read, dict):
        raise ConfigurationError(
            f"{path} holds a {type(read).__name__}; expected an object with the fields of {kind.__name__}"
        )
    return kind.model_validate(_changed(read, given))


def _changed(read: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What was read, with what was given in its place."""
    out = dict(read)
    for name, each in given.items():
        if isinstance(each, Mapping):
            inner = out.get(name)
            each = _changed(inner if isinstance(inner, Mapping) else {}, each) or None
        if each is not None:
            out[name] = each
    return out
