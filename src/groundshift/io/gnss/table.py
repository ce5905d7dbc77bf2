"""Station velocities as plain CSV: columns by name, whatever their order.

Columns are told by their names, without regard to case: `name` (also station, station_id, site, code), `latitude`,
`longitude`, `height`, and of the velocity `east`, `north`, `up` with the standard deviations `sigma_east`,
`sigma_north`, `sigma_up`, and the covariances `covariance_east_north`, `covariance_east_up`, `covariance_north_up`,
or the correlations `corr_en`, `corr_eu`, `corr_nu`. Usual other names are known too, such as `velocity_east_mmyr`
and `velocity_east_error_mmyr`. Velocities are in mm/yr, in m/yr where the name ends so (`_m_yr`, `_myr`, `_m`).
Columns are separated by commas, semicolons or tabs. Lines that begin with `#` may say `frame:`, `epoch:` and
`source:`, and `quantity: displacement`: then numbers are mm.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np

from groundshift.errors import InputError
from groundshift.io.files import write_text
from groundshift.io.gnss.text import numbers, read_lines
from groundshift.model.displacement import QUANTITIES
from groundshift.model.stations import COMPONENTS, StationVelocities, build_velocities

_MISSING = ("", "nan", "na", "null", "none")
_NAMES = {
    "name": ("name", "station", "station_id", "site", "site_id", "code", "id"),
    "latitude": ("latitude", "lat", "nlat"),
    "longitude": ("longitude", "lon", "long", "elon"),
    "height": ("height", "h", "hgt", "ellipsoidal_height", "height_wgs84"),
}
_WORDS = {"east": ("east", "e"), "north": ("north", "n"), "up": ("up", "u", "vertical", "v")}
_UNIT = re.compile(r"_?(\(mm/yr\)|mm_?/?yr|mm_?/?y|mm_?/?a|\(mm\)|mm|\(m/yr\)|m_?/?yr|m)$")
_CORRELATION = re.compile(r"(?:corr|correlation|rho)_?([enu]|east|north|up)_?([enu]|east|north|up)$")
_PAIRS = ((0, 1), (0, 2), (1, 2))


def read_station_table(path: str | Path, *, frame: str | None = None, source: str | None = None) -> StationVelocities:
    """Read station velocities from CSV, plain or compressed (.gz, .xz).

    Parameters
    ----------
    frame
        Frame of the velocities, for a file that does not say; what is given wins.
    source
        Where they come from; the file's name if neither is said.

    Raises
    ------
    InputError
        If the file is missing, a column is missing, a number is none, or no frame is known.
    """
    lines = list(enumerate(read_lines(path), start=1))
    notes = dict(
        re.match(r"#\s*(\w+)\s*:\s*(.*)", text).groups() for _, text in lines if re.match(r"#\s*\w+\s*:", text)
    )
    rows = [(number, text) for number, text in lines if text.strip() and not text.startswith("#")]
    if len(rows) < 2:
        raise InputError(f"{path} has {len(rows)} lines of data; expected a line of column names, and stations")
    separator = max(",;\t", key=rows[0][1].count)
    head, *body = (_split(path, *row, separator) for row in rows)
    columns = _columns(path, head)
    for (number, _), row in zip(rows[1:], body, strict=True):
        if len(row) != len(head):
            raise InputError(f"{path}, line {number} has {len(row)} values; expected {len(head)}, as in the first line")
    values = {key: _floats(path, rows, body, *where) for key, where in columns.items() if key != "name"}
    count = len(body)
    velocity, sigma = (
        np.stack([values.get(f"{kind}{each}", np.full(count, np.nan)) for each in COMPONENTS], 1)
        for kind in ("", "sigma_")
    )
    covariance = sigma[:, :, None] ** 2 * np.eye(3)
    for i, j in _PAIRS:
        key = f"covariance_{COMPONENTS[i]}_{COMPONENTS[j]}"
        alike = np.nan_to_num(values.get(key.replace("covariance", "correlation"), np.zeros(count)))
        alike = alike * sigma[:, i] * sigma[:, j]
        covariance[:, i, j] = covariance[:, j, i] = values.get(key, alike)
    known = frame or notes.get("frame")
    if not known:
        raise InputError(f"{path} does not say in which frame its velocities are; pass --frame ETRF2000, for example")
    return build_velocities(
        [row[columns["name"][0]].strip() for row in body], values["latitude"], values["longitude"], velocity,
        covariance=covariance, height=values.get("height"), frame=known, epoch=notes.get("epoch") or None,
        source=source or notes.get("source") or Path(path).name,
        quantity=_quantity(path, notes.get("quantity") or "velocity"),
    )  # fmt: skip


def write_station_table(path: str | Path, stations: StationVelocities) -> None:
    """Write station velocities as CSV that :func:`read_station_table` reads: the whole file or none."""
    head = [f"# frame: {stations.frame}", f"# epoch: {stations.epoch or ''}", f"# source: {stations.source}"]
    head += [] if stations.quantity == "velocity" else [f"# quantity: {stations.quantity}"]
    names = ["name", "latitude", "longitude", "height", *COMPONENTS, *(f"sigma_{each}" for each in COMPONENTS)]
    names += [f"covariance_{COMPONENTS[i]}_{COMPONENTS[j]}" for i, j in _PAIRS]
    pairs = np.stack([stations.covariance[:, i, j] for i, j in _PAIRS], 1)
    numbers = np.column_stack([stations.velocity, stations.sigma, pairs])
    rows = [
        [f'"{name}"' if "," in name else str(name), f"{lat:.8f}", f"{lon:.8f}", f"{high:.4f}"]
        + [f"{value:.6g}" for value in row]
        for name, lat, lon, high, row in zip(
            stations.name, stations.latitude, stations.longitude, stations.height, numbers, strict=True
        )
    ]
    write_text(path, "\n".join([*head, ",".join(names), *(",".join(row) for row in rows)]) + "\n")


def _quantity(path: str | Path, word: str) -> str:
    if word.strip() not in QUANTITIES:
        raise InputError(f"{path} holds the quantity {word!r}; expected one of {', '.join(QUANTITIES)}")
    return word.strip()


def _split(path: str | Path, number: int, text: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([text], delimiter=separator))
    except csv.Error as error:
        raise InputError(f"{path}, line {number} is no line of a table ({error}); mend it") from error


def _columns(path: str | Path, head: list[str]) -> dict[str, tuple[int, float]]:
    """Index and factor to our unit, by our name."""
    found: dict[str, tuple[int, float]] = {}
    for index, title in enumerate(head):
        word = title.strip().lower().replace(" ", "_")
        unit = _UNIT.search(word)
        plain = word[: unit.start()] if unit else word
        for ours, theirs in _NAMES.items():
            if word in theirs or plain in theirs:
                found.setdefault(ours, (index, 1.0))
        factor = 1000.0 if unit and not unit.group(1).strip("(").startswith("mm") else 1.0
        for key in _velocity_keys(plain, word):
            found.setdefault(key, (index, factor))
    needed = ["name", "latitude", "longitude"]
    missing = [each for each in needed if each not in found]
    missing += [f"sigma_{each}" for each in COMPONENTS if each in found and f"sigma_{each}" not in found]
    if missing or not set(COMPONENTS) & set(found):
        raise InputError(
            f"{path} has the columns {', '.join(head[:8])}{', …' if len(head) > 8 else ''}; expected "
            f"{', '.join(needed)}, a velocity (east, north, up) and its sigma_east, …; missing: "
            f"{', '.join(missing) or 'velocities'}"
        )
    return found


def _velocity_keys(plain: str, word: str) -> list[str]:
    if word.startswith("covariance_"):
        return [word]
    if found := _CORRELATION.match(word):
        one, two = sorted((COMPONENTS[["e", "n", "u"].index(each[0])] for each in found.groups()), key=COMPONENTS.index)
        return [f"correlation_{one}_{two}"]
    for ours, theirs in _WORDS.items():
        for each in theirs:
            sigmas = (f"sigma_{each}", f"sig_{each}", f"s{each}", f"{each}_sigma", f"velocity_{each}_error",
                      f"velocity_{each}_sigma", f"sigma{each}", f"std_{each}", f"{each}_std", f"sv{each}",
                      f"sigma_v{each}", f"sig_v{each}", f"v{each}_sigma")  # fmt: skip
            if plain in sigmas:
                return [f"sigma_{ours}"]
            if plain in (each, f"velocity_{each}", f"v{each}", f"vel_{each}", f"{each}_velocity", f"v_{each}"):
                return [ours]
    return []


def _floats(path: str | Path, rows: list, body: list[list[str]], index: int, factor: float) -> np.ndarray:
    out = np.full(len(body), np.nan)
    for place, ((number, _), row) in enumerate(zip(rows[1:], body, strict=True)):
        word = row[index].strip()
        if word.lower() not in _MISSING:
            out[place] = numbers(path, number, [word])[0] * factor
    return out
