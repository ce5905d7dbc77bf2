"""Which real images samples are built on: found, grouped by site, and split by ground, with options for their pairs."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urljoin

import numpy as np
import shapely
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from pydantic import BaseModel, ConfigDict, Field
from shapely.affinity import translate

from groundshift.errors import ConfigurationError, InputError
from groundshift.io import Image, open_image
from groundshift.io.dates import date_in
from groundshift.model.longitude import beside

log = logging.getLogger(__name__)

Bounds = tuple[float, float, float, float]
"""West, south, east, north: degrees (WGS 84)."""
Split = Literal["train", "validation", "test"]

HELD_OUT: Mapping[str, Bounds] = {
    "cupertino": (-122.056, 37.296, -121.971, 37.402),
    "milano": (9.144, 45.472, 9.207, 45.534),
    "pisa": (10.361, 43.673, 10.443, 43.760),
}
"""Ground on which the optical methods are scored, by the name of its images: never trained or validated on."""

_SUFFIXES = (".tif", ".tiff", ".jp2")
_BAND = re.compile(r"(?:^|[_.-])(B\d[\dA]?|SR_B\d|pan|red|green|blue|nir)(?=[_.-]|$)", re.IGNORECASE)
_SAME_SITE = 0.5  # share of the smaller extent from which two images show the same site
_EDGE = 16  # points along an edge that goes to degrees


class Selection(BaseModel):
    """Which pairs are fit to build on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bands: tuple[str, ...] = Field((), description="bands, as in file names or STAC assets; all if empty")
    least_correlation: float = Field(
        0.5, ge=-1, le=1, description="mean local correlation after alignment; 0.9 in the paper on FaultDeform"
    )
    window: int = Field(32, ge=8, le=256, description="window of the local correlation, pixels")
    most_missing: float = Field(0.2, ge=0, le=1, description="share of pixels without data, cloudy, or masked below")
    most_cloud: float = Field(30.0, ge=0, le=100, description="cloud cover of a STAC item, percent")
    most_scatter: float = Field(
        0.5, gt=0, description="scatter of the measured misregistration, pixels; more, and one shift does not say it"
    )
    least_size: int = Field(256, ge=64, description="rows and columns that both images show, pixels")
    least_days: int = Field(1, ge=0, description="days between the images, at least")
    most_days: int = Field(3650, ge=0, description="days between the images, at most")
    area: Bounds | None = Field(None, description="area of interest: west, south, east, north, degrees (WGS 84)")
    stable_ground: str | None = Field(
        None, description="polygons or raster: only pixels in it are used, as nothing else is known not to have moved"
    )
    moved_ground: str | None = Field(None, description="polygons or raster of ground that moved: not used")
    pairs_per_site: int = Field(10, ge=1, description="pairs of a site and band that are taken, at most")
    resample: bool = Field(False, description="take pairs whose pixels do not coincide; the second is interpolated")
    forbidden: tuple[str | Bounds, ...] = Field(
        tuple(each for item in HELD_OUT.items() for each in item),
        description="names of images and extents in degrees; a pair that shows any of it is not used (crop it by area)",
    )


@dataclass(frozen=True)
class SourceImage:
    """One band of one image."""

    path: str
    name: str
    band: str  # "" if not known
    date: np.datetime64
    footprint: shapely.Geometry  # longitude and latitude, degrees


@dataclass(frozen=True)
class Site:
    """Images that show the same ground."""

    name: str
    images: tuple[SourceImage, ...]
    footprint: shapely.Geometry  # longitude and latitude, degrees


def find_images(folder: str | Path, selection: Selection | None = None) -> list[SourceImage]:
    """The images (GeoTIFF or JPEG 2000, one band each) in a folder and the folders in it, in order of path.

    The band is read off the file name (`..._B04.tif`); files that cannot be opened are left out, and logged.
    """
    selection = selection or Selection()
    paths = sorted(each for each in Path(folder).rglob("*") if each.suffix.lower() in _SUFFIXES)
    images = []
    for path in paths:
        match = _BAND.search(path.stem)
        band = match[1] if match else ""
        if selection.bands and band.lower() not in map(str.lower, selection.bands):
            continue
        try:
            image = opened(str(path))
        except InputError as error:
            log.warning("left out: %s", error)
            continue
        images.append(SourceImage(str(path), path.stem, band, image.date, footprint_of(image.grid)))
    if not images:
        raise InputError(f"{folder} holds no image of the bands asked for; expected .tif, .tiff or .jp2 files")
    return images


