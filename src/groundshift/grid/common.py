"""One grid for two images: which CRS, which pixels, which part of the ground."""

from __future__ import annotations

import math
from typing import NamedTuple

import pyproj
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from odc.geo.geom import BoundingBox, Geometry

from groundshift.errors import InputError, NoOverlapError
from groundshift.grid.metric import zone_crs
from groundshift.grid.tiles import Box

LOCAL_CRS = CRS(
    'PROJCS["local metres (no place on Earth)",GEOGCS["WGS 84",DATUM["WGS_1984",'
    'SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],'
    'PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",0],'
    'PARAMETER["scale_factor",1],PARAMETER["false_easting",0],PARAMETER["false_northing",0],'
    'UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
)
"""The CRS of arrays without one: metres from the upper left corner.

An engineering CRS would say it better, but odc-geo takes only projected and geographic ones; this is a
projected one with a name that tells, and it goes through GeoTIFF and back unchanged.
"""

_SAME_LATTICE = 1e-3  # pixels: grids that differ by less are read without resampling
_SAME_RESOLUTION = 0.01
_MAX_SCALE_ERROR = 0.05  # of a projection, beyond which its metres are not metres on the ground
_TOLD_SCALE_ERROR = 0.005
_TOLD_CONVERGENCE = 5.0  # degrees
_EDGE_POINTS = 64  # points a side when an outline goes from one CRS to another


class CommonGrid(NamedTuple):
    """A grid for both images, and what has to be done to bring them onto it."""

    grid: GeoBox
    log: tuple[str, ...]  # plain English, one line a decision; empty if the images share grid and extent


class LatticeShift(NamedTuple):
    """Where a grid starts on the pixel lattice of another, in whole pixels."""

    rows: int
    cols: int


def local_grid(shape: tuple[int, int], *, resolution: float = 1.0) -> GeoBox:
    """A grid for an array without place on Earth: square pixels of `resolution` metres, lower left corner at (0, 0)."""
    return GeoBox(shape, Affine(resolution, 0, 0, 0, -resolution, shape[0] * resolution), LOCAL_CRS)


def common_grid(first: GeoBox, second: GeoBox, *, area: BoundingBox | None = None) -> CommonGrid:
    """Choose the grid on which two images are compared.

    It has the CRS and pixel lattice of the first image, covers the ground that both show, and is cropped to
    `area`. Three things change that: a first image in degrees, in feet, or in a projection whose scale is more
    than 5 % off goes to the UTM zone of its centre (near the poles, to Universal Polar Stereographic); a rotated
    or south-up first image to a north-up grid; and where the second image is coarser by more than 1 %, its
    resolution is used (and its lattice, if the CRS is the same).

    Parameters
    ----------
    first, second
        Grids of the images.
    area
        Bounds of the ground asked for; without a CRS they are in that of the first image.

    Raises
    ------
    NoOverlapError
        If the images, or the images and the area, share no ground; both extents are given.
    InputError
        If one image has a place on Earth and the other has none.
    """
    if (first.crs == LOCAL_CRS) != (second.crs == LOCAL_CRS):
        raise InputError(
            "one image has a CRS and the other is an array without place on Earth; expected two of a kind: "
            "give the array as (array, GeoBox)"
        )
    lattice, log = _metric_lattice(first)
    coarse, line = _coarser(lattice, second)
    lattice, log = coarse, [*log, *line]
    if second.crs != lattice.crs:
        log.append(f"the second image is brought from {_short(second.crs)} to {_short(lattice.crs)}")
    elif lattice_shift(second, lattice) is None:
        log.append("the second image is resampled: its pixels do not coincide with those of the common grid")

    own, other = _outline(first, lattice.crs), _outline(second, lattice.crs)
    overlap = own & other
    if overlap.is_empty or overlap.area == 0:
        raise NoOverlapError(
            f"the images share no ground: the first covers {_extent(own.boundingbox)}, the second "
            f"{_extent(other.boundingbox)} in {_short(lattice.crs)}; give two images of the same place"
        )
    bounds = overlap.boundingbox
    if area is not None:
        bounds = _within_area(bounds, area, area.crs or first.crs, lattice)
    grid = _cropped(lattice, bounds)
    if grid.shape != lattice.shape or lattice_shift(first, grid) != (0, 0):
        what = "the ground that both images show" if area is None else "the area asked for"
        log.append(f"cropped to {what}: {grid.shape.y} x {grid.shape.x} pixels of {_resolution(grid)}")
    return CommonGrid(grid, tuple(log))


