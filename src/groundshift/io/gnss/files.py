"""Any file of stations: which family it is of is told by what it begins with."""

from __future__ import annotations

from pathlib import Path

from groundshift.errors import InputError
from groundshift.io.gnss.grid import is_egms_grid, read_egms_grid, read_velocity_raster
from groundshift.io.gnss.ngl import is_midas, is_tenv3, read_midas, read_tenv3
from groundshift.io.gnss.pbo import is_pbo, read_pos
from groundshift.io.gnss.sinex import is_sinex, read_sinex
from groundshift.io.gnss.table import read_station_table
from groundshift.io.gnss.text import read_lines
from groundshift.model.stations import StationSeries, StationVelocities
from groundshift.model.velocity_grid import VelocityGrid

_RASTERS = (".tif", ".tiff")


def read_gnss(path: str | Path, *, frame: str | None = None) -> StationVelocities | VelocityGrid | StationSeries:
    """Read stations, a velocity model on a grid, or the series of one station.

    Known are CSV, MIDAS tables and SINEX (velocities); the GNSS model of EGMS and GeoTIFF (grids); tenv3 and pos
    (series); text may be compressed (.gz, .xz).

    Parameters
    ----------
    frame
        Of the velocities or positions, for files that do not say; what is given wins.

    Raises
    ------
    InputError
        If the file is missing, is none of these, or its frame is not known.
    """
    if Path(path).suffix.lower() in _RASTERS:
        return read_velocity_raster(path, frame=frame)
    first = next((line for line in read_lines(path) if line.strip()), "")
    if is_pbo(first):
        return read_pos(path, frame=frame)
    if is_midas(first):
        return read_midas(path, frame=frame)
    if is_egms_grid(first):
        return read_egms_grid(path)
    if is_tenv3(first) or is_sinex(first):
        if frame is None:
            raise InputError(f"{path} does not say in which frame it is; pass --frame IGS14, for example")
        return read_tenv3(path, frame=frame) if is_tenv3(first) else read_sinex(path, frame=frame)
    return read_station_table(path, frame=frame)
