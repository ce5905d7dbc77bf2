"""Two optical images in, a displacement map out: the road from end to end."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from groundshift.engine import FolderStore, MemoryStore, TileStore, run
from groundshift.errors import ConfigurationError
from groundshift.figures.quicklook import quicklook
from groundshift.figures.style import save_figure
from groundshift.grid.tiles import Box
from groundshift.io import read_map, write_json, write_map
from groundshift.io.images.open import Source
from groundshift.model.displacement import decimals, displacement_map
from groundshift.model.reason import Reason
from groundshift.optical.clean import CleanTile, Stripes, cleans, estimate_stripes
from groundshift.optical.config import PairConfig
from groundshift.optical.plan import PairPlan, alike_pixels, opened, planned
from groundshift.optical.registration import ENOUGH, Registration, fit_registration
from groundshift.optical.registry import resolved

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

_SAMPLES, _LINE_SAMPLES = 40_000, 400_000  # nodes, at the most, that tell misregistration, and stripes
_NEAR, _CLEAR, _SOME = 0.8, 5.0, 0.002  # of the largest displacement; sigmas; share of the measurements
_SHARED = 0.2  # of the largest displacement: neighbours that differ by less move together
MAP_NAME, RECORD_NAME, PICTURE_NAME = "displacement.tif", "record.json", "quicklook.png"


def measure_pair(
    pre: Source | np.ndarray,
    post: Source | np.ndarray,
    *,
    config: PairConfig | None = None,
    out: str | Path | None = None,
    band: int | str | None = None,
    crs: str | None = None,
    nodata: float | None = None,
    resolution: float | None = None,
    area: str | Path | None = None,
    mask: str | Path | None = None,
    stable: str | Path | None = None,
    dates: str | None = None,
    executor: str | Client | None = None,
    workers: int | None = None,
    **options: Any,
) -> xr.Dataset:
    """Measure where the ground went between two images.

    Parameters
    ----------
    pre, post
        The image before and the image after: paths or products (see :func:`groundshift.io.open_image`), a
        DataArray with a CRS, (array, GeoBox), or plain arrays of equal shape (y, x), row 0 north.
    config
        How to measure; or give its fields as options: `method="dense"`, `window=32`, `step=8`, …
    out
        Folder for the map, the picture and the record. Tiles are kept in it until all are finished, so that a run
        that was interrupted goes on. Without it, everything stays in memory.
    band, crs, nodata
        Which band, the CRS of images that have none, and the value without data.
    resolution
        Pixel size of plain arrays, and of pictures that lie on no map grid (photographs, scans), metres. Arrays have
        1 m if it is not given; such pictures need it.
    area
        Part of the scene: `west,south,east,north` in the CRS of the first image, or a vector file.
    mask, stable
        Ground not to measure, and ground known not to have moved: a raster (not 0) or polygons.
    dates
        `2003-09-01,2023-08-20`: days of the images, for those that do not say; they override what images say.
    executor, workers
        Where tiles run: `serial`, `threads`, `processes`, a Dask scheduler's address, or a client. By default
        processes, or serial for a single tile.

    Returns
    -------
    A displacement map (see :mod:`groundshift.model.displacement`): `east`, `north`, `east_sigma`, `north_sigma` in
    metres, positive to the east and north, from the first image to the second; `quality`, `valid`, `reason`. With
    `out`, a large map is lazy.

    Raises
    ------
    InputError, NoOverlapError
        If an image cannot be used.
    ConfigurationError
        If options make no sense together.
    RunError
        If a tile fails; finished tiles are kept in `out`.
    """
    if config is not None and options:
        raise ConfigurationError(f"config and {sorted(options)} were both given; put all options into one of them")
    config = resolved(config or PairConfig(**options))
    opening = {"band": band, "crs": crs, "nodata": nodata}
    images = opened(pre, resolution, **opening), opened(post, resolution, **opening)
    plan = planned(*images, config, area=area, mask=mask, stable=stable, dates=dates)
    measured = _store(plan, out, plan.key)
    executor = executor or ("processes" if len(plan.tiles) > 1 else "serial")
    with measured.lock():
        run(plan.step, plan.tiles, store=measured, executor=executor, workers=workers, label="measuring")
        store = _cleaned(plan, measured, out, workers) if cleans(config.clean) else measured
        sample = _sample(plan, store, _SAMPLES)
        registration = fit_registration(
            sample["row"], sample["col"], sample["dx"], sample["dy"], sample["dx_sigma"], sample["dy_sigma"],
            kind=config.registration, alike=alike_pixels(config),
        )  # fmt: skip
        log.info("%s", _removed(registration, plan.step.pre.grid))
        if hint := _near_limit(sample, plan):
            log.warning("%s", hint)
        stripes = _stripes(plan, store, registration) if config.clean.destripe else None
        blocks = _blocks(plan, store, registration, stripes)
        if out is None:
            return _in_memory(plan, blocks)
        dataset = _written(Path(out), plan, blocks, registration, stripes)
        store.clear()
        if store is not measured:
            measured.clear()
    return dataset


def _store(plan: PairPlan, out: str | Path | None, key: str) -> TileStore:
    return MemoryStore() if out is None else FolderStore(Path(out) / ".tiles", key, record=plan.record)


def _cleaned(plan: PairPlan, measured: TileStore, out: str | Path | None, workers: int | None) -> TileStore:
    store = _store(plan, out, f"{plan.key}-cleaned")
    step = CleanTile(measured, plan.tiles, plan.config.clean)
    run(step, plan.tiles, store=store, executor="threads", workers=workers, label="cleaning")
    return store


def _removed(registration: Registration, grid: GeoBox) -> str:
    """In words and metres, by how much the second image is off: what is not in the map."""
    if registration.kind == "none":
        asked = "as asked" if registration.samples >= ENOUGH else f"with {registration.samples} measurements"
        return f"no misregistration is removed, {asked}"
    east, north = (
        f"{sign * size * row[0]:+.{decimals(0.01 * size)}f} m ({sign * row[0]:+.3f} pixels)"
        for sign, size, row in zip(
            (1, -1), (abs(grid.affine.a), abs(grid.affine.e)), registration.coefficients, strict=True
        )
    )
    return f"misregistration that is removed ({registration.kind}): {east} to the east, {north} to the north"


def _near_limit(sample: dict[str, np.ndarray], plan: PairPlan) -> str:
    """A hint, if clear displacements come so near the largest one looked for that others may lie beyond it.

    They count where neighbours whose windows share no pixel have them too: wrong matches are of any size, but alone.
    """
    limit = plan.config.max_displacement
    size = np.hypot(sample["dx"] - plan.step.shift.dx, sample["dy"] - plan.step.shift.dy)
    clear = size > _CLEAR * np.hypot(sample["dx_sigma"], sample["dy_sigma"])
    near = clear & (size > _NEAR * limit)
    near[near] = _moves_with_others(
        sample, near, alike_pixels(plan.config), _SHARED * limit, plan.config.step * _stride(plan, _SAMPLES)
    )
    share = float(np.mean(near)) if near.size else 0.0
    if share < _SOME:
        return ""
    return (
        f"{100 * share:.1f} % of the measurements are nearly as large as the largest displacement looked for, "
        f"{limit:g} pixels, and more may be lost beyond it: try --max-displacement {2 * limit:g}"
    )


def _moves_with_others(
    sample: dict[str, np.ndarray], chosen: np.ndarray, apart: float, within: float, spacing: int
) -> np.ndarray:
    """Whether two or more of the four neighbours of each chosen node, `apart` pixels away, differ by less."""
    lag = max(1, round(apart / spacing))
    row, col = (
        ((each - each.min(initial=np.inf)) // spacing).astype(int) + lag for each in (sample["row"], sample["col"])
    )
    planes = np.full((2, row.max(initial=0) + lag + 1, col.max(initial=0) + lag + 1), np.nan)
    planes[:, row, col] = sample["dx"], sample["dy"]
    row, col = row[chosen], col[chosen]
    own = planes[:, row, col]
    others = (planes[:, row + down, col + right] for down, right in ((lag, 0), (-lag, 0), (0, lag), (0, -lag)))
    return sum((np.hypot(*(other - own)) < within).astype(int) for other in others) >= 2


def _stride(plan: PairPlan, most: int) -> int:
    """Nodes of the map from one that is sampled to the next, if that many are taken at the most."""
    return max(1, int(np.ceil(np.sqrt(plan.grid.shape.y * plan.grid.shape.x / most))))


def _positions(box: Box, step: int, stride: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Pixel rows (i, 1) and columns (1, j) of every `stride`-th node of the map inside a box of nodes."""
    rows, cols = (
        np.arange(start + -start % stride, stop, stride)
        for start, stop in ((box.top, box.bottom), (box.left, box.right))
    )
    return step * rows[:, None] + (step - 1) / 2, step * cols[None, :] + (step - 1) / 2


