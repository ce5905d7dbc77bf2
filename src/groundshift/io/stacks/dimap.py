"""Co-registered stacks of SNAP in BEAM-DIMAP: a .dim file (XML), and a folder .data of bands (ENVI, big-endian)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import xarray as xr

from groundshift.errors import InputError
from groundshift.io.stacks.lazy import Windows, binary, tie_points, without
from groundshift.io.stacks.orbits import Orbit, Timing
from groundshift.io.stacks.parts import assemble
from groundshift.io.stacks.snap import BAND, UNKNOWN, Product, band_date, moment, snap_day, snap_parts
from groundshift.io.stacks.supplement import Supplement

LAYOUT = "snap"
_ENVI = {"4": "f4", "5": "f8", "2": "i2", "3": "i4"}


def matches(path: Path) -> bool:
    """Whether it is a .dim file, or a folder with one."""
    return len(_dims(path)) > 0


def open_dimap(path: str | Path, supplement: Supplement | None = None) -> xr.Dataset:
    """Open a stack in BEAM-DIMAP, lazily.

    Raises
    ------
    InputError
        If there are several products, or dates, sizes or geometry do not do.
    """
    found = _dims(Path(path))
    if len(found) != 1:
        raise InputError(f"{path} has {len(found)} .dim files; give the one of the co-registered stack")
    return assemble(snap_parts(Path(path), LAYOUT, [_dimap(found[0])], supplement or Supplement()), supplement)


def _dims(path: Path) -> list[Path]:
    if path.suffix == ".dim":
        return [path] if path.is_file() else []
    return sorted(path.glob("*.dim")) if path.is_dir() else []


def _dimap(path: Path) -> Product:
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError) as error:
        raise InputError(f"{path} cannot be read as XML ({error}); it may be truncated: write it again") from error
    files = {each.findtext("BAND_INDEX"): each.find("DATA_FILE_PATH").get("href") for each in root.iter("Data_File")}
    bands = {
        each.findtext("BAND_NAME"): _envi(path, files[each.findtext("BAND_INDEX")], _no_data(each))
        for each in root.iter("Spectral_Band_Info") if each.findtext("BAND_INDEX") in files
    }  # fmt: skip
    grids = {each.findtext("TIE_POINT_GRID_INDEX"): each.find("TIE_POINT_GRID_FILE_PATH").get("href")
             for each in root.iter("Tie_Point_Grid_File")}  # fmt: skip
    ties = {
        each.findtext("TIE_POINT_GRID_NAME"): _envi_ties(path, grids[each.findtext("TIE_POINT_GRID_INDEX")], each)
        for each in root.iter("Tie_Point_Grid_Info") if each.findtext("TIE_POINT_GRID_INDEX") in grids
    }  # fmt: skip
    orbits, facts, timing = {}, {}, None
    for element in root.iter("MDElem"):
        said = {each.get("name"): (each.text or "").strip() for each in element.findall("MDATTR")}
        if "first_line_time" not in said:
            continue
        if element.get("name") == "Abstracted_Metadata":
            facts = facts or said
        vectors = _vectors(element)
        if len(vectors) >= 4:
            orbits[moment(said["first_line_time"]).astype("datetime64[D]")] = _orbit(vectors)
            timing = _timing(said, vectors) if said is facts else timing
    product = facts.get("PRODUCT", path.stem)
    first = tuple(int(float(facts.get(f"subset_offset_{axis}", 0))) for axis in "yx")
    derived = "BandMath" in facts.get("PRODUCT_TYPE", "") + (root.findtext(".//PRODUCT_TYPE") or "")
    return Product(path, bands, ties, product, derived, facts, orbits, _dimap_baselines(root, facts), first, timing)


def _envi(path: Path, href: str, nodata: float | None) -> Callable[[], Windows]:
    return lambda: without(_envi_file((path.parent / href).with_suffix(".hdr")), nodata)


def _no_data(info: ElementTree.Element) -> float | None:
    """What a band has where it has nothing, as a height of -32768 beyond the height model; None if nothing has it."""
    said = info.findtext("NO_DATA_VALUE") if info.findtext("NO_DATA_VALUE_USED", "").lower() == "true" else None
    return None if said is None or info.findtext("BAND_NAME", "")[:2] in ("i_", "q_") else float(said)


def _envi_ties(path: Path, href: str, info: ElementTree.Element) -> Callable[[tuple[int, int]], Windows]:
    offset = tuple(float(info.findtext(f"OFFSET_{axis}")) for axis in "YX")
    step = tuple(float(info.findtext(f"STEP_{axis}")) for axis in "YX")

    def windows(shape: tuple[int, int]) -> Windows:
        grid = _envi_file((path.parent / href).with_suffix(".hdr"))[:, :]
        return tie_points(
            grid, offset=(offset[0] - 0.5, offset[1] - 0.5), step=step, shape=shape,
            longitude=info.findtext("TIE_POINT_GRID_NAME") == "longitude",
        )  # fmt: skip

    return windows


def _envi_file(header: Path) -> Windows:
    if not header.is_file():
        raise InputError(f"{header} does not exist; the .dim file speaks of it: copy the folder .data too")
    said = dict(re.findall(r"^\s*([\w ]+?)\s*=\s*(\S+)\s*$", header.read_text(errors="replace"), re.MULTILINE))
    try:
        shape = int(said["lines"]), int(said["samples"])
        kind = (">" if said.get("byte order", "1") == "1" else "<") + _ENVI[said["data type"]]
    except (KeyError, ValueError) as error:
        raise InputError(f"{header} lacks or garbles {error}; expected an ENVI header of real numbers") from error
    return binary(header.with_suffix(".img"), shape, kind)


def _vectors(element: ElementTree.Element) -> list[dict[str, str]]:
    vectors = element.findall("MDElem[@name='Orbit_State_Vectors']/MDElem")
    return [{each.get("name"): each.text or "" for each in vector.findall("MDATTR")} for vector in vectors]


def _orbit(vectors: list[dict[str, str]]) -> Orbit:
    times = np.array([moment(each["time"]) for each in vectors])
    order = times.argsort()
    numbers = [np.array([[float(each[f"{axis}_{kind}"]) for axis in "xyz"] for each in vectors])[order]
               for kind in ("pos", "vel")]  # fmt: skip
    seconds = (times - times.min())[order] / np.timedelta64(1, "us") * 1e-6
    return Orbit(seconds, *numbers)


def _timing(said: Mapping[str, str], vectors: list[dict[str, str]]) -> Timing | None:
    """When lines and how far away pixels of the reference were seen; None if the metadata do not say."""
    try:
        numbers = [float(said[n]) for n in ("line_time_interval", "slant_range_to_first_pixel", "range_spacing")]
    except (KeyError, ValueError):
        return None
    if UNKNOWN in numbers or min(numbers) <= 0:
        return None
    start = moment(said["first_line_time"]) - min(moment(each["time"]) for each in vectors)
    return Timing(float(start / np.timedelta64(1, "us")) * 1e-6, *numbers)


def _dimap_baselines(root: ElementTree.Element, facts: Mapping[str, str]) -> dict[np.datetime64, float]:
    """Perpendicular baselines against the reference, m; SNAP has the opposite sign."""
    found = {}
    group = next((each for each in root.iter("MDElem") if each.get("name") == "Baselines"), None)
    if group is None or "first_line_time" not in facts:
        return found
    day = snap_day(moment(facts["first_line_time"]).astype("datetime64[D]"))
    for pair in group.findall(f"MDElem[@name='Ref_{day}']/MDElem"):
        match = BAND.match("i_" + pair.get("name", ""))
        metres = pair.find("MDATTR[@name='Perp Baseline']")
        if match and metres is not None:
            found[band_date(match)] = -float(metres.text) + 0.0
    return found
