"""A CRS in which lengths are metres on the ground."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import pyproj
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer

_TRUE = 0.02  # by which a metre of the CRS may differ from one on the ground
_SURE = 70  # per cent, by which a CRS is that of a code: as `to_epsg` has it
_POLES = -80.0, 84.0  # degrees of latitude, beyond which there are no UTM zones


def in_metres(crs: CRS) -> bool:
    """Whether its coordinates are metres, not degrees or feet."""
    return crs.is_projected and crs.axis_info[0].unit_conversion_factor == 1


def crs_name(crs: Any) -> str | None:
    """Authority and code, or WKT where there is none: the same whatever the CRS was made from; None for none.

    The text of a CRS of odc-geo depends on what else the process has made of the same code.
    """
    if crs is None:
        return None
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else _other_name(crs.to_wkt())


@lru_cache(maxsize=64)
def _other_name(wkt: str) -> str:
    """Authority and code of a CRS without a code of EPSG, or its text; looking for it takes a tenth of a second."""
    crs = CRS.from_wkt(wkt)
    other = crs.to_authority(min_confidence=_SURE)
    return ":".join(other) if other else crs.to_wkt()


def grid_record(grid: GeoBox) -> list[Any]:
    """Shape, transform and CRS of a grid, for the key and the record of a run."""
    return [list(grid.shape), list(grid.affine)[:6], crs_name(grid.crs)]


def metric_crs(crs: CRS, x: float, y: float) -> CRS:
    """The CRS itself if its lengths are metres on the ground around a place, to 2 %; else the UTM zone of the place.

    So degrees, feet and Web Mercator are replaced; beyond 84° N and 80° S Universal Polar Stereographic is taken.

    Parameters
    ----------
    x, y
        Of the place, in `crs`: easting and northing, or longitude and latitude.
    """
    longitude, latitude = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
    if in_metres(crs):
        factors = pyproj.Proj(crs).get_factors(longitude, latitude)
        if abs(math.sqrt(factors.areal_scale) - 1) <= _TRUE:
            return crs
    return zone_crs(longitude, latitude)


def zone_crs(longitude: float, latitude: float) -> CRS:
    """The UTM zone of a place in degrees; beyond 84° N and 80° S, where is none, Universal Polar Stereographic."""
    if not _POLES[0] <= latitude <= _POLES[1]:
        return CRS("EPSG:32661" if latitude > 0 else "EPSG:32761")
    return CRS(f"EPSG:{(32601 if latitude >= 0 else 32701) + int((longitude + 180) // 6) % 60}")
