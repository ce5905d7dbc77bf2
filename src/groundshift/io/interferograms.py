"""Folders of unwrapped interferograms on a map, as GAMMA with PyRate, LiCSAR, or LiCSBAS and MintPy take them.

    …20180106-20180130…unw.tif, …cc.tif                           phase in radians, coherence; below the folder too
    20180106_20180130/20180106_20180130.geo.unw.tif, .geo.cc.tif
    *.geo.E.tif, *.geo.N.tif, *.geo.U.tif                         unit vector from the ground to the satellite
    *.geo.hgt.tif, *_dem.tif                                      heights, m

The phase is that of first × conj(second): it grows where the ground goes away from the satellite. Where the first date
is the later one, dates and phase are turned around. A phase of 0 is no data, as is the no-data value of the file;
coherence in whole numbers goes up to 255.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from odc.geo.geobox import GeoBox

from groundshift.errors import InputError
from groundshift.grid.tiles import Box
from groundshift.io.dates import date_in
from groundshift.io.rasters import georeference, open_raster, read_window
from groundshift.model.radar_stack import SENTINEL1_WAVELENGTH

log = logging.getLogger(__name__)

_PAIR = re.compile(r"(?<!\d)(\d{8})[-_](\d{8})(?!\d)")
_PHASE = re.compile(r"unw", re.IGNORECASE)
_COHERENCE = re.compile(r"(?<![a-z])(?:cc|coh|cor|coherence)(?![a-z])", re.IGNORECASE)
_LOOK = re.compile(r"(?:^|[._])([ENU])$")
_HEIGHT = re.compile(r"(?:^|[._])(?:hgt|dem)$", re.IGNORECASE)
_FRAME = re.compile(r"(?<!\d)(\d{3})[AD]_\d{5}_\d{6}")
_SUFFIXES = (".tif", ".tiff", ".vrt")
_SAME = 1e-3  # wavelengths that differ by a smaller share are the same; some files have c = 3e8 m/s


class InterferogramBlock(NamedTuple):
    """A box of all interferograms."""

    phase: np.ndarray  # float32 (m, y, x), radians of the earlier x conj(the later); NaN is no data
    coherence: np.ndarray | None  # float32 (m, y, x), 0 to 1; None if no file has it


@dataclass(frozen=True, eq=False)
class Interferograms:
    """A network of unwrapped interferograms on one grid; pixels are read when they are asked for."""

    path: Path
    grid: GeoBox
    dates: np.ndarray  # datetime64[D] (time,), ascending
    pairs: np.ndarray  # int (m, 2): numbers of dates, the earlier first
    phases: Sequence[Path]
    turned: np.ndarray  # bool (m,): whether the file has the later date first
    coherences: Sequence[Path | None]
    look: Mapping[str, Path]  # parts east, north, up of the unit vector from the ground to the satellite; none or all
    height: Path | None  # m, above anything
    incidence: float | None  # degrees, in the mean, from tags
    wavelength: float  # m
    track: int | None

    def read(self, box: Box) -> InterferogramBlock:
        """Phases and coherences of a box that lies inside the grid.

        Raises
        ------
        InputError
            If a file is truncated.
        """
        phase = np.stack([_read(path, box, hollow=True) for path in self.phases])
        phase[self.turned] *= -1
        if not any(self.coherences):
            return InterferogramBlock(phase, None)
        blank = np.full(box.shape, np.nan, np.float32)
        found = [blank if path is None else _coherence(path, box) for path in self.coherences]
        return InterferogramBlock(phase, np.stack(found))

    @property
    def millimetres(self) -> float:
        """Per radian of phase, toward the satellite."""
        return -1000 * self.wavelength / (4 * np.pi)

    def read_height(self, box: Box) -> np.ndarray:
        """Heights in a box, float32 (y, x), m; NaN where they are not known."""
        if self.height is None:
            return np.full(box.shape, np.nan, np.float32)
        return _read(self.height, box, hollow=False)

    def read_look(self, box: Box) -> np.ndarray:
        """Unit vectors from the ground to the satellite in a box, float64 (3, y, x); NaN where they are not known.

        Raises
        ------
        InputError
            If they point down.
        """
        parts = np.stack([_read(self.look[name], box, hollow=False) for name in "ENU"]).astype(np.float64)
        if (parts[2] < 0).any():
            raise InputError(
                f"{self.look['U']} has vectors that point down; expected those from the ground to the satellite: "
                "turn the signs of E, N and U around"
            )
        length = np.linalg.norm(parts, axis=0)
        return np.where(length > 0.5, parts / np.maximum(length, 0.5), np.nan)


def open_interferograms(path: str | Path, *, wavelength: float | None = None) -> Interferograms:
    """Open a folder of unwrapped interferograms.

    Parameters
    ----------
    path
        The folder; files are looked for in it and below.
    wavelength
        m; from the files' tags if not given, or that of Sentinel-1.

    Raises
    ------
    InputError
        If there is none, a name has no two dates, two are of the same dates, or grids differ.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(
            f"{path} is no folder; expected one with unwrapped interferograms, 20180106_20180130.geo.unw.tif"
        )
    files = sorted(each for each in path.rglob("*") if each.suffix.lower() in _SUFFIXES)
    phases = [each for each in files if _PHASE.search(each.stem)]
    if not phases:
        raise InputError(f"{path} has no file with unw in its name; expected 20180106_20180130.geo.unw.tif and others")
    days = [_dates_of(each) for each in phases]
    turned = np.array([first > second for first, second in days])
    days = [(min(pair), max(pair)) for pair in days]
    seen: dict[tuple, Path] = {}
    for pair, file in zip(days, phases, strict=True):
        if pair in seen:
            raise InputError(f"{seen[pair]} and {file} are both of {pair[0]} and {pair[1]}; keep one of them")
        seen[pair] = file
    coherent = {_dates_of(each): each for each in files if _COHERENCE.search(each.stem) and not _PHASE.search(each.stem)
                and _PAIR.search(each.stem)}  # fmt: skip
    dates = np.unique(np.array(days, "datetime64[D]"))
    looks = {match[1]: each for each in files if (match := _LOOK.search(each.stem))}
    coherences = [coherent.get(pair) or coherent.get(pair[::-1]) for pair in days]
    grid, tags = _one_grid([*phases, *filter(None, coherences), *(looks.values() if len(looks) == 3 else ())])
    if any(coherences) and not all(coherences):
        alone = phases[coherences.index(None)]
        raise InputError(
            f"{alone} has no coherence beside it, others have; add the file of its coherence, or take one of them away"
        )
    if alone := [str(each) for pair, each in coherent.items() if not {pair, pair[::-1]} & seen.keys()]:
        log.warning(
            "the coherence of %d interferograms is there, but not their unwrapped phase, such as beside %s; they are "
            "left out", len(alone), alone[0],
        )  # fmt: skip
    heights = [each for each in files if _HEIGHT.search(each.stem) and _is_on(each, grid)]
    frame = _FRAME.search(" ".join(each.name for each in files))
    return Interferograms(
        path=path,
        grid=grid,
        dates=dates,
        pairs=np.searchsorted(dates, np.array(days, "datetime64[D]")),
        phases=tuple(phases),
        turned=turned,
        coherences=tuple(coherences),
        look=looks if len(looks) == 3 else {},
        height=heights[0] if heights else None,
        incidence=_mean(tags, "INCIDENCE_DEGREES"),
        wavelength=wavelength or _wavelength(tags),
        track=int(frame[1]) if frame else None,
    )


