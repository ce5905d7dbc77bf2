"""Stations of a simulated strip, to calibrate with and to check with."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from groundshift.model.stations import StationVelocities, build_velocities
from groundshift.synth.points.motion import degrees, ground_velocity, half_size
from groundshift.synth.points.options import StripOptions
from groundshift.synth.radar.hashing import generator_of


class StripStations(NamedTuple):
    """Stations, and what is true of them."""

    stations: StationVelocities  # to calibrate with
    held_out: StationVelocities  # further ones, to check with
    truth: np.ndarray  # float64 (n, 3), mm/yr: of the ground at `stations`
    held_out_truth: np.ndarray  # of the ground at `held_out`
    outliers: np.ndarray  # bool (n,): which of `stations` are wrong


def strip_stations(options: StripOptions) -> StripStations:
    """The stations of a strip: spread evenly, their velocities true but for errors of the sigmas they state."""
    given = options.stations
    places, wrong = station_places(options)
    random = generator_of(options.seed, "station velocities")
    count = len(places)
    truth = ground_velocity(options, places)
    level = np.array([given.horizontal, given.horizontal, given.vertical])
    sigma = level * random.uniform(0.5, 1.5, (count, 1))
    velocity = truth + sigma * random.standard_normal((count, 3))
    direction = random.standard_normal((count, 3))
    direction *= random.uniform(3, 6, (count, 1)) / np.linalg.norm(direction, axis=1, keepdims=True)
    velocity[wrong] += direction[wrong]
    latitude, longitude = degrees(options, places)
    names = np.array([f"S{number:03d}" for number in range(count)])
    names[given.count :] = [f"H{number:03d}" for number in range(count - given.count)]
    every = build_velocities(
        names, latitude, longitude, velocity, sigma=sigma, frame=given.frame, epoch=str(options.start),
        height=random.uniform(50, 1500, count), source=f"simulated by groundshift, seed {options.seed}",
    )  # fmt: skip
    used = slice(given.count)
    rest = slice(given.count, None)
    return StripStations(every.select(used), every.select(rest), truth[used], truth[rest], wrong[used])


def station_places(options: StripOptions) -> tuple[np.ndarray, np.ndarray]:
    """Metres east and north of the middle, float64 (n, 2), and which are wrong, bool (n,); those held out come last.

    Each is the farthest from those before it of a few places drawn, so that they cover the strip. Those held out are
    inside the strip.
    """
    given, random = options.stations, generator_of(options.seed, "stations")
    half = half_size(options)
    places = np.zeros((given.count + given.held_out, 2))
    for number in range(len(places)):
        reach = half + (1000 * given.margin if number < given.count else -8000)
        drawn = random.uniform(-1, 1, (8, 2)) * reach
        before = places[:number][None] if number else np.full((1, 1, 2), 1e9)
        places[number] = drawn[np.linalg.norm(drawn[:, None] - before, axis=2).min(axis=1).argmax()]
    wrong = np.zeros(len(places), bool)
    wrong[random.permutation(given.count)[: given.outliers]] = True
    return places, wrong
