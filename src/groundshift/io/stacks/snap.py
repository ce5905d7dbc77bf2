"""What stacks of SNAP have in common: BEAM-DIMAP, `stack.dim` with `stack.data`, and its Zarr, `*.znap`.

Images are pairs of bands `i_…_19Mar2023`, `q_…_19Mar2023` (with `mst` or `slv1` before the date, or without), float32,
big-endian. In BEAM-DIMAP metadata have state vectors of every date, from which ranges, look vectors and baselines are
computed; in Zarr they have not, the heading is that of the pixels, and baselines come from bands `h2ph_…` (radians of
reference × conj(secondary) a metre of height) or from a file.

Places of the pixels are bands `orthorectifiedLat`, `orthorectifiedLon`, `elevation` (of the operator TopoPhaseRemoval;
names with `latitude`, `longitude` also pass), else tie points. Heights are above the ellipsoid, as SNAP makes them.

Back-geocoding leaves the phase of the focused image, exp(−4πi R/λ): the topographic and the flat-earth phase are in it,
and are taken out here with the state vectors. What was derived with band mathematics is believed to be free of them.
Perpendicular baselines in metadata have the sign of Doris, opposite to that of the canonical stack.

Sources: SNAP, `DimapProductConstants`; jLinda, `Baseline.java`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np

from groundshift.errors import InputError
from groundshift.io.stacks.lazy import Windows, complex_of
from groundshift.io.stacks.orbits import Orbit, Timing
from groundshift.io.stacks.parts import Image, Parts, of_sentinel1, track_of
from groundshift.io.stacks.supplement import Supplement
from groundshift.model.radar_stack import SENTINEL1_WAVELENGTH

LIGHT = 299_792_458.0
"""Metres a second."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

BAND = re.compile(r"^([iq])_(.*?)(\d{2})([A-Z][a-z]{2})(\d{4})$")
_SWATH, _POLARISATION = re.compile(r"IW[123]"), re.compile(r"HH|HV|VH|VV")
UNKNOWN = 99_999.0
_NUMBERS = "radar_frequency", "range_spacing", "azimuth_spacing", "slant_range_to_first_pixel", "REL_ORBIT"
_PLACES = {
    "latitude": ("orthorectifiedLat", "latitude_", "lat"),
    "longitude": ("orthorectifiedLon", "longitude_", "lon"),
    "height": ("elevation",),
}


@dataclass(frozen=True)
class Product:
    """One product of SNAP, whatever its files."""

    path: Path
    bands: Mapping[str, Callable[[], Windows]]
    ties: Mapping[str, Callable[[tuple[int, int]], Windows]]  # by the number of lines and pixels
    name: str  # of the Sentinel-1 product that it comes from
    derived: bool  # whether by band mathematics
    facts: Mapping[str, str] = field(default_factory=dict)  # abstracted metadata of the reference
    orbits: Mapping[np.datetime64, Orbit] = field(default_factory=dict)
    baselines: Mapping[np.datetime64, float] = field(default_factory=dict)  # m, sign of the canonical stack
    first: tuple[int, int] = (0, 0)
    timing: Timing | None = None


def moment(text: str) -> np.datetime64:
    """A time as SNAP writes it: 19-OCT-2016 00:39:55.043611."""
    try:
        return np.datetime64(datetime.strptime(text.strip().title(), "%d-%b-%Y %H:%M:%S.%f"), "us")
    except ValueError as error:
        raise InputError(f"{text!r} is no time of SNAP; expected one such as 19-OCT-2016 00:39:55.043611") from error


def snap_day(day: np.datetime64) -> str:
    """A day as in names of bands: 19Mar2023."""
    year, month, number = str(day).split("-")
    return f"{number}{MONTHS[int(month) - 1]}{year}"


def band_date(band: re.Match[str]) -> np.datetime64:
    """The day in the name of a band, from a match of :data:`BAND`; NaT if it is none."""
    if band[4] not in MONTHS:
        return np.datetime64("NaT", "D")
    return np.datetime64(f"{band[5]}-{MONTHS.index(band[4]) + 1:02d}-{band[3]}", "D")


def snap_parts(path: Path, layout: str, products: list[Product], supplement: Supplement) -> Parts:
    """What one or several products say of a stack."""
    images = [image for each in products for image in _images(each, supplement)]
    if not images:
        raise InputError(f"{path} has no bands such as i_VV_19Mar2023 and q_VV_19Mar2023; write the complex stack")
    if len(kinds := sorted({kind[0] for each in images if (kind := _POLARISATION.search(each.label))})) > 1:
        raise InputError(
            f"{path} has {' and '.join(kinds)}; choose with groundshift stack --polarisation {kinds[-1]}, or keep one"
        )
    shape = images[0].pixels.shape
    layers: dict[str, da.Array] = {}
    for places in (_bands_of_places, _ties_of_places):
        for product in products:
            for layer, windows in places(product, shape):
                layers.setdefault(layer, windows.lazy())
    best = next((each for each in products if each.facts), products[0])
    attributes = _attributes(best, images[0].label, shape)
    holders = [each for each in products if any(name.startswith(_PLACES["height"]) for name in each.bands)]
    reference = _reference(holders[0] if holders else best)
    baselines = {date: metres for each in products for date, metres in each.baselines.items()}
    baselines |= _from_height_to_phase(products, attributes | supplement.attributes, layers)
    if reference is not None and baselines:
        baselines.setdefault(reference, 0.0)
    return Parts(
        path=path, layout=layout, images=images, flattened=all(each.derived for each in products), layers=layers,
        attributes=attributes, reference=reference, baselines=baselines,
        orbits={date: orbit for each in products for date, orbit in each.orbits.items()},
        first=best.first, timing=best.timing,
        remedy="add elevation and orthorectified coordinates in SNAP, or give",
    )  # fmt: skip


