"""What is found of a network of interferograms before it is inverted tile by tile, and how it is inverted."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from pyproj import Geod, Transformer

from groundshift.errors import InputError
from groundshift.grid.tiles import Box, tile_plan
from groundshift.insar.interferograms.closure import find_triplets
from groundshift.insar.interferograms.noise import Noise, learn_noise
from groundshift.io.interferograms import Interferograms
from groundshift.kernels.robust import robust_fit
from groundshift.kernels.series_fields import YEAR as FIELD_YEAR
from groundshift.kernels.series_fields import seasonal_design, series_fields
from groundshift.model.units import YEAR

log = logging.getLogger(__name__)

_SIDE = 128  # pixels of a box of the survey
_SAMPLE = 100_000  # pixels of the survey, about
_RAMPS = 5_000  # pixels that ramps are fitted to
_LONG = 365.0  # days of a series to which a season is fitted
_MANY = 10  # and dates


class InvertConfig(BaseModel):
    """How interferograms are inverted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_coherence: float = Field(0.3, ge=0, lt=1, description="pixels of smaller mean coherence are left out")
    reference: tuple[float, float, float] | None = Field(
        None, description="longitude and latitude (degrees) and radius (m) of ground that is still; null is all ground"
    )
    max_open: float = Field(0.2, ge=0, le=1, description="pixels with a larger share of triplets that do not close go")
    leave_out_suspects: bool = Field(
        True, description="leave out, pixel by pixel, interferograms none of whose triplets (two or more) close"
    )
    looks: float | None = Field(
        None, ge=2, description="independent looks of phases and coherences; told by sums around triplets if null"
    )
    atmosphere: bool = Field(False, description="estimate the atmosphere of each date and take it off")
    incidence: float | None = Field(None, gt=0, lt=90, description="degrees, where there are no look vectors")
    heading: float | None = Field(
        None,
        ge=-360,
        le=360,
        description="flight of the satellite, degrees from north, where there are no look vectors",
    )
    wavelength: float | None = Field(None, gt=0, lt=2, description="m; of the files, or of Sentinel-1, if null")
    track: int | None = Field(None, ge=1, description="relative orbit; of the files' names if null")
    crs: str | None = Field(None, description="of eastings and northings; the files' if in metres, or UTM, if null")


class Survey(NamedTuple):
    """What is common to the pixels of a network."""

    offsets: np.ndarray  # float64 (m,), radians: of the reference in each interferogram
    trends: np.ndarray  # float64 (k, 3): what sums around triplets are, radians: constant, per row, per column
    groups: int  # of dates that no interferogram joins; 1 is a whole network
    rows: np.ndarray  # int (n,): some pixels of the reference, in the grid
    columns: np.ndarray
    heights: np.ndarray  # float (n,), m: of these, NaN where they are not known
    noise: Noise | None  # None where no coherence is known, or nothing tells the looks


