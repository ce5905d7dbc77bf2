"""What measures over time: differences between two days, or series against an origin of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from odc.geo.geobox import GeoBox

from groundshift.errors import ConfigurationError, InputError
from groundshift.grid.tiles import Box
from groundshift.kernels.elimination import lone_residual
from groundshift.model.stations import StationVelocities
from groundshift.products.fuse.channels import Fusible, Interval
from groundshift.products.fuse.config import SourceErrors
from groundshift.products.fuse.solve import inflation
from groundshift.products.fuse.sources import OpticalMap, RadarPoints
from groundshift.products.fuse.stated import usual_errors
from groundshift.products.fuse.stations import Levelling, Stations, StationsOverTime

_HALO = 2  # cells that neighbours are looked for in
_NONE = np.datetime64("NaT", "D")


class Strand(NamedTuple):
    """Numbers of one kind, m rows: one component of all optical maps that err alike, one track, one component of
    stations or of levelling."""

    name: str
    kind: str  # optical, radar, stations, levelling
    component: str  # east, north, up, or los: as the look of each cell says
    sources: tuple[int, ...]
    errors: SourceErrors  # of a difference of two dates
    start: np.ndarray  # datetime64[D] (m,); NaT if it is against an origin of the cell
    end: np.ndarray  # datetime64[D] (m,)
    before: tuple[str, ...]  # names of the errors that its rows share, at the start and the end; empty for none
    after: tuple[str, ...]

    @property
    def size(self) -> int:
        """Rows."""
        return len(self.end)


class Measured(NamedTuple):
    """Rows of all strands on the n cells of a box, row by row."""

    value: np.ndarray  # float64 (m, n), m; NaN where it is not measured
    variance: np.ndarray  # of the noise that a measurement has for itself
    look: np.ndarray  # float64 (3 tracks, n): east, north, up of each strand that is a line of sight
    place: np.ndarray  # float64 (3, n): 1, easting, northing, -1 to 1 in the grid
    single: np.ndarray  # bool (n,): a station or a levelled place stands here


def all_days(sources: Sequence[Fusible]) -> np.ndarray:
    """Days of all that is measured, sorted."""
    days: list[np.ndarray] = []
    for source in sources:
        if isinstance(source, OpticalMap):
            days.append(np.array(map_days(source)))
        elif isinstance(source, RadarPoints):
            days.append(source.parts.header.dates)
        elif isinstance(source, Levelling):
            days.append(np.array(levelled_days(source)))
        elif isinstance(source, Stations):
            days += [each.days for each in station_series(source)]
        else:
            raise ConfigurationError(f"{source.name} cannot be part of a series; leave it out, or fuse velocities")
    if not days:
        raise InputError("no source came; give optical maps, radar points, stations")
    return np.unique(np.concatenate([np.asarray(each, "datetime64[D]") for each in days]))


def map_days(source: OpticalMap) -> tuple[np.datetime64, np.datetime64]:
    """First and second day of a map."""
    said = [source.dataset().attrs[name] for name in ("date_pre", "date_post")]
    if not all(said):
        raise InputError(f"{source.name} does not say its dates, which a series needs; write date_pre and date_post")
    first, second = (np.datetime64(each, "D") for each in said)
    return first, second


def levelled_days(source: Levelling) -> tuple[np.datetime64, np.datetime64]:
    """The days between which was levelled."""
    if source.start is None or source.end is None:
        raise ConfigurationError(f"{source.name} does not say its dates, which a series needs; give start and end")
    return np.datetime64(source.start, "D"), np.datetime64(source.end, "D")


def station_series(source: Stations) -> StationsOverTime:
    """The series of a source, which a table of velocities has not."""
    if isinstance(source.record, StationVelocities):
        raise InputError(f"{source.name} is a table of velocities; expected series of stations for a series")
    return source.record


def make_strands(sources: Sequence[Fusible], nodes: np.ndarray) -> tuple[Strand, ...]:
    """What measures between the first and last of the dates `nodes`, datetime64[D]."""
    inside = lambda *days: all(nodes[0] <= day <= nodes[-1] for day in days)  # noqa: E731
    maps: dict[tuple[str, SourceErrors], list[int]] = {}
    out: list[Strand] = []
    for number, source in enumerate(sources):
        if isinstance(source, OpticalMap) and inside(*map_days(source)):
            for component in source.groups():
                maps.setdefault((component, source.errors), []).append(number)
        elif isinstance(source, RadarPoints):
            days = source.parts.header.dates.astype("datetime64[D]")
            days = days[(days >= nodes[0]) & (days <= nodes[-1])]
            errors, keys = usual_errors(source, "displacement"), tuple(map(str, days))
            start = np.full(len(days), _NONE)
            out.append(Strand(source.name, "radar", "los", (number,), errors, start, days, ("",) * len(days), keys))
        elif isinstance(source, Levelling) and inside(*levelled_days(source)):
            first, last = (np.array([day]) for day in levelled_days(source))
            key = (f"{source.name} {last[0]}",)
            out.append(Strand(source.name, "levelling", "up", (number,), source.errors, first, last, ("",), key))
        elif isinstance(source, Stations):
            station_series(source)
            none, start = ("",) * len(nodes), np.full(len(nodes), _NONE)
            for component in ("east", "north", "up"):
                out.append(
                    Strand(source.name, "stations", component, (number,), source.errors, start, nodes, none, none)
                )
    for (component, errors), numbers in maps.items():
        data = [sources[number].dataset().attrs for number in numbers]
        start, end = np.array([map_days(sources[number]) for number in numbers]).T
        before, after = (
            tuple(f"{each[f'date_{which}']} {each[f'source_{which}']}" for each in data) for which in ("pre", "post")
        )
        out.append(Strand("optical maps", "optical", component, tuple(numbers), errors, start, end, before, after))
    if not sum(each.size for each in out):
        raise InputError(f"nothing was measured between {nodes[0]} and {nodes[-1]}; expected dates among the sources'")
    return tuple(out)


def read_strands(
    strands: Sequence[Strand], sources: Sequence[Fusible], grid: GeoBox, box: Box, nodes: np.ndarray, neighbours: float
) -> Measured:
    """All that was measured on the cells of a box; values of a map that those around do not agree with have a larger
    variance."""
    outer = box.padded(_HALO).clipped(tuple(grid.shape))
    inside = box.shifted(-outer.top, -outer.left).slices
    rows, cells = sum(each.size for each in strands), box.shape[0] * box.shape[1]
    value, variance = np.full((2, rows, cells), np.nan)
    looks, single = [], np.zeros(cells, bool)
    starts = np.cumsum([0, *(each.size for each in strands)])
    cut = lambda layer: layer[..., inside[0], inside[1]].reshape(*layer.shape[:-2], -1)  # noqa: E731
    for number in sorted({each for strand in strands for each in strand.sources}):
        source = sources[number]
        mine = [(strand, start) for strand, start in zip(strands, starts, strict=False) if number in strand.sources]
        if isinstance(source, OpticalMap | Levelling):
            days = map_days(source) if isinstance(source, OpticalMap) else levelled_days(source)
            measured = source.along_axes if isinstance(source, OpticalMap) else source.channels
            for channel in measured(grid, outer, Interval("displacement", *days)):
                strand, start = next(each for each in mine if each[0].component == channel.group)
                row, noise = start + strand.sources.index(number), channel.variance
                if strand.kind == "optical":
                    noise = noise * inflation(lone_residual(channel.value, np.sqrt(noise)), neighbours)
                value[row], variance[row] = cut(channel.value), cut(noise)
        elif isinstance(source, RadarPoints):
            ((strand, start),) = mine
            found = source.over_time(grid, box, strand.end)
            part = slice(start, start + strand.size)
            value[part], variance[part] = (each.reshape(strand.size, -1) for each in (found.value, found.variance))
            looks.append((start, found.look.reshape(3, -1)))
        elif isinstance(source, Stations):
            found = source.over_time(grid, box, nodes)
            for component, (strand, start) in enumerate(mine):
                value[start : start + strand.size] = found.value[:, component].reshape(strand.size, -1)
                variance[start : start + strand.size] = found.variance[:, component].reshape(strand.size, -1)
    for strand, start in zip(strands, starts, strict=False):
        part = slice(start, start + strand.size)
        variance[part] += strand.errors.noise**2 / (2 if strand.kind in ("radar", "stations") else 1)
        if strand.kind in ("stations", "levelling"):
            single |= np.isfinite(value[part]).any(axis=0)
        if strand.size and np.isnat(strand.start).all():
            there = np.isfinite(value[part])
            value[part] -= np.where(there, value[part], 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    look = np.concatenate([each for _, each in sorted(looks, key=lambda each: each[0])] or [np.zeros((0, cells))])
    return Measured(value, variance, look, places(grid, box), single)


def places(grid: GeoBox, box: Box) -> np.ndarray:
    """1, and where the cells of a box are from west to east and north to south, -1 to 1; float64 (3, n)."""
    rows, columns = (each.ravel() + 0.5 for each in np.mgrid[box.slices])
    return np.stack([np.ones(rows.size), 2 * columns / grid.shape[1] - 1, 2 * rows / grid.shape[0] - 1])
