"""Velocities from solutions in the Software-Independent Exchange format (SINEX)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pyproj import Transformer

from groundshift.errors import InputError
from groundshift.io.gnss.text import numbers, read_lines
from groundshift.kernels.rotation import local_axes
from groundshift.model.stations import StationVelocities, build_velocities

_HEAD = "%=SNX"
_PLACE, _SPEED = ("STAX", "STAY", "STAZ"), ("VELX", "VELY", "VELZ")


class _Parameter(NamedTuple):
    number: float
    kind: str
    site: tuple[str, str]  # code and point
    solution: str
    epoch: str
    value: float
    sigma: float


def is_sinex(line: str) -> bool:
    """Whether this is the first line of such a file."""
    return line.startswith(_HEAD)


def read_sinex(path: str | Path, *, frame: str) -> StationVelocities:
    """Read the velocities of a solution, with their covariances.

    Of a station with several solutions (after jumps) the last counts. Blocks are those of SINEX 2.02 (IERS):
    SOLUTION/ESTIMATE with STAX, STAY, STAZ (m) and VELX, VELY, VELZ (m/y), and SOLUTION/MATRIX_ESTIMATE, lower or upper
    triangle, COVA or CORR; without it, standard deviations alone.

    Parameters
    ----------
    frame
        Of the velocities, which the format does not say.

    Raises
    ------
    InputError
        If the file is missing, is no SINEX, or has no velocity.
    """
    lines = read_lines(path)
    if not lines or not is_sinex(lines[0]):
        raise InputError(f"{path} does not begin with {_HEAD}; expected a solution in SINEX")
    last: dict[tuple[str, str], dict[str, _Parameter]] = {}
    for parameter in _estimates(path, lines):
        kept = last.setdefault(parameter.site, {})
        before = kept.get(parameter.kind)
        if before is None or _rank(parameter.solution) >= _rank(before.solution):
            kept[parameter.kind] = parameter
    whole = {site: kept for site, kept in last.items() if set(kept) >= {*_PLACE, *_SPEED}}
    if not whole:
        raise InputError(f"{path} has no station with STAX ... VELZ; expected a solution with velocities")
    place, speed, sigma = (
        np.array([[getattr(kept[kind], field) for kind in kinds] for kept in whole.values()])
        for kinds, field in ((_PLACE, "value"), (_SPEED, "value"), (_SPEED, "sigma"))
    )
    covariance = sigma[:, :, None] ** 2 * np.eye(3)
    rows = {kept[kind].number: (k, j) for k, kept in enumerate(whole.values()) for j, kind in enumerate(_SPEED)}
    _fill(path, lines, rows, covariance, sigma)
    longitude, latitude, height = Transformer.from_crs("EPSG:4978", "EPSG:4979", always_xy=True).transform(*place.T)
    axes = local_axes(latitude, longitude)
    codes = [code for code, _ in whole]
    names = [code if codes.count(code) == 1 else f"{code}_{point}" for code, point in whole]
    return build_velocities(
        names, latitude, longitude, 1000 * np.einsum("nij,nj->ni", axes, speed),
        covariance=1e6 * axes @ covariance @ axes.transpose(0, 2, 1), height=height, frame=frame,
        epoch=day_of(next(iter(whole.values()))["STAX"].epoch), source=Path(path).name,
    )  # fmt: skip


def block(lines: list[str], name: str) -> Iterator[tuple[int, str]]:
    """Numbers and lines of a block such as SOLUTION/ESTIMATE, without comments."""
    inside = False
    for number, line in enumerate(lines, start=1):
        if line.startswith(("+", "-")):
            inside = line.startswith("+") and line[1:].strip().startswith(name)
        elif inside and not line.startswith("*"):
            yield number, line


def _estimates(path: str | Path, lines: list[str]) -> Iterator[_Parameter]:
    for number, line in block(lines, "SOLUTION/ESTIMATE"):
        words = line.split()
        if len(words) < 9 or words[1] not in (*_PLACE, *_SPEED):
            continue
        index, value, sigma = numbers(path, number, [word.replace("D", "E") for word in (words[0], *words[-2:])])
        yield _Parameter(index, words[1], (words[2], words[3]), words[4], words[5], value, sigma)


def _fill(
    path: str | Path, lines: list[str], rows: dict[float, tuple[int, int]], covariance: np.ndarray, sigma: np.ndarray
) -> None:
    """Put what the matrix says of velocities of one station into (n, 3, 3)."""
    title = next((line for line in lines if line.startswith("+SOLUTION/MATRIX_ESTIMATE")), "")
    if "INFO" in title:
        raise InputError(f"{path} holds a normal matrix (INFO); expected covariances (COVA) or correlations (CORR)")
    for number, line in block(lines, "SOLUTION/MATRIX_ESTIMATE"):
        words = line.split()
        if len(words) < 2:
            raise InputError(f"{path}, line {number} has {len(words)} numbers; expected two and up to three values")
        first, second = numbers(path, number, words[:2])
        if first not in rows:
            continue
        values = numbers(path, number, [word.replace("D", "E") for word in words[2:]])
        station, i = rows[first]
        for offset, value in enumerate(values):
            other, j = rows.get(second + offset, (-1, 0))
            if other == station and i != j:
                scale = sigma[station, i] * sigma[station, j] if "CORR" in title else 1.0
                covariance[station, i, j] = covariance[station, j, i] = value * scale


def _rank(solution: str) -> tuple[int, str]:
    return (int(solution), "") if solution.isdecimal() else (0, solution)


def day_of(epoch: str) -> np.datetime64 | None:
    """Of YY:DDD:SSSSS or YYYY:DDD:SSSSS; years to 50 are after 2000. None for 00:000:00000, which is open."""
    parts = re.fullmatch(r"(\d\d|\d{4}):(\d{3}):\d{5}", epoch, re.ASCII)
    if parts is None or not 1 <= int(parts[2]) <= 366:
        return None
    year = int(parts[1]) + (0 if len(parts[1]) == 4 else 2000 if int(parts[1]) <= 50 else 1900)
    return np.datetime64(f"{year:04d}-01-01") + np.timedelta64(int(parts[2]) - 1, "D")
