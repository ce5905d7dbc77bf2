"""The name of a run: a hash of everything that its result depends on."""

from __future__ import annotations

import datetime
import enum
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from groundshift.errors import ConfigurationError, InputError


def run_key(inputs: Iterable[str | Path | np.ndarray], configuration: BaseModel | Mapping, version: str) -> str:
    """A short name, 16 hexadecimal digits, that changes whenever the result of a run could change.

    It is the start of the SHA-256 of the canonical JSON of :func:`run_record`, which has the parameters.
    """
    text = json.dumps(run_record(inputs, configuration, version), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_record(inputs: Iterable[str | Path | np.ndarray], configuration: BaseModel | Mapping, version: str) -> dict:
    """What a run is made from, as plain JSON values.

    Parameters
    ----------
    inputs
        A file or a folder counts with its absolute path and the size and modification time of every file, an
        array with its type, shape and content, an address (`https://…`, `s3://…`, `/vsi…`) with its text alone.
    configuration
        A pydantic model, or a mapping of plain values, paths, dates, arrays and models.
    version
        Version of the software.

    Raises
    ------
    InputError
        If a file does not exist or an array holds Python objects.
    ConfigurationError
        If the configuration holds something whose value cannot be written down.
    """
    record = {"inputs": [_describe(item) for item in inputs], "configuration": configuration, "version": version}
    return json.loads(json.dumps(record, default=_plain))


def _describe(item: str | Path | np.ndarray) -> dict[str, Any]:
    if isinstance(item, np.ndarray):
        return _describe_array(item)
    if "://" in str(item) or str(item).startswith("/vsi"):
        return {"address": str(item)}
    path = Path(item).resolve()
    if not path.exists():
        raise InputError(f"{item} does not exist; give the path of an image")
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    states = ((file, file.stat()) for file in files)
    return {
        "path": str(path),
        "files": [[file.relative_to(path).as_posix(), state.st_size, state.st_mtime_ns] for file, state in states],
    }


def _describe_array(array: np.ndarray) -> dict[str, Any]:
    if array.dtype.hasobject:
        raise InputError(f"an array of {array.dtype} holds Python objects; convert it to numbers")
    content = hashlib.sha256()
    for part in (array, array.mask) if isinstance(array, np.ma.MaskedArray) else (array,):
        content.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
    return {"dtype": array.dtype.str, "shape": list(array.shape), "sha256": content.hexdigest()}


def _plain(value: Any) -> Any:
    """What `json` cannot write, as something that it can, the same in every process."""
    match value:
        case BaseModel():
            return value.model_dump()
        case Mapping():
            return dict(value)
        case np.ndarray():
            return _describe_array(value)
        case np.generic():
            return value.item()
        case set() | frozenset():
            return sorted(value, key=repr)
        case Path():
            return str(value)
        case datetime.date() | datetime.time():
            return value.isoformat()
        case enum.Enum():
            return value.value
    raise ConfigurationError(f"{value!r} ({type(value).__name__}) in the configuration has no value to write down")
