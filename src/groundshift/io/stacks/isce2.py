"""Folders that the stack processors of ISCE2 (topsStack, stripmapStack) write for time series.

    merged/SLC/20200101/20200101.slc.full             complex64, with .vrt and .xml (stripmapStack: 20200101.slc)
    merged/geom_reference/{lat,lon,hgt,los}.rdr.full  float64, float64, float32 or float64, two bands
    merged/baselines/20200101/20200101                grid of perpendicular baselines, float32
    reference/IW2.xml                                 wavelength, ranges, track, orbit direction

`los` holds the incidence and the azimuth of the line from the ground to the satellite, degrees from north to the left.
Perpendicular baselines have the sign of the canonical stack. The images were resampled with the phase of their range
taken out ("flattened", the default of `resamp_withCarrier.py` and of `resampleSlc.py`): the topographic and the
flat-earth phase of the height model are gone. If the processor ran with `--noflat`, its images cannot be used.

Sources: ISCE2, contrib/stack: `resamp_withCarrier.py`, `baselineGrid.py`, `computeBaseline.py`, `mergeBursts.py`.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import dask.array as da
import numpy as np
import xarray as xr

from groundshift.errors import InputError
from groundshift.io.dates import date_in
from groundshift.io.files import atomic_folder
from groundshift.io.stacks.lazy import Windows, binary, raster
from groundshift.io.stacks.parts import Image, Parts, assemble
from groundshift.io.stacks.pour import empty_binary, pour
from groundshift.io.stacks.supplement import Supplement
from groundshift.model.radar_stack import reference_index

LAYOUT = "isce2"
_TYPES = {"cfloat": "complex64", "float": "float32", "double": "float64", "byte": "uint8", "short": "int16"}
_DAY = re.compile(r"\d{8}")
_NUMBER = re.compile(r"(?:Bperp \(average\)\s*:|PERP_BASELINE_(?:TOP|BOTTOM))\s*([-+.\deE]+)")
_LAYERS = {"latitude": "lat", "longitude": "lon", "height": "hgt"}


def matches(path: Path) -> bool:
    """Whether it is the folder of a stack, or its folder `merged`."""
    return _merged(path) is not None


def open_isce2(path: str | Path, supplement: Supplement | None = None) -> xr.Dataset:
    """Open the folder of a stack (which has `merged` in it), lazily.

    Raises
    ------
    InputError
        If files are missing or truncated, or sizes or dates do not fit.
    """
    path = Path(path)
    merged = _merged(path)
    if merged is None:
        raise InputError(f"{path} has no merged/SLC with folders named by dates; expected a stack of ISCE2")
    images = [Image(date_in(each.name), _image(each), each) for each in sorted((merged / "SLC").iterdir())
              if _DAY.fullmatch(each.name)]  # fmt: skip
    facts = _facts(merged.parent)
    baselines, reference = _baselines(merged)
    parts = Parts(
        path=path,
        layout=LAYOUT,
        images=images,
        flattened=True,
        layers=_layers(merged / "geom_reference"),
        attributes=_attributes(facts, images[0].pixels.shape[1] if images else 0),
        reference=facts.get("date", reference),
        baselines=baselines,
        remedy="copy merged/geom_reference beside merged/SLC, or give",
    )
    return assemble(parts, supplement)


def write_isce2(path: str | Path, stack: xr.Dataset) -> None:
    """Write a stack as topsStack does, with a grid of baselines of 2 x 2 nodes and `reference/IW….xml`.

    Raises
    ------
    InputError
        If `path` exists.
    """
    shape = stack.sizes["y"], stack.sizes["x"]
    with atomic_folder(path) as folder:
        merged = folder / "merged"
        sinks = []
        for day, baseline in zip(stack["time"].values, stack["perpendicular_baseline"].values, strict=True):
            name = str(day.astype("datetime64[D]")).replace("-", "")
            file = merged / "SLC" / name / f"{name}.slc.full"
            sinks.append(partial(_put, empty_binary(file, shape, "<c8")))
            _write_header(file, shape, "CFLOAT", 1)
            grid = merged / "baselines" / name / name
            empty_binary(grid, (2, 2), "<f4")[:] = baseline
            _write_header(grid, (2, 2), "FLOAT", 1)
        pour(stack, sinks)
        geometry = merged / "geom_reference"
        for layer, name in _LAYERS.items():
            file = geometry / f"{name}.rdr.full"
            empty_binary(file, shape, "<f8")[:] = stack[layer].values
            _write_header(file, shape, "DOUBLE", 1)
        los = empty_binary(geometry / "los.rdr.full", (shape[0], 2, shape[1]), "<f4")
        los[:, 0] = stack["incidence"].values
        los[:, 1] = np.degrees(np.arctan2(-stack["los_east"].values, stack["los_north"].values))
        _write_header(geometry / "los.rdr.full", shape, "FLOAT", 2)
        _write_facts(folder / "reference" / f"{stack.attrs['swath']}.xml", stack)


def _merged(path: Path) -> Path | None:
    for each in (path / "merged", path):
        if (each / "SLC").is_dir() and any(_DAY.fullmatch(day.name) for day in (each / "SLC").iterdir()):
            return each
    return None


def _image(folder: Path) -> Windows:
    for name in (f"{folder.name}.slc.full", f"{folder.name}.slc"):
        if any((folder / f"{name}{end}").exists() for end in ("", ".xml", ".vrt")):
            image = _band(folder / name)
            if image.dtype.kind != "c":
                raise InputError(f"{folder / name} holds {image.dtype}; expected complex numbers")
            return image
    raise InputError(
        f"{folder} has no {folder.name}.slc.full or {folder.name}.slc; the date was not merged: run it again"
    )


def _band(path: Path, band: int = 1) -> Windows:
    """A band of a flat file with its .xml; of a .vrt where there is no flat file (virtual merging)."""
    header, virtual = (path.with_name(path.name + end) for end in (".xml", ".vrt"))
    if virtual.exists() and not (path.exists() and header.exists()):
        return raster(virtual, band=band, dtype=np.complex64 if ".slc" in path.name else None)
    if not header.exists():
        raise InputError(f"{path} has no .xml and no .vrt beside it; its size is not known: copy them too")
    facts = _properties(header)
    try:
        shape = int(facts["length"]), int(facts["width"])
        kind = np.dtype(_TYPES[facts["data_type"].lower()]).newbyteorder(">" if facts.get("byte_order") == "b" else "<")
        bands, scheme = int(facts.get("number_bands", 1)), facts.get("scheme", "BIL").upper()
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{header} lacks or garbles {error}; expected width, length and data_type of an image"
        ) from error
    if bands > 1 and scheme != "BIL":
        raise InputError(f"{path} has its bands as {scheme}; expected BIL, as geometry of ISCE2 has")
    return binary(path, shape, kind, bands=bands, band=band)


def _properties(path: Path) -> dict[str, str]:
    """Properties of an ISCE2 file by their names in lower case without blanks; the first of each name."""
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError) as error:
        raise InputError(f"{path} cannot be read as XML ({error}); it may be truncated: write it again") from error
    found: dict[str, str] = {}
    for each in root.iter("property"):
        value = each.findtext("value")
        if value is not None:
            found.setdefault(each.get("name", "").lower().replace(" ", ""), value.strip())
    return found


def _layers(folder: Path) -> dict[str, da.Array]:
    found = {}
    for layer, name in (*_LAYERS.items(), ("los", "los")):
        files = [folder / f"{name}.rdr{end}" for end in (".full", "")]
        file = next((f for f in files if any(f.with_name(f.name + end).exists() for end in (".xml", ".vrt"))), None)
        if file is None:
            continue
        if layer != "los":
            found[layer] = _band(file).lazy()
            continue
        incidence, azimuth = (_band(file, band).lazy().astype(np.float64) for band in (1, 2))
        sine, turn = da.sin(da.radians(incidence)), da.radians(azimuth)
        found |= {"incidence": incidence, "los_up": da.cos(da.radians(incidence)),
                  "los_east": -sine * da.sin(turn), "los_north": sine * da.cos(turn)}  # fmt: skip
    if {"latitude", "longitude"} <= set(found):  # both are 0 where no burst reaches
        nowhere = (found["latitude"] == 0) & (found["longitude"] == 0)
        found = {name: da.where(nowhere, np.nan, values) for name, values in found.items()}
    return found


def _facts(folder: Path) -> dict[str, Any]:
    """What `reference/IW….xml` says, of the swath with the nearest range; also under the old name `master`."""
    files = [each for name in ("reference", "master") for each in sorted((folder / name).glob("IW[123].xml"))]
    facts = [_properties(each) for each in files]
    facts = [each for each in facts if "startingrange" in each]
    if not facts:
        return {}
    first = min(facts, key=lambda each: float(each["startingrange"]))
    day = date_in(first.get("sensingstart", first.get("burststartutc", ""))[:10])
    return first if np.isnat(day) else first | {"date": day}


def _attributes(facts: dict[str, Any], pixels: int) -> dict[str, Any]:
    if not facts:
        return {}
    spacing = float(facts["rangepixelsize"])
    found = {
        "wavelength": facts.get("radarwavelength"), "range_spacing": spacing, "track": facts.get("tracknumber"),
        "slant_range": float(facts["startingrange"]) + pixels / 2 * spacing, "burst": facts.get("burstnumber"),
        "polarisation": facts.get("polarization", "VV").upper(),
        "swath": f"IW{facts['swathnumber']}" if "swathnumber" in facts else None,
        "orbit": facts["passdirection"].lower() if "passdirection" in facts else None,
    }  # fmt: skip
    for name, kind in (("wavelength", float), ("track", int), ("burst", int)):
        found[name] = None if found[name] is None else kind(found[name])
    return {name: value for name, value in found.items() if value is not None}


def _baselines(merged: Path) -> tuple[dict[np.datetime64, float], np.datetime64 | None]:
    """Perpendicular baselines by date, m, and the reference: from grids, or from texts of pairs."""
    found: dict[np.datetime64, float] = {}
    for folder in sorted((merged / "baselines").glob("[0-9]" * 8)):
        grid = _band(folder / folder.name)
        found[date_in(folder.name)] = float(grid[:, :].mean(dtype=np.float64))
    if found:
        zero = [date for date, metres in found.items() if metres == 0]
        return found, zero[0] if len(zero) == 1 else None
    reference = None
    for text in sorted((merged.parent / "baselines").rglob("[0-9]*_[0-9]*.txt")):
        first, second = (date_in(each) for each in text.stem.split("_")[:2])
        numbers = [float(each) for each in _NUMBER.findall(text.read_text())]
        if not numbers or np.isnat(second):
            continue
        if reference is not None and first != reference:
            raise InputError(f"{text} is against {first}, others are against {reference}; keep those of one reference")
        reference, found[second] = first, float(np.mean(numbers))
    return (found | {reference: 0.0} if reference is not None else found), reference


def _put(data: np.memmap, rows: slice, columns: slice, values: np.ndarray) -> None:
    data[rows, columns] = values


def _write_header(path: Path, shape: tuple[int, int], kind: str, bands: int) -> None:
    facts = {"width": shape[1], "length": shape[0], "data_type": kind, "number_bands": bands, "scheme": "BIL",
             "byte_order": "l", "access_mode": "read", "file_name": path.name}  # fmt: skip
    _write_xml(path.with_name(path.name + ".xml"), "imageFile", facts)


def _write_facts(path: Path, stack: xr.Dataset) -> None:
    attributes = stack.attrs
    day = stack["time"].values[reference_index(stack)].astype("datetime64[D]")
    path.parent.mkdir(parents=True)
    _write_xml(path, "productmanager_name", {
        "radarwavelength": attributes["wavelength"], "rangepixelsize": attributes["range_spacing"],
        "startingrange": attributes["slant_range"] - stack.sizes["x"] / 2 * attributes["range_spacing"],
        "tracknumber": attributes["track"], "burstnumber": attributes["burst"],
        "swathnumber": attributes["swath"][2], "passdirection": attributes["orbit"].upper(),
        "polarization": attributes["polarisation"], "sensingstart": f"{day} 05:00:00.000000",
    })  # fmt: skip


def _write_xml(path: Path, root: str, facts: dict[str, Any]) -> None:
    tree = ElementTree.Element(root)
    for name, value in facts.items():
        each = ElementTree.SubElement(tree, "property", name=name)
        ElementTree.SubElement(each, "value").text = str(value)
    ElementTree.indent(tree)
    ElementTree.ElementTree(tree).write(path, encoding="unicode")
