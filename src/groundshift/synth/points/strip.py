"""Point sets of level L2a of a simulated strip, burst by burst, with their truth.

Every burst is made from the options and its own name alone, so that a strip of any size is never in memory as a whole.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyproj import Transformer

from groundshift.kernels.point_codes import Burst, point_codes
from groundshift.kernels.series_fields import YEAR, series_fields
from groundshift.model.points import point_set
from groundshift.synth.points.motion import degrees, ground_velocity, half_size, local_velocity
from groundshift.synth.points.options import StripOptions
from groundshift.synth.points.stations import station_places
from groundshift.synth.radar.hashing import generator_of, key_of, uniform

CELL = 100.0  # m: points of all tracks lie in the same cells, as buildings do
_HEADING = {"ascending": -9.0, "descending": 191.0}  # degrees from north
_FIRST_TRACK = {"ascending": 15, "descending": 22}
_INCIDENCE = 39.0  # degrees, in the middle of a burst
_DISTANCE = 560e3  # m: over which the tangent of the incidence grows by 1
_LINE, _PIXEL = 13.94, 3.7  # m on the ground: of a line and a pixel
_AIR_WAVES = 200


class Frame(NamedTuple):
    """One burst of one track."""

    orbit: str  # ascending or descending
    track: int  # relative orbit
    cycle: int  # burst in the cycle of the track
    centre: np.ndarray  # m east and north of the middle of the strip

    @property
    def name(self) -> str:
        """Such as 0282_IW2_VV."""
        return f"{self.cycle:04d}_IW2_VV"

    def image(self, places: np.ndarray) -> np.ndarray:
        """Metres across the track, away from the satellite, and along it, from the centre; float64 (n, 2)."""
        return (places - self.centre) @ _axes(self.orbit).T

    def look(self, across: np.ndarray) -> np.ndarray:
        """Unit vectors from the ground to the satellite, float64 (n, 3), at metres across the track."""
        angle = np.radians(incidence(across))
        away = _axes(self.orbit)[0]
        return np.stack([-np.sin(angle) * away[0], -np.sin(angle) * away[1], np.cos(angle)], 1)


class BurstPoints(NamedTuple):
    """Points of a burst, and the truth at each."""

    table: pa.Table  # point set of level L2a, relative: the mean of all series is taken off
    places: np.ndarray  # float64 (n, 2): m east and north of the middle of the strip
    velocity: np.ndarray  # float64 (n, 3): of the ground, east, north, up, mm/yr
    local: np.ndarray  # float64 (n,): part of it toward the satellite that is local (bowls, slopes), mm/yr
    surface: np.ndarray  # float64 (n,): what is to be taken off the velocity of each point to make it absolute, mm/yr
    air: np.ndarray  # float64 (n,): part of `surface` that is left of the atmosphere, of short wavelength, mm/yr


def incidence(across: np.ndarray) -> np.ndarray:
    """Degrees from the vertical, at metres across the track from the middle of a burst."""
    return np.degrees(np.arctan(np.tan(np.radians(_INCIDENCE)) + across / _DISTANCE))


def frames(options: StripOptions) -> list[Frame]:
    """All bursts of all tracks: ascending from the south on, then descending from the north on."""
    out = []
    for orbit in _HEADING:
        across, along = _axes(orbit)
        for track in range(options.tracks):
            for burst in range(options.bursts):
                right = (track - (options.tracks - 1) / 2) * 1000 * options.track_spacing
                ahead = (burst - (options.bursts - 1) / 2) * 1000 * options.burst_spacing
                centre = right / across[0] * np.array([1.0, 0.0]) + ahead * along
                out.append(Frame(orbit, _FIRST_TRACK[orbit] + 29 * track, 200 + burst, centre))
    return out


def simulate_burst(options: StripOptions, frame: Frame) -> BurstPoints:
    """Points of one burst, with series and EGMS fields."""
    random = generator_of(options.seed, "burst", str(frame.track), frame.name)
    places = _scatterers(options, frame, random)
    image = frame.image(places)
    corner = -500 * np.array([options.across, options.along])
    pixel, line = np.floor((image - corner) / [_PIXEL, _LINE]).astype(np.int64).T
    keep = np.sort(np.unique(line * (1 << 16) + pixel, return_index=True)[1])
    places, image, line, pixel = places[keep], image[keep], line[keep], pixel[keep]
    look = frame.look(image[:, 0])
    velocity = ground_velocity(options, places)
    local = (local_velocity(options, places) * look).sum(axis=1)
    air = _air(options, frame.track, places)
    wrong = _long_errors(options, frame, places) + air
    days = _dates(options, frame)
    series, reference = _series(options, random, days, (velocity * look).sum(axis=1) + wrong)
    offset = options.errors.offset * random.standard_normal()
    series += (offset * (days - days[0]) / YEAR).astype(np.float32)
    table = _table(options, frame, places, line, pixel, look, incidence(image[:, 0]), series, days)
    return BurstPoints(table, places, velocity, local, wrong - reference + offset, air)


def _axes(orbit: str) -> np.ndarray:
    """Unit vectors east, north: across the track, away from the satellite, and along it."""
    heading = np.radians(_HEADING[orbit])
    return np.array([[np.cos(heading), -np.sin(heading)], [np.sin(heading), np.cos(heading)]])


def _scatterers(options: StripOptions, frame: Frame, random: np.random.Generator) -> np.ndarray:
    """Places in cells that all tracks share: few in most parts, many around towns and stations."""
    sides = np.abs(_axes(frame.orbit).T @ np.diag([500 * options.across, 500 * options.along])).sum(axis=1)
    low, high = (np.floor((frame.centre + sign * sides) / CELL).astype(np.int64) for sign in (-1, 1))
    east, north = np.arange(low[0], high[0] + 1)[None], np.arange(low[1], high[1] + 1)[:, None]
    key = key_of(options.seed, "cells")
    share = options.density * (CELL / 1000) ** 2 / options.crowd
    blocks = uniform(key, np.arange(low[0] // 40, high[0] // 40 + 1)[None],
                     np.arange(low[1] // 40, high[1] // 40 + 1)[:, None], number=1)  # fmt: skip
    share = 2 * share * blocks[north // 40 - low[1] // 40, east // 40 - low[0] // 40]  # of 4 km
    for station in station_places(options)[0]:
        columns, rows = (
            slice(*np.clip((station[k] + [-700, 700]) // CELL - low[k], 0, None).astype(int)) for k in (0, 1)
        )
        share[rows, columns] = 0.4
    rows, columns = np.nonzero(uniform(key, east, north) < share)
    cells = np.stack([columns, rows], 1) + low
    cells = np.repeat(cells, random.poisson(options.crowd, len(cells)), axis=0)
    places = (cells + random.random(cells.shape)) * CELL
    half = np.array([options.across, options.along]) * 500
    return places[(np.abs(frame.image(places)) < half).all(axis=1)]


def _dates(options: StripOptions, frame: Frame) -> np.ndarray:
    """Days since 1970; tracks pass on days of their own."""
    first = (np.datetime64(options.start) - np.datetime64("1970-01-01")).astype(int)
    return first + frame.track % options.interval + options.interval * np.arange(options.dates)


def _long_errors(options: StripOptions, frame: Frame, places: np.ndarray) -> np.ndarray:
    """Tilt and waves of a track, mm/yr."""
    errors, random = options.errors, generator_of(options.seed, "orbit", str(frame.track))
    along = places @ _axes(frame.orbit).T / 1000
    out = along @ (errors.tilt / 100 * random.standard_normal(2))
    for axis in range(2):
        length = errors.wavelength * random.uniform(0.8, 1.5)
        out += errors.wave * np.sin(2 * np.pi * (along[:, axis] / length + random.random()))
    return out


def _air(options: StripOptions, track: int, places: np.ndarray) -> np.ndarray:
    """A Gaussian field of Gaussian correlation, from random waves (Rahimi & Recht 2007), mm/yr."""
    if not options.errors.air:
        return np.zeros(len(places))
    random = generator_of(options.seed, "air", str(track))
    waves = random.standard_normal((_AIR_WAVES, 2)) / (1000 * options.errors.air_length)
    phases = random.uniform(0, 2 * np.pi, _AIR_WAVES)
    total = np.zeros(len(places))
    for wave, phase in zip(waves, phases, strict=True):
        total += np.cos(places @ wave + phase)
    return options.errors.air * np.sqrt(2 / _AIR_WAVES) * total


def _series(
    options: StripOptions, random: np.random.Generator, days: np.ndarray, rate: np.ndarray
) -> tuple[np.ndarray, float]:
    """Displacement float32 (n, dates), mm, less its mean over points, and the rate that this takes off, mm/yr."""
    errors, count = options.errors, len(rate)
    years = (days - days[0]) / YEAR
    season = errors.seasonality * random.uniform(0.5, 1.5, count)
    noise = errors.noise * random.uniform(0.6, 1.4, count)
    out = random.standard_normal((count, len(days)), np.float32)
    out *= noise[:, None].astype(np.float32)
    reference = float(rate.mean()) if count else 0.0
    out += np.outer(rate - reference, years).astype(np.float32)
    yearly = np.cos(2 * np.pi * (days / YEAR - 0.55))
    out += np.outer(season - (season.mean() if count else 0), yearly - yearly[0]).astype(np.float32)
    return out, reference


def _table(
    options: StripOptions, frame: Frame, places: np.ndarray, line: np.ndarray, pixel: np.ndarray, look: np.ndarray,
    angle: np.ndarray, series: np.ndarray, days: np.ndarray,
) -> pa.Table:  # fmt: skip
    latitude, longitude = degrees(options, places)
    easting, northing = Transformer.from_crs("EPSG:4326", options.crs, always_xy=True).transform(longitude, latitude)
    fields = series_fields(series, days.astype(float))._asdict()
    series = series - fields.pop("first")[:, None].astype(np.float32)
    height = 300 + 250 * np.sin(places[:, 0] / 9e3) * np.cos(places[:, 1] / 7e3)
    burst = Burst(frame.track, frame.cycle, "IW2", "VV")
    return point_set(
        {
            "pid": point_codes(line, pixel, burst),
            "cluster_label": np.zeros(len(line), np.int32),
            "mp_type": np.zeros(len(line), np.int32),
            "latitude": latitude,
            "longitude": longitude,
            "easting": easting,
            "northing": northing,
            "height": height,
            "height_wgs84": height + 47.0,
            "line": line,
            "pixel": pixel,
            "amplitude_dispersion": np.full(len(line), 0.2),
            "incidence_angle": angle,
            "track_angle": np.full(len(line), _HEADING[frame.orbit]),
            **dict(zip(("los_east", "los_north", "los_up"), look.T, strict=True)),
            **fields,
            "displacement": series,
        },
        level="L2a",
        dates=days.astype("datetime64[D]"),
        crs=options.crs,
        track=frame.track,
        frame=frame.name,
        provenance={"source": f"simulated by groundshift, seed {options.seed}"},
    )


def inside_strip(options: StripOptions, places: np.ndarray) -> np.ndarray:
    """Whether places (n, 2) are in the box that most bursts of a track cover, bool."""
    return (np.abs(places) < half_size(options)).all(axis=1)