def _dates_of(path: Path) -> tuple[np.datetime64, np.datetime64]:
    match = _PAIR.search(path.stem) or _PAIR.search(path.parent.name)
    days = [date_in(each) for each in match.groups()] if match else []
    if len(days) != 2 or any(np.isnat(day) for day in days):
        raise InputError(f"{path} has no two dates in its name; expected 20180106_20180130 or 20180106-20180130 in it")
    if days[0] == days[1]:
        raise InputError(f"{path} is of {days[0]} twice; an interferogram has two dates")
    return days[0], days[1]


def _one_grid(files: Sequence[Path]) -> tuple[GeoBox, list[dict[str, str]]]:
    """The grid that all files have, and their tags."""
    grid, tags = None, []
    for path in files:
        with open_raster(str(path)) as dataset:
            mine = georeference(dataset)
            tags.append(dataset.tags())
            if dataset.count != 1:
                raise InputError(
                    f"{path} has {dataset.count} bands; expected one, of the phase or the coherence: take it out with "
                    "gdal_translate -b (of ISCE2's .unw the second is the phase)"
                )
        grid = mine if grid is None else grid
        if not _same(mine, grid):
            raise InputError(
                f"{path} has {mine.shape.y} x {mine.shape.x} pixels on another grid than {files[0]} "
                f"({grid.shape.y} x {grid.shape.x}); cut and resample them alike (gdalwarp)"
            )
    return grid, tags


def _is_on(path: Path, grid: GeoBox) -> bool:
    with open_raster(str(path)) as dataset:
        return _same(georeference(dataset), grid)


def _same(first: GeoBox, second: GeoBox) -> bool:
    """Whether sizes and CRS are the same, and corners agree to a hundredth of a pixel."""
    pixel = abs(first.affine.a)
    return (
        first.shape == second.shape
        and first.crs == second.crs
        and all(abs(a - b) < 0.01 * pixel for a, b in zip(first.boundingbox.bbox, second.boundingbox.bbox, strict=True))
    )


def _mean(tags: Sequence[Mapping[str, str]], name: str) -> float | None:
    values = [float(each[name]) for each in tags if name in each]
    return float(np.mean(values)) if values else None


def _wavelength(tags: Sequence[Mapping[str, str]]) -> float:
    said = _mean(tags, "WAVELENGTH_METRES")
    same = said is None or abs(said / SENTINEL1_WAVELENGTH - 1) < _SAME
    return SENTINEL1_WAVELENGTH if same else said


def _read(path: Path, box: Box, *, hollow: bool) -> np.ndarray:
    """One band as float32, NaN where the file has no data; with `hollow`, where it is 0 too."""
    values = read_window(str(path), (1,), box)[0].astype(np.float32)
    values[read_window(str(path), (1,), box, mask=True)[0] == 0] = np.nan
    if hollow:
        values[values == 0] = np.nan
    return values


def _coherence(path: Path, box: Box) -> np.ndarray:
    values = _read(path, box, hollow=False)
    with open_raster(str(path)) as dataset:
        whole = dataset.dtypes[0] == "uint8"
    return values / 255 if whole else values
