"""From what a layout says to the canonical stack: checks, look vectors, baselines, topographic phase."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from groundshift.errors import ContractError, InputError
from groundshift.io.stacks.lazy import Windows, tie_points
from groundshift.io.stacks.orbits import (
    Nodes,
    Orbit,
    RangeModel,
    Timing,
    look_vectors,
    perpendicular_baseline,
    range_model,
)
from groundshift.io.stacks.supplement import Supplement, geometry_rasters, heights_at, read_baselines
from groundshift.model.radar_stack import ATTRIBUTES, LAYERS, build_stack

log = logging.getLogger(__name__)

_NODES = 15  # lines and pixels, each, at which places are looked at
_SWATHS = {"IW1": 825e3, "IW2": 877e3, "IW3": 930e3}  # m: slant range to the middle
_PRODUCT = re.compile(r"(S1[ABC])_\w{2}_\w{4}_\w{4}_\d{8}T\d{6}_\d{8}T\d{6}_(\d{6})_")
_FIRST_ORBIT = {"S1A": 73, "S1B": 27, "S1C": 172}  # absolute orbits that are relative orbit 1
_LONGEST = 2.0  # m: no radar in space has such a wavelength
_WORST_TIME, _WORST_PLACE = 0.15, 1000.0  # s, m by which timing may be off known places: tie points are rough
_WORST_RANGE = 2e-4  # m by which the model of ranges may be off: 0.05 radians


@dataclass(frozen=True)
class Image:
    """One date."""

    date: np.datetime64  # day
    pixels: Windows  # (y, x), complex
    path: Path  # that is named in messages


@dataclass(frozen=True)
class Parts:
    """What a layout says of a stack; what it does not say is left out."""

    path: Path
    layout: str
    images: Sequence[Image]
    flattened: bool  # whether the topographic and the flat-earth phase are gone from the images
    layers: Mapping[str, da.Array] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    reference: np.datetime64 | None = None  # date whose pixels the others were resampled to; the first if not said
    baselines: Mapping[np.datetime64, float] = field(default_factory=dict)  # m, sign as in a stack
    orbits: Mapping[np.datetime64, Orbit] = field(default_factory=dict)
    first: tuple[int, int] = (0, 0)  # line and pixel of the reference image where the images begin
    timing: Timing | None = None  # of the reference image
    mapped: bool = False  # whether the images are on a map, not in lines of time and pixels of range
    remedy: str = ""  # which files of the layout hold the geometry


def assemble(parts: Parts, supplement: Supplement | None = None) -> xr.Dataset:
    """The canonical stack, lazy, from what a layout and a supplement say; see :mod:`groundshift.model.radar_stack`.

    Raises
    ------
    InputError
        If dates are missing or twice, sizes differ, or geometry is missing that cannot be computed.
    """
    supplement = supplement or Supplement()
    images = sorted(parts.images, key=lambda image: image.date)
    _check_images(parts, images)
    shape = images[0].pixels.shape
    dates = np.array([image.date for image in images])
    reference = _reference(parts, supplement, dates)
    layers = dict(parts.layers)
    if supplement.geometry is not None:
        layers |= geometry_rasters(supplement.geometry, shape)
    _same_size(parts, layers, shape)
    if "latitude" in layers and "longitude" in layers and supplement.height is not None:
        layers["height"] = heights_at(supplement.height, layers["latitude"], layers["longitude"])
    nodes = _nodes(layers, shape)
    orbits = parts.orbits if set(dates) <= set(parts.orbits) else {}
    layers = _complete(parts, layers, nodes, orbits.get(reference))
    baselines = _baselines(parts, supplement, dates, reference, orbits, nodes)
    attributes = _attributes(parts, supplement, reference, orbits, nodes)
    pixels = [image.pixels.lazy().astype(np.complex64) for image in images]
    if supplement.conjugate:
        pixels = [each.conj() for each in pixels]
    if not (parts.flattened if supplement.flattened is None else supplement.flattened):
        model = _ranges(parts, [orbits[date] for date in dates] if orbits else [], orbits.get(reference), nodes)
        pixels = flatten(pixels, layers["height"], model, attributes["wavelength"])
    lines, columns = (np.arange(size) + start for size, start in zip(shape, parts.first, strict=True))
    try:
        return build_stack(
            da.stack(pixels), dates, layers={name: layers[name] for name in LAYERS}, perpendicular_baseline=baselines,
            attributes=attributes, lines=lines, pixels=columns,
        )  # fmt: skip
    except ContractError as error:
        raise InputError(f"{parts.path}, read as {parts.layout}: {error}") from error


def flatten(
    pixels: Sequence[da.Array], height: da.Array, model: RangeModel, wavelength: float, *, back: bool = False
) -> list[da.Array]:
    """Images without the phase that their ranges give to ground of known height; with `back`, images with it again.

    Multiplies the image of each date by exp(4πi/λ · (range − range of the reference)).
    """
    rows = da.arange(height.shape[0], chunks=height.chunks[0])[:, None]
    columns = da.arange(height.shape[1], chunks=height.chunks[1])[None]
    options = {"model": model, "factor": (-1 if back else 1) * 4 * np.pi / wavelength}
    meta = np.empty((0, 0), np.complex64)
    return [
        da.map_blocks(_turned, each, height, rows, columns, date=date, **options, dtype=np.complex64, meta=meta)
        for date, each in enumerate(pixels)
    ]


def swath_at(slant_range: float) -> str:
    """The swath of Sentinel-1 whose middle is nearest to a range in metres."""
    return min(_SWATHS, key=lambda name: abs(_SWATHS[name] - slant_range))


def of_sentinel1(product: str) -> bool:
    """Whether a name has that of a Sentinel-1 product in it."""
    return re.search(r"(?<![A-Z0-9])S1[A-D]_(?:IW|EW|S\d|WV)_", product) is not None


def track_of(product: str) -> int | None:
    """Relative orbit, from the absolute orbit in the name of a Sentinel-1 product; None if it has none."""
    found = _PRODUCT.search(product)
    return (int(found[2]) - _FIRST_ORBIT[found[1]]) % 175 + 1 if found else None


def _turned(
    pixels: np.ndarray,
    height: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    *,
    date: int,
    model: RangeModel,
    factor: float,
) -> np.ndarray:
    away = model.at(date, rows[:, 0], columns[0], height)
    return (pixels * np.exp(1j * factor * away)).astype(np.complex64)


def _check_images(parts: Parts, images: Sequence[Image]) -> None:
    for image in images:
        if np.isnat(image.date):
            raise InputError(f"{image.path} has no date in its name; expected YYYYMMDD")
    for before, after in pairwise(images):
        if before.date == after.date:
            raise InputError(f"{before.path} and {after.path} are both of {after.date}; keep one image a day")
        if before.pixels.shape != after.pixels.shape:
            raise InputError(
                f"{after.path} has {after.pixels.shape} lines and pixels, {before.path} has {before.pixels.shape}; "
                "images of a stack are resampled to one reference: cut them alike"
            )
    if len(images) < 2:
        found = f"only {images[0].path}" if images else "no image"
        raise InputError(f"{parts.path}, read as {parts.layout}, has {found}; an interferogram needs two dates")


def _reference(parts: Parts, supplement: Supplement, dates: np.ndarray) -> np.datetime64:
    said = parts.reference if supplement.reference_date is None else np.datetime64(supplement.reference_date, "D")
    if said is None:
        return dates[0]
    if said not in dates:
        raise InputError(f"{parts.path}: the reference date {said} is none of the dates, {dates[0]} to {dates[-1]}")
    return said


def _same_size(parts: Parts, layers: Mapping[str, da.Array], shape: tuple[int, int]) -> None:
    for name, values in layers.items():
        if tuple(values.shape) != shape:
            raise InputError(f"{parts.path}: {name} has {values.shape} lines and pixels, the images have {shape}")


def _nodes(layers: Mapping[str, da.Array], shape: tuple[int, int]) -> Nodes | None:
    if not {"latitude", "longitude"} <= set(layers):
        return None
    steps = tuple(slice(None, None, max(1, (size - 1) // (_NODES - 1))) for size in shape)
    rows, columns = (np.arange(size)[step] for size, step in zip(shape, steps, strict=True))
    names = [name for name in ("latitude", "longitude", "height") if name in layers]
    found = dict(zip(names, da.compute(*(layers[name][steps] for name in names)), strict=True))
    found.setdefault("height", np.zeros_like(found["latitude"]))
    return Nodes(rows, columns, *(np.asarray(found[name], np.float64) for name in ("latitude", "longitude", "height")),
                 shape=shape)  # fmt: skip


def _complete(
    parts: Parts, layers: dict[str, da.Array], nodes: Nodes | None, orbit: Orbit | None
) -> dict[str, da.Array]:
    """All layers, with the look vectors from what is known of them: the orbit, or the incidence and the heading."""
    looks = ("los_east", "los_north", "los_up")
    if {"los_east", "los_north"} <= set(layers) and "los_up" not in layers:
        level = layers["los_east"] ** 2 + layers["los_north"] ** 2
        layers["los_up"] = da.sqrt(da.maximum(1 - level, 0))
    if not set(looks) <= set(layers) and nodes is not None:
        if orbit is not None and nodes.known.any():
            layers |= dict(zip(looks, _looks_from(orbit, nodes), strict=True))
        elif "incidence" in layers and not parts.mapped and np.isfinite(nodes.heading):
            angle, away = da.radians(layers["incidence"]), np.radians(nodes.heading + 90)  # it looks to the right
            parts_of = -da.sin(angle) * np.sin(away), -da.sin(angle) * np.cos(away), da.cos(angle)
            layers |= dict(zip(looks, parts_of, strict=True))
    if "incidence" not in layers and "los_up" in layers:
        layers["incidence"] = da.degrees(da.arccos(layers["los_up"]))
    if missing := [name for name in LAYERS if name not in layers]:
        raise InputError(
            f"{parts.path}, read as {parts.layout}, says nothing of {', '.join(missing)}; {parts.remedy or 'give'} "
            "rasters of them with groundshift stack --geometry FOLDER"
            + (" or --height MODEL.tif" if missing == ["height"] else "")
        )
    return layers


def _looks_from(orbit: Orbit, nodes: Nodes) -> list[da.Array]:
    """Look vectors to an orbit, each part fitted as a square in line and pixel where places are known."""
    known = [each[nodes.known] for each in np.meshgrid(nodes.rows, nodes.columns, indexing="ij")]
    looks = look_vectors(nodes.places, orbit.sight(nodes.places).position)
    found = np.linalg.lstsq(_square(*known, nodes.shape), looks.T, rcond=None)[0]
    step = tuple(max(size - 1, 1) / (_NODES - 1) for size in nodes.shape)
    grid = _square(*np.meshgrid(*(np.arange(_NODES) * each for each in step), indexing="ij"), nodes.shape) @ found
    grid /= np.linalg.norm(grid, axis=-1, keepdims=True)
    return [tie_points(grid[..., part], offset=(0, 0), step=step, shape=nodes.shape).lazy() for part in range(3)]


def _square(lines: np.ndarray, pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Powers of line and pixel up to the second, (…, 6)."""
    lines, pixels = lines / shape[0], pixels / shape[1]
    return np.stack([np.ones_like(lines), lines, pixels, lines * pixels, lines**2, pixels**2], axis=-1)


