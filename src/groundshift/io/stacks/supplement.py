"""What a folder of images does not say, given beside it."""

from __future__ import annotations

import csv
import json
from functools import partial
from pathlib import Path
from typing import Any, Literal

import dask.array as da
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from groundshift.errors import InputError
from groundshift.io.dates import date_in
from groundshift.io.places import values_at
from groundshift.io.rasters import georeference, open_raster
from groundshift.io.stacks.lazy import raster
from groundshift.model.radar_stack import LAYERS


class Supplement(BaseModel):
    """What is added to, or put in the place of, what a layout says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    baselines: Path | None = Field(
        None, description="text file, a date and a perpendicular baseline in metres a line, against any one date"
    )
    geometry: Path | None = Field(
        None, description="folder of rasters on the pixels of the stack, named as its layers: latitude.tif, height.tif"
    )
    height: Path | None = Field(
        None, description="height model in any CRS, metres above the ellipsoid, where the layout has no heights"
    )
    attributes: dict[str, Any] = Field(
        default_factory=dict, description="attributes of the stack by name: wavelength (m), track, burst, and others"
    )
    reference_date: str | None = Field(None, description="day of the reference image, YYYY-MM-DD")
    burst: str | None = Field(None, description="which burst of several, such as T064-135518-IW1")
    polarisation: Literal["HH", "HV", "VH", "VV"] | None = Field(None, description="which of several")
    flattened: bool | None = Field(
        None, description="whether the topographic phase is gone from the images already; null believes the layout"
    )
    conjugate: bool = Field(False, description="whether the images have the opposite sign of phase")

    @field_validator("reference_date")
    @classmethod
    def _day(cls, value: str | None) -> str | None:
        if value is not None and np.isnat(date_in(value)):
            raise ValueError(f"{value!r} is no day; expected one such as 2020-01-31")
        return None if value is None else str(date_in(value))


def read_attributes(path: str | Path | None) -> dict[str, Any]:
    """Attributes of a stack from a JSON file; none without a file.

    Raises
    ------
    InputError
        If it is missing, or no JSON object.
    """
    if path is None:
        return {}
    try:
        found = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON ({error}); expected attributes of a stack by name") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} holds a {type(found).__name__}; expected attributes of a stack by name")
    return found


def read_baselines(path: str | Path) -> dict[np.datetime64, float]:
    """Perpendicular baselines by day, m, from lines of a date and a number; lines without a date are left out.

    Raises
    ------
    InputError
        If the file is missing, a number is none, or a date is there twice.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected a text file with a date and metres a line")
    found: dict[np.datetime64, float] = {}
    lines = path.read_text(errors="replace").replace(",", " ").splitlines()
    for words in csv.reader(lines, delimiter=" ", skipinitialspace=True):
        if not words or np.isnat(day := date_in(words[0])):
            continue
        try:
            metres = float(words[1])
        except (IndexError, ValueError) as error:
            raise InputError(f"{path}: {' '.join(words)!r} is not a date and a number of metres") from error
        if day in found:
            raise InputError(f"{path} has {day} twice; keep one line a date")
        found[day] = metres
    if not found:
        raise InputError(f"{path} has no line with a date; expected lines such as 2023-03-19,-42.5")
    return found


def geometry_rasters(folder: str | Path, shape: tuple[int, int]) -> dict[str, da.Array]:
    """Layers of a stack that lie in a folder as rasters, lazily; files are named as the layers.

    Raises
    ------
    InputError
        If there is none, or one has another size than the stack.
    """
    folder = Path(folder)
    found = {}
    for name in LAYERS:
        for path in sorted(
            each for each in folder.glob(f"{name}.*") if each.suffix.lower() in (".tif", ".tiff", ".vrt")
        ):
            band = raster(path)
            if band.shape != shape:
                raise InputError(f"{path} has {band.shape} lines and pixels; the images have {shape}: cut it like them")
            found[name] = band.lazy()
    if not found:
        raise InputError(f"{folder} has none of {', '.join(f'{name}.tif' for name in LAYERS)}")
    return found


def heights_at(path: str | Path, latitude: da.Array, longitude: da.Array) -> da.Array:
    """Heights of a model in any CRS at places, lazily, linearly interpolated; NaN beyond the model."""
    with open_raster(str(path)) as dataset:
        georeference(dataset)
    return da.map_blocks(partial(values_at, path), latitude, longitude, dtype=np.float64, meta=np.empty((0, 0)))
