"""What is decided before a pair is measured: grid, tiles, the shift that is undone, and the key that names the run."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from groundshift import __version__
from groundshift.engine import run_key, run_record
from groundshift.errors import ConfigurationError
from groundshift.grid.common import common_grid, extent_on
from groundshift.grid.metric import grid_record
from groundshift.grid.tiles import Box, Tile, tile_plan
from groundshift.io import AlignedImage, open_array, open_image, read_area, read_mask
from groundshift.io.dates import given_dates
from groundshift.io.images.open import Source
from groundshift.io.images.pixels import Image
from groundshift.optical.clean import smoothed_alike
from groundshift.optical.config import PairConfig
from groundshift.optical.coregister import Shift, coarse_shift
from groundshift.optical.measure import MeasureTile
from groundshift.optical.network import CARD, WEIGHTS
from groundshift.optical.registry import METHODS
from groundshift.optical.related import Related, related

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PairPlan:
    """All that is decided before measuring."""

    step: MeasureTile
    grid: GeoBox  # of the map
    tiles: list[Tile]
    key: str  # of the run: the same for the same inputs, configuration and software
    record: dict[str, Any]
    attributes: dict[str, Any]  # of the map
    log: tuple[str, ...]
    related: Related
    band: str | None  # as it was asked for

    @property
    def config(self) -> PairConfig:
        """How to measure."""
        return self.step.config


def opened(source: Source | np.ndarray, *, resolution: float | None, band: int | str | None, **opening: Any) -> Image:
    """An image from what names it, or from a plain array with pixels of `resolution` metres, 1 if not given.

    `opening` are `crs` and `nodata` of :func:`groundshift.io.open_image`, which also says what is raised.
    """
    if isinstance(source, np.ndarray) and band is None:
        return open_array(source, resolution=1.0 if resolution is None else resolution, nodata=opening["nodata"])
    return open_image(source, resolution=resolution, band=band, **opening)


def planned(
    pre: Image,
    post: Image,
    config: PairConfig,
    *,
    band: int | str | None,
    area: str | Path | None,
    mask: str | Path | None,
    stable: str | Path | None,
    dates: str | None,
) -> PairPlan:
    """What to measure of two images, and how; the arguments are those of :func:`groundshift.measure_pair`."""
    days = given_dates(dates) if dates else (_day(pre), _day(post))
    common = common_grid(pre.grid, post.grid, area=read_area(area) if area is not None else None)
    first, second = AlignedImage(pre, common.grid), AlignedImage(post, common.grid)
    lines = (*common.log, first.describe(), second.describe())
    for line in lines:
        log.info("%s", line)
    if all(days) and days[1] < days[0]:
        log.warning("%s is later than %s; to measure what happened between them, swap the two", pre.name, post.name)
    masks = [read_mask(path, common.grid) if path is not None else None for path in (mask, stable)]
    shift = coarse_shift(first, second)
    fit = related(first, second, shift, max_displacement=config.max_displacement)
    if fit.unrelated:
        log.warning(
            "within %g pixels, only %d of %d windows of %s fit %s better in their own place than elsewhere, as by "
            "chance: what is measured means nothing; give images of the same ground, in the same place, without clouds",
            config.max_displacement, fit.fitting, fit.windows, pre.name, post.name,
        )  # fmt: skip
    step = MeasureTile(first, second, shift, _extent(pre.grid, post.grid, common.grid, shift), config, *masks)
    grid = _map_grid(common.grid, config.step)
    inputs = [path for each in masks if each is not None for path in each.inputs]
    if config.weights is not None:
        inputs += [Path(config.weights) / name for name in (WEIGHTS, CARD)]
    decided = {
        "config": config.model_dump(),
        "images": [first.fingerprint(), second.fingerprint()],
        "grid": grid_record(common.grid),
        "shift": list(step.shift),
        "masks": [each is not None for each in masks],
    }
    key = run_key(inputs, decided, __version__)
    attributes = {
        "date_pre": days[0], "date_post": days[1], "method": config.method,
        "source_pre": pre.name, "source_post": post.name,
        "software": f"groundshift {__version__}", "configuration_hash": key,
    }  # fmt: skip
    attributes["errors_alike_m"] = alike_pixels(config) * common.grid.resolution.x
    tiles = tile_plan(tuple(grid.shape), max(1, config.tile // config.step))
    label = None if band is None else str(band)
    return PairPlan(step, grid, tiles, key, run_record(inputs, decided, __version__), attributes, lines, fit, label)


def alike_pixels(config: PairConfig) -> float:
    """Side of the squares over which the errors of a map count as one, pixels of the images."""
    return smoothed_alike(METHODS[config.method].alike or config.window, config.clean, config.step or 1)


def _extent(pre: GeoBox, post: GeoBox, grid: GeoBox, shift: Shift) -> Box:
    """The smallest box of the common grid that holds both images, the second as it is read."""
    boxes = extent_on(pre, grid), extent_on(post, grid).shifted(-shift.dy, -shift.dx)
    top, left, bottom, right = zip(*boxes, strict=True)
    return Box(min(top), min(left), max(bottom), max(right))


def _map_grid(grid: GeoBox, step: int) -> GeoBox:
    """The grid of nodes: cells of step × step pixels; rows and columns that do not fill a cell are left out."""
    shape = (grid.shape.y // step, grid.shape.x // step)
    if min(shape) < 1:
        raise ConfigurationError(
            f"the common grid of {grid.shape.y} x {grid.shape.x} pixels is smaller than a step of {step}; give less"
        )
    return GeoBox(shape, grid.affine @ Affine.scale(step), grid.crs)


def _day(image: Image) -> str:
    return "" if np.isnat(image.date) else str(image.date)
