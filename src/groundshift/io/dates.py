"""The day an image was taken, from its product name, file name or tags."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping

import numpy as np

from groundshift.errors import InputError

NO_DATE = np.datetime64("NaT", "D")

_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_:.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
_LANDSAT_SCENE = re.compile(r"L[COTEM]\d\d{6}(\d{4})(\d{3})[A-Z]{3}\d\d")  # sensor, path and row, year, day of year


def date_in(text: str) -> np.datetime64:
    """The first day written in `text` as YYYYMMDD or YYYY-MM-DD (also with `_`, `:`, `.`), or NaT.

    Names of Landsat scenes before the collections (`LC80630182016200LGN00`, year and day of year) and of
    Sentinel-2 and Landsat products, where the first date is that of the image, are understood.
    """
    if scene := _LANDSAT_SCENE.search(text):
        year, day = map(int, scene.groups())
        return np.datetime64(datetime.date(year, 1, 1), "D") + np.timedelta64(day - 1, "D")
    for match in _DAY.finditer(text):
        try:
            return np.datetime64(datetime.date(int(match[1]), int(match[3]), int(match[4])), "D")
        except ValueError:  # 30 February
            continue
    return NO_DATE


def image_date(name: str, tags: Mapping[str, str]) -> np.datetime64:
    """The day of an image: acquisition tags, then the file name, then the date the file was made (TIFFTAG_DATETIME)."""
    texts = (
        tags.get("ACQUISITIONDATETIME", ""),
        tags.get("ACQUISITION_DATE", ""),
        name,
        tags.get("TIFFTAG_DATETIME", ""),
    )
    return next((date for text in texts if not np.isnat(date := date_in(text))), NO_DATE)


def given_dates(text: str) -> tuple[str, str]:
    """Two days as `2019-07-04,2019-07-06`; either may be empty, for a day that is not known.

    Raises
    ------
    InputError
        If there are not two, or one is no day of the calendar.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2:
        raise InputError(f"dates {text!r} are not two; expected those of both images: 2019-07-04,2019-07-06")
    try:
        return tuple(str(datetime.date.fromisoformat(part)) if part else "" for part in parts)  # pyright: ignore
    except ValueError as error:
        raise InputError(f"dates {text!r} are no days ({error}); expected 2019-07-04,2019-07-06") from error