def _baselines(
    parts: Parts,
    supplement: Supplement,
    dates: np.ndarray,
    reference: np.datetime64,
    orbits: Mapping[np.datetime64, Orbit],
    nodes: Nodes | None,
) -> np.ndarray:
    """Perpendicular baselines in the order of the dates, m."""
    if supplement.baselines is not None:
        where, found = str(supplement.baselines), read_baselines(supplement.baselines)
    elif orbits and nodes is not None:
        found = {date: perpendicular_baseline(orbits[reference], orbits[date], nodes.middle) for date in dates}
        where = str(parts.path)
    else:
        where, found = str(parts.path), dict(parts.baselines)
    if missing := [str(date) for date in dates if date not in found]:
        raise InputError(
            f"{where} has no perpendicular baseline of {', '.join(missing[:3])}{' and others' * (len(missing) > 3)}; "
            "give a date and metres a line with groundshift stack --baselines FILE"
        )
    return np.array([found[date] - found[reference] for date in dates])


def _attributes(
    parts: Parts,
    supplement: Supplement,
    reference: np.datetime64,
    orbits: Mapping[np.datetime64, Orbit],
    nodes: Nodes | None,
) -> dict[str, Any]:
    attributes: dict[str, Any] = {"source": f"{parts.layout}: {parts.path.name}"}
    if nodes is not None and not parts.mapped and np.isfinite(nodes.line_spacing):
        attributes |= {"azimuth_spacing": nodes.line_spacing, "orbit": nodes.direction}
    if reference in orbits and nodes is not None:
        attributes["slant_range"] = float(orbits[reference].sight(nodes.middle[None]).slant_range[0])
    attributes |= {**parts.attributes, **supplement.attributes, "reference_date": str(reference)}
    if "slant_range" in attributes:
        attributes.setdefault("swath", swath_at(attributes["slant_range"]))
    if missing := [name for name in ATTRIBUTES if name not in attributes]:
        given = ", ".join(f'"{name}": ...' for name in missing)
        raise InputError(
            f"{parts.path}, read as {parts.layout}, says nothing of {', '.join(missing)}; "
            f"give a JSON file {{{given}}} with groundshift stack --attributes"
        )
    if isinstance(metres := attributes["wavelength"], int | float) and metres > _LONGEST:
        raise InputError(f"{parts.path}: the wavelength is {metres:g}; give it in metres, as 0.055465763")
    return attributes


