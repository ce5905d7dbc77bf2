"""Names of the files of the European Ground Motion Service (EGMS), and what they say."""

from __future__ import annotations

import logging
import re
from typing import NamedTuple

import numpy as np

from groundshift.errors import InputError
from groundshift.model.points import Header

log = logging.getLogger(__name__)

EPSG = 3035  # of eastings and northings in files of EGMS
_YEARS = r"(?:_(?P<first>\d{4})_(?P<last>\d{4})_(?P<version>\d+))?"
_BURST = re.compile(rf"EGMS_(?P<level>L2a|L2b)_(?P<track>\d{{3}})_(?P<frame>\d{{4}}_IW[123]_(?:HH|HV|VH|VV)){_YEARS}")
_TILE = re.compile(rf"EGMS_(?P<level>L3)_(?P<frame>E\d{{2}}N\d{{2}})_100km_(?P<component>[UE]){_YEARS}")


class EgmsName(NamedTuple):
    """What the name of a file says."""

    level: str  # L2a, L2b or L3
    track: int | None  # relative orbit; None for L3
    frame: str  # burst cycle, swath and polarisation, such as 0845_IW2_VV, or tile of 100 km, such as E45N17
    component: str  # LOS, U or E
    years: tuple[int, int] | None  # first and last; None for the first two releases, which do not say them
    version: int | None

    @property
    def stem(self) -> str:
        """The name, without a suffix."""
        place = f"{self.frame}_100km_{self.component}" if self.level == "L3" else f"{self.track:03d}_{self.frame}"
        release = "" if self.years is None else f"_{self.years[0]}_{self.years[1]}_{self.version}"
        return f"EGMS_{self.level}_{place}{release}"


def parse_name(name: str) -> EgmsName | None:
    """What the name of a file, with or without its suffix, says; None if it is not one of EGMS."""
    stem = re.sub(r"\.(zip|csv|xml|tiff?)$", "", name, flags=re.IGNORECASE)
    match = _BURST.fullmatch(stem) or _TILE.fullmatch(stem)
    if match is None:
        return None
    part = match.groupdict()
    years = (int(part["first"]), int(part["last"])) if part["first"] else None
    return EgmsName(
        part["level"], int(part["track"]) if "track" in part else None, part["frame"], part.get("component", "LOS"),
        years, int(part["version"]) if years else None,
    )  # fmt: skip


def name_of(record: Header, *, version: int = 1) -> EgmsName:
    """The name for a file of points: the release in the provenance, or else the years of the dates.

    Raises
    ------
    InputError
        If track and frame do not make a name.
    """
    release = record.provenance.get("egms", {})
    years = release.get("years") or record.dates[[0, -1]].astype("datetime64[Y]").astype(int) + 1970
    name = EgmsName(
        record.level, record.track, record.frame or "", record.component, (int(years[0]), int(years[1])),
        release.get("version") or version,
    )  # fmt: skip
    if (name.track is None and name.level != "L3") or parse_name(name.stem) is None:
        raise InputError(
            f"track {record.track} and frame {record.frame!r} make no file name of {record.level}; expected such as "
            "track 88 and 0282_IW2_VV, or E45N17 for L3: give the path of the file itself"
        )
    return name


def zip_name(record: Header) -> str | None:
    """Name of the zip that is written beside a point set; None, which is logged, where files of EGMS cannot hold it."""
    if record.crs.to_epsg() != EPSG:
        log.info("no zip of EGMS is written: the points are in %s, not in EPSG:%d", record.crs.name, EPSG)
        return None
    try:
        return f"{name_of(record).stem}.zip"
    except InputError as error:
        log.info("no zip of EGMS is written: %s", error)
        return None


def tile_of(easting: float, northing: float) -> str:
    """The tile of 100 km that holds a place in EPSG:3035, such as E45N17."""
    return f"E{int(np.floor(easting / 1e5)):02d}N{int(np.floor(northing / 1e5)):02d}"
