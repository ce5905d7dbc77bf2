"""Fusion from files to files, as the command line does it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xarray as xr
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from groundshift.errors import ConfigurationError, InputError
from groundshift.figures.fusion import profile_3d_figure
from groundshift.figures.style import save_figure
from groundshift.io.gnss.files import read_gnss
from groundshift.model.stations import StationVelocities
from groundshift.products.fuse import fuse
from groundshift.products.fuse.config import LEVELLING, OPTICAL, FuseConfig, SourceErrors
from groundshift.products.fuse.grid import fuse_grid
from groundshift.products.fuse.sources import OpticalMap, RadarPoints
from groundshift.products.fuse.stations import Levelling, ModelField, Stations
from groundshift.products.ortho import velocity_field

PROFILE_NAME = "profile.png"


class FuseOptions(BaseModel):
    """The JSON file of `groundshift fuse --config`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fuse: FuseConfig = Field(FuseConfig(), description="how to fuse; `quantity` is that of the command")
    optical: SourceErrors = Field(OPTICAL, description="errors of optical maps")
    radar: SourceErrors | None = Field(None, description="errors of radar; the usual ones if null")
    levelling: SourceErrors = Field(LEVELLING, description="errors of levelling")
    alike: float = Field(1.0, ge=1, description="pixels of an optical map whose noise is alike")
    model_sigma: float = Field(0.0005, gt=0, description="typical standard deviation of the velocity model, m/yr")


def fuse_files(
    out: str | Path,
    *,
    optical: Sequence[str | Path] = (),
    radar: Sequence[str | Path] = (),
    stations: str | Path | None = None,
    levelling: str | Path | None = None,
    model: str | Path | None = None,
    start: str | None = None,
    end: str | None = None,
    average: int = 1,
    quantity: str = "displacement",
    cell: float | None = None,
    profile: str | None = None,
    width: float = 2_000.0,
    config: str | Path | None = None,
    executor: Any = None,
    workers: int | None = None,
) -> xr.Dataset:
    """Fuse files by :func:`groundshift.products.fuse.fuse` into the folder `out`; draws `profile.png` if asked.

    Parameters
    ----------
    optical, radar
        Displacement maps, and point sets of level L2a or L2b.
    stations, levelling
        Tables of places with velocities (mm/yr), or with displacements (mm) under the same column names.
    model
        Stations or a grid that give the velocity everywhere.
    start, end, average
        Days around the displacement, and dates of radar that are averaged on each side.
    cell
        Side of a cell, m.
    profile, width
        Ends of a line, `west,south,east,north`, and width of the swath, m.
    config
        JSON of :class:`FuseOptions`.

    Raises
    ------
    ConfigurationError
        If an option is unknown or makes no sense.
    """
    line = None if profile is None else _line(profile)
    options = _options(config)
    sources: list[Any] = [OpticalMap(path, options.optical, options.alike) for path in optical]
    sources += [RadarPoints(path, options.radar, average) for path in radar]
    if stations is not None:
        sources.append(Stations(_table(stations)))
    if levelling is not None:
        sources.append(Levelling(_table(levelling), options.levelling))
    if model is not None:
        sources.append(ModelField(velocity_field(read_gnss(model)), options.model_sigma))
    chosen = options.fuse.model_copy(update={"quantity": quantity})
    dataset = fuse(
        sources, start=start, end=end, config=chosen, grid=fuse_grid(sources, cell=cell), out=out, executor=executor,
        workers=workers,
    )  # fmt: skip
    if line is not None:
        save_figure(profile_3d_figure(dataset, line[:2], line[2:], width=width), Path(out) / PROFILE_NAME)
    return dataset


def _options(path: str | Path | None) -> FuseOptions:
    if path is None:
        return FuseOptions()
    try:
        return FuseOptions(**json.loads(Path(path).read_text("utf-8")))
    except (OSError, TypeError, ValueError) as error:
        said = error.errors()[0] if isinstance(error, ValidationError) else None
        what = f"{'.'.join(map(str, said['loc']))}: {said['msg']}" if said else str(error)
        raise ConfigurationError(
            f"{path} holds no options of a fusion ({what}); expected JSON of FuseOptions"
        ) from error


def _table(path: str | Path) -> StationVelocities:
    record = read_gnss(path, frame="as given")
    if not isinstance(record, StationVelocities):
        raise InputError(
            f"{path} is no table of stations; expected CSV with name, latitude, longitude, east, north, up"
        )
    return record


def _line(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(each) for each in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != 4:
        raise ConfigurationError(f"profile {text!r} is no line; expected four numbers: west,south,east,north in metres")
    return numbers
