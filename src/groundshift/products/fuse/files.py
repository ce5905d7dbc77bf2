"""Fusion from files to files, as the command line does it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import xarray as xr
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from groundshift.errors import ConfigurationError, InputError, one_line, refused_fields
from groundshift.figures.fusion import fusion_figure, profile_3d_figure
from groundshift.figures.style import save_figure
from groundshift.io.gnss.files import read_gnss
from groundshift.model.stations import StationSeries, StationVelocities
from groundshift.products.fuse import PICTURE_NAME, SeriesConfig, fuse, fuse_series
from groundshift.products.fuse.config import LEVELLING, OPTICAL, FuseConfig, SourceErrors
from groundshift.products.fuse.grid import fuse_grid
from groundshift.products.fuse.sources import OpticalMap, RadarPoints
from groundshift.products.fuse.stations import Levelling, ModelField, Stations
from groundshift.products.ortho import velocity_field

PROFILE_NAME = "profile.png"
T = TypeVar("T", bound=BaseModel)


class FuseOptions(BaseModel):
    """The JSON file of `groundshift fuse --config`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fuse: FuseConfig = Field(FuseConfig(), description="how to fuse; `quantity` is that of the command")
    series: SeriesConfig = Field(SeriesConfig(), description="how to fuse over time; the options of the command win")
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
    stations: Sequence[str | Path] = (),
    levelling: str | Path | None = None,
    model: str | Path | None = None,
    start: str | None = None,
    end: str | None = None,
    average: int = 1,
    quantity: str = "displacement",
    cell: float | None = None,
    profile: str | None = None,
    width: float = 2_000.0,
    every: int | None = None,
    dates: Sequence[str] = (),
    steps: Sequence[str] = (),
    config: str | Path | None = None,
    executor: Any = None,
    workers: int | None = None,
) -> xr.Dataset:
    """Fuse files into the folder `out` by :func:`groundshift.products.fuse.fuse`, or over time by
    :func:`groundshift.products.fuse.fuse_series` if `every` or `dates` is given; draws `profile.png` if asked.

    Parameters
    ----------
    optical, radar
        Displacement maps, and point sets of level L2a or L2b.
    stations, levelling
        Tables of places with velocities (mm/yr), or with displacements (mm) under the same column names; of stations
        also series, a file each.
    model
        Stations or a grid that give the velocity everywhere.
    start, end, average
        Days around the displacement, and dates of radar that are averaged on each side.
    cell
        Side of a cell, m.
    profile, width
        Ends of a line, `west,south,east,north`, and width of the swath, m.
    every, dates, steps
        Days between dates of a series, or its dates; days on which the ground jumped.
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
    if stations:
        sources.append(Stations(_stations(stations)))
    if levelling is not None:
        sources.append(Levelling(_table(levelling), options.levelling, start, end))
    if model is not None:
        sources.append(ModelField(velocity_field(read_gnss(model)), options.model_sigma))
    how = {"grid": fuse_grid(sources, cell=cell), "out": out, "executor": executor, "workers": workers}
    if every is not None or dates:
        if quantity != "displacement" or line is not None:
            raise ConfigurationError(
                "a series is of displacement, without a profile; leave --quantity or --profile out"
            )
        given = {"every": every, "steps": tuple(steps)}
        said = options.series.model_dump() | {name: value for name, value in given.items() if value}
        return fuse_series(sources, dates=dates or None, config=_checked(SeriesConfig, said, "the command"), **how)
    chosen = options.fuse.model_copy(update={"quantity": quantity})
    dataset = fuse(sources, start=start, end=end, config=chosen, **how)
    if line is not None:
        save_figure(fusion_figure(dataset, line=line), Path(out) / PICTURE_NAME)
        save_figure(profile_3d_figure(dataset, line[:2], line[2:], width=width), Path(out) / PROFILE_NAME)
    return dataset


def _options(path: str | Path | None) -> FuseOptions:
    if path is None:
        return FuseOptions()
    try:
        return _checked(FuseOptions, json.loads(Path(path).read_text("utf-8")), path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{path} holds no options of a fusion ({error}); expected JSON of FuseOptions"
        ) from error


def _checked(kind: type[T], said: dict[str, Any], where: Any) -> T:
    try:
        return kind(**said)
    except (TypeError, ValueError) as error:
        what = refused_fields(error) if isinstance(error, ValidationError) else one_line(error)
        raise ConfigurationError(
            f"{where} holds no options of a fusion ({what}); expected those of {kind.__name__}"
        ) from error


def _stations(paths: Sequence[str | Path]) -> StationVelocities | list[StationSeries]:
    """A table, or series, one a file."""
    if len(paths) == 1 and isinstance(record := read_gnss(paths[0], frame="as given"), StationVelocities):
        return record
    records = [read_gnss(path, frame="as given") for path in paths]
    for path, record in zip(paths, records, strict=True):
        if not isinstance(record, StationSeries):
            raise InputError(f"{path} is no series of a station; expected one table, or files with a series each")
    return records


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
