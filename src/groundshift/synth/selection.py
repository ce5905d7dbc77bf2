"""Which pairs of real images samples are built on: found, grouped by site, measured, judged, and split by ground.

A pair is fit if its images show the same ground unmoved and still look alike. As in T. Montagnon et al. (2023,
IGARSS), that is the mean local correlation after alignment. They keep Landsat-8 panchromatic pairs above 0.9;
Sentinel-2 10 m pairs of the OSCD set, 0.7 to 2.6 years apart, have 0.3 to 0.9, half of them less than 0.7.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urljoin

import numpy as np
import shapely
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from odc.geo.geom import BoundingBox
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage
from shapely.affinity import translate

from groundshift.errors import ConfigurationError, InputError, NoOverlapError
from groundshift.grid.common import common_grid, lattice_shift
from groundshift.grid.tiles import Box, tile_plan
from groundshift.io import AlignedImage, Image, open_image, read_mask
from groundshift.io.dates import date_in
from groundshift.kernels.least_squares_matching import match_windows
from groundshift.kernels.phase_correlation import phase_correlation
from groundshift.kernels.robust import nmad, robust_fit
from groundshift.kernels.spline import coefficients, fill_holes, warp

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
_TILE = 512  # pixels: side of the tiles that are measured
_TILES = 64  # of them at most
_MARGIN = 40  # pixels around a tile, read to align it
_NODES = 32  # pixels between measurements of the misregistration
_WINDOW, _FIRST_WINDOW, _REACH = 64, 128, 24  # pixels, of the misregistration
_COHERENT = 0.3  # coherence from which a measurement counts
_ALIKE = 0.6  # correlation from which a window matched by least squares counts
_ENOUGH = 10  # measurements that agree on the misregistration
_EDGE = 16  # points along an edge that goes to degrees
_STEP = 8  # pixels between windows of the local correlation


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


class ImagePair(BaseModel):
    """Two images of a site, and what was measured on them; JSON by `model_dump_json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    site: str
    split: Split | None = Field(None, description="split of all ground of the site")
    band: str
    pre: str = Field(description="path or URL of the image before")
    post: str = Field(description="path or URL of the image after")
    pre_date: str | None
    post_date: str | None
    crs: str
    shape: tuple[int, int] = Field(description="rows and columns that both show")
    transform: tuple[float, float, float, float, float, float] = Field(description="affine a b c d e f")
    resampled: bool = Field(description="whether the second image is interpolated to the pixels of the first")
    shift: tuple[float, float] = Field(description="(dx, dy) of the second image against the first, pixels, down")
    shift_sigma: tuple[float, float] = Field(
        description="one standard deviation of the shift, pixels; see select_pairs"
    )
    scatter: tuple[float, float] = Field(description="of the shift across the pair, one standard deviation, pixels")
    correlation: float = Field(description="mean local correlation after alignment")
    missing: float = Field(description="share of pixels without data in either, cloudy or masked")
    stable_ground: str | None = None
    moved_ground: str | None = None

    @property
    def grid(self) -> GeoBox:
        """Grid of the pair: that of the first image where both show ground."""
        return GeoBox(self.shape, Affine(*self.transform), CRS(self.crs))

    @property
    def name(self) -> str:
        """Site, band and days."""
        return "_".join(each for each in (self.site, self.band, self.pre_date, self.post_date) if each)


class PairPixels(NamedTuple):
    """A box of both images, aligned to a whole pixel; float32 (y, x), NaN where not usable."""

    pre: np.ndarray
    post: np.ndarray
    dx: float  # pixels to the right by which the ground of `post` still lies off that of `pre`
    dy: float  # pixels down


class Rejected(NamedTuple):
    """A pair that is not fit, and why."""

    site: str
    pre: str
    post: str
    why: str


class Selected(NamedTuple):
    """What came of a selection."""

    pairs: tuple[ImagePair, ...]
    rejected: tuple[Rejected, ...]


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
            image = _opened(str(path))
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
    alone, so a site that is added moves no other. Ground that is held out (:data:`HELD_OUT`) is always test ground.

    Parameters
    ----------
    shares
        Of train, validation and test, in proportion; 10, 2 and 2 locations in FaultDeform. They hold for many sites;
        few may leave a split empty, which is logged: try another seed.
    """
    if min(shares) < 0 or sum(shares) <= 0:
        raise ConfigurationError(f"shares are {shares}; expected three numbers, none negative, as (10, 2, 2)")
    held = shapely.union_all([shapely.box(*bounds) for bounds in HELD_OUT.values()])
    names: tuple[Split, ...] = ("train", "validation", "test")
    limits = np.cumsum(shares) / np.sum(shares)
    found: dict[Split, list[Site]] = {name: [] for name in names}
    for members in _components(len(sites), _touching([site.footprint for site in sites])):
        ground = [sites[i] for i in members]
        draw = min(_draw(site, seed) for site in ground)
        split = names[int(np.searchsorted(limits, draw, side="right"))]
        if any(site.footprint.intersects(held) or _forbidden_name(site, tuple(HELD_OUT)) for site in ground):
            split = "test"
        found[split] += ground
    for name, share in zip(names, shares, strict=True):
        if share > 0 and not found[name]:
            log.warning("no site of %d fell into the %s split; try another seed or add sites", len(sites), name)
    return {name: tuple(sorted(each, key=lambda site: site.name)) for name, each in found.items()}


def select_pairs(
    sites: Iterable[Site],
    selection: Selection | None = None,
    *,
    splits: Mapping[Split, Sequence[Site]] | None = None,
) -> Selected:
    """The pairs of each site and band that are fit, measured, and why the others are not.

    The shift is the robust mean of phase correlations. Where the sun stood elsewhere, shadows moved, and no method
    tells the ground from them: the difference to least-squares matching is part of the shift's standard deviation.

    Of a site with more pairs than `pairs_per_site`, those are looked at first that an order fixed by their names
    gives.

    Parameters
    ----------
    splits
        As :func:`split_sites` gives them; each pair then says its split.
    """
    selection = selection or Selection()
    split_of = {site.name: name for name, each in (splits or {}).items() for site in each}
    pairs, rejected = [], []
    for site in sites:
        taken: Counter[str] = Counter()
        for pre, post in _candidates(site):
            if taken[pre.band] >= selection.pairs_per_site:
                continue
            why = _unsuited(pre, post, selection)
            if why is None:
                try:
                    pair = _measured(pre, post, selection, site.name, split_of.get(site.name))
                except InputError as error:  # truncated, or not to be reached
                    pair = str(error)
                why = pair if isinstance(pair, str) else _unfit(pair, selection)
            if why is None:
                taken[pre.band] += 1
                pairs.append(pair)
            else:
                log.info("%s: %s and %s are not used: %s", site.name, pre.name, post.name, why)
                rejected.append(Rejected(site.name, pre.path, post.path, why))
    return Selected(tuple(pairs), tuple(rejected))


def read_pair(pair: ImagePair, box: Box) -> PairPixels:
    """Pixels of a box of the pair's grid; the second image is read off by the whole pixels of its shift.

    What is left of the shift is returned, not removed: it belongs in the label. The box may reach beyond the grid.
    """
    whole_x, whole_y = (round(value) for value in pair.shift)
    pre = AlignedImage(_opened(pair.pre), pair.grid).read(box).values
    post = AlignedImage(_opened(pair.post), pair.grid).read(box.shifted(whole_y, whole_x)).values
    for path, keep in ((pair.stable_ground, True), (pair.moved_ground, False)):
        if path is not None:
            pre[_mask(path, pair.grid).read(box) != keep] = np.nan
    return PairPixels(pre, post, pair.shift[0] - whole_x, pair.shift[1] - whole_y)


@functools.lru_cache(maxsize=256)
def _opened(path: str) -> Image:
    return open_image(path)


@functools.lru_cache(maxsize=64)
def _mask(path: str, grid: GeoBox):
    return read_mask(path, grid)


def _candidates(site: Site) -> Iterator[tuple[SourceImage, SourceImage]]:
    """Pairs of images of one band, the earlier first, in an order that depends on their names alone."""
    bands = defaultdict(list)
    for source in site.images:
        bands[source.band].append(source)
    for images in bands.values():
        ordered = sorted(images, key=lambda source: (str(source.date), source.path))
        yield from sorted(combinations(ordered, 2), key=lambda two: _fraction(two[0].name, two[1].name))


def _unsuited(pre: SourceImage, post: SourceImage, selection: Selection) -> str | None:
    """Why a pair is not even opened, or None."""
    for source in (pre, post):
        for each in selection.forbidden:
            if isinstance(each, str) and _has_name(source.name, each):
                return f"{source.name} is forbidden ground ({each})"
    if not (np.isnat(pre.date) or np.isnat(post.date)):
        days = int((post.date - pre.date) / np.timedelta64(1, "D"))
        if not selection.least_days <= days <= selection.most_days:
            return f"{days} days apart, not {selection.least_days} to {selection.most_days}"
    if selection.area and not shapely.box(*selection.area).intersects(pre.footprint & post.footprint):
        return "outside the area of interest"
    return None


def _measured(
    pre: SourceImage, post: SourceImage, selection: Selection, site: str, split: Split | None
) -> ImagePair | str:
    """The pair with what was measured on it, or why it cannot be."""
    grid = _ground(pre, post, selection)
    if isinstance(grid, str):
        return grid
    resampled = any(lattice_shift(_opened(source.path).grid, grid) is None for source in (pre, post))
    if resampled and not selection.resample:
        return "the pixels of the images do not coincide"
    pair = ImagePair(
        site=site, split=split, band=pre.band, pre=pre.path, post=post.path,
        pre_date=_day(pre.date), post_date=_day(post.date), crs=str(grid.crs), shape=tuple(grid.shape),
        transform=tuple(grid.affine)[:6], resampled=resampled, shift=(0.0, 0.0), shift_sigma=(0.0, 0.0),
        scatter=(0.0, 0.0), correlation=0.0, missing=0.0, stable_ground=selection.stable_ground,
        moved_ground=selection.moved_ground,
    )  # fmt: skip
    boxes = _some_tiles(pair.shape)
    matches = _by_phase(pair, boxes)
    if matches.shape[1] < _ENOUGH:
        return f"the images agree on no shift ({matches.shape[1]} windows match)"
    shift, sigma, scatter = zip(*(_agreed(each) for each in matches), strict=True)
    pair = pair.model_copy(update={"shift": shift, "scatter": scatter})
    doubt = np.hypot(*_off_by_least_squares(pair, boxes)) / np.sqrt(2)
    correlation, missing = _likeness(pair, boxes, selection.window)
    sigmas = tuple(float(np.hypot(each, doubt)) for each in sigma)
    return pair.model_copy(update={"shift_sigma": sigmas, "correlation": correlation, "missing": missing})


def _ground(pre: SourceImage, post: SourceImage, selection: Selection) -> GeoBox | str:
    """The grid of a pair, or why its ground is not used."""
    area = selection.area and BoundingBox(*selection.area, CRS("EPSG:4326"))
    try:
        grid, _ = common_grid(_opened(pre.path).grid, _opened(post.path).grid, area=area)
    except NoOverlapError as error:
        return str(error)
    ground = footprint_of(grid)
    for each in selection.forbidden:
        if not isinstance(each, str) and shapely.box(*each).intersects(ground):
            return f"shows forbidden ground ({', '.join(map(str, each))})"
    if min(grid.shape) < selection.least_size:
        return f"{grid.shape.y} x {grid.shape.x} pixels in common, fewer than {selection.least_size}"
    return grid


def _unfit(pair: ImagePair, selection: Selection) -> str | None:
    if pair.missing > selection.most_missing:
        return f"{100 * pair.missing:.0f} % of the pixels are missing, more than {100 * selection.most_missing:.0f} %"
    if max(pair.scatter) > selection.most_scatter:
        return f"the misregistration scatters by {max(pair.scatter):.2f} px, more than {selection.most_scatter:g} px"
    if not pair.correlation >= selection.least_correlation:
        return f"mean local correlation {pair.correlation:.2f}, less than {selection.least_correlation:g}"
    return None


def _some_tiles(shape: tuple[int, int]) -> list[Box]:
    """At most 64 tiles, evenly spread."""
    boxes = [tile.box for tile in tile_plan(shape, _TILE)]
    chosen = np.unique(np.linspace(0, len(boxes) - 1, min(len(boxes), _TILES)).round().astype(int))
    return [boxes[i].padded(_MARGIN) for i in chosen]


def _by_phase(pair: ImagePair, boxes: list[Box]) -> np.ndarray:
    """(dx, dy) of windows that match by phase correlation, float64 (2, n)."""
    found = []
    for box in boxes:
        pre, post, *_ = read_pair(pair, box)
        rows, cols = (np.arange(_WINDOW / 2, n - _WINDOW / 2 + 1, _NODES) - 0.5 for n in pre.shape)
        match = phase_correlation(pre, post, rows, cols, window=_WINDOW, first_window=_FIRST_WINDOW, reach=_REACH)
        good = np.isfinite(match.dx) & (match.coherence > _COHERENT)
        found.append([match.dx[good], match.dy[good]])
    return np.concatenate(found, axis=1)


def _off_by_least_squares(pair: ImagePair, boxes: list[Box]) -> tuple[float, float]:
    """How far least-squares matching puts the shift off the pair's own; the scatter if too few windows match."""
    found = []
    weight = np.ones((_NODES, _NODES), np.float32)
    for box in boxes:
        pre, post, dx, dy = read_pair(pair, box)
        rows, cols = (np.arange(_MARGIN, n - _MARGIN + 1, _NODES) - 0.5 for n in pre.shape)
        start = np.ones((rows.size, cols.size))
        match = match_windows(pre, post, rows, cols, dx * start, dy * start, window_weight=weight)
        good = match.correlation > _ALIKE
        found.append([match.dx[good] - dx, match.dy[good] - dy])
    off = np.concatenate(found, axis=1)
    return pair.scatter if off.shape[1] < _ENOUGH else tuple(_agreed(each)[0] for each in off)


def _agreed(values: np.ndarray) -> tuple[float, float, float]:
    """Robust mean, its standard error, and the scatter of the values around it."""
    fit = robust_fit(np.ones((values.size, 1)), values)
    return float(fit.coefficients[0]), float(np.sqrt(fit.covariance[0, 0])), nmad(values)


def _likeness(pair: ImagePair, boxes: list[Box], window: int) -> tuple[float, float]:
    """Mean local correlation after alignment, and the share of pixels that cannot be used."""
    correlations, usable = [], []
    for box in boxes:
        pre, post, dx, dy = read_pair(pair, box)
        filled, ok = fill_holes(post)
        aligned = warp(coefficients(filled), *(np.full(post.shape, each, np.float32) for each in (dx, dy)))
        aligned[~ok] = np.nan
        tile = box.padded(-_MARGIN).clipped(pair.shape).shifted(-box.top, -box.left).slices
        correlations.append(local_correlation(pre[tile], aligned[tile], window=window))
        usable.append((np.isfinite(pre) & ok)[tile].ravel())
    together = np.concatenate(correlations)
    return float(together.mean()) if together.size else 0.0, float(1 - np.concatenate(usable).mean())


def local_correlation(first: np.ndarray, second: np.ndarray, *, window: int = 32) -> np.ndarray:
    """Zero-mean normalised cross-correlation of windows at every eighth pixel, float64 (n,).

    Windows that are flat, or more than half unusable in either image (NaN), are left out.
    """
    usable = np.isfinite(first) & np.isfinite(second)
    if not usable.any() or min(first.shape) < window:
        return np.empty(0)
    inner = np.s_[window // 2 : first.shape[0] - (window - 1) // 2 : _STEP,
                  window // 2 : first.shape[1] - (window - 1) // 2 : _STEP]  # fmt: skip

    def mean(values: np.ndarray) -> np.ndarray:
        return ndimage.uniform_filter(values, window, mode="constant")[inner]

    a, b = (np.where(usable, each - np.float64(each[usable].mean()), 0.0) for each in (first, second))
    share = mean(usable.astype(float))
    enough = share > 0.5
    share = np.where(enough, share, 1.0)
    mean_a, mean_b = mean(a) / share, mean(b) / share
    var_a, var_b = mean(a * a) / share - mean_a**2, mean(b * b) / share - mean_b**2
    textured = enough & (var_a > 1e-9 * a.var()) & (var_b > 1e-9 * b.var())
    return (mean(a * b) / share - mean_a * mean_b)[textured] / np.sqrt((var_a * var_b)[textured])


def footprint_of(grid: GeoBox) -> shapely.Geometry:
    """Outline of a grid in longitude and latitude, degrees; in two parts where it crosses the 180th meridian."""
    lon, lat = grid.crs.transformer_to_crs(CRS("EPSG:4326"))(*grid.affine @ tuple(grid.boundary(_EDGE).T))
    lon = lon[0] + (np.asarray(lon) - lon[0] + 180) % 360 - 180
    outline, world = shapely.Polygon(np.column_stack([lon, lat])), shapely.box(-180, -90, 180, 90)
    parts = [translate(outline, turn) & world for turn in (-360, 0, 360)]
    return shapely.union_all([part for part in parts if part.area > 0])


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


def _fraction(*parts: object) -> float:
    """A number from 0 to 1 that depends on the parts alone."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6]) / 2**48


def _draw(site: Site, seed: int) -> float:
    middle = site.footprint.centroid
    return _fraction(seed, round(middle.x * 10), round(middle.y * 10))


def _place(footprint: shapely.Geometry) -> str:
    middle = footprint.centroid
    return f"{'SN'[middle.y >= 0]}{abs(middle.y):05.2f}{'WE'[middle.x >= 0]}{abs(middle.x):06.2f}"


def _site_name(images: Sequence[SourceImage], footprint: shapely.Geometry) -> str:
    """What the names of the images begin with, or the place."""
    begin = re.sub(r"[\W\d_]+$", "", os.path.commonprefix([each.name for each in images]))  # noqa: RUF071
    return begin if len(images) > 1 and len(begin) > 2 else _place(footprint)


def _has_name(text: str, name: str) -> bool:
    return re.search(rf"(?<![a-z]){re.escape(name.lower())}(?![a-z])", text.lower()) is not None


def _forbidden_name(site: Site, names: tuple[str, ...]) -> bool:
    return any(_has_name(source.name, name) for source in site.images for name in names)


def _day(date: np.datetime64) -> str | None:
    return None if np.isnat(date) else str(date)