def lattice_shift(of: GeoBox, on: GeoBox) -> LatticeShift | None:
    """Where `on` starts in pixels of `of`, or None if their pixels do not coincide to 1/1000 pixel throughout."""
    if of.crs != on.crs:
        return None
    to_pixel = ~of.affine @ on.affine
    rows, cols = round(to_pixel.f), round(to_pixel.c)
    corners = [(x, y) for x in (0, on.shape.x) for y in (0, on.shape.y)]
    found = (to_pixel @ corner for corner in corners)
    off = max(max(abs(x - cols - cx), abs(y - rows - cy)) for (x, y), (cx, cy) in zip(found, corners, strict=True))
    return LatticeShift(rows, cols) if off < _SAME_LATTICE else None


def extent_on(of: GeoBox, on: GeoBox) -> Box:
    """The pixels of a north-up grid `on` outside of which the grid `of` has nothing; they may lie beyond `on`."""
    if (shift := lattice_shift(of, on)) is not None:
        return Box(-shift.rows, -shift.cols, of.shape.y - shift.rows, of.shape.x - shift.cols)
    bounds = _outline(of, on.crs).boundingbox
    left, top = ~on.affine @ (bounds.left, bounds.top)
    right, bottom = ~on.affine @ (bounds.right, bounds.bottom)
    first = (math.floor(each + _SAME_LATTICE) for each in (top, left))
    return Box(*first, *(math.ceil(each - _SAME_LATTICE) for each in (bottom, right)))


def _metric_lattice(grid: GeoBox) -> tuple[GeoBox, list[str]]:
    """The grid itself, or one around it that is north-up and in metres on the ground."""
    if grid.crs == LOCAL_CRS:
        return grid, []
    why, log = None, []
    if grid.crs.geographic:
        why = "is in degrees"
    elif (unit := grid.crs.proj.axis_info[0]).unit_conversion_factor != 1:
        why = f"is in units of {unit.unit_name}"
    else:
        scale, convergence = _distortion(grid)
        if abs(scale - 1) > _MAX_SCALE_ERROR:
            why = f"is in a projection with {scale:.2f} m to a metre on the ground"
        elif abs(scale - 1) > _TOLD_SCALE_ERROR:
            log.append(
                f"one metre on the ground is {scale:.3f} m in {_short(grid.crs)}; displacements are in the latter"
            )
        if why is None and abs(convergence) > _TOLD_CONVERGENCE:
            log.append(
                f"east and north are those of the grid, which is turned by {convergence:.0f} degrees from true north"
            )
    if why is not None:
        crs = CRS(zone_crs(*_centre(grid)))
        lattice = GeoBox.from_bbox(_outline(grid, crs).boundingbox, resolution=float(f"{_side_in(grid, crs):.3g}"))
        return lattice, [f"the first image {why}; it is brought to {_short(crs)} with pixels of {_resolution(lattice)}"]
    a = grid.affine
    if abs(a.b) + abs(a.d) < 1e-9 * abs(a.a) and a.a > 0 > a.e:
        return grid, log
    side = math.sqrt(abs(a.determinant))
    lattice = GeoBox.from_bbox(grid.boundingbox, resolution=side, tight=True)
    return lattice, [
        *log,
        f"the first image is not north-up; it is resampled to north-up pixels of {_resolution(lattice)}",
    ]


def _coarser(lattice: GeoBox, second: GeoBox) -> tuple[GeoBox, list[str]]:
    """The lattice, at the resolution of the second image if that is coarser."""
    own, other = _side(lattice), _side_in(second, lattice.crs)
    if abs(other / own - 1) <= _SAME_RESOLUTION:
        return lattice, []
    if other < own:
        return lattice, [f"the second image, with pixels of {other:.4g} m, is averaged to the {own:.4g} m of the first"]
    line = f"the first image, with pixels of {own:.4g} m, is averaged to the {other:.4g} m of the second"
    a = second.affine
    if second.crs == lattice.crs and a.b == a.d == 0 and a.a > 0 > a.e:
        return second, [f"{line}, on its pixel lattice"]
    return GeoBox.from_bbox(lattice.boundingbox, resolution=other, tight=True), [line]