def stac_images(items: Any, selection: Selection, *, base: str | Path = "") -> list[SourceImage]:
    """The assets of STAC items that are images of the bands asked for; no file is opened.

    Parameters
    ----------
    items
        A FeatureCollection as a search gives it, a list of items, one item (dictionaries, or objects with `to_dict`),
        or the path of a JSON file with one of these. STAC 1.0: id, geometry, properties, assets, links.
    selection
        Bands are asset keys or their `eo:bands` or `bands` names and common names; items of more cloud than
        `most_cloud` percent are left out.
    base
        Where relative hrefs start if the item has no `self` link; the folder of a JSON file is its own.
    """
    if not selection.bands:
        raise ConfigurationError("STAC items have many assets; name the bands to use, as bands=('red',) or ('B04',)")
    if isinstance(items, str | Path):
        base, items = Path(items).parent, json.loads(Path(items).read_text("utf-8"))
    items = items.to_dict() if hasattr(items, "to_dict") else items
    if isinstance(items, Mapping):
        items = items.get("features", [items])
    wanted = {band.lower() for band in selection.bands}
    images = []
    for item in items:
        item = item.to_dict() if hasattr(item, "to_dict") else item
        try:
            properties, footprint = item["properties"], shapely.geometry.shape(item["geometry"])
            if (properties.get("eo:cloud_cover") or 0) > selection.most_cloud:
                continue
            date = date_in(str(properties.get("datetime") or properties.get("start_datetime") or ""))
            for key, asset in item["assets"].items():
                band = next((name for name in _asset_names(key, asset) if name.lower() in wanted), None)
                if band and _is_image(asset):
                    href = _resolved(asset["href"], item, base)
                    images.append(SourceImage(href, item["id"], band, date, footprint))
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"this is no STAC item ({type(error).__name__}: {error}); expected id, geometry, properties and assets"
            ) from error
    if not images:
        raise InputError(f"no STAC item has an image of {', '.join(selection.bands)}; check bands and most_cloud")
    return images


def group_sites(images: Iterable[SourceImage]) -> list[Site]:
    """Images whose extents overlap by half of the smaller one or more are of one site; in order of name."""
    images = sorted(images, key=lambda source: source.path)
    areas = shapely.area([source.footprint for source in images])
    links = []
    for i, j in _touching([source.footprint for source in images]):
        common = shapely.intersection(images[i].footprint, images[j].footprint).area
        if common >= _SAME_SITE * min(areas[i], areas[j]):
            links.append((i, j))
    sites = []
    for members in _components(len(images), links):
        own = tuple(images[i] for i in members)
        footprint = shapely.union_all([source.footprint for source in own])
        sites.append(Site(_site_name(own, footprint), own, footprint))
    often = {name for name, count in Counter(site.name for site in sites).items() if count > 1}
    named = [
        Site(f"{site.name}_{_place(site.footprint)}", site.images, site.footprint) if site.name in often else site
        for site in sites
    ]
    return sorted(named, key=lambda site: site.name)


def split_sites(
    sites: Sequence[Site], shares: tuple[float, float, float] = (10, 2, 2), seed: int = 0
) -> dict[Split, tuple[Site, ...]]:
    """Train, validation and test sites, such that no ground is in two of them.

    Sites that share any ground stay together. Where they go depends on their place (to 0.1 degrees) and the seed
    alone, so a site that is added moves no other; but if they are few and a split would stay empty, it takes those
    whose draw came nearest from a split that has more. Ground that is held out (:data:`HELD_OUT`) is always test
    ground.

    Parameters
    ----------
    shares
        Of train, validation and test, in proportion; 10, 2 and 2 locations in FaultDeform. They hold for many sites.
        A split that stays empty because there is less separate ground than splits is logged.
    """
    if min(shares) < 0 or sum(shares) <= 0:
        raise ConfigurationError(f"shares are {shares}; expected three numbers, none negative, as (10, 2, 2)")
    held = shapely.union_all([shapely.box(*bounds) for bounds in HELD_OUT.values()])
    names: tuple[Split, ...] = ("train", "validation", "test")
    limits = np.cumsum(shares) / np.sum(shares)
    found: dict[Split, list[Site]] = {name: [] for name in names}
    draws: dict[Split, list[tuple[float, list[Site]]]] = {name: [] for name in names}
    for members in _components(len(sites), _touching([site.footprint for site in sites])):
        ground = [sites[i] for i in members]
        draw = min(_draw(site, seed) for site in ground)
        split = names[int(np.searchsorted(limits, draw, side="right"))]
        if any(site.footprint.intersects(held) or _forbidden_name(site, tuple(HELD_OUT)) for site in ground):
            found["test"] += ground
        else:
            draws[split].append((draw, ground))
    for k, name in enumerate(names):
        if shares[k] == 0 or draws[name] or found[name]:
            continue
        middle = limits[k] - shares[k] / np.sum(shares) / 2
        spare = [
            (abs(each[0] - middle), other, each) for other in names if len(draws[other]) > 1 for each in draws[other]
        ]
        if not spare:
            log.warning("no site of %d is left for the %s split; add sites", len(sites), name)
            continue
        _, other, moved = min(spare, key=lambda each: each[0])
        draws[other].remove(moved)
        draws[name].append(moved)
    for name in names:
        found[name] += [site for _, ground in draws[name] for site in ground]
    return {name: tuple(sorted(each, key=lambda site: site.name)) for name, each in found.items()}


