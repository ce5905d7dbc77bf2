"""Codes that name measurement points, as the European Ground Motion Service (EGMS) makes them.

Numbers are written to base 62 (digits, upper case, lower case) and padded with `0` on the left. Source: EGMS product
description v2.0 (2023).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from groundshift.errors import InputError

PRODUCERS: Mapping[str, int] = {"undefined": 0, "EGEOS": 1, "GAF": 2, "NORCE": 3, "TREA": 4}
"""Who made a product, and the first character of a code."""

_ALPHABET = np.array(list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
_POLARISATIONS = ("HH", "HV", "VH", "VV")
_SWATHS = ("IW1", "IW2", "IW3")
_BURST, _POINT, _CELL = 4, 5, 9  # characters
_PREAMBLE, _BEAM = 2.298687, 2.758273  # seconds: of the instrument before the first burst, and from burst to burst
_MOST_CELLS = np.array([[2**32], [2**31]])  # east and north of the origin, in a number of 64 bits
_ORBIT = 12 * 86400 / 175  # seconds


class Burst(NamedTuple):
    """Which burst an image is."""

    track: int  # relative orbit, 1 to 175
    cycle: int  # burst in the cycle of the track, below 4096
    swath: str  # IW1, IW2 or IW3
    polarisation: str  # HH, HV, VH or VV


class PointPlaces(NamedTuple):
    """What names of points of a burst say, arrays (n,)."""

    producers: np.ndarray  # str, of :data:`PRODUCERS`
    bursts: list[Burst]  # one a point
    lines: np.ndarray  # int64, in the reference image
    pixels: np.ndarray  # int64


def point_codes(lines: np.ndarray, pixels: np.ndarray, burst: Burst, *, producer: str = "undefined") -> np.ndarray:
    """Names of the points of a burst: producer, burst and point, 10 characters.

    Parameters
    ----------
    lines, pixels
        In the reference image; whole numbers (n,), lines below 2048 and pixels below 65536.
    burst
        The burst.
    producer
        One of :data:`PRODUCERS`.

    Returns
    -------
    str (n,).

    Raises
    ------
    InputError
        If a number does not fit into its bits, or a word is not known.
    """
    lines, pixels = np.asarray(lines, np.int64), np.asarray(pixels, np.int64)
    for name, values, limit in (("lines", lines, 1 << 11), ("pixels", pixels, 1 << 16)):
        if values.size and not (values.min() >= 0 and values.max() < limit):
            raise InputError(
                f"{name} {values.min()} to {values.max()} do not fit a code; give 0 to {limit - 1}: one burst"
            )
    start = _producer(producer) + base62(np.array([_burst_number(burst)]), _BURST)[0]
    return np.char.add(start, base62((lines << 16) | pixels, _POINT))


def point_places(codes: np.ndarray) -> PointPlaces:
    """What :func:`point_codes` made its names from.

    Raises
    ------
    InputError
        If a name is no such code.
    """
    letters = _letters(codes)
    burst, point = _number(letters[:, 1 : 1 + _BURST]), _number(letters[:, 1 + _BURST :])
    unique, which = np.unique(burst, return_inverse=True)
    bursts = [Burst(n >> 16, n >> 4 & 4095, f"IW{n >> 2 & 3}", _POLARISATIONS[n & 3]) for n in unique.tolist()]
    if (unknown := [each for each in bursts if each.swath not in _SWATHS or each.track > 175]) or (point >> 27).any():
        raise InputError(f"names say {unknown or 'lines above 2047'}; expected codes of points of a burst (L2a, L2b)")
    return PointPlaces(_producers(letters), [bursts[i] for i in which], point >> 16, point & 0xFFFF)


def cell_places(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Producers (str), and eastings and northings of the south-west corners of cells (m, EPSG:3035, int64), (n,) each.

    Raises
    ------
    InputError
        If a name is no such code.
    """
    letters = _letters(codes)
    number = _number(letters[:, 1:])
    return _producers(letters), 100 * (number & 0xFFFFFFFF), 100 * (number >> 32)


