"""From a co-registered stack to measurement points: persistent scatterers, the *Basic* product.

Candidates of steady amplitude make a network, which is unwrapped and shows the atmosphere. In a second pass all pixels
that are bright against their surroundings are held against the network; those whose temporal coherence noise would
not reach are measurement points. Only candidates, points, and a byte and an amplitude dispersion of every pixel are in
memory; images are read in tiles.
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pyproj import Transformer
from scipy import ndimage

from groundshift.errors import InputError, RunError
from groundshift.figures.points import points_figure
from groundshift.figures.style import save_figure
from groundshift.grid.tiles import tile_plan
from groundshift.insar.acceptance import Threshold, acceptance_threshold
from groundshift.insar.arcs import Network, NetworkConfig, solve_network
from groundshift.insar.atmosphere import Atmosphere, AtmosphereConfig, estimate_atmosphere
from groundshift.insar.candidates import calibration_gains, find_candidates, halo
from groundshift.insar.config import CandidateConfig, ReferenceConfig
from groundshift.insar.geometry import StackGeometry
from groundshift.insar.points import basic_points
from groundshift.insar.reference import choose_reference
from groundshift.insar.series import DisplacementSeries, displacement_series
from groundshift.insar.unwrap import Attached, Unwrapped, attach_points, unwrap_network
from groundshift.io.files import write_json
from groundshift.io.points import write_points
from groundshift.io.radar_stack import open_stack
from groundshift.model.radar_stack import LAYERS

log = logging.getLogger(__name__)

POINTS_NAME, PICTURE_NAME, REPORT_NAME = "points.parquet", "quicklook.png", "report.json"

_GAIN_PIXELS = 250_000  # that the gains are found from, about
_NOTHING, _LOOKED_AT, _CANDIDATE = 0, 1, 2
_LEAST_POINTS = 10
_LEAST_CELLS = 16  # that the atmosphere is told from motion by


class BasicConfig(BaseModel):
    """How measurement points are found and measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: ReferenceConfig = Field(ReferenceConfig(), description="how the reference image is chosen")
    candidates: CandidateConfig = Field(
        CandidateConfig(max_dispersion=0.45, steady_dispersion=0.45), description="pixels that are looked at"
    )
    network_dispersion: float = Field(
        0.25, gt=0, le=0.5, description="those of smaller amplitude dispersion make the network"
    )
    apart: tuple[int, int] = Field(
        (1, 1), description="lines and pixels to each side among which only the brightest pixel is looked at"
    )
    network: NetworkConfig = Field(NetworkConfig(), description="arcs between them, and what is looked for")
    atmosphere: AtmosphereConfig | None = Field(
        AtmosphereConfig(), description="what is taken for atmosphere; null leaves it in"
    )
    false_alarms: float = Field(1e-5, gt=0, le=0.01, description="share of pixels of noise that become points")
    virtual_reference: Literal["mean", "mode"] = Field("mean", description="of all series, which is taken off each")
    crs: str = Field("EPSG:3035", description="of eastings and northings; EPSG:3035 is Europe's")
    producer: Literal["undefined", "EGEOS", "GAF", "NORCE", "TREA"] = Field(
        "undefined", description="in the names of points"
    )
    tile: int = Field(512, ge=64, description="lines and pixels that are read at once")
    seed: int = Field(0, ge=0, description="of the noise that the acceptance is found from")

    @field_validator("apart")
    @classmethod
    def _near(cls, value: tuple[int, int]) -> tuple[int, int]:
        if min(value) < 0 or max(value) > 50:
            raise ValueError(f"apart {value} should be two numbers from 0 to 50: lines, pixels")
        return value


class Scan(NamedTuple):
    """What the amplitudes of a stack say of its pixels."""

    level: np.ndarray  # uint8 (y, x): 0 nothing, 1 to be looked at in the second pass, 2 candidate for the network
    dispersion: np.ndarray  # float32 (y, x): amplitude dispersion
    phases: np.ndarray  # complex64 (time, n): phasors of the candidates, in the order of `np.nonzero(level == 2)`


class BasicResult(NamedTuple):
    """Measurement points, in the order of their lines and pixels."""

    table: pa.Table  # point set of level L2a, see groundshift.model.points
    series: DisplacementSeries  # the same series with the sigmas that hold; `height` not yet scaled to the point
    height_error: np.ndarray  # float64 (n,), m: true minus known height, less the mean of the cluster
    rows: np.ndarray  # int (n,): place in the arrays of the stack
    columns: np.ndarray
    report: dict[str, Any]  # numbers of the run


