"""A velocity model on disk: from any files of stations to tables, a grid, and a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from groundshift.errors import ConfigurationError, InputError
from groundshift.figures.calibrate import velocity_model_figure
from groundshift.figures.style import save_figure
from groundshift.geodesy.frames import to_frame
from groundshift.geodesy.trajectory import TrajectoryConfig, velocities_of
from groundshift.geodesy.velocity_field import sample_field
from groundshift.geodesy.velocity_model import LEAST_STATIONS, LeaveOneOut, VelocityModel, fit_velocity_model
from groundshift.io.files import write_json, write_text
from groundshift.io.gnss.grid import write_egms_grid, write_grid_table
from groundshift.io.gnss.table import write_station_table
from groundshift.model.stations import COMPONENTS, StationSeries, StationVelocities, describe
from groundshift.model.velocity_grid import VelocityGrid, describe_grid

STATIONS, LEFT_OUT, GRID, PICTURE, REPORT = (
    "stations.csv", "leave_one_out.csv", "model.csv", "model.png", "report.json",
)  # fmt: skip
_MARGIN = 0.5  # degrees around the stations, on the map
_MOVING = 0.25  # weight in the model below which a station is said to move by itself
_MAP = 60  # nodes of the map to each side


def make_velocity_model(
    read: Sequence[StationVelocities | VelocityGrid | StationSeries],
    out: str | Path,
    *,
    frame: str | None = None,
    method: Literal["trajectory", "midas"] = "trajectory",
    trajectory: TrajectoryConfig | None = None,
    steps: Mapping[str, Sequence[np.datetime64]] | None = None,
    spacing: float = 50.0,
    crs: str = "EPSG:3035",
) -> str:
    """Make a velocity model, and write it to the folder `out`; returns what is to be said of it.

    Written are `stations.csv`, `leave_one_out.csv`, `report.json`, `model.png`, and the model on a grid: in the layout
    of EGMS if it is in EPSG:3035 and ETRF2000 (`EGMS_AEPND_V0.0.csv`), as `model.csv` otherwise. A grid that was read
    is described only; fewer than five stations are a table only.

    Parameters
    ----------
    read
        One table of velocities, or one grid, or series of stations.
    frame
        Of the model; that of the stations if not given.
    method, trajectory, steps
        How series become velocities, see :func:`~groundshift.geodesy.trajectory.velocities_of`.
    spacing
        Of the grid, km.
    crs
        Of the grid.

    Raises
    ------
    InputError
        If there are several tables, or tables and series.
    """
    out = Path(out)
    if len(read) == 1 and isinstance(read[0], VelocityGrid):
        return describe_grid(read[0])
    stations = _stations(read, method, trajectory, steps)
    if len(stations) < LEAST_STATIONS:
        write_station_table(out / STATIONS, stations if frame is None else to_frame(stations, frame))
        return f"{describe(stations)}\n{STATIONS} is in {out}; a model needs {LEAST_STATIONS} stations or more"
    model = fit_velocity_model(stations, frame=frame)
    write_station_table(out / STATIONS, model.stations)
    left = model.leave_one_out()
    head = ["name", *(f"{kind}_{each}" for each in COMPONENTS for kind in ("error", "sigma", "weight", "score"))]
    rows = np.stack([left.error, left.sigma, left.weight, left.score], -1).reshape(len(stations), -1)
    lines = [
        ",".join([str(name), *(f"{value:.3f}" for value in row)]) for name, row in zip(stations.name, rows, strict=True)
    ]
    write_text(out / LEFT_OUT, "\n".join([",".join(head), *lines]) + "\n")
    grid, name = _grid(model, spacing, crs), GRID
    if grid.crs.to_epsg() == 3035 and grid.frame == "ETRF2000":
        name = "EGMS_AEPND_V0.0.csv"
        write_egms_grid(out / name, grid)
    else:
        write_grid_table(out / name, grid)
    write_json(out / REPORT, _report(model))
    save_figure(_figure(model), out / PICTURE)
    said = [describe(model.stations)]
    for number, each in enumerate(COMPONENTS):
        error, sigma, field = left.error[:, number], left.sigma[:, number], model.fields[number]
        said.append(
            f"{each}: leave-one-out rms {np.sqrt(np.nanmean(error**2)):.2f} mm/yr, standardised variance "
            f"{np.nanmean((error / sigma) ** 2):.2f}; alike over {field.length:.0f} km{_odd(model, left, number)}"
        )
    return "\n".join([*said, f"{STATIONS}, {LEFT_OUT}, {name}, {REPORT} and {PICTURE} are in {out}"])


def _odd(model: VelocityModel, left: LeaveOneOut, component: int) -> str:
    """Stations that move by themselves, if any."""
    names = _moving(model, left, component)
    return f"; by themselves move {', '.join(names)}" if names else ""


def _moving(model: VelocityModel, left: LeaveOneOut, component: int) -> list[str]:
    return model.stations.name[np.nan_to_num(left.weight[:, component], nan=1.0) < _MOVING].tolist()


def _stations(
    read: Sequence,
    method: Literal["trajectory", "midas"],
    config: TrajectoryConfig | None,
    steps: Mapping[str, Sequence[np.datetime64]] | None,
) -> StationVelocities:
    if len(read) == 1 and isinstance(read[0], StationVelocities):
        return read[0]
    if not read or not all(isinstance(each, StationSeries) for each in read):
        raise InputError(f"{len(read)} files of several kinds; expected one table of velocities, or series of stations")
    return velocities_of(read, method=method, config=config, steps=steps)


def _grid(model: VelocityModel, spacing: float, crs: str) -> VelocityGrid:
    try:
        known = CRS.from_user_input(crs)
    except CRSError as error:
        raise ConfigurationError(f"{crs!r} is not a CRS; pass --crs EPSG:3035, for example") from error
    to_plane = Transformer.from_crs("EPSG:4326", known, always_xy=True)
    stations = _unbroken(model.stations)
    places = np.stack(to_plane.transform(stations.longitude, stations.latitude))
    box = np.append(places.min(axis=1), places.max(axis=1))
    return sample_field(model, known, box, 1000 * spacing if known.is_projected else spacing / 111.0)


def _unbroken(stations: StationVelocities) -> StationVelocities:
    """The same stations, with longitudes that do not jump where they cross 180 degrees."""
    longitude = stations.longitude
    return replace(stations, longitude=longitude - 360 * np.rint((longitude - longitude[0]) / 360))


def _report(model: VelocityModel) -> dict:
    latitude, longitude, rate = model.pole.place
    left = model.leave_one_out()
    fields = {}
    for number, (name, field) in enumerate(zip(COMPONENTS, model.fields, strict=True)):
        error, sigma = left.error[:, number], left.sigma[:, number]
        fields[name] = {
            **field._asdict(), "rms": np.sqrt(np.nanmean(error**2)), "median_absolute": np.nanmedian(np.abs(error)),
            "standardised_variance": np.nanmean((error / sigma) ** 2),
            "variance_of_normal_score": np.nanmean(left.score[:, number] ** 2), "scale_of_sigmas": model.scale[number],
            "own_motion": model.own[number]._asdict(), "moving_by_themselves": _moving(model, left, number),
        }  # fmt: skip
    return {
        "frame": model.frame, "source": model.source, "stations": len(model.stations), "components": fields,
        "pole": {"latitude": latitude, "longitude": longitude, "degrees_per_million_years": rate},
    }  # fmt: skip


def _figure(model: VelocityModel) -> Figure:
    stations = _unbroken(model.stations)
    x, y = (
        np.linspace(each.min() - _MARGIN, each.max() + _MARGIN, _MAP)
        for each in (stations.longitude, stations.latitude)
    )
    longitude, latitude = (each.ravel() for each in np.meshgrid(x, y))
    found = model.at(latitude, longitude)
    sigma = np.sqrt(np.diagonal(found.covariance, axis1=1, axis2=2))
    left = model.leave_one_out()
    shape = (_MAP, _MAP, 3)
    return velocity_model_figure(
        stations, left.error / left.sigma, x, y, found.velocity.reshape(shape), sigma.reshape(shape)
    )
