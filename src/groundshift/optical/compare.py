"""Two displacement maps of the same ground: what they differ by, and whether their uncertainties allow it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox
from scipy import ndimage

from groundshift.errors import ConfigurationError, InputError
from groundshift.figures.difference import difference_figure
from groundshift.figures.style import save_figure
from groundshift.grid.axes import axes_turn
from groundshift.grid.tiles import Box
from groundshift.io import read_mask, write_json
from groundshift.io.convert.raster import read_raster
from groundshift.io.images.aligned import source_positions
from groundshift.kernels.alike import blocks_of, errors_alike
from groundshift.kernels.robust import nmad, robust_fit

PICTURE_NAME, REPORT_NAME = "comparison.png", "comparison.json"

_ENOUGH = 20  # pixels that both maps have, at least
_OUTLIER = 5.0  # spreads
_YEAR = 365.25  # days
_DEGREE = 111_195.0  # metres, of latitude
_COMPONENTS = ("east", "north")


@dataclass(frozen=True)
class Agreement:
    """How one component of two maps agrees; metres, or metres a year."""

    pixels: int  # that both maps have
    offset: float  # of second minus first, at the middle of the common pixels
    offset_sigma: float  # from what is left of the difference, alike as it is over distance
    per_km_east: float  # how the difference grows to the right of the grid, 0 without `ramp`
    per_km_east_sigma: float
    per_km_north: float
    per_km_north_sigma: float
    spread: float  # of what is left of the difference: normalised median absolute deviation
    outliers: float  # share of the pixels that differ by more than five spreads
    correlation: float  # without the outliers
    slope: float  # of the second on the first, by total least squares, without them; 1 if they have one scale
    standardised: float  # NMAD squared of what is left / the sigmas of both; 1 if these tell the spread
    plane: np.ndarray = field(repr=False)  # what was taken from the difference, (y, x)


@dataclass(frozen=True)
class MapComparison:
    """Two maps on one grid, (2, y, x) east and north, NaN where either has nothing; and how they agree."""

    first: np.ndarray
    second: np.ndarray  # turned into the axes of the grid, and to the quantity of the first
    agreement: dict[str, Agreement]  # of `east` and `north`
    grid: GeoBox
    metres: tuple[float, float]  # height and width of a pixel
    unit: str
    ramp: bool


def compare_maps(
    first: xr.Dataset, second: xr.Dataset, *, where: np.ndarray | None = None, ramp: bool = False
) -> MapComparison:
    """Compare two displacement maps on the coarser of their grids.

    The finer one is averaged over the pixels of the other; both are linear between pixels. Where the maps have
    different CRSs, east and north of one are turned into those of the other. A velocity is compared with a
    displacement over the days of the latter.

    Parameters
    ----------
    first, second
        Displacement maps (y, x) with `east` and `north`.
    where
        bool, of the shape of the coarser grid: pixels that count; all if None.
    ramp
        Whether maps of pairs that were aligned in different ways may differ by a plane; otherwise by an offset.

    Raises
    ------
    InputError
        If a map lacks a component or the dates that are needed, or if both have less than 20 pixels in common.
    """
    for each in (first, second):
        if "east" not in each or "north" not in each or "time" in each.dims:
            raise InputError("a comparison takes maps of one time with east and north; take one with .isel(time=i)")
    grids = [each.odc.geobox for each in (first, second)]
    grid = max(grids, key=lambda g: _metres(g)[0])
    layers = [_on_grid(each, own, grid) for each, own in zip((first, second), grids, strict=True)]
    layers[1] *= _scale(first, second)
    (one, one_sigma), (other, other_sigma) = ((each[:2], each[2:]) for each in layers)
    both = np.isfinite(one).all(axis=0) & np.isfinite(other).all(axis=0)
    if where is not None:
        both &= where
    if both.sum() < _ENOUGH:
        raise InputError(
            f"both maps have {both.sum()} pixels in common; expected {_ENOUGH} or more: check CRS, area and mask"
        )
    one, other = np.where(both, one, np.nan), np.where(both, other, np.nan)
    sigma = np.hypot(one_sigma, other_sigma)
    agreement = {
        name: _agreement(one[c], other[c], sigma[c], both, _metres(grid), ramp=ramp)
        for c, name in enumerate(_COMPONENTS)
    }
    unit = "m" if first.attrs.get("quantity", "displacement") == "displacement" else "m/yr"
    return MapComparison(one, other, agreement, grid, _metres(grid), unit, ramp)


def _agreement(
    one: np.ndarray, other: np.ndarray, sigma: np.ndarray, both: np.ndarray, metres: tuple[float, float], *, ramp: bool
) -> Agreement:
    rows, cols = np.indices(one.shape)
    north, east = (metres[k] / 1000 * (at - at[both].mean()) for k, at in ((0, -rows), (1, cols)))
    terms = [np.ones(one.shape), east, north] if ramp else [np.ones(one.shape)]
    fitted = robust_fit(np.column_stack([term[both] for term in terms]), (other - one)[both]).coefficients
    plane = sum(c * term for c, term in zip(fitted, terms, strict=True))
    one, other, sigma = one[both], (other - plane)[both], sigma[both]
    left = other - one
    spread = nmad(left)
    alike = np.abs(left) <= max(_OUTLIER * spread, 1e-9)
    fitted_sigma = _fit_sigma(left[alike], east[both][alike], north[both][alike], ramp=ramp)
    covariance = np.cov(one[alike], other[alike])
    along = np.linalg.eigh(covariance)[1][:, 1]
    return Agreement(
        pixels=one.size,
        offset=float(fitted[0]),
        offset_sigma=float(fitted_sigma[0]),
        per_km_east=float(fitted[1]) if ramp else 0.0,
        per_km_east_sigma=float(fitted_sigma[1]) if ramp else 0.0,
        per_km_north=float(fitted[2]) if ramp else 0.0,
        per_km_north_sigma=float(fitted_sigma[2]) if ramp else 0.0,
        spread=spread,
        outliers=float(1 - alike.mean()),
        correlation=float(covariance[0, 1] / np.sqrt(max(covariance[0, 0] * covariance[1, 1], 1e-300))),
        slope=float(along[1] / along[0]) if along[0] else np.inf,
        standardised=nmad(left / sigma) ** 2,
        plane=plane,
    )


def _fit_sigma(left: np.ndarray, east: np.ndarray, north: np.ndarray, *, ramp: bool) -> np.ndarray:
    """Standard deviations of offset and slopes, from what the fit leaves; positions in km."""
    blocks = blocks_of(east, north)
    terms = [np.ones(len(blocks.at)), *(blocks.at.T if ramp else [])]
    design = np.column_stack(terms)
    errors = errors_alike(blocks.mean(left), blocks, design)
    weights = np.linalg.solve((design.T * blocks.count) @ design, design.T * blocks.count)
    return np.sqrt(np.einsum("pn,nm,pm->p", weights, errors.covariance(blocks), weights))


def _metres(grid: GeoBox) -> tuple[float, float]:
    """Height and width of a pixel in the middle of a grid, metres."""
    high, wide = abs(grid.affine.e), abs(grid.affine.a)
    if grid.crs.geographic:
        latitude = (grid.affine @ (grid.shape.x / 2, grid.shape.y / 2))[1]
        return _DEGREE * high, _DEGREE * wide * float(np.cos(np.radians(latitude)))
    unit = grid.crs.proj.axis_info[0].unit_conversion_factor
    return unit * high, unit * wide


def _on_grid(dataset: xr.Dataset, own: GeoBox, grid: GeoBox) -> np.ndarray:
    """East, north and their sigmas of a map on another grid, (4, y, x), in the axes of that grid."""
    layers = np.stack([dataset[name].values.astype(float) for name in ("east", "north", "east_sigma", "north_sigma")])
    if own == grid:
        return layers
    box = Box(0, 0, grid.shape.y, grid.shape.x)
    rows, cols = source_positions(own, grid, box)
    # how many pixels of the map a pixel of the grid is wide
    width = np.hypot(np.gradient(cols, axis=1), np.gradient(rows, axis=1) * own.affine.e / own.affine.a)
    size = max(1, round(float(np.nanmedian(width))))
    east, north, east_sigma, north_sigma = (_sampled(layer, rows, cols, size) for layer in layers)
    turn = axes_turn(own.crs, grid, box)
    return np.stack([*turn.vector(east, north), *np.sqrt(turn.variance(east_sigma**2, north_sigma**2))])


def _sampled(layer: np.ndarray, rows: np.ndarray, cols: np.ndarray, size: int) -> np.ndarray:
    """A layer, averaged over squares of `size` pixels, at positions; NaN where half of a square has no value."""
    there = np.isfinite(layer)
    middle = 0 if size % 2 else 0.5  # the mean over an even square is that of the place half a pixel before its index
    share, sums = (
        ndimage.map_coordinates(
            ndimage.uniform_filter(plane, size, mode="constant") if size > 1 else plane,
            np.nan_to_num([rows + middle, cols + middle], nan=-9.0), order=1, mode="constant",
        )
        for plane in (there.astype(float), np.where(there, layer, 0.0))
    )  # fmt: skip
    return np.where(share > 0.5, sums / np.maximum(share, 1e-9), np.nan)


def _scale(first: xr.Dataset, second: xr.Dataset) -> float:
    """What the second map is multiplied by to be of the quantity of the first."""
    quantities = [each.attrs.get("quantity", "displacement") for each in (first, second)]
    if quantities[0] == quantities[1]:
        return 1.0
    displaced = first if quantities[0] == "displacement" else second
    days = [displaced.attrs.get(name) or "NaT" for name in ("date_pre", "date_post")]
    years = (np.datetime64(days[1]) - np.datetime64(days[0])) / np.timedelta64(1, "D") / _YEAR
    if not np.isfinite(years) or years == 0:
        raise InputError(
            f"a velocity is compared with a displacement from {days[0]} to {days[1]}; expected two dates: measure it "
            "with --dates 2019-07-04,2019-07-06"
        )
    return float(years if quantities[0] == "displacement" else 1 / years)


# --- files ----------------------------------------------------------------------------------------------------------


def write_comparison(
    first: str | Path, second: str | Path, out: str | Path, *, where: str | Path | None = None, ramp: bool = False
) -> str:
    """Compare two maps on disk: `comparison.png` and `comparison.json` in a folder.

    Parameters
    ----------
    first, second
        Displacement maps, GeoTIFF or NetCDF.
    where
        A raster or polygons: only there.
    ramp
        See :func:`compare_maps`.

    Returns
    -------
    The agreement in words.
    """
    maps = [read_raster(path) for path in (first, second)]
    for path, each in zip((first, second), maps, strict=True):
        if "reason" not in each:
            raise InputError(f"{path} is no displacement map; one of another program is made one by convert --from")
    grid = max((each.odc.geobox for each in maps), key=lambda g: _metres(g)[0])
    if grid.shape.y * grid.shape.x > 50_000_000:
        raise ConfigurationError(f"the coarser map has {grid.shape} pixels; cut a part of it first (gdal_translate)")
    marked = read_mask(where, grid).read(Box(0, 0, grid.shape.y, grid.shape.x)) if where is not None else None
    found = compare_maps(*maps, where=marked, ramp=ramp)
    out = Path(out)
    same = Path(first).name == Path(second).name
    names = (str(first), str(second)) if same else (Path(first).name, Path(second).name)
    save_figure(difference_figure(found, names), out / PICTURE_NAME)
    report = {
        name: {key: value for key, value in asdict(each).items() if key != "plane"}
        for name, each in found.agreement.items()
    }
    write_json(out / REPORT_NAME, {"first": str(first), "second": str(second), "unit": found.unit, **report})
    lines = [
        f"{name}: second minus first {each.offset:+.3f} ± {each.offset_sigma:.3f} {found.unit}, "
        f"spread {each.spread:.3f} {found.unit} (NMAD), {100 * each.outliers:.1f} % outliers, "
        f"correlation {each.correlation:.3f}, slope {each.slope:.3f}, standardised {each.standardised:.2f}"
        for name, each in found.agreement.items()
    ]
    pixels = found.agreement["east"].pixels
    return "\n".join([*lines, f"{pixels} pixels of {found.metres[1]:.4g} m in both; picture and numbers in {out}"])