def _sample(plan: PairPlan, store: TileStore, most: int) -> dict[str, np.ndarray]:
    """Valid (and stable, if known) nodes on a sublattice of the map, as columns; the same however it is tiled."""
    stride = _stride(plan, most)
    names = ("dx", "dy", "dx_sigma", "dy_sigma")
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("row", "col", *names)}
    for tile in plan.tiles:
        layers = store.read(tile.index)
        at = tuple(slice(-start % stride, None, stride) for start in (tile.box.top, tile.box.left))
        use = layers["reason"][at] == Reason.VALID
        if "stable" in layers:
            use &= layers["stable"][at]
        rows, cols = np.broadcast_arrays(*_positions(tile.box, plan.config.step, stride))
        parts["row"].append(rows[use])
        parts["col"].append(cols[use])
        for name in names:
            parts[name].append(layers[name][at][use].astype(np.float64))
    columns = {name: np.concatenate(values) for name, values in parts.items()}
    order = np.lexsort((columns["col"], columns["row"]))
    return {name: values[order] for name, values in columns.items()}


def _stripes(plan: PairPlan, store: TileStore, registration: Registration) -> Stripes:
    sample = _sample(plan, store, _LINE_SAMPLES)
    off_x, off_y = registration.at(sample["row"], sample["col"])
    return estimate_stripes(
        sample["row"], sample["col"], sample["dx"] - off_x, sample["dy"] - off_y,
        track_angle=plan.config.clean.track_angle,
    )  # fmt: skip


