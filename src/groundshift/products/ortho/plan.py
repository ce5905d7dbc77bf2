"""What an Ortho is made of: tracks, dates, cells and tiles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyproj import CRS, Transformer

from groundshift import __version__
from groundshift.engine import run_key, run_record
from groundshift.errors import ConfigurationError, InputError
from groundshift.geodesy.velocity_field import GridField
from groundshift.geodesy.velocity_model import VelocityField, VelocityModel
from groundshift.grid.tiles import Box, Tile
from groundshift.io.point_batches import PointParts, known_bounds, point_parts
from groundshift.model.points import series
from groundshift.products.ortho.tile import STATED, OrthoConfig, OrthoTile, Track

NORTH_REMOVED = "north_removed"
"""Key of the provenance of a point set: whether its series are free of the north motion of the velocity model."""

_MEMORY = 2**28  # bytes: of the series of the cells of a band
_USUAL_REFERENCE = (0.1, 0.25)  # mm/yr, of point sets that say nothing
_EUROPE = (-35.0, 24.0, 45.0, 85.0)  # degrees, where EPSG:3035 is the default


class OrthoPlan(NamedTuple):
    """All that is decided before solving."""

    step: OrthoTile
    tiles: list[Tile]  # bands of tiles of 100 km, one tile after the other, from south to north
    record: dict[str, Any]
    key: str
    provenance: dict[str, Any]


def plan_ortho(
    sources: Sequence[str | Path | pa.Table], config: OrthoConfig, north_removed: bool, model: VelocityField | None
) -> OrthoPlan:
    """Tracks, dates, cells and tiles of an Ortho, and where it comes from; see
    :func:`groundshift.products.ortho.ortho_tables`."""
    parts = [point_parts(each) for each in sources]
    if wrong := [each for each in parts if each.header.level not in ("L2a", "L2b")]:
        raise InputError(
            f"{wrong[0].name} is of level {wrong[0].header.level}; expected L2b: lines of sight, calibrated"
        )
    tracks = _tracks(parts, north_removed)
    if len(tracks) < 2:
        raise InputError(f"{len(parts)} point sets of {len(tracks)} track came; expected two tracks of different look")
    north = [track for track in tracks if track.north]
    if north and model is None:
        raise ConfigurationError(
            f"{north[0].parts[0].name} still holds the north motion; give a velocity model with --gnss, or "
            "--north-removed if it does not"
        )
    for frame in {_frame(each) for track in north for each in track.parts} - {None, model and model.frame}:
        raise ConfigurationError(
            f"the points were calibrated in the frame {frame}, the velocity model is in {model.frame}; give both in one"
        )
    if config.tile % config.cell:
        raise ConfigurationError(f"a tile of {config.tile:g} m is no whole number of cells of {config.cell:g} m")
    crs = _crs(parts, config)
    if config.rate_sigma is None:
        tracks = [each._replace(stated=all(set(STATED) <= set(part.columns) for part in each.parts)) for each in tracks]
    reference = _reference(parts, config)
    step = OrthoTile(tuple(tracks), _dates(tracks, config), crs, config, model if north else None, reference)
    inputs = [one for each in parts for one in content_of(each.source)]
    decided = {
        "config": config,
        "north_removed": north_removed,
        "model": model_record(model) if north else None,
        "crs": crs,
    }
    removed = "taken off here, by the model" if len(north) == len(tracks) else "taken off before"
    provenance = {
        "sources": [each.name for each in parts],
        "tracks": [each.header.track for each in parts],
        NORTH_REMOVED: True,
        "reference_sigma": reference,
        "calibration": {"model": _models(parts, model if north else None)},
        "north": removed if not north or len(north) == len(tracks) else "taken off before, or here by the model",
        "software": f"groundshift {__version__}",
        "config": config.model_dump(mode="json"),
    }
    tiles = _bands(parts, crs, config, _cell_bytes(step))
    return OrthoPlan(
        step, tiles, run_record(inputs, decided, __version__), run_key(inputs, decided, __version__), provenance
    )


def _tracks(parts: Sequence[PointParts], north_removed: bool) -> list[Track]:
    """Sets of the same track, dates and treatment are one, such as the parts of a partitioned set."""
    groups: dict[tuple, list[PointParts]] = {}
    for number, each in enumerate(parts):
        north = not (north_removed or each.header.provenance.get(NORTH_REMOVED, False))
        track = each.header.track if each.header.track is not None else f"set {number}"
        groups.setdefault((track, tuple(each.header.dates.tolist()), north), []).append(each)
    return [Track(tuple(group), group[0].header.dates, key[2]) for key, group in groups.items()]


def _dates(tracks: Sequence[Track], config: OrthoConfig) -> np.ndarray:
    """The common grid, from the date on which the second track begins to that on which the last but one ends."""
    origin = np.datetime64(config.origin, "D")
    first = np.sort([track.days[0] for track in tracks])[1]
    last = np.sort([track.days[-1] for track in tracks])[-2]
    start = -(-(first - origin).astype(int) // config.step)
    stop = (last - origin).astype(int) // config.step
    if stop < start:
        raise InputError(f"the tracks share no time: one begins on {first}, another ends on {last}")
    return origin + np.arange(start, stop + 1) * config.step


def _crs(parts: Sequence[PointParts], config: OrthoConfig) -> str:
    if config.crs is not None:
        crs = CRS.from_user_input(config.crs)
        if not crs.is_projected:
            raise ConfigurationError(f"{config.crs} is not projected; cells need metres, as in EPSG:3035 or a UTM zone")
        return config.crs
    first = next((each for each in parts if each.count), None)
    if first is None:
        raise InputError("the point sets hold no points; expected two tracks with points")
    west, south, east, north = known_bounds(first)[0]
    middle = (west + east) / 2, (south + north) / 2
    longitude, latitude = Transformer.from_crs(first.header.crs, "EPSG:4326", always_xy=True).transform(*middle)
    west, south, east, north = _EUROPE
    if west <= longitude <= east and south <= latitude <= north:
        return "EPSG:3035"
    return f"EPSG:{(32601 if latitude >= 0 else 32701) + int((longitude + 180) // 6) % 60}"


def frame_of(tile: Tile, config: OrthoConfig) -> str:
    """Name of the tile of 100 km that a band is of, by its south-west corner, in tiles."""
    column, row = (int(start * config.cell // config.tile) for start in (tile.box.left, tile.box.top))
    return f"E{column:02d}N{row:02d}"


def _cell_bytes(step: OrthoTile) -> int:
    """Memory that the series of a cell take while they are solved: sums and counts of each track, and east and up."""
    return 6 * sum(len(track.days) for track in step.tracks) + 8 * len(step.dates)


def _bands(parts: Sequence[PointParts], crs: str, config: OrthoConfig, cell_bytes: int) -> list[Tile]:
    """Bands of rows of the tiles that parts of the point sets touch, tile by tile from south-west to north-east."""
    found: set[tuple[int, int]] = set()
    for each in parts:
        same = each.header.crs.equals(crs, ignore_axis_order=True)
        change = None if same else Transformer.from_crs(each.header.crs, crs, always_xy=True)
        for box in known_bounds(each):
            west, south, east, north = np.floor(
                np.array(box if change is None else change.transform_bounds(*box)) / config.tile
            ).astype(int)
            found |= {(row, column) for row in range(south, north + 1) for column in range(west, east + 1)}
    side = round(config.tile / config.cell)
    rows = min(max(_MEMORY // (cell_bytes * side), 1), side)
    boxes = [
        Box(row * side + start, column * side, row * side + min(start + rows, side), (column + 1) * side)
        for row, column in sorted(found)
        for start in range(0, side, rows)
    ]
    return [Tile(index, box) for index, box in enumerate(boxes)]


def content_of(source: Path | pa.Table) -> list[Path | np.ndarray]:
    """What tells one point set from another: its path, or in memory its header, columns of numbers, and series."""
    if isinstance(source, Path):
        return [source]
    numbers = [source[name].to_numpy() for name in source.column_names if not pa.types.is_nested(source[name].type)
               and pa.types.is_primitive(source[name].type)]  # fmt: skip
    return [np.frombuffer(source.schema.metadata[b"groundshift"], np.uint8), *numbers, series(source)]


def model_record(model: VelocityField) -> dict[str, Any]:
    """What tells one velocity model from another: where it comes from, its grid, or what it gives at some places."""
    if isinstance(model, GridField):
        grid = model.grid
        held = {"x": grid.x, "y": grid.y, "velocity": grid.velocity, "sigma": grid.sigma}
        return {"frame": model.frame, "source": model.source, **held}
    latitude, longitude = (each.ravel() for each in np.meshgrid(np.linspace(-80, 80, 9), np.linspace(-180, 150, 12)))
    some = np.nan_to_num(np.asarray(model.at(latitude, longitude).velocity, float))
    return {"frame": model.frame, "source": model.source, "velocities": some}


def _frame(parts: PointParts) -> str | None:
    """Frame that points were calibrated in, if they say."""
    return (_calibration(parts).get("model") or {}).get("frame")


def _calibration(parts: PointParts) -> dict[str, Any]:
    return parts.header.provenance.get("calibration") or {}


def _models(parts: Sequence[PointParts], model: VelocityField | None) -> dict[str, Any]:
    """Frame and stations of all velocity models that had a part in points; the frame is None where they do not say."""
    said = [_calibration(each).get("model") or {} for each in parts]
    frames = {each.get("frame") for each in said} | ({model.frame} if model else set())
    names = {name for each in said for name in each.get("station_names") or ()}
    names |= set(model.stations.name.tolist()) if isinstance(model, VelocityModel) else set()
    return {"frame": frames.pop() if len(frames) == 1 else None, "station_names": sorted(names)}


def _reference(parts: Sequence[PointParts], config: OrthoConfig) -> tuple[float, float]:
    """Standard deviation, east and up, of what all tracks share: the largest that any calibration states."""
    if config.reference_sigma is not None:
        return config.reference_sigma
    stated = [_calibration(each).get("reference_sigma") for each in parts]
    known = np.array([each for each in stated if each])
    return (float(known[:, 0].max()), float(known[:, 1].max())) if len(known) == len(parts) else _USUAL_REFERENCE
