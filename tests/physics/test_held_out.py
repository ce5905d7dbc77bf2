"""A station that is held out has no part in the product that it checks."""

from dataclasses import replace

import numpy as np
import pytest

from groundshift.io.points import read_points, write_points
from groundshift.products.calibrate import CalibrateConfig, calibrate_points
from groundshift.synth.points.options import MotionOptions, StationOptions, StripOptions
from groundshift.synth.points.stations import strip_stations
from groundshift.synth.points.strip import frames, simulate_burst
from groundshift.validate.checks.stations import compare_with_stations, hold_out

STRIP = StripOptions(
    tracks=1, bursts=2, density=0.4, dates=20, interval=60, motion=MotionOptions(bowls=0, slopes=0),
    stations=StationOptions(count=24, held_out=0, outliers=0, margin=1.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def strip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strip")
    paths = []
    for frame in frames(STRIP):
        paths.append(folder / f"{frame.track}_{frame.name}.parquet")
        write_points(paths[-1], simulate_burst(STRIP, frame).table)
    return paths, strip_stations(STRIP).stations


def moved(stations, names):
    """The stations, some of them rising 50 mm/yr faster."""
    some = np.isin(stations.name, names)
    return replace(stations, velocity=stations.velocity + np.outer(some, [0, 0, 50.0]))


def made(paths, stations, held, out):
    config = CalibrateConfig(folds=0)
    result = calibrate_points(paths, out, gnss=stations, held_out=held, config=config, executor="serial")
    return [read_points(path) for path in result.paths]


def test_what_held_out_stations_say_changes_nothing(strip, tmp_path):
    paths, stations = strip
    used, held = hold_out(stations, 0.25, seed=1)
    names = held.name.tolist()
    first = made(paths, stations, names, tmp_path / "first")
    second = made(paths, moved(stations, names), names, tmp_path / "second")
    third = made(paths, moved(stations, used.name[:3].tolist()), names, tmp_path / "third")
    columns = ("mean_velocity", "displacement")
    assert all(one[name].equals(other[name]) for one, other in zip(first, second, strict=True) for name in columns)
    assert not all(one["mean_velocity"].equals(other["mean_velocity"]) for one, other in zip(first, third, strict=True))
    honest, wrong = (compare_with_stations(first[:2], each, radius=3000) for each in (held, moved(held, names)))
    assert len(honest.name) >= 3
    assert np.abs(honest.difference).max() < 5
    assert np.abs(wrong.difference - honest.difference).min() > 10  # and the check sees what they say
