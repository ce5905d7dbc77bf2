"""Files of the Nevada Geodetic Laboratory: daily positions (tenv3) and tables of MIDAS velocities."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import numpy as np
from pyproj import Geod

from groundshift.errors import InputError
from groundshift.io.gnss.text import numbers, read_lines
from groundshift.model.stations import StationSeries, StationVelocities, build_series, build_velocities

_TENV3 = (20, 23)  # columns without and with latitude, longitude, height
_MIDAS = 27
_DAY = re.compile(r"\d{2}[A-Z]{3}\d{2}$")


def is_tenv3(line: str) -> bool:
    """Whether a line is of a tenv3 file, its head or a day."""
    words = line.split()
    head = len(words) > 7 and words[0] == "site" and words[1] == "YYMMMDD"
    return head or (len(words) >= _TENV3[0] and _DAY.match(words[1].upper()) is not None)


def is_midas(line: str) -> bool:
    """Whether a line is of a MIDAS table: a station, a label such as MIDAS5, and numbers."""
    words = line.split()
    return len(words) >= 24 and words[1].upper().startswith("MIDAS")


def read_tenv3(path: str | Path, *, frame: str) -> StationSeries:
    """Read daily positions of one station.

    Columns are the station, day, decimal year, modified Julian day, week and day of the week, the reference meridian
    (degrees), easting, northing and up, each as whole metres and rest, the antenna's height (m), standard deviations
    east, north, up (m), three correlations, and in newer files latitude, longitude and height. Displacements are from
    the first day. Source: README_tenv3.txt of the laboratory.

    Parameters
    ----------
    frame
        Of the positions, which the file does not say: IGS14 or IGS20, by the folder it came from.

    Raises
    ------
    InputError
        If the file is missing, holds several stations, or a line is not as above.
    """
    names, days, rows = [], [], []
    for number, line in enumerate(read_lines(path), start=1):
        words = line.split()
        if not words or words[0] == "site":
            continue
        if len(words) < _TENV3[0]:
            raise InputError(f"{path}, line {number} has {len(words)} columns; expected {_TENV3[0]} or {_TENV3[1]}")
        try:
            days.append(datetime.strptime(words[1].title(), "%y%b%d").date())
        except ValueError as error:
            raise InputError(f"{path}, line {number}: {words[1]!r} is no day; expected one such as 10JUL28") from error
        names.append(words[0])
        rows.append(numbers(path, number, words[6:17] + words[20:23]))
    if not rows or len({len(row) for row in rows}) > 1 or len(set(names)) > 1:
        raise InputError(f"{path} has {len(rows)} days of the stations {sorted(set(names))[:3]}; expected one station")
    known = np.array(days, "datetime64[D]")
    order = np.argsort(known, kind="stable")
    values = np.array(rows)[order]
    place = np.stack([values[:, 1] + values[:, 2], values[:, 3] + values[:, 4], values[:, 5] + values[:, 6]], 1)
    if values.shape[1] == 14:
        latitude, longitude, height = np.median(values[:, 11:], axis=0)
    else:
        longitude, latitude = _from_meridian(values[0, 0], *place[0, :2])
        height = place[0, 2]
    return build_series(
        names[0], latitude, longitude, known[order], 1000 * (place - place[0]), 1000 * values[:, 8:11],
        frame=frame, source=f"{Path(path).name}, Nevada Geodetic Laboratory", height=height,
    )  # fmt: skip


def read_midas(path: str | Path, *, frame: str | None = None) -> StationVelocities:
    """Read a table of velocities that the MIDAS estimator found (Blewitt et al. 2016, doi:10.1002/2015JB012552).

    Columns are the station, the version, first and last epoch, duration, epochs, good epochs, pairs, velocities east,
    north, up and their standard deviations (m/yr), offsets, shares of outliers, scatter of pairs, steps, latitude,
    longitude, height. Source: midas.readme.txt of the laboratory.

    Parameters
    ----------
    frame
        Of the velocities; that in the name of the file, as in midas.IGS14.txt, if not given.

    Raises
    ------
    InputError
        If the file is missing, has no places or no frame, or a line is not as above.
    """
    names, rows = [], []
    for number, line in enumerate(read_lines(path), start=1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if len(words) < _MIDAS:
            raise InputError(
                f"{path}, line {number} has {len(words)} columns; expected {_MIDAS}, the last three latitude, "
                "longitude and height: fetch a table of 2017 or later"
            )
        names.append(words[0])
        rows.append(numbers(path, number, words[8:14] + words[24:27]))
    known = frame or _frame_of(Path(path).name)
    if known is None:
        raise InputError(f"{path} does not say in which frame its velocities are; pass --frame IGS14, for example")
    if not rows:
        raise InputError(f"{path} has no station; expected one a line")
    values = np.array(rows)
    good = (values[:, 3:6] > 0).all(axis=1) & np.isfinite(values).all(axis=1)
    values, kept = values[good], np.array(names)[good]
    return build_velocities(
        kept, values[:, 6], values[:, 7], 1000 * values[:, :3], sigma=1000 * values[:, 3:6], height=values[:, 8],
        frame=known, source=f"{Path(path).name}, Nevada Geodetic Laboratory",
    )  # fmt: skip


def _frame_of(name: str) -> str | None:
    found = re.match(r"midas\.(\w+)\.txt", name, re.IGNORECASE)
    return found.group(1).upper() if found else None


def _from_meridian(meridian: float, easting: float, northing: float) -> tuple[float, float]:
    """Longitude and latitude of metres north of the equator along a meridian, and east of it."""
    earth = Geod(ellps="WGS84")
    _, latitude, _ = earth.fwd(meridian, 0, 0 if northing >= 0 else 180, abs(northing))
    longitude, latitude, _ = earth.fwd(meridian, latitude, 90 if easting >= 0 else 270, abs(easting))
    return longitude, latitude
