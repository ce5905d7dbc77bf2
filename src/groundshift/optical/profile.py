"""Swath profiles across a fault, and the offset at it with error bars.

Along the trace, *right-lateral* slip is positive: the far side moved to the right. Across it, *opening* is positive.
Distance from the trace is positive on its right side, seen along it from its first to its last point.
"""

from __future__ import annotations

import csv
import io
import itertools
import logging
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import xarray as xr
from scipy import ndimage

from groundshift.errors import ConfigurationError, InputError
from groundshift.figures.profile import profile_figure
from groundshift.figures.style import save_figure
from groundshift.grid.metric import in_metres
from groundshift.io import read_line, read_map, write_text
from groundshift.kernels.alike import blocks_of, errors_alike
from groundshift.kernels.robust import robust_fit
from groundshift.model.displacement import decimals

log = logging.getLogger(__name__)

_LAGS = 16  # map pixels up to which the correlation of neighbours is looked at
_BROAD = 41  # map pixels: motion that is broader is no error
_UNCORRELATED = 0.1
_LEAST_CELLS = 4  # on each side of the fault
_GAP = 4  # map pixels left out beside the trace by default


@dataclass(frozen=True)
class Offset:
    """Offset at a fault: what two straight lines, one fitted to each side, leave between them at the trace."""

    along: float  # metres along the trace, to the middle of the swath
    right_lateral: float  # metres
    right_lateral_sigma: float
    opening: float  # metres
    opening_sigma: float


@dataclass(frozen=True)
class Profile:
    """Displacement stacked along a trace in bins of distance; NaN where a bin is empty."""

    distance: np.ndarray  # metres from the trace to the middle of a bin, positive on the right; float64 (n,)
    parallel: np.ndarray  # along the trace, metres
    parallel_sigma: np.ndarray
    perpendicular: np.ndarray  # away from the trace to its right, metres
    perpendicular_sigma: np.ndarray
    lines: np.ndarray  # float64 (2, 2, 2): component, side (left, right), (value at the trace, slope)
    gap: float  # metres beside the trace that the lines do not use
    offset: Offset


def swath_profile(
    dataset: xr.Dataset,
    trace: np.ndarray,
    *,
    length: float,
    width: float | None = None,
    along: float | None = None,
    gap: float | None = None,
    bin_width: float | None = None,
) -> Profile:
    """Stack a displacement map across a fault and measure the offset.

    Neighbouring pixels are correlated, so the lines are fitted to means over cells: as large as the map says that its
    errors are alike (`errors_alike_m`), and wider than the correlation that is seen in it. Errors of the offset come
    from the scatter of these means or from the map's own sigmas, each cell being one measurement, whichever is larger:
    a few cells scatter little by chance. Errors that are alike over more than a cell are seen in what a smooth surface
    leaves of each side of the map around (see :mod:`groundshift.kernels.alike`): the error of the offset is not below
    what they make of it. A mean over a bin counts one measurement a cell.

    Parameters
    ----------
    dataset
        A displacement map.
    trace
        Vertices of the fault's trace, (n, 2), in the CRS of the map.
    length
        Of the profile, from one end to the other, metres.
    width
        Of the swath along the trace, metres; all of the trace if None.
    along
        Middle of the swath, metres from the start of the trace; its middle if None.
    gap
        Left out on each side of the trace by the line fits, metres; four map pixels if None.
    bin_width
        Metres; two map pixels if None.

    Raises
    ------
    InputError
        If the swath has too few measurements on one of its sides.
    ConfigurationError
        If the trace has fewer than two points, or the gap leaves nothing.
    """
    return _profile(_positions(dataset, trace, length), length, width, along, gap, bin_width)


def offset_curve(
    dataset: xr.Dataset,
    trace: np.ndarray,
    *,
    spacing: float,
    length: float,
    width: float | None = None,
    gap: float | None = None,
) -> list[Offset]:
    """Offsets along a fault, every `spacing` metres, each from a swath of `width` (the spacing if None).

    Stations where a side has too few measurements are left out. Other parameters are those of :func:`swath_profile`.
    """
    points = _positions(dataset, trace, length)
    offsets, empty = [], []
    for station in np.arange(spacing / 2, points.trace_length, spacing):
        try:
            offsets.append(_profile(points, length, width or spacing, station, gap, None).offset)
        except InputError:
            empty.append(f"{station:.0f}")
    if empty:
        log.info("too few measurements for an offset at %s m along the trace", ", ".join(empty))
    return offsets


