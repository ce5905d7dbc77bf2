"""Velocity models on grids: the CSV of the European Ground Motion Service, and GeoTIFF as PROJ distributes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pyproj import Transformer

from groundshift.errors import InputError
from groundshift.grid.tiles import Box
from groundshift.io.files import write_text
from groundshift.io.gnss.text import numbers, read_lines
from groundshift.io.rasters import georeference, open_raster, read_window
from groundshift.model.velocity_grid import VelocityGrid, build_grid

_CRS, _FRAME = "EPSG:3035", "ETRF2000"
_BANDS = ("east_velocity", "north_velocity", "up_velocity")
_STEP = 50_000.0  # m: between nodes, where it cannot be seen
_MOST_NODES = 2000  # along an axis
_PER_YEAR = {"millimetres per year": 1.0, "mm/yr": 1.0, "metres per year": 1000.0, "m/yr": 1000.0}


def is_egms_grid(head: str) -> bool:
    """Whether this is the first line of a GNSS model of the service."""
    words = _words(head)
    return {"n", "e", "up", "easting", "northing"} <= set(words)


def read_egms_grid(path: str | Path) -> VelocityGrid:
    """Read `EGMS_AEPND_Vyyyy.i.csv`: velocities in ETRF2000 at multiples of 50 km in EPSG:3035.

    Its columns are Latitude, Longitude, N, E, Up, SigmaN, SigmaE, SigmaUP (mm/yr), easting and northing (m); they are
    told by their names, separated by commas or semicolons. Source: EGMS product description v2.0 (2023).

    Raises
    ------
    InputError
        If a column is missing, a number is none, or the nodes are not on a regular grid.
    """
    lines = read_lines(path)
    words = _words(lines[0]) if lines else []
    needed = ("n", "e", "up", "sigman", "sigmae", "sigmaup", "easting", "northing")
    if missing := [each for each in needed if each not in words]:
        raise InputError(f"{path} has the columns {words}; a GNSS model of EGMS also has {missing}")
    order = [words.index(each) for each in needed]
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if line.strip():
            row = _split(line)
            if len(row) != len(words):
                raise InputError(f"{path}, line {number} has {len(row)} values; expected {len(words)}")
            rows.append(numbers(path, number, [row[each] for each in order]))
    if len(rows) < 4:
        raise InputError(f"{path} has {len(rows)} nodes; expected a grid of velocities")
    north, east, up, sigma_north, sigma_east, sigma_up, easting, northing = np.array(rows).T
    x, y = (_axis(path, each) for each in (easting, northing))
    velocity, sigma = np.full((2, len(y), len(x), 3), np.nan)
    where = (
        np.rint((northing - y[0]) / (y[1] - y[0])).astype(int),
        np.rint((easting - x[0]) / (x[1] - x[0])).astype(int),
    )
    velocity[where] = np.stack([east, north, up], 1)
    sigma[where] = np.stack([sigma_east, sigma_north, sigma_up], 1)
    return build_grid(_CRS, x, y, velocity, sigma=sigma, frame=_FRAME, source=Path(path).name)


def write_egms_grid(path: str | Path, grid: VelocityGrid) -> None:
    """Write a grid as the service does, nodes that have a velocity alone: the whole file or none.

    Raises
    ------
    InputError
        If the grid is not in EPSG:3035, or its velocities are not in ETRF2000.
    """
    if grid.crs.to_epsg() != 3035 or grid.frame != _FRAME:
        raise InputError(
            f"the grid is in {grid.crs.name}, its velocities in {grid.frame}; a GNSS model of EGMS is in {_CRS} and "
            f"{_FRAME}: make it there"
        )
    rows, columns = np.nonzero(np.isfinite(grid.velocity).all(axis=-1))
    longitude, latitude = Transformer.from_crs(_CRS, "EPSG:4326", always_xy=True).transform(
        grid.x[columns], grid.y[rows]
    )
    lines = ["Latitude,Longitude,N,E,Up,SigmaN,SigmaE,SigmaUP,easting,northing"]
    for k, (row, column) in enumerate(zip(rows, columns, strict=True)):
        (e, n, u), (se, sn, su) = grid.velocity[row, column], grid.sigma[row, column]
        lines.append(
            f"{latitude[k]:.6f},{longitude[k]:.6f},{n:.3f},{e:.3f},{u:.3f},{sn:.3f},{se:.3f},{su:.3f},"
            f"{grid.x[column]:.0f},{grid.y[row]:.0f}"
        )
    write_text(path, "\n".join(lines) + "\n")


def write_grid_table(path: str | Path, grid: VelocityGrid) -> None:
    """Write the nodes of any grid that have a velocity as CSV: the whole file or none.

    They are named rNcM by row and column, so that :func:`~groundshift.io.gnss.table.read_station_table` reads them too.
    """
    rows, columns = np.nonzero(np.isfinite(grid.velocity).all(axis=-1))
    x, y = grid.x[columns], grid.y[rows]
    longitude, latitude = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(x, y)
    lines = [f"# frame: {grid.frame}", f"# source: {grid.source}",
             "name,latitude,longitude,x,y,east,north,up,sigma_east,sigma_north,sigma_up"]  # fmt: skip
    for k, (row, column) in enumerate(zip(rows, columns, strict=True)):
        rates = ",".join(f"{each:.3f}" for each in (*grid.velocity[row, column], *grid.sigma[row, column]))
        lines.append(f"r{row}c{column},{latitude[k]:.6f},{longitude[k]:.6f},{x[k]:.10g},{y[k]:.10g},{rates}")
    write_text(path, "\n".join(lines) + "\n")


def read_velocity_raster(path: str | Path, *, frame: str | None = None) -> VelocityGrid:
    """Read a velocity grid as GeoTIFF: bands described as east_velocity, north_velocity, up_velocity.

    So are the grids of PROJ (GeoTIFF grid specification, type VELOCITY), such as eur_nkg_nkgrf17vel.tif. The frame is
    that of the file's CRS, if not given. Bands that are not described are east, north, up in mm/yr.

    Raises
    ------
    InputError
        If the file is missing, has fewer than three bands, or an unknown unit.
    """
    with open_raster(str(path)) as dataset:
        if dataset.count < 3:
            raise InputError(f"{path} has {dataset.count} bands; expected velocities east, north, up")
        names = [each or "" for each in dataset.descriptions]
        bands = [names.index(each) + 1 for each in _BANDS] if set(_BANDS) <= set(names) else [1, 2, 3]
        units = [(dataset.units[band - 1] or "mm/yr").lower() for band in bands]
        box = georeference(dataset)
        nodata = dataset.nodata
    if unknown := [each for each in units if each not in _PER_YEAR]:
        raise InputError(f"{path} has the unit {unknown[0]!r}; expected one of {', '.join(_PER_YEAR)}")
    rows, columns = box.shape
    values = read_window(str(path), bands, Box(0, 0, rows, columns)).astype(float)
    if nodata is not None:
        values[values == nodata] = np.nan
    values *= np.array([_PER_YEAR[each] for each in units])[:, None, None]
    affine = box.affine
    x = affine.c + (np.arange(columns) + 0.5) * affine.a
    y = affine.f + (np.arange(rows) + 0.5) * affine.e
    return build_grid(
        box.crs.proj,
        x,
        y[::-1],
        np.moveaxis(values, 0, -1)[::-1],
        frame=frame or box.crs.proj.name,
        source=Path(path).name,
    )


def _words(line: str) -> list[str]:
    return [each.strip().lower().replace("_", "").replace(" ", "") for each in _split(line)]


def _split(line: str) -> list[str]:
    return [each.strip().strip('"') for each in line.split(";" if ";" in line else ",")]


def _axis(path: str | Path, values: np.ndarray) -> np.ndarray:
    known = np.unique(values)
    step = float(np.diff(known).min()) if len(known) > 1 else _STEP
    count = (known[-1] - known[0]) / step + 1
    axis = known[0] + step * np.arange(max(round(count), 2) if count < _MOST_NODES else 0)
    if not np.isin(np.rint(known), np.rint(axis)).all():
        raise InputError(f"{path} has nodes that are on no regular grid; expected multiples of 50 km")
    return axis