def make_basic(path: str | Path, out: str | Path, config: BasicConfig | None = None) -> BasicResult:
    """Measure a stack on disk; writes `points.parquet`, `quicklook.png` and `report.json` to the folder `out`.

    Parameters are those of :func:`measure_points`, and :func:`~groundshift.io.radar_stack.open_stack` reads `path`.
    """
    out = Path(out)
    result = measure_points(open_stack(path), config)
    write_points(out / POINTS_NAME, result.table)
    save_figure(points_figure(result.table), out / PICTURE_NAME)
    write_json(out / REPORT_NAME, {"stack": Path(path).name, **result.report})
    return result


def measure_points(stack: xr.Dataset, config: BasicConfig | None = None) -> BasicResult:
    """Find persistent scatterers and measure how they moved.

    Parameters
    ----------
    stack
        As of :mod:`groundshift.model.radar_stack`; five images or more, twenty for amplitude dispersion to mean much.
    config
        The options.

    Raises
    ------
    InputError
        If there are fewer than ten candidates.
    RunError
        If no cluster of points holds together.

    Sources: Ferretti, Prati & Rocca (2001), doi:10.1109/36.898661; EGMS algorithm theoretical basis document v4.0.
    """
    config = config or BasicConfig()
    geometry, reference = stack_geometry(stack, config.reference)
    gains = calibration_gains(_thinned(stack))
    scan = scan_stack(stack, gains, reference, config)
    rows, columns = np.nonzero(scan.level == _CANDIDATE)
    if len(rows) < _LEAST_POINTS:
        raise InputError(
            f"{len(rows)} of {scan.level.size} pixels are candidates; give an area with buildings or rocks, "
            "or a larger network_dispersion"
        )
    plane = local_plane(stack)
    positions = local_positions(stack, plane, rows, columns)
    log.info("%d candidates, %d pixels to look at", len(rows), np.count_nonzero(scan.level))
    network = solve_network(positions, scan.phases, geometry, config.network)
    if (network.cluster < 0).all():
        raise RunError("no cluster of points holds together; give more images, or a lower min_coherence of arcs")
    unwrapped = unwrap_network(positions, scan.phases, geometry, network)
    threshold = acceptance_threshold(geometry, config.network.search, probability=config.false_alarms, seed=config.seed)
    coherence = held_against_others(positions, scan.phases, geometry, network, unwrapped, config)
    kept = coherence > threshold.coherence
    log.info("%d points of the network have a coherence above %.3f", kept.sum(), threshold.coherence)
    found = [_Found(rows[kept], columns[kept], unwrapped.phase[:, kept], network.cluster[kept])]
    found += second_pass(stack, scan, plane, geometry, reference, positions, network, unwrapped, threshold, config)
    points = _merged(found)
    log.info("%d points", len(points.rows))
    layers = _at(stack, tuple(LAYERS), points.rows, points.columns)
    places = np.column_stack(plane.transform(layers["longitude"], layers["latitude"]))
    atmospheres, series = cluster_series(places, layers["height"], points.phase, points.cluster, geometry, config)
    ratio = range_sine(stack, points.columns, layers["incidence"]) / geometry.range_sine
    height_error = series.height * ratio
    report = {
        "dates": len(geometry.days),
        "reference_date": str(stack["time"].values[reference].astype("datetime64[D]")),
        "pixels": scan.level.size,
        "pixels_looked_at": np.count_nonzero(scan.level),
        "candidates": len(rows),
        "points": len(points.rows),
        "points_of_network": int(kept.sum()),
        "clusters": np.bincount(points.cluster),
        "arcs": len(network.arcs.ends),
        "arcs_accepted": network.accepted.sum(),
        "open_triangles": network.open_triangles,
        "arcs_with_a_cycle": unwrapped.corrected.mean(),
        "acceptance": threshold._asdict(),
        "atmosphere_mm": [None if each is None else np.sqrt(np.mean(each.scale**2)) for each in atmospheres],
        "gains_db": 20 * np.log10(gains),
        "median_sigma": {
            "displacement_mm": np.median(series.displacement_sigma),
            "velocity_mm_per_year": np.median(series.velocity_sigma),
            "height_m": np.median(series.height_sigma * ratio),
        },
        "config": config.model_dump(mode="json"),
        "software": f"groundshift {version('groundshift')}",
    }
    table = basic_points(
        stack, layers, geometry, rows=points.rows, columns=points.columns, displacement=series.displacement,
        height_error=height_error, dispersion=scan.dispersion[points.rows, points.columns], cluster=points.cluster,
        crs=config.crs, producer=config.producer,
        provenance={"source": stack.attrs["source"], "software": report["software"], "config": report["config"]},
    )  # fmt: skip
    return BasicResult(table, series, height_error, points.rows, points.columns, report)