@dataclass(frozen=True)
class _Points:
    """Valid pixels near a trace, in its frame."""

    along: np.ndarray  # metres along the trace
    distance: np.ndarray  # metres, positive on the right
    parallel: np.ndarray  # metres
    perpendicular: np.ndarray
    parallel_sigma: np.ndarray
    perpendicular_sigma: np.ndarray
    pixel: float  # metres
    cell: float  # metres over which errors count as one
    trace_length: float


def _positions(dataset: xr.Dataset, trace: np.ndarray, length: float) -> _Points:
    trace = np.asarray(trace, float)
    if trace.ndim != 2 or len(trace) < 2:
        raise ConfigurationError(f"the trace has shape {trace.shape}; expected two points (x, y) or more")
    if missing := {"east", "north"} - set(dataset):
        raise InputError(f"the map has no {' and no '.join(sorted(missing))}; a profile takes east and north")
    if not in_metres(crs := dataset.odc.geobox.crs.proj):
        raise InputError(f"the map is in units of {crs.axis_info[0].unit_name}; expected metres: reproject it")
    margin = length / 2
    x, y = dataset["x"].values, dataset["y"].values
    columns = np.flatnonzero((x >= trace[:, 0].min() - margin) & (x <= trace[:, 0].max() + margin))
    rows = np.flatnonzero((y >= trace[:, 1].min() - margin) & (y <= trace[:, 1].max() + margin))
    if not rows.size or not columns.size:
        raise InputError("the trace lies outside the map; give it in the CRS of the map")
    part = dataset.isel(y=slice(rows[0], rows[-1] + 1), x=slice(columns[0], columns[-1] + 1))
    east, north, valid = (part[name].values for name in ("east", "north", "valid"))
    grid_x, grid_y = np.meshgrid(part["x"].values, part["y"].values)
    along, distance, total = _trace_frame(grid_x, grid_y, trace)
    unit = (trace[-1] - trace[0]) / np.hypot(*(trace[-1] - trace[0]))
    parallel = east * unit[0] + north * unit[1]
    perpendicular = east * unit[1] - north * unit[0]
    variances = part["east_sigma"].values ** 2, part["north_sigma"].values ** 2
    parallel_sigma, perpendicular_sigma = (
        np.sqrt(variances[0] * a**2 + variances[1] * b**2) for a, b in (unit, unit[::-1])
    )
    use = valid & (np.abs(distance) <= margin) & np.isfinite(along)
    pixel = float(abs(x[1] - x[0])) if len(x) > 1 else 1.0
    seen = 1.5 * pixel * _correlated_pixels(np.where(use, parallel, np.nan), distance)
    cell = max(seen, dataset.attrs.get("errors_alike_m", 0.0))
    layers = (along, distance, parallel, perpendicular, parallel_sigma, perpendicular_sigma)
    return _Points(*(each[use] for each in layers), pixel, cell, total)