def _ranges(parts: Parts, orbits: Sequence[Orbit], reference: Orbit | None, nodes: Nodes | None) -> RangeModel:
    if parts.mapped:
        raise InputError(
            f"{parts.path}, read as {parts.layout}, is on a map, and has the topographic phase in its images; it can "
            "be taken out only of images in lines of time and pixels of range: make them anew, flattened"
        )
    if reference is None or nodes is None:
        raise InputError(
            f"{parts.path}, read as {parts.layout}, has the topographic phase in its images, and not the orbits of all "
            "dates to compute it from; remove it before, or say groundshift stack --flattened if it was"
        )
    timing = parts.timing
    if timing is not None and nodes.known.any():
        seconds, metres = timing.misfit(reference, nodes)
        if abs(seconds) > _WORST_TIME or abs(metres) > _WORST_PLACE:
            log.warning(
                "%s: places were seen %.2f s later and %.0f m farther away than times of lines and ranges of pixels "
                "say, as if the metadata were of another part of the image; these are corrected by it",
                parts.path, seconds, metres,
            )  # fmt: skip
            first = {"first_line": timing.first_line + seconds, "first_pixel": timing.first_pixel + metres}
            timing = timing._replace(**first)
    model = range_model(reference, orbits, nodes, timing=timing)
    if model.error > _WORST_RANGE:
        log.warning("ranges are modelled to %.2f mm only; cut the stack into bursts", 1000 * model.error)
    return model
