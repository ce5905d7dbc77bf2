"""Areas that move, found in a point set: clusters of points above the noise.

Points whose velocity stands out are clustered by density; a cluster counts if noise of the same kind (independent from
point to point, plus correlated in space) rarely makes one like it, which is simulated on the very places of the points.

Source of the idea: Barra et al. (2017), doi:10.3390/rs9101002, who fix both limits; here they follow from the noise.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import shapely
from pydantic import BaseModel, ConfigDict, Field
from pyproj import CRS, Transformer
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from groundshift.errors import InputError
from groundshift.figures.areas import areas_figure
from groundshift.figures.style import save_figure
from groundshift.grid.metric import metric_crs
from groundshift.io.features import Features, write_features
from groundshift.io.files import write_json
from groundshift.io.point_batches import point_batches, point_parts
from groundshift.kernels.empirical_null import empirical_null
from groundshift.kernels.point_noise import PointNoise, estimate_noise, noise_field
from groundshift.model.points import TOWARD, header

log = logging.getLogger(__name__)

AREAS_NAME, REPORT_NAME, PICTURE_NAME = "active_areas.geojson", "active_areas.json", "active_areas.png"
_COLUMNS = ("easting", "northing", "mean_velocity", "mean_velocity_std")
_LEAST_POINTS = 50
_BESIDE = 7  # points whose median velocity stands for that of a place
_OF_MEDIAN = np.sqrt(np.pi / 2 / _BESIDE)  # standard deviation of a median of so many, over that of one
_OF_DIFFERENCE = np.sqrt(1 + np.pi / 2 / (_BESIDE - 1))
_MOST_BEYOND = 3.0  # sigmas beyond the limit that count of one point, so that a wild one makes no area


class AreaConfig(BaseModel):
    """What stands out, and what belongs together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sigmas: float = Field(3.0, gt=0, description="of the noise, by which the velocity of an active point stands out")
    least_velocity: float = Field(1.0, ge=0, description="of an active point, either sign, mm/yr")
    radius: float = Field(60.0, gt=0, description="within which active points are neighbours, m")
    neighbours: int = Field(3, ge=1, description="active points within the radius, itself too, that make a core")
    false_areas: float = Field(0.05, gt=0, le=1, description="expected number of areas in noise, in the whole set")
    simulations: int = Field(40, ge=10, description="of noise, that the least size of an area is found from")
    median_reference: bool = Field(True, description="whether velocities are held against their median, not zero")


class ActiveAreas(NamedTuple):
    """Areas, the strongest first."""

    areas: Features  # polygons with their numbers
    member: np.ndarray  # int (n,): row of the area a point belongs to, −1 for none
    noise: PointNoise
    report: dict[str, Any]


