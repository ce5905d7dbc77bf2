"""A simulated strip on disk: a point set a burst, the stations, and the options that its truth is made from again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from groundshift.engine.progress import reporting
from groundshift.errors import InputError
from groundshift.io.files import write_json
from groundshift.io.given import options_from
from groundshift.io.gnss.table import write_station_table
from groundshift.io.points import write_points
from groundshift.synth.points.motion import ground_velocity, metres
from groundshift.synth.points.options import StripOptions
from groundshift.synth.points.picture import StripPicture
from groundshift.synth.points.stations import strip_stations
from groundshift.synth.points.strip import Frame, frames, simulate_burst

STATIONS, HELD_OUT, OPTIONS, PICTURE = "stations.csv", "held_out.csv", "strip.json", "strip.png"


def point_file(frame: Frame) -> str:
    """Name of the file of a burst, such as L2a_015_0200_IW2_VV.parquet."""
    return f"L2a_{frame.track:03d}_{frame.name}.parquet"


def write_strip(folder: str | Path, options: StripOptions) -> list[Path]:
    """Make a strip in a folder; returns the files of its bursts, in the order of their frames.

    Beside them are `stations.csv`, `held_out.csv`, `strip.json` (the options, see :func:`read_strip`) and `strip.png`.
    """
    folder, paths = Path(folder), []
    made = strip_stations(options)
    write_station_table(folder / STATIONS, made.stations)
    write_station_table(folder / HELD_OUT, made.held_out)
    write_json(folder / OPTIONS, options.model_dump(mode="json"))
    picture, every = StripPicture(options), frames(options)
    with reporting("simulating", None, done=0, total=len(every), units="bursts") as report:
        for number, frame in enumerate(every, start=1):
            burst = simulate_burst(options, frame)
            paths.append(folder / point_file(frame))
            write_points(paths[-1], burst.table)
            picture.add(frame, burst)
            report(number, len(every))
    picture.save(folder / PICTURE, made)
    return paths


def read_strip(folder: str | Path) -> StripOptions:
    """The options of a strip that :func:`write_strip` made, from which its truth follows.

    Raises
    ------
    InputError
        If there is no strip in the folder.
    """
    path = Path(folder) / OPTIONS
    if not path.is_file():
        raise InputError(f"{folder} has no {OPTIONS}; expected a folder that groundshift synth points made")
    return options_from(StripOptions, path)


def true_velocity(options: StripOptions, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Velocity of the ground of a strip, east, north, up in mm/yr, float64 (n, 3)."""
    return ground_velocity(options, metres(options, np.asarray(latitude, float), np.asarray(longitude, float)))