@dataclass(frozen=True)
class _Labelled(Image):
    label: str = ""  # what stands between i_ and the date


def _images(product: Product, supplement: Supplement) -> Iterator[_Labelled]:
    found = [match for name in product.bands if (match := BAND.match(name)) and match[1] == "i"]
    kinds = sorted({each for match in found for each in _POLARISATION.findall(match[2])})
    wanted = supplement.polarisation or (kinds[0] if len(kinds) == 1 else None)
    if len(kinds) > 1 and wanted is None:
        raise InputError(
            f"{product.path} has {' and '.join(kinds)}; choose with groundshift stack --polarisation {kinds[-1]}"
        )
    for match in found:
        if wanted and kinds and wanted not in match[2]:
            continue
        other = "q" + match[0][1:]
        if other not in product.bands:
            raise InputError(f"{product.path} has {match[0]} without {other}; write both parts of the complex band")
        pixels = complex_of(product.bands[match[0]](), product.bands[other]())
        yield _Labelled(band_date(match), pixels, product.path / match[0], label=match[2])


def _bands_of_places(product: Product, _: tuple[int, int]) -> Iterator[tuple[str, Windows]]:
    for layer, starts in _PLACES.items():
        if name := next((name for start in starts for name in product.bands if name.startswith(start)), None):
            yield layer, product.bands[name]()


def _ties_of_places(product: Product, shape: tuple[int, int]) -> Iterator[tuple[str, Windows]]:
    for layer, name in (("latitude", "latitude"), ("longitude", "longitude"), ("incidence", "incident_angle")):
        if name in product.ties:
            yield layer, product.ties[name](shape)


def _reference(product: Product) -> np.datetime64 | None:
    """The date of the metadata, or else of the product that has the heights."""
    if "first_line_time" in product.facts:
        return moment(product.facts["first_line_time"]).astype("datetime64[D]")
    days = {band_date(match) for name in product.bands if (match := BAND.match(name))}
    return days.pop() if len(days) == 1 else None


def _attributes(product: Product, label: str, shape: tuple[int, int]) -> dict[str, Any]:
    facts, found = product.facts, {}
    number = {name: float(facts[name]) for name in _NUMBERS if name in facts and float(facts[name]) != UNKNOWN}
    if "radar_frequency" in number:
        found["wavelength"] = LIGHT / (number["radar_frequency"] * 1e6)
    elif of_sentinel1(product.name):
        found["wavelength"] = SENTINEL1_WAVELENGTH
    found |= {name: number[name] for name in ("range_spacing", "azimuth_spacing") if name in number}
    if {"slant_range_to_first_pixel", "range_spacing"} <= set(number):
        found["slant_range"] = number["slant_range_to_first_pixel"] + shape[1] / 2 * number["range_spacing"]
    elif "slant_range_time" in product.ties:
        row = product.ties["slant_range_time"](shape)[shape[0] // 2 : shape[0] // 2 + 1, :][0] * 1e-9 * LIGHT / 2
        found |= {"slant_range": float(row[len(row) // 2]), "range_spacing": float((row[-1] - row[0]) / (len(row) - 1))}
    track = int(number["REL_ORBIT"]) if "REL_ORBIT" in number else track_of(product.name)
    if track is not None:
        found["track"] = track
    if facts.get("PASS", "").lower() in ("ascending", "descending"):
        found["orbit"] = facts["PASS"].lower()
    if swath := _SWATH.search(facts.get("SWATH", "") + label):
        found["swath"] = swath[0]
    if polarisation := _POLARISATION.search(label) or _POLARISATION.search(facts.get("mds1_tx_rx_polar", "")):
        found["polarisation"] = polarisation[0]
    return {**found, "burst": 0, "source": f"SNAP {product.name}"}  # bursts are joined: it has no number


def _from_height_to_phase(
    products: list[Product], attributes: Mapping[str, Any], layers: Mapping[str, da.Array]
) -> dict[np.datetime64, float]:
    """Perpendicular baselines from bands of radians a metre, by φ = 4π/λ · B / (R sin θ) · h."""
    found = {}
    for product in products:
        for name, band in product.bands.items():
            match = BAND.match("i" + name.removeprefix("h2ph")) if name.startswith("h2ph_") else None
            if match and {"slant_range", "wavelength"} <= set(attributes) and "incidence" in layers:
                middle = tuple(size // 2 for size in band().shape)
                sine = np.sin(np.radians(float(layers["incidence"][middle].compute())))
                per_metre = 4 * np.pi / attributes["wavelength"] / (attributes["slant_range"] * sine)
                found[band_date(match)] = float(band()[middle]) / per_metre
    return found
