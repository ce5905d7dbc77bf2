"""Pairs of real images: measured, judged, and read aligned.

A pair is fit if its images show the same ground unmoved and still look alike. As in T. Montagnon et al. (2023,
IGARSS), that is the mean local correlation after alignment. They keep Landsat-8 panchromatic pairs above 0.9;
Sentinel-2 10 m pairs of the OSCD set, 0.7 to 2.6 years apart, have 0.3 to 0.9, half of them less than 0.7.
"""

from __future__ import annotations

import functools
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import shapely
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from odc.geo.geom import BoundingBox
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage

from groundshift.errors import InputError, NoOverlapError
from groundshift.grid.common import common_grid, lattice_shift
from groundshift.grid.tiles import Box, tile_plan
from groundshift.io import AlignedImage, read_mask
from groundshift.kernels.least_squares_matching import match_windows
from groundshift.kernels.phase_correlation import phase_correlation
from groundshift.kernels.robust import nmad, robust_fit
from groundshift.kernels.spline import coefficients, fill_holes, warp
from groundshift.synth.selection import Selection, Site, SourceImage, Split, footprint_of, fraction, has_name, opened

log = logging.getLogger(__name__)

_TILE = 512  # pixels: side of the tiles that are measured
_TILES = 64  # of them at most
_MARGIN = 40  # pixels around a tile, read to align it
_NODES = 32  # pixels between measurements of the misregistration
_WINDOW, _FIRST_WINDOW, _REACH = 64, 128, 24  # pixels, of the misregistration
_COHERENT = 0.3  # coherence from which a measurement counts
_ALIKE = 0.6  # correlation from which a window matched by least squares counts
_ENOUGH = 10  # measurements that agree on the misregistration
_STEP = 8  # pixels between windows of the local correlation


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
    pre = AlignedImage(opened(pair.pre), pair.grid).read(box).values
    post = AlignedImage(opened(pair.post), pair.grid).read(box.shifted(whole_y, whole_x)).values
    for path, keep in ((pair.stable_ground, True), (pair.moved_ground, False)):
        if path is not None:
            pre[_mask(path, pair.grid).read(box) != keep] = np.nan
    return PairPixels(pre, post, pair.shift[0] - whole_x, pair.shift[1] - whole_y)


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
        yield from sorted(combinations(ordered, 2), key=lambda two: fraction(two[0].name, two[1].name))


def _unsuited(pre: SourceImage, post: SourceImage, selection: Selection) -> str | None:
    """Why a pair is not even opened, or None."""
    for source in (pre, post):
        for each in selection.forbidden:
            if isinstance(each, str) and has_name(source.name, each):
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
    resampled = any(lattice_shift(opened(source.path).grid, grid) is None for source in (pre, post))
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
        grid, _ = common_grid(opened(pre.path).grid, opened(post.path).grid, area=area)
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


def _day(date: np.datetime64) -> str | None:
    return None if np.isnat(date) else str(date)