def _trace_frame(x: np.ndarray, y: np.ndarray, trace: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Metres along the trace (NaN beyond its ends) and signed distance from it, for points; and its length."""
    least = np.full(x.shape, np.inf)
    along, signed = np.full(x.shape, np.nan), np.zeros(x.shape)
    start_along = 0.0
    last = len(trace) - 2
    for k, (start, end) in enumerate(itertools.pairwise(trace)):
        step = end - start
        size = np.hypot(*step)
        if size == 0:
            continue
        t = ((x - start[0]) * step[0] + (y - start[1]) * step[1]) / size**2
        beyond = ((t < 0) & (k == 0)) | ((t > 1) & (k == last))
        t = np.clip(t, 0, 1)
        distance = np.hypot(x - start[0] - t * step[0], y - start[1] - t * step[1])
        side = np.sign((x - start[0]) * step[1] - (y - start[1]) * step[0])
        nearer = distance < least
        least = np.where(nearer, distance, least)
        along = np.where(nearer, np.where(beyond, np.nan, start_along + t * size), along)
        signed = np.where(nearer, side * distance, signed)
        start_along += size
    return along, signed, start_along


def _correlated_pixels(values: np.ndarray, distance: np.ndarray) -> int:
    """Lag, in pixels, at which departures from the local mean of each side are no longer correlated."""
    residual = np.full(values.shape, np.nan)
    for side in (distance < 0, distance >= 0):
        use = np.isfinite(values) & side
        share = ndimage.uniform_filter(use.astype(float), _BROAD)
        mean = ndimage.uniform_filter(np.where(use, values, 0).astype(float), _BROAD) / np.maximum(share, 1e-9)
        residual[use] = (values - mean)[use]
    variance = np.nanmean(residual**2) if np.isfinite(residual).any() else 0.0
    for lag in range(1, min(_LAGS, *values.shape)):
        products = np.concatenate(
            [(residual[lag:] * residual[:-lag]).ravel(), (residual[:, lag:] * residual[:, :-lag]).ravel()]
        )
        if not np.isfinite(products).any() or np.nanmean(products) < _UNCORRELATED * variance:
            return lag
    return min(_LAGS, *values.shape)


def _profile(
    points: _Points, length: float, width: float | None, along: float | None, gap: float | None, bin_width: float | None
) -> Profile:
    width = points.trace_length if width is None else width
    along = points.trace_length / 2 if along is None else along
    gap = _GAP * points.pixel if gap is None else gap
    bin_width = 2 * points.pixel if bin_width is None else bin_width
    if gap >= length / 2:
        raise ConfigurationError(f"a gap of {gap:g} m leaves nothing of a profile of {length:g} m; give a smaller gap")
    use = np.abs(points.along - along) <= width / 2
    s, d = points.along[use], points.distance[use]
    components = [points.parallel[use], points.perpendicular[use]]
    own_sigmas = [points.parallel_sigma[use], points.perpendicular_sigma[use]]

    lines, values_at, sigmas = np.full((2, 2, 2), np.nan), np.zeros((2, 2)), np.zeros((2, 2))
    for side, name in enumerate(("left", "right")):
        here = (np.abs(d) >= gap) & ((d > 0) == bool(side))
        for c, (values, own) in enumerate(zip(components, own_sigmas, strict=True)):
            distance, means, variance = _cell_means(s[here], d[here], values[here], own[here] ** 2, cell=points.cell)
            if len(means) < _LEAST_CELLS:
                raise InputError(
                    f"the {name} side of the swath has {len(means)} independent measurements; expected "
                    f"{_LEAST_CELLS} or more: give a longer or wider swath"
                )
            design = np.column_stack([np.ones(len(distance)), distance])
            fit = robust_fit(design, means)
            formal = np.linalg.inv(design.T @ (design / variance[:, None]))
            lines[c, side] = fit.coefficients
            values_at[c, side] = fit.coefficients[0]
            sigmas[c, side] = np.sqrt(max(fit.covariance[0, 0], formal[0, 0]))
    difference = values_at[:, 1] - values_at[:, 0]
    sigma = np.maximum(np.hypot(sigmas[:, 0], sigmas[:, 1]), _broad_sigma(points, along, max(width, length), gap, use))
    offset = Offset(float(along), -float(difference[0]), float(sigma[0]), float(difference[1]), float(sigma[1]))
    edges = np.arange(-np.ceil(length / 2 / bin_width), np.ceil(length / 2 / bin_width) + 1) * bin_width
    stacks = [_stack(s, d, *each, edges, points.cell) for each in zip(components, own_sigmas, strict=True)]
    return Profile((edges[:-1] + edges[1:]) / 2, *stacks[0], *stacks[1], lines, float(gap), offset)


def _broad_sigma(points: _Points, along: float, reach: float, gap: float, use: np.ndarray) -> np.ndarray:
    """Standard deviations of both components of the offset of the points to use, from errors that are alike far off.

    How errors are alike is seen in the map around the trace, up to half of `reach` along it to either side of the
    swath's middle: in what a surface of second order leaves of each side.
    """
    near = (np.abs(points.along - along) <= reach / 2) & (np.abs(points.distance) >= gap)
    s, d = points.along[near] - along, points.distance[near]
    blocks = blocks_of(s, d, least=points.cell, apart=(d > 0).astype(int))
    number = np.arange(len(blocks.at))
    at_s, at_d = blocks.at.T
    surface = np.column_stack([at_s**p * at_d**q / reach ** (p + q) for p in range(3) for q in range(3 - p)])
    design = np.column_stack([surface * (at_d > 0)[:, None], surface * (at_d < 0)[:, None]])
    weights = np.zeros(len(at_d))
    for side in (-1, 1):
        here = use[near] & (side * d > 0)
        line = np.column_stack([np.ones(here.sum()), d[here]])
        weights += side * np.bincount(blocks.index[here], weights=np.linalg.pinv(line)[0], minlength=len(at_d))
    variances = []
    for values in (points.parallel, points.perpendicular):
        middle = np.asarray(ndimage.median(values[near], blocks.index, number))
        variances.append(weights @ errors_alike(middle, blocks, design).covariance(blocks) @ weights)
    return np.sqrt(variances)


def _cell_means(s: np.ndarray, d: np.ndarray, *values: np.ndarray, cell: float) -> tuple[np.ndarray, ...]:
    """Mean distance and mean of each of the values in square cells, those that are at least half full."""
    if len(s) == 0:
        return d, *values
    column = np.floor((s - s.min()) / cell).astype(int)
    row = np.floor((d - d.min()) / cell).astype(int)
    _, index, count = np.unique(column * (row.max() + 1) + row, return_inverse=True, return_counts=True)
    full = count >= 0.5 * np.median(count)
    return tuple((np.bincount(index, weights=each) / count)[full] for each in (d, *values))


def _stack(
    s: np.ndarray, d: np.ndarray, values: np.ndarray, own: np.ndarray, edges: np.ndarray, cell: float
) -> tuple[np.ndarray, np.ndarray]:
    """Median of each bin of distance, and its standard error from one measurement a cell along the trace.

    A measurement scatters by what the bin does, or by its own sigma, whichever is larger: a few scatter little.
    """
    mean, sigma = np.full(len(edges) - 1, np.nan), np.full(len(edges) - 1, np.nan)
    number = np.digitize(d, edges) - 1
    order = np.argsort(number, kind="stable")
    starts = np.searchsorted(number[order], np.arange(len(edges)))
    for k in range(len(edges) - 1):
        members = order[starts[k] : starts[k + 1]]
        if members.size:
            mean[k] = np.median(values[members])
            independent = max(1.0, np.ptp(s[members]) / cell)
            scatter = max(np.std(values[members]), np.sqrt(np.mean(own[members] ** 2)))
            sigma[k] = 1.253 * scatter / np.sqrt(independent)  # 1.253: of a median
    return mean, sigma


# --- files ----------------------------------------------------------------------------------------------------------


def write_profiles(
    map_file: str | Path,
    trace: str | Path,
    out: str | Path,
    *,
    length: float | None = None,
    width: float | None = None,
    gap: float | None = None,
    spacing: float | None = None,
) -> str:
    """Profile and offset curve of a map on disk: `profile.csv`, `offsets.csv` and `profile.png` in a folder.

    Parameters
    ----------
    trace
        A vector file with one line, or points `x,y x,y …` in the CRS of the map.
    length, width, gap, spacing
        Metres; by default 400 map pixels, a fifth of the trace, four map pixels, and a twentieth of the trace.

    Returns
    -------
    The offset at the middle of the trace, in words.
    """
    dataset = read_map(map_file)
    points = _trace_points(trace, dataset)
    total = float(np.hypot(*np.diff(points, axis=0).T).sum())
    pixel = float(abs(dataset.rio.resolution()[0]))
    length = length or 400 * pixel
    profile = swath_profile(dataset, points, length=length, width=width or total / 5, gap=gap)
    curve = offset_curve(dataset, points, spacing=spacing or total / 20, length=length, gap=gap)
    out = Path(out)
    names = ("distance", "parallel", "parallel_sigma", "perpendicular", "perpendicular_sigma")
    rows = zip(*(getattr(profile, name) for name in names), strict=True)
    write_text(out / "profile.csv", _csv([f"{name}_m" for name in names], rows))
    names = [field.name for field in fields(Offset)]
    write_text(
        out / "offsets.csv", _csv([f"{name}_m" for name in names], ([getattr(o, n) for n in names] for o in curve))
    )
    save_figure(profile_figure(profile, curve), out / "profile.png")
    offset = profile.offset
    digits = decimals(min(offset.right_lateral_sigma, offset.opening_sigma))
    return (
        f"offset at the middle of the trace: right-lateral {offset.right_lateral:+.{digits}f} ± "
        f"{offset.right_lateral_sigma:.{digits}f} m, opening {offset.opening:+.{digits}f} ± "
        f"{offset.opening_sigma:.{digits}f} m\n"
        f"profile, {len(curve)} offsets along the trace and a picture are in {out}"
    )


def _trace_points(trace: str | Path, dataset: xr.Dataset) -> np.ndarray:
    if Path(trace).suffix and (Path(trace).exists() or "," not in str(trace)):
        return read_line(trace, dataset.odc.geobox)
    try:
        return np.array([[float(v) for v in point.split(",")] for point in str(trace).split()]).reshape(-1, 2)
    except ValueError as error:
        raise InputError(f"trace {str(trace)!r} is no file and no points; expected 'x,y x,y ...'") from error


def _csv(header: list[str], rows) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([f"{float(value):.6g}" for value in row] for row in rows)
    return stream.getvalue()
