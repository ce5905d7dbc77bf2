"""From series in the geometry of the radar to points on the ground: places, look, EGMS fields, names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import xarray as xr
from pyproj import Geod, Transformer

from groundshift.insar.stack.geometry import StackGeometry
from groundshift.io.geoid import Geoid
from groundshift.kernels.point_codes import Burst, point_codes
from groundshift.kernels.series_fields import series_fields
from groundshift.model.points import point_set


def geolocate(
    latitude: np.ndarray, longitude: np.ndarray, look: np.ndarray, height_error: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where scatterers are that stand higher than the height model said.

    A scatterer keeps its range and the time when the satellite passed. If it is higher, it is farther from the
    satellite, by its height error over the tangent of the incidence.

    Parameters
    ----------
    latitude, longitude
        Of the height model at the pixels, degrees (n,).
    look
        Unit vectors from the ground to the satellite: east, north, up; float (3, n).
    height_error
        True minus known height, m (n,).

    Returns
    -------
    Latitude and longitude, float64 (n,), degrees.
    """
    level = np.hypot(look[0], look[1])
    away = np.degrees(np.arctan2(-look[0], -look[1]))
    longitude, latitude, _ = Geod(ellps="WGS84").fwd(longitude, latitude, away, height_error * look[2] / level)
    return np.asarray(latitude), np.asarray(longitude)


def track_angle(los_east: np.ndarray, los_north: np.ndarray, *, orbit: str | None = None) -> np.ndarray:
    """Direction of flight, degrees clockwise from north, −90 to 270, from look vectors toward the satellite.

    It looks to the right, unless an `orbit`, `ascending` or `descending`, says that it flies the other way, as NISAR
    does, which looks to the left.
    """
    angle = np.degrees(np.arctan2(los_east, los_north)) + 90
    if orbit is None:
        return angle
    ascends = np.cos(np.radians(angle)) > 0
    return np.where(ascends == (orbit == "ascending"), angle, (angle + 270) % 360 - 90)


def basic_points(
    stack: xr.Dataset,
    layers: Mapping[str, np.ndarray],
    geometry: StackGeometry,
    *,
    rows: np.ndarray,
    columns: np.ndarray,
    displacement: np.ndarray,
    height_error: np.ndarray,
    dispersion: np.ndarray,
    cluster: np.ndarray,
    area: np.ndarray,
    crs: str,
    producer: str,
    geoid: Geoid | None,
    provenance: Mapping[str, Any],
) -> pa.Table:
    """Point set of level L2a.

    `height`, above the geoid, is NaN without a model of it.

    Parameters
    ----------
    stack
        Coordinates and attributes of it are used.
    layers
        Layers of the stack at the points, (n,).
    geometry
        The stack's dates.
    rows, columns
        Of the points in the arrays of the stack, int (n,).
    displacement
        float (time, n), mm toward the satellite.
    height_error
        True minus known height, m (n,).
    dispersion
        Amplitude dispersion, (n,).
    cluster
        Clusters, int (n,).
    area
        Effective area of distributed scatterers, m²; 0 for persistent ones; (n,).
    crs
        Of easting and northing.
    producer
        As in :data:`~groundshift.kernels.point_codes.PRODUCERS`.
    geoid
        Its height above the ellipsoid, if it is known.
    provenance
        What is said of the set's origin.
    """
    attributes = stack.attrs
    burst = Burst(attributes["track"], attributes["burst"], attributes["swath"], attributes["polarisation"])
    line, pixel = stack["y"].values[rows], stack["x"].values[columns]
    look = np.stack([layers[name] for name in ("los_east", "los_north", "los_up")]).astype(np.float64)
    latitude, longitude = geolocate(layers["latitude"], layers["longitude"], look, height_error)
    easting, northing = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(longitude, latitude)
    fields = series_fields(displacement.T, geometry.days, wavelength=geometry.wavelength)._asdict()
    del fields["first"]
    height = layers["height"] + height_error
    above = np.full(len(rows), np.nan) if geoid is None else height - geoid.at(latitude, longitude)
    return point_set(
        {
            "pid": point_codes(line, pixel, burst, producer=producer),
            "cluster_label": cluster,
            "mp_type": np.rint(area).astype(np.int32),
            "latitude": latitude,
            "longitude": longitude,
            "easting": easting,
            "northing": northing,
            "height": above,
            "height_wgs84": height,
            "line": line,
            "pixel": pixel,
            "amplitude_dispersion": dispersion,
            "incidence_angle": layers["incidence"],
            "track_angle": track_angle(look[0], look[1], orbit=attributes["orbit"]),
            **dict(zip(("los_east", "los_north", "los_up"), look, strict=True)),
            **fields,
            "displacement": displacement.T,
        },
        level="L2a",
        dates=stack["time"].values.astype("datetime64[D]"),
        crs=crs,
        track=burst.track,
        frame=f"{burst.cycle:04d}_{burst.swath}_{burst.polarisation}",
        provenance=provenance,
    )
