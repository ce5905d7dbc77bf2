"""Velocities of points against those of stations that had no part in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyproj import Transformer
from scipy.spatial import cKDTree

from groundshift.errors import InputError
from groundshift.figures.validation import agreement_figure
from groundshift.geodesy.frames import known_frame, to_frame
from groundshift.model.points import Header, header
from groundshift.model.stations import StationVelocities
from groundshift.validate.intervals import mean_number, spread_number
from groundshift.validate.record import SERVICE, VELOCITY, Check, Requirement

_LEAST_SIGMA = 0.05  # mm/yr: of a point
AXES = ("east", "north", "up")


class Comparison(NamedTuple):
    """A product at stations, k of them."""

    name: np.ndarray  # str (k,)
    positions: np.ndarray  # float64 (k, 2), m, in the CRS of the points
    points: np.ndarray  # int (k,): that were averaged
    product: np.ndarray  # float64 (k,), mm/yr: weighted mean of the points
    product_sigma: np.ndarray  # float64 (k,), mm/yr: of it, from the scatter of the points
    reference: np.ndarray  # float64 (k,), mm/yr: of the station, along the same direction
    reference_sigma: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        """Product minus station, mm/yr."""
        return self.product - self.reference


def hold_out(
    stations: StationVelocities, share: float, *, seed: int = 0
) -> tuple[StationVelocities, StationVelocities]:
    """Split stations at random: those to make a product with, and those held out to check it.

    Raises
    ------
    InputError
        If one of both parts would be empty.
    """
    order = np.random.default_rng(seed).permutation(len(stations))
    count = round(share * len(stations))
    if not 0 < count < len(stations):
        raise InputError(f"{share:g} of {len(stations)} stations is {count}; hold out at least one, and not all")
    return stations.select(np.sort(order[count:])), stations.select(np.sort(order[:count]))


def compare_with_stations(
    tables: pa.Table | Iterable[pa.Table], stations: StationVelocities, *,
    radius: float = 250.0, least_points: int = 3, vertical: bool = False,
) -> Comparison:  # fmt: skip
    """Mean velocity of the points around each station, and the station's own in the same direction.

    The station's velocity v becomes l · v, l being the mean line of sight of the points (levels L2a and L2b), or its up
    or east component (level L3). The sigma of a mean is the larger of what the points' own sigmas and their scatter
    say.

    Parameters
    ----------
    tables
        One point set, or several of one track.
    radius
        Of the circle around a station, m.
    least_points
        In it, for the station to count.
    vertical
        Whether stations know the vertical only (levelling): lines of sight are then taken for its projection,
        product / l_up against up.
    """
    found = []
    for table in [tables] if isinstance(tables, pa.Table) else tables:
        found += _at_stations(table, stations, radius, least_points, vertical)
    by_name = {row[0]: row for row in sorted(found, key=lambda row: row[2])}  # of several parts, that with most points
    rows = [by_name[name] for name in stations.name.tolist() if name in by_name]
    columns = list(zip(*rows, strict=True)) if rows else [[] for _ in Comparison._fields]
    kinds = (str, float, int, float, float, float, float)
    arrays = [np.array(each, kind) for each, kind in zip(columns, kinds, strict=True)]
    return Comparison(arrays[0], arrays[1].reshape(-1, 2), *arrays[2:])


def refuse_used(tables: Iterable[pa.Table], names: Iterable[str]) -> None:
    """Raise InputError if the points were made with any station of these names, as far as their provenance says it.

    Names are looked for in `calibration.model.station_names` of the provenance.
    """
    names = set(names)
    for model in map(_model, tables):
        used = set(model.get("station_names") or ()) & names
        if used:
            some = ", ".join(sorted(used)[:5])
            raise InputError(
                f"{len(used)} of the stations to check with made the product ({some}…); give those that were held out"
            )


def frame_of(tables: Iterable[pa.Table], given: str) -> str:
    """The frame in which points were calibrated, if their provenance says it and it can be gone to; else that given."""
    frames = {_model(table).get("frame") for table in tables}
    frame = frames.pop() if len(frames) == 1 else None
    return frame if frame and known_frame(frame) and known_frame(given) else given


def _model(table: pa.Table) -> dict[str, Any]:
    """What points say of the velocity model that they were calibrated with."""
    return (header(table).provenance.get("calibration") or {}).get("model") or {}


def said_of_frames(tables: Iterable[pa.Table], given: str, used: str) -> str:
    """Of stations, in words."""
    if given != used:
        return f"{given}, from which they were brought to {used}, that of the points"
    if {_model(table).get("frame") for table in tables} == {used}:
        return f"{used}, as that of the points"
    return f"{used}, and it is for the user to see that the product's is the same"


def check_stations(
    tables: pa.Table | Iterable[pa.Table], stations: StationVelocities, *, radius: float = 250.0, least_points: int = 3
) -> Check:
    """Velocity against GNSS stations: absolute for levels L2b and L3, double differences for all.

    With the difference d_k = v_points − l · v_GNSS at station k, the bias is mean(d), the error sqrt(mean(d²)) and that
    of the product alone sqrt(mean(d²) − mean(σ_GNSS²)). Double differences d_j − d_k of pairs of stations know no
    datum: their error per station is sqrt(mean((d_j − d_k)²) / 2), which is the standard deviation of d.

    Parameters
    ----------
    tables, stations, radius, least_points
        As of :func:`compare_with_stations`; stations that the provenance of the points names are refused, and others
        are brought to the frame that it names.

    Raises
    ------
    InputError
        If a station was used to make the points, or fewer than three stations have points around them.
    """
    tables = [tables] if isinstance(tables, pa.Table) else list(tables)
    refuse_used(tables, stations.name.tolist())
    given, stations = stations.frame, to_frame(stations, frame_of(tables, stations.frame))
    found = compare_with_stations(tables, stations, radius=radius, least_points=least_points)
    if len(found.name) < 3:
        raise InputError(
            f"{len(found.name)} of {len(stations)} stations have {least_points} points within {radius:g} m; give three "
            "or more, or a larger radius"
        )
    level = header(tables[0]).level
    asked = Requirement.at_most(VELOCITY, f"{SERVICE}, mean velocity")
    own = float(np.mean(found.reference_sigma**2))
    numbers = []
    if level != "L2a":
        numbers += [
            mean_number("bias", found.difference, "mm/yr"),
            spread_number("error", found.difference, "mm/yr"),
            spread_number("error of the product", found.difference, "mm/yr", asked, known_variance=own),
        ]
    doubled = "error of the product from double differences"
    standard = found.difference / np.hypot(found.product_sigma, found.reference_sigma)
    numbers += [
        spread_number("error from double differences", found.difference, "mm/yr", about_mean=True),
        spread_number(doubled, found.difference, "mm/yr", asked if level == "L2a" else None, about_mean=True,
                      known_variance=own),
        spread_number("standardised difference", standard, "", about_mean=level == "L2a"),
    ]  # fmt: skip
    worst = int(np.abs(found.difference - np.median(found.difference)).argmax())
    notes = (
        f"{len(found.name)} of {len(stations)} stations have {least_points} points or more within {radius:g} m; their "
        f"frame is {said_of_frames(tables, given, stations.frame)}.",
        f"The farthest from the others is {found.name[worst]}, {found.difference[worst]:+.2f} mm/yr.",
        "Stations that the provenance of the points names as used are refused; these are not among them.",
    )
    return Check("stations", "Velocity against GNSS", definition_of(check_stations), tuple(numbers),
                 agreement_figure(found, unit="mm/yr", names=("GNSS", "points")), notes,
                 found._asdict())  # fmt: skip


def definition_of(function: object) -> str:
    """The second paragraph of a docstring: what is computed."""
    return " ".join((function.__doc__ or "").split("\n\n")[1].split())


def _at_stations(
    table: pa.Table, stations: StationVelocities, radius: float, least: int, vertical: bool
) -> list[tuple]:
    record = header(table)
    to_map = Transformer.from_crs("EPSG:4326", record.crs, always_xy=True)
    places = np.column_stack(to_map.transform(stations.longitude, stations.latitude))
    velocity, sigma = (table[name].to_numpy().astype(float) for name in ("mean_velocity", "mean_velocity_std"))
    good = np.flatnonzero(np.isfinite(velocity))
    positions = np.column_stack([table[name].to_numpy() for name in ("easting", "northing")])[good]
    if not len(good):
        return []
    sigma = np.where(np.isfinite(sigma), np.maximum(sigma, _LEAST_SIGMA), 1.0)
    rows = []
    for k, near in enumerate(cKDTree(positions).query_ball_point(places, radius)):
        if len(near) < least:
            continue
        points = good[np.sort(near)]
        direction = _direction(table, points, record)
        used = np.abs(direction) > 1e-9
        if vertical and record.level != "L3":
            scale, direction, used = 1 / direction[2], np.array([0, 0, 1.0]), np.array([False, False, True])
        else:
            scale = 1.0
        if not np.isfinite(stations.velocity[k][used]).all():
            continue
        weight = 1 / sigma[points] ** 2
        mean = float(np.average(velocity[points], weights=weight))
        scatter = np.average((velocity[points] - mean) ** 2, weights=weight) / max(len(points) - 1, 1)
        spread = np.sqrt(max(1 / weight.sum(), scatter)) * scale
        own = direction[used]
        variance = own @ stations.covariance[k][np.ix_(used, used)] @ own
        rows.append((str(stations.name[k]), places[k], len(points), mean * scale, spread,
                     float(own @ stations.velocity[k][used]), float(np.sqrt(variance))))  # fmt: skip
    return rows


def _direction(table: pa.Table, points: np.ndarray, record: Header) -> np.ndarray:
    """Unit vector, east, north, up, along which the product measures."""
    if record.level == "L3":
        return np.array([1.0, 0, 0]) if record.component == "E" else np.array([0, 0, 1.0])
    some = table.select(["los_east", "los_north", "los_up"]).take(pa.array(points))
    look = np.array([some[f"los_{axis}"].to_numpy().astype(float).mean() for axis in AXES])
    return look / np.linalg.norm(look)
