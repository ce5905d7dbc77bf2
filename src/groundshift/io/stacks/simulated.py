"""What simulated stacks lack and layouts of others hold: orbits, and a map."""

from __future__ import annotations

import dask.array as da
import numpy as np
import xarray as xr
from pyproj import Transformer
from scipy.spatial import cKDTree

from groundshift.io.stacks.orbits import Orbit, earth_fixed
from groundshift.model.radar_stack import LAYERS, build_stack, reference_index

_RATE = 2 * np.pi / 5924.57  # radians a second: Sentinel-1
_SECONDS = np.arange(-60.0, 61.0, 10.0)
_ROWS = 256  # of a map that are found at once


def simulated_orbits(stack: xr.Dataset) -> list[Orbit]:
    """Round orbits, one a date, that see the middle of a stack with its look, range and perpendicular baselines."""
    middle = stack.isel(y=stack.sizes["y"] // 2, x=stack.sizes["x"] // 2)
    place = earth_fixed(*(float(middle[name]) for name in ("latitude", "longitude", "height")))
    latitude, longitude = (np.radians(float(middle[name])) for name in ("latitude", "longitude"))
    east = np.array([-np.sin(longitude), np.cos(longitude), 0])
    up = np.array([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)])
    north = np.cross(up, east)
    look = np.array([float(middle[name]) for name in ("los_east", "los_north", "los_up")])
    look = look @ np.stack([east, north, up]) / np.linalg.norm(look)
    vertical = place / np.linalg.norm(place)
    across = vertical - (vertical @ look) * look
    across /= np.linalg.norm(across)
    ahead = np.cross(vertical, -look)  # it looks to the right
    ahead /= np.linalg.norm(ahead)
    orbits = []
    for baseline in stack["perpendicular_baseline"].values.astype(np.float64):
        start = place + stack.attrs["slant_range"] * look - baseline * across
        angle = _RATE * _SECONDS[:, None]
        radius = np.linalg.norm(start)
        position = np.cos(angle) * start + np.sin(angle) * radius * ahead
        velocity = _RATE * (-np.sin(angle) * start + np.cos(angle) * radius * ahead)
        orbits.append(Orbit(_SECONDS, position, velocity))
    return orbits


def geocoded(stack: xr.Dataset, *, crs: str | None = None, spacing: tuple[float, float] = (5.0, 10.0)) -> xr.Dataset:
    """A stack on a map: each pixel of the map takes that of the stack whose place is nearest.

    The height model must be flat enough that places are in the order of lines and pixels; it is meant for simulated
    stacks. Pixels of the map that are farther from all places than 1.5 times its spacing have no data.

    Parameters
    ----------
    crs
        Of the map, in metres; the UTM zone of the middle if not given.
    spacing
        Metres between columns and between rows.
    """
    latitude, longitude = (stack[name].values for name in ("latitude", "longitude"))
    crs = crs or utm_of(float(np.mean(latitude)), float(np.mean(longitude)))
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(longitude, latitude)
    easting = np.arange(np.floor(x.min() / spacing[0]), np.ceil(x.max() / spacing[0]) + 1) * spacing[0]
    northing = np.arange(np.ceil(y.max() / spacing[1]), np.floor(y.min() / spacing[1]) - 1, -1) * spacing[1]
    tree = cKDTree(np.column_stack([x.ravel(), y.ravel()]))
    nearest, far = (np.empty((len(northing), len(easting)), kind) for kind in (np.int64, bool))
    for top in range(0, len(northing), _ROWS):
        part = slice(top, top + _ROWS)
        mesh = np.meshgrid(easting, northing[part])
        away, nearest[part] = tree.query(np.stack(mesh, axis=-1))
        far[part] = away > 1.5 * max(spacing)
    at = xr.DataArray(nearest, dims=("row", "column"))
    back = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(*np.meshgrid(easting, northing))
    layers = {name: stack[name].values.ravel()[nearest] for name in LAYERS if name not in ("latitude", "longitude")}
    slc = da.stack([_taken(stack["slc"][date], at.values, far) for date in range(stack.sizes["time"])])
    attributes = stack.attrs | {"crs": crs, "azimuth_spacing": float(spacing[1]), "reference_date": str(
        stack["time"].values[reference_index(stack)].astype("datetime64[D]"))}  # fmt: skip
    made = build_stack(
        slc, stack["time"].values.astype("datetime64[D]"),
        layers={**layers, "longitude": back[0], "latitude": back[1]},
        perpendicular_baseline=stack["perpendicular_baseline"].values, attributes=attributes,
    )  # fmt: skip
    return made.assign_coords(easting=("x", easting), northing=("y", northing))


def utm_of(latitude: float, longitude: float) -> str:
    """Code of the UTM zone of a place in degrees."""
    return f"EPSG:{(32600 if latitude >= 0 else 32700) + int((longitude + 180) // 6) % 60 + 1}"


def _taken(image: xr.DataArray, nearest: np.ndarray, far: np.ndarray) -> da.Array:
    """One date on the map, lazily."""
    whole = da.asarray(image.data).rechunk(-1)
    return da.map_blocks(_gather, whole, nearest=nearest, far=far, chunks=nearest.shape, dtype=np.complex64,
                         meta=np.empty((0, 0), np.complex64))  # fmt: skip


def _gather(image: np.ndarray, *, nearest: np.ndarray, far: np.ndarray) -> np.ndarray:
    return np.where(far, np.complex64(0), image.ravel()[nearest])
