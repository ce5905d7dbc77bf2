"""Two optical images in, a displacement map out: the road from end to end."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from groundshift import __version__
from groundshift.engine import run_key
from groundshift.errors import ConfigurationError, InputError
from groundshift.figures.quicklook import quicklook
from groundshift.figures.style import save_figure
from groundshift.grid.tiles import Box
from groundshift.io import read_map, write_json, write_map
from groundshift.io.images.open import Source
from groundshift.model.displacement import displacement_map
from groundshift.model.reason import Reason
from groundshift.optical.bands import Layers, together
from groundshift.optical.config import PairConfig
from groundshift.optical.one_band import MeasuredBand, measured_band, tile_store
from groundshift.optical.plan import PairPlan, opened, planned
from groundshift.optical.registry import resolved

if TYPE_CHECKING:
    from distributed import Client

MAP_NAME, RECORD_NAME, PICTURE_NAME = "displacement.tif", "record.json", "quicklook.png"


def measure_pair(
    pre: Source | np.ndarray,
    post: Source | np.ndarray,
    *,
    config: PairConfig | None = None,
    out: str | Path | None = None,
    band: int | str | Sequence[int | str] | None = None,
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
        Which band, the CRS of images that have none, and the value without data. Of several bands, as `["B04", "B08"]`,
        each is measured by itself, and the map is the mean of what they say, weighed by their sigmas; the time is that
        of all together.
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
    names = [band] if band is None or isinstance(band, int | str) else list(band)
    if not names:
        raise ConfigurationError("band is an empty list; give one band or more, or leave it out")
    opening = {"resolution": resolution, "crs": crs, "nodata": nodata}
    chosen = {"area": area, "mask": mask, "stable": stable, "dates": dates}
    plans = _on_one_grid(
        planned(*(opened(each, band=name, **opening) for each in (pre, post)), config, band=name, **chosen)
        for name in names
    )
    with contextlib.ExitStack() as held:
        bands: list[MeasuredBand] = []
        for plan in plans:
            store = tile_store(plan, out)
            held.enter_context(store.lock())
            first = bands[0] if bands else None
            bands.append(measured_band(plan, store, first=first, out=out, executor=executor, workers=workers))
        if out is None:
            return _in_memory(bands)
        dataset = _written(Path(out), bands)
        for each in bands:
            each.clear()
    return dataset


def _on_one_grid(plans: Iterable[PairPlan]) -> list[PairPlan]:
    """The plans of all bands, whose maps must have the same cells."""
    first, *others = plans
    if len({each.key for each in (first, *others)}) <= len(others):
        names = ", ".join(str(each.band) for each in (first, *others))
        raise ConfigurationError(f"bands {names} are not all different; give each once")
    for each in others:
        if each.grid != first.grid:
            raise InputError(f"bands {first.band} and {each.band} have {_cells(first)} and {_cells(each)} in the map; "
                             "give bands of one resolution and extent")  # fmt: skip
    return [first, *others]


def _cells(plan: PairPlan) -> str:
    size = plan.grid.resolution
    return f"{plan.grid.shape.y} x {plan.grid.shape.x} cells of {size.x:g} x {abs(size.y):g}"


def _attributes(bands: Sequence[MeasuredBand]) -> dict[str, Any]:
    """Attributes of the map: those of its only band, or of the first with what names all."""
    first, *others = (each.plan for each in bands)
    if not others:
        return first.attributes
    keys, names = ([getattr(each.plan, name) for each in bands] for name in ("key", "band"))
    both = {"bands": ", ".join(names), "configuration_hash": run_key((), {"bands": keys}, __version__)}
    for name in ("source_pre", "source_post"):
        both[name] = ", ".join(dict.fromkeys(each.plan.attributes[name] for each in bands))
    return {**first.attributes, **both}


def _blocks(bands: Sequence[MeasuredBand]) -> Iterator[tuple[Box, Layers]]:
    """Boxes of the map with their layers in metres, of all bands together."""
    for parts in zip(*(each.blocks() for each in bands), strict=True):
        yield parts[0][0], together([layers for _, layers in parts])


def _in_memory(bands: Sequence[MeasuredBand]) -> xr.Dataset:
    grid = bands[0].plan.grid
    layers: Layers = {}
    for box, block in _blocks(bands):
        for name, values in block.items():
            layers.setdefault(name, np.empty(tuple(grid.shape), values.dtype))[box.slices] = values
    return displacement_map(layers, grid, _attributes(bands))


def _written(out: Path, bands: Sequence[MeasuredBand]) -> xr.Dataset:
    """Write map, picture and record, in this order; returns the map."""
    reasons: Counter[int] = Counter()

    def counted() -> Iterator[tuple[Box, Mapping[str, np.ndarray]]]:
        for box, block in _blocks(bands):
            reasons.update(dict(zip(*np.unique(block["reason"], return_counts=True), strict=True)))
            yield box, block

    attributes = _attributes(bands)
    write_map(out / MAP_NAME, bands[0].plan.grid, counted(), attributes=attributes)
    dataset = read_map(out / MAP_NAME)
    save_figure(quicklook(dataset), out / PICTURE_NAME)
    total = reasons.total()
    write_json(
        out / RECORD_NAME,
        {
            **attributes,
            "bands": [each.record() for each in bands],
            "coverage_percent": round(100 * reasons[Reason.VALID] / total, 3),
            "invalid_percent": {
                Reason(code).meaning: round(100 * n / total, 3) for code, n in sorted(reasons.items()) if code
            },
        },
    )
    return dataset