def find_active_areas(
    positions: np.ndarray, velocity: np.ndarray, sigma: np.ndarray, crs: CRS, config: AreaConfig | None = None
) -> ActiveAreas:
    """Find areas that move.

    The velocity of a place is the median of the seven points nearest to it, so that wild ones make no area. A point is
    active if |v − reference| of its place exceeds both `least_velocity` and `sigmas` times the square root of the
    variance of that median and of the correlated noise. Active points of one sign with `neighbours` active ones in the
    `radius` are cores; cores within the radius of each other, and active points within that of a core, are a cluster.
    Its weight is the number of its points plus the sum, in sigmas, of what their velocities have beyond the limit,
    three at most each. An area is a cluster heavier than that which noise makes `false_areas` times: the mean over
    simulations where it can be seen, continued with the exponential fall of their weights where not. Simulated noise
    has the tails that velocities have against those beside them, and the correlated part that pairs of points show.

    Parameters
    ----------
    positions, velocity, sigma
        m, float (n, 2); mm/yr, float (n,); mm/yr, float (n,).
    crs
        Of the positions, in metres.

    Raises
    ------
    InputError
        If fewer than 50 points have a velocity.
    """
    config = config or AreaConfig()
    good = np.flatnonzero(np.isfinite(velocity) & np.isfinite(sigma))
    if len(good) < _LEAST_POINTS:
        raise InputError(f"{len(good)} points have a velocity; active areas need {_LEAST_POINTS} or more")
    place, speed, spread = positions[good], velocity[good].astype(float), sigma[good].astype(float)
    reference = float(np.median(speed)) if config.median_reference else 0.0
    noise = estimate_noise(place, speed, spread)
    near = cKDTree(place).query(place, _BESIDE)[1]
    alone = np.hypot(spread, noise.scatter)
    null = empirical_null((speed - np.median(speed[near[:, 1:]], axis=1)) / _OF_DIFFERENCE / alone)
    whole = np.hypot(alone * max(null.width, 1.0) * _OF_MEDIAN, noise.sill)
    limit = np.maximum(config.least_velocity, config.sigmas * whole)
    random = np.random.default_rng(0)
    common = noise._replace(scatter=0.0)

    def beyond(values: np.ndarray) -> np.ndarray:
        return np.minimum((np.abs(values) - limit) / whole, _MOST_BEYOND)

    def weigh(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        label = _clusters(place, values, limit, config)
        rows = np.flatnonzero(label >= 0)
        return label, np.bincount(label[rows], 1 + beyond(values)[rows])

    def drawn() -> np.ndarray:
        own = null.width * random.standard_t(null.freedom, len(place))
        values = alone * own + noise_field(place, np.zeros(len(place)), common, random)
        return np.median(values[near], axis=1)

    weights = [weigh(drawn())[1] for _ in range(config.simulations)]
    least = least_weight(weights, config.false_areas, config.neighbours)
    speed = np.median(speed[near], axis=1)
    label, weight = weigh(speed - reference)
    kept = np.flatnonzero(weight > least)
    kept = kept[np.argsort(-weight[kept], kind="stable")]
    areas = _describe(place, speed - reference, whole, label, kept, weight, config, crs)
    number = np.full(len(weight) + 1, -1)
    number[kept] = np.arange(len(kept))
    member = np.full(len(velocity), -1)
    member[good] = number[label]
    report = {
        "points": len(good), "reference": reference, "noise": noise._asdict(), "null": null._asdict(),
        "least_weight": least,
        "false_areas_expected": config.false_areas, "areas": len(areas), "points_in_areas": int((member >= 0).sum()),
        "clusters_in_noise": float(np.mean([len(each) for each in weights])), "configuration": config.model_dump(),
    }  # fmt: skip
    return ActiveAreas(areas, member, noise, report)


def find_areas_in_files(points: Sequence[str | Path], out: str | Path, config: AreaConfig | None = None) -> str:
    """Find active areas in points on disk; writes a map layer, a picture and the numbers into a folder.

    Parameters
    ----------
    points
        GeoParquet, or products of EGMS, in one CRS and of one component; only places and velocities are read of them.

    Returns
    -------
    What was found, in plain text.

    Raises
    ------
    InputError
        If there is no point, or files differ in CRS or component.
    """
    tables, own, component = [], None, None
    for each in points:
        parts = point_parts(each)
        if own is not None and parts.header.crs != own:
            raise InputError(f"{each} is in {parts.header.crs.name}, others in {own.name}; give points in one CRS")
        if component is not None and parts.header.component != component:
            raise InputError(
                f"{each} measures {parts.header.component}, others {component}; give points of one component"
            )
        own, component = parts.header.crs, parts.header.component
        tables += [table.select(_COLUMNS) for table in point_batches(parts, _EVERYWHERE, _COLUMNS)]
    if own is None or component is None or not tables:
        raise InputError("there is no point; give point sets")
    values = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
    east, north, velocity, sigma = (values[name].to_numpy().astype(float) for name in _COLUMNS)
    crs = metric_crs(own, float(np.median(east)), float(np.median(north)))
    if crs != own:
        east, north = Transformer.from_crs(own, crs, always_xy=True).transform(east, north)
    positions = np.column_stack([east, north])
    found = find_active_areas(positions, velocity, sigma, crs, config)
    out = Path(out)
    write_features(out / AREAS_NAME, found.areas)
    write_json(out / REPORT_NAME, found.report)
    toward = TOWARD[component]
    shown = areas_figure(positions, velocity - found.report["reference"], found.areas, toward=toward)
    save_figure(shown, out / PICTURE_NAME)
    return (
        f"{len(found.areas)} active areas; noise alone would make "
        f"{found.report['false_areas_expected']:g}; they are in {out / AREAS_NAME}"
    )


def find_areas(table: pa.Table, config: AreaConfig | None = None) -> ActiveAreas:
    """:func:`find_active_areas` for a point set of :mod:`groundshift.model.points`."""
    east, north, velocity, sigma = (table[name].to_numpy().astype(float) for name in _COLUMNS)
    return find_active_areas(np.column_stack([east, north]), velocity, sigma, header(table).crs, config)


def least_weight(weights: Sequence[np.ndarray], rate: float, smallest: float) -> float:
    """The weight that clusters of noise exceed no more than `rate` times a simulation.

    Parameters
    ----------
    weights
        Of the clusters of each simulation.
    rate
        Expected number that is allowed.
    smallest
        No weight is below it.

    Notes
    -----
    Numbers of clusters of at least a weight fall about exponentially with it. Where there are ten or more in all they
    are counted; beyond, the logarithm goes on with the slope between the weights of half and of ten of the clusters,
    and never stays below the heaviest that was seen.
    """
    every = np.sort(np.concatenate(list(weights)))[::-1] if len(weights) else np.zeros(0)
    allowed = rate * len(weights)
    if len(every) <= allowed:
        return smallest
    tenth = min(10, len(every))
    if allowed >= tenth:
        return max(smallest, float(every[int(allowed)]))
    middle = every[(len(every) - 1) // 2]
    scale = max((every[tenth - 1] - middle) / max(np.log(len(every) / 2 / tenth), 0.5), 0.5)
    beyond = every[tenth - 1] + scale * np.log(tenth / allowed)
    return max(smallest, float(beyond), float(every[int(allowed)]))


_EVERYWHERE = (-np.inf, -np.inf, np.inf, np.inf)


def _clusters(place: np.ndarray, speed: np.ndarray, limit: np.ndarray, config: AreaConfig) -> np.ndarray:
    """Cluster of each point, −1 for none: density-based (Ester et al. 1996), for each sign by itself."""
    label = np.full(len(place), -1)
    first = 0
    for sign in (-1, 1):
        active = np.flatnonzero(sign * speed > limit)
        if len(active) < config.neighbours:
            continue
        pairs = cKDTree(place[active]).query_pairs(config.radius, output_type="ndarray")
        core = 1 + np.bincount(pairs.ravel(), minlength=len(active)) >= config.neighbours
        both = pairs[core[pairs].all(axis=1)]
        graph = sparse.coo_matrix((np.ones(len(both)), both.T), (len(active), len(active)))
        group = connected_components(graph, directed=False)[1]
        group[~core] = -1
        edge = pairs[core[pairs].sum(axis=1) == 1]
        inner, outer = np.where(core[edge[:, 0]], edge.T, edge.T[::-1])
        group[outer] = group[inner]
        used, compact = np.unique(group[group >= 0], return_inverse=True)
        group[group >= 0] = compact + first
        first += len(used)
        label[active] = group
    return label


def _describe(
    place: np.ndarray, speed: np.ndarray, sigma: np.ndarray, label: np.ndarray, kept: np.ndarray, weight: np.ndarray,
    config: AreaConfig, crs: CRS,
) -> Features:  # fmt: skip
    """Outlines and numbers of clusters."""
    order = np.argsort(label, kind="stable")
    ends = np.searchsorted(label[order], [kept, kept + 1])
    rows = [order[first:last] for first, last in ends.T]
    geometry = np.empty(len(rows), object)
    geometry[:] = [shapely.union_all(shapely.buffer(shapely.points(place[r]), config.radius / 2)) for r in rows]
    peak = np.array([r[np.abs(speed[r]).argmax()] for r in rows], int)
    table = pa.table(
        {
            "rank": np.arange(1, len(rows) + 1),
            "weight": weight[kept],
            "points": np.array([len(r) for r in rows], int),
            "area_m2": shapely.area(geometry).astype(float),
            "mean_velocity": np.array([speed[r].mean() for r in rows], float),
            "peak_velocity": speed[peak],
            "peak_sigmas": np.abs(speed[peak]) / sigma[peak],
        }
    )
    return Features(geometry, table, crs)