def _within_area(bounds: BoundingBox, area: BoundingBox, crs: CRS, lattice: GeoBox) -> BoundingBox:
    if crs != lattice.crs:
        to_grid = pyproj.Transformer.from_crs(crs.proj, lattice.crs.proj, always_xy=True)
        area = BoundingBox(*to_grid.transform_bounds(*area.bbox), lattice.crs)
    left, bottom = max(bounds.left, area.left), max(bounds.bottom, area.bottom)
    right, top = min(bounds.right, area.right), min(bounds.top, area.top)
    if left >= right or bottom >= top:
        raise NoOverlapError(
            f"the images show no ground of the area: they share {_extent(bounds)}, the area is {_extent(area)} "
            f"in {_short(lattice.crs)}; give an area inside the images"
        )
    return BoundingBox(left, bottom, right, top, lattice.crs)


def _cropped(lattice: GeoBox, bounds: BoundingBox) -> GeoBox:
    """The whole pixels of the (north-up) lattice that touch the bounds."""
    to_pixel = ~lattice.affine
    left, top = to_pixel @ (bounds.left, bounds.top)
    right, bottom = to_pixel @ (bounds.right, bounds.bottom)
    col, row = math.floor(left + _SAME_LATTICE), math.floor(top + _SAME_LATTICE)
    shape = (
        max(1, math.ceil(bottom - _SAME_LATTICE) - row),
        max(1, math.ceil(right - _SAME_LATTICE) - col),
    )
    return GeoBox(shape, lattice.affine @ Affine.translation(col, row), lattice.crs)


def _outline(grid: GeoBox, crs: CRS) -> Geometry:
    """Footprint of a grid in another CRS, with points along its edges."""
    if grid.crs == crs:
        return grid.extent
    ring = [tuple(map(float, grid.affine @ pixel)) for pixel in grid.boundary(_EDGE_POINTS)]
    x, y = grid.crs.transformer_to_crs(crs)(*zip(*ring, strict=True))
    points = [point for point in zip(x, y, strict=True) if all(map(math.isfinite, point))]
    if len(points) < 3:
        raise InputError(
            f"a footprint in {_short(grid.crs)} cannot be brought to {_short(crs)}; reproject the image first"
        )
    outline = Geometry({"type": "Polygon", "coordinates": [[*points, points[0]]]}, crs)
    return outline if outline.is_valid else outline.buffer(0)


def _centre(grid: GeoBox) -> tuple[float, float]:
    """Longitude and latitude of the centre, degrees."""
    x, y = grid.affine @ (grid.shape.x / 2, grid.shape.y / 2)
    return grid.crs.transformer_to_crs(CRS("EPSG:4326"))(x, y)


def _distortion(grid: GeoBox) -> tuple[float, float]:
    """Linear scale of the projection at the centre (grid metres a ground metre), and convergence in degrees."""
    factors = pyproj.Proj(grid.crs.proj).get_factors(*_centre(grid))
    return math.sqrt(factors.areal_scale), factors.meridian_convergence


def _side(grid: GeoBox) -> float:
    """Side of a square pixel of the same area, in units of the CRS."""
    return math.sqrt(abs(grid.affine.determinant))


def _side_in(grid: GeoBox, crs: CRS) -> float:
    """As :func:`_side`, for the central pixel in another CRS."""
    if grid.crs == crs:
        return _side(grid)
    row, col = grid.shape.y // 2, grid.shape.x // 2
    corners = [grid.affine @ (col + dx, row + dy) for dx, dy in ((0, 0), (1, 0), (0, 1))]
    x, y = grid.crs.transformer_to_crs(crs)(*zip(*corners, strict=True))
    area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    return math.sqrt(abs(area))


def _resolution(grid: GeoBox) -> str:
    x, y = abs(grid.affine.a), abs(grid.affine.e)
    return f"{x:.6g} m" if math.isclose(x, y, rel_tol=1e-6) else f"{x:.6g} x {y:.6g} m"


def _extent(bounds: BoundingBox) -> str:
    return f"x {bounds.left:.0f} to {bounds.right:.0f}, y {bounds.bottom:.0f} to {bounds.top:.0f}"


def _short(crs: CRS) -> str:
    return f"EPSG:{crs.epsg}" if crs.epsg else crs.proj.name
