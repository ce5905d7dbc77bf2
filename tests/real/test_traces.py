"""Real traces of active faults as shapes of ruptures."""

import numpy as np
import pytest

from groundshift.io import read_traces
from groundshift.synth.dataset import DatasetOptions, dataset_sample, find_traces
from groundshift.synth.earthquakes import FaultOptions, random_system
from groundshift.synth.options import PairOptions

SINGLE = FaultOptions(
    systems={"single": 1.0}, buried=0.0, distributed=0.0, crossing=1.0, real=1.0, roughness=(1e-6, 1e-5),
    length=(0.5, 0.9), segment=1.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def path(shared):
    """The GEM Global Active Faults Database (Styron & Pagani 2020, doi:10.1177/8755293020944182), CC BY-SA 4.0."""
    return shared / "data" / "gem_faults" / "gem_active_faults.geojson.zip"


def test_all_traces_are_read(path):
    traces = read_traces(path)
    assert len(traces) > 10_000
    lengths = np.array([np.hypot(*np.diff(each, axis=0).T).sum() for each in traces])
    assert np.isfinite(lengths).all()
    assert 15_000 < np.median(lengths) < 30_000  # metres


def test_faults_have_their_shapes(path):
    """Drawn to scale, turned and perhaps mirrored, the trace of a fault is that of the map to two pixels."""
    traces = find_traces(DatasetOptions(traces=str(path)))
    assert 6000 < len(traces) < 10_000
    for seed in range(20):
        (fault,), record = random_system(np.random.default_rng(seed), (256, 256), SINGLE, traces=traces)
        given = traces[record["faults"][0]["trace"]]
        steps = np.append(0, np.cumsum(np.hypot(*np.diff(given, axis=0).T)))
        if np.hypot(*(given[-1] - given[0])) < 0.2 * steps[-1]:
            continue  # a ring is cut
        at = np.linspace(0, steps[-1], 400)
        shape = np.column_stack([np.interp(at, steps, each) for each in given.T])
        found, expected = _straightened(fault.trace), _straightened(shape)
        away = [np.hypot(*(found[:, None] - mirror * expected).T).min(axis=0).max() for mirror in ([1, 1], [1, -1])]
        assert min(away) * np.hypot(*(fault.trace[-1] - fault.trace[0])) < 2


def _straightened(line):
    """A line from (0, 0) to (1, 0)."""
    chord = line[-1] - line[0]
    return (line - line[0]) @ np.column_stack([chord, [-chord[1], chord[0]]]) / (chord @ chord)


def test_samples_are_made_of_them(path):
    options = DatasetOptions(traces=str(path), pair=PairOptions(size=64, kinds={"earthquake": 1}, faults=SINGLE))
    sample = dataset_sample(options, "train", "large", 0, traces=find_traces(options))
    assert sample.record["motion"]["faults"][0]["trace"] is not None
    assert sample.valid.mean() > 0.3
