"""One band of a pair: measured tile by tile, cleaned, and freed of its misregistration."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from odc.geo.geobox import GeoBox

from groundshift.engine import FolderStore, MemoryStore, TileStore, run
from groundshift.grid.tiles import Box
from groundshift.model.displacement import decimals
from groundshift.model.reason import Reason
from groundshift.optical.bands import Layers
from groundshift.optical.clean import CleanTile, Stripes, cleans, estimate_stripes
from groundshift.optical.plan import PairPlan, alike_pixels
from groundshift.optical.registration import ENOUGH, Registration, fit_registration

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

_SAMPLES, _LINE_SAMPLES = 40_000, 400_000  # nodes, at the most, that tell misregistration, and stripes
_NEAR, _CLEAR, _SOME = 0.8, 5.0, 0.002  # of the largest displacement; sigmas; share of the measurements
_SHARED = 0.2  # of the largest displacement: neighbours that differ by less move together


class Measurements(NamedTuple):
    """Nodes of a map that were measured, as columns (n,), in order of row and column."""

    rows: np.ndarray  # pixels of the images
    cols: np.ndarray
    dx: np.ndarray  # to the right, pixels
    dy: np.ndarray  # down
    dx_sigma: np.ndarray
    dy_sigma: np.ndarray


@dataclass(frozen=True)
class MeasuredBand:
    """A band whose tiles are finished, and what is to be taken away from them."""

    plan: PairPlan
    stores: tuple[TileStore, ...]  # of tiles as they were measured and, if asked for, as they were cleaned
    sample: Measurements
    registrations: tuple[Registration, ...]  # of the pair; of a further band against the first, besides
    stripes: Stripes | None

    def blocks(self) -> Iterator[tuple[Box, Layers]]:
        """Boxes of the map with their layers in metres, corrected.

        The error of the misregistration is part of the sigmas beside the ground known to be stable; that of the ground
        it was estimated from is taken away with it.
        """
        for tile in self.plan.tiles:
            yield tile.box, self._corrected(self.stores[-1].read(tile.index), tile.box)

    def _corrected(self, layers: Layers, box: Box) -> Layers:
        affine = self.plan.step.pre.grid.affine
        size_x, size_y = abs(affine.a), abs(affine.e)
        dx, dy, dx_sigma, dy_sigma = (layers[name] for name in ("dx", "dy", "dx_sigma", "dy_sigma"))
        places = _positions(box, self.plan.config.step)
        if "stable" in layers:
            for each in self.registrations:
                off_x, off_y = (~layers["stable"] * sigma for sigma in each.sigma(*places))
                dx_sigma, dy_sigma = np.hypot(dx_sigma, off_x), np.hypot(dy_sigma, off_y)
        for correction in (*self.registrations, *([] if self.stripes is None else [self.stripes])):
            off_x, off_y = correction.at(*places)
            dx, dy = dx - off_x, dy - off_y
        return {
            "east": (size_x * dx).astype(np.float32),
            "north": (-size_y * dy).astype(np.float32),
            "east_sigma": (size_x * dx_sigma).astype(np.float32),
            "north_sigma": (size_y * dy_sigma).astype(np.float32),
            "quality": layers["quality"],
            "reason": layers["reason"],
        }

    def record(self) -> dict[str, Any]:
        """What it was made from and what was done to it, for JSON."""
        return {
            "band": self.plan.band,
            "made_from": self.plan.record,
            "log": list(self.plan.log),
            "shift_pixels": self.plan.step.shift._asdict(),
            "windows_that_fit": self.plan.related.record(),
            "registration": self.registrations[0].record(),
            "registration_to_first_band": self.registrations[1].record() if len(self.registrations) > 1 else None,
            "stripes": self.stripes.record() if self.stripes is not None else None,
        }

    def clear(self) -> None:
        """Forget the tiles."""
        for store in reversed(self.stores):
            store.clear()


def tile_store(plan: PairPlan, out: str | Path | None, *, suffix: str = "") -> TileStore:
    """Where the tiles of a band are kept: in memory, or under `out` so that an interrupted run goes on."""
    return MemoryStore() if out is None else FolderStore(Path(out) / ".tiles", plan.key + suffix, record=plan.record)


def measured_band(
    plan: PairPlan,
    store: TileStore,
    *,
    first: MeasuredBand | None,
    out: str | Path | None,
    executor: str | Client | None,
    workers: int | None,
) -> MeasuredBand:
    """Measure, clean and align a band; those tiles are not measured again that `store`, whose lock is held, has.

    A further band is aligned to the first, in whose difference there is no motion, and with it to the ground.
    """
    config = plan.config
    executor = executor or ("processes" if len(plan.tiles) > 1 else "serial")
    label = "measuring" if plan.band is None else f"measuring band {plan.band}"
    run(plan.step, plan.tiles, store=store, executor=executor, workers=workers, label=label)
    stores = (store, _cleaned(plan, store, out, workers)) if cleans(config.clean) else (store,)
    sample = _sample(plan, stores[-1], _SAMPLES)
    registrations = _registrations(plan, sample, first)
    if hint := _near_limit(sample, plan):
        log.warning("%s", hint)
    stripes = _stripes(plan, stores[-1], registrations) if config.clean.destripe else None
    return MeasuredBand(plan, stores, sample, registrations, stripes)


def _registrations(plan: PairPlan, sample: Measurements, first: MeasuredBand | None) -> tuple[Registration, ...]:
    def fitted(measured: Measurements) -> Registration:
        return fit_registration(*measured, kind=plan.config.registration, alike=alike_pixels(plan.config))

    grid = plan.step.pre.grid
    both = None if first is None else _difference(sample, first.sample)
    if both is None or len(both.rows) < ENOUGH:
        own = fitted(sample)
        log.info("%s", _removed(own, grid))
        return (own,)
    between = fitted(both)
    log.info("band %s against band %s: %s", plan.band, first.plan.band, _removed(between, grid))
    return first.registrations[0], between


def _difference(one: Measurements, other: Measurements) -> Measurements:
    """What two bands say of the nodes that both measured, the one less the other."""
    places = (each.rows * 1j + each.cols for each in (one, other))
    _, *at = np.intersect1d(*places, assume_unique=True, return_indices=True)
    a, b = (Measurements(*(column[index] for column in each)) for each, index in zip((one, other), at, strict=True))
    sigmas = np.hypot(a.dx_sigma, b.dx_sigma), np.hypot(a.dy_sigma, b.dy_sigma)
    return Measurements(a.rows, a.cols, a.dx - b.dx, a.dy - b.dy, *sigmas)


def _cleaned(plan: PairPlan, measured: TileStore, out: str | Path | None, workers: int | None) -> TileStore:
    store = tile_store(plan, out, suffix="-cleaned")
    step = CleanTile(measured, plan.tiles, plan.config.clean)
    run(step, plan.tiles, store=store, executor="threads", workers=workers, label="cleaning")
    return store


def _removed(registration: Registration, grid: GeoBox) -> str:
    """In words and metres, by how much the second image, or a band, is off: what is not in the map."""
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


def _near_limit(sample: Measurements, plan: PairPlan) -> str:
    """A hint, if clear displacements come so near the largest one looked for that others may lie beyond it.

    They count where neighbours whose windows share no pixel have them too: wrong matches are of any size, but alone.
    """
    limit = plan.config.max_displacement
    size = np.hypot(sample.dx - plan.step.shift.dx, sample.dy - plan.step.shift.dy)
    clear = size > _CLEAR * np.hypot(sample.dx_sigma, sample.dy_sigma)
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
    sample: Measurements, chosen: np.ndarray, apart: float, within: float, spacing: int
) -> np.ndarray:
    """Whether two or more of the four neighbours of each chosen node, `apart` pixels away, differ by less."""
    lag = max(1, round(apart / spacing))
    row, col = (((each - each.min(initial=np.inf)) // spacing).astype(int) + lag for each in (sample.rows, sample.cols))
    planes = np.full((2, row.max(initial=0) + lag + 1, col.max(initial=0) + lag + 1), np.nan)
    planes[:, row, col] = sample.dx, sample.dy
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


def _sample(plan: PairPlan, store: TileStore, most: int) -> Measurements:
    """Valid (and stable, if known) nodes on a sublattice of the map; the same however it is tiled."""
    stride = _stride(plan, most)
    parts = []
    for tile in plan.tiles:
        layers = store.read(tile.index)
        at = tuple(slice(-start % stride, None, stride) for start in (tile.box.top, tile.box.left))
        use = layers["reason"][at] == Reason.VALID
        if "stable" in layers:
            use &= layers["stable"][at]
        places = np.broadcast_arrays(*_positions(tile.box, plan.config.step, stride))
        measured = (layers[name][at].astype(np.float64) for name in Measurements._fields[2:])
        parts.append([each[use] for each in (*places, *measured)])
    columns = [np.concatenate(each) for each in zip(*parts, strict=True)]
    order = np.lexsort((columns[1], columns[0]))
    return Measurements(*(each[order] for each in columns))


def _stripes(plan: PairPlan, store: TileStore, registrations: tuple[Registration, ...]) -> Stripes:
    sample = _sample(plan, store, _LINE_SAMPLES)
    dx, dy = sample.dx, sample.dy
    for each in registrations:
        off_x, off_y = each.at(sample.rows, sample.cols)
        dx, dy = dx - off_x, dy - off_y
    return estimate_stripes(sample.rows, sample.cols, dx, dy, track_angle=plan.config.clean.track_angle)