def footprint_of(grid: GeoBox) -> shapely.Geometry:
    """Outline of a grid in longitude and latitude, degrees; in two parts where it crosses the 180th meridian."""
    lon, lat = grid.crs.transformer_to_crs(CRS("EPSG:4326"))(*grid.affine @ tuple(grid.boundary(_EDGE).T))
    lon = beside(lon, lon[0])
    outline, world = shapely.Polygon(np.column_stack([lon, lat])), shapely.box(-180, -90, 180, 90)
    parts = [translate(outline, turn) & world for turn in (-360, 0, 360)]
    return shapely.union_all([part for part in parts if part.area > 0])


@functools.lru_cache(maxsize=256)
def opened(path: str) -> Image:
    """The image at a path or URL; those that were opened last stay open."""
    return open_image(path)


def fraction(*parts: object) -> float:
    """A number from 0 to 1 that depends on the parts alone."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6]) / 2**48


def has_name(text: str, name: str) -> bool:
    """Whether a name stands in a text as a word of its own, in any case."""
    return re.search(rf"(?<![a-z]){re.escape(name.lower())}(?![a-z])", text.lower()) is not None


def _asset_names(key: str, asset: Mapping[str, Any]) -> list[str]:
    """What the band of an asset is called; none for an asset of several bands."""
    bands = asset.get("eo:bands") or asset.get("bands") or [{}]
    if len(bands) > 1:
        return []
    return [str(each) for each in (key, *(bands[0].get(k) for k in ("name", "common_name", "eo:common_name"))) if each]


def _is_image(asset: Mapping[str, Any]) -> bool:
    kind, roles = str(asset.get("type", "")), asset.get("roles") or ["data"]
    suffix = Path(str(asset["href"]).partition("?")[0]).suffix.lower()
    return ("tiff" in kind or "jp2" in kind or suffix in _SUFFIXES) and not {"thumbnail", "overview"} & set(roles)


def _resolved(href: str, item: Mapping[str, Any], base: str | Path) -> str:
    """An href as a path or URL; a relative one starts at the item itself, or at `base`."""
    if "://" in href or href.startswith("/"):
        return href.removeprefix("file://")
    own = next((str(link["href"]) for link in item.get("links", ()) if link.get("rel") == "self"), "")
    if "://" in own:
        return urljoin(own, href)
    return str(Path(own).parent / href if own.startswith("/") else Path(base) / href)


def _touching(footprints: Sequence[shapely.Geometry]) -> list[tuple[int, int]]:
    if not footprints:
        return []
    tree = shapely.STRtree(footprints)
    i, j = tree.query(footprints, predicate="intersects")
    return [(int(a), int(b)) for a, b in zip(i, j, strict=True) if a < b]


def _components(count: int, links: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Groups of 0 … count − 1 that links hold together."""
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in links:
        parent[root(a)] = root(b)
    groups = defaultdict(list)
    for i in range(count):
        groups[root(i)].append(i)
    return list(groups.values())


def _draw(site: Site, seed: int) -> float:
    middle = site.footprint.centroid
    return fraction(seed, round(middle.x * 10), round(middle.y * 10))


def _place(footprint: shapely.Geometry) -> str:
    middle = footprint.centroid
    return f"{'SN'[middle.y >= 0]}{abs(middle.y):05.2f}{'WE'[middle.x >= 0]}{abs(middle.x):06.2f}"


def _site_name(images: Sequence[SourceImage], footprint: shapely.Geometry) -> str:
    """What the names of the images begin with, or the place."""
    begin = re.sub(r"[\W\d_]+$", "", os.path.commonprefix([each.name for each in images]))  # noqa: RUF071
    return begin if len(images) > 1 and len(begin) > 2 else _place(footprint)


def _forbidden_name(site: Site, names: tuple[str, ...]) -> bool:
    return any(has_name(source.name, name) for source in site.images for name in names)
