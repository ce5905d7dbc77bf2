"""Options of a simulation from a file, and from a command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from groundshift.errors import ConfigurationError

Options = TypeVar("Options", bound=BaseModel)


def options_from(kind: type[Options], path: str | Path | None = None, **given: Any) -> Options:
    """Options from a JSON file, if there is one, and from those given that are not None, which win.

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
    return kind.model_validate(read | {name: each for name, each in given.items() if each is not None})