def stack_geometry(stack: xr.Dataset, config: ReferenceConfig) -> tuple[StackGeometry, int]:
    """Geometry against the reference image with the highest expected coherence, and the index of that image."""
    days = (stack["time"].values - stack["time"].values[0]) / np.timedelta64(1, "D")
    baselines = stack["perpendicular_baseline"].values.astype(np.float64)
    reference = choose_reference(days, baselines, config=config)
    middle = float(np.radians(np.nanmedian(stack["incidence"].values)))
    sine = float(stack.attrs["slant_range"]) * np.sin(middle)
    return StackGeometry(days, baselines - baselines[reference], sine, 1000 * stack.attrs["wavelength"]), reference


def range_sine(stack: xr.Dataset, columns: np.ndarray, incidence: np.ndarray) -> np.ndarray:
    """Slant range times sine of the incidence (degrees) of points in given columns, m; float64 (n,)."""
    away = (columns - (stack.sizes["x"] - 1) / 2) * stack.attrs["range_spacing"]
    return (stack.attrs["slant_range"] + away) * np.sin(np.radians(incidence))


def local_plane(stack: xr.Dataset) -> Transformer:
    """From longitude and latitude to metres east and north of the middle of the stack."""
    step = {"y": slice(None, None, 16), "x": slice(None, None, 16)}
    middle = [float(np.nanmedian(stack[name].isel(step).values)) for name in ("latitude", "longitude")]
    plane = f"+proj=aeqd +lat_0={middle[0]:.6f} +lon_0={middle[1]:.6f} +ellps=WGS84"
    return Transformer.from_crs("EPSG:4326", plane, always_xy=True)


def scan_stack(stack: xr.Dataset, gains: np.ndarray, reference: int, config: BasicConfig) -> Scan:
    """Find candidates tile by tile: of each scatterer, the pixel with the highest signal-to-clutter ratio.

    Scatterers in adjacent pixels are not resolved: a pixel stays if none of those around it, as far as `apart` says, is
    a candidate with a higher ratio.
    """
    shape = stack.sizes["y"], stack.sizes["x"]
    level, dispersion, phases = np.zeros(shape, np.uint8), np.full(shape, np.nan, np.float32), {}
    margin = [each + more for each, more in zip(halo(config.candidates), config.apart, strict=True)]
    for core in (tile.box.slices for tile in tile_plan(shape, config.tile)):
        around = tuple(
            slice(max(0, each.start - more), min(size, each.stop + more))
            for each, more, size in zip(core, margin, shape, strict=True)
        )
        inner = tuple(slice(c.start - a.start, c.stop - a.start) for c, a in zip(core, around, strict=True))
        slc = stack["slc"][:, *around].values
        found = find_candidates(slc, gains, config=config.candidates)
        ratio = np.where(found.chosen & np.isfinite(found.signal_to_clutter), found.signal_to_clutter, -np.inf)
        window = [2 * each + 1 for each in config.apart]
        best = np.isfinite(ratio) & (ratio == ndimage.maximum_filter(ratio, window, mode="nearest"))
        steady = best & (found.dispersion < config.network_dispersion)
        level[core] = np.where(steady, _CANDIDATE, np.where(best, _LOOKED_AT, _NOTHING))[inner]
        dispersion[core] = found.dispersion[inner]
        rows, columns = np.nonzero(steady[inner])
        numbers = (rows + core[0].start) * shape[1] + columns + core[1].start
        phases.update(zip(numbers.tolist(), _phasors(slc[:, *inner][:, rows, columns], reference).T, strict=True))
    ordered = [phases[number] for number in sorted(phases)]
    return Scan(level, dispersion, np.array(ordered, np.complex64).reshape(-1, stack.sizes["time"]).T)


def held_against_others(
    positions: np.ndarray,
    phases: np.ndarray,
    geometry: StackGeometry,
    network: Network,
    unwrapped: Unwrapped,
    config: BasicConfig,
) -> np.ndarray:
    """Temporal coherence of the network's points with other points of it, float64 (n,); NaN for dropped points.

    Each half of the points is held against the other half, as pixels of the second pass are against all: a point's own
    noise must not be in what it is compared with.
    """
    coherence = np.full(len(positions), np.nan)
    inside = network.cluster >= 0
    half = np.arange(len(positions)) % 2 == 0
    for one in (half, ~half):
        others = network._replace(cluster=np.where(one, -1, network.cluster))
        mine = np.flatnonzero(one & inside)
        for label in np.unique(network.cluster[mine]):
            part = mine[network.cluster[mine] == label]
            same = others._replace(cluster=np.where(others.cluster == label, 0, -1))
            if (same.cluster == 0).any():
                coherence[part] = attach_points(
                    positions[part], phases[:, part], geometry, positions, same, unwrapped,
                    search=config.network.search,
                ).coherence  # fmt: skip
    return coherence


