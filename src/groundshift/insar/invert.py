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
from groundshift.insar.interferogram_air import estimate_air
from groundshift.insar.interferograms.inversion import Inversion
from groundshift.insar.interferograms.sigmas import total_sigmas
from groundshift.insar.interferograms.solve import Solved, solve_box
from groundshift.insar.interferograms.survey import InvertConfig, Looks, point_fields, survey
from groundshift.insar.points import track_angle
from groundshift.io.files import write_json
from groundshift.io.interferograms import Interferograms, open_interferograms
from groundshift.io.points import write_points
from groundshift.kernels.point_codes import base62
from groundshift.model.longitude import within_180
from groundshift.model.points import point_set

log = logging.getLogger(__name__)

POINTS_NAME, PICTURE_NAME, REPORT_NAME = "points.parquet", "quicklook.png", "report.json"

_VALUES = 2_000_000  # phases in a tile, about
_DISTRIBUTED = 1  # type of a point: the mean of many scatterers


class InvertResult(NamedTuple):
    """What an inversion found, on the grid of the interferograms."""

    velocity: np.ndarray  # float32 (y, x), mm/yr toward the satellite; NaN where there is no point
    sigma: np.ndarray  # float32 (y, x), mm: standard deviation of the displacement from the first to the last date
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
    side = int(np.clip(np.sqrt(_VALUES / len(network.pairs)), 32, 512))
    run = _Run(network, config, [tile.box for tile in tile_plan(tuple(network.grid.shape), side)])
    with reporting("invert", report, done=0, total=len(run.boxes)) as said:
        write_points(out / POINTS_NAME, _tables(run, said))
    numbers = run.numbers()
    write_json(out / REPORT_NAME, {"folder": Path(path).name, **numbers})
    save_figure(inversion_figure(run.view()), out / PICTURE_NAME)
    return InvertResult(run.velocity, run.sigma, run.open_share, run.rms, run.points, numbers)


class _Run:
    """What is gathered tile by tile."""

    def __init__(self, network: Interferograms, config: InvertConfig, boxes: list[Box]) -> None:
        self.network, self.config, self.looks, self.boxes = network, config, Looks(network, config), boxes
        self.survey = found = survey(network, config)
        self.pixel = _pixel(network)
        self.days = network.dates.astype(np.float64)
        if found.groups > 1:
            log.warning("no interferogram joins %d groups of dates; motion between them is a guess", found.groups)
        shape = tuple(network.grid.shape)
        self.velocity, self.sigma, self.open_share, self.rms = (np.full(shape, np.nan, np.float32) for _ in range(4))
        self.points = self.suspects = 0
        self.squares, self.count, self.open_sums, self.sums = (np.zeros(len(network.pairs)) for _ in range(4))
        self.misclosure: list[np.ndarray] = []
        self.series: list[np.ndarray] = []
        self.crs = config.crs or _metric(network)
        self.air = estimate_air(network, config, self.looks, found, boxes, self.pixel) if config.atmosphere else None
        self.provenance = {
            "source": network.path.name, "interferograms": len(network.pairs), "software":
            f"groundshift {version('groundshift')}", "config": config.model_dump(mode="json"),
        }  # fmt: skip

    def invert(self, box: Box) -> tuple[Solved, Inversion]:
        """Invert a tile: its coherent pixels, and the series of those that are points."""
        solved = solve_box(self.network, self.config, self.looks, self.survey, box)
        self._count(solved.closed, solved.phase)
        self.suspects += int(solved.left_out.sum())
        self._residuals(solved)
        self.open_share[solved.rows, solved.columns] = solved.closed.wrong
        part = Inversion(*(each[..., solved.kept] for each in solved.found))
        self.rms[solved.rows[solved.kept], solved.columns[solved.kept]] = part.rms
        return solved, part

    def _count(self, closed: Any, phase: np.ndarray) -> None:
        for triplet, cycles in zip(closed.triplets, closed.cycles, strict=True):
            here = np.isfinite(phase[triplet]).all(axis=0)
            self.sums[triplet] += here.sum()
            self.open_sums[triplet] += np.count_nonzero(cycles)
        self.misclosure.append(closed.residual)

    def _residuals(self, solved: Solved) -> None:
        first, second = self.network.pairs.T
        moved, phase = solved.found.displacement, np.where(solved.left_out, np.nan, solved.phase)
        rest = (self.network.millimetres * phase - (moved[second] - moved[first]))[:, solved.kept]
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
            "groups_of_dates": self.survey.groups,
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
            "looks": None if self.survey.noise is None else self.survey.noise.looks,
            "residual_rms_mm": {
                "all": float(np.sqrt(self.squares.sum() / max(self.count.sum(), 1))),
                "median_of_points": _median(self.rms),
                "by_interferogram": dict(zip(names, rms_by, strict=True)),
            },
            "atmosphere": None if self.air is None else self.air.report,
            "median_sigma_of_last_date_mm": _median(self.sigma),
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
            self.pixel,
        )  # fmt: skip


def _tables(run: _Run, said: Report) -> Iterator[pa.Table]:
    for number, box in enumerate(run.boxes):
        solved, part = run.invert(box)
        rows, columns = solved.rows[solved.kept], solved.columns[solved.kept]
        series = part.displacement.T.astype(np.float64)
        if run.air is not None:
            heights = run.network.read_height(box)[rows - box.top, columns - box.left]
            series -= run.air.at(rows, columns, heights).T
        fields = point_fields(series, run.days, 1000 * run.network.wavelength)
        scatter = None if solved.scatter is None else solved.scatter[solved.kept]
        left = {} if run.air is None else {"air_velocity": run.air.velocity_sigma, "air": run.air.sigma}
        of_line = fields["mean_velocity_std"]
        sigmas = total_sigmas(series, run.days, part, scatter=scatter, of_line=of_line, **left)
        fields["mean_velocity_std"] = sigmas.velocity
        run.velocity[rows, columns] = fields["mean_velocity"]
        run.points += len(rows)
        run.sigma[rows, columns] = sigmas.displacement[-1]
        if len(rows):
            order = np.argsort(fields["mean_velocity"])
            run.series += [series[order[0]], series[order[-1]]]
        yield _points(run, rows, columns, solved.look[:, solved.kept], series, fields)
        said(number + 1, len(run.boxes))
    if not run.points:  # here, so that no file is left
        raise InputError(
            f"{run.network.path}: no pixel is left; lower --min-coherence ({run.config.min_coherence}) or raise "
            f"--max-open ({run.config.max_open})"
        )


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
    longitude = within_180(longitude)  # grids may go on to 360
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


def _median(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else float("nan")


def _root_mean_square(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(values**2))) if values.size else float("nan")
