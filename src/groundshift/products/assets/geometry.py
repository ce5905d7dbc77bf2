"""Assets on the ground: kind, axis and width, and which points are on them, given how well a place is known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import shapely
from pyproj import CRS
from scipy.stats import norm

from groundshift.errors import InputError
from groundshift.grid.metric import metric_crs
from groundshift.io.features import Features
from groundshift.products.assets.config import AssetConfig

_LEAST_LENGTH = 1.0  # m


@dataclass(frozen=True, eq=False)
class Assets:
    """Single lines and polygons in the CRS of the points; metres."""

    identity: np.ndarray  # str (n,), each its own
    name: np.ndarray  # str (n,)
    kind: np.ndarray  # str (n,), one of groundshift.products.assets.config.Kind
    geometry: np.ndarray  # LineString or Polygon (n,)
    axis: np.ndarray  # LineString (n,): the line, or the middle line of the rectangle around the polygon, lengthwise
    width: np.ndarray  # float64 (n,), m: of a line; 0 for a polygon
    segments: np.ndarray  # int (n,): how many it is cut into
    ends: np.ndarray  # float64 (sum of segments,), m: where each segment ends on the axis, asset by asset
    spans: np.ndarray  # bool (n,): whether the segments are the spans that its row gives
    crs: CRS

    def __len__(self) -> int:
        return len(self.identity)

    @property
    def length(self) -> np.ndarray:
        """Of the axis, m."""
        return shapely.length(self.axis)

    @property
    def first(self) -> np.ndarray:
        """Row of the first segment of each asset among all segments, and their number at the end: int (n + 1,)."""
        return np.concatenate([[0], np.cumsum(self.segments)])

    @property
    def starts(self) -> np.ndarray:
        """Where each segment begins on the axis, m, as `ends`."""
        starts = np.concatenate([[0.0], self.ends[:-1]])
        starts[self.first[:-1]] = 0.0
        return starts

    @property
    def owner(self) -> np.ndarray:
        """The asset of each segment, int."""
        return np.repeat(np.arange(len(self)), self.segments)

    @property
    def centre(self) -> np.ndarray:
        """Of each geometry, m, float64 (n, 2)."""
        return shapely.get_coordinates(shapely.centroid(self.geometry))


class Members(NamedTuple):
    """Pairs of a point and an asset that it may be on."""

    point: np.ndarray  # int: row of the point
    asset: np.ndarray  # int: row of the asset
    chance: np.ndarray  # float64: that it is on it
    along: np.ndarray  # float64: of its foot on the axis, m from the start


def prepare_assets(features: Features, crs: CRS, config: AssetConfig) -> Assets:
    """Assets out of features, in the CRS of the points, or in metres where that is in degrees.

    The kind is that of a column `kind`, or follows from the tags of OpenStreetMap: `bridge`, `railway`, `highway`,
    `building`, `waterway=dam` or `man_made=dyke`. The width is that of a column `width` in metres, or of the kind. A
    geometry of several parts becomes as many assets, named `id/1`, `id/2`; parts of a line that touch are joined. A
    polygon without area is the line that it lies along. A column `spans` cuts an asset of one part into its spans: a
    number (`4`) into as many of one length, several (`30 45 45 30`) into lengths in these proportions. Others are cut
    into segments of the length of their kind.

    Raises
    ------
    InputError
        If no feature is a line or polygon, or a column `spans` holds something else than numbers.
    """
    features = features.to_crs(metric_of(features, crs))
    lines = shapely.get_type_id(features.geometry) == shapely.GeometryType.MULTILINESTRING
    merged = np.where(lines, shapely.line_merge(np.where(lines, features.geometry, None)), features.geometry)
    parts, row = shapely.get_parts(merged, return_index=True)
    parts = _lines_of_flat(parts)
    kinds_of_shape = shapely.get_type_id(parts)
    good = np.isin(kinds_of_shape, (1, 3)) & (shapely.length(parts) >= _LEAST_LENGTH)
    parts, row = parts[good], row[good]
    if not len(parts):
        raise InputError("no feature is a line or polygon; give roads, railways, bridges, buildings or dams")
    count = np.bincount(row, minlength=len(features))
    number = np.arange(len(row)) - np.concatenate([[0], np.cumsum(count)])[row] + 1
    identity = _unique(
        _column(features, ("id", "osm_id", "osm_way_id", "fid"), [str(n + 1) for n in range(len(features))])
    )
    identity = np.array(
        [f"{identity[r]}/{k}" if count[r] > 1 else identity[r] for r, k in zip(row, number, strict=True)]
    )
    name = np.array(_column(features, ("name",), [""] * len(features)))[row]
    kind = np.array(_kinds(features))[row]
    areal = shapely.get_type_id(parts) == 3
    axis = np.where(areal, _long_axis(parts), parts)
    default = np.array([config.kinds[k].width for k in kind])
    width = _widths(features)[row]
    length = np.array([config.kinds[k].segment for k in kind])
    given = _spans(features)
    given = [given[r] if count[r] == 1 else None for r in row]
    equal = np.maximum(1, np.round(shapely.length(axis) / length)).astype(int)
    shares = [np.full(n, 1 / n) if each is None else each for each, n in zip(given, equal, strict=True)]
    ends = np.concatenate([size * np.cumsum(each) for size, each in zip(shapely.length(axis), shares, strict=True)])
    width = np.where(areal, 0.0, np.where(np.isfinite(width), width, default))
    segments, spans = np.array([len(each) for each in shares]), np.array([each is not None for each in given])
    return Assets(identity, name, kind, parts, axis, width, segments, ends, spans, features.crs)


def metric_of(features: Features, crs: CRS) -> CRS:
    """The CRS of the points, or one in metres: :func:`~groundshift.grid.metric.metric_crs` where the features are."""
    west, south, east, north = shapely.total_bounds(features.to_crs(crs).geometry)
    return metric_crs(crs, (west + east) / 2, (south + north) / 2)


def find_members(assets: Assets, tree: shapely.STRtree, positions: np.ndarray, config: AssetConfig) -> Members:
    """Which points may be on which assets.

    Errors of place are Gaussian, σ in each direction. The chance that a point seen at distance d from the middle of a
    line of width w is on it is Φ((w/2 − d)/σ) − Φ((−w/2 − d)/σ); for a polygon, seen at d from its edge (negative
    inside), Φ(−d/σ). Chances of a point that add up to more than 1 are scaled to 1.

    Parameters
    ----------
    tree
        Of the geometries of the assets.
    positions
        m, float (n, 2), in the CRS of the assets.
    """
    sigma = config.location_sigma
    reach = assets.width.max() / 2 + 2 * sigma  # beyond, the chance is below 0.025
    points = shapely.points(positions)
    point, asset = tree.query(points, predicate="dwithin", distance=reach)
    distance = shapely.distance(points[point], assets.geometry[asset])
    areal = assets.width[asset] == 0
    inside = areal & (distance == 0)
    distance[inside] = -shapely.distance(points[point[inside]], shapely.boundary(assets.geometry[asset[inside]]))
    half = assets.width[asset] / 2
    line = norm.cdf((half - distance) / sigma) - norm.cdf((-half - distance) / sigma)
    chance = np.where(areal, norm.cdf(-distance / sigma), line)
    kept = chance >= config.least_chance
    point, asset, chance = point[kept], asset[kept], chance[kept]
    chance = chance / np.maximum(np.bincount(point, chance, len(points)), 1)[point]
    along = shapely.line_locate_point(assets.axis[asset], points[point])
    return Members(point, asset, chance, along)


def _lines_of_flat(parts: np.ndarray) -> np.ndarray:
    """The same with polygons that have no area as lines."""
    around = shapely.oriented_envelope(np.where(shapely.get_type_id(parts) == 3, parts, None))
    return np.where(shapely.get_type_id(around) == 1, around, parts)


def _long_axis(polygons: np.ndarray) -> np.ndarray:
    """The middle line of the smallest rectangle around each polygon, along its longer side."""
    shapes = np.where(shapely.get_type_id(polygons) == 3, polygons, shapely.box(0, 0, 2, 1))
    corners = shapely.get_coordinates(shapely.oriented_envelope(shapes)).reshape(-1, 5, 2)
    first = np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1) >= np.linalg.norm(
        corners[:, 2] - corners[:, 1], axis=1
    )
    turned = np.where(first[:, None, None], corners[:, :4], corners[:, 1:5])  # the side 0-1 is the longer one
    ends = np.stack([(turned[:, 0] + turned[:, 3]) / 2, (turned[:, 1] + turned[:, 2]) / 2], axis=1)
    return shapely.linestrings(ends)


def _column(features: Features, names: tuple[str, ...], default: list[str]) -> list[str]:
    """The first of these columns that has a value, as text, row by row."""
    out = list(default)
    for name in reversed(names):
        if name in features.attributes.column_names:
            values = features.attributes[name].to_pylist()
            out = [before if value in (None, "") else str(value) for value, before in zip(values, out, strict=True)]
    return out


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return out


def _kinds(features: Features) -> list[str]:
    given = _column(features, ("kind",), [""] * len(features))
    tags = {
        name: _column(features, (name,), [""] * len(features))
        for name in ("bridge", "railway", "highway", "building", "waterway", "man_made")
    }
    rules = (
        ("dam", lambda t: t["waterway"] == "dam" or t["man_made"] == "dyke"),
        ("bridge", lambda t: t["bridge"] not in ("", "no") or t["man_made"] == "bridge"),
        ("railway", lambda t: t["railway"] != ""),
        ("road", lambda t: t["highway"] != ""),
        ("building", lambda t: t["building"] not in ("", "no")),
    )
    known = {"road", "railway", "bridge", "building", "dam"}
    out = []
    for n, kind in enumerate(given):
        row = {name: values[n] for name, values in tags.items()}
        out.append(kind if kind in known else next((name for name, rule in rules if rule(row)), "other"))
    return out


def _spans(features: Features) -> list[np.ndarray | None]:
    """Shares of the length that spans take, None where not said."""
    out: list[np.ndarray | None] = []
    for text in _column(features, ("spans",), [""] * len(features)):
        sizes = [float(each) for each in re.findall(r"\d+(?:\.\d+)?", text)]
        if text and (re.search(r"[^\d.,; \[\]m+x-]", text) or not sizes or min(sizes) <= 0):
            raise InputError(f"spans are {text!r}; expected their number, as 4, or their lengths, as 30 45 45 30")
        if len(sizes) == 1:
            sizes = [1.0] * round(sizes[0])
        out.append(np.array(sizes) / sum(sizes) if sizes else None)
    return out


def _widths(features: Features) -> np.ndarray:
    """Metres, NaN where not said; "12.5 m" is read, and so are numbers."""
    text = _column(features, ("width",), [""] * len(features))
    found = [re.match(r"\s*(\d+(?:\.\d+)?)\s*m?\s*$", each) for each in text]
    values = np.array([float(each.group(1)) if each else np.nan for each in found])
    return np.where(values > 0, values, np.nan)