def burst_cycle(track: int, seconds: float) -> int:
    """Which burst of its track a burst is, from the time of its middle.

    Parameters
    ----------
    track
        Relative orbit, 1 to 175.
    seconds
        After the ascending node of that orbit.

    Returns
    -------
    Number of :attr:`Burst.cycle`, 1 for the first burst after the node.

    Source: EGMS product description v2.0 (2023), after the burst numbers of ESA.
    """
    start = (track - 1) * _ORBIT
    return esa_burst(start + seconds) - esa_burst(start)


def esa_burst(seconds: float) -> int:
    """The number that ESA gives a burst of Sentinel-1 (IW), from the time of its middle after the ascending node of
    relative orbit 1, seconds."""
    return int(np.floor((seconds - _PREAMBLE) / _BEAM)) + 1


def cell_codes(eastings: np.ndarray, northings: np.ndarray, *, producer: str = "undefined") -> np.ndarray:
    """Names of the cells of 100 m of a gridded product (L3), 10 characters.

    Parameters
    ----------
    eastings, northings
        Of points within the cells, m in EPSG:3035, not negative; float (n,).
    producer
        One of :data:`PRODUCERS`.

    Returns
    -------
    str (n,).
    """
    places = np.floor(np.stack([np.asarray(each, np.float64) for each in (eastings, northings)]) / 100)
    if not ((places >= 0) & (places < _MOST_CELLS)).all():
        raise InputError("eastings or northings are negative, not finite or too large; give metres in EPSG:3035")
    east, north = places.astype(np.int64)
    return np.char.add(_producer(producer), base62((north << 32) + east, _CELL))


def base62(numbers: np.ndarray, width: int) -> np.ndarray:
    """Whole numbers (n,) to base 62 in `width` characters, str (n,).

    Raises
    ------
    InputError
        If one is negative or needs more characters.
    """
    rest = np.asarray(numbers, np.int64)
    if rest.size and not (rest.min() >= 0 and int(rest.max()) < 62**width):
        raise InputError(f"numbers {rest.min()} to {rest.max()} do not fit {width} characters to base 62")
    characters = np.empty((rest.size, width), "U1")
    for place in reversed(range(width)):
        characters[:, place] = _ALPHABET[rest % 62]
        rest = rest // 62
    return characters.view(f"U{width}").reshape(-1)


def _letters(codes: np.ndarray) -> np.ndarray:
    """Digits to base 62, int64 (n, 10)."""
    codes = np.asarray(codes, "U")
    if not (np.char.str_len(codes) == 1 + _CELL).all():
        raise InputError(
            f"names such as {str(codes[np.char.str_len(codes) != 1 + _CELL][0])!r} are no codes of 10 characters"
        )
    points = codes.astype(f"U{1 + _CELL}").view(np.uint32).reshape(-1, 1 + _CELL)
    values = np.full(128, -1)
    values[_ALPHABET.view(np.uint32)] = np.arange(62)
    digits = values[np.minimum(points, 127)]
    if (digits < 0).any():
        raise InputError(
            f"the name {str(codes[(digits < 0).any(axis=1)][0])!r} is no code; expected digits and letters"
        )
    return digits


def _number(digits: np.ndarray) -> np.ndarray:
    """Numbers to base 62, most significant first, as int64 (n,)."""
    return digits @ (62 ** np.arange(digits.shape[1] - 1, -1, -1))


def _producers(letters: np.ndarray) -> np.ndarray:
    if letters.size and letters[:, 0].max() >= len(PRODUCERS):
        raise InputError(f"a name starts with {letters[:, 0].max()}; producers are 0 to {len(PRODUCERS) - 1}")
    return np.array(list(PRODUCERS))[letters[:, 0]]


def _producer(name: str) -> str:
    if name not in PRODUCERS:
        raise InputError(f"producer {name!r} is not known; give one of {', '.join(PRODUCERS)}")
    return str(PRODUCERS[name])


def _burst_number(burst: Burst) -> int:
    track, cycle, swath, polarisation = burst
    if not (0 <= track <= 175 and 0 <= cycle < 4096 and swath in _SWATHS and polarisation in _POLARISATIONS):
        raise InputError(f"{burst} is no burst; give track to 175, cycle below 4096, {_SWATHS}, {_POLARISATIONS}")
    return (track << 16) | (cycle << 4) | (int(swath[2]) << 2) | _POLARISATIONS.index(polarisation)
