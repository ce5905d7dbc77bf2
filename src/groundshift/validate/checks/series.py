"""Displacement series of points against the daily series of stations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from pyproj import Transformer
from scipy.spatial import cKDTree

from groundshift.errors import InputError
from groundshift.figures.validation import series_figure
from groundshift.geodesy.frames import series_to_frame
from groundshift.model.points import Header, header
from groundshift.model.stations import StationSeries
from groundshift.validate.checks.stations import AXES, definition_of, frame_of, refuse_used, said_of_frames
from groundshift.validate.intervals import bootstrap_number, spread_number
from groundshift.validate.record import DISPLACEMENT, SERVICE, Check, Number, Requirement

_WINDOW = 6  # days of a station, at most, that are averaged for a date
_LEAST_DATES = 10


def check_series(
    tables: pa.Table | Iterable[pa.Table],
    stations: Sequence[StationSeries],
    *,
    radius: float = 250.0,
    least_points: int = 3,
) -> Check:
    """Displacement against GNSS: the same dates, the same direction, each series about its own mean.

    At station k and date t, r_k(t) = u_points(t) − l · u_GNSS(t), less its mean over the dates; u_points is the mean of
    the points around the station and u_GNSS that of its days within three of the date. The error is sqrt(mean(r²)) over
    all stations and dates; that of double differences, sqrt(mean((r_j − r_k)²) / 2) over pairs of stations, is without
    what all stations share. Stations are brought to the frame that the provenance of the points names.

    Raises
    ------
    InputError
        If a station was used to make the points, or fewer than two stations have points around them and ten dates in
        common.
    """
    tables = [tables] if isinstance(tables, pa.Table) else list(tables)
    record = header(tables[0])
    refuse_used(tables, [each.name for each in stations])
    frames = {each.frame: frame_of(tables, each.frame) for each in stations}
    stations = [series_to_frame(each, frames[each.frame]) for each in stations]
    pairs = [pair for each in stations for pair in _pair(tables, each, radius, least_points)]
    if len(pairs) < 2:
        raise InputError(
            f"{len(pairs)} of {len(stations)} station series have {least_points} points within {radius:g} m and "
            f"{_LEAST_DATES} dates in common; expected two or more"
        )
    rest = np.array([points - own for _, points, own in pairs])
    rest -= np.nanmean(rest, axis=1, keepdims=True)
    limit = Requirement.at_most(DISPLACEMENT[record.level], f"{SERVICE}, displacement of {record.level}")
    double = _double_differences(rest)
    numbers = (
        _over_stations("error", rest, limit if record.level != "L2a" else None),
        _over_pairs("error from double differences", double, len(rest), limit if record.level == "L2a" else None),
        spread_number("error of the mean station", np.sqrt(np.nanmean(rest**2, axis=1)), "mm"),
    )
    notes = (
        f"{len(pairs)} stations, {int(np.isfinite(rest).sum())} differences; the stations' own errors are in them.",
        "A series of points begins at zero by convention: only changes are compared.",
        f"The frame of the stations is {'; '.join(said_of_frames(tables, *each) for each in sorted(frames.items()))}.",
    )
    details = {
        "name": np.array([name for name, *_ in pairs]), "dates": record.dates, "residual": rest,
        "points": np.array([p for _, p, _ in pairs]), "stations": np.array([s for *_, s in pairs]),
    }  # fmt: skip
    return Check("series", "Displacement series against GNSS", definition_of(check_series), numbers[:2],
                 series_figure(details), notes, details)  # fmt: skip


def _pair(
    tables: Sequence[pa.Table], station: StationSeries, radius: float, least: int
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Name, and the series of points and station at the dates of the points, mm; the table with most points counts."""
    best: tuple[int, pa.Table, np.ndarray, Header] | None = None
    for table in tables:
        record = header(table)
        to_map = Transformer.from_crs("EPSG:4326", record.crs, always_xy=True)
        place = np.array(to_map.transform(station.longitude, station.latitude))
        positions = np.column_stack([table[name].to_numpy() for name in ("easting", "northing")])
        near = np.array(cKDTree(positions).query_ball_point(place, radius), int) if len(positions) else np.empty(0, int)
        if len(near) >= least and (best is None or len(near) > best[0]):
            best = len(near), table, np.sort(near), record
    if best is None:
        return []
    _, table, near, record = best
    rows = table.take(pa.array(near))
    values = rows["displacement"].combine_chunks().flatten().to_numpy().reshape(len(near), -1).astype(float)
    if record.level == "L3":
        direction = np.array([record.component == "E", False, record.component == "U"], float)
    else:
        direction = np.array([rows[f"los_{axis}"].to_numpy().astype(float).mean() for axis in AXES])
    used = np.abs(direction) > 1e-9
    own = station.displacement[:, used] @ direction[used]
    matched = _at_dates(station.days, own, record.dates)
    values -= np.nanmean(values, axis=1, keepdims=True)
    mean = np.nanmean(values, axis=0)
    if np.isfinite(matched + mean).sum() < _LEAST_DATES:
        return []
    return [(station.name, mean, matched)]


def _at_dates(days: np.ndarray, values: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """Mean of the days within three of each date; NaN without any."""
    good = np.isfinite(values)
    days, values = days[good], values[good]
    half = np.timedelta64(_WINDOW // 2, "D")
    first, last = np.searchsorted(days, dates - half), np.searchsorted(days, dates + half, side="right")
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.where(last > first, (total[last] - total[first]) / np.maximum(last - first, 1), np.nan)


def _double_differences(rest: np.ndarray) -> np.ndarray:
    """Mean square of r_j − r_k over dates, over two; float64 (stations, stations)."""
    return np.array([[np.nanmean((one - other) ** 2) / 2 for other in rest] for one in rest])


def _over_stations(name: str, rest: np.ndarray, limit: Requirement | None) -> Number:
    square = np.nanmean(rest**2, axis=1)
    return bootstrap_number(name, lambda rows: float(np.sqrt(square[rows].mean())), np.arange(len(rest)), "mm", limit,
                            kind="stations")  # fmt: skip


def _over_pairs(name: str, double: np.ndarray, count: int, limit: Requirement | None) -> Number:
    def statistic(rows: np.ndarray) -> float:
        one, other = np.meshgrid(rows, rows)
        apart = one != other  # a station drawn twice is no pair
        return float(np.sqrt(double[one[apart], other[apart]].mean())) if apart.any() else np.nan

    return bootstrap_number(name, statistic, np.arange(count), "mm", limit, kind="stations")