def _blocks(
    plan: PairPlan, store: TileStore, registration: Registration, stripes: Stripes | None
) -> Iterator[tuple[Box, dict[str, np.ndarray]]]:
    """Boxes of the map with their layers in metres, corrected.

    The error of the misregistration is part of the sigmas beside the ground known to be stable; that of the ground it
    was estimated from is taken away with it.
    """
    size_x, size_y = abs(plan.step.pre.grid.affine.a), abs(plan.step.pre.grid.affine.e)
    for tile in plan.tiles:
        layers = store.read(tile.index)
        dx, dy, dx_sigma, dy_sigma = (layers[name] for name in ("dx", "dy", "dx_sigma", "dy_sigma"))
        if "stable" in layers:
            off_x, off_y = (
                ~layers["stable"] * each for each in registration.sigma(*_positions(tile.box, plan.config.step))
            )
            dx_sigma, dy_sigma = np.hypot(dx_sigma, off_x), np.hypot(dy_sigma, off_y)
        for correction in (registration, stripes):
            if correction is not None:
                off_x, off_y = correction.at(*_positions(tile.box, plan.config.step))
                dx, dy = dx - off_x, dy - off_y
        yield (
            tile.box,
            {
                "east": (size_x * dx).astype(np.float32),
                "north": (-size_y * dy).astype(np.float32),
                "east_sigma": (size_x * dx_sigma).astype(np.float32),
                "north_sigma": (size_y * dy_sigma).astype(np.float32),
                "quality": layers["quality"],
                "reason": layers["reason"],
            },
        )


def _in_memory(plan: PairPlan, blocks: Iterator[tuple[Box, dict[str, np.ndarray]]]) -> xr.Dataset:
    shape = tuple(plan.grid.shape)
    layers: dict[str, np.ndarray] = {}
    for box, block in blocks:
        for name, values in block.items():
            layers.setdefault(name, np.empty(shape, values.dtype))[box.slices] = values
    return displacement_map(layers, plan.grid, plan.attributes)


def _written(
    out: Path,
    plan: PairPlan,
    blocks: Iterator[tuple[Box, dict[str, np.ndarray]]],
    registration: Registration,
    stripes: Stripes | None,
) -> xr.Dataset:
    """Write map, picture and record, in this order; returns the map."""
    reasons: Counter[int] = Counter()

    def counted() -> Iterator[tuple[Box, Mapping[str, np.ndarray]]]:
        for box, block in blocks:
            reasons.update(dict(zip(*np.unique(block["reason"], return_counts=True), strict=True)))
            yield box, block

    write_map(out / MAP_NAME, plan.grid, counted(), attributes=plan.attributes)
    dataset = read_map(out / MAP_NAME)
    save_figure(quicklook(dataset), out / PICTURE_NAME)
    total = reasons.total()
    write_json(
        out / RECORD_NAME,
        {
            **plan.attributes,
            "made_from": plan.record,
            "log": list(plan.log),
            "shift_pixels": plan.step.shift._asdict(),
            "windows_that_fit": plan.related.record(),
            "registration": registration.record(),
            "stripes": stripes.record() if stripes is not None else None,
            "coverage_percent": round(100 * reasons[Reason.VALID] / total, 3),
            "invalid_percent": {
                Reason(code).meaning: round(100 * n / total, 3) for code, n in sorted(reasons.items()) if code
            },
        },
    )
    return dataset
