"""From one format to another: point sets and rasters."""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import xarray as xr

from groundshift.errors import ConfigurationError, InputError
from groundshift.io.ahead import ahead
from groundshift.io.convert.grid import from_grid, to_grid
from groundshift.io.convert.raster import read_raster, write_cog, write_egms_raster, write_netcdf
from groundshift.io.convert.vector import read_vector, write_geojson, write_geopackage
from groundshift.io.egms import parse_name, read_batches, write_egms
from groundshift.io.other_maps import read_other_map
from groundshift.io.points import read_point_batches, write_points

log = logging.getLogger(__name__)

_SILENCE = 10.0  # seconds


class Format(NamedTuple):
    """How files of one kind are named."""

    suffixes: tuple[str, ...]  # in lower case; the first is the usual one
    raster: bool
    what: str


FORMATS: Mapping[str, Format] = {
    "egms": Format((".zip",), False, "table and header as EGMS delivers them"),
    "csv": Format((".csv",), False, "the same as files side by side"),
    "geoparquet": Format((".parquet", ".geoparquet"), False, "point set as it is in memory"),
    "geopackage": Format((".gpkg",), False, "points with a column a date"),
    "geojson": Format((".geojson", ".json"), False, "points in degrees with a member a date"),
    "netcdf": Format((".nc",), True, "grid of L3 with the series, or displacement map"),
    "cog": Format((".tif", ".tiff"), True, "grid of L3 without the series, or displacement map"),
    "egms-tiff": Format((".tiff",), True, "velocity of L3 as EGMS delivers it, one tile"),
}

Change = Callable[[Iterable[pa.Table]], Iterator[pa.Table]]


def format_of(path: str | Path) -> str:
    """The format that a path means, by its suffix; a folder means a zip of EGMS.

    Raises
    ------
    InputError
        If no format has such a suffix.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if not suffix:
        return "egms"
    if suffix == ".tiff" and parse_name(path.name) is not None:
        return "egms-tiff"
    for name, each in FORMATS.items():
        if suffix in each.suffixes:
            return name
    known = sorted({suffix for each in FORMATS.values() for suffix in each.suffixes})
    raise InputError(f"{path} has the suffix {suffix!r}; expected one of {', '.join(known)}, or say the format")


def read_parts(path: str | Path, *, component: str | None = None) -> Iterator[pa.Table]:
    """Read a point set in any format of :data:`FORMATS`, a part at a time.

    Parameters
    ----------
    path
        A table of EGMS (.zip, .csv), GeoParquet, GeoPackage, GeoJSON, or NetCDF of L3.
    component
        U or E, for an L3 file that does not say it.

    Yields
    ------
    Point sets of the same metadata.
    """
    name = format_of(path)
    if not Path(path).is_file():
        raise InputError(f"{path} is no file; expected points: check the path")
    if name in ("egms", "csv"):
        yield from read_batches(path, component=component)
    elif name == "geoparquet":
        yield from read_point_batches(path)
    elif FORMATS[name].raster:
        yield from_grid(read_raster(path))
    else:
        yield from read_vector(path, component=component)


def write_parts(
    path: str | Path,
    tables: Iterable[pa.Table],
    *,
    to: str | None = None,
    dialect: str | None = None,
    produced: datetime.date | None = None,
) -> Path:
    """Write parts of a point set in any format of :data:`FORMATS`: the whole file or none.

    Parts are written one after the other, but for rasters, which take the cells of a tile at once.

    Parameters
    ----------
    path
        File; a folder for a zip with the name that EGMS gives it.
    tables
        Of the same columns and metadata.
    to
        A key of :data:`FORMATS`; by the suffix if not given.
    dialect, produced
        See :func:`groundshift.io.egms.write_egms`.

    Returns
    -------
    The file.
    """
    name = _known(to) if to else format_of(path)
    if name in ("egms", "csv"):
        return write_egms(path, tables, dialect=dialect, produced=produced)
    if FORMATS[name].raster:
        _write_raster(path, to_grid(pa.concat_tables(tables)), name)
    else:
        write = {"geoparquet": write_points, "geopackage": write_geopackage, "geojson": write_geojson}[name]
        write(path, tables)
    return Path(path)


def convert(
    source: str | Path,
    out: str | Path,
    *,
    to: str | None = None,
    component: str | None = None,
    dialect: str | None = None,
    change: Change | None = None,
    program: str | None = None,
    crs: str | None = None,
    sigma: float | None = None,
    dates: str | None = None,
) -> Path:
    """Convert a point set or raster to another format: the whole file or none.

    Points go through part by part; reading and changing work in threads of their own.

    Parameters
    ----------
    source
        File; see :func:`read_parts`, and for rasters :func:`groundshift.io.convert.raster.read_raster`.
    out, to, dialect
        See :func:`write_parts`.
    component
        U or E, for an L3 file that does not say it.
    change
        What to do with the parts on the way.
    program, crs, sigma, dates
        The source is a displacement map of another program; see :func:`groundshift.io.other_maps.read_other_map`.

    Returns
    -------
    The file that was written.

    Raises
    ------
    InputError
        If the source cannot be read, or does not hold what the other format needs.
    ConfigurationError
        If `crs`, `sigma` or `dates` are given without `program`.
    """
    target = _known(to) if to else format_of(out)
    if Path(out).exists() and Path(source).exists() and Path(out).samefile(source):
        raise InputError(f"{out} is the source too; give another path for the result")
    if program is not None:
        if not FORMATS[target].raster:
            raise InputError(f"{out} is for points; a displacement map goes to .tif or .nc")
        _write_raster(out, read_other_map(source, program, crs=crs, sigma=sigma, dates=dates), target)
        return Path(out)
    if crs is not None or sigma is not None or dates is not None:
        raise ConfigurationError("--crs, --sigma and --dates belong to a map of another program; say whose: --from")
    if FORMATS[format_of(source)].raster and change is None and FORMATS[target].raster:
        _write_raster(out, read_raster(source), target)
        return Path(out)
    if FORMATS[format_of(source)].raster and "reason" in (held := read_raster(source)):
        raise InputError(
            f"{source} is a {held.attrs.get('quantity', 'displacement')} map and {out} is for points; a map goes to "
            ".tif or .nc, which desktop maps open as they are"
        )
    parts = _counted(ahead(read_parts(source, component=component)))
    return write_parts(out, ahead(change(parts)) if change else parts, to=to, dialect=dialect)


def _counted(parts: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same parts; the log says now and then how many points there were."""
    count, start = 0, time.monotonic()
    said = start
    for part in parts:
        yield part
        count += len(part)
        if time.monotonic() - said > _SILENCE:
            said = time.monotonic()
            log.info("%d points in %.0f s", count, said - start)


def _write_raster(path: str | Path, dataset: xr.Dataset, name: str) -> None:
    {"netcdf": write_netcdf, "cog": write_cog, "egms-tiff": write_egms_raster}[name](path, dataset)


def _known(name: str) -> str:
    if name not in FORMATS:
        raise InputError(f"format {name!r} is not known; give one of {', '.join(FORMATS)}")
    return name
