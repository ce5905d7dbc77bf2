"""From a folder of unwrapped interferograms to points: the second way into the *Basic* product.

Phases are taken against a reference, checked for whole cycles around triplets of dates, and inverted pixel by pixel.
Tiles are read, inverted and written one after the other; only maps of a few numbers a pixel are in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyproj import Geod, Transformer

from groundshift.engine.progress import Report, reporting
from groundshift.errors import InputError
from groundshift.figures.interferogram import InversionView, inversion_figure
from groundshift.figures.style import save_figure
from groundshift.grid.tiles import Box, tile_plan
from groundshift.insar.interferograms.inversion import Inversion, closure, invert_network, suspects
from groundshift.insar.interferograms.survey import (
    InvertConfig,
    Looks,
    Survey,
    coherence_weights,
    mean_coherence,
    point_fields,
    survey,
)
from groundshift.insar.points import track_angle
from groundshift.io.files import write_json
from groundshift.io.interferograms import Interferograms, open_interferograms
from groundshift.io.points import write_points
from groundshift.kernels.point_codes import base62
from groundshift.model.points import point_set

log = logging.getLogger(__name__)

POINTS_NAME, PICTURE_NAME, REPORT_NAME = "points.parquet", "quicklook.png", "report.json"

_VALUES = 2_000_000  # phases in a tile, about
_DISTRIBUTED = 1  # type of a point: the mean of many scatterers


class InvertResult(NamedTuple):
    """What an inversion found, on the grid of the interferograms."""

    velocity: np.ndarray  # float32 (y, x), mm/yr toward the satellite; NaN where there is no point
    open_share: np.ndarray  # float32 (y, x): share of the pixel's triplets that do not close
    rms: np.ndarray  # float32 (y, x), mm: of the residuals of the interferograms
    points: int
    report: dict[str, Any]


def invert_interferograms(
    path: str | Path, out: str | Path, config: InvertConfig | None = None, *, report: Report | None = None
) -> InvertResult:
    """Invert a folder of interferograms; writes `points.parquet`, `quicklook.png` and `report.json` to `out`.

    Parameters
    ----------
    path
        As of :func:`~groundshift.io.interferograms.open_interferograms`.
    out
        Folder for the results.
    config
        The options.
    report
        Called with the numbers of tiles done and of all.

    Raises
    ------
    InputError
        If dates, sizes or look vectors do not do, or no pixel is coherent.
    """
    config, out = config or InvertConfig(), Path(out)
    network = open_interferograms(path, wavelength=config.wavelength)
    looks = Looks(network, config)
    run = _Run(network, config, looks, survey(network, config))
    tiles = tile_plan(tuple(network.grid.shape), int(np.clip(np.sqrt(_VALUES / len(network.pairs)), 32, 512)))
    with reporting("invert", report, done=0, total=len(tiles)) as said:
        write_points(out / POINTS_NAME, _tables(run, [tile.box for tile in tiles], said))
    if not run.points:
        raise InputError(f"{path}: no pixel is left; lower min_coherence ({config.min_coherence}) or raise max_open")
    numbers = run.numbers()
    write_json(out / REPORT_NAME, {"folder": Path(path).name, **numbers})
    save_figure(inversion_figure(run.view()), out / PICTURE_NAME)
    return InvertResult(run.velocity, run.open_share, run.rms, run.points, numbers)


class _Run:
    """What is gathered tile by tile."""

    def __init__(self, network: Interferograms, config: InvertConfig, looks: Looks, found: Survey) -> None:
        self.network, self.config, self.looks, self.survey = network, config, looks, found
        self.days = network.dates.astype(np.float64)
        self.groups = len(np.unique(_groups(network.pairs, len(network.dates))))
        if self.groups > 1:
            log.warning("no interferogram joins %d groups of dates; motion between them is a guess", self.groups)
        shape = tuple(network.grid.shape)
        self.velocity, self.open_share, self.rms = (np.full(shape, np.nan, np.float32) for _ in range(3))
        self.points = self.suspects = 0
        self.squares, self.count, self.open_sums, self.sums = (np.zeros(len(network.pairs)) for _ in range(4))
        self.misclosure: list[np.ndarray] = []
        self.series: list[np.ndarray] = []
        self.sigma: list[np.ndarray] = []
        self.crs = config.crs or _metric(network)
        self.provenance = {
            "source": network.path.name, "interferograms": len(network.pairs), "software":
            f"groundshift {version('groundshift')}", "config": config.model_dump(mode="json"),
        }  # fmt: skip

    @property
    def millimetres(self) -> float:
        """Per radian, toward the satellite."""
        return -1000 * self.network.wavelength / (4 * np.pi)

    def invert(self, box: Box) -> tuple[np.ndarray, Inversion]:
        """Invert a tile: which of its pixels are points, bool (y, x), and their series."""
        phase, coherence = self.network.read(box)
        phase = (phase - self.survey.offsets[:, None, None]).reshape(len(phase), -1)
        weights = np.ones_like(phase) if coherence is None else coherence_weights(coherence.reshape(phase.shape))
        good = np.isfinite(phase).any(axis=0)
        if coherence is not None:
            good &= mean_coherence(coherence.reshape(phase.shape)) >= self.config.min_coherence
        good &= np.isfinite(self.looks.at(box)).all(axis=0).ravel()
        phase, weights = phase[:, good], np.where(np.isfinite(weights[:, good]), weights[:, good], 0)
        rows, columns = (each.ravel()[good] for each in np.mgrid[box.slices])
        expected = self.survey.trends @ np.stack([np.ones(good.sum()), rows, columns])
        closed = closure(phase, self.network.pairs, len(self.days), expected=expected)
        self._count(closed, phase)
        wrong = closed.wrong
        if self.config.leave_out_suspects and len(closed.triplets) and (out := suspects(closed, len(phase))).any():
            self.suspects += int((out & np.isfinite(phase)).sum())
            phase = np.where(out, np.nan, phase)
            wrong = closure(phase, self.network.pairs, len(self.days), expected=expected).wrong
        found = invert_network(self.millimetres * phase, self.network.pairs, self.days, weights=weights)
        kept = (found.subsets == self.groups) & ~(wrong > self.config.max_open)
        self._residuals(found, phase, kept)
        chosen = np.zeros(box.shape, bool)
        chosen.ravel()[np.flatnonzero(good)[kept]] = True
        share = np.full(good.shape, np.nan, np.float32)
        share[good] = closed.wrong
        self.open_share[box.slices] = share.reshape(box.shape)
        part = Inversion(*(each[..., kept] for each in found))
        self.rms[box.slices][chosen] = part.rms
        return chosen, part

    def _count(self, closed: Any, phase: np.ndarray) -> None:
        for triplet, cycles in zip(closed.triplets, closed.cycles, strict=True):
            here = np.isfinite(phase[triplet]).all(axis=0)
            self.sums[triplet] += here.sum()
            self.open_sums[triplet] += np.count_nonzero(cycles)
        self.misclosure.append(closed.residual)

    def _residuals(self, found: Inversion, phase: np.ndarray, kept: np.ndarray) -> None:
        first, second = self.network.pairs.T
        rest = self.millimetres * phase[:, kept] - (found.displacement[second] - found.displacement[first])[:, kept]
        self.squares += np.nansum(rest**2, axis=1)
        self.count += np.isfinite(rest).sum(axis=1)

    def numbers(self) -> dict[str, Any]:
        """The report."""
        network, velocity = self.network, self.velocity[np.isfinite(self.velocity)]
        names = [f"{network.dates[a]} {network.dates[b]}" for a, b in network.pairs]
        with np.errstate(invalid="ignore"):
            open_by, rms_by = self.open_sums / self.sums, np.sqrt(self.squares / self.count)
        return {
            "interferograms": len(network.pairs),
            "dates": len(network.dates),
            "first_date": network.dates[0],
            "last_date": network.dates[-1],
            "groups_of_dates": self.groups,
            "pixels": int(np.prod(network.grid.shape)),
            "points": self.points,
            "velocity_mm_per_year": dict(zip(("p1", "p25", "median", "p75", "p99"),
                                             np.percentile(velocity, [1, 25, 50, 75, 99]), strict=True)),
            "closure": {
                "triplet_sums": int(self.sums.sum() / 3),
                "open_share": float(self.open_sums.sum() / max(self.sums.sum(), 1)),
                "misclosure_rms_radians": _root_mean_square(np.concatenate(self.misclosure)),
                "largest_ramp_radians": self._ramp(),
                "left_out": self.suspects,
                "by_interferogram": dict(zip(names, open_by, strict=True)),
            },
            "residual_rms_mm": {
                "all": float(np.sqrt(self.squares.sum() / max(self.count.sum(), 1))),
                "median_of_points": float(np.nanmedian(self.rms)),
                "by_interferogram": dict(zip(names, rms_by, strict=True)),
            },
            "median_sigma_of_last_date_mm": float(np.nanmedian(np.concatenate(self.sigma))),
            "reference": "all coherent ground" if self.config.reference is None else self.config.reference,
            "wavelength_m": network.wavelength,
            "config": self.config.model_dump(mode="json"),
            "software": self.provenance["software"],
        }  # fmt: skip

    def _ramp(self) -> float:
        """Largest change over the grid of the sum around a triplet, radians."""
        if not len(self.survey.trends):
            return 0.0
        return float((np.abs(self.survey.trends[:, 1:]) @ np.array(self.network.grid.shape)).max())

    def view(self) -> InversionView:
        """What is drawn."""
        return InversionView(
            self.velocity, self.open_share, self.rms, self.network.dates, np.array(self.series), self.network.pairs,
            _pixel(self.network),
        )  # fmt: skip


def _tables(run: _Run, boxes: list[Box], said: Report) -> Iterator[pa.Table]:
    for number, box in enumerate(boxes):
        chosen, part = run.invert(box)
        rows, columns = (each + start for each, start in zip(np.nonzero(chosen), (box.top, box.left), strict=True))
        series = part.displacement.T.astype(np.float64)
        fields = point_fields(series, run.days, 1000 * run.network.wavelength)
        run.velocity[rows, columns] = fields["mean_velocity"]
        run.points += len(rows)
        run.sigma.append(part.sigma[-1])
        if len(rows):
            order = np.argsort(fields["mean_velocity"])
            run.series += [series[order[0]], series[order[-1]]]
        yield _points(run, rows, columns, run.looks.at(box)[:, chosen], series, fields)
        said(number + 1, len(boxes))


def _points(
    run: _Run,
    rows: np.ndarray,
    columns: np.ndarray,
    look: np.ndarray,
    series: np.ndarray,
    fields: dict[str, np.ndarray],
) -> pa.Table:
    grid = run.network.grid
    x, y = (np.asarray(each) for each in grid.affine @ np.stack([columns + 0.5, rows + 0.5]))
    longitude, latitude = Transformer.from_crs(grid.crs.proj, "EPSG:4326", always_xy=True).transform(x, y)
    easting, northing = Transformer.from_crs(grid.crs.proj, run.crs, always_xy=True).transform(x, y)
    track = run.config.track or run.network.track
    return point_set(
        {
            "pid": np.char.add("0", base62(rows * grid.shape.x + columns, 9)),
            "cluster_label": np.zeros(len(rows), np.int32),
            "mp_type": np.full(len(rows), _DISTRIBUTED, np.int32),
            "latitude": latitude,
            "longitude": longitude,
            "easting": easting,
            "northing": northing,
            "line": rows,
            "pixel": columns,
            "incidence_angle": np.degrees(np.arccos(np.clip(look[2], -1, 1))),
            "track_angle": track_angle(look[0], look[1]),
            **dict(zip(("los_east", "los_north", "los_up"), look, strict=True)),
            **fields,
            "displacement": series,
        },
        level="L2a",
        dates=run.network.dates,
        crs=run.crs,
        track=track,
        provenance=run.provenance,
    )


def _groups(pairs: np.ndarray, dates: int) -> np.ndarray:
    """Group of each date that interferograms join, int (dates,)."""
    group = np.arange(dates)
    for first, second in pairs:
        group[group == group[second]] = group[first]
    return group


def _metric(network: Interferograms) -> str:
    crs = network.grid.crs
    if crs.projected:
        return f"EPSG:{crs.epsg}" if crs.epsg else crs.wkt
    bounds = network.grid.boundingbox
    longitude, latitude = (bounds.left + bounds.right) / 2, (bounds.bottom + bounds.top) / 2
    return f"EPSG:{(32600 if latitude >= 0 else 32700) + int((longitude + 180) // 6) % 60 + 1}"


def _pixel(network: Interferograms) -> tuple[float, float]:
    """Height and width of a pixel on the ground, m."""
    affine, bounds = network.grid.affine, network.grid.boundingbox
    if network.grid.crs.projected:
        return abs(affine.e), abs(affine.a)
    middle = (bounds.left + bounds.right) / 2, (bounds.bottom + bounds.top) / 2
    geod = Geod(ellps="WGS84")
    ends = (middle[0], middle[1] + abs(affine.e)), (middle[0] + abs(affine.a), middle[1])
    return tuple(float(geod.inv(*middle, *each)[2]) for each in ends)


def _root_mean_square(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(values**2))) if values.size else float("nan")