class _Found(NamedTuple):
    """Accepted points."""

    rows: np.ndarray
    columns: np.ndarray
    phase: np.ndarray  # float32 (time, n), unwrapped
    cluster: np.ndarray


def second_pass(
    stack: xr.Dataset,
    scan: Scan,
    plane: Transformer,
    geometry: StackGeometry,
    reference: int,
    network_positions: np.ndarray,
    network: Network,
    unwrapped: Unwrapped,
    threshold: Threshold,
    config: BasicConfig,
) -> list[_Found]:
    """Pixels beside the network's whose coherence with it is above the threshold, tile by tile."""
    accepted = []
    for core in (tile.box.slices for tile in tile_plan(scan.level.shape, config.tile)):
        rows, columns = np.nonzero(scan.level[core] == _LOOKED_AT)
        if not rows.size:
            continue
        phases = _phasors(stack["slc"][:, *core].values[:, rows, columns], reference)
        rows, columns = rows + core[0].start, columns + core[1].start
        joined: Attached = attach_points(
            local_positions(stack, plane, rows, columns), phases, geometry, network_positions, network, unwrapped,
            search=config.network.search,
        )  # fmt: skip
        kept = joined.coherence > threshold.coherence
        accepted.append(_Found(rows[kept], columns[kept], joined.phase[:, kept], network.cluster[joined.nearest[kept]]))
    return accepted


def cluster_series(
    positions: np.ndarray,
    heights: np.ndarray,
    phase: np.ndarray,
    cluster: np.ndarray,
    geometry: StackGeometry,
    config: BasicConfig,
) -> tuple[list[Atmosphere | None], DisplacementSeries]:
    """Atmosphere of each cluster, None where it was left in, and the series of all points without it.

    At every date the phases of a cluster share a constant that those of another do not; each is on its own. The
    atmosphere of clusters that cover too little ground to tell it from motion is left in.
    """
    atmospheres: list[Atmosphere | None] = []
    parts, order = [], []
    for label in range(cluster.max() + 1):
        inside = np.flatnonzero(cluster == label)
        if not inside.size:
            atmospheres.append(None)
            continue
        air = None
        if config.atmosphere is not None and _covers_enough(positions[inside], config.atmosphere.cell):
            air = estimate_atmosphere(
                positions[inside], heights[inside], phase[:, inside] / geometry.phase_per_mm, geometry,
                config.atmosphere,
            )  # fmt: skip
        parts.append(
            displacement_series(
                phase[:, inside],
                geometry,
                reference=config.virtual_reference,
                atmosphere=None if air is None else air.at(positions[inside], heights[inside]),
                left=None if air is None else air.left,
            )
        )
        atmospheres.append(air)
        order.append(inside)
    back = np.argsort(np.concatenate(order))
    return atmospheres, DisplacementSeries(
        *(np.concatenate(each, axis=-1)[..., back] for each in zip(*parts, strict=True))
    )


def local_positions(stack: xr.Dataset, plane: Transformer, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Positions of pixels by the height model, metres on a local plane, float64 (n, 2)."""
    place = _at(stack, ("longitude", "latitude"), rows, columns)
    return np.column_stack(plane.transform(place["longitude"], place["latitude"]))


def _covers_enough(positions: np.ndarray, cell: float) -> bool:
    """Whether points lie in sixteen cells or more."""
    return len(np.unique(np.floor(positions / cell), axis=0)) >= _LEAST_CELLS


def _merged(found: list[_Found]) -> _Found:
    """All points in the order of their lines and pixels."""
    rows, columns = (np.concatenate([each[k] for each in found]) for k in (0, 1))
    order = np.lexsort((columns, rows))
    phase = np.concatenate([each.phase for each in found], axis=1)[:, order]
    return _Found(rows[order], columns[order], phase, np.concatenate([each.cluster for each in found])[order])


def _thinned(stack: xr.Dataset) -> np.ndarray:
    """Every so many lines and pixels of the images, complex64 (time, y, x)."""
    step = int(np.ceil(np.sqrt(stack.sizes["y"] * stack.sizes["x"] / _GAIN_PIXELS)))
    return stack["slc"][:, ::step, ::step].values


def _phasors(slc: np.ndarray, reference: int) -> np.ndarray:
    """Phasors of reference × conj(secondary), complex64 (time, n); 0 without data."""
    product = np.nan_to_num(slc[reference] * slc.conj())
    return (product / np.maximum(np.abs(product), 1e-30)).astype(np.complex64)


def _at(stack: xr.Dataset, names: tuple[str, ...], rows: np.ndarray, columns: np.ndarray) -> dict[str, np.ndarray]:
    """Layers of the stack at points."""
    place = {"y": xr.DataArray(rows, dims="point"), "x": xr.DataArray(columns, dims="point")}
    return {name: stack[name].isel(place).values for name in names}
