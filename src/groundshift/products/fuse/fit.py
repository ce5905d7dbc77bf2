"""Whether sources fit a fusion: their days its interval, their places its grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from odc.geo.geobox import GeoBox

from groundshift.errors import InputError
from groundshift.grid.tiles import Box
from groundshift.model.stations import StationVelocities
from groundshift.products.fuse.channels import Fusible, Interval, bounds_in, cell_numbers
from groundshift.products.fuse.sources import OpticalMap, RadarPoints
from groundshift.products.fuse.stations import Levelling, Stations


def check_days(sources: Sequence[Fusible], interval: Interval) -> None:
    """See that each source was measured in the time of a displacement, as far as it says when.

    Raises
    ------
    InputError
        If one shares no day with the interval, or a series has no date on one side of it.
    """
    if interval.quantity != "displacement" or interval.start is None or interval.end is None:
        return
    for source in sources:
        if isinstance(source, RadarPoints):
            source.sides(interval)
        days = known_days(source)
        if days is not None and (days[1] <= interval.start or days[0] >= interval.end):
            raise InputError(
                f"{source.name} is of {days[0]} to {days[1]}, outside the interval from {interval.start} to "
                f"{interval.end}: leave it out, or give other days for start and end"
            )


def check_places(sources: Sequence[Fusible], grid: GeoBox) -> None:
    """See that each source has something in the grid; InputError if one has not."""
    whole = Box(0, 0, *map(int, grid.shape))
    for source in sources:
        if not _meets(source, grid, whole):
            west, south, east, north = bounds_in(grid, whole, grid.crs)
            raise InputError(
                f"{source.name} has nothing in the grid of the fusion, {west:.0f} to {east:.0f} east, {south:.0f} to "
                f"{north:.0f} north in {grid.crs}: leave it out, or give a grid, or a first map, where all sources meet"
            )


def known_days(source: Fusible) -> tuple[np.datetime64, np.datetime64] | None:
    """First and last day of a source; None if it does not say them, or holds at all times."""
    days: list[np.datetime64] = []
    if isinstance(source, OpticalMap):
        said = [source.dataset().attrs.get(name) for name in ("date_pre", "date_post")]
        days = [np.datetime64(each, "D") for each in said] if all(said) else []
    elif isinstance(source, RadarPoints):
        days = list(source.parts.header.dates.astype("datetime64[D]"))
    elif isinstance(source, Levelling) and source.start is not None and source.end is not None:
        days = [np.datetime64(source.start, "D"), np.datetime64(source.end, "D")]
    elif isinstance(source, Stations) and not isinstance(source.record, StationVelocities):
        days = [each.days[k].astype("datetime64[D]") for each in source.record if len(each) for k in (0, -1)]
    return (min(days), max(days)) if days else None


def _meets(source: Fusible, grid: GeoBox, whole: Box) -> bool:
    if isinstance(source, OpticalMap):
        own = source.dataset().odc.geobox
        boxes, crs = np.array([own.boundingbox.bbox]), own.crs
    elif isinstance(source, RadarPoints):
        boxes, crs = source.parts.bounds, source.parts.header.crs.to_string()
    elif isinstance(source, Stations | Levelling):
        one = source.record
        if isinstance(one, StationVelocities):
            longitude, latitude = one.longitude, one.latitude
        else:
            longitude, latitude = (
                np.array([getattr(each, name) for each in one]) for name in ("longitude", "latitude")
            )
        return bool((cell_numbers(grid, whole, "EPSG:4326", longitude, latitude) >= 0).any())
    else:
        return True
    west, south, east, north = bounds_in(grid, whole, crs)
    return bool(((boxes[:, :2] <= (east, north)) & (boxes[:, 2:] >= (west, south))).all(axis=1).any())