def survey(network: Interferograms, config: InvertConfig) -> Survey:
    """The phase of the reference (a median), and the ramps that sums around triplets have (a robust plane).

    Raises
    ------
    InputError
        If no pixel of the reference has all interferograms and coherence enough.
    """
    everywhere = _everywhere(network, config)
    if config.reference is None:
        reference = everywhere
    else:
        reference = _gathered(network, config, _boxes_around(network, *config.reference))
    if not reference.phase.shape[1]:
        where = "anywhere" if config.reference is None else f"within {config.reference[2]:g} m of the reference"
        raise InputError(
            f"{network.path}: no pixel has all interferograms and a mean coherence of {config.min_coherence} {where}; "
            "give another --reference LON,LAT,RADIUS, or a lower --min-coherence"
        )
    offsets = np.median(reference.phase, axis=1).astype(np.float64)
    some = np.random.default_rng(0).permutation(everywhere.phase.shape[1])[:_RAMPS]
    phase = everywhere.phase[:, some] - offsets[:, None]
    design = np.stack([np.ones(len(some)), everywhere.rows[some], everywhere.columns[some]], axis=1)
    triplets = find_triplets(network.pairs, len(network.dates))
    still = slice(None, None, max(1, reference.phase.shape[1] // _RAMPS))
    trends = np.zeros((len(triplets), 3))
    if np.linalg.matrix_rank(design) == design.shape[1]:
        with np.errstate(over="ignore"):  # sums that close to the last bit have no scale
            fits = [robust_fit(design, phase[a] + phase[b] - phase[c]).coefficients for a, b, c in triplets]
        trends = np.array(fits).reshape(-1, 3)
    return Survey(
        offsets, trends, len(np.unique(date_groups(network.pairs, len(network.dates)))), reference.rows[still],
        reference.columns[still], reference.heights[still], _noise(network, config, offsets, trends),
    )  # fmt: skip


def _noise(network: Interferograms, config: InvertConfig, offsets: np.ndarray, trends: np.ndarray) -> Noise | None:
    """Noise of the kinds of ground, from pixels drawn by lot, coherent or not."""
    if not any(network.coherences):
        return None
    found = _everywhere(network, config, coherent=False)
    some = np.random.default_rng(1).permutation(found.phase.shape[1])[:_RAMPS]
    phase = found.phase[:, some] - offsets[:, None]
    sums = np.full((len(trends), len(some)), np.nan)
    for each, (a, b, c), trend in zip(sums, find_triplets(network.pairs, len(network.dates)), trends, strict=True):
        total = phase[a] + phase[b] - phase[c] - trend @ [np.ones(len(some)), found.rows[some], found.columns[some]]
        each[:] = total - 2 * np.pi * np.rint(total / (2 * np.pi))
    days = network.dates.astype(np.float64)
    noise = learn_noise(
        found.coherence[:, some], sums, network.pairs, days, row=velocity_row(days), residual=motion_residual(days),
        looks=config.looks,
    )  # fmt: skip
    if noise is None:
        log.warning("too few coherent triplets tell the looks of interferograms; give --looks, or sigmas are guesses")
    return noise


def date_groups(pairs: np.ndarray, dates: int) -> np.ndarray:
    """Group of each date that interferograms join, int (dates,)."""
    group = np.arange(dates)
    for first, second in pairs:
        group[group == group[second]] = group[first]
    return group


class _Gathered(NamedTuple):
    phase: np.ndarray  # (m, n)
    coherence: np.ndarray  # (m, n); no rows where no file has any
    rows: np.ndarray
    columns: np.ndarray
    heights: np.ndarray


def _gathered(
    network: Interferograms, config: InvertConfig, boxes: Iterator[tuple[Box, np.ndarray]], *, coherent: bool = True
) -> _Gathered:
    """Pixels of boxes that have all interferograms and are coherent; or all that have any interferogram."""
    empty = np.empty((len(network.pairs), 0), np.float32)
    found = [_Gathered(empty, empty if any(network.coherences) else empty[:0], *(np.empty(0) for _ in range(3)))]
    for box, inside in boxes:
        phase, coherence = network.read(box)
        known = np.isfinite(phase)
        good = inside & (known.all(axis=0) if coherent else known.any(axis=0))
        if coherence is None:
            coherence = np.empty((0, *box.shape), np.float32)
        elif coherent:
            good &= mean_coherence(coherence) >= config.min_coherence
        rows, columns = np.nonzero(good)
        heights = network.read_height(box)[good]
        found.append(_Gathered(phase[:, good], coherence[:, good], rows + box.top, columns + box.left, heights))
    return _Gathered(*(np.concatenate(each, axis=-1) for each in zip(*found, strict=True)))


def _everywhere(network: Interferograms, config: InvertConfig, *, coherent: bool = True) -> _Gathered:
    """Pixels of some boxes all over the grid, drawn by lot; of more boxes where those are sea or not coherent."""
    shape = tuple(network.grid.shape)
    tiles = tile_plan(shape, _SIDE)
    parts, found = min(len(tiles), max(1, shape[0] * shape[1] // _SAMPLE)), []
    for numbers in np.array_split(np.random.default_rng(0).permutation(len(tiles)), parts):
        boxes = [tiles[number].box for number in sorted(numbers)]
        inside = ((box, np.ones(box.shape, bool)) for box in boxes)
        found.append(_gathered(network, config, inside, coherent=coherent))
        if sum(each.phase.shape[1] for each in found) >= _RAMPS:
            break
    return _Gathered(*(np.concatenate(each, axis=-1) for each in zip(*found, strict=True)))


def _boxes_around(
    network: Interferograms, longitude: float, latitude: float, radius: float
) -> Iterator[tuple[Box, np.ndarray]]:
    """Boxes near a place (degrees), and which of their pixels are within a radius (m)."""
    to_degrees = Transformer.from_crs(network.grid.crs.proj, "EPSG:4326", always_xy=True)
    for tile in tile_plan(tuple(network.grid.shape), _SIDE):
        box = tile.box
        rows, columns = np.mgrid[box.slices] + 0.5
        x, y = (each.reshape(rows.shape) for each in network.grid.affine @ np.stack([columns.ravel(), rows.ravel()]))
        centre = (np.full(rows.shape, each) for each in (longitude, latitude))
        away = Geod(ellps="WGS84").inv(*centre, *to_degrees.transform(x, y))[2]
        if (away <= radius).any():
            yield box, away <= radius


class Looks:
    """Unit vectors from the ground to the satellite, wherever they come from."""

    def __init__(self, network: Interferograms, config: InvertConfig) -> None:
        self.network, self.constant = network, None
        if network.look and config.incidence is None:
            return
        incidence = config.incidence or network.incidence
        missing = [
            f"--{name}" for name, value in (("incidence", incidence), ("heading", config.heading)) if value is None
        ]
        if missing:
            raise InputError(
                f"{network.path} has no look vectors (*.geo.E.tif, *.geo.N.tif, *.geo.U.tif); copy them into it, "
                f"or give {' and '.join(missing)} in degrees "
                "(an ascending Sentinel-1 flies at about -12, a descending at -168)"
            )
        angle, away = np.radians(incidence), np.radians(config.heading + 90)  # it looks to the right
        self.constant = np.array([-np.sin(angle) * np.sin(away), -np.sin(angle) * np.cos(away), np.cos(angle)])

    def at(self, box: Box) -> np.ndarray:
        """float64 (3, y, x)."""
        if self.constant is None:
            return self.network.read_look(box)
        return np.broadcast_to(self.constant[:, None, None], (3, *box.shape))


def coherence_weights(coherence: np.ndarray) -> np.ndarray:
    """1 / variance of the phase of interferograms, up to a factor: γ² / (1 − γ²), γ at most 0.99; for unknown looks.

    Source: Rodriguez & Martin (1992), doi:10.1049/ip-f-2.1992.0018 (Cramér–Rao bound).
    """
    square = np.clip(coherence, 0, 0.99) ** 2
    return square / (1 - square)


def mean_coherence(coherence: np.ndarray) -> np.ndarray:
    """Over interferograms (m, …), of those that are known."""
    known = np.isfinite(coherence)
    return np.where(known, coherence, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)


class LineFields(NamedTuple):
    """Of straight lines through series, float64 (n,)."""

    mean_velocity: np.ndarray  # mm/yr of 365.25 days
    mean_velocity_std: np.ndarray  # mm/yr
    rmse: np.ndarray  # mm
    temporal_coherence: np.ndarray  # 0 to 1


def line_fields(series: np.ndarray, days: np.ndarray, *, wavelength: float) -> LineFields:
    """Velocity of series that are too short for a season.

    Parameters
    ----------
    series
        mm, float (n, time), without gaps.
    days
        Ascending, float (time,), two or more; of two, nothing tells the standard deviation, which is NaN.
    wavelength
        mm.
    """
    years = (days - days.mean()) / YEAR
    velocity = series @ years / (years @ years)
    rest = series - series.mean(axis=1, keepdims=True) - velocity[:, None] * years
    spare = len(days) - 2
    variance = (rest**2).sum(axis=1) / spare if spare > 0 else np.full(len(series), np.nan)
    coherence = np.abs(np.exp(4j * np.pi / wavelength * rest).mean(axis=1))
    return LineFields(velocity, np.sqrt(variance / (years @ years)), np.sqrt((rest**2).mean(axis=1)), coherence)


def point_fields(series: np.ndarray, days: np.ndarray, wavelength: float) -> dict[str, np.ndarray]:
    """EGMS fields of series (n, time) in mm that have no gaps; without a season if they are shorter than a year."""
    if is_long(days):
        fields = series_fields(series, days, wavelength=wavelength)._asdict()
        del fields["first"]
        return fields
    return line_fields(series, days, wavelength=wavelength)._asdict()


def is_long(days: np.ndarray) -> bool:
    """Whether a series of these days is long enough for a season."""
    return bool(days[-1] - days[0] >= _LONG and len(days) >= _MANY)


def motion_residual(days: np.ndarray) -> np.ndarray:
    """What leaves, of a series, that beside the line and the season of its velocity, float64 (time, time)."""
    design = np.column_stack([np.ones(len(days)), days - days.mean()])
    if is_long(days):
        design = seasonal_design((days - days[0]) / FIELD_YEAR)[:, :4]
    return np.eye(len(days)) - design @ np.linalg.pinv(design)


def velocity_row(days: np.ndarray) -> np.ndarray:
    """What gives the velocity of :func:`point_fields` when it is multiplied with a series, float64 (time,)."""
    if is_long(days):
        return np.linalg.pinv(seasonal_design((days - days[0]) / FIELD_YEAR)[:, :4])[1]
    years = (days - days.mean()) / YEAR
    return years / (years @ years)
